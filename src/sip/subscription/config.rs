//! `[lamps]`: how many subscriptions there may be, for how long, and how often phones are told.

use serde::Deserialize;

use crate::time::Duration;

/// `[lamps]`: phones that watch others (RFC 6665).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a subscription lasts if the phone does not say. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires: Duration,
    /// A longer subscription is cut to this. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_max: Duration,
    /// A shorter subscription is refused with `423 Interval Too Brief`; at most an hour. Default
    /// `"1m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_min: Duration,
    /// A lamp that changes more often than this is told the newest state this often, after five
    /// changes that are told at once. Default `"1s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub notify_interval: Duration,
    /// Subscriptions that the phones of one extension may have. One more takes the place of an
    /// older one of the same phone for the same thing (a phone that restarted), or is refused
    /// with `500` and Retry-After. Default 250.
    pub per_extension_max: usize,
    /// Subscriptions in all; a further one is refused with `503` and Retry-After. Default 20000.
    pub subscriptions_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(3600),
            expires_max: Duration::from_secs(3600),
            expires_min: Duration::from_secs(60),
            notify_interval: Duration::from_secs(1),
            per_extension_max: 250,
            subscriptions_max: 20_000,
        }
    }
}
