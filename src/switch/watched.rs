//! What others may watch: which of it has changed, and how it is.
//!
//! In:       the facts that an input led to, and what changed without one.
//! Out:      `Output::Changed`, once for each input that changed anything.
//! Not here: who watches, and how often he is told (`shell::board`).

use std::collections::BTreeSet;

use crate::cdr::entry::{Entry, Fact};
use crate::switch::request::{Subject, View};
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// Says what is not as it was, by the facts after the first `before` outputs.
    pub(super) fn tell_changes(&mut self, before: usize, out: &mut Vec<Output>) {
        let mut changed = std::mem::take(&mut self.changed);
        for output in &out[before..] {
            if let Output::Entry(entry) = output {
                touched(entry, &mut changed);
            }
        }
        // An agent counts in every queue that he serves.
        let mut queues = BTreeSet::new();
        for subject in &changed {
            if let Subject::Agent(agent) = subject {
                let view = self.parts.acd.agent(agent);
                let served = view.map(|view| view.queues).unwrap_or_default();
                queues.extend(served.into_iter().map(Subject::Queue));
            }
        }
        changed.extend(queues);
        if !changed.is_empty() {
            out.push(Output::Changed(changed.into_iter().collect()));
        }
    }

    /// How something is at this moment; none if it is not there.
    pub(super) fn look(&self, now: Instant, subject: &Subject) -> Option<View> {
        match subject {
            Subject::Agent(agent) => {
                self.parts.acd.agent(agent).map(|view| View::Agent(self.agent_view(view)))
            }
            Subject::Call(call) => {
                self.calls.get(call).map(|call| View::Call(self.call_view(call)))
            }
            Subject::Phone(extension) => self.phone_view(extension).map(View::Phone),
            Subject::Queue(queue) => self.queue_view(now, queue).map(View::Queue),
            Subject::Trunk(trunk) => {
                let mut trunks = self.trunk_views(now).into_iter();
                trunks.find(|view| view.trunk == *trunk).map(View::Trunk)
            }
        }
    }
}

/// What a fact changes, as far as it can be watched.
fn touched(entry: &Entry, changed: &mut BTreeSet<Subject>) {
    changed.extend(entry.call.map(Subject::Call));
    match &entry.fact {
        Fact::Agent { agent, .. }
        | Fact::AgentOrdered { agent, .. }
        | Fact::BreakHeld { agent, .. } => {
            changed.insert(Subject::Agent(agent.clone()));
        }
        Fact::Attempt { trunk, .. } | Fact::Trunk { trunk, .. } => {
            changed.insert(Subject::Trunk(trunk.clone()));
        }
        Fact::Alarm { queue, .. } | Fact::Queued { queue, .. } | Fact::QueueLeft { queue, .. } => {
            changed.insert(Subject::Queue(queue.clone()));
        }
        _ => {}
    }
}
