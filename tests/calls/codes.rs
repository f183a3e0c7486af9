//! Feature codes: an agent logs in and out, is away and back, ends his wrap-up; the echo test.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact};
use strowger::time::Duration;

#[test]
fn an_agent_logs_in_and_out() {
    in_all_weathers(SITE, |world| {
        log_in(world, "1006");
        assert_eq!(world.agent("17"), AgentState::Available);

        code(world, "1006", "*12", "agent-out");
        assert_eq!(world.agent("17"), AgentState::LoggedOut);
    });
}

#[test]
fn three_wrong_pins_are_denied() {
    let mut world = World::new(SITE);
    guess(&mut world, "1006", 3);
    world.close();
    assert_eq!(world.agent("17"), AgentState::LoggedOut);
}

/// A phone where PINs are guessed is not asked any more for a while; others are.
#[test]
fn ten_wrong_pins_lock_the_phone_out() {
    let mut world = World::new(SITE);
    for tries in [3, 3, 3, 1] {
        guess(&mut world, "1006", tries);
    }
    let locked = |fact: &&Fact| matches!(fact, Fact::LockedOut { seconds: 60, .. });
    assert_eq!(world.facts().filter(locked).count(), 1);

    world.dial("1006", "*11");
    world.until("it is answered", |world| {
        world.hears_prompt("1006", "agent-denied") || world.hears_prompt("1006", "agent-id")
    });
    assert!(world.hears_prompt("1006", "agent-denied"), "nothing is asked any more");
    world.until("it is over", |world| world.stage("1006") == Stage::Over);
    log_in(&mut world, "1001");
    code(&mut world, "1001", "*12", "agent-out");
    world.run(Duration::from_secs(60));
    log_in(&mut world, "1006");
    world.close();
    assert_eq!(world.agent("17"), AgentState::Available);
}

#[test]
fn an_agent_is_away_and_back() {
    in_all_weathers(SITE, |world| {
        world.dial("1003", "*14");
        world.until("the reason is asked for", |world| world.hears_prompt("1003", "agent-reason"));
        world.press("1003", '2');
        world.until("it is done", |world| world.hears_prompt("1003", "agent-away"));
        world.until("it is over", |world| world.stage("1003") == Stage::Over);
        assert_eq!(world.agent("a"), AgentState::Away);

        code(world, "1003", "*13", "agent-available");
        assert_eq!(world.agent("a"), AgentState::Available);
    });
}

#[test]
fn an_agent_ends_his_wrap_up() {
    let mut world = World::new(SITE);
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_secs(2)));
    world.dial("1001", "604");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.run(Duration::from_secs(1));
    assert_eq!(world.agent("a"), AgentState::WrapUp);

    code(&mut world, "1003", "*15", "wrap-up-done");
    assert_eq!(world.agent("a"), AgentState::Available);
    world.close();
}

/// A code that no number may follow is meant when it is dialled as it is, and not otherwise.
#[test]
fn what_begins_like_a_code_is_none() {
    let mut world = World::new(SITE);
    for number in ["*430", "*4", "*1100", "*133", "*790", "*731002", "**43"] {
        world.dial("1006", number);
        world.until("it is refused", |world| world.stage("1006") == Stage::Over);
        assert_eq!(world.status_of("1006"), 404, "{number}");
    }
    world.close();
}

/// A code for agents, dialled where none sits.
#[test]
fn who_is_no_agent_is_denied() {
    in_all_weathers(SITE, |world| code(world, "1001", "*13", "agent-denied"));
}

#[test]
fn the_echo_test_sends_back_what_is_said() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "*43");
        world.until("it is explained", |world| world.hears_prompt("1001", "echo"));
        world.until("he hears himself", |world| {
            world.hears("1001") == Heard::Phone("1001".into())
                && world.stage("1001") == Stage::Talking
        });
        world.settle();
        world.hang_up("1001");
    });
}

/// Agent 17's PIN is guessed, until it is said that it was wrong too often.
fn guess(world: &mut World, seat: &str, tries: usize) {
    world.dial(seat, "*11");
    for _ in 0..tries {
        world.until("the id is asked for", |world| world.hears_prompt(seat, "agent-id"));
        keys(world, seat, "17#");
        world.until("the PIN is asked for", |world| world.hears_prompt(seat, "agent-pin"));
        keys(world, seat, "1111#");
    }
    assert!(world.hears_prompt(seat, "agent-denied"));
    world.until("it is over", |world| world.stage(seat) == Stage::Over);
}

/// Agent 17 logs in at a phone.
pub fn log_in(world: &mut World, seat: &str) {
    world.dial(seat, "*11");
    world.until("the id is asked for", |world| world.hears_prompt(seat, "agent-id"));
    keys(world, seat, "17#");
    world.until("the PIN is asked for", |world| world.hears_prompt(seat, "agent-pin"));
    keys(world, seat, "4711#");
    world.until("it is done", |world| world.hears_prompt(seat, "agent-in"));
    world.until("it is over", |world| world.stage(seat) == Stage::Over);
    world.settle();
}

fn code(world: &mut World, seat: &str, code: &str, prompt: &str) {
    world.dial(seat, code);
    world.until(prompt, |world| world.hears_prompt(seat, prompt));
    world.until("it is over", |world| world.stage(seat) == Stage::Over);
}

fn keys(world: &mut World, name: &str, keys: &str) {
    for key in keys.chars() {
        world.press(name, key);
    }
}
