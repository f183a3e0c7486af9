//! What one party of a room says, frame by frame, at the rates that its listeners need.
//!
//! In:       the party's packets, as they come.
//! Out:      each 20 ms a frame of what it says, at 16 and, if wanted, at 8 kHz.
//! Not here: waiting for packets, decoding, losses (`intake`), who hears it (`room`).

use crate::audio::mix;
use crate::audio::resample::Resampler;
use crate::media::intake::Intake;
use crate::media::session::Heard;
use crate::time::Instant;

/// Samples of a frame at 8 kHz.
pub const NARROW: usize = 160;
/// Samples of a frame at 16 kHz.
pub const WIDE: usize = 320;

/// One party's voice.
#[derive(Debug)]
pub struct Voice {
    intake: Intake,
    narrow: [i16; NARROW],
    wide: [i16; WIDE],
    /// How loud the party was lately.
    level: u32,
    /// Something was said in this frame.
    sounds: bool,
    /// From 16 to 8 kHz, while that is needed.
    down: Option<Resampler>,
    /// Emptied at each frame; kept for its memory.
    resampled: Vec<i16>,
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
            intake: Intake::default(),
            narrow: [0; NARROW],
            wide: [0; WIDE],
            level: 0,
            sounds: false,
            down: None,
            resampled: Vec::new(),
        }
    }

    /// Takes a packet of the party.
    pub fn hear(&mut self, now: Instant, heard: Heard, payload: &[u8]) {
        self.intake.put(now, heard, payload);
    }

    /// Goes on to the next frame.
    pub fn next(&mut self, now: Instant) {
        self.sounds = self.intake.take(now, &mut self.wide);
        let level = if self.sounds { mix::level(&self.wide) } else { 0 };
        self.level = level.max(self.level - self.level / LEVEL_DECAY);
    }

    /// Whether anything was said in this frame.
    pub fn sounds(&self) -> bool {
        self.sounds
    }

    /// How loud the party was in the last second or so: the root mean square of its samples.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Makes the frame ready to be added up, at 8 kHz too if it is wanted `narrow`. Once for each
    /// frame.
    pub fn prepare(&mut self, narrow: bool, fade: Fade) {
        match fade {
            Fade::Begins => mix::fade(&mut self.wide, true),
            Fade::Ends => mix::fade(&mut self.wide, false),
            Fade::Steady => {}
        }
        if !narrow {
            self.down = None;
            return;
        }
        let down = self.down.get_or_insert_with(|| Resampler::new(16_000, 8000));
        self.resampled.clear();
        down.resample(&self.wide, &mut self.resampled);
        self.narrow.copy_from_slice(&self.resampled[..NARROW]);
    }

    /// The frame at 8 kHz, if it was prepared for that.
    pub fn narrow(&self) -> &[i16; NARROW] {
        &self.narrow
    }

    /// The frame at 16 kHz.
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
