//! Something with a deadline that threads change at once, and what must hold after.
#![allow(dead_code, reason = "each variant of the protocol runs some of the models")]

use std::cell::OnceCell;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::due::{self, Deadline, Due};
use super::model::{PREEMPTIONS, check, join};
use super::word::Bits;

/// A deadline follows from two facts, each of which a thread changes and works out.
pub fn earlier_and_later() {
    check(PREEMPTIONS, || {
        let desk = Desk::new(5, 3);
        due::say(&*desk);
        let other = desk.clone();
        let later = thread::spawn(move || other.changes(1, 7));
        desk.changes(0, 4);
        join([later]);
        desk.holds(4);
    });
}

/// A deadline is worked out again by two, while a third puts it off and back.
pub fn to_and_fro() {
    check(PREEMPTIONS - 1, || {
        let desk = Desk::new(5, 3);
        due::say(&*desk);
        let threads = [(1, 7), (1, 3)].map(|(fact, at)| {
            let desk = desk.clone();
            thread::spawn(move || desk.changes(fact, at))
        });
        due::say(&*desk);
        join(threads);
        desk.holds(desk.work_out());
    });
}

/// It is over while it is put off.
pub fn and_over() {
    check(PREEMPTIONS, || {
        let desk = Desk::new(5, 3);
        due::say(&*desk);
        let other = desk.clone();
        let later = thread::spawn(move || other.changes(1, 7));
        desk.ends();
        join([later]);
        desk.holds(due::NEVER);
        assert_eq!(desk.timers.word(0), 0, "a timer is left");
    });
}

/// The same as the first, by threads who look once.
pub fn worked_out_once() {
    check(PREEMPTIONS, || {
        let desk = Desk::new(5, 3);
        due::say(&*desk);
        let other = desk.clone();
        let later = thread::spawn(move || other.changes_once(1, 7));
        desk.changes_once(0, 4);
        join([later]);
        desk.holds(4);
    });
}

/// Something that is due at the earlier of two moments, until it is over.
struct Desk {
    due: Due,
    facts: [AtomicU64; 2],
    over: AtomicU64,
    /// A bit for each moment.
    timers: Bits,
}

impl Desk {
    fn new(one: u64, two: u64) -> Arc<Self> {
        let facts = [one, two].map(AtomicU64::new);
        let over = AtomicU64::new(0);
        Arc::new(Self { due: Due::never(), facts, over, timers: Bits::new(64) })
    }

    fn changes(&self, fact: usize, at: u64) {
        self.facts[fact].store(at, Ordering::Release);
        due::say(self);
    }

    fn changes_once(&self, fact: usize, at: u64) {
        self.facts[fact].store(at, Ordering::Release);
        due::say(&Once { desk: self, seen: OnceCell::new() });
    }

    fn ends(&self) {
        self.over.store(1, Ordering::Release);
        due::end(self);
    }

    fn holds(&self, at: u64) {
        assert_eq!(self.due.at(), at, "what is due is not what follows");
        let is_set = at != due::NEVER && self.timers.contains(at as u32);
        assert!(is_set || at == due::NEVER, "a timer is lost");
    }
}

impl Deadline for Desk {
    fn due(&self) -> &Due {
        &self.due
    }

    fn work_out(&self) -> u64 {
        if self.over.load(Ordering::Acquire) != 0 {
            return due::NEVER;
        }
        let [one, two] = &self.facts;
        one.load(Ordering::Acquire).min(two.load(Ordering::Acquire))
    }

    fn set(&self, at: u64) {
        self.timers.insert(at as u32);
    }

    fn unset(&self, at: u64) {
        if self.timers.contains(at as u32) {
            self.timers.remove(at as u32); // a map writes nothing for what is not there
        }
    }
}

/// Who does not work it out again.
struct Once<'a> {
    desk: &'a Desk,
    seen: OnceCell<u64>,
}

impl Deadline for Once<'_> {
    fn due(&self) -> &Due {
        &self.desk.due
    }

    fn work_out(&self) -> u64 {
        *self.seen.get_or_init(|| self.desk.work_out())
    }

    fn set(&self, at: u64) {
        self.desk.set(at);
    }

    fn unset(&self, at: u64) {
        self.desk.unset(at);
    }
}
