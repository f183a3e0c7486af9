//! Keys pressed on a phone, as named events: received and sent.
//!
//! Spec:     RFC 4733 §2.3 to §2.5.
//! In:       the packets of telephone-event, the passing of time.
//! Out:      each key once; the packets of a key to send.
//! Not here: tones heard in the audio, digits of SIP INFO (`call`), keys passed on (`press`).

use std::mem;

use Input::{Packet, Tick};
use State::{Idle, Pressed};

use crate::time::{Duration, Instant};

/// What can happen to a receiver.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A packet of the payload type that was agreed on.
    Packet {
        ssrc: u32,
        timestamp: u32,
        /// Of the timestamp, in hertz.
        clock_rate: u32,
        event: Event,
    },
    Tick,
}

/// A key was pressed, and let go or not heard of any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit(pub char);

/// The payload of one packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// 0 to 15 are the keys; others are no digits.
    pub code: u8,
    /// The key was let go.
    pub end: bool,
    /// In -dBm0, 0 to 63.
    pub volume: u8,
    /// Since the timestamp, in its units.
    pub duration: u16,
}

impl Event {
    /// Reads a payload; bytes after the first event are left alone.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload of this event.
    pub fn bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }

    /// The key; `None` for events that are none, such as a hook flash.
    pub fn digit(self) -> Option<char> {
        KEYS.get(usize::from(self.code)).map(|key| char::from(*key))
    }
}

/// One key as its packets name it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub ssrc: u32,
    /// Of this segment.
    pub timestamp: u32,
    pub code: u8,
    /// The last that was heard of this segment.
    pub duration: u16,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Silent,
    /// `last` was told; its late and doubled packets are known by it.
    Idle {
        last: Key,
    },
    Pressed {
        key: Key,
        digit: char,
        until: Instant,
    },
}

/// Receives the keys of one phone.
#[derive(Debug, Default)]
pub struct Receiver {
    state: State,
}

impl Receiver {
    /// Applies one input and appends the keys that it completes to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Digit>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Pressed { key, digit, until }, Tick) if now >= until => {
                out.push(Digit(digit));
                Idle { last: key }
            }
            (Pressed { key, digit, .. }, Packet { ssrc, timestamp, event, .. })
                if key.is_same(ssrc, timestamp, event) =>
            {
                let key = Key { timestamp, duration: event.duration, ..key };
                pressed(now, key, digit, event, out)
            }
            (Pressed { key, digit, until }, Packet { ssrc, timestamp, clock_rate, .. })
                if key.is_later_than(ssrc, timestamp, clock_rate) =>
            {
                Pressed { key, digit, until }
            }
            (Idle { last }, Packet { ssrc, timestamp, event, .. })
                if last.is_same(ssrc, timestamp, event) =>
            {
                Idle { last: Key { timestamp, duration: event.duration, ..last } }
            }
            (Idle { last }, Packet { ssrc, timestamp, clock_rate, .. })
                if last.is_later_than(ssrc, timestamp, clock_rate) =>
            {
                Idle { last }
            }
            (state, Packet { ssrc, timestamp, event, .. }) => {
                let Some(digit) = event.digit() else {
                    self.state = state;
                    return;
                };
                if let Pressed { digit, .. } = state {
                    out.push(Digit(digit)); // all of its ends were lost
                }
                let Event { code, duration, .. } = event;
                let key = Key { ssrc, timestamp, code, duration };
                pressed(now, key, digit, event, out)
            }
            (state, Tick) => state,
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Pressed { until, .. } => Some(until),
            Idle { .. } | State::Silent => None,
        }
    }
}

/// The state after a packet of `key`, which is told if it was let go.
fn pressed(now: Instant, key: Key, digit: char, event: Event, out: &mut Vec<Digit>) -> State {
    if event.end {
        out.push(Digit(digit));
        return Idle { last: key };
    }
    Pressed { key, digit, until: now + SILENCE_MAX }
}

impl Key {
    /// Whether a packet is of this key: it has its timestamp, or that of the next segment of a key
    /// held for longer than a duration can tell (RFC 4733 §2.5.1.3).
    pub fn is_same(&self, ssrc: u32, timestamp: u32, event: Event) -> bool {
        let next_segment = self.timestamp.wrapping_add(u32::from(u16::MAX));
        let goes_on = self.duration >= SEGMENT_MIN && event.code == self.code;
        let ours = timestamp == self.timestamp || timestamp == next_segment && goes_on;
        ssrc == self.ssrc && ours
    }

    /// Whether a packet is a late one of an earlier key.
    pub fn is_later_than(&self, ssrc: u32, timestamp: u32, clock_rate: u32) -> bool {
        ssrc == self.ssrc && self.timestamp.wrapping_sub(timestamp) < LATE_SECONDS * clock_rate
    }
}

/// The packets of one key, one each 20 ms, all with the timestamp of the first.
#[derive(Clone, Debug)]
pub struct Sender {
    code: u8,
    duration: u16,
    held: u16,
    ends: u8,
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// On the first packet of the key (RFC 4733 §2.5.1.1).
    pub marker: bool,
    pub event: Event,
}

impl Sender {
    /// `held` is how long the key is pressed: 40 ms to 8 s, shorter and longer are brought there;
    /// `None` if `digit` is no key.
    pub fn new(digit: char, held: Duration) -> Option<Self> {
        let wanted = digit.to_ascii_uppercase();
        let code = KEYS.iter().position(|key| char::from(*key) == wanted)?;
        let packets = held.as_millis().clamp(40, 8000) / 20;
        Some(Self { code: code as u8, duration: 0, held: packets as u16 * STEP, ends: 0 })
    }
}

impl Iterator for Sender {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        if self.ends == ENDS {
            return None;
        }
        let marker = self.duration == 0;
        self.duration = (self.duration + STEP).min(self.held);
        let end = self.duration == self.held;
        self.ends += u8::from(end);
        let event = Event { code: self.code, end, volume: VOLUME, duration: self.duration };
        Some(Sent { marker, event })
    }
}

/// RFC 4733 §3.2, table 3: in the order of their codes.
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// A key not heard of for so long was let go.
const SILENCE_MAX: Duration = Duration::from_millis(100);
/// How late a key's packet may come, in seconds.
const LATE_SECONDS: u32 = 5;
/// A segment heard of for less, in timestamp units, was not the whole length of a duration.
const SEGMENT_MIN: u16 = 0xe000;
/// The end is sent three times (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// 20 ms at 8 kHz.
const STEP: u16 = 160;
/// -10 dBm0.
const VOLUME: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_told_once_when_it_is_let_go() {
        let mut phone = Phone::default();

        assert_eq!(phone.presses('5', 8000, &[]), "5");
        assert_eq!(phone.presses('#', 16_000, &[]), "#");
        assert_eq!(phone.receiver.next_tick(), None);
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        let mut phone = Phone::default();

        assert_eq!(phone.presses('1', 8000, &[]) + &phone.presses('1', 9600, &[]), "11");
    }

    #[test]
    fn any_one_packet_is_enough() {
        let count = Sender::new('7', HELD).unwrap().count();
        for kept in 0..count {
            let lost: Vec<_> = (0..count).filter(|index| *index != kept).collect();
            let mut phone = Phone::default();
            let told = phone.presses('7', 8000, &lost) + &phone.waits(SILENCE_MAX);
            assert_eq!(told, "7", "only packet {kept} came");
        }
    }

    #[test]
    fn a_key_whose_ends_are_lost_is_told_after_a_silence() {
        let mut phone = Phone::default();
        assert_eq!(phone.holds('3', 8000), "");
        let due = phone.receiver.next_tick().unwrap();

        assert_eq!(due, phone.heard + SILENCE_MAX);
        assert_eq!(phone.waits(SILENCE_MAX), "3");
        // Its end comes in the end, and is known.
        assert_eq!(phone.gets(8000, Event { code: 3, end: true, volume: 0, duration: 800 }), "");
    }

    #[test]
    fn the_next_key_ends_the_one_before() {
        let mut phone = Phone::default();

        assert_eq!(phone.holds('1', 8000), "");
        assert_eq!(phone.presses('2', 9600, &[]), "12");
    }

    #[test]
    fn late_packets_of_an_earlier_key_are_no_key() {
        let mut phone = Phone::default();
        phone.presses('1', 8000, &[]);
        let late = Event { code: 1, end: true, volume: 0, duration: 800 };
        phone.gets(9600, Event { code: 2, end: false, volume: 0, duration: 160 });

        assert_eq!(phone.gets(8000, late), "");
        assert_eq!(phone.gets(9600, Event { code: 2, end: true, volume: 0, duration: 320 }), "2");
        assert_eq!(phone.gets(8000, late), "");
    }

    /// RFC 4733 §2.5.1.3: segments of one key, also with the last packets of a segment lost.
    #[test]
    fn a_key_held_for_long_is_one_key() {
        let mut phone = Phone::default();
        let first = u32::MAX - 1000;
        let second = first.wrapping_add(0xffff);
        let held = |duration| Event { code: 9, end: false, volume: 0, duration };

        let mut told = phone.gets(first, held(160)) + &phone.gets(first, held(0xff00));
        told += &(phone.gets(second, held(160)) + &phone.gets(second, held(320)));
        told += &phone.gets(second, Event { end: true, ..held(480) });

        assert_eq!(told, "9");
    }

    /// The next press of the same key is a segment only if the one before was long enough.
    #[test]
    fn a_key_pressed_again_after_eight_seconds_is_another() {
        let mut phone = Phone::default();

        assert_eq!(phone.presses('1', 8000, &[]) + &phone.presses('1', 8000 + 0xffff, &[]), "11");
    }

    #[test]
    fn another_ssrc_begins_anew() {
        let mut phone = Phone::default();
        phone.presses('1', 8000, &[]);
        phone.ssrc = 2;

        assert_eq!(phone.presses('1', 7000, &[]), "1");
    }

    #[test]
    fn other_events_are_no_digits() {
        let mut phone = Phone::default();
        let flash = Event { code: 16, end: true, volume: 0, duration: 800 };

        assert_eq!(phone.gets(8000, flash), "");
        assert_eq!(Event::parse(&[1, 2, 3]), None);
    }

    /// RFC 4733 §2.5.1: marker on the first, the end three times.
    #[test]
    fn a_key_is_sent_as_the_standard_says() {
        let sent: Vec<_> = Sender::new('d', Duration::from_millis(60)).unwrap().collect();

        let seen: Vec<_> =
            sent.iter().map(|one| (one.marker, one.event.end, one.event.duration)).collect();
        let end = (false, true, 480);
        assert_eq!(seen, [(true, false, 160), (false, false, 320), end, end, end]);
        assert!(sent.iter().all(|one| one.event.digit() == Some('D')));
        assert!(Sender::new('x', HELD).is_none());
        let long = Sender::new('1', Duration::from_secs(3600)).unwrap().last().unwrap();
        assert_eq!(long.event.duration, 64_000);
    }

    proptest! {
        #[test]
        fn payloads_are_read_back(bytes: [u8; 4]) {
            let event = Event::parse(&bytes).unwrap();
            prop_assert_eq!(Event::parse(&event.bytes()), Some(event));
        }

        /// Whatever comes, a key is told at most once per packet, and a deadline always ends.
        #[test]
        fn hostile_packets_end(packets in prop::collection::vec(any::<(bool, u32, u32)>(), 0..40)) {
            let mut phone = Phone::default();
            let mut told = 0;
            for (other, timestamp, payload) in &packets {
                phone.ssrc = u32::from(*other);
                let event = Event::parse(&payload.to_be_bytes()).unwrap();
                told += phone.gets(*timestamp, Event { code: event.code % 20, ..event }).len();
            }
            told += phone.waits(SILENCE_MAX).len();
            prop_assert!(told <= packets.len());
            prop_assert_eq!(phone.receiver.next_tick(), None);
        }
    }

    const HELD: Duration = Duration::from_millis(100);

    #[derive(Default)]
    struct Phone {
        receiver: Receiver,
        now: Instant,
        heard: Instant,
        ssrc: u32,
    }

    impl Phone {
        /// Sends a key, but not the packets at the places `lost`; a packet each 20 ms.
        fn presses(&mut self, digit: char, timestamp: u32, lost: &[usize]) -> String {
            let mut told = String::new();
            for (index, sent) in Sender::new(digit, HELD).unwrap().enumerate() {
                if !lost.contains(&index) {
                    told += &self.gets(timestamp, sent.event);
                }
                told += &self.waits(Duration::from_millis(20));
            }
            told
        }

        /// Sends the beginning of a key.
        fn holds(&mut self, digit: char, timestamp: u32) -> String {
            let begun = Sender::new(digit, HELD).unwrap().take(3);
            begun.map(|sent| self.gets(timestamp, sent.event)).collect()
        }

        fn gets(&mut self, timestamp: u32, event: Event) -> String {
            self.heard = self.now;
            self.handle(Packet { ssrc: self.ssrc, timestamp, clock_rate: 8000, event })
        }

        /// Lets `wait` pass, ticking whenever the machine asked to be.
        fn waits(&mut self, wait: Duration) -> String {
            let end = self.now + wait;
            let mut told = String::new();
            while let Some(due) = self.receiver.next_tick().filter(|due| *due <= end) {
                self.now = due;
                told += &self.handle(Tick);
            }
            self.now = end;
            told
        }

        fn handle(&mut self, input: Input) -> String {
            let mut out = Vec::new();
            self.receiver.handle(self.now, input, &mut out);
            out.iter().map(|digit| digit.0).collect()
        }
    }
}
