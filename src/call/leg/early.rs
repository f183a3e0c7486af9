//! What a phone that we call says before it answers: rings, early audio, reliable responses.
//!
//! A proxy may fork our INVITE: each phone behind it makes an early dialog of its own. The caller
//! hears the one that spoke of audio last.

use super::{Event, Leg, Output, respond};
use crate::call::invite;
use crate::call::leg::inviting::Inviting;
use crate::call::site::Site;
use crate::sdp::Session;
use crate::sip::dialog::{Dialog, reliable};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, RAck, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::ServerKey;

/// One early dialog of our INVITE.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// The number of its latest reliable response.
    rseq: Option<u32>,
    /// Its answer to our offer.
    pub(super) answer: Option<Session>,
    /// Offer and answer are complete without it: by an UPDATE, or the PRACK of an offer of its.
    pub(super) settled: bool,
}

impl Leg {
    /// A provisional response to our INVITE, but 100.
    pub(super) fn provisional_came(
        &mut self,
        site: &mut Site<'_>,
        inviting: &mut Inviting,
        (response, flow): (&Response, Flow),
        out: &mut Vec<Output>,
    ) {
        let tag = response.to_tag().unwrap_or_default();
        if response.status() == 199 {
            // RFC 6228 §4: that phone will not answer.
            inviting.early.retain(|early| &*early.dialog.id().remote_tag != tag);
            return;
        }
        self.learn(response);
        let place = self.early_dialog(inviting, (response, flow));
        if let Some(early) = place.and_then(|place| inviting.early.get_mut(place)) {
            let cseq = inviting.invite.cseq().number;
            match acknowledged(early, response) {
                Acknowledged::Not => {}
                Acknowledged::Already => return,
                Acknowledged::With(_) if inviting.pracks >= PRACKS_MAX => return,
                Acknowledged::With(rseq) => {
                    inviting.pracks += 1;
                    self.prack(site, early, (response, rseq, cseq), out);
                }
            }
            if self.early_answer(early, response) {
                self.connect(out);
                out.push(Output::Event(Event::EarlyAudio));
            }
        }
        if !std::mem::replace(&mut inviting.ringing, true) {
            out.push(Output::Event(Event::Ringing));
        }
    }

    /// The place of the response's early dialog, made if there was none.
    fn early_dialog(
        &self,
        inviting: &mut Inviting,
        (response, flow): (&Response, Flow),
    ) -> Option<usize> {
        let tag = response.to_tag()?;
        let of_tag = |early: &Early| &*early.dialog.id().remote_tag == tag;
        if let Some(place) = inviting.early.iter().position(of_tag) {
            return Some(place);
        }
        if inviting.early.len() >= FORKS_MAX {
            return None;
        }
        let path = Path { flow, direct: self.direct };
        let dialog = Dialog::as_uac(path, &inviting.invite, response).ok()?;
        inviting.early.push(Early { dialog, rseq: None, answer: None, settled: false });
        Some(inviting.early.len() - 1)
    }

    /// Takes the answer in a provisional response; gives whether there is early audio to hear.
    fn early_answer(&mut self, early: &mut Early, response: &Response) -> bool {
        if response.body().is_empty() || early.settled {
            return false;
        }
        let Ok(answer) = Session::parse(response.body()) else { return false };
        if early.answer.as_ref() == Some(&answer) || self.audio.accept_early(&answer).is_err() {
            return false; // a copy, or one that the final answer has to mend
        }
        early.answer = Some(answer);
        true
    }

    /// Acknowledges a reliable response (RFC 3262 §4): with our answer, if it makes the offer that
    /// our INVITE did not make (§5).
    fn prack(
        &mut self,
        site: &mut Site<'_>,
        early: &mut Early,
        (response, rseq, cseq): (&Response, u32, u32),
        out: &mut Vec<Output>,
    ) {
        let mut prack = (early.dialog.request(Method::Prack))
            .header(Name::RAck, format_args!("{rseq} {cseq} INVITE"));
        let is_open = !self.audio.is_offering() && !early.settled;
        let offer = Session::parse(response.body()).ok().filter(|_| is_open);
        let answer = offer.and_then(|offer| self.audio.answer(&offer).ok());
        if let Some((answer, _)) = &answer {
            prack = prack.body(invite::SDP, answer.as_bytes());
            early.settled = true;
        }
        let (client, flow) = (site.client(), early.dialog.next_hop());
        out.push(Output::Request { client, flow, request: prack.request() });
        if answer.is_some() {
            self.connect(out);
            out.push(Output::Event(Event::EarlyAudio));
        }
    }

    /// A request of the phone before it answers.
    pub(super) fn early_request_came(
        &mut self,
        site: &mut Site<'_>,
        inviting: &mut Inviting,
        (key, flow, request): (ServerKey, Flow, &Request),
        out: &mut Vec<Output>,
    ) {
        let tag = request.from_tag().unwrap_or_default();
        let mut all = inviting.early.iter_mut();
        let Some(early) = all.find(|early| &*early.dialog.id().remote_tag == tag) else {
            let status = if request.method() == Method::Options { 200 } else { 481 };
            out.push(respond(key, request, status, ""));
            return;
        };
        if let Err(error) = early.dialog.receive(flow, request) {
            out.push(respond(key, request, error.status(), ""));
            return;
        }
        let status = match request.method() {
            Method::Update if request.body().is_empty() => 200,
            // RFC 3311 §5.2: our offer is open.
            Method::Update if early.answer.is_none() && !early.settled => 491,
            Method::Update => match self.answer_offer(site, request, out) {
                Some(body) => {
                    early.settled = true;
                    let response = Response::build(request, 200, None)
                        .header(Name::Contact, self.flow.contact())
                        .body(invite::SDP, body.as_bytes());
                    out.push(Output::Respond { key, response: response.response() });
                    return;
                }
                None => 488,
            },
            Method::Info => invite::status_of_info(request),
            Method::Options => 200,
            _ => 481,
        };
        out.push(respond(key, request, status, ""));
    }
}

/// What a provisional response is owed.
enum Acknowledged {
    /// It is a copy, or came out of order.
    Already,
    /// It is not reliable.
    Not,
    With(u32),
}

fn acknowledged(early: &mut Early, response: &Response) -> Acknowledged {
    let is_reliable = response.has_value(Name::Require, reliable::TAG);
    let Some(rseq) = RAck::rseq_of(response).filter(|_| is_reliable) else {
        return Acknowledged::Not;
    };
    if early.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
        return Acknowledged::Already;
    }
    early.rseq = Some(rseq);
    Acknowledged::With(rseq)
}

/// Reliable responses to one INVITE that are acknowledged. Further ones are not heeded: who sends
/// them gives up when no PRACK comes (RFC 3262 §3).
const PRACKS_MAX: u8 = 100;
/// Phones behind a proxy that are told apart before one answers; further ones only ring.
const FORKS_MAX: usize = 16;

#[cfg(test)]
#[path = "early_tests.rs"]
mod tests;
