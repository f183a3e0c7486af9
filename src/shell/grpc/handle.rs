//! How tasks ask the Switch, whose thread they must not enter.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::Status;

use crate::switch::request::{Refusal, Reload, Reply, Request};
use crate::time::Duration;

/// How long the Switch may take to answer; it takes microseconds.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long reading the whole configuration may take.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// A question on its way, with the place for its answer.
pub enum Asked {
    /// For the driver: read the files, give the Switch the new configuration.
    Reload {
        reply: oneshot::Sender<Reload>,
    },
    Switch {
        request: Request,
        reply: oneshot::Sender<Reply>,
    },
}

/// Asks the Switch; clones share it.
#[derive(Clone)]
pub struct SwitchHandle {
    send: Arc<dyn Fn(Asked) -> bool + Send + Sync>,
}

impl SwitchHandle {
    /// `send` passes a question to the driver without waiting; false if it cannot take one more.
    pub fn new(send: impl Fn(Asked) -> bool + Send + Sync + 'static) -> Self {
        Self { send: Arc::new(send) }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    ///
    /// If the Switch takes no more questions, stops, or does not answer in time.
    pub async fn ask(&self, request: Request) -> Result<Reply, AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(Asked::Switch { request, reply }, answer, ANSWER_MAX).await
    }

    /// Has the configuration read again.
    ///
    /// # Errors
    ///
    /// As `ask`.
    pub async fn reload(&self) -> Result<Reload, AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(Asked::Reload { reply }, answer, RELOAD_MAX).await
    }

    async fn send<T>(
        &self,
        asked: Asked,
        answer: oneshot::Receiver<T>,
        wait: Duration,
    ) -> Result<T, AskError> {
        if !(self.send)(asked) {
            return Err(AskError::Busy);
        }
        match timeout(wait, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::Stopped),
            Err(_) => Err(AskError::Late),
        }
    }
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AskError {
    #[error("the switch has too many questions to answer")]
    Busy,
    #[error("the switch did not answer in time")]
    Late,
    #[error("the switch has stopped")]
    Stopped,
}

impl From<AskError> for Status {
    fn from(error: AskError) -> Self {
        let text = error.to_string();
        match error {
            AskError::Busy => Self::resource_exhausted(text),
            AskError::Late => Self::deadline_exceeded(text),
            AskError::Stopped => Self::unavailable(text),
        }
    }
}

/// What a client hears of a refused order.
pub fn refused(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::AgentState { .. }
        | Refusal::ByPhoneOnly(_)
        | Refusal::ExtensionTaken { .. }
        | Refusal::IsThere(_)
        | Refusal::LegState { .. }
        | Refusal::NoPlace { .. }
        | Refusal::NoSeat(_)
        | Refusal::NotWaiting(_)
        | Refusal::NotRegistered(_) => Status::failed_precondition(text),
        Refusal::Forbidden { .. } | Refusal::MayNotSupervise { .. } => {
            Status::permission_denied(text)
        }
        Refusal::NoRoom => Status::unavailable(text),
        Refusal::NoWay(_)
        | Refusal::UnknownAgent(_)
        | Refusal::UnknownCall(_)
        | Refusal::UnknownCallback(_)
        | Refusal::UnknownExtension(_)
        | Refusal::UnknownLeg(_)
        | Refusal::UnknownQueue(_) => Status::not_found(text),
    }
}

/// What a client hears of an answer that does not fit its question.
pub fn unexpected(reply: &Reply) -> Status {
    match reply {
        Reply::Refused(refusal) => refused(refusal),
        Reply::Agent(_)
        | Reply::Agents(_)
        | Reply::Callbacks(_)
        | Reply::Callers(..)
        | Reply::Calls(_)
        | Reply::Conferences(_)
        | Reply::Dialled(_)
        | Reply::Done
        | Reply::HungUp
        | Reply::Position(_)
        | Reply::Phones(_)
        | Reply::Queues(_)
        | Reply::Seen(_)
        | Reply::Status(_)
        | Reply::Trunks(_) => Status::internal("the switch answered another question"),
    }
}
