//! A key passed on to a phone whose stream has another clock, or numbers of its own.
//!
//! Spec:     RFC 4733 §2.3.5 (duration), §2.5.1.3 (a key longer than a duration can tell).
//! In:       the packets of the key with their timestamps and clock rate.
//! Out:      where it began on the other clock, and its event in that clock's units.
//! Not here: numbers of packets (`media`), which keys a phone pressed (`dtmf`).

use crate::rtp::dtmf::{Event, Key};

/// A key on its way.
#[derive(Clone, Copy, Debug)]
pub struct Press {
    key: Key,
    /// How long its segments before this one were, in its own units.
    before: u32,
    /// Where it began on the other clock.
    began: u32,
}

/// A packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub timestamp: u32,
    /// The first of its key.
    pub begins: bool,
    pub event: Event,
}

impl Press {
    /// Takes a packet of a key, which may be another than `current`; `rates` are those of its clock
    /// and of the other, on which `now` is this moment.
    pub fn pass(
        current: &mut Option<Self>,
        (ssrc, timestamp, event): (u32, u32, Event),
        rates: (u32, u32),
        now: u32,
    ) -> Passed {
        let known = current.filter(|press| press.key.is_same(ssrc, timestamp, event));
        let Event { code, duration, .. } = event;
        let key = Key { ssrc, timestamp, code, duration };
        let press = match known {
            None => Self { key, before: 0, began: now },
            Some(press) if timestamp == press.key.timestamp => Self { key, ..press },
            Some(press) => {
                let before = press.before.saturating_add(SEGMENT);
                Self { key, before, ..press }
            }
        };
        *current = Some(press);
        let (from, to) = rates;
        let length = u64::from(press.before) + u64::from(duration);
        let length = length * u64::from(to) / u64::from(from.max(1));
        let segments = (length.saturating_sub(1) / u64::from(SEGMENT)) as u32;
        let duration = (length - u64::from(segments) * u64::from(SEGMENT)) as u16;
        Passed {
            timestamp: press.began.wrapping_add(segments.wrapping_mul(SEGMENT)),
            begins: known.is_none(),
            event: Event { duration, ..event },
        }
    }
}

/// The longest that a duration can tell.
const SEGMENT: u32 = u16::MAX as u32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::dtmf::{Input, Receiver, Sender};
    use crate::time::{Duration, Instant};

    #[test]
    fn a_key_is_as_long_on_the_other_clock() {
        for (rates, factor) in [((8000, 48_000), 6), ((8000, 8000), 1)] {
            let mut press = None;
            for (timestamp, now) in [(5000, 77), (9000, u32::MAX - 5)] {
                for (n, sent) in Sender::new('5', Duration::from_millis(100)).unwrap().enumerate() {
                    let later = now.wrapping_add(2 * n as u32); // the other clock goes on
                    let packet = (1, timestamp, sent.event);
                    let passed = Press::pass(&mut press, packet, rates, later);
                    assert_eq!((passed.timestamp, passed.begins), (now, n == 0));
                    assert_eq!(passed.event.duration, factor * sent.event.duration);
                    assert_eq!(passed.event.end, sent.event.end);
                }
            }
        }
    }

    /// At 48 kHz a duration can tell 1.4 s: a key of three seconds has three segments there, and
    /// is one key.
    #[test]
    fn a_long_key_is_one_key_on_either_clock() {
        let keys = |packets: &[(u32, Event)], clock_rate| {
            let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
            for (timestamp, event) in packets {
                let (timestamp, event) = (*timestamp, *event);
                let packet = Input::Packet { ssrc: 1, timestamp, clock_rate, event };
                receiver.handle(Instant::START, packet, &mut heard);
            }
            heard.len()
        };
        let sent: Vec<(u32, Event)> = Sender::new('9', Duration::from_secs(3))
            .unwrap()
            .map(|sent| (u32::MAX - 7, sent.event))
            .collect();
        let (mut there, mut back) = (None, None);
        let wide: Vec<(u32, Event)> = sent
            .iter()
            .map(|(timestamp, event)| {
                let packet = (1, *timestamp, *event);
                let passed = Press::pass(&mut there, packet, (8000, 48_000), 1000);
                (passed.timestamp, passed.event)
            })
            .collect();
        let narrow: Vec<(u32, Event)> = wide
            .iter()
            .map(|(timestamp, event)| {
                let packet = (1, *timestamp, *event);
                let passed = Press::pass(&mut back, packet, (48_000, 8000), 500);
                (passed.timestamp, passed.event)
            })
            .collect();

        assert_eq!(keys(&wide, 48_000), 1);
        assert_eq!(keys(&narrow, 8000), 1);
        assert_eq!(wide.last().unwrap().0, 1000 + 2 * 65_535);
        assert_eq!(narrow.last().unwrap(), &(500, sent.last().unwrap().1));
    }

    proptest! {
        #[test]
        fn any_packets_are_passed(
            packets in prop::collection::vec(any::<(u8, u32, [u8; 4])>(), 0..40), up: bool
        ) {
            let mut press = None;
            for (ssrc, timestamp, payload) in packets {
                let event = Event::parse(&payload).unwrap();
                let rates = if up { (8000, 48_000) } else { (48_000, 8000) };
                let packet = (u32::from(ssrc & 1), timestamp % 3 * 65_535, event);
                let passed = Press::pass(&mut press, packet, rates, timestamp);
                prop_assert_eq!(passed.event.code, event.code);
            }
        }
    }
}
