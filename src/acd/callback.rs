//! Callers who are called back in place of waiting: `[queues.X] callback`, and what is different
//! about them in a line.
//!
//! In:       that an agent was found for one; that his customer is there.
//! Out:      how long an agent is held; agents whose phones ring from now on.
//! Not here: who asks for it and how he is called (`call::called_back`), what outlives the process
//!           (`switch::callbacks`).
//!
//! He stands in the line like any caller. The agent who is found for him is held: claimed as for a
//! phone that rings, one at a time, without it ringing, until the customer has confirmed that he is
//! there. From then on he is a caller like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde::Deserialize;

use super::config::{Fault, fault, positive};
use super::core::Acd;
use super::event::{Output, State};
use super::line::Caller;
use super::matching::{Again, Floor as _};
use super::step::Step;
use super::sync::publish;
use super::word::{Agent, Call, Phase};
use crate::id::{CallId, ClassId, HoursId, Target, TrunkId};
use crate::time::{Duration, Instant};

/// `[queues.X] callback`: whoever waits may hang up and keep his place; he is called when an agent
/// is free for him.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Callback {
    /// The key by which a caller who waits asks for it: `0` to `9`. Default `"1"`.
    pub key: String,
    /// After what time of waiting he is offered it; once. Default: never, so that only who knows
    /// the key can ask.
    #[serde(with = "crate::time::WithinDay")]
    pub offer_after: Option<Duration>,
    /// The classes of numbers outside that may be called: of the number that he called from, or of
    /// another that he types. Default: none, so that only phones of the site are called.
    pub calls: BTreeSet<ClassId>,
    /// The trunk over which he is called. Default: the one over which he called.
    pub trunk: Option<TrunkId>,
    /// The number that he is shown. Default: the one that he had called, else the trunk's.
    pub caller_id: Option<String>,
    /// The hours within which he is called. Default: at any time.
    pub hours: Option<HoursId>,
    /// How long his phone rings. Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_timeout: Duration,
    /// How long he has to confirm, by the key 1, that he is there; he is asked twice. Default
    /// `"8s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub confirm_timeout: Duration,
    /// How often he is called again who was not reached. Default 2.
    pub retries: u32,
    /// How long that is waited with. Default `"5m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub retry_wait: Duration,
    /// How long after he asked for it he is called at the latest. Default `"8h"`.
    #[serde(with = "crate::time::WithinDay")]
    pub lifetime: Duration,
    /// Callers who may wait to be called back; a further one is told that it cannot be. Default
    /// 100.
    pub max: u32,
}

impl Default for Callback {
    fn default() -> Self {
        Self {
            key: "1".to_owned(),
            offer_after: None,
            calls: BTreeSet::new(),
            trunk: None,
            caller_id: None,
            hours: None,
            ring_timeout: Duration::from_secs(30),
            confirm_timeout: Duration::from_secs(8),
            retries: 2,
            retry_wait: Duration::from_secs(300),
            lifetime: Duration::from_secs(8 * 3600),
            max: 100,
        }
    }
}

impl Callback {
    /// What is wrong with it; `keys` are the other keys of a caller who waits.
    pub(super) fn faults(
        &self,
        key: &[&str],
        keys: &BTreeMap<String, Target>,
        faults: &mut Vec<Fault>,
    ) {
        let own = |name| [key, &[name]].concat();
        if !matches!(self.key.as_bytes(), [b'0'..=b'9']) {
            let what = format!("`{}` cannot be spoken as a key; write one of 0 to 9", self.key);
            faults.push(fault(&own("key"), what));
        }
        if keys.contains_key(&self.key) {
            let what = format!("key `{}` leads elsewhere by `keys`; take another", self.key);
            faults.push(fault(&own("key"), what));
        }
        for (name, time) in [
            ("ring_timeout", self.ring_timeout),
            ("confirm_timeout", self.confirm_timeout),
            ("retry_wait", self.retry_wait),
            ("lifetime", self.lifetime),
        ] {
            positive(&own(name), Some(time), faults);
        }
    }

    /// How long an agent is held at the most: to be reached and to confirm takes no longer.
    pub fn hold(&self) -> Duration {
        self.ring_timeout + self.confirm_timeout + self.confirm_timeout + PROMPTS_MAX
    }
}

/// How long the two questions take to be heard.
const PROMPTS_MAX: Duration = Duration::from_secs(30);

impl Acd {
    /// A customer who was called has confirmed that he is there: the phone of the agent who was
    /// held for him rings, for the queue's `ring_timeout`, and from now on he waits like anybody.
    pub fn confirmed(&self, now: Instant, call: CallId, out: &mut Vec<Output>) {
        let Some(caller) = self.callers.by_call(call) else { return };
        // AcqRel: pairs with the load in `Caller::is_called_first`; once.
        if caller.hold_us.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        let roster = self.roster.load_full();
        let queue = &roster.queues[caller.queue as usize];
        caller.cap.store(queue.rings_at_once(), Ordering::Release); // pairs with `cap`
        caller.patient_since.store(now.as_micros(), Ordering::Release); // pairs with `until`
        caller.rung_at(now);
        publish(); // pairs with the fence in `arm_ring`: that sees it, or is seen here
        self.schedule(now, &caller);
        let mut step = Step::new(self, now, out);
        let held: Vec<u32> = match (caller.word.load(), &caller.offered) {
            (Call::Open { .. }, Some(offered)) => offered.iter().collect(),
            (Call::Open { offers: 1.., last }, None) => vec![last],
            _ => vec![],
        };
        for agent in held {
            step.rings_at_last(agent, &caller, now + queue.ring_timeout);
        }
        step.later(Again::Caller(caller));
        step.finish();
    }
}

impl Acd {
    /// Why an agent is in a state, if that says more than the state.
    pub(super) fn reason_of(&self, agent: u32, state: State) -> Option<String> {
        let seat = self.seats.at(agent);
        let word = seat.word.load();
        match state {
            State::Away => seat.reason(),
            State::Ringing if word.phase() == Phase::Ringing => {
                let caller = self.callers.by_slot(word.slot())?;
                caller.is_called_first().then(|| REASON_CALLBACK.to_owned())
            }
            _ => None,
        }
    }
}

impl Step<'_> {
    /// Sets the deadline of an agent's phone that begins to ring, or of an agent who is held.
    pub(super) fn arm_ring(
        &self,
        agent: u32,
        caller: &Caller,
        word: Agent,
        ring_timeout: Duration,
    ) -> Instant {
        let hold = caller.hold();
        let held = self.now + ring_timeout + hold;
        self.arm(agent, word, held);
        if hold.is_zero() {
            return held;
        }
        publish(); // pairs with the fence in `confirmed`
        if caller.is_called_first() {
            return held;
        }
        let expires = self.now + ring_timeout; // he has confirmed meanwhile
        self.disarm(agent, word);
        self.arm(agent, word, expires);
        expires
    }

    /// The phone of an agent who was held rings from now on.
    fn rings_at_last(&mut self, agent: u32, caller: &Caller, expires: Instant) {
        let word = self.seat(agent).word.load();
        if word.phase() != Phase::Ringing || word.slot() != caller.slot {
            return;
        }
        self.disarm(agent, word);
        self.arm(agent, word, expires);
        self.seat(agent).since.set(self.now);
        self.announce(agent, State::Ringing, State::Ringing);
    }
}

impl Caller {
    /// How long an agent is held for him before his phone rings; zero if it rings at once.
    pub fn hold(&self) -> Duration {
        // Acquire: pairs with the swap in `Acd::confirmed`.
        Duration::from_micros(self.hold_us.load(Ordering::Acquire))
    }

    /// Whether his customer is called before an agent's phone rings.
    pub fn is_called_first(&self) -> bool {
        !self.hold().is_zero()
    }
}

/// Why an agent rings whose phone is silent: he is held for a customer who is being called.
pub const REASON_CALLBACK: &str = "callback";
