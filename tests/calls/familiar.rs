//! A caller is offered first to the agent who owns him, or who talked with him last.

use crate::queue::{ringing, rung, served};
use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

/// By idleness it would be another each time.
#[test]
fn the_agent_who_talked_with_the_caller_last_is_rung_first() {
    in_all_weathers(SITE, |world| {
        let first = served(world, "608");

        assert_eq!(served(world, "608"), first);
        assert_eq!(served(world, "608"), first);
    });
}

#[test]
fn who_talked_with_him_last_is_known_after_a_restart() {
    let mut world = World::new(SITE);
    assert_eq!([served(&mut world, "601"), served(&mut world, "601")], ["1003", "1004"]);
    world.restart();
    world.settle();

    assert_eq!(served(&mut world, "608"), "1004");
    world.close();
}

/// He is in a private call: after eight seconds the others are rung.
#[test]
fn a_busy_last_agent_is_waited_for_so_long_and_no_longer() {
    let mut world = World::new(SITE);
    assert_eq!(served(&mut world, "608"), "1003");
    world.dial("1003", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.dial("1001", "608");
    world.run(Duration::from_millis(7_900));
    assert_eq!(ringing(&world), [""; 0]);

    world.run(Duration::from_millis(300));

    assert_eq!(ringing(&world), ["1004"]);
    world.hang_up("1001");
    world.cancel("1003");
    world.close();
}

#[test]
fn a_last_agent_who_is_not_there_is_not_waited_for() {
    let mut world = World::new(SITE);
    assert_eq!(served(&mut world, "608"), "1003");
    world.act("1003", |phone, now| phone.register(now, 0));
    world.settle();
    world.dial("1001", "608");

    assert_eq!(rung(&mut world), "1004");
    world.hang_up("1001");
    world.close();
}

/// 1002 belongs to agent 17, who is no member of the queue.
#[test]
fn an_owner_is_rung_before_the_members() {
    let mut world = World::new(SITE);
    crate::codes::log_in(&mut world, "1006");
    world.run(Duration::from_secs(1));
    world.dial("1002", "608");
    world.until("the owner's phone rings", |world| world.rings("1006"));
    world.run(Duration::from_secs(1));
    assert_eq!(ringing(&world), [""; 0]);

    // He refuses: it is the members' turn, also before the wait is over.
    world.act("1006", |phone, now| phone.refuse(now, 603));
    assert_eq!(rung(&mut world), "1003");
    world.hang_up("1002");
    world.close();
}
