//! One recording's file: appended to, completed, or taken up after its process was killed.
//!
//! A plain file is a WAV file at every moment: its header says "as long as the file" until the
//! length is known. An encrypted one is a row of chunks, each readable once it is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::audio::g711;
use crate::audio::wav::{self, Format, is_filled};
use crate::media::recorder::RATE;
use crate::media::vault::{
    CHUNK_BYTES_MAX, Content, HEAD_BYTES, HEADER_BYTES, Keys, Layout, Piece, Reader, SALT_BYTES,
    VaultError, Writer, is_encrypted,
};
use crate::shell::entropy;
use crate::time::Duration;

/// A recording's file that grows.
#[derive(Debug)]
pub struct Tape {
    file: File,
    layout: Layout,
    /// Encrypts it; none if it is plain.
    vault: Option<Writer>,
    /// Samples of each channel that the file has.
    frames: u64,
    /// Bytes of the file that are whole.
    bytes: u64,
    /// What could not be written, and how many frames it is: written again as it is, for no other
    /// samples may be encrypted in its place.
    owed: Option<(Vec<u8>, u64)>,
}

/// Why a recording's file cannot be read, or not to its end.
#[derive(Debug, Error)]
pub enum TapeError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("it is no recording")]
    NotOurs,
    #[error("it is encrypted, and there are no keys; name their file in [recordings] keys")]
    NoKeys,
    #[error("{0}")]
    Vault(#[from] VaultError),
}

impl Tape {
    /// Makes the file, in a folder that is there; encrypted with the newest of the keys if there
    /// are any.
    ///
    /// # Errors
    ///
    /// If the file is there already, cannot be written, or there is no chance for its key.
    pub fn create(path: &Path, format: Format, keys: Option<&Keys>) -> io::Result<Self> {
        let layout = Layout { format, channels: CHANNELS, rate: RATE };
        let vault = match keys {
            Some(keys) => Some(Writer::new(keys.newest(), salt()?, Content::Samples(layout))),
            None => None,
        };
        // Readable too: it is read through the same handle for its checksum.
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(0o640).open(path)?;
        let header = match &vault {
            Some(vault) => vault.header().to_vec(),
            None => wav::header(CHANNELS, RATE, format, None),
        };
        if let Err(error) = file.write_all(&header) {
            let _ = fs::remove_file(path); // an empty file is no recording
            return Err(error);
        }
        Ok(Self { file, layout, vault, frames: 0, bytes: header.len() as u64, owed: None })
    }

    /// Appends interleaved samples, at most `FRAMES_MAX` of each channel.
    ///
    /// # Errors
    ///
    /// If the disk refuses: then these samples are kept, and written with the next ones, or, if
    /// there are some already, dropped.
    pub fn append(&mut self, block: &[i16]) -> io::Result<()> {
        self.settle()?;
        let samples = encode(self.layout.format, block);
        let bytes = match &self.vault {
            Some(vault) => vault.chunk(&samples),
            None => samples,
        };
        self.write(bytes, block.len() as u64 / u64::from(CHANNELS))
    }

    /// Appends silence in the place of samples that were lost, as much of it as can be written at
    /// once.
    ///
    /// # Errors
    ///
    /// As `append`.
    pub fn append_silence(&mut self, frames: u64) -> io::Result<()> {
        self.settle()?;
        if let Some(vault) = &self.vault {
            return self.write(vault.silence(frames), frames);
        }
        let frames = frames.min(SILENCE_MAX);
        if self.layout.format == Format::Pcm16 {
            // Zeros, which the disk need not have.
            let bytes = self.bytes + frames * self.layout.frame_bytes();
            self.file.set_len(bytes)?;
            self.file.seek(SeekFrom::Start(bytes))?;
            (self.bytes, self.frames) = (bytes, self.frames + frames);
            return Ok(());
        }
        let samples = vec![0; (frames * u64::from(CHANNELS)) as usize];
        self.write(encode(self.layout.format, &samples), frames)
    }

    /// Samples of each channel that the next writing begins with.
    pub fn owed_frames(&self) -> u64 {
        self.owed.as_ref().map_or(0, |(_, frames)| *frames)
    }

    /// Writes what could not be written.
    fn settle(&mut self) -> io::Result<()> {
        let Some((bytes, frames)) = self.owed.take() else { return Ok(()) };
        let cleared = self
            .file
            .set_len(self.bytes)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)));
        match cleared {
            Ok(_) => self.write(bytes, frames),
            Err(error) => {
                self.owed = Some((bytes, frames));
                Err(error)
            }
        }
    }

    fn write(&mut self, bytes: Vec<u8>, frames: u64) -> io::Result<()> {
        if let Err(error) = self.file.write_all(&bytes) {
            self.owed = Some((bytes, frames));
            return Err(error);
        }
        if let Some(vault) = &mut self.vault {
            vault.written();
        }
        self.bytes += bytes.len() as u64;
        self.frames += frames;
        Ok(())
    }

    /// A plain one that writes into a file of another kind.
    #[cfg(test)]
    pub fn on(file: File) -> Self {
        Self::on_format(file, Format::Pcm16)
    }

    /// As `on`, in a format.
    #[cfg(test)]
    pub fn on_format(file: File, format: Format) -> Self {
        let layout = Layout { format, channels: CHANNELS, rate: RATE };
        Self { file, layout, vault: None, frames: 0, bytes: 0, owed: None }
    }

    /// Samples of each channel that the file has.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Another handle of the file, for making durable what it has.
    ///
    /// # Errors
    ///
    /// If the process has too many.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Bytes that the file has, whole or not.
    pub fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |file| file.len())
    }

    /// Completes the file, makes it durable, and reads it once for its checksum: its size in
    /// bytes, and that.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn seal(&mut self) -> io::Result<(u64, String)> {
        if self.settle().is_err() {
            self.owed = None; // all that is whole can be completed still
        }
        self.file.set_len(self.bytes)?; // a write that failed may have left half a block
        match &self.vault {
            Some(vault) => {
                let end = vault.end(self.frames);
                self.file.seek(SeekFrom::Start(self.bytes))?;
                self.file.write_all(&end)?;
                self.bytes += end.len() as u64;
            }
            None => {
                let Layout { format, channels, rate } = self.layout;
                let data_bytes = self.frames * self.layout.frame_bytes();
                self.file.seek(SeekFrom::Start(0))?;
                self.file.write_all(&wav::header(channels, rate, format, Some(data_bytes)))?;
            }
        }
        self.file.sync_data()?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok((self.bytes, checksum(&mut self.file)?))
    }

    /// Takes up the file of a process that was killed, to its last whole block.
    ///
    /// # Errors
    ///
    /// If it is no recording of ours, or its key is not there.
    pub fn take_up(path: &Path, keys: Option<&Keys>) -> Result<Self, TapeError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut begin = Vec::new();
        (&mut file).take(HEADER_BYTES as u64).read_to_end(&mut begin)?;
        if is_encrypted(&begin) {
            let mut reader = reader_of(&begin, keys)?;
            let bytes = whole_bytes(&mut file, &mut reader)?;
            let Content::Samples(layout) = reader.content() else {
                return Err(TapeError::NotOurs);
            };
            let frames = reader.frames();
            let vault = Some(reader.into_writer());
            return Ok(Self { file, layout, vault, frames, bytes, owed: None });
        }
        let layout = layout_of(&begin).ok_or(TapeError::NotOurs)?;
        let head = wav::header(layout.channels, layout.rate, layout.format, None).len() as u64;
        let frames = file.metadata()?.len().saturating_sub(head) / layout.frame_bytes();
        let bytes = head + frames * layout.frame_bytes();
        Ok(Self { file, layout, vault: None, frames, bytes, owed: None })
    }
}

/// What decrypts a file that begins so.
///
/// # Errors
///
/// If it is not whole, or its key is not there.
pub fn reader_of(begin: &[u8], keys: Option<&Keys>) -> Result<Reader, TapeError> {
    let header = begin.get(..HEADER_BYTES).and_then(|header| header.try_into().ok());
    let keys = keys.ok_or(TapeError::NoKeys)?;
    Ok(Reader::new(keys, header.ok_or(TapeError::NotOurs)?)?)
}

/// Reads the next chunk into `body`, and decrypts it there; none where the file ends before the
/// chunk does.
///
/// # Errors
///
/// If the file cannot be read, or the chunk is not what was written there.
pub fn next_piece<'a>(
    file: &mut impl Read,
    reader: &mut Reader,
    body: &'a mut Vec<u8>,
) -> Result<Option<Piece<'a>>, TapeError> {
    let mut head = [0; HEAD_BYTES];
    if !is_filled(file, &mut head)? {
        return Ok(None);
    }
    body.resize(reader.body_bytes(head)?, 0);
    if !is_filled(file, body)? {
        return Ok(None);
    }
    Ok(Some(reader.open(head, body)?))
}

/// Bytes of an encrypted file up to the end of its last whole chunk of samples.
///
/// What a power cut leaves behind that may be anything; more than that was altered, and stays.
fn whole_bytes(file: &mut File, reader: &mut Reader) -> Result<u64, TapeError> {
    let size = file.metadata()?.len();
    let mut file = io::BufReader::new(file);
    let (mut whole, mut body) = (HEADER_BYTES as u64, Vec::new());
    loop {
        match next_piece(&mut file, reader, &mut body) {
            Ok(Some(Piece::Samples(_) | Piece::Silence(_))) => {
                whole += (HEAD_BYTES + body.len()) as u64;
            }
            Ok(Some(Piece::End) | None) => return Ok(whole),
            Err(TapeError::Vault(_)) if size - whole <= UNWRITTEN_MAX => return Ok(whole),
            Err(wrong) => return Err(wrong),
        }
    }
}

/// The lower-case hexadecimal SHA-256 of what is left to read.
fn checksum(file: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&piece[..count]),
        }
    }
}

/// The layout whose header a plain file begins with.
pub fn layout_of(begin: &[u8]) -> Option<Layout> {
    let begin = begin.get(WHAT_NOT_HOW_LONG)?;
    let formats = [Format::Pcm16, Format::Alaw, Format::Ulaw].into_iter();
    let mut layouts = formats.map(|format| Layout { format, channels: CHANNELS, rate: RATE });
    layouts.find(|layout| {
        wav::header(CHANNELS, RATE, layout.format, None)[WHAT_NOT_HOW_LONG] == *begin
    })
}

fn encode(format: Format, block: &[i16]) -> Vec<u8> {
    match format {
        Format::Pcm16 => block.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        Format::Alaw => block.iter().map(|sample| g711::alaw_encode(*sample)).collect(),
        Format::Ulaw => block.iter().map(|sample| g711::ulaw_encode(*sample)).collect(),
    }
}

/// What makes the key of one file.
///
/// # Errors
///
/// If the system has no chance to give.
pub fn salt() -> io::Result<[u8; SALT_BYTES]> {
    let mut rng = entropy::rng()?;
    let mut salt = [0; SALT_BYTES];
    for part in salt.chunks_exact_mut(8) {
        part.copy_from_slice(&rng.u64().to_le_bytes());
    }
    Ok(salt)
}

/// How long so many frames last.
pub fn length(frames: u64) -> Duration {
    Duration::from_micros(1_000_000 / u64::from(RATE) * frames)
}

/// Samples of each channel that are appended at once: those of one chunk.
pub const FRAMES_MAX: usize = CHUNK_BYTES_MAX / 4;
/// Frames of silence that are written at once where it takes room: 10 s.
const SILENCE_MAX: u64 = 10 * RATE as u64;
/// Bytes of a recording that the system may not have written yet: half a minute.
const UNWRITTEN_MAX: u64 = 1 << 20;
/// Caller left, the other right.
const CHANNELS: u16 = 2;
/// The bytes of a WAV header that tell formats apart and hold no length.
const WHAT_NOT_HOW_LONG: std::ops::Range<usize> = 8..36;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Wav;
    use crate::shell::media::archive::Archive;
    use crate::shell::media::keyring::Keyring;

    /// What kill -9 leaves, wherever it struck: a header without a length, then whole frames and
    /// perhaps a part of one.
    #[test]
    fn a_plain_file_that_was_cut_anywhere_plays_after_it() {
        let folder = tempfile::tempdir().unwrap();
        for format in [Format::Pcm16, Format::Alaw, Format::Ulaw] {
            let path = folder.path().join("a.wav");
            let head = wav::header(CHANNELS, RATE, format, None).len();
            let frame = usize::from(CHANNELS * format.sample_bytes());
            let mut file = wav::header(CHANNELS, RATE, format, None);
            file.resize(head + 20 * frame, 0x12);
            for cut in WHAT_NOT_HOW_LONG.end..=file.len() {
                fs::write(&path, &file[..cut]).unwrap();

                let mut tape = Tape::take_up(&path, None).unwrap();
                let (size, sha256) = tape.seal().unwrap();

                let frames = cut.saturating_sub(head) / frame;
                let bytes = fs::read(&path).unwrap();
                assert_eq!(tape.frames(), frames as u64, "{format:?} at {cut}");
                assert_eq!((size, bytes.len()), (bytes.len() as u64, head + frames * frame));
                assert_eq!(sha256, hex::encode(Sha256::digest(&bytes)));
                assert_eq!(Wav::parse(&bytes).unwrap().frames(), frames);
                let data = (frames * frame) as u64;
                let known = wav::header(CHANNELS, RATE, format, Some(data));
                assert_eq!(bytes[..head], known, "players read the length from the header");
            }
        }
    }

    /// Wherever the disk stopped: what is whole is read, and the file can be completed.
    #[test]
    fn an_encrypted_file_that_was_cut_anywhere_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys();
        let path = folder.path().join("a.wav.enc");
        let mut tape = Tape::create(&path, Format::Ulaw, Some(&keys)).unwrap();
        let mut ends = vec![HEADER_BYTES];
        for _ in 0..3 {
            tape.append(&[500; 40]).unwrap();
            ends.push(fs::metadata(&path).unwrap().len() as usize);
        }
        tape.seal().unwrap();
        let whole = fs::read(&path).unwrap();

        for cut in HEADER_BYTES..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let chunks = ends.iter().filter(|end| **end <= cut).count() - 1;

            let mut tape = Tape::take_up(&path, Some(&keys)).unwrap();
            assert_eq!(tape.frames(), 20 * chunks as u64, "cut at {cut}");
            let (size, sha256) = tape.seal().unwrap();

            let bytes = fs::read(&path).unwrap();
            assert_eq!((size, sha256), (bytes.len() as u64, hex::encode(Sha256::digest(&bytes))));
            assert_eq!(frames_of(&bytes, &keys), (20 * chunks as u64, true), "cut at {cut}");
        }
        assert!(matches!(Tape::take_up(&path, None), Err(TapeError::NoKeys)));
    }

    /// A power cut: of the pages after the last that were made durable, any subset is on the disk,
    /// in no order, and zeros stand for the others. All that was durable is read, nothing that was
    /// not said is believed of an encrypted file, and both can be completed.
    #[test]
    fn a_power_cut_leaves_what_was_durable() {
        const PAGE: usize = 4096;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for keys in [None, Some(keys())] {
            let _ = fs::remove_file(&path);
            let mut tape = Tape::create(&path, Format::Pcm16, keys.as_ref()).unwrap();
            let mut durable = (0, 0);
            for block in 0..10 {
                tape.append(&[1000 + block; 4800]).unwrap();
                if block == 4 {
                    durable = (tape.bytes as usize, tape.frames());
                }
            }
            let whole = fs::read(&path).unwrap();
            let after = (durable.0 / PAGE + 1)..=(whole.len() / PAGE);
            for lacking in 0..1_u32 << after.clone().count().min(6) {
                let mut left = whole.clone();
                for (bit, page) in after.clone().enumerate().take(6) {
                    if lacking >> bit & 1 == 1 {
                        let end = whole.len().min((page + 1) * PAGE);
                        left[page * PAGE..end].fill(0);
                    }
                }
                fs::write(&path, &left).unwrap();

                let mut tape = Tape::take_up(&path, keys.as_ref()).unwrap();
                assert!(tape.frames() >= durable.1, "{lacking:b}: {} frames", tape.frames());
                tape.seal().unwrap();

                let keyring = keys.clone().map(Keyring::of).unwrap_or_default();
                let archive = Archive { folder: folder.path().to_owned(), keyring };
                let found = archive.inspect(&path).unwrap();
                assert_eq!(found.damage, None, "{lacking:b}");
                let mut heard = Vec::new();
                let sink = |piece: Vec<u8>| {
                    heard.extend(piece);
                    true
                };
                archive.export(&path, &found, sink).unwrap();
                let heard = Wav::parse(&heard).unwrap().channel(0);
                let said = (1000..1010).flat_map(|sample| [sample; 2400]);
                let is_silent = keys.is_none();
                for (at, (heard, said)) in heard.into_iter().zip(said).enumerate() {
                    let may_lack = is_silent && at as u64 >= durable.1 && heard == 0;
                    assert!(heard == said || may_lack, "{lacking:b}: sample {at} is {heard}");
                }
            }
        }
    }

    /// A disk that refuses for a while: what it refused is written as it was, silence stands for
    /// what was lost, and every chunk is in its place.
    #[test]
    fn what_the_disk_refused_is_written_when_it_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        for (name, format, keys) in [
            ("pcm", Format::Pcm16, None),
            ("alaw", Format::Alaw, None),
            ("sealed", Format::Pcm16, Some(keys())),
        ] {
            let path = folder.path().join(name);
            let mut tape = Tape::create(&path, format, keys.as_ref()).unwrap();
            tape.append(&[1000; 200]).unwrap();
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let disk = std::mem::replace(&mut tape.file, full);

            tape.append(&[2000; 200]).unwrap_err();
            assert_eq!((tape.frames(), tape.owed_frames()), (100, 100));
            tape.append(&[3000; 200]).unwrap_err();
            tape.file = disk;
            tape.append_silence(500).unwrap();
            tape.append(&[4000; 200]).unwrap();
            let (size, _) = tape.seal().unwrap();

            assert_eq!((tape.frames(), tape.owed_frames()), (800, 0), "{name}");
            assert_eq!(size, fs::metadata(&path).unwrap().len());
            let keyring = keys.map(Keyring::of).unwrap_or_default();
            let archive = Archive { folder: folder.path().to_owned(), keyring };
            let found = archive.inspect(&path).unwrap();
            assert_eq!((found.frames, found.damage.clone()), (800, None), "{name}");
            let mut exported = Vec::new();
            let sink = |piece: Vec<u8>| {
                exported.extend(piece);
                true
            };
            archive.export(&path, &found, sink).unwrap();
            let heard = Wav::parse(&exported).unwrap().channel(0);
            for (frames, sample) in
                [(0..100, 1000), (100..200, 2000), (200..700, 0), (700..800, 4000)]
            {
                let near = |heard: &i16| heard.abs_diff(sample) < 100;
                assert!(heard[frames.clone()].iter().all(near), "{name} {frames:?}");
            }
        }
    }

    #[test]
    fn what_is_no_recording_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("short", "RIFF"),
            ("text", &*"no recording at all ".repeat(9)),
            ("head", &*format!("STROWGR{}", "x".repeat(20))),
            ("other", &*format!("STROWGR{}", "x".repeat(200))),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            assert!(Tape::take_up(&path, Some(&keys())).is_err(), "{name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(Tape::take_up(&folder.path().join("none"), None).is_err());
    }

    fn keys() -> Keys {
        Keys::parse(&format!("one {}", "1f".repeat(32))).unwrap()
    }

    /// How many frames are read, and whether the end is there.
    fn frames_of(bytes: &[u8], keys: &Keys) -> (u64, bool) {
        let mut reader = reader_of(&bytes[..HEADER_BYTES], Some(keys)).unwrap();
        let (mut rest, mut body) = (&bytes[HEADER_BYTES..], Vec::new());
        loop {
            match next_piece(&mut rest, &mut reader, &mut body).unwrap() {
                Some(Piece::Samples(_) | Piece::Silence(_)) => {}
                Some(Piece::End) => return (reader.frames(), true),
                None => return (reader.frames(), false),
            }
        }
    }
}
