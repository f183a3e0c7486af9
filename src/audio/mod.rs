//! Audio as samples: codecs, WAV files, tones, spoken numbers.
