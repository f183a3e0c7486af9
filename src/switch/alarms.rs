//! Alarms of queues: too many wait, somebody waits too long or is on hold too long, nobody is there
//! for those who wait.
//!
//! In:       the facts of each input, the passing of time, new configurations.
//! Out:      `Fact::Alarm`, when one is raised and when it is taken back; `Fact::HeldTooLong`.
//! Not here: the service level (`report::service`), who is told (`shell`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::acd::config::Alarms as Limits;
use crate::cdr::entry::{AlarmKind, Entry, Fact};
use crate::id::{CallId, QueueId};
use crate::switch::holds::Holds;
use crate::switch::kept::keep_alarm;
use crate::switch::{Output, Switch};
use crate::time::Instant;

/// Who waits where, and which alarms are raised.
#[derive(Debug, Default)]
pub struct Alarms {
    waiting: BTreeMap<QueueId, BTreeSet<(Instant, CallId)>>,
    place: HashMap<CallId, (QueueId, Instant)>,
    raised: BTreeSet<(QueueId, AlarmKind)>,
    holds: Holds,
    /// When somebody will have waited too long, or been on hold too long.
    due: BTreeMap<QueueId, Instant>,
    /// The configuration that was judged by last.
    version: u64,
}

impl Alarms {
    pub fn next_tick(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes up an alarm that was raised before a restart: it is judged anew.
    pub(super) fn restore(&mut self, queue: QueueId, kind: AlarmKind) {
        self.raised.insert((queue, kind));
        self.version = u64::MAX;
    }

    /// Takes over what an entry says of who waits: the queue.
    fn note(&mut self, now: Instant, entry: &Entry) -> Option<QueueId> {
        let call = entry.call?;
        match &entry.fact {
            Fact::Queued { queue, .. } => {
                self.leaves(call);
                self.place.insert(call, (queue.clone(), now));
                self.waiting.entry(queue.clone()).or_default().insert((now, call));
                Some(queue.clone())
            }
            Fact::QueueLeft { .. } => self.leaves(call),
            _ => None,
        }
    }

    fn leaves(&mut self, call: CallId) -> Option<QueueId> {
        let (queue, since) = self.place.remove(&call)?;
        if let Some(waiting) = self.waiting.get_mut(&queue) {
            waiting.remove(&(since, call));
            if waiting.is_empty() {
                self.waiting.remove(&queue);
            }
        }
        Some(queue)
    }

    /// What is raised or taken back of one queue; `is_attended` is asked only if that matters.
    fn judge(
        &mut self,
        now: Instant,
        queue: &QueueId,
        limits: Limits,
        is_attended: impl Fn() -> bool,
        out: &mut Vec<(Option<CallId>, Fact)>,
    ) {
        let waiting = self.waiting.get(queue);
        let count = waiting.map_or(0, |waiting| waiting.len() as u64);
        let oldest = waiting.and_then(|waiting| waiting.first()).map(|(since, _)| *since);
        let waits = oldest.map_or(0, |since| now.since(since).as_secs());
        let too_long = limits.longest_wait.zip(oldest).map(|(limit, since)| since + limit);
        let held = limits.longest_hold.zip(self.holds.oldest(queue));
        let held_too_long = held.is_some_and(|(limit, since)| since + limit <= now);
        let held_for = held.map_or(0, |(_, since)| now.since(since).as_secs());
        let most_held = limits.longest_hold.map_or(0, |limit| limit.as_secs());
        let hold_due = limits.longest_hold.and_then(|limit| self.holds.due(now, queue, limit));
        match too_long.filter(|at| *at > now).into_iter().chain(hold_due).min() {
            Some(at) => _ = self.due.insert(queue.clone(), at),
            None => _ = self.due.remove(queue),
        }
        let most = limits.waiting.map(u64::from);
        let was = self.raised.contains(&(queue.clone(), AlarmKind::Waiting));
        // Taken back at less than four fifths, so that it does not come and go with each caller.
        let many = most.is_some_and(|most| count >= most || was && count * 5 >= most * 4);
        let lonely = limits.nobody && count > 0 && !is_attended();
        let longest = limits.longest_wait.map_or(0, |limit| limit.as_secs());
        if let Some(limit) = limits.longest_hold {
            for (call, leg, agent) in self.holds.overdue(now, queue, limit) {
                let fact = Fact::HeldTooLong { leg, agent, queue: queue.clone() };
                out.push((Some(call), fact));
            }
        }
        for (kind, is, value, limit) in [
            (AlarmKind::LongestHold, held_too_long, held_for, most_held),
            (AlarmKind::LongestWait, too_long.is_some_and(|at| at <= now), waits, longest),
            (AlarmKind::Nobody, lonely, count, 0),
            (AlarmKind::Waiting, many, count, most.unwrap_or(0)),
        ] {
            let key = (queue.clone(), kind);
            let changed = if is { self.raised.insert(key) } else { self.raised.remove(&key) };
            if changed {
                let queue = queue.clone();
                out.push((None, Fact::Alarm { queue, kind, raised: is, value, limit }));
            }
        }
    }
}

impl Switch {
    /// Judges the queues that the outputs after the first `before` are about, and those of which
    /// the time has come.
    pub(super) fn watch_queues(&mut self, now: Instant, before: usize, out: &mut Vec<Output>) {
        let mut touched = BTreeSet::new();
        for output in &out[before..] {
            let Output::Entry(entry) = output else { continue };
            touched.extend(self.alarms.note(now, entry));
            touched.extend(self.alarms.holds.note(now, entry));
            if let Fact::Agent { agent, .. } = &entry.fact {
                let view = self.parts.acd.agent(agent);
                touched.extend(view.map(|view| view.queues).unwrap_or_default());
            }
        }
        for subject in &self.changed {
            if let crate::switch::request::Subject::Agent(agent) = subject {
                let view = self.parts.acd.agent(agent);
                touched.extend(view.map(|view| view.queues).unwrap_or_default());
            }
        }
        let due = self.alarms.due.iter().filter(|(_, at)| **at <= now);
        touched.extend(due.map(|(queue, _)| queue.clone()));
        if self.alarms.version != self.plan.version {
            self.alarms.version = self.plan.version;
            touched.extend(self.alarms.waiting.keys().cloned());
            touched.extend(self.alarms.holds.queues().cloned());
            touched.extend(self.alarms.raised.iter().map(|(queue, _)| queue.clone()));
        }
        let mut facts = Vec::new();
        for queue in touched {
            let config = self.plan.acd.queues.get(&queue);
            let limits = config.map(|queue| queue.alarms).unwrap_or_default();
            let is_attended = || self.parts.acd.is_attended(&queue);
            self.alarms.judge(now, &queue, limits, is_attended, &mut facts);
        }
        for (call, fact) in facts {
            if let Fact::Alarm { queue, kind, raised, value, limit } = &fact {
                out.push(keep_alarm(queue, *kind, *raised));
                match raised {
                    true => tracing::warn!(%queue, ?kind, value, limit, "alarm of a queue"),
                    false => tracing::info!(%queue, ?kind, value, limit, "as it should be again"),
                }
            }
            if let (Some(call), Fact::HeldTooLong { leg, agent, queue }) = (call, &fact) {
                tracing::warn!(%call, %leg, %agent, %queue, "a caller is on hold for too long");
            }
            out.push(Output::Entry(Entry { at: self.wall(now), call, fact }));
        }
    }
}
