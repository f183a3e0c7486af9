//! What a NOTIFY says: the state of one thing, before it is written for one phone.

use serde::{Deserialize, Serialize};

use super::{dialog_info, pidf, summary};

/// The state of what is watched, in the words of its package.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    Dialogs(Vec<Call>),
    Messages(Mailbox),
    Presence(Presence),
}

impl Shown {
    /// The document for a phone that calls the thing `entity` and us `host`.
    pub fn body(&self, entity: &str, host: &str, version: u32) -> String {
        match self {
            Self::Dialogs(calls) => dialog_info::body(calls, entity, host, version),
            Self::Messages(mailbox) => summary::body(mailbox, entity),
            Self::Presence(presence) => pidf::body(presence, entity),
        }
    }
}

/// One call as the phone in it would tell of it: *local* is that phone (RFC 4235 §4.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// What the call is named by in all documents about the phone.
    pub id: String,
    pub state: CallState,
    /// Whether the phone was called.
    pub called: bool,
    /// The names of the dialog, by which it can be picked up with a Replaces header (RFC 3891).
    pub dialog: Option<Names>,
    /// Whom the phone talks with.
    pub remote: Option<Party>,
}

/// Call-ID and tags of a dialog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    pub call_id: String,
    /// The watched phone's; none if it has said nothing yet.
    pub local_tag: Option<String>,
    pub remote_tag: String,
}

/// Whom somebody talks with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Party {
    pub number: String,
    pub name: Option<String>,
}

/// How far a call is (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallState {
    Terminated,
    Trying,
    Early,
    Confirmed,
}

impl CallState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
        }
    }
}

/// The messages of a mailbox (RFC 3842 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mailbox {
    pub new: u32,
    pub old: u32,
    /// Of the new ones.
    pub new_urgent: u32,
    /// Of the old ones.
    pub old_urgent: u32,
}

/// Whether somebody can be reached, and what he does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Presence {
    pub open: bool,
    pub activity: Option<Activity>,
    /// For people to read.
    pub note: Option<String>,
}

/// What somebody does (RFC 4480 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    Away,
    Busy,
    OnThePhone,
}

impl Activity {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::OnThePhone => "on-the-phone",
        }
    }
}
