//! Opus and comfort noise between two phones: who is offered what, and is told what of the other.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

/// Each is told what the other wants of Opus (RFC 7587 §7), under the numbers that it knows.
#[test]
fn two_phones_with_opus_are_told_what_the_other_can_hear() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| {
            phone.spoils = Some((
                "AVP 8 101",
                "AVP 111 101\r\na=rtpmap:111 opus/48000/2\r\n\
                a=fmtp:111 maxplaybackrate=16000;useinbandfec=0",
            ));
        });
        called(
            world,
            "97 8",
            "a=rtpmap:97 opus/48000/2\r\n\
            a=fmtp:97 maxplaybackrate=24000;useinbandfec=1;usedtx=1\r\n",
        );

        let offer = offered(world);
        assert!(offer.contains("RTP/AVP 111 8 9 0 110 101\r\n"), "{offer}");
        let wanted = "a=fmtp:111 maxplaybackrate=24000;usedtx=1;useinbandfec=1;";
        assert!(offer.contains(wanted), "{offer}");
        let answer = &world.phone("1001").line().remote_sdp;
        assert!(answer.contains("RTP/AVP 97 8 101\r\n"), "{answer}");
        assert!(answer.contains("a=fmtp:97 maxplaybackrate=16000;useinbandfec=0;"), "{answer}");
        over(world);
    });
}

/// Opus against G.711 is transcoded; but who has both speaks what the other does.
#[test]
fn opus_is_spoken_against_g711_only_if_nothing_is_shared() {
    for (formats, answered) in [("97", "RTP/AVP 97 101\r\n"), ("97 8", "RTP/AVP 8 97 101\r\n")] {
        let mut world = World::new(SITE);
        called(&mut world, formats, "a=rtpmap:97 opus/48000/2\r\n");

        let answer = &world.phone("1001").line().remote_sdp;
        assert!(answer.contains(answered), "{answer}");
        over(&mut world);
        world.close();
    }
}

/// RFC 3389: offered to a phone if the one has it that calls it.
#[test]
fn comfort_noise_is_offered_for_who_has_it() {
    for (formats, is_offered) in [("8 13", true), ("8", false)] {
        let mut world = World::new(SITE);
        called(&mut world, formats, "");

        let offer = offered(&world);
        assert_eq!(offer.contains("a=rtpmap:13 CN/8000\r\n"), is_offered, "{offer}");
        let answer = &world.phone("1001").line().remote_sdp;
        assert_eq!(answer.contains("a=rtpmap:13 CN/8000\r\n"), is_offered, "{answer}");
        over(&mut world);
        world.close();
    }
}

/// 1001 calls 1002 with these formats, and they talk.
fn called(world: &mut World, formats: &str, lines: &str) {
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.act("1001", |phone, now| {
        let offer = phone.next_sdp().replace("AVP 8 101", &format!("AVP {formats} 101"));
        phone.dial(now, "1002", &format!("{offer}{lines}"));
    });
    world.until("they talk", |world| {
        world.talk("1001", "1002") && world.stage("1001") == Stage::Talking
    });
}

/// What the callee's phone was offered.
fn offered(world: &World) -> String {
    String::from_utf8_lossy(world.phone("1002").line().invite.body()).into_owned()
}

fn over(world: &mut World) {
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
}
