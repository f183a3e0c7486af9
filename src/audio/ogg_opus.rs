//! Ogg/Opus: two channels of telephone audio as a file that any player knows, and a look at one.
//!
//! Spec:     RFC 7845 (Opus in Ogg), RFC 3533 (pages), RFC 6716.
//! In:       interleaved samples; for the look, a file's bytes, hostile ones too.
//! Out:      pages, complete once they are given; how long a file is, or where it is damaged.
//! Not here: files and encryption (`shell::media`), decoding: players do that.
//!
//! A page holds a second at most, so a file that was cut lacks no more. The two channels are one
//! coupled stream (channel mapping family 0), which every player knows: at the bits used here one
//! side is heard on the other 60 dB lower or more, below what G.711 adds anyway.

use std::io::{self, Read};

use ogg::reading::PageParser;
use ogg::{PacketWriteEndInfo, PacketWriter};
use ropus::{Application, Bitrate, Channels, Encoder, Signal};
use thiserror::Error;

use super::opus;

/// Bits a second that both channels together may be given. With fewer the encoder would mix them.
pub const BITRATES: std::ops::RangeInclusive<u32> = 32_000..=256_000;

/// Samples a second in each channel, by which Ogg/Opus counts (RFC 7845 §4).
pub const CLOCK: u32 = 48_000;

/// Turns samples into a file, bit by bit.
pub struct Writer {
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    serial: u32,
    /// Ticks of `CLOCK` in a sample of the input.
    ticks: u64,
    pre_skip: u64,
    /// Samples that do not fill a packet yet.
    waiting: Vec<i16>,
    /// The last packet: what follows decides whether it is the end.
    held: Option<Vec<u8>>,
    /// Packets that pages were given, and samples of each channel that came in.
    packets: u64,
    frames: u64,
}

impl Writer {
    /// A file of two channels at 8000, 16,000 or 48,000 samples a second. `serial` tells its pages
    /// from those of other streams; `comments` are `NAME=value` (RFC 7845 §5.2).
    ///
    /// # Panics
    ///
    /// If Opus has no such rate, or `bitrate` is not among `BITRATES`.
    pub fn new(rate: u32, bitrate: u32, serial: u32, comments: &[String]) -> Self {
        assert!(BITRATES.contains(&bitrate), "{bitrate} bits a second");
        let encoder = Encoder::builder(rate, Channels::Stereo, Application::Audio)
            .signal(Signal::Voice)
            .complexity(COMPLEXITY)
            .bitrate(Bitrate::Bits(bitrate))
            .vbr(true)
            .build()
            .expect("the rate is one that Opus has");
        let ticks = u64::from(CLOCK / rate);
        let pre_skip = u64::from(encoder.lookahead()) * ticks;
        let mut writer = Self {
            encoder,
            pages: PacketWriter::new(Vec::new()),
            serial,
            ticks,
            pre_skip,
            waiting: Vec::new(),
            held: None,
            packets: 0,
            frames: 0,
        };
        writer.page(head(rate, pre_skip as u16), PacketWriteEndInfo::EndPage, 0);
        writer.page(tags(comments), PacketWriteEndInfo::EndPage, 0);
        writer
    }

    /// Takes interleaved samples.
    pub fn write(&mut self, samples: &[i16]) {
        self.frames += samples.len() as u64 / CHANNELS as u64;
        self.waiting.extend(samples);
        let packet = CHANNELS * (PACKET_TICKS / self.ticks) as usize;
        let mut taken = 0;
        while self.waiting.len() - taken >= packet {
            let samples = self.waiting[taken..taken + packet].to_vec();
            self.encode(&samples);
            taken += packet;
        }
        self.waiting.drain(..taken);
    }

    /// The bytes of pages that are complete, each given once.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.pages.inner_mut())
    }

    /// The bytes that are left: the file is then exactly as long as what was written.
    pub fn finish(mut self) -> Vec<u8> {
        let end = self.pre_skip + self.frames * self.ticks;
        let packet = CHANNELS * (PACKET_TICKS / self.ticks) as usize;
        let mut rest = std::mem::take(&mut self.waiting);
        // What the encoder still holds back comes out behind silence, cut off by the last page.
        while self.coded() < end {
            rest.resize(packet, 0);
            self.encode(&std::mem::take(&mut rest));
        }
        if let Some(last) = self.held.take() {
            self.page(last, PacketWriteEndInfo::EndStream, end);
        }
        self.take()
    }

    /// Ticks in all packets so far.
    fn coded(&self) -> u64 {
        (self.packets + u64::from(self.held.is_some())) * PACKET_TICKS
    }

    fn encode(&mut self, samples: &[i16]) {
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = self.encoder.encode(samples, &mut packet);
        let length = length.expect("the samples are those of a packet, and there is room for it");
        if let Some(before) = self.held.replace(packet[..length].to_vec()) {
            self.packets += 1;
            let is_full = self.packets.is_multiple_of(PAGE_PACKETS);
            let end = match is_full {
                true => PacketWriteEndInfo::EndPage,
                false => PacketWriteEndInfo::NormalPacket,
            };
            self.page(before, end, self.packets * PACKET_TICKS);
        }
    }

    fn page(&mut self, packet: Vec<u8>, end: PacketWriteEndInfo, granule: u64) {
        let written = self.pages.write_packet(packet, self.serial, end, granule);
        written.expect("memory takes every write");
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(rate: u32, pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(CHANNELS as u8);
    head.extend(pre_skip.to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend([0; 3]); // no gain; channel mapping family 0
    head
}

/// The comment header (RFC 7845 §5.2).
fn tags(comments: &[String]) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let mut text = |text: &str| {
        tags.extend((text.len() as u32).to_le_bytes());
        tags.extend(text.as_bytes());
    };
    text(concat!("strowger ", env!("CARGO_PKG_VERSION")));
    let mut list = (comments.len() as u32).to_le_bytes().to_vec();
    for comment in comments {
        list.extend((comment.len() as u32).to_le_bytes());
        list.extend(comment.as_bytes());
    }
    tags.extend(list);
    tags
}

/// What a look at a whole file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of audio that can be played, in ticks of `CLOCK`.
    pub ticks: u64,
    /// Up to the end of the last sound page.
    pub bytes: u64,
    pub damage: Option<Damage>,
}

/// Where a file is not as it was written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Damage {
    #[error("page {page} was altered, or is not at its place")]
    Altered { page: u32 },
    #[error("its end was cut off")]
    Cut,
    #[error("something follows its end")]
    Longer,
}

/// Whether a file's first bytes are those of an Ogg file.
pub fn is_ogg(file: &[u8]) -> bool {
    file.starts_with(CAPTURE)
}

/// Reads a file to its end or its first damage, page by page, each with its checksum; `None` if it
/// does not begin as those of `Writer` do.
///
/// # Errors
///
/// If it cannot be read.
pub fn look(file: &mut impl Read) -> io::Result<Option<Found>> {
    let mut found = Found { ticks: 0, bytes: 0, damage: None };
    let (mut pre_skip, mut coded, mut serial) = (0, 0, 0);
    for number in 0.. {
        let page = match read_page(file)? {
            Ok(page) => page,
            Err(_) if number < HEADERS => return Ok(None),
            Err(NoPage::Cut) => return Ok(Some(Found { damage: Some(Damage::Cut), ..found })),
            Err(NoPage::Forged) => {
                return Ok(Some(Found { damage: Some(Damage::Altered { page: number }), ..found }));
            }
        };
        if number == 0 {
            let Some(skip) = page.packets.first().and_then(|head| pre_skip_of(head)) else {
                return Ok(None);
            };
            (pre_skip, serial) = (u64::from(skip), page.serial);
        }
        let lengths = page.packets.iter().map(|packet| opus::ticks(packet).unwrap_or(0));
        let audio: u64 = if number < HEADERS { 0 } else { lengths.map(u64::from).sum() };
        coded += audio;
        let is_full = page.granule == coded || (page.is_last && page.granule <= coded);
        if (page.serial, page.number) != (serial, number) || !is_full {
            return Ok(Some(Found { damage: Some(Damage::Altered { page: number }), ..found }));
        }
        found.ticks = page.granule.saturating_sub(pre_skip);
        found.bytes += page.bytes;
        if page.is_last {
            found.damage = (file.read(&mut [0])? > 0).then_some(Damage::Longer);
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// How much of the beginning is not audio, from the identification header.
fn pre_skip_of(head: &[u8]) -> Option<u16> {
    let is_ours = head.starts_with(b"OpusHead\x01\x02") && head.len() == HEAD_BYTES;
    is_ours.then(|| u16::from_le_bytes([head[10], head[11]]))
}

struct Page {
    serial: u32,
    number: u32,
    granule: u64,
    is_last: bool,
    packets: Vec<Vec<u8>>,
    bytes: u64,
}

enum NoPage {
    Cut,
    Forged,
}

/// The next page, whose packets must all end in it.
fn read_page(file: &mut impl Read) -> io::Result<Result<Page, NoPage>> {
    let mut header = [0; PAGE_HEADER_BYTES];
    if !super::wav::is_filled(file, &mut header)? {
        return Ok(Err(NoPage::Cut));
    }
    let Ok((mut parser, count)) = PageParser::new(header) else { return Ok(Err(NoPage::Forged)) };
    let mut lacing = vec![0; count];
    if !super::wav::is_filled(file, &mut lacing)? {
        return Ok(Err(NoPage::Cut));
    }
    let length = parser.parse_segments(lacing.clone());
    let mut body = vec![0; length];
    if !super::wav::is_filled(file, &mut body)? {
        return Ok(Err(NoPage::Cut));
    }
    let is_whole = lacing.last().is_some_and(|last| *last < u8::MAX) && header[5] & CONTINUED == 0;
    let bytes = (PAGE_HEADER_BYTES + count + length) as u64;
    if !header.starts_with(CAPTURE) || !is_whole || parser.parse_packet_data(body.clone()).is_err()
    {
        return Ok(Err(NoPage::Forged));
    }
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
    let granule = u64::from(word(6)) | u64::from(word(10)) << 32;
    let mut packets = Vec::new();
    let (mut from, mut to) = (0, 0);
    for segment in lacing {
        to += usize::from(segment);
        if segment < u8::MAX {
            packets.push(body[from..to].to_vec());
            from = to;
        }
    }
    let is_last = header[5] & LAST != 0;
    Ok(Ok(Page { serial: word(14), number: word(18), granule, is_last, packets, bytes }))
}

const CHANNELS: usize = 2;
/// 20 ms.
const PACKET_TICKS: u64 = 960;
/// A second.
const PAGE_PACKETS: u64 = 50;
/// 20 ms at the most bits that are allowed, with room for what varies.
const PACKET_BYTES_MAX: usize = 1275;
/// How much the encoder tries, 0 to 10. From 9 on it looks for music, and takes speech for it: then
/// it is 8 dB less like what was said.
const COMPLEXITY: u8 = 8;
/// Pages before the audio.
const HEADERS: u32 = 2;
const HEAD_BYTES: usize = 19;
const PAGE_HEADER_BYTES: usize = 27;
const CAPTURE: &[u8] = b"OggS";
/// The flags of a page (RFC 3533 §6).
const CONTINUED: u8 = 1;
const LAST: u8 = 4;

#[cfg(test)]
#[path = "ogg_opus_tests.rs"]
mod tests;
