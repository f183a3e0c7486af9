//! `[calls]`, `[park]`, `[conferences.X]`: what holds for every call of a phone, for those that are
//! parked, and for those of many.

use serde::Deserialize;

use crate::acd::config::Pin;
use crate::id::{PromptId, Target};
use crate::route::config::Record;
use crate::time::Duration;

/// `[calls]`: what holds for every call of a phone.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How phones ring for somebody outside: a name that they know, sent in Alert-Info. A queue's
    /// own `alert` counts more. Default `""`: as for any call.
    pub alert_external: String,
    /// How they ring for an extension. Default `""`.
    pub alert_internal: String,
    /// Whether phones are told who answered them, and with whom they talk after a transfer, a
    /// pick-up or a queue: by UPDATE, or by re-INVITE where that is not known. Default true.
    pub connected_identity: bool,
    /// How long a phone that sent a call on is rung again when nobody took it; then the call ends.
    /// `"0s"` ends it at once. Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub recall_timeout: Duration,
    /// How long somebody who wants to supervise an agent waits for his next talk, with music.
    /// `"0s"`: he is refused with `480` while the agent talks with nobody. Default `"10m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub supervise_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            alert_external: String::new(),
            alert_internal: String::new(),
            connected_identity: true,
            recall_timeout: Duration::from_secs(30),
            supervise_wait: Duration::from_secs(600),
        }
    }
}

/// `[conferences.X]`: a room where many talk, as `conference:X`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Conference {
    /// How long somebody may be alone in it before he is hung up. Default `"10m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub alone_max: Duration,
    /// What somebody hears who is alone. Default `"hold"`.
    pub music: PromptId,
    /// What is dialled to come into it. Default: none, so that rules and menus alone lead there.
    pub number: Option<String>,
    /// Those who may be in it; one more is refused with `486`. At most 256. Default 32.
    pub parties_max: u16,
    /// What who comes must type: 3 to 16 digits. Default: none, and nobody is asked.
    pub pin: Option<Pin>,
    /// Whether each member's call is recorded, as `record` of an extension. Default `"never"`.
    pub record: Record,
    /// Of those who speak at once, so many are heard: the loudest. Default 5.
    pub speakers_max: u8,
    /// Whether everybody hears a tone when somebody comes or leaves. Default true.
    pub tones: bool,
}

impl Default for Conference {
    fn default() -> Self {
        Self {
            alone_max: Duration::from_secs(600),
            music: "hold".into(),
            number: None,
            parties_max: 32,
            pin: None,
            record: Record::Never,
            speakers_max: 5,
            tones: true,
        }
    }
}

/// `[park]`: places where calls wait to be fetched from any phone.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Park {
    /// Where somebody goes whom nobody fetched, if the phone that parked him does not answer
    /// either. Default: he is hung up.
    pub on_timeout: Option<Target>,
    /// The places; who would be parked at one more stays where he is, and the phone hears `486`.
    /// Default 20.
    pub slots: u16,
    /// How long somebody waits before the phone that parked him is rung. Default `"2m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub timeout: Duration,
}

impl Default for Park {
    fn default() -> Self {
        Self { on_timeout: None, slots: 20, timeout: Duration::from_secs(120) }
    }
}

/// The most places where calls are parked: more are hardly meant, and tedious to dial.
pub const SLOTS_MAX: u16 = 999;
