//! What outlives the process: registered phones, agents' states, subscriptions, our names at
//! registrars, dialogs to be ended.
//!
//! The Switch stores each as it changes (`Output::Store`) and gets all of it back at the next
//! start. A call does not outlive the process: the phones in it are told so with a BYE.

use std::iter;

use serde::{Deserialize, Serialize};

use crate::acd::{AfterCall, Change};
use crate::call::known::Met;
use crate::call::services::Services;
use crate::cdr::entry::{AgentState, AlarmKind};
use crate::id::{AgentId, CallId, ExtensionId, LegId, QueueId, TrunkId};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Name};
use crate::sip::registrar::StoredBinding;
use crate::sip::registration::Kept;
use crate::sip::subscription::{StoredSubscription, SubscriptionId};
use crate::sip::transaction;
use crate::switch::agents::state_of;
use crate::switch::callbacks;
use crate::switch::limits::Day;
use crate::switch::{Output, Switch};
use crate::time::{Instant, Wall};

/// An agent's state as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct KeptAgent {
    state: AgentState,
    reason: Option<String>,
    extension: Option<ExtensionId>,
    /// The queue of his call, and when his work after it ends.
    #[serde(default)]
    queue: Option<QueueId>,
    #[serde(default)]
    until: Option<Wall>,
    /// What follows his call.
    #[serde(default)]
    then: Option<AgentState>,
    /// Whether that waits for another agent.
    #[serde(default)]
    held: bool,
}

/// Stores or (`None`) forgets a leg's dialog.
pub(super) fn keep_dialog(leg: LegId, dialog: Option<&Dialog>) -> Output {
    keep(format!("{DIALOGS}{leg}"), dialog)
}

/// Stores what an extension has used up on its day.
pub(super) fn keep_limits(extension: &ExtensionId, day: &Day) -> Output {
    keep(format!("{LIMITS}{extension}"), Some(day))
}

/// Stores what an account's person wants, or forgets him if he wants nothing.
pub(super) fn keep_services(extension: &ExtensionId, services: &Services) -> Output {
    keep(format!("{SERVICES}{extension}"), (*services != Services::default()).then_some(services))
}

/// Notes that the end of a leg's recording is to follow that of its call, or (`None`) forgets it.
pub(super) fn keep_unsealed(leg: LegId, call: Option<CallId>) -> Output {
    keep(format!("{UNSEALED}{leg}"), call.as_ref())
}

/// Stores or (`None`) forgets a subscription.
pub(super) fn keep_subscription(
    id: SubscriptionId,
    subscription: Option<&StoredSubscription>,
) -> Output {
    keep(format!("{SUBSCRIPTIONS}{id}"), subscription)
}

/// Stores or (`None`) forgets what a trunk's registrar knows us by.
pub(super) fn keep_trunk(trunk: &TrunkId, kept: Option<&Kept>) -> Output {
    keep(format!("{TRUNKS}{trunk}"), kept)
}

/// Stores or (`None`) forgets who talked with a caller last.
fn keep_met(number: &str, met: Option<&Met>) -> Output {
    keep(format!("{MET}{number}"), met)
}

/// Stores an alarm that is raised, or forgets one that is taken back.
pub(super) fn keep_alarm(queue: &QueueId, kind: AlarmKind, raised: bool) -> Output {
    keep(format!("{ALARMS}{kind:?}/{queue}"), raised.then_some(&(queue, kind)))
}

/// Stores or (`None`) forgets who is to be called back.
pub(super) fn keep_callback(id: CallId, kept: Option<&callbacks::Kept>) -> Output {
    keep(format!("{CALLBACKS}{id}"), kept)
}

fn keep<T: Serialize>(key: String, value: Option<&T>) -> Output {
    // Plain data with string keys always has a JSON form.
    Output::Store { key, value: value.and_then(|value| serde_json::to_string(value).ok()) }
}

impl Switch {
    /// Stores the phones of an account as they are registered at this moment.
    pub(super) fn keep_phones(&self, extension: &ExtensionId) -> Output {
        let (registrar, epoch) = (&self.parts.registrar, self.parts.settings.epoch);
        let phones: Vec<_> = (registrar.all(extension).iter())
            .map(|binding| StoredBinding::of(extension, binding, epoch))
            .collect();
        keep(format!("{PHONES}{extension}"), (!phones.is_empty()).then_some(&phones))
    }

    /// Stores what an agent does at this moment and has asked to do then; or forgets one who is
    /// configured no more.
    pub(super) fn keep_agent(&self, agent: &AgentId) -> Output {
        let kept = self.parts.acd.agent(agent).map(|view| KeptAgent {
            state: state_of(view.state),
            reason: view.reason,
            extension: view.extension,
            queue: view.queue,
            until: view.until.map(|until| self.wall(until)),
            then: view.then.map(state_of),
            held: view.break_held,
        });
        keep(format!("{AGENTS}{agent}"), kept.as_ref())
    }

    /// Takes up what an earlier process stored; what cannot be read is forgotten.
    pub fn resume(&mut self, now: Instant, kept: Vec<(String, String)>, out: &mut Vec<Output>) {
        let mut subscriptions = 0;
        for (key, value) in kept {
            let read = if key.starts_with(DIALOGS) {
                out.push(Output::Store { key: key.clone(), value: None });
                serde_json::from_str(&value).map(|dialog| self.end_dialog(now, dialog, out))
            } else if let Some(agent) = key.strip_prefix(AGENTS) {
                serde_json::from_str(&value).map(|kept| self.seat(now, &agent.into(), kept))
            } else if let Some(id) = key.strip_prefix(CALLBACKS).and_then(|id| id.parse().ok()) {
                serde_json::from_str(&value).map(|kept| self.resume_callback(now, id, kept))
            } else if let Some(extension) = key.strip_prefix(SERVICES) {
                serde_json::from_str(&value).map(|kept| self.serve(now, extension.into(), kept))
            } else if key.starts_with(PHONES) {
                let epoch = self.parts.settings.epoch;
                serde_json::from_str(&value).map(|phones| {
                    let mut changes = Vec::new();
                    self.parts.registrar.restore(now, epoch, phones, &mut changes);
                    self.registrations_changed(now, changes, out);
                })
            } else if let Some(id) = key.strip_prefix(SUBSCRIPTIONS).and_then(|id| id.parse().ok())
            {
                subscriptions += 1;
                serde_json::from_str(&value).map(|stored| {
                    self.restore_subscription(now, (id, subscriptions), stored, out);
                })
            } else if let Some(trunk) = key.strip_prefix(TRUNKS) {
                let read = serde_json::from_str(&value);
                read.map(|kept| self.resume_trunk(now, &trunk.into(), kept, out))
            } else if key.starts_with(ALARMS) {
                serde_json::from_str(&value).map(|(queue, kind)| self.alarms.restore(queue, kind))
            } else if let Some(number) = key.strip_prefix(MET) {
                serde_json::from_str(&value).map(|met| self.remember(now, number, met, out))
            } else if let Some(extension) = key.strip_prefix(LIMITS) {
                serde_json::from_str(&value).map(|day| self.limits.restore(extension.into(), day))
            } else {
                Ok(())
            };
            if let Err(error) = read {
                tracing::warn!(key, %error, "cannot be taken up from the last start");
            }
        }
        self.forget_removed_accounts(now, out);
        self.empty_seats(now);
        self.carry_out_decisions(now, out);
        self.lamps_of_plan(now, out);
        self.light(now, out);
        self.watch_queues(now, 0, out);
    }

    /// An agent talks with a caller, whose next call he may be offered first.
    pub(super) fn meet(&mut self, call: CallId, agent: &AgentId, at: Wall, out: &mut Vec<Output>) {
        let plan = &self.plan.acd;
        let call = self.calls.get(&call);
        let number = call.and_then(|call| call.caller_number()).map(str::to_owned);
        let is_wanted = plan.queues.values().any(|queue| queue.last_agent_wait.is_some())
            || self.plan.customers.values().any(|customer| customer.history.is_some());
        let Some(number) = number.filter(|_| is_wanted) else { return };
        let met = Met { agent: agent.clone(), at };
        out.push(keep_met(&number, Some(&met)));
        let forgotten = self.known.meet(number, met, plan.acd.last_agent_max);
        out.extend(forgotten.map(|number| keep_met(&number, None)));
    }

    /// Takes up who talked with a caller last, unless it is too long ago.
    fn remember(&mut self, now: Instant, number: &str, met: Met, out: &mut Vec<Output>) {
        let settings = self.plan.acd.acd.clone();
        let forgotten = if self.wall(now).since(met.at) > settings.last_agent_keep {
            Some(number.to_owned())
        } else {
            self.known.meet(number.to_owned(), met, settings.last_agent_max)
        };
        out.extend(forgotten.map(|number| keep_met(&number, None)));
    }

    /// Tells a phone that its call ended with the last process.
    fn end_dialog(&mut self, now: Instant, mut dialog: Dialog, out: &mut Vec<Output>) {
        dialog.forget_connection();
        let bye = dialog.request(Method::Bye).header(Name::Reason, RESTARTED);
        let (request, flow) = (bye.request(), dialog.next_hop());
        let client = self.parts.transactions.client_id();
        self.transact(now, transaction::Input::Request { client, flow, request }, out);
    }

    /// Puts an agent back where he was; a call in progress is over, and his work after it begins.
    fn seat(&mut self, now: Instant, agent: &AgentId, kept: KeptAgent) {
        let stays_out = Change::StayOut;
        if kept.state == AgentState::LoggedOut {
            // Refused if he is not configured any more.
            let _ = self.parts.acd.change(now, agent, stays_out, &mut self.decided);
            return;
        }
        let Some(extension) = kept.extension else { return };
        let (at, reason) = (self.wall(now), kept.reason.unwrap_or_default());
        let goes = kept.then == Some(AgentState::Away);
        let goes_home = kept.then == Some(AgentState::LoggedOut);
        let next = match (kept.state, kept.queue) {
            (AgentState::Away, _) => Some(Change::AwayAnyway { reason: reason.clone() }),
            (AgentState::OnCall, _) if goes_home => Some(Change::Logout),
            (state @ (AgentState::OnCall | AgentState::WrapUp), Some(queue)) => {
                let ends = kept.until.filter(|_| state == AgentState::WrapUp);
                let until = ends.map(|until| now + until.since(at));
                let away = goes.then_some(reason.clone()).filter(|_| !kept.held);
                Some(Change::WorkAfter(AfterCall { queue, until, away }))
            }
            _ => None,
        };
        let asks_again = (kept.held && !goes_home).then_some(Change::Away { reason });
        let last = goes_home.then_some(stays_out);
        let first = iter::once(Change::Login { extension });
        for change in first.chain(next).chain(asks_again).chain(last) {
            // Refused if the configuration has changed meanwhile: then he logs in by himself.
            let _ = self.parts.acd.change(now, agent, change, &mut self.decided);
        }
    }
}

const AGENTS: &str = "agents/";
const ALARMS: &str = "alarms/";
const CALLBACKS: &str = "callbacks/";
const DIALOGS: &str = "dialogs/";
const LIMITS: &str = "limits/";
const MET: &str = "met/";
const PHONES: &str = "phones/";
const SERVICES: &str = "services/";
const SUBSCRIPTIONS: &str = "subscriptions/";
const TRUNKS: &str = "trunks/";
/// Followed by the leg; the value is the call.
pub const UNSEALED: &str = "unsealed/";

/// Why a call ends that a dead process carried (RFC 3326).
const RESTARTED: &str = "SIP;cause=503;text=\"Node restarted\"";
