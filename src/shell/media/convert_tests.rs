//! Recordings that become Ogg/Opus, on disks that are full, and killed at every step.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::audio::tone::Sine;
use crate::audio::wav::Format;
use crate::cdr;
use crate::cdr::entry::{Direction, HungUpBy};
use crate::id::LegId;
use crate::media::vault::Keys;
use crate::shell::ledger::{Body, Node};
use crate::shell::media::keyring::Keyring;
use crate::shell::media::retention::written;
use crate::shell::media::tape::Tape;
use crate::time::Wall;
use crossbeam_channel::{Sender, bounded};

/// The WAV file goes, and what the ledger says of the Ogg file is so; encrypted ones stay so.
#[test]
fn a_recording_becomes_ogg_opus() {
    for (format, keys, ending) in [
        (Format::Pcm16, None, "opus"),
        (Format::Alaw, None, "opus"),
        (Format::Ulaw, Some(keys()), "opus.enc"),
    ] {
        let mut shelf = Shelf::new(format, keys, Config::default());
        let before = written(&shelf.wav).unwrap();

        assert_eq!(shelf.convert().unwrap(), Outcome::Done);

        assert_eq!(shelf.files(), [format!("0000000000000007.{ending}")]);
        let recording = shelf.recording();
        let copy = recording.converted.clone().unwrap();
        assert!(recording.path.contains(".wav") && !copy.kept);
        assert_eq!(copy.length_us, 3_000_000);
        let found = shelf.converter.archive.inspect(Path::new(&copy.path)).unwrap();
        assert_eq!((found.frames, found.damage), (3 * u64::from(CLOCK), None));
        assert_eq!((found.sha256, found.bytes), (copy.sha256, copy.bytes));
        assert_eq!(written(Path::new(&copy.path)), Some(before), "retention counts from its end");
        let bytes = fs::read(&copy.path).unwrap();
        assert_eq!(bytes.starts_with(b"OggS"), ending == "opus");
        let exported = shelf.exported(&copy.path);
        assert_eq!(exported.len() as u64, found.export_bytes);
        assert!(exported.starts_with(b"OggS"));
        assert_eq!(shelf.convert().unwrap(), Outcome::Left, "there is nothing left to do");
        assert_eq!(shelf.conversions(), 1);
    }
}

#[test]
fn the_original_stays_if_that_is_wanted() {
    let policy = Config { original_kept: true, ..Config::default() };
    let mut shelf = Shelf::new(Format::Pcm16, None, policy);

    assert_eq!(shelf.convert().unwrap(), Outcome::Done);

    assert_eq!(shelf.files(), ["0000000000000007.opus", "0000000000000007.wav"]);
    assert!(shelf.recording().converted.unwrap().kept);
    assert_eq!(shelf.convert().unwrap(), Outcome::Done);
    assert_eq!(shelf.conversions(), 1, "it is not done again");
}

/// kill -9 before each step, and at several places of the writing: whatever is there then can be
/// read, the ledger names nothing that is not there, and the next start ends the work.
#[test]
fn killed_at_any_step_it_goes_on() {
    use Step::{Append, Create, Examine, Finish, Mark, Note, Remove, Rename};
    for keys in [None, Some(keys())] {
        for (step, times) in [
            (Create, 1),
            (Append, 1),
            (Append, 2),
            (Append, 3),
            (Finish, 1),
            (Examine, 1),
            (Rename, 1),
            (Note, 1),
            (Mark, 1),
            (Remove, 1),
        ] {
            let mut shelf = Shelf::new(Format::Pcm16, keys.clone(), Config::default());
            let mut left = times;
            shelf.converter.before = Box::new(move |at| {
                left -= u32::from(at == step);
                assert!(left > 0, "killed");
                Ok(())
            });
            let killed = catch_unwind(AssertUnwindSafe(|| shelf.convert()));
            assert!(killed.is_err(), "{step:?}");

            let recording = shelf.recording();
            let archive = &shelf.converter.archive;
            assert_eq!(archive.inspect(&shelf.wav).unwrap().damage, None, "{step:?}");
            if let Some(copy) = &recording.converted {
                let found = archive.inspect(Path::new(&copy.path)).unwrap();
                assert_eq!(found.sha256, copy.sha256, "{step:?}");
            }
            let was_noted = recording.converted.is_some();
            assert_eq!(was_noted, matches!(step, Mark | Remove), "{step:?}");

            shelf.restart();
            assert_eq!(shelf.convert().unwrap(), Outcome::Done, "{step:?}");
            assert_eq!(shelf.files().len(), 1, "{step:?}: {:?}", shelf.files());
            let copy = shelf.recording().converted.unwrap();
            let found = shelf.converter.archive.inspect(Path::new(&copy.path)).unwrap();
            assert_eq!((found.sha256, found.damage), (copy.sha256, None), "{step:?}");
            assert_eq!(shelf.conversions(), 1, "{step:?}: told once");
        }
    }
}

/// A disk that is full, wherever it is noticed: the WAV file stays, and nothing else.
#[test]
fn on_a_full_disk_it_stays_as_it_was() {
    for step in [Step::Create, Step::Append, Step::Finish, Step::Rename, Step::Note] {
        let mut shelf = Shelf::new(Format::Pcm16, None, Config::default());
        shelf.converter.before = Box::new(move |at| match at == step {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        });

        assert!(matches!(shelf.convert(), Err(ConvertError::File(_))), "{step:?}");
        assert_eq!(shelf.files(), ["0000000000000007.wav"], "{step:?}");
        assert_eq!(shelf.recording().converted, None, "{step:?}");
        assert!(!shelf.converter.growing.contains(&shelf.wav), "{step:?}");
        shelf.converter.before = Box::new(|_| Ok(()));
        assert_eq!(shelf.convert().unwrap(), Outcome::Done, "{step:?}");
    }
    let mut shelf = Shelf::new(Format::Pcm16, None, Config::default());
    shelf.converter.free_bytes_min = u64::MAX;
    assert!(matches!(shelf.convert(), Err(ConvertError::NoRoom)));
    assert_eq!(shelf.files(), ["0000000000000007.wav"]);
}

/// What a thief or a fault changed must not become a recording that verifies.
#[test]
fn what_was_altered_is_not_converted() {
    for keys in [None, Some(keys())] {
        let mut shelf = Shelf::new(Format::Pcm16, keys, Config::default());
        let mut bytes = fs::read(&shelf.wav).unwrap();
        bytes[20_000] ^= 1;
        fs::write(&shelf.wav, bytes).unwrap();

        assert!(matches!(shelf.convert(), Err(ConvertError::Altered)));
        assert_eq!(shelf.files().len(), 1);
        assert_eq!(shelf.conversions(), 0);
    }
}

#[test]
fn it_waits_for_its_call_and_for_who_has_it() {
    let mut shelf = Shelf::going_on(Format::Pcm16, None, Config::default());
    assert_eq!(shelf.convert().unwrap(), Outcome::Later);
    shelf.end_call();
    assert!(shelf.converter.growing.claim(&shelf.wav));
    assert_eq!(shelf.convert().unwrap(), Outcome::Later);
    shelf.converter.growing.release(&shelf.wav);
    drop(shelf.stopper.take());
    assert!(matches!(shelf.convert(), Err(ConvertError::Stopped)));
    assert_eq!(shelf.files(), ["0000000000000007.wav"]);
    shelf.restart();
    assert_eq!(shelf.convert().unwrap(), Outcome::Done);
}

const WALL: Wall = Wall::from_micros(1_796_000_000_000_000);
const CALL: u64 = 7;

struct Shelf {
    folder: tempfile::TempDir,
    converter: Converter,
    stopper: Option<Sender<()>>,
    wav: PathBuf,
}

impl Shelf {
    /// A call that is over, with a recording of three seconds.
    fn new(format: Format, keys: Option<Keys>, policy: Config) -> Self {
        let mut shelf = Self::going_on(format, keys, policy);
        shelf.end_call();
        shelf
    }

    fn going_on(format: Format, keys: Option<Keys>, policy: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node { name: "hq", clock: Box::new(|| WALL), recorded: &mut |_| None };
        let path = folder.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path, &cdr::config::Config::default(), node).unwrap();
        let ending = if keys.is_some() { "wav.enc" } else { "wav" };
        let wav = folder.path().join("2026/11/30").join(format!("{CALL:016x}.{ending}"));
        fs::create_dir_all(wav.parent().unwrap()).unwrap();
        let mut tape = Tape::create(&wav, format, keys.as_ref()).unwrap();
        let sides = Sine::new(440.0, 7000, 8000).zip(Sine::new(1000.0, 7000, 8000));
        let samples: Vec<i16> = sides.take(24_000).flat_map(|(l, r)| [l, r]).collect();
        samples.chunks(4800).for_each(|block| tape.append(block).unwrap());
        let (bytes, sha256) = tape.seal().unwrap();
        let archive = Archive {
            folder: folder.path().to_owned(),
            keyring: keys.map(Keyring::of).unwrap_or_default(),
        };
        let (stopper, stop) = bounded(0);
        let policy = Config { convert_cpu_max: 100, ..policy };
        let growing = Growing::default();
        let clock = Clock::start();
        let before: Box<dyn FnMut(Step) -> io::Result<()> + Send> = Box::new(|_| Ok(()));
        let converter =
            Converter { archive, growing, ledger, clock, policy, free_bytes_min: 0, stop, before };
        let mut shelf = Self { folder, converter, stopper: Some(stopper), wav };
        let path = shelf.wav.display().to_string();
        shelf.tell(vec![
            Fact::Setup {
                direction: Direction::Internal,
                from: "1001".to_owned(),
                e164: None,
                name: None,
                extension: None,
                trunk: None,
                did: None,
                to: "1002".to_owned(),
                sip_call_id: String::new(),
                config: 1,
            },
            Fact::RecordingBegan { leg: leg(), path: path.clone() },
            Fact::RecordingEnded {
                leg: leg(),
                path,
                length_us: 3_000_000,
                bytes,
                sha256,
                fault: None,
                gaps: Vec::new(),
            },
        ]);
        shelf
    }

    fn end_call(&mut self) {
        let reason = "normal".to_owned();
        self.tell(vec![Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason }]);
    }

    fn tell(&mut self, facts: Vec<Fact>) {
        let call = Some(CallId::from_u64(CALL));
        let entries = facts.into_iter().map(|fact| Entry { at: WALL, call, fact }).collect();
        self.converter.ledger.append_blocking(entries).unwrap();
    }

    fn convert(&mut self) -> Result<Outcome, ConvertError> {
        let wav = self.wav.clone();
        self.converter.convert(&wav)
    }

    /// Another process on the same disk.
    fn restart(&mut self) {
        let (stopper, stop) = bounded(0);
        (self.stopper, self.converter.stop) = (Some(stopper), stop);
        self.converter.growing = Growing::default();
        self.converter.before = Box::new(|_| Ok(()));
    }

    fn recording(&self) -> Recording {
        let found = self.converter.ledger.record(CallId::from_u64(CALL)).unwrap();
        found.unwrap().1.recordings.remove(0)
    }

    fn exported(&self, path: &str) -> Vec<u8> {
        let archive = &self.converter.archive;
        let found = archive.inspect(Path::new(path)).unwrap();
        let mut bytes = Vec::new();
        let sink = |piece: Vec<u8>| {
            bytes.extend(piece);
            true
        };
        archive.export(Path::new(path), &found, sink).unwrap();
        bytes
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.wav.parent().unwrap()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        assert!(self.folder.path().exists());
        names
    }

    /// How often the ledger was told of one.
    fn conversions(&self) -> usize {
        let items = self.converter.ledger.page(1).unwrap().into_iter();
        let is_told = |body: &Body| {
            matches!(body, Body::Entry(Entry { fact: Fact::RecordingConverted { .. }, .. }))
        };
        items.filter(|item| is_told(&item.body)).count()
    }
}

fn leg() -> LegId {
    LegId { call: CallId::from_u64(CALL), index: 0 }
}

fn keys() -> Keys {
    Keys::parse(&format!("one {}", "1f".repeat(32))).unwrap()
}
