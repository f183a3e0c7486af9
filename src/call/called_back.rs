//! A caller who asked for it is called: first he, then, when he has confirmed, an agent.
//!
//! In:       agents who are held for him; what his phone does; his key.
//! Out:      a call of his own, in which he waits in the queue from his confirmation on.
//! Not here: when he is called, how often, what outlives the process (`switch::callbacks`).
//!
//! Until he has confirmed, an agent whom the ACD finds for him is held and hears nothing. So no
//! agent is spent on a phone that nobody answers, or on an answering machine; and who confirms
//! waits for no longer than a phone rings.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::acd::callback::Callback as Config;
use crate::call::asking::{Wanted, Way};
use crate::call::call::{Call, Output, Stage};
use crate::call::identity::Shown;
use crate::call::queueing::Waiting;
use crate::call::site::{Plan, Site};
use crate::cdr::callback::Callback;
use crate::cdr::entry::{Direction, Fact, HungUpBy, QueueLeft};
use crate::id::{AgentId, CallId, ExtensionId, LegId, PromptId, TrunkCall};
use crate::ivr::collect::{Ask, Collect, Input, Output as Asked};
use crate::media::control::Sound;
use crate::time::{Duration, Instant};

/// An attempt to call somebody back.
#[derive(Debug)]
pub struct Attempt {
    pub wanted: Wanted,
    /// From 1.
    pub number: u32,
    /// His place in the queue.
    pub position: u32,
    /// Why the agent was chosen who is held for him.
    pub decided: Option<Fact>,
}

/// What a call knows that is made to call somebody back.
#[derive(Debug)]
pub(super) struct CalledBack {
    wanted: Wanted,
    config: Config,
    /// The agents who are held, and where they sit; none once he has confirmed.
    held: BTreeMap<AgentId, ExtensionId>,
    is_there: bool,
}

impl Call {
    /// A call to somebody who asked for it; `None` if no media port is left.
    pub fn calling_back(
        now: Instant,
        id: CallId,
        attempt: Attempt,
        plan: Arc<Plan>,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Self> {
        let thread = site.ports.thread()?;
        let Attempt { wanted, number: attempt, position, decided } = attempt;
        let asked_in = wanted.asked_in;
        let config = plan.acd.queues.get(&wanted.queue).and_then(|queue| queue.callback.clone());
        let config = config.unwrap_or_default();
        let mut caller = wanted.caller.clone();
        let trunk = match &wanted.way {
            Way::Trunk(trunk) => plan.trunks.get(trunk),
            Way::Extension(_) => None,
        };
        let number = plan.acd.queues.get(&wanted.queue).and_then(|queue| queue.number.clone());
        caller.presented = (config.caller_id.clone())
            .or_else(|| caller.did.clone())
            .or_else(|| trunk?.caller_id.clone())
            .or_else(|| trunk?.username.clone())
            .or(number)
            .or_else(|| Some(wanted.queue.to_string()));
        let mut call = Self::bare((now, site.settings.epoch), id, (caller, thread), plan);
        call.skills.clone_from(&wanted.skills);
        call.prefer.clone_from(&wanted.prefer);
        call.priority = wanted.priority;
        call.waits_since = Some(wanted.since);
        let (queue, number) = (wanted.queue.clone(), wanted.number.clone());
        let way = wanted.way.clone();
        let (held, is_there) = (BTreeMap::new(), false);
        call.called_back = Some(CalledBack { wanted, config, held, is_there });
        call.set_up(now, String::new(), out);
        let began = Callback::Began { queue: queue.clone(), number, asked_in, attempt };
        call.fact(now, out, Fact::Callback(began));
        call.fact(now, out, Fact::Queued { queue, position });
        if let Some(decided) = decided {
            call.fact(now, out, decided);
        }
        call.call_customer(now, site, way, out);
        call.sweep(now, site, out);
        Some(call)
    }

    fn call_customer(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        way: Way,
        out: &mut Vec<Output>,
    ) {
        let Some(back) = &self.called_back else { return };
        let (number, wait) = (back.wanted.number.clone(), back.config.ring_timeout);
        match way {
            Way::Extension(extension) => self.ring(now, site, &extension, wait, out),
            Way::Trunk(trunk) => {
                let to = TrunkCall { trunk, number: Some(number.as_str().into()) };
                self.call_out(now, site, &to, out);
            }
        }
    }

    /// Whether the caller has asked for this call, and was called.
    pub fn is_called_back(&self) -> bool {
        self.called_back.is_some()
    }

    /// Which way the call goes, as its record tells.
    pub fn direction(&self) -> Direction {
        match self.called_back {
            Some(_) => Direction::Outbound,
            None => self.caller.direction(),
        }
    }

    /// How long the phone rings of a customer who is being called.
    pub(super) fn customer_wait(&self) -> Option<Duration> {
        let back = self.called_back.as_ref().filter(|_| self.answered.is_none())?;
        Some(back.config.ring_timeout)
    }

    /// Whether agents are held until the customer is there.
    pub(super) fn holds_agents(&self) -> bool {
        self.called_back.as_ref().is_some_and(|back| !back.is_there)
    }

    /// An agent is held for the customer.
    pub(super) fn hold_agent(&mut self, agent: AgentId, extension: ExtensionId) {
        if let Some(back) = &mut self.called_back {
            back.held.insert(agent, extension);
        }
    }

    /// An agent is not held any more.
    pub(super) fn free_agent(&mut self, agent: &AgentId) {
        if let Some(back) = &mut self.called_back {
            back.held.remove(agent);
        }
    }

    /// The customer's phone was answered: it may be he.
    pub(super) fn customer_answered(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        (self.party, self.first) = (leg, leg);
        let caller = &self.caller;
        let (number, name, hidden) = (caller.number.clone(), caller.name.clone(), caller.hidden);
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.identity = Shown { number, name, hidden };
        }
        self.answered = Some(now);
        self.fact(now, out, Fact::Answered);
        self.ask_whether_there(now, site, ASKED_AGAIN, out);
    }

    fn ask_whether_there(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        retries: u32,
        out: &mut Vec<Output>,
    ) {
        let Some(back) = &self.called_back else { return };
        let collect = Collect::new(Ask {
            prompts: vec![PromptId::from("callback-confirm")],
            digits_min: 1,
            digits_max: 1,
            timeout: back.config.confirm_timeout,
            retries,
        });
        self.stage = Stage::Confirming(collect);
        self.confirming_input(now, site, Input::Start, out);
    }

    /// Something happens while the customer is asked whether he is there.
    pub(super) fn confirming_input(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        let Stage::Confirming(collect) = &mut self.stage else { return };
        let mut steps = Vec::new();
        collect.handle(now, input, &mut steps);
        for step in steps {
            match step {
                Asked::Digits(digits) if digits.as_str() == CONFIRM => {
                    self.confirmed(now, site, out);
                }
                Asked::Digits(_) => self.ask_whether_there(now, site, 0, out),
                Asked::Failed => {
                    let why = (480, 19, "callback_not_confirmed");
                    self.end(now, site, HungUpBy::Switch, why, out);
                }
                Asked::Play(prompts) => {
                    let sounds = prompts.into_iter().map(Sound::Prompt).collect();
                    self.play(self.party, sounds, false, out);
                }
                Asked::StopPlaying => self.play_silence(out),
            }
        }
    }

    /// The customer is there: he waits, first in the line or near it, and the phones of the agents
    /// ring who are held for him.
    fn confirmed(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Some(back) = &mut self.called_back else { return };
        back.is_there = true;
        let held = std::mem::take(&mut back.held);
        let (queue, since) = (back.wanted.queue.clone(), back.wanted.since);
        self.fact(now, out, Fact::Callback(Callback::Confirmed { queue: queue.clone() }));
        self.stage = Stage::Waiting(Box::new(Waiting::with_music(now, queue, since)));
        self.play_music(out);
        site.acd.confirmed(now, self.acd_id, site.decided);
        for (agent, extension) in held {
            self.offer(now, site, agent, extension, out);
        }
    }

    /// The call ends before the customer has confirmed: those are free who were held for him.
    pub(super) fn leave_unconfirmed(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(back) = self.called_back.as_ref().filter(|back| !back.is_there) else { return };
        let (queue, why) = (back.wanted.queue.clone(), QueueLeft::Callback);
        site.acd.leave(now, self.acd_id, site.decided);
        self.fact(now, out, Fact::QueueLeft { queue, why });
    }

    /// The queue is gone for which somebody is called.
    pub(super) fn queue_is_gone(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        self.end(now, site, HungUpBy::Switch, (480, 20, "queue_gone"), out);
    }
}

/// The key that confirms.
const CONFIRM: &str = "1";
/// How often it is asked again who has pressed none.
const ASKED_AGAIN: u32 = 1;
