//! A call's stays in queues, as its facts tell them.

use super::entry::Fact;
use super::fold::add;
use super::record::{CallRecord, MessageTold, PositionTold, QueueVisit, WaitTold};
use crate::id::QueueId;
use crate::time::Wall;

impl CallRecord {
    pub(super) fn apply_queue(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::AgentTold { queue, told_us } => {
                if let Some(visit) = open(&mut self.queues, queue) {
                    visit.agent_told_us = *told_us;
                }
            }
            Fact::MessageTold { queue, prompt } => {
                let told = MessageTold { at, prompt: prompt.clone() };
                self.told(queue, told, |visit| &mut visit.messages_told);
            }
            Fact::PositionTold { queue, position } => {
                let told = PositionTold { at, position: *position };
                self.told(queue, told, |visit| &mut visit.positions_told);
            }
            Fact::Queued { queue, position } => {
                let visit = QueueVisit {
                    queue: queue.clone(),
                    entered: at,
                    position: *position,
                    messages_told: Vec::new(),
                    positions_told: Vec::new(),
                    waits_told: Vec::new(),
                    agent_told_us: 0,
                    left: None,
                    why: None,
                };
                add(&mut self.queues, &mut self.omitted, visit);
            }
            Fact::QueueLeft { queue, why } => {
                if let Some(visit) = open(&mut self.queues, queue) {
                    visit.left = Some(at);
                    visit.why = Some(*why);
                }
            }
            Fact::WaitTold { queue, from_min, to_min } => {
                let told = WaitTold { at, from_min: *from_min, to_min: *to_min };
                self.told(queue, told, |visit| &mut visit.waits_told);
            }
            _ => {}
        }
    }

    fn told<T>(&mut self, queue: &QueueId, told: T, list: fn(&mut QueueVisit) -> &mut Vec<T>) {
        match open(&mut self.queues, queue) {
            Some(visit) => add(list(visit), &mut self.omitted, told),
            None => self.omitted += 1,
        }
    }
}

/// The stay in a queue that is not over.
fn open<'a>(visits: &'a mut [QueueVisit], queue: &QueueId) -> Option<&'a mut QueueVisit> {
    visits.iter_mut().rev().find(|visit| visit.queue == *queue && visit.left.is_none())
}
