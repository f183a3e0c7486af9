//! WAV files: a reader for speech from anywhere, and the header of a file that may be cut at any
//! byte.
//!
//! Spec:     Microsoft RIFF WAVE: 16-bit PCM, A-law, µ-law; one or two channels.
//! In:       the whole file as bytes, hostile ones too.
//! Out:      16-bit samples; for writing, the header alone.
//! Not here: files (`shell::media`), other sampling rates (`resample`).

use std::io::{self, Read};

use thiserror::Error;

use super::g711;

/// Largest file that is read: two hours of 8 kHz 16-bit stereo.
pub const WAV_BYTES_MAX: usize = 256 << 20;

/// How one sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// G.711 A-law, one byte.
    Alaw,
    /// Signed 16-bit, little-endian.
    Pcm16,
    /// G.711 µ-law, one byte.
    Ulaw,
}

impl Format {
    /// The width of a sample in bytes.
    pub fn sample_bytes(self) -> u16 {
        match self {
            Self::Alaw | Self::Ulaw => 1,
            Self::Pcm16 => 2,
        }
    }

    fn tag(self) -> u16 {
        match self {
            Self::Pcm16 => 1,
            Self::Alaw => 6,
            Self::Ulaw => 7,
        }
    }
}

/// A file's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// 1 or 2.
    pub channels: u16,
    /// Samples per second in each channel.
    pub rate: u32,
    /// How the file had them.
    pub format: Format,
    /// Channels interleaved; whole frames only.
    pub samples: Vec<i16>,
}

/// Why bytes are not a WAV file that can be played.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WavError {
    #[error("{0} channels; 1 or 2 can be played")]
    Channels(u16),
    #[error("format {tag} with {bits} bits a sample; 16-bit PCM, A-law and µ-law can be played")]
    Format { tag: u16, bits: u16 },
    #[error("no data chunk")]
    NoAudio,
    #[error("no fmt chunk before the data")]
    NoFormat,
    #[error("no RIFF WAVE file")]
    NotWav,
    #[error("{0} samples per second; 4000 to 192000 can be played")]
    Rate(u32),
    #[error("{0} bytes exceed the limit of {WAV_BYTES_MAX}")]
    TooLong(usize),
}

impl Wav {
    /// Reads a whole file.
    ///
    /// Takes a file that was cut short to its last whole frame: a length in the header that goes
    /// beyond the file means its end, and so does a length of zero before audio.
    ///
    /// # Errors
    ///
    /// If the bytes are no WAV file of the formats that can be played.
    pub fn parse(bytes: &[u8]) -> Result<Self, WavError> {
        if bytes.len() > WAV_BYTES_MAX {
            return Err(WavError::TooLong(bytes.len()));
        }
        if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err(WavError::NotWav);
        }
        let mut layout = None;
        let mut rest = &bytes[12..];
        while let Some((name, size, body)) = chunk(rest) {
            match name {
                b"fmt " => layout = Some(Layout::parse(&body[..size.min(body.len())])?),
                b"data" => {
                    let layout = layout.ok_or(WavError::NoFormat)?;
                    let cut = if size == 0 && !is_chunk(body) { body.len() } else { size };
                    return Ok(layout.read(&body[..cut.min(body.len())]));
                }
                _ => {}
            }
            rest = body.get(size.saturating_add(size & 1)..).unwrap_or_default();
        }
        Err(if layout.is_some() { WavError::NoAudio } else { WavError::NoFormat })
    }

    /// How many samples each channel has.
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels)
    }

    /// The samples of one channel, the left being 0.
    pub fn channel(&self, index: u16) -> Vec<i16> {
        let every = usize::from(self.channels);
        self.samples.iter().skip(usize::from(index)).step_by(every).copied().collect()
    }

    /// One channel of the mean of all.
    pub fn mono(&self) -> Vec<i16> {
        let every = i32::from(self.channels);
        self.samples
            .chunks_exact(usize::from(self.channels))
            .map(|frame| {
                (frame.iter().map(|sample| i32::from(*sample)).sum::<i32>() / every) as i16
            })
            .collect()
    }
}

/// The bytes before the first sample of a file.
///
/// `data_bytes` is the length of the audio; `None` means "as long as the file is", for a header
/// that is written first and may never be corrected: players then read to the last byte. A length
/// beyond 2 GiB is written like `None`. Its own length depends on the format alone, so that a
/// finished file can be corrected in place.
pub fn header(channels: u16, rate: u32, format: Format, data_bytes: Option<u64>) -> Vec<u8> {
    let data_bytes = data_bytes
        .and_then(|bytes| u32::try_from(bytes).ok())
        .filter(|bytes| *bytes < UNKNOWN_LENGTH)
        .unwrap_or(UNKNOWN_LENGTH);
    let frame_bytes = channels * format.sample_bytes();
    let plain = format == Format::Pcm16;
    let before = if plain { 36 } else { 50 };

    let mut header = Vec::with_capacity(before + 8);
    header.extend(b"RIFF");
    header.extend((data_bytes + (data_bytes & 1) + before as u32).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(if plain { 16_u32 } else { 18 }.to_le_bytes());
    header.extend(format.tag().to_le_bytes());
    header.extend(channels.to_le_bytes());
    header.extend(rate.to_le_bytes());
    header.extend((rate * u32::from(frame_bytes)).to_le_bytes());
    header.extend(frame_bytes.to_le_bytes());
    header.extend((8 * format.sample_bytes()).to_le_bytes());
    if !plain {
        header.extend([0, 0]); // no extension
        header.extend(b"fact");
        header.extend(4_u32.to_le_bytes());
        header.extend((data_bytes / u32::from(frame_bytes.max(1))).to_le_bytes());
    }
    header.extend(b"data");
    header.extend(data_bytes.to_le_bytes());
    header
}

/// Fills the buffer from a file; whether it had as many bytes.
///
/// # Errors
///
/// If it cannot be read.
pub fn is_filled(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The length that players take for "until the end of the file": sox knows it as such, others stop
/// where the file does.
const UNKNOWN_LENGTH: u32 = 0x7fff_f000;

/// What the fmt chunk says.
#[derive(Clone, Copy)]
struct Layout {
    channels: u16,
    rate: u32,
    format: Format,
}

impl Layout {
    fn parse(body: &[u8]) -> Result<Self, WavError> {
        let word = |at: usize| {
            let pair = body.get(at..at + 2).ok_or(WavError::NoFormat)?;
            Ok::<_, WavError>(u16::from_le_bytes([pair[0], pair[1]]))
        };
        let (channels, bits) = (word(2)?, word(14)?);
        let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
        // An extensible header holds the format at the start of its GUID.
        let tag = if word(0)? == EXTENSIBLE { word(24)? } else { word(0)? };
        let format = match (tag, bits) {
            (1, 16) => Format::Pcm16,
            (6, 8) => Format::Alaw,
            (7, 8) => Format::Ulaw,
            _ => return Err(WavError::Format { tag, bits }),
        };
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !(4000..=192_000).contains(&rate) {
            return Err(WavError::Rate(rate));
        }
        Ok(Self { channels, rate, format })
    }

    fn read(self, audio: &[u8]) -> Wav {
        let Self { channels, rate, format } = self;
        let frame_bytes = usize::from(channels * format.sample_bytes());
        let audio = &audio[..audio.len() - audio.len() % frame_bytes];
        Wav { channels, rate, format, samples: decode(format, audio) }
    }
}

/// The samples that bytes of a file stand for; half a sample at their end is left out.
pub fn decode(format: Format, audio: &[u8]) -> Vec<i16> {
    match format {
        Format::Alaw => audio.iter().map(|byte| g711::alaw_decode(*byte)).collect(),
        Format::Pcm16 => {
            audio.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
        }
        Format::Ulaw => audio.iter().map(|byte| g711::ulaw_decode(*byte)).collect(),
    }
}

/// `WAVE_FORMAT_EXTENSIBLE`.
const EXTENSIBLE: u16 = 0xfffe;

/// Splits a chunk's name and claimed size from everything that follows them.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], usize, &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<4>()?;
    let (size, body) = rest.split_first_chunk::<4>()?;
    Some((name, u32::from_le_bytes(*size) as usize, body))
}

/// Whether a chunk begins here, as it does after audio that is truly empty; so does an end.
fn is_chunk(bytes: &[u8]) -> bool {
    let Some((name, size, body)) = chunk(bytes) else { return bytes.is_empty() };
    name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') && size <= body.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_format_is_read_back() {
        for format in [Format::Alaw, Format::Pcm16, Format::Ulaw] {
            for channels in [1, 2] {
                let audio = [0x12; 80];
                let mut file = header(channels, 8000, format, Some(80));
                file.extend(audio);
                file.extend(b"LIST\x04\x00\x00\x00INFO");

                let wav = Wav::parse(&file).unwrap();

                assert_eq!((wav.channels, wav.rate, wav.format), (channels, 8000, format));
                assert_eq!(wav.samples.len(), 80 / usize::from(format.sample_bytes()));
                let expected = match format {
                    Format::Alaw => g711::alaw_decode(0x12),
                    Format::Pcm16 => 0x1212,
                    Format::Ulaw => g711::ulaw_decode(0x12),
                };
                assert!(wav.samples.iter().all(|sample| *sample == expected));
            }
        }
    }

    /// What kill -9 leaves: a header that was never corrected and a frame cut in half.
    #[test]
    fn a_cut_file_is_read_to_its_last_frame() {
        let mut file = header(2, 8000, Format::Pcm16, None);
        for frame in 0..1000_i16 {
            file.extend(frame.to_le_bytes());
            file.extend((-frame).to_le_bytes());
        }
        file.truncate(file.len() - 3);

        let wav = Wav::parse(&file).unwrap();

        assert_eq!(wav.frames(), 999);
        assert_eq!(wav.channel(0).last(), Some(&998));
        assert_eq!(wav.channel(1).last(), Some(&-998));
        assert!(wav.mono().iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_length_of_zero_before_audio_means_the_end() {
        let mut file = header(1, 8000, Format::Pcm16, Some(0));
        assert_eq!(Wav::parse(&file).unwrap().frames(), 0);

        file.extend([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(Wav::parse(&file).unwrap().frames(), 5);
    }

    /// As ffmpeg writes 24 kHz speech: an extensible header and a LIST chunk of odd size before it.
    #[test]
    fn an_extensible_header_is_read() {
        let mut file = b"RIFF\0\0\0\0WAVELIST\x05\0\0\0INFOx\0fmt \x28\0\0\0".to_vec();
        file.extend([0xfe, 0xff, 1, 0, 0xc0, 0x5d, 0, 0, 0x80, 0xbb, 0, 0, 2, 0, 16, 0]);
        file.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0]);
        file.extend([0; 14]);
        file.extend(b"data\x04\0\0\0\x01\0\x02\0");

        let wav = Wav::parse(&file).unwrap();

        assert_eq!((wav.rate, wav.samples), (24000, vec![1, 2]));
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let of = |channels, rate, format| header(channels, rate, format, Some(0));
        let mut wide = of(1, 8000, Format::Pcm16);
        wide[34] = 24;

        assert_eq!(Wav::parse(b"RIFX"), Err(WavError::NotWav));
        assert_eq!(Wav::parse(&wide), Err(WavError::Format { tag: 1, bits: 24 }));
        assert_eq!(Wav::parse(&of(3, 8000, Format::Alaw)), Err(WavError::Channels(3)));
        assert_eq!(Wav::parse(&of(0, 8000, Format::Alaw)), Err(WavError::Channels(0)));
        assert_eq!(Wav::parse(&of(1, 100, Format::Alaw)), Err(WavError::Rate(100)));
        assert_eq!(Wav::parse(&of(1, 8000, Format::Pcm16)[..36]), Err(WavError::NoAudio));
        assert_eq!(Wav::parse(b"RIFF....WAVEdata\0\0\0\0"), Err(WavError::NoFormat));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            cut in 0_usize..80, at in 0_usize..60, byte: u8, tail in any::<[u8; 24]>()
        ) {
            let mut file = header(2, 8000, Format::Ulaw, Some(24));
            file.extend(tail);
            let at = at.min(file.len() - 1);
            file[at] = byte;
            file.truncate(cut);
            let _ = Wav::parse(&file);
        }
    }
}
