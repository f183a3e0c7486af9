//! A leg whose peer called us, until we accept or refuse.

use super::{Confirmed, Event, Input, Leg, Output, Referral, State, Unacknowledged, respond};
use crate::call::invite;
use crate::sdp::Codec;
use crate::sip::dialog::{Accepted, Dialog, Modification};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::ServerKey;
use crate::time::Instant;

impl Leg {
    pub(super) fn invited_step(
        &mut self,
        now: Instant,
        (server, invite, tag): (ServerKey, Request, String),
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Ring => {
                let response = Response::build(&invite, 180, Some(&tag))
                    .header(Name::Contact, self.flow.contact())
                    .header(Name::Allow, invite::ALLOW)
                    .response();
                out.push(Output::Respond { key: server, response });
                State::Invited { server, invite, tag }
            }
            Input::Answer(codecs) => self.answer_invite(now, (server, invite, tag), codecs, out),
            Input::Refuse(status) => {
                out.push(respond(server, &invite, status, &tag));
                self.gone(out)
            }
            Input::HangUp(_) => {
                out.push(respond(server, &invite, 480, &tag));
                self.gone(out)
            }
            Input::Cancelled => {
                out.push(respond(server, &invite, 487, &tag));
                out.push(Output::Event(Event::HungUp));
                self.gone(out)
            }
            Input::Request { key, request, .. } if request.method() == Method::Bye => {
                out.push(respond(key, &request, 200, &tag));
                out.push(respond(server, &invite, 487, &tag));
                out.push(Output::Event(Event::HungUp));
                self.gone(out)
            }
            Input::Request { key, request, .. } => {
                let status = match request.method() {
                    Method::Info | Method::Options => 200,
                    Method::Update if request.body().is_empty() => 200,
                    // The offer in the INVITE is not answered yet (RFC 3311 §5.2).
                    Method::Update | Method::Invite => 500,
                    _ => 405,
                };
                out.push(respond(key, &request, status, &tag));
                State::Invited { server, invite, tag }
            }
            Input::Acked(_)
            | Input::AnswerRefer(_)
            | Input::Failed(..)
            | Input::Hold(_)
            | Input::Key(_)
            | Input::Notify(_)
            | Input::Offer(_)
            | Input::Response { .. }
            | Input::Tick => State::Invited { server, invite, tag }, // absorbed
        }
    }

    /// Accepts the peer's INVITE: with an answer to its offer, or with ours if it made none.
    fn answer_invite(
        &mut self,
        now: Instant,
        (server, invite, tag): (ServerKey, Request, String),
        codecs: Vec<Codec>,
        out: &mut Vec<Output>,
    ) -> State {
        self.audio.want_codecs(codecs);
        let body = match self.offer.take() {
            None => self.audio.offer(),
            Some(offer) => match self.audio.answer(&offer) {
                Ok((body, _)) => body,
                Err(_) => {
                    out.push(respond(server, &invite, 488, &tag));
                    out.push(Output::Event(Event::Refused(488)));
                    return self.gone(out);
                }
            },
        };
        let response = invite::accept(&invite, &tag, &self.flow, &body);
        let dialog = match Dialog::as_uas(Path::of(self.flow, &invite), &invite, &response) {
            Ok(dialog) => dialog,
            Err(_) => {
                out.push(respond(server, &invite, 400, &tag));
                out.push(Output::Event(Event::Refused(400)));
                return self.gone(out);
            }
        };
        self.connect(out);
        let (key, cseq) = (server, invite.cseq().number);
        out.push(Output::Respond { key: server, response: response.clone() });
        let accepted = Accepted::new(now, response);
        let accepted = Some(Unacknowledged { key, cseq, accepted });
        let modification = Modification::new(false);
        let confirmed = Confirmed {
            dialog,
            accepted,
            leaving: None,
            acked: None,
            modification,
            referral: Referral::default(),
        };
        State::Confirmed(Box::new(confirmed))
    }
}
