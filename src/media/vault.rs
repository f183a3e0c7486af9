//! Encrypted recordings: a header, then chunks of AES-256-GCM, each readable as soon as it is
//! there.
//!
//! Spec:     docs/adr/0013; the key of a file by HKDF (RFC 5869).
//! In:       keys by their names, samples as bytes, chunks that may be cut off or forged.
//! Out:      chunks to append; their samples again, or what is wrong with them.
//! Not here: files (`shell::media`), WAV (`audio::wav`).

use std::fmt;

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::audio::wav::Format;

/// Every key that recordings may be encrypted with, in the order of their file: the last one is
/// what new recordings are encrypted with.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Key>);

/// A key and its name. Its bytes are never printed, and are overwritten when it is dropped.
#[derive(Clone)]
pub struct Key {
    name: String,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

/// Why a file of keys cannot be used; reads as a sentence that helps.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeysError {
    #[error(
        "line {line} is no key; write a name and 64 hexadecimal digits, such as \
         `2026-11 3f5a…`"
    )]
    Line { line: usize },
    #[error("line {line} names a key that has its name already; give it another")]
    Named { line: usize },
    #[error("there is no key in it; write a line with a name and 64 hexadecimal digits")]
    NoKey,
    #[error("it has more than {KEYS_MAX} keys; take away those that no recording needs")]
    TooMany,
}

impl Keys {
    /// Reads the text of a file of keys: on each line a name and 64 hexadecimal digits; `#` begins
    /// a comment.
    ///
    /// # Errors
    ///
    /// If a line is something else, two keys have one name, or there is none.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        for (line, written) in (1..).zip(text.lines()) {
            let written = written.split('#').next().unwrap_or_default();
            let mut words = written.split_whitespace();
            let Some(name) = words.next() else { continue };
            let is_named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let is_name = name.len() <= NAME_BYTES_MAX && name.chars().all(is_named);
            let mut secret = Zeroizing::new([0; KEY_BYTES]);
            let (Some(digits), None, true) = (words.next(), words.next(), is_name) else {
                return Err(KeysError::Line { line });
            };
            hex::decode_to_slice(digits, secret.as_mut_slice())
                .map_err(|_| KeysError::Line { line })?;
            if keys.iter().any(|key| key.name == name) {
                return Err(KeysError::Named { line });
            }
            keys.push(Key { name: name.to_owned(), secret });
        }
        match keys.len() {
            0 => Err(KeysError::NoKey),
            1..=KEYS_MAX => Ok(Self(keys)),
            _ => Err(KeysError::TooMany),
        }
    }

    /// What new recordings are encrypted with.
    pub fn newest(&self) -> &Key {
        self.0.last().expect("there is at least one")
    }

    /// A key that has the name of one of `others` and other bytes.
    pub fn confused_with(&self, others: &Self) -> Option<&Key> {
        let is_other =
            |key: &&Key| others.find(&key.name).is_some_and(|it| it.secret != key.secret);
        self.0.iter().find(is_other)
    }

    fn find(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name)
    }
}

impl Key {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a file shows of its key, so that another one of the same name is noticed.
    fn mark(&self) -> [u8; MARK_BYTES] {
        let mut mark = [0; MARK_BYTES];
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(self.secret.as_slice());
        let info: [&[u8]; 1] = [b"strowger recording: mark"];
        let okm = derived.expand(&info, Mark).expect("a mark is short");
        okm.fill(&mut mark).expect("it has the length that was asked for");
        mark
    }

    /// The key of one file alone, so that chunks may be counted from 0 in each.
    fn of_file(&self, salt: &[u8; SALT_BYTES]) -> LessSafeKey {
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.secret.as_slice());
        let info: [&[u8]; 1] = [b"strowger recording: chunks"];
        let okm = derived.expand(&info, &aead::AES_256_GCM).expect("a key is short");
        LessSafeKey::new(UnboundKey::from(okm))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The length of a key's mark, for `hkdf`.
struct Mark;

impl hkdf::KeyType for Mark {
    fn len(&self) -> usize {
        MARK_BYTES
    }
}

/// How the samples in a recording are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub format: Format,
    pub channels: u16,
    /// Samples a second in each channel.
    pub rate: u32,
}

impl Layout {
    /// Bytes of one sample of each channel.
    pub fn frame_bytes(self) -> u64 {
        u64::from(self.channels * self.format.sample_bytes())
    }
}

/// What an encrypted recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An Ogg/Opus file, byte by byte: a chunk has as many frames as bytes.
    Ogg,
    Samples(Layout),
}

impl Content {
    fn frame_bytes(self) -> u64 {
        match self {
            Self::Ogg => 1,
            Self::Samples(layout) => layout.frame_bytes(),
        }
    }
}

/// Encrypts one recording.
pub struct Writer {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
    /// Number of the next chunk.
    next: u64,
}

impl Writer {
    /// `salt` must be unpredictable, and another for each recording. Append `header` first.
    pub fn new(key: &Key, salt: [u8; SALT_BYTES], content: Content) -> Self {
        let mut header = [0; HEADER_BYTES];
        header[MAGIC_AT].copy_from_slice(MAGIC);
        match content {
            Content::Ogg => header[FORMAT_AT] = OGG,
            Content::Samples(Layout { format, channels, rate }) => {
                header[FORMAT_AT] = match format {
                    Format::Alaw => 6,
                    Format::Pcm16 => 1,
                    Format::Ulaw => 7,
                };
                header[CHANNELS_AT] = channels as u8; // 1 or 2
                header[RATE_AT].copy_from_slice(&rate.to_le_bytes());
            }
        }
        header[MARK_AT].copy_from_slice(&key.mark());
        header[SALT_AT].copy_from_slice(&salt);
        header[NAME_LENGTH_AT] = key.name.len() as u8; // at most `NAME_BYTES_MAX`
        header[NAME_AT][..key.name.len()].copy_from_slice(key.name.as_bytes());
        Self { key: key.of_file(&salt), header, next: 0 }
    }

    /// What the file begins with.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The next chunk, which holds these bytes of samples. Say `written` once the file has it.
    ///
    /// Until then no other samples may be encrypted: under the same number they would show in what
    /// they differ from these. The end may be, which has its own.
    ///
    /// # Panics
    ///
    /// If they are more than `CHUNK_BYTES_MAX`.
    pub fn chunk(&self, samples: &[u8]) -> Vec<u8> {
        assert!(samples.len() <= CHUNK_BYTES_MAX, "a chunk of {} bytes", samples.len());
        self.seal(samples, Kind::Samples)
    }

    /// As `chunk`, for so much silence, which takes no room.
    pub fn silence(&self, frames: u64) -> Vec<u8> {
        self.seal(&frames.to_le_bytes(), Kind::Silence)
    }

    /// The file has the chunk: the next one gets the next number.
    pub fn written(&mut self) {
        self.next += 1;
    }

    /// The last chunk: after it, nothing can be taken away unnoticed.
    pub fn end(&self, frames: u64) -> Vec<u8> {
        self.seal(&frames.to_le_bytes(), Kind::End)
    }

    fn seal(&self, plain: &[u8], kind: Kind) -> Vec<u8> {
        let mut chunk = Vec::with_capacity(HEAD_BYTES + plain.len() + TAG_BYTES);
        let length = plain.len() as u32 | kind.bit();
        chunk.extend(length.to_le_bytes());
        chunk.extend(plain);
        let nonce = nonce(self.next, kind);
        let body = &mut chunk[HEAD_BYTES..];
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(&self.header), body);
        chunk.extend(tag.expect("a chunk is shorter than the cipher's limit").as_ref());
        chunk
    }
}

/// Shows no key.
impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Decrypts one recording, chunk by chunk.
pub struct Reader {
    content: Content,
    writer: Writer,
    /// Whole frames so far, or bytes of an Ogg file.
    frames: u64,
}

/// Shows no key.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("content", &self.content).finish_non_exhaustive()
    }
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Samples(&'a [u8]),
    /// So many frames that were not written.
    Silence(u64),
    /// Nothing follows.
    End,
}

/// Why a recording cannot be read, or from where on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VaultError {
    #[error("chunk {chunk} was altered, or is not at its place")]
    Forged { chunk: u64 },
    #[error("it is no encrypted recording")]
    NotOurs,
    #[error("it was encrypted with the key `{name}`, which is not among the keys")]
    NoKey { name: String },
    #[error("it was encrypted with another key than the `{name}` among the keys")]
    OtherKey { name: String },
    #[error("it has layout {version}; this version reads layout {VERSION}")]
    Version { version: u8 },
}

/// Whether a file's first bytes are those of an encrypted recording.
pub fn is_encrypted(file: &[u8]) -> bool {
    file.starts_with(&MAGIC[..7])
}

impl Reader {
    /// Begins with the file's first `HEADER_BYTES`.
    ///
    /// # Errors
    ///
    /// If they are those of no encrypted recording, or its key is not there.
    pub fn new(keys: &Keys, header: &[u8; HEADER_BYTES]) -> Result<Self, VaultError> {
        if !is_encrypted(header) {
            return Err(VaultError::NotOurs);
        }
        let version = header[7];
        if version != VERSION {
            return Err(VaultError::Version { version });
        }
        let length = usize::from(header[NAME_LENGTH_AT]);
        let name = header[NAME_AT].get(..length).ok_or(VaultError::NotOurs)?;
        let name = std::str::from_utf8(name).map_err(|_| VaultError::NotOurs)?.to_owned();
        let is_name = |c: char| c.is_ascii_graphic();
        if !name.chars().all(is_name) {
            return Err(VaultError::NotOurs);
        }
        let content = content(header).ok_or(VaultError::NotOurs)?;
        let Some(key) = keys.find(&name) else { return Err(VaultError::NoKey { name }) };
        if !bool::from(key.mark().ct_eq(&header[MARK_AT])) {
            return Err(VaultError::OtherKey { name });
        }
        let key = key.of_file(&part(header, SALT_AT));
        Ok(Self { content, writer: Writer { key, header: *header, next: 0 }, frames: 0 })
    }

    pub fn content(&self) -> Content {
        self.content
    }

    /// Whole frames read so far, or bytes of an Ogg file.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many bytes follow a chunk's first `HEAD_BYTES`.
    ///
    /// # Errors
    ///
    /// If no chunk begins so.
    pub fn body_bytes(&self, head: [u8; HEAD_BYTES]) -> Result<usize, VaultError> {
        let (length, kind) = split(head);
        let is_possible = match kind {
            Kind::End | Kind::Silence => length == COUNT_BYTES,
            Kind::Samples => length <= CHUNK_BYTES_MAX,
        };
        if is_possible { Ok(length + TAG_BYTES) } else { Err(self.forged()) }
    }

    /// Decrypts the next chunk in its place.
    ///
    /// # Errors
    ///
    /// If it is not what was written, or not at its place.
    pub fn open<'a>(
        &mut self,
        head: [u8; HEAD_BYTES],
        body: &'a mut [u8],
    ) -> Result<Piece<'a>, VaultError> {
        let kind = split(head).1;
        let forged = self.forged();
        if self.body_bytes(head)? != body.len() {
            return Err(forged);
        }
        let nonce = nonce(self.writer.next, kind);
        let aad = Aad::from(&self.writer.header);
        let plain = self.writer.key.open_in_place(nonce, aad, body).map_err(|_| forged.clone())?;
        match kind {
            Kind::Samples => {
                self.writer.written();
                self.frames += plain.len() as u64 / self.content.frame_bytes();
                Ok(Piece::Samples(plain))
            }
            Kind::Silence => {
                let frames = u64::from_le_bytes((&*plain).try_into().map_err(|_| forged)?);
                self.writer.written();
                self.frames = self.frames.saturating_add(frames);
                Ok(Piece::Silence(frames))
            }
            Kind::End if plain == self.frames().to_le_bytes() => Ok(Piece::End),
            Kind::End => Err(forged),
        }
    }

    /// Goes on after the last whole chunk, for a recording that was cut off.
    pub fn into_writer(self) -> Writer {
        self.writer
    }

    fn forged(&self) -> VaultError {
        VaultError::Forged { chunk: self.writer.next }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Samples,
    Silence,
    End,
}

impl Kind {
    /// How a chunk's length shows it.
    fn bit(self) -> u32 {
        match self {
            Self::Samples => 0,
            Self::Silence => SILENCE_BIT,
            Self::End => END_BIT,
        }
    }
}

/// What a file with this header holds; `None` if no version of ours wrote it.
fn content(header: &[u8; HEADER_BYTES]) -> Option<Content> {
    let format = match header[FORMAT_AT] {
        1 => Format::Pcm16,
        6 => Format::Alaw,
        7 => Format::Ulaw,
        OGG => return Some(Content::Ogg),
        _ => return None,
    };
    let channels = Some(header[CHANNELS_AT].into()).filter(|count| (1..=2).contains(count))?;
    let rate = u32::from_le_bytes(part(header, RATE_AT));
    RATES.contains(&rate).then_some(Content::Samples(Layout { format, channels, rate }))
}

/// Length and kind of the chunk that begins so.
fn split(head: [u8; HEAD_BYTES]) -> (usize, Kind) {
    let word = u32::from_le_bytes(head);
    let kinds = [Kind::Silence, Kind::End];
    let kind = kinds.into_iter().find(|kind| word & kind.bit() != 0).unwrap_or(Kind::Samples);
    ((word & !kind.bit()) as usize, kind)
}

/// No two chunks of a file have the same: its place in the file, and what it holds.
fn nonce(number: u64, kind: Kind) -> Nonce {
    let mut nonce = [0; aead::NONCE_LEN];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = match kind {
        Kind::Samples => 0,
        Kind::End => 1,
        Kind::Silence => 2,
    };
    Nonce::assume_unique_for_key(nonce)
}

fn part<const N: usize>(header: &[u8; HEADER_BYTES], at: std::ops::Range<usize>) -> [u8; N] {
    header[at].try_into().expect("the part is as long as that")
}

/// What an encrypted recording begins with.
pub const HEADER_BYTES: usize = 96;
/// What a chunk begins with: its length, and whether it is the last.
pub const HEAD_BYTES: usize = 4;
/// Bytes of samples in a chunk, at most.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Bytes of the chance that makes the key of a file.
pub const SALT_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"STROWGR\x01";
const VERSION: u8 = MAGIC[7];
const MAGIC_AT: std::ops::Range<usize> = 0..8;
const FORMAT_AT: usize = 8;
/// The format of an Ogg file; no WAV format has this number.
const OGG: u8 = 0x4f;
const CHANNELS_AT: usize = 9;
const RATE_AT: std::ops::Range<usize> = 10..14;
const MARK_AT: std::ops::Range<usize> = 14..22;
const SALT_AT: std::ops::Range<usize> = 22..54;
const NAME_LENGTH_AT: usize = 54;
const NAME_AT: std::ops::Range<usize> = 55..87; // zeros follow
const KEY_BYTES: usize = 32;
const MARK_BYTES: usize = 8;
const NAME_BYTES_MAX: usize = 32;
const TAG_BYTES: usize = 16;
/// Of a chunk's length: it is the last one.
const END_BIT: u32 = 1 << 31;
/// Of a chunk's length: it stands for silence.
const SILENCE_BIT: u32 = 1 << 30;
/// The last chunk holds how many frames there are, one of silence for how many it stands.
const COUNT_BYTES: usize = 8;
/// Samples a second that a recording can have.
const RATES: std::ops::RangeInclusive<u32> = 4000..=192_000;
/// Keys in a file.
const KEYS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let file = recording(&keys(), 3);

        assert_eq!(read(&keys(), &file).unwrap(), (samples(3), true));
        let reader = Reader::new(&keys(), file[..HEADER_BYTES].try_into().unwrap()).unwrap();
        assert_eq!(reader.content(), LAYOUT);
        let noise = |window: &&[u8]| window.iter().all(|byte| *byte == 7);
        assert!(!file.windows(16).any(|window| noise(&window)), "nothing is there in the clear");
    }

    #[test]
    fn an_old_key_still_reads_and_the_newest_writes() {
        let old = recording(&keys(), 2);
        let rotated = Keys::parse(&format!("{ONE}\n{TWO} # since November\n")).unwrap();

        let new = recording(&rotated, 2);

        assert_eq!(rotated.newest().name(), "two");
        assert_eq!(read(&rotated, &old).unwrap().0, samples(2));
        assert_eq!(read(&rotated, &new).unwrap().0, samples(2));
        let missing = VaultError::NoKey { name: "two".into() };
        assert_eq!(read(&keys(), &new), Err(missing));
    }

    #[test]
    fn another_key_of_the_same_name_is_told() {
        let file = recording(&keys(), 2);
        let other = Keys::parse(&TWO.replace("two", "one")).unwrap();

        let told = read(&other, &file);

        assert_eq!(told, Err(VaultError::OtherKey { name: "one".into() }));
    }

    /// Wherever a file is cut, all whole chunks before it are read, and the cut is told.
    #[test]
    fn a_file_that_was_cut_reads_to_its_last_whole_chunk() {
        let file = recording(&keys(), 4);
        let chunk = HEAD_BYTES + 600 + TAG_BYTES;
        for cut in HEADER_BYTES..file.len() {
            let whole = ((cut - HEADER_BYTES) / chunk).min(4);
            assert_eq!(read(&keys(), &file[..cut]), Ok((samples(whole), false)), "at {cut}");
        }
    }

    #[test]
    fn every_altered_bit_is_noticed() {
        let file = recording(&keys(), 2);
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1 << (at % 8);
            let told = read(&keys(), &altered);
            let is_cut = matches!(&told, Ok((_, false)));
            assert!(told.is_err() || is_cut, "byte {at}: {told:?}");
        }
    }

    #[test]
    fn chunks_that_changed_places_are_noticed() {
        let (file, other) = (recording(&keys(), 3), recording_with(&keys(), 3, 9));
        let chunk = HEAD_BYTES + 600 + TAG_BYTES;
        let at = |n: usize| HEADER_BYTES + n * chunk..HEADER_BYTES + (n + 1) * chunk;

        let swapped = [&file[..at(0).end], &file[at(2)], &file[at(1)], &file[at(2).end..]].concat();
        let left_out = [&file[..at(0).end], &file[at(1).end..]].concat();
        let foreign = [&file[..at(0).end], &other[at(1)], &file[at(1).end..]].concat();
        let repeated = [&file[..at(1).end], &file[at(1)], &file[at(1).end..]].concat();
        let end = [&file[..at(0).end], &file[at(2).end..]].concat();
        let head = [&other[..HEADER_BYTES], &file[HEADER_BYTES..]].concat();

        for (forged, chunk) in
            [(swapped, 1), (left_out, 1), (foreign, 1), (repeated, 2), (end, 1), (head, 0)]
        {
            assert_eq!(read(&keys(), &forged), Err(VaultError::Forged { chunk }));
        }
    }

    #[test]
    fn silence_takes_no_room() {
        let mut writer = Writer::new(keys().newest(), [3; SALT_BYTES], LAYOUT);
        let silence = writer.silence(8000 * 3600);
        writer.written();
        let file = [writer.header(), &silence, &writer.end(8000 * 3600)].concat();
        let mut reader = Reader::new(&keys(), file[..HEADER_BYTES].try_into().unwrap()).unwrap();
        let (head, body) = silence.split_first_chunk().unwrap();

        assert_eq!(silence.len(), HEAD_BYTES + COUNT_BYTES + TAG_BYTES);
        assert_eq!(reader.open(*head, &mut body.to_vec()), Ok(Piece::Silence(8000 * 3600)));
        assert_eq!(read(&keys(), &file), Ok((Vec::new(), true)));
        let mut altered = file;
        altered[HEADER_BYTES + HEAD_BYTES] ^= 1;
        assert_eq!(read(&keys(), &altered), Err(VaultError::Forged { chunk: 0 }));
    }

    /// What a killed process left is ended by the next one, after its last whole chunk.
    #[test]
    fn a_file_that_was_cut_can_be_ended() {
        let file = recording(&keys(), 3);
        let whole = HEADER_BYTES + 2 * (HEAD_BYTES + 600 + TAG_BYTES);
        let mut reader = Reader::new(&keys(), file[..HEADER_BYTES].try_into().unwrap()).unwrap();
        walk(&mut reader, &file[HEADER_BYTES..whole]).unwrap();

        let frames = reader.frames();
        let ended = [&file[..whole], &reader.into_writer().end(frames)].concat();

        assert_eq!(frames, 300);
        assert_eq!(read(&keys(), &ended), Ok((samples(2), true)));
    }

    proptest! {
        /// What lies in the archive may have been put there by anybody.
        #[test]
        fn no_file_makes_it_panic(
            mut file in prop::collection::vec(any::<u8>(), 0..400),
            begin in 0..=HEADER_BYTES,
        ) {
            let real = recording(&keys(), 1);
            let begin = begin.min(file.len());
            file[..begin].copy_from_slice(&real[..begin]);
            if let Some(header) = file.first_chunk()
                && let Ok(mut reader) = Reader::new(&keys(), header)
            {
                let read = walk(&mut reader, &file[HEADER_BYTES..]);
                prop_assert!(read.is_err() || !read.unwrap().1, "nobody else can end it");
            }
        }
    }

    #[test]
    fn files_of_keys_are_read_strictly() {
        let short = format!("one {}", "ab".repeat(31));
        for (text, wrong) in [
            ("", KeysError::NoKey),
            ("# nothing\n\n", KeysError::NoKey),
            (&format!("{ONE} more"), KeysError::Line { line: 1 }),
            (&format!("{ONE}\n{}", &TWO[4..]), KeysError::Line { line: 2 }),
            (&short, KeysError::Line { line: 1 }),
            (&format!("k{}", ONE.replace("one", "ö")), KeysError::Line { line: 1 }),
            (&format!("{ONE}\n\n{ONE}"), KeysError::Named { line: 3 }),
        ] {
            assert_eq!(Keys::parse(text).unwrap_err(), wrong, "{text}");
        }
    }

    #[test]
    fn no_key_is_ever_printed() {
        let keys = keys();
        let writer = Writer::new(keys.newest(), [1; SALT_BYTES], LAYOUT);

        let printed = format!("{keys:?} {writer:?}");

        assert!(printed.contains("one") && !printed.contains("11"), "{printed}");
    }

    const ONE: &str = "one 1111111111111111111111111111111111111111111111111111111111111111";
    const TWO: &str = "two 2222222222222222222222222222222222222222222222222222222222222222";
    const LAYOUT: Content =
        Content::Samples(Layout { format: Format::Pcm16, channels: 2, rate: 8000 });

    fn keys() -> Keys {
        Keys::parse(ONE).unwrap()
    }

    /// So many chunks of 600 bytes.
    fn recording(keys: &Keys, chunks: usize) -> Vec<u8> {
        recording_with(keys, chunks, 3)
    }

    fn recording_with(keys: &Keys, chunks: usize, salt: u8) -> Vec<u8> {
        let mut writer = Writer::new(keys.newest(), [salt; SALT_BYTES], LAYOUT);
        let mut file = writer.header().to_vec();
        for _ in 0..chunks {
            file.extend(writer.chunk(&[7; 600]));
            writer.written();
        }
        file.extend(writer.end(150 * chunks as u64));
        file
    }

    fn samples(chunks: usize) -> Vec<u8> {
        vec![7; 600 * chunks]
    }

    /// All samples, and whether the end is there.
    fn read(keys: &Keys, file: &[u8]) -> Result<(Vec<u8>, bool), VaultError> {
        let mut reader = Reader::new(keys, file[..HEADER_BYTES].try_into().unwrap())?;
        walk(&mut reader, &file[HEADER_BYTES..])
    }

    fn walk(reader: &mut Reader, mut rest: &[u8]) -> Result<(Vec<u8>, bool), VaultError> {
        let mut samples = Vec::new();
        while let Some((head, after)) = rest.split_first_chunk() {
            let Some((body, after)) = after.split_at_checked(reader.body_bytes(*head)?) else {
                break;
            };
            match reader.open(*head, &mut body.to_vec())? {
                Piece::Samples(more) => samples.extend(more),
                Piece::Silence(_) => {}
                Piece::End => return Ok((samples, after.is_empty())),
            }
            rest = after;
        }
        Ok((samples, false))
    }
}
