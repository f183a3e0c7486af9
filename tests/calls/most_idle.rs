//! The agent who has been idle longest is rung.

use crate::queue::{rung, served};
use crate::site::SITE;
use crate::world::World;
use crate::world::in_all_weathers;
use strowger::cdr::entry::{AgentState, Fact};
use strowger::time::Duration;

#[test]
fn each_in_turn_of_idleness() {
    in_all_weathers(SITE, |world| {
        let seats: Vec<_> = (0..4).map(|_| served(world, "601")).collect();

        assert_eq!(seats, ["1003", "1004", "1005", "1003"]);
        assert_eq!(world.agent("a"), AgentState::Available);
    });
}

/// A private call makes an agent busy, and says nothing about how long he has been idle.
#[test]
fn whoever_talks_privately_is_not_rung() {
    let mut world = World::new(SITE);
    world.dial("1003", "1002");
    world.until("it rings", |world| world.rings("1002"));
    assert_eq!(served(&mut world, "601"), "1004");
    world.cancel("1003");
    world.run(Duration::from_secs(1));
    assert_eq!(served(&mut world, "601"), "1003");
    world.close();
}

/// Nobody is free: the first who becomes free is rung at once.
#[test]
fn the_first_to_be_free_is_rung() {
    let mut world = World::new(SITE);
    for (seat, other) in [("1003", "1002"), ("1004", "1006"), ("1005", "500")] {
        world.dial(seat, other);
        world.run(Duration::from_millis(100));
    }
    world.dial("1001", "601");
    world.run(Duration::from_secs(2));
    assert!(!world.has(|fact| matches!(fact, Fact::Offered { agent: Some(_), .. })));
    world.hang_up("1005");
    assert_eq!(rung(&mut world), "1005");
    world.hang_up("1001");
    world.cancel("1003");
    world.cancel("1004");
    world.close();
}
