//! One voice, made even: from packets as they come to 16 kHz samples whenever they are wanted.
//!
//! In:       packets of a phone that may be decoded, in any order; time.
//! Out:      as many samples as are asked for; losses are concealed, pauses are silent.
//! Not here: when packets are due (`rtp::jitter`), what is done with the voice (`engine`).

use crate::audio::conceal::Concealer;
use crate::audio::pitch::RATE;
use crate::audio::resample::Resampler;
use crate::audio::{g711, g722, pace};
use crate::media::outgoing::Incoming;
use crate::rtp::jitter::{Counts, Jitter, Next, Pace, Packet};
use crate::sdp::Codec;
use crate::time::{Duration, Instant};

/// Takes in the packets of one phone.
#[derive(Clone, Debug)]
pub struct Intake {
    jitter: Jitter<Codec>,
    decoder: Decoder,
    concealer: Concealer,
    /// Samples that wait to be heard: less than a packet, usually.
    waiting: Vec<i16>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            jitter: Jitter::new(CLOCK),
            decoder: Decoder::default(),
            concealer: Concealer::default(),
            waiting: Vec::with_capacity(2 * FRAME),
        }
    }
}

impl Intake {
    /// Takes a packet; what makes no sense is counted and has no effect.
    pub fn put(&mut self, now: Instant, packet: Incoming, codec: Codec, payload: &[u8]) {
        let Incoming { sequence, timestamp, ssrc, .. } = packet;
        let duration = payload.len() as u32; // G.711 and G.722: a byte a tick
        let packet = Packet { ssrc, sequence, timestamp, duration, tag: codec, payload };
        self.jitter.put(now, packet);
    }

    /// Fills `samples` with what is to be heard at this moment; false if that is silence.
    pub fn take(&mut self, now: Instant, samples: &mut [i16]) -> bool {
        let mut speaks = !self.waiting.is_empty(); // the rest of a packet: a pause leaves none
        while self.waiting.len() < samples.len() {
            let missing = samples.len() - self.waiting.len();
            let start = self.waiting.len();
            let next = self.jitter.next(now, (missing / TICK).max(1) as u32);
            speaks |= next != Next::Pause;
            match next {
                Next::Packet { tag: codec, payload } => {
                    self.decoder.decode(codec, payload, &mut self.waiting);
                    self.concealer.hear(&mut self.waiting[start..]);
                    self.keep_pace(now);
                }
                Next::Late => self.conceal(missing),
                Next::Lost(units) => self.conceal(units as usize * TICK),
                Next::Pause => {
                    self.waiting.resize(samples.len(), 0);
                    self.concealer.hear(&mut self.waiting[start..]);
                }
            }
        }
        samples.copy_from_slice(&self.waiting[..samples.len()]);
        self.waiting.drain(..samples.len());
        speaks
    }

    /// What happened to packets, besides being heard.
    pub fn counts(&self) -> Counts {
        self.jitter.counts()
    }

    /// How long what is heard now has waited at least; `None` while nothing is heard.
    pub fn delay(&self, now: Instant) -> Option<Duration> {
        let ticks = self.jitter.delay(now, self.held())?;
        Some(Duration::from_micros(ticks.max(0) as u64 * 1_000_000 / u64::from(CLOCK)))
    }

    fn conceal(&mut self, count: usize) {
        let start = self.waiting.len();
        self.waiting.resize(start + count, 0);
        self.concealer.conceal(&mut self.waiting[start..]);
    }

    fn keep_pace(&mut self, now: Instant) {
        match self.jitter.pace(now, self.held()) {
            Pace::Faster => _ = pace::shorten(&mut self.waiting),
            Pace::Keep => {}
            Pace::Slower => _ = pace::lengthen(&mut self.waiting),
        }
    }

    /// Ticks of the RTP clock that were decoded and not heard yet.
    fn held(&self) -> u32 {
        (self.waiting.len() / TICK) as u32
    }
}

/// Decodes to 16 kHz, whatever the codec.
#[derive(Clone, Debug)]
struct Decoder {
    g722: g722::Decoder,
    up: Resampler,
    /// Emptied at each packet; kept for its memory.
    narrow: Vec<i16>,
}

impl Default for Decoder {
    fn default() -> Self {
        let up = Resampler::new(CLOCK, RATE);
        Self { g722: g722::Decoder::default(), up, narrow: Vec::new() }
    }
}

impl Decoder {
    /// Appends two samples for each tick of the RTP clock.
    fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut Vec<i16>) {
        let law = match codec {
            Codec::Pcma => g711::alaw_decode,
            Codec::Pcmu => g711::ulaw_decode,
            Codec::G722 => return self.g722.decode(payload, samples),
        };
        self.narrow.clear();
        self.narrow.extend(payload.iter().map(|byte| law(*byte)));
        self.up.resample(&self.narrow, samples);
    }
}

/// The RTP clock of G.711 and G.722, in hertz.
const CLOCK: u32 = 8000;
/// Samples in a tick of it.
const TICK: usize = (RATE / CLOCK) as usize;
/// Samples of 20 ms.
const FRAME: usize = RATE as usize / 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, purity};
    use crate::media::codec::Encoder;
    use crate::rng::Rng;

    /// A tone of 400 Hz in packets, and the ear that hears it, in milliseconds.
    struct Line {
        intake: Intake,
        encoder: Encoder,
        sine: Sine,
        sent: u32,
        heard: Vec<i16>,
    }

    impl Line {
        fn new() -> Self {
            Self {
                intake: Intake::default(),
                encoder: Encoder::default(),
                sine: Sine::new(400.0, 8000, CLOCK),
                sent: 0,
                heard: Vec::new(),
            }
        }

        /// The next packet, of 20 ms, comes at this moment, if it comes.
        fn packet(&mut self, at: u64, codec: Codec, comes: bool) {
            let samples: Vec<i16> = self.sine.by_ref().take(FRAME / TICK).collect();
            let mut payload = [0; FRAME / TICK];
            self.encoder.encode(codec, &samples, &mut payload);
            let packet = Incoming {
                sequence: (65_530 + self.sent) as u16,
                timestamp: (u32::MAX - 1000).wrapping_add(160 * self.sent),
                ssrc: 7,
                marker: false,
                event: false,
            };
            self.sent += 1;
            if comes {
                self.intake.put(moment(at), packet, codec, &payload);
            }
        }

        fn listen(&mut self, at: u64) -> bool {
            let mut frame = [0; FRAME];
            let speaks = self.intake.take(moment(at), &mut frame);
            self.heard.extend_from_slice(&frame);
            speaks
        }
    }

    fn moment(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    #[test]
    fn a_voice_is_whole_over_jitter_and_loss() {
        for codec in Codec::ALL {
            let mut line = Line::new();
            for n in 0..500_u64 {
                let late = if n % 7 == 3 { 15 } else { 0 };
                line.packet(20 * n + late, codec, n % 50 != 20);
                line.listen(20 * n + 19);
            }

            let pure = purity(&line.heard[8000..], 400.0, RATE);
            assert!(pure > 0.97, "{codec:?}: {pure}");
            assert_eq!(line.intake.counts().lost, 10);
            let delay = line.intake.delay(moment(20 * 499 + 19)).unwrap();
            assert!(delay < Duration::from_millis(60), "{delay:?}");
        }
    }

    #[test]
    fn a_burst_that_was_held_up_is_heard_and_caught_up_with() {
        let mut line = Line::new();
        let mut delays = Vec::new();
        for n in 0..900_u64 {
            let at = 20 * n;
            if !(600..610).contains(&n) {
                let held_up = if n == 610 { 10 } else { 0 };
                for _ in 0..=held_up {
                    line.packet(at, Codec::G722, true);
                }
            }
            line.listen(at + 10);
            delays.push(line.intake.delay(moment(at + 10)).unwrap_or_default());
        }

        assert_eq!(line.intake.counts(), Counts::default());
        assert!(delays[612] > Duration::from_millis(150), "{:?}", delays[612]);
        assert!(delays[700] < Duration::from_millis(80), "{:?}", delays[700]);
    }

    /// A packet of 60 ms is a voice in each of its three frames.
    #[test]
    fn long_packets_speak_all_the_time() {
        let mut intake = Intake::default();
        let mut spoke = Vec::new();
        for n in 0..60_u32 {
            if n % 3 == 0 {
                let (sequence, timestamp) = ((n / 3) as u16, 160 * n);
                let (ssrc, marker, event) = (7, false, false);
                let packet = Incoming { sequence, timestamp, ssrc, marker, event };
                intake.put(moment(20 * u64::from(n)), packet, Codec::Pcma, &[0x21; 480]);
            }
            spoke.push(intake.take(moment(20 * u64::from(n) + 5), &mut [0; FRAME]));
        }

        let begins = spoke.iter().position(|spoke| *spoke).unwrap();
        assert!(spoke[begins..].iter().all(|spoke| *spoke), "{spoke:?}");
    }

    #[test]
    fn who_says_nothing_is_silent() {
        let mut line = Line::new();
        assert!(!line.listen(0));
        for n in 1..20 {
            line.packet(20 * n, Codec::Pcma, true);
            line.listen(20 * n + 5);
        }
        let spoke: Vec<bool> = (20..60).map(|n| line.listen(20 * n + 5)).collect();

        assert!(spoke[0] && !spoke[39]);
        assert!(line.heard[line.heard.len() - FRAME..].iter().all(|sample| *sample == 0));
    }

    /// Whatever a phone sends, whenever: no panic, no growth, and the listener gets his samples.
    #[test]
    fn any_packets_at_any_time_are_borne() {
        for seed in 0..20 {
            let mut rng = Rng::from_number(seed);
            let mut intake = Intake::default();
            let (mut at, mut sequence, mut timestamp) = (0, rng.u16(), rng.u32());
            for _ in 0..1000 {
                at += [0, 0, 1, 20, 20, 60, 5000, 1_000_000_000][rng.below(8) as usize];
                let step = [1, 1, 1, 2, 0, 40, 70, u32::from(rng.u16())][rng.below(8) as usize];
                sequence = sequence.wrapping_add(step as u16);
                let step = [160, 160, 160, 0, 80, 5000, 1 << 31, rng.u32()][rng.below(8) as usize];
                timestamp = timestamp.wrapping_add(step);
                let packet = Incoming {
                    sequence,
                    timestamp,
                    ssrc: rng.below(20) / 19,
                    marker: false,
                    event: false,
                };
                let payload =
                    vec![rng.u16() as u8; [160, 0, 1, 80, 480, 2000][rng.below(6) as usize]];
                let codec = Codec::ALL[rng.below(3) as usize];
                intake.put(moment(at), packet, codec, &payload);
                let mut frame = [0; FRAME];
                for _ in 0..rng.below(3) {
                    intake.take(moment(at), &mut frame);
                }
                assert!(intake.waiting.len() < 9 * FRAME, "{} wait", intake.waiting.len());
            }
        }
    }
}
