//! `[queues.X] announce`: what a caller is told while he waits; and `agent_announce`, what an agent
//! is told of him.

use serde::Deserialize;

use super::config::{Fault, fault, positive};
use crate::id::PromptId;
use crate::time::Duration;

/// `[queues.X] announce`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Announce {
    /// Whether the caller is told his place. Default `false`.
    pub position: bool,
    /// Whether he is told how much longer he is going to wait, when that is known. Default
    /// `false`.
    pub wait: bool,
    /// The longest wait that he is told of, in a range. Default `"30m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub wait_max: Duration,
    /// The time between two announcements. Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub every: Duration,
    /// What is played to him between music beside that, one at a time. Default: nothing.
    pub messages: Vec<PromptId>,
    /// The time between two messages. Default `"60s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub messages_every: Duration,
    /// Which of the messages is next. Default `"in-turn"`.
    pub messages_order: Order,
}

/// `[queues.X] agent_announce`: what an agent who has answered is told before he is joined with the
/// caller, who hears on what he heard. It does not count as the caller's wait.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct AgentAnnounce {
    /// Played to him, such as the name of the queue. Default: nothing.
    pub prompt: Option<PromptId>,
    /// Whether he is told how long the caller has waited, if it is ten seconds or more. Default
    /// `false`.
    pub wait: bool,
}

/// Which of several messages is next.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The one after the one before; after the last the first.
    #[default]
    InTurn,
    /// Any but the one before.
    Random,
}

impl Default for Announce {
    fn default() -> Self {
        Self {
            position: false,
            wait: false,
            wait_max: Duration::from_secs(1800),
            every: Duration::from_secs(30),
            messages: Vec::new(),
            messages_every: Duration::from_secs(60),
            messages_order: Order::InTurn,
        }
    }
}

impl Announce {
    /// What is wrong with that of a queue.
    pub(super) fn faults(&self, queue: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let key = |name| ["queues", queue, "announce", name];
        for (name, time) in [("every", self.every), ("messages_every", self.messages_every)] {
            positive(&key(name), Some(time), &mut faults);
        }
        if self.wait && self.wait_max < Duration::from_secs(60) {
            let what = "waits are told in minutes; write `\"1m\"` or more".to_owned();
            faults.push(fault(&key("wait_max"), what));
        }
        if self.messages.len() > MESSAGES_MAX {
            let what = format!("at most {MESSAGES_MAX} messages are possible");
            faults.push(fault(&key("messages"), what));
        }
        faults
    }
}

/// Messages of one queue.
const MESSAGES_MAX: usize = 100;
