//! The caller never acknowledges our 200: after 64*T1 he gets a BYE (RFC 3261 §13.3.1.4).

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Stage};
use strowger::time::Duration;

#[test]
fn without_an_ack_the_call_ends_after_32_s() {
    let mut world = World::new(SITE);
    never_acknowledged(&mut world);
    world.run(Duration::from_secs(30));
    assert_eq!(world.stage("1002"), Stage::Talking);
    world.run(Duration::from_secs(3));

    assert_eq!(world.phone("1001").line().byes, 1);
    assert_eq!(world.stage("1002"), Stage::Over);
    world.close();
    assert_eq!(world.ends().len(), 1);
}

/// RFC 3261 §15: a callee must not hang up before the ACK; it does so when the ACK has come.
#[test]
fn our_bye_waits_for_the_ack() {
    let mut world = World::new(SITE);
    never_acknowledged(&mut world);
    world.hang_up("1002");
    world.run(Duration::from_secs(1));
    assert_eq!(world.phone("1001").line().byes, 0);

    world.act("1001", |phone, now| phone.acknowledge(now));
    world.run(Duration::from_secs(1));
    assert_eq!(world.phone("1001").line().byes, 1);
    world.close();
}

fn never_acknowledged(world: &mut World) {
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.set("1001", |phone| phone.acks = false);
    world.dial("1001", "1002");
    world.until("the caller got the 200", |world| world.stage("1001") == Stage::Talking);
}
