//! What follows when an agent does not take a call, and what becomes of the last one's break: rules
//! of `[acd]` and `[queues.X]`.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use humantime_serde::re::humantime;

use super::event::Outcome;
use crate::time::Duration;

/// `[queues.X] alarms`: what calls for attention at once.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Alarms {
    /// So many wait at once; taken back at less than four fifths. Default: none.
    pub waiting: Option<u32>,
    /// A caller has been on hold for so long in a talk with an agent. Default: none.
    #[serde(with = "crate::time::WithinDay")]
    pub longest_hold: Option<Duration>,
    /// Somebody has waited for so long. Default: none.
    #[serde(with = "crate::time::WithinDay")]
    pub longest_wait: Option<Duration>,
    /// Somebody waits, and no agent is there who would take calls. Default `false`.
    pub nobody: bool,
}

/// What becomes of the wish for a break of an agent without whom nobody would be there for a queue.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum LastBreak {
    /// He has it as anybody else.
    #[default]
    Allow,
    /// He has it as soon as another is there, and his call is over.
    Delay,
    /// He does not have it.
    Refuse,
}

/// `after`: what follows for an agent who did not take a call, by cause.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct After {
    /// His phone was busy (486, 600). Default `"pause"`.
    pub busy: Option<Follows>,
    /// He let it ring. Default `"away"` if `rona` is so, else `"pause"`; never `"away"` where
    /// several phones ring, since nobody is called in person.
    pub no_answer: Option<Follows>,
    /// He refused it (480, 603). Default `"pause"`.
    pub rejected: Option<Follows>,
    /// His phone could not be reached (408, 503, …), or none is there. Default `"pause"`.
    pub unreachable: Option<Follows>,
}

impl After {
    /// What it says of one cause.
    pub fn of(self, cause: Outcome) -> Option<Follows> {
        match cause {
            Outcome::Answered => None,
            Outcome::Busy => self.busy,
            Outcome::NoAnswer => self.no_answer,
            Outcome::Rejected => self.rejected,
            Outcome::Unreachable => self.unreachable,
        }
    }

    /// The same, and what `general` says of what this does not.
    #[must_use]
    pub fn or(self, general: Self) -> Self {
        Self {
            busy: self.busy.or(general.busy),
            no_answer: self.no_answer.or(general.no_answer),
            rejected: self.rejected.or(general.rejected),
            unreachable: self.unreachable.or(general.unreachable),
        }
    }
}

/// What follows for an agent who did not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// He is away, with the cause as the reason, until he says otherwise.
    Away,
    /// He is free again; the pause is no longer than it takes to keep a phone that refuses by
    /// itself from being rung without end.
    Nothing,
    /// He is left alone for `refusal_pause`.
    Pause,
    /// He is left alone for so long.
    PauseFor(Duration),
}

impl Follows {
    /// How long he is left alone, if he is not away; `usual` is `refusal_pause`.
    pub fn pause(self, usual: Duration) -> Option<Duration> {
        match self {
            Self::Away => None,
            Self::Nothing => Some(PAUSE_MIN),
            Self::Pause => Some(usual),
            Self::PauseFor(pause) => Some(pause),
        }
    }
}

impl<'de> Deserialize<'de> for Follows {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Words)
    }
}

struct Words;

impl Visitor<'_> for Words {
    type Value = Follows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"away\", \"nothing\", \"pause\", or how long a pause, such as \"30s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Follows, E> {
        match text {
            "away" => Ok(Follows::Away),
            "nothing" => Ok(Follows::Nothing),
            "pause" => Ok(Follows::Pause),
            _ => match humantime::parse_duration(text) {
                Ok(pause) if (PAUSE_MIN..=PAUSE_MAX).contains(&pause) => {
                    Ok(Follows::PauseFor(pause))
                }
                _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            },
        }
    }
}

/// Why an agent is away who did not take a call, as the ledger names it.
pub fn reason_of(cause: Outcome) -> &'static str {
    match cause {
        Outcome::Answered => "answered",
        Outcome::Busy => "busy",
        Outcome::NoAnswer => "no-answer",
        Outcome::Rejected => "rejected",
        Outcome::Unreachable => "unreachable",
    }
}

/// The shortest pause after a call that an agent did not take.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_a_word_or_a_time() {
        let after: After = toml::from_str(
            "busy = \"30s\"\nno_answer = \"nothing\"\nrejected = \"away\"\nunreachable = \"pause\"",
        )
        .unwrap();

        let usual = Duration::from_secs(5);
        let pauses = [Outcome::Busy, Outcome::NoAnswer, Outcome::Rejected, Outcome::Unreachable]
            .map(|cause| after.of(cause).unwrap().pause(usual));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pauses, [seconds(30), seconds(1), None, seconds(5)]);
        for wrong in ["never", "0s", "2d", ""] {
            let read = toml::from_str::<After>(&format!("busy = \"{wrong}\""));
            let error = read.unwrap_err().to_string();
            assert!(error.contains("\"away\", \"nothing\""), "{error}");
        }
    }
}
