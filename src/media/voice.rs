//! What one party of a room says, frame by frame, at the rates that its listeners need.
//!
//! Spec:     RFC 3550 §5.1 (timestamps); ITU-T G.711, G.722.
//! In:       the party's packets, as they come.
//! Out:      each 20 ms a frame of what it says.
//! Not here: who hears it (`room`).

use crate::audio::resample::Resampler;
use crate::audio::{g711, g722, mix};
use crate::media::codec::is_wide;
use crate::media::outgoing::Incoming;
use crate::media::playout::{Playout, Taken};
use crate::sdp::Codec;
use crate::time::Instant;

/// Samples of a frame at 8 kHz.
pub const NARROW: usize = 160;
/// Samples of a frame at 16 kHz.
pub const WIDE: usize = 320;

/// One party's voice.
#[derive(Debug)]
pub struct Voice {
    playout: Playout,
    codec: Codec,
    ssrc: u32,
    g722: Option<Box<g722::Decoder>>,
    /// Decoded, at the codec's own rate; what exceeds a frame waits for the next.
    decoded: Vec<i16>,
    narrow: [i16; NARROW],
    wide: [i16; WIDE],
    /// How loud the party was lately.
    level: u32,
    /// Something was said in this frame.
    sounds: bool,
    /// Between the codec's rate and the other, while that is needed.
    resampler: Option<Resampler>,
    /// Emptied at each frame; kept for its memory.
    other: Vec<i16>,
}

/// How a voice comes into a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fade {
    Begins,
    Ends,
    Steady,
}

impl Voice {
    pub fn new() -> Self {
        Self {
            playout: Playout::default(),
            codec: Codec::Pcma,
            ssrc: 0,
            g722: None,
            decoded: Vec::new(),
            narrow: [0; NARROW],
            wide: [0; WIDE],
            level: 0,
            sounds: false,
            resampler: None,
            other: Vec::new(),
        }
    }

    /// Takes a packet of the party.
    pub fn hear(&mut self, now: Instant, codec: Codec, packet: Incoming, payload: &[u8]) {
        if (self.codec, self.ssrc) != (codec, packet.ssrc) {
            (self.codec, self.ssrc) = (codec, packet.ssrc);
            self.playout = Playout::default();
            self.decoded.clear();
            self.resampler = None;
        }
        self.playout.put(now, packet.sequence, packet.timestamp, packet.marker, payload);
    }

    /// Goes on to the next frame.
    pub fn next(&mut self, now: Instant) {
        let is_wide = is_wide(self.codec);
        let length = if is_wide { WIDE } else { NARROW };
        while self.decoded.len() < length {
            match self.playout.take(now) {
                Taken::Packet(payload) => self.decode(&payload),
                Taken::Lost => self.decoded.resize(self.decoded.len() + length, 0),
                Taken::Silence => break,
            }
        }
        let count = self.decoded.len().min(length);
        self.sounds = count > 0;
        let own = if is_wide { &mut self.wide[..] } else { &mut self.narrow[..] };
        own[..count].copy_from_slice(&self.decoded[..count]);
        own[count..].fill(0);
        self.decoded.drain(..count);
        let level = if self.sounds { mix::level(own) } else { 0 };
        self.level = level.max(self.level - self.level / LEVEL_DECAY);
    }

    fn decode(&mut self, payload: &[u8]) {
        match self.codec {
            Codec::Pcma => self.decoded.extend(payload.iter().map(|it| g711::alaw_decode(*it))),
            Codec::Pcmu => self.decoded.extend(payload.iter().map(|it| g711::ulaw_decode(*it))),
            Codec::G722 => {
                self.g722.get_or_insert_default().decode(payload, &mut self.decoded);
            }
        }
    }

    /// Whether anything was said in this frame.
    pub fn sounds(&self) -> bool {
        self.sounds
    }

    /// How loud the party was in the last second or so: the root mean square of its samples.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Makes the frame ready for listeners of these rates: `(narrow, wide)`. Once for each frame.
    pub fn prepare(&mut self, (narrow, wide): (bool, bool), fade: Fade) {
        let is_wide = is_wide(self.codec);
        let own = if is_wide { &mut self.wide[..] } else { &mut self.narrow[..] };
        match fade {
            Fade::Begins => mix::fade(own, true),
            Fade::Ends => mix::fade(own, false),
            Fade::Steady => {}
        }
        if !(if is_wide { narrow } else { wide }) {
            self.resampler = None;
            return;
        }
        let rates = if is_wide { (16_000, 8000) } else { (8000, 16_000) };
        let resampler = self.resampler.get_or_insert_with(|| Resampler::new(rates.0, rates.1));
        self.other.clear();
        let (from, to) = match is_wide {
            true => (&self.wide[..], &mut self.narrow[..]),
            false => (&self.narrow[..], &mut self.wide[..]),
        };
        resampler.resample(from, &mut self.other);
        to.copy_from_slice(&self.other[..to.len()]);
    }

    /// The frame at 8 kHz, if it was prepared for that.
    pub fn narrow(&self) -> &[i16; NARROW] {
        &self.narrow
    }

    /// The frame at 16 kHz, if it was prepared for that.
    pub fn wide(&self) -> &[i16; WIDE] {
        &self.wide
    }

    /// One of the two.
    pub fn frame(&self, is_wide: bool) -> &[i16] {
        if is_wide { &self.wide } else { &self.narrow }
    }
}

/// A pause of a second makes a voice as good as silent.
const LEVEL_DECAY: u32 = 16;
