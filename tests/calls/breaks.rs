//! The last agent of a queue wants a break: he hears, and others see, what becomes of it.

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use strowger::cdr::entry::{AgentState, Fact};
use strowger::switch::request::{AgentChange, Refusal, Reply};
use strowger::time::Duration;

/// By the code at his phone; agent b comes later.
#[test]
fn at_his_phone_he_hears_that_it_waits_and_has_it_later() {
    let mut world = alone("delay");
    asks_by_code(&mut world, "agent-break-later");

    assert!(held(&world, false));
    let seen = world.agent_view("a");
    assert_eq!((seen.state, seen.then), (AgentState::Available, Some(AgentState::Away)));
    assert!(seen.break_held);
    assert_eq!(seen.reason.as_deref(), Some("lunch"));
    world.order("b", AgentChange::LogIn { extension: None });
    assert_eq!(world.agent("a"), AgentState::Away);
    assert!(!world.agent_view("a").break_held);
    world.close();
}

#[test]
fn at_his_phone_he_hears_that_it_is_refused() {
    let mut world = alone("refuse");
    asks_by_code(&mut world, "agent-break-refused");

    assert!(held(&world, true));
    assert_eq!(world.agent("a"), AgentState::Available);
    assert_eq!(world.agent_view("a").then, None);
    world.close();
}

/// A program is told why, and a supervisor can answer for it.
#[test]
fn who_orders_it_is_told_why_it_is_refused_and_can_insist() {
    let mut world = alone("refuse");
    let refused = world.order("a", AgentChange::Away { reason: None });
    let Reply::Refused(Refusal::AgentState { why, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(why, "nobody else is there for queue idle");
    let done = world.order("a", AgentChange::AwayAnyway { reason: Some("drill".into()) });

    assert!(matches!(done, Reply::Agent(view) if view.state == AgentState::Away));
    world.close();
}

/// Agent a alone is there for the queue, which keeps its last one so.
fn alone(rule: &str) -> World {
    let rule = format!("[queues.idle]\nlast_break = \"{rule}\"\n");
    let mut world = World::new(&SITE.replace("[queues.idle]\n", &rule));
    for other in ["b", "c"] {
        world.order(other, AgentChange::LogOut);
    }
    world
}

fn asks_by_code(world: &mut World, prompt: &str) {
    world.dial("1003", "*14");
    world.run(Duration::from_millis(100));
    world.press("1003", '2');
    world.until(prompt, |world| world.hears_prompt("1003", prompt));
    world.until("it is over", |world| world.stage("1003") == Stage::Over);
    world.settle();
}

fn held(world: &World, refuses: bool) -> bool {
    world.has(|fact| matches!(
        fact,
        Fact::BreakHeld { queue, refused, .. } if queue.as_str() == "idle" && *refused == refuses
    ))
}
