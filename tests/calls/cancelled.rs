//! The caller gives up before the callee has answered.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn after_it_rang() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.run(Duration::from_secs(2));
        world.cancel("1001");
        world.until("it is quiet", |world| world.stage("1002") == Stage::Over);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert_eq!(world.status_of("1001"), 487);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(487, "caller_hung_up".to_owned())]);
    });
}

#[test]
fn before_it_rang() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Silent);
        world.dial("1001", "1002");
        world.until("it was called", |world| world.rings("1002"));
        world.cancel("1001");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert_eq!(world.status_of("1001"), 487);
    });
}

/// RFC 3261 §9.1: our CANCEL waits for a provisional response, which a dead phone never sends.
#[test]
fn while_the_phone_is_dead() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Dead);
        world.dial("1001", "1002");
        world.run(Duration::from_secs(3));
        world.cancel("1001");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        let sent = world.sent.iter().filter_map(|message| message.as_request());
        assert_eq!(sent.filter(|request| request.method() == Method::Cancel).count(), 0);
    });
}

/// The phone answers while our CANCEL is under way: its 200 gets an ACK and a BYE.
#[test]
fn while_the_callee_answers() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.run(Duration::from_secs(1));
    world.cancel("1001");
    world.run(Duration::from_millis(1));
    world.answer("1002");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    world.close();

    assert_eq!(world.phone("1002").line().byes, 1);
    assert_eq!(world.ends(), [(487, "caller_hung_up".to_owned())]);
}

/// The caller's CANCEL comes when our 200 is under way: the call stands, and he hangs up.
#[test]
fn while_our_answer_is_under_way() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.run(Duration::from_secs(1));
    world.answer("1002");
    world.run(Duration::from_millis(1));
    world.cancel("1001");
    world.until("the call stands", |world| world.stage("1001") == Stage::Talking);
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.close();

    assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
}

/// The same crossing at any distance between the two, to the millisecond.
#[test]
fn at_any_moment() {
    for gap in 0..5 {
        for caller_first in [false, true] {
            let mut world = World::new(SITE);
            world.dial("1001", "1002");
            world.until("it rings", |world| world.rings("1002"));
            world.run(Duration::from_secs(1));
            let first = if caller_first { World::cancel } else { World::answer };
            let second = if caller_first { World::answer } else { World::cancel };
            let (one, two) = if caller_first { ("1001", "1002") } else { ("1002", "1001") };
            first(&mut world, one);
            world.run(Duration::from_millis(gap));
            if !caller_first || world.rings("1002") {
                second(&mut world, two);
            }
            world.run(Duration::from_secs(1));
            if world.stage("1001") == Stage::Talking {
                world.hang_up("1001");
            }
            world.close();
        }
    }
}

/// A CANCEL after the ACK has nothing to cancel (RFC 3261 §9.2).
#[test]
fn too_late() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.cancel("1001");
    world.run(Duration::from_secs(1));
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.close();
}
