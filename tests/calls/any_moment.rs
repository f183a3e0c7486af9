//! Somebody leaves at any moment of a call: after each single step of it, in all of its places.

use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Phone};
use strowger::cdr::entry::{AgentState, Fact};
use strowger::switch::Input;
use strowger::time::Duration;

/// Where the calls go: a phone, all kinds of queues, a menu and on, codes.
const PLACES: [&str; 10] = ["1002", "601", "602", "603", "604", "605", "606", "500", "*43", "*70"];

#[test]
fn the_caller_leaves_after_any_step() {
    at_any_step(|world| leave(world, "1001"));
}

#[test]
fn the_called_leave_after_any_step() {
    at_any_step(|world| {
        for name in ["1002", "1003", "1004", "1005"] {
            leave(world, name);
        }
    });
}

/// Everyone at once: every message of the end crosses one of another end.
#[test]
fn all_leave_after_any_step() {
    at_any_step(|world| {
        for name in ["1002", "1001", "1005", "1003", "1004"] {
            leave(world, name);
        }
    });
}

#[test]
fn the_node_stops_after_any_step() {
    at_any_step(|world| world.input(Input::Stop));
}

/// The phones that were called lose power, and never answer anything.
#[test]
fn the_called_die_after_any_step() {
    at_any_step(|world| {
        for name in ["1002", "1003", "1004", "1005"] {
            world.set(name, |phone| phone.manner = Manner::Dead);
        }
    });
}

/// Seats lose their registration: their agents are logged out, whatever they were doing.
#[test]
fn the_agents_unregister_after_any_step() {
    at_any_step(|world| {
        for name in ["1003", "1004", "1005"] {
            world.act(name, |phone, now| phone.register(now, 0));
        }
    });
}

fn at_any_step(act: impl Fn(&mut World)) {
    let mut talked = 0;
    for place in PLACES {
        for steps in 0..STEPS {
            let mut world = World::new(SITE);
            for name in ["1002", "1003", "1004", "1005"] {
                world.set(name, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
            }
            world.dial("1001", place);
            for step in 0..steps {
                world.step();
                if place == "500" && step == 20 && world.hears_prompt("1001", "welcome") {
                    world.press("1001", '1');
                }
            }
            talked += u32::from(world.has(|fact| matches!(fact, Fact::TalkBegan { .. })));
            act(&mut world);
            world.run(Duration::from_secs(70));
            for name in ["1001", "1002", "1003", "1004", "1005"] {
                leave(&mut world, name);
            }
            world.run(Duration::from_secs(70));
            for phone in world.phones.values_mut() {
                if phone.manner == Manner::Dead {
                    phone.lines.clear();
                }
            }
            world.close();
            for agent in ["a", "b", "c"] {
                let state = world.agent(agent);
                let idle = !matches!(state, AgentState::Ringing | AgentState::OnCall);
                assert!(
                    idle,
                    "agent {agent} is {state:?}: {place} after {steps}\n{}",
                    world.ladder
                );
            }
        }
    }
    assert!(talked > 40, "only {talked} calls were left in a talk: these are too few steps");
}

/// Whatever this phone does, it stops doing it.
fn leave(world: &mut World, name: &str) {
    if world.phone(name).manner != Manner::Dead {
        world.act(name, Phone::leave);
    }
}

/// More than any of these calls takes until both talk, or the caller waits.
const STEPS: usize = 48;
