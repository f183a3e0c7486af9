//! Who is at the other side, as the peer of a leg is told.
//!
//! Spec:     RFC 3325 §5 (P-Asserted-Identity), RFC 4916 (the From of later requests), RFC 3323.
//! In:       who is there; whether the peer takes another From (`from-change`).
//! Out:      lines of our 2xx, re-INVITE and UPDATE.
//! Not here: who may be told (`call::showing`), the INVITE that rings (`call::invite`).
//!
//! A peer that called us learns who answered with our 2xx; whoever comes to talk with somebody else
//! later is told by UPDATE, or by re-INVITE if it does not know that. Of who does not want to be
//! known a peer learns nothing but that, and only if it takes another From.

use crate::call::identity;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Builder, Headers, Name, Quoted};

/// Somebody whom a peer talks with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    pub uri: String,
    pub name: Option<String>,
    /// He does not want to be known (RFC 3323).
    pub hidden: bool,
}

impl Connected {
    /// The value of From or P-Asserted-Identity, without a tag.
    fn address(&self) -> String {
        match &self.name {
            Some(name) => format!("{} <{}>", Quoted(name), self.uri),
            None => format!("<{}>", self.uri),
        }
    }
}

/// What a peer knows of the other side, and what it is to know.
#[derive(Debug, Default)]
pub(super) struct Showing {
    told: Option<Connected>,
    wanted: Option<Connected>,
    /// The peer takes requests with another From (RFC 4916 §4.2).
    takes_from: bool,
}

impl Showing {
    /// Our INVITE says who that is.
    pub(super) fn told(connected: Connected) -> Self {
        Self { told: Some(connected.clone()), wanted: Some(connected), takes_from: false }
    }

    /// Takes up what a message of the peer says about it.
    pub(super) fn learn(&mut self, message: &Headers) {
        self.takes_from |= message.has_value(Name::Supported, FROM_CHANGE);
    }

    /// The peer talks with somebody; gives whether there is something to tell it.
    pub(super) fn want(&mut self, connected: Connected) -> bool {
        let can = !connected.hidden || self.takes_from;
        let is_news = can && self.told.as_ref() != Some(&connected);
        self.wanted = Some(connected);
        is_news
    }

    /// Adds what the peer is to know.
    #[must_use]
    pub(super) fn tell(&mut self, message: Builder) -> Builder {
        self.told.clone_from(&self.wanted);
        match &self.wanted {
            Some(hidden) if hidden.hidden => message.header(Name::Privacy, "id"),
            Some(shown) => message.header(Name::PAssertedIdentity, shown.address()),
            None => message,
        }
    }

    /// Makes the From of our requests say it too, if the peer takes that and does not know it yet.
    pub(super) fn rename(&self, dialog: &mut Dialog) {
        let Some(wanted) = self.wanted.as_ref().filter(|_| self.takes_from) else { return };
        if self.told.as_ref() != Some(wanted) {
            let hidden = wanted.hidden;
            dialog.rename(&if hidden { identity::ANONYMOUS.to_owned() } else { wanted.address() });
        }
    }
}

/// The option tag of peers that take another From (RFC 4916 §4.2).
const FROM_CHANGE: &str = "from-change";
