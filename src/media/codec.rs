//! One leg's codecs: packets to 8 kHz samples and back.
//!
//! Legs that share a codec are relayed without any of this.

use crate::audio::resample::Resampler;
use crate::audio::{g711, g722};
use crate::sdp::Codec;

/// The most samples that a packet holds: 200 ms, more than a datagram carries unfragmented.
pub const SAMPLES_MAX: usize = 1600;

/// Room for the samples of one packet.
pub type Samples = [i16; SAMPLES_MAX];

/// Decodes what one phone sends.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Made when the phone first uses G.722.
    wide: Option<Box<WideDecoder>>,
}

#[derive(Clone, Debug)]
struct WideDecoder {
    g722: g722::Decoder,
    down: Resampler,
    /// Emptied at each packet; kept for their memory.
    wide: Vec<i16>,
    narrow: Vec<i16>,
}

impl Decoder {
    /// Fills `samples`, one for each tick of the 8 kHz RTP clock; what exceeds it is cut off.
    pub fn decode<'a>(
        &mut self,
        codec: Codec,
        payload: &[u8],
        samples: &'a mut Samples,
    ) -> &'a [i16] {
        let length = payload.len().min(SAMPLES_MAX);
        let (payload, samples) = (&payload[..length], &mut samples[..length]);
        match codec {
            Codec::Pcma => map(payload, samples, |byte| g711::alaw_decode(*byte)),
            Codec::Pcmu => map(payload, samples, |byte| g711::ulaw_decode(*byte)),
            Codec::G722 => self.wide.get_or_insert_default().decode(payload, samples),
        }
        samples
    }
}

impl Default for WideDecoder {
    fn default() -> Self {
        let (wide, narrow) = (Vec::new(), Vec::new());
        Self { g722: g722::Decoder::default(), down: Resampler::new(16_000, 8000), wide, narrow }
    }
}

impl WideDecoder {
    fn decode(&mut self, payload: &[u8], samples: &mut [i16]) {
        self.wide.clear();
        self.narrow.clear();
        self.g722.decode(payload, &mut self.wide);
        self.down.resample(&self.wide, &mut self.narrow);
        map(&self.narrow, samples, |sample| *sample);
    }
}

/// Encodes what one phone hears.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    /// Made when the phone first needs G.722.
    wide: Option<Box<WideEncoder>>,
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
    /// Fills as much of `payload` as there are samples, and the other way round.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) {
        match codec {
            Codec::Pcma => map(samples, payload, |sample| g711::alaw_encode(*sample)),
            Codec::Pcmu => map(samples, payload, |sample| g711::ulaw_encode(*sample)),
            Codec::G722 => self.wide.get_or_insert_default().encode(samples, payload),
        }
    }
}

impl Encoder {
    /// Fills `payload` from samples at the codec's own rate: 16 kHz for G.722.
    pub fn encode_own(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) {
        match codec {
            Codec::Pcma | Codec::Pcmu => self.encode(codec, samples, payload),
            Codec::G722 => {
                let WideEncoder { g722, bytes, .. } = &mut **self.wide.get_or_insert_default();
                bytes.clear();
                g722.encode(samples, bytes);
                map(bytes, payload, |byte| *byte);
            }
        }
    }
}

impl Default for WideEncoder {
    fn default() -> Self {
        let (wide, bytes) = (Vec::new(), Vec::new());
        Self { g722: g722::Encoder::default(), up: Resampler::new(8000, 16_000), wide, bytes }
    }
}

impl WideEncoder {
    fn encode(&mut self, samples: &[i16], payload: &mut [u8]) {
        self.wide.clear();
        self.bytes.clear();
        self.up.resample(samples, &mut self.wide);
        self.g722.encode(&self.wide, &mut self.bytes);
        map(&self.bytes, payload, |byte| *byte);
    }
}

/// Whether the codec's own rate is 16 kHz.
pub const fn is_wide(codec: Codec) -> bool {
    match codec {
        Codec::Pcma | Codec::Pcmu => false,
        Codec::G722 => true,
    }
}

/// Turns one G.711 law into the other where it lies.
pub fn transcode_g711(from: Codec, payload: &mut [u8]) {
    let other = match from {
        Codec::Pcma => g711::alaw_to_ulaw,
        Codec::Pcmu => g711::ulaw_to_alaw,
        Codec::G722 => return,
    };
    for byte in payload {
        *byte = other(*byte);
    }
}

fn map<A, B>(from: &[A], to: &mut [B], convert: impl Fn(&A) -> B) {
    for (from, to) in from.iter().zip(to) {
        *to = convert(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, purity};

    #[test]
    fn every_codec_carries_a_tone() {
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            let mut sine = Sine::new(1000.0, 8000, 8000);
            let mut heard = Vec::new();
            for _ in 0..20 {
                let samples: Vec<_> = sine.by_ref().take(160).collect();
                let mut payload = [0; 160];
                encoder.encode(codec, &samples, &mut payload);
                let mut room = [0; SAMPLES_MAX];
                heard.extend_from_slice(decoder.decode(codec, &payload, &mut room));
            }

            assert_eq!(heard.len(), 3200);
            assert!(purity(&heard[800..], 1000.0, 8000) > 0.99, "{codec:?}");
        }
    }

    #[test]
    fn a_giant_packet_is_cut_off() {
        let mut room = [0; SAMPLES_MAX];
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
            let samples = Decoder::default().decode(codec, &[1; 2000], &mut room).len();
            assert_eq!(samples, SAMPLES_MAX);
            assert_eq!(Decoder::default().decode(codec, &[], &mut room).len(), 0);
        }
    }
}
