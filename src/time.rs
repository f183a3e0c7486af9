//! Time as a value: told by the shell, never asked for.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::ops::{Add, Sub};

use humantime_serde::re::humantime;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use std::time::Duration;

/// How the configuration writes what a caller or a phone waits for (`"20s"`): a day at most.
pub type WithinDay = AtMost<86_400>;

/// How the configuration writes what lasts or is kept (`"400days"`): ten years at most.
pub type WithinYears = AtMost<315_576_000>;

/// Reads and writes a length of time in words, for serde's `with`; a longer one is refused.
#[derive(Debug)]
pub struct AtMost<const SECONDS: u64>;

impl<const SECONDS: u64> AtMost<SECONDS> {
    pub fn deserialize<'de, T, D>(reader: D) -> Result<T, D::Error>
    where
        T: Copy + Into<Option<Duration>>,
        D: Deserializer<'de>,
        humantime_serde::Serde<T>: Deserialize<'de>,
    {
        let length = humantime_serde::deserialize::<T, D>(reader)?;
        let max = Duration::from_secs(SECONDS);
        if length.into().is_some_and(|length| length > max) {
            let expected = format!("a duration of {}", humantime::format_duration(max));
            return Err(D::Error::invalid_value(Unexpected::Other("duration"), &&*expected));
        }
        Ok(length)
    }

    pub fn serialize<T, S>(length: &T, writer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        for<'a> humantime_serde::Serde<&'a T>: Serialize,
    {
        humantime_serde::serialize(length, writer)
    }
}

/// A moment on the monotonic clock, in microseconds since the process started.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Instant(u64);

impl Instant {
    /// The moment the process started.
    pub const START: Self = Self(0);
    /// Later than every moment that can be reached.
    pub const NEVER: Self = Self(u64::MAX);

    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the process started.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, wait: Duration) -> Self {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// A moment for people and records, in microseconds since 1970-01-01T00:00:00Z.
///
/// Prints as RFC 3339 in UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(i64);

impl Wall {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Wall {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// What the wall clock showed at `Instant::START`: turns the one time into the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch(pub Wall);

impl Epoch {
    pub fn wall(self, at: Instant) -> Wall {
        self.0 + Duration::from_micros(at.as_micros())
    }
}

/// The next deadline of each of many machines; at most one per key.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    due: BTreeSet<(Instant, K)>,
    of: HashMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new(), of: HashMap::new() }
    }
}

impl<K: Clone + Hash + Ord> Deadlines<K> {
    /// Replaces the deadline of `key`; `None` removes it.
    pub fn set(&mut self, key: &K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.of.insert(key.clone(), at),
            None => self.of.remove(key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, key.clone()));
        }
    }

    /// The earliest deadline of all.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes out the key with the earliest deadline, if that has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        self.of.remove(&key);
        Some(key)
    }

    pub fn len(&self) -> usize {
        self.of.len()
    }

    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline() {
        let mut deadlines = Deadlines::default();
        let (early, late) = (Instant::from_micros(1), Instant::from_micros(2));

        deadlines.set(&'a', Some(early));
        deadlines.set(&'a', Some(late));
        deadlines.set(&'b', Some(early));
        deadlines.set(&'b', None);

        assert_eq!(deadlines.next(), Some(late));
        assert_eq!(deadlines.pop_due(early), None);
        assert_eq!(deadlines.pop_due(late), Some('a'));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        assert_eq!(Wall::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
    }
}
