//! The figures of ITU-T Q.24.

use super::*;
use crate::audio::g711::{alaw_decode, alaw_encode};
use crate::audio::tone::peak;

#[test]
fn every_key_is_found_once() {
    for key in "0123456789*#ABCD".chars() {
        for offset in (0..BLOCK).step_by(5) {
            let press = Press { key, ..Press::default() };
            assert_eq!(found(&press.samples(offset)), key.to_string(), "{key} after {offset}");
        }
    }
}

/// Q.24: a key has 40 ms at least, and 40 ms of pause; 23 ms are none, nor is a gap of 10 ms a
/// pause.
#[test]
fn durations_are_told_apart() {
    for offset in (0..BLOCK).step_by(5) {
        let of = |ms: &[(bool, usize)]| {
            let mut tones = Press { key: '7', ..Press::default() }.tones();
            let mut samples = vec![0; offset];
            for (sounds, ms) in ms {
                let tone =
                    tones.by_ref().take(8 * ms).map(|sample| if *sounds { sample } else { 0 });
                samples.extend(tone);
            }
            samples.extend([0; 800]);
            found(&samples)
        };
        assert_eq!(of(&[(true, 40)]), "7", "{offset}");
        assert_eq!(of(&[(true, 23)]), "", "{offset}");
        assert_eq!(of(&[(true, 50), (false, 45), (true, 50)]), "77", "{offset}");
        assert_eq!(of(&[(true, 50), (false, 10), (true, 50)]), "7", "{offset}");
        assert_eq!(of(&[(true, 3000)]), "7", "{offset}");
    }
}

/// Q.24: 1.5 % and 2 Hz off are a key, 3.5 % are none, in either tone.
#[test]
fn frequencies_are_told_apart() {
    for key in "159D".chars() {
        for sign in [-1.0, 1.0] {
            let near = |hertz: f64| sign * (0.015 * hertz + 2.0);
            let far = |hertz: f64| sign * 0.035 * hertz;
            let of = |low: f64, high: f64| {
                let mut heard = 0;
                for offset in (0..BLOCK).step_by(5) {
                    let press = Press { key, off: [low, high], ..Press::default() };
                    heard += usize::from(found(&press.samples(offset)) == key.to_string());
                }
                heard
            };
            let [low, high] = Press { key, ..Press::default() }.frequencies();
            assert_eq!(of(near(low), near(high)), 22, "{key} {sign}");
            assert_eq!(of(near(low), 0.0), 22, "{key} {sign}");
            assert_eq!(of(0.0, near(high)), 22, "{key} {sign}");
            assert_eq!(of(far(low), 0.0), 0, "{key} {sign}");
            assert_eq!(of(0.0, far(high)), 0, "{key} {sign}");
        }
    }
}

/// Q.24: from 0 to -25 dBm0, one tone up to 8 dB above the other, through G.711.
#[test]
fn levels_and_twist_are_borne() {
    for level in [0.0, -10.0, -25.0] {
        for twist in [-8.0, 0.0, 8.0] {
            for key in "16#D".chars() {
                let press = Press { key, level, twist, ..Press::default() };
                let line: Vec<i16> =
                    press.samples(7).iter().map(|s| alaw_decode(alaw_encode(*s))).collect();
                assert_eq!(found(&line), key.to_string(), "{level} dBm0, twist {twist} dB");
            }
        }
    }
    let weak = Press { level: -40.0, ..Press::default() };
    assert_eq!(found(&weak.samples(0)), "");
    let twisted = Press { twist: 12.0, ..Press::default() };
    assert_eq!(found(&twisted.samples(0)), "");
}

/// Q.24, all at once, the most that anybody there takes: the high tone 8 dB below the low one or
/// 5 dB above it, both 1.5 % and 2 Hz off, at the faintest, through G.711; and 3.5 % off is none.
#[test]
fn twist_level_and_frequency_are_borne_together() {
    for key in "0123456789*#ABCD".chars() {
        for twist in [-8.0, 5.0] {
            for signs in [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]] {
                for level in [0.0, -25.0] {
                    let press = Press { key, level, twist, ..Press::default() };
                    let hertz = press.frequencies();
                    let near = [0, 1].map(|n| signs[n] * (0.015 * hertz[n] + 2.0));
                    let far = [0, 1].map(|n| signs[n] * 0.035 * hertz[n]);
                    let of = |off: [f64; 2]| {
                        let press = Press { off, ..press };
                        let heard = (0..BLOCK).step_by(7).filter(|offset| {
                            let line = press.samples(*offset).into_iter();
                            let line: Vec<_> = line.map(|s| alaw_decode(alaw_encode(s))).collect();
                            found(&line) == key.to_string()
                        });
                        heard.count()
                    };
                    let what = format!("{key}, twist {twist} dB, {level} dBm0, off {near:.0?} Hz");
                    assert_eq!(of(near), 16, "{what}");
                    assert_eq!(of([far[0], 0.0]) + of([0.0, far[1]]), 0, "{what}: far");
                }
            }
        }
    }
}

/// Noise 15 dB below the key disturbs it not, and noise alone is none.
#[test]
fn noise_is_borne_and_no_key() {
    let mut seed = 1_u32;
    let mut noise = |amplitude: f64| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (amplitude * (f64::from(seed >> 8) / f64::from(1 << 24) * 2.0 - 1.0)) as i16
    };
    let mut presses = 0;
    for offset in 0..200 {
        let samples = Press::default().samples(offset);
        let noisy: Vec<i16> = samples.iter().map(|s| s.saturating_add(noise(2000.0))).collect();
        presses += usize::from(found(&noisy) == "5");
    }
    assert_eq!(presses, 200);
    let alone: Vec<i16> = (0..8000 * 120).map(|_| noise(20_000.0)).collect();
    assert_eq!(found(&alone), "");
}

fn found(samples: &[i16]) -> String {
    let (mut detector, mut keys) = (Detector::default(), Vec::new());
    for packet in samples.chunks(160) {
        detector.hear(packet, &mut keys);
    }
    keys.into_iter().collect()
}

/// A key of 100 ms with silence before and after.
#[derive(Clone, Copy)]
struct Press {
    key: char,
    /// Of the louder tone, in dBm0.
    level: f64,
    /// How much louder the high tone is, in dB.
    twist: f64,
    /// Of each tone, in hertz.
    off: [f64; 2],
}

impl Default for Press {
    fn default() -> Self {
        Self { key: '5', level: -8.0, twist: 0.0, off: [0.0; 2] }
    }
}

impl Press {
    fn frequencies(&self) -> [f64; 2] {
        let place = KEYS.iter().position(|own| char::from(*own) == self.key).expect("a key");
        [FREQUENCIES[place / 4].into(), FREQUENCIES[4 + place % 4].into()]
    }

    fn tones(&self) -> impl Iterator<Item = i16> + use<> {
        let [low, high] = self.frequencies();
        // Two tones at 0 dBm0 each are more than a sample holds: together they are at 0 then.
        let level = self.level.min(-3.0);
        let (low_level, high_level) = (level - self.twist.max(0.0), level - (-self.twist).max(0.0));
        let low = Sine::new(low + self.off[0], peak(low_level), 8000);
        let high = Sine::new(high + self.off[1], peak(high_level), 8000);
        low.zip(high).map(|(low, high)| low.saturating_add(high))
    }

    fn samples(&self, offset: usize) -> Vec<i16> {
        let tones = self.tones().take(800);
        std::iter::repeat_n(0, offset).chain(tones).chain([0; 800]).collect()
    }
}
