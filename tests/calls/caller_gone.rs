//! The caller hangs up while an agent's phone rings.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
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
