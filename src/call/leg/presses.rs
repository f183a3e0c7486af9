//! Keys of one phone that come by two ways: a press that is told by both counts once.
//!
//! Spec:     none; RFC 4733 and SIP INFO (RFC 6086) know nothing of each other.
//! In:       each key, and the way it came.
//! Out:      whether it is a press of its own.
//! Not here: what a key does (`call::legs`).
//!
//! Some phones send each key as telephone-event and as INFO. Which comes first depends on the
//! network, and on whether the INFO is sent as the key is pressed or as it is let go. So a key that
//! came by one way takes away one that comes by the other soon after; the same key pressed twice,
//! by one way, is two.

use std::collections::VecDeque;

use crate::time::{Duration, Instant};

/// How a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As telephone-event, or as tones.
    Audio,
    Info,
}

/// Keys that may come by the other way still, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Presses(VecDeque<(Instant, Way, char)>);

impl Presses {
    /// Whether a key that came so is a press of its own.
    pub fn is_new(&mut self, now: Instant, way: Way, key: char) -> bool {
        while self.0.front().is_some_and(|(at, ..)| now >= *at + TWICE_WITHIN) {
            self.0.pop_front();
        }
        let told = self.0.iter().position(|(_, by, told)| *by != way && *told == key);
        if let Some(told) = told {
            self.0.remove(told);
            return false;
        }
        if self.0.len() >= PRESSES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, way, key));
        true
    }
}

/// How long after the first way the second one is waited for: a long press, and an INFO that was
/// lost and sent again.
const TWICE_WITHIN: Duration = Duration::from_secs(2);
/// Keys that are remembered: nobody presses more in that time.
const PRESSES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use Way::{Audio, Info};

    #[test]
    fn a_press_told_by_both_ways_counts_once() {
        let mut phone = Phone::default();
        for (first, second) in [(Audio, Info), (Info, Audio)] {
            assert!(phone.presses(0, first, '1'));
            assert!(!phone.presses(150, second, '1'));
            assert!(phone.presses(100, first, '1'), "it is pressed again");
            assert!(phone.presses(10, first, '2'));
            assert!(!phone.presses(10, second, '1'));
            assert!(!phone.presses(0, second, '2'));
        }
    }

    #[test]
    fn keys_by_one_way_all_count() {
        for way in [Audio, Info] {
            let mut phone = Phone::default();
            assert!((0..50).all(|_| phone.presses(60, way, '1')));
        }
    }

    #[test]
    fn another_key_and_one_long_after_count() {
        let mut phone = Phone::default();
        assert!(phone.presses(0, Audio, '1'));
        assert!(phone.presses(100, Info, '2'));
        assert!(phone.presses(1900, Info, '1'));
    }

    #[derive(Default)]
    struct Phone {
        ms: u64,
        presses: Presses,
    }

    impl Phone {
        fn presses(&mut self, after: u64, way: Way, key: char) -> bool {
            self.ms += after;
            self.presses.is_new(Instant::from_micros(1000 * self.ms), way, key)
        }
    }
}
