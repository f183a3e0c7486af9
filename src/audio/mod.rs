//! Audio as samples: codecs, WAV files, tones and keys, sampling rates, mixing, losses and pace.

pub mod conceal;
pub mod g711;
pub mod g722;
pub mod keys;
pub mod mix;
pub mod noise;
pub mod ogg_opus;
pub mod opus;
pub mod pace;
pub mod pitch;
pub mod resample;
pub mod tone;
pub mod wav;
