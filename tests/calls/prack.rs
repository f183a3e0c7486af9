//! Reliable provisional responses (RFC 3262), asked for by either side.

use crate::site::SITE;
use crate::world::phone::{Rel, Stage};
use crate::world::{World, in_all_weathers};
use strowger::sip::message::{Message, Method, Name};
use strowger::time::Duration;

/// `Require: 100rel` in the INVITE: the ringing is told reliably, and acknowledged.
#[test]
fn a_caller_that_requires_it_acknowledges_the_ringing() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.rel = Rel::Requires);
        world.dial("1001", "1006");
        world.until("it rings", |world| world.rings("1006"));
        world.settle();
        // In a storm the phone's own 180, which it does not send reliably, may be lost.
        assert!(pracks_answered(world) >= 1 || world.weather.lost > 0);
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        over(world);
    });
}

/// Without an offer in the INVITE, ours is in the first reliable response, and the answer in the
/// PRACK (RFC 3262 §5).
#[test]
fn a_late_offer_is_in_a_reliable_response_and_its_answer_in_the_prack() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.rel = Rel::Requires);
        world.set("1006", |phone| phone.rel = Rel::Supports);
        world.act("1001", |phone, now| phone.dial(now, "1006", ""));
        world.until("it rings", |world| world.rings("1006"));
        world.act("1006", |phone, now| phone.announce(now));
        world.until("we have offered", |world| {
            world.phone("1001").line().remote_sdp.contains("m=audio")
        });
        world.settle();
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        let last = world.sent.iter().rev().find_map(|message| match message {
            Message::Response(response) if response.cseq().method == Method::Invite => {
                Some(response.body().len())
            }
            _ => None,
        });
        assert_eq!(last, Some(0), "the 200 has no description: it would be another offer");
        over(world);
    });
}

/// A caller that only supports it is not bothered with plain ringing.
#[test]
fn ringing_alone_is_not_told_reliably_without_need() {
    let mut world = World::new(SITE);
    world.set("1001", |phone| phone.rel = Rel::Supports);
    world.dial("1001", "1006");
    world.until("it rings", |world| world.rings("1006"));
    world.settle();
    assert_eq!(pracks_answered(&world), 0);
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    over(&mut world);
    world.close();
}

/// RFC 3262 §3: after 64*T1 without a PRACK the INVITE is refused.
#[test]
fn a_caller_that_never_acknowledges_is_refused_after_32_s() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.rel = Rel::Forgets);
        world.set("1006", |phone| phone.rel = Rel::Supports);
        world.dial("1001", "1006");
        world.until("it rings", |world| world.rings("1006"));
        world.act("1006", |phone, now| phone.announce(now));
        world.until("it is over", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), 504);
        world.until("the callee is told", |world| world.stage("1006") == Stage::Over);
        world.until("it is recorded", |world| !world.ends().is_empty());
        assert_eq!(world.ends(), [(487, "no_prack".to_owned())]);
    });
}

/// A PRACK that is on its way when the phone is picked up: the 200 waits for it (RFC 3262 §3).
#[test]
fn the_200_waits_for_the_prack() {
    let mut world = World::new(SITE);
    world.set("1001", |phone| phone.rel = Rel::Forgets);
    world.dial("1001", "1006");
    world.until("it rings", |world| world.rings("1006"));
    world.run(Duration::from_secs(1));
    world.answer("1006");
    world.run(Duration::from_secs(5));
    assert_eq!(world.stage("1001"), Stage::Calling, "no 200 yet");
    world.hang_up("1006");
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    world.close();
}

/// The other way: a phone sends its 183 reliably, and we acknowledge it.
#[test]
fn a_callee_that_supports_it_is_acknowledged() {
    in_all_weathers(SITE, |world| {
        world.set("1006", |phone| phone.rel = Rel::Supports);
        world.dial("1001", "1006");
        world.until("it rings", |world| world.rings("1006"));
        let invite = &world.phone("1006").line().invite;
        assert!(invite.has_value(Name::Supported, "100rel"));
        world.act("1006", |phone, now| phone.announce(now));
        world.until("we have acknowledged", |world| world.phone("1006").line().acknowledged == 1);
        world.act("1006", |phone, now| phone.announce(now));
        world.until("and once more", |world| world.phone("1006").line().acknowledged == 2);
        world.settle();
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        over(world);
    });
}

/// The 200s to PRACKs that the switch has sent.
fn pracks_answered(world: &World) -> usize {
    let answered = world.sent.iter().filter(|message| match message {
        Message::Response(response) => {
            response.cseq().method == Method::Prack && response.status() == 200
        }
        Message::Request(_) => false,
    });
    answered.count()
}

fn over(world: &mut World) {
    world.settle();
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1006") == Stage::Over);
}
