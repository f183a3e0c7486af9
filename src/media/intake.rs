//! One voice, made even: from packets as they come to 16 kHz samples whenever they are wanted.
//!
//! Spec:     RFC 6716 §2.1.7 and §4.4 (losses of Opus), RFC 3389 §4 (comfort noise).
//! In:       packets of a phone that may be decoded, in any order; time.
//! Out:      as many samples as are asked for; losses are concealed, pauses are silent, or the
//!           noise that the phone says.
//! Not here: when packets are due (`rtp::jitter`), what is done with the voice (`engine`).

use crate::audio::conceal::Concealer;
use crate::audio::noise::Noise;
use crate::audio::pitch::RATE;
use crate::audio::resample::Resampler;
use crate::audio::{g711, g722, opus, pace};
use crate::media::codec;
use crate::media::session::{Heard, Kind};
use crate::rtp::jitter::{Counts, Jitter, Next, Pace, Packet};
use crate::sdp::Codec;
use crate::time::{Duration, Instant};

/// Takes in the packets of one phone.
#[derive(Debug)]
pub struct Intake {
    jitter: Jitter<Sound>,
    decoder: Decoder,
    concealer: Concealer,
    /// What the last packet was.
    last: Sound,
    /// It was one of Opus that says that nothing is said.
    hushed: bool,
    /// What is heard while nothing is said.
    noise: Option<Noise>,
    /// Samples that wait to be heard: less than a packet, usually.
    waiting: Vec<i16>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Voice(Codec),
    Noise,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            jitter: Jitter::new(CLOCK),
            decoder: Decoder::default(),
            concealer: Concealer::default(),
            last: Sound::Voice(Codec::Pcma),
            hushed: false,
            noise: None,
            waiting: Vec::with_capacity(2 * FRAME),
        }
    }
}

impl Intake {
    /// Takes a packet; what makes no sense is counted and has no effect.
    pub fn put(&mut self, now: Instant, heard: Heard, payload: &[u8]) {
        let Heard { kind, packet, moment, .. } = heard;
        let (tag, duration) = match kind {
            Kind::Audio(codec) => {
                let ticks = codec::ticks(codec, payload) / (codec.clock_rate() / CLOCK);
                (Sound::Voice(codec), ticks)
            }
            Kind::Noise => (Sound::Noise, 0),
            Kind::Digit { .. } | Kind::Unknown => return,
        };
        let (ssrc, sequence) = (packet.ssrc, packet.sequence);
        let packet = Packet { ssrc, sequence, timestamp: moment, duration, tag, payload };
        self.jitter.put(now, packet);
    }

    /// Fills `samples` with what is to be heard at this moment; false if that is silence.
    pub fn take(&mut self, now: Instant, samples: &mut [i16]) -> bool {
        let mut speaks = !self.waiting.is_empty(); // the rest of a packet: a pause leaves none
        while self.waiting.len() < samples.len() {
            let missing = samples.len() - self.waiting.len();
            let start = self.waiting.len();
            // A lost packet of Opus is made up for at once.
            let is_opus = self.last == Sound::Voice(Codec::Opus);
            let wanted = if is_opus { PACKET_MAX } else { (missing / TICK).max(1) as u32 };
            let next = self.jitter.next(now, wanted);
            speaks |= next != Next::Pause;
            match next {
                Next::Packet { tag: Sound::Voice(codec), payload } => {
                    (self.last, self.noise) = (Sound::Voice(codec), None);
                    self.hushed = codec == Codec::Opus && opus::is_silent(payload);
                    self.decoder.decode(codec, payload, &mut self.waiting);
                    self.concealer.hear(&mut self.waiting[start..]);
                    self.keep_pace(now);
                }
                Next::Packet { tag: Sound::Noise, payload } => {
                    self.last = Sound::Noise;
                    self.noise = Noise::parse(payload);
                }
                Next::Late | Next::Pause if self.noise.is_some() || self.hushed => {
                    self.rest(missing);
                    speaks = true;
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
        if self.last == Sound::Voice(Codec::Opus) {
            let next = self.jitter.following();
            let next = next.filter(|(tag, _)| *tag == Sound::Voice(Codec::Opus));
            self.decoder.conceal(count, next.map(|(_, payload)| payload), &mut self.waiting);
            return self.concealer.hear(&mut self.waiting[start..]);
        }
        self.waiting.resize(start + count, 0);
        self.concealer.conceal(&mut self.waiting[start..]);
    }

    /// What is heard while the phone says that nothing is said: its noise.
    fn rest(&mut self, count: usize) {
        let start = self.waiting.len();
        match &mut self.noise {
            Some(noise) => self.decoder.noise(noise, count, &mut self.waiting),
            None => self.decoder.conceal(count, None, &mut self.waiting),
        }
        self.concealer.hear(&mut self.waiting[start..]);
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
#[derive(Debug)]
struct Decoder {
    g722: g722::Decoder,
    /// Made when the phone first uses Opus.
    opus: Option<Box<opus::Decoder>>,
    up: Resampler,
    /// Emptied at each packet; kept for its memory.
    narrow: Vec<i16>,
}

impl Default for Decoder {
    fn default() -> Self {
        let up = Resampler::new(CLOCK, RATE);
        Self { g722: g722::Decoder::default(), opus: None, up, narrow: Vec::new() }
    }
}

impl Decoder {
    /// Appends two samples for each tick of the RTP clock at 8 kHz; none of what is no packet.
    fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut Vec<i16>) {
        let law = match codec {
            Codec::Pcma => g711::alaw_decode,
            Codec::Pcmu => g711::ulaw_decode,
            Codec::G722 => return self.g722.decode(payload, samples),
            Codec::Opus => {
                // A malformed packet is as good as none.
                let _ = self.opus.get_or_insert_default().decode(payload, samples);
                return;
            }
        };
        self.narrow.clear();
        self.narrow.extend(payload.iter().map(|byte| law(*byte)));
        self.up.resample(&self.narrow, samples);
    }

    /// Appends at least so many samples of a stream of Opus of which a piece is missing; `next` is
    /// the packet after it, if that is here.
    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) {
        let opus = self.opus.get_or_insert_default();
        match next {
            Some(next) => opus.recover(next, count, samples),
            None => opus.conceal(count, samples),
        }
    }

    /// Appends at least so many samples of noise.
    fn noise(&mut self, noise: &mut Noise, count: usize, samples: &mut Vec<i16>) {
        self.narrow.clear();
        self.narrow.extend(noise.take(count.div_ceil(TICK)));
        self.up.resample(&self.narrow, samples);
    }
}

/// The RTP clock of G.711 and G.722, in hertz; that of Opus is brought to it.
const CLOCK: u32 = 8000;
/// Ticks of it in the longest packet: 120 ms.
const PACKET_MAX: u32 = 960;
/// Samples in a tick of it.
const TICK: usize = (RATE / CLOCK) as usize;
/// Samples of 20 ms.
const FRAME: usize = RATE as usize / 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::{Sine, purity};
    use crate::media::codec::{Encoder, Pcm};
    use crate::media::outgoing::Incoming;
    use crate::media::prompt::Prompt;
    use crate::rng::Rng;

    /// A tone of 400 Hz in packets, and the ear that hears it, in milliseconds.
    struct Line {
        intake: Intake,
        encoder: Encoder,
        sine: Sine,
        sent: u32,
        /// Of the time that has passed, in packets.
        time: u32,
        heard: Vec<i16>,
    }

    impl Line {
        fn new() -> Self {
            Self {
                intake: Intake::default(),
                encoder: Encoder::default(),
                sine: Sine::new(400.0, 8000, CLOCK),
                sent: 0,
                time: 0,
                heard: Vec::new(),
            }
        }

        /// The next packet, of 20 ms, comes at this moment, if it comes.
        fn packet(&mut self, at: u64, codec: Codec, comes: bool) {
            let samples: Vec<i16> = self.sine.by_ref().take(FRAME / TICK).collect();
            self.say(at, &samples, codec, comes);
        }

        fn say(&mut self, at: u64, samples: &[i16], codec: Codec, comes: bool) {
            let mut payload = [0; opus::PAYLOAD_MAX];
            let pcm = Pcm { samples, rate: CLOCK };
            let wishes = opus::Wishes { fec: true, ..opus::Wishes::ANY };
            let room = &mut payload[..codec::bytes_max(codec, 20)];
            let length = self.encoder.encode(codec, wishes, pcm, room).unwrap();
            let heard = self.next(Kind::Audio(codec));
            if comes {
                self.intake.put(moment(at), heard, &payload[..length]);
            }
        }

        /// The numbers of the next packet, 20 ms after the one before.
        fn next(&mut self, kind: Kind) -> Heard {
            let sequence = (65_530 + self.sent) as u16;
            let timestamp = (u32::MAX - 1000).wrapping_add(160 * self.time);
            self.sent += 1;
            self.time += 1;
            heard(kind, sequence, timestamp)
        }

        fn listen(&mut self, at: u64) -> bool {
            let mut frame = [0; FRAME];
            let speaks = self.intake.take(moment(at), &mut frame);
            self.heard.extend_from_slice(&frame);
            speaks
        }
    }

    fn heard(kind: Kind, sequence: u16, timestamp: u32) -> Heard {
        let (ssrc, marker, event) = (7, false, false);
        let packet = Incoming { sequence, timestamp, ssrc, marker, event };
        Heard { kind, packet, moment: timestamp, length: 0 }
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

            // Opus may go on at another phase after a loss.
            let pieces = line.heard[8000..].chunks_exact(400);
            let pure = pieces.clone().map(|it| purity(it, 400.0, RATE)).sum::<f64>();
            let pure = pure / pieces.len() as f64;
            let least = if codec == Codec::Opus { 0.94 } else { 0.97 };
            assert!(pure > least, "{codec:?}: {pure}");
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

    /// RFC 3389: what is said of the silence is heard until somebody speaks again.
    #[test]
    fn comfort_noise_is_heard_in_a_pause() {
        let mut line = Line::new();
        for n in 0..50 {
            line.packet(20 * n, Codec::Pcma, true);
            line.listen(20 * n + 5);
        }
        let noise = line.next(Kind::Noise);
        line.intake.put(moment(1000), noise, &[40]);
        let spoke: Vec<bool> = (50..150).map(|n| line.listen(20 * n + 5)).collect();
        assert!(spoke.iter().all(|spoke| *spoke));
        let noise = &line.heard[60 * FRAME..];
        let power: f64 = noise.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let level = 10.0 * (power / noise.len() as f64).log10() - 20.0 * 32_767_f64.log10();
        assert!((level + 40.0).abs() < 1.5, "{level} dBov");
        assert_eq!(line.intake.counts(), Counts::default());

        line.time = 150;
        line.packet(3000, Codec::Pcma, true);
        assert!((0..40).map(|n| line.listen(3005 + 20 * n)).any(|spoke| !spoke), "no noise more");
        assert_eq!(line.intake.counts().lost, 0);
    }

    /// What a packet of Opus tells of the one before is heard, if the encoder was told of losses.
    #[test]
    fn a_lost_packet_of_opus_is_taken_from_the_next() {
        let speech = include_bytes!("../../prompts/en-US/recording-notice.wav");
        let speech = Prompt::from_wav(speech).unwrap().samples;
        let heard = |percent, lost: bool| {
            let mut line = Line::new();
            line.encoder.expect_loss(percent);
            for (n, samples) in (0..).zip(speech.chunks_exact(FRAME / TICK)) {
                line.say(20 * n, samples, Codec::Opus, !lost || n % 7 != 5);
                line.listen(20 * n + 19);
            }
            line.heard
        };
        // In dB below the voice: what the losses did to it.
        let harm = |percent| {
            let (whole, holed) = (heard(percent, false), heard(percent, true));
            let power = |samples: &mut dyn Iterator<Item = i32>| -> f64 {
                samples.map(|sample| f64::from(sample).powi(2)).sum()
            };
            let voice = power(&mut whole.iter().map(|it| i32::from(*it)));
            let pairs = whole.iter().zip(&holed);
            let harm = power(&mut pairs.map(|(one, other)| i32::from(*one) - i32::from(*other)));
            10.0 * (harm / voice).log10()
        };

        let (without, with) = (harm(0), harm(20));
        assert!(with < without - 3.0, "{with:.1} dB with it, {without:.1} dB without it");
    }

    /// A packet of 60 ms is a voice in each of its three frames.
    #[test]
    fn long_packets_speak_all_the_time() {
        let mut intake = Intake::default();
        let mut spoke = Vec::new();
        for n in 0..60_u32 {
            if n % 3 == 0 {
                let heard = heard(Kind::Audio(Codec::Pcma), (n / 3) as u16, 160 * n);
                intake.put(moment(20 * u64::from(n)), heard, &[0x21; 480]);
            }
            spoke.push(intake.take(moment(20 * u64::from(n) + 5), &mut [0; FRAME]));
        }

        let begins = spoke.iter().position(|spoke| *spoke).unwrap();
        assert!(spoke[begins..].iter().all(|spoke| *spoke), "{spoke:?}");
    }

    /// The longest that a datagram holds: all of it is heard, and nothing between two.
    #[test]
    fn packets_of_a_quarter_of_a_second_are_heard_whole() {
        let mut intake = Intake::default();
        let mut quiet = 0;
        for n in 0..120_u32 {
            if n % 12 == 0 {
                let heard = heard(Kind::Audio(Codec::Pcma), (n / 12) as u16, 160 * n);
                intake.put(moment(20 * u64::from(n)), heard, &[0x21; 240 * 8]);
            }
            let mut frame = [0; FRAME];
            intake.take(moment(20 * u64::from(n) + 5), &mut frame);
            quiet += u32::from(n >= 24 && frame.iter().all(|sample| sample.unsigned_abs() < 100));
        }

        assert_eq!(quiet, 0);
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
                let payload =
                    vec![rng.u16() as u8; [160, 0, 1, 80, 480, 2000][rng.below(6) as usize]];
                let kind = match Codec::ALL.get(rng.below(5) as usize) {
                    Some(codec) => Kind::Audio(*codec),
                    None => Kind::Noise,
                };
                let mut heard = heard(kind, sequence, timestamp);
                heard.packet.ssrc = rng.below(20) / 19;
                intake.put(moment(at), heard, &payload);
                let mut frame = [0; FRAME];
                for _ in 0..rng.below(3) {
                    intake.take(moment(at), &mut frame);
                }
                assert!(intake.waiting.len() < 14 * FRAME, "{} wait", intake.waiting.len());
            }
        }
    }
}
