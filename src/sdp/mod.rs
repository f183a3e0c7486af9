//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264), for audio.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

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
}

/// Which way audio flows, seen from our side (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Inactive,
    RecvOnly,
    SendOnly,
    SendRecv,
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

/// The payload types of telephone-event at 8 kHz (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitPayload {
    pub receive: u8,
    pub send: u8,
}

/// What offer and answer agreed on for one leg's audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where the peer wants RTP. Port 0 or address 0.0.0.0 never stand here: the direction says it.
    pub remote_rtp: SocketAddr,
    /// Where the peer wants RTCP (RFC 3605); RTP port + 1 unless it says otherwise.
    pub remote_rtcp: SocketAddr,
    /// In the order of preference; never empty. The first is what we send.
    pub codecs: SmallVec<[Payload; 4]>,
    pub digits: Option<DigitPayload>,
    pub direction: Direction,
    /// Milliseconds of audio the peer wants in a packet, 10 to 60.
    pub ptime: u8,
}
