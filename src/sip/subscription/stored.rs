//! A subscription as it outlives the process.

use serde::{Deserialize, Serialize};

use super::event::Topic;
use crate::id::ExtensionId;
use crate::sip::dialog::Dialog;
use crate::time::Wall;

/// What a later start needs to go on where this process has stopped.
///
/// The dialog's CSeq stands at the end of a reserved block: no number below it, and so no version
/// of a document, is used a second time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredSubscription {
    pub account: ExtensionId,
    pub topic: Topic,
    pub event_id: Option<String>,
    pub expires_at: Wall,
    pub dialog: Dialog,
}
