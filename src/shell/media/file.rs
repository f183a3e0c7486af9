//! Writes recordings: one thread appends, another seals finished files.
//!
//! Media threads hand blocks over through a bounded queue and never wait. A disk that fails, is
//! full or too slow ends the recording it hits, with a `fault`; never the call.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::audio::wav::Format;
use crate::id::LegId;
use crate::media::config::{Config, RecordFormat};
use crate::media::control::{Event, Recorded};
use crate::media::engine::RecordingId;
use crate::media::recorder::{BLOCK, RATE};
use crate::shell::media::Report;
use crate::shell::media::keyring::Keyring;
use crate::shell::media::tape::{Tape, length};
use crate::time::Duration;

/// What a media thread asks of the writer.
#[derive(Debug)]
enum Job {
    Begin { id: RecordingId, leg: LegId, path: PathBuf },
    End { id: RecordingId, fault: Option<String> },
    Samples { id: RecordingId, block: Vec<i16> },
}

/// The recording threads.
#[derive(Debug)]
pub struct Recordings {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Recordings {
    /// Starts the threads; files are made below `folder`.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(
        config: &Config,
        folder: &Path,
        keyring: Keyring,
        report: Report,
    ) -> io::Result<Self> {
        let block_bytes = 4 * u64::from(RATE) * BLOCK.as_millis() as u64 / 1000;
        let waiting_max = (config.record_waiting_bytes.0 / block_bytes).clamp(64, 1 << 20);
        let (jobs, taken) = bounded(waiting_max as usize);
        let (finished, sealed) = bounded(SEALING_MAX);
        let appender = Appender {
            folder: folder.to_owned(),
            format: match config.record_format {
                RecordFormat::Pcm16 => Format::Pcm16,
                RecordFormat::Pcma => Format::Alaw,
                RecordFormat::Pcmu => Format::Ulaw,
            },
            keyring,
            free_bytes_min: config.record_disk_free_bytes.0,
            open: HashMap::new(),
            finished,
            report: report.clone(),
            written_since_check: u64::MAX,
        };
        let threads = vec![
            thread::Builder::new().name("record".into()).spawn(move || appender.run(&taken))?,
            thread::Builder::new().name("seal".into()).spawn(move || seal_all(&sealed, &report))?,
        ];
        Ok(Self { jobs, threads })
    }

    /// A queue's end for one media thread.
    pub fn queue(&self) -> Queue {
        Queue { jobs: self.jobs.clone(), owed: VecDeque::new(), failed: Vec::new() }
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

/// A media thread's way to the writer: never waits.
#[derive(Debug)]
pub struct Queue {
    jobs: Sender<Job>,
    /// Beginnings and ends that found no room: at most two for each recording.
    owed: VecDeque<Job>,
    /// Recordings of which a block found no room: their later blocks are dropped.
    failed: Vec<RecordingId>,
}

impl Queue {
    pub fn begin(&mut self, id: RecordingId, leg: LegId, path: PathBuf) {
        self.owe(Job::Begin { id, leg, path });
    }

    /// Hands a block over. If there is no room the recording ends here, with a fault.
    pub fn samples(&mut self, id: RecordingId, block: Vec<i16>) {
        if self.failed.contains(&id) {
            return;
        }
        self.retry();
        let waits = !self.owed.is_empty();
        if waits || self.jobs.try_send(Job::Samples { id, block }).is_err() {
            tracing::warn!(?id, "the disk is too slow: a recording ends early");
            self.failed.push(id);
            self.owe(Job::End { id, fault: Some("the disk was too slow".into()) });
        }
    }

    pub fn end(&mut self, id: RecordingId, fault: Option<String>) {
        match self.failed.iter().position(|failed| *failed == id) {
            Some(index) => drop(self.failed.swap_remove(index)), // has ended
            None => self.owe(Job::End { id, fault }),
        }
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

/// Appends blocks to files.
struct Appender {
    folder: PathBuf,
    format: Format,
    keyring: Keyring,
    free_bytes_min: u64,
    open: HashMap<RecordingId, Open>,
    finished: Sender<Finished>,
    report: Report,
    written_since_check: u64,
}

struct Open {
    leg: LegId,
    /// As it was ordered.
    path: PathBuf,
    tape: Tape,
}

impl Appender {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Begin { id, leg, path } => self.begin(id, leg, path),
                Job::End { id, fault } => self.end(id, fault),
                Job::Samples { id, block } => {
                    if let Err(fault) = self.append(id, &block) {
                        tracing::warn!(%fault, "a recording ends early");
                        self.end(id, Some(fault.to_string()));
                    }
                }
            }
        }
        for id in self.open.keys().copied().collect::<Vec<_>>() {
            self.end(id, None);
        }
    }

    fn begin(&mut self, id: RecordingId, leg: LegId, path: PathBuf) {
        match self.create(&path) {
            Ok(tape) => {
                self.open.insert(id, Open { leg, path, tape });
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
        Tape::create(&path, self.format, self.keyring.keys().as_deref())
    }

    fn append(&mut self, id: RecordingId, block: &[i16]) -> io::Result<()> {
        if !self.open.contains_key(&id) {
            return Ok(()); // ended early
        }
        self.written_since_check = self.written_since_check.saturating_add(4 * block.len() as u64);
        self.check_room()?;
        match self.open.get_mut(&id) {
            Some(open) => open.tape.append(block),
            None => Ok(()),
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
        let Some(Open { leg, path, tape }) = self.open.remove(&id) else { return };
        if self.finished.send(Finished { leg, path, tape, fault }).is_err() {
            tracing::error!(%leg, "the sealing thread is gone");
        }
    }
}

/// A file that gets no more samples.
struct Finished {
    leg: LegId,
    path: PathBuf,
    tape: Tape,
    fault: Option<String>,
}

fn seal_all(finished: &Receiver<Finished>, report: &Report) {
    for mut finished in finished {
        let (bytes, sha256) = match finished.tape.seal() {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(leg = %finished.leg, %error, "a recording could not be sealed");
                finished.fault.get_or_insert(error.to_string());
                (finished.tape.size(), String::new())
            }
        };
        let recording = Recorded {
            path: finished.path,
            length: length(finished.tape.frames()),
            bytes,
            sha256,
            fault: finished.fault,
        };
        report.send(Event::Recorded { leg: finished.leg, recording: Box::new(recording) });
    }
}

/// Finished files that may wait for their checksum.
const SEALING_MAX: usize = 4096;
/// The room on the disk is asked for after this many bytes.
const CHECK_EVERY_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::audio::wav::Wav;
    use crate::id::CallId;
    use crate::media::config::Size;
    use crate::media::vault::Keys;

    #[test]
    fn a_recording_is_sealed_with_its_length_and_checksum() {
        let studio = Studio::new(Config::default());
        let mut queue = studio.recordings.queue();

        queue.begin(ID, leg(), "2026/01/a.wav".into());
        for n in 0..10 {
            queue.samples(ID, [n, -n].repeat(2400));
        }
        queue.end(ID, None);
        let recorded = studio.recorded();

        let bytes = fs::read(studio.folder.path().join("2026/01/a.wav")).unwrap();
        assert_eq!(recorded.path, Path::new("2026/01/a.wav"));
        assert_eq!(recorded.length, Duration::from_secs(3));
        assert_eq!(recorded.bytes, bytes.len() as u64);
        assert_eq!(recorded.sha256, hex::encode(Sha256::digest(&bytes)));
        assert_eq!(recorded.fault, None);
        let wav = Wav::parse(&bytes).unwrap();
        assert_eq!((wav.channels, wav.rate, wav.frames()), (2, RATE, 24_000));
        assert_eq!(wav.channel(1)[23_999], -9);
    }

    #[test]
    fn an_unfinished_file_can_be_read_to_its_last_block() {
        let studio = Studio::new(Config { record_format: RecordFormat::Pcma, ..Config::default() });
        let mut queue = studio.recordings.queue();
        let path = studio.folder.path().join("a.wav");
        queue.begin(ID, leg(), "a.wav".into());

        for n in 1..5 {
            queue.samples(ID, vec![1000; 4800]);
            let frames = || Wav::parse(&fs::read(&path).unwrap_or_default()).map(|w| w.frames());
            while frames() != Ok(2400 * n) {
                thread::yield_now();
            }
        }
    }

    /// REC-2: no sample reaches the disk in the clear, and all are there with the key.
    #[test]
    fn an_encrypted_recording_is_sealed_with_its_checksum() {
        let keys = Keys::parse(&format!("one {}", "ab".repeat(32))).unwrap();
        let studio = Studio::with_keys(Config::default(), Keyring::of(keys.clone()));
        let mut queue = studio.recordings.queue();

        queue.begin(ID, leg(), "a.wav.enc".into());
        for _ in 0..10 {
            queue.samples(ID, [0x1234, 0x5678].repeat(2400));
        }
        queue.end(ID, None);
        let recorded = studio.recorded();

        let path = studio.folder.path().join("a.wav.enc");
        let bytes = fs::read(&path).unwrap();
        assert_eq!(recorded.length, Duration::from_secs(3));
        assert_eq!(recorded.bytes, bytes.len() as u64);
        assert_eq!(recorded.sha256, hex::encode(Sha256::digest(&bytes)));
        assert_eq!(recorded.fault, None);
        let plain = [0x34, 0x12, 0x78, 0x56];
        assert!(!bytes.windows(4).any(|part| part == plain));
        assert_eq!(Tape::take_up(&path, Some(&keys)).unwrap().frames(), 24_000);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_a_fault() {
        let studio = Studio::new(Config::default());
        let mut queue = studio.recordings.queue();
        fs::write(studio.folder.path().join("taken.wav"), "").unwrap();
        fs::write(studio.folder.path().join("file"), "").unwrap();

        for path in ["taken.wav", "file/a.wav"] {
            queue.begin(ID, leg(), path.into());
            queue.samples(ID, vec![0; 10]);
            queue.end(ID, None);

            let recorded = studio.recorded();
            assert!(recorded.fault.is_some(), "{path}");
            assert_eq!(recorded.bytes, 0);
        }
    }

    #[test]
    fn a_nearly_full_disk_ends_recordings() {
        let config = Config { record_disk_free_bytes: Size(u64::MAX), ..Config::default() };
        let studio = Studio::new(config);

        studio.recordings.queue().begin(ID, leg(), "a.wav".into());

        assert_eq!(studio.recorded().fault.as_deref(), Some("the disk is nearly full"));
        assert!(!studio.folder.path().join("a.wav").exists());
    }

    #[test]
    fn a_full_disk_keeps_what_was_written() {
        let studio = Studio::new(Config::default());
        let mut queue = studio.recordings.queue();
        queue.begin(ID, leg(), "/dev/full".into());
        assert!(studio.recorded().fault.is_some());

        let (finished, sealed) = bounded(8);
        let (events, _reported) = bounded::<Event>(8);
        let mut appender = Appender {
            folder: studio.folder.path().to_owned(),
            format: Format::Pcm16,
            keyring: Keyring::default(),
            free_bytes_min: 0,
            open: HashMap::new(),
            finished,
            report: Report::new(events),
            written_since_check: 0,
        };
        let tape = Tape::on(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let open = Open { leg: leg(), path: "a.wav".into(), tape };
        appender.open.insert(ID, open);

        let fault = appender.append(ID, &[0; 100]).unwrap_err();

        assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
        appender.end(ID, Some(fault.to_string()));
        assert!(sealed.recv().unwrap().fault.is_some());
    }

    #[test]
    fn a_queue_without_room_ends_the_recording_but_loses_no_end() {
        let (jobs, taken) = bounded(2);
        let mut queue = Queue { jobs, owed: VecDeque::new(), failed: Vec::new() };
        queue.begin(ID, leg(), "a.wav".into());

        for _ in 0..5 {
            queue.samples(ID, vec![0; 2]);
        }
        queue.end(ID, None);
        assert_eq!(taken.len(), 2);
        assert!(matches!(taken.recv(), Ok(Job::Begin { .. })));
        assert!(matches!(taken.recv(), Ok(Job::Samples { .. })));
        queue.retry();

        assert!(matches!(taken.try_recv(), Ok(Job::End { fault: Some(_), .. })));
        assert!(taken.try_recv().is_err());
    }

    const ID: RecordingId = RecordingId(1);

    fn leg() -> LegId {
        LegId { call: CallId::from_u64(7), index: 0 }
    }

    struct Studio {
        folder: tempfile::TempDir,
        recordings: Recordings,
        events: Receiver<Event>,
    }

    impl Studio {
        fn new(config: Config) -> Self {
            Self::with_keys(config, Keyring::default())
        }

        fn with_keys(config: Config, keyring: Keyring) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (sender, events) = bounded(100);
            let recordings =
                Recordings::start(&config, folder.path(), keyring, Report::new(sender)).unwrap();
            Self { folder, recordings, events }
        }

        fn recorded(&self) -> Recorded {
            match self.events.recv_timeout(Duration::from_secs(10)).unwrap() {
                Event::Recorded { recording, .. } => *recording,
                other => panic!("{other:?}"),
            }
        }
    }
}
