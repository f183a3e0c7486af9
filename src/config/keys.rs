//! The file of keys that recordings are encrypted with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::config::problem::{Finding, error, warning};
use crate::media::vault::{Keys, KeysError};

/// Why a file of keys cannot be used; reads as a sentence that helps.
#[derive(Debug, Error)]
pub enum KeyFileError {
    #[error("`{path}` cannot be read: {source}; make it readable", path = .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is no file of keys: {source}", path = .path.display())]
    Keys { path: PathBuf, source: KeysError },
    #[error(
        "`{path}` is longer than {FILE_BYTES_MAX} bytes; write keys alone",
        path = .path.display()
    )]
    Long { path: PathBuf },
}

/// Reads a file of keys.
///
/// # Errors
///
/// If it cannot be read, or is not what it should be.
pub fn read(path: &Path) -> Result<Keys, KeyFileError> {
    let wrong = |source| KeyFileError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(wrong)?.len() > FILE_BYTES_MAX {
        return Err(KeyFileError::Long { path: path.to_owned() });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(wrong)?);
    Keys::parse(&text).map_err(|source| KeyFileError::Keys { path: path.to_owned(), source })
}

/// What is wrong with the file of keys, if there is to be one.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let Some(path) = &config.recordings.keys else { return Vec::new() };
    let key = ["recordings", "keys"];
    if let Err(wrong) = read(path) {
        return vec![error(&key, wrong.to_string())];
    }
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if mode & 0o007 == 0 {
        return Vec::new();
    }
    let text = "every user of this machine can read the keys; `chmod 600` the file";
    vec![warning(&key, text)]
}

/// The longest file of keys.
const FILE_BYTES_MAX: u64 = 1 << 20;
