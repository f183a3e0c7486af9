//! The name of a dialog (RFC 3261 §12): a Call-ID and two tags.
//!
//! A map's key is a `DialogId`; it is looked up by a `DialogRef`, which borrows from the message:
//!
//! ```text
//! let dialogs: HashMap<DialogId, …>;
//! dialogs.get(DialogRef::of_request(&request).name())
//! ```

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::sip::message::{Request, Response};

/// The name of a dialog, seen from our side; the tag of an RFC 2543 peer may be empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DialogId {
    pub call_id: Arc<str>,
    pub local_tag: Arc<str>,
    pub remote_tag: Arc<str>,
}

/// Like `DialogId`, borrowed from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialogRef<'a> {
    pub call_id: &'a str,
    pub local_tag: &'a str,
    pub remote_tag: &'a str,
}

impl<'a> DialogRef<'a> {
    /// The dialog of a request that was received.
    pub fn of_request(request: &'a Request) -> Self {
        Self {
            call_id: request.call_id(),
            local_tag: request.to_tag().unwrap_or_default(),
            remote_tag: request.from_tag().unwrap_or_default(),
        }
    }

    /// The dialog of a response that was received: each branch of a fork has its own.
    pub fn of_response(response: &'a Response) -> Self {
        Self {
            call_id: response.call_id(),
            local_tag: response.from_tag().unwrap_or_default(),
            remote_tag: response.to_tag().unwrap_or_default(),
        }
    }

    /// What a map is asked with.
    pub fn name(&self) -> &(dyn DialogName + 'a) {
        self
    }

    pub fn to_id(self) -> DialogId {
        DialogId {
            call_id: Arc::from(self.call_id),
            local_tag: Arc::from(self.local_tag),
            remote_tag: Arc::from(self.remote_tag),
        }
    }
}

/// What names a dialog, owned or borrowed.
pub trait DialogName {
    /// Call-ID, local tag, remote tag.
    fn parts(&self) -> [&str; 3];
}

impl DialogName for DialogId {
    fn parts(&self) -> [&str; 3] {
        [&self.call_id, &self.local_tag, &self.remote_tag]
    }
}

impl DialogName for DialogRef<'_> {
    fn parts(&self) -> [&str; 3] {
        [self.call_id, self.local_tag, self.remote_tag]
    }
}

impl Hash for DialogId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Hash for dyn DialogName + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn DialogName + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn DialogName + '_ {}

impl<'a> Borrow<dyn DialogName + 'a> for DialogId {
    fn borrow(&self) -> &(dyn DialogName + 'a) {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_borrowed_name_finds_the_dialog() {
        let name = DialogRef { call_id: "c", local_tag: "us", remote_tag: "them" };
        let dialogs = HashMap::from([(name.to_id(), 1)]);

        assert_eq!(dialogs.get(name.name()), Some(&1));
        let other = DialogRef { local_tag: "them", remote_tag: "us", ..name };
        assert_eq!(dialogs.get(other.name()), None);
    }
}
