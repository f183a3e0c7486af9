//! The process dies in the middle of everything, and starts again.

use crate::answered::talking;
use crate::queue::rung;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::AgentState;
use strowger::time::Duration;

/// Both phones of a call are told that it is over.
#[test]
fn kept_dialogs_get_a_bye() {
    in_all_weathers(SITE, |world| {
        talking(world);
        assert_eq!(dialogs(world), 2);
        world.restart();
        world.entries.clear(); // the ledger closes the books of calls that died with the process
        for name in ["1001", "1002"] {
            world.until("it is told", |world| world.stage(name) == Stage::Over);
            let reason = world.phone(name).line().reason.clone().expect("the BYE says why");
            assert!(reason.contains("503"), "{reason}");
        }
        assert_eq!(dialogs(world), 0);
    });
}

/// An agent in wrap-up or on a call is available after it: that call is over.
#[test]
fn an_agent_on_a_call_is_available_again() {
    let mut world = World::new(SITE);
    world.dial("1001", "601");
    let seat = rung(&mut world);
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.run(Duration::from_secs(1));
    world.restart();
    world.entries.clear();
    world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
    world.run(Duration::from_secs(1));

    assert_eq!(world.agent("a"), AgentState::Available);
    assert_eq!(world.agent("b"), AgentState::Available);
    world.close();
}

fn dialogs(world: &World) -> usize {
    world.store.keys().filter(|key| key.starts_with("dialogs/")).count()
}
