//! An account with two phones: both ring, the first to answer has the call.

use crate::site::SITE;
use crate::world::World;
use crate::world::in_all_weathers;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::entry::{Fact, OfferOutcome};
use strowger::time::Duration;

/// RFC 3326: the other phone shows no missed call.
#[test]
fn the_first_wins_and_the_other_is_cancelled_with_a_reason() {
    in_all_weathers(SITE, |world| {
        both_ring(world);
        world.answer("1002b");
        world.until("they talk", |world| world.talk("1001", "1002b"));
        world.until("the other is quiet", |world| world.stage("1002") == Stage::Over);
        let reason = world.phone("1002").line().reason.clone().expect("the CANCEL says why");
        assert!(reason.starts_with("SIP;cause=200"), "{reason}");
        world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002b") == Stage::Over);
    });
}

#[test]
fn of_two_answers_at_once_one_has_the_call() {
    in_all_weathers(SITE, |world| {
        both_ring(world);
        world.answer("1002");
        world.answer("1002b");
        world.until("one of them talks", |world| {
            world.talk("1001", "1002") || world.talk("1001", "1002b")
        });
        let (winner, loser) =
            if world.talk("1001", "1002") { ("1002", "1002b") } else { ("1002b", "1002") };
        world.until("the other is told", |world| world.stage(loser) == Stage::Over);
        assert_eq!(world.phone(loser).line().byes, 1);
        let reason = world.phone(loser).line().reason.clone().expect("the BYE says why");
        assert!(reason.starts_with("SIP;cause=200"), "{reason}");
        let lost = world.facts().filter(|fact| {
            matches!(fact, Fact::OfferEnded { outcome: OfferOutcome::LostRace, .. })
        });
        assert_eq!(lost.count(), 1);
        world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
        world.hang_up(winner);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// One phone that is busy does not end the ringing of the other; both busy do.
#[test]
fn one_busy_phone_leaves_the_other_ringing() {
    let mut world = World::new(SITE);
    both_ring(&mut world);
    world.act("1002b", |phone, now| phone.refuse(now, 486));
    world.run(Duration::from_secs(2));
    assert!(world.rings("1002"));
    world.act("1002", |phone, now| phone.refuse(now, 480));
    world.close();

    assert_eq!(world.status_of("1001"), 486);
}

/// RFC 3261 §16.7: a 6xx speaks for the person at all phones.
#[test]
fn a_decline_at_one_phone_ends_it_at_all() {
    in_all_weathers(SITE, |world| {
        both_ring(world);
        world.act("1002b", |phone, now| phone.refuse(now, 603));
        world.until("the other is quiet", |world| world.stage("1002") == Stage::Over);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert_eq!(world.status_of("1001"), 603);
    });
}

fn both_ring(world: &mut World) {
    world.add_phone("1002b");
    world.register("1002b");
    for name in ["1002", "1002b"] {
        world.set(name, |phone| phone.manner = Manner::Rings);
    }
    world.dial("1001", "1002");
    world.until("both ring", |world| world.rings("1002") && world.rings("1002b"));
    world.run(Duration::from_secs(1));
}
