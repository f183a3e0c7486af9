//! Audio that is encrypted by keys in SDP, leg by leg (RFC 4568, RFC 8643).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

/// The caller's phone encrypts, the callee's knows nothing of it.
#[test]
fn an_encrypted_caller_talks_with_a_plain_phone() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.sealing = ENCRYPTED);
        crate::answered::talking(world);

        let sealed = world.phone("1001").line().remote_sdp.clone();
        assert!(sealed.contains("RTP/SAVP 8"), "{sealed}");
        assert!(sealed.contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"), "{sealed}");
        let plain = &world.phone("1002").line().remote_sdp;
        assert!(plain.contains("RTP/AVP") && !plain.contains("crypto"), "{plain}");

        // Hold and resume: the key stays.
        for direction in ["sendonly", "sendrecv"] {
            world.act("1001", |phone, now| {
                let offer = phone.sdp("", direction, "8");
                phone.in_dialog(now, Method::Invite, &offer);
            });
            world.until("it is taken", |world| world.phone("1001").is_quiet());
            assert_eq!(key_of(&world.phone("1001").line().remote_sdp), key_of(&sealed));
        }
        assert!(world.talk("1001", "1002"));
        world.hang_up("1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// What is offered under the plain profile harms nobody who does not know it.
#[test]
fn encryption_is_offered_where_it_is_preferred() {
    let site =
        SITE.replace("listen = \"192.0.2.1\"", "listen = \"192.0.2.1\"\nsrtp = \"preferred\"");
    for sealing in [("RTP/AVP", ""), ("RTP/AVP", KEY)] {
        in_all_weathers(&site, |world| {
            world.set("1002", |phone| phone.sealing = sealing);
            crate::answered::talking(world);

            let offer = &world.phone("1002").line().remote_sdp;
            assert!(offer.contains("RTP/AVP 8"), "{offer}");
            assert_eq!(offer.matches("a=crypto:").count(), 4, "{offer}");
            assert!(offer.contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"), "{offer}");
            world.hang_up("1001");
            world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        });
    }
}

/// A phone that must encrypt is offered nothing else, and gets no other call.
#[test]
fn encryption_that_is_required_is_the_condition_of_a_call() {
    let site = SITE.replace("name = \"Ann\"", "name = \"Ann\"\nsrtp = \"required\"");
    in_all_weathers(&site, |world| {
        world.set("1001", |phone| {
            phone.manner = Manner::Answers(Duration::from_secs(1));
            phone.sealing = ENCRYPTED;
        });
        world.act("1002", |phone, now| {
            let offer = phone.talk_sdp();
            phone.dial(now, "1001", &offer);
        });
        world.until("they talk", |world| world.talk("1001", "1002"));

        let offer = &world.phone("1001").line().remote_sdp;
        assert!(offer.contains("RTP/SAVP 8"), "{offer}");
        world.hang_up("1001");
        world.until("the caller is told", |world| world.stage("1002") == Stage::Over);
    });
    let mut world = World::new(&site);
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.dial(now, "1002", &offer);
    });
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.close();
    assert_eq!((world.status_of("1001"), world.ends()[0].0), (488, 488));
    assert!(world.phone("1002").lines.is_empty(), "nobody rings for it");
}

/// A queue whose calls must be encrypted: its agents' phones are offered nothing else, and a caller
/// in the clear is refused before anybody rings; from a menu he was answered in, he is hung up on.
#[test]
fn a_queue_may_require_encryption() {
    let site = SITE.replace("[queues.idle]", "[queues.idle]\nsrtp = \"required\"");
    assert_ne!(site, SITE);
    in_all_weathers(&site, |world| {
        for name in ["1001", "1003", "1004", "1005"] {
            world.set(name, |phone| {
                phone.manner = Manner::Answers(Duration::from_secs(1));
                phone.sealing = ENCRYPTED;
            });
        }
        crate::queue::waiting(world, "601");
        let seat = crate::queue::rung(world);
        world.until("they talk", |world| world.talk("1001", seat));

        let offer = &world.phone(seat).line().remote_sdp;
        assert!(offer.contains("RTP/SAVP 8"), "{offer}");
        world.hang_up("1001");
        world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
    });
    let mut world = World::new(&site);
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.dial(now, "601", &offer);
    });
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.close();
    assert_eq!(world.status_of("1001"), 488);
    assert_eq!(world.ends(), [(488, "not_encrypted".to_owned())]);
    let is_queued = |fact: &Fact| matches!(fact, Fact::Queued { .. } | Fact::Offered { .. });
    assert!(!world.has(is_queued), "he was never in the line");
}

/// A caller who leaves the offer to us (RFC 3264 §4) is offered encryption alone; what he answers
/// in the clear ends the call before anybody rings.
#[test]
fn a_queue_that_requires_encryption_offers_it_to_who_offers_nothing() {
    let site = SITE.replace("[queues.idle]", "[queues.idle]\nsrtp = \"required\"");
    for (sealing, answered) in [(ENCRYPTED, true), (("RTP/AVP", ""), false)] {
        let mut world = World::new(&site);
        for name in ["1003", "1004", "1005"] {
            world.set(name, |phone| {
                phone.manner = Manner::Answers(Duration::from_secs(1));
                phone.sealing = ENCRYPTED;
            });
        }
        world.set("1001", |phone| phone.sealing = sealing);
        world.act("1001", |phone, now| phone.dial(now, "601", ""));
        if answered {
            let seat = crate::queue::rung(&mut world);
            world.until("they talk", |world| world.talk("1001", seat));
            world.hang_up("1001");
        }
        world.until("the call has ended", |world| world.ends().len() == 1);
        world.close();

        let offer = &world.phone("1001").line().remote_sdp;
        assert!(offer.contains("RTP/SAVP "), "{offer}");
        assert!(!offer.contains("RTP/AVP "), "{offer}");
        assert_eq!(world.has(|fact| matches!(fact, Fact::TalkBegan { .. })), answered);
    }
}

/// An answer in the clear to an offer that was not: the phone is hung up on.
#[test]
fn a_plain_answer_does_not_undo_encryption() {
    let site = SITE.replace("name = \"Ann\"", "name = \"Ann\"\nsrtp = \"required\"");
    let mut world = World::new(&site);
    world.set("1001", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.act("1002", |phone, now| {
        let offer = phone.talk_sdp();
        phone.dial(now, "1001", &offer);
    });
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.until("the phone is told", |world| world.stage("1001") == Stage::Over);
    world.close();

    assert_eq!(world.phone("1001").line().byes, 1);
}

#[test]
fn encryption_can_be_switched_off() {
    let site = SITE.replace("listen = \"192.0.2.1\"", "listen = \"192.0.2.1\"\nsrtp = \"off\"");
    let mut world = World::new(&site);
    world.set("1001", |phone| phone.sealing = ENCRYPTED);
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.dial(now, "1002", &offer);
    });
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.close();

    assert_eq!(world.status_of("1001"), 488);
}

/// What an `a=crypto` of ours says after its tag.
fn key_of(sdp: &str) -> &str {
    sdp.lines().find(|line| line.starts_with("a=crypto:")).expect("a key")
}

const KEY: &str = "a=crypto:3 AES_CM_128_HMAC_SHA1_80 \
                   inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
const ENCRYPTED: (&str, &str) = ("RTP/SAVP", KEY);
