//! The caller's offer is useless: 488, wherever he wants to go.

use crate::site::SITE;
use crate::world::World;
use strowger::cdr::entry::Fact;

/// Each kind of place that answers its caller.
#[test]
fn wherever_the_call_goes_it_ends() {
    for number in ["1002", "500", "601", "604", "606", "*43", "*11", "*13"] {
        let mut world = World::new(SITE);
        useless(&mut world, number);
        world.close();

        assert_eq!(world.status_of("1001"), 488, "{number}");
        assert!(world.ends().iter().all(|(status, _)| *status == 488), "{:?}", world.ends());
        assert!(!world.has(|fact| matches!(fact, Fact::Answered)), "{number}");
    }
}

/// 1001 offers a codec that nobody here speaks.
fn useless(world: &mut World, number: &str) {
    world.act("1001", |phone, now| {
        let offer = phone.sdp("", "sendrecv", "18");
        phone.dial(now, number, &offer);
    });
}
