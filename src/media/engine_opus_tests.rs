//! Opus beside the other codecs: relayed untouched, transcoded, played, recorded; keys between
//! clocks; comfort noise.

use smallvec::{SmallVec, smallvec};

use super::hall::*;
use crate::audio::opus;
use crate::audio::tone::{Sine, amplitude, purity};
use crate::media::codec::Encoder;
use crate::media::control::{Command, Event};
use crate::rtp::dtmf;
use crate::sdp::{self, Codec, DigitPayload, Negotiated};
use crate::time::Duration;

const ALL: [Codec; 4] = Codec::ALL;

/// Two phones with Opus: each hears the other's packets as they are.
#[test]
fn opus_passes_untouched_between_two() {
    let mut hall = Hall::bridged([Codec::Opus, Codec::Opus]);
    for n in 0..100_u8 {
        hall.speak_bytes(0, 111, &[0x78, n, 1, 2, 3]);
        hall.pass(20);
    }

    let heard = hall.heard(1);
    assert_eq!(heard.len(), 100);
    for (n, packet) in (0..).zip(&heard) {
        assert_eq!((packet.payload_type, &packet.payload[..]), (111, &[0x78, n, 1, 2, 3][..]));
    }
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
    }
    assert!(heard[0].marker && !heard[1..].iter().any(|packet| packet.marker));
    let counts = hall.counts(0);
    assert_eq!((counts.malformed, counts.received.lost, counts.received.jitter_us), (0, 0, 0));
    assert_eq!(counts.received.mos, Some(432));
}

/// What each pair of codecs does to a tone: its level, and all that is no tone.
///
/// No Opus has the -60 dB of noise that linear samples have. The library of Xiph (1.3.1 by ffmpeg
/// and opusdec, complexity 10, a tone of 1004 Hz at -10 dBm0 and 16 kHz) was found to have -40.0,
/// -41.1, -44.2, -48.4 and -48.8 dB at 24, 32, 40, 64 and 256 kbit/s, of which the last is all it
/// can do. Ours, by itself at complexity 5, has -46.5 dB at the 40 kbit/s that 16 kHz are given,
/// and -32.2 at the 24 that 8 kHz are; behind G.711, whose noise it must carry too, -27.
#[test]
fn a_tone_goes_through_each_pair_with_opus() {
    for [here, there] in ALL.map(|other| [[Codec::Opus, other], [other, Codec::Opus]]).concat() {
        let mut line = Line::new([here, there]);
        line.sing(150, |_| true);

        let heard = decoded(there, &line.hall.heard(1));
        let steady = &heard[heard.len() - 8000..];
        let level = 20.0 * (amplitude(steady, TONE, 8000) / 8000.0).log10();
        let noise = 10.0 * (1.0 - purity(steady, TONE, 8000)).max(1e-9).log10();
        assert!(level.abs() < LEVEL_MAX, "{here:?} to {there:?}: {level} dB");
        assert!(noise < NOISE_MAX, "{here:?} to {there:?}: {noise} dB");
        assert!(heard.len() > 150 * 160 - 400, "{}", heard.len());
    }
}

/// The packets have the length that the phone asked for, whatever it is made of.
#[test]
fn packets_are_as_long_as_the_phone_wants() {
    for (there, ptime, length) in [
        (Codec::Opus, 10, 10),
        (Codec::Opus, 20, 20),
        (Codec::Opus, 30, 20),
        (Codec::Opus, 40, 40),
        (Codec::Opus, 60, 60),
        (Codec::Pcma, 10, 10),
        (Codec::Pcma, 30, 30),
        (Codec::Pcma, 60, 60),
        (Codec::G722, 50, 50),
    ] {
        for here in [Codec::Pcmu, Codec::Opus].into_iter().filter(|here| *here != there) {
            let mut line = Line::new([here, there]);
            let audio = Negotiated { ptime, ..negotiated(1, there) };
            line.hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });
            line.sing(60, |_| true);

            let heard = line.hall.heard(1);
            assert_eq!(heard.len(), 1200 / length, "{here:?} to {there:?} of {ptime} ms");
            let ticks = there.clock_rate() / 1000 * length as u32;
            for pair in heard.windows(2) {
                assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
                assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(ticks));
            }
            let samples = decoded(there, &heard);
            assert_eq!(samples.len(), 8 * 1200);
            assert!(purity(&samples[1600..], TONE, 8000) > 0.99);
        }
    }
}

/// A lost packet of Opus is made up for; one of G.711 is lost to the phone with Opus too, which
/// knows better how to conceal it.
#[test]
fn losses_before_transcoding_are_recovered_or_shown() {
    let mut line = Line::new([Codec::Opus, Codec::Pcma]);
    line.sing(150, |n| n % 10 != 6);
    let heard = line.hall.heard(1);
    assert_eq!(heard.len(), 150);
    assert_steady(&heard);
    let samples = decoded(Codec::Pcma, &heard);
    let loudest = |it: &[i16]| it.iter().map(|sample| sample.unsigned_abs()).max();
    let faintest = samples[1600..].chunks_exact(80).filter_map(loudest).min();
    // To the codec a tone is no voice: it lets it fade in a loss.
    assert!(faintest > Some(300), "a hole of {faintest:?}");

    let mut line = Line::new([Codec::Pcma, Codec::Opus]);
    line.sing(150, |n| n % 10 != 6);
    let heard = line.hall.heard(1);
    assert_eq!(heard.len(), 135);
    let gaps = heard.windows(2).filter(|it| it[1].sequence == it[0].sequence.wrapping_add(2));
    let gaps: Vec<_> = gaps.map(|it| it[1].timestamp.wrapping_sub(it[0].timestamp)).collect();
    assert_eq!(gaps, [2 * 960; 15]);
}

/// Discontinuous transmission: what was not sent is no loss, and the phone hears a pause.
#[test]
fn what_a_phone_does_not_send_is_no_loss() {
    for there in [Codec::Opus, Codec::Pcma] {
        let mut line = Line::new([Codec::Opus, there]);
        line.sing(50, |_| true);
        line.hall.pass(1000);
        line.hall.phones[0].timestamp = line.hall.phones[0].timestamp.wrapping_add(48_000);
        line.sing(50, |_| true);

        let heard = line.hall.heard(1);
        assert_eq!(heard.len(), 100, "{there:?}");
        let step = heard[50].timestamp.wrapping_sub(heard[49].timestamp);
        assert_eq!(heard[50].sequence, heard[49].sequence.wrapping_add(1));
        assert_eq!(step, there.clock_rate() / 1000 * 1020, "{there:?}");
        assert_eq!(line.hall.counts(0).received.lost, 0);
    }
}

/// A phone that does not want silence to be sent is not sent it (RFC 7587 §6.1, usedtx).
#[test]
fn silence_is_not_sent_to_who_does_not_want_it() {
    let sent = |dtx| {
        let mut line = Line::new([Codec::Pcma, Codec::Opus]);
        let opus = Some(sdp::Opus { dtx, ..sdp::Opus::default() });
        let audio = Negotiated { opus, ..negotiated(1, Codec::Opus) };
        line.hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });
        for _ in 0..200 {
            line.hall.speak_bytes(0, 8, &[0xd5; 160]);
            line.hall.pass(20);
        }
        line.sing(10, |_| true);
        line.hall.heard(1)
    };

    assert_eq!(sent(false).len(), 210);
    let with = sent(true);
    assert!(with.len() < 60, "{} packets", with.len());
    let pauses = with.windows(2).filter(|it| it[1].timestamp.wrapping_sub(it[0].timestamp) > 960);
    assert!(pauses.clone().count() > 5);
    assert!(pauses.clone().all(|it| it[1].marker));
    assert!(with.windows(2).all(|it| it[1].sequence == it[0].sequence.wrapping_add(1)));
}

/// RFC 7587 §6.1: not more than the phone can play, and than it wants on average.
#[test]
fn what_the_phone_wants_of_opus_is_honoured() {
    let sent = |wanted: sdp::Opus| {
        let mut line = Line::new([Codec::G722, Codec::Opus]);
        let audio = Negotiated { opus: Some(wanted), ..negotiated(1, Codec::Opus) };
        line.hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });
        line.sing(200, |_| true);
        let heard = line.hall.heard(1);
        let bytes: usize = heard.iter().map(|packet| packet.payload.len()).sum();
        // Bandwidths of SILK: 0 to 3 narrow, 4 to 7 medium, 8 to 11 wide (RFC 6716 §3.1).
        let widest = heard.iter().map(|packet| packet.payload[0] >> 3).max().unwrap();
        (8 * bytes / 4, widest)
    };

    let any = sdp::Opus::default();
    let (bits, widest) = sent(any);
    assert!((15_000..44_000).contains(&bits) && widest > 7, "{bits} bits a second, {widest}");
    let (_, widest) = sent(sdp::Opus { max_playback_rate: 8000, ..any });
    assert!(widest < 4, "{widest}");
    let (_, widest) = sent(sdp::Opus { max_playback_rate: 12_000, ..any });
    assert!(widest < 8, "{widest}");
    let (bits, _) = sent(sdp::Opus { max_average_bitrate: Some(10_000), ..any });
    assert!(bits < 11_000, "{bits} bits a second");
}

#[test]
fn prompts_are_heard_in_opus() {
    for ptime in [10, 20, 50, 60] {
        let mut hall = Hall::new();
        hall.open(0);
        hall.phones[0].codec = Codec::Opus;
        let audio = Negotiated { ptime, ..negotiated(0, Codec::Opus) };
        hall.order(Command::Connect { leg: leg(0), audio: Box::new(audio) });
        hall.play(0, &["music"], true);
        hall.pass(1190);

        let heard = hall.heard(0);
        let length = u32::from(opus::frame_ms(ptime));
        assert_eq!(heard.len() as u32, 1200 / length, "{ptime} ms");
        for pair in heard.windows(2) {
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(48 * length));
        }
        assert_eq!(decoded(Codec::Opus, &heard).len(), 9600);
    }
}

/// The two sides of a call between Opus and G.711, each where it belongs.
#[test]
fn a_leg_with_opus_is_recorded() {
    for codecs in [[Codec::Opus, Codec::Pcma], [Codec::Pcma, Codec::Opus], [Codec::Opus; 2]] {
        let mut line = Line::new(codecs);
        line.hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
        line.sing(100, |_| true);
        line.hall.order(Command::StopRecording { leg: leg(0) });

        let samples = &line.hall.tapes[0].samples;
        let channel = |n| samples.iter().skip(n).step_by(2).copied().collect::<Vec<i16>>();
        assert_eq!(samples.len(), 2 * 16_000);
        assert!(purity(&channel(0)[1600..15_000], TONE, 8000) > 0.99, "{codecs:?}");
        assert!(purity(&channel(1)[1600..15_000], 600.0, 8000) > 0.99, "{codecs:?}");
    }
}

/// telephone-event at 8 and at 48 kHz: the key comes through, is as long, and is one key.
#[test]
fn keys_go_over_from_one_clock_to_the_other() {
    for (codecs, clocks) in [
        ([Codec::Opus, Codec::Pcma], [48_000, 8000]),
        ([Codec::Pcma, Codec::Opus], [8000, 48_000]),
        ([Codec::Opus, Codec::Opus], [8000, 48_000]),
        ([Codec::Opus, Codec::Opus], [48_000, 48_000]),
        ([Codec::Opus, Codec::G722], [8000, 8000]),
    ] {
        let mut line = Line::new(codecs);
        for index in [0, 1] {
            let number = 96 + u8::try_from(index).unwrap();
            let clock_rate = clocks[index];
            let digits = DigitPayload { receive: number, send: number, clock_rate };
            let digits: SmallVec<[DigitPayload; 2]> = smallvec![digits];
            let audio = Negotiated { digits, ..negotiated(index, codecs[index]) };
            line.hall.order(Command::Connect { leg: leg(index), audio: Box::new(audio) });
        }
        line.sing(10, |_| true);
        for key in ['5', '5', '#'] {
            line.press(key, clocks[0]);
            line.sing(5, |_| true);
        }

        let told = |digit| Event::Digit { leg: leg(0), digit };
        assert_eq!(line.hall.events, ['5', '5', '#'].map(told), "{codecs:?} {clocks:?}");
        let (mut receiver, mut keys) = (dtmf::Receiver::default(), Vec::new());
        let heard = line.hall.heard(1);
        let mut longest = 0;
        for packet in heard.iter().filter(|packet| packet.payload_type == 97) {
            let event = dtmf::Event::parse(&packet.payload).unwrap();
            let (ssrc, timestamp) = (packet.ssrc, packet.timestamp);
            let clock_rate = codecs[1].clock_rate();
            let input = dtmf::Input::Packet { ssrc, timestamp, clock_rate, event };
            receiver.handle(packet.at, input, &mut keys);
            longest = longest.max(u32::from(event.duration) * 1000 / clocks[1]);
        }
        assert_eq!(keys, ['5', '5', '#'].map(dtmf::Digit), "{codecs:?} {clocks:?}");
        assert_eq!(longest, 100, "{codecs:?} {clocks:?}");
        assert!(heard.windows(2).all(|it| it[1].sequence == it[0].sequence.wrapping_add(1)));
    }
}

/// RFC 3389 §4: who has comfort noise hears it as it is; who has not hears a pause, and no loss.
#[test]
fn comfort_noise_passes_between_those_who_have_it() {
    let heard = |codecs: [Codec; 2], has: bool| {
        let mut line = Line::new(codecs);
        let audio = Negotiated { noise: has, ..negotiated(1, codecs[1]) };
        line.hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });
        line.sing(10, |_| true);
        line.hall.speak_bytes(0, 13, &[60, 100, 140]);
        line.hall.pass(400);
        let phone = &mut line.hall.phones[0];
        phone.timestamp = phone.timestamp.wrapping_add(19 * 160);
        line.sing(10, |_| true);
        let heard = line.hall.heard(1);
        let counts = line.hall.counts(0);
        assert_eq!((counts.malformed, counts.received.lost), (0, 0));
        assert_eq!(counts.received.packets, 21);
        let unbroken = |it: &[Packet]| it[1].sequence == it[0].sequence.wrapping_add(1);
        assert!(heard.windows(2).all(unbroken), "{codecs:?} {has}");
        let step = heard[heard.len() - 10].timestamp.wrapping_sub(heard[9].timestamp);
        assert_eq!(step, codecs[1].clock_rate() / 50 * 21, "{codecs:?} {has}");
        heard
    };

    let passed = heard([Codec::Pcma, Codec::Pcma], true);
    assert_eq!((passed[10].payload_type, &passed[10].payload[..]), (13, &[60, 100, 140][..]));
    assert_eq!(passed[10].timestamp, passed[9].timestamp.wrapping_add(160));
    assert_eq!(passed.len(), 21);
    assert_eq!(heard([Codec::Pcma, Codec::Pcma], false).len(), 20);
    assert_eq!(heard([Codec::Pcmu, Codec::Pcma], true).len(), 21);
    // Who is transcoded and has none hears noise of that level in the pause, all of it.
    for codecs in [[Codec::Pcma, Codec::Opus], [Codec::G722, Codec::Pcma]] {
        let noise = heard(codecs, false);
        assert_eq!(noise.len(), 10 + 20 + 10, "{codecs:?}");
        assert!(noise.iter().all(|it| it.payload_type == number_of(codecs[1])));
        let samples = decoded(codecs[1], &noise);
        let pause = &samples[samples.len() * 12 / 40..samples.len() * 29 / 40];
        let power: f64 = pause.iter().map(|it| f64::from(*it).powi(2)).sum();
        let level = 10.0 * (power / pause.len() as f64).log10() - 20.0 * 32_767_f64.log10();
        assert!((-66.0..-54.0).contains(&level), "{codecs:?}: {level:.1} dBov");
    }
    let passed = heard([Codec::G722, Codec::Pcma], true);
    assert_eq!(passed.len(), 21);
    assert_eq!((passed[10].payload_type, &passed[10].payload[..]), (13, &[60, 100, 140][..]));
    assert!(passed[11].marker && !passed[10].marker, "a talkspurt begins");
}

/// What is not there any more is heard no more: another peer, music, nobody.
#[test]
fn noise_ends_with_whom_it_is_of() {
    for order in [
        Command::Unbridge { leg: leg(0) },
        Command::Bridge { a: leg(1), b: leg(2) },
        Command::Close { leg: leg(0) },
    ] {
        let mut line = Line::new([Codec::Pcma, Codec::Opus]);
        line.hall.connect(2, Codec::Pcma);
        line.sing(10, |_| true);
        line.hall.speak_bytes(0, 13, &[60]);
        line.hall.pass(200);
        assert_eq!(line.hall.heard(1).len(), 20);
        line.hall.order(order.clone());
        line.hall.pass(1000);

        assert_eq!(line.hall.heard(1).len(), 20, "{order:?}");
    }
}

/// No bytes are a packet that harms: they are counted, and the call goes on.
#[test]
fn malformed_packets_of_opus_are_counted() {
    let mut line = Line::new([Codec::Opus, Codec::Pcma]);
    line.sing(10, |_| true);
    for payload in [&[][..], &[0x03], &[0x03, 0], &[0xff; 300], &[0x0b, 0x3f, 1]] {
        line.hall.speak_bytes(0, 111, payload);
        line.hall.pass(20);
    }
    line.sing(10, |_| true);

    assert_eq!(line.hall.heard(1).len(), 20);
    assert_eq!(line.hall.counts(0).malformed, 5);
}

/// Phone 0 sings at `TONE`, phone 1 at 600 Hz.
struct Line {
    hall: Hall,
    codecs: [Codec; 2],
    voices: [(Sine, Encoder); 2],
}

impl Line {
    fn new(codecs: [Codec; 2]) -> Self {
        let voices = [TONE, 600.0].map(|it| (Sine::new(it, 8000, 8000), Encoder::default()));
        Self { hall: Hall::bridged(codecs), codecs, voices }
    }

    /// Both sing for so many packets of 20 ms; those of phone 0 come if that is said.
    fn sing(&mut self, packets: u32, comes: impl Fn(u32) -> bool) {
        for n in 0..packets {
            for (index, (tone, encoder)) in self.voices.iter_mut().enumerate() {
                let codec = self.codecs[index];
                let samples: Vec<i16> = tone.take(160).collect();
                let payload = encoded(encoder, codec, &samples);
                if index == 1 || comes(n) {
                    self.hall.speak_bytes(index, number_of(codec), &payload);
                } else {
                    let phone = &mut self.hall.phones[index];
                    phone.sequence = phone.sequence.wrapping_add(1);
                    phone.timestamp = phone.timestamp.wrapping_add(phone.step());
                }
            }
            self.hall.pass(20);
        }
    }

    /// Phone 0 presses a key for 100 ms.
    fn press(&mut self, key: char, clock_rate: u32) {
        let began = self.hall.phones[0].timestamp;
        for sent in dtmf::Sender::new(key, Duration::from_millis(100)).unwrap() {
            let duration = sent.event.duration * (clock_rate / 8000) as u16;
            let event = dtmf::Event { duration, ..sent.event };
            let at = self.hall.phones[0].timestamp;
            self.hall.phones[0].timestamp = began;
            self.hall.speak_bytes(0, 96, &event.bytes());
            let phone = &mut self.hall.phones[0];
            phone.timestamp = at.wrapping_add(phone.step());
            self.hall.pass(20);
        }
    }
}

/// In dB.
const LEVEL_MAX: f64 = 0.2;
const NOISE_MAX: f64 = -27.0;
/// In hertz; in no simple ratio to the sampling rates.
const TONE: f64 = 1004.0;
