//! A node that is drained takes no new calls; those in progress go on.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use strowger::switch::request::{Reply, Request};

#[test]
fn new_callers_are_sent_elsewhere_until_it_is_undone() {
    let mut world = World::new(SITE);
    talking(&mut world);
    drain(&mut world, true);

    world.dial("1003", "1004");
    world.settle();
    assert_eq!(world.status_of("1003"), 503);
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.close();

    drain(&mut world, false);
    talking(&mut world);
    world.hang_up("1001");
    world.close();
}

fn drain(world: &mut World, on: bool) {
    match world.ask(Request::Drain { on }) {
        Reply::Status(status) => assert_eq!(status.draining, on),
        other => panic!("asked for a drain, got {other:?}"),
    }
}
