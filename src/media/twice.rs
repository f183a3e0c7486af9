//! Keys of one phone that come by SIP INFO, for a phone that hears the first one's audio: a press
//! that the audio brings too is passed on once.
//!
//! Spec:     none; RFC 4733 and SIP INFO (RFC 6086) know nothing of each other.
//! In:       keys told by INFO; keys that begin in the audio, as events or tones; time.
//! Out:      whether a key in the audio passes; the keys of INFO that are to be pressed.
//! Not here: what a key does at the switch (`call::leg::presses`), how one is pressed (`keying`).
//!
//! A key by INFO waits for its twin in the audio, which sounds at once and as long as it is held.
//! If none begins, the key is pressed; what begins after that in the audio for the same press is
//! left out.

use std::collections::VecDeque;

use crate::rtp::dtmf::{Event, Key};
use crate::time::{Duration, Instant};

/// What a phone was told of its peer's keys lately.
#[derive(Debug, Default)]
pub struct Twice {
    /// Of INFO: when each is pressed, the oldest first.
    waiting: VecDeque<(Instant, char)>,
    /// Passed on by one way, and not told by the other yet; the oldest first.
    passed: VecDeque<(Instant, Way, char)>,
    /// The newest telephone-event of the peer, and whether it passes.
    event: Option<(Key, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Audio,
    Info,
}

impl Twice {
    /// A key came by INFO, which the audio may bring too (`may_follow`); whether it is to be
    /// pressed at once.
    pub fn told(&mut self, now: Instant, key: char, may_follow: bool) -> bool {
        if self.is_second(now, Way::Audio, key) {
            return false;
        }
        if may_follow && self.waiting.len() < KEYS_MAX {
            self.waiting.push_back((now + TWIN_WAIT, key));
            return false;
        }
        self.pass(now, Way::Info, key);
        true
    }

    /// A packet of a key came in the audio; whether it passes.
    pub fn hears_event(
        &mut self,
        now: Instant,
        (ssrc, timestamp, event): (u32, u32, Event),
        clock_rate: u32,
    ) -> bool {
        let Some(digit) = event.digit() else { return true };
        let Event { code, duration, .. } = event;
        let key = Key { ssrc, timestamp, code, duration };
        let passes = match self.event {
            Some((before, passes)) if before.is_same(ssrc, timestamp, event) => passes,
            Some((before, _)) if before.is_later_than(ssrc, timestamp, clock_rate) => return true,
            _ => self.hears(now, digit),
        };
        self.event = Some((key, passes));
        passes
    }

    /// A key begins in the audio; whether it passes.
    pub fn hears(&mut self, now: Instant, key: char) -> bool {
        if let Some(twin) = self.waiting.iter().position(|(_, told)| *told == key) {
            self.waiting.remove(twin);
            return true;
        }
        if self.is_second(now, Way::Info, key) {
            return false;
        }
        self.pass(now, Way::Audio, key);
        true
    }

    /// A key by INFO that no audio brought.
    pub fn due(&mut self, now: Instant) -> Option<char> {
        let (_, key) = self.waiting.pop_front_if(|(due, _)| *due <= now)?;
        self.pass(now, Way::Info, key);
        Some(key)
    }

    /// When to call `due` next.
    pub fn next_tick(&self) -> Instant {
        self.waiting.front().map_or(Instant::NEVER, |(due, _)| *due)
    }

    /// Whether a key was passed on that came by this way, and is told by the other.
    fn is_second(&mut self, now: Instant, by: Way, key: char) -> bool {
        while self.passed.pop_front_if(|(at, ..)| now >= *at + TWICE_WITHIN).is_some() {}
        let twin = self.passed.iter().position(|(_, way, told)| *way == by && *told == key);
        twin.and_then(|twin| self.passed.remove(twin)).is_some()
    }

    fn pass(&mut self, now: Instant, way: Way, key: char) {
        if self.passed.len() >= KEYS_MAX {
            self.passed.pop_front();
        }
        self.passed.push_back((now, way, key));
    }
}

/// How long a key by INFO waits for the audio to bring it: an INFO that is sent when the key is
/// pressed can be ahead of it.
const TWIN_WAIT: Duration = Duration::from_millis(200);
/// How long after the first way the second one is taken for the same press: an INFO that is sent
/// when the key is let go, or that was lost and sent again.
const TWICE_WITHIN: Duration = Duration::from_secs(2);
/// Keys that are remembered, and that may wait: nobody presses more in that time.
const KEYS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_by_info_alone_is_pressed_after_a_wait() {
        let mut twice = Twice::default();
        assert!(!twice.told(at(0), '1', true));
        assert!(!twice.told(at(50), '1', true));
        assert_eq!((twice.next_tick(), twice.due(at(199))), (at(200), None));
        assert_eq!([twice.due(at(250)), twice.due(at(250))], [Some('1'); 2]);
        assert_eq!((twice.next_tick(), twice.due(at(9000))), (Instant::NEVER, None));
        assert!(twice.told(at(300), '2', false), "no audio of the phone has keys");
    }

    #[test]
    fn a_key_by_both_ways_passes_once_whichever_is_first() {
        let mut twice = Twice::default();
        assert!(!twice.told(at(0), '1', true) && twice.hears(at(100), '1'));
        assert!(twice.hears(at(500), '1') && !twice.told(at(900), '1', true));
        assert!(!twice.told(at(1000), '1', true) && twice.due(at(1200)) == Some('1'));
        assert!(!twice.hears(at(1300), '1'), "the audio is late");
        assert!(twice.hears(at(1500), '1') && twice.hears(at(1600), '1'), "pressed twice");
        assert_eq!(twice.next_tick(), Instant::NEVER);
    }

    #[test]
    fn all_packets_of_an_event_fare_as_the_first() {
        let mut twice = Twice::default();
        let five = |timestamp, duration| {
            (7, timestamp, Event { code: 5, end: false, volume: 10, duration })
        };
        twice.told(at(0), '5', false);
        for duration in [160, 320, 320] {
            assert!(!twice.hears_event(at(20), five(800, duration), 8000));
        }
        assert!(twice.hears_event(at(400), five(4000, 160), 8000), "another press");
        assert!(twice.hears_event(at(420), five(4000, 320), 8000));
    }

    #[test]
    fn what_waits_and_what_is_remembered_is_bounded() {
        let mut twice = Twice::default();
        (0..1000).for_each(|_| _ = twice.told(at(0), '1', true));
        (0..1000).for_each(|_| _ = twice.hears(at(0), '2'));
        assert!(twice.waiting.len() <= KEYS_MAX && twice.passed.len() <= KEYS_MAX);
    }

    fn at(ms: u64) -> Instant {
        Instant::from_micros(1000 * ms)
    }
}
