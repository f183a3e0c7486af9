//! The period of a voice: how far apart two pieces of sound lie that look alike.
//!
//! In:       samples at 16 kHz.
//! Out:      a distance in samples, and how alike the pieces are.
//! Not here: what is done with it (`conceal`, `pace`).

/// The rate for which the constants here are made, in hertz.
pub const RATE: u32 = 16_000;
/// The shortest and the longest period: 400 Hz and 66 Hz.
pub const PERIOD_MIN: usize = 40;
pub const PERIOD_MAX: usize = 240;

/// A distance at which the sound repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    pub samples: usize,
    /// 1 if the pieces are equal but for their strength, 0 if they have nothing in common.
    pub likeness: f32,
}

/// The distance, at most `max`, at which `piece` samples before the end of `sound` look most like
/// the last ones. `None` if the sound is too short for the shortest period.
pub fn find(sound: &[i16], piece: usize, max: usize) -> Option<Period> {
    let max = max.min(PERIOD_MAX).min(sound.len().checked_sub(piece)?);
    let last = &sound[sound.len() - piece..];
    let at = |period: usize| &sound[sound.len() - piece - period..][..piece];
    // Every other distance first, then the neighbours of the best.
    let coarse = best(last, at, (PERIOD_MIN..=max).step_by(2))?;
    let near = coarse.samples.saturating_sub(1).max(PERIOD_MIN)..=(coarse.samples + 1).min(max);
    best(last, at, near)
}

fn best<'a>(
    last: &[i16],
    at: impl Fn(usize) -> &'a [i16],
    periods: impl Iterator<Item = usize>,
) -> Option<Period> {
    let own = energy(last);
    let mut best: Option<Period> = None;
    for samples in periods {
        let piece = at(samples);
        let product = last.iter().zip(piece).map(|(a, b)| f32::from(*a) * f32::from(*b));
        let likeness = product.sum::<f32>() / (own * energy(piece)).sqrt().max(1.0);
        if best.is_none_or(|best| likeness > best.likeness) {
            best = Some(Period { samples, likeness });
        }
    }
    best
}

/// The sum of the squares.
pub fn energy(samples: &[i16]) -> f32 {
    samples.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum()
}

/// Goes over from one sound to the other, sample by sample; `to` takes the result.
pub fn cross_fade(from: impl IntoIterator<Item = i16>, to: &mut [i16]) {
    let length = to.len() as f32;
    for (n, (from, to)) in from.into_iter().zip(to).enumerate() {
        let share = (n as f32 + 0.5) / length;
        *to = (f32::from(from) * (1.0 - share) + f32::from(*to) * share).round() as i16;
    }
}
