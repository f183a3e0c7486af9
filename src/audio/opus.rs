//! Opus for one voice: packets to 16 kHz samples, and samples to packets.
//!
//! Spec:     RFC 6716 §3 (packets), §4.4 (losses); RFC 7587 §3 for what suits a call.
//! In:       payloads as they come, hostile ones too; samples of 8 or 16 kHz.
//! Out:      samples of one channel; payloads; what takes the place of what was lost.
//! Not here: the RTP clock and numbers (`media`), what phones want (`sdp::opus`).
//!
//! The codec itself is `ropus` (docs/adr/0015-opus.md). Nothing reaches it that is no packet: its
//! length and the lengths of its frames are checked here first.

use std::fmt;

use ropus::{Application, Bandwidth, Bitrate, Channels, DecodeMode, InbandFec, Signal};
use thiserror::Error;

/// The rate of decoded samples, in hertz.
pub const RATE: u32 = 16_000;
/// Samples of a packet at that rate, at most: 120 ms (RFC 6716 §3.2.5).
pub const SAMPLES_MAX: usize = 1920;
/// Ticks of the RTP clock in a packet, at most.
pub const TICKS_MAX: u32 = 5760;

/// A payload that is no Opus packet (RFC 6716 §3.4).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the payload is no Opus packet")]
pub struct Malformed;

/// How long a packet is, in ticks of the RTP clock at 48 kHz (RFC 6716 §3.1, §3.2).
///
/// # Errors
///
/// If its first bytes claim more than 120 ms, or frames that it cannot have.
pub fn ticks(payload: &[u8]) -> Result<u32, Malformed> {
    let (first, rest) = payload.split_first().ok_or(Malformed)?;
    let configuration = u32::from(first >> 3);
    let frame = match configuration {
        0..=11 => [480, 960, 1920, 2880][configuration as usize % 4],
        12..=15 => [480, 960][configuration as usize % 2],
        _ => 120 << (configuration % 4),
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*rest.first().ok_or(Malformed)? & 0x3f),
    };
    let ticks = frame * frames;
    if ticks == 0 || ticks > TICKS_MAX { Err(Malformed) } else { Ok(ticks) }
}

/// Whether a packet says that nothing is said: its frames are empty or a byte (RFC 6716 §3.1,
/// discontinuous transmission).
pub fn is_silent(payload: &[u8]) -> bool {
    payload.len() <= SILENT_BYTES
}

/// Decodes the stream of one phone.
pub struct Decoder {
    inner: ropus::Decoder,
}

impl Default for Decoder {
    fn default() -> Self {
        let inner = ropus::Decoder::new(RATE, Channels::Mono);
        Self { inner: inner.expect("the rate and the channel are such that Opus has") }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("opus::Decoder")
    }
}

impl Decoder {
    /// Appends the samples of a packet.
    ///
    /// # Errors
    ///
    /// If it is none; then nothing is appended.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Malformed> {
        let count = ticks(payload)? as usize / TICKS;
        self.fill(payload, count, DecodeMode::Normal, samples)
    }

    /// Appends so many samples of what was lost right before `next`, as far as that tells them
    /// (RFC 6716 §2.1.7); else what conceals it.
    pub fn recover(&mut self, next: &[u8], count: usize, samples: &mut Vec<i16>) {
        let told = ticks(next).is_ok_and(|ticks| ticks as usize / TICKS <= count);
        let fits = count.is_multiple_of(PIECE) && count <= SAMPLES_MAX;
        if !told || !fits || self.fill(next, count, DecodeMode::Fec, samples).is_err() {
            self.conceal(count, samples);
        }
    }

    /// Appends at least so many samples in place of what was lost.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        let mut left = count.next_multiple_of(PIECE);
        while left > 0 {
            let piece = left.min(CONCEALED_MAX);
            if self.fill(&[], piece, DecodeMode::Normal, samples).is_err() {
                samples.resize(samples.len() + piece, 0);
            }
            left -= piece;
        }
    }

    fn fill(
        &mut self,
        payload: &[u8],
        count: usize,
        mode: DecodeMode,
        samples: &mut Vec<i16>,
    ) -> Result<(), Malformed> {
        let start = samples.len();
        samples.resize(start + count, 0);
        match self.inner.decode(payload, &mut samples[start..], mode) {
            Ok(filled) => {
                samples.truncate(start + filled.min(count));
                Ok(())
            }
            Err(_) => {
                samples.truncate(start);
                Err(Malformed)
            }
        }
    }
}

/// What a phone wants of the packets that are sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// What it can play, as a sampling rate in hertz.
    pub rate_max: u32,
    /// Bits a second, on average, at most.
    pub bitrate_max: Option<u32>,
    /// As many bits in each packet.
    pub constant: bool,
    /// Each packet may tell of the one before.
    pub fec: bool,
    /// Silence need not be sent.
    pub dtx: bool,
}

impl Wishes {
    /// Of a phone that has said nothing.
    pub const ANY: Self =
        Self { rate_max: 48_000, bitrate_max: None, constant: false, fec: false, dtx: false };
}

/// Encodes what one phone hears.
pub struct Encoder {
    inner: ropus::Encoder,
    rate: u32,
    wishes: Wishes,
    lost: u8,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("opus::Encoder").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder of samples at 8000 or 16,000 a second.
    ///
    /// # Panics
    ///
    /// If Opus has no such rate.
    pub fn new(rate: u32, wishes: Wishes) -> Self {
        let usual = if rate > 8000 { WIDE_BITRATE } else { NARROW_BITRATE };
        let bitrate = wishes.bitrate_max.map_or(usual, |max| max.min(usual));
        let fec = if wishes.fec { InbandFec::Enabled } else { InbandFec::Disabled };
        let bandwidth = match wishes.rate_max.min(rate) {
            0..12_000 => Bandwidth::Narrowband,
            12_000..16_000 => Bandwidth::Mediumband,
            _ => Bandwidth::Wideband,
        };
        // `Audio` keeps what it is given; `Voip` moves low tones to please ears: what is heard is
        // then 10 dB less like what was said, for the same bits and work.
        let inner = ropus::Encoder::builder(rate, Channels::Mono, Application::Audio)
            .signal(Signal::Voice)
            .complexity(COMPLEXITY)
            .bitrate(Bitrate::Bits(bitrate))
            .vbr(!wishes.constant)
            .inband_fec(fec)
            .dtx(wishes.dtx)
            .max_bandwidth(bandwidth)
            .build();
        let inner =
            inner.expect("the rate is one that Opus has, and the bits are within its limits");
        Self { inner, rate, wishes, lost: 0 }
    }

    /// Whether it is for such samples and wishes.
    pub fn is_for(&self, rate: u32, wishes: Wishes) -> bool {
        (self.rate, self.wishes) == (rate, wishes)
    }

    /// What share of the packets does not arrive, in percent: the more, the more each tells of the
    /// one before.
    pub fn expect_loss(&mut self, percent: u8) {
        let percent = percent.min(100);
        if self.lost != percent && self.inner.set_packet_loss_perc(percent).is_ok() {
            self.lost = percent;
        }
    }

    /// Encodes 10, 20, 40 or 60 ms into `payload`, gives the length; `None` if nothing need be
    /// sent.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> Option<usize> {
        let length = self.inner.encode(samples, payload).ok()?;
        let is_needed = !self.wishes.dtx || length > SILENT_BYTES;
        is_needed.then_some(length)
    }
}

/// How long a packet for a phone that wants `ptime` is, in milliseconds: a frame that Opus has
/// (RFC 6716 §2.1.4), of 10 ms at least.
pub const fn frame_ms(ptime: u8) -> u8 {
    match ptime {
        0..20 => 10,
        20..40 => 20,
        40..60 => 40,
        _ => 60,
    }
}

/// Ticks of the RTP clock in a sample.
const TICKS: usize = 3;
/// Samples of 2.5 ms, of which everything is made.
const PIECE: usize = 40;
/// What is concealed at once: 20 ms.
const CONCEALED_MAX: usize = 320;
/// The bytes of a packet that says nothing.
const SILENT_BYTES: usize = 2;
/// Bits a second for speech of 4 and of 8 kHz: RFC 7587 §3.1.1 has 8 to 12 and 16 to 20 kbit/s as
/// where it begins to be good. With these a tone keeps its level within 0.2 dB.
const NARROW_BITRATE: u32 = 24_000;
const WIDE_BITRATE: u32 = 40_000;
/// How much the encoder tries, 0 to 10; 6 would cost a quarter more, 8 half as much again.
const COMPLEXITY: u8 = 5;
/// The most bytes of a packet that is sent: 60 ms at three times the usual bits.
pub const PAYLOAD_MAX: usize = 1000;
