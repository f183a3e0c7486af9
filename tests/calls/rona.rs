//! An agent lets it ring out: he is set away, the next agent is rung (RONA).

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome};

#[test]
fn the_next_agent_is_rung_and_the_first_is_away() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        assert_eq!(rung(world), "1003");
        world.until("the next rings", |world| world.rings("1004"));
        assert_eq!(world.agent("a"), AgentState::Away);
        world.until("the first is quiet", |world| world.stage("1003") == Stage::Over);
        world.answer("1004");
        world.until("they talk", |world| world.talk("1001", "1004"));
        world.settle();
        world.hang_up("1004");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert!(
            world.has(|fact| matches!(
                fact,
                Fact::OfferEnded { outcome: OfferOutcome::NoAnswer, .. }
            ))
        );
        assert_eq!(world.agent("a"), AgentState::Away);
        assert_eq!(world.agent("b"), AgentState::Available);
    });
}

/// Everyone is away in the end; the caller waits on, and hangs up.
#[test]
fn nobody_answers_at_all() {
    let mut world = crate::world::World::new(SITE);
    waiting(&mut world, "601");
    world.run(strowger::time::Duration::from_secs(40));
    for agent in ["a", "b", "c"] {
        assert_eq!(world.agent(agent), AgentState::Away, "agent {agent}");
    }
    world.hang_up("1001");
    world.close();
    assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
}
