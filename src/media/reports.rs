//! RTCP of one leg: what we tell its phone about the audio, and what the phone tells us.
//!
//! Spec:     RFC 3550 §6.2 to §6.6; RFC 3605 (its port).
//! In:       each packet received and sent, the phone's reports, time.
//! Out:      a sender or receiver report each 5 s, a goodbye; losses and jitter both ways.
//! Not here: their form (`rtp::rtcp`), the statistics (`rtp::reception`).

use std::net::SocketAddr;

use crate::media::latch::Latch;
use crate::media::outgoing::{Incoming, Outgoing};
use crate::rng::Rng;
use crate::rtp::packet::HEADER_BYTES;
use crate::rtp::reception::Reception;
use crate::rtp::rtcp::{self, Packet, Sender};
use crate::time::{Duration, Epoch, Instant};

/// Sends and receives the reports of one leg.
#[derive(Clone, Debug)]
pub struct Reports {
    ssrc: u32,
    /// Random, so that it tells nothing about the machine (RFC 7022 §4.2).
    cname: String,
    reception: Reception,
    /// Where the SDP wants reports.
    remote: Option<SocketAddr>,
    /// Where the phone's reports come from.
    source: Option<SocketAddr>,
    due: Instant,
    packets: u32,
    bytes: u32,
    sent_since: bool,
    lost: u64,
    /// Sum, in microseconds, and number of the phone's figures.
    jitter: (u64, u64),
    strangers: u64,
    malformed: u64,
}

/// What was learnt by reports and for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub received_lost: u64,
    pub received_jitter_us: u32,
    pub sent_lost: u64,
    pub sent_jitter_us: u32,
    pub strangers: u64,
    pub malformed: u64,
}

impl Reports {
    pub fn new(ssrc: u32, rng: &mut Rng) -> Self {
        Self {
            ssrc,
            cname: rng.token(12),
            reception: Reception::new(CLOCK_RATE),
            remote: None,
            source: None,
            due: Instant::NEVER,
            packets: 0,
            bytes: 0,
            sent_since: false,
            lost: 0,
            jitter: (0, 0),
            strangers: 0,
            malformed: 0,
        }
    }

    /// Takes where the SDP wants reports; the first are due an interval later.
    pub fn start(&mut self, now: Instant, remote: SocketAddr) {
        if self.remote != Some(remote) {
            self.source = None;
        }
        self.remote = Some(remote);
        self.due = self.due.min(now + INTERVAL);
    }

    /// Counts a packet of the phone.
    #[inline]
    pub fn received(&mut self, now: Instant, packet: &Incoming) {
        if packet.event {
            self.reception.packet_untimed(packet.ssrc, packet.sequence);
        } else {
            self.reception.packet(now, packet.ssrc, packet.sequence, packet.timestamp);
        }
    }

    /// Counts a packet to the phone, of so many bytes with its header.
    #[inline]
    pub fn sent(&mut self, bytes: u64) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add((bytes as u32).saturating_sub(HEADER_BYTES as u32));
        self.sent_since = true;
    }

    /// Takes a compound packet from the leg's RTCP port; gives whether it is the phone's.
    pub fn hear(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], latch: &Latch) -> bool {
        let from_phone = latch.target().is_some_and(|target| target.ip() == from.ip());
        if !from_phone && self.remote != Some(from) {
            self.strangers += 1;
            return false;
        }
        let Ok(packets) = rtcp::parse(bytes) else {
            self.malformed += 1;
            return false;
        };
        self.source = Some(from);
        for packet in packets {
            let Packet::Report { ssrc, sender, blocks } = packet else { continue };
            if let Some(sender) = sender {
                self.reception.sender_report(now, ssrc, sender.ntp);
            }
            for block in blocks.iter().filter(|block| block.ssrc == self.ssrc) {
                self.lost = u64::try_from(block.lost).unwrap_or(0);
                let micros = u64::from(block.jitter) * 1_000_000 / u64::from(CLOCK_RATE);
                self.jitter = (self.jitter.0.saturating_add(micros), self.jitter.1 + 1);
            }
        }
        true
    }

    /// The report that is due, and where to send it.
    pub fn tick(
        &mut self,
        now: Instant,
        epoch: Epoch,
        outgoing: &Outgoing,
        latch: &Latch,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        if now < self.due {
            return None;
        }
        self.due = now + INTERVAL;
        self.compound(now, epoch, outgoing, latch, false)
    }

    /// The last report, with a goodbye; `None` if nothing was ever sent.
    pub fn goodbye(
        &mut self,
        now: Instant,
        epoch: Epoch,
        outgoing: &Outgoing,
        latch: &Latch,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        self.due = Instant::NEVER;
        (self.packets > 0).then(|| self.compound(now, epoch, outgoing, latch, true)).flatten()
    }

    /// When to call `tick` next.
    pub fn next_tick(&self) -> Instant {
        self.due
    }

    pub fn figures(&self) -> Figures {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let mean = self.jitter.0.checked_div(self.jitter.1).unwrap_or(0);
        Figures {
            received_lost: self.reception.lost(),
            received_jitter_us: micros(self.reception.jitter_mean()),
            sent_lost: self.lost,
            sent_jitter_us: u32::try_from(mean).unwrap_or(u32::MAX),
            strangers: self.strangers,
            malformed: self.malformed,
        }
    }

    fn compound(
        &mut self,
        now: Instant,
        epoch: Epoch,
        outgoing: &Outgoing,
        latch: &Latch,
        goodbye: bool,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let to = self.target(latch)?;
        let sender = Sender {
            ntp: rtcp::ntp(epoch.wall(now)),
            timestamp: outgoing.timestamp_at(now),
            packets: self.packets,
            bytes: self.bytes,
        };
        let sends = std::mem::take(&mut self.sent_since);
        let block = self.reception.report(now);
        let blocks = block.as_slice();
        let sender = sends.then_some(&sender);
        Some((to, rtcp::compound(self.ssrc, sender, blocks, &self.cname, goodbye)))
    }

    /// Where the phone's own reports come from; else where its SDP said, unless its RTP shows that
    /// the SDP is not true: then the port after that of RTP.
    fn target(&self, latch: &Latch) -> Option<SocketAddr> {
        if self.source.is_some() {
            return self.source;
        }
        if latch.is_as_told() {
            return self.remote;
        }
        let rtp = latch.target()?;
        Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
    }
}

/// Between two reports (RFC 3550 §6.2: five seconds at least).
pub const INTERVAL: Duration = Duration::from_secs(5);
/// Of the RTP timestamps of all our codecs.
const CLOCK_RATE: u32 = 8000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::Block;

    #[test]
    fn reports_come_each_five_seconds_and_tell_losses() {
        let mut line = Line::new();
        for n in (0..250_u16).filter(|n| n % 10 != 4) {
            line.now = Instant::START + Duration::from_millis(20 * u64::from(n));
            line.receive(n);
        }
        line.reports.sent(172);

        assert_eq!(line.tick_at(4999), None);
        let (to, bytes) = line.tick_at(5000).unwrap();

        assert_eq!(to, addr("192.0.2.1:4001"));
        let packets = rtcp::parse(&bytes).unwrap();
        let Packet::Report { ssrc: 77, sender: Some(sender), blocks } = &packets[0] else {
            panic!("{packets:?}");
        };
        assert_eq!((sender.packets, sender.bytes), (1, 160));
        assert_eq!((blocks[0].ssrc, blocks[0].lost), (5, 25));
        assert!(matches!(&packets[1], Packet::Name { ssrc: 77, .. }));
        let (_, bytes) = line.tick_at(10_000).unwrap();
        let packets = rtcp::parse(&bytes).unwrap();
        assert!(
            matches!(packets[0], Packet::Report { sender: None, .. }),
            "nothing was sent since"
        );
        assert_eq!(line.reports.figures().received_lost, 25);
    }

    #[test]
    fn what_the_phone_reports_is_counted() {
        let mut line = Line::new();
        for jitter in [80, 240] {
            let block = Block { ssrc: 77, lost: 9, jitter, ..Block::default() };
            let other = Block { ssrc: 78, lost: 1000, jitter: 9999, ..Block::default() };
            let bytes = rtcp::compound(5, None, &[other, block], "phone", false);
            line.reports.hear(line.now, addr("192.0.2.1:9999"), &bytes, &line.latch);
        }

        let figures = line.reports.figures();
        assert_eq!((figures.sent_lost, figures.sent_jitter_us), (9, 20_000));
        assert_eq!(line.tick_at(5000).unwrap().0, addr("192.0.2.1:9999"));
    }

    #[test]
    fn strangers_and_rubbish_are_counted_and_change_nothing() {
        let mut line = Line::new();
        let block = Block { ssrc: 77, lost: 9, ..Block::default() };
        let bytes = rtcp::compound(5, None, &[block], "phone", false);

        line.reports.hear(line.now, addr("203.0.113.1:4001"), &bytes, &line.latch);
        line.reports.hear(line.now, addr("192.0.2.1:4001"), &bytes[..9], &line.latch);

        let figures = line.reports.figures();
        assert_eq!((figures.sent_lost, figures.strangers, figures.malformed), (0, 1, 1));
    }

    #[test]
    fn a_phone_behind_nat_gets_its_reports_beside_its_rtp() {
        let mut line = Line::new();
        for sequence in 0..5 {
            line.latch.judge(line.now, addr("198.51.100.7:60000"), 5, sequence);
        }

        assert_eq!(line.tick_at(5000).unwrap().0, addr("198.51.100.7:60001"));
    }

    #[test]
    fn goodbye_is_said_once_something_was_sent() {
        let mut line = Line::new();
        let goodbye = |line: &mut Line| {
            line.reports.goodbye(line.now, Epoch::default(), &line.outgoing, &line.latch)
        };
        assert_eq!(goodbye(&mut line), None);
        line.reports.sent(172);

        let (_, bytes) = goodbye(&mut line).unwrap();

        let packets = rtcp::parse(&bytes).unwrap();
        assert!(matches!(packets.last(), Some(Packet::Goodbye { .. })));
        assert_eq!(line.reports.next_tick(), Instant::NEVER);
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    struct Line {
        reports: Reports,
        outgoing: Outgoing,
        latch: Latch,
        now: Instant,
    }

    impl Line {
        fn new() -> Self {
            let mut reports = Reports::new(77, &mut Rng::from_number(1));
            let mut latch = Latch::default();
            latch.expect(addr("192.0.2.1:4000"));
            reports.start(Instant::START, addr("192.0.2.1:4001"));
            Self { reports, outgoing: Outgoing::new(77, 0, 0), latch, now: Instant::START }
        }

        fn receive(&mut self, sequence: u16) {
            let timestamp = 160 * u32::from(sequence);
            let packet = Incoming { sequence, timestamp, ssrc: 5, marker: false, event: false };
            self.reports.received(self.now, &packet);
        }

        fn tick_at(&mut self, ms: u64) -> Option<(SocketAddr, Vec<u8>)> {
            self.now = Instant::START + Duration::from_millis(ms);
            self.reports.tick(self.now, Epoch::default(), &self.outgoing, &self.latch)
        }
    }
}
