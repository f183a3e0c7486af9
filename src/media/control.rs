//! All the words that `call` and the media threads exchange.
//!
//! A call orders, a media thread reports; neither waits for the other. A leg's socket pair is bound
//! before it is needed: media threads offer spare pairs, the Switch takes one when it writes SDP.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{LegId, PromptId};
use crate::sdp::Negotiated;
use crate::time::Duration;

/// A bound socket pair for one leg: RTP on an even port, RTCP on the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// The RTP port.
    pub rtp: u16,
    /// The media thread that owns it; legs can be bridged on one thread only.
    pub thread: u8,
}

/// Counts the playbacks of a leg, so that a late report is not taken for the current one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PlayId(pub u32);

/// One piece of a playback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// A recorded announcement, from the folder of prompts.
    Prompt(PromptId),
    Silence(Duration),
}

/// What a leg hears from us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playback {
    pub id: PlayId,
    /// Played in this order.
    pub sounds: Arc<[Sound]>,
    /// Begins again at the end, without an `Ended` (music).
    pub repeat: bool,
}

/// Names a room on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId(pub u64);

/// Legs that hear each other, each what it is meant to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    pub id: RoomId,
    /// At most `PARTIES_MAX`; those beyond hear nobody.
    pub parties: Vec<Party>,
    /// Of all whom everybody may hear, so many are heard: the loudest.
    pub speakers_max: u8,
    /// Everybody hears a tone when somebody comes or leaves. Then all are mixed.
    pub tones: bool,
}

/// The parties of one room.
pub const PARTIES_MAX: usize = 256;

/// A leg in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub leg: LegId,
    pub heard_by: Ear,
}

/// Who hears a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ear {
    Everybody,
    Nobody,
    Only(LegId),
}

/// What the Switch orders. Orders about a leg go to the thread of its port, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The two hear each other from the next packet on; both must be on this thread. Whatever is
    /// played to either stops, except music started after. A leg that is bridged with itself hears
    /// itself: the echo test.
    Bridge { a: LegId, b: LegId },
    /// Ends the leg: stops its sounds, recording and bridge; reports `Closed`; its port rests, then
    /// is spare again.
    Close { leg: LegId },
    /// What offer and answer agreed on; again after each re-INVITE.
    Connect { leg: LegId, audio: Box<Negotiated> },
    /// The leg goes to another thread, with its sockets, its recording and what it counted; its
    /// bridge and what is played to it end. `Moved` says when the orders for it go there.
    Move { leg: LegId, to: u8 },
    /// The spare port becomes the leg's. Nothing is sent before `Connect`.
    Open { leg: LegId, port: Port },
    /// From here on the leg's recording is silent on both sides, or (`pause` is false) hears again.
    PauseRecording { leg: LegId, pause: bool },
    /// Replaces whatever is played to the leg. While it plays, a bridged peer is not heard by the
    /// leg; digits and recording go on.
    Play { leg: LegId, playback: Playback },
    /// Presses a key on the leg's phone: by telephone-event, or as tones if it has none; audio of
    /// its peer or room rests meanwhile. Of keys that wait for those before, the first 32. A press
    /// that the audio of its bridged peer brings too counts once, whichever is first.
    Press { leg: LegId, key: char },
    /// Writes a stereo WAV: left what the leg's phone says, right what the leg hears of a bridged
    /// peer, or of a room, but for what is said to it alone. Silence where there is neither.
    Record { leg: LegId, path: PathBuf },
    /// Gives a taken port back that was never opened.
    Return { port: Port },
    /// The room is as it says from the next packet on: who is in it and not named leaves it, and
    /// hears nobody. Legs that are not on this thread are left out. Whoever hears the same one as
    /// before, also by a bridge, notices nothing; what is played to him goes on. What is played to
    /// somebody new stops.
    Room(Box<Room>),
    /// Stops what is played to the leg; no `Ended`.
    Stop { leg: LegId },
    /// Ends the recording; reports `Recorded`.
    StopRecording { leg: LegId },
    /// Undoes `Bridge` for both; takes the leg out of its room.
    Unbridge { leg: LegId },
}

impl Command {
    /// The legs that an order is about, the first twice if it is one; `None` if about a port or a
    /// room.
    pub fn legs(&self) -> Option<[LegId; 2]> {
        match self {
            Self::Bridge { a, b } => Some([*a, *b]),
            Self::Close { leg }
            | Self::Connect { leg, .. }
            | Self::Move { leg, .. }
            | Self::Open { leg, .. }
            | Self::PauseRecording { leg, .. }
            | Self::Play { leg, .. }
            | Self::Press { leg, .. }
            | Self::Record { leg, .. }
            | Self::Stop { leg }
            | Self::StopRecording { leg }
            | Self::Unbridge { leg } => Some([*leg, *leg]),
            Self::Return { .. } | Self::Room(_) => None,
        }
    }
}

/// What a media thread reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Audio comes from the phone again after `OneWay`, or need not come any more.
    BothWays { leg: LegId },
    /// The leg's last word, with what it counted.
    Closed { leg: LegId, counts: Box<Counts> },
    /// What the leg has counted so far: each five seconds. Left out if the Switch does not keep up.
    Counted { leg: LegId, counts: Box<Counts> },
    /// A key was pressed on the phone (RFC 4733): once per key, when it is let go or after 100 ms
    /// without a packet.
    Digit { leg: LegId, digit: char },
    /// The playback came to its end by itself. `missing` names prompts that could not be read.
    Ended { leg: LegId, playback: PlayId, missing: Vec<PromptId> },
    /// The leg is on the thread that it was moved to: orders for it go there.
    Moved { leg: LegId },
    /// The phone is sent its peer's audio, and none comes from it: again each three seconds while
    /// that lasts. Both may not have answered yet.
    OneWay { leg: LegId },
    /// The file of a leg's recording is complete on disk, or as complete as it will ever be.
    Recorded { leg: LegId, recording: Box<Recorded> },
    /// For `[media] silence_max` nothing came from the phone, though something should have.
    Silent { leg: LegId },
    /// A bound pair that may be taken.
    Spare { port: Port },
}

/// What a leg's media thread counted, each way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// From the phone.
    pub received: Way,
    /// To the phone; what became of it as its reports say (RFC 3550 §6.4.1, RFC 3611 §4.7).
    pub sent: Way,
    /// Of `sent.lost`: packets that were lost before they came to us, and never sent.
    pub sent_missing: u64,
    /// To the phone and back, in microseconds: the mean of what its reports show.
    pub round_trip_us: Option<u32>,
    /// How the way to the phone alone would sound, without what was lost before it; as `Way::mos`.
    pub sent_path_mos: Option<u16>,
    /// What the phone itself thinks of what it hears: MOS-CQ (RFC 3611 §4.7.5), as `Way::mos`.
    pub told_mos: Option<u16>,
    /// Packets from other addresses than the leg's, dropped.
    pub strangers: u64,
    /// Datagrams that are no RTP, or of a payload type that was not agreed on, dropped.
    pub malformed: u64,
    /// Packets that were not encrypted under the leg's key, or came a second time, dropped.
    pub forged: u64,
    /// Whether the audio was encrypted in the end.
    pub encrypted: bool,
}

/// One direction of a leg's audio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Way {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    /// Came, but too late to be heard.
    pub late: u64,
    /// Came again.
    pub duplicates: u64,
    /// Mean interarrival jitter, in microseconds.
    pub jitter_us: u32,
    /// The greatest interarrival jitter (RFC 3550 §6.4.1), in microseconds.
    pub jitter_max_us: u32,
    /// The mean row of lost packets over that of random losses, in percent; 0 without a loss.
    pub burst_percent: u32,
    /// Mean opinion score by ITU-T G.107, in hundredths: 100 to 450; `None` if too little is known.
    pub mos: Option<u16>,
}

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub path: PathBuf,
    pub length: Duration,
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256 of the file; empty if it could not be read.
    pub sha256: String,
    /// What stopped the recording before its time, such as a crash.
    pub fault: Option<String>,
    /// What it lacks; silence stands for it, if anything follows.
    pub gaps: Vec<Gap>,
}

/// A stretch of a recording that was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// After the recording's begin.
    pub from: Duration,
    pub length: Duration,
    /// Such as a slow disk.
    pub why: String,
}
