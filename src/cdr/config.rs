//! `[ledger]`: how facts are written, how long they are kept, how they are streamed.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::time::Duration;

/// `[ledger]`: how facts are written, how long they are kept, how they are streamed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often the time is noted on disk while the node runs. After a crash, calls that were in
    /// progress are closed with the last noted time. Default `"1s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub alive_every: Duration,
    /// Entries written in one commit. Default 1000.
    pub batch_max: usize,
    /// Named consumers whose place in the stream is kept. Default 100; one more is refused.
    pub consumers_max: usize,
    /// Entries that wait in memory while the disk cannot be written. Default 100000. At 90 % the
    /// node takes no new calls; beyond it entries are lost, with an alarm that counts them.
    pub entries_max: usize,
    /// How often a subscriber that gets nothing else is told the newest sequence. Default `"10s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub heartbeat: Duration,
    /// How long entries are kept. Default `"400days"`.
    #[serde(with = "crate::time::WithinYears")]
    pub keep: Duration,
    /// Size at which the oldest entries are removed before their time. Default `"8GiB"`.
    #[serde(deserialize_with = "size")]
    pub keep_bytes: u64,
    /// Subscriptions at one time. Default 100; one more is refused.
    pub subscribers_max: usize,
    /// Entries sent to a subscriber ahead of its acknowledgements, when it asks for no other
    /// number. Default 1000.
    pub unacknowledged_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            alive_every: Duration::from_secs(1),
            batch_max: 1000,
            consumers_max: 100,
            entries_max: 100_000,
            heartbeat: Duration::from_secs(10),
            keep: Duration::from_secs(400 * 24 * 60 * 60),
            keep_bytes: 8 << 30,
            subscribers_max: 100,
            unacknowledged_max: 1000,
        }
    }
}

impl Config {
    /// What is wrong with the values, as pairs of key and sentence.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        let mut need = |good: bool, key, sentence: &str| {
            if !good {
                mistakes.push((key, sentence.to_owned()));
            }
        };
        let second = Duration::from_secs(1);
        let beats = Duration::from_millis(100)..=60 * second;
        need(beats.contains(&self.alive_every), "alive_every", "write from \"100ms\" to \"60s\"");
        need((1..=100_000).contains(&self.batch_max), "batch_max", "write from 1 to 100000");
        need(self.consumers_max >= 1, "consumers_max", "write 1 or more");
        need(self.entries_max >= 1000, "entries_max", "write 1000 or more");
        need(self.heartbeat >= second, "heartbeat", "write \"1s\" or more");
        need(self.keep >= 3600 * second, "keep", "write \"1h\" or more");
        need(self.keep_bytes >= 1 << 20, "keep_bytes", "write \"1MiB\" or more");
        need(self.subscribers_max >= 1, "subscribers_max", "write 1 or more");
        need(self.unacknowledged_max >= 1, "unacknowledged_max", "write 1 or more");
        mistakes
    }
}

/// Reads a size: a number of bytes, or a text such as `"64MiB"`.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Size;

    impl Visitor<'_> for Size {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"64MiB\", or a number of bytes")
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
            u64::try_from(bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            bytes_of(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Size)
}

/// The bytes that a text such as `64MiB` means; `None` if it means none.
fn bytes_of(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 4] =
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    number.trim().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        let config: Config = toml::from_str("keep_bytes = \"64MiB\"\nkeep = \"30d\"").unwrap();

        assert_eq!(config.keep_bytes, 64 << 20);
        assert_eq!(config.keep, Duration::from_secs(30 * 86_400));
        assert_eq!(toml::from_str::<Config>("keep_bytes = 2097152").unwrap().keep_bytes, 2 << 20);
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for wrong in ["\"64 elephants\"", "-1", "\"\"", "\"99999999999999999999GiB\"", "true"] {
            assert!(toml::from_str::<Config>(&format!("keep_bytes = {wrong}")).is_err(), "{wrong}");
        }
        assert!(toml::from_str::<Config>("kep = \"1d\"").is_err());
    }

    #[test]
    fn the_defaults_are_without_mistake() {
        assert_eq!(Config::default().mistakes(), []);
        let wrong = Config { batch_max: 0, ..Config::default() };
        assert_eq!(wrong.mistakes()[0].0, "batch_max");
    }
}
