//! A leg that we call, until the phone accepts, refuses, or has left again.

use super::challenged::with_credentials_of;
use super::{Confirmed, Event, Input, Leg, Output, Referral, State, respond, say_bye};
use crate::call::invite;
use crate::call::leg::early::Early;
use crate::call::site::Site;
use crate::sdp::Session;
use crate::sip::dialog::{Dialog, Modification};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, Privacy, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::ClientId;
use crate::time::Instant;

/// Our INVITE waits for the peer's final answer.
#[derive(Debug)]
pub(super) struct Inviting {
    pub(super) client: ClientId,
    pub(super) invite: Request,
    pub(super) ringing: bool,
    /// The phones that have spoken: several where a proxy forks the INVITE.
    pub(super) early: Vec<Early>,
    /// Reliable responses that were acknowledged.
    pub(super) pracks: u8,
}

impl Inviting {
    pub(super) fn new(client: ClientId, invite: Request) -> Self {
        Self { client, invite, ringing: false, early: Vec::new(), pracks: 0 }
    }
}

impl Leg {
    pub(super) fn inviting_step(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut inviting: Box<Inviting>,
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Response { client: of, response, flow } if of == inviting.client => {
                match response.status() {
                    100 => out.push(Output::Event(Event::Trying)),
                    101..=199 => {
                        self.early_tag = response.to_tag().map(str::to_owned);
                        self.provisional_came(site, &mut inviting, (&response, flow), out);
                    }
                    200..=299 => {
                        return self.accepted_by_peer(now, site, inviting, (response, flow), out);
                    }
                    422 if self.timer.raise(&response) => {
                        let without = [Name::SessionExpires, Name::MinSe];
                        let number = inviting.invite.cseq().number + 1;
                        let next = invite::again(&inviting.invite, number, &without);
                        inviting.invite = self.timer.ask(next).request();
                        inviting.client = site.client();
                        let (client, request) = (inviting.client, inviting.invite.clone());
                        out.push(Output::Request { client, flow: self.flow, request });
                    }
                    status => {
                        let event = match redirection(&response) {
                            Some(number) => Event::Redirected { status, number },
                            None => Event::Refused(status),
                        };
                        out.push(Output::Event(event));
                        return self.gone(out);
                    }
                }
            }
            Input::Failed(of, _) if of == inviting.client => {
                out.push(Output::Event(Event::Refused(408)));
                return self.gone(out);
            }
            Input::HangUp(reason) => {
                let Inviting { client, invite, .. } = *inviting;
                out.push(Output::Cancel { client, reason });
                self.close_media(out);
                return State::Cancelling { client, invite, reason };
            }
            Input::Request { key, flow, request } => {
                self.early_request_came(site, &mut inviting, (key, flow, &request), out);
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
            | Input::Progress(_)
            | Input::Refuse(_)
            | Input::Response { .. }
            | Input::Ring
            | Input::Silent
            | Input::Tick => {} // absorbed
            Input::Show(connected) => _ = self.showing.want(connected),
        }
        State::Inviting(inviting)
    }

    /// The peer accepted our INVITE: acknowledges, and takes its answer or leaves again.
    fn accepted_by_peer(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        inviting: Box<Inviting>,
        (response, flow): (Response, Flow),
        out: &mut Vec<Output>,
    ) -> State {
        let Inviting { client, invite, early, .. } = *inviting;
        let tag = response.to_tag().unwrap_or_default();
        let early = early.into_iter().find(|early| &*early.dialog.id().remote_tag == tag);
        let path = Path { flow, direct: self.direct };
        let (dialog, said) = match early {
            Some(Early { mut dialog, answer, settled, .. }) => {
                (dialog.confirm(&response).map(|()| dialog), Some((answer, settled)))
            }
            None => (Dialog::as_uac(path, &invite, &response), None),
        };
        let Ok(dialog) = dialog else {
            out.push(Output::Event(Event::Refused(502)));
            return self.acknowledge_and_leave(site, path, (&invite, &response), None, out);
        };
        let (agreed, answer) = self.agree(&response, said);
        let mut ack = with_credentials_of(&invite, dialog.ack(invite.cseq().number));
        if let Some(answer) = answer {
            ack = ack.body(invite::SDP, answer.as_bytes());
        }
        let ack = ack.request();
        out.push(Output::Ack { flow: dialog.next_hop(), request: ack.clone() });
        if !agreed {
            out.push(Output::Event(Event::Refused(488)));
            return self.leave(site, dialog, None, out);
        }
        self.flow = flow;
        self.learn(&response);
        // Who answers may want to be as unknown as who calls (RFC 3323 §4.1).
        self.identity.hidden |= Privacy::of(&response).identity;
        self.refreshed(now, self.timer.terms_of(&response));
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
            probe: None,
        };
        State::Confirmed(Box::new(confirmed))
    }

    /// Settles on the answer of the phone that accepted, or takes its offer if it got none: then
    /// with our answer. False if there is nothing that we can take.
    ///
    /// `early` is its answer in a provisional response, and whether another description has
    /// replaced it since. The description in the final answer counts, unless that is so: phones may
    /// move their audio when they are picked up.
    fn agree(
        &mut self,
        response: &Response,
        early: Option<(Option<Session>, bool)>,
    ) -> (bool, Option<String>) {
        let (before, settled) = early.unwrap_or_default();
        if settled {
            self.audio.withdraw_offer();
            return (true, None);
        }
        let Some(theirs) = Session::parse(response.body()).ok().or(before) else {
            return (false, None);
        };
        if self.audio.is_offering() {
            return (self.audio.accept(&theirs).is_ok(), None);
        }
        let answer = self.audio.answer(&theirs).ok().map(|(answer, _)| answer);
        (answer.is_some(), answer)
    }

    /// A 2xx that is of no use: it is acknowledged, as well as can be if it makes no proper dialog,
    /// and the call that it began is ended: the phone must not wait in it (RFC 3261 §13.2.2.4).
    fn acknowledge_and_leave(
        &mut self,
        site: &mut Site<'_>,
        path: Path,
        (invite, response): (&Request, &Response),
        reason: Option<&'static str>,
        out: &mut Vec<Output>,
    ) -> State {
        let dialog = Dialog::as_uac_at_best(path, invite, response);
        let request = with_credentials_of(invite, dialog.ack(invite.cseq().number)).request();
        out.push(Output::Ack { flow: dialog.next_hop(), request });
        self.leave(site, dialog, reason, out)
    }

    pub(super) fn cancelling_step(
        &mut self,
        site: &mut Site<'_>,
        (client, invite, reason): (ClientId, Request, Option<&'static str>),
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Response { client: of, response, flow }
                if of == client && response.is_success() =>
            {
                // The 2xx crossed our CANCEL (RFC 3261 §9.1): accept it, then leave.
                let path = Path { flow, direct: self.direct };
                self.acknowledge_and_leave(site, path, (&invite, &response), reason, out)
            }
            Input::Response { client: of, response, .. } if of == client && response.is_final() => {
                State::Gone
            }
            Input::Failed(of, _) if of == client => State::Gone,
            Input::Request { key, request, .. } => {
                out.push(respond(key, &request, 481, ""));
                State::Cancelling { client, invite, reason }
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
            | Input::Progress(_)
            | Input::Refuse(_)
            | Input::Response { .. }
            | Input::Ring
            | Input::Show(_)
            | Input::Silent
            | Input::Tick => State::Cancelling { client, invite, reason }, // absorbed
        }
    }
}

/// The number that a 300, 301 or 302 names first (RFC 3261 §21.3).
fn redirection(response: &Response) -> Option<String> {
    let contact = response.contacts().find_map(Result::ok)?;
    let uri = contact.uri().ok()?;
    let number = uri.user_unescaped().filter(|_| (300..=302).contains(&response.status()))?;
    Some(number.into_owned())
}

/// A 2xx to an INVITE of ours from another phone than the one that answered: it is acknowledged,
/// and told to leave (RFC 3261 §13.2.2.4).
pub(super) fn end_fork(
    site: &mut Site<'_>,
    (flow, response): (Flow, &Response),
    invite: Option<&Request>,
    out: &mut Vec<Output>,
) {
    let path = Path { flow, direct: false };
    let mut fork = match invite {
        Some(invite) => Dialog::as_uac_at_best(path, invite, response),
        None => Dialog::as_uac_of_stray(path, response),
    };
    let mut ack = fork.ack(response.cseq().number);
    if let Some(invite) = invite {
        ack = with_credentials_of(invite, ack);
    }
    out.push(Output::Ack { flow: fork.next_hop(), request: ack.request() });
    say_bye(site, &mut fork, Some(invite::COMPLETED_ELSEWHERE), out);
}

/// Waits for the answer to our BYE.
pub(super) fn leaving_step(
    site: &mut Site<'_>,
    client: ClientId,
    dialog: Box<Dialog>,
    input: Input,
    out: &mut Vec<Output>,
) -> State {
    match input {
        Input::Response { client: of, response, .. } if of == client && response.is_final() => {
            return State::Gone;
        }
        Input::Failed(of, _) if of == client => return State::Gone,
        Input::Response { response, flow, .. }
            if response.is_success() && response.cseq().method == Method::Invite =>
        {
            if response.to_tag().unwrap_or_default() == &*dialog.id().remote_tag {
                // A copy, whose ACK was lost, or a re-INVITE's that crossed our BYE.
                let request = dialog.ack(response.cseq().number).request();
                out.push(Output::Ack { flow: dialog.next_hop(), request });
            } else {
                end_fork(site, (flow, &response), None, out);
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
        | Input::Progress(_)
        | Input::Refuse(_)
        | Input::Response { .. }
        | Input::Ring
        | Input::Show(_)
        | Input::Silent
        | Input::Tick => {} // absorbed
    }
    State::Leaving { client, dialog }
}
