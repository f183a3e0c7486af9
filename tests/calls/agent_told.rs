//! An agent who has answered is told whose call it is, before he is joined with the caller.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, QueueLeft};
use strowger::time::Duration;

#[test]
fn the_agent_hears_the_queue_and_the_wait_and_the_caller_music() {
    in_all_weathers(&site(), |world| {
        told(world);
        assert!(world.hears_prompt("1001", "hold"), "the caller keeps his music");
        assert!(!world.talk("1001", "1003"), "and is not joined yet");
        world.until("they talk", |world| world.talk("1001", "1003"));
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 2);
    });
}

/// The caller's wait is what it was when the agent answered.
#[test]
fn what_the_agent_is_told_is_no_wait_of_the_caller() {
    let mut world = World::new(&site());
    told(&mut world);
    world.until("they talk", |world| world.talk("1001", "1003"));
    let at = |is: &dyn Fn(&Fact) -> bool| {
        world.entries.iter().rfind(|entry| is(&entry.fact)).map(|entry| entry.at)
    };
    let answered = at(&|fact| matches!(fact, Fact::OfferEnded { .. })).expect("he has answered");
    let left = at(&|fact| matches!(fact, Fact::QueueLeft { .. })).expect("they talk");
    let told = world.facts().find_map(|fact| match fact {
        Fact::AgentTold { told_us, .. } => Some(*told_us),
        _ => None,
    });
    let told = Duration::from_micros(told.expect("it is written down"));
    assert_eq!(left.since(answered), told);
    assert!(told > Duration::from_secs(1), "{told:?}");
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.close();
}

#[test]
fn the_agent_leaves_before_it_has_ended() {
    let mut world = World::new(&site());
    told(&mut world);
    world.hang_up("1003");
    world.run(Duration::from_secs(2));
    assert_eq!(world.agent("a"), AgentState::Available);
    assert!(world.hears_prompt("1001", "hold"));
    let calls = world.phone("1003").lines.len();
    world.until("he is rung again", |world| world.phone("1003").lines.len() > calls);
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.run(Duration::from_secs(1));
    world.hang_up("1003");
    world.close();
}

#[test]
fn the_caller_leaves_before_it_has_ended() {
    let mut world = World::new(&site());
    told(&mut world);
    world.hang_up("1001");
    world.run(Duration::from_millis(50));
    assert_eq!(world.stage("1003"), Stage::Over);
    let why = QueueLeft::Abandoned;
    assert!(world.has(|fact| matches!(fact, Fact::QueueLeft { why: it, .. } if *it == why)));
    world.close();
}

/// The caller has waited for twenty seconds, the agent has answered, and hears so.
fn told(world: &mut World) {
    world.dial("1002", "1003");
    world.until("it rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1002", "1003"));
    waiting(world, "620");
    world.run(Duration::from_secs(21));
    world.hang_up("1002");
    world.until("the agent is rung", |world| world.rings("1003"));
    world.answer("1003");
    world.until("the agent hears it", |world| {
        world.hears_prompt("1003", "welcome") && world.hears_prompt("1003", "agent-waited")
    });
}

fn site() -> String {
    format!(
        "{SITE}\n[queues.told]\nnumber = \"620\"\nmembers = [\"a\"]\n\
         agent_announce = {{ prompt = \"welcome\", wait = true }}\n"
    )
}
