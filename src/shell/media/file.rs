//! Writes recordings: one thread appends, another makes durable what there is each few seconds, a
//! third seals finished files.
//!
//! Media threads hand blocks over through a bounded queue and never wait (`queue`). What a full or
//! slow disk does not take is a gap in the recording, told with its place and length; the call goes
//! on. A gap is noted beside the file as soon as something follows it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::audio::wav::Format;
use crate::id::LegId;
use crate::media::config::{Config, RecordFormat};
use crate::media::control::{Event, Recorded};
use crate::media::engine::RecordingId;
use crate::media::recorder::{BLOCK, RATE};
use crate::shell::media::Report;
use crate::shell::media::gaps::Gaps;
use crate::shell::media::keyring::Keyring;
use crate::shell::media::margin;
use crate::shell::media::queue::Queue;
use crate::shell::media::retention::Growing;
use crate::shell::media::sync::Sync;
use crate::shell::media::tape::{Tape, length};
use crate::time::Duration;

/// What a media thread asks of the writer.
#[derive(Debug)]
pub(super) enum Job {
    Begin {
        id: RecordingId,
        leg: LegId,
        path: PathBuf,
    },
    /// `lost` frames of each channel found no room before it.
    End {
        id: RecordingId,
        fault: Option<String>,
        lost: u64,
    },
    /// As of `End`.
    Samples {
        id: RecordingId,
        lost: u64,
        block: Vec<i16>,
    },
}

/// The recording threads.
#[derive(Debug)]
pub struct Recordings {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
    /// Frames of all recordings that were lost: a count, which pairs with nothing.
    lost: Arc<AtomicU64>,
}

impl Recordings {
    /// Starts the threads; files are made below `folder`.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(
        config: &Config,
        (folder, keyring, growing): (&Path, Keyring, Growing),
        report: Report,
    ) -> io::Result<Self> {
        let block_bytes = 4 * u64::from(RATE) * BLOCK.as_millis() as u64 / 1000;
        let waiting_max = (config.record_waiting_bytes.0 / block_bytes).clamp(64, 1 << 20);
        let (jobs, taken) = bounded(waiting_max as usize);
        let (finished, sealed) = bounded(SEALING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let (sync, syncing) = Sync::start()?;
        let appender = Appender {
            folder: folder.to_owned(),
            format: match config.record_format {
                RecordFormat::Pcm16 => Format::Pcm16,
                RecordFormat::Pcma => Format::Alaw,
                RecordFormat::Pcmu => Format::Ulaw,
            },
            keyring,
            growing: growing.clone(),
            free_bytes_min: config.record_disk_free_bytes.0,
            open: HashMap::new(),
            finished,
            sync,
            report: report.clone(),
            written_since_check: u64::MAX,
            lost: Arc::clone(&lost),
        };
        let sealer = Sealer { folder: folder.to_owned(), growing, report };
        let threads = vec![
            syncing,
            thread::Builder::new().name("record".into()).spawn(move || appender.run(&taken))?,
            thread::Builder::new().name("seal".into()).spawn(move || sealer.run(&sealed))?,
        ];
        Ok(Self { jobs, threads, lost })
    }

    /// What recordings lost to a slow or full disk since the start, in milliseconds.
    pub fn lost_ms(&self) -> u64 {
        1000 * self.lost.load(Ordering::Relaxed) / u64::from(RATE)
    }

    /// A queue's end for one media thread.
    pub fn queue(&self) -> Queue {
        Queue::new(self.jobs.clone(), Arc::clone(&self.lost))
    }

    /// Waits until every file is complete. All queues must be gone.
    pub fn stop(self) {
        drop(self.jobs);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a recording thread panicked");
            }
        }
    }
}

/// Appends blocks to files.
struct Appender {
    folder: PathBuf,
    format: Format,
    keyring: Keyring,
    growing: Growing,
    free_bytes_min: u64,
    open: HashMap<RecordingId, Open>,
    finished: Sender<Finished>,
    sync: Sync,
    report: Report,
    written_since_check: u64,
    lost: Arc<AtomicU64>,
}

struct Open {
    leg: LegId,
    /// As it was ordered.
    path: PathBuf,
    tape: Tape,
    /// Frames of each channel since it began, lost ones too.
    frames: u64,
    gaps: Gaps,
    /// Of the gaps, frames that are noted beside the file.
    noted: u64,
    /// Frames of the file that were given to be made durable; none if nothing was yet.
    synced: Option<u64>,
}

impl Open {
    fn new(leg: LegId, path: PathBuf, tape: Tape) -> Self {
        Self { leg, path, tape, frames: 0, gaps: Gaps::default(), noted: 0, synced: None }
    }

    /// What must be there after the process was killed, or the power cut: gaps that something
    /// follows are noted, and now and then the file is made durable.
    fn keep_safe(&mut self, folder: &Path, sync: &Sync) {
        let path = folder.join(&self.path);
        let lost = self.gaps.frames();
        if lost > self.noted {
            let told = self.gaps.clone().finish(self.frames, self.frames);
            match margin::note(&path, &told) {
                Ok(()) => self.noted = lost,
                Err(error) => tracing::debug!(leg = %self.leg, %error, "gaps are not noted yet"),
            }
        }
        if self.tape.frames() < self.synced.unwrap_or(0) + SYNC_EVERY {
            return;
        }
        let parent = path.parent().filter(|_| self.synced.is_none()).map(Path::to_owned);
        if self.tape.handle().is_ok_and(|file| sync.ask(file, parent)) {
            self.synced = Some(self.tape.frames());
        }
    }

    /// Frames that the file has, or will have with the next writing.
    fn kept(&self) -> u64 {
        self.tape.frames() + self.tape.owed_frames()
    }

    fn lose(&mut self, frames: u64, why: &str) {
        if frames > 0 && self.gaps.lose(self.frames, frames, why) {
            tracing::warn!(leg = %self.leg, why, "a recording has a gap");
        }
        self.frames += frames;
    }

    /// Writes a block in its place, behind silence for what was lost.
    fn write(&mut self, block: &[i16]) -> io::Result<()> {
        let behind = self.frames.saturating_sub(self.kept());
        if behind > 0 {
            self.tape.append_silence(behind)?;
        }
        if self.frames > self.kept() {
            return Err(io::Error::other(CATCHES_UP));
        }
        let before = self.kept();
        let written = self.tape.append(block);
        if self.kept() == before {
            return written; // nothing of it was taken
        }
        self.frames += block.len() as u64 / 2;
        Ok(())
    }
}

impl Appender {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Begin { id, leg, path } => self.begin(id, leg, path),
                Job::End { id, fault, lost } => {
                    self.lose(id, lost, TOO_SLOW);
                    self.end(id, fault);
                }
                Job::Samples { id, lost, block } => self.append(id, lost, &block),
            }
        }
        for id in self.open.keys().copied().collect::<Vec<_>>() {
            self.end(id, None);
        }
    }

    fn begin(&mut self, id: RecordingId, leg: LegId, path: PathBuf) {
        match self.create(&path) {
            Ok(tape) => {
                self.open.insert(id, Open::new(leg, path, tape));
            }
            Err(error) => {
                tracing::warn!(%leg, %error, "no recording");
                let fault = Some(error.to_string());
                let recording = Recorded {
                    path,
                    length: Duration::ZERO,
                    bytes: 0,
                    sha256: String::new(),
                    fault,
                    gaps: Vec::new(),
                };
                self.report.send(Event::Recorded { leg, recording: Box::new(recording) });
            }
        }
    }

    fn create(&mut self, path: &Path) -> io::Result<Tape> {
        let path = self.folder.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        self.written_since_check = u64::MAX;
        self.check_room()?;
        let tape = Tape::create(&path, self.format, self.keyring.keys().as_deref())?;
        self.growing.begin(&path);
        Ok(tape)
    }

    fn append(&mut self, id: RecordingId, lost: u64, block: &[i16]) {
        self.written_since_check = self.written_since_check.saturating_add(2 * block.len() as u64);
        let room = self.check_room();
        self.lose(id, lost, TOO_SLOW);
        let Some(open) = self.open.get_mut(&id) else { return }; // it could not be made
        match room.and_then(|()| open.write(block)) {
            Ok(()) => open.keep_safe(&self.folder, &self.sync),
            Err(error) => {
                self.lose(id, block.len() as u64 / 2, &error.to_string());
                self.written_since_check = u64::MAX;
            }
        }
    }

    fn lose(&mut self, id: RecordingId, frames: u64, why: &str) {
        if let Some(open) = self.open.get_mut(&id) {
            open.lose(frames, why);
            self.lost.fetch_add(frames, Ordering::Relaxed);
        }
    }

    /// Refuses to go on while the disk is nearly full; asks it now and then.
    fn check_room(&mut self) -> io::Result<()> {
        if self.written_since_check < CHECK_EVERY_BYTES {
            return Ok(());
        }
        let disk = rustix::fs::statvfs(&self.folder)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.free_bytes_min {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is nearly full"));
        }
        self.written_since_check = 0;
        Ok(())
    }

    fn end(&mut self, id: RecordingId, fault: Option<String>) {
        let Some(open) = self.open.remove(&id) else { return };
        if let Err(unsent) = self.finished.send(Finished { open, fault }) {
            tracing::error!(leg = %unsent.0.open.leg, "the sealing thread is gone");
        }
    }
}

/// A file that gets no more samples.
struct Finished {
    open: Open,
    fault: Option<String>,
}

/// Completes files.
struct Sealer {
    folder: PathBuf,
    growing: Growing,
    report: Report,
}

impl Sealer {
    fn run(self, finished: &Receiver<Finished>) {
        finished.iter().for_each(|finished| self.seal(finished));
    }

    fn seal(&self, Finished { open, mut fault }: Finished) {
        let Open { leg, path, mut tape, frames, gaps, .. } = open;
        let (bytes, sha256) = match tape.seal() {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(%leg, %error, "a recording could not be sealed");
                fault.get_or_insert(error.to_string());
                (tape.size(), String::new())
            }
        };
        let gaps = gaps.finish(frames, tape.frames());
        if let (0, Some(gap)) = (tape.frames(), gaps.first()) {
            fault.get_or_insert(gap.why.clone()); // there is nothing else of it
        }
        let length = length(tape.frames());
        let recording = Recorded { path, length, bytes, sha256, fault, gaps };
        self.growing.end(&self.folder.join(&recording.path));
        self.report.send(Event::Recorded { leg, recording: Box::new(recording) });
    }
}

/// Why frames are lost that found no room in the queue.
pub(super) const TOO_SLOW: &str = "the disk was too slow";
/// Why frames are lost while a long gap before them is filled.
const CATCHES_UP: &str = "the gap before was being filled";
/// Finished files that may wait for their checksum.
const SEALING_MAX: usize = 4096;
/// Frames of a recording after which it is made durable again: 5 s.
const SYNC_EVERY: u64 = 5 * RATE as u64;
/// The room on the disk is asked for after this many bytes.
const CHECK_EVERY_BYTES: u64 = 4 << 20;

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
