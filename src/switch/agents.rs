//! Agents and their phones: what changes who can be rung.

use std::collections::BTreeSet;

use crate::acd::config::Login;
use crate::acd::{self, Change};
use crate::call::services::Services;
use crate::cdr::entry::{AgentState, Entry, Fact};
use crate::id::{AgentId, ExtensionId};
use crate::sip::registrar;
use crate::switch::locate::Seeker;
use crate::switch::request::Subject;
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// Makes the ACD know the queues and agents of the plan.
    pub(super) fn configure_acd(&mut self, now: Instant) {
        let plan = self.plan.clone();
        self.parts.acd.configure(now, &plan.acd, &mut self.decided);
        let registered: Vec<ExtensionId> = (plan.extensions.keys())
            .filter(|extension| !self.parts.registrar.targets(extension).is_empty())
            .cloned()
            .collect();
        for extension in registered {
            self.seat_reachable(now, &extension, true);
        }
    }

    /// The phones of accounts that the plan has no more are not rung any more.
    pub(super) fn forget_removed_accounts(&mut self, now: Instant, out: &mut Vec<Output>) {
        let bindings = self.parts.registrar.bindings();
        let removed: BTreeSet<ExtensionId> = (bindings.iter())
            .map(|account| account.key().clone())
            .filter(|extension| !self.plan.extensions.contains_key(extension))
            .collect();
        let mut changes = Vec::new();
        for extension in removed {
            self.parts.registrar.remove(&extension, &mut changes);
        }
        self.registrations_changed(now, changes, out);
        for view in self.parts.acd.agents() {
            let seat = view.extension.filter(|seat| !self.plan.extensions.contains_key(seat));
            if seat.is_some() && view.state != acd::State::LoggedOut {
                let logout = Change::Logout;
                let _ = self.parts.acd.change(now, &view.agent, logout, &mut self.decided);
            }
        }
    }

    /// Phones came or went: their agents can be rung, or not.
    pub(super) fn registrations_changed(
        &mut self,
        now: Instant,
        changes: Vec<registrar::Change>,
        out: &mut Vec<Output>,
    ) {
        for change in changes {
            let extension = change.extension().clone();
            if let Some((contact, target)) = self.parts.registrar.to_locate(&change) {
                let seeker = Seeker::Phone { extension: extension.clone(), contact };
                self.locate(now, &target, seeker, out);
            }
            self.changed.insert(Subject::Phone(extension.clone()));
            out.push(self.keep_phones(&extension));
            if !matches!(change, registrar::Change::Refreshed { .. }) {
                self.follow_phones(now, &extension, out);
            }
            let is_there = !self.parts.registrar.targets(&extension).is_empty();
            self.seat_reachable(now, &extension, is_there);
        }
    }

    /// Tells the ACD at the start which of those who are logged out have no phone at their seat: it
    /// logs them in when it comes.
    pub(super) fn empty_seats(&mut self, now: Instant) {
        let plan = self.plan.clone();
        let is_gone = |seat: &ExtensionId| self.parts.registrar.targets(seat).is_empty();
        let gone = plan.seats.iter().filter(|(seat, _)| is_gone(seat));
        for view in gone.flat_map(|(_, agents)| agents).filter_map(|it| self.parts.acd.agent(it)) {
            if view.state != acd::State::LoggedOut {
                continue; // perhaps at another seat
            }
            let (agent, gone) = (&view.agent, Change::Reachable(false));
            let _ = self.parts.acd.change(now, agent, gone, &mut self.decided); // never refused
        }
    }

    /// Tells the ACD whether the agents of a seat can be rung, which logs the automatic ones in or
    /// out; one whom somebody has logged out stays so until his phone is gone and comes back.
    fn seat_reachable(&mut self, now: Instant, extension: &ExtensionId, is: bool) {
        let (acd, plan) = (self.parts.acd.clone(), self.plan.clone());
        let fixed = plan.seats.get(extension).into_iter().flatten().cloned();
        let agents: BTreeSet<AgentId> = fixed.chain(acd.seated(extension)).collect();
        for view in agents.iter().filter_map(|agent| acd.agent(agent)) {
            let auto = plan.acd.agents.get(&view.agent).is_some_and(|agent| {
                agent.login == Login::Auto && agent.extension.as_ref() == Some(extension)
            });
            let logged_out = view.state == acd::State::LoggedOut;
            let here = view.extension.as_ref() == Some(extension) && !logged_out;
            if !(here || auto && logged_out) {
                continue;
            }
            self.changed.insert(Subject::Agent(view.agent.clone()));
            if logged_out {
                let busy = Change::BusyElsewhere(self.is_busy(extension));
                let _ = acd.change(now, &view.agent, busy, &mut self.decided); // never refused
            }
            let reachable = Change::Reachable(is);
            let _ = acd.change(now, &view.agent, reachable, &mut self.decided); // never refused
        }
    }

    /// Tells the ACD what is known of a phone before an agent sits down there: he must not be rung
    /// at a phone that is in use or gone.
    pub(super) fn prepare_seat(&mut self, now: Instant, agent: &AgentId, seat: &ExtensionId) {
        let reachable = !self.parts.registrar.targets(seat).is_empty();
        let busy = self.is_busy(seat);
        for change in [Change::BusyElsewhere(busy), Change::Reachable(reachable)] {
            let _ = self.parts.acd.change(now, agent, change, &mut self.decided); // never refused
        }
    }

    /// Whether queue calls must not disturb a phone: it is in use, or its person wants no calls.
    fn is_busy(&self, seat: &ExtensionId) -> bool {
        self.occupied.contains_key(seat)
            || self.services.get(seat).is_some_and(|services| services.dnd)
    }

    /// The person of an account wants something else when he is called from now on.
    pub(super) fn serve(&mut self, now: Instant, extension: ExtensionId, services: Services) {
        if services == Services::default() {
            self.services.remove(&extension);
        } else {
            self.services.insert(extension.clone(), services);
        }
        self.changed.insert(Subject::Phone(extension.clone()));
        if let Some(agent) = self.parts.acd.seated(&extension) {
            self.changed.insert(Subject::Agent(agent.clone()));
            let change = Change::BusyElsewhere(self.is_busy(&extension));
            let _ = self.parts.acd.change(now, &agent, change, &mut self.decided); // never refused
        }
    }

    /// Whether an agent who is free gets no queue calls, since the phone where he sits is not to be
    /// disturbed.
    pub(super) fn wants_no_calls(&self, view: &acd::AgentSnapshot) -> bool {
        let services = view.extension.as_ref().and_then(|seat| self.services.get(seat));
        view.state == acd::State::Available && services.is_some_and(|services| services.dnd)
    }

    /// Tells the ACD what is known of the phone where an agent has just sat down.
    pub(super) fn look_at_seat(&mut self, now: Instant, agent: &AgentId) {
        let acd = &self.parts.acd;
        let Some(seat) = acd.agent(agent).and_then(|view| view.extension) else { return };
        self.prepare_seat(now, agent, &seat);
    }

    /// A private call began or ended at a phone: its agent is not to be disturbed meanwhile.
    pub(super) fn occupy(&mut self, now: Instant, extension: ExtensionId, is: bool) {
        let count = self.occupied.entry(extension.clone()).or_insert(0);
        let before = *count;
        *count = if is { before + 1 } else { before.saturating_sub(1) };
        let (before, after) = (before > 0, *count > 0);
        self.changed.insert(Subject::Phone(extension.clone()));
        if !after {
            self.occupied.remove(&extension);
        }
        if before == after {
            return;
        }
        if let Some(agent) = self.parts.acd.seated(&extension) {
            let change = Change::BusyElsewhere(self.is_busy(&extension));
            self.changed.insert(Subject::Agent(agent.clone()));
            // Refused only if he has stood up in the same moment.
            let _ = self.parts.acd.change(now, &agent, change, &mut self.decided);
        }
    }

    /// Writes an agent's change into the ledger, and keeps it for the next start.
    pub(super) fn agent_changed(
        &mut self,
        now: Instant,
        decision: acd::Output,
        out: &mut Vec<Output>,
    ) {
        let acd::Output::Agent { agent, from, to, reason, extension } = decision else { return };
        let at = self.wall(now);
        let (from, to) = (state_of(from), state_of(to));
        let wrap_up = match (from, to) {
            (AgentState::WrapUp, AgentState::WrapUp) => None,
            (_, AgentState::WrapUp) => Some(Fact::WrapUpBegan { agent: agent.clone() }),
            (AgentState::WrapUp, _) => Some(Fact::WrapUpEnded { agent: agent.clone() }),
            _ => None,
        };
        if let (Some(fact), Some(call)) = (wrap_up, self.last_calls.get(&agent)) {
            out.push(Output::Entry(Entry { at, call: Some(*call), fact }));
        }
        out.push(self.keep_agent(&agent));
        let fact = Fact::Agent { agent, from, to, reason, extension };
        self.follow_fact(now, &fact, out);
        out.push(Output::Entry(Entry { at, call: None, fact }));
    }
}

/// The ACD's word for a state, as the ledger writes it.
pub(super) fn state_of(state: acd::State) -> AgentState {
    match state {
        acd::State::Available => AgentState::Available,
        acd::State::Away => AgentState::Away,
        acd::State::LoggedOut => AgentState::LoggedOut,
        acd::State::OnCall => AgentState::OnCall,
        acd::State::Ringing => AgentState::Ringing,
        acd::State::WrapUp => AgentState::WrapUp,
    }
}
