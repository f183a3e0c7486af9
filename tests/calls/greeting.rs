//! A greeting that must finish: the agent who answers early waits for its end.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact};
use strowger::time::Duration;

#[test]
fn pain_13_no_prompt_delays_the_phone_and_no_music_plays_on() {
    in_all_weathers(SITE, |world| {
        greeted(world);
        world.until("they talk", |world| world.talk("1001", "1003"));
        world.settle();
        assert!(world.has(|fact| matches!(fact, Fact::RecordingBegan { .. })));
        world.hang_up("1001");
        world.until("the agent is told", |world| world.stage("1003") == Stage::Over);
        assert_eq!(world.agent("a"), AgentState::WrapUp);
        world.run(Duration::from_secs(31));
        assert_eq!(world.agent("a"), AgentState::Available);
        assert!(world.has(|fact| matches!(fact, Fact::RecordingEnded { .. })));
        assert!(world.has(|fact| matches!(fact, Fact::WrapUpEnded { .. })));
    });
}

/// The agent hangs up before the greeting is over: the caller is in the line again, and the agent
/// is left alone for a moment.
#[test]
fn the_agent_leaves_before_it_has_ended() {
    let mut world = World::new(SITE);
    greeted(&mut world);
    world.hang_up("1003");
    world.run(Duration::from_secs(4));
    assert_eq!(world.phone("1003").lines.len(), 1);
    assert_eq!(world.agent("a"), AgentState::Available);
    assert_eq!(world.stage("1001"), Stage::Talking);
    assert!(world.hears_prompt("1001", "hold"));
    world.run(Duration::from_secs(5));
    world.until("he is rung again", |world| world.phone("1003").lines.len() == 2);
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.run(Duration::from_secs(1));
    world.hang_up("1003");
    world.close();
}

/// The caller hangs up before the greeting is over: the agent has nobody, and is told.
#[test]
fn the_caller_leaves_before_it_has_ended() {
    let mut world = World::new(SITE);
    greeted(&mut world);
    world.hang_up("1001");
    world.run(Duration::from_millis(50));
    assert_eq!(world.stage("1003"), Stage::Over);
    world.close();
}

/// A greeting of a second must finish, but an agent waits for its end for 0.3 s at most: he is
/// free again then, and the caller, who hears on, has his place.
#[test]
fn the_agent_does_not_wait_for_ever() {
    let long =
        "greeting = \"welcome\"\ngreeting_must_finish = true\ngreeting_agent_max = \"300ms\"\n";
    let mut world = World::new(&format!(
        "{SITE}\n[queues.long]\nnumber = \"620\"\nmembers = [\"a\"]\nmusic = \"comfort\"\n{long}"
    ));
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_millis(100)));
    world.dial("1001", "620");
    for line in 1..=2 {
        world.until("he is rung", |world| world.phone("1003").lines.len() == line);
        world.until("he hears that it rings", |world| world.hears_prompt("1003", "ringback"));
        world.run(Duration::from_millis(250));
        assert_eq!(world.stage("1003"), Stage::Talking, "no sooner");
        assert!(world.hears_prompt("1001", "welcome"));
    }
    world.until("the greeting has ended, and they talk", |world| world.talk("1001", "1003"));
    let greeted = world.facts().filter(|fact| matches!(fact, Fact::TalkBegan { .. })).count();
    assert_eq!(greeted, 1);
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.close();
}

/// The caller hears the greeting, the agent has answered and hears that it rings.
fn greeted(world: &mut World) {
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_millis(100)));
    world.dial("1001", "604");
    world.until("the agent hears that it rings", |world| world.hears_prompt("1003", "ringback"));
    assert!(world.hears_prompt("1001", "recording-notice"));
    assert!(!world.has(|fact| matches!(fact, Fact::TalkBegan { .. })));
    world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
}
