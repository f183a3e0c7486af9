//! A key of one phone as tones for another, which has no telephone-event.
//!
//! Spec:     RFC 4733 §2.5.2.2 (what is played for the packets of a key); ITU-T Q.23.
//! In:       the packets of the key, as they come.
//! Out:      how much of the tones each of them stands for.
//! Not here: numbering and encoding (`session`).

use crate::audio::keys::Tones;
use crate::audio::tone;
use crate::rtp::dtmf::Event;
use crate::time::{Duration, Instant};

/// The key that is being played to a phone.
#[derive(Debug)]
pub struct Toning {
    tones: Tones,
    ssrc: u32,
    timestamp: u32,
    code: u8,
    /// Samples that were played.
    played: u16,
    at: Instant,
}

impl Toning {
    /// Takes a packet of a key and fills `samples` with what it adds; empty for a repetition and
    /// for what is no key.
    pub fn next<'a>(
        current: &mut Option<Self>,
        now: Instant,
        (ssrc, timestamp, event): (u32, u32, Event),
        samples: &'a mut [i16; SAMPLES_MAX],
    ) -> &'a [i16] {
        let is_same = |it: &Self| it.is_of(ssrc, timestamp) && it.code == event.code;
        if !current.as_ref().is_some_and(is_same) {
            let tones = event.digit().and_then(|key| Tones::new(key, amplitude(event.volume)));
            *current = tones.map(|tones| {
                let Event { code, .. } = event;
                Self { tones, ssrc, timestamp, code, played: 0, at: now }
            });
        }
        let Some(toning) = current else { return &[] };
        toning.at = now;
        let count = usize::from(event.duration.saturating_sub(toning.played)).min(SAMPLES_MAX);
        toning.played = toning.played.max(event.duration);
        for (sample, tone) in samples.iter_mut().zip(toning.tones.by_ref().take(count)) {
            *sample = tone;
        }
        &samples[..count]
    }

    /// Whether the packets of this source and moment are of the key.
    pub fn is_of(&self, ssrc: u32, timestamp: u32) -> bool {
        (self.ssrc, self.timestamp) == (ssrc, timestamp)
    }

    /// Whether audio that comes now is not to be mixed up with the key.
    pub fn is_sounding(&self, now: Instant) -> bool {
        now.since(self.at) < PAUSE
    }
}

/// The peak sample of each tone at so many dB below 0 dBm0.
fn amplitude(volume: u8) -> i16 {
    tone::peak(-f64::from(volume.clamp(LOUDEST, FAINTEST)))
}

/// What one packet may add: 60 ms, more than phones put between two.
pub const SAMPLES_MAX: usize = 480;
/// Both tones together then do not exceed a sample.
const LOUDEST: u8 = 4;
/// What a receiver still takes for a key (ITU-T Q.24).
const FAINTEST: u8 = 25;
/// Audio is held back so long after a packet of a key.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::keys::Detector;

    #[test]
    fn the_packets_of_a_key_become_its_tones_once() {
        let (mut toning, mut heard, mut room) = (None, Vec::new(), [0; SAMPLES_MAX]);
        let now = Instant::START;
        for (key, timestamp) in [(1, 100), (1, 9000), (11, 20_000)] {
            let event = |duration, end| Event { code: key, end, volume: 10, duration };
            for (duration, end) in
                [(160, false), (480, false), (800, true), (800, true), (640, false)]
            {
                let packet = (7, timestamp, event(duration, end));
                heard.extend_from_slice(Toning::next(&mut toning, now, packet, &mut room));
            }
            heard.extend([0; 800]);
        }

        let mut keys = Vec::new();
        Detector::default().hear(&heard, &mut keys);
        assert_eq!(keys, ['1', '1', '#']);
        assert_eq!(heard.len(), 3 * 1600);
    }

    #[test]
    fn what_is_no_key_and_what_is_too_long_is_bounded() {
        let (mut toning, mut room) = (None, [0; SAMPLES_MAX]);
        let flash = Event { code: 16, end: false, volume: 10, duration: 800 };
        assert!(Toning::next(&mut toning, Instant::START, (1, 1, flash), &mut room).is_empty());
        let long = Event { code: 5, end: false, volume: 0, duration: u16::MAX };
        let played = Toning::next(&mut toning, Instant::START, (1, 1, long), &mut room);
        assert_eq!(played.len(), SAMPLES_MAX);
        assert!(played.iter().all(|sample| sample.unsigned_abs() < 32_000));
        assert!(!toning.unwrap().is_sounding(Instant::START + Duration::from_millis(60)));
    }
}
