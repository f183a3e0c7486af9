//! Comfort noise: what a phone says of the silence around it, as sound.
//!
//! Spec:     RFC 3389 §3.
//! In:       the payload of a packet, hostile ones too.
//! Out:      samples at 8 kHz of that level and, if it is told, that spectrum.
//! Not here: when it is heard (`media`).

/// Noise as a packet describes it.
#[derive(Clone, Debug)]
pub struct Noise {
    /// The peak of what goes into the filter.
    peak: f32,
    /// Reflection coefficients of the filter; none for white noise.
    reflections: Vec<f32>,
    /// What each stage of the filter remembers.
    past: Vec<f32>,
    dice: u32,
}

impl Noise {
    /// Noise as `payload` says; `None` if it says nothing. Noise that is louder than a voice in a
    /// quiet room is made that quiet; stages of the filter beyond `STAGES_MAX` are left out.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (level, spectrum) = payload.split_first()?;
        let level = (level & 0x7f).max(LEVEL_MAX);
        let reflections: Vec<f32> =
            spectrum.iter().take(STAGES_MAX).map(|byte| reflection(*byte)).collect();
        // What the filter adds in strength is taken off before it.
        let gain: f32 = reflections.iter().map(|k| 1.0 - k * k).product::<f32>().sqrt();
        let strength = FULL_SCALE * 10_f32.powf(-f32::from(level) / 20.0);
        let past = vec![0.0; reflections.len() + 1];
        // Of even distribution: the peak is √3 of the root mean square.
        Some(Self { peak: strength * 3_f32.sqrt() * gain, reflections, past, dice: 1 })
    }

    /// The next sample, by a lattice of the reflection coefficients.
    fn sample(&mut self) -> i16 {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut forward = self.peak * ((self.dice >> 8) as f32 / (1_u32 << 23) as f32 - 1.0);
        for stage in (0..self.reflections.len()).rev() {
            let k = self.reflections[stage];
            forward -= k * self.past[stage];
            self.past[stage + 1] = self.past[stage] + k * forward;
        }
        self.past[0] = forward;
        forward.round() as i16 // `as` keeps to the range of samples
    }
}

impl Iterator for Noise {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        Some(self.sample())
    }
}

/// RFC 3389 §3.2; kept off 1, where the filter would ring for ever.
fn reflection(byte: u8) -> f32 {
    let k = 258.0 * (f32::from(byte) - 127.0) / 32_768.0;
    k.clamp(-REFLECTION_MAX, REFLECTION_MAX)
}

/// The root mean square of the loudest noise, at 0 dBov (RFC 3389 §3.1).
const FULL_SCALE: f32 = 32_767.0;
/// The loudest that is played, in -dBov.
const LEVEL_MAX: u8 = 30;
/// Stages of the filter: what RFC 3389 §3.2 has as an example, and phones send at most.
const STAGES_MAX: usize = 12;
const REFLECTION_MAX: f32 = 0.98;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::tone::amplitude;

    #[test]
    fn noise_is_as_loud_as_it_says() {
        for (byte, level) in [(40, 40.0), (60, 60.0), (0x80 | 50, 50.0), (3, 30.0)] {
            for spectrum in [&[][..], &[60], &[200, 90, 127, 140]] {
                let payload = [&[byte], spectrum].concat();
                let heard = level_of(&heard(&payload));
                assert!((heard + level).abs() < 1.0, "{payload:?}: {heard} dBov");
            }
        }
        assert!(heard(&[127]).iter().all(|sample| sample.abs() <= 1));
        assert!(Noise::parse(&[]).is_none());
    }

    #[test]
    fn noise_has_the_spectrum_that_it_says() {
        let low_to_high = |byte| {
            let samples = heard(&[40, byte]);
            let power = |from: usize| -> f64 {
                let all = (0..20).map(|n| amplitude(&samples, (from + 10 * n) as f64, 8000));
                all.map(|it| it * it).sum()
            };
            power(300) / power(3500)
        };

        assert!((0.3..3.0).contains(&low_to_high(127)), "white: {}", low_to_high(127));
        assert!(low_to_high(40) > 5.0, "{}", low_to_high(40));
        assert!(low_to_high(214) < 0.2, "{}", low_to_high(214));
    }

    proptest! {
        /// Whatever a packet says, it is no louder than the limit, and does not ring.
        #[test]
        fn any_noise_is_bounded(payload in prop::collection::vec(any::<u8>(), 1..40)) {
            let heard = heard(&payload);
            prop_assert!(level_of(&heard) < -26.0, "{}", level_of(&heard));
        }
    }

    fn heard(payload: &[u8]) -> Vec<i16> {
        Noise::parse(payload).unwrap().skip(4000).take(16_000).collect()
    }

    /// In dBov.
    fn level_of(samples: &[i16]) -> f64 {
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        10.0 * (power / samples.len() as f64).log10() - 20.0 * f64::from(FULL_SCALE).log10()
    }
}
