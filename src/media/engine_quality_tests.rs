//! Calls over bad networks, in virtual time: what is counted fits what the networks did.

use super::hall::*;
use crate::media::control::{Counts, Event};
use crate::media::engine::*;
use crate::rng::Rng;
use crate::rtp::reception::Reception;
use crate::rtp::rtcp;
use crate::sdp::{Codec, Direction};
use crate::time::{Duration, Epoch, Instant};

#[test]
fn a_clean_call_is_found_clean() {
    let mut line = Line::new(1);

    line.talk(3000, Network::default(), Network::default());

    let (from, to) = line.counts();
    assert_eq!((from.received.lost, from.received.late, from.received.duplicates), (0, 0, 0));
    assert_eq!((to.sent.lost, to.sent_missing), (0, 0));
    assert_eq!((from.received.jitter_us, from.received.jitter_max_us), (0, 0));
    let trip = to.round_trip_us.unwrap();
    assert!(trip.abs_diff(70_000) < 100, "{trip}");
    assert_eq!(from.received.mos, Some(440), "without reports of his there is no round trip");
    assert!((430..=440).contains(&to.sent.mos.unwrap()), "{:?}", to.sent.mos);
}

#[test]
fn a_bad_way_from_a_phone_is_heard_by_the_other_but_not_its_way_s_fault() {
    let mut line = Line::new(2);

    let bad = Network { lost: 60, twice: 20, late: 30, row: 1 };
    let did = line.talk(3000, bad, Network::default());

    let (from, to) = line.counts();
    let received = &from.received;
    assert!(did.lost > 120 && did.late > 50 && did.twice > 30, "{did:?}");
    assert_eq!(received.lost, did.lost);
    assert_eq!(received.late, did.late);
    assert_eq!(received.duplicates, did.twice);
    assert!((90..=115).contains(&received.burst_percent), "{}", received.burst_percent);
    assert!(received.mos < Some(400), "{:?}", received.mos);
    assert!(to.sent.mos < Some(420), "{:?}", to.sent.mos);
    assert!(to.sent_path_mos > Some(425), "{to:?}");
    assert!(to.sent.lost.abs_diff(to.sent_missing) <= 5, "{to:?}");
}

#[test]
fn a_bad_way_to_a_phone_is_what_its_reports_show() {
    let mut line = Line::new(3);

    let did = line.talk(3000, Network::default(), Network { lost: 150, ..Network::default() });

    let (from, to) = line.counts();
    assert_eq!(from.received.lost, 0);
    assert!(to.sent.lost.abs_diff(did.lost) <= did.lost / 20, "{} {}", to.sent.lost, did.lost);
    assert_eq!(to.sent_missing, 0);
    assert!(to.sent_path_mos < Some(360), "{to:?}");
    assert_eq!(to.sent_path_mos, to.sent.mos);
}

#[test]
fn losses_in_rows_sound_worse_than_as_many_alone() {
    let talk = |seed, row| {
        let mut line = Line::new(seed);
        let bad = Network { lost: 60 / row, row, ..Network::default() };
        let did = line.talk(6000, bad, Network::default());
        (line.counts().0.received, did.lost)
    };

    let (rows, lost) = talk(4, 6);
    let (alone, _) = talk(5, 1);

    assert_eq!(rows.lost, lost);
    assert!((480..=700).contains(&rows.burst_percent), "{}", rows.burst_percent);
    assert!(rows.mos < alone.mos, "{rows:?} {alone:?}");
}

/// What each leg has counted is told while it talks.
#[test]
fn counts_are_told_each_five_seconds() {
    let mut line = Line::new(6);

    line.talk(750, Network::default(), Network::default());

    assert_eq!(line.hall.snapshots.len(), 2 * 3);
    assert_eq!(line.hall.snapshots.iter().map(|it| it.received.packets).max(), Some(750));
}

#[test]
fn one_way_audio_is_told_within_five_seconds() {
    let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
    let silent = |hall: &Hall| {
        let of = |event: &&Event| matches!(event, Event::OneWay { leg: it } if *it == leg(1));
        hall.events.iter().filter(of).count()
    };

    hall.speaks(0, 250);
    assert_eq!(silent(&hall), 1, "{:?}", hall.events);
    for _ in 0..100 {
        hall.speak(0);
        hall.speak(1);
        hall.pass(20);
    }
    assert!(hall.events.contains(&Event::BothWays { leg: leg(1) }));
    assert!(!hall.events.contains(&Event::OneWay { leg: leg(0) }), "he is heard");
}

/// On hold, with comfort noise (RFC 3389), and of a phone that only reports.
#[test]
fn silence_on_purpose_is_not_told() {
    let one_way = |quiet: &dyn Fn(&mut Hall)| {
        let mut hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
        for n in 0..1000 {
            hall.speak(0);
            if n < 20 {
                hall.speak(1);
            } else if n % 200 == 20 {
                quiet(&mut hall);
            }
            hall.pass(20);
        }
        hall.events.iter().any(|event| matches!(event, Event::OneWay { .. }))
    };

    assert!(one_way(&|_| {}));
    assert!(!one_way(&|hall| hall.direction(1, Direction::SendOnly)), "it only hears");
    assert!(!one_way(&|hall| hall.direction(1, Direction::RecvOnly)), "it is not sent anything");
    assert!(!one_way(&|hall| hall.speak_bytes(1, 13, &[40])), "comfort noise");
    assert!(!one_way(&|hall| {
        let mut bytes = rtcp::compound(1, None, &[], "phone", false);
        hall.engine.rtcp(hall.now, Slot::of(port(1).rtp), address(1), &mut bytes);
    }));
}

/// What a network does to a packet, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    /// Loses it, and those that follow: `row` in all.
    lost: u32,
    twice: u32,
    /// Lets it come nine packets later.
    late: u32,
    row: u32,
}

/// What the networks did, as far as it can be seen.
#[derive(Debug, Default)]
struct Did {
    lost: u64,
    twice: u64,
    late: u64,
}

/// A phone that talks to another, which reports what it hears.
struct Line {
    hall: Hall,
    rng: Rng,
    ear: Reception,
}

impl Line {
    fn new(seed: u64) -> Self {
        let hall = Hall::bridged([Codec::Pcma, Codec::Pcma]);
        Self { hall, rng: Rng::from_number(seed), ear: Reception::new(8000) }
    }

    /// Each packet goes over one network to us, and over another to the other phone. The first and
    /// the last ten are spared, so that all that is lost shows.
    fn talk(&mut self, packets: u32, here: Network, there: Network) -> Did {
        let mut did = Did::default();
        let (mut row, mut behind) = (0, None);
        for n in 0..packets {
            let spared = n < 10 || n + 10 >= packets;
            let dice = self.rng.below(1000);
            if row == 0 && !spared && dice < here.lost {
                row = here.row.max(1);
            }
            let phone = &mut self.hall.phones[0];
            if row > 0 && !spared {
                row -= 1;
                did.lost += 1;
                self.skip();
            } else if !spared && behind.is_none() && (500..500 + here.late).contains(&dice) {
                behind = Some((n + 9, phone.sequence, phone.timestamp));
                self.skip();
            } else {
                self.hall.speak(0);
                if (900..900 + here.twice).contains(&dice) {
                    self.again();
                    did.twice += 1;
                }
            }
            if let Some((_, sequence, timestamp)) = behind.take_if(|it| it.0 == n) {
                let phone = &mut self.hall.phones[0];
                let ahead = (phone.sequence, phone.timestamp);
                (phone.sequence, phone.timestamp) = (sequence, timestamp);
                self.hall.speak(0);
                let phone = &mut self.hall.phones[0];
                (phone.sequence, phone.timestamp) = ahead;
                did.late += 1;
            }
            self.arrive(there, spared, &mut did);
            self.hall.pass(20);
            self.report(n);
        }
        did
    }

    fn skip(&mut self) {
        let phone = &mut self.hall.phones[0];
        phone.sequence = phone.sequence.wrapping_add(1);
        phone.timestamp = phone.timestamp.wrapping_add(160);
    }

    fn again(&mut self) {
        let phone = &mut self.hall.phones[0];
        phone.sequence = phone.sequence.wrapping_sub(1);
        phone.timestamp = phone.timestamp.wrapping_sub(160);
        self.hall.speak(0);
    }

    fn arrive(&mut self, there: Network, spared: bool, did: &mut Did) {
        let sent = self.hall.packets.remove(&Slot::of(port(1).rtp)).unwrap_or_default();
        for packet in sent {
            if !spared && self.rng.below(1000) < there.lost {
                did.lost += 1;
            } else {
                self.ear.packet(self.hall.now, packet.ssrc, packet.sequence, packet.timestamp);
            }
        }
    }

    /// Each second, the last time before the ten at the end; our report comes 30 ms after it was
    /// sent, the phone's takes 40 ms back.
    fn report(&mut self, n: u32) {
        let slot = Slot::of(port(1).rtp);
        let (transit, back) = (Duration::from_millis(30), Duration::from_millis(40));
        for (_, bytes) in self.hall.reports.drain(..).filter(|(to, _)| *to == slot) {
            for packet in rtcp::parse(&bytes).unwrap() {
                if let rtcp::Packet::Report { ssrc, sender: Some(sender), .. } = packet {
                    // Sent in the last 20 ms, at a whole five seconds.
                    let sent = Duration::from_secs(self.hall.now.as_micros() / 5_000_000 * 5);
                    let at = Instant::START + sent;
                    assert_eq!(rtcp::ntp(Epoch::default().wall(at)), sender.ntp);
                    self.ear.sender_report(at + transit, ssrc, sender.ntp);
                }
            }
        }
        if n % 50 != 39 {
            return;
        }
        let block = self.ear.report(self.hall.now).unwrap();
        let mut bytes = rtcp::compound(1, None, &[block], "phone", false);
        let from = address(1);
        self.hall.engine.rtcp(self.hall.now + back, slot, from, &mut bytes);
    }

    /// Of the one who talks and of the one who hears.
    fn counts(&mut self) -> (Counts, Counts) {
        (self.hall.counts(0), self.hall.counts(1))
    }
}
