//! Event packages, and the things that can be watched with them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, ExtensionId, QueueId};
use crate::sip::message::{Name, Request};

/// What kind of state is watched (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// Calls: the busy lamp field (RFC 4235).
    Dialog,
    /// Waiting messages (RFC 3842).
    MessageSummary,
    /// Whether somebody can be reached (RFC 3856).
    Presence,
}

/// Every package, as Allow-Events lists them (RFC 6665 §8.2.2).
pub const ALLOW_EVENTS: &str = "dialog, message-summary, presence";

impl Package {
    pub const ALL: [Self; 3] = [Self::Dialog, Self::MessageSummary, Self::Presence];

    /// The package with this name; names are compared letter by letter (RFC 6665 §8.2.1).
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
            Self::Presence => "presence",
        }
    }

    /// The type of what a NOTIFY carries.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
            Self::Presence => "application/pidf+xml",
        }
    }

    /// Whether the phone can read that type: it says so, or says nothing (RFC 6665 §3.1.3).
    pub fn is_accepted(self, request: &Request) -> bool {
        let mut ranges = request.values(Name::Accept).peekable();
        let kind = self.media_type();
        ranges.peek().is_none()
            || ranges.any(|range| {
                let range = range.split(';').next().unwrap_or_default().trim();
                range.eq_ignore_ascii_case(kind) || range == "*/*" || range == "application/*"
            })
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An Event header: the name of the package, and what tells two subscriptions of a dialog apart.
pub fn event(request: &Request) -> Option<(&str, Option<&str>)> {
    let mut parts = request.header(Name::Event)?.split(';').map(str::trim);
    let name = parts.next()?;
    let id = parts
        .filter_map(|part| part.split_once('='))
        .find_map(|(name, value)| name.trim().eq_ignore_ascii_case("id").then_some(value.trim()));
    Some((name, id))
}

/// Something that has a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    Agent(AgentId),
    Extension(ExtensionId),
    /// A place where calls are parked, by its number.
    Park(u16),
    Queue(QueueId),
}

/// What one subscription watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Topic {
    pub package: Package,
    pub resource: Resource,
}
