//! How waits are distributed: counts in buckets whose width grows with the wait.
//!
//! As an HDR histogram, with 32 buckets for each doubling: a quantile is off by 1/32 of itself at
//! most, and only upwards. Only buckets in which there is somebody are kept: one at most for each
//! caller, 750 for waits of up to a day. The crate `hdrhistogram` keeps all, 20 kB for a day in
//! milliseconds to two digits: 4 GB for 1,000 queues and two days of quarters of an hour.

use std::collections::BTreeMap;

use crate::time::Duration;

/// Counted waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    buckets: BTreeMap<u16, u32>,
    count: u64,
    longest: Duration,
}

impl Waits {
    pub fn add(&mut self, wait: Duration) {
        *self.buckets.entry(bucket(wait)).or_default() += 1;
        self.count += 1;
        self.longest = self.longest.max(wait);
    }

    /// Adds what others counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// A wait that `percent` of all do not exceed; none if nobody was counted.
    pub fn quantile(&self, percent: u32) -> Option<Duration> {
        let wanted = (self.count * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = |(bucket, count): (&u16, &u32)| {
            seen += u64::from(*count);
            (seen >= wanted).then_some(*bucket)
        };
        self.buckets.iter().find_map(reaches).map(|bucket| upper(bucket).min(self.longest))
    }
}

/// The bucket of a wait: each millisecond has its own up to 64 ms.
fn bucket(wait: Duration) -> u16 {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    if millis < EACH {
        return millis as u16;
    }
    let doublings = millis.ilog2() - EACH.ilog2();
    let place = (millis >> doublings) - EACH;
    ((u64::from(doublings) + 1) * EACH + place) as u16
}

/// The longest wait in a bucket.
fn upper(bucket: u16) -> Duration {
    let bucket = u64::from(bucket);
    if bucket < EACH {
        return Duration::from_micros(bucket * 1000 + 999);
    }
    let (doublings, place) = (bucket / EACH - 1, bucket % EACH);
    let beyond = u128::from(EACH + place + 1) << doublings;
    Duration::from_micros(u64::try_from(beyond * 1000 - 1).unwrap_or(u64::MAX))
}

/// Buckets for each doubling of the wait.
const EACH: u64 = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_the_waits() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile(50), None);
        for second in 1..=100 {
            waits.add(Duration::from_secs(second));
        }

        let median = waits.quantile(50).unwrap().as_secs_f64();
        assert!((50.0..50.0 * 33.0 / 32.0).contains(&median), "{median}");
        assert_eq!(waits.quantile(100), Some(Duration::from_secs(100)));
        assert_eq!((waits.count(), waits.longest()), (100, Duration::from_secs(100)));
    }

    proptest! {
        #[test]
        fn a_quantile_is_off_by_a_thirty_second_and_only_upwards(
            waits in prop::collection::vec(0u64..100_000_000_000, 1..200),
            percent in 1u32..=100,
        ) {
            let (mut counted, mut exact) = (Waits::default(), waits);
            exact.iter().for_each(|wait| counted.add(Duration::from_micros(*wait)));
            exact.sort_unstable();
            let place = (exact.len() * percent as usize).div_ceil(100) - 1;
            let (is, told) = (exact[place], counted.quantile(percent).unwrap().as_micros() as u64);
            prop_assert!(told >= is, "{told} {is}");
            prop_assert!(told <= is + is / 32 + 1000, "{told} {is}");
        }

        #[test]
        fn what_is_merged_is_as_if_counted_together(
            one in prop::collection::vec(0u64..1 << 40, 0..50),
            other in prop::collection::vec(0u64..1 << 40, 0..50),
        ) {
            let count = |waits: &[u64]| {
                let mut counted = Waits::default();
                waits.iter().for_each(|wait| counted.add(Duration::from_micros(*wait)));
                counted
            };
            let mut merged = count(&one);
            merged.merge(&count(&other));
            prop_assert_eq!(merged, count(&[one, other].concat()));
        }
    }

    #[test]
    fn the_longest_wait_has_a_bucket_too() {
        let mut waits = Waits::default();
        waits.add(Duration::MAX);
        assert!(bucket(Duration::MAX) < 32 * 60);
        assert!(waits.quantile(50).is_some());
        assert!(bucket(Duration::from_secs(86_400)) < 750);
    }
}
