//! Prompts from the admin's folder or, failing that, from the binary.
//!
//! A thread of its own reads and decodes; media threads look into a table that never makes them
//! wait. A file that was changed, added or removed is noticed within two seconds.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use include_dir::{Dir, include_dir};

use crate::id::PromptId;
use crate::media::prompt::{Found, Library, Prompt};
use crate::time::Duration;

/// What ships in the binary: `LOCALE/NAME.wav` and `NAME.wav`.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/prompts");

/// Where prompts are looked for, and how many bytes of them are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The admin's folder; it need not exist.
    pub folder: PathBuf,
    /// Such as `zh-CN`: the subfolder that is looked into first.
    pub locale: String,
    /// Memory for decoded prompts.
    pub bytes_max: u64,
}

impl Source {
    /// Whether a prompt of that name exists, in the folder or built in: for checks of a
    /// configuration. Does not look whether it can be played.
    pub fn has(&self, id: &PromptId) -> bool {
        !matches!(self.locate(id), Place::Nowhere)
    }

    fn locate(&self, id: &PromptId) -> Place {
        if !is_plain(id.as_str()) {
            return Place::Nowhere;
        }
        let name = format!("{id}.wav");
        for path in [self.folder.join(&self.locale).join(&name), self.folder.join(&name)] {
            match fs::metadata(&path) {
                Ok(file) if file.is_file() => {
                    return Place::File { path, bytes: file.len(), changed: file.modified().ok() };
                }
                Ok(_) | Err(_) => {}
            }
        }
        let built_in = |path: &Path| BUILT_IN.get_file(path).is_some();
        [Path::new(&self.locale).join(&name), PathBuf::from(&name), Path::new(FALLBACK).join(&name)]
            .into_iter()
            .find(|path| built_in(path))
            .map_or(Place::Nowhere, Place::BuiltIn)
    }
}

/// Where a prompt's bytes are; another value means other bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    BuiltIn(PathBuf),
    File { path: PathBuf, bytes: u64, changed: Option<SystemTime> },
    Nowhere,
}

impl Place {
    fn read(&self) -> Result<Prompt, String> {
        let bytes = match self {
            Self::BuiltIn(path) => {
                let file = BUILT_IN.get_file(path).ok_or("there is no such prompt")?;
                return Prompt::from_wav(file.contents()).map_err(|error| error.to_string());
            }
            Self::File { bytes, .. } if *bytes > FILE_BYTES_MAX => {
                return Err(format!("{bytes} bytes are too many"));
            }
            Self::File { path, .. } => fs::read(path).map_err(|error| error.to_string())?,
            Self::Nowhere => return Err("there is no such prompt".into()),
        };
        Prompt::from_wav(&bytes).map_err(|error| error.to_string())
    }
}

/// A name that stays within its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || "-_.+ ".contains(c))
}

/// The prompts at hand; shared by all media threads.
#[derive(Clone, Debug)]
pub struct Prompts {
    table: Arc<ArcSwap<Table>>,
    /// Counts what was looked for: says which prompt was not heard for longest.
    looks: Arc<AtomicU64>,
    wanted: Sender<PromptId>,
}

type Table = HashMap<PromptId, Arc<Entry>>;

#[derive(Debug)]
struct Entry {
    place: Place,
    prompt: Option<Arc<Prompt>>,
    looked_at: AtomicU64,
}

impl Library for Prompts {
    fn find(&self, id: &PromptId) -> Found {
        match self.table.load().get(id) {
            Some(entry) => {
                // Counts and their order in time: pairs with nothing but themselves.
                let look = self.looks.fetch_add(1, Ordering::Relaxed);
                entry.looked_at.store(look, Ordering::Relaxed);
                entry.prompt.as_ref().map_or(Found::Missing, |it| Found::Ready(Arc::clone(it)))
            }
            None => {
                drop(self.wanted.try_send(id.clone())); // no room: it is asked for again
                Found::Loading
            }
        }
    }
}

impl Prompts {
    /// Starts the thread that reads prompts; it ends when the last `Prompts` is gone.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(source: Source) -> io::Result<(Self, JoinHandle<()>)> {
        let (wanted, asked) = bounded(WANTED_MAX);
        let table = Arc::new(ArcSwap::from_pointee(Table::new()));
        let prompts = Self { table: Arc::clone(&table), looks: Arc::default(), wanted };
        let reader = Reader { source, table };
        let thread = thread::Builder::new().name("prompts".into());
        Ok((prompts, thread.spawn(move || reader.run(&asked))?))
    }
}

/// The only writer of the table.
struct Reader {
    source: Source,
    table: Arc<ArcSwap<Table>>,
}

impl Reader {
    fn run(&self, asked: &Receiver<PromptId>) {
        loop {
            match asked.recv_timeout(CHECK_EVERY) {
                Ok(id) => {
                    if !self.table.load().contains_key(&id) {
                        self.read(&id);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.refresh(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn read(&self, id: &PromptId) {
        let place = self.source.locate(id);
        let prompt = match place.read() {
            Ok(prompt) => Some(Arc::new(prompt)),
            Err(error) => {
                tracing::warn!(prompt = %id, %error, "a prompt cannot be played");
                None
            }
        };
        let before = self.table.load().get(id).map(|entry| entry.looked_at.load(Ordering::Relaxed));
        let looked_at = AtomicU64::new(before.unwrap_or(u64::MAX));
        let mut table = Table::clone(&self.table.load());
        table.insert(id.clone(), Arc::new(Entry { place, prompt, looked_at }));
        make_room(&mut table, self.source.bytes_max);
        self.table.store(Arc::new(table));
    }

    /// Reads again what has another place, size or time than when it was read.
    fn refresh(&self) {
        let table = self.table.load_full();
        for (id, entry) in &*table {
            if self.source.locate(id) != entry.place {
                self.read(id);
            }
        }
    }
}

/// Drops the prompts that were not looked for during the longest time.
fn make_room(table: &mut Table, bytes_max: u64) {
    let bytes_of = |entry: &Entry| entry.prompt.as_ref().map_or(0, |it| it.bytes() as u64);
    let mut bytes: u64 = table.values().map(|entry| bytes_of(entry)).sum();
    while table.len() > 1 && (bytes > bytes_max || table.len() > ENTRIES_MAX) {
        let oldest = table
            .iter()
            .min_by_key(|(_, entry)| entry.looked_at.load(Ordering::Relaxed))
            .map(|(id, _)| id.clone());
        let Some(entry) = oldest.and_then(|id| table.remove(&id)) else { return };
        bytes -= bytes_of(&entry);
    }
}

/// Where the built-in prompts of a locale that has none come from.
const FALLBACK: &str = "en-US";
/// How often files are looked at for changes.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Prompts that may wait to be read; one that finds no room is asked for again.
const WANTED_MAX: usize = 256;
/// Names that are remembered, with those that have no file.
const ENTRIES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::{self, Format};

    #[test]
    fn the_locale_comes_before_the_folder() {
        let shelf = Shelf::new();
        shelf.put("zh-CN/both.wav", 1);
        shelf.put("both.wav", 2);
        shelf.put("plain.wav", 3);

        assert_eq!(shelf.first_sample("both"), Some(1));
        assert_eq!(shelf.first_sample("plain"), Some(3));
        assert_eq!(shelf.first_sample("neither"), None);
    }

    #[test]
    fn a_changed_added_or_removed_file_is_noticed() {
        let shelf = Shelf::new();
        shelf.put("a.wav", 1);
        assert_eq!(shelf.first_sample("a"), Some(1));
        assert_eq!(shelf.first_sample("b"), None);

        shelf.put("zh-CN/a.wav", 2);
        shelf.put("b.wav", 3);
        shelf.reader.refresh();
        assert_eq!(shelf.first_sample("a"), Some(2));
        assert_eq!(shelf.first_sample("b"), Some(3));

        fs::remove_file(shelf.folder.path().join("b.wav")).unwrap();
        shelf.reader.refresh();
        assert_eq!(shelf.first_sample("b"), None);
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        let shelf = Shelf::new();
        shelf.put("secret.wav", 1);
        for name in ["../secret", "/etc/passwd", "zh-CN/../secret", "..", "", ".hidden", "a\0b"] {
            assert_eq!(shelf.first_sample(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_audio_is_missing() {
        let shelf = Shelf::new();
        fs::write(shelf.folder.path().join("text.wav"), "no audio").unwrap();
        fs::create_dir(shelf.folder.path().join("folder.wav")).unwrap();

        assert_eq!(shelf.first_sample("text"), None);
        assert_eq!(shelf.first_sample("folder"), None);
    }

    #[test]
    fn memory_is_bounded_and_the_least_heard_makes_room() {
        let mut shelf = Shelf::new();
        shelf.reader.source.bytes_max = 500; // two prompts of 100 samples
        for name in ["a", "b", "c"] {
            shelf.put(&format!("{name}.wav"), 1);
        }
        shelf.first_sample("a");
        shelf.first_sample("b");
        shelf.first_sample("a");
        shelf.first_sample("c");

        let table = shelf.reader.table.load();
        assert!(!table.contains_key("b") && table.contains_key("a") && table.contains_key("c"));
    }

    #[test]
    fn a_running_reader_answers() {
        let shelf = Shelf::new();
        shelf.put("a.wav", 5);
        let (prompts, thread) = Prompts::start(shelf.reader.source.clone()).unwrap();

        while matches!(prompts.find(&"a".into()), Found::Loading) {
            thread::yield_now();
        }

        assert!(matches!(prompts.find(&"a".into()), Found::Ready(_)));
        drop(prompts);
        thread.join().unwrap();
    }

    struct Shelf {
        folder: tempfile::TempDir,
        prompts: Prompts,
        reader: Reader,
        _asked: Receiver<PromptId>,
    }

    impl Shelf {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("zh-CN")).unwrap();
            let source = Source {
                folder: folder.path().to_owned(),
                locale: "zh-CN".into(),
                bytes_max: 1 << 20,
            };
            let (wanted, asked) = bounded(10);
            let table = Arc::new(ArcSwap::from_pointee(Table::new()));
            let prompts = Prompts { table: Arc::clone(&table), looks: Arc::default(), wanted };
            Self { folder, prompts, reader: Reader { source, table }, _asked: asked }
        }

        fn put(&self, path: &str, sample: i16) {
            let mut bytes = wav::header(1, 8000, Format::Pcm16, None);
            bytes.extend([sample; 100].iter().flat_map(|sample| sample.to_le_bytes()));
            fs::write(self.folder.path().join(path), bytes).unwrap();
        }

        fn first_sample(&self, name: &str) -> Option<i16> {
            let id = PromptId::from(name);
            if matches!(self.prompts.find(&id), Found::Loading) {
                self.reader.read(&id);
            }
            match self.prompts.find(&id) {
                Found::Ready(prompt) => Some(prompt.samples[0]),
                Found::Missing => None,
                Found::Loading => panic!("it was read"),
            }
        }
    }
}
