//! Audio as samples: codecs, WAV files, tones, sampling rates.

pub mod g711;
pub mod tone;
pub mod wav;
