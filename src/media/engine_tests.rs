//! A thread's legs in virtual time: phones that talk, and what they hear.

#[path = "engine_hall.rs"]
mod hall;
#[path = "engine_keys_tests.rs"]
mod keys;
#[path = "engine_opus_tests.rs"]
mod opus;
#[path = "engine_pairs_tests.rs"]
mod pairs;
#[path = "engine_quality_tests.rs"]
mod quality;
#[path = "engine_room_tests.rs"]
mod rooms;
#[path = "engine_secure_tests.rs"]
mod secure;

use smallvec::smallvec;

use super::*;
use crate::audio::g711;
use crate::audio::keys::{Detector, Tones};
use crate::audio::tone::{Sine, purity};
use crate::id::PromptId;
use crate::media::codec::Encoder;
use crate::media::control::{Ear, Party, PlayId, Room, RoomId};
use crate::rtp::packet as rtp;
use crate::rtp::rtcp;
use crate::sdp::{Codec, Direction, Negotiated, Payload};
use hall::*;

#[test]
fn nothing_is_sent_before_connect() {
    let mut hall = Hall::new();
    hall.order(Command::Open { leg: leg(0), port: port(0) });
    hall.order(Command::Open { leg: leg(1), port: port(1) });
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall.play(0, &["long"], true);
    hall.speaks(1, 10);
    assert_eq!(hall.heard(0), []);
    assert_eq!(hall.counts(1).strangers, 0);
}

#[test]
fn bridged_phones_hear_each_other() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    for _ in 0..50 {
        hall.speak(0);
        hall.speak(1);
        hall.pass(20);
    }

    for phone in [0, 1] {
        let heard = hall.heard(phone);
        assert_eq!(heard.len(), 50);
        assert_steady(&heard);
        assert!(heard.iter().all(|packet| packet.payload == [voice(1 - phone); 160]));
        assert!(heard.iter().all(|packet| packet.payload_type == 8));
    }
    let counts = hall.counts(0);
    assert_eq!((counts.received.packets, counts.sent.packets), (50, 50));
    assert_eq!((counts.received.bytes, counts.sent.bytes), (50 * 172, 50 * 172));
    assert_eq!((counts.strangers, counts.malformed), (0, 0));
}

/// RFC 3550 §5.1: what a phone hears is one stream, whoever speaks.
#[test]
fn prompt_music_agent_and_other_agent_are_one_stream() {
    let mut hall = Hall::new();
    for (index, codec) in [Codec::Pcmu, Codec::Pcmu, Codec::Pcma].into_iter().enumerate() {
        hall.connect(index, codec);
    }
    hall.play(0, &["short"], false);
    hall.pass(300);
    hall.play(0, &["music"], true);
    hall.pass(390);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall.speaks(1, 20);
    hall.order(Command::Unbridge { leg: leg(0) });
    hall.play(0, &["music"], true);
    hall.pass(100);
    hall.order(Command::Bridge { a: leg(0), b: leg(2) });
    hall.speaks(2, 20);

    let heard = hall.heard(0);
    assert!(heard.len() >= 10 + 19 + 20 + 5 + 20, "{}", heard.len());
    let ssrc = heard[0].ssrc;
    for (before, after) in heard.iter().zip(&heard[1..]) {
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.ssrc, ssrc);
        let step = after.timestamp.wrapping_sub(before.timestamp);
        let elapsed = u32::try_from(after.at.since(before.at).as_micros() / 125).unwrap();
        assert!(step >= 160 && step.abs_diff(elapsed.max(160)) <= 160, "{step} after {elapsed}");
        assert!(after.marker || step == 160);
    }
    assert_eq!(heard.iter().filter(|packet| packet.marker).count(), 5);
    let other_agent = g711::alaw_to_ulaw(voice(2));
    assert_eq!(heard.last().unwrap().payload, vec![other_agent; 160]);
}

#[test]
fn music_comes_every_20_ms() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.play(0, &["music"], true);
    for step in 0..1000 {
        hall.pass(1 + step % 3);
    }

    let heard = hall.heard(0);
    let spread: Vec<_> = heard.windows(2).map(|w| w[1].at.since(w[0].at).as_millis()).collect();
    assert_eq!(spread, vec![20; spread.len()]);
    assert!(heard[0].marker && heard[1..].iter().all(|packet| !packet.marker));
}

#[test]
fn the_phones_packet_length_is_honoured() {
    for (ptime, expected) in [(10, 10), (30, 30), (60, 60), (5, 10), (255, 60)] {
        let mut hall = Hall::new();
        hall.open(0);
        let audio = Negotiated { ptime, ..negotiated(0, Codec::Pcma) };
        hall.order(Command::Connect { leg: leg(0), audio: Box::new(audio) });
        hall.play(0, &["music"], true);
        hall.pass(600);

        let heard = hall.heard(0);
        assert!(heard.iter().all(|packet| packet.payload.len() == 8 * expected));
        assert_eq!(heard.len(), 600 / expected + 1);
    }
}

/// A phone takes packets of 20 ms at most, and its peer sends 60: they are cut, in the codec that
/// both share; one that takes them gets them as they are.
#[test]
fn packets_longer_than_the_phone_takes_are_cut() {
    for (codec, bytes_per_ms) in [(Codec::Pcma, 8), (Codec::G722, 8)] {
        for (maxptime, ptime, expected) in
            [(Some(20), 20, 20), (Some(30), 30, 30), (Some(60), 20, 60), (None, 20, 60)]
        {
            let mut hall = Hall::bridged([codec, codec]);
            let audio = Negotiated { ptime, maxptime, ..negotiated(0, codec) };
            hall.order(Command::Connect { leg: leg(0), audio: Box::new(audio) });
            for n in 0..20_u8 {
                hall.speak_bytes(1, number_of(codec), &[0xd0 ^ n; 60 * 8]);
                hall.phones[1].timestamp = hall.phones[1].timestamp.wrapping_add(320);
                hall.pass(60);
            }

            let heard = hall.heard(0);
            let what = format!("{codec:?}, at most {maxptime:?}");
            assert_eq!(heard.len(), 20 * 60 / expected, "{what}");
            assert!(heard.iter().all(|it| it.payload.len() == bytes_per_ms * expected), "{what}");
            let step = 8 * expected as u32;
            for two in heard.windows(2) {
                assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1), "{what}");
                assert_eq!(two[1].timestamp.wrapping_sub(two[0].timestamp), step, "{what}");
            }
            if codec == Codec::Pcma {
                let said: Vec<u8> = (0..20_u8).flat_map(|n| [0xd0 ^ n; 480]).collect();
                let got: Vec<u8> = heard.iter().flat_map(|it| it.payload.clone()).collect();
                assert!(got == said, "{what}: to the bit");
            }
        }
    }
}

#[test]
fn a_prompt_ends_by_itself_and_names_what_is_missing() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.play(0, &["short", "gone"], false);
    hall.pass(300);

    let missing = vec![PromptId::from("gone")];
    let ended = Event::Ended { leg: leg(0), playback: PlayId(1), missing };
    assert_eq!(hall.events, [ended]);
    assert_eq!(hall.heard(0).len(), 10);
}

#[test]
fn stop_is_not_an_end() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.play(0, &["long"], false);
    hall.pass(100);
    hall.order(Command::Stop { leg: leg(0) });
    hall.pass(20_000);

    assert_eq!(hall.heard(0).len(), 6);
    assert_eq!(hall.events, []);
}

#[test]
fn a_key_during_a_prompt_is_told_once() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.play(0, &["long"], false);
    hall.speaks(0, 5);
    hall.presses(0, 5, 6, true);
    hall.presses(0, 11, 6, false); // its end is lost
    hall.pass(200);

    let digit = |digit| Event::Digit { leg: leg(0), digit };
    assert_eq!(hall.events, [digit('5'), digit('#')]);
    assert!(hall.heard(0).len() > 15, "the prompt goes on");
}

/// RFC 4733 §2.2: relayed with the peer's payload number and one timestamp.
#[test]
fn keys_are_relayed_to_the_bridged_phone() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.speaks(0, 3);
    hall.presses(0, 1, 5, true);
    hall.speaks(0, 3);

    let heard = hall.heard(1);
    let keys: Vec<_> = heard.iter().filter(|packet| packet.payload_type == 97).collect();
    assert_eq!(heard.len(), 3 + 7 + 3);
    assert_eq!(keys.len(), 7);
    assert!(keys.iter().all(|key| key.timestamp == keys[0].timestamp && key.payload[0] == 1));
    assert!(keys[0].marker);
    assert!(heard.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    assert_eq!(hall.events.len(), 1);
}

#[test]
fn a_prompt_hides_the_peer_until_it_ends() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.play(0, &["short"], false);
    hall.speaks(1, 10);
    hall.speaks(1, 10);

    let heard = hall.heard(0);
    let peers = heard.iter().filter(|packet| packet.payload == [voice(1); 160]).count();
    assert_eq!(peers, 10);
    assert!(heard[..10].iter().all(|packet| packet.payload != [voice(1); 160]));
}

#[test]
fn different_codecs_are_transcoded() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcmu]);
    hall.speaks(0, 1);
    hall.speaks(1, 1);

    assert_eq!(hall.heard(1)[0].payload, [g711::alaw_to_ulaw(voice(0)); 160]);
    assert_eq!(hall.heard(1)[0].payload_type, 0);
    assert_eq!(hall.heard(0)[0].payload, [g711::ulaw_to_alaw(voice(1)); 160]);
}

#[test]
fn g722_is_transcoded_both_ways() {
    let mut hall = Hall::bridged([Codec::G722, Codec::Pcma]);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    let mut encoder = Encoder::default();
    let tone: Vec<_> = Sine::new(1000.0, 8000, 8000).take(160 * 50).collect();
    for samples in tone.chunks(160) {
        hall.speak_bytes(0, 9, &encoded(&mut encoder, Codec::G722, samples));
        hall.speak_bytes(1, 8, &samples.iter().map(|s| g711::alaw_encode(*s)).collect::<Vec<_>>());
        hall.pass(20);
    }
    hall.order(Command::StopRecording { leg: leg(0) });

    for (phone, codec) in [(0, Codec::G722), (1, Codec::Pcma)] {
        let heard = decoded(codec, &hall.heard(phone));
        assert!(purity(&heard[1600..], 1000.0, 8000) > 0.99, "{codec:?}");
    }
    for channel in [0, 1] {
        let heard: Vec<_> =
            hall.tapes[0].samples.iter().skip(channel).step_by(2).copied().collect();
        assert!(purity(&heard[1600..7600], 1000.0, 8000) > 0.99, "channel {channel}");
    }
}

#[test]
fn a_shared_codec_passes_untouched_under_its_own_number() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    let dynamic = Payload { codec: Codec::Pcma, receive: 8, send: 111 };
    let first = Payload { codec: Codec::Pcmu, receive: 0, send: 0 };
    let audio = Negotiated { codecs: smallvec![first, dynamic], ..negotiated(1, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });

    hall.speaks(0, 1);

    let heard = hall.heard(1);
    assert_eq!((heard[0].payload_type, &heard[0].payload[..]), (111, &[voice(0); 160][..]));
}

#[test]
fn strangers_are_not_heard_but_counted() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.speaks(0, 5);
    let before = hall.heard(1).len();
    for n in 0..30 {
        let mut bytes = rtp::header(false, 8, n, 0, 1).to_vec();
        bytes.extend([voice(0); 160]);
        hall.datagram(0, "203.0.113.66:666".parse().unwrap(), &bytes);
    }
    hall.datagram(0, address(0), &[0x80; 3]);
    hall.datagram(0, address(0), &rtp::header(false, 77, 5, 0, 1));

    assert_eq!(hall.heard(1).len(), before);
    let counts = hall.counts(0);
    assert_eq!((counts.strangers, counts.malformed, counts.received.packets), (30, 2, 5));
}

#[test]
fn a_phone_behind_nat_hears_once_it_spoke() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.phones[0].address = "198.51.100.44:40404".parse().unwrap();
    hall.speaks(1, 1);
    hall.speaks(0, 10);
    hall.speaks(1, 1);

    let heard = hall.heard_everywhere(0);
    assert_eq!(heard[0].to, address(0));
    assert_eq!(heard[1].to, hall.phones[0].address);
    assert_eq!(hall.heard(1).len(), 6, "all but the probation");
}

#[test]
fn hold_and_resume_leave_no_gap_in_the_numbers() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.speaks(0, 5);
    hall.direction(1, Direction::RecvOnly);
    hall.speaks(0, 50);
    assert_eq!(hall.heard(1).len(), 5, "a phone that holds hears nothing");
    hall.direction(1, Direction::SendRecv);
    hall.speaks(0, 5);

    let heard = hall.heard(1);
    assert_eq!(heard.len(), 10);
    assert_eq!(heard[5].sequence, heard[4].sequence.wrapping_add(1));
    assert_eq!(heard[5].timestamp.wrapping_sub(heard[4].timestamp), 51 * 160);
    assert!(heard[5].marker);
}

#[test]
fn what_a_silenced_phone_sends_is_not_relayed() {
    for direction in [Direction::SendOnly, Direction::Inactive] {
        let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
        hall.direction(0, direction);
        hall.speaks(0, 5);

        assert_eq!(hall.heard(1), []);
    }
}

#[test]
fn a_playback_goes_on_unheard_while_the_direction_forbids_it() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.direction(0, Direction::Inactive);
    hall.play(0, &["short"], false);
    hall.pass(300);

    assert_eq!(hall.heard(0), []);
    assert!(matches!(hall.events[..], [Event::Ended { .. }]));
}

#[test]
fn a_recording_has_the_phone_left_and_its_peer_right() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcmu]);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    for n in 0..100 {
        if n % 10 != 3 {
            hall.speak(0);
        }
        hall.speak(1);
        hall.pass(20);
    }
    hall.play(0, &["long"], false);
    hall.speaks(1, 50);
    hall.order(Command::StopRecording { leg: leg(0) });

    let tape = &hall.tapes[0];
    assert_eq!((tape.leg, tape.ended, tape.samples.len()), (leg(0), true, 2 * 8000 * 3));
    let left: Vec<_> = tape.samples.iter().step_by(2).copied().collect();
    let right: Vec<_> = tape.samples.iter().skip(1).step_by(2).copied().collect();
    let (mine, theirs) = (g711::alaw_decode(voice(0)), g711::ulaw_decode(voice(1)));
    // Each packet arrives when its audio was spoken: the first one has no room before the start.
    let count = |channel: &[i16], sample| channel.iter().filter(|it| **it == sample).count();
    assert_eq!(count(&left, mine), 89 * 160);
    assert_eq!(count(&right, theirs), 99 * 160, "nothing of the peer during the prompt");
    assert_eq!(right[16_000..], [0; 8000]);
}

#[test]
fn closing_a_leg_frees_its_port_and_tells_what_was_counted() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    hall.speaks(0, 5);
    hall.speaks(1, 5);
    hall.order(Command::Close { leg: leg(0) });

    let [Event::Closed { leg: closed, counts }] = &hall.events[..] else { panic!() };
    assert_eq!((*closed, counts.received.packets), (leg(0), 5));
    assert!(hall.tapes[0].ended);
    assert_eq!(hall.closed, [Slot::of(port(0).rtp)]);
    let goodbye = rtcp::parse(&hall.reports.last().unwrap().1).unwrap();
    assert!(matches!(goodbye.last(), Some(rtcp::Packet::Goodbye { .. })));
    assert_eq!(hall.engine.legs(), 1);

    hall.speaks(1, 5);
    hall.speaks(0, 5);
    assert_eq!(hall.heard(0).len(), 5, "nothing after the end");
}

#[test]
fn bridging_with_a_third_leaves_the_second_alone() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.connect(2, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(2) });
    hall.speaks(0, 3);
    hall.speaks(1, 3);

    assert_eq!((hall.heard(0).len(), hall.heard(1).len(), hall.heard(2).len()), (0, 0, 3));
}

#[test]
fn reports_are_sent_and_read() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    hall.speaks(0, 260);
    hall.speaks(1, 10);
    let (slot, report) = hall.reports[0].clone();
    let rtcp::Packet::Report { ssrc, .. } = rtcp::parse(&report).unwrap()[0] else { panic!() };
    let block = rtcp::Block { ssrc, lost: 3, jitter: 40, ..rtcp::Block::default() };
    let mut bytes = rtcp::compound(9, None, &[block], "phone", false);
    let index = usize::from(slot == Slot::of(port(1).rtp));
    hall.engine.rtcp(hall.now, slot, address(index), &mut bytes);

    let counts = hall.counts(index);
    assert_eq!((counts.sent.lost, counts.sent.jitter_us), (3, 5000));
}

#[test]
fn an_endless_recording_ends_with_a_fault() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.order(Command::Record { leg: leg(0), path: "a.wav".into() });
    hall.pass(61_000);

    assert!(hall.tapes[0].fault.is_some());
    assert!(hall.tapes[0].samples.len().abs_diff(2 * 8000 * 60) < 2 * 8000);
}

#[test]
fn orders_that_make_no_sense_change_nothing() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    for command in [
        Command::Open { leg: leg(0), port: port(1) },
        Command::Open { leg: leg(1), port: port(0) },
        Command::Bridge { a: leg(0), b: leg(0) },
        Command::Bridge { a: leg(0), b: leg(9) },
        Command::Close { leg: leg(9) },
        Command::Stop { leg: leg(9) },
        Command::StopRecording { leg: leg(0) },
        Command::Unbridge { leg: leg(0) },
        Command::Return { port: port(0) },
    ] {
        hall.order(command);
    }
    hall.datagram(7, address(7), &[0x80; 172]);

    assert_eq!((hall.engine.legs(), hall.events.len(), hall.closed.len()), (1, 0, 0));
}

/// Whatever is ordered and received, in whatever order: no panic, and nothing is left over.
#[test]
fn chaos_leaves_nothing_behind() {
    for seed in 0..20 {
        let mut rng = Rng::from_number(seed);
        let mut hall = Hall::new();
        for _ in 0..1500 {
            let [a, b] = [0; 2].map(|_| rng.below(4) as usize);
            match rng.below(19) {
                0 => hall.open(a),
                1 => hall.order(Command::Close { leg: leg(a) }),
                2 => hall.order(Command::Bridge { a: leg(a), b: leg(b) }),
                3 => hall.order(Command::Unbridge { leg: leg(a) }),
                4 => hall.order(Command::Record { leg: leg(a), path: "a.wav".into() }),
                5 => hall.order(Command::StopRecording { leg: leg(a) }),
                6 => hall.play(a, &["short", "gone"], b == 0),
                7 => hall.order(Command::Stop { leg: leg(a) }),
                8 => {
                    let codec = Codec::ALL[rng.below(4) as usize];
                    let ptime = rng.below(256) as u8;
                    let audio = Box::new(Negotiated { ptime, ..negotiated(b, codec) });
                    hall.order(Command::Connect { leg: leg(a), audio });
                }
                9 => hall.presses(a, rng.below(20) as u8, 2, b == 0),
                10 => hall.pass(rng.below(400).into()),
                11 => {
                    let mut bytes = noise(&mut rng);
                    hall.engine.rtcp(hall.now, Slot::of(port(a).rtp), address(b), &mut bytes);
                }
                12 => hall.datagram(a, address(b), &noise(&mut rng)),
                13 | 14 => hall.order(some_room(&mut rng)),
                15 => hall.order(Command::Press { leg: leg(a), key: '5' }),
                _ => hall.speaks(a, rng.below(4)),
            }
        }
        for index in 0..4 {
            hall.order(Command::Close { leg: leg(index) });
        }

        assert_eq!(hall.engine.legs(), 0);
        assert!(hall.tapes.iter().all(|tape| tape.ended));
        let opened = hall.served.len();
        assert_eq!(hall.closed.len(), opened);
        let is_closed = |event: &&Event| matches!(event, Event::Closed { .. });
        assert_eq!(hall.events.iter().filter(is_closed).count(), opened);
        hall.pass(10_000);
        assert_eq!(hall.engine.next_tick(), None);
    }
}

/// A room of any legs, also some that are not there or are named twice.
fn some_room(rng: &mut Rng) -> Command {
    let parties = (0..rng.below(6)).map(|_| {
        let ears = [Ear::Everybody, Ear::Nobody, Ear::Only(leg(rng.below(5) as usize))];
        let heard_by = ears[rng.below(3) as usize];
        Party { leg: leg(rng.below(5) as usize), heard_by }
    });
    let parties = parties.collect();
    let (id, speakers_max) = (RoomId(rng.below(2).into()), rng.below(4) as u8);
    Command::Room(Box::new(Room { id, parties, speakers_max, tones: rng.below(2) == 0 }))
}

/// Bytes that begin like RTP or RTCP, mostly.
fn noise(rng: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<_> = (0..rng.below(400)).map(|_| rng.below(256) as u8).collect();
    if let [first, second, ..] = &mut bytes[..] {
        *first = *first & 0x3f | 0x80;
        if rng.below(2) == 0 {
            *second = [0, 8, 9, 13, 96, 97, 111, 200, 201][rng.below(9) as usize];
        }
    }
    bytes
}

/// A phone without telephone-event presses keys as tones, and hears those of others so.
#[test]
fn keys_are_tones_for_a_phone_without_events() {
    for codec in [Codec::Pcma, Codec::G722, Codec::Opus] {
        let mut hall = Hall::new();
        hall.connect(0, Codec::Pcma);
        hall.open(1);
        hall.phones[1].codec = codec;
        let audio = Negotiated { digits: smallvec![], tones: true, ..negotiated(1, codec) };
        hall.order(Command::Connect { leg: leg(1), audio: Box::new(audio) });
        hall.order(Command::Bridge { a: leg(0), b: leg(1) });
        let mut encoder = Encoder::default();
        let silence = std::iter::repeat_n(0, 1600);
        let line: Vec<i16> = Tones::new('9', 4000).unwrap().take(1600).chain(silence).collect();
        for samples in line.chunks(160) {
            hall.speak_bytes(1, number_of(codec), &encoded(&mut encoder, codec, samples));
            hall.pass(20);
        }
        assert_eq!(hall.events, [Event::Digit { leg: leg(1), digit: '9' }]);

        hall.packets.clear();
        for key in [1, 1, 11] {
            hall.presses(0, key, 5, true);
            hall.pass(100);
        }
        let (mut detector, mut keys) = (Detector::default(), Vec::new());
        let heard = hall.heard(1);
        for samples in decoded(codec, &heard).chunks(800) {
            detector.hear(&[0; 800], &mut keys); // the pause before each key
            detector.hear(samples, &mut keys);
        }
        assert_eq!(heard.len(), 15, "the repeated ends say nothing");
        let steps = heard.windows(2).map(|two| two[1].sequence.wrapping_sub(two[0].sequence));
        assert!(steps.into_iter().all(|step| step == 1));
        assert_eq!(heard.iter().filter(|packet| packet.marker).count(), 3);
        assert_eq!(keys, ['1', '1', '#']);
    }
}

/// The echo test of feature code *43.
#[test]
fn a_leg_bridged_with_itself_hears_itself() {
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(0) });
    for _ in 0..10 {
        hall.speak(0);
        hall.pass(20);
    }

    let heard = hall.heard(0);
    assert_eq!(heard.len(), 10);
    assert!(heard.iter().all(|packet| packet.payload == [voice(0); 160]));
}
