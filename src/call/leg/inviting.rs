//! A leg that we call, until the phone accepts, refuses, or has left again.

use super::challenged::with_credentials_of;
use super::{Confirmed, Event, Input, Leg, Output, Referral, State, respond};
use crate::call::invite;
use crate::call::site::Site;
use crate::sdp::Session;
use crate::sip::dialog::{Dialog, Modification};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::ClientId;

impl Leg {
    pub(super) fn inviting_step(
        &mut self,
        site: &mut Site<'_>,
        (client, invite, ringing): (ClientId, Request, bool),
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Response { client: of, response, flow } if of == client => {
                match response.status() {
                    100 => {
                        out.push(Output::Event(Event::Trying));
                        State::Inviting { client, invite, ringing }
                    }
                    101..=199 => {
                        self.early_tag = response.to_tag().map(str::to_owned);
                        if !ringing {
                            out.push(Output::Event(Event::Ringing));
                        }
                        State::Inviting { client, invite, ringing: true }
                    }
                    200..=299 => {
                        self.accepted_by_peer(site, (client, invite), (response, flow), out)
                    }
                    status => {
                        out.push(Output::Event(Event::Refused(status)));
                        self.gone(out)
                    }
                }
            }
            Input::Failed(of, _) if of == client => {
                out.push(Output::Event(Event::Refused(408)));
                self.gone(out)
            }
            Input::HangUp(reason) => {
                out.push(Output::Cancel { client, reason });
                self.close_media(out);
                State::Cancelling { client, invite }
            }
            Input::Request { key, request, .. } => {
                let status = if request.method() == Method::Options { 200 } else { 481 };
                out.push(respond(key, &request, status, ""));
                State::Inviting { client, invite, ringing }
            }
            Input::Acked(_)
            | Input::Answer(_)
            | Input::AnswerRefer(_)
            | Input::Cancelled
            | Input::Failed(..)
            | Input::Hold(_)
            | Input::Key(_)
            | Input::Notify(_)
            | Input::Offer(_)
            | Input::Refuse(_)
            | Input::Response { .. }
            | Input::Ring
            | Input::Tick => State::Inviting { client, invite, ringing }, // absorbed
        }
    }

    /// The peer accepted our INVITE: acknowledges, and takes its answer or leaves again.
    fn accepted_by_peer(
        &mut self,
        site: &mut Site<'_>,
        (client, invite): (ClientId, Request),
        (response, flow): (Response, Flow),
        out: &mut Vec<Output>,
    ) -> State {
        let Ok(mut dialog) = Dialog::as_uac(Path { flow, direct: self.direct }, &invite, &response)
        else {
            out.push(Output::Event(Event::Refused(502)));
            return self.gone(out);
        };
        let (agreed, answer) = self.agree(&response);
        let mut ack = with_credentials_of(&invite, dialog.ack(invite.cseq().number));
        if let Some(answer) = answer {
            ack = ack.body("application/sdp", answer.as_bytes());
        }
        let ack = ack.request();
        out.push(Output::Ack { flow: dialog.next_hop(), request: ack.clone() });
        if !agreed {
            out.push(Output::Event(Event::Refused(488)));
            return self.leave(site, &mut dialog, None, out);
        }
        self.flow = flow;
        self.learn(&response);
        self.answered = true;
        self.connect(out);
        out.push(Output::Event(Event::Answered));
        let confirmed = Confirmed {
            dialog,
            accepted: None,
            leaving: None,
            acked: Some((client, invite, ack)),
            modification: Modification::new(true),
            referral: Referral::default(),
        };
        State::Confirmed(Box::new(confirmed))
    }

    /// Takes the answer to our offer, or the offer of a peer that got none: then with our answer.
    fn agree(&mut self, response: &Response) -> (bool, Option<String>) {
        let Ok(theirs) = Session::parse(response.body()) else { return (false, None) };
        if self.audio.is_offering() {
            return (self.audio.accept(&theirs).is_ok(), None);
        }
        let answer = self.audio.answer(&theirs).ok().map(|(answer, _)| answer);
        (answer.is_some(), answer)
    }

    pub(super) fn cancelling_step(
        &mut self,
        site: &mut Site<'_>,
        client: ClientId,
        invite: Request,
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Response { client: of, response, flow }
                if of == client && response.is_success() =>
            {
                // The 2xx crossed our CANCEL (RFC 3261 §9.1): accept it, then leave.
                match Dialog::as_uac(Path { flow, direct: self.direct }, &invite, &response) {
                    Ok(mut dialog) => {
                        let request = dialog.ack(invite.cseq().number).request();
                        let flow = dialog.next_hop();
                        out.push(Output::Ack { flow, request });
                        self.leave(site, &mut dialog, Some(invite::COMPLETED_ELSEWHERE), out)
                    }
                    Err(_) => State::Gone,
                }
            }
            Input::Response { client: of, response, .. } if of == client && response.is_final() => {
                State::Gone
            }
            Input::Failed(of, _) if of == client => State::Gone,
            Input::Request { key, request, .. } => {
                out.push(respond(key, &request, 481, ""));
                State::Cancelling { client, invite }
            }
            Input::Acked(_)
            | Input::Answer(_)
            | Input::AnswerRefer(_)
            | Input::Cancelled
            | Input::Failed(..)
            | Input::HangUp(_)
            | Input::Hold(_)
            | Input::Key(_)
            | Input::Notify(_)
            | Input::Offer(_)
            | Input::Refuse(_)
            | Input::Response { .. }
            | Input::Ring
            | Input::Tick => State::Cancelling { client, invite }, // absorbed
        }
    }
}

/// Waits for the answer to our BYE.
pub(super) fn leaving_step(
    client: ClientId,
    reinvited: Option<Box<Dialog>>,
    input: Input,
    out: &mut Vec<Output>,
) -> State {
    match input {
        Input::Response { client: of, response, .. } if of == client && response.is_final() => {
            return State::Gone;
        }
        Input::Failed(of, _) if of == client => return State::Gone,
        Input::Response { response, .. } if response.is_success() => {
            // The 2xx to a re-INVITE crossed our BYE.
            let cseq = response.cseq();
            if let Some(dialog) = reinvited.as_ref().filter(|_| cseq.method == Method::Invite) {
                let request = dialog.ack(cseq.number).request();
                out.push(Output::Ack { flow: dialog.next_hop(), request });
            }
        }
        Input::Request { key, request, .. } => {
            // Two BYEs may cross; anything else comes too late.
            let status = if request.method() == Method::Bye { 200 } else { 481 };
            out.push(respond(key, &request, status, ""));
        }
        Input::Acked(_)
        | Input::Answer(_)
        | Input::AnswerRefer(_)
        | Input::Cancelled
        | Input::Failed(..)
        | Input::HangUp(_)
        | Input::Hold(_)
        | Input::Key(_)
        | Input::Notify(_)
        | Input::Offer(_)
        | Input::Refuse(_)
        | Input::Response { .. }
        | Input::Ring
        | Input::Tick => {} // absorbed
    }
    State::Leaving { client, reinvited }
}
