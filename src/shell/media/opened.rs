//! An Ogg/Opus recording as the bytes that a player wants, whether it is encrypted or not; and one
//! that is being written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::media::vault::{CHUNK_BYTES_MAX, Content, Keys, Piece, Reader, VaultError, Writer};
use crate::shell::media::tape::{TapeError, next_piece, salt};

/// Reads a file of which the first bytes were read already.
#[derive(Debug)]
pub struct Opened<R> {
    begin: Cursor<Vec<u8>>,
    file: R,
    vault: Option<Chunks>,
}

#[derive(Debug)]
struct Chunks {
    reader: Reader,
    /// The last chunk, decrypted, and what of it was not given yet.
    body: Vec<u8>,
    left: Range<usize>,
    end: Option<ChunksEnd>,
}

/// Where the chunks of an encrypted file end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunksEnd {
    Altered(VaultError),
    Cut,
    Whole,
}

impl<R: Read> Opened<R> {
    /// Goes on after `begin`. `reader` decrypts an encrypted file, whose header `begin` is.
    pub fn new(begin: Vec<u8>, file: R, reader: Option<Reader>) -> Self {
        let begin = if reader.is_some() { Vec::new() } else { begin };
        let vault = reader.map(|reader| Chunks { reader, body: Vec::new(), left: 0..0, end: None });
        Self { begin: Cursor::new(begin), file, vault }
    }

    /// How the chunks ended, if that was reached.
    pub fn end(&self) -> Option<&ChunksEnd> {
        self.vault.as_ref().and_then(|vault| vault.end.as_ref())
    }
}

impl Chunks {
    /// Decrypts the next chunk; false if there is none.
    fn fill(&mut self, file: &mut impl Read) -> io::Result<bool> {
        while self.left.is_empty() && self.end.is_none() {
            self.end = match next_piece(file, &mut self.reader, &mut self.body) {
                Ok(Some(Piece::Samples(bytes))) => {
                    self.left = 0..bytes.len();
                    None
                }
                Ok(Some(Piece::Silence(_))) => None, // an Ogg file has none
                Ok(Some(Piece::End)) => Some(ChunksEnd::Whole),
                Ok(None) => Some(ChunksEnd::Cut),
                Err(TapeError::Vault(wrong)) => Some(ChunksEnd::Altered(wrong)),
                Err(TapeError::File(error)) => return Err(error),
                Err(wrong) => return Err(io::Error::other(wrong)),
            };
        }
        Ok(!self.left.is_empty())
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(vault) = &mut self.vault else {
            return match self.begin.read(buffer)? {
                0 => self.file.read(buffer),
                count => Ok(count),
            };
        };
        if buffer.is_empty() || !vault.fill(&mut self.file)? {
            return Ok(0);
        }
        let count = buffer.len().min(vault.left.len());
        let from = vault.left.start;
        buffer[..count].copy_from_slice(&vault.body[from..from + count]);
        vault.left.start += count;
        Ok(count)
    }
}

/// Writes a new file, encrypted if there are keys.
#[derive(Debug)]
pub struct Fresh {
    file: File,
    vault: Option<Writer>,
    /// Bytes of the Ogg file.
    bytes: u64,
}

impl Fresh {
    /// Makes the file in the place of one that is there.
    ///
    /// # Errors
    ///
    /// If the disk refuses, or there is no chance for its key.
    pub fn create(path: &Path, keys: Option<&Keys>) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
        let vault = match keys {
            Some(keys) => Some(Writer::new(keys.newest(), salt()?, Content::Ogg)),
            None => None,
        };
        if let Some(vault) = &vault {
            file.write_all(vault.header())?;
        }
        Ok(Self { file, vault, bytes: 0 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// If the disk refuses; then the file is of no use any more.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(CHUNK_BYTES_MAX) {
            match &mut self.vault {
                Some(vault) => {
                    self.file.write_all(&vault.chunk(piece))?;
                    vault.written();
                }
                None => self.file.write_all(piece)?,
            }
            self.bytes += piece.len() as u64;
        }
        Ok(())
    }

    /// Completes the file and makes it durable.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(vault) = &self.vault {
            self.file.write_all(&vault.end(self.bytes))?;
        }
        self.file.sync_all()
    }
}
