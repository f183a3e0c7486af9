//! Removes recordings that are too old or too many; each is noted in the ledger before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use crossbeam_channel::Sender;

use crate::cdr::entry::{DeletedWhy, Entry, Fact};
use crate::id::CallId;
use crate::media::archive::{Filed, Retention, Why};
use crate::shell::ledger::{Ledger, LedgerError};
use crate::shell::media::margin;
use crate::time::{Duration, Instant, Wall};

/// The recordings that somebody works on: they are being written, converted or removed. Clones
/// share it; a recording is known by its file's name up to the first dot.
#[derive(Clone, Debug, Default)]
pub struct Growing {
    paths: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Told of those that were written to their end.
    finished: Option<Sender<PathBuf>>,
}

impl Growing {
    /// Tells `finished` of each recording that ends, as long as there is room.
    pub fn telling(finished: Sender<PathBuf>) -> Self {
        Self { paths: Arc::default(), finished: Some(finished) }
    }

    /// It is being written.
    pub fn begin(&self, path: &Path) {
        self.with(|paths| paths.insert(stem(path)));
    }

    /// It was written to its end.
    pub fn end(&self, path: &Path) {
        self.release(path);
        if let Some(finished) = &self.finished {
            _ = finished.try_send(path.to_owned()); // else it is found when the archive is walked
        }
    }

    /// Takes it, unless somebody else works on it.
    pub fn claim(&self, path: &Path) -> bool {
        self.with(|paths| paths.insert(stem(path)))
    }

    /// Gives it back.
    pub fn release(&self, path: &Path) {
        self.with(|paths| paths.remove(&stem(path)));
    }

    pub fn contains(&self, path: &Path) -> bool {
        self.with(|paths| paths.contains(&stem(path)))
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<PathBuf>) -> T) -> T {
        act(&mut self.paths.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What all files of a recording are called up to their endings.
pub fn stem(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.with_file_name(name.split('.').next().unwrap_or_default())
}

/// Where the Ogg/Opus file of a WAV file is.
pub fn ogg_of(wav: &Path) -> PathBuf {
    let ending = if wav.extension().is_some_and(|it| it == "enc") { "opus.enc" } else { "opus" };
    stem(wav).with_extension(ending)
}

/// Whether a file is named as a recording's WAV file.
pub fn is_wav(path: &Path) -> bool {
    is_recording(path, &[".wav", ".wav.enc"])
}

fn is_recording(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    call_of(path).is_some() && endings.iter().any(|ending| name.ends_with(ending))
}

/// Carries out a retention.
pub struct Sweeper {
    pub folder: PathBuf,
    pub growing: Growing,
    pub ledger: Ledger,
    pub retention: Retention,
    /// Files that could not be removed, and when to try again.
    stuck: BTreeMap<PathBuf, Instant>,
    /// Removes one file.
    remove: fn(&Path) -> io::Result<()>,
}

impl Sweeper {
    pub fn new(folder: PathBuf, growing: Growing, ledger: Ledger, retention: Retention) -> Self {
        let remove = |path: &Path| fs::remove_file(path);
        Self { folder, growing, ledger, retention, stuck: BTreeMap::new(), remove }
    }

    /// Removes what must go at this moment; how many files.
    ///
    /// # Errors
    ///
    /// If the ledger cannot note it: then they stay.
    pub async fn sweep(&mut self, now: Instant, wall: Wall) -> Result<usize, LedgerError> {
        if let Some(step) = self.retention.look(now, wall) {
            let seconds = step.as_secs();
            tracing::warn!(seconds, "the clock was set: no recording is too old for a while");
        }
        self.stuck.retain(|_, again| *again > now);
        let (folder, growing) = (self.folder.clone(), self.growing.clone());
        let listed = tokio::task::spawn_blocking(move || list(&folder, &growing)).await;
        let mut files = listed.unwrap_or_default();
        files.retain(|file| !self.stuck.contains_key(&file.path));
        let plan = self.retention.plan(&files);
        let mut removed = 0;
        for some in plan.chunks(AT_ONCE) {
            let claimed = |(file, _): &&(&Filed, Why)| self.growing.claim(&file.path);
            let some: Vec<(&Filed, Why)> = some.iter().filter(claimed).copied().collect();
            let noted = some.iter().map(|(file, why)| deleted(wall, file, *why)).collect();
            let noted = self.ledger.append_durably(noted).await;
            if noted.is_err() {
                some.iter().for_each(|(file, _)| self.growing.release(&file.path));
            }
            noted?;
            let paths = some.iter().map(|(file, _)| file.path.clone()).collect();
            let remove = self.remove;
            let outcomes = tokio::task::spawn_blocking(move || remove_all(paths, remove)).await;
            some.iter().for_each(|(file, _)| self.growing.release(&file.path));
            for (path, error) in outcomes.unwrap_or_default() {
                let Some(error) = error else {
                    removed += 1;
                    continue;
                };
                tracing::warn!(path = %path.display(), %error, "a recording cannot be removed");
                let (call, why) = (call_of(&path), error.to_string());
                let fact = Fact::RecordingKept { path: path.display().to_string(), why };
                self.ledger.append(Entry { at: wall, call, fact });
                self.stuck.insert(path, now + STUCK);
            }
        }
        Ok(removed)
    }
}

/// Removes files; each with what was wrong, if it is still there.
fn remove_all(
    paths: Vec<PathBuf>,
    remove: fn(&Path) -> io::Result<()>,
) -> Vec<(PathBuf, Option<io::Error>)> {
    let outcome = |path: PathBuf| {
        // What an Ogg file was made of goes first: the other way round it would be made again.
        let beside = ["wav", "wav.enc", "opus.part", "opus.enc.part"];
        let beside = beside.map(|ending| stem(&path).with_extension(ending));
        let others = beside.iter().filter(|other| **other != path);
        let removed = others.chain([&path]).try_for_each(|file| match remove(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => {
                margin::forget(file);
                Ok(())
            }
        });
        (path, removed.err())
    };
    paths.into_iter().map(outcome).collect()
}

fn deleted(at: Wall, file: &Filed, why: Why) -> Entry {
    let why = match why {
        Why::Age => DeletedWhy::Age,
        Why::Size => DeletedWhy::Size,
    };
    let (path, bytes) = (file.path.display().to_string(), file.bytes);
    Entry { at, call: call_of(&file.path), fact: Fact::RecordingDeleted { path, bytes, why } }
}

/// The call that a recording's file is named after.
pub fn call_of(path: &Path) -> Option<CallId> {
    path.file_name()?.to_str()?.get(..CALL_CHARACTERS)?.parse().ok()
}

/// Every recording below a folder: what is named and placed as one. A WAV file beside the Ogg file
/// that was made of it counts with that one.
fn list(folder: &Path, growing: &Growing) -> Vec<Filed> {
    let mut files = Vec::new();
    for day in days(folder) {
        let mut of_day: BTreeMap<PathBuf, Filed> = BTreeMap::new();
        let mut paths = entries(&day);
        paths.retain(|path| is_recording(path, &[".wav", ".wav.enc", ".opus", ".opus.enc"]));
        paths.sort(); // the Ogg file first
        for path in paths {
            let Some((bytes, written)) = sized(&path) else { continue };
            let grows = growing.contains(&path);
            let filed = Filed { path, bytes: 0, written, grows };
            let known = of_day.entry(stem(&filed.path)).or_insert(filed);
            known.bytes += bytes;
            known.written = known.written.min(written);
        }
        files.extend(of_day.into_values());
    }
    files
}

/// The folders of days below that of all recordings, the oldest first.
pub fn days(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let days = numbered(folder, 4).into_iter().flat_map(|year| numbered(&year, 2));
    days.flat_map(|month| numbered(&month, 2))
}

/// When a file was last written; `None` if there is none.
pub fn written(path: &Path) -> Option<Wall> {
    sized(path).map(|(_, written)| written)
}

fn sized(path: &Path) -> Option<(u64, Wall)> {
    let file = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let since_1970 = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let written = i64::try_from(since_1970.as_micros()).ok()?;
    Some((file.len(), Wall::from_micros(written)))
}

/// The folders inside another that are named by so many digits, in their order.
fn numbered(folder: &Path, digits: usize) -> Vec<PathBuf> {
    let is_numbered = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == digits && name.bytes().all(|byte| byte.is_ascii_digit()) && path.is_dir()
    };
    let mut folders: Vec<PathBuf> = entries(folder).into_iter().filter(is_numbered).collect();
    folders.sort();
    folders
}

/// What lies in a folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// How often the archive is looked through.
pub const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Recordings noted in one go, and then removed.
const AT_ONCE: usize = 100;
/// How long a file is left alone that could not be removed.
const STUCK: Duration = Duration::from_secs(86_400);
/// Of a call's id, with which the names of files begin.
const CALL_CHARACTERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr;
    use crate::media::archive::Config;
    use crate::shell::ledger::{Body, Node};

    /// REC-2: the ledger knows what is gone and why; what is being written stays, as does what is
    /// none of ours.
    #[tokio::test]
    async fn what_must_go_is_noted_and_removed() {
        let mut shelf = Shelf::new("size_max = \"2MiB\"");
        let day = shelf.folder.path().join("2026/11/30");
        for name in ["1", "2", "3", "4"] {
            shelf.file(&format!("2026/11/30/000000000000000{name}.wav"));
        }
        shelf.file("2026/11/30/notes.wav");
        shelf.file("other/0000000000000009.wav");
        shelf.sweeper.growing.begin(&day.join("0000000000000001.wav"));

        let removed = shelf.sweeper.sweep(Instant::START, WALL).await.unwrap();

        assert_eq!(removed, 2);
        let left = ["0000000000000001.wav", "0000000000000004.wav", "notes.wav"];
        assert_eq!(shelf.names("2026/11/30"), left);
        assert_eq!(shelf.names("other"), ["0000000000000009.wav"]);
        let facts = shelf.facts();
        let gone = |n: u64| {
            let path = day.join(format!("{n:016}.wav")).display().to_string();
            let fact = Fact::RecordingDeleted { path, bytes: 1 << 20, why: DeletedWhy::Size };
            Entry { at: WALL, call: Some(CallId::from_u64(n)), fact }
        };
        assert_eq!(facts, [gone(2), gone(3)]);
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_told_once_and_left_alone_for_a_day() {
        let mut shelf = Shelf::new("size_max = \"1MiB\"");
        shelf.file("2026/11/30/0000000000000001.wav");
        shelf.file("2026/11/30/0000000000000002.wav");
        shelf.sweeper.remove = |_| Err(io::ErrorKind::ReadOnlyFilesystem.into());

        let hour = Duration::from_secs(3600);
        for hours in 0..24 {
            let (now, wall) = (Instant::START + hours * hour, WALL + hours * hour);
            assert_eq!(shelf.sweeper.sweep(now, wall).await.unwrap(), 0);
        }
        while shelf.facts().len() < 2 {
            tokio::task::yield_now().await; // the second is noted without waiting for it
        }
        let [deleted, kept] = &shelf.facts()[..] else { panic!("{:?}", shelf.facts()) };
        assert!(matches!(deleted.fact, Fact::RecordingDeleted { .. }));
        let Fact::RecordingKept { path, why } = &kept.fact else { panic!("{kept:?}") };
        assert!(path.ends_with("0000000000000001.wav") && why.contains("read-only"), "{why}");
        assert_eq!(kept.call, Some(CallId::from_u64(1)));

        shelf.sweeper.remove = |path| fs::remove_file(path);
        let (now, wall) = (Instant::START + 24 * hour, WALL + 24 * hour);
        assert_eq!(shelf.sweeper.sweep(now, wall).await.unwrap(), 1);
        assert_eq!(shelf.names("2026/11/30"), ["0000000000000002.wav"]);
    }

    /// An Ogg file and what it was made of are one recording, as old as the older of them; who is
    /// at work on it is left alone.
    #[tokio::test]
    async fn a_converted_recording_goes_with_its_original() {
        let mut shelf = Shelf::new("size_max = \"2MiB\"");
        for name in ["1.wav", "2.wav.enc", "3.opus", "1.opus", "2.opus.enc", "1.opus.part"] {
            shelf.file(&format!("2026/11/30/000000000000000{name}"));
        }
        let path = |name| shelf.folder.path().join("2026/11/30").join(name);
        let first = path("0000000000000001.wav");
        assert!(shelf.sweeper.growing.claim(&first));

        assert_eq!(shelf.sweeper.sweep(Instant::START, WALL).await.unwrap(), 2);
        assert_eq!(shelf.names("2026/11/30").len(), 3, "{:?}", shelf.names("2026/11/30"));
        shelf.sweeper.growing.release(&first);
        shelf.file("2026/11/30/0000000000000004.wav");
        assert_eq!(shelf.sweeper.sweep(Instant::START, WALL).await.unwrap(), 1);

        assert_eq!(shelf.names("2026/11/30"), ["0000000000000004.wav"]);
        let facts = shelf.facts();
        let gone: Vec<_> = facts.iter().map(|entry| entry.call.unwrap().as_u64()).collect();
        assert_eq!(gone, [2, 3, 1]);
        let Fact::RecordingDeleted { path, bytes, .. } = &facts[2].fact else { panic!() };
        assert!(path.ends_with("0000000000000001.opus"), "{path}");
        assert_eq!(*bytes, 2 << 20);
    }

    #[tokio::test]
    async fn nothing_goes_that_cannot_be_noted() {
        let mut shelf = Shelf::new("size_max = \"1MiB\"");
        shelf.file("2026/11/30/0000000000000001.wav");
        shelf.file("2026/11/30/0000000000000002.wav");
        shelf.sweeper.ledger.close();

        assert!(shelf.sweeper.sweep(Instant::START, WALL).await.is_err());
        assert_eq!(shelf.names("2026/11/30").len(), 2);
    }

    const WALL: Wall = Wall::from_micros(1_796_000_000_000_000);

    struct Shelf {
        folder: tempfile::TempDir,
        sweeper: Sweeper,
        files: u64,
    }

    impl Shelf {
        fn new(config: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let node = Node { name: "hq", clock: Box::new(|| WALL), recorded: &mut |_| None };
            let path = folder.path().join("ledger.sqlite");
            let ledger = Ledger::open(&path, &cdr::config::Config::default(), node).unwrap();
            let config: Config = toml::from_str(config).unwrap();
            let retention = Retention::new(&config, Instant::START, WALL, None);
            let place = folder.path().to_owned();
            let sweeper = Sweeper::new(place, Growing::default(), ledger, retention);
            Self { folder, sweeper, files: 0 }
        }

        /// A MiB, each file a second younger than the one before.
        fn file(&mut self, path: &str) {
            self.files += 1;
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![0; 1 << 20]).unwrap();
            let second = UNIX_EPOCH + Duration::from_secs(1_795_000_000 + self.files);
            fs::File::options().write(true).open(path).unwrap().set_modified(second).unwrap();
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let names = entries(&self.folder.path().join(folder)).into_iter();
            let mut names: Vec<String> = names
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }

        fn facts(&self) -> Vec<Entry> {
            let items = self.sweeper.ledger.page(1).unwrap().into_iter();
            items
                .filter_map(|item| match item.body {
                    Body::Entry(entry) => Some(entry),
                    Body::Record(_) => None,
                })
                .collect()
        }
    }
}
