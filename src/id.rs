//! Names of things: newtypes, never strings, and the one grammar of targets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A call: everything from a caller's INVITE until the last of its legs is gone.
///
/// Never given twice, also over restarts and nodes: milliseconds since 2026-01-01 (41 bits), the
/// node's number (10 bits), a counter (12 bits). Sorts by age; prints as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    pub const fn from_u64(raw: u64) -> Self {
        Self(raw)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// When it was given, to the millisecond, in microseconds since 1970 (UTC).
    pub const fn given_at(self) -> i64 {
        ((self.0 >> 22).cast_signed() + EPOCH_MS) * 1000
    }
}

/// What the milliseconds of call ids count from: 2026-01-01T00:00:00Z.
const EPOCH_MS: i64 = 1_767_225_600_000;

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CallId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match u64::from_str_radix(text, 16) {
            Ok(raw) if text.len() == 16 => Ok(Self(raw)),
            _ => Err(IdError::CallId),
        }
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Hands out call ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallIds {
    node: u16,
    last: u64,
}

impl CallIds {
    /// `node` is the node's number, below 1024.
    pub const fn new(node: u16) -> Self {
        Self { node: node & 0x3ff, last: 0 }
    }

    /// A new id for a call that begins at `micros` since 1970 (UTC).
    pub fn next(&mut self, micros: i64) -> CallId {
        let ms = u64::try_from(micros / 1000 - EPOCH_MS).unwrap_or(0);
        let tick = (ms << 12).max(self.last + 1);
        self.last = tick;
        CallId(((tick >> 12) << 22) | (u64::from(self.node) << 12) | (tick & 0xfff))
    }
}

/// One party's side of a call: a SIP dialog, or the attempt at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId {
    /// The call in which the leg was made.
    pub call: CallId,
    /// Counts the legs of that call from 0, the caller's.
    pub index: u16,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.call, self.index)
    }
}

impl FromStr for LegId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (call, index) = text.split_once('-').ok_or(IdError::LegId)?;
        let index = index.parse().map_err(|_| IdError::LegId)?;
        Ok(Self { call: call.parse().map_err(|_| IdError::LegId)?, index })
    }
}

impl Serialize for LegId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LegId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// A key of the configuration: case-sensitive, cheap to clone.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(Arc::from(name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(Arc::from(String::deserialize(deserializer)?)))
            }
        }
    )*};
}

names! {
    /// A person who answers queue calls.
    AgentId
    /// Numbers that not everyone may call.
    ClassId
    /// A room where many talk.
    ConferenceId
    /// A class of callers.
    CustomerId
    /// A phone's account.
    ExtensionId
    /// A calendar of opening hours.
    HoursId
    /// An IVR menu.
    MenuId
    /// A recorded announcement or a piece of music.
    PromptId
    /// A waiting line with the agents who serve it.
    QueueId
    /// Something an agent can do, at a level from 1 to 10.
    SkillId
    /// A line to a carrier, or to another site.
    TrunkId
}

/// Where a call can be sent: `extension:1001`, `queue:sales`, `menu:main`, `agent:17`,
/// `conference:board`, `trunk:itsp`, `trunk:itsp/+862112345678`, `prompt:closed`, `hangup:486`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Agent(AgentId),
    Conference(ConferenceId),
    Extension(ExtensionId),
    /// The SIP status that an unanswered call gets; an answered one is hung up.
    Hangup(u16),
    Menu(MenuId),
    /// Plays once, then hangs up.
    Prompt(PromptId),
    Queue(QueueId),
    Trunk(TrunkCall),
}

impl Target {
    /// The same for a call to `number`: a trunk is called with it, if no other is written.
    #[must_use]
    pub fn with_number(self, number: &str) -> Self {
        match self {
            Self::Trunk(TrunkCall { trunk, number: None }) => {
                Self::Trunk(TrunkCall { trunk, number: Some(number.into()) })
            }
            other => other,
        }
    }
}

/// A call over a trunk: to this number, or else to the one that the caller dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkCall {
    pub trunk: TrunkId,
    pub number: Option<Arc<str>>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => write!(f, "agent:{agent}"),
            Self::Conference(conference) => write!(f, "conference:{conference}"),
            Self::Extension(extension) => write!(f, "extension:{extension}"),
            Self::Hangup(status) => write!(f, "hangup:{status}"),
            Self::Menu(menu) => write!(f, "menu:{menu}"),
            Self::Prompt(prompt) => write!(f, "prompt:{prompt}"),
            Self::Queue(queue) => write!(f, "queue:{queue}"),
            Self::Trunk(TrunkCall { trunk, number: None }) => write!(f, "trunk:{trunk}"),
            Self::Trunk(TrunkCall { trunk, number: Some(number) }) => {
                write!(f, "trunk:{trunk}/{number}")
            }
        }
    }
}

impl FromStr for Target {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::Target(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        match kind {
            "agent" => Ok(Self::Agent(name.into())),
            "conference" => Ok(Self::Conference(name.into())),
            "extension" => Ok(Self::Extension(name.into())),
            "hangup" => match name.parse() {
                Ok(status @ 400..=699) => Ok(Self::Hangup(status)),
                _ => Err(IdError::HangupStatus(name.to_owned())),
            },
            "voicemail" => Err(IdError::NotBuilt(text.to_owned())),
            "menu" => Ok(Self::Menu(name.into())),
            "prompt" => Ok(Self::Prompt(name.into())),
            "queue" => Ok(Self::Queue(name.into())),
            "trunk" => match name.split_once('/') {
                None => Ok(Self::Trunk(TrunkCall { trunk: name.into(), number: None })),
                Some(("", _) | (_, "")) => Err(wrong()),
                Some((trunk, number)) => {
                    let number = Some(Arc::from(number));
                    Ok(Self::Trunk(TrunkCall { trunk: trunk.into(), number }))
                }
            },
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text names nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdError {
    #[error("a call id is 16 hexadecimal digits")]
    CallId,
    #[error("`{0}` is no SIP failure status; write one from 400 to 699, such as `hangup:486`")]
    HangupStatus(String),
    #[error("a leg id is a call id, a hyphen and a number")]
    LegId,
    #[error(
        "`{0}`: this kind of target is not built yet; write `extension:…`, `agent:…`, `queue:…`, \
         `menu:…`, `conference:…`, `trunk:…`, `prompt:…` or `hangup:486`"
    )]
    NotBuilt(String),
    #[error(
        "`{0}` is no target; write `extension:…`, `agent:…`, `queue:…`, `menu:…`, \
         `conference:…`, `trunk:…`, `prompt:…` or `hangup:486`"
    )]
    Target(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_never_repeat_within_a_millisecond() {
        let mut ids = CallIds::new(1);
        let at = 1_800_000_000_000_000;

        let mut given: Vec<_> = (0..5000).map(|_| ids.next(at)).collect();

        assert!(given.is_sorted());
        given.dedup();
        assert_eq!(given.len(), 5000);
    }

    #[test]
    fn a_call_id_tells_when_it_was_given() {
        let at = 1_800_000_000_123_456;
        assert_eq!(CallIds::new(1023).next(at).given_at(), 1_800_000_000_123_000);
        assert_eq!(CallId::from_u64(u64::MAX).given_at() / 1_000_000, 6_165_272_111);
    }

    #[test]
    fn targets_print_as_they_are_written() {
        for text in [
            "extension:1001",
            "queue:sales",
            "menu:main",
            "agent:17",
            "conference:board",
            "hangup:486",
            "trunk:itsp",
            "trunk:itsp/+8613800138000",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert!("trunk:itsp/".parse::<Target>().is_err());
        assert!("hangup:200".parse::<Target>().is_err());
        assert!("quue:sales".parse::<Target>().is_err());
        assert!("queue:".parse::<Target>().is_err());
    }
}
