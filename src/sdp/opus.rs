//! What a receiver of Opus wants of whoever sends to it: the parameters of `a=fmtp`.
//!
//! Spec:     RFC 7587 §6.1 and §7.
//! In:       the parameters as a peer wrote them, hostile ones too.
//! Out:      values within the limits of the RFC; the parameters written again.
//! Not here: encoding by them (`audio::opus`), who is told whose (`call`).

use serde::{Deserialize, Serialize};

/// The parameters of one stream of Opus, as its receiver declares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opus {
    /// What it can play, as a sampling rate in hertz: 8000 to 48,000.
    pub max_playback_rate: u32,
    /// What its own stream is made from, in the same units.
    pub max_capture_rate: u32,
    /// Bits a second, on average, that may be sent to it: 6000 to 510,000.
    pub max_average_bitrate: Option<u32>,
    /// It wants the same bits in each packet.
    pub constant: bool,
    /// It can use what a packet tells of the one before.
    pub fec: bool,
    /// It wants nothing to be sent in silence.
    pub dtx: bool,
}

impl Default for Opus {
    /// What is true if nothing is said.
    fn default() -> Self {
        Self {
            max_playback_rate: RATE_MAX,
            max_capture_rate: RATE_MAX,
            max_average_bitrate: None,
            constant: false,
            fec: false,
            dtx: false,
        }
    }
}

impl Opus {
    /// What we want if nobody else is to hear the stream.
    pub const OURS: Self = Self {
        max_playback_rate: RATE_MAX,
        max_capture_rate: RATE_MAX,
        max_average_bitrate: None,
        constant: false,
        fec: true,
        dtx: false,
    };

    /// Reads the value of an `a=fmtp` behind its payload type; what it does not know, or cannot
    /// read, is as if it were not there.
    pub fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        for parameter in text.split(';') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            let name = name.trim();
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("maxplaybackrate") {
                parsed.max_playback_rate = value.clamp(RATE_MIN, RATE_MAX);
            } else if is("sprop-maxcapturerate") {
                parsed.max_capture_rate = value.clamp(RATE_MIN, RATE_MAX);
            } else if is("maxaveragebitrate") {
                parsed.max_average_bitrate = Some(value.clamp(BITRATE_MIN, BITRATE_MAX));
            } else if is("cbr") {
                parsed.constant = value == 1;
            } else if is("useinbandfec") {
                parsed.fec = value == 1;
            } else if is("usedtx") {
                parsed.dtx = value == 1;
            }
        }
        parsed
    }

    /// Writes them, those left out that say what is true anyhow; one channel both ways.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.max_playback_rate < RATE_MAX {
            text += &format!("maxplaybackrate={};", self.max_playback_rate);
        }
        if self.max_capture_rate < RATE_MAX {
            text += &format!("sprop-maxcapturerate={};", self.max_capture_rate);
        }
        if let Some(bitrate) = self.max_average_bitrate {
            text += &format!("maxaveragebitrate={bitrate};");
        }
        for (name, set) in [("cbr", self.constant), ("usedtx", self.dtx)] {
            text += &if set { format!("{name}=1;") } else { String::new() };
        }
        text += &format!("useinbandfec={};stereo=0;sprop-stereo=0", u8::from(self.fec));
        text
    }
}

/// Sampling rates that the parameters may name, in hertz (RFC 7587 §6.1).
const RATE_MIN: u32 = 8000;
const RATE_MAX: u32 = 48_000;
/// Bits a second that Opus can have (RFC 7587 §6.1).
const BITRATE_MIN: u32 = 6000;
const BITRATE_MAX: u32 = 510_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_as_phones_write_them() {
        let chrome = Opus::parse("minptime=10;useinbandfec=1");
        assert_eq!(chrome, Opus { fec: true, ..Opus::default() });
        let narrow = Opus::parse(
            "MaxPlaybackRate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; \
             usedtx=1; cbr=1; stereo=1",
        );
        let wanted = Opus {
            max_playback_rate: 16_000,
            max_capture_rate: 16_000,
            max_average_bitrate: Some(20_000),
            constant: true,
            fec: false,
            dtx: true,
        };
        assert_eq!(narrow, wanted);
    }

    #[test]
    fn what_makes_no_sense_is_brought_within_the_limits() {
        for (text, rate, bitrate) in [
            ("maxplaybackrate=1;maxaveragebitrate=0", 8000, Some(6000)),
            ("maxplaybackrate=4000000000;maxaveragebitrate=4000000000", 48_000, Some(510_000)),
            ("maxplaybackrate=-1;maxaveragebitrate=99999999999", 48_000, None),
            ("maxplaybackrate;;=;maxaveragebitrate=x", 48_000, None),
        ] {
            let parsed = Opus::parse(text);
            assert_eq!((parsed.max_playback_rate, parsed.max_average_bitrate), (rate, bitrate));
        }
    }

    #[test]
    fn ours_are_written() {
        assert_eq!(Opus::OURS.text(), "useinbandfec=1;stereo=0;sprop-stereo=0");
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_read_again(text: String) {
            let parsed = Opus::parse(&text);
            prop_assert_eq!(Opus::parse(&parsed.text()), parsed);
        }

        #[test]
        fn what_is_written_is_read(
            rates in (8000_u32..=48_000, 8000_u32..=48_000),
            max_average_bitrate in prop::option::of(6000_u32..=510_000),
            (constant, fec, dtx) in any::<(bool, bool, bool)>(),
        ) {
            let (max_playback_rate, max_capture_rate) = rates;
            let opus = Opus {
                max_playback_rate, max_capture_rate, max_average_bitrate, constant, fec, dtx,
            };
            prop_assert_eq!(Opus::parse(&opus.text()), opus);
        }
    }
}
