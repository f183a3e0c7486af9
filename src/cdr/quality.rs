//! How a leg's audio went, as the ledger keeps it.

use serde::{Deserialize, Serialize};

/// One leg's audio, each way, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    pub received: u64,
    pub received_lost: u64,
    /// Came, but too late to be heard.
    pub received_late: u64,
    /// Came again.
    pub received_duplicates: u64,
    /// Mean and greatest interarrival jitter.
    pub received_jitter_us: u32,
    pub received_jitter_max_us: u32,
    /// The mean row of losses over that of random losses, in percent; 0 without a loss.
    pub received_burst_percent: u32,
    /// How it sounds, by ITU-T G.107: MOS in hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_mos: Option<u16>,
    pub sent: u64,
    /// As the phone reports, like what follows.
    pub sent_lost: u64,
    /// Of those: never sent, since they were lost before they came to us.
    pub sent_missing: u64,
    pub sent_late: u64,
    pub sent_jitter_us: u32,
    pub sent_jitter_max_us: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_mos: Option<u16>,
    /// What the phone itself thinks of what it hears (RFC 3611), as `sent_mos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_mos: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u32>,
    pub blame: Blame,
    pub strangers: u64,
    /// Packets under another key, or that came a second time, dropped.
    pub forged: u64,
    /// Whether the audio was encrypted in the end.
    pub encrypted: bool,
}

/// Which way between a phone and us is to blame for how a call sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    Both,
    FromPhone,
    /// Neither.
    #[default]
    None,
    ToPhone,
}

impl Blame {
    /// Adds that nothing came from the phone at times, though it should have.
    #[must_use]
    pub const fn one_way(self) -> Self {
        match self {
            Self::Both | Self::ToPhone => Self::Both,
            Self::FromPhone | Self::None => Self::FromPhone,
        }
    }

    /// Judges by the scores of the two ways, each alone: a way is to blame if it sounds worse than
    /// `FAIR_MOS`; one without a score is not.
    pub fn of(from_phone: Option<u16>, to_phone: Option<u16>) -> Self {
        let is_bad = |mos: Option<u16>| mos.is_some_and(|mos| mos < FAIR_MOS);
        match (is_bad(from_phone), is_bad(to_phone)) {
            (true, true) => Self::Both,
            (true, false) => Self::FromPhone,
            (false, true) => Self::ToPhone,
            (false, false) => Self::None,
        }
    }
}

/// MOS in hundredths below which many are dissatisfied: a rating of 70 (ITU-T G.107, Annex B).
const FAIR_MOS: u16 = 360;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_that_sounds_bad_is_to_blame() {
        let (good, bad) = (Some(360), Some(359));
        for (from, to, blame) in [
            (good, good, Blame::None),
            (bad, None, Blame::FromPhone),
            (None, bad, Blame::ToPhone),
            (bad, bad, Blame::Both),
            (None, None, Blame::None),
        ] {
            assert_eq!(Blame::of(from, to), blame);
        }
    }

    /// A ledger of an earlier version is read.
    #[test]
    fn what_was_counted_before_there_were_scores_is_read() {
        let row = r#"{"received":700,"received_lost":3,"received_jitter_us":90,"sent":701,
            "sent_lost":4,"sent_jitter_us":80,"strangers":2}"#;

        let quality: Quality = serde_json::from_str(row).unwrap();

        assert_eq!((quality.received, quality.sent_lost, quality.strangers), (700, 4, 2));
        assert_eq!((quality.received_mos, quality.blame), (None, Blame::None));
        let again = serde_json::to_string(&quality).unwrap();
        assert_eq!(serde_json::from_str::<Quality>(&again).unwrap(), quality);
    }
}
