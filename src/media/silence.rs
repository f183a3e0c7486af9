//! Notices that nothing comes from a phone any more, although audio is agreed on.
//!
//! Spec:     RFC 3550 §6.3.5 (a participant that sends neither RTP nor RTCP has left).
//! In:       what was agreed on, signs of life, the passing of time.
//! Out:      whether the phone is silent for too long: once for each such time.
//! Not here: what a sign of life is (`session`), whether the phone is asked or given up (`call`).

use crate::sdp::Direction;
use crate::time::{Duration, Instant};

/// The silence of one phone.
#[derive(Debug)]
pub struct Silence {
    /// How long a silence must be to be told.
    wait: Duration,
    heard_at: Instant,
    /// When to look: not moved by each packet, so that it costs nothing.
    look_at: Instant,
}

impl Silence {
    /// Nothing is expected before `agreed`.
    pub const fn new(wait: Duration) -> Self {
        Self { wait, heard_at: Instant::START, look_at: Instant::NEVER }
    }

    /// Audio is agreed on: from a phone that holds us, or is held, nothing is expected.
    pub fn agreed(&mut self, now: Instant, direction: Direction) {
        self.heard_at = now;
        self.look_at = match direction {
            Direction::RecvOnly | Direction::SendRecv => now + self.wait,
            Direction::Inactive | Direction::SendOnly => Instant::NEVER,
        };
    }

    /// Something came from the phone.
    pub fn hear(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Whether the phone has been silent for too long. The next time counts from here.
    pub fn tick(&mut self, now: Instant) -> bool {
        if now < self.look_at {
            return false;
        }
        let is_silent = now >= self.heard_at + self.wait;
        if is_silent {
            self.heard_at = now;
        }
        self.look_at = self.heard_at + self.wait;
        is_silent
    }

    /// When to call `tick` next.
    pub const fn next_tick(&self) -> Instant {
        self.look_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_that_says_nothing_is_told_once_a_minute() {
        let mut silence = Silence::new(WAIT);
        silence.agreed(at(0), Direction::SendRecv);

        assert!(!silence.tick(at(59)));
        assert!(silence.tick(at(60)));
        assert!(!silence.tick(at(119)));
        assert!(silence.tick(at(120)));
    }

    #[test]
    fn each_sign_of_life_puts_it_off() {
        let mut silence = Silence::new(WAIT);
        silence.agreed(at(0), Direction::RecvOnly);

        silence.hear(at(50));
        assert!(!silence.tick(at(60)));
        assert_eq!(silence.next_tick(), at(110));
        assert!(silence.tick(at(110)));
    }

    #[test]
    fn nothing_is_expected_of_a_phone_that_is_not_to_send() {
        let mut silence = Silence::new(WAIT);
        assert_eq!(silence.next_tick(), Instant::NEVER);
        silence.agreed(at(0), Direction::SendOnly);
        assert_eq!(silence.next_tick(), Instant::NEVER);
        silence.agreed(at(100), Direction::SendRecv);
        assert!(!silence.tick(at(159)));
        silence.agreed(at(159), Direction::Inactive);
        assert!(!silence.tick(at(500)));
    }

    const WAIT: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }
}
