//! One leg's codecs: packets to 8 kHz samples and back.
//!
//! Legs that share a codec are relayed without any of this.

use crate::audio::g711;
use crate::sdp::Codec;

/// The most samples that a packet holds: 200 ms, more than a datagram carries unfragmented.
pub const SAMPLES_MAX: usize = 1600;

/// Room for the samples of one packet.
pub type Samples = [i16; SAMPLES_MAX];

/// Decodes what one phone sends.
#[derive(Clone, Debug, Default)]
pub struct Decoder {}

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
            Codec::G722 => samples.fill(0),
        }
        samples
    }
}

/// Encodes what one phone hears.
#[derive(Clone, Debug, Default)]
pub struct Encoder {}

impl Encoder {
    /// Fills as much of `payload` as there are samples, and the other way round.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) {
        match codec {
            Codec::Pcma => map(samples, payload, |sample| g711::alaw_encode(*sample)),
            Codec::Pcmu => map(samples, payload, |sample| g711::ulaw_encode(*sample)),
            Codec::G722 => {}
        }
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
