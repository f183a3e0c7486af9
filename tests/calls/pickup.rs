//! Somebody answers a phone that rings for another: `*8`, `*8` with a number.

use crate::queue::rung;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, OfferOutcome};
use strowger::cdr::entry::{Fact, JoinWhy};
use strowger::time::Duration;

#[test]
fn of_the_group() {
    in_all_weathers(SITE, |world| picked_up(world, "*8"));
}

#[test]
fn of_one_account() {
    in_all_weathers(SITE, |world| picked_up(world, "*81002"));
}

fn picked_up(world: &mut World, code: &str) {
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.dial("1006", code);
    world.until("they talk", |world| {
        world.talk("1001", "1006") && world.stage("1001") == Stage::Talking
    });
    world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
    let reason = world.phone("1002").line().reason.clone().expect("the CANCEL says why");
    assert!(reason.contains("elsewhere"), "no missed call is shown: {reason}");
    assert!(world.has(|fact| matches!(fact, Fact::Joined { why: JoinWhy::Pickup, .. })));
    world.settle();
    world.hang_up("1006");
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
}

#[test]
fn nothing_rings() {
    in_all_weathers(SITE, |world| {
        for code in ["*8", "*81002"] {
            world.dial("1006", code);
            world.until("it is refused", |world| world.stage("1006") == Stage::Over);
            assert_eq!(world.status_of("1006"), 480);
        }
    });
}

/// Accounts of other groups are left alone.
#[test]
fn not_of_another_group() {
    let site = SITE
        .replace("[extensions.1002]", "[extensions.1002]\npickup_groups = [\"desk\"]")
        .replace("[extensions.1006]", "[extensions.1006]\npickup_groups = [\"shop\", \"hall\"]");
    let mut world = World::new(&site);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    for code in ["*8", "*81002"] {
        world.dial("1006", code);
        world.until("it is refused", |world| world.stage("1006") == Stage::Over);
        assert_eq!(world.status_of("1006"), 480);
    }
    assert!(world.rings("1002"));
    world.cancel("1001");
    world.close();
}

/// A queue's caller is picked up from the agent whose phone rings: the agent is free again.
#[test]
fn a_queues_caller() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "601");
        let seat = rung(world);
        world.dial("1006", "*8");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("it rings no more", |world| world.stage(seat) == Stage::Over);
        world.run(Duration::from_secs(1));
        for agent in ["a", "b", "c"] {
            assert_eq!(world.agent(agent), AgentState::Available);
        }
        let lost = OfferOutcome::LostRace;
        assert!(
            world.has(|fact| {
                matches!(fact, Fact::OfferEnded { outcome, .. } if *outcome == lost)
            })
        );
        world.settle();
        world.hang_up("1001");
        world.until("he is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// Two pick up the same phone at once: one has it, the other is told that nothing rings.
#[test]
fn two_at_once() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.dial("1006", "*8");
        world.dial("1005", "*8");
        world.until("one has it", |world| world.talk("1001", "1006") || world.talk("1001", "1005"));
        world.settle();
        let lines = ["1006", "1005"].map(|name| world.stage(name) == Stage::Talking);
        assert_eq!(lines.iter().filter(|talks| **talks).count(), 1);
        world.hang_up("1001");
        world.until("both are told", |world| {
            world.stage("1006") == Stage::Over && world.stage("1005") == Stage::Over
        });
    });
}
