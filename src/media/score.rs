//! How each way of a leg sounds: a mean opinion score from what was counted.
//!
//! Spec:     ITU-T G.107, by `rtp::quality`.
//! In:       the figures of one way, the leg's codec, packet time and round trip.
//! Out:      MOS in hundredths.
//! Not here: counting (`reports`), whose fault it is (`cdr`).
//!
//! A leg is scored as if the call ended at the switch: from the phone's mouth to here, and from
//! here to the phone's ear. The delay of either way is half the round trip, one packet, and a
//! jitter buffer of twice the mean jitter, which holds 97 of 100 packets whose delays are normally
//! distributed; the phone's own word about its end (RFC 3611 §4.7.3) counts for the last two.

use crate::media::control::{Counts, Way};
use crate::media::reports::{Figures, Stats};
use crate::rtp::quality::{self, Path, mos, rating};
use crate::sdp::{Codec, Negotiated};
use crate::time::Duration;

/// Puts the figures and what they sound like into the counts.
pub fn fill(counts: &mut Counts, figures: &Figures, audio: Option<&Negotiated>) {
    let Figures { received, sent, sent_missing, .. } = figures;
    take(&mut counts.received, received);
    take(&mut counts.sent, sent);
    counts.sent_missing = *sent_missing;
    counts.round_trip_us = figures.round_trip.map(micros);
    counts.told_mos = figures.told_mos;
    let Some((codec, audio)) = audio.and_then(|it| Some((it.codecs.first()?.codec, it))) else {
        return;
    };
    let packet = Duration::from_millis(audio.ptime.into());
    let score = |stats: &Stats, end: Option<Duration>| {
        let end = end.unwrap_or(packet + 2 * stats.jitter);
        let delay = figures.round_trip.unwrap_or_default() / 2 + end;
        scored(codec, delay, stats)
    };
    counts.received.mos = score(received, None);
    counts.sent.mos = score(sent, figures.end_system_delay);
    let own = Stats { lost: sent.lost.saturating_sub(*sent_missing), ..*sent };
    counts.sent_path_mos = score(&own, figures.end_system_delay);
}

fn take(way: &mut Way, stats: &Stats) {
    way.lost = stats.lost;
    way.late = stats.late;
    way.duplicates = stats.duplicates;
    way.jitter_us = micros(stats.jitter);
    way.jitter_max_us = micros(stats.jitter_max);
    way.burst_percent = stats.burst_ratio.map_or(0, |ratio| (100.0 * ratio).round() as u32);
}

/// `None` if hardly anything was expected.
fn scored(codec: Codec, delay: Duration, stats: &Stats) -> Option<u16> {
    if stats.expected < EXPECTED_MIN {
        return None;
    }
    let lost = (stats.lost + stats.late) as f64 / stats.expected as f64;
    let burst_ratio = stats.burst_ratio.unwrap_or(1.0);
    let codec = match codec {
        Codec::Pcma | Codec::Pcmu => quality::Codec::G711,
        Codec::G722 => quality::Codec::G722,
        Codec::Opus => quality::Codec::OPUS,
    };
    let score = mos(rating(&Path { codec, delay, lost, burst_ratio }));
    Some((100.0 * score).round() as u16)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Packets that a score needs: a second of audio.
const EXPECTED_MIN: u64 = 50;

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::sdp::{Direction, Payload};

    #[test]
    fn a_clean_call_has_the_model_s_score_for_its_delay() {
        let counts = filled(&Figures { received: CLEAN, sent: CLEAN, ..Figures::default() });

        assert_eq!((counts.received.mos, counts.sent.mos), (Some(440), Some(440)));
        assert_eq!((counts.sent_path_mos, counts.told_mos), (Some(440), None));
    }

    #[test]
    fn losses_jitter_and_delay_are_heard() {
        let lossy = Stats { lost: 50, ..CLEAN };
        let bursts = Stats { lost: 50, burst_ratio: Some(4.0), ..CLEAN };
        let late = Stats { late: 50, ..CLEAN };
        let jittery = Stats { jitter: Duration::from_millis(90), ..CLEAN };
        let heard = |received| filled(&Figures { received, ..Figures::default() }).received.mos;

        assert_eq!(heard(lossy), Some(390));
        assert_eq!(heard(late), heard(lossy));
        assert!(heard(bursts) < heard(lossy));
        assert!(heard(jittery) < heard(CLEAN));
        let far = Some(Duration::from_millis(600));
        let far = filled(&Figures { received: CLEAN, round_trip: far, ..Figures::default() });
        assert!(far.received.mos < Some(370), "{far:?}");
        assert_eq!(far.round_trip_us, Some(600_000));
    }

    #[test]
    fn what_was_lost_before_is_not_the_way_s_fault() {
        let sent = Stats { lost: 60, ..CLEAN };

        let counts = filled(&Figures { sent, sent_missing: 60, ..Figures::default() });

        assert_eq!((counts.sent.lost, counts.sent_missing), (60, 60));
        assert!(counts.sent.mos < Some(410));
        assert_eq!(counts.sent_path_mos, Some(440));
    }

    #[test]
    fn nothing_is_said_of_a_moment_or_without_reports() {
        let short = Stats { expected: 49, ..CLEAN };

        let counts = filled(&Figures { received: short, ..Figures::default() });

        assert_eq!((counts.received.mos, counts.sent.mos), (None, None));
    }

    #[test]
    fn the_phone_s_word_about_its_end_counts() {
        let end_system_delay = Some(Duration::from_millis(400));
        let figures = Figures { sent: CLEAN, end_system_delay, ..Figures::default() };

        assert!(filled(&figures).sent.mos < Some(400));
    }

    const CLEAN: Stats = Stats {
        expected: 1000,
        lost: 0,
        late: 0,
        duplicates: 0,
        jitter: Duration::ZERO,
        jitter_max: Duration::ZERO,
        burst_ratio: None,
    };

    fn filled(figures: &Figures) -> Counts {
        let remote = "192.0.2.1:4000".parse().unwrap();
        let audio = Negotiated {
            remote_rtp: remote,
            remote_rtcp: remote,
            signalled: None,
            codecs: smallvec![Payload { codec: Codec::Pcma, receive: 8, send: 8 }],
            digits: smallvec![],
            noise: false,
            opus: None,
            direction: Direction::SendRecv,
            ptime: 20,
            maxptime: None,
            tones: false,
            keys: None,
        };
        let mut counts = Counts::default();
        fill(&mut counts, figures, Some(&audio));
        counts
    }
}
