//! What is counted of a received stream: packets, losses, jitter.
//!
//! Spec:     RFC 3550 §6.4.1, appendices A.1, A.3 and A.8.
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
    lost_before: u64,
    /// Sum and number of the transit differences, in RTP timestamp units: for the mean jitter.
    differences: u64,
    difference_count: u64,
}

/// One SSRC.
#[derive(Clone, Debug)]
struct Stream {
    ssrc: u32,
    /// First and highest sequence number, with the count of wraps above 16 bits.
    base: u64,
    highest: u64,
    received: u64,
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
            lost_before: 0,
            differences: 0,
            difference_count: 0,
        }
    }

    /// Counts a packet of audio, or another one whose timestamp is that of its sending: a key's
    /// packets (RFC 4733) share a timestamp and go to `packet_untimed`.
    #[inline]
    pub fn packet(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) {
        let arrival = self.units(now);
        let stream = self.count(ssrc, sequence);
        let transit = arrival.wrapping_sub(timestamp);
        let Some(before) = stream.transit.replace(transit) else { return };
        let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
        if difference > JUMP_MAX {
            return; // the sender's clock began anew
        }
        stream.jitter_scaled += difference;
        stream.jitter_scaled -= (stream.jitter_scaled - difference + 8) >> 4;
        self.differences += u64::from(difference);
        self.difference_count += 1;
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

    /// Packets received, duplicates among them.
    pub fn packets(&self) -> u64 {
        self.packets_before + self.stream.as_ref().map_or(0, |stream| stream.received)
    }

    /// Packets that never came; duplicates hide losses.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// The present jitter (RFC 3550 §6.4.1).
    pub fn jitter(&self) -> Duration {
        let scaled = self.stream.as_ref().map_or(0, |stream| stream.jitter_scaled);
        self.time(u64::from(scaled >> 4))
    }

    /// The mean of what each packet added to the jitter, over the whole stream.
    pub fn jitter_mean(&self) -> Duration {
        self.time(self.differences.checked_div(self.difference_count).unwrap_or(0))
    }

    fn count(&mut self, ssrc: u32, sequence: u16) -> &mut Stream {
        let known = self.stream.as_ref().is_some_and(|stream| stream.ssrc == ssrc);
        if !known && let Some(old) = self.stream.take() {
            self.packets_before += old.received;
            self.lost_before += old.lost();
        }
        let stream = self.stream.get_or_insert_with(|| Stream::new(ssrc, sequence));
        if stream.jumped(sequence) {
            self.packets_before += stream.received;
            self.lost_before += stream.lost();
            *stream = Stream { report: stream.report, ..Stream::new(ssrc, sequence) };
        }
        stream.received += 1;
        stream
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
            received: 0,
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

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Moves to `sequence`; true if the sender began to count anew (appendix A.1).
    fn jumped(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < DROPOUT_MAX {
            self.highest += u64::from(ahead);
            self.expected_after_jump = None;
            return false;
        }
        if ahead > u16::MAX - MISORDER_MAX {
            // Late, or twice. Before the first packet: the stream began earlier than it seemed.
            let sequence = self.highest.checked_sub(u64::from(ahead.wrapping_neg()));
            self.base = self.base.min(sequence.unwrap_or(self.base));
            return false;
        }
        let again = self.expected_after_jump == Some(sequence);
        self.expected_after_jump = Some(sequence.wrapping_add(1));
        again
    }
}

/// Longest row of lost packets that is not taken for a new count (RFC 3550 appendix A.1).
const DROPOUT_MAX: u16 = 3000;
/// How late a packet may be and still be of this count (RFC 3550 appendix A.1).
const MISORDER_MAX: u16 = 100;
/// A greater change of transit time, in timestamp units, is a new beginning: 8 s at 8 kHz.
const JUMP_MAX: u32 = 64_000;

#[cfg(test)]
mod tests {
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

        phone.reception.packet_untimed(1, 8); // sent before the first that came: 9 is missing
        assert_eq!(phone.reception.report(phone.now).unwrap().lost, 0);
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
        assert_eq!(phone.reception.jitter_mean(), Duration::from_millis(10));
        assert!(phone.reception.jitter() > Duration::from_micros(9_800));
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
