//! A leg whose dialog stands: hold and resume, digits, leaving.

use super::inviting::end_fork;
use super::keys::send_key;
use super::{Confirmed, Event, Input, Leg, Output, State, Unacknowledged, give_up_change, respond};
use crate::call::audio::Hold;
use crate::call::invite::{self, SDP};
use crate::call::site::Site;
use crate::sdp::{Refusal, Session};
use crate::sip::dialog::{Accepted, Wish, accepted, modification};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::transaction::{ClientId, ServerKey};
use crate::time::Instant;

impl Leg {
    pub(super) fn confirmed_step(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Acked(ack) => return self.acked(now, site, confirmed, &ack, out),
            Input::AnswerRefer(status) => self.answer_refer(&mut confirmed, status, out),
            Input::HangUp(reason) => {
                if confirmed.accepted.is_none() {
                    return self.depart(site, confirmed, reason, out);
                }
                self.close_media(out);
                confirmed.leaving = Some(reason);
            }
            Input::Notify(progress) => self.notify(site, &mut confirmed, &progress, out),
            Input::Request { key, flow, request } => {
                return self.requested(now, site, confirmed, (key, flow, &request), out);
            }
            Input::Hold(hold) => {
                self.audio.want_hold(hold);
                self.audio.want_the_same_first(&site.settings.codecs);
                return self.wish(now, site, confirmed, Wish::Offer, out);
            }
            Input::Key(key) => send_key(site, &mut confirmed, key, out),
            Input::Offer(codecs) => {
                self.audio.want_codecs(codecs);
                return self.wish(now, site, confirmed, Wish::Offer, out);
            }
            Input::Response { client, response, flow } => {
                if confirmed.probe == Some(client) {
                    return self.probed(site, confirmed, Some(&response), out);
                }
                if confirmed.modification.is_pending(client) {
                    return self.modified(now, site, confirmed, (client, &response), out);
                }
                if response.is_success() && response.cseq().method == Method::Invite {
                    another_success(site, &confirmed, client, &response, flow, out);
                }
            }
            Input::Show(connected) => {
                if self.showing.want(connected) {
                    return self.wish(now, site, confirmed, Wish::Refresh, out);
                }
            }
            Input::Silent => self.probe(site, &mut confirmed, out),
            Input::Failed(client, _) if confirmed.probe == Some(client) => {
                return self.probed(site, confirmed, None, out);
            }
            Input::Failed(client, why) => {
                let input = modification::Input::Failed(client, why);
                return self.modify(now, site, confirmed, input, out);
            }
            Input::Tick => return self.tick(now, site, confirmed, out),
            Input::Answer(_)
            | Input::Cancelled
            | Input::Progress(_)
            | Input::Refuse(_)
            | Input::Ring => {} // absorbed
        }
        State::Confirmed(confirmed)
    }

    /// The ACK of our 2xx: may carry the answer to our offer.
    fn acked(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        ack: &Request,
        out: &mut Vec<Output>,
    ) -> State {
        let cseq = ack.cseq().number;
        if confirmed.accepted.take_if(|accepted| accepted.cseq == cseq).is_none() {
            return State::Confirmed(confirmed); // a copy
        }
        if let Some(reason) = confirmed.leaving {
            return self.depart(site, confirmed, reason, out);
        }
        let initial = !std::mem::replace(&mut self.answered, true);
        if self.audio.is_offering() {
            let answer = Session::parse(ack.body()).map_err(|_| Refusal::NoAudio);
            match answer.and_then(|answer| self.audio.accept(&answer)) {
                Ok(hold) => self.agreed(hold, out),
                Err(_) => {
                    out.push(Output::Event(Event::Lost("offer_not_answered")));
                    return self.depart(site, confirmed, None, out);
                }
            }
        }
        if initial {
            out.push(Output::Event(Event::Answered));
        }
        self.modify_if_free(now, site, confirmed, out)
    }

    fn tick(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        out: &mut Vec<Output>,
    ) -> State {
        let (mut key, mut steps) = (None, Vec::new());
        if let Some(waiting) = &mut confirmed.accepted {
            key = Some(waiting.key);
            waiting.accepted.handle(now, accepted::Input::Tick, &mut steps);
        }
        for step in steps {
            match step {
                accepted::Output::Resend(response) => {
                    out.extend(key.map(|key| Output::Respond { key, response }));
                }
                // No ACK for 32 s: the peer is gone, but is told all the same (RFC 3261 §13.3.1.4).
                accepted::Output::Ended { .. } => {
                    if confirmed.leaving.is_none() {
                        out.push(Output::Event(Event::Lost("no_ack")));
                    }
                    return self.depart(site, confirmed, None, out);
                }
            }
        }
        match self.modify(now, site, confirmed, modification::Input::Tick, out) {
            State::Confirmed(confirmed) => self.timer_tick(now, site, confirmed, out),
            state => state,
        }
    }

    /// A request within the dialog.
    fn requested(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        (key, flow, request): (ServerKey, Flow, &Request),
        out: &mut Vec<Output>,
    ) -> State {
        if let Err(error) = confirmed.dialog.receive(flow, request) {
            out.push(respond(key, request, error.status(), ""));
            return State::Confirmed(confirmed);
        }
        self.learn(request);
        let unknown = invite::not_understood(request).filter(|_| request.method() != Method::Bye);
        if let Some(names) = unknown {
            let refusal = Response::build(request, 420, None).header(Name::Unsupported, names);
            out.push(Output::Respond { key, response: refusal.response() });
            return State::Confirmed(confirmed);
        }
        match request.method() {
            Method::Bye => {
                out.push(respond(key, request, 200, ""));
                if confirmed.leaving.is_none() {
                    out.push(Output::Event(Event::HungUp));
                }
                give_up_change(&confirmed, out);
                return self.gone(out);
            }
            Method::Invite => self.reinvited(now, site, &mut confirmed, key, request, out),
            Method::Update => self.updated(now, site, key, request, out),
            Method::Info => {
                let status = invite::status_of_info(request);
                out.push(respond(key, request, status, ""));
                if let Some(digit) = invite::digit(request).filter(|_| status == 200) {
                    out.push(Output::Event(Event::Digit(digit)));
                }
            }
            Method::Options => out.push(respond(key, request, 200, "")),
            Method::Refer => self.refer(&mut confirmed, key, request, out),
            // What it acknowledges was acknowledged before we accepted.
            Method::Prack => out.push(respond(key, request, 481, "")),
            _ => out.push(respond(key, request, 405, "")),
        }
        State::Confirmed(confirmed)
    }

    /// A re-INVITE (RFC 3261 §14.2): answered on this leg alone.
    fn reinvited(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        confirmed: &mut Confirmed,
        key: ServerKey,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        if confirmed.accepted.is_some() || self.audio.is_offering() {
            out.push(respond(key, request, 491, ""));
            return;
        }
        let terms = match self.terms(site, key, request) {
            Ok(terms) => terms,
            Err(refusal) => return out.push(*refusal),
        };
        let body = if request.body().is_empty() {
            self.audio.want_codecs(site.settings.codecs.clone());
            self.audio.offer()
        } else {
            match self.answer_offer(site, request, out) {
                Some(body) => body,
                None => {
                    out.push(respond(key, request, 488, ""));
                    return;
                }
            }
        };
        self.refreshed(now, terms);
        let response = invite::accept(request, &self.local_tag, &self.flow, terms)
            .body(SDP, body.as_bytes())
            .response();
        let accepted = Accepted::new(now, response.clone());
        let cseq = request.cseq().number;
        confirmed.accepted = Some(Unacknowledged { key, cseq, accepted });
        out.push(Output::Respond { key, response });
    }

    /// An UPDATE (RFC 3311): like a re-INVITE, but answered at once and without an ACK.
    pub(super) fn updated(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        key: ServerKey,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        let terms = match self.terms(site, key, request) {
            Ok(terms) => terms,
            Err(refusal) => return out.push(*refusal),
        };
        let mut response = invite::accept(request, &self.local_tag, &self.flow, terms);
        if !request.body().is_empty() {
            if self.audio.is_offering() {
                out.push(respond(key, request, 491, ""));
                return;
            }
            let Some(body) = self.answer_offer(site, request, out) else {
                out.push(respond(key, request, 488, ""));
                return;
            };
            response = response.body(SDP, body.as_bytes());
        }
        self.refreshed(now, terms);
        out.push(Output::Respond { key, response: response.response() });
    }

    /// Our answer to the offer in `request`; `None` if we cannot take it, and nothing changes.
    pub(super) fn answer_offer(
        &mut self,
        site: &Site<'_>,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Option<String> {
        let offer = Session::parse(request.body()).ok()?;
        self.audio.agreed()?;
        self.audio.want_the_same_first(&site.settings.codecs);
        let (body, hold) = self.audio.answer(&offer).ok()?;
        self.agreed(hold, out);
        Some(body)
    }

    pub(super) fn agreed(&self, hold: Hold, out: &mut Vec<Output>) {
        self.connect(out);
        match hold {
            Hold::Began => out.push(Output::Event(Event::Held(true))),
            Hold::Ended => out.push(Output::Event(Event::Held(false))),
            Hold::Unchanged => {}
        }
    }
}

/// One more 2xx to an INVITE of ours: a copy is acknowledged again, that of another fork is ended
/// (RFC 3261 §13.2.2.4).
fn another_success(
    site: &mut Site<'_>,
    confirmed: &Confirmed,
    client: ClientId,
    response: &Response,
    flow: Flow,
    out: &mut Vec<Output>,
) {
    let first = confirmed.acked.as_ref().filter(|(invited, ..)| *invited == client);
    let Some((_, invite, ack)) = first else {
        // A re-INVITE's: its ACK carries nothing, since the offer was ours.
        if response.to_tag() == Some(&*confirmed.dialog.id().remote_tag) {
            let request = confirmed.dialog.ack(response.cseq().number).request();
            out.push(Output::Ack { flow: confirmed.dialog.next_hop(), request });
        }
        return;
    };
    if response.to_tag() == ack.to_tag() {
        out.push(Output::Ack { flow: confirmed.dialog.next_hop(), request: ack.clone() });
    } else {
        end_fork(site, (flow, response), Some(invite), out);
    }
}
