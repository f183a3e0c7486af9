//! Calls in the Switch: finding the one that an input is for, carrying out what it asks.

use crate::acd;
use crate::call::{Call, Input as CallInput, LegInput, Output as CallOutput, Site};
use crate::cdr::entry::{Entry, Fact};
use crate::id::{CallId, LegId};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::{self, ClientId};
use crate::switch::kept::{keep_dialog, keep_limits, keep_services};
use crate::switch::request::Subject;
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// The ACK of a 2xx: found by our tag, which only the dialog's peer knows.
    pub(super) fn acked(&mut self, now: Instant, request: Request, out: &mut Vec<Output>) {
        if let Some(leg) = self.leg_of(&request) {
            self.leg(now, leg, LegInput::Acked(request), out);
        }
    }

    /// A response to a request of ours.
    pub(super) fn responded(
        &mut self,
        now: Instant,
        client: ClientId,
        (response, flow): (Response, Flow),
        out: &mut Vec<Output>,
    ) {
        let leg = self.clients.get(&client).copied();
        let here = |leg: &LegId| {
            self.calls.get(&self.home(*leg)).is_some_and(|call| call.leg_state(*leg).is_some())
        };
        if let Some(leg) = leg.filter(here) {
            self.leg(now, leg, LegInput::Response { client, response, flow }, out);
        } else if response.is_success() && response.cseq().method == Method::Invite {
            self.end_stray(now, &response, flow, out);
        } else {
            self.notify_answered(now, client, &response, out);
            self.trunk_answered(now, client, response, out);
        }
    }

    /// A phone accepts an INVITE of ours that nobody waits for any more, as a late fork does: it is
    /// acknowledged and told to leave (RFC 3261 §13.2.2.4).
    fn end_stray(&mut self, now: Instant, response: &Response, flow: Flow, out: &mut Vec<Output>) {
        let mut stray = Dialog::as_uac_of_stray(Path { flow, direct: false }, response);
        let request = stray.ack(response.cseq().number).request();
        let flow = stray.next_hop();
        self.transact(now, transaction::Input::Ack { flow, request }, out);
        let client = self.parts.transactions.client_id();
        let request = stray.request(Method::Bye).request();
        self.transact(now, transaction::Input::Request { client, flow, request }, out);
    }

    /// The leg whose dialog a request names.
    pub(super) fn leg_of(&self, request: &Request) -> Option<LegId> {
        let leg = *self.legs.get(request.to_tag()?)?;
        let call = self.calls.get(&self.home(leg))?;
        call.has_leg(leg, request.call_id(), request.from_tag()).then_some(leg)
    }

    pub(super) fn leg(&mut self, now: Instant, leg: LegId, input: LegInput, out: &mut Vec<Output>) {
        self.drive(now, self.home(leg), CallInput::Leg(leg, input), out);
    }

    /// Gives an input to a call and carries out what it asks; forgets the call when it is over.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        id: CallId,
        input: CallInput,
        out: &mut Vec<Output>,
    ) {
        let mut steps = Vec::new();
        self.with_call(id, |call, site| call.handle(now, site, input, &mut steps));
        self.carry_out(now, steps, out);
        self.follow_call(now, id, out);
        self.tidy(id);
    }

    /// Runs `act` on a call, with what it may use of the site; `None` if there is no such call.
    pub(super) fn with_call<T>(
        &mut self,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Site<'_>) -> T,
    ) -> Option<T> {
        let mut call = self.calls.remove(&id)?;
        let done = act(&mut call, &mut self.site());
        self.calls.insert(id, call);
        Some(done)
    }

    /// What a call may use.
    pub(super) fn site(&mut self) -> Site<'_> {
        let parts = &mut self.parts;
        Site {
            acd: &parts.acd,
            decided: &mut self.decided,
            halls: &mut self.halls,
            known: &mut self.known,
            lines: &mut self.trunks.lines,
            lot: &mut self.lot,
            phones: &parts.registrar,
            pins: &mut self.pins,
            ports: &mut self.ports,
            rng: &mut parts.rng,
            services: &self.services,
            settings: &parts.settings,
            transactions: &mut parts.transactions,
        }
    }

    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        steps: Vec<CallOutput>,
        out: &mut Vec<Output>,
    ) {
        use transaction::Input as Transact;

        for step in steps {
            match step {
                CallOutput::Ack { flow, request } => {
                    self.transact(now, Transact::Ack { flow, request }, out);
                }
                CallOutput::CallBack(wanted) => self.call_back(now, *wanted, out),
                CallOutput::Cancel { client, reason } => {
                    let reason = reason.map(str::to_owned);
                    self.transact(now, Transact::Cancel { client, reason }, out);
                }
                CallOutput::Dialog { leg, dialog } => out.push(keep_dialog(leg, dialog.as_deref())),
                CallOutput::Entry(entry) => {
                    self.follow_fact(now, &entry.fact, out);
                    self.count(now, &entry, out);
                    self.one_way_total += u64::from(matches!(entry.fact, Fact::OneWay { .. }));
                    let followed = (!self.callbacks.is_empty()).then(|| entry.clone());
                    out.push(Output::Entry(entry));
                    if let Some(entry) = followed {
                        self.follow_callback(now, &entry, out);
                    }
                }
                CallOutput::Join { leg, place } => self.join(now, leg, &place, out),
                CallOutput::LegBegan { leg, tag } => {
                    self.legs.insert(tag, leg);
                }
                CallOutput::Media(thread, command) => out.push(Output::Media(thread, command)),
                CallOutput::Recording { leg, call } => self.await_recording(leg, call, out),
                CallOutput::Occupied { extension, is } => self.occupy(now, extension, is),
                CallOutput::Request { leg, client, flow, request } => {
                    self.clients.insert(client, leg);
                    self.transact(now, Transact::Request { client, flow, request }, out);
                }
                CallOutput::Services { extension, services } => {
                    out.push(keep_services(&extension, &services));
                    self.serve(now, extension.clone(), services);
                    self.follow_services(now, &extension, out);
                }
                CallOutput::Respond { key, response } => {
                    self.transact(now, Transact::Respond { key, response }, out);
                }
            }
        }
    }

    /// Counts a call that was answered or is over, if it has limits.
    fn count(&mut self, now: Instant, entry: &Entry, out: &mut Vec<Output>) {
        let Some(call) = entry.call else { return };
        match &entry.fact {
            Fact::TalkBegan { agent: Some(agent), .. } => self.meet(call, agent, entry.at, out),
            Fact::Answered => self.limits.answered(call, now),
            Fact::Ended { .. } => {
                if let Some((extension, day)) = self.limits.ended(now, call) {
                    out.push(keep_limits(&extension, day));
                }
            }
            _ => {}
        }
    }

    /// Sets the call's next tick, or forgets it if nothing is left of it.
    pub(super) fn tidy(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        if !call.is_over() {
            self.due.set(&id, call.next_tick());
            return;
        }
        for client in call.clients() {
            self.clients.remove(client);
        }
        for tag in call.tags() {
            self.legs.remove(tag);
        }
        for guest in call.guests() {
            self.homes.remove(guest);
        }
        self.served.retain(|_, call| *call != id);
        self.tellings.forget(id);
        self.due.set(&id, None);
        self.calls.remove(&id);
    }

    /// Carries out what the ACD decided, and what follows from that, until nothing is left.
    pub(super) fn carry_out_decisions(&mut self, now: Instant, out: &mut Vec<Output>) {
        while !self.decided.is_empty() {
            for decision in std::mem::take(&mut self.decided) {
                let served = match &decision {
                    acd::Output::Agent { .. } => {
                        self.agent_changed(now, decision, out);
                        continue;
                    }
                    acd::Output::BreakHeld { agent, queue, refused } => {
                        let (agent, queue) = (agent.clone(), queue.clone());
                        let fact = Fact::BreakHeld { agent, queue, refused: *refused };
                        let at = self.wall(now);
                        out.push(Output::Entry(Entry { at, call: None, fact }));
                        continue;
                    }
                    acd::Output::Intent { agent } => {
                        out.push(self.keep_agent(agent));
                        self.changed.insert(Subject::Agent(agent.clone()));
                        continue;
                    }
                    acd::Output::Rested { agent } => {
                        self.changed.insert(Subject::Agent(agent.clone()));
                        continue;
                    }
                    acd::Output::Decided { .. } | acd::Output::Widened { .. } => {
                        self.explain(now, decision, out);
                        continue;
                    }
                    acd::Output::Emptied { call, .. }
                    | acd::Output::TimedOut { call, .. }
                    | acd::Output::Withdraw { call, .. } => *call,
                    acd::Output::Offer { call, agent, .. } => {
                        let home = self.served.get(call).copied().unwrap_or(*call);
                        self.last_calls.insert(agent.clone(), home);
                        *call
                    }
                };
                let call = self.served.get(&served).copied().unwrap_or(served);
                if self.calls.contains_key(&call) {
                    self.drive(now, call, CallInput::Acd(decision), out);
                } else if self.callbacks.has(call) {
                    self.decided_callback(now, (call, decision), out);
                } else {
                    self.parts.acd.leave(now, served, &mut self.decided);
                }
            }
        }
    }
}
