//! RTCP: sender and receiver reports, the sender's name, goodbye; a receiver's own score.
//!
//! Spec:     RFC 3550 §6.4 to §6.6, appendix A.2; RFC 3611 §3, §4.7 (read only).
//! In:       compound packets as bytes, hostile ones too; what a report says.
//! Out:      the same the other way round.
//! Not here: counting (`reception`), when to report (`media`).

use smallvec::SmallVec;
use thiserror::Error;

use crate::time::{Duration, Wall};

/// One packet of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// An extended report; of its blocks only the VoIP metrics are read (RFC 3611).
    Extended { ssrc: u32, metrics: SmallVec<[VoipMetrics; 1]> },
    /// The senders that left.
    Goodbye { ssrcs: SmallVec<[u32; 2]> },
    /// The canonical name of a sender (RFC 3550 §6.5.1).
    Name { ssrc: u32, cname: String },
    /// Of a type that is not read, such as feedback.
    Other { packet_type: u8 },
    /// A receiver report, or with `sender` a sender report.
    Report { ssrc: u32, sender: Option<Sender>, blocks: SmallVec<[Block; 2]> },
}

impl Packet {
    /// Who sent a report.
    pub fn sender(&self) -> Option<u32> {
        match self {
            Self::Report { ssrc, .. } | Self::Extended { ssrc, .. } => Some(*ssrc),
            Self::Goodbye { .. } | Self::Name { .. } | Self::Other { .. } => None,
        }
    }
}

/// What a sender says of itself (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The wall clock in units of 2⁻³² s since 1900.
    pub ntp: u64,
    /// The same moment on the clock of its RTP timestamps.
    pub timestamp: u32,
    /// Sent since its SSRC began.
    pub packets: u32,
    /// Payload bytes sent since its SSRC began.
    pub bytes: u32,
}

/// What a receiver says of one sender (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The sender reported on.
    pub ssrc: u32,
    /// Of the packets since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the SSRC began; negative if duplicates exceed losses. Written with 24 bits.
    pub lost: i32,
    /// Highest sequence number received, with the count of its wraps above.
    pub highest_sequence: u32,
    /// In RTP timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last sender report; 0 before one.
    pub last_report: u32,
    /// Between that report and this block, in 1/65536 s.
    pub delay: u32,
}

/// What a receiver says about how one sender sounds (RFC 3611 §4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The sender reported on.
    pub ssrc: u32,
    /// Of the packets so far, in 1/256: those lost, and those that came too late or too early to be
    /// played.
    pub loss_rate: u8,
    pub discard_rate: u8,
    /// In milliseconds; 0 if it is not known.
    pub round_trip_ms: u16,
    /// From the packet's arrival to the ear, and from the mouth to the packet: in milliseconds; 0
    /// if it is not known.
    pub end_system_delay_ms: u16,
    /// The conversational score MOS-CQ in tenths, 10 to 50; `None` if it is not known.
    pub mos_cq: Option<u8>,
}

/// Why bytes are no compound packet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RtcpError {
    #[error("a packet's length goes beyond the datagram, or its content beyond its length")]
    Length,
    #[error("more than {PACKETS_MAX} packets")]
    TooMany,
    #[error("not of RTP version 2")]
    Version,
}

/// Most packets of a compound that are read.
pub const PACKETS_MAX: usize = 32;

/// Reads a compound packet; reduced-size ones too (RFC 5506).
///
/// # Errors
///
/// If any of its packets is malformed: then none of it can be trusted.
pub fn parse(bytes: &[u8]) -> Result<SmallVec<[Packet; 4]>, RtcpError> {
    let mut packets = SmallVec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if packets.len() == PACKETS_MAX {
            return Err(RtcpError::TooMany);
        }
        let (header, _) = rest.split_first_chunk::<4>().ok_or(RtcpError::Length)?;
        if header[0] >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        let length = 4 + 4 * usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (packet, after) = rest.split_at_checked(length).ok_or(RtcpError::Length)?;
        packets.push(Packet::parse(header[0], header[1], &packet[4..])?);
        rest = after;
    }
    if packets.is_empty() { Err(RtcpError::Length) } else { Ok(packets) }
}

impl Packet {
    fn parse(first: u8, packet_type: u8, body: &[u8]) -> Result<Self, RtcpError> {
        let padding = match (first & 0x20, body.last()) {
            (0, _) => 0,
            (_, Some(length)) if *length > 0 => usize::from(*length),
            _ => return Err(RtcpError::Length),
        };
        let end = body.len().checked_sub(padding).ok_or(RtcpError::Length)?;
        let body = &body[..end];
        let count = usize::from(first & 0x1f);
        match packet_type {
            SENDER_REPORT | RECEIVER_REPORT => {
                let ssrc = word(body, 0)?;
                let sender = if packet_type == SENDER_REPORT { Some(sender(body)?) } else { None };
                let start = if sender.is_some() { 24 } else { 4 };
                let blocks = (0..count).map(|index| Block::parse(body, start + 24 * index));
                Ok(Self::Report { ssrc, sender, blocks: blocks.collect::<Result<_, _>>()? })
            }
            EXTENDED => Ok(Self::Extended { ssrc: word(body, 0)?, metrics: metrics(body)? }),
            DESCRIPTION => Ok(name(body).unwrap_or(Self::Other { packet_type })),
            GOODBYE => {
                let ssrcs = (0..count).map(|index| word(body, 4 * index));
                Ok(Self::Goodbye { ssrcs: ssrcs.collect::<Result<_, _>>()? })
            }
            _ => Ok(Self::Other { packet_type }),
        }
    }
}

impl Block {
    fn parse(body: &[u8], at: usize) -> Result<Self, RtcpError> {
        let losses = word(body, at + 4)?;
        Ok(Self {
            ssrc: word(body, at)?,
            fraction_lost: (losses >> 24) as u8,
            lost: ((losses << 8) as i32) >> 8,
            highest_sequence: word(body, at + 8)?,
            jitter: word(body, at + 12)?,
            last_report: word(body, at + 16)?,
            delay: word(body, at + 20)?,
        })
    }

    fn write(&self, to: &mut Vec<u8>) {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        for word in [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay,
        ] {
            to.extend(word.to_be_bytes());
        }
    }

    /// The round trip that a block about our own sending shows (RFC 3550 §6.4.1).
    ///
    /// `None` before the peer had a report of ours, and if its clock makes no sense.
    pub fn round_trip(&self, now: Wall) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let units = middle(ntp(now)).wrapping_sub(self.last_report).wrapping_sub(self.delay);
        let trip = Duration::from_micros((u64::from(units) * 1_000_000) >> 16);
        (trip < ROUND_TRIP_MAX).then_some(trip)
    }
}

/// Writes the compound that is due: a report, our name, and `goodbye` when the stream ends.
///
/// At most 31 of `blocks` and 255 bytes of `cname` are written.
pub fn compound(
    ssrc: u32,
    sender: Option<&Sender>,
    blocks: &[Block],
    cname: &str,
    goodbye: bool,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let blocks = &blocks[..blocks.len().min(31)];
    let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    packet(&mut bytes, blocks.len() as u8, kind, |to| {
        to.extend(ssrc.to_be_bytes());
        if let Some(Sender { ntp, timestamp, packets, bytes }) = sender {
            to.extend(ntp.to_be_bytes());
            to.extend([*timestamp, *packets, *bytes].iter().flat_map(|word| word.to_be_bytes()));
        }
        blocks.iter().for_each(|block| block.write(to));
    });
    packet(&mut bytes, 1, DESCRIPTION, |to| {
        let cname = &cname.as_bytes()[..cname.len().min(255)];
        to.extend(ssrc.to_be_bytes());
        to.extend([CNAME, cname.len() as u8]);
        to.extend(cname);
        to.push(0); // ends the items; padded with more of it
    });
    if goodbye {
        packet(&mut bytes, 1, GOODBYE, |to| to.extend(ssrc.to_be_bytes()));
    }
    bytes
}

/// The NTP timestamp of a moment (RFC 3550 §4).
pub fn ntp(at: Wall) -> u64 {
    let micros = at.as_micros().max(0) as u64;
    let (seconds, micros) = (micros / 1_000_000 + NTP_TO_UNIX, micros % 1_000_000);
    (seconds << 32) | ((micros << 32) / 1_000_000)
}

/// The part of an NTP timestamp that report blocks repeat.
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Writes one packet around what `content` appends, filled up to whole words.
fn packet(bytes: &mut Vec<u8>, count: u8, packet_type: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend([0x80 | count, packet_type, 0, 0]);
    content(bytes);
    let words = (bytes.len() - start).div_ceil(4);
    bytes.resize(start + 4 * words, 0);
    bytes[start + 2..start + 4].copy_from_slice(&(words as u16 - 1).to_be_bytes());
}

fn sender(body: &[u8]) -> Result<Sender, RtcpError> {
    Ok(Sender {
        ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
        timestamp: word(body, 12)?,
        packets: word(body, 16)?,
        bytes: word(body, 20)?,
    })
}

/// The VoIP metrics among the blocks of an extended report.
fn metrics(body: &[u8]) -> Result<SmallVec<[VoipMetrics; 1]>, RtcpError> {
    let mut metrics = SmallVec::new();
    let mut at = 4;
    while at < body.len() {
        let header = word(body, at)?;
        let length = 4 + 4 * (header & 0xffff) as usize;
        let block = body.get(at..at + length).ok_or(RtcpError::Length)?;
        // Of another length than the RFC's it is to be ignored (RFC 3611 §4.7).
        if header >> 24 == VOIP_METRICS && length == VOIP_METRICS_BYTES {
            let rates = word(block, 8)?.to_be_bytes();
            let delays = word(block, 16)?;
            let mos_cq = block[27];
            metrics.push(VoipMetrics {
                ssrc: word(block, 4)?,
                loss_rate: rates[0],
                discard_rate: rates[1],
                round_trip_ms: (delays >> 16) as u16,
                end_system_delay_ms: delays as u16,
                mos_cq: (10..=50).contains(&mos_cq).then_some(mos_cq),
            });
        }
        at += length;
    }
    Ok(metrics)
}

/// The first chunk's CNAME.
fn name(body: &[u8]) -> Option<Packet> {
    let ssrc = word(body, 0).ok()?;
    let mut items = body.get(4..)?;
    while let [kind, length, rest @ ..] = items {
        if *kind == 0 {
            return None; // the end of the items
        }
        let (text, after) = rest.split_at_checked(usize::from(*length))?;
        if *kind == CNAME {
            return Some(Packet::Name { ssrc, cname: String::from_utf8_lossy(text).into_owned() });
        }
        items = after;
    }
    None
}

fn word(body: &[u8], at: usize) -> Result<u32, RtcpError> {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk()).ok_or(RtcpError::Length)?;
    Ok(u32::from_be_bytes(*bytes))
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// RFC 3611 §2.
const EXTENDED: u8 = 207;
/// Block type and length, with its header (RFC 3611 §4.7).
const VOIP_METRICS: u32 = 7;
const VOIP_METRICS_BYTES: usize = 36;
/// The item of a description that is the canonical name.
const CNAME: u8 = 1;
/// Seconds from 1900 to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;
/// Longer ones are a clock's mistake.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_compound_is_read_back() {
        let bytes = compound(7, Some(&SENDER), &[BLOCK], "a1b2@pbx", true);

        let packets = parse(&bytes).unwrap();

        assert_eq!(
            packets.as_slice(),
            [
                Packet::Report {
                    ssrc: 7,
                    sender: Some(SENDER),
                    blocks: SmallVec::from([BLOCK; 1].as_slice())
                },
                Packet::Name { ssrc: 7, cname: "a1b2@pbx".to_owned() },
                Packet::Goodbye { ssrcs: SmallVec::from([7].as_slice()) },
            ]
        );
    }

    /// RFC 3550 §6.1: a compound begins with a report, an empty one if need be.
    #[test]
    fn a_silent_receiver_reports_too() {
        let bytes = compound(7, None, &[], "x", false);

        assert_eq!(bytes[..8], [0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn losses_are_written_with_24_bits() {
        for (lost, read) in [(-2, -2), (1 << 30, 0x7f_ffff), (-(1 << 30), -0x80_0000)] {
            let bytes = compound(1, None, &[Block { lost, ..BLOCK }], "", false);
            let Packet::Report { blocks, .. } = &parse(&bytes).unwrap()[0] else { panic!() };
            assert_eq!((blocks[0].lost, blocks[0].fraction_lost), (read, BLOCK.fraction_lost));
        }
    }

    /// RFC 3550 §6.4.1: its example, 6.125 s.
    #[test]
    fn a_round_trip_is_what_the_clocks_leave() {
        let sent = Wall::from_micros(1_000_000_000_000_000);
        let block = Block { last_report: middle(ntp(sent)), delay: 5 << 16, ..BLOCK };
        let now = sent + Duration::from_micros(5_250_000);

        let trip = block.round_trip(now).unwrap();

        assert!(trip.abs_diff(Duration::from_millis(250)) < Duration::from_micros(50), "{trip:?}");
        assert_eq!(block.round_trip(sent), None, "a reply before its cause");
        assert_eq!(Block { last_report: 0, ..block }.round_trip(now), None);
    }

    #[test]
    fn ntp_counts_from_1900() {
        let half = Wall::from_micros(1_500_000);

        assert_eq!(ntp(half), (2_208_988_801 << 32) | 0x8000_0000);
        assert_eq!(middle(ntp(half)), (2_208_988_801_u64 << 16) as u32 | 0x8000);
    }

    #[test]
    fn what_lies_about_its_length_is_refused() {
        assert_eq!(parse(&[]), Err(RtcpError::Length));
        assert_eq!(parse(&[0x80, 201, 0]), Err(RtcpError::Length));
        assert_eq!(parse(&[0x40, 201, 0, 0]), Err(RtcpError::Version));
        assert_eq!(parse(&[0x80, 201, 0, 1]), Err(RtcpError::Length));
        assert_eq!(parse(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Length), "no block");
        assert_eq!(parse(&[0xa0, 201, 0, 1, 0, 0, 0, 9]), Err(RtcpError::Length), "padding");
        assert_eq!(parse(&[0x80, 206, 0, 0].repeat(33)), Err(RtcpError::TooMany));
        let other = Packet::Other { packet_type: 206 };
        assert_eq!(parse(&[0x80, 206, 0, 0]).unwrap().as_slice(), [other]);
    }

    /// RFC 3611 §3 and §4.7, by hand: a block of another type comes before.
    #[test]
    fn a_receiver_s_own_score_is_read() {
        let packets = parse(&XR).unwrap();

        let metrics = VoipMetrics {
            ssrc: 9,
            loss_rate: 13,
            discard_rate: 5,
            round_trip_ms: 120,
            end_system_delay_ms: 60,
            mos_cq: Some(38),
        };
        let read = Packet::Extended { ssrc: 7, metrics: SmallVec::from([metrics]) };
        assert_eq!(packets.as_slice(), [read]);

        let mut unknown = XR;
        unknown[XR.len() - 9] = 127; // "unavailable"
        let Packet::Extended { metrics, .. } = &parse(&unknown).unwrap()[0] else { panic!() };
        assert_eq!(metrics[0].mos_cq, None);
        let mut long = XR;
        long[11] = 12; // a block that goes beyond the packet
        assert_eq!(parse(&long), Err(RtcpError::Length));
        let mut short = XR;
        short[23] = 7; // of seven words: not the RFC's; an empty block follows
        assert_eq!(
            parse(&short).unwrap()[0],
            Packet::Extended { ssrc: 7, metrics: SmallVec::new() }
        );
    }

    /// An extended report with a block of type 4 and VoIP metrics.
    #[rustfmt::skip]
    const XR: [u8; 56] = [
        0x80, 207, 0, 13, 0, 0, 0, 7,
        4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
        7, 0, 0, 8, 0, 0, 0, 9,
        13, 5, 200, 1, 0, 100, 1, 0, 0, 120, 0, 60,
        236, 196, 127, 16, 80, 127, 41, 38, 0b1110_0000, 0, 0, 40, 0, 80, 0, 0,
    ];

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            changes in prop::collection::vec(any::<(u8, u8)>(), 0..12), cut: u8
        ) {
            let mut bytes = compound(7, Some(&SENDER), &[BLOCK], "name@host", true);
            bytes.extend(XR);
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(usize::from(cut));
            let _ = parse(&bytes);
        }
    }

    const SENDER: Sender =
        Sender { ntp: 0x0123_4567_89ab_cdef, timestamp: 5, packets: 6, bytes: 8 };

    const BLOCK: Block = Block {
        ssrc: 9,
        fraction_lost: 25,
        lost: 100,
        highest_sequence: 0x0001_0203,
        jitter: 80,
        last_report: 11,
        delay: 12,
    };
}
