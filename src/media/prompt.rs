//! Prompts as the player reads them: decoded once, shared by all legs that hear them.

use std::sync::Arc;

use crate::audio::resample::convert;
use crate::audio::wav::{Wav, WavError};
use crate::id::PromptId;

/// A recorded announcement, decoded: 8 kHz, one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub samples: Box<[i16]>,
}

impl Prompt {
    /// Decodes a WAV file of any rate and number of channels.
    ///
    /// # Errors
    ///
    /// If the bytes are no WAV file that can be played.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, WavError> {
        let wav = Wav::parse(bytes)?;
        Ok(Self { samples: convert(&wav.mono(), wav.rate, RATE).into_boxed_slice() })
    }

    /// Memory it takes.
    pub fn bytes(&self) -> usize {
        2 * self.samples.len()
    }
}

/// Where the player finds prompts.
pub trait Library {
    /// Never waits: a prompt that is not at hand is `Loading`, and will be at hand soon.
    fn find(&self, id: &PromptId) -> Found;
}

/// What became of looking for a prompt.
#[derive(Clone, Debug)]
pub enum Found {
    Ready(Arc<Prompt>),
    /// Ask again in a few milliseconds.
    Loading,
    /// There is no such file, or it is no audio.
    Missing,
}

/// Samples a second of a decoded prompt.
pub const RATE: u32 = 8000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, amplitude};
    use crate::audio::wav::{self, Format};

    #[test]
    fn any_rate_is_brought_to_8_khz() {
        for rate in [8000, 11_025, 16_000, 44_100, 48_000] {
            let prompt = Prompt::from_wav(&tone(1000.0, rate)).unwrap();

            let level = amplitude(&prompt.samples[400..7600], 1000.0, RATE);
            assert!((level - 8000.0).abs() < 200.0, "{rate}: {level}");
            assert!(prompt.samples.len().abs_diff(8000) <= 1);
        }
    }

    #[test]
    fn what_8_khz_cannot_hold_is_not_folded_back() {
        for frequency in [4400.0, 5000.0, 7000.0] {
            let prompt = Prompt::from_wav(&tone(frequency, 16_000)).unwrap();

            let loudest = prompt.samples[400..7600].iter().map(|s| s.unsigned_abs()).max();
            assert!(loudest < Some(80), "{frequency}: {loudest:?}");
        }
    }

    #[test]
    fn what_is_no_wav_file_is_refused() {
        assert!(Prompt::from_wav(b"RIFF....WAVEfmt ").is_err());
        assert!(Prompt::from_wav(b"").is_err());
    }

    /// One second as a WAV file.
    fn tone(frequency: f64, rate: u32) -> Vec<u8> {
        let mut bytes = wav::header(1, rate, Format::Pcm16, None);
        let sine = Sine::new(frequency, 8000, rate);
        bytes.extend(sine.take(rate as usize).flat_map(i16::to_le_bytes));
        bytes
    }
}
