//! A media thread's way to the writer of recordings: it never waits.
//!
//! Blocks that find no room are lost and told. Beginnings and ends that find none are owed, in
//! order; while so many are that a disk must hang, a recording does not begin, and is told with its
//! length when it ends.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Sender, TrySendError};

use crate::id::LegId;
use crate::media::control::{Event, Gap, Recorded};
use crate::media::engine::RecordingId;
use crate::shell::media::file::{Job, TOO_SLOW};
use crate::shell::media::tape::length;
use crate::time::Duration;

/// One media thread's end.
#[derive(Debug)]
pub struct Queue {
    pub(super) jobs: Sender<Job>,
    /// Beginnings and ends that found no room, and ends of those that began before: no more than
    /// twice `OWED_MAX` and one for each leg.
    owed: VecDeque<Job>,
    /// Frames that found no room since the last block that did; of recordings that go on.
    pub(super) lost: HashMap<RecordingId, u64>,
    /// Recordings that go on and were not begun, since too much was owed: one for a leg at most.
    unbegun: HashMap<RecordingId, Unbegun>,
    /// Frames of all recordings that were lost: a count, which pairs with nothing.
    lost_total: Arc<AtomicU64>,
}

/// A recording that has no file.
#[derive(Debug)]
struct Unbegun {
    leg: LegId,
    path: PathBuf,
    frames: u64,
}

impl Queue {
    pub(super) fn new(jobs: Sender<Job>, lost_total: Arc<AtomicU64>) -> Self {
        let (owed, lost, unbegun) = (VecDeque::new(), HashMap::new(), HashMap::new());
        Self { jobs, owed, lost, unbegun, lost_total }
    }

    pub fn begin(&mut self, id: RecordingId, leg: LegId, path: PathBuf) {
        if self.owed.len() >= OWED_MAX {
            tracing::warn!(%leg, "the disk is too slow: no recording");
            self.unbegun.insert(id, Unbegun { leg, path, frames: 0 });
            return;
        }
        self.owe(Job::Begin { id, leg, path });
    }

    /// Hands a block over; what finds no room is lost, and told with the next block that does.
    pub fn samples(&mut self, id: RecordingId, block: Vec<i16>) {
        self.retry();
        let frames = block.len() as u64 / 2;
        if let Some(unbegun) = self.unbegun.get_mut(&id) {
            unbegun.frames += frames;
            self.lost_total.fetch_add(frames, Ordering::Relaxed);
            return;
        }
        let before = self.lost.remove(&id).unwrap_or(0);
        let waits = !self.owed.is_empty();
        if waits || self.jobs.try_send(Job::Samples { id, lost: before, block }).is_err() {
            if before == 0 {
                tracing::warn!(?id, "the disk is too slow: a recording has a gap");
            }
            self.lost.insert(id, before + frames);
        }
    }

    /// Ends a recording; tells at once what became of it if it was not begun.
    pub fn end(&mut self, id: RecordingId, fault: Option<String>) -> Option<Event> {
        if let Some(Unbegun { leg, path, frames }) = self.unbegun.remove(&id) {
            let gap = Gap { from: Duration::ZERO, length: length(frames), why: TOO_SLOW.into() };
            let recording = Recorded {
                path,
                length: Duration::ZERO,
                bytes: 0,
                sha256: String::new(),
                fault: Some(fault.unwrap_or_else(|| TOO_SLOW.to_owned())),
                gaps: if frames > 0 { vec![gap] } else { Vec::new() },
            };
            return Some(Event::Recorded { leg, recording: Box::new(recording) });
        }
        let lost = self.lost.remove(&id).unwrap_or(0);
        self.owe(Job::End { id, fault, lost });
        None
    }

    /// Tries again what found no room; call it every few milliseconds.
    pub fn retry(&mut self) {
        while let Some(job) = self.owed.pop_front() {
            match self.jobs.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                    self.owed.push_front(job);
                    return;
                }
            }
        }
    }

    /// Hands over what is still owed, waiting for room: for the end of the thread.
    pub fn settle(mut self) {
        for job in self.owed.drain(..) {
            if self.jobs.send(job).is_err() {
                return;
            }
        }
    }

    fn owe(&mut self, job: Job) {
        self.owed.push_back(job);
        self.retry();
    }
}

/// Beginnings and ends that may be owed before a recording is not begun any more.
const OWED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, bounded};

    use super::*;
    use crate::id::CallId;

    #[test]
    fn a_queue_without_room_loses_blocks_but_no_end() {
        let (mut queue, taken) = queue(2);
        let id = RecordingId(1);
        queue.begin(id, leg(1), "a.wav".into());

        for _ in 0..5 {
            queue.samples(id, vec![0; 2]);
        }
        assert_eq!(taken.len(), 2);
        assert!(matches!(taken.recv(), Ok(Job::Begin { .. })));
        assert!(matches!(taken.recv(), Ok(Job::Samples { lost: 0, .. })));
        queue.samples(id, vec![0; 2]);
        assert!(matches!(taken.recv(), Ok(Job::Samples { lost: 4, .. })));
        queue.samples(id, vec![0; 2]);
        queue.samples(id, vec![0; 2]);
        queue.samples(id, vec![0; 2]);
        queue.end(id, None);
        assert!(taken.recv().is_ok() && taken.recv().is_ok());
        queue.retry();

        assert!(matches!(taken.try_recv(), Ok(Job::End { lost: 1, fault: None, .. })));
        assert!(taken.try_recv().is_err());
    }

    /// The disk hangs for hours: what is owed stays bounded, each recording is told once, with its
    /// length, and those of before have their ends.
    #[test]
    fn a_disk_that_hangs_for_hours_fills_no_memory() {
        let (mut queue, taken) = queue(1);
        let calls = 3 * OWED_MAX as u32;
        let mut told = Vec::new();
        queue.begin(RecordingId(0), leg(0), "0.wav".into());
        for call in 1..=calls {
            let id = RecordingId(call);
            queue.begin(id, leg(call), format!("{call}.wav").into());
            queue.samples(id, vec![0; 2 * 8000]);
            told.extend(queue.end(id, None));
        }
        told.extend(queue.end(RecordingId(0), None));

        assert!(queue.owed.len() <= 2 * OWED_MAX, "{}", queue.owed.len());
        assert!(queue.unbegun.is_empty() && queue.lost.is_empty());
        let unbegun = told.len() as u32;
        for event in told {
            let Event::Recorded { recording, .. } = event else { panic!("{event:?}") };
            assert_eq!(recording.fault.as_deref(), Some(TOO_SLOW));
            assert_eq!(recording.gaps[0].length, Duration::from_secs(1));
        }
        let (mut begins, mut ends) = (0, 0);
        while let Ok(job) = taken.try_recv() {
            begins += u32::from(matches!(job, Job::Begin { .. }));
            ends += u32::from(matches!(job, Job::End { .. }));
            queue.retry();
        }
        assert_eq!((begins, ends), (calls + 1 - unbegun, calls + 1 - unbegun));
        assert!(unbegun > OWED_MAX as u32);
        assert_eq!(queue.lost_total.load(Ordering::Relaxed), 8000 * u64::from(unbegun));
    }

    fn queue(room: usize) -> (Queue, Receiver<Job>) {
        let (jobs, taken) = bounded(room);
        (Queue::new(jobs, Arc::default()), taken)
    }

    fn leg(call: u32) -> LegId {
        LegId { call: CallId::from_u64(call.into()), index: 0 }
    }
}
