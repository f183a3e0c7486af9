//! How long new messages wait for the Switch, once a burst is over.
//!
//! Spec:     RFC 8289 §3.1: the least of an interval tells a standing queue from a burst.
//! In:       each new message that the Switch takes, with how many are left behind it.
//! Out:      the wait, at the end of each interval.
//! Not here: what follows from it (`switch::defence::overload`).
//!
//! A queue that was empty at any moment of the interval was a burst, or the operating system let
//! the thread sleep: neither is overload.

use crate::time::{Duration, Instant};

/// One interval's counts.
#[derive(Debug)]
pub struct Pressure {
    since: Instant,
    taken: u32,
    /// The fewest that were left waiting.
    least: u32,
}

impl Pressure {
    pub fn new(now: Instant) -> Self {
        Self { since: now, taken: 0, least: u32::MAX }
    }

    /// A message was taken, and this many wait behind it.
    pub fn took(&mut self, waiting: usize) {
        self.taken = self.taken.saturating_add(1);
        self.least = self.least.min(u32::try_from(waiting).unwrap_or(u32::MAX));
    }

    /// How long a message waits that comes now; `None` until the interval is over.
    pub fn wait(&mut self, now: Instant) -> Option<Duration> {
        let length = now.since(self.since);
        if length < INTERVAL {
            return None;
        }
        let Self { taken, least, .. } = std::mem::replace(self, Self::new(now));
        Some(match taken {
            0 => Duration::ZERO,
            taken => (length / taken).saturating_mul(least),
        })
    }
}

/// Long enough for any burst that is none to be over, short enough to answer before callers ask
/// again.
const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_queue_is_told_as_the_wait_behind_it() {
        let mut pressure = Pressure::new(at(0));
        for waiting in [900, 500, 700] {
            pressure.took(waiting);
        }
        assert_eq!(pressure.wait(at(99)), None);
        pressure.took(800);

        // Four in 100 ms, never fewer than 500 before them.
        assert_eq!(pressure.wait(at(100)), Some(Duration::from_millis(12_500)));
        assert_eq!(pressure.wait(at(200)), Some(Duration::ZERO));
    }

    #[test]
    fn a_burst_and_a_long_sleep_are_no_pressure() {
        let mut pressure = Pressure::new(at(0));
        for waiting in (0..1000).rev() {
            pressure.took(waiting);
        }

        assert_eq!(pressure.wait(at(5000)), Some(Duration::ZERO));
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }
}
