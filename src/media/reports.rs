//! RTCP of one leg: what we tell its phone about the audio, and what the phone tells us.
//!
//! Spec:     RFC 3550 §6.2 to §6.6; RFC 3605 (its port); RFC 3611 §4.7 (read).
//! In:       each packet received and sent, the phone's reports, time.
//! Out:      a sender or receiver report each 5 s, a goodbye; losses and jitter both ways.
//! Not here: their form (`rtp::rtcp`), the statistics (`rtp::reception`), scores (`score`).

use std::net::SocketAddr;

use crate::media::latch::Latch;
use crate::media::outgoing::{Incoming, Outgoing};
use crate::rng::Rng;
use crate::rtp::packet::HEADER_BYTES;
use crate::rtp::reception::Reception;
use crate::rtp::rtcp::{self, Block, Packet, Sender, VoipMetrics};
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
    /// Where the phone's reports come from: like its audio, they do not move by themselves.
    source: Option<SocketAddr>,
    /// Nobody has reported since the SDP was told last: another port of the phone's address may.
    is_open: bool,
    /// Such a port, and the sender that it named.
    tried: Option<(SocketAddr, u32)>,
    due: Instant,
    packets: u32,
    bytes: u32,
    sent_since: bool,
    told: Told,
    strangers: u64,
    malformed: u64,
}

/// What the phone says of what it hears.
#[derive(Clone, Debug, Default)]
struct Told {
    lost: u64,
    /// Packets sent and sequence numbers used when it said so.
    packets: u64,
    numbers: u64,
    /// In microseconds: the sum of its figures, the greatest, and their number.
    jitter: (u64, u64, u64),
    /// Of the packets since its report before, in 256ths.
    fraction_lost: u8,
    /// Sum, in microseconds, and number of the round trips that its reports show.
    round_trips: (u64, u64),
    metrics: Option<VoipMetrics>,
}

/// What was learnt by reports and for them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    pub received: Stats,
    /// As the phone reports; `expected` is 0 if it does not.
    pub sent: Stats,
    /// Of those that it misses: never sent, since they did not come to us.
    pub sent_missing: u64,
    pub round_trip: Option<Duration>,
    /// Of the phone, both its ways.
    pub end_system_delay: Option<Duration>,
    /// MOS-CQ as the phone tells it, in hundredths.
    pub told_mos: Option<u16>,
    pub strangers: u64,
    pub malformed: u64,
}

/// What became of the packets of one way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    pub expected: u64,
    pub lost: u64,
    /// Came, but too late to be heard.
    pub late: u64,
    pub duplicates: u64,
    pub jitter: Duration,
    pub jitter_max: Duration,
    /// `None` if nothing was lost, or it is not known how.
    pub burst_ratio: Option<f64>,
}

impl Reports {
    pub fn new(ssrc: u32, rng: &mut Rng) -> Self {
        Self {
            ssrc,
            cname: rng.token(12),
            reception: Reception::new(8000),
            remote: None,
            source: None,
            is_open: true,
            tried: None,
            due: Instant::NEVER,
            packets: 0,
            bytes: 0,
            sent_since: false,
            told: Told::default(),
            strangers: 0,
            malformed: 0,
        }
    }

    /// Takes where the SDP wants reports; the first are due an interval later.
    pub fn start(&mut self, now: Instant, remote: SocketAddr) {
        if self.remote != Some(remote) {
            self.source = None;
        }
        (self.remote, self.is_open, self.tried) = (Some(remote), true, None);
        self.due = self.due.min(now + INTERVAL);
    }

    /// Counts a packet of the phone; `clock_rate` is that of its timestamp.
    #[inline]
    pub fn received(&mut self, now: Instant, packet: &Incoming, clock_rate: u32) {
        self.reception.set_clock_rate(clock_rate);
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

    /// What the phone said last of how much is lost on the way to it, in percent.
    pub fn lost_lately(&self) -> u8 {
        (u16::from(self.told.fraction_lost) * 100 / 256) as u8
    }

    /// Takes a compound packet from the leg's RTCP port; gives whether it is the phone's.
    pub fn hear(
        &mut self,
        (now, epoch): (Instant, Epoch),
        from: SocketAddr,
        bytes: &[u8],
        outgoing: &Outgoing,
        latch: &Latch,
    ) -> bool {
        if !self.may_be_phone(from, latch) {
            self.strangers += 1;
            return false;
        }
        let Ok(packets) = rtcp::parse(bytes) else {
            self.malformed += 1;
            return false;
        };
        if !self.latches(from, packets.iter().find_map(Packet::sender), latch) {
            return false;
        }
        for packet in packets {
            match packet {
                Packet::Report { ssrc, sender, blocks } => {
                    if let Some(sender) = sender {
                        self.reception.sender_report(now, ssrc, sender.ntp);
                    }
                    for block in blocks.iter().filter(|block| block.ssrc == self.ssrc) {
                        let trip = block.round_trip(epoch.wall(now));
                        let sent = (outgoing.clock_rate(), outgoing.numbers());
                        self.told.block(block, trip, sent);
                        self.told.sent(self.packets.into(), outgoing.numbers());
                    }
                }
                Packet::Extended { metrics, .. } => {
                    let own = metrics.into_iter().find(|it| it.ssrc == self.ssrc);
                    if own.is_some() {
                        self.told.metrics = own;
                        self.told.sent(self.packets.into(), outgoing.numbers());
                    }
                }
                Packet::Goodbye { .. } | Packet::Name { .. } | Packet::Other { .. } => {}
            }
        }
        true
    }

    /// Whether a report from there is not a stranger's: from where the SDP said, from where the one
    /// before or the audio comes, or, while there is none, from the phone's address.
    fn may_be_phone(&self, from: SocketAddr, latch: &Latch) -> bool {
        let is_near = latch.target().is_some_and(|target| target.ip() == from.ip());
        let is_known = [self.remote, self.source, latch.target()].contains(&Some(from));
        is_known || is_near && self.is_open
    }

    /// Whether it is the phone's: another port than these must name the source of the audio, or
    /// report twice (as with `Latch`, RFC 3550 §A.1).
    fn latches(&mut self, from: SocketAddr, sender: Option<u32>, latch: &Latch) -> bool {
        if ![self.remote, self.source, latch.target()].contains(&Some(from)) {
            let Some(ssrc) = sender else { return false };
            let is_second = self.tried.replace((from, ssrc)) == Some((from, ssrc));
            if !is_second && self.reception.ssrc() != Some(ssrc) {
                return false;
            }
        }
        (self.source, self.is_open) = (Some(from), false);
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
        let heard = &self.reception;
        let received = Stats {
            expected: heard.packets() - heard.duplicates() + heard.lost(),
            lost: heard.lost(),
            late: heard.late(),
            duplicates: heard.duplicates(),
            jitter: heard.jitter_mean(),
            jitter_max: heard.jitter_max(),
            burst_ratio: heard.burst_ratio(),
        };
        Figures {
            received,
            sent: self.told.stats(),
            sent_missing: self.told.missing(),
            round_trip: self.told.round_trip(),
            end_system_delay: self.told.end_system_delay(),
            told_mos: self.told.metrics.and_then(|it| Some(10 * u16::from(it.mos_cq?))),
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

impl Told {
    /// `clock_rate` is that of the jitter, in hertz; `numbers` are the packets that can be lost.
    /// What cannot be is taken for the most that can.
    fn block(
        &mut self,
        block: &Block,
        round_trip: Option<Duration>,
        (clock_rate, numbers): (u32, u64),
    ) {
        self.lost = u64::try_from(block.lost).unwrap_or(0).min(numbers);
        self.fraction_lost = block.fraction_lost;
        let (sum, greatest, count) = self.jitter;
        let jitter = u64::from(block.jitter) * 1_000_000 / u64::from(clock_rate);
        let jitter = jitter.min(JITTER_MAX.as_micros() as u64);
        self.jitter = (sum.saturating_add(jitter), greatest.max(jitter), count + 1);
        if let Some(trip) = round_trip {
            self.round_trips.0 += trip.as_micros() as u64; // at most a minute
            self.round_trips.1 += 1;
        }
    }

    fn sent(&mut self, packets: u64, numbers: u64) {
        (self.packets, self.numbers) = (packets, numbers);
    }

    fn stats(&self) -> Stats {
        let (sum, greatest, count) = self.jitter;
        let share = |rate: u8| (self.packets * u64::from(rate) + 128) / 256;
        let lost = match self.metrics {
            Some(metrics) if count == 0 => share(metrics.loss_rate),
            _ => self.lost,
        };
        Stats {
            expected: self.numbers.max(lost),
            lost,
            late: self.metrics.map_or(0, |it| share(it.discard_rate)),
            duplicates: 0,
            jitter: Duration::from_micros(sum.checked_div(count).unwrap_or(0)),
            jitter_max: Duration::from_micros(greatest),
            burst_ratio: None,
        }
    }

    fn missing(&self) -> u64 {
        self.numbers.saturating_sub(self.packets).min(self.stats().lost)
    }

    fn round_trip(&self) -> Option<Duration> {
        let (sum, count) = self.round_trips;
        let measured = sum.checked_div(count).map(Duration::from_micros);
        measured.or_else(|| known(self.metrics?.round_trip_ms))
    }

    fn end_system_delay(&self) -> Option<Duration> {
        known(self.metrics?.end_system_delay_ms)
    }
}

/// RFC 3611 §4.7.3 writes 0 if a delay is not known.
fn known(millis: u16) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis.into()))
}

/// Between two reports (RFC 3550 §6.2: five seconds at least).
pub const INTERVAL: Duration = Duration::from_secs(5);

/// More jitter than a report can mean.
const JITTER_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(line.reports.figures().received.lost, 25);
    }

    #[test]
    fn what_the_phone_reports_is_counted() {
        let mut line = Line::new();
        line.receive(0);
        (0..20).for_each(|_| _ = line.outgoing.made(line.now, 160, false));
        for jitter in [80, 240] {
            let block = Block { ssrc: 77, lost: 9, jitter, ..Block::default() };
            let other = Block { ssrc: 78, lost: 1000, jitter: 9999, ..Block::default() };
            line.hear("192.0.2.1:9999", &[other, block]);
        }

        let Stats { lost, jitter, jitter_max, .. } = line.reports.figures().sent;
        assert_eq!(lost, 9);
        assert_eq!((jitter, jitter_max), (Duration::from_millis(20), Duration::from_millis(30)));
        assert_eq!(line.tick_at(5000).unwrap().0, addr("192.0.2.1:9999"));
    }

    /// A phone that reports nonsense spoils no figure beyond what can be.
    #[test]
    fn what_cannot_be_lost_is_not_counted() {
        let mut line = Line::new();
        (0..20).for_each(|_| _ = line.outgoing.made(line.now, 160, false));
        let block = Block { ssrc: 77, lost: 0x7f_ffff, jitter: u32::MAX, ..Block::default() };
        line.hear("192.0.2.1:4001", &[block]);

        let Stats { lost, jitter_max, .. } = line.reports.figures().sent;
        assert_eq!((lost, jitter_max), (20, JITTER_MAX));
    }

    #[test]
    fn what_is_lost_of_late_is_known() {
        let mut line = Line::new();
        assert_eq!(line.reports.lost_lately(), 0);
        for (fraction_lost, percent) in [(26, 10), (255, 99), (0, 0)] {
            line.hear("192.0.2.1:4001", &[Block { ssrc: 77, fraction_lost, ..Block::default() }]);
            assert_eq!(line.reports.lost_lately(), percent);
        }
    }

    /// RFC 3550 §6.4.1: the phone repeats our report's time, and how long it had it.
    #[test]
    fn the_round_trip_is_measured_by_the_phone_s_answers() {
        let mut line = Line::new();
        line.reports.sent(172);
        for (delay_ms, back_ms) in [(1000, 1060), (500, 540)] {
            let at = line.reports.next_tick();
            let (_, bytes) = line.tick(at).unwrap();
            let Packet::Report { sender: Some(sender), .. } = rtcp::parse(&bytes).unwrap()[0]
            else {
                panic!("no sender report");
            };
            let (last_report, delay) = (rtcp::middle(sender.ntp), (delay_ms << 16) / 1000);
            line.now = at + Duration::from_millis(back_ms);
            line.hear(
                "192.0.2.1:4001",
                &[Block { ssrc: 77, last_report, delay, ..Block::default() }],
            );
            line.reports.sent(172);
        }

        let trip = line.reports.figures().round_trip.unwrap();

        assert!(trip.abs_diff(Duration::from_millis(50)) < Duration::from_micros(100), "{trip:?}");
    }

    #[test]
    fn what_never_came_to_us_is_told_apart() {
        let mut line = Line::new();
        for sequence in [0, 1, 2, 5, 6, 8, 9] {
            let packet = Incoming { sequence, timestamp: 0, ssrc: 5, marker: false, event: false };
            line.outgoing.relayed(line.now, packet, 160);
            line.reports.sent(172);
        }

        line.hear("192.0.2.1:4001", &[Block { ssrc: 77, lost: 4, ..Block::default() }]);

        let figures = line.reports.figures();
        assert_eq!((figures.sent.expected, figures.sent.lost, figures.sent_missing), (10, 4, 3));
    }

    /// RFC 3611 §4.7.
    #[test]
    fn the_phone_s_own_score_is_taken() {
        let mut line = Line::new();
        for sequence in 0..512 {
            let packet = Incoming { sequence, timestamp: 0, ssrc: 5, marker: false, event: false };
            line.outgoing.relayed(line.now, packet, 160);
            line.reports.sent(172);
        }
        let mut bytes = vec![0x80, 207, 0, 10, 0, 0, 0, 5, 7, 0, 0, 8, 0, 0, 0, 77];
        bytes.extend([16, 8, 0, 0, 0, 0, 0, 0, 0, 120, 0, 60, 0, 0, 127, 16, 80, 127, 41, 38]);
        bytes.extend([0; 8]);
        line.hear_bytes("192.0.2.1:4001", &bytes);

        let Figures { sent, round_trip, end_system_delay, told_mos, .. } = line.reports.figures();
        assert_eq!((sent.expected, sent.lost, sent.late), (512, 32, 16));
        assert_eq!(round_trip, Some(Duration::from_millis(120)));
        assert_eq!(end_system_delay, Some(Duration::from_millis(60)));
        assert_eq!(told_mos, Some(380));
    }

    #[test]
    fn strangers_and_rubbish_are_counted_and_change_nothing() {
        let mut line = Line::new();
        let block = Block { ssrc: 77, lost: 9, ..Block::default() };

        line.hear("203.0.113.1:4001", &[block]);
        line.hear_bytes("192.0.2.1:4001", &rtcp::compound(5, None, &[block], "phone", false)[..9]);

        let figures = line.reports.figures();
        assert_eq!((figures.sent.lost, figures.strangers, figures.malformed), (0, 1, 1));
    }

    /// Who shares the phone's address draws no reports to himself once the phone has reported, nor
    /// before that without knowing its source.
    #[test]
    fn another_port_of_the_phone_s_address_does_not_take_its_place() {
        let from = |line: &mut Line, port: u16, ssrc| {
            let from = format!("192.0.2.1:{port}");
            line.hear_bytes(&from, &rtcp::compound(ssrc, None, &[], "phone", false));
            line.reports.target(&line.latch).unwrap().port()
        };
        let mut line = Line::new();
        line.receive(0);
        assert_eq!(from(&mut line, 6666, 6), 4001, "not the source of the audio");
        assert_eq!(from(&mut line, 5001, 5), 5001);
        for _ in 0..3 {
            assert_eq!(from(&mut line, 6666, 5), 5001);
        }
        assert_eq!(line.reports.figures().strangers, 3);
        assert_eq!(from(&mut line, 4001, 5), 4001, "where the SDP says is always the phone");
        assert_eq!(from(&mut line, 5001, 5), 4001);

        // After a re-INVITE it may have moved; no audio is heard: who reports twice.
        line.reports.start(line.now, addr("192.0.2.1:4003"));
        assert_eq!([from(&mut line, 7777, 9), from(&mut line, 7777, 9)], [4003, 7777]);
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
            latch.expect(addr("192.0.2.1:4000"), None);
            reports.start(Instant::START, addr("192.0.2.1:4001"));
            Self { reports, outgoing: Outgoing::new(77, 0, 0), latch, now: Instant::START }
        }

        fn receive(&mut self, sequence: u16) {
            let timestamp = 160 * u32::from(sequence);
            let packet = Incoming { sequence, timestamp, ssrc: 5, marker: false, event: false };
            self.reports.received(self.now, &packet, 8000);
        }

        fn hear(&mut self, from: &str, blocks: &[Block]) {
            self.hear_bytes(from, &rtcp::compound(5, None, blocks, "phone", false));
        }

        fn hear_bytes(&mut self, from: &str, bytes: &[u8]) {
            let now = (self.now, Epoch::default());
            self.reports.hear(now, addr(from), bytes, &self.outgoing, &self.latch);
        }

        fn tick_at(&mut self, ms: u64) -> Option<(SocketAddr, Vec<u8>)> {
            self.tick(Instant::START + Duration::from_millis(ms))
        }

        fn tick(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
            self.now = now;
            self.reports.tick(now, Epoch::default(), &self.outgoing, &self.latch)
        }
    }
}
