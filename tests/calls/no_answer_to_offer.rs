//! The caller's offer turns out to be useless when he is to be answered: 488, wherever he is.

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::entry::Fact;
use strowger::time::Duration;

/// Each kind of place that answers its caller.
#[test]
fn wherever_the_call_goes_it_ends() {
    for number in ["500", "601", "604", "606", "*43", "*11", "*13"] {
        let mut world = World::new(SITE);
        useless(&mut world, number);
        world.close();

        assert_eq!(world.status_of("1001"), 488, "{number}");
        assert!(world.ends().iter().all(|(status, _)| *status == 488), "{:?}", world.ends());
        assert!(!world.has(|fact| matches!(fact, Fact::Answered)), "{number}");
    }
}

/// The callee has answered already: he is told with a BYE.
#[test]
fn the_callee_is_told() {
    let mut world = World::new(SITE);
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    useless(&mut world, "1002");
    world.until("the callee is told", |world| {
        world.phone("1002").lines.last().is_some_and(|line| line.stage == Stage::Over)
    });
    world.close();

    assert_eq!(world.status_of("1001"), 488);
    assert_eq!(world.phone("1002").line().byes, 1);
    assert!(!world.has(|fact| matches!(fact, Fact::TalkBegan { .. })));
}

/// 1001 offers a codec that nobody here speaks.
fn useless(world: &mut World, number: &str) {
    world.act("1001", |phone, now| {
        let offer = phone.sdp("", "sendrecv", "18");
        phone.dial(now, number, &offer);
    });
}
