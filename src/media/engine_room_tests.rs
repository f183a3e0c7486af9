//! Rooms: each phone has a tone of its own, so that it shows who hears whom.

use super::*;
use crate::audio::tone::amplitude;
use crate::media::control::{Ear, Party, Room, RoomId};
use crate::rtp::srtp::Suite;
use crate::sdp::Codec::{G722, Opus, Pcma, Pcmu};

/// RFC 3550 §2.3: who only listens changes no packet of those he listens to.
#[test]
fn a_silent_listener_leaves_both_as_they_are() {
    let mut choir = Choir::new(&[Pcma, Pcma, Pcma]);
    choir.hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    choir.sing(&[0, 1, 2], 50);
    choir.room(&[Ear::Everybody, Ear::Everybody, Ear::Nobody]);
    choir.sing(&[0, 1, 2], 50);
    assert_eq!(choir.heard_by(2), [0, 1]);
    choir.room(&[Ear::Everybody, Ear::Everybody]);
    choir.sing(&[0, 1], 50);

    for phone in [0, 1] {
        assert_eq!(choir.heard_by(phone), [1 - phone]);
        let (heard, said) = (choir.hall.heard(phone), &choir.said[1 - phone]);
        assert_eq!(heard.len(), 150);
        assert_steady(&heard);
        assert!(heard[1..].iter().all(|packet| !packet.marker));
        assert!(heard.iter().zip(said).all(|(heard, said)| heard.payload == *said));
    }
    assert_eq!(choir.hall.heard(2).len(), 50, "nothing after it has left");
}

#[test]
fn a_whisper_is_heard_by_one_and_the_other_is_relayed_on() {
    let mut choir = Choir::new(&[Pcma, Pcmu, G722]);
    choir.hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    choir.room(&[Ear::Everybody, Ear::Everybody, Ear::Only(leg(0))]);
    choir.sing(&[0, 1, 2], 60);

    assert_eq!(choir.heard_by(0), [1, 2]);
    assert_eq!(choir.heard_by(1), [0]);
    assert_eq!(choir.heard_by(2), [0, 1]);
    assert_eq!(choir.hall.heard(1).len(), 60);
    assert_steady(&choir.hall.heard(1));
}

#[test]
fn who_barges_in_is_heard_by_all() {
    let mut choir = Choir::new(&[Pcma, G722, Pcmu]);
    choir.room(&[Ear::Everybody; 3]);
    choir.sing(&[0, 1, 2], 60);

    assert_eq!([0, 1, 2].map(|phone| choir.heard_by(phone)), [[1, 2], [0, 2], [0, 1]]);
}

/// RFC 3550 §5.1: one stream for each phone, whatever it hears.
#[test]
fn every_change_of_who_hears_whom_continues_the_stream() {
    let mut choir = Choir::new(&[Pcma, Pcma, G722]);
    choir.hall.order(Command::Bridge { a: leg(0), b: leg(1) });
    let modes = [Ear::Nobody, Ear::Only(leg(0)), Ear::Everybody, Ear::Nobody, Ear::Everybody];
    for mode in modes {
        choir.room(&[Ear::Everybody, Ear::Everybody, mode]);
        choir.sing(&[0, 1, 2], 25);
    }
    choir.hall.order(Command::Close { leg: leg(1) });
    choir.sing(&[0, 2], 25);

    for phone in 0..3 {
        let heard = choir.hall.heard(phone);
        for (before, after) in heard.iter().zip(&heard[1..]) {
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            assert_eq!(after.ssrc, before.ssrc);
            let step = after.timestamp.wrapping_sub(before.timestamp);
            assert!(step == 160 || (after.marker && (160..=480).contains(&step)), "{step}");
        }
    }
    assert_eq!([choir.heard_by(0), choir.heard_by(2)], [[2], [0]]);
}

#[test]
fn eight_hear_each_other_but_not_themselves() {
    let codecs = [Pcma, Pcmu, G722, Pcma, Pcmu, G722, Pcma, Pcma];
    let mut choir = Choir::new(&codecs);
    let mut ears = [Ear::Everybody; 8];
    choir.room(&ears);
    choir.sing(&[0, 1, 2, 3, 4, 5, 6, 7], 60);
    for phone in 0..8 {
        let others: Vec<_> = (0..8).filter(|other| *other != phone).collect();
        assert_eq!(choir.heard_by(phone), others, "phone {phone}");
    }

    (ears[3], ears[5]) = (Ear::Nobody, Ear::Nobody);
    choir.room(&ears);
    choir.sing(&[0, 1, 2, 3, 4, 5, 6, 7], 60);
    for phone in 0..8 {
        let others: Vec<_> = (0..8).filter(|it| ![phone, 3, 5].contains(it)).collect();
        assert_eq!(choir.heard_by(phone), others, "phone {phone}");
    }
}

#[test]
fn opus_is_mixed_with_the_others() {
    let mut choir = Choir::new(&[Opus, G722, Pcma]);
    choir.room(&[Ear::Everybody; 3]);
    choir.sing(&[0, 1, 2], 80);

    assert_eq!([0, 1, 2].map(|phone| choir.heard_by(phone)), [[1, 2], [0, 2], [0, 1]]);
    for pair in choir.hall.heard(0).windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
    }
}

#[test]
fn of_many_the_loudest_are_heard() {
    let mut choir = Choir::new(&[Pcma; 6]);
    choir.loudness = vec![500, 4000, 1000, 4000, 250, 4000];
    choir.speakers_max = 3;
    choir.room(&[Ear::Everybody; 6]);
    choir.sing(&[0, 1, 2, 3, 4, 5], 60);
    assert_eq!(choir.heard_by(0), [1, 3, 5]);
    assert_eq!(choir.heard_by(3), [1, 5]);

    choir.loudness[4] = 12_000;
    choir.sing(&[0, 1, 2, 3, 4, 5], 100);
    assert_eq!(choir.heard_by(0).len(), 3);
    assert!(choir.heard_by(0).contains(&4));

    choir.sing(&[0, 2], 150);
    assert_eq!(choir.heard_by(1), [0, 2], "the others are silent");
}

/// What is said to everybody is recorded; what is whispered is nobody else's business.
#[test]
fn a_recording_has_who_barged_in_and_no_whisper() {
    for recorded in [0, 1] {
        let mut choir = Choir::new(&[Pcma, Pcma, Pcma]);
        choir.hall.order(Command::Bridge { a: leg(0), b: leg(1) });
        choir.hall.order(Command::Record { leg: leg(recorded), path: "a.wav".into() });
        for mode in [Ear::Nobody, Ear::Only(leg(0)), Ear::Everybody] {
            choir.room(&[Ear::Everybody, Ear::Everybody, mode]);
            choir.sing(&[0, 1, 2], 100);
        }
        choir.hall.order(Command::StopRecording { leg: leg(recorded) });

        let samples = &choir.hall.tapes[0].samples;
        let heard = |second: usize, side: usize| {
            let side: Vec<_> = samples.iter().skip(side).step_by(2).copied().collect();
            tones(&side[16_000 * second + 4000..][..8000])
        };
        for part in 0..3 {
            assert_eq!(heard(part, 0), [recorded], "the phone itself, part {part}");
        }
        let other = 1 - recorded;
        assert_eq!((heard(0, 1), heard(1, 1)), (vec![other], vec![other]));
        assert_eq!(heard(2, 1), [other, 2]);
    }
}

#[test]
fn a_tone_tells_who_comes_and_who_leaves() {
    let mut choir = Choir::new(&[Pcma, G722, Pcma]);
    choir.tones = true;
    choir.room(&[Ear::Everybody; 2]);
    choir.sing(&[], 50);
    assert_eq!(choir.loudest_of(0, 50), 0, "nobody was there to be told");

    choir.room(&[Ear::Everybody; 3]);
    choir.sing(&[], 50);
    choir.hall.order(Command::Close { leg: leg(1) });
    choir.sing(&[], 50);
    let heard = choir.samples(0);
    let at = |second: usize, ms: usize| &heard[8000 * second + 8 * ms..][..640];
    let level = |second, ms, frequency| amplitude(at(second, ms), frequency, 8000);
    assert!(level(1, 20, 600.0) > 2000.0 && level(1, 120, 900.0) > 2000.0);
    assert!(level(2, 20, 900.0) > 2000.0 && level(2, 120, 600.0) > 2000.0);
    assert!(level(1, 300, 600.0) < 50.0 && level(2, 300, 600.0) < 50.0);
}

#[test]
fn the_packets_of_a_mix_have_the_phones_length() {
    for ptime in [10, 20, 30, 60] {
        let mut choir = Choir::new(&[Pcma, G722, Pcma]);
        for index in [0, 1] {
            let codec = choir.hall.phones[index].codec;
            let audio = Box::new(Negotiated { ptime, ..negotiated(index, codec) });
            choir.hall.order(Command::Connect { leg: leg(index), audio });
        }
        choir.room(&[Ear::Everybody; 3]);
        choir.sing(&[0, 1, 2], 60);
        for phone in [0, 1] {
            let heard = choir.hall.heard(phone);
            assert!(heard.iter().all(|packet| packet.payload.len() == 8 * usize::from(ptime)));
            let lasts = heard.len() * usize::from(ptime);
            assert!((1120..=1200).contains(&lasts), "{lasts} ms in packets of {ptime}");
            assert_eq!(choir.heard_by(phone).len(), 2);
        }
    }
}

#[test]
fn who_holds_or_hears_music_is_left_out_of_the_mix_but_heard() {
    let mut choir = Choir::new(&[Pcma; 3]);
    choir.room(&[Ear::Everybody; 3]);
    choir.hall.direction(1, Direction::RecvOnly);
    choir.hall.play(2, &["music"], true);
    choir.sing(&[0, 1, 2], 60);

    assert_eq!(choir.heard_by(0), [1, 2]);
    assert_eq!(choir.hall.heard(1).len(), 0);
    assert!(choir.samples(2)[320..].iter().all(|sample| sample.abs_diff(1000) < 40), "music");

    choir.hall.order(Command::Stop { leg: leg(2) });
    choir.hall.direction(1, Direction::SendRecv);
    choir.sing(&[0, 1, 2], 60);
    assert_eq!((choir.heard_by(1), choir.heard_by(2)), (vec![0, 2], vec![0, 1]));
}

#[test]
fn losses_and_jitter_of_one_do_not_touch_the_others() {
    let mut choir = Choir::new(&[Pcma; 3]);
    choir.room(&[Ear::Everybody; 3]);
    for n in 0..200 {
        choir.lost = if n % 7 == 3 { vec![1] } else { Vec::new() };
        choir.sing(&[0, 1, 2], 1);
    }

    assert_eq!(choir.heard_by(2), [0, 1]);
    let heard = choir.samples(1);
    let tail = &heard[heard.len() - 8000..];
    let both: f64 = [0, 2].map(|it| purity(tail, tone_of(it), 8000)).iter().sum();
    assert!(both > 0.99, "{both}");
}

#[test]
fn a_leg_is_in_one_room_or_bridge_only() {
    let mut choir = Choir::new(&[Pcma; 5]);
    choir.room(&[Ear::Everybody; 3]);
    choir.hall.order(Command::Bridge { a: leg(2), b: leg(3) });
    choir.sing(&[0, 1, 2, 3, 4], 60);
    let heard = |choir: &Choir| [0, 1, 2, 3].map(|phone| choir.heard_by(phone));
    assert_eq!(heard(&choir), [[1], [0], [3], [2]]);

    let parties = [1, 3].map(|index| Party { leg: leg(index), heard_by: Ear::Everybody });
    let room = Room { id: RoomId(8), parties: parties.into(), speakers_max: 3, tones: false };
    choir.hall.order(Command::Room(Box::new(room)));
    choir.hall.packets.clear();
    choir.sing(&[0, 1, 2, 3, 4], 60);
    let heard: Vec<_> = (0..5).map(|phone| choir.heard_by(phone)).collect();
    assert_eq!(heard, [vec![], vec![3], vec![], vec![1], vec![]]);
}

/// A mixed party whose audio is encrypted.
#[test]
fn a_mix_is_encrypted_too() {
    let mut choir = Choir::new(&[Pcma; 2]);
    choir.hall.connect_secure(2, G722, &super::secure::keys(Suite::Gcm128, 1));
    choir.add_voice(2);
    choir.room(&[Ear::Everybody; 3]);
    choir.sing(&[0, 1, 2], 60);

    assert_eq!((choir.heard_by(2), choir.heard_by(0)), (vec![0, 1], vec![1, 2]));
}

/// Phones that sing, each its own tone.
struct Choir {
    hall: Hall,
    voices: Vec<(Sine, Encoder)>,
    loudness: Vec<i16>,
    said: Vec<Vec<Vec<u8>>>,
    /// Whose packets do not arrive.
    lost: Vec<usize>,
    speakers_max: u8,
    tones: bool,
}

impl Choir {
    fn new(codecs: &[Codec]) -> Self {
        let mut choir = Self {
            hall: Hall::new(),
            voices: Vec::new(),
            loudness: Vec::new(),
            said: Vec::new(),
            lost: Vec::new(),
            speakers_max: 8,
            tones: false,
        };
        for (index, codec) in codecs.iter().enumerate() {
            choir.hall.connect(index, *codec);
            choir.add_voice(index);
        }
        choir
    }

    fn add_voice(&mut self, index: usize) {
        let tone = Sine::new(tone_of(index), 1000, 8000);
        self.voices.push((tone, Encoder::default()));
        self.loudness.push(2500);
        self.said.push(Vec::new());
    }

    /// The first so many phones are in the room.
    fn room(&mut self, ears: &[Ear]) {
        let party =
            |(index, heard_by): (usize, &Ear)| Party { leg: leg(index), heard_by: *heard_by };
        let parties = ears.iter().enumerate().map(party).collect();
        let (id, speakers_max, tones) = (RoomId(7), self.speakers_max, self.tones);
        self.hall.order(Command::Room(Box::new(Room { id, parties, speakers_max, tones })));
    }

    /// These sing for so many packets.
    fn sing(&mut self, who: &[usize], packets: usize) {
        for _ in 0..packets {
            for index in who {
                let codec = self.hall.phones[*index].codec;
                let (tone, encoder) = &mut self.voices[*index];
                let loud = i32::from(self.loudness[*index]);
                let samples: Vec<i16> = tone
                    .by_ref()
                    .take(160)
                    .map(|it| (i32::from(it) * loud / 1000) as i16)
                    .collect();
                let payload = encoded(encoder, codec, &samples);
                self.said[*index].push(payload.clone());
                if self.lost.contains(index) {
                    let phone = &mut self.hall.phones[*index];
                    phone.sequence = phone.sequence.wrapping_add(1);
                    phone.timestamp = phone.timestamp.wrapping_add(phone.step());
                } else {
                    self.hall.speak_bytes(*index, number_of(codec), &payload);
                }
            }
            self.hall.pass(20);
            for (index, phone) in self.hall.phones.iter_mut().enumerate() {
                if !who.contains(&index) {
                    phone.timestamp = phone.timestamp.wrapping_add(phone.step());
                }
            }
        }
    }

    /// All that a phone was sent, as 8 kHz samples.
    fn samples(&self, phone: usize) -> Vec<i16> {
        decoded(self.hall.phones[phone].codec, &self.hall.heard(phone))
    }

    /// Whose tones a phone heard in the last half second.
    fn heard_by(&self, phone: usize) -> Vec<usize> {
        let samples = self.samples(phone);
        tones(&samples[samples.len().saturating_sub(4000)..])
    }

    /// The loudest sample of the last so many packets.
    fn loudest_of(&self, phone: usize, packets: usize) -> u16 {
        let samples = self.samples(phone);
        let last = &samples[samples.len().saturating_sub(160 * packets)..];
        last.iter().map(|sample| sample.unsigned_abs() / 20).max().unwrap_or(0)
    }
}

/// Ten periods and more in each half second, none a multiple of another.
fn tone_of(index: usize) -> f64 {
    [410.0, 590.0, 770.0, 970.0, 1190.0, 1430.0, 1730.0, 2110.0][index]
}

/// The phones whose tones are there: at a twentieth of their level or more.
fn tones(samples: &[i16]) -> Vec<usize> {
    (0..8).filter(|index| amplitude(samples, tone_of(*index), 8000) > 125.0).collect()
}
