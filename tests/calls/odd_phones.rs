//! Phones that do what they should not, or that vanish.

use crate::answered::talking;
use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::AgentState;
use strowger::time::Duration;

/// A phone loses power in a call: its BYE is never answered, and nothing waits for it for ever.
#[test]
fn the_callee_vanishes_in_the_call() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.set("1002", |phone| phone.manner = Manner::Dead);
        world.hang_up("1001");
        world.run(Duration::from_secs(60));
        world.set("1002", |phone| phone.lines.clear());
    });
}

/// The agent's phone is unplugged: 32 s without a word would be long, the queue's ringing is 10 s.
#[test]
fn an_agent_with_a_dead_phone_costs_one_ringing() {
    let mut world = World::new(SITE);
    world.set("1003", |phone| phone.manner = Manner::Dead);
    waiting(&mut world, "601");
    world.run(Duration::from_secs(11));
    assert!(world.rings("1004"));
    world.answer("1004");
    world.until("they talk", |world| world.talk("1001", "1004"));
    world.run(Duration::from_secs(1));
    world.hang_up("1004");
    world.close();
    assert_ne!(world.agent("a"), AgentState::Ringing);
}

/// An agent's phone registers away while it rings: the call goes on to the next.
#[test]
fn an_agent_whose_registration_ends_while_he_is_rung() {
    let mut world = World::new(SITE);
    waiting(&mut world, "601");
    assert_eq!(rung(&mut world), "1003");
    world.act("1003", |phone, now| phone.register(now, 0));
    world.until("the next rings", |world| world.rings("1004"));
    assert_eq!(world.agent("a"), AgentState::LoggedOut);
    world.hang_up("1001");
    world.close();
    assert_eq!(world.stage("1003"), Stage::Over);
}

/// Calling oneself rings no phone, and is no loop.
#[test]
fn who_calls_himself_hears_that_nobody_is_there() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "1001");
        world.until("it is over", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), 480);
    });
}

/// Two calls of one phone do not touch each other.
#[test]
fn a_phone_in_two_calls() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.dial("1006", "1001");
    world.until("the second rings", |world| world.rings("1001"));
    world.answer("1001");
    world.run(Duration::from_secs(1));
    world.hang_up("1006");
    world.run(Duration::from_secs(1));
    assert_eq!(world.phone("1001").lines[0].stage, Stage::Talking);
    assert_eq!(world.phone("1001").lines[1].stage, Stage::Over);
    world.hang_up("1002");
    world.close();
    assert_eq!(world.ends().len(), 2);
}
