//! Keys on their way from one phone to another: as events, as tones, as SIP INFO, each to each.

use super::*;
use crate::rtp::dtmf;

/// A key that came by SIP INFO goes between the packets of who talks.
#[test]
fn a_key_that_we_press_is_an_event_in_the_audio() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcmu]);
    hall.speaks(1, 20);
    for key in ['5', '#'] {
        hall.order(Command::Press { leg: leg(0), key });
    }
    hall.speaks(1, 50);

    let heard = hall.heard(0);
    assert_eq!(events(&heard, 96), "5#");
    assert!(heard.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
    assert!(heard.iter().all(|packet| packet.ssrc == heard[0].ssrc));
    let audio: Vec<&Packet> = heard.iter().filter(|packet| packet.payload_type == 8).collect();
    let (first, last) = (audio[0], audio[audio.len() - 1]);
    let waited = last.at.since(first.at).as_millis() as u32 * 8;
    assert_eq!(last.timestamp.wrapping_sub(first.timestamp), waited, "time went on");
    assert!(audio.len() >= 45, "20 and, after the keys, 25 at least: {}", audio.len());
    assert_eq!(hall.counts(0).sent.packets, heard.len() as u64);
}

#[test]
fn a_key_that_we_press_is_tones_for_a_phone_without_events() {
    for codec in Codec::ALL {
        let mut hall = Hall::new();
        hall.connect(1, Codec::Pcma);
        connect_with_tones(&mut hall, 0, codec);
        hall.order(Command::Bridge { a: leg(0), b: leg(1) });
        for key in ['1', '1', '9'] {
            hall.order(Command::Press { leg: leg(0), key });
        }
        hall.pass(1000);

        assert_eq!(tones(&hall.heard(0), codec), "119", "{codec:?}");
    }
}

/// Where keys go by SIP INFO none is pressed in the audio; nor is one that is none, nor one for a
/// phone that must not be sent anything.
#[test]
fn keys_that_cannot_be_pressed_are_left_out() {
    let mut hall = Hall::new();
    hall.open(0);
    hall.order(Command::Press { leg: leg(0), key: '1' });
    let by_info = Negotiated { digits: smallvec![], ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(by_info) });
    hall.order(Command::Press { leg: leg(0), key: '1' });
    hall.pass(500);
    let held = Negotiated { direction: Direction::RecvOnly, ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(held) });
    hall.order(Command::Press { leg: leg(0), key: '1' });
    hall.pass(500);
    let audio = Box::new(negotiated(0, Codec::Pcma));
    hall.order(Command::Connect { leg: leg(0), audio });
    hall.order(Command::Press { leg: leg(0), key: 'x' });
    hall.order(Command::Press { leg: leg(7), key: '1' });
    hall.pass(500);

    assert_eq!(hall.heard(0), []);
    assert_eq!(hall.counts(0).sent.packets, 0);
}

/// A phone that presses keys as tones, and one that hears events only: each key comes there once,
/// and of its tones no more than it takes to know them: 40 ms.
#[test]
fn tones_are_events_for_a_phone_that_has_them() {
    for codec in Codec::ALL {
        for held_ms in [60, 100, 500] {
            let mut hall = Hall::new();
            hall.connect(0, Codec::Pcma);
            connect_with_tones(&mut hall, 1, codec);
            hall.order(Command::Bridge { a: leg(0), b: leg(1) });
            let keys = "159#0D";
            let mut line = Vec::new();
            for key in keys.chars() {
                line.extend(Tones::new(key, 4000).unwrap().take(8 * held_ms));
                line.extend([0; 8 * 300]);
            }
            says(&mut hall, 1, codec, &line);

            let what = format!("{codec:?}, {held_ms} ms");
            let heard = hall.heard(0);
            assert_eq!(events(&heard, 96), keys, "{what}");
            let is_loud = |packet: &&Packet| {
                let loud = |byte: &u8| g711::alaw_decode(*byte).unsigned_abs() > 1000;
                packet.payload_type == 8 && packet.payload.iter().filter(|it| loud(it)).count() > 16
            };
            let loud = heard.iter().filter(is_loud).count();
            assert!(loud <= 2 * keys.len(), "{what}: {loud} packets of tones");
            assert!(
                heard.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)),
                "{what}: nothing looks lost"
            );
            let told = hall.events.iter().filter(|it| matches!(it, Event::Digit { .. })).count();
            assert_eq!(told, keys.len(), "{what}");
        }
    }
}

/// What the detector does not take for a key goes on as it is: two voices at the tones' frequencies
/// that are no key, and noise.
#[test]
fn what_is_no_key_is_relayed_untouched() {
    let mut rng = Rng::from_number(3);
    let noise = (0..8000).map(|_| (rng.u16() as i16) / 8);
    let beat = Sine::new(697.0, 4000, 8000).take(8000);
    let near = Sine::new(740.0, 4000, 8000).zip(Sine::new(1280.0, 4000, 8000));
    let near = near.take(8000).map(|(low, high)| low + high);
    let line: Vec<i16> = noise.chain(beat).chain(near).collect();
    let mut hall = Hall::new();
    hall.connect(0, Codec::Pcma);
    connect_with_tones(&mut hall, 1, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });

    says(&mut hall, 1, Codec::Pcma, &line);

    let said: Vec<u8> = line.iter().map(|sample| g711::alaw_encode(*sample)).collect();
    let heard: Vec<u8> = hall.heard(0).iter().flat_map(|packet| packet.payload.clone()).collect();
    assert!(heard == said, "{} of {} bytes", heard.len(), said.len());
    assert!(!hall.events.iter().any(|event| matches!(event, Event::Digit { .. })));
}

/// A key that goes by SIP INFO is not heard as tones too.
#[test]
fn tones_do_not_go_where_keys_go_by_info() {
    let mut hall = Hall::new();
    hall.open(0);
    let by_info = Negotiated { digits: smallvec![], ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(by_info) });
    connect_with_tones(&mut hall, 1, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    let key = Tones::new('7', 4000).unwrap().take(1600).chain([0; 1600]);

    says(&mut hall, 1, Codec::Pcma, &key.collect::<Vec<_>>());

    let heard = hall.heard(0);
    assert_eq!(hall.events, [Event::Digit { leg: leg(1), digit: '7' }], "the call sends the INFO");
    assert!(heard.len() <= 20 - 7, "at most 40 ms of the key's 200: {}", heard.len());
    assert!(heard.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
}

/// Digits of a party are told, not mixed: the others hear nothing of them.
#[test]
fn events_of_a_party_are_no_audio_for_the_others() {
    let mut hall = Hall::new();
    (0..3).for_each(|index| hall.connect(index, Codec::Pcma));
    let party = |index| Party { leg: leg(index), heard_by: Ear::Everybody };
    let parties = [0, 1, 2].map(party).to_vec();
    let room = Room { id: RoomId(1), parties, speakers_max: 8, tones: false };
    hall.order(Command::Room(Box::new(room)));
    hall.presses(0, 10, 5, true);
    hall.presses(0, 6, 5, true);
    hall.pass(500);

    let told = [('*', 0), ('6', 0)].map(|(digit, index)| Event::Digit { leg: leg(index), digit });
    assert_eq!(hall.events, told);
    for phone in [1, 2] {
        let heard = hall.heard(phone);
        assert!(heard.iter().all(|packet| packet.payload_type == 8), "phone {phone}");
        let silence = g711::alaw_encode(0);
        assert!(heard.iter().all(|it| it.payload.iter().all(|byte| *byte == silence)));
    }
}

/// Who hears several gets a key between the frames of the mix.
#[test]
fn a_key_goes_into_a_mix() {
    let mut hall = Hall::new();
    (0..3).for_each(|index| hall.connect(index, Codec::Pcma));
    let party = |index| Party { leg: leg(index), heard_by: Ear::Everybody };
    let parties = [0, 1, 2].map(party).to_vec();
    let room = Room { id: RoomId(1), parties, speakers_max: 8, tones: false };
    hall.order(Command::Room(Box::new(room)));
    hall.speaks(1, 20);
    hall.order(Command::Press { leg: leg(0), key: '8' });
    hall.speaks(1, 30);

    let heard = hall.heard(0);
    assert_eq!(events(&heard, 96), "8");
    assert!(heard.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
    assert_eq!(heard.last().unwrap().payload_type, 8, "the mix goes on");
}

/// A phone that agreed on telephone-event, or presses tones, and sends its keys as SIP INFO: they
/// reach the other phone as that one hears keys.
#[test]
fn keys_by_info_reach_a_peer_whatever_the_phone_agreed_on() {
    for (sender_has_tones, hearer_has_tones) in
        [(false, false), (false, true), (true, false), (true, true)]
    {
        let mut hall = talk(hearer_has_tones, sender_has_tones);
        for key in ['4', '4', '2'] {
            hall.order(Command::Press { leg: leg(0), key });
            hall.speaks(1, 20);
        }
        hall.speaks(1, 20);

        assert_eq!(keys_heard(&hall, hearer_has_tones), "442", "{sender_has_tones}");
    }
}

/// A phone that sends each key by both ways presses it once on the other, whichever is first.
#[test]
fn a_key_by_info_and_in_the_audio_is_pressed_once() {
    for hearer_has_tones in [false, true] {
        for sender_has_tones in [false, true] {
            for info_at in 0..=11 {
                let mut hall = talk(hearer_has_tones, sender_has_tones);
                hall.speaks(1, 5);
                for _ in 0..2 {
                    // 200 ms before the key, while it is held, up to 240 ms after.
                    press_with_info(&mut hall, sender_has_tones, 40 * info_at);
                }

                let heard = keys_heard(&hall, hearer_has_tones);
                let what = (hearer_has_tones, sender_has_tones, info_at);
                assert_eq!(heard, "88", "{what:?}");
                assert!(numbers_go_on(&hall.heard(0)), "{what:?}: nothing looks lost");
            }
        }
    }
}

/// 0 hears keys and 1 presses them, each as events or as tones.
fn talk(hearer_has_tones: bool, sender_has_tones: bool) -> Hall {
    let mut hall = Hall::new();
    for (index, has_tones) in [(0, hearer_has_tones), (1, sender_has_tones)] {
        match has_tones {
            true => connect_with_tones(&mut hall, index, Codec::Pcma),
            false => hall.connect(index, Codec::Pcma),
        }
    }
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall
}

/// 1 presses 8 for 100 ms, 200 ms after the begin; its INFO comes `info_ms` after that begin.
fn press_with_info(hall: &mut Hall, has_tones: bool, info_ms: usize) {
    let mut tones = Tones::new('8', 4000).unwrap();
    let mut events = dtmf::Sender::new('8', Duration::from_millis(100)).unwrap();
    let timestamp = hall.phones[1].timestamp;
    for at in (0..900).step_by(20) {
        if at == info_ms {
            hall.order(Command::Press { leg: leg(0), key: '8' });
        }
        let is_pressed = (200..300).contains(&at);
        let event = if at < 200 || has_tones { None } else { events.next() };
        let samples: Vec<i16> = match has_tones && is_pressed {
            true => tones.by_ref().take(160).collect(),
            false => vec![0; 160],
        };
        match event {
            Some(sent) => say_event(hall, sent, timestamp.wrapping_add(1600)),
            None => {
                let payload: Vec<u8> = samples.iter().map(|it| g711::alaw_encode(*it)).collect();
                hall.speak_bytes(1, number_of(Codec::Pcma), &payload);
            }
        }
        hall.pass(20);
    }
}

/// A packet of a key of phone 1.
fn say_event(hall: &mut Hall, sent: dtmf::Sent, timestamp: u32) {
    let goes_on = hall.phones[1].timestamp.wrapping_add(160);
    hall.phones[1].timestamp = timestamp;
    hall.speak_bytes(1, 97, &sent.event.bytes());
    hall.phones[1].timestamp = goes_on;
}

fn keys_heard(hall: &Hall, as_tones: bool) -> String {
    match as_tones {
        true => tones(&hall.heard(0), Codec::Pcma),
        false => events(&hall.heard(0), 96),
    }
}

fn numbers_go_on(heard: &[Packet]) -> bool {
    heard.windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1))
}

/// A phone that has no telephone-event, which we have.
fn connect_with_tones(hall: &mut Hall, index: usize, codec: Codec) {
    hall.open(index);
    hall.phones[index].codec = codec;
    let audio = Negotiated { digits: smallvec![], tones: true, ..negotiated(index, codec) };
    hall.order(Command::Connect { leg: leg(index), audio: Box::new(audio) });
}

/// A phone says these samples of 8 kHz.
fn says(hall: &mut Hall, index: usize, codec: Codec, line: &[i16]) {
    let mut encoder = Encoder::default();
    for samples in line.chunks(160) {
        hall.speak_bytes(index, number_of(codec), &encoded(&mut encoder, codec, samples));
        hall.pass(20);
    }
}

/// The keys that a phone gets as events of this payload type, as its receiver reads them.
fn events(heard: &[Packet], number: u8) -> String {
    let (mut receiver, mut told) = (dtmf::Receiver::default(), Vec::new());
    for packet in heard.iter().filter(|packet| packet.payload_type == number) {
        let event = dtmf::Event::parse(&packet.payload).unwrap();
        let Packet { ssrc, timestamp, .. } = *packet;
        let input = dtmf::Input::Packet { ssrc, timestamp, clock_rate: 8000, event };
        receiver.handle(packet.at, input, &mut told);
    }
    told.iter().map(|digit| digit.0).collect()
}

/// The keys in the audio that a phone hears, with the pauses in it as they are.
fn tones(heard: &[Packet], codec: Codec) -> String {
    let (mut detector, mut keys) = (Detector::default(), Vec::new());
    let packets: Vec<Packet> =
        heard.iter().filter(|packet| packet.payload_type == number_of(codec)).cloned().collect();
    // In rows without a pause: the codec goes on from one to the next.
    let samples = decoded(codec, &packets);
    let mut at = None;
    for (packet, samples) in packets.iter().zip(samples.chunks(160)) {
        let pause = at.map_or(0, |at| packet.at.since(at).as_millis() as usize);
        detector.hear(&vec![0; 8 * pause.saturating_sub(20)], &mut keys);
        detector.hear(samples, &mut keys);
        at = Some(packet.at);
    }
    keys.into_iter().collect()
}
