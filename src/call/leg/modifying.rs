//! Changes of the session that come from us: a re-INVITE, or an UPDATE where nothing is offered.

use super::{Confirmed, Event, Leg, Output, State};
use crate::call::invite;
use crate::call::site::Site;
use crate::sdp::{Refusal, Session};
use crate::sip::dialog::{Wish, modification};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::transaction::ClientId;
use crate::time::{Duration, Instant};

impl Leg {
    /// Wants something of the session to be different, or to be confirmed.
    pub(super) fn wish(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        confirmed: Box<Confirmed>,
        wish: Wish,
        out: &mut Vec<Output>,
    ) -> State {
        self.modify(now, site, confirmed, modification::Input::Want(wish), out)
    }

    /// A response to the request of ours that changes the session.
    pub(super) fn modified(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        (client, response): (ClientId, &Response),
        out: &mut Vec<Output>,
    ) -> State {
        if !response.is_final() {
            return State::Confirmed(confirmed);
        }
        if response.status() == 422 && self.timer.raise(response) {
            return self.modify_again(site, confirmed, client, out);
        }
        if response.is_success() {
            self.refreshed(now, self.timer.terms_of(response));
            // A broken Contact leaves the target where it was.
            let _ = confirmed.dialog.refresh(response);
            if response.cseq().method == Method::Invite {
                let request = confirmed.dialog.ack(response.cseq().number).request();
                out.push(Output::Ack { flow: confirmed.dialog.next_hop(), request });
            }
            if self.audio.is_offering() && confirmed.leaving.is_none() {
                let answer = Session::parse(response.body()).map_err(|_| Refusal::NoAudio);
                let Ok(hold) = answer.and_then(|answer| self.audio.accept(&answer)) else {
                    // The peer believes in an agreement that there is not (RFC 3261 §13.2.2.4).
                    out.push(Output::Event(Event::Lost("offer_not_answered")));
                    return self.leave(site, confirmed.dialog, None, out);
                };
                self.agreed(hold, out);
            }
        }
        let wait = response.retry_after().map(|wait| Duration::from_secs(wait.into()));
        let input = modification::Input::Response(client, response.status(), wait);
        self.modify(now, site, confirmed, input, out)
    }

    /// Gives an input to the machine of our changes and carries out what it asks.
    pub(super) fn modify(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        input: modification::Input,
        out: &mut Vec<Output>,
    ) -> State {
        use modification::Output as Step;

        let mut steps = Vec::new();
        confirmed.modification.handle(now, site.rng, input, &mut steps);
        for step in steps {
            match step {
                Step::Accepted(Wish::Refresh) => {}
                Step::Accepted(Wish::Offer) => out.push(Output::Event(Event::Modified)),
                Step::Cancel(client) => out.push(Output::Cancel { client, reason: None }),
                Step::Ended => {
                    if confirmed.leaving.is_none() {
                        out.push(Output::Event(Event::Lost("no_answer_in_dialog")));
                    }
                    return self.depart(site, confirmed, None, out);
                }
                Step::Postponed => self.audio.withdraw_offer(),
                Step::Refused(wish, status) => {
                    self.audio.give_in();
                    if wish == Wish::Offer {
                        out.push(Output::Event(Event::NotModified(status)));
                    } else if self.refresh_refused(now, status) {
                        let again = modification::Input::Want(Wish::Refresh);
                        confirmed.modification.handle(now, site.rng, again, &mut Vec::new());
                    }
                }
                Step::Send(_) => {} // an answer to `Free` alone
            }
        }
        self.modify_if_free(now, site, confirmed, out)
    }

    /// Sends what is wanted, if nothing stands in its way.
    pub(super) fn modify_if_free(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        out: &mut Vec<Output>,
    ) -> State {
        if confirmed.modification.is_due(now) && self.is_free(&confirmed) {
            let (client, mut steps) = (site.client(), Vec::new());
            let input = modification::Input::Free(client);
            confirmed.modification.handle(now, site.rng, input, &mut steps);
            for step in steps {
                if let modification::Output::Send(wish) = step {
                    let request = self.modifying(&mut confirmed, wish);
                    let flow = confirmed.dialog.next_hop();
                    out.push(Output::Request { client, flow, request });
                }
            }
        }
        State::Confirmed(confirmed)
    }

    /// Sends what is pending once more, at once: the peer has said what was wrong with it.
    fn modify_again(
        &mut self,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        client: ClientId,
        out: &mut Vec<Output>,
    ) -> State {
        let Some(wish) = confirmed.modification.pending() else {
            return State::Confirmed(confirmed);
        };
        self.audio.withdraw_offer();
        let next = site.client();
        confirmed.modification.rename(client, next);
        let request = self.modifying(&mut confirmed, wish);
        out.push(Output::Request { client: next, flow: confirmed.dialog.next_hop(), request });
        State::Confirmed(confirmed)
    }

    /// Whether a request may be sent that changes the session (RFC 3261 §14.1, RFC 3311 §5.1).
    pub(super) fn is_free(&self, confirmed: &Confirmed) -> bool {
        confirmed.accepted.is_none() && confirmed.leaving.is_none() && !self.audio.is_offering()
    }

    fn modifying(&mut self, confirmed: &mut Confirmed, wish: Wish) -> Request {
        let by_update = wish == Wish::Refresh && self.allows_update;
        let method = if by_update { Method::Update } else { Method::Invite };
        let contact = confirmed.dialog.path().flow.contact();
        self.showing.rename(&mut confirmed.dialog);
        let request = confirmed
            .dialog
            .request(method)
            .header(Name::Contact, contact)
            .header(Name::Allow, invite::ALLOW)
            .header(Name::Supported, invite::SUPPORTED)
            .header(Name::UserAgent, invite::AGENT);
        let request = self.showing.tell(self.timer.ask(request));
        if by_update {
            return request.request();
        }
        let offer = match wish {
            Wish::Offer => self.audio.offer(),
            Wish::Refresh => self.audio.offer_the_same(),
        };
        request.body(invite::SDP, offer.as_bytes()).request()
    }
}

#[cfg(test)]
#[path = "modifying_tests.rs"]
mod tests;
