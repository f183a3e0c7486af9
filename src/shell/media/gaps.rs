//! What a recording lacks because its disk was slow or full.

use crate::media::control::Gap;
use crate::shell::media::tape::length;

/// Stretches of a recording that were lost, in order.
#[derive(Clone, Debug, Default)]
pub struct Gaps(Vec<Lost>);

#[derive(Clone, Debug)]
struct Lost {
    /// Frames since the recording began.
    from: u64,
    frames: u64,
    why: String,
}

impl Lost {
    fn end(&self) -> u64 {
        self.from + self.frames
    }
}

impl Gaps {
    /// Notes that `frames` were lost; true if a gap begins with them.
    pub fn lose(&mut self, from: u64, frames: u64, why: &str) -> bool {
        let is_full = self.0.len() >= GAPS_MAX;
        match self.0.last_mut() {
            // One more would not be told: it and the one before become one.
            Some(last) if is_full || (last.end() == from && last.why == why) => {
                last.frames = (from + frames) - last.from;
                false
            }
            Some(_) | None => {
                self.0.push(Lost { from, frames, why: why.to_owned() });
                true
            }
        }
    }

    /// Frames that were lost.
    pub fn frames(&self) -> u64 {
        self.0.iter().map(|lost| lost.frames).sum()
    }

    /// All gaps of a recording of `frames`, of which the file has the first `written`.
    pub fn finish(mut self, frames: u64, written: u64) -> Vec<Gap> {
        if frames > written {
            match self.0.last_mut() {
                Some(last) if last.end() == frames => {
                    last.from = last.from.min(written);
                    last.frames = frames - last.from;
                }
                Some(_) | None => _ = self.lose(written, frames - written, REFUSED),
            }
        }
        let told = |lost: Lost| Gap {
            from: length(lost.from),
            length: length(lost.frames),
            why: lost.why,
        };
        self.0.into_iter().map(told).collect()
    }
}

/// Gaps of one recording that are told apart.
const GAPS_MAX: usize = 100;
const REFUSED: &str = "the disk refused the end";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn what_is_lost_in_one_go_is_one_gap() {
        let mut gaps = Gaps::default();
        assert!(gaps.lose(8000, 800, "slow"));
        assert!(!gaps.lose(8800, 800, "slow"));
        assert!(gaps.lose(9600, 800, "full"));
        assert!(gaps.lose(80_000, 8000, "full"));

        let told = gaps.clone().finish(88_000, 88_000);
        let told: Vec<_> = told.iter().map(|gap| (gap.from, gap.length, &*gap.why)).collect();
        let ms = Duration::from_millis;
        assert_eq!(told[0], (ms(1000), ms(200), "slow"));
        assert_eq!(told[1..], [(ms(1200), ms(100), "full"), (ms(10_000), ms(1000), "full")]);
        let longer = gaps.finish(88_000, 72_000);
        assert_eq!((longer[2].from, longer[2].length), (ms(9000), ms(2000)), "to the end");
    }

    #[test]
    fn gaps_are_bounded_and_none_is_forgotten() {
        let mut gaps = Gaps::default();
        for n in 0..1000 {
            gaps.lose(1000 * n, 10, "slow");
        }

        let told = gaps.finish(1_000_000, 999_010);

        assert_eq!(told.len(), GAPS_MAX);
        let last = &told[GAPS_MAX - 1];
        assert_eq!(last.from + last.length, length(1_000_000));
    }
}
