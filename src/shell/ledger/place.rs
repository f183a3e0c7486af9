//! Where the ledger's file lies, and whether it still lies there.
//!
//! SQLite in WAL mode goes on writing to a file that was deleted or moved, and says nothing: all of
//! it would be gone with the process.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::LedgerError;

/// A path, and the file that it led to when the ledger was opened.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Place {
    /// The place of an open ledger.
    ///
    /// # Errors
    ///
    /// If there is nothing at `path`.
    pub fn of(path: &Path) -> Result<Self, LedgerError> {
        let file = file_at(path).map_err(|error| LedgerError::file(path, error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// # Errors
    ///
    /// If the path leads nowhere or to another file.
    pub fn check(&self) -> Result<(), LedgerError> {
        match file_at(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(LedgerError::Replaced { path: self.path.clone() }),
            Err(error) => Err(LedgerError::file(&self.path, error)),
        }
    }
}

fn file_at(path: &Path) -> std::io::Result<(u64, u64)> {
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}
