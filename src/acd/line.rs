//! The waiting line of a queue, and the callers in it.
//!
//! A line is ordered by *effective arrival*, arrival − priority credit: one key gives priority,
//! ageing and first-come-first-served at once. Over the queues that an agent serves the next is
//! whose wait since then, times the weight of his queue, is the longest. A caller keeps his place
//! while phones ring for him. Anyone removes any entry in O(log n).
//!
//! Between queues of equal weights nobody is passed over by a caller who came later than the
//! largest credit after him, unless for want of skills; between others, by nobody who has waited
//! less than their weights' ratio of his own wait (`docs/queues.md`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use crossbeam_queue::SegQueue;
use crossbeam_skiplist::SkipMap;

use super::chunks::Chunks;
use super::config::AGENTS_MAX;
use super::due::Due;
use super::outlook::Pace;
use super::place::{self, Shelf, Stand};
use super::roster::Needs;
use super::word::{Bits, CallWord};
use crate::id::{CallId, SkillId};
use crate::time::{Duration, Instant};

/// A place in all lines: effective arrival in microseconds, then the order of entering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    effective: i64,
    ticket: u64,
}

impl Place {
    pub fn new(arrival: Instant, credit: Duration, ticket: u64) -> Self {
        let arrival = i64::try_from(arrival.as_micros()).unwrap_or(i64::MAX);
        let credit = i64::try_from(credit.as_micros()).unwrap_or(i64::MAX);
        Self { effective: arrival.saturating_sub(credit), ticket }
    }

    /// The effective arrival, as a caller keeps it.
    pub fn stand(self) -> Stand {
        Stand::new(self.effective)
    }

    /// The turn of who is at this place in a queue of this weight: of all queues the least is next.
    pub fn turn(self, now: Instant, weight: u8) -> (i64, Self) {
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let waited = now.saturating_sub(self.effective);
        (waited.saturating_mul(i64::from(weight)).saturating_neg(), self)
    }
}

/// A queue's callers in order.
#[derive(Debug)]
pub struct Line {
    pub callers: SkipMap<Place, Arc<Caller>>,
    /// Counted before a caller is inserted and after he is removed: zero means nobody.
    length: AtomicU32,
    /// The agent who was rung last, for round-robin.
    pub last_rung: AtomicU32,
    pub pace: Pace,
}

impl Default for Line {
    fn default() -> Self {
        let last_rung = AtomicU32::new(u32::MAX);
        Self {
            callers: SkipMap::new(),
            length: AtomicU32::new(0),
            last_rung,
            pace: Pace::default(),
        }
    }
}

impl Line {
    /// Takes one of `max` places, if one is left.
    pub fn admit(&self, max: u32) -> bool {
        // AcqRel: pairs with itself; places are given and taken one by one.
        self.length
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |length| {
                (length < max).then_some(length + 1)
            })
            .is_ok()
    }

    /// Gives back a place that was admitted.
    pub fn release(&self) {
        self.length.fetch_sub(1, Ordering::AcqRel); // pairs with `admit`
    }

    pub fn len(&self) -> u32 {
        // Acquire: pairs with `admit`. A searcher has crossed `sync::publish` before, the caller
        // crosses it after: whom this overlooks finds the searcher.
        self.length.load(Ordering::Acquire)
    }

    /// How many come before `place`, and one.
    pub fn position(&self, place: Place) -> u32 {
        // A newcomer is near the end, so count from there.
        let behind = self.callers.range(place..).skip(1).count() as u32;
        self.len().saturating_sub(behind).max(1)
    }
}

/// Someone who waits.
#[derive(Debug)]
pub struct Caller {
    pub call: CallId,
    pub queue: u32,
    pub line: Arc<Line>,
    /// The order of entering.
    pub ticket: u64,
    /// Since when he counts as waiting, without credit.
    pub arrival: Instant,
    /// His effective arrival.
    pub stand: Stand,
    pub slot: u32,
    pub word: CallWord,
    /// How many phones may ring for him at once.
    pub cap: AtomicU32,
    /// How long phones ring before one more may, if it is not all at once.
    pub ring_next: Option<Duration>,
    /// The agent who is waited for before anybody else is rung; `NOBODY` if none is.
    pub favourite: AtomicU32,
    /// Until when he is waited for.
    pub favourite_until: Instant,
    /// When one more phone may ring, in microseconds.
    pub more_at: AtomicU64,
    /// Everyone who was ever rung for him, if several phones may ring.
    pub offered: Option<Bits>,
    /// Who refused or missed him since everybody able had.
    pub tried: OnceLock<Bits>,
    /// When he came into this queue.
    pub entered: Instant,
    /// Since when he is patient, in microseconds; `u64::MAX` as long as it takes.
    pub patient_since: AtomicU64,
    /// How long an agent is held for him before his phone rings, in microseconds.
    pub hold_us: AtomicU64,
    /// What he asked for; empty if nothing in particular.
    pub skills: BTreeMap<SkillId, u8>,
    pub prefer: BTreeMap<SkillId, u8>,
    /// What he needs, if not what everyone in the queue needs.
    pub needs: ArcSwapOption<Needs>,
    /// The step of the needs that he is at.
    pub step: AtomicUsize,
    /// His patience was over while a phone rang: that one may answer, no other is rung.
    pub overdue: AtomicBool,
    /// His next deadline.
    pub due: Due,
}

impl Caller {
    pub fn place(&self) -> Place {
        Place { effective: self.stand.at(), ticket: self.ticket }
    }

    pub fn has_tried(&self, agent: u32) -> bool {
        self.tried.get().is_some_and(|tried| tried.contains(agent))
    }

    /// Remembers that the agent refused or missed him.
    pub fn mark_tried(&self, agent: u32) {
        self.tried.get_or_init(|| Bits::new(AGENTS_MAX)).insert(agent);
    }

    /// Everybody able has refused him: the next round begins.
    pub fn forget_tried(&self) {
        if let Some(tried) = self.tried.get() {
            for agent in tried.iter() {
                tried.remove(agent);
            }
        }
    }

    /// Who alone may be rung for him at this moment, if somebody is waited for.
    pub fn favourite(&self) -> Option<u32> {
        let agent = self.favourite.load(Ordering::Acquire); // pairs with `Acd::release`
        (agent != NOBODY).then_some(agent)
    }

    /// When his patience is taken to be over, in a queue of this `max_wait`.
    pub fn until(&self, max_wait: Duration) -> Instant {
        let since = self.patient_since.load(Ordering::Acquire); // pairs with `Acd::confirmed`
        if since == u64::MAX { Instant::NEVER } else { Instant::from_micros(since) + max_wait }
    }

    /// How many phones may ring for him at once.
    pub fn cap(&self) -> u32 {
        self.cap.load(Ordering::Acquire) // pairs with the change in `more_rings`
    }

    /// Lets one more phone ring, if as many ring as may and it is time.
    pub fn more_rings(&self, now: Instant) {
        let at = self.more_at.load(Ordering::Acquire); // pairs with `rung_at`
        if now.as_micros() < at || at == u64::MAX {
            return;
        }
        // AcqRel: pairs with `rung_at`; a phone that begins to ring meanwhile keeps its own time.
        let swapped =
            self.more_at.compare_exchange(at, u64::MAX, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_ok() && self.word.offers().is_some_and(|offers| offers >= self.cap()) {
            self.cap.fetch_add(1, Ordering::AcqRel); // pairs with `cap`
        }
    }

    /// A phone begins to ring: one more may after a while. Whether the caller is due for that.
    pub fn rung_at(&self, now: Instant) -> bool {
        let Some(next) = self.ring_next.filter(|_| !self.is_called_first()) else { return false };
        self.more_at.store((now + next).as_micros(), Ordering::Release); // pairs with `more_rings`
        true
    }

    pub fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Acquire) // pairs with the store in `tick`
    }
}

/// In place of an agent's number.
pub const NOBODY: u32 = u32::MAX;

/// Where callers are found by the slot that an agent's word names, and by their call.
#[derive(Debug)]
pub struct Callers {
    slots: Chunks<ArcSwapOption<Caller>>,
    /// Slots that were used and are free again.
    free: SegQueue<u32>,
    /// The slots from here on were never used.
    unused: AtomicU32,
    calls: SkipMap<CallId, Arc<Caller>>,
}

impl Callers {
    pub fn new() -> Self {
        let slots = Chunks::new(CALLERS_MAX as usize, ArcSwapOption::empty);
        Self { slots, free: SegQueue::new(), unused: AtomicU32::new(0), calls: SkipMap::new() }
    }

    /// A slot for one more caller, unless `CALLERS_MAX` wait.
    pub fn reserve(&self) -> Option<u32> {
        self.free.pop().or_else(|| {
            // AcqRel: pairs with itself; each slot is given once.
            let unused = self.unused.fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                (next < CALLERS_MAX).then_some(next + 1)
            });
            unused.ok()
        })
    }

    /// Makes a caller known: by slot, by call, and last in the line.
    pub fn insert(&self, caller: &Arc<Caller>) {
        place::enter(self, caller);
    }

    /// Moves a caller to another place in his line. Whoever searches meanwhile may overlook him:
    /// he must be looked at again.
    pub fn move_to(&self, caller: &Arc<Caller>, place: Place) {
        place::move_to(self, caller, place.effective);
    }

    /// Forgets a caller whose word is decided and for whom nobody is claimed.
    pub fn remove(&self, caller: &Arc<Caller>) {
        place::take_out(self, caller);
        caller.line.release();
        self.calls.remove(&caller.call);
        self.slots.at(caller.slot).store(None);
        self.free.push(caller.slot); // once: only who decided the word comes here
    }

    pub fn by_call(&self, call: CallId) -> Option<Arc<Caller>> {
        self.calls.get(&call).map(|entry| entry.value().clone())
    }

    pub fn by_slot(&self, slot: u32) -> Option<Arc<Caller>> {
        self.slots.at(slot).load_full()
    }

    pub fn holds(&self, caller: &Arc<Caller>) -> bool {
        let holder = self.slots.at(caller.slot).load();
        holder.as_ref().is_some_and(|holder| Arc::ptr_eq(holder, caller))
    }

    pub fn all(&self) -> impl Iterator<Item = Arc<Caller>> {
        self.calls.iter().map(|entry| entry.value().clone())
    }
}

impl Shelf for Callers {
    type Caller = Arc<Caller>;

    fn stand<'a>(&'a self, caller: &'a Arc<Caller>) -> &'a Stand {
        &caller.stand
    }

    fn waits(&self, caller: &Arc<Caller>) -> bool {
        caller.word.offers().is_some()
    }

    fn make_known(&self, caller: &Arc<Caller>) {
        self.slots.at(caller.slot).store(Some(caller.clone()));
        self.calls.insert(caller.call, caller.clone());
    }

    fn put(&self, caller: &Arc<Caller>, effective: i64) {
        let place = Place { effective, ticket: caller.ticket };
        caller.line.callers.get_or_insert(place, caller.clone());
    }

    fn take(&self, caller: &Arc<Caller>, effective: i64) {
        caller.line.callers.remove(&Place { effective, ticket: caller.ticket });
    }
}

/// Callers that one node holds in all its queues.
pub const CALLERS_MAX: u32 = 131_072;
