//! Recordings on disks that are quick, slow, full and dead.

use sha2::{Digest as _, Sha256};

use super::*;
use std::io::Read as _;

use crate::audio::wav::Wav;
use crate::audio::{g711, tone};
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

/// A process that is killed leaves its gaps beside the file.
#[test]
fn a_gap_that_something_follows_is_noted_beside_the_file() {
    let mut studio = Bench::new(Keyring::default());
    let path = studio.folder.path().join("a.wav");
    studio.appender.begin(ID, leg(), "a.wav".into());
    studio.append(1000);
    studio.appender.free_bytes_min = u64::MAX;
    studio.append(2000);
    assert_eq!(margin::read(&path), [], "how long it is going to be is not known yet");
    studio.appender.free_bytes_min = 0;
    studio.append(3000);

    let noted = margin::read(&path);

    assert_eq!(studio.finish().gaps, noted);
    let ms = Duration::from_millis;
    assert_eq!((noted[0].from, noted[0].length, noted.len()), (ms(300), ms(300), 1));
}

#[test]
fn a_recording_is_made_durable_each_five_seconds() {
    let mut studio = Bench::new(Keyring::default());
    studio.appender.begin(ID, leg(), "a.wav".into());
    let mut synced = Vec::new();
    for n in 1..=60_u64 {
        studio.append(1000);
        let open = &studio.appender.open[&ID];
        if open.synced == Some(open.tape.frames()) {
            synced.push(300 * n);
        }
    }

    assert_eq!(synced, [5100, 10_200, 15_300], "milliseconds");
}

/// Issue 4, Show 2: what is on the disk, in each format, plain and encrypted, is what was said: its
/// level, no noise but that of G.711, every sample, both sides at the same place.
#[test]
fn every_format_keeps_what_was_said() {
    const TONE: f64 = 1004.0;
    let formats =
        [(RecordFormat::Pcm16, -80.0), (RecordFormat::Pcma, -36.0), (RecordFormat::Pcmu, -36.0)];
    for (record_format, noise_max) in formats {
        for keyring in [Keyring::default(), Keyring::of(keys())] {
            let encrypted = keyring.keys().is_some();
            let config = Config { record_format, ..Config::default() };
            let studio = Studio::with_keys(config, keyring.clone());
            let mut queue = studio.recordings.queue();
            let level = tone::peak(-10.0);
            let left: Vec<i16> = tone::Sine::new(TONE, level, RATE).take(80_000).collect();
            queue.begin(ID, leg(), "a.wav".into());
            for block in left.chunks(2400) {
                queue.samples(ID, block.iter().flat_map(|it| [*it, -*it]).collect());
            }
            queue.end(ID, None);
            let recorded = studio.recorded();

            let wav = exported(studio.folder.path(), keyring, &recorded.path);
            let what = format!("{record_format:?}, encrypted: {encrypted}");
            assert_eq!((wav.frames(), &recorded.gaps[..]), (80_000, &[][..]), "{what}");
            let heard = [wav.channel(0), wav.channel(1)];
            for channel in &heard {
                let found = tone::amplitude(&channel[..8000], TONE, RATE);
                let off = 20.0 * (found / f64::from(level)).log10();
                let pure = tone::purity(&channel[..8000], TONE, RATE);
                let noise = 10.0 * ((1.0 - pure).max(1e-12) / pure).log10();
                assert!(off.abs() < 0.2 && noise < noise_max, "{what}: {off:.2}, {noise:.1} dB");
            }
            let apart = heard[0].iter().zip(&heard[1]).map(|(one, other)| one + other);
            assert!(apart.map(i16::unsigned_abs).max() <= Some(512), "{what}: side by side");
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
    let mut queue = Queue::new(jobs, Arc::default());
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

/// Nothing of it reached the disk: that is a fault, not a recording of no length.
#[test]
fn a_recording_of_which_nothing_is_left_has_a_fault() {
    let mut studio = Bench::new(Keyring::default());
    studio.appender.begin(ID, leg(), "a.wav".into());
    studio.appender.lose(ID, 8000, TOO_SLOW);

    let recorded = studio.finish();

    assert_eq!((recorded.length, recorded.fault.as_deref()), (Duration::ZERO, Some(TOO_SLOW)));
    assert_eq!(recorded.gaps[0].length, Duration::from_secs(1));
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
            sync: Sync::start().unwrap().0,
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
        exported(self.folder.path(), keyring, path).channel(0)
    }
}

/// A recording as it is exported.
fn exported(folder: &Path, keyring: Keyring, path: &Path) -> Wav {
    let archive = Archive { folder: folder.to_owned(), keyring };
    let path = folder.join(path);
    let found = archive.inspect(&path).unwrap();
    let mut exported = Vec::new();
    let sink = |piece: Vec<u8>| {
        exported.extend(piece);
        true
    };
    archive.export(&path, &found, sink).unwrap();
    Wav::parse(&exported).unwrap()
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
