//! Keys as pairs of tones in the audio: found, and made.
//!
//! Spec:     ITU-T Q.23 (the tones), Q.24 (what a receiver takes for one, and what not).
//! In:       samples at 8 kHz.
//! Out:      each key once, as soon as it is sure; samples of a key.
//! Not here: keys that have packets of their own (`rtp::dtmf`).
//!
//! Samples are looked at in blocks of 13 ms. A block is a hit if two tones, one of each group, hold
//! most of its energy. Two hits in a row are a key, if the phases of their tones moved from one to
//! the other as those of the right frequencies do, and if tones that far off could hold no more of
//! the energy. A block alone is too short to tell apart 1.5 % off, which phones may be, and 3.5 %,
//! which no key is, or a tone that is off from one that is short.

use std::f32::consts::{PI, TAU};

use crate::audio::tone::Sine;

/// Finds the keys that one party presses.
#[derive(Clone, Debug)]
pub struct Detector {
    tones: [Filter; 8],
    /// Of the block at hand.
    energy: f32,
    filled: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No key; the block before was a hit, or was none.
    Idle { before: Option<Hit> },
    /// A key was told, and is still pressed, as far as is known.
    Pressed { hit: Hit, doubt: u8, other: Option<Hit> },
}

/// A block that holds the two tones of a key.
#[derive(Clone, Copy, Debug)]
struct Hit {
    row: usize,
    column: usize,
    /// Of each tone at the end of the block, in radians.
    phases: [f32; 2],
    powers: [f32; 2],
    /// Of the whole block, in the measure of the powers.
    energy: f32,
}

/// Goertzel's algorithm for one frequency.
#[derive(Clone, Copy, Debug)]
struct Filter {
    cos: f32,
    sin: f32,
    last: f32,
    before: f32,
}

impl Default for Detector {
    fn default() -> Self {
        let tones = FREQUENCIES.map(|frequency| {
            let angle = TAU * frequency / RATE;
            Filter { cos: angle.cos(), sin: angle.sin(), last: 0.0, before: 0.0 }
        });
        Self { tones, energy: 0.0, filled: 0, state: State::Idle { before: None } }
    }
}

impl Detector {
    /// Listens to further samples and appends the keys that are found in them to `out`.
    pub fn hear(&mut self, samples: &[i16], out: &mut Vec<char>) {
        for sample in samples {
            let sample = f32::from(*sample);
            self.energy += sample * sample;
            for tone in &mut self.tones {
                tone.feed(sample);
            }
            self.filled += 1;
            if self.filled == BLOCK {
                let hit = self.judge();
                let powers = self.tones.map(|tone| tone.power());
                self.step(hit, &powers, out);
                self.tones.iter_mut().for_each(|tone| (tone.last, tone.before) = (0.0, 0.0));
                (self.energy, self.filled) = (0.0, 0);
            }
        }
    }

    /// Whether a key was told, and is still pressed, as far as is known.
    pub fn is_pressed(&self) -> bool {
        matches!(self.state, State::Pressed { .. })
    }

    /// Whether the block at hand holds the tones of a key.
    fn judge(&self) -> Option<Hit> {
        let powers = self.tones.map(|tone| tone.power());
        let (row, column) = (strongest(&powers[..4])?, 4 + strongest(&powers[4..])?);
        let (low, high) = (powers[row], powers[column]);
        let energy = self.energy * BLOCK as f32 / 2.0;
        let is_key = low.min(high) >= POWER_MIN
            && low <= high * COARSE_TWIST_MAX
            && high <= low * COARSE_TWIST_MAX
            && low + high >= COARSE_MIN * energy;
        let phases = [self.tones[row].phase(), self.tones[column].phase()];
        is_key.then_some(Hit { row, column, phases, powers: [low, high], energy })
    }

    fn step(&mut self, hit: Option<Hit>, powers: &[f32; 8], out: &mut Vec<char>) {
        self.state = match (self.state, hit) {
            (State::Idle { before: Some(before) }, Some(hit)) if hit.continues(&before) => {
                out.push(hit.key());
                State::Pressed { hit, doubt: 0, other: None }
            }
            (State::Idle { .. }, before) => State::Idle { before },
            (State::Pressed { hit: key, .. }, Some(hit)) if hit.is_same_key(&key) => {
                State::Pressed { hit, doubt: 0, other: None }
            }
            (State::Pressed { other: Some(other), .. }, Some(hit)) if hit.continues(&other) => {
                out.push(hit.key());
                State::Pressed { hit, doubt: 0, other: None }
            }
            (State::Pressed { hit: key, doubt, .. }, other) => {
                // A tone that is gone says more than one that is disturbed.
                let is_gone = powers[key.row] + powers[key.column] < key.power() * GONE;
                match doubt + if is_gone { 2 } else { 1 } {
                    DOUBT_MAX.. => State::Idle { before: other },
                    doubt => State::Pressed { hit: key, doubt, other },
                }
            }
        };
    }
}

impl Hit {
    fn key(&self) -> char {
        char::from(KEYS[4 * self.row + self.column - 4])
    }

    fn is_same_key(&self, other: &Self) -> bool {
        (self.row, self.column) == (other.row, other.column)
    }

    fn power(&self) -> f32 {
        self.powers[0] + self.powers[1]
    }

    /// Whether this block goes on with the tones of the one before: the same key, as loud, at the
    /// right frequencies, and nothing else in either block.
    fn continues(&self, before: &Self) -> bool {
        let tones = [self.row, self.column];
        let off = [0, 1].map(|n| off(tones[n], self.phases[n] - before.phases[n]));
        let is_near = |n: usize| off[n].abs() <= FREQUENCIES[tones[n]] * OFF_MAX;
        // What each tone has, wherever it is exactly.
        let whole = |hit: &Self| [0, 1].map(|n| hit.powers[n] / response(off[n]));
        let is_pure = |hit: &Self| {
            let [low, high] = whole(hit);
            low + high >= PURITY_MIN * hit.energy
                && low <= high * TWIST_MAX
                && high <= low * TWIST_MAX
        };
        self.is_same_key(before)
            && self.power() <= before.power() * STEADY
            && before.power() <= self.power() * STEADY
            && is_near(0)
            && is_near(1)
            && is_pure(self)
            && is_pure(before)
    }
}

/// By how many hertz a tone is off, whose phase turned so far in the time of a block.
fn off(tone: usize, turned: f32) -> f32 {
    let block = BLOCK as f32 / RATE;
    let turned = (turned - TAU * FREQUENCIES[tone] * block).rem_euclid(TAU);
    let turned = if turned > PI { turned - TAU } else { turned };
    turned / (TAU * block)
}

/// What a filter hears of the power of a tone that is off by so many hertz.
fn response(off: f32) -> f32 {
    let x = PI * off * BLOCK as f32 / RATE;
    if x.abs() < 1e-3 { 1.0 } else { (x.sin() / x).powi(2) }
}

impl Filter {
    #[inline]
    fn feed(&mut self, sample: f32) {
        let next = sample + 2.0 * self.cos * self.last - self.before;
        self.before = self.last;
        self.last = next;
    }

    /// The square of half the amplitude times the block's length.
    fn power(self) -> f32 {
        let Self { cos, last, before, .. } = self;
        (last * last + before * before - 2.0 * cos * last * before).max(0.0)
    }

    fn phase(self) -> f32 {
        (self.before * self.sin).atan2(self.last - self.before * self.cos)
    }
}

/// The place of the strongest tone of a group, if it stands out.
fn strongest(powers: &[f32]) -> Option<usize> {
    let best = (0..powers.len()).max_by(|a, b| powers[*a].total_cmp(&powers[*b]))?;
    let stands_out = |other: usize| other == best || powers[other] * APART <= powers[best];
    (0..powers.len()).all(stands_out).then_some(best)
}

/// The tones of a key, without end.
#[derive(Clone, Debug)]
pub struct Tones {
    low: Sine,
    high: Sine,
}

impl Tones {
    /// `amplitude` is the peak sample of each of the two tones; `None` if there is no such key.
    pub fn new(key: char, amplitude: i16) -> Option<Self> {
        let place = KEYS.iter().position(|own| char::from(*own) == key.to_ascii_uppercase())?;
        let sine = |tone: usize| Sine::new(FREQUENCIES[tone].into(), amplitude, RATE as u32);
        Some(Self { low: sine(place / 4), high: sine(4 + place % 4) })
    }
}

impl Iterator for Tones {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        Some(self.low.next()?.saturating_add(self.high.next()?))
    }
}

/// Row by row (Q.23).
const KEYS: &[u8; 16] = b"123A456B789C*0#D";
/// The low group, then the high one, in hertz (Q.23).
const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
/// Samples in a second.
const RATE: f32 = 8000.0;
/// Samples looked at together: 40 ms, the shortest key, hold two whole blocks wherever they begin;
/// 23 ms, which are none, fill two to nine tenths at most.
const BLOCK: usize = 106;
/// The weakest tone: -36 dBm0, of which full scale is 3.17 (Q.24: -25 dBm0 is a key).
const POWER_MIN: f32 = (362.0 * BLOCK as f32 / 2.0) * (362.0 * BLOCK as f32 / 2.0);
/// How much stronger one tone may be than the other: 9.5 dB (Q.24: 8 dB are a key's; the weaker one
/// is disturbed by the stronger).
const TWIST_MAX: f32 = 9.0;
/// The same in a block alone, where being off costs the weaker one up to 2 dB: 11.5 dB.
const COARSE_TWIST_MAX: f32 = 14.0;
/// How much stronger a tone is than the others of its group: 6 dB.
const APART: f32 = 3.98;
/// The share of a block's energy that is found at the frequencies; being off costs up to a third.
const COARSE_MIN: f32 = 0.5;
/// The share that two tones hold, wherever they are exactly; each disturbs what is found of the
/// other.
const PURITY_MIN: f32 = 0.895;
/// How far a frequency may be off: between 1.5 % and 2 Hz, a key, and 3.5 %, none.
const OFF_MAX: f32 = 0.025;
/// How much two blocks of a key may differ in power: 1.5 dB.
const STEADY: f32 = 1.41;
/// The share of a key's power below which it is let go.
const GONE: f32 = 0.125;
/// Two blocks without the tones end a key, as do four in which they are disturbed: a gap of 10 ms
/// is within a key, one of 40 ms between two.
const DOUBT_MAX: u8 = 4;

#[cfg(test)]
mod tests;
