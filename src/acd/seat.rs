//! What is known of an agent while the node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::word::AgentWord;
use crate::id::{CallId, ExtensionId};
use crate::time::Instant;

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
    /// When ringing, wrap-up or pause end.
    pub until: Moment,
    /// The longest that his wrap-up can be extended to.
    pub wrap_up_max: Moment,
    /// Calls answered since the node started.
    pub calls: AtomicU32,
    /// Microseconds talked since the node started.
    pub talked: AtomicU64,
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
            until: Moment::default(),
            wrap_up_max: Moment::default(),
            calls: AtomicU32::new(0),
            talked: AtomicU64::new(0),
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

    pub fn set_call(&self, call: CallId) {
        self.call.store(call.as_u64(), Ordering::Release); // pairs with `call`
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
