//! Sound in place of what was lost: the last period of the voice again, getting weaker.
//!
//! Spec:     ITU-T G.711 Appendix I, whose way this goes, at 16 kHz and without its delay.
//! In:       what was heard, and how much is missing.
//! Out:      what takes its place; a seam that cannot be heard where the sound goes on.
//! Not here: what is lost (`rtp::jitter`).

use crate::audio::pitch::{self, PERIOD_MAX, cross_fade};

/// Conceals losses in one stream of 16 kHz samples.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// The last samples that were heard, the newest last.
    past: Vec<i16>,
    /// One period, played in a circle; empty if nothing is being concealed.
    circle: Vec<i16>,
    /// Samples of the present loss.
    concealed: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self { past: vec![0; PAST], circle: Vec::with_capacity(2 * PERIOD_MAX), concealed: 0 }
    }
}

impl Concealer {
    /// Takes what came; after a loss its beginning is blended with what concealed.
    pub fn hear(&mut self, samples: &mut [i16]) {
        if !self.circle.is_empty() {
            let seam = SEAM.min(samples.len());
            let mut tail = [0; SEAM];
            self.go_on(&mut tail[..seam]);
            cross_fade(tail[..seam].iter().copied(), &mut samples[..seam]);
            self.circle.clear();
            self.concealed = 0;
        }
        self.remember(samples);
    }

    /// Fills in for what is missing; silence after 60 ms.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        if self.circle.is_empty() {
            self.begin();
        }
        self.go_on(samples);
        self.remember(samples);
    }

    /// Cuts a period out of the past.
    fn begin(&mut self) {
        let period = pitch::find(&self.past, PIECE, PERIOD_MAX).map_or(PERIOD_MAX, |it| it.samples);
        self.concealed = 0;
        self.circle.clear();
        let start = self.past.len() - period;
        self.circle.extend_from_slice(&self.past[start..]);
        // The end of the circle goes over into its beginning.
        let seam = period / 4;
        let before = self.past[start - seam..start].iter().rev().copied();
        let end = self.circle[period - seam..].iter_mut().rev();
        for (n, (end, before)) in end.zip(before).enumerate() {
            let share = (n as f32 + 0.5) / seam as f32;
            *end = (f32::from(*end) * share + f32::from(before) * (1.0 - share)).round() as i16;
        }
    }

    fn go_on(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let gain = gain(self.concealed);
            let at = self.concealed % self.circle.len().max(1);
            let heard = self.circle.get(at).copied().unwrap_or(0);
            *sample = (f32::from(heard) * gain) as i16;
            self.concealed += 1;
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let new = &samples[samples.len().saturating_sub(PAST)..];
        self.past.drain(..new.len());
        self.past.extend_from_slice(new);
    }
}

/// Full for 10 ms, then falling to nothing at 60 ms.
fn gain(concealed: usize) -> f32 {
    let left = FADED.saturating_sub(concealed) as f32;
    (left / (FADED - FULL) as f32).min(1.0)
}

/// Samples that are compared to find the period: 10 ms.
const PIECE: usize = 160;
/// Samples that are remembered: the longest period, its seam, and the piece.
const PAST: usize = PERIOD_MAX + PERIOD_MAX / 4 + PIECE;
/// Samples of full strength: 10 ms.
const FULL: usize = 160;
/// Samples until silence: 60 ms.
const FADED: usize = 960;
/// Samples over which the sound comes back: 5 ms.
const SEAM: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::pitch::{RATE, energy};
    use crate::audio::tone::{Sine, purity};

    #[test]
    fn a_lost_packet_of_a_tone_is_not_heard() {
        for frequency in [110.0, 220.0, 437.0, 1000.0, 1333.0] {
            let mut sine = Sine::new(frequency, 8000, RATE);
            let mut concealer = Concealer::default();
            let mut heard = Vec::new();
            for n in 0..40 {
                let mut frame: Vec<i16> = sine.by_ref().take(320).collect();
                if n % 10 == 7 {
                    concealer.conceal(&mut frame[..160]);
                    concealer.conceal(&mut frame[160..]);
                } else {
                    concealer.hear(&mut frame);
                }
                heard.extend(frame);
            }

            let pure = purity(&heard, frequency, RATE);
            assert!(pure > 0.97, "{frequency} Hz: {pure}");
            let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
            let own = 8000.0 * std::f64::consts::TAU * frequency / f64::from(RATE);
            assert!(f64::from(step) < 1.6 * own + 100.0, "{frequency} Hz: a click of {step}");
        }
    }

    #[test]
    fn a_long_loss_becomes_silent() {
        let mut concealer = Concealer::default();
        let mut frame: Vec<i16> = Sine::new(300.0, 8000, RATE).take(320).collect();
        concealer.hear(&mut frame);
        let strengths: Vec<f32> = (0..5)
            .map(|_| {
                concealer.conceal(&mut frame);
                energy(&frame).sqrt()
            })
            .collect();

        assert!(strengths.is_sorted_by(|a, b| a >= b), "{strengths:?}");
        assert_eq!(strengths[3..], [0.0, 0.0]);
    }

    #[test]
    fn nothing_is_made_out_of_nothing() {
        let mut concealer = Concealer::default();
        let mut frame = [7; 320];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; 320]);
        concealer.conceal(&mut []);
        concealer.hear(&mut []);
    }
}
