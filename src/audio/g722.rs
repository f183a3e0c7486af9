//! G.722 at 64 kbit/s: 16 kHz speech in two bands, one byte for two samples.
//!
//! Spec:     ITU-T G.722 §3 to §6; its blocks' names stand at the code that is them.
//! In, out:  samples and bytes, hostile ones too.
//! Not here: the modes of 56 and 48 kbit/s, other sampling rates (`resample`).

/// Samples per second, of both the encoder's input and the decoder's output.
pub const RATE: u32 = 16_000;

/// Turns samples into bytes.
#[derive(Clone, Debug)]
pub struct Encoder {
    low: Band,
    high: Band,
    /// Of the band-splitting filter: the last 24 samples, the oldest first.
    past: [i32; 24],
}

/// Turns bytes into samples.
#[derive(Clone, Debug)]
pub struct Decoder {
    low: Band,
    high: Band,
    /// Of the band-joining filter: sums and differences of the bands, the oldest first.
    past: [i32; 24],
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::new(LOW_SCALE), high: Band::new(HIGH_SCALE), past: [0; 24] }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::new(LOW_SCALE), high: Band::new(HIGH_SCALE), past: [0; 24] }
    }
}

impl Encoder {
    /// Appends one byte for each two samples; a last odd one is left out.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        out.extend(samples.chunks_exact(2).map(|pair| self.pair(pair[0].into(), pair[1].into())));
    }

    fn pair(&mut self, first: i32, second: i32) -> u8 {
        self.past.copy_within(2.., 0);
        (self.past[22], self.past[23]) = (first, second);
        let (odd, even) = split(&self.past);
        let low = self.encode_low((even + odd) >> 14);
        let high = self.encode_high((even - odd) >> 14);
        high << 6 | low
    }

    /// The lower band's 6 bits.
    fn encode_low(&mut self, sample: i32) -> u8 {
        let band = &mut self.low;
        let error = saturate(sample - band.estimate); // SUBTRA
        let magnitude = if error >= 0 { error } else { !error };
        let step = LOW_DECISIONS
            .iter()
            .position(|decision| magnitude < (decision * band.scale) >> 12)
            .unwrap_or(LOW_DECISIONS.len()); // QUANTL
        let code = if error < 0 { LOW_NEGATIVE[step] } else { LOW_POSITIVE[step] };
        band.adapt_low(code);
        code
    }

    /// The upper band's 2 bits.
    fn encode_high(&mut self, sample: i32) -> u8 {
        let band = &mut self.high;
        let error = saturate(sample - band.estimate); // SUBTRA
        let magnitude = if error >= 0 { error } else { !error };
        let large = magnitude >= (564 * band.scale) >> 12; // QUANTH
        let code = match (error < 0, large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        band.adapt_high(code);
        code
    }
}

impl Decoder {
    /// Appends two samples for each byte.
    pub fn decode(&mut self, bytes: &[u8], out: &mut Vec<i16>) {
        out.extend(bytes.iter().flat_map(|byte| self.byte(*byte)));
    }

    fn byte(&mut self, byte: u8) -> [i16; 2] {
        let (low_code, high_code) = (byte & 0x3f, byte >> 6);
        let fine = (self.low.scale * LOW_FINE[usize::from(low_code)]) >> 15; // INVQBL
        let low = (self.low.estimate + fine).clamp(-16384, 16383); // LIMIT
        self.low.adapt_low(low_code);
        let coarse = (self.high.scale * HIGH_COARSE[usize::from(high_code)]) >> 15; // INVQAH
        let high = (self.high.estimate + coarse).clamp(-16384, 16383); // LIMIT
        self.high.adapt_high(high_code);

        self.past.copy_within(2.., 0);
        (self.past[22], self.past[23]) = (low + high, low - high);
        let (odd, even) = split(&self.past);
        [even, odd].map(|sum| saturate(sum >> 11) as i16)
    }
}

/// The adaptive quantiser and predictor of one band.
#[derive(Clone, Debug)]
struct Band {
    /// The predictor's output, and the part of it that comes from the zeros.
    estimate: i32,
    zero_estimate: i32,
    /// The last two reconstructed signals, and the same without the poles.
    signal: [i32; 2],
    partial: [i32; 2],
    /// The last six quantised differences.
    differences: [i32; 6],
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The scale factor and its logarithm.
    scale: i32,
    scale_log: i32,
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            estimate: 0,
            zero_estimate: 0,
            signal: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
            poles: [0; 2],
            zeros: [0; 6],
            scale,
            scale_log: 0,
        }
    }

    fn adapt_low(&mut self, code: u8) {
        let code = usize::from(code >> 2);
        let difference = (self.scale * LOW_COARSE[code]) >> 15; // INVQAL
        self.rescale(LOW_SCALE_STEPS[code], 18_432, 8); // LOGSCL, SCALEL
        self.predict(difference);
    }

    fn adapt_high(&mut self, code: u8) {
        let code = usize::from(code);
        let difference = (self.scale * HIGH_COARSE[code]) >> 15; // INVQAH
        self.rescale(HIGH_SCALE_STEPS[code], 22_528, 10); // LOGSCH, SCALEH
        self.predict(difference);
    }

    fn rescale(&mut self, step: i32, log_max: i32, shift: i32) {
        self.scale_log = (((self.scale_log * 127) >> 7) + step).clamp(0, log_max);
        let fraction = SCALES[(self.scale_log >> 6 & 31) as usize];
        let shift = shift - (self.scale_log >> 11);
        self.scale = if shift < 0 { fraction << -shift } else { fraction >> shift } << 2;
    }

    /// Block 4: adapts the predictor to a quantised difference, and predicts.
    fn predict(&mut self, difference: i32) {
        let signal = saturate(self.estimate + difference); // RECONS
        let partial = saturate(self.zero_estimate + difference); // PARREC
        let signs = [partial, self.partial[0], self.partial[1]].map(|value| value >> 15);

        // UPPOL2
        let first = saturate(self.poles[0] << 2);
        let turned = if signs[0] == signs[1] { -first } else { first }.min(32_767);
        let push = if signs[0] == signs[2] { 128 } else { -128 };
        let second_pole = push + (turned >> 7) + ((self.poles[1] * 32_512) >> 15);
        let second_pole = second_pole.clamp(-12_288, 12_288);
        // UPPOL1
        let push = if signs[0] == signs[1] { 192 } else { -192 };
        let bound = saturate(15_360 - second_pole);
        let first_pole = saturate(push + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);
        self.poles = [first_pole, second_pole];
        // UPZERO
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let push = if past >> 15 == difference >> 15 { push } else { -push };
            *zero = saturate(push + ((*zero * 32_640) >> 15));
        }
        // DELAYA
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.signal = [signal, self.signal[0]];
        self.partial = [partial, self.partial[0]];

        // FILTEP, FILTEZ, PREDIC
        let weigh = |(weight, value): (&i32, &i32)| (weight * saturate(value + value)) >> 15;
        let poles = saturate(self.poles.iter().zip(&self.signal).map(weigh).sum());
        self.zero_estimate = saturate(self.zeros.iter().zip(&self.differences).map(weigh).sum());
        self.estimate = saturate(poles + self.zero_estimate);
    }
}

/// The two halves of the quadrature mirror filter: over the even places, over the odd ones.
fn split(past: &[i32; 24]) -> (i32, i32) {
    let mut sums = (0, 0);
    for (index, weight) in MIRROR.iter().enumerate() {
        sums.0 += past[2 * index] * weight;
        sums.1 += past[23 - 2 * index] * weight;
    }
    sums
}

fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// Scale factors to begin with.
const LOW_SCALE: i32 = 32;
const HIGH_SCALE: i32 = 8;

/// One half of the filter's coefficients, table 11; the other half is their mirror image.
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band, table 14.
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Codes of the lower band by decision level, for negative differences, table 14.
const LOW_NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10,
    9, 8, 7, 6, 5, 4,
];

/// The same for positive differences.
const LOW_POSITIVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38,
    37, 36, 35, 34, 33, 32,
];

/// What each 6-bit code of the lower band stands for, table 17.
const LOW_FINE: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];

/// What its upper 4 bits alone stand for, table 16.
const LOW_COARSE: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];

/// What they do to the logarithm of the scale factor, tables 18 and 19.
const LOW_SCALE_STEPS: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// What each code of the upper band stands for, table 21.
const HIGH_COARSE: [i32; 4] = [-7408, -1616, 7408, 1616];

/// What it does to the logarithm of the scale factor, tables 22 and 23.
const HIGH_SCALE_STEPS: [i32; 4] = [798, -214, 798, -214];

/// Powers of two in steps of 1/32, table 20.
const SCALES: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{self, Sine};

    #[test]
    fn a_tone_comes_back_clean() {
        for (frequency, allowed) in
            [(300.0, 0.001), (1000.0, 0.001), (3000.0, 0.002), (6000.0, 0.02)]
        {
            let heard = there_and_back(
                &Sine::new(frequency, 10_000, RATE).take(16_000).collect::<Vec<_>>(),
            );

            let steady = &heard[1600..];
            let level = tone::amplitude(steady, frequency, RATE) / 10_000.0;
            let noise = 1.0 - tone::purity(steady, frequency, RATE);
            assert!((0.96..1.04).contains(&level), "{frequency} Hz came back at {level}");
            assert!(noise < allowed, "{frequency} Hz came back with {noise} of noise");
        }
    }

    /// The noise is the codec's own, 48 dB below a loud tone and more below a soft one: ffmpeg 5.1,
    /// there and back, was found to have the same to a tenth of a dB.
    #[test]
    fn a_tone_has_the_noise_that_it_has_with_others() {
        for (level, others) in [(-40.0, -34.4), (-30.0, -42.0), (-20.0, -45.8), (-10.0, -47.3)] {
            let peak = tone::peak(level);
            let said: Vec<_> = Sine::new(1004.0, peak, RATE).take(2 * RATE as usize).collect();

            let heard = &there_and_back(&said)[RATE as usize..];

            let pure = tone::purity(heard, 1004.0, RATE);
            let noise = 10.0 * ((1.0 - pure) / pure).log10();
            assert!((noise - others).abs() < 0.5, "{level} dBm0: {noise:.1} dB, others {others}");
            let change = 20.0 * (tone::amplitude(heard, 1004.0, RATE) / f64::from(peak)).log10();
            assert!(change.abs() < 0.05, "{level} dBm0: {change:+.2} dB");
        }
    }

    /// Who begins to listen in the middle of a stream: its steps and predictors are not those of
    /// the sender yet. The codec makes up for that by itself, as ffmpeg's does with these bytes:
    /// for 60 ms a tone is too soft, then up to 2.6 dB too loud, after 140 ms within half a dB.
    #[test]
    fn who_begins_in_the_middle_hears_right_soon() {
        let said: Vec<_> = Sine::new(1004.0, 10_000, RATE).take(2 * RATE as usize).collect();
        let mut encoded = Vec::new();
        Encoder::default().encode(&said, &mut encoded);
        for begin in [4000, 4001, 5333, 7999] {
            let mut heard = Vec::new();
            Decoder::default().decode(&encoded[begin..], &mut heard);

            let level = |ms: usize| {
                let part = &heard[ms * 16..ms * 16 + 320];
                20.0 * (tone::amplitude(part, 1004.0, RATE) / 10_000.0).log10()
            };
            let levels: Vec<f64> = (0..300).step_by(20).map(level).collect();
            assert!(levels[3..].iter().all(|level| level.abs() < 3.0), "{begin}: {levels:.2?}");
            assert!(levels[7..].iter().all(|level| level.abs() < 0.5), "{begin}: {levels:.2?}");
        }
    }

    #[test]
    fn silence_stays_silent() {
        assert!(there_and_back(&[0; 1600]).iter().all(|sample| sample.abs() <= 4));
    }

    /// The decoder's output for bytes of a fixed pseudo-random row; ffmpeg's decoder, an
    /// independent one, gave the same samples.
    #[test]
    fn hostile_bytes_are_decoded_as_by_others() {
        let mut samples = Vec::new();
        Decoder::default().decode(&noise(), &mut samples);

        assert_eq!(samples.len(), 20_000);
        assert_eq!(fold(samples.iter().map(|sample| *sample as u16)), DECODED);
    }

    /// Loud noise drives every limit of the encoder; ffmpeg's gave the same bytes.
    #[test]
    fn any_samples_are_encoded_as_by_others() {
        let samples: Vec<_> =
            noise().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        let mut encoded = Vec::new();
        Encoder::default().encode(&samples, &mut encoded);

        assert_eq!(encoded.len(), samples.len() / 2);
        assert_eq!(fold(encoded.iter().map(|byte| u16::from(*byte))), ENCODED);
    }

    fn there_and_back(samples: &[i16]) -> Vec<i16> {
        let (mut encoded, mut heard) = (Vec::new(), Vec::new());
        Encoder::default().encode(samples, &mut encoded);
        Decoder::default().decode(&encoded, &mut heard);
        heard
    }

    /// 10,000 bytes of Knuth's MMIX generator.
    fn noise() -> Vec<u8> {
        let mut state = 1_u64;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some((state >> 56) as u8)
        };
        std::iter::from_fn(next).take(10_000).collect()
    }

    /// FNV-1a over the numbers.
    fn fold(numbers: impl Iterator<Item = u16>) -> u64 {
        numbers.fold(0xcbf2_9ce4_8422_2325, |hash, number| {
            (hash ^ u64::from(number)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    const DECODED: u64 = 0x0d92_b1ce_9fe7_c554;
    const ENCODED: u64 = 0x1b30_ec6a_3735_3ded;
}
