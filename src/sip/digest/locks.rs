//! Who failed how often lately, and how long each is locked out for it.

use std::hash::Hash;

use crate::sip::recent::Recent;
use crate::time::{Duration, Instant};

/// How long locks last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// How long the first lock lasts, and how long after the last failure they are forgotten.
    pub first: Duration,
    /// The longest lock, and how long after one its length is remembered.
    pub longest: Duration,
}

/// The failures of some who are suspected of guessing. Each lock of one lasts twice as long as the
/// one before.
#[derive(Debug)]
pub struct Locks<K> {
    suspects: Recent<K, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// Locks so far.
    locks: u32,
    last: Instant,
    locked_until: Instant,
}

impl<K: Clone + Eq + Hash> Locks<K> {
    /// Beyond `suspects_max` the oldest are forgotten.
    pub fn new(suspects_max: usize) -> Self {
        Self { suspects: Recent::new(suspects_max) }
    }

    pub fn set_max(&mut self, suspects_max: usize) {
        self.suspects.set_max(suspects_max);
    }

    /// How long the suspect's lock still lasts, if there is one.
    pub fn left(&self, now: Instant, suspect: &K) -> Option<Duration> {
        let until = self.suspects.peek(suspect)?.locked_until;
        (now < until).then(|| until.since(now))
    }

    /// Counts a failure; tells how long the lock is that begins with the `max`th.
    pub fn failed(
        &mut self,
        now: Instant,
        suspect: K,
        max: u32,
        lengths: Lengths,
    ) -> Option<Duration> {
        let none = || Failures { count: 0, locks: 0, last: now, locked_until: now };
        let failures = self.suspects.touch(suspect, none);
        if now >= failures.last + lengths.first {
            failures.count = 0;
        }
        if now >= failures.locked_until + lengths.longest {
            failures.locks = 0;
        }
        failures.last = now;
        failures.count += 1;
        if failures.count < max {
            return None;
        }
        let doubled = 1_u32.checked_shl(failures.locks).unwrap_or(u32::MAX);
        let length = lengths.first.saturating_mul(doubled).min(lengths.longest);
        *failures = Failures {
            count: 0,
            locks: failures.locks.saturating_add(1),
            last: now,
            locked_until: now + length,
        };
        Some(length)
    }

    /// Forgives what the suspect did.
    pub fn forget(&mut self, suspect: &K) {
        self.suspects.forget(suspect);
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.suspects.len()
    }
}
