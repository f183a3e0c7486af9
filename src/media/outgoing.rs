//! The one stream that a phone hears, whatever its source: one SSRC, sequence numbers without
//! jumps, timestamps that advance with time.
//!
//! Spec:     RFC 3550 §5.1, §7.1 (a mixer's own numbering); RFC 3551 §4.1 (marker); RFC 7160 §3.2
//!           (another clock rate: the timestamps go on).
//! In:       packets of a relayed source; packets made here (prompts, music, transcoded audio).
//! Out:      the header to write.
//! Not here: payload types and payloads (`sending`), addresses (`latch`).

use crate::time::{Duration, Instant};

/// The numbers of one outgoing packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub marker: bool,
}

/// What the source of a relayed packet wrote into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub marker: bool,
    /// A telephone-event: its timestamp stands still while the key is held (RFC 4733 §2.2).
    pub event: bool,
}

/// Numbers what is sent to one phone.
///
/// A source keeps its own gaps and order, so that the phone's loss concealment and statistics work;
/// another source continues where the last one ended.
#[derive(Clone, Debug)]
pub struct Outgoing {
    ssrc: u32,
    /// Of the timestamps, in hertz.
    clock_rate: u32,
    /// The newest audio that was sent.
    last: Option<Last>,
    /// One more than the highest number sent.
    next_sequence: u16,
    /// Sequence numbers used so far, those of a source's gaps too.
    numbers: u64,
    first_timestamp: u32,
    source: Option<Source>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u32,
    at: Instant,
    samples: u32,
}

/// The stream being relayed, and what is added to its numbers.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    highest: u16,
    highest_timestamp: u32,
    at: Instant,
    sequence_shift: u16,
    timestamp_shift: u32,
    /// Packets that the source sent before this one came from it were never sent by us: what
    /// arrives late from before is dropped.
    floor: u16,
}

impl Outgoing {
    /// Begins a stream; the three numbers must be random (RFC 3550 §5.1, §8.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            clock_rate: 8000,
            last: None,
            next_sequence: sequence,
            numbers: 0,
            first_timestamp: timestamp,
            source: None,
        }
    }

    /// Sequence numbers used so far: more than packets sent if a source had gaps.
    pub fn numbers(&self) -> u64 {
        self.numbers
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Of the timestamps, in hertz; 8000 until another is set.
    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// What comes next has timestamps of this rate; they go on from where they are.
    #[inline]
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate == clock_rate {
            return;
        }
        if let Some(last) = &mut self.last {
            let samples = u64::from(last.samples) * u64::from(clock_rate);
            last.samples = (samples / u64::from(self.clock_rate)) as u32;
        }
        self.clock_rate = clock_rate;
        self.source = None;
    }

    /// The source ends: whatever comes next continues the stream from here.
    pub fn interrupt(&mut self) {
        self.source = None;
    }

    /// Numbers a packet made here, of so many samples. `begins` sets the marker and lets the
    /// timestamp catch up with time.
    pub fn made(&mut self, now: Instant, samples: u32, begins: bool) -> Header {
        self.source = None;
        let timestamp = match self.last {
            Some(last) if !begins => last.timestamp.wrapping_add(last.samples),
            _ => self.timestamp_at(now),
        };
        let sequence = self.next_sequence;
        self.advance(sequence);
        self.sent(now, timestamp, samples);
        Header { sequence, timestamp, ssrc: self.ssrc, marker: begins }
    }

    /// Numbers a packet of a key that is made here, between whatever else is sent: all of one key
    /// have the timestamp of its first (RFC 4733 §2.2), which gets `None`.
    pub fn key(&mut self, now: Instant, began: Option<u32>) -> Header {
        self.source = None;
        let timestamp = began.unwrap_or_else(|| self.timestamp_at(now));
        if self.last.is_none() {
            self.sent(now, timestamp, 0); // from here on the clock goes
        }
        self.key_at(timestamp, began.is_none())
    }

    /// Numbers a packet of a key that is relayed between packets made here, or whose timestamp is
    /// not that of its source: `timestamp` is where the key began (RFC 4733 §2.5.1.2).
    pub fn key_at(&mut self, timestamp: u32, marker: bool) -> Header {
        let sequence = self.next_sequence;
        self.advance(sequence);
        Header { sequence, timestamp, ssrc: self.ssrc, marker }
    }

    /// So many packets, of so many samples in all, are missing between those made here: their
    /// numbers are left out.
    pub fn miss(&mut self, packets: u16, samples: u32) {
        let Some(last) = &mut self.last else { return };
        last.samples = last.samples.wrapping_add(samples);
        self.next_sequence = self.next_sequence.wrapping_add(packets);
        self.numbers += u64::from(packets);
    }

    /// A packet of the source is not sent, and not missed: its number is left to the next.
    pub fn pass_over(&mut self, packet: Incoming) {
        if let Some(source) = self.source.as_mut().filter(|it| it.ssrc == packet.ssrc)
            && packet.sequence == source.highest.wrapping_add(1)
        {
            source.highest = packet.sequence;
            source.sequence_shift = source.sequence_shift.wrapping_sub(1);
        }
    }

    /// Numbers a relayed packet of so many samples; `None` if it comes too late to be sent.
    pub fn relayed(&mut self, now: Instant, packet: Incoming, samples: u32) -> Option<Header> {
        let (mut source, begins) = match self.source {
            Some(source) if source.continues(now, packet, self.clock_rate) => (source, false),
            _ => (self.source_from(now, packet), true),
        };
        if is_before(packet.sequence, source.floor) {
            return None;
        }
        let sequence = packet.sequence.wrapping_add(source.sequence_shift);
        let timestamp = packet.timestamp.wrapping_add(source.timestamp_shift);
        if begins || is_before(source.highest, packet.sequence) {
            source.highest = packet.sequence;
            if !packet.event || begins {
                source.highest_timestamp = packet.timestamp;
                source.at = now;
            }
            if packet.sequence.wrapping_sub(source.floor) > 2 * REORDER_MAX {
                source.floor = packet.sequence.wrapping_sub(REORDER_MAX);
            }
            match &mut self.last {
                Some(_) if packet.event => {}
                _ => self.sent(now, timestamp, samples),
            }
            self.advance(sequence);
        }
        self.source = Some(source);
        Some(Header { sequence, timestamp, ssrc: self.ssrc, marker: packet.marker || begins })
    }

    /// The timestamp of a packet that is sent at this moment: what a sender report pairs with the
    /// wall clock (RFC 3550 §6.4.1).
    pub fn timestamp_at(&self, now: Instant) -> u32 {
        let Some(last) = self.last else { return self.first_timestamp };
        last.timestamp.wrapping_add(units(now.since(last.at), self.clock_rate).max(last.samples))
    }

    fn advance(&mut self, sequence: u16) {
        let next = sequence.wrapping_add(1);
        self.numbers += u64::from(next.wrapping_sub(self.next_sequence));
        self.next_sequence = next;
    }

    fn sent(&mut self, now: Instant, timestamp: u32, samples: u32) {
        self.last = Some(Last { timestamp, at: now, samples });
    }

    /// Lets a new source continue where the stream is.
    fn source_from(&self, now: Instant, packet: Incoming) -> Source {
        Source {
            ssrc: packet.ssrc,
            highest: packet.sequence,
            highest_timestamp: packet.timestamp,
            at: now,
            sequence_shift: self.next_sequence.wrapping_sub(packet.sequence),
            timestamp_shift: self.timestamp_at(now).wrapping_sub(packet.timestamp),
            floor: packet.sequence,
        }
    }
}

impl Source {
    /// Whether a packet belongs to the stream as it ran so far. A phone that starts again with
    /// other numbers is another source, even with the same SSRC.
    fn continues(&self, now: Instant, packet: Incoming, clock_rate: u32) -> bool {
        let step = packet.sequence.wrapping_sub(self.highest).cast_signed();
        if packet.ssrc != self.ssrc || step.unsigned_abs() > DROPOUT_MAX {
            return false;
        }
        if packet.event {
            return true;
        }
        let elapsed = i64::from(units(now.since(self.at), clock_rate));
        let claimed = packet.timestamp.wrapping_sub(self.highest_timestamp).cast_signed();
        (i64::from(claimed) - elapsed).abs() <= i64::from(units(TIMESTAMP_JUMP_MAX, clock_rate))
    }
}

/// Whether sequence number `a` comes before `b` (RFC 1982).
pub fn is_before(a: u16, b: u16) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

/// Samples at 8 kHz, in which prompts and recordings are.
pub fn samples_of(time: Duration) -> u32 {
    units(time, 8000)
}

/// Timestamp units of an RTP clock.
fn units(time: Duration, clock_rate: u32) -> u32 {
    (time.as_micros() * u128::from(clock_rate) / 1_000_000) as u32 // wraps, as the clock does
}

/// Sequence numbers that may be missing within one source (RFC 3550 §A.1).
const DROPOUT_MAX: u16 = 3000;
/// Packets older than this are not relayed.
const REORDER_MAX: u16 = 1000;
/// How far a source's timestamps may be from its packets' arrival.
const TIMESTAMP_JUMP_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_gaps_and_order() {
        let mut wire = Wire::new();

        let sent: Vec<_> = [0, 1, 4, 3, 5].map(|n| wire.relayed(&PHONE, n)).into();

        let steps: Vec<_> =
            sent.iter().map(|h| h.unwrap().sequence.wrapping_sub(SEQUENCE)).collect();
        let times: Vec<_> =
            sent.iter().map(|h| h.unwrap().timestamp.wrapping_sub(TIMESTAMP)).collect();
        assert_eq!(steps, [0, 1, 4, 3, 5]);
        assert_eq!(wire.outgoing.numbers(), 6, "that of the packet that never came too");
        assert_eq!(times, [0, 160, 640, 480, 800]);
        assert!(sent[0].unwrap().marker && !sent[1].unwrap().marker);
    }

    /// The phone's peer has been silent from the start.
    #[test]
    fn keys_before_all_else_are_told_apart() {
        let mut outgoing = Outgoing::new(SSRC, SEQUENCE, TIMESTAMP);
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let first = outgoing.key(at(0), None);
        let goes_on = outgoing.key(at(20), Some(first.timestamp));
        let second = outgoing.key(at(500), None);
        let audio = outgoing.made(at(600), 160, true);
        let keys = [first, goes_on, second, audio].map(|it| it.timestamp.wrapping_sub(TIMESTAMP));
        assert_eq!(keys, [0, 0, 4000, 4800]);
    }

    #[test]
    fn another_source_continues_the_stream() {
        let mut wire = Wire::new();
        let prompt = wire.made(true);
        let second = wire.made(false);
        let agent = wire.relayed(&PHONE, 0).unwrap();
        wire.relayed(&PHONE, 1);
        let other = wire.relayed(&OTHER, 7).unwrap();
        let music = wire.made(true);

        assert_eq!(prompt.sequence, SEQUENCE);
        assert_eq!(second.timestamp.wrapping_sub(prompt.timestamp), 160);
        for (step, header) in [(2, agent), (4, other), (5, music)] {
            assert_eq!(header.sequence, SEQUENCE.wrapping_add(step));
            assert_eq!(header.timestamp, TIMESTAMP.wrapping_add(160 * u32::from(step)));
            assert_eq!(header.ssrc, SSRC);
            assert!(header.marker);
        }
    }

    #[test]
    fn silence_between_sources_shows_in_the_timestamp_only() {
        let mut wire = Wire::new();
        let before = wire.made(true);
        wire.now = wire.now + Duration::from_secs(3);

        let after = wire.relayed(&PHONE, 0).unwrap();

        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 160 + 3 * 8000);
    }

    #[test]
    fn late_packets_from_before_the_switch_are_dropped() {
        let mut wire = Wire::new();
        wire.relayed(&PHONE, 0);
        wire.relayed(&PHONE, 1);
        wire.made(true);
        wire.relayed(&PHONE, 10);

        assert_eq!(wire.relayed(&PHONE, 9), None);
        assert!(wire.relayed(&PHONE, 11).is_some());
    }

    #[test]
    fn a_phone_that_starts_again_is_another_source() {
        let mut wire = Wire::new();
        let before = wire.relayed(&PHONE, 0).unwrap();
        let restarted = Stream { sequence: 9000, timestamp: 5, ..PHONE };

        let after = wire.relayed(&restarted, 0).unwrap();

        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(160));
        assert!(after.marker);
    }

    #[test]
    fn a_long_source_wraps_around_without_a_break() {
        let mut wire = Wire::new();
        let mut before = wire.relayed(&PHONE, 0).unwrap();

        for n in 1..140_000 {
            let header = wire.relayed(&PHONE, n).expect("nothing is late");
            assert_eq!(header.sequence, before.sequence.wrapping_add(1));
            assert_eq!(header.timestamp, before.timestamp.wrapping_add(160));
            before = header;
        }
    }

    /// A key between two packets of a source: the numbers go on, and so does the time.
    #[test]
    fn a_key_made_here_goes_between_the_packets_of_a_source() {
        let mut wire = Wire::new();
        let before = wire.relayed(&PHONE, 0).unwrap();
        let first = wire.outgoing.key(wire.now, None);
        wire.now = wire.now + Duration::from_millis(20);
        let second = wire.outgoing.key(wire.now, Some(first.timestamp));
        wire.now = wire.now + Duration::from_millis(20);
        let after = wire.relayed(&PHONE, 3).unwrap();

        let sequences = [first, second, after].map(|header| header.sequence);
        assert_eq!(sequences, [1, 2, 3].map(|n| before.sequence.wrapping_add(n)));
        assert_eq!(first.timestamp, before.timestamp.wrapping_add(160));
        assert_eq!((second.timestamp, second.marker), (first.timestamp, false));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(3 * 160));
        assert!(first.marker);
    }

    /// RFC 4733 §2.2: every packet of a key has the timestamp of its beginning.
    #[test]
    fn a_key_held_for_long_does_not_break_the_stream() {
        let mut wire = Wire::new();
        let before = wire.relayed(&PHONE, 0).unwrap();
        let key = Incoming { timestamp: PHONE.timestamp + 160, event: true, ..PHONE.packet(0) };

        for n in 1..=250 {
            let sequence = PHONE.sequence.wrapping_add(n);
            let header = wire.outgoing.relayed(wire.now, Incoming { sequence, ..key }, 0).unwrap();
            assert_eq!(header.timestamp, before.timestamp.wrapping_add(160));
            wire.now = wire.now + Duration::from_millis(20);
        }
        let after = wire.relayed(&PHONE, 251).unwrap();

        assert_eq!(after.sequence, before.sequence.wrapping_add(251));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(251 * 160));
        assert!(!after.marker);
    }

    /// What is transcoded has its own numbers; what was lost before it shows in them.
    #[test]
    fn what_is_missing_between_made_packets_leaves_a_gap() {
        let mut wire = Wire::new();
        let before = wire.made(true);
        wire.now = wire.now + Duration::from_millis(40);
        wire.outgoing.miss(2, 320);

        let after = wire.made(false);

        assert_eq!(after.sequence, before.sequence.wrapping_add(3));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(3 * 160));
        assert_eq!(wire.outgoing.numbers(), 4);
    }

    #[test]
    fn what_is_passed_over_leaves_no_gap() {
        let mut wire = Wire::new();
        let before = wire.relayed(&PHONE, 0).unwrap();
        wire.outgoing.pass_over(PHONE.packet(1));
        wire.outgoing.pass_over(PHONE.packet(1));

        let after = wire.relayed(&PHONE, 2).unwrap();

        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(320));
        assert_eq!(wire.outgoing.numbers(), 2);
    }

    /// RFC 7160 §3.2: timestamps go on, faster or slower.
    #[test]
    fn another_clock_rate_goes_on_from_there() {
        let mut wire = Wire::new();
        let narrow = wire.made(true);
        wire.outgoing.set_clock_rate(48_000);
        let wide = wire.outgoing.made(wire.now, 960, true);
        wire.now = wire.now + Duration::from_secs(1);
        let later = wire.outgoing.timestamp_at(wire.now);

        assert_eq!(wide.sequence, narrow.sequence.wrapping_add(1));
        assert_eq!(wide.timestamp, narrow.timestamp.wrapping_add(960));
        assert_eq!(later, wide.timestamp.wrapping_add(48_000));
        assert_eq!(wire.outgoing.clock_rate(), 48_000);
    }

    const SSRC: u32 = 0xfeed;
    const SEQUENCE: u16 = 65_534;
    const TIMESTAMP: u32 = u32::MAX - 200;
    const PHONE: Stream = Stream { ssrc: 1, sequence: 100, timestamp: 7000 };
    const OTHER: Stream = Stream { ssrc: 2, sequence: 40_000, timestamp: 1 << 31 };

    struct Stream {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
    }

    impl Stream {
        fn packet(&self, n: u32) -> Incoming {
            Incoming {
                sequence: self.sequence.wrapping_add((n % 65_536) as u16),
                timestamp: self.timestamp.wrapping_add(160 * n),
                ssrc: self.ssrc,
                marker: false,
                event: false,
            }
        }
    }

    struct Wire {
        outgoing: Outgoing,
        now: Instant,
    }

    impl Wire {
        fn new() -> Self {
            let outgoing = Outgoing::new(SSRC, SEQUENCE, TIMESTAMP);
            Self { outgoing, now: Instant::START }
        }

        /// The nth packet of a stream arrives, 20 ms after whatever was before.
        fn relayed(&mut self, stream: &Stream, n: u32) -> Option<Header> {
            let header = self.outgoing.relayed(self.now, stream.packet(n), 160);
            self.now = self.now + Duration::from_millis(20);
            header
        }

        fn made(&mut self, begins: bool) -> Header {
            let header = self.outgoing.made(self.now, 160, begins);
            self.now = self.now + Duration::from_millis(20);
            header
        }
    }
}
