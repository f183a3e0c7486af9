//! Callers of queues who are on hold: since when, and who holds them.
//!
//! In:       the facts of each input.
//! Out:      who has been on hold for too long, each hold once.
//! Not here: the alarm of the queue (`alarms`), what is heard meanwhile (`call::talking`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cdr::entry::{Entry, Fact, QueueLeft};
use crate::id::{AgentId, CallId, LegId, QueueId};
use crate::time::{Duration, Instant};

/// Who talks for a queue, and who of them is on hold.
#[derive(Debug, Default)]
pub struct Holds {
    talks: HashMap<CallId, Talk>,
    held: BTreeMap<QueueId, BTreeSet<(Instant, CallId)>>,
}

#[derive(Debug)]
struct Talk {
    queue: QueueId,
    /// The agent and his leg, when he talks.
    agent: Option<(AgentId, LegId)>,
    /// Since when the agent has held the caller, and whether that was told to be too long.
    held: Option<(Instant, bool)>,
}

impl Holds {
    /// Takes over what an entry says of who is on hold: the queue, if something has changed.
    pub fn note(&mut self, now: Instant, entry: &Entry) -> Option<QueueId> {
        let call = entry.call?;
        match &entry.fact {
            Fact::QueueLeft { queue, why: QueueLeft::Answered } => {
                let changed = self.resumed(call);
                let talk = Talk { queue: queue.clone(), agent: None, held: None };
                self.talks.insert(call, talk);
                changed
            }
            Fact::TalkBegan { b, agent, .. } => {
                let talk = self.talks.get_mut(&call)?;
                talk.agent = agent.clone().map(|agent| (agent, *b));
                None
            }
            Fact::HoldBegan { leg } => {
                let talk = self.talks.get_mut(&call)?;
                talk.agent.as_ref().filter(|(_, own)| own == leg)?;
                let since = talk.held.get_or_insert((now, false)).0;
                self.held.entry(talk.queue.clone()).or_default().insert((since, call));
                Some(talk.queue.clone())
            }
            Fact::HoldEnded { leg } => {
                let holder = self.talks.get(&call)?.agent.as_ref();
                holder.filter(|(_, own)| own == leg)?;
                self.resumed(call)
            }
            Fact::TalkEnded { .. } => self.resumed(call),
            Fact::Ended { .. } => {
                let changed = self.resumed(call);
                self.talks.remove(&call);
                changed
            }
            _ => None,
        }
    }

    /// Somebody is on hold no more: the queue, if he was.
    fn resumed(&mut self, call: CallId) -> Option<QueueId> {
        let talk = self.talks.get_mut(&call)?;
        let (since, _) = talk.held.take()?;
        if let Some(held) = self.held.get_mut(&talk.queue) {
            held.remove(&(since, call));
            if held.is_empty() {
                self.held.remove(&talk.queue);
            }
        }
        Some(talk.queue.clone())
    }

    /// The queues that somebody who is on hold has called.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.held.keys()
    }

    /// Since when the one has been on hold who is it longest.
    pub fn oldest(&self, queue: &QueueId) -> Option<Instant> {
        self.held.get(queue)?.first().map(|(since, _)| *since)
    }

    /// When somebody will have been on hold for too long next.
    pub fn due(&self, now: Instant, queue: &QueueId, most: Duration) -> Option<Instant> {
        let ends = self.held.get(queue)?.iter().map(|(since, _)| *since + most);
        ends.into_iter().find(|at| *at > now)
    }

    /// Who has been on hold for too long from this moment on.
    pub fn overdue(
        &mut self,
        now: Instant,
        queue: &QueueId,
        most: Duration,
    ) -> Vec<(CallId, LegId, AgentId)> {
        let held = self.held.get(queue).into_iter().flatten();
        let late = held.take_while(|(since, _)| *since + most <= now).map(|(_, call)| *call);
        let mut overdue = Vec::new();
        for call in late {
            let Some(talk) = self.talks.get_mut(&call) else { continue };
            let (Some((agent, leg)), Some((_, told))) = (&talk.agent, &mut talk.held) else {
                continue;
            };
            if !std::mem::replace(told, true) {
                overdue.push((call, *leg, agent.clone()));
            }
        }
        overdue
    }
}
