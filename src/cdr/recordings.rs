//! What happened to the recordings of a call.

use super::entry::{DeletedWhy, Fact};
use super::fold::add;
use super::record::{CallRecord, Converted, Pause, Recording, RecordingEnd};
use crate::time::Wall;

impl CallRecord {
    pub(super) fn apply_recording(&mut self, at: Wall, fact: &Fact) {
        match fact {
            Fact::RecordingBegan { leg, path } => {
                let (leg, path, pauses) = (*leg, path.clone(), Vec::new());
                let (ended, converted, deleted) = (None, None, None);
                let recording =
                    Recording { leg, path, began: at, pauses, ended, converted, deleted };
                add(&mut self.recordings, &mut self.omitted, recording);
            }
            Fact::RecordingConverted { path, to, length_us, bytes, sha256, kept } => {
                let (length_us, bytes, kept) = (*length_us, *bytes, *kept);
                let (to, sha256) = (to.clone(), sha256.clone());
                for recording in self.named(path) {
                    let (path, sha256) = (to.clone(), sha256.clone());
                    let converted = Converted { at, path, length_us, bytes, sha256, kept };
                    recording.converted = Some(converted);
                }
            }
            Fact::RecordingDeleted { path, why, .. } => self.delete(path, Some((at, *why))),
            Fact::RecordingKept { path, .. } => self.delete(path, None),
            Fact::RecordingPaused { leg, by } => {
                if let Some(open) = self.recordings.iter_mut().rev().find(|r| r.leg == *leg) {
                    let pause = Pause { began: at, ended: None, by: by.clone() };
                    add(&mut open.pauses, &mut self.omitted, pause);
                }
            }
            Fact::RecordingResumed { leg, .. } => {
                let open = self.recordings.iter_mut().rev().find(|r| r.leg == *leg);
                if let Some(pause) = open.and_then(|open| open.pauses.last_mut()) {
                    pause.ended.get_or_insert(at);
                }
            }
            Fact::RecordingEnded { leg, path, length_us, bytes, sha256, fault, gaps } => {
                let end = RecordingEnd {
                    at,
                    length_us: *length_us,
                    bytes: *bytes,
                    sha256: sha256.clone(),
                    fault: fault.clone(),
                    gaps: gaps.clone(),
                };
                let mut recordings = self.recordings.iter_mut().rev();
                if let Some(open) = recordings.find(|r| r.leg == *leg && r.path == *path) {
                    open.ended = Some(end);
                }
            }
            _ => {}
        }
    }

    /// Notes that the file of a recording is gone, or there still.
    fn delete(&mut self, path: &str, deleted: Option<(Wall, DeletedWhy)>) {
        for recording in self.named(path) {
            recording.deleted = deleted;
        }
    }

    /// The recordings that a file belongs to, in whatever format and place: an archive that was
    /// moved keeps the names of its files, and a converted file has the name of the first.
    fn named(&mut self, path: &str) -> impl Iterator<Item = &mut Recording> {
        fn stem(path: &str) -> &str {
            let name = path.rsplit('/').next().unwrap_or_default();
            name.split('.').next().unwrap_or_default()
        }
        let meant = stem(path).to_owned();
        self.recordings.iter_mut().filter(move |it| stem(&it.path) == meant)
    }
}
