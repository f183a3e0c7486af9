//! What sound becomes on its way through the switch: level, noise, delay and gaps, for every pair
//! of codecs by every path, and in recordings.
//!
//! The noise of a path is judged beside that of its codecs alone: each is measured by itself, and
//! the path may add next to nothing. At -10 dBm0 all but a tone of 1004 Hz was found to be:
//!
//! | codec, or pair            | alone    | relayed  | in a room |
//! |---------------------------|----------|----------|-----------|
//! | A-law, µ-law, G.722       | -38.0, -38.8, -47.3 dB | the same | as two in a row |
//! | A-law to µ-law and back   |          | -37.1, -37.6 dB | -33.8 dB |
//! | G.722 to A-law and to µ-law, and back |   | -37.5, -38.4 dB | |
//!
//! Levels stay within 0.16 dB (the tables between A-law and µ-law, ITU-T G.711), within 0.01 dB
//! elsewhere. A relayed packet waits for nothing, but 5.4 ms of it for the filters of G.722 and of
//! another rate; a mixed one 48 ms without any jitter.

use super::*;
use crate::audio::tone::{amplitude, peak};
use crate::audio::{g722, opus::Wishes};
use crate::media::codec::Pcm;
use crate::media::control::{Ear, Party, Room, RoomId};
use crate::rng::Rng;
use crate::rtp::srtp::Suite;

/// ITU-T O.133 uses it too: in no simple ratio to the sampling rates, so all levels are visited.
const TONE: f64 = 1004.0;
/// In dBm0.
const LEVEL: f64 = -10.0;
/// How much of the tone there is, and which second of what is heard is looked at.
const TONE_MS: usize = 1500;
const LOOK_FROM_MS: usize = 300;
/// Then silence, and a sweep that shows where in time something is.
const SWEEP_FROM_MS: usize = 1700;
const SWEEP_MS: usize = 100;
const ALL_MS: usize = 2000;
/// In a recording the first packet has no room before the begin: all is as much earlier.
const PACKET_MS: f64 = 20.0;

/// What a phone of this codec says in a packet: samples at its rate, and bytes.
fn rate_of(codec: Codec) -> usize {
    match codec {
        Codec::Pcma | Codec::Pcmu => 8000,
        Codec::G722 | Codec::Opus => 16_000,
    }
}

/// What is heard between one phone and another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Bridge,
    /// Both legs are encrypted.
    Secure,
    /// A third one listens, and says nothing.
    Room,
}

/// How a signal came out.
#[derive(Clone, Copy, Debug)]
struct Figures {
    /// In dB, of what went in.
    level: f64,
    /// Everything but the tone, in dB of the tone.
    noise: f64,
    /// In milliseconds.
    delay: f64,
    /// The weakest 10 ms of the tone, in dB of the strongest.
    dip: f64,
}

#[test]
fn a_tone_keeps_its_level_through_every_pair() {
    for path in [Path::Bridge, Path::Secure, Path::Room] {
        for (from, alone_from) in each_alone() {
            for (to, alone_to) in each_alone() {
                let figures = through(path, from, to);
                let Figures { level, noise, delay, dip } = figures;
                let what = format!("{path:?} {from:?} to {to:?}: {figures:?}");
                // Values of one law lie near the steps of the other: whatever moves them by one is
                // heard as a step. It is their own noise, but larger than the sum.
                let is_apart = from != to && rate_of(from) == rate_of(to);
                let own = match path {
                    Path::Room if is_apart => sum(alone_from.noise, alone_to.noise) + 1.0,
                    Path::Bridge | Path::Secure if from == to => alone_from.noise,
                    _ => sum(alone_from.noise, alone_to.noise),
                };
                assert!(level.abs() < 0.2, "{what}");
                assert!(noise < sum(own + 1.0, -60.0), "{what}, of the codecs {own:.1} dB");
                assert!(dip > -1.0, "{what}");
                let (is_relayed, is_same) = (path != Path::Room, from == to);
                let delay_max = match (is_relayed, is_same) {
                    (true, true) => alone_from.delay + 0.1,
                    (true, false) => 10.0,
                    (false, _) => 80.0,
                };
                assert!((-0.2..delay_max).contains(&delay), "{what}");
            }
        }
    }
}

/// Both sides of a recording, whatever they speak: as loud as they were, no noise but that of their
/// codecs, and at the same time.
#[test]
fn a_recording_is_as_loud_as_the_talk_and_aligned() {
    for (near, near_alone) in each_alone() {
        for (far, far_alone) in each_alone() {
            for path in [Path::Bridge, Path::Secure, Path::Room] {
                let mut hall = hall_of(path, near, far);
                hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
                say(&mut hall, &[(0, near), (1, far)]);
                hall.order(Command::StopRecording { leg: leg(0) });

                let channels = channels(&hall.tapes[0].samples);
                let mut delays = Vec::new();
                for (channel, own) in channels.iter().zip([near_alone, far_alone]) {
                    let Figures { level, noise, delay, dip } = judge(channel, 8000);
                    let own = own.noise;
                    let what =
                        format!("{path:?} {near:?}/{far:?}: at {level:+.2} dB, noise {noise:.1}");
                    assert!(level.abs() < 0.2, "{what}");
                    assert!(noise < sum(own + 1.0, -60.0), "{what}, of the codec {own:.1}");
                    assert!(dip > -1.0, "{what}: a gap of {dip:.1} dB");
                    delays.push(delay);
                }
                let apart = (delays[0] - delays[1]).abs();
                let apart_max = if path == Path::Room { 80.0 } else { 20.0 };
                assert!(apart < apart_max, "{path:?} {near:?}/{far:?}: {apart:.1} ms apart");
            }
        }
    }
}

/// G.711 is kept as G.711: what a phone said is in the file to the bit, whatever it was.
#[test]
fn a_recording_in_the_law_of_the_call_is_bit_exact() {
    for (codec, encode) in [
        (Codec::Pcma, g711::alaw_encode as fn(i16) -> u8),
        (Codec::Pcmu, g711::ulaw_encode as fn(i16) -> u8),
    ] {
        for path in [Path::Bridge, Path::Secure] {
            let mut rng = Rng::from_number(7);
            let mut hall = hall_of(path, codec, codec);
            hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
            let mut said = [Vec::new(), Vec::new()];
            for _ in 0..100 {
                for (index, said) in said.iter_mut().enumerate() {
                    // µ-law has two zeros, of which a file has one.
                    let mut packet: Vec<u8> = (0..160).map(|_| rng.below(256) as u8).collect();
                    packet.iter_mut().filter(|byte| **byte == 0x7f).for_each(|it| *it = 0xff);
                    hall.speak_bytes(index, number_of(codec), &packet);
                    said.extend(packet);
                }
                hall.pass(20);
            }
            hall.order(Command::StopRecording { leg: leg(0) });

            for (channel, said) in channels(&hall.tapes[0].samples).iter().zip(&said) {
                let kept: Vec<u8> = channel.iter().map(|sample| encode(*sample)).collect();
                let from = kept.windows(160).position(|part| *part == said[320..480]);
                let from = from.expect("the third packet is there");
                let length = (kept.len() - from).min(said.len() - 320);
                assert!(length > 90 * 160, "{path:?} {codec:?}: {length}");
                assert!(kept[from..from + length] == said[320..320 + length], "{path:?} {codec:?}");
            }
        }
    }
}

/// The tone goes on where it would have been: nothing is cut out, nothing is put in.
#[test]
fn a_pause_takes_no_time_out_of_a_recording() {
    let mut hall = hall_of(Path::Bridge, Codec::G722, Codec::Pcma);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    let parts = speech(&[(0, Codec::G722), (1, Codec::Pcma)]);
    let pause = |hall: &mut Hall, pause| {
        hall.order(Command::PauseRecording { leg: leg(0), pause });
    };
    for n in 0..ALL_MS / 20 {
        match n * 20 {
            600 => pause(&mut hall, true),
            900 => pause(&mut hall, false),
            _ => {}
        }
        utter(&mut hall, &parts, n);
    }
    hall.order(Command::StopRecording { leg: leg(0) });

    for (channel, rate_ms) in channels(&hall.tapes[0].samples).iter().zip([8, 8]) {
        let part = |from: usize, to: usize| &channel[from * rate_ms..to * rate_ms];
        assert!(part(601, 899).iter().all(|sample| *sample == 0), "silence while it is paused");
        let heard = [part(200, 550), part(950, 1300)].map(|part| amplitude(part, TONE, 8000));
        for heard in heard {
            assert!(decibels(heard / f64::from(peak(LEVEL))).abs() < 0.2, "{heard}");
        }
        let delay = delay_of(channel, 8000) + PACKET_MS;
        assert!((0.0..8.0).contains(&delay), "the sweep after it comes {delay} ms late");
    }
}

/// Who is sent on is on the left without a gap; on the right one is after the other.
#[test]
fn a_transfer_leaves_no_gap_in_a_recording() {
    let mut hall = hall_of(Path::Bridge, Codec::Pcmu, Codec::Pcma);
    hall.connect(2, Codec::Pcma);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    let talk = [(0, Codec::Pcmu), (1, Codec::Pcma), (2, Codec::Pcma)];
    let parts = speech(&talk);
    for n in 0..TONE_MS / 20 {
        if n * 20 == 700 {
            hall.order(Command::Bridge { a: leg(0), b: leg(2) });
        }
        utter(&mut hall, &parts, n);
    }
    hall.order(Command::StopRecording { leg: leg(0) });

    let [left, right] = channels(&hall.tapes[0].samples);
    let windows = |channel: &[i16]| -> Vec<f64> {
        let parts = channel[800..channel.len() - 320].chunks_exact(80);
        parts.map(|part| amplitude(part, TONE, 8000) / f64::from(peak(LEVEL))).collect()
    };
    let weak = |windows: &[f64]| windows.iter().filter(|level| **level < 0.9).count();
    assert_eq!(weak(&windows(&left)), 0, "{:?}", windows(&left));
    assert!(weak(&windows(&right)) <= 2, "20 ms at most: {:?}", windows(&right));
}

/// A phone that says the tone and the sweep to another, and what comes there.
fn through(path: Path, from: Codec, to: Codec) -> Figures {
    let mut hall = hall_of(path, from, to);
    let began = hall.now;
    say(&mut hall, &[(0, from)]);
    let heard = hall.heard(1);
    assert_steady(&heard);
    // What a packet holds was said in the 20 ms before it.
    let late = heard[0].at.since(began).as_micros() as usize * rate_of(to) / 1_000_000;
    let mut samples = vec![0; late];
    samples.extend(decoded(to, heard.iter().map(|packet| &packet.payload[..])));
    judge(&samples, rate_of(to))
}

/// Two legs that talk in a way; the recorder and the other hear them.
fn hall_of(path: Path, near: Codec, far: Codec) -> Hall {
    let mut hall = Hall::new();
    for (index, codec) in [near, far].into_iter().enumerate() {
        match path {
            Path::Secure => {
                let keys = secure::keys(Suite::Counter128Tag80, index as u64 + 1);
                hall.connect_secure(index, codec, &keys);
            }
            Path::Bridge | Path::Room => hall.connect(index, codec),
        }
    }
    if path == Path::Room {
        hall.connect(3, Codec::Pcma);
        let party = |index| Party { leg: leg(index), heard_by: Ear::Everybody };
        let parties = [0, 1, 3].map(party).to_vec();
        let room = Room { id: RoomId(1), parties, speakers_max: 8, tones: false };
        hall.order(Command::Room(Box::new(room)));
    } else {
        hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    }
    hall
}

/// The packets of phones, by their numbers in the hall.
type Speech = Vec<(usize, Codec, Vec<Vec<u8>>)>;

fn speech(phones: &[(usize, Codec)]) -> Speech {
    let one = |(index, codec): &(usize, Codec)| {
        (*index, *codec, encoded(*codec, &signal(rate_of(*codec))))
    };
    phones.iter().map(one).collect()
}

fn utter(hall: &mut Hall, speech: &Speech, n: usize) {
    for (index, codec, packets) in speech {
        hall.speak_bytes(*index, number_of(*codec), &packets[n]);
    }
    hall.pass(20);
}

/// These phones say all there is to say.
fn say(hall: &mut Hall, phones: &[(usize, Codec)]) {
    let speech = speech(phones);
    for n in 0..ALL_MS / 20 {
        utter(hall, &speech, n);
    }
}

/// The tone and the sweep, as samples at this rate.
fn signal(rate: usize) -> Vec<i16> {
    let at = |ms: usize| ms * rate / 1000;
    let mut samples = vec![0; at(ALL_MS)];
    let tone = Sine::new(TONE, peak(LEVEL), rate as u32);
    samples[..at(TONE_MS)].iter_mut().zip(tone).for_each(|(to, from)| *to = from);
    let sweep = sweep(rate);
    samples[at(SWEEP_FROM_MS)..][..sweep.len()].copy_from_slice(&sweep);
    samples
}

/// From 300 to 3000 Hz.
fn sweep(rate: usize) -> Vec<i16> {
    let length = SWEEP_MS as f64 / 1000.0;
    let one = |n: usize| {
        let time = n as f64 / rate as f64;
        let phase = std::f64::consts::TAU * (300.0 * time + 2700.0 / length * time * time / 2.0);
        (f64::from(peak(LEVEL)) * phase.sin()) as i16
    };
    (0..SWEEP_MS * rate / 1000).map(one).collect()
}

/// The packets of a phone, encoded at the rate of its codec.
fn encoded(codec: Codec, signal: &[i16]) -> Vec<Vec<u8>> {
    let (rate, mut encoder) = (rate_of(codec), Encoder::default());
    let encode = |samples: &[i16]| {
        let mut payload = vec![0; 160];
        let pcm = Pcm { samples, rate: rate as u32 };
        encoder.encode(codec, Wishes::ANY, pcm, &mut payload);
        payload
    };
    signal.chunks(rate / 50).map(encode).collect()
}

/// What a phone hears in these packets, at the rate of its codec.
fn decoded<'a>(codec: Codec, packets: impl Iterator<Item = &'a [u8]>) -> Vec<i16> {
    let (mut g722, mut samples) = (g722::Decoder::default(), Vec::new());
    for packet in packets {
        match codec {
            Codec::Pcma => samples.extend(packet.iter().map(|byte| g711::alaw_decode(*byte))),
            Codec::Pcmu => samples.extend(packet.iter().map(|byte| g711::ulaw_decode(*byte))),
            Codec::G722 => g722.decode(packet, &mut samples),
            Codec::Opus => {} // has tests of its own: its noise is not that of its steps
        }
    }
    samples
}

/// How noisy each codec is without any switch, and how late.
fn each_alone() -> Vec<(Codec, Figures)> {
    let alone = |codec| {
        let packets = encoded(codec, &signal(rate_of(codec)));
        (codec, judge(&decoded(codec, packets.iter().map(|packet| &packet[..])), rate_of(codec)))
    };
    [Codec::Pcma, Codec::Pcmu, Codec::G722].into_iter().map(alone).collect()
}

fn judge(samples: &[i16], rate: usize) -> Figures {
    let second = &samples[LOOK_FROM_MS * rate / 1000..][..rate];
    let pure = purity(second, TONE, rate as u32);
    let windows = second.chunks_exact(rate / 100).map(|part| amplitude(part, TONE, rate as u32));
    let (least, most) =
        windows.fold((f64::MAX, 0.0_f64), |(least, most), it| (least.min(it), most.max(it)));
    Figures {
        level: decibels(amplitude(second, TONE, rate as u32) / f64::from(peak(LEVEL))),
        noise: 10.0 * ((1.0 - pure).max(1e-12) / pure).log10(),
        delay: delay_of(samples, rate),
        dip: decibels(least / most),
    }
}

/// How many milliseconds after its time the sweep is heard: where it is most like itself.
fn delay_of(samples: &[i16], rate: usize) -> f64 {
    let (sweep, from) = (sweep(rate), SWEEP_FROM_MS * rate / 1000);
    let likeness = |at: usize| -> i64 {
        let heard = samples.get(at..).unwrap_or_default();
        heard.iter().zip(&sweep).map(|(one, other)| i64::from(*one) * i64::from(*other)).sum()
    };
    let (earliest, latest) = (from - rate / 40, from + rate / 12);
    let best = (earliest..latest).max_by_key(|at| likeness(*at));
    (best.unwrap() as f64 - from as f64) * 1000.0 / rate as f64
}

fn channels(samples: &[i16]) -> [Vec<i16>; 2] {
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// Two noises that know nothing of each other, in dB.
fn sum(one: f64, other: f64) -> f64 {
    10.0 * (10_f64.powf(one / 10.0) + 10_f64.powf(other / 10.0)).log10()
}
