//! Keys that are pressed towards a phone from here: each as telephone-events, or as its tones for a
//! phone that has none.
//!
//! Spec:     RFC 4733 §2.5.1; ITU-T Q.23, Q.24 (how long a key and the pause after it must be).
//! In:       keys that came by another way than the phone's peer, as it sends them; time.
//! Out:      each 20 ms what is to be sent of them.
//! Not here: numbering and encoding (`session`), keys that are relayed as they come (`toning`).

use std::collections::VecDeque;

use crate::audio::keys::Tones;
use crate::audio::tone;
use crate::rtp::dtmf::{self, Sent};
use crate::time::{Duration, Instant};

/// The keys that a phone is still to get.
#[derive(Debug)]
pub struct Keying {
    waiting: VecDeque<char>,
    /// Whether the phone knows telephone-event.
    has_events: bool,
    turn: Turn,
    due: Instant,
}

#[derive(Debug)]
enum Turn {
    Events(dtmf::Sender),
    Tones {
        tones: Tones,
        frames: u32,
    },
    /// So many frames until the next key.
    Pause(u32),
}

/// What is sent next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frame {
    Event(Sent),
    /// The marker goes with the first.
    Tones {
        begins: bool,
        samples: [i16; FRAME],
    },
    /// Nothing, lest two keys be one.
    Pause,
    /// Nothing more.
    Over,
}

impl Keying {
    /// No key yet; `has_events` says how the phone gets them.
    pub fn new(now: Instant, has_events: bool) -> Self {
        Self { waiting: VecDeque::new(), has_events, turn: Turn::Pause(0), due: now }
    }

    /// One more key; what is none, and what too many wait before, is left out.
    pub fn press(&mut self, key: char) {
        if self.waiting.len() < WAITING_MAX && Tones::new(key, 1).is_some() {
            self.waiting.push_back(key);
        }
    }

    /// When to call `next` next.
    pub fn next_tick(&self) -> Instant {
        self.due
    }

    /// What is to be sent at this moment.
    pub fn next(&mut self) -> Frame {
        self.due = self.due + FRAME_TIME;
        loop {
            match &mut self.turn {
                Turn::Events(sender) => match sender.next() {
                    Some(sent) => return Frame::Event(sent),
                    None => self.turn = Turn::Pause(PAUSE_AFTER_EVENTS),
                },
                Turn::Tones { frames: 0, .. } => self.turn = Turn::Pause(PAUSE_AFTER_TONES),
                Turn::Tones { tones, frames } => {
                    let begins = *frames == KEY_FRAMES;
                    *frames -= 1;
                    let mut samples = [0; FRAME];
                    samples.iter_mut().zip(tones).for_each(|(sample, tone)| *sample = tone);
                    return Frame::Tones { begins, samples };
                }
                Turn::Pause(0) => match self.waiting.pop_front().and_then(|key| self.begin(key)) {
                    Some(turn) => self.turn = turn,
                    None => return Frame::Over,
                },
                Turn::Pause(frames) => {
                    *frames -= 1;
                    return Frame::Pause;
                }
            }
        }
    }

    fn begin(&self, key: char) -> Option<Turn> {
        if self.has_events {
            return dtmf::Sender::new(key, FRAME_TIME * KEY_FRAMES).map(Turn::Events);
        }
        let tones = Tones::new(key, tone::peak(LEVEL))?;
        Some(Turn::Tones { tones, frames: KEY_FRAMES })
    }
}

/// Samples of 20 ms at 8 kHz.
pub const FRAME: usize = 160;
const FRAME_TIME: Duration = Duration::from_millis(20);
/// 100 ms.
const KEY_FRAMES: u32 = 5;
/// 60 ms; the end is sent for 40 ms more.
const PAUSE_AFTER_EVENTS: u32 = 3;
/// 100 ms.
const PAUSE_AFTER_TONES: u32 = 5;
/// Of each tone, in dBm0.
const LEVEL: f64 = -10.0;
/// Keys that may wait: more than a card's number and its PIN.
const WAITING_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::keys::Detector;

    #[test]
    fn keys_are_events_one_after_the_other() {
        let mut keying = Keying::new(Instant::START, true);
        "1x1#".chars().for_each(|key| keying.press(key));

        let (mut receiver, mut told) = (dtmf::Receiver::default(), Vec::new());
        let mut timestamp = 0;
        let frames = frames(&mut keying);
        for (n, frame) in frames.iter().enumerate() {
            let Frame::Event(Sent { marker, event }) = *frame else { continue };
            timestamp = if marker { 160 * n as u32 } else { timestamp };
            let packet = dtmf::Input::Packet { ssrc: 1, timestamp, clock_rate: 8000, event };
            receiver.handle(Instant::START, packet, &mut told);
        }

        assert_eq!(told, ['1', '1', '#'].map(dtmf::Digit));
        assert_eq!(frames.len(), 3 * (7 + 3));
        assert_eq!(keying.next_tick(), Instant::START + FRAME_TIME * 31);
    }

    #[test]
    fn keys_are_tones_for_who_knows_no_events() {
        let mut keying = Keying::new(Instant::START, false);
        "55D".chars().for_each(|key| keying.press(key));

        let mut samples = Vec::new();
        for frame in frames(&mut keying) {
            match frame {
                Frame::Tones { samples: some, .. } => samples.extend(some),
                _ => samples.extend([0; FRAME]),
            }
        }

        let mut keys = Vec::new();
        Detector::default().hear(&samples, &mut keys);
        assert_eq!(keys, ['5', '5', 'D']);
    }

    #[test]
    fn those_who_wait_are_bounded() {
        let mut keying = Keying::new(Instant::START, true);
        (0..1000).for_each(|_| keying.press('1'));

        assert_eq!(frames(&mut keying).len(), WAITING_MAX * (7 + 3));
    }

    fn frames(keying: &mut Keying) -> Vec<Frame> {
        std::iter::from_fn(|| Some(keying.next()).filter(|frame| *frame != Frame::Over)).collect()
    }
}
