//! The keys of recordings while the node runs: read from their file, and again at each reload.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use thiserror::Error;

use crate::config::keys::{self, KeyFileError};
use crate::media::vault::{HEADER_BYTES, Keys, VaultError, is_encrypted};
use crate::shell::media::tape::{TapeError, reader_of};

/// The keys that hold at the moment, none if recordings are not encrypted; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// Where they are read from.
    path: Option<PathBuf>,
    keys: Arc<ArcSwapOption<Keys>>,
}

impl Keyring {
    /// Reads the file of keys, if there is to be one.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not what it should be.
    pub fn load(path: Option<&Path>) -> Result<Self, KeyFileError> {
        let keys = path.map(keys::read).transpose()?.map(Arc::new);
        let path = path.map(Path::to_owned);
        Ok(Self { path, keys: Arc::new(ArcSwapOption::new(keys)) })
    }

    /// These keys, from no file.
    pub fn of(keys: Keys) -> Self {
        Self { path: None, keys: Arc::new(ArcSwapOption::from_pointee(keys)) }
    }

    /// Reads the file again: do its keys fit those that hold, and the newest recording
    /// of the archive. Nothing changes yet.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not what it should be, or gives a key's name to another key. That a
    /// recording's key is gone is told in the log.
    pub fn read_again(&self, archive: &Path) -> Result<Fitting, ReloadError> {
        let Some(path) = &self.path else { return Ok(Fitting(None)) };
        let read = keys::read(path)?;
        if let Some(key) = self.keys().as_deref().and_then(|held| read.confused_with(held)) {
            return Err(ReloadError::Confused { name: key.name().to_owned() });
        }
        let ring = Self::of(read);
        match ring.check(archive) {
            Err(unfit) if unfit.is_confusion() => return Err(ReloadError::Unfit(unfit)),
            Err(unfit) => tracing::warn!(%unfit, "recordings of before cannot be read"),
            Ok(()) => {}
        }
        Ok(Fitting(ring.keys()))
    }

    /// The next recording is encrypted with the last of these keys.
    pub fn take(&self, Fitting(keys): Fitting) {
        if keys.is_some() {
            self.keys.store(keys);
        }
    }

    /// The keys that hold at this moment.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.load_full()
    }

    /// Whether the newest recording of the archive can be read with these keys: one that cannot
    /// tells of a file of keys that was mixed up. Gives the recording and what is wrong.
    ///
    /// # Errors
    ///
    /// If it cannot.
    pub fn check(&self, archive: &Path) -> Result<(), UnfitKeys> {
        let Some(path) = newest(archive) else { return Ok(()) };
        let mut begin = Vec::new();
        let file = fs::File::open(&path);
        let read = file.and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut begin));
        if read.is_err() || begin.len() < HEADER_BYTES || !is_encrypted(&begin) {
            return Ok(()); // nothing is known of it
        }
        let keys = self.keys();
        match reader_of(&begin, keys.as_deref()) {
            Ok(_) => Ok(()),
            Err(cause) => Err(UnfitKeys { path, cause }),
        }
    }
}

/// Keys that may take the place of those that hold; none if there are none to be.
#[derive(Debug)]
pub struct Fitting(Option<Arc<Keys>>);

/// Why keys stay as they are; reads as a sentence that helps.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error(
        "keys: `{name}` has its name still, but other bytes: recordings would not know which is \
         theirs; write the line back as it was, and add the new key with a name of its own"
    )]
    Confused { name: String },
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error("keys: {0}")]
    Unfit(UnfitKeys),
}

/// The newest recording cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {cause}", path = .path.display())]
pub struct UnfitKeys {
    path: PathBuf,
    pub cause: TapeError,
}

impl UnfitKeys {
    /// Whether the file's key has its name still, but other bytes: then two keys share a name.
    pub fn is_confusion(&self) -> bool {
        matches!(self.cause, TapeError::Vault(VaultError::OtherKey { .. }))
    }
}

/// The last encrypted recording of the last day; folders and files are named in the order of time.
fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    entries.into_iter().rev().find_map(|path| match path.is_dir() {
        true => newest(&path),
        false => path.extension().is_some_and(|ending| ending == "enc").then_some(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Format;
    use crate::shell::media::tape::Tape;

    #[test]
    fn keys_are_read_again_at_a_reload_and_kept_if_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, line("one", "11")).unwrap();
        let ring = Keyring::load(Some(&path)).unwrap();
        let other = ring.clone();

        fs::write(&path, format!("{}{}", line("one", "11"), line("two", "22"))).unwrap();
        ring.take(ring.read_again(folder.path()).unwrap());
        assert_eq!(other.keys().unwrap().newest().name(), "two");

        fs::write(&path, "nonsense").unwrap();
        assert!(ring.read_again(folder.path()).is_err());
        assert_eq!(other.keys().unwrap().newest().name(), "two");
        assert!(Keyring::load(Some(&path)).is_err());
        assert!(Keyring::load(None).unwrap().keys().is_none());
    }

    /// As at the start: a name that gets another key is refused, be the old one in memory or in the
    /// newest recording; one that is gone is not.
    #[test]
    fn a_name_does_not_get_another_key_at_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let archive = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, line("one", "11")).unwrap();
        let ring = Keyring::load(Some(&path)).unwrap();
        let other = Keyring::of(Keys::parse(&line("two", "22")).unwrap());
        let wav = archive.path().join("0a.wav.enc");
        Tape::create(&wav, Format::Pcm16, other.keys().as_deref()).unwrap();
        let reads = |text: String| {
            fs::write(&path, text).unwrap();
            ring.read_again(archive.path())
        };

        let changed = reads(line("one", "33")).unwrap_err();
        assert!(matches!(changed, ReloadError::Confused { .. }), "{changed}");
        assert!(changed.to_string().contains("`one` has its name still"), "{changed}");
        let unfit = reads(line("one", "11") + &line("two", "44")).unwrap_err();
        assert!(matches!(unfit, ReloadError::Unfit(_)), "{unfit}");
        assert!(reads(line("three", "55")).is_ok(), "what is gone may come back");
        let fitting = reads(line("one", "11") + &line("two", "22")).unwrap();
        assert_eq!(ring.keys().unwrap().newest().name(), "one");
        ring.take(fitting);
        assert_eq!(ring.keys().unwrap().newest().name(), "two");
    }

    #[test]
    fn keys_that_do_not_fit_the_newest_recording_are_told() {
        let archive = tempfile::tempdir().unwrap();
        let one = Keyring::of(Keys::parse(&line("one", "11")).unwrap());
        let mixed_up = Keyring::of(Keys::parse(&line("one", "22")).unwrap());
        let other = Keyring::of(Keys::parse(&line("two", "22")).unwrap());
        assert!(other.check(archive.path()).is_ok(), "there is nothing yet");
        for (day, keys) in [("01", &other), ("02", &one)] {
            let day = archive.path().join("2026/11").join(day);
            fs::create_dir_all(&day).unwrap();
            let path = day.join("0a.wav.enc");
            Tape::create(&path, Format::Pcm16, keys.keys().as_deref()).unwrap();
        }

        for beside in ["2026/11/02/0a.wav.gaps", "2026/11/02/zz-notes.txt", "zz/of-others"] {
            let path = archive.path().join(beside);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "no recording").unwrap();
        }

        assert!(one.check(archive.path()).is_ok());
        assert!(mixed_up.check(archive.path()).unwrap_err().is_confusion());
        assert!(!other.check(archive.path()).unwrap_err().is_confusion());
        let none = Keyring::default().check(archive.path()).unwrap_err();
        assert!(none.to_string().contains("02/0a.wav.enc: it is encrypted"), "{none}");
    }

    fn line(name: &str, byte: &str) -> String {
        format!("{name} {}\n", byte.repeat(32))
    }
}
