//! A voice played a little faster or slower at the same pitch: one of its periods is left out, or
//! played twice.
//!
//! In:       samples at 16 kHz that wait to be heard.
//! Out:      fewer, or more.
//! Not here: whether that is wanted (`rtp::jitter`).

use crate::audio::pitch::{self, PERIOD_MAX, Period, cross_fade, energy};

/// Leaves out one period before the end of `sound`; gives the number of samples that are gone.
///
/// None, if the sound has no period there and is not silent: a change would be heard.
pub fn shorten(sound: &mut Vec<i16>) -> usize {
    let Some(period) = repeating(sound) else { return 0 };
    // ... A B becomes ... with A going over into B.
    let start = sound.len() - 2 * period;
    let (first, second) = sound[start..].split_at_mut(period);
    cross_fade(first.iter().copied(), second);
    sound.drain(start..start + period);
    period
}

/// Plays one period before the end of `sound` twice; gives the number of samples that are new.
pub fn lengthen(sound: &mut Vec<i16>) -> usize {
    let Some(period) = repeating(sound) else { return 0 };
    // ... A B becomes ... A, then B going over into A, then B.
    let start = sound.len() - 2 * period;
    sound.extend_from_within(sound.len() - period..);
    let (first, rest) = sound[start..].split_at_mut(period);
    let mut middle = [0; PERIOD_MAX];
    let middle = &mut middle[..period];
    middle.copy_from_slice(first);
    cross_fade(rest[..period].iter().copied(), middle);
    rest[..period].copy_from_slice(middle);
    period
}

/// The period of the end of `sound`, if two of them can be told apart from one by nobody.
fn repeating(sound: &[i16]) -> Option<usize> {
    let longest = (sound.len() / 2).min(PERIOD_MAX);
    let piece = PIECE.min(longest);
    let Period { samples, likeness } = pitch::find(sound, piece, longest)?;
    let end = &sound[sound.len() - 2 * longest..];
    if energy(end) <= QUIET * end.len() as f32 {
        return Some(longest);
    }
    (likeness >= ALIKE).then_some(samples)
}

/// Samples that are compared: 5 ms at least.
const PIECE: usize = 120;
/// How alike two periods must be.
const ALIKE: f32 = 0.85;
/// The mean square of what counts as silence: about -56 dB below the loudest sine.
const QUIET: f32 = 40.0 * 40.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::pitch::RATE;
    use crate::audio::tone::{Sine, purity};

    /// Plays a tone in packets of 20 ms, each of them changed.
    fn paced(frequency: f64, change: fn(&mut Vec<i16>) -> usize) -> (Vec<i16>, usize) {
        let mut sine = Sine::new(frequency, 8000, RATE);
        let (mut heard, mut changed) = (Vec::new(), 0);
        for _ in 0..50 {
            let mut frame: Vec<i16> = sine.by_ref().take(320).collect();
            changed += change(&mut frame);
            heard.extend(frame);
        }
        (heard, changed)
    }

    #[test]
    fn a_tone_keeps_its_pitch() {
        for frequency in [120.0, 220.0, 437.0, 1000.0] {
            for change in [shorten, lengthen] {
                let (heard, changed) = paced(frequency, change);
                assert!(changed > 1000, "{frequency} Hz: {changed}");
                assert_eq!(heard.len().abs_diff(16_000), changed);
                let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
                let own = 8000.0 * std::f64::consts::TAU * frequency / f64::from(RATE);
                assert!(f64::from(step) < 1.3 * own + 60.0, "{frequency} Hz: a click of {step}");
                // A tone of another pitch, or a torn one, has lost its purity within 50 ms.
                for piece in heard.chunks_exact(800) {
                    let pure = purity(piece, frequency, RATE);
                    assert!(pure > 0.95, "{frequency} Hz: {pure}");
                }
            }
        }
    }

    #[test]
    fn silence_goes_fastest_and_noise_not_at_all() {
        let mut silence = vec![3; 640];
        assert_eq!(shorten(&mut silence), PERIOD_MAX);
        assert_eq!(lengthen(&mut silence), (640 - PERIOD_MAX) / 2);

        let mut number = 1_u32;
        let noise = std::iter::repeat_with(|| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 16) as i16 / 4
        });
        let mut noise = noise.take(640).collect::<Vec<_>>();
        assert_eq!((shorten(&mut noise), lengthen(&mut noise)), (0, 0));
    }

    #[test]
    fn what_is_too_short_stays() {
        for length in 0..90 {
            let mut sound = vec![0; length];
            let gone = shorten(&mut sound);
            assert!(sound.len() + gone == length);
            lengthen(&mut sound);
        }
    }
}
