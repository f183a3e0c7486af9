//! Which items of the ledger a client wants.

use std::collections::BTreeSet;

use tonic::Status;

use super::convert::call_id;
use crate::cdr::entry::Fact;
use crate::cdr::record::CallRecord;
use crate::id::{AgentId, CallId, ExtensionId, QueueId};
use crate::shell::ledger::Body;
use crate::shell::proto::{self, Kind};

/// Names of one list of a filter, at most.
const NAMES_MAX: usize = 1000;

/// Chooses items that fit every list that is not empty.
#[derive(Debug)]
pub struct Filter {
    records: bool,
    events: bool,
    calls: BTreeSet<CallId>,
    agents: BTreeSet<String>,
    queues: BTreeSet<String>,
    extensions: BTreeSet<String>,
}

impl Filter {
    /// # Errors
    ///
    /// If a kind is unknown, a call id is none, or a list is too long.
    pub fn read(asked: Option<proto::Filter>) -> Result<Self, Status> {
        let asked = asked.unwrap_or_default();
        let lists = [&asked.call_ids, &asked.agents, &asked.queues, &asked.extensions];
        if asked.kinds.len() > NAMES_MAX || lists.iter().any(|list| list.len() > NAMES_MAX) {
            return Err(Status::invalid_argument("a list of a filter has at most 1000 names"));
        }
        let (mut records, mut events) = (asked.kinds.is_empty(), asked.kinds.is_empty());
        for kind in &asked.kinds {
            match Kind::try_from(*kind) {
                Ok(Kind::Record) => records = true,
                Ok(Kind::Event) => events = true,
                Ok(Kind::Unspecified) | Err(_) => {
                    return Err(Status::invalid_argument("unknown kind"));
                }
            }
        }
        let calls = asked.call_ids.iter().map(|text| call_id(text));
        Ok(Self {
            records,
            events,
            calls: calls.collect::<Result<_, _>>()?,
            agents: asked.agents.into_iter().collect(),
            queues: asked.queues.into_iter().collect(),
            extensions: asked.extensions.into_iter().collect(),
        })
    }

    pub fn fits(&self, body: &Body) -> bool {
        if !self.calls.is_empty() && !body.call().is_some_and(|call| self.calls.contains(&call)) {
            return false;
        }
        match body {
            Body::Record(record) => self.records && self.fits_record(record),
            Body::Entry(entry) => self.events && self.fits_fact(&entry.fact),
        }
    }

    pub fn fits_record(&self, record: &CallRecord) -> bool {
        let agents = record.offers.iter().map(|offer| &offer.agent);
        let agents = agents.chain(record.talks.iter().map(|talk| &talk.agent)).flatten();
        let queues = record.queues.iter().map(|visit| &visit.queue);
        let offered = record.offers.iter().map(|offer| &offer.extension);
        let extensions = offered.chain(&record.caller.extension);
        self.fits_names(agents, queues, extensions)
    }

    fn fits_fact(&self, fact: &Fact) -> bool {
        let (agent, queue, extension) = named(fact);
        self.fits_names(agent.into_iter(), queue.into_iter(), extension.into_iter())
    }

    fn fits_names<'a>(
        &self,
        mut agents: impl Iterator<Item = &'a AgentId>,
        mut queues: impl Iterator<Item = &'a QueueId>,
        mut extensions: impl Iterator<Item = &'a ExtensionId>,
    ) -> bool {
        (self.agents.is_empty() || agents.any(|agent| self.agents.contains(agent.as_str())))
            && (self.queues.is_empty() || queues.any(|queue| self.queues.contains(queue.as_str())))
            && (self.extensions.is_empty()
                || extensions.any(|extension| self.extensions.contains(extension.as_str())))
    }
}

/// The agent, queue and extension that a fact names.
fn named(fact: &Fact) -> (Option<&AgentId>, Option<&QueueId>, Option<&ExtensionId>) {
    match fact {
        Fact::Agent { agent, extension, .. } | Fact::AgentOrdered { agent, extension, .. } => {
            (Some(agent), None, extension.as_ref())
        }
        Fact::Offered { agent, queue, extension, .. } => {
            (agent.as_ref(), queue.as_ref(), Some(extension))
        }
        Fact::Alarm { queue, .. } => (None, Some(queue), None),
        Fact::HeldTooLong { agent, queue, .. } => (Some(agent), Some(queue), None),
        Fact::BreakHeld { agent, queue, .. } => (Some(agent), Some(queue), None),
        Fact::Forwarded { extension, .. } => (None, None, Some(extension)),
        Fact::Decided(decision) => (None, Some(&decision.queue), None),
        Fact::Callback(step) => (None, Some(step.queue()), None),
        Fact::Overflowed { queue, .. }
        | Fact::Widened { queue, .. }
        | Fact::AgentTold { queue, .. }
        | Fact::MessageTold { queue, .. }
        | Fact::PositionTold { queue, .. }
        | Fact::WaitTold { queue, .. }
        | Fact::Queued { queue, .. }
        | Fact::QueueLeft { queue, .. } => (None, Some(queue), None),
        Fact::Parked { extension, .. } | Fact::Setup { extension, .. } => {
            (None, None, extension.as_ref())
        }
        Fact::TalkBegan { agent, extension, .. } | Fact::Transferred { agent, extension, .. } => {
            (agent.as_ref(), None, extension.as_ref())
        }
        Fact::Supervised { agent, extension, .. } => (Some(agent), None, Some(extension)),
        Fact::WrapUpBegan { agent } | Fact::WrapUpEnded { agent } => (Some(agent), None, None),
        Fact::Answered
        | Fact::Attempt { .. }
        | Fact::AttemptEnded { .. }
        | Fact::Collected { .. }
        | Fact::ConferenceJoined { .. }
        | Fact::ConferenceLeft { .. }
        | Fact::Ended { .. }
        | Fact::HoldBegan { .. }
        | Fact::HoldEnded { .. }
        | Fact::Joined { .. }
        | Fact::Key { .. }
        | Fact::LegSetup { .. }
        | Fact::LockedOut { .. }
        | Fact::Media { .. }
        | Fact::Menu { .. }
        | Fact::OfferEnded { .. }
        | Fact::OneWay { .. }
        | Fact::Ordered { .. }
        | Fact::RecordingBegan { .. }
        | Fact::RecordingConverted { .. }
        | Fact::RecordingDeleted { .. }
        | Fact::RecordingEnded { .. }
        | Fact::RecordingExported { .. }
        | Fact::RecordingKept { .. }
        | Fact::RecordingPaused { .. }
        | Fact::RecordingResumed { .. }
        | Fact::RecordingsFound { .. }
        | Fact::Ringing { .. }
        | Fact::Routed { .. }
        | Fact::RulesPassed(_)
        | Fact::SupervisionEnded { .. }
        | Fact::TalkEnded { .. }
        | Fact::TransferEnded { .. }
        | Fact::Trunk { .. }
        | Fact::TrunkSkipped { .. }
        | Fact::Unparked { .. } => (None, None, None),
    }
}
