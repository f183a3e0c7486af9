//! Changing the sampling rate, by a polyphase low-pass filter.
//!
//! In, out:  samples of one channel, as a stream in any pieces or as a whole.
//! Not here: which rate a codec wants (`g722`), mixing channels (`wav`).

use std::f64::consts::PI;
use std::sync::{Arc, OnceLock};

/// Converts a stream from one rate to another.
///
/// What comes out is late by `delay` input samples: 32 from 8 to 16 kHz, 64 from 16 to 8 kHz, which
/// is 4 ms both times.
#[derive(Clone, Debug)]
pub struct Resampler {
    filter: Arc<Filter>,
    /// The last `taps - 1` input samples, followed by the piece at hand.
    past: Vec<f32>,
    /// Where the next output sample lies, in `1/up` of the input's spacing, from the next input on.
    position: usize,
}

/// The low-pass filter of one ratio: those of calls are made once, and shared.
#[derive(Debug)]
struct Filter {
    /// The ratio of the rates in lowest terms: output to input.
    up: usize,
    down: usize,
    /// Input samples that make an output sample.
    taps: usize,
    /// `up` rows of `taps` weights: one row for each place between two input samples.
    weights: Vec<f32>,
}

impl Filter {
    fn of(up: usize, down: usize) -> Arc<Self> {
        static SHARED: [OnceLock<Arc<Filter>>; RATIOS.len()] =
            [const { OnceLock::new() }; RATIOS.len()];
        let make = || Arc::new(Self::new(up, down));
        let place = RATIOS.iter().position(|ratio| *ratio == (up, down));
        place.map_or_else(make, |place| Arc::clone(SHARED[place].get_or_init(make)))
    }

    fn new(up: usize, down: usize) -> Self {
        // Whole lanes of weights in a row.
        let half = (CROSSINGS * down).div_ceil(up.min(down)).next_multiple_of(LANES / 2);
        let taps = 2 * half;
        // Above half of the lower rate nothing may pass; the filter falls off below it.
        let edge = 0.5 * (up as f64 / down as f64).min(1.0) - TRANSITION / taps as f64 / 2.0;
        let mut weights = Vec::with_capacity(up * taps);
        for phase in 0..up {
            let row: Vec<f64> = (0..taps)
                .map(|tap| (half - 1) as f64 - tap as f64 + phase as f64 / up as f64)
                .map(|offset| sinc(2.0 * edge * offset) * kaiser(offset / half as f64))
                .collect();
            let sum: f64 = row.iter().sum();
            weights.extend(row.iter().map(|weight| (weight / sum) as f32));
        }
        Self { up, down, taps, weights }
    }
}

impl Resampler {
    /// Rates in samples per second.
    ///
    /// # Panics
    ///
    /// If a rate is zero.
    pub fn new(from: u32, to: u32) -> Self {
        assert!(from > 0 && to > 0, "a rate of zero has no samples");
        let divisor = greatest_common_divisor(from, to);
        let filter = Filter::of((to / divisor) as usize, (from / divisor) as usize);
        let past = vec![0.0; filter.taps - 1];
        Self { filter, past, position: 0 }
    }

    /// How late the output is, in input samples.
    pub fn delay(&self) -> usize {
        self.filter.taps / 2
    }

    /// Takes a piece of the input and appends the output it completes.
    pub fn resample(&mut self, input: &[i16], out: &mut Vec<i16>) {
        let Filter { up, down, taps, weights } = &*self.filter;
        self.past.extend(input.iter().map(|sample| f32::from(*sample)));
        while self.position < input.len() * up {
            let (start, phase) = (self.position / up, self.position % up);
            let row = &weights[phase * taps..][..*taps];
            let window = &self.past[start..start + taps];
            let sum = dot(row, window);
            out.push(sum.round() as i16); // `as` keeps to the range of samples
            self.position += down;
        }
        self.position -= input.len() * up;
        self.past.drain(..input.len());
    }
}

/// Converts a whole recording, without delay.
pub fn convert(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return samples.to_vec();
    }
    let mut resampler = Resampler::new(from, to);
    let length = (samples.len() * resampler.filter.up).div_ceil(resampler.filter.down);
    let mut out = Vec::with_capacity(length + 1);
    // Begins with the filter half filled, and ends by emptying it.
    let delay = resampler.delay();
    let (first, rest) = samples.split_at(delay.min(samples.len()));
    resampler.past.extend(first.iter().map(|sample| f32::from(*sample)));
    resampler.past.extend(std::iter::repeat_n(0.0, delay - first.len()));
    resampler.past.drain(..delay);
    resampler.resample(rest, &mut out);
    resampler.resample(&vec![0; 2 * delay], &mut out);
    out.truncate(length);
    out
}

/// The sum of the products, in lanes that one instruction can work on.
fn dot(weights: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (weights, samples) in weights.chunks_exact(LANES).zip(samples.chunks_exact(LANES)) {
        for ((sum, weight), sample) in sums.iter_mut().zip(weights).zip(samples) {
            *sum += weight * sample;
        }
    }
    sums.iter().sum()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window, 1 in the middle and falling to its edges at -1 and 1.
fn kaiser(x: f64) -> f64 {
    bessel(SHAPE * (1.0 - x * x).max(0.0).sqrt()) / bessel(SHAPE)
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum, mut index) = (1.0, 1.0, 1.0);
    while term > 1e-12 * sum {
        term *= (x / 2.0 / index).powi(2);
        sum += term;
        index += 1.0;
    }
    sum
}

/// The ratios between 8, 16 and 48 kHz.
const RATIOS: [(usize, usize); 6] = [(2, 1), (1, 2), (6, 1), (1, 6), (3, 1), (1, 3)];
const LANES: usize = 8;
/// Zero crossings of the filter on each side, at the lower rate.
const CROSSINGS: usize = 32;
/// Of the Kaiser window: 70 dB of attenuation.
const SHAPE: f64 = 6.76;
/// Width of the filter's slope, in `1/taps` of the input rate, for that attenuation.
const TRANSITION: f64 = 4.32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{self, Sine};

    const RATES: [(u32, u32); 6] = [
        (8000, 16_000),
        (16_000, 8000),
        (8000, 48_000),
        (48_000, 8000),
        (16_000, 48_000),
        (48_000, 16_000),
    ];

    /// Issue 4: within 0.2 dB and -60 dB. Reached: 0.001 dB, and -81 dB for all but the tone.
    #[test]
    fn speech_keeps_its_level_and_leaves_no_image() {
        for (from, to) in RATES {
            let narrow = f64::from(from.min(to));
            let (mut off, mut worst) = (0.0_f64, f64::MIN);
            for frequency in [0.0375, 0.125, 0.25, 0.375, 0.425].map(|part| part * narrow) {
                let out = steady(frequency, from, to);

                let level = decibels(tone::amplitude(&out, frequency, to) / 10_000.0);
                let noise = decibels((1.0 - tone::purity(&out, frequency, to)).max(1e-12).sqrt());
                (off, worst) = (off.max(level.abs()), worst.max(noise));
                // Each multiple of the lower rate has its images, if the higher one has room.
                for place in (1..).map(|n| f64::from(n) * narrow) {
                    if place > f64::from(to) / 2.0 {
                        break;
                    }
                    let images = [place - frequency, place + frequency];
                    for image in images.into_iter().filter(|it| *it < f64::from(to) / 2.0) {
                        let image = decibels(tone::amplitude(&out, image, to) / 10_000.0);
                        assert!(image < -60.0, "{frequency} Hz: image at {image} dB");
                    }
                }
            }
            let reached = off < 0.01 && worst < -80.0;
            assert!(reached, "{from} to {to}: {off:.3} dB off, all but the tone {worst:.1} dB");
        }
    }

    /// Reached: -86 dB.
    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        for (from, to) in RATES.into_iter().filter(|(from, to)| from > to) {
            let mut worst = f64::MIN;
            for frequency in [0.5, 0.575, 0.625, 0.875].map(|part| part * f64::from(to)) {
                let out = steady(frequency, from, to);
                let alias = f64::from(to) - frequency;
                let alias = decibels(tone::amplitude(&out, alias, to) / 10_000.0);
                worst = worst.max(alias);
            }
            assert!(worst < -80.0, "{from} to {to}: what is too high comes back at {worst:.1} dB");
        }
    }

    #[test]
    fn the_filters_of_calls_are_shared() {
        for (from, to) in RATES {
            let [one, other] = [0; 2].map(|_| Resampler::new(from, to));
            assert!(Arc::ptr_eq(&one.filter, &other.filter), "{from} to {to}");
        }
    }

    #[test]
    fn pieces_make_the_same_stream_as_the_whole() {
        let input: Vec<i16> = Sine::new(777.0, 20_000, 44_100).take(4410).collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Resampler::new(44_100, 8000).resample(&input, &mut whole);

        let mut resampler = Resampler::new(44_100, 8000);
        for piece in input.chunks(7) {
            resampler.resample(piece, &mut pieces);
        }

        assert_eq!(pieces, whole);
        assert_eq!(whole.len(), 800);
    }

    #[test]
    fn a_recording_is_converted_in_place_and_length() {
        for (from, to) in [(44_100, 8000), (8000, 16_000), (16_000, 8000), (11_025, 8000)] {
            let input: Vec<i16> = Sine::new(500.0, 10_000, from).take(from as usize).collect();
            let wanted: Vec<i16> = Sine::new(500.0, 10_000, to).take(to as usize).collect();

            let out = convert(&input, from, to);

            assert_eq!(out.len(), to as usize);
            let inner = 200..out.len() - 200;
            let worst = inner.map(|at| (out[at] - wanted[at]).abs()).max().unwrap();
            assert!(worst < 30, "{from} to {to}: {worst} away");
        }
        assert_eq!(convert(&[1, 2, 3], 8000, 8000), [1, 2, 3]);
        assert!(convert(&[], 16_000, 8000).is_empty());
        assert_eq!(convert(&[5], 16_000, 8000).len(), 1);
        let click = convert(&[10_000, 0, 0, 0], 8000, 16_000);
        assert_eq!(click.iter().position(|sample| *sample > 9000), Some(0), "{click:?}");
    }

    #[test]
    fn the_loudest_samples_do_not_wrap() {
        let out = convert(&[i16::MAX, i16::MIN].map(|sample| [sample; 40]).concat(), 8000, 16_000);

        assert!(out[..78].iter().all(|sample| *sample > 16_000));
        assert!(out[82..].iter().all(|sample| *sample < -16_000));
    }

    /// A second of a tone without the filter's beginning.
    fn steady(frequency: f64, from: u32, to: u32) -> Vec<i16> {
        let input: Vec<i16> =
            Sine::new(frequency, 10_000, from).take(from as usize * 11 / 10).collect();
        let mut out = Vec::new();
        Resampler::new(from, to).resample(&input, &mut out);
        out.split_off(to as usize / 10)
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }
}
