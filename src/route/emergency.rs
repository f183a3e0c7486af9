//! `[emergency]`: numbers that are never bent, refused or counted.

use serde::Deserialize;

use crate::id::TrunkId;

/// `[emergency]`: numbers that go before every rule, whoever calls them and whatever is full.
///
/// A number is one of them only if it is the same, digit by digit: `1104` is no call to `110`. It
/// goes out as it is dialled, past the limits of node and trunks, also over trunks that are down.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Emergency {
    /// The numbers, such as `["110", "119", "120", "122"]`. Default `[]`.
    pub numbers: Vec<String>,
    /// The trunks that lead there, the first choice first. Default `[]`: none, so `numbers` needs
    /// this key too.
    pub trunks: Vec<TrunkId>,
}

impl Emergency {
    pub fn has(&self, number: &str) -> bool {
        self.numbers.iter().any(|emergency| emergency == number)
    }
}
