//! `[recordings]`: how recordings are kept.

use std::path::PathBuf;

use serde::Deserialize;

/// `[recordings]`: how recordings are kept.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file of keys that recordings are encrypted with, relative to the configuration file:
    /// on each line a name and 64 hexadecimal digits. New recordings take the last one, those of
    /// before are read with theirs. Default: none, recordings are not encrypted.
    pub keys: Option<PathBuf>,
}

impl Config {
    /// What the name of a recording's file ends in.
    pub fn extension(&self) -> &'static str {
        if self.keys.is_some() { "wav.enc" } else { "wav" }
    }
}
