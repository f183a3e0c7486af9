//! What is known of an agent while the node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::word::AgentWord;
use crate::id::{CallId, ExtensionId};
use crate::time::{Duration, Instant};

/// An agent: the word decides, the rest follows it.
///
/// Everything beside the word is written by whoever swapped the word, after that; a reader at the
/// same moment may see the new word with the old figure.
#[derive(Debug)]
pub struct Seat {
    pub word: AgentWord,
    /// Since when he is in his state.
    pub since: Moment,
    /// When his last call or wrap-up ended, or he logged in.
    pub idle_since: Moment,
    /// When he was rung last.
    pub rung: Moment,
    /// When ringing, wrap-up or pause end.
    pub until: Moment,
    /// The longest that his wrap-up can be extended to.
    pub wrap_up_max: Moment,
    /// Calls answered since the node started.
    pub calls: AtomicU32,
    /// Microseconds talked since the node started.
    pub talked: AtomicU64,
    /// Talk dealt to him by weight, in thousandths of microseconds; see `begin_turn_at`.
    turn: AtomicU64,
    /// The work of late, as the bits of its logarithm; see `worked`.
    load: AtomicU64,
    /// The queue of his call or wrap-up.
    pub queue: AtomicU32,
    call: AtomicU64,
    reason: ArcSwapOption<String>,
    extension: ArcSwapOption<ExtensionId>,
}

impl Seat {
    pub fn new() -> Self {
        Self {
            word: AgentWord::new(),
            since: Moment::default(),
            idle_since: Moment::default(),
            rung: Moment::default(),
            until: Moment::default(),
            wrap_up_max: Moment::default(),
            calls: AtomicU32::new(0),
            talked: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            load: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            queue: AtomicU32::new(0),
            call: AtomicU64::new(0),
            reason: ArcSwapOption::empty(),
            extension: ArcSwapOption::empty(),
        }
    }

    /// The call he talks in; without meaning unless he is on a call.
    pub fn call(&self) -> CallId {
        CallId::from_u64(self.call.load(Ordering::Acquire)) // pairs with `set_call`
    }

    /// Notes the call that he has answered, and says which he had answered before.
    pub fn set_call(&self, call: CallId) {
        self.call.store(call.as_u64(), Ordering::Release); // pairs with `call`
    }

    /// What he was dealt so far, by which `round-robin-talk` takes turns.
    pub fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    /// Adds a talk, as a share of his weight.
    pub fn add_turn(&self, talk: Duration, weight: u8) {
        let share = (talk.as_micros() as u64).saturating_mul(1_000) / u64::from(weight);
        self.turn.fetch_add(share, Ordering::Relaxed);
    }

    /// Brings him up to `least`, what the others had at least while he was not there.
    pub fn begin_turn_at(&self, least: u64) {
        self.turn.fetch_max(least, Ordering::Relaxed);
    }

    /// Adds the time since `since` to the work of late.
    ///
    /// Work counts half as much after each `HALF_LIFE`. In place of letting all work decay, later
    /// work is weighed more, by `2^(t / HALF_LIFE)`; and of the sum its logarithm is kept, which
    /// does not grow without bounds. So agents compare as their loads do, at any moment.
    pub fn worked(&self, now: Instant) {
        let half_lives = |at: Instant| at.as_micros() as f64 / HALF_LIFE.as_micros() as f64;
        let (from, to) = (half_lives(self.since.at()), half_lives(now));
        if to <= from {
            return;
        }
        let more = to + (1.0 - (from - to).exp2()).log2();
        let add = |before: u64| {
            let before = f64::from_bits(before);
            let (less, most) = if before < more { (before, more) } else { (more, before) };
            Some((most + (1.0 + (less - most).exp2()).log2()).to_bits())
        };
        let _ = self.load.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add); // never `None`
    }

    /// The logarithm (base 2) of the work of late; minus infinity if there was none.
    pub fn load(&self) -> f64 {
        f64::from_bits(self.load.load(Ordering::Relaxed))
    }

    /// The work of late at this moment: what was done in the last half life counts up to its whole.
    pub fn work(&self, now: Instant) -> Duration {
        let decayed = (self.load() - now.as_micros() as f64 / HALF_LIFE.as_micros() as f64).exp2();
        HALF_LIFE.mul_f64((decayed / std::f64::consts::LN_2).clamp(0.0, 1e6))
    }

    pub fn reason(&self) -> Option<String> {
        self.reason.load().as_ref().map(|reason| String::clone(reason))
    }

    pub fn set_reason(&self, reason: Option<String>) {
        self.reason.store(reason.map(Arc::new));
    }

    /// Where he sits, or sat last.
    pub fn extension(&self) -> Option<ExtensionId> {
        self.extension.load().as_ref().map(|extension| ExtensionId::clone(extension))
    }

    pub fn set_extension(&self, extension: ExtensionId) {
        self.extension.store(Some(Arc::new(extension)));
    }
}

/// After this time work counts half as much.
const HALF_LIFE: Duration = Duration::from_secs(1800);

/// A moment that any thread reads and writes.
#[derive(Debug, Default)]
pub struct Moment(AtomicU64);

impl Moment {
    pub fn at(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::Acquire)) // pairs with `set`
    }

    pub fn set(&self, at: Instant) {
        self.0.store(at.as_micros(), Ordering::Release); // pairs with `at`
    }
}
