//! Prompts as the player reads them: decoded once, shared by all legs that hear them.

use std::f64::consts::PI;
use std::sync::Arc;

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
        Ok(Self { samples: resample(wav.mono(), wav.rate).into_boxed_slice() })
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

/// Brings samples to 8 kHz: a windowed sinc, cut off below the lower of the two Nyquist frequencies.
fn resample(samples: Vec<i16>, rate: u32) -> Vec<i16> {
    if rate == RATE || rate == 0 {
        return samples;
    }
    let step = f64::from(rate) / f64::from(RATE);
    let cutoff = (1.0 / step).min(1.0) * PASS;
    let reach = LOBES / cutoff;
    let length = (samples.len() as f64 / step) as usize;
    (0..length)
        .map(|n| {
            let centre = n as f64 * step;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(samples.len() - 1);
            let sum: f64 = (first..=last)
                .map(|at| f64::from(samples[at]) * kernel(at as f64 - centre, cutoff, reach))
                .sum();
            sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
        })
        .collect()
}

/// A sinc under a Hann window.
fn kernel(distance: f64, cutoff: f64, reach: f64) -> f64 {
    let window = 0.5 + 0.5 * (PI * distance / reach).cos();
    let x = PI * distance * cutoff;
    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
    cutoff * sinc * window
}

/// Samples a second of a decoded prompt.
pub const RATE: u32 = 8000;
/// The share of the band below the Nyquist frequency that is kept.
const PASS: f64 = 0.94;
/// Zero crossings of the sinc on each side.
const LOBES: f64 = 24.0;

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
