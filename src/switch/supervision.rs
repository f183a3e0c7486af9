//! Who may supervise whom, and where the agent talks.

use crate::call::{Caller, Ordered, Supervisor, Wish};
use crate::id::{AgentId, CallId, ExtensionId, LegId};
use crate::route::config::{Code, Supervised};
use crate::route::rules::Dest;
use crate::switch::agents::state_of;
use crate::switch::request::{Refusal, Reply, Supervise};
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};

impl Switch {
    /// The leg at which an agent talks whom the account `by` wants to supervise from a call.
    ///
    /// # Errors
    ///
    /// `FORBIDDEN`, also if there is no such agent; `NO_TALK` if he talks with nobody.
    pub(super) fn supervised(
        &self,
        from: Option<CallId>,
        agent: &AgentId,
        by: &ExtensionId,
    ) -> Result<LegId, u16> {
        let view = self.parts.acd.agent(agent).ok_or(FORBIDDEN)?;
        let account = self.plan.extensions.get(by).ok_or(FORBIDDEN)?;
        let may = account.supervises.iter().any(|whom| match whom {
            Supervised::All => true,
            Supervised::Agent(whom) => whom == agent,
            Supervised::Queue(queue) => view.queues.contains(queue),
        });
        let seat = view.extension.as_ref();
        if !may || seat == Some(by) {
            return Err(FORBIDDEN);
        }
        let others = self.calls.values().filter(|call| Some(call.id()) != from);
        let talks = others.filter_map(|call| {
            let (leg, is_served) = call.talk_of(agent, seat)?;
            Some((is_served, call.id(), leg))
        });
        // What the ACD gave him comes first, and of the rest the latest.
        talks.max().map(|(_, _, leg)| leg).ok_or(NO_TALK)
    }

    /// Has an account's phones rung, to supervise an agent; or has who does already go on in
    /// another way.
    pub(super) fn order_supervision(
        &mut self,
        now: Instant,
        wanted: Supervise,
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        let Supervise { agent, extension, mode, by } = wanted;
        if !self.plan.acd.agents.contains_key(&agent) {
            return Err(Refusal::UnknownAgent(agent));
        }
        let account = self.plan.extensions.get(&extension);
        let name =
            account.ok_or_else(|| Refusal::UnknownExtension(extension.clone()))?.name.clone();
        let is_he = |it: &&Supervisor| it.extension == extension && it.agent == agent;
        let there = self.calls.values().find_map(|call| {
            let supervisor = call.supervisors().iter().find(is_he)?;
            Some((call.id(), supervisor.leg))
        });
        if let Some((call, leg)) = there {
            let mut steps = Vec::new();
            self.with_call(call, |call, site| {
                call.order_mode(now, site, (leg, mode, by), &mut steps);
            });
            self.carried_out(now, call, steps, out);
            return Ok(Reply::Dialled(call));
        }
        match self.supervised(None, &agent, &extension) {
            Ok(_) => {}
            Err(NO_TALK) if self.plan.calls.supervise_wait > Duration::ZERO => {}
            Err(FORBIDDEN) => return Err(Refusal::MayNotSupervise { extension, agent }),
            Err(_) => {
                let state = self.parts.acd.agent(&agent).map(|view| state_of(view.state).name());
                let state = state.unwrap_or_default().to_owned();
                return Err(Refusal::AgentState { agent, state, why: NOT_TALKING.to_owned() });
            }
        }
        let dialled = format!("{}{agent}", self.plan.codes.supervise);
        let caller = Caller::of_account(&extension, &name, None, dialled);
        let route = (format!("code {}", Code::Supervise.key()), Dest::Code(Code::Supervise));
        let wish = Some(Wish { agent, mode });
        self.order_for(now, Ordered { by, caller, extension, route, wish, auto_answer: false }, out)
    }
}

const FORBIDDEN: u16 = 403;
const NO_TALK: u16 = 480;
/// Why an agent cannot be supervised.
const NOT_TALKING: &str = "he talks with nobody";
