//! Reads complete recordings: compares them with their checksums, gives them as WAV or Ogg files.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::audio::g711;
use crate::audio::ogg_opus;
use crate::audio::wav::{self, Format};
use crate::media::vault::{Content, HEADER_BYTES, Layout, Piece, Reader, VaultError, is_encrypted};
use crate::shell::media::keyring::Keyring;
use crate::shell::media::opened::{ChunksEnd, Opened};
use crate::shell::media::tape::{TapeError, layout_of, next_piece, reader_of};

/// Where recordings lie, and what opens them; clones share the keys.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// The folder of recordings.
    pub folder: PathBuf,
    pub keyring: Keyring,
}

/// What a reading of a whole file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub content: Content,
    /// Samples of each channel that can be read; of an Ogg file, at `ogg_opus::CLOCK`.
    pub frames: u64,
    /// What `Archive::export` gives.
    pub export_bytes: u64,
    /// Of the file.
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
    pub damage: Option<Damage>,
}

/// What is wrong with a file, other than its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A chunk is not what was written there.
    Altered(VaultError),
    /// It has no end.
    Cut,
    /// Something follows its end.
    Longer,
    /// A page of an Ogg file is not what was written there.
    Page(u32),
}

impl Archive {
    /// The file that a record names: there, or if the archive was moved, at the same place in its
    /// folder.
    pub fn locate(&self, path: &str) -> PathBuf {
        let named = PathBuf::from(path);
        if named.exists() {
            return named;
        }
        let parts: Vec<_> = named.components().collect();
        let within: PathBuf = parts[parts.len().saturating_sub(PARTS)..].iter().collect();
        let moved = self.folder.join(within);
        if moved.exists() { moved } else { named }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no recording, or its key is not there.
    pub fn inspect(&self, path: &Path) -> Result<Inspected, TapeError> {
        let mut file = Hashing::new(BufReader::with_capacity(READ_BYTES, File::open(path)?));
        let begin = begin(&mut file)?;
        let keys = self.keyring.keys();
        let reader = match is_encrypted(&begin) {
            true => Some(reader_of(&begin, keys.as_deref())?),
            false => None,
        };
        let content = match &reader {
            Some(reader) => reader.content(),
            None if ogg_opus::is_ogg(&begin) => Content::Ogg,
            None => Content::Samples(layout_of(&begin).ok_or(TapeError::NotOurs)?),
        };
        let (frames, export_bytes, damage) = match (content, reader) {
            (Content::Ogg, reader) => look(begin, &mut file, reader)?,
            (Content::Samples(layout), Some(mut reader)) => {
                let damage = walk(&mut file, &mut reader)?;
                (reader.frames(), wav_bytes(layout, reader.frames()), damage)
            }
            (Content::Samples(layout), None) => {
                io::copy(&mut file, &mut io::sink())?;
                let frames = file.bytes.saturating_sub(head_bytes(layout)) / layout.frame_bytes();
                (frames, wav_bytes(layout, frames), None)
            }
        };
        io::copy(&mut file, &mut io::sink())?;
        let (bytes, sha256) = (file.bytes, hex::encode(file.hash.finalize()));
        Ok(Inspected { content, frames, export_bytes, bytes, sha256, damage })
    }

    /// The checksum of a file, whatever is in it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn checksum(&self, path: &Path) -> io::Result<String> {
        let mut file = Hashing::new(File::open(path)?);
        io::copy(&mut file, &mut io::sink())?;
        Ok(hex::encode(file.hash.finalize()))
    }

    /// Gives the file as a WAV or Ogg file, piece by piece, as much as `inspect` found; ends early
    /// when `sink` says false. The first piece of a WAV file is its header.
    ///
    /// # Errors
    ///
    /// As `inspect`.
    pub fn export(
        &self,
        path: &Path,
        found: &Inspected,
        mut sink: impl FnMut(Vec<u8>) -> bool,
    ) -> Result<(), TapeError> {
        let mut file = BufReader::with_capacity(READ_BYTES, File::open(path)?);
        let begin = begin(&mut file)?;
        let keys = self.keyring.keys();
        let reader = match is_encrypted(&begin) {
            true => Some(reader_of(&begin, keys.as_deref())?),
            false => None,
        };
        let Content::Samples(layout) = found.content else {
            return give(Opened::new(begin, file, reader).take(found.export_bytes), sink);
        };
        let header = header(layout, found.frames);
        let header_bytes = header.len() as u64;
        if !sink(header) {
            return Ok(());
        }
        let mut left = found.frames * layout.frame_bytes();
        let Some(mut reader) = reader else {
            file.seek(SeekFrom::Start(header_bytes))?;
            return give(file.take(left), sink);
        };
        let mut body = Vec::new();
        while left > 0 {
            let piece = match next_piece(&mut file, &mut reader, &mut body)? {
                Some(Piece::Samples(samples)) => samples.to_vec(),
                Some(Piece::Silence(frames)) => {
                    let bytes = frames.saturating_mul(layout.frame_bytes()).min(left);
                    left -= bytes;
                    if !silence(layout.format, bytes, &mut sink) {
                        return Ok(());
                    }
                    continue;
                }
                Some(Piece::End) | None => return Ok(()),
            };
            left = left.saturating_sub(piece.len() as u64);
            if !sink(piece) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Gives so many bytes of silence; false once `sink` wants no more.
fn silence(format: Format, mut bytes: u64, sink: &mut impl FnMut(Vec<u8>) -> bool) -> bool {
    let silent = match format {
        Format::Alaw => g711::alaw_encode(0),
        Format::Pcm16 => 0,
        Format::Ulaw => g711::ulaw_encode(0),
    };
    while bytes > 0 {
        let count = bytes.min(READ_BYTES as u64);
        bytes -= count;
        if !sink(vec![silent; count as usize]) {
            return false;
        }
    }
    true
}

impl Inspected {
    /// How long what can be read is, in milliseconds.
    pub fn length_ms(&self) -> u64 {
        let rate = match self.content {
            Content::Ogg => ogg_opus::CLOCK,
            Content::Samples(layout) => layout.rate,
        };
        1000 * self.frames / u64::from(rate)
    }
}

/// What an exported WAV file begins with.
fn header(layout: Layout, frames: u64) -> Vec<u8> {
    let Layout { format, channels, rate } = layout;
    wav::header(channels, rate, format, Some(frames * layout.frame_bytes()))
}

fn head_bytes(layout: Layout) -> u64 {
    header(layout, 0).len() as u64
}

fn wav_bytes(layout: Layout, frames: u64) -> u64 {
    head_bytes(layout) + frames * layout.frame_bytes()
}

/// Gives what is read, piece by piece.
fn give(mut file: impl Read, mut sink: impl FnMut(Vec<u8>) -> bool) -> Result<(), TapeError> {
    loop {
        let mut piece = Vec::with_capacity(READ_BYTES);
        (&mut file).take(READ_BYTES as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || !sink(piece) {
            return Ok(());
        }
    }
}

/// What can be read of an Ogg file: its ticks, its bytes, and what is wrong with it.
fn look(
    begin: Vec<u8>,
    file: &mut impl Read,
    reader: Option<Reader>,
) -> Result<(u64, u64, Option<Damage>), TapeError> {
    let is_encrypted = reader.is_some();
    let mut opened = Opened::new(begin, &mut *file, reader);
    let found = ogg_opus::look(&mut opened)?;
    let end = opened.end().cloned();
    let (ticks, bytes, wrong) = match found {
        Some(found) => (found.ticks, found.bytes, found.damage),
        None if is_encrypted => (0, 0, Some(ogg_opus::Damage::Cut)),
        None => return Err(TapeError::NotOurs),
    };
    let damage = match (end, wrong) {
        (Some(ChunksEnd::Altered(wrong)), _) => Some(Damage::Altered(wrong)),
        (_, Some(ogg_opus::Damage::Altered { page })) => Some(Damage::Page(page)),
        (Some(ChunksEnd::Cut), _) | (_, Some(ogg_opus::Damage::Cut)) => Some(Damage::Cut),
        (_, Some(ogg_opus::Damage::Longer)) => Some(Damage::Longer),
        (Some(ChunksEnd::Whole), None) if file.read(&mut [0])? > 0 => Some(Damage::Longer),
        (Some(ChunksEnd::Whole) | None, None) => None,
    };
    Ok((ticks, bytes, damage))
}

/// The first bytes of a file, as many as an encrypted one's header has if there are so many.
fn begin(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Reads chunks to the last one; what is wrong with the file if they do not end there.
fn walk(file: &mut impl Read, reader: &mut Reader) -> Result<Option<Damage>, TapeError> {
    let mut body = Vec::new();
    loop {
        match next_piece(file, reader, &mut body) {
            Ok(Some(Piece::Samples(_) | Piece::Silence(_))) => {}
            Ok(Some(Piece::End)) => {
                let is_longer = file.read(&mut [0])? > 0;
                return Ok(is_longer.then_some(Damage::Longer));
            }
            Ok(None) => return Ok(Some(Damage::Cut)),
            Err(TapeError::Vault(wrong)) => return Ok(Some(Damage::Altered(wrong))),
            Err(wrong) => return Err(wrong),
        }
    }
}

/// Counts and hashes what is read.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Year, month, day and name: what a recording's path has below the folder of all.
const PARTS: usize = 4;
const READ_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Wav;
    use crate::media::vault::Keys;
    use crate::shell::media::tape::Tape;
    use std::fs;

    #[test]
    fn what_was_recorded_is_exported_from_either_kind() {
        for (keys, format) in [
            (None, Format::Pcm16),
            (None, Format::Alaw),
            (Some(keys("11")), Format::Pcm16),
            (Some(keys("11")), Format::Ulaw),
        ] {
            let shelf = Shelf::new(keys, format);

            let found = shelf.inspect().unwrap();

            assert_eq!((found.frames, &found.damage), (3000, &None));
            assert_eq!((found.bytes, &found.sha256), (shelf.bytes, &shelf.sha256));
            assert_eq!(shelf.archive.checksum(&shelf.path).unwrap(), shelf.sha256);
            let exported = shelf.export(&found);
            assert_eq!(exported.len() as u64, found.export_bytes);
            let wav = Wav::parse(&exported).unwrap();
            assert_eq!((wav.format, wav.channels, wav.frames()), (format, 2, 3000));
            assert!(wav.channel(0).iter().all(|sample| sample.abs_diff(1000) < 40));
            assert!(wav.channel(1).iter().all(|sample| sample.abs_diff(-1000) < 40));
        }
    }

    #[test]
    fn damage_is_told_and_what_is_before_it_exported() {
        let shelf = Shelf::new(Some(keys("11")), Format::Pcm16);
        let whole = fs::read(&shelf.path).unwrap();
        let mut altered = whole.clone();
        altered[HEADER_BYTES + 2 * 4020 + 100] ^= 1;
        let longer = [&whole[..], b"x"].concat();
        for (bytes, damage, frames) in [
            (&whole[..whole.len() - 1], Damage::Cut, 3000),
            (&whole[..HEADER_BYTES + 5000], Damage::Cut, 1000),
            (&altered[..], Damage::Altered(VaultError::Forged { chunk: 2 }), 2000),
            (&longer[..], Damage::Longer, 3000),
        ] {
            fs::write(&shelf.path, bytes).unwrap();

            let found = shelf.inspect().unwrap();

            assert_eq!((found.damage.as_ref(), found.frames), (Some(&damage), frames));
            assert_ne!(found.sha256, shelf.sha256);
            assert_eq!(Wav::parse(&shelf.export(&found)).unwrap().frames() as u64, frames);
        }
    }

    #[test]
    fn without_its_key_nothing_is_read() {
        let mut shelf = Shelf::new(Some(keys("11")), Format::Pcm16);

        shelf.archive.keyring = Keyring::default();
        assert!(matches!(shelf.inspect(), Err(TapeError::NoKeys)));
        shelf.archive.keyring = Keyring::of(keys("22"));
        let other = Err(VaultError::OtherKey { name: "one".into() });
        assert_eq!(
            shelf.inspect().map_err(|wrong| match wrong {
                TapeError::Vault(wrong) => wrong,
                other => panic!("{other}"),
            }),
            other
        );
    }

    #[test]
    fn an_archive_that_was_moved_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive { folder: folder.path().to_owned(), keyring: Keyring::default() };
        let file = folder.path().join("2026/11/30/0a.wav");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();

        assert_eq!(archive.locate(&file.display().to_string()), file);
        assert_eq!(archive.locate("/var/lib/old/recordings/2026/11/30/0a.wav"), file);
        assert_eq!(archive.locate("/old/2026/11/30/0b.wav"), Path::new("/old/2026/11/30/0b.wav"));
    }

    struct Shelf {
        _folder: tempfile::TempDir,
        archive: Archive,
        path: PathBuf,
        bytes: u64,
        sha256: String,
    }

    impl Shelf {
        /// Three blocks of 1000 frames: 1000 on the left, -1000 on the right.
        fn new(keys: Option<Keys>, format: Format) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            let mut tape = Tape::create(&path, format, keys.as_ref()).unwrap();
            for _ in 0..3 {
                tape.append(&[1000, -1000].repeat(1000)).unwrap();
            }
            let (bytes, sha256) = tape.seal().unwrap();
            let keyring = keys.map(Keyring::of).unwrap_or_default();
            let archive = Archive { folder: folder.path().to_owned(), keyring };
            Self { _folder: folder, archive, path, bytes, sha256 }
        }

        fn inspect(&self) -> Result<Inspected, TapeError> {
            self.archive.inspect(&self.path)
        }

        fn export(&self, found: &Inspected) -> Vec<u8> {
            let mut exported = Vec::new();
            let sink = |piece: Vec<u8>| {
                exported.extend(piece);
                true
            };
            self.archive.export(&self.path, found, sink).unwrap();
            exported
        }
    }

    fn keys(byte: &str) -> Keys {
        Keys::parse(&format!("one {}", byte.repeat(32))).unwrap()
    }
}
