//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264), for audio.

pub mod crypto;
pub mod offer_answer;
mod opus;
mod payloads;
pub mod session;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use crypto::{Keys, MasterKey, Security, Suite};
pub use offer_answer::{
    Local, Refusal, accept, accept_again, answer, codecs_of, has_digits, has_keys, has_noise,
    offer, offer_again, opus_of, packets_of,
};
pub use opus::Opus;
pub use session::{ParseError, Session};

/// An audio codec that Strowger can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.722, 16 kHz; its RTP clock runs at 8 kHz (RFC 3551 §4.5.2).
    G722,
    /// Opus, one channel; its RTP clock runs at 48 kHz whatever it carries (RFC 7587 §4.1).
    Opus,
}

impl Codec {
    /// Every codec, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Pcma, Self::Pcmu, Self::G722, Self::Opus];

    /// The encoding name of `a=rtpmap` (RFC 3551 §6).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The static payload type (RFC 3551 §6); for Opus, which has none, the one that we offer it
    /// under unless the peer has another.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// Ticks of the RTP clock in a second; less than the sampling rate for G.722 (RFC 3551 §4.5.2).
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 8000,
            Self::Opus => 48_000,
        }
    }

    /// What `a=rtpmap` says of it: two channels for Opus, whatever it carries (RFC 7587 §7).
    fn encoding(self) -> String {
        let channels = if self == Self::Opus { "/2" } else { "" };
        format!("{}/{}{channels}", self.name(), self.clock_rate())
    }
}

/// Which way audio flows, seen from our side (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Neither way; RTCP alone goes on.
    Inactive,
    /// Only towards us.
    RecvOnly,
    /// Only towards the peer: what a held party is offered.
    SendOnly,
    /// Both ways.
    SendRecv,
}

impl Direction {
    /// The direction with these two halves.
    pub fn of(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether we send.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendRecv)
    }

    /// Whether we receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::RecvOnly | Self::SendRecv)
    }

    /// The same flow seen from the other side.
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What is left of this direction when the peer's, seen from its side, is `theirs`
    /// (RFC 3264 §6.1).
    pub fn agreed(self, theirs: Self) -> Self {
        Self::of(self.sends() && theirs.receives(), self.receives() && theirs.sends())
    }

    /// The attribute's name (RFC 8866 §6.7).
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::RecvOnly => "recvonly",
            Self::SendOnly => "sendonly",
            Self::SendRecv => "sendrecv",
        }
    }
}

/// One codec with the payload types that stand for it in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub codec: Codec,
    /// What the peer sends us for it.
    pub receive: u8,
    /// What we send the peer for it.
    pub send: u8,
}

/// The payload types of telephone-event at one clock rate (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitPayload {
    /// What the peer sends us for it.
    pub receive: u8,
    /// What we send the peer for it.
    pub send: u8,
    /// In which its durations are told: 8000 or 48,000, in hertz.
    pub clock_rate: u32,
}

/// What offer and answer agreed on for one leg's audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the peer wants RTP. Port 0 or address 0.0.0.0 never stand here: the direction says it.
    pub remote_rtp: SocketAddr,
    /// Where the peer wants RTCP (RFC 3605); RTP port + 1 unless it says otherwise.
    pub remote_rtcp: SocketAddr,
    /// Where the peer's SIP comes from, if that is known: SDP does not say it.
    pub signalled: Option<IpAddr>,
    /// In the order of preference; never empty. The first is what we send.
    pub codecs: SmallVec<[Payload; 4]>,
    /// One for each clock rate; empty if one of the two has no telephone-event.
    pub digits: SmallVec<[DigitPayload; 2]>,
    /// Whether both have comfort noise (RFC 3389), whose payload type is 13.
    pub noise: bool,
    /// What the peer wants of Opus that is sent to it, if that was agreed on.
    pub opus: Option<Opus>,
    /// Whether keys are tones in the audio: we have telephone-event, the peer has not.
    pub tones: bool,
    /// From our side.
    pub direction: Direction,
    /// Milliseconds of audio the peer wants in a packet, 10 to 60.
    pub ptime: u8,
    /// The most that the peer takes, if it has a limit; 10 at least.
    pub maxptime: Option<u8>,
    /// `None` if the audio is not encrypted.
    pub keys: Option<Keys>,
}

/// How many milliseconds of audio somebody wants in a packet, and at most, as far as he has said
/// (RFC 8866 §6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    pub ptime: Option<u8>,
    pub maxptime: Option<u8>,
}

impl Negotiated {
    /// The codecs, in the order of preference.
    pub fn spoken(&self) -> Vec<Codec> {
        self.codecs.iter().map(|payload| payload.codec).collect()
    }

    /// How a key is sent beside audio of this clock rate; at another rate if there is none for it.
    pub fn digits_at(&self, clock_rate: u32) -> Option<DigitPayload> {
        let same = self.digits.iter().find(|digits| digits.clock_rate == clock_rate);
        same.or(self.digits.first()).copied()
    }
}

/// The payload type of comfort noise at 8 kHz (RFC 3389 §4).
pub const COMFORT_NOISE: u8 = 13;
