//! Removes recordings that are too old or too many; each is noted in the ledger before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use crate::cdr::entry::{DeletedWhy, Entry, Fact};
use crate::id::CallId;
use crate::media::archive::{Filed, Retention, Why};
use crate::shell::ledger::{Ledger, LedgerError};
use crate::shell::media::margin;
use crate::time::{Duration, Instant, Wall};

/// The recordings that are being written; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Growing(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Growing {
    pub fn begin(&self, path: PathBuf) {
        self.with(|paths| paths.insert(path));
    }

    pub fn end(&self, path: &Path) {
        self.with(|paths| paths.remove(path));
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<PathBuf>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
            let noted = some.iter().map(|(file, why)| deleted(wall, file, *why)).collect();
            self.ledger.append_durably(noted).await?;
            let paths = some.iter().map(|(file, _)| file.path.clone()).collect();
            let remove = self.remove;
            let outcomes = tokio::task::spawn_blocking(move || remove_all(paths, remove)).await;
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
    let outcome = |path: PathBuf| match remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => (path, Some(error)),
        Ok(()) | Err(_) => {
            margin::forget(&path);
            (path, None)
        }
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
fn call_of(path: &Path) -> Option<CallId> {
    path.file_name()?.to_str()?.get(..CALL_CHARACTERS)?.parse().ok()
}

/// Every recording below a folder: what is named and placed as one.
fn list(folder: &Path, growing: &Growing) -> Vec<Filed> {
    let days = numbered(folder, 4).into_iter().flat_map(|year| numbered(&year, 2));
    let days = days.flat_map(|month| numbered(&month, 2));
    let growing = growing.with(|paths| paths.clone());
    days.flat_map(|day| entries(&day))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            call_of(path).is_some() && (name.ends_with(".wav") || name.ends_with(".wav.enc"))
        })
        .filter_map(|path| {
            let file = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
            let since_1970 = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let written = i64::try_from(since_1970.as_micros()).ok()?;
            let grows = growing.contains(&path);
            Some(Filed { path, bytes: file.len(), written: Wall::from_micros(written), grows })
        })
        .collect()
}

/// The folders inside another that are named by so many digits.
fn numbered(folder: &Path, digits: usize) -> Vec<PathBuf> {
    let is_numbered = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == digits && name.bytes().all(|byte| byte.is_ascii_digit()) && path.is_dir()
    };
    entries(folder).into_iter().filter(is_numbered).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
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
        shelf.sweeper.growing.begin(day.join("0000000000000001.wav"));

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
