//! Audio as samples: codecs, WAV files, tones and keys, sampling rates, mixing.

pub mod g711;
pub mod g722;
pub mod keys;
pub mod mix;
pub mod resample;
pub mod tone;
pub mod wav;
