//! The caller hangs up while an agent's phone rings.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome, QueueLeft};
use strowger::time::Duration;

#[test]
fn the_agent_is_free_again() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        let seat = rung(world);
        world.run(Duration::from_secs(1));
        world.hang_up("1001");
        world.until("it is quiet", |world| world.stage(seat) == Stage::Over);
        world.settle();

        assert_eq!(world.agent("a"), AgentState::Available);
        assert!(world.has(|fact| matches!(
            fact,
            Fact::OfferEnded { outcome: OfferOutcome::CallerGone, .. }
        )));
        assert!(
            world.has(|fact| matches!(fact, Fact::QueueLeft { why: QueueLeft::Abandoned, .. }))
        );
    });
}

/// The agent's 200 and the caller's BYE are under way at once, whichever comes first.
#[test]
fn while_the_agent_answers() {
    for agent_first in [true, false] {
        for gap in 0..5 {
            let mut world = World::new(SITE);
            waiting(&mut world, "601");
            let seat = rung(&mut world);
            world.run(Duration::from_secs(1));
            if agent_first {
                world.answer(seat);
            } else {
                world.hang_up("1001");
            }
            world.run(Duration::from_millis(gap));
            if agent_first {
                world.hang_up("1001");
            } else if world.rings(seat) {
                world.answer(seat);
            }
            world.close();
            assert_eq!(world.agent("a"), AgentState::Available, "{agent_first} {gap}");
            // Nobody else took the call: a missed one must show.
            assert_eq!(world.phone(seat).line().reason, None, "{agent_first} {gap}");
        }
    }
}
