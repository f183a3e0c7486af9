//! A binding: one phone of an account, until it expires.

use std::sync::Arc;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};

use crate::id::ExtensionId;
use crate::sip::flow::Flow;
use crate::sip::message::{Name, NameAddr};
use crate::time::{Epoch, Instant, Wall};

use super::nat::Path;

/// The bindings of all accounts. Any thread may read; only the `Registrar` writes.
///
/// An account without bindings has no entry.
pub type Bindings = Arc<DashMap<ExtensionId, Vec<Binding>>>;

/// Where one phone is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The Contact's URI, as written: the Request-URI of calls to the phone.
    pub contact: String,
    /// Preference in thousandths, 0 to 1000 (RFC 3261 §10.2.1.2); 1000 if the phone gives none.
    pub q: u16,
    pub registered_at: Instant,
    pub expires_at: Instant,
    /// How the phone is reached: over the flow that it registered by or, if no NAT lies between,
    /// where its Contact points.
    pub path: Path,
    /// The proxies that requests to the phone pass, in this order (RFC 3327 §5.3).
    #[serde(default)]
    pub route: Vec<String>,
    /// The phone's lasting name (RFC 5626 §4.1), if it has one.
    pub instance: Option<String>,
    /// Which of its flows this is, if the phone keeps several (RFC 5626 §4.2).
    #[serde(default)]
    pub reg_id: Option<u32>,
    /// The users of its temporary GRUUs, the newest last (RFC 5627 §3.1.2).
    #[serde(default)]
    pub temporary: Vec<String>,
    pub user_agent: Option<String>,
    pub call_id: String,
    pub cseq: u32,
}

impl Binding {
    /// Over which requests are sent to the phone.
    pub fn flow(&self) -> Flow {
        self.path.flow
    }
}

/// A binding as it outlives the process: with times of the wall clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBinding {
    pub extension: ExtensionId,
    pub expires_at: Wall,
    pub registered_at: Wall,
    /// Its two times mean nothing here.
    pub binding: Binding,
}

impl StoredBinding {
    /// The binding as it is stored.
    pub fn of(extension: &ExtensionId, binding: &Binding, epoch: Epoch) -> Self {
        Self {
            extension: extension.clone(),
            expires_at: epoch.wall(binding.expires_at),
            registered_at: epoch.wall(binding.registered_at),
            binding: binding.clone(),
        }
    }

    /// The binding in this process; nothing if it is over, or its connection cannot be had again.
    pub(super) fn revive(self, now: Instant, epoch: Epoch) -> Option<Binding> {
        let left = self.expires_at.since(epoch.wall(now));
        if left.is_zero() {
            return None;
        }
        let next_hop = match self.binding.route.first() {
            Some(first) => NameAddr::parse(Name::Path, first).ok()?.uri_text(),
            None => &self.binding.contact,
        };
        let path = self.binding.path.reopened(next_hop)?;
        // Times before the process began count as its start.
        let registered_at = now - epoch.wall(now).since(self.registered_at);
        Some(Binding { path, registered_at, expires_at: now + left, ..self.binding })
    }
}
