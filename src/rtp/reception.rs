//! What is counted of a received stream: packets, losses and their rows, jitter.
//!
//! Spec:     RFC 3550 §6.4.1, appendices A.1, A.3 and A.8; ITU-T G.107 §7.5 (burst ratio).
//! In:       each packet's numbers and arrival, the sender's reports.
//! Out:      report blocks, totals.
//! Not here: where packets may come from (`media`), the reports' form (`rtcp`).

use crate::rtp::rtcp::{Block, middle};
use crate::time::{Duration, Instant};

/// The counts of one stream, over changes of its SSRC.
#[derive(Clone, Debug)]
pub struct Reception {
    clock_rate: u32,
    stream: Option<Stream>,
    /// Of streams that were replaced.
    packets_before: u64,
    losses_before: Losses,
    late: u64,
    duplicates: u64,
    /// The greatest jitter so far, in RTP timestamp units.
    jitter_max: u32,
    /// Sum of the jitter at each packet, in RTP timestamp units, and their number.
    jitters: u64,
    jitter_count: u64,
}

/// One SSRC.
#[derive(Clone, Debug)]
struct Stream {
    ssrc: u32,
    /// First and highest sequence number, with the count of wraps above 16 bits.
    base: u64,
    highest: u64,
    /// The timestamp of the packet with the highest number.
    timestamp: u32,
    received: u64,
    /// Which of the last numbers came, the highest in bit 0; those before the first count as come.
    came: u128,
    losses: Losses,
    /// After a jump: what must follow for the jump to be a restart.
    expected_after_jump: Option<u16>,
    transit: Option<u32>,
    /// Sixteen times the jitter, as in RFC 3550 appendix A.8.
    jitter_scaled: u32,
    expected_at_report: u64,
    received_at_report: u64,
    /// Middle of the NTP time of the last sender report, and when it came.
    report: Option<(u32, Instant)>,
}

impl Reception {
    /// `clock_rate` is that of the RTP timestamps, in hertz.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            stream: None,
            packets_before: 0,
            losses_before: Losses::default(),
            late: 0,
            duplicates: 0,
            jitter_max: 0,
            jitters: 0,
            jitter_count: 0,
        }
    }

    /// From here on timestamps have this rate, in hertz.
    #[inline]
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.change_clock_rate(clock_rate);
        }
    }

    /// What was counted in the old units is brought to the new ones.
    #[cold]
    fn change_clock_rate(&mut self, clock_rate: u32) {
        let (new, old) = (u64::from(clock_rate), u64::from(self.clock_rate.max(1)));
        self.jitter_max = (u64::from(self.jitter_max) * new / old) as u32;
        self.jitters = self.jitters.saturating_mul(new) / old;
        if let Some(stream) = &mut self.stream {
            stream.jitter_scaled = (u64::from(stream.jitter_scaled) * new / old) as u32;
            stream.transit = None;
        }
        self.clock_rate = clock_rate;
    }

    /// Counts a packet of audio, or another one whose timestamp is that of its sending: a key's
    /// packets (RFC 4733) share a timestamp and go to `packet_untimed`.
    #[inline]
    pub fn packet(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) {
        let arrival = self.units(now);
        let place = self.count(ssrc, sequence);
        let Some(stream) = &mut self.stream else { return };
        match place {
            Place::Next => stream.timestamp = timestamp,
            Place::Behind => {
                let behind = stream.timestamp.wrapping_sub(timestamp);
                self.late += u64::from(behind > self.clock_rate / LATE_PER_SECOND);
            }
            Place::Anew | Place::Stray | Place::Twice => {}
        }
        let transit = arrival.wrapping_sub(timestamp);
        let Some(before) = stream.transit.replace(transit) else { return };
        let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
        if difference > JUMP_SECONDS * self.clock_rate {
            return; // the sender's clock began anew
        }
        stream.jitter_scaled += difference;
        stream.jitter_scaled -= (stream.jitter_scaled - difference + 8) >> 4;
        self.jitter_max = self.jitter_max.max(stream.jitter_scaled >> 4);
        self.jitters += u64::from(stream.jitter_scaled >> 4);
        self.jitter_count += 1;
    }

    /// Counts a packet whose timestamp says nothing about its sending.
    #[inline]
    pub fn packet_untimed(&mut self, ssrc: u32, sequence: u16) {
        self.count(ssrc, sequence);
    }

    /// Takes note of the peer's report, for the delay that our next block tells.
    pub fn sender_report(&mut self, now: Instant, ssrc: u32, ntp: u64) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) {
            stream.report = Some((middle(ntp), now));
        }
    }

    /// The block that is due, and the beginning of the next interval; `None` before any packet.
    pub fn report(&mut self, now: Instant) -> Option<Block> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let expected_since = expected - stream.expected_at_report;
        let received_since = stream.received - stream.received_at_report;
        stream.expected_at_report = expected;
        stream.received_at_report = stream.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since << 8).checked_div(expected_since).unwrap_or(0);
        let lost = expected as i64 - stream.received as i64;
        let (last_report, came_at) = stream.report.unwrap_or((0, now));
        let delay = (now.since(came_at).as_micros() << 16) / 1_000_000;
        Some(Block {
            ssrc: stream.ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: lost.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            highest_sequence: stream.highest as u32,
            jitter: stream.jitter_scaled >> 4,
            last_report,
            delay: delay.min(u128::from(u32::MAX)) as u32,
        })
    }

    /// The source that is counted; `None` before any packet.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// Packets received, duplicates among them.
    pub fn packets(&self) -> u64 {
        self.packets_before + self.stream.as_ref().map_or(0, |stream| stream.received)
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.losses().lost
    }

    /// Packets that came out of order, and so late that a phone has played what follows them.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Packets that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The mean row of lost packets over that of as many random losses (G.107 §7.5): 1 if losses
    /// are random, more if they come together; `None` without a loss.
    pub fn burst_ratio(&self) -> Option<f64> {
        let Losses { lost, rows, .. } = self.losses();
        let came = self.packets().saturating_sub(self.duplicates) as f64;
        (rows > 0).then(|| lost as f64 / rows as f64 * came / (came + lost as f64))
    }

    fn losses(&self) -> Losses {
        let mut losses = self.losses_before;
        if let Some(stream) = &self.stream {
            losses.add(stream.all_losses());
        }
        losses
    }

    /// The present jitter (RFC 3550 §6.4.1).
    pub fn jitter(&self) -> Duration {
        let scaled = self.stream.as_ref().map_or(0, |stream| stream.jitter_scaled);
        self.time(u64::from(scaled >> 4))
    }

    /// The greatest that the jitter ever was.
    pub fn jitter_max(&self) -> Duration {
        self.time(self.jitter_max.into())
    }

    /// The mean of the jitter over all packets: never more than the greatest.
    pub fn jitter_mean(&self) -> Duration {
        self.time(self.jitters.checked_div(self.jitter_count).unwrap_or(0))
    }

    #[inline]
    fn count(&mut self, ssrc: u32, sequence: u16) -> Place {
        if self.stream.as_ref().is_none_or(|stream| stream.ssrc != ssrc) {
            self.begin(Stream::new(ssrc, sequence));
        }
        // Always there, since `begin`.
        let Some(stream) = &mut self.stream else { return Place::Stray };
        let place = stream.place(sequence);
        match place {
            Place::Anew => {
                let mut stream = Stream { report: stream.report, ..Stream::new(ssrc, sequence) };
                stream.received = 1;
                let place = stream.place(sequence);
                self.begin(stream);
                return place;
            }
            Place::Stray => return place,
            Place::Twice => self.duplicates += 1,
            Place::Behind | Place::Next => {}
        }
        stream.received += 1;
        place
    }

    /// Another stream takes the place of the one before.
    #[cold]
    fn begin(&mut self, stream: Stream) {
        if let Some(old) = self.stream.replace(stream) {
            self.packets_before += old.received;
            self.losses_before.add(old.all_losses());
        }
    }

    fn units(&self, at: Instant) -> u32 {
        (u128::from(at.as_micros()) * u128::from(self.clock_rate) / 1_000_000) as u32
    }

    fn time(&self, units: u64) -> Duration {
        Duration::from_micros((units * 1_000_000).checked_div(self.clock_rate.into()).unwrap_or(0))
    }
}

impl Stream {
    fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            base: sequence.into(),
            highest: sequence.into(),
            timestamp: 0,
            received: 0,
            came: !1,
            losses: Losses::default(),
            expected_after_jump: None,
            transit: None,
            jitter_scaled: 0,
            expected_at_report: 0,
            received_at_report: 0,
            report: None,
        }
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    /// Finds the place of a number among those that came (appendix A.1).
    #[inline]
    fn place(&mut self, sequence: u16) -> Place {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead == 1 {
            self.highest += 1;
            self.losses.pass(self.came >> (NUMBERS_KNOWN - 1) == 1);
            self.came = self.came << 1 | 1;
            self.expected_after_jump = None;
            return Place::Next;
        }
        self.place_oddly(ahead, sequence)
    }

    /// As `place`, of a number that does not follow the highest.
    fn place_oddly(&mut self, ahead: u16, sequence: u16) -> Place {
        if ahead == 0 || ahead > u16::MAX - MISORDER_MAX {
            self.place_behind(ahead.wrapping_neg().into())
        } else if ahead < DROPOUT_MAX {
            self.highest += u64::from(ahead);
            for _ in 0..u32::from(ahead).min(NUMBERS_KNOWN) {
                self.losses.pass(self.came >> (NUMBERS_KNOWN - 1) == 1);
                self.came <<= 1;
            }
            self.losses.lose(u64::from(ahead).saturating_sub(NUMBERS_KNOWN.into()));
            self.came |= 1;
            self.expected_after_jump = None;
            Place::Next
        } else if self.expected_after_jump == Some(sequence) {
            Place::Anew
        } else {
            self.expected_after_jump = Some(sequence.wrapping_add(1));
            Place::Stray
        }
    }

    /// As `place`, of a number so far behind the highest: at most `MISORDER_MAX`.
    fn place_behind(&mut self, behind: u64) -> Place {
        let bit = 1 << behind;
        if let Some(sequence) = self.highest.checked_sub(behind).filter(|it| *it < self.base) {
            // The stream began earlier than it seemed: what lies between is missing.
            let missing = (bit - 1) & (u128::MAX << 1 << (self.highest - self.base));
            self.came &= !missing;
            self.base = sequence;
            return Place::Behind;
        }
        if self.came & bit != 0 {
            return Place::Twice;
        }
        self.came |= bit;
        if behind == 0 { Place::Next } else { Place::Behind }
    }

    /// The losses, with those among the numbers that may still come.
    fn all_losses(&self) -> Losses {
        let mut losses = self.losses;
        for number in (0..NUMBERS_KNOWN).rev() {
            losses.pass(self.came >> number & 1 == 1);
        }
        losses
    }
}

/// Where a packet's number is among those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The second in a row after a jump: the sender began to count anew.
    Anew,
    /// Of one that was missing.
    Behind,
    /// The highest so far.
    Next,
    /// Far from all others.
    Stray,
    /// Of one that came before.
    Twice,
}

/// Packets that never came, and how they lie together.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    lost: u64,
    /// Rows of them with none between that came.
    rows: u64,
    in_row: bool,
}

impl Losses {
    /// Counts the next number.
    #[inline]
    fn pass(&mut self, came: bool) {
        if came {
            self.in_row = false;
        } else {
            self.lose(1);
        }
    }

    fn lose(&mut self, count: u64) {
        if count > 0 {
            self.lost += count;
            self.rows += u64::from(!self.in_row);
            self.in_row = true;
        }
    }

    fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.rows += other.rows;
    }
}

/// Numbers up to the highest of which is known whether they came: more than `MISORDER_MAX`.
const NUMBERS_KNOWN: u32 = u128::BITS;
/// A packet behind by more than a second divided by this is late: 100 ms, what the jitter buffers
/// of phones hold at most as they come.
const LATE_PER_SECOND: u32 = 10;
/// Longest row of lost packets that is not taken for a new count (RFC 3550 appendix A.1).
const DROPOUT_MAX: u16 = 3000;
/// How late a packet may be and still be of this count (RFC 3550 appendix A.1).
const MISORDER_MAX: u16 = 100;
/// A greater change of transit time, in seconds, is a new beginning.
const JUMP_SECONDS: u32 = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_even_stream_has_neither_loss_nor_jitter() {
        let mut phone = Phone::new(65_500);
        phone.sends(100);

        let block = phone.reception.report(phone.now).unwrap();

        assert_eq!((block.lost, block.fraction_lost, block.jitter), (0, 0, 0));
        assert_eq!(block.highest_sequence, (1 << 16) + 63, "one wrap");
        assert_eq!((phone.reception.packets(), phone.reception.lost()), (100, 0));
    }

    /// A phone that goes over to Opus, and back: its jitter stays what it is in time.
    #[test]
    fn another_clock_rate_changes_no_jitter() {
        let mut reception = Reception::new(8000);
        let at = |reception: &mut Reception, n: u32, clock_rate: u32| {
            let late = u64::from(n % 2) * 10_000;
            let now = Instant::from_micros(1_000_000 + 20_000 * u64::from(n) + late);
            reception.set_clock_rate(clock_rate);
            reception.packet(now, 1, n as u16, clock_rate / 50 * n);
        };
        for n in 0..500 {
            at(&mut reception, n, 8000);
        }
        let before = (reception.jitter(), reception.jitter_max(), reception.jitter_mean());
        for n in 500..1000 {
            at(&mut reception, n, 48_000);
        }
        let after = (reception.jitter(), reception.jitter_max(), reception.jitter_mean());

        for (before, after) in [(before.0, after.0), (before.1, after.1), (before.2, after.2)] {
            assert!(before.abs_diff(Duration::from_millis(10)) < Duration::from_millis(1));
            assert!(after.abs_diff(before) < Duration::from_millis(1), "{before:?} {after:?}");
        }
        assert_eq!(reception.lost(), 0);
    }

    /// RFC 3550 appendix A.3: the fraction is that of the interval, the count that of the stream.
    #[test]
    fn losses_are_counted_per_interval_and_in_all() {
        let mut phone = Phone::new(0);
        phone.sends(75);
        phone.loses(25);
        phone.sends(100);
        let first = phone.reception.report(phone.now).unwrap();
        phone.sends(50);
        let second = phone.reception.report(phone.now).unwrap();

        assert_eq!((first.lost, first.fraction_lost), (25, 32), "25 of 200");
        assert_eq!((second.lost, second.fraction_lost), (25, 0));
        assert_eq!(phone.reception.lost(), 25);
    }

    #[test]
    fn late_and_doubled_packets_are_no_losses() {
        let mut phone = Phone::new(10);
        phone.sends(10);
        phone.reception.packet_untimed(1, 22);
        phone.reception.packet_untimed(1, 21);
        phone.reception.packet_untimed(1, 20);
        assert_eq!((phone.reception.packets(), phone.reception.lost()), (13, 0));

        phone.reception.packet_untimed(1, 20);
        assert_eq!(phone.reception.report(phone.now).unwrap().lost, -1);
        assert_eq!((phone.reception.lost(), phone.reception.duplicates()), (0, 1));

        phone.reception.packet_untimed(1, 8); // sent before the first that came: 9 is missing
        assert_eq!(phone.reception.report(phone.now).unwrap().lost, 0);
        assert_eq!((phone.reception.lost(), phone.reception.duplicates()), (1, 1));
    }

    #[test]
    fn what_comes_after_its_time_is_late() {
        let mut phone = Phone::new(10);
        phone.sends(10);
        let (sequence, timestamp) = (phone.sequence, phone.timestamp);
        phone.loses(1);
        phone.sends(6);
        phone.reception.packet(phone.now, 1, sequence, timestamp);
        phone.loses(1);
        let (sequence, timestamp) = (phone.sequence.wrapping_sub(1), phone.timestamp - 160);
        phone.sends(3);
        phone.reception.packet(phone.now, 1, sequence, timestamp);

        let counted = &phone.reception;
        assert_eq!((counted.late(), counted.lost(), counted.duplicates()), (1, 0, 0));
    }

    /// G.107 §7.5: as many losses, in rows of one and of five.
    #[test]
    fn rows_of_losses_show_in_the_burst_ratio() {
        for (row, rows, ratio) in [(1, 25, 0.95), (5, 5, 4.75)] {
            let mut phone = Phone::new(65_000);
            assert_eq!(phone.reception.burst_ratio(), None);
            for _ in 0..rows {
                phone.sends(19 * usize::from(row));
                phone.loses(row);
            }
            phone.sends(1);

            assert_eq!(phone.reception.lost(), 25);
            let found = phone.reception.burst_ratio().unwrap();
            assert!((found - ratio).abs() < 0.01, "{found}");
        }
    }

    #[test]
    fn a_long_hole_is_one_row() {
        let mut phone = Phone::new(0);
        phone.sends(5);
        phone.loses(700);
        phone.sends(300);

        assert_eq!(phone.reception.lost(), 700);
        assert!(phone.reception.burst_ratio().unwrap() > 200.0);
    }

    /// RFC 3550 appendix A.8: jitter comes near the mean of the differences.
    #[test]
    fn jitter_follows_the_differences() {
        let mut phone = Phone::new(0);
        for index in 0..400 {
            // Every other packet 10 ms late: each differs from the one before by 80 units.
            phone.now = Instant::from_micros(index * 20_000 + index % 2 * 10_000);
            phone.reception.packet(phone.now, 1, index as u16, index as u32 * 160);
        }

        let jitter = phone.reception.report(phone.now).unwrap().jitter;

        assert!((79..=80).contains(&jitter), "{jitter}");
        let mean = phone.reception.jitter_mean();
        assert!(mean.abs_diff(Duration::from_millis(10)) < Duration::from_micros(600), "{mean:?}");
        assert!(phone.reception.jitter() > Duration::from_micros(9_800));
        assert_eq!(phone.reception.jitter_max(), phone.reception.jitter());
    }

    /// However short the stream: one late packet among few adds a sixteenth of its lateness.
    #[test]
    fn the_mean_jitter_is_never_more_than_the_greatest() {
        for count in 1..40 {
            let mut phone = Phone::new(0);
            for index in 0..count {
                phone.now = Instant::from_micros(index * 20_000 + u64::from(index == 2) * 90_000);
                phone.reception.packet(phone.now, 1, index as u16, index as u32 * 160);
            }
            let (mean, max) = (phone.reception.jitter_mean(), phone.reception.jitter_max());
            assert!(mean <= max && (count < 3) == (max == Duration::ZERO), "{mean:?} {max:?}");
        }
    }

    #[test]
    fn a_new_ssrc_keeps_the_totals() {
        let mut phone = Phone::new(0);
        phone.sends(5);
        phone.loses(2);
        phone.sends(5);
        phone.ssrc = 2;
        phone.sequence = 30_000;
        phone.sends(5);

        assert_eq!((phone.reception.packets(), phone.reception.lost()), (15, 2));
        assert_eq!(phone.reception.report(phone.now).unwrap().lost, 0, "of the new SSRC");
        assert_eq!(phone.reception.jitter(), Duration::ZERO);
    }

    /// RFC 3550 appendix A.1: two in a row after a jump are a new count, one is a stray.
    #[test]
    fn a_jump_of_the_count_is_no_loss() {
        let mut phone = Phone::new(0);
        phone.sends(5);
        phone.reception.packet_untimed(1, 20_000);
        phone.sends(5);
        assert_eq!(phone.reception.report(phone.now).unwrap().highest_sequence, 9);

        phone.sequence = 40_000;
        phone.sends(10);

        assert_eq!(phone.reception.packets(), 19, "neither the stray nor the first after the jump");
        assert_eq!(phone.reception.report(phone.now).unwrap().highest_sequence, 40_009);
        assert_eq!(phone.reception.lost(), 0);
    }

    #[test]
    fn the_delay_since_the_sender_s_report_is_told() {
        let mut phone = Phone::new(0);
        assert_eq!(phone.reception.report(phone.now), None);
        phone.sends(1);
        phone.reception.sender_report(phone.now, 9, u64::MAX);
        phone.reception.sender_report(phone.now, 1, 0x0000_1234_5678_0000);
        let later = phone.now + Duration::from_millis(1500);

        let block = phone.reception.report(later).unwrap();

        assert_eq!((block.last_report, block.delay), (0x1234_5678, 3 << 15));
    }

    proptest! {
        /// Losses and duplicates are what a list of all that came shows.
        #[test]
        fn any_order_is_counted_as_a_list_would(
            steps in prop::collection::vec((0_u32..4, 0_u32..60), 1..300), first: u16
        ) {
            let mut reception = Reception::new(8000);
            let (mut next, mut came, mut twice) = (70_000 + u32::from(first), BTreeSet::new(), 0);
            let begin = next;
            for (skip, back) in steps {
                let again = next.saturating_sub(back).max(begin);
                let number = if skip == 3 { again } else { next + skip };
                next = next.max(number + 1);
                reception.packet_untimed(1, number as u16);
                twice += u64::from(!came.insert(number));
            }
            let (low, high) = (*came.first().unwrap(), *came.last().unwrap());
            let lost = u64::from(high - low + 1) - came.len() as u64;
            prop_assert_eq!((reception.lost(), reception.duplicates()), (lost, twice));
            prop_assert_eq!(reception.packets(), came.len() as u64 + twice);
        }
    }

    /// A phone that sends a packet each 20 ms.
    struct Phone {
        reception: Reception,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
    }

    impl Phone {
        fn new(sequence: u16) -> Self {
            let (now, ssrc, timestamp) = (Instant::from_micros(5_000_000), 1, 0xffff_f000);
            Self { reception: Reception::new(8000), now, ssrc, sequence, timestamp }
        }

        fn sends(&mut self, count: usize) {
            for _ in 0..count {
                self.reception.packet(self.now, self.ssrc, self.sequence, self.timestamp);
                self.loses(1);
            }
        }

        fn loses(&mut self, count: u16) {
            self.now = self.now + Duration::from_millis(20) * u32::from(count);
            self.sequence = self.sequence.wrapping_add(count);
            self.timestamp = self.timestamp.wrapping_add(160 * u32::from(count));
        }
    }
}
