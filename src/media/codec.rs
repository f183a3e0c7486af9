//! One leg's codecs: packets to samples and back.
//!
//! In:       payloads as they come, hostile ones too; samples of 8 or 16 kHz.
//! Out:      samples at the codec's own rate, and at 8 kHz if that is wanted; payloads.
//! Not here: waiting for what is late (`intake`), numbering what is sent (`sending`).
//!
//! Legs that share a codec are relayed without any of this.

use crate::audio::resample::Resampler;
use crate::audio::{g711, g722, opus};
use crate::media::outgoing::Incoming;
use crate::sdp::Codec;

/// Samples of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pcm<'a> {
    pub samples: &'a [i16],
    /// Samples a second: 8000 or 16,000.
    pub rate: u32,
}

/// What a packet said. Kept from packet to packet, for its memory.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    own: Vec<i16>,
    rate: u32,
    narrow: Vec<i16>,
    /// How many samples stand in front that were lost before the packet.
    recovered: usize,
}

impl Decoded {
    /// At the codec's own rate.
    pub fn own(&self) -> Pcm<'_> {
        Pcm { samples: &self.own, rate: self.rate }
    }

    /// At 8 kHz, if that was wanted, or is the codec's rate.
    pub fn narrow(&self) -> Pcm<'_> {
        let samples = if self.rate == NARROW { &self.own } else { &self.narrow };
        Pcm { samples, rate: NARROW }
    }

    /// What a codec is encoded from.
    pub fn pcm_for(&self, codec: Codec) -> Pcm<'_> {
        if is_wide(codec) { self.own() } else { self.narrow() }
    }

    /// How much of it was lost before the packet, in samples of 8 kHz.
    pub fn recovered(&self) -> u32 {
        (self.recovered * NARROW as usize / self.rate.max(NARROW) as usize) as u32
    }
}

/// Decodes what one phone sends.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Made when the phone first uses G.722.
    g722: Option<Box<g722::Decoder>>,
    /// Made when the phone first uses Opus.
    opus: Option<Box<OpusDecoder>>,
    /// From 16 to 8 kHz; made when that is first wanted.
    down: Option<Box<Resampler>>,
}

#[derive(Debug, Default)]
struct OpusDecoder {
    inner: opus::Decoder,
    /// Of the newest packet: source, number, and the timestamp after it.
    last: Option<(u32, u16, u32)>,
}

impl Decoder {
    /// Fills `decoded` with what the packet says, at 8 kHz too if that is wanted: at most 200 ms,
    /// what exceeds it is cut off. Gives whether it could be decoded.
    ///
    /// A packet of Opus that comes after a later one has no effect; one or two that are lost before
    /// it are made up for, from what it tells of them or by concealment.
    pub fn decode(
        &mut self,
        codec: Codec,
        packet: Incoming,
        payload: &[u8],
        narrow: bool,
        decoded: &mut Decoded,
    ) -> bool {
        decoded.own.clear();
        decoded.narrow.clear();
        decoded.recovered = 0;
        decoded.rate = if is_wide(codec) { WIDE } else { NARROW };
        let samples = &mut decoded.own;
        let bytes = &payload[..payload.len().min(BYTES_MAX)];
        let is_decoded = match codec {
            Codec::Pcma => {
                samples.extend(bytes.iter().map(|byte| g711::alaw_decode(*byte)));
                true
            }
            Codec::Pcmu => {
                samples.extend(bytes.iter().map(|byte| g711::ulaw_decode(*byte)));
                true
            }
            Codec::G722 => {
                self.g722.get_or_insert_default().decode(bytes, samples);
                true
            }
            Codec::Opus => {
                let opus = self.opus.get_or_insert_default();
                let found = opus.decode(packet, payload, samples);
                decoded.recovered = found.unwrap_or(0);
                found.is_ok()
            }
        };
        if narrow && decoded.rate == WIDE {
            let down = self.down.get_or_insert_with(|| Box::new(Resampler::new(WIDE, NARROW)));
            down.resample(&decoded.own, &mut decoded.narrow);
        }
        is_decoded
    }
}

impl OpusDecoder {
    /// Gives how many samples were recovered.
    fn decode(
        &mut self,
        packet: Incoming,
        payload: &[u8],
        samples: &mut Vec<i16>,
    ) -> Result<usize, opus::Malformed> {
        let Incoming { ssrc, sequence, timestamp, .. } = packet;
        let ticks = opus::ticks(payload)?;
        let known = self.last.filter(|(source, ..)| *source == ssrc);
        let mut recovered = 0;
        if let Some((_, last, end)) = known {
            let step = sequence.wrapping_sub(last);
            if step == 0 || step > u16::MAX / 2 {
                return Ok(0);
            }
            // As long as the numbers say: what is longer was no loss, but a pause.
            let gap = timestamp.wrapping_sub(end);
            if (2..=1 + LOST_MAX).contains(&step) && gap == u32::from(step - 1) * ticks {
                let count = (ticks / OPUS_TICKS) as usize;
                for _ in 2..step {
                    self.inner.conceal(count, samples);
                }
                self.inner.recover(payload, count, samples);
                recovered = samples.len();
            }
        }
        self.last = Some((ssrc, sequence, timestamp.wrapping_add(ticks)));
        self.inner.decode(payload, samples)?;
        Ok(recovered)
    }
}

/// Encodes what one phone hears.
#[derive(Debug, Default)]
pub struct Encoder {
    /// Made when the phone first needs G.722.
    wide: Option<Box<WideEncoder>>,
    /// Made when the phone first needs Opus, and anew when the rate of what it hears changes.
    opus: Option<Box<opus::Encoder>>,
    /// Of the packets that are sent so many do not arrive, in percent.
    lost: u8,
}

#[derive(Clone, Debug)]
struct WideEncoder {
    g722: g722::Encoder,
    up: Resampler,
    /// Emptied at each packet; kept for their memory.
    wide: Vec<i16>,
    bytes: Vec<u8>,
}

impl Encoder {
    /// Fills `payload` and gives its length; `None` if it is not to be sent. G.711 is encoded from
    /// 8 kHz, the others from either rate.
    pub fn encode(
        &mut self,
        codec: Codec,
        wishes: opus::Wishes,
        pcm: Pcm<'_>,
        payload: &mut [u8],
    ) -> Option<usize> {
        let samples = pcm.samples;
        match codec {
            Codec::Pcma => Some(map(samples, payload, |sample| g711::alaw_encode(*sample))),
            Codec::Pcmu => Some(map(samples, payload, |sample| g711::ulaw_encode(*sample))),
            Codec::G722 => Some(self.wide.get_or_insert_default().encode(pcm, payload)),
            Codec::Opus => {
                if !self.opus.as_ref().is_some_and(|opus| opus.is_for(pcm.rate, wishes)) {
                    self.opus = Some(Box::new(opus::Encoder::new(pcm.rate, wishes)));
                }
                let opus = self.opus.as_mut()?;
                opus.expect_loss(self.lost);
                let room = payload.len().min(opus::PAYLOAD_MAX);
                opus.encode(samples, &mut payload[..room])
            }
        }
    }

    /// What share of the packets does not arrive, in percent.
    pub fn expect_loss(&mut self, percent: u8) {
        self.lost = percent;
    }
}

impl Default for WideEncoder {
    fn default() -> Self {
        let (wide, bytes) = (Vec::new(), Vec::new());
        Self { g722: g722::Encoder::default(), up: Resampler::new(NARROW, WIDE), wide, bytes }
    }
}

impl WideEncoder {
    fn encode(&mut self, pcm: Pcm<'_>, payload: &mut [u8]) -> usize {
        self.wide.clear();
        self.bytes.clear();
        let mut samples = pcm.samples;
        if pcm.rate == NARROW {
            self.up.resample(samples, &mut self.wide);
            samples = &self.wide;
        }
        self.g722.encode(samples, &mut self.bytes);
        map(&self.bytes, payload, |byte| *byte)
    }
}

/// Whether the codec is decoded to 16 kHz.
pub const fn is_wide(codec: Codec) -> bool {
    match codec {
        Codec::Pcma | Codec::Pcmu => false,
        Codec::G722 | Codec::Opus => true,
    }
}

/// Whether one law of G.711 becomes the other without samples.
pub const fn is_law(codec: Codec) -> bool {
    !is_wide(codec)
}

/// How long a payload is, in ticks of its RTP clock; 0 if it is none.
pub fn ticks(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        Codec::Pcma | Codec::Pcmu | Codec::G722 => payload.len() as u32, // a byte a tick
        Codec::Opus => opus::ticks(payload).unwrap_or(0),
    }
}

/// The most bytes of a payload in a codec, for so many milliseconds of audio.
pub fn bytes_max(codec: Codec, ms: usize) -> usize {
    match codec {
        Codec::Pcma | Codec::Pcmu | Codec::G722 => 8 * ms,
        Codec::Opus => opus::PAYLOAD_MAX,
    }
}

/// Turns one G.711 law into the other where it lies.
pub fn transcode_g711(from: Codec, payload: &mut [u8]) {
    let other = match from {
        Codec::Pcma => g711::alaw_to_ulaw,
        Codec::Pcmu => g711::ulaw_to_alaw,
        Codec::G722 | Codec::Opus => return,
    };
    for byte in payload {
        *byte = other(*byte);
    }
}

/// Gives how many there were.
fn map<A, B>(from: &[A], to: &mut [B], convert: impl Fn(&A) -> B) -> usize {
    let count = from.len().min(to.len());
    for (from, to) in from.iter().zip(to) {
        *to = convert(from);
    }
    count
}

/// Samples a second.
pub const NARROW: u32 = 8000;
pub const WIDE: u32 = 16_000;
/// The most bytes of G.711 or G.722 that a packet holds: 255 ms, all that a datagram is taken with.
pub const BYTES_MAX: usize = 2048;
/// Ticks of Opus' clock in a sample of its decoder.
const OPUS_TICKS: u32 = 48_000 / WIDE;
/// Packets in a row that are made up for.
const LOST_MAX: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, purity};

    #[test]
    fn every_codec_carries_a_tone() {
        for codec in Codec::ALL {
            let mut line = Line::new(codec);
            let mut sine = Sine::new(1000.0, 8000, line.rate);
            for _ in 0..50 {
                line.say(&mut sine, true);
            }
            assert_eq!((line.heard.len(), line.narrow.len()), (line.rate as usize, 8000));
            let pure = purity(&line.heard[4000..], 1000.0, line.rate);
            assert!(pure > 0.99, "{codec:?}: {pure}");
            assert!(purity(&line.narrow[4000..], 1000.0, NARROW) > 0.99, "{codec:?}");
        }
    }

    #[test]
    fn a_giant_packet_is_cut_off() {
        let mut decoded = Decoded::default();
        for (codec, times) in [(Codec::Pcma, 1), (Codec::Pcmu, 1), (Codec::G722, 2)] {
            let mut decoder = Decoder::default();
            assert!(decoder.decode(codec, packet(0, 0), &[1; 4000], true, &mut decoded));
            assert_eq!(decoded.own().samples.len(), times * BYTES_MAX);
            assert_eq!(decoded.narrow().samples.len(), BYTES_MAX);
            assert!(decoder.decode(codec, packet(1, 0), &[], true, &mut decoded));
            assert_eq!(decoded.own().samples.len(), 0);
        }
        let mut decoder = Decoder::default();
        assert!(!decoder.decode(Codec::Opus, packet(0, 0), &[], true, &mut decoded));
        assert!(!decoder.decode(Codec::Opus, packet(0, 0), &[0xff; 2000], true, &mut decoded));
        assert_eq!(decoded.own().samples.len(), 0);
    }

    /// One or two packets of Opus that are lost leave no hole; a pause does.
    #[test]
    fn what_is_lost_of_opus_is_made_up_for() {
        for (lost, recovered) in [(1, 320), (2, 640), (3, 0)] {
            let mut line = Line::new(Codec::Opus);
            let mut sine = Sine::new(400.0, 8000, WIDE);
            for n in 0..50 {
                line.say(&mut sine, !(20..20 + lost).contains(&n));
                if n == 20 + lost {
                    assert_eq!(line.decoded.recovered, recovered, "{lost}");
                    assert_eq!(line.decoded.recovered() as usize, recovered / 2);
                }
            }
            assert_eq!(line.heard.len(), 320 * (50 - lost) + recovered);
        }
        let mut line = Line::new(Codec::Opus);
        let mut sine = Sine::new(400.0, 8000, WIDE);
        line.say(&mut sine, true);
        line.timestamp += 48_000;
        line.say(&mut sine, true);
        assert_eq!(line.decoded.recovered, 0);
    }

    #[test]
    fn a_packet_of_opus_that_comes_late_or_twice_says_nothing() {
        let mut line = Line::new(Codec::Opus);
        let mut sine = Sine::new(400.0, 8000, WIDE);
        for _ in 0..3 {
            line.say(&mut sine, true);
        }
        for back in [1, 2] {
            line.sequence -= back;
            line.timestamp -= u32::from(back) * 960;
            line.say(&mut sine, true);
            assert_eq!(line.decoded.own().samples.len(), 0);
        }
    }

    /// Packets of a codec, encoded, sent and decoded.
    struct Line {
        codec: Codec,
        rate: u32,
        encoder: Encoder,
        decoder: Decoder,
        decoded: Decoded,
        sequence: u16,
        timestamp: u32,
        heard: Vec<i16>,
        narrow: Vec<i16>,
    }

    impl Line {
        fn new(codec: Codec) -> Self {
            Self {
                codec,
                rate: if is_wide(codec) { WIDE } else { NARROW },
                encoder: Encoder::default(),
                decoder: Decoder::default(),
                decoded: Decoded::default(),
                sequence: 7,
                timestamp: 1 << 20,
                heard: Vec::new(),
                narrow: Vec::new(),
            }
        }

        /// 20 ms.
        fn say(&mut self, sine: &mut Sine, comes: bool) {
            let samples: Vec<i16> = sine.take(self.rate as usize / 50).collect();
            let pcm = Pcm { samples: &samples, rate: self.rate };
            let mut payload = [0; 1000];
            let length = self.encoder.encode(self.codec, WISHES, pcm, &mut payload).unwrap();
            if comes {
                let packet = packet(self.sequence, self.timestamp);
                let payload = &payload[..length];
                assert!(self.decoder.decode(self.codec, packet, payload, true, &mut self.decoded));
                self.heard.extend_from_slice(self.decoded.own().samples);
                self.narrow.extend_from_slice(self.decoded.narrow().samples);
            }
            self.sequence += 1;
            self.timestamp += self.codec.clock_rate() / 50;
        }
    }

    const WISHES: opus::Wishes = opus::Wishes::ANY;

    fn packet(sequence: u16, timestamp: u32) -> Incoming {
        Incoming { sequence, timestamp, ssrc: 1, marker: false, event: false }
    }
}
