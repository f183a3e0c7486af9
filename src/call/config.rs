//! `[calls]`: what holds for every call of a phone.

use serde::Deserialize;

use crate::time::Duration;

/// `[calls]`: what holds for every call of a phone.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a phone that sent a call on is rung again when nobody took it; then the call ends.
    /// `"0s"` ends it at once. Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub recall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { recall_timeout: Duration::from_secs(30) }
    }
}
