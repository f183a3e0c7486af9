//! Legs whose packets are encrypted (RFC 3711), among those whose are not.

use super::hall::*;
use crate::media::control::Counts;
use crate::media::engine::*;
use crate::rtp::packet as rtp;
use crate::rtp::rtcp;
use crate::rtp::srtp::{OVERHEAD_MAX, Suite};
use crate::sdp::{Codec, Keys, MasterKey, Negotiated};

#[test]
fn each_leg_has_its_own_encryption() {
    for (index, suite) in (0..).zip(Suite::ALL) {
        for (codec, other) in [(Codec::Pcma, Some(Suite::Gcm128)), (Codec::G722, None)] {
            let mut hall = Hall::new();
            hall.connect_secure(0, Codec::Pcma, &keys(suite, index));
            match other {
                Some(other) => hall.connect_secure(1, codec, &keys(other, 100 + index)),
                None => hall.connect(1, codec),
            }
            hall.order(Command::Bridge { a: leg(0), b: leg(1) });
            for _ in 0..100 {
                hall.speak(0);
                hall.speak(1);
                hall.pass(20);
            }

            for phone in [0, 1] {
                let heard = hall.heard(phone);
                assert_eq!(heard.len(), 100, "{suite:?}");
                assert_steady(&heard);
                if codec == Codec::Pcma {
                    assert!(heard.iter().all(|packet| packet.payload == [voice(1 - phone); 160]));
                }
            }
            let counts = hall.counts(0);
            assert_eq!((counts.received.packets, counts.sent.packets), (100, 100));
            assert!(counts.encrypted);
            assert_eq!((counts.malformed, counts.forged, counts.strangers), (0, 0, 0));
        }
    }
}

#[test]
fn prompts_and_reports_are_encrypted() {
    let mut hall = Hall::new();
    hall.connect_secure(0, Codec::Pcma, &keys(Suite::Counter128Tag80, 1));
    hall.play(0, &["long"], false);
    hall.speaks(0, 260);

    assert!(hall.heard(0).len() > 250);
    let (_, report) = hall.reports.first().expect("a report is due after 5 s").clone();
    let secure = hall.phones[0].secure.as_mut().unwrap();
    let mut bytes = report.clone();
    let length = secure.receiver.open_rtcp(&mut bytes).unwrap();
    let packets = rtcp::parse(&bytes[..length]).unwrap();
    let rtcp::Packet::Report { ssrc, blocks, .. } = &packets[0] else { panic!("{packets:?}") };
    assert_eq!(blocks[0].lost, 0);

    let block = rtcp::Block { ssrc: *ssrc, lost: 5, ..rtcp::Block::default() };
    let mut theirs = rtcp::compound(9, None, &[block], "phone", false);
    let plain = theirs.clone();
    assert!(secure.sender.seal_rtcp(&mut theirs));
    let slot = Slot::of(port(0).rtp);
    hall.engine.rtcp(hall.now, slot, address(0), &mut plain.clone());
    hall.engine.rtcp(hall.now, slot, address(0), &mut theirs.clone());
    hall.engine.rtcp(hall.now, slot, address(0), &mut theirs);

    let counts = hall.counts(0);
    assert_eq!(counts.sent.lost, 5);
    assert_eq!((counts.malformed, counts.forged), (1, 1), "one in the clear, one twice");
}

/// Nothing of a forger is heard, and the call goes on.
#[test]
fn forged_repeated_and_plain_packets_are_counted() {
    let mut hall = Hall::new();
    hall.connect_secure(0, Codec::Pcma, &keys(Suite::Counter128Tag80, 1));
    hall.connect(1, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall.speaks(0, 10);
    let plain = [&rtp::header(false, 8, 7, 7, 0)[..], &[0x55; 160]].concat();
    hall.datagram(0, address(0), &plain);
    hall.datagram(0, address(0), &plain[..20]);
    hall.datagram(0, address(5), &plain);
    hall.phones[0].secure = Some(Secure::of(&keys(Suite::Counter128Tag80, 2)));
    hall.speaks(0, 3);

    assert_eq!(hall.heard(1).len(), 10);
    let Counts { malformed, forged, strangers, .. } = hall.counts(0);
    assert_eq!((malformed, forged, strangers), (1, 4, 1));
}

/// A re-INVITE that keeps the keys keeps the rollover counter; new keys begin anew.
#[test]
fn keys_that_stay_go_on_and_new_ones_begin() {
    let mut hall = Hall::new();
    let first = keys(Suite::Gcm256, 1);
    hall.connect_secure(0, Codec::Pcma, &first);
    hall.connect(1, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall.speaks(0, 100); // its sequence numbers wrap
    hall.speaks(1, 100);
    let again = Negotiated { keys: Some(first), ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(again) });
    hall.speaks(0, 10);
    hall.speaks(1, 10);
    let second = keys(Suite::Counter256Tag32, 2);
    let other = Negotiated { keys: Some(second.clone()), ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(other) });
    hall.phones[0].secure = Some(Secure::of(&second));
    hall.speaks(0, 10);
    hall.speaks(1, 10);

    assert_eq!((hall.heard(0).len(), hall.heard(1).len()), (120, 120));
    assert_eq!(hall.counts(0).forged, 0);
}

/// 45 minutes both ways: the numbers of each side begin again twice, a re-INVITE keeps the keys,
/// and where they begin again some are lost and others overtaken.
#[test]
fn a_long_call_is_heard_to_its_end() {
    let mut hall = Hall::new();
    let same = keys(Suite::Gcm128, 5);
    hall.connect_secure(0, Codec::Pcma, &same);
    hall.connect(1, Codec::Pcma);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    let (mut said, mut lost) = (0, 0);
    for n in 0..135_000 {
        let sequence = hall.phones[0].sequence;
        match sequence {
            65_530 | 3 => {
                // Lost on its way, though it was encrypted under its number.
                lose(&mut hall, 0);
                lost += 1;
            }
            65_534 => {
                let overtaken = seal(&mut hall, 0);
                hall.speak(0);
                let from = hall.phones[0].address;
                hall.datagram(0, from, &overtaken);
                said += 2;
            }
            _ => {
                hall.speak(0);
                said += 1;
            }
        }
        hall.speak(1);
        hall.pass(20);
        if n == 66_000 {
            let again = Negotiated { keys: Some(same.clone()), ..negotiated(0, Codec::Pcma) };
            hall.order(Command::Connect { leg: leg(0), audio: Box::new(again) });
        }
    }

    assert_eq!(lost, 6, "the numbers began again at least twice");
    assert_eq!(hall.heard(1).len(), said, "from the phone that is encrypted");
    assert_eq!(hall.heard(0).len(), 135_000, "to it");
    let counts = hall.counts(0);
    assert_eq!((counts.forged, counts.malformed), (0, 0));
}

/// A phone's next packet, encrypted but not sent.
fn seal(hall: &mut Hall, index: usize) -> Vec<u8> {
    let phone = &mut hall.phones[index];
    let mut bytes = rtp::header(false, 8, phone.sequence, phone.timestamp, index as u32).to_vec();
    bytes.extend([voice(index); 160]);
    phone.sequence = phone.sequence.wrapping_add(1);
    phone.timestamp = phone.timestamp.wrapping_add(160);
    let length = bytes.len();
    bytes.resize(length + OVERHEAD_MAX, 0);
    let secure = phone.secure.as_mut().unwrap();
    let length = secure.sender.seal_rtp(&mut bytes, length).unwrap();
    bytes.truncate(length);
    bytes
}

fn lose(hall: &mut Hall, index: usize) {
    seal(hall, index);
}

/// Our side too: a report under a number that was used before tells what both say.
#[test]
fn our_numbers_go_on_under_a_key_that_stays() {
    let mut hall = Hall::new();
    let same = keys(Suite::Counter128Tag80, 1);
    hall.connect_secure(0, Codec::Pcma, &same);
    hall.speaks(0, 400);
    let before = hall.reports.len();
    let again = Negotiated { keys: Some(same), ..negotiated(0, Codec::Pcma) };
    hall.order(Command::Connect { leg: leg(0), audio: Box::new(again) });
    hall.speaks(0, 400);

    assert!((1..hall.reports.len()).contains(&before), "reports before and after");
    let secure = hall.phones[0].secure.as_mut().unwrap();
    for (_, report) in &hall.reports {
        assert!(secure.receiver.open_rtcp(&mut report.clone()).is_ok());
    }
}

/// Music while nobody is bridged goes on under the same key, and never twice under one number.
#[test]
fn a_change_of_source_keeps_the_key() {
    let mut hall = Hall::new();
    hall.connect_secure(0, Codec::Pcmu, &keys(Suite::Counter128Tag32, 3));
    hall.connect(1, Codec::Pcma);
    hall.play(0, &["music"], true);
    hall.pass(1000);
    hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    hall.speaks(1, 50);
    hall.play(0, &["music"], true);
    hall.pass(1000);

    assert_eq!(hall.heard(0).len(), 51 + 50 + 51);
}

/// Keys for a leg and its phone; the same number gives the same keys.
pub fn keys(suite: Suite, number: u64) -> Keys {
    let mut rng = Rng::from_number(number);
    let [send, receive] = [0; 2].map(|_| MasterKey::random(suite, &mut rng));
    Keys { tag: 1, send, receive }
}
