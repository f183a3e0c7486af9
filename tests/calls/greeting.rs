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

/// The caller hears the greeting, the agent has answered and hears music.
fn greeted(world: &mut World) {
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_millis(100)));
    world.dial("1001", "604");
    world.until("the agent hears music", |world| world.hears_prompt("1003", "hold"));
    assert!(world.hears_prompt("1001", "recording-notice"));
    assert!(!world.has(|fact| matches!(fact, Fact::TalkBegan { .. })));
    world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
}
