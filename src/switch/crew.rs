//! What is asked and ordered of agents and of those who wait for them.

use crate::acd::{self, Change, ChangeError};
use crate::cdr::decision::PassedWhy;
use crate::cdr::entry::{AgentOrder, Entry, Fact};
use crate::id::{AgentId, QueueId};
use crate::switch::agents::state_of;
use crate::switch::request::{AgentChange, AgentView, CallerView, Refusal, Reply};
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// Changes an agent's state as somebody wants it, and notes who that is.
    pub(super) fn order_agent(
        &mut self,
        now: Instant,
        agent: AgentId,
        change: AgentChange,
        by: String,
        out: &mut Vec<Output>,
    ) -> Result<AgentView, Refusal> {
        let (order, reason, seat) = match &change {
            AgentChange::Available => (AgentOrder::Available, None, None),
            AgentChange::Away { reason } => (AgentOrder::Away, reason.clone(), None),
            AgentChange::AwayAnyway { reason } => (AgentOrder::AwayAnyway, reason.clone(), None),
            AgentChange::LogIn { extension } => (AgentOrder::LogIn, None, extension.clone()),
            AgentChange::LogOut => (AgentOrder::LogOut, None, None),
            AgentChange::WrapUpDone => (AgentOrder::WrapUpDone, None, None),
            AgentChange::WrapUpExtend => (AgentOrder::WrapUpExtend, None, None),
        };
        let view = self.change_agent(now, &agent, change)?;
        let fact = Fact::AgentOrdered { agent, order, by, reason, extension: seat };
        out.push(Output::Entry(Entry { at: self.wall(now), call: None, fact }));
        Ok(view)
    }

    fn change_agent(
        &mut self,
        now: Instant,
        agent: &AgentId,
        change: AgentChange,
    ) -> Result<AgentView, Refusal> {
        let plan = self.plan.clone();
        let config = plan.acd.agents.get(agent);
        let config = config.ok_or_else(|| Refusal::UnknownAgent(agent.clone()))?;
        let change = match change {
            AgentChange::Available => Change::Available,
            AgentChange::Away { reason } => Change::Away { reason: reason.unwrap_or_else(away) },
            AgentChange::AwayAnyway { reason } => {
                Change::AwayAnyway { reason: reason.unwrap_or_else(away) }
            }
            AgentChange::LogIn { extension } => {
                let extension = extension.or_else(|| config.extension.clone());
                let extension = extension.ok_or_else(|| Refusal::NoSeat(agent.clone()))?;
                if !plan.extensions.contains_key(&extension) {
                    return Err(Refusal::UnknownExtension(extension));
                }
                let view = self.parts.acd.agent(agent);
                if view.is_some_and(|view| view.state == acd::State::LoggedOut) {
                    self.prepare_seat(now, agent, &extension);
                }
                Change::Login { extension }
            }
            AgentChange::LogOut => Change::Logout,
            AgentChange::WrapUpDone => Change::WrapUpDone,
            AgentChange::WrapUpExtend => Change::WrapUpExtend,
        };
        let changed = self.parts.acd.change(now, agent, change, &mut self.decided);
        changed.map_err(|error| self.refusal(agent, error))?;
        self.look_at_seat(now, agent);
        let view = self.parts.acd.agent(agent);
        let view = view.ok_or_else(|| Refusal::UnknownAgent(agent.clone()))?;
        Ok(self.agent_view(view))
    }

    fn refusal(&self, agent: &AgentId, error: ChangeError) -> Refusal {
        let view = self.parts.acd.agent(agent);
        let state = view.map_or_else(String::new, |view| state_of(view.state).name().to_owned());
        Refusal::AgentState { agent: agent.clone(), state, why: error.to_string() }
    }

    pub(super) fn agent_view(&self, view: acd::AgentSnapshot) -> AgentView {
        let undisturbed = self.wants_no_calls(&view).then(|| DND.to_owned());
        AgentView {
            held_back: held_back(&view),
            agent: view.agent,
            name: view.name,
            state: state_of(view.state),
            reason: view.reason.or(undisturbed),
            since: self.wall(view.since),
            extension: view.extension,
            queues: view.queues,
            call: view.call.map(|call| self.served.get(&call).copied().unwrap_or(call)),
            until: view.until.map(|until| self.wall(until)),
            then: view.then.map(state_of),
            break_held: view.break_held,
            calls: view.calls,
            talked: view.talked,
        }
    }

    pub(super) fn caller_views(
        &self,
        now: Instant,
        queue: QueueId,
        most: usize,
    ) -> Result<Reply, Refusal> {
        let found = self.parts.acd.callers(&queue, most);
        let (callers, waiting) = found.ok_or(Refusal::UnknownQueue(queue))?;
        let views = callers.into_iter().filter_map(|waits| {
            let call = self.served.get(&waits.call).copied().unwrap_or(waits.call);
            let (from, name, extension) = match self.calls.get(&call) {
                Some(call) => {
                    let caller = call.caller();
                    let extension = caller.extension().cloned();
                    (caller.number.clone(), caller.name.clone(), extension)
                }
                None => self.callbacks.who(call)?,
            };
            Some(CallerView {
                call,
                position: waits.position,
                entered: self.wall(waits.entered),
                wait: now.since(waits.entered),
                offers: waits.offers,
                from,
                name,
                extension,
            })
        });
        Ok(Reply::Callers(views.collect(), waiting))
    }
}

/// Why somebody is away who gives no reason.
fn away() -> String {
    "away".to_owned()
}

/// Why an agent cannot be offered a call, none if he can.
fn held_back(view: &acd::AgentSnapshot) -> Option<PassedWhy> {
    let why = match view.state {
        _ if view.free => return None,
        acd::State::Away => PassedWhy::Away,
        acd::State::LoggedOut => PassedWhy::LoggedOut,
        acd::State::OnCall => PassedWhy::OnCall,
        acd::State::WrapUp => PassedWhy::WrapUp,
        acd::State::Available if !view.reachable => PassedWhy::Unreachable,
        acd::State::Available if view.busy_elsewhere => PassedWhy::Busy,
        acd::State::Available if view.paused => PassedWhy::Paused,
        acd::State::Available | acd::State::Ringing => PassedWhy::Ringing,
    };
    Some(why)
}

/// The reason of an agent who gets no queue calls because his phone is not to be disturbed.
const DND: &str = "do-not-disturb";
