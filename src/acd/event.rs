//! What the ACD is told and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::survey::Survey;
use super::word::Phase;
use crate::id::{AgentId, CallId, ExtensionId, QueueId, SkillId};
use crate::time::{Duration, Instant};

/// What the ACD asks of its owner, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An agent's state changed, or his reason or seat.
    Agent {
        agent: AgentId,
        from: State,
        to: State,
        /// Why away, such as `lunch`; `no-answer`, `rejected`, `busy` or `unreachable` if he did
        /// not take a call. Of who rings, `callback` if his phone is silent until a
        /// customer is there.
        reason: Option<String>,
        /// Where he sits.
        extension: Option<ExtensionId>,
    },
    /// Without an agent nobody would be there for a queue: his break waits for another, or is
    /// refused.
    BreakHeld { agent: AgentId, queue: QueueId, refused: bool },
    /// What an agent does when his call ends, or until when he works after it, is another now; his
    /// state is not.
    Intent { agent: AgentId },
    /// The pause after a refusal is over: the agent can be rung again.
    Rested { agent: AgentId },
    /// Who is rung for a caller and why not others; or why nobody is. Before the `Offer`; only of
    /// an `Acd::explaining`.
    Decided { call: CallId, queue: QueueId, survey: Box<Survey> },
    /// The last agent logged out, or the queue was removed: the caller is out of the queue, for
    /// `on_empty`.
    Emptied { call: CallId, queue: QueueId },
    /// Ring the agent's phone, until `expires` at most.
    Offer {
        call: CallId,
        queue: QueueId,
        agent: AgentId,
        extension: ExtensionId,
        /// When the ACD withdraws the offer, if nobody else does before.
        expires: Instant,
    },
    /// The caller has waited for `max_wait`: he is out of the queue, for `on_timeout`.
    TimedOut { call: CallId, queue: QueueId },
    /// The caller has waited so long that less is demanded of his agents: that of the queue's
    /// `widen` number `step`, from 1. Only of an `Acd::explaining`.
    Widened { call: CallId, queue: QueueId, step: u32, skills: BTreeMap<SkillId, u8> },
    /// The phone must stop ringing.
    Withdraw { call: CallId, agent: AgentId, why: Withdrawn },
}

/// An agent who is to have a caller before anybody else: who talked with him last, or to whom he
/// belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Favourite {
    pub agent: AgentId,
    /// How long he is waited for, from the caller's entering the queue. He is not waited for while
    /// he could not come: logged out, away, without a phone.
    pub wait: Duration,
    /// Whether he may have the caller though he is no member of the queue.
    pub outsider: bool,
}

/// Why an offer is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withdrawn {
    /// The agent logged out, went away, or lost his phone.
    AgentLeft,
    CallerGone,
    /// Another agent answered.
    LostRace,
    /// `ring_timeout` is over.
    NoAnswer,
}

/// The states of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    LoggedOut,
    Available,
    Ringing,
    OnCall,
    WrapUp,
    Away,
}

impl From<Phase> for State {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::LoggedOut => Self::LoggedOut,
            Phase::Available | Phase::Reserved => Self::Available,
            Phase::Ringing => Self::Ringing,
            Phase::OnCall => Self::OnCall,
            Phase::WrapUp => Self::WrapUp,
            Phase::Away => Self::Away,
        }
    }
}

/// How an offer ended at the agent's phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Busy,
    NoAnswer,
    Rejected,
    Unreachable,
}

/// What an agent was doing before a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterCall {
    /// Whose call he had.
    pub queue: QueueId,
    /// When his after-call work ends. Not begun yet it lasts as long as the queue says.
    pub until: Option<Instant>,
    /// Why he is away after that, if he asked for it.
    pub away: Option<String>,
}

/// What an agent does, or what becomes known of his phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// He works no more for the moment; during a call from the end of its wrap-up on. If nobody
    /// else is there for a queue, as its `last_break` says.
    Away {
        reason: String,
    },
    /// The same whatever `last_break` says: somebody is responsible for that.
    AwayAnyway {
        reason: String,
    },
    /// He takes calls again: from away, wrap-up, or the pause after a refusal.
    Available,
    /// His phone is in use for a call that is not the ACD's.
    BusyElsewhere(bool),
    /// He sits down at `extension` and takes calls.
    Login {
        extension: ExtensionId,
    },
    /// He goes home; during a call when it ends.
    Logout,
    /// Whether a phone is registered at his seat. Nobody is rung before this is said.
    Reachable(bool),
    WrapUpDone,
    /// He has logged out before a restart, and his phone may have been there all the time: it does
    /// not log him in.
    StayOut,
    /// He has just logged in again, and goes on with his work after a call.
    WorkAfter(AfterCall),
    /// Adds the queue's wrap-up time once more.
    WrapUpExtend,
}

/// Why a change is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChangeError {
    #[error("the agent is in a call at another seat")]
    InCall,
    #[error("nobody else is there for queue {0}")]
    LastAgent(QueueId),
    #[error("the agent is not logged in")]
    NotLoggedIn,
    #[error("the agent is not in wrap-up")]
    NotInWrapUp,
    #[error("agent {0} is logged in at that seat")]
    SeatTaken(AgentId),
    #[error("there is no such agent")]
    Unknown,
    #[error("the wrap-up is as long as it may be")]
    WrapUpMax,
}

/// Why a caller cannot wait.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is logged in, and the queue has `on_empty`; or there is no such queue.
    #[error("nobody serves the queue")]
    Empty,
    #[error("the queue is full")]
    Full,
}
