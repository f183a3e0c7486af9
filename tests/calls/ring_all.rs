//! All agents are rung; of two answers, the first has the call.

use crate::queue::ringing;
use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome};
use strowger::time::Duration;

#[test]
fn of_two_answers_100_ms_apart_one_has_the_call() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "603");
        world.until("all ring", |world| ringing(world).len() == 3);
        world.run(Duration::from_secs(1));
        world.answer("1004");
        world.run(Duration::from_millis(100));
        if world.rings("1003") {
            world.answer("1003");
        }
        world.until("one talks", |world| world.talk("1001", "1004") || world.talk("1001", "1003"));
        world.settle();

        let (winner, loser) =
            if world.talk("1001", "1004") { ("1004", "1003") } else { ("1003", "1004") };
        assert_eq!(world.stage(loser), Stage::Over);
        assert_eq!(world.stage("1005"), Stage::Over);
        let talks = world.facts().filter(|fact| matches!(fact, Fact::TalkBegan { .. }));
        assert_eq!(talks.count(), 1);
        let lost = world.facts().filter(|fact| {
            matches!(fact, Fact::OfferEnded { outcome: OfferOutcome::LostRace, .. })
        });
        assert_eq!(lost.count(), 2);
        world.hang_up(winner);
        world.settle();
        for agent in ["a", "b", "c"] {
            assert_eq!(world.agent(agent), AgentState::Available, "agent {agent}");
        }
    });
}
