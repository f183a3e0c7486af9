//! When recordings become Ogg/Opus: one thread of low priority, which touches nothing of the calls.
//!
//! Finished recordings are told to it, at most `TOLD_MAX` at a time; what finds no room, and what a
//! restart left, it finds itself when it looks through the archive, at its start and each hour. So
//! the archive is the queue, and memory holds a day of it at most.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use prometheus_client::metrics::counter::Counter;

use crate::shell::media::convert::{ConvertError, Converter, Outcome};
use crate::shell::media::retention::{self, Growing, ogg_of};
use crate::time::{Duration, Instant};

/// What is counted since the start.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub converted: Counter,
    /// Attempts after which a recording stayed as it was.
    pub failed: Counter,
}

/// The thread.
#[derive(Debug)]
pub struct Converting {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// The recordings that are being written, and where `Converting::start` hears of those that end.
pub fn growing() -> (Growing, Receiver<PathBuf>) {
    let (told, finished) = bounded(TOLD_MAX);
    (Growing::telling(told), finished)
}

/// What stops a converter when it is dropped, and the converter's end of it.
pub fn stopper() -> (Sender<()>, Receiver<()>) {
    bounded(0)
}

impl Converting {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the operating system gives none.
    pub fn start(
        converter: Converter,
        stop: Sender<()>,
        finished: Receiver<PathBuf>,
        tally: Tally,
    ) -> io::Result<Self> {
        let work =
            Work { converter, finished, tally, waiting: BTreeMap::new(), left: BTreeSet::new() };
        let thread = Builder::new().name("convert".into()).spawn(move || {
            // Of this thread alone, on Linux.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::warn!(%error, "recordings are converted with full priority");
            }
            work.run();
        })?;
        Ok(Self { stop, thread })
    }

    /// Asks it to end; what it is at is put aside. The ledger must go on to answer it, or end.
    pub fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.thread
    }
}

struct Work {
    converter: Converter,
    finished: Receiver<PathBuf>,
    tally: Tally,
    /// Recordings, and when to look at each.
    waiting: BTreeMap<(Instant, PathBuf), ()>,
    /// Those that stay as they are, as far as it is known.
    left: BTreeSet<PathBuf>,
}

/// The node stops.
struct Stopped;

impl Work {
    fn run(mut self) {
        loop {
            let walked = self.walk();
            let again = self.converter.clock.now() + WALK_EVERY;
            if walked.is_err() || self.serve(again).is_err() {
                return;
            }
        }
    }

    /// Converts what is told, until it is time to look through the archive, or told too much.
    fn serve(&mut self, until: Instant) -> Result<(), Stopped> {
        loop {
            self.take_up_due()?;
            let now = self.converter.clock.now();
            let next = self.waiting.keys().next().map_or(until, |(at, _)| until.min(*at));
            if now >= until || self.finished.is_full() {
                return Ok(());
            }
            let wait = next.since(now).max(Duration::from_millis(1));
            let stop = self.converter.stop.clone();
            select! {
                recv(stop) -> _ => return Err(Stopped),
                recv(self.finished) -> path => match path {
                    Ok(path) => self.put(self.converter.policy.format_after_wait, path),
                    Err(_) => return Err(Stopped),
                },
                default(wait) => {}
            }
        }
    }

    fn put(&mut self, wait: Duration, path: PathBuf) {
        if self.waiting.len() < TOLD_MAX {
            self.waiting.insert((self.converter.clock.now() + wait, path), ());
        } // else the next walk finds it
    }

    fn take_up_due(&mut self) -> Result<(), Stopped> {
        while let Some(first) = self.waiting.first_entry() {
            if first.key().0 > self.converter.clock.now() {
                break;
            }
            let (_, path) = first.remove_entry().0;
            self.convert(&path)?;
        }
        Ok(())
    }

    /// Looks through the archive, the oldest day first.
    fn walk(&mut self) -> Result<(), Stopped> {
        let days: Vec<PathBuf> = retention::days(&self.converter.archive.folder).collect();
        for day in days {
            for path in self.owed_of(&day) {
                self.convert(&path)?;
                while let Ok(path) = self.finished.try_recv() {
                    self.put(self.converter.policy.format_after_wait, path);
                }
                self.take_up_due()?;
            }
        }
        Ok(())
    }

    /// The recordings of a day that should be Ogg/Opus and are not, or not in the ledger.
    fn owed_of(&self, day: &Path) -> Vec<PathBuf> {
        let wall = self.converter.clock.wall();
        let wait = self.converter.policy.format_after_wait;
        let mut owed: Vec<PathBuf> = retention::entries(day)
            .into_iter()
            .filter(|path| retention::is_wav(path) && !self.left.contains(path))
            .filter(|path| {
                let Some(written) = retention::written(path) else { return false };
                let is_done = retention::written(&ogg_of(path)) == Some(written);
                let is_kept = is_done && self.converter.policy.original_kept;
                !is_kept && wall.since(written) >= wait
            })
            .collect();
        owed.sort();
        owed
    }

    fn convert(&mut self, path: &Path) -> Result<(), Stopped> {
        match self.converter.convert(path) {
            Ok(Outcome::Done) => _ = self.tally.converted.inc(),
            Ok(Outcome::Later) => self.put(LATER, path.to_owned()),
            Ok(Outcome::Left) => self.leave(path),
            Err(ConvertError::Stopped) => return Err(Stopped),
            Err(error) => {
                self.tally.failed.inc();
                tracing::warn!(path = %path.display(), %error, "a recording stays as it was");
                match error {
                    ConvertError::Altered | ConvertError::Tape(_) => self.leave(path),
                    _ => self.put(AGAIN, path.to_owned()),
                }
            }
        }
        Ok(())
    }

    fn leave(&mut self, path: &Path) {
        if self.left.len() < LEFT_MAX && fs::exists(path).unwrap_or(false) {
            self.left.insert(path.to_owned());
        } // else the next walk looks at it again
    }
}

/// As little of the processor as there is.
const NICE: i32 = 19;
/// Finished recordings that may wait here.
const TOLD_MAX: usize = 4096;
/// Recordings that are known to stay as they are.
const LEFT_MAX: usize = 10_000;
const WALK_EVERY: Duration = Duration::from_secs(3600);
/// When to look again at a recording whose call goes on.
const LATER: Duration = Duration::from_secs(10);
/// When to try again what the disk or the ledger refused.
const AGAIN: Duration = Duration::from_secs(300);
