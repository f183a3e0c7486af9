//! Writes recordings: one thread appends, another seals finished files.
//!
//! Media threads hand blocks over through a bounded queue and never wait. What a full or slow disk
//! does not take is a gap in the recording, told with its place and length; the call goes on.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::audio::wav::Format;
use crate::id::LegId;
use crate::media::config::{Config, RecordFormat};
use crate::media::control::{Event, Recorded};
use crate::media::engine::RecordingId;
use crate::media::recorder::{BLOCK, RATE};
use crate::shell::media::Report;
use crate::shell::media::gaps::Gaps;
use crate::shell::media::keyring::Keyring;
use crate::shell::media::retention::Growing;
use crate::shell::media::tape::{Tape, length};
use crate::time::Duration;

/// What a media thread asks of the writer.
#[derive(Debug)]
enum Job {
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
            report: report.clone(),
            written_since_check: u64::MAX,
            lost: Arc::clone(&lost),
        };
        let sealer = Sealer { folder: folder.to_owned(), growing, report };
        let threads = vec![
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
        Queue { jobs: self.jobs.clone(), owed: VecDeque::new(), lost: HashMap::new() }
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
    /// Frames that found no room since the last block that did; of recordings that go on.
    lost: HashMap<RecordingId, u64>,
}

impl Queue {
    pub fn begin(&mut self, id: RecordingId, leg: LegId, path: PathBuf) {
        self.owe(Job::Begin { id, leg, path });
    }

    /// Hands a block over; what finds no room is lost, and told with the next block that does.
    pub fn samples(&mut self, id: RecordingId, block: Vec<i16>) {
        self.retry();
        let frames = block.len() as u64 / 2;
        let before = self.lost.remove(&id).unwrap_or(0);
        let waits = !self.owed.is_empty();
        if waits || self.jobs.try_send(Job::Samples { id, lost: before, block }).is_err() {
            if before == 0 {
                tracing::warn!(?id, "the disk is too slow: a recording has a gap");
            }
            self.lost.insert(id, before + frames);
        }
    }

    pub fn end(&mut self, id: RecordingId, fault: Option<String>) {
        let lost = self.lost.remove(&id).unwrap_or(0);
        self.owe(Job::End { id, fault, lost });
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
    growing: Growing,
    free_bytes_min: u64,
    open: HashMap<RecordingId, Open>,
    finished: Sender<Finished>,
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
}

impl Open {
    fn new(leg: LegId, path: PathBuf, tape: Tape) -> Self {
        Self { leg, path, tape, frames: 0, gaps: Gaps::default() }
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
        self.growing.begin(path);
        Ok(tape)
    }

    fn append(&mut self, id: RecordingId, lost: u64, block: &[i16]) {
        self.written_since_check = self.written_since_check.saturating_add(2 * block.len() as u64);
        let room = self.check_room();
        self.lose(id, lost, TOO_SLOW);
        let Some(open) = self.open.get_mut(&id) else { return }; // it could not be made
        if let Err(error) = room.and_then(|()| open.write(block)) {
            self.lose(id, block.len() as u64 / 2, &error.to_string());
            self.written_since_check = u64::MAX;
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
        let Open { leg, path, mut tape, frames, gaps } = open;
        let (bytes, sha256) = match tape.seal() {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(%leg, %error, "a recording could not be sealed");
                fault.get_or_insert(error.to_string());
                (tape.size(), String::new())
            }
        };
        let gaps = gaps.finish(frames, tape.frames());
        let length = length(tape.frames());
        let recording = Recorded { path, length, bytes, sha256, fault, gaps };
        self.growing.end(&self.folder.join(&recording.path));
        self.report.send(Event::Recorded { leg, recording: Box::new(recording) });
    }
}

/// Why frames are lost that found no room in the queue.
const TOO_SLOW: &str = "the disk was too slow";
/// Why frames are lost while a long gap before them is filled.
const CATCHES_UP: &str = "the gap before was being filled";
/// Finished files that may wait for their checksum.
const SEALING_MAX: usize = 4096;
/// The room on the disk is asked for after this many bytes.
const CHECK_EVERY_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use std::io::Read as _;

    use crate::audio::g711;
    use crate::audio::wav::Wav;
    use crate::id::CallId;
    use crate::media::config::Size;
    use crate::media::control::Gap;
    use crate::media::vault::Keys;
    use crate::shell::media::archive::Archive;

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
        let keys = keys();
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

    /// A disk that is full for a while costs what was said meanwhile, at its place.
    #[test]
    fn a_full_disk_is_a_gap_with_its_place_and_length() {
        for keyring in [Keyring::default(), Keyring::of(keys())] {
            let mut studio = Bench::new(keyring);
            studio.appender.begin(ID, leg(), "a.wav".into());
            studio.append(1000);
            studio.appender.free_bytes_min = u64::MAX;
            studio.append(2000);
            studio.append(3000);
            studio.appender.free_bytes_min = 0;
            studio.append(4000);
            studio.appender.free_bytes_min = u64::MAX;
            studio.append(5000);

            let recorded = studio.finish();

            let full = "the disk is nearly full".to_owned();
            let ms = Duration::from_millis;
            let gap = |from, length| Gap { from: ms(from), length: ms(length), why: full.clone() };
            assert_eq!(recorded.gaps, [gap(300, 600), gap(1200, 300)]);
            assert_eq!((recorded.length, recorded.fault), (ms(1200), None));
            assert_eq!(studio.appender.lost.load(Ordering::Relaxed), 3 * 2400);
            let heard = studio.heard(&recorded.path);
            for (block, sample) in [1000, 0, 0, 4000].into_iter().enumerate() {
                assert_eq!(heard[2400 * block..2400 * (block + 1)], [sample; 2400], "{block}");
            }
        }
    }

    /// What the disk refuses at the end is told too.
    #[test]
    fn a_disk_that_refuses_to_the_end_is_told() {
        let mut studio = Bench::new(Keyring::default());
        let tape = Tape::on(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        studio.appender.open.insert(ID, Open::new(leg(), "a.wav".into(), tape));

        for _ in 0..4 {
            studio.append(1000);
        }
        let recorded = studio.finish();

        assert!(recorded.fault.is_some());
        let [gap] = &recorded.gaps[..] else { panic!("{:?}", recorded.gaps) };
        assert_eq!((gap.from, gap.length), (Duration::ZERO, Duration::from_millis(1200)));
    }

    /// Issue 4, Show 4: a disk that stalls. The media thread goes on at once, however long it
    /// lasts; what finds no room is one gap, and what comes after it is recorded again.
    #[test]
    fn a_disk_that_stalls_is_a_gap_and_nobody_waits() {
        let mut studio = Bench::new(Keyring::default());
        studio.appender.format = Format::Alaw;
        let pipe = studio.folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        // Open both ways first, so that neither end waits for the other; nobody reads yet.
        let both = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let near = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let mut far = fs::File::open(&pipe).unwrap();
        drop(both);
        let tape = Tape::on_format(near, Format::Alaw);
        studio.appender.open.insert(ID, Open::new(leg(), "a.wav".into(), tape));
        let (jobs, taken) = bounded(4);
        let mut queue = Queue { jobs, owed: VecDeque::new(), lost: HashMap::new() };
        let Bench { folder: _folder, appender, finished } = studio;
        let writer = thread::spawn(move || appender.run(&taken));

        // The pipe holds 64 KiB, the queue four blocks: then all is lost, a minute of it.
        let minute = 60 * u64::from(RATE);
        while queue.lost.get(&ID).is_none_or(|lost| *lost < minute) {
            queue.samples(ID, vec![1000; 4800]);
        }
        let reader = thread::spawn(move || {
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).unwrap();
            heard
        });
        // The disk is quick again: a block is made when the one before was taken.
        for _ in 0..40 {
            while !queue.jobs.is_empty() {
                thread::yield_now();
            }
            queue.samples(ID, vec![2000; 4800]);
        }
        assert!(queue.lost.is_empty());
        queue.end(ID, None);
        drop(queue);
        writer.join().unwrap();
        let Open { gaps, tape, frames, .. } = finished.recv().unwrap().open;
        let gaps = gaps.finish(frames, tape.frames());
        drop(tape);
        let heard = reader.join().unwrap();

        assert_eq!(gaps[0].why, TOO_SLOW);
        let lost: Duration = gaps.iter().map(|gap| gap.length).sum();
        assert!(lost >= length(minute), "{gaps:?}");
        assert_eq!(heard.len() as u64, 2 * frames, "silence stands for all that was lost");
        let from = (gaps[0].from.as_micros() / 125) as usize * 2;
        assert!(heard[..from].iter().all(|byte| *byte == g711::alaw_encode(1000)));
        assert!(heard[from..from + 4800].iter().all(|byte| *byte == g711::alaw_encode(0)));
        assert!(heard[heard.len() - 4800..].iter().all(|byte| *byte == g711::alaw_encode(2000)));
    }

    #[test]
    fn a_queue_without_room_loses_blocks_but_no_end() {
        let (jobs, taken) = bounded(2);
        let mut queue = Queue { jobs, owed: VecDeque::new(), lost: HashMap::new() };
        queue.begin(ID, leg(), "a.wav".into());

        for _ in 0..5 {
            queue.samples(ID, vec![0; 2]);
        }
        assert_eq!(taken.len(), 2);
        assert!(matches!(taken.recv(), Ok(Job::Begin { .. })));
        assert!(matches!(taken.recv(), Ok(Job::Samples { lost: 0, .. })));
        queue.samples(ID, vec![0; 2]);
        assert!(matches!(taken.recv(), Ok(Job::Samples { lost: 4, .. })));
        queue.samples(ID, vec![0; 2]);
        queue.samples(ID, vec![0; 2]);
        queue.samples(ID, vec![0; 2]);
        queue.end(ID, None);
        assert!(taken.recv().is_ok() && taken.recv().is_ok());
        queue.retry();

        assert!(matches!(taken.try_recv(), Ok(Job::End { lost: 1, fault: None, .. })));
        assert!(taken.try_recv().is_err());
    }

    /// An appender without its threads.
    struct Bench {
        folder: tempfile::TempDir,
        appender: Appender,
        finished: Receiver<Finished>,
    }

    impl Bench {
        fn new(keyring: Keyring) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (finished_in, finished) = bounded(8);
            let (events, _) = bounded::<Event>(8);
            let appender = Appender {
                folder: folder.path().to_owned(),
                format: Format::Pcm16,
                keyring,
                growing: Growing::default(),
                free_bytes_min: 0,
                open: HashMap::new(),
                finished: finished_in,
                report: Report::new(events),
                written_since_check: u64::MAX,
                lost: Arc::default(),
            };
            Self { folder, appender, finished }
        }

        /// 300 ms of one sample.
        fn append(&mut self, sample: i16) {
            self.appender.written_since_check = u64::MAX; // the disk is looked at each time
            self.appender.append(ID, 0, &[sample; 4800]);
        }

        fn finish(&mut self) -> Recorded {
            let (sender, events) = bounded::<Event>(8);
            self.appender.end(ID, None);
            let (one, finished) = bounded(1);
            one.send(self.finished.recv().unwrap()).unwrap_or_else(|_| unreachable!());
            drop(one);
            let folder = self.folder.path().to_owned();
            let growing = self.appender.growing.clone();
            Sealer { folder, growing, report: Report::new(sender) }.run(&finished);
            self.appender.growing.with(|paths| assert!(paths.is_empty()));
            match events.recv().unwrap() {
                Event::Recorded { recording, .. } => *recording,
                other => panic!("{other:?}"),
            }
        }

        /// The left channel of what was recorded.
        fn heard(&self, path: &Path) -> Vec<i16> {
            let keyring = self.appender.keyring.clone();
            let archive = Archive { folder: self.folder.path().to_owned(), keyring };
            let path = self.folder.path().join(path);
            let found = archive.inspect(&path).unwrap();
            let mut exported = Vec::new();
            let sink = |piece: Vec<u8>| {
                exported.extend(piece);
                true
            };
            archive.export(&path, &found, sink).unwrap();
            Wav::parse(&exported).unwrap().channel(0)
        }
    }

    fn keys() -> Keys {
        Keys::parse(&format!("one {}", "ab".repeat(32))).unwrap()
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
            let place = (folder.path(), keyring, Growing::default());
            let recordings = Recordings::start(&config, place, Report::new(sender)).unwrap();
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
