//! Token buckets: so much at once, then so much a second.

use crate::route::defence::Config;
use crate::time::{Duration, Instant};

/// What a full bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    burst: u64,
    per_second: u64,
}

impl Rate {
    pub fn of(config: &Config) -> Self {
        Self {
            burst: TOKEN * u64::from(config.unauthenticated_burst),
            per_second: config.unauthenticated_rate.into(),
        }
    }
}

/// One source's bucket. Kept as what was taken out, so that a forgotten bucket is a full one.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// In millionths of a token.
    taken: u64,
    at: Instant,
    told: Option<Instant>,
}

impl Bucket {
    pub fn full(now: Instant) -> Self {
        Self { taken: 0, at: now, told: None }
    }

    /// Takes a token out; false if there is none.
    pub fn take(&mut self, now: Instant, rate: Rate) -> bool {
        self.fill(now, rate);
        let has = self.taken + TOKEN <= rate.burst;
        if has {
            self.taken += TOKEN;
        }
        has
    }

    pub fn give_back(&mut self, now: Instant, rate: Rate) {
        self.fill(now, rate);
        self.taken = self.taken.saturating_sub(TOKEN);
    }

    /// Whether it may be told that the bucket is empty: once in a while.
    pub fn may_tell(&mut self, now: Instant) -> bool {
        let may = self.told.is_none_or(|told| now >= told + TELL_EVERY);
        if may {
            self.told = Some(now);
        }
        may
    }

    fn fill(&mut self, now: Instant, rate: Rate) {
        let elapsed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_sub(elapsed.saturating_mul(rate.per_second));
        self.at = now;
    }
}

/// One token, in millionths: a microsecond at one token a second fills one millionth.
const TOKEN: u64 = 1_000_000;
/// How often the log says of one source that it sends too much.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_borne_and_then_the_rate() {
        let mut bucket = Bucket::full(at(0));
        assert_eq!((0..50).filter(|_| bucket.take(at(0), RATE)).count(), 10);

        // Ten seconds at two a second, asked every millisecond: nothing is lost by rounding.
        let borne = (0..10_000).filter(|millis| bucket.take(at(*millis), RATE)).count();
        assert_eq!(borne, 19);
        assert_eq!((0..50).filter(|_| bucket.take(at(60_000), RATE)).count(), 10);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut bucket = Bucket::full(at(0));
        while bucket.take(at(0), RATE) {}
        bucket.give_back(at(0), RATE);

        assert!(bucket.take(at(0), RATE));
        assert!(!bucket.take(at(0), RATE));
    }

    #[test]
    fn an_empty_bucket_is_told_once_a_minute() {
        let mut bucket = Bucket::full(at(0));
        let told = (0..120_000).filter(|millis| bucket.may_tell(at(*millis))).count();
        assert_eq!(told, 2);
    }

    const RATE: Rate = Rate { burst: 10 * TOKEN, per_second: 2 };

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }
}
