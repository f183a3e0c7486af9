//! A caller who is called back in place of waiting, as the ledger tells it.
//!
//! It is known by the call in which he asked. What is written of it stands among the facts of that
//! call, or of those in which he is called; each names the other.

use serde::{Deserialize, Serialize};

use super::entry::Fact;
use super::record::CallRecord;
use crate::id::{CallId, QueueId};
use crate::time::Wall;

/// What became of a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Callback {
    /// Who waits is to be called back: of the call in which he asked.
    Asked {
        queue: QueueId,
        /// The number to call.
        number: String,
        /// When he is called at the latest.
        until: Wall,
    },
    /// An agent is held and he is called: of the call that is made for it.
    Began {
        queue: QueueId,
        number: String,
        /// The call in which he asked.
        asked_in: CallId,
        /// From 1.
        attempt: u32,
    },
    /// He has said that he is there: of the same call.
    Confirmed { queue: QueueId },
    /// Nothing more is done about it: of the call in which he asked, though that is over.
    Ended {
        queue: QueueId,
        /// When he came into the queue.
        came: Wall,
        outcome: CallbackOutcome,
        /// Who wanted it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackOutcome {
    /// He confirmed that he is there, and hung up before an agent answered.
    Abandoned,
    /// Somebody did not want it any more.
    Cancelled,
    /// `lifetime` is over.
    Expired,
    /// It could not be written down, so it was not promised to him.
    NotKept,
    /// The queue is not in the configuration any more.
    QueueGone,
    /// An agent answered him before he had hung up.
    Served,
    /// He talked with an agent.
    Talked,
    /// He was not reached, or did not confirm, as often as is tried.
    Unanswered,
}

impl Callback {
    pub fn queue(&self) -> &QueueId {
        match self {
            Self::Asked { queue, .. }
            | Self::Began { queue, .. }
            | Self::Confirmed { queue }
            | Self::Ended { queue, .. } => queue,
        }
    }
}

/// The part of a call in a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackPart {
    pub queue: QueueId,
    /// The number to call.
    pub number: String,
    /// When he asked for it, if that was in this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Wall>,
    /// If he was called in this one: in which call he had asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_in: Option<CallId>,
    /// Which of the attempts it was, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When he said that he is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Wall>,
    /// How it ended, if that was before the record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<CallbackOutcome>,
}

impl CallRecord {
    pub(super) fn apply_callback(&mut self, at: Wall, fact: &Fact) {
        let Fact::Callback(step) = fact else { return };
        let part = |number: &String| CallbackPart {
            queue: step.queue().clone(),
            number: number.clone(),
            asked: None,
            asked_in: None,
            attempt: None,
            confirmed: None,
            outcome: None,
        };
        match (step, &mut self.callback) {
            (Callback::Asked { number, .. }, None) => {
                self.callback = Some(CallbackPart { asked: Some(at), ..part(number) });
            }
            (Callback::Began { number, asked_in, attempt, .. }, None) => {
                let (asked_in, attempt) = (Some(*asked_in), Some(*attempt));
                self.callback = Some(CallbackPart { asked_in, attempt, ..part(number) });
            }
            (Callback::Confirmed { .. }, Some(part)) => part.confirmed = Some(at),
            (Callback::Ended { outcome, .. }, Some(part)) => part.outcome = Some(*outcome),
            _ => self.omitted += 1,
        }
    }
}
