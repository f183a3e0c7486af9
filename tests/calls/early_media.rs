//! Audio before the answer: a 183 with a description of the callee reaches the caller as ours.

use crate::site::SITE;
use crate::world::phone::{Rel, Stage};
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

#[test]
fn the_caller_hears_the_phone_before_it_answers() {
    for (caller, callee) in [
        (Rel::Unknown, Rel::Unknown),
        (Rel::Supports, Rel::Unknown),
        (Rel::Requires, Rel::Supports),
    ] {
        in_all_weathers(SITE, |world| {
            world.set("1001", |phone| phone.rel = caller);
            world.set("1006", |phone| phone.rel = callee);
            world.dial("1001", "1006");
            world.until("it rings", |world| world.rings("1006"));
            // An unreliable 183 that is lost is lost: it is sent as often as it takes.
            for _ in 0..10 {
                if world.talk("1001", "1006") && told(world) {
                    break;
                }
                world.act("1006", |phone, now| phone.announce(now));
                world.run(Duration::from_secs(3));
            }
            assert!(world.talk("1001", "1006"), "early\n{}", world.ladder);
            assert_eq!(world.stage("1001"), Stage::Calling);
            let early = world.phone("1001").line().remote_sdp.clone();
            world.settle();
            world.answer("1006");
            world.until("it is answered", |world| world.stage("1001") == Stage::Talking);
            assert!(world.talk("1001", "1006"));
            // RFC 3261 §13.2.1: the description in the 200 is the one of before.
            assert_eq!(world.phone("1001").line().remote_sdp, early);
            over(world, "1006");
        });
    }
}

/// Two phones ring; the one that speaks of audio last is heard, whoever answers is talked to.
#[test]
fn of_several_phones_the_latest_is_heard() {
    let mut world = World::new(SITE);
    world.add_phone("1002b");
    world.register("1002b");
    world.dial("1001", "1002");
    world.until("both ring", |world| world.rings("1002") && world.rings("1002b"));
    world.act("1002", |phone, now| phone.announce(now));
    world.until("the first is heard", |world| world.talk("1001", "1002"));
    world.act("1002b", |phone, now| phone.announce(now));
    world.until("the second is heard", |world| world.talk("1001", "1002b"));

    world.answer("1002");
    world.until("the first has answered", |world| world.stage("1001") == Stage::Talking);
    world.until("they talk", |world| world.talk("1001", "1002"));
    over(&mut world, "1002");
    world.close();
}

/// The phone that was heard refuses while another rings: the caller hears ringing.
#[test]
fn when_the_phone_that_is_heard_refuses_the_caller_hears_ringing() {
    let mut world = World::new(SITE);
    world.add_phone("1002b");
    world.register("1002b");
    world.dial("1001", "1002");
    world.until("both ring", |world| world.rings("1002") && world.rings("1002b"));
    world.act("1002", |phone, now| phone.announce(now));
    world.until("it is heard", |world| world.talk("1001", "1002"));
    world.act("1002", |phone, now| phone.refuse(now, 486));
    world.until("it rings on", |world| world.hears_prompt("1001", "ringback"));

    world.act("1002b", |phone, now| phone.answer(now));
    world.until("they talk", |world| world.talk("1001", "1002b"));
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.close();
}

/// The callee refuses after its announcement ("this number is not in service").
#[test]
fn an_announcement_and_a_refusal() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.rel = Rel::Supports);
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.act("1002", |phone, now| phone.announce(now));
        world.until("it is heard", |world| world.talk("1001", "1002"));
        world.act("1002", |phone, now| phone.refuse(now, 486));
        world.until("it is over", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), 486);
    });
}

/// A caller who was answered by a menu hears the phone's own tones instead of our ringing.
#[test]
fn early_audio_to_a_caller_who_is_in_a_menu() {
    let mut world = World::new(SITE);
    world.dial("1001", "500");
    world.until("the menu plays", |world| world.hears_prompt("1001", "welcome"));
    world.press("1001", '1');
    world.until("it rings", |world| world.rings("1002"));
    world.act("1002", |phone, now| phone.announce(now));
    world.until("it is heard", |world| world.talk("1001", "1002"));
    world.answer("1002");
    world.until("it is answered", |world| world.stage("1002") == Stage::Talking);
    over(&mut world, "1002");
    world.close();
}

/// The caller has got a description, in whichever response.
fn told(world: &World) -> bool {
    world.phone("1001").line().remote_sdp.contains("m=audio")
}

fn over(world: &mut World, callee: &str) {
    world.settle();
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage(callee) == Stage::Over);
}
