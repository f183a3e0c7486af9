//! The caller never acknowledges our 200: after 64*T1 he gets a BYE (RFC 3261 §13.3.1.4).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::time::{Duration, Instant};

#[test]
fn without_an_ack_the_call_ends_after_32_s() {
    in_all_weathers(SITE, |world| {
        let answered = never_acknowledged(world);
        world.until("he is hung up on", |world| world.phone("1001").line().byes == 1);
        let waited = world.now.since(answered);
        // The 200 that he got may have been a copy, and our BYE too.
        assert!((24..=64).contains(&waited.as_secs()), "after {waited:?}");
        world.until("so is the other", |world| world.stage("1002") == Stage::Over);
        world.settle();
        assert_eq!(world.ends().len(), 1);
    });
}

/// In good weather it is these seconds to one.
#[test]
fn it_ends_neither_sooner_nor_later() {
    let mut world = World::new(SITE);
    never_acknowledged(&mut world);
    world.run(Duration::from_secs(30));
    assert_eq!(world.stage("1002"), Stage::Talking);
    world.run(Duration::from_secs(3));

    assert_eq!(world.phone("1001").line().byes, 1);
    assert_eq!(world.stage("1002"), Stage::Over);
    world.close();
}

/// RFC 3261 §15: a callee must not hang up before the ACK; it does so when the ACK has come.
#[test]
fn our_bye_waits_for_the_ack() {
    in_all_weathers(SITE, |world| {
        never_acknowledged(world);
        world.hang_up("1002");
        world.until("we know", |world| world.stage("1002") == Stage::Over);
        world.run(Duration::from_secs(5));
        assert_eq!(world.phone("1001").line().byes, 0);

        world.set("1001", |phone| phone.acks = true); // the next copy of the 200 too
        world.act("1001", |phone, now| phone.acknowledge(now));
        world.until("he is told", |world| world.phone("1001").line().byes == 1);
    });
}

/// When the caller got the 200.
fn never_acknowledged(world: &mut World) -> Instant {
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.set("1001", |phone| phone.acks = false);
    world.dial("1001", "1002");
    world.until("the caller got the 200", |world| world.stage("1001") == Stage::Talking);
    world.now
}
