//! An agent's phone refuses: the next agent is rung at once, the caller keeps his place.

use crate::queue::{ringing, rung, waiting};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome};
use strowger::time::Duration;

#[test]
fn the_next_agent_is_rung_at_once() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        assert_eq!(rung(world), "1003");
        world.run(Duration::from_secs(1));
        world.act("1003", |phone, now| phone.refuse(now, 603));
        world.until("the next rings", |world| world.rings("1004"));
        world.run(Duration::from_secs(1));
        world.answer("1004");
        world.until("they talk", |world| world.talk("1001", "1004"));
        world.settle();
        world.hang_up("1001");
        world.settle();

        assert!(
            world.has(|fact| matches!(
                fact,
                Fact::OfferEnded { outcome: OfferOutcome::Rejected, .. }
            ))
        );
    });
}

#[test]
fn within_a_few_milliseconds() {
    let mut world = World::new(SITE);
    waiting(&mut world, "601");
    assert_eq!(rung(&mut world), "1003");
    world.act("1003", |phone, now| phone.refuse(now, 603));
    world.run(Duration::from_millis(5));

    assert_eq!(ringing(&world), ["1004"]);
    world.hang_up("1001");
    world.close();
    assert_eq!(world.stage("1004"), Stage::Over);
}

/// All refuse: each is left alone for a while (`refusal_pause`), then asked again.
#[test]
fn who_refused_is_asked_again_after_a_pause() {
    let mut world = World::new(SITE);
    for seat in crate::queue::SEATS {
        world.set(seat, |phone| phone.manner = Manner::Refuses(486));
    }
    waiting(&mut world, "601");
    world.run(Duration::from_secs(4));
    assert_eq!(world.phone("1003").lines.len(), 1);
    world.set("1003", |phone| phone.manner = Manner::Rings);
    world.run(Duration::from_secs(4));
    assert!(world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.hang_up("1003");
    world.close();
    assert_eq!(world.agent("a"), AgentState::Available);
}
