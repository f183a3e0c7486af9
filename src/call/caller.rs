//! Who calls: an extension of the site, or somebody outside over a trunk.

use serde::{Deserialize, Serialize};

use crate::call::identity::Shown;
use crate::cdr::entry::Direction;
use crate::id::{ExtensionId, TrunkId};

/// Who calls, as the credentials or the source of the INVITE proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub origin: Origin,
    /// The number as the phone or the trunk sent it.
    pub sent: String,
    /// The number that other phones show.
    pub number: String,
    /// The same with `+` and its country, if it tells that.
    pub e164: Option<String>,
    /// The number that those he calls are shown instead, since a program or his phone wants it so.
    pub presented: Option<String>,
    /// The name that other phones show.
    pub name: Option<String>,
    /// What was dialled; of a trunk's call as rules made it.
    pub dialled: String,
    /// The number of ours that was called, as the trunk wrote it.
    pub did: Option<String>,
    /// He does not want to be known to those he calls (RFC 3323).
    pub hidden: bool,
}

/// Where a call comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    Extension(ExtensionId),
    Trunk(TrunkId),
}

impl Caller {
    /// An account for which a program calls; `presented` is the number that others are shown.
    pub fn of_account(
        extension: &ExtensionId,
        name: &str,
        presented: Option<String>,
        dialled: String,
    ) -> Self {
        Self {
            origin: Origin::Extension(extension.clone()),
            sent: extension.to_string(),
            number: extension.to_string(),
            presented,
            e164: None,
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            dialled,
            did: None,
            hidden: false,
        }
    }

    /// The account that calls.
    pub fn extension(&self) -> Option<&ExtensionId> {
        match &self.origin {
            Origin::Extension(extension) => Some(extension),
            Origin::Trunk(_) => None,
        }
    }

    /// The trunk that the call came over.
    pub fn trunk(&self) -> Option<&TrunkId> {
        match &self.origin {
            Origin::Extension(_) => None,
            Origin::Trunk(trunk) => Some(trunk),
        }
    }

    /// By which he is known when he calls again; none if he shows nothing.
    pub fn known_by(&self) -> Option<&str> {
        let number = self.e164.as_deref().unwrap_or(&self.sent);
        let is_one = |byte: u8| byte.is_ascii_digit() || byte == b'+';
        Some(number).filter(|number| !number.is_empty() && number.bytes().all(is_one))
    }

    /// The caller as others are shown him.
    pub fn identity(&self) -> Shown {
        let (number, name) = match &self.presented {
            Some(number) => (number, None),
            None => (&self.number, self.name.clone()),
        };
        Shown { number: number.clone(), name, hidden: self.hidden }
    }

    pub fn direction(&self) -> Direction {
        match &self.origin {
            Origin::Extension(_) => Direction::Internal,
            Origin::Trunk(_) => Direction::Inbound,
        }
    }
}
