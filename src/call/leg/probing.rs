//! A phone from which nothing is heard is asked whether it is still there: OPTIONS in the dialog.

use super::{Confirmed, Event, Leg, Output, State};
use crate::call::invite;
use crate::call::site::Site;
use crate::sip::message::{Method, Name, Response};

impl Leg {
    /// Asks, unless that is being done.
    pub(super) fn probe(
        &mut self,
        site: &mut Site<'_>,
        confirmed: &mut Confirmed,
        out: &mut Vec<Output>,
    ) {
        if confirmed.probe.is_some() || confirmed.leaving.is_some() {
            return;
        }
        let request = confirmed
            .dialog
            .request(Method::Options)
            .header(Name::Accept, invite::SDP)
            .header(Name::UserAgent, invite::AGENT)
            .request();
        let (client, flow) = (site.client(), confirmed.dialog.next_hop());
        confirmed.probe = Some(client);
        out.push(Output::Request { client, flow, request });
    }

    /// The answer, or `None` if there was none. Whoever refuses is there; whoever does not know the
    /// dialog any more has started anew since (RFC 3261 §12.2.1.2).
    pub(super) fn probed(
        &mut self,
        site: &mut Site<'_>,
        mut confirmed: Box<Confirmed>,
        response: Option<&Response>,
        out: &mut Vec<Output>,
    ) -> State {
        if response.is_some_and(|response| !response.is_final()) {
            return State::Confirmed(confirmed);
        }
        confirmed.probe = None;
        if response.is_some_and(|response| !matches!(response.status(), 408 | 481)) {
            return State::Confirmed(confirmed);
        }
        if confirmed.leaving.is_none() {
            out.push(Output::Event(Event::Lost("silent")));
        }
        self.depart(site, confirmed, Some(SILENT), out)
    }
}

/// Why we leave a phone that nobody hears (RFC 3326).
const SILENT: &str = "SIP;cause=408;text=\"Nothing heard\"";
