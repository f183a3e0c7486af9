//! Tones: a sine generator, and the Goertzel detector that finds one again.

use std::f64::consts::{PI, TAU};

/// An endless sine wave.
#[derive(Clone, Debug)]
pub struct Sine {
    amplitude: f64,
    phase: f64,
    step: f64,
}

impl Sine {
    /// `frequency` in hertz, `amplitude` as the peak sample, `rate` in samples per second.
    ///
    /// # Panics
    ///
    /// If `rate` is zero.
    pub fn new(frequency: f64, amplitude: i16, rate: u32) -> Self {
        assert!(rate > 0, "a tone needs a sampling rate");
        Self {
            amplitude: f64::from(amplitude),
            phase: 0.0,
            step: TAU * frequency / f64::from(rate),
        }
    }
}

impl Iterator for Sine {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        let sample = (self.amplitude * self.phase.sin()).round() as i16;
        self.phase = (self.phase + self.step) % TAU;
        Some(sample)
    }
}

/// The peak sample of a sine of this level, in dBm0: full scale is 3.17 (ITU-T G.711, µ-law).
pub fn peak(level: f64) -> i16 {
    (f64::from(i16::MAX) * 10_f64.powf((level - FULL_SCALE) / 20.0)) as i16
}

/// The amplitude (peak sample) of one frequency in `samples`, by Goertzel's algorithm.
///
/// Exact for a sine of that frequency over whole periods. The detector's width is the inverse of
/// the block's length: over 20 ms, tones 50 Hz away are not heard.
pub fn amplitude(samples: &[i16], frequency: f64, rate: u32) -> f64 {
    if samples.is_empty() || rate == 0 {
        return 0.0;
    }
    let angle = 2.0 * PI * frequency / f64::from(rate);
    let coefficient = 2.0 * angle.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// The share of the energy of `samples` that is at one frequency: 1 for a pure tone, 0 for silence.
pub fn purity(samples: &[i16], frequency: f64, rate: u32) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if energy == 0.0 {
        return 0.0;
    }
    let tone = amplitude(samples, frequency, rate).powi(2) / 2.0 * samples.len() as f64;
    (tone / energy).min(1.0)
}

/// The level of the loudest sine, in dBm0.
const FULL_SCALE: f64 = 3.17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_at_its_frequency_only() {
        let samples: Vec<i16> = Sine::new(440.0, 8000, 8000).take(1600).collect();

        assert!((amplitude(&samples, 440.0, 8000) - 8000.0).abs() < 5.0);
        assert!(purity(&samples, 440.0, 8000) > 0.999);
        assert!(purity(&samples, 1000.0, 8000) < 0.001);
    }

    #[test]
    fn two_tones_share_the_energy() {
        let samples: Vec<i16> = Sine::new(440.0, 8000, 8000)
            .zip(Sine::new(1000.0, 8000, 8000))
            .map(|(low, high)| low + high)
            .take(1600)
            .collect();

        assert!((purity(&samples, 440.0, 8000) - 0.5).abs() < 0.01);
        assert!((purity(&samples, 1000.0, 8000) - 0.5).abs() < 0.01);
    }

    #[test]
    fn silence_holds_no_tone() {
        assert_eq!(purity(&[0; 160], 440.0, 8000), 0.0);
        assert_eq!(amplitude(&[], 440.0, 8000), 0.0);
    }
}
