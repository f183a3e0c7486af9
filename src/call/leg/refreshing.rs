//! The session timer of a leg: refreshes of both sides, and the end of a peer that is gone.

use super::{Confirmed, Event, Leg, Output, State};
use crate::call::invite;
use crate::call::site::Site;
use crate::sip::dialog::Wish;
use crate::sip::dialog::session_timer::{self, Terms};
use crate::sip::message::{Builder, Name, Request, Response};
use crate::sip::transaction::ServerKey;
use crate::time::Instant;

impl Leg {
    /// A 2xx to an INVITE or UPDATE was sent or came.
    pub(super) fn refreshed(&mut self, now: Instant, terms: Terms) {
        self.timer.handle(now, session_timer::Input::Agreed(terms), &mut Vec::new());
    }

    /// A refresh of ours was refused; gives whether it is to be sent again in another way.
    pub(super) fn refresh_refused(&mut self, now: Instant, status: u16) -> bool {
        if self.allows_update && matches!(status, 405 | 501) {
            self.allows_update = false;
            return true;
        }
        self.timer.handle(now, session_timer::Input::Refused, &mut Vec::new());
        false
    }

    /// The passing of time, to a dialog that stands.
    pub(super) fn timer_tick(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        confirmed: Box<Confirmed>,
        out: &mut Vec<Output>,
    ) -> State {
        let mut steps = Vec::new();
        if confirmed.leaving.is_none() {
            self.timer.handle(now, session_timer::Input::Tick, &mut steps);
        }
        match steps.first() {
            Some(session_timer::Output::Expired) => {
                out.push(Output::Event(Event::Lost("session_expired")));
                self.depart(site, confirmed, Some(EXPIRED), out)
            }
            Some(session_timer::Output::Refresh) => {
                self.wish(now, site, confirmed, Wish::Refresh, out)
            }
            None => State::Confirmed(confirmed),
        }
    }

    /// The terms of our 2xx to an INVITE or UPDATE; `Err`: how the request is refused instead, be
    /// it for a body that is no session description (RFC 3261 §8.2.3).
    pub(super) fn terms(
        &self,
        site: &Site<'_>,
        key: ServerKey,
        request: &Request,
    ) -> Result<Terms, Box<Output>> {
        let refusal = |status| Response::build(request, status, Some(&self.local_tag));
        let respond =
            |response: Builder| Box::new(Output::Respond { key, response: response.response() });
        if !request.body().is_empty() && !invite::is_description(request) {
            return Err(respond(refusal(415).header(Name::Accept, invite::SDP)));
        }
        if let Some(min) = site.settings.session.too_small(request) {
            return Err(respond(refusal(422).header(Name::MinSe, min.as_secs())));
        }
        self.timer.terms_for(request).map_err(|_| respond(refusal(400)))
    }
}

/// Why we leave a phone that nobody has heard (RFC 3326).
const EXPIRED: &str = "SIP;cause=408;text=\"Session expired\"";
