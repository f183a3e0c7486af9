//! Places in lines: kept when the caller goes on to another queue, or comes back; keys that lead
//! out; who counts as nobody there.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::World;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::cdr::entry::{Fact, QueueLeft};
use strowger::time::Duration;

#[test]
fn a_key_leads_out_of_the_queue() {
    in_all_weathers(SITE, |world| {
        waiting(world, "609");
        world.press("1001", '5');
        world.run(Duration::from_millis(500));
        assert_eq!(world.stage("1001"), Stage::Talking);
        world.press("1001", '0');
        world.until("it rings", |world| world.rings("1002"));

        assert!(left(world, QueueLeft::Key));
        world.settle();
        if world.stage("1001") == Stage::Talking {
            world.hang_up("1001");
        }
        world.until("it rings no more", |world| !world.rings("1002"));
        world.settle();
    });
}

/// 1001 came to the second queue later, but waits for longer.
#[test]
fn who_goes_on_to_another_queue_keeps_his_seniority() {
    for key in [None, Some('#')] {
        let mut world = World::new(SITE);
        waiting(&mut world, "609");
        world.run(Duration::from_secs(5));
        world.dial("1002", "610");
        world.run(Duration::from_millis(500));
        match key {
            Some(key) => world.press("1001", key),
            None => world.run(Duration::from_secs(6)),
        }
        world.run(Duration::from_secs(1));

        assert_eq!(positions(&world, "second"), [1, 1]);
        served_first(&mut world, "1001");
    }
}

#[test]
fn who_hangs_up_and_calls_again_has_his_place_back() {
    let mut world = World::new(SITE);
    waiting(&mut world, "610");
    world.run(Duration::from_secs(1));
    world.dial("1002", "610");
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.run(Duration::from_secs(50));
    waiting(&mut world, "610");

    assert_eq!(positions(&world, "second"), [1, 2, 1]);
    served_first(&mut world, "1001");
}

#[test]
fn a_place_is_not_kept_for_ever() {
    let mut world = World::new(SITE);
    waiting(&mut world, "610");
    world.run(Duration::from_secs(1));
    world.dial("1002", "610");
    world.run(Duration::from_secs(1));
    world.hang_up("1001");
    world.run(Duration::from_secs(61));
    waiting(&mut world, "610");

    assert_eq!(positions(&world, "second"), [1, 2, 2]);
    served_first(&mut world, "1002");
}

/// An agent comes to work: `caller` is the one whom he gets.
fn served_first(world: &mut World, caller: &str) {
    crate::codes::log_in(world, "1006");
    world.until("the agent's phone rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk(caller, "1006"));
    world.hang_up("1001");
    world.hang_up("1002");
    world.settle();
}

fn left(world: &World, how: QueueLeft) -> bool {
    world.has(|fact| matches!(fact, Fact::QueueLeft { why, .. } if *why == how))
}

/// The places at which callers came into a queue.
fn positions(world: &World, id: &str) -> Vec<u32> {
    let entered = world.facts().filter_map(|fact| match fact {
        Fact::Queued { queue, position } if queue.as_str() == id => Some(*position),
        _ => None,
    });
    entered.collect()
}

/// Agents a, b and c are all away: callers do not join, and those who wait are sent on.
#[test]
fn a_queue_whose_agents_are_all_away_counts_as_empty_if_so_configured() {
    let mut world = World::new(SITE);
    let away = |world: &mut World, agent: &str| {
        let change = strowger::switch::request::AgentChange::Away { reason: Some("lunch".into()) };
        let by = "test".to_owned();
        let agent = agent.into();
        world.ask(strowger::switch::request::Request::ChangeAgent { agent, change, by });
        world.input(strowger::switch::Input::Tick);
    };
    for (seat, agent) in [("1003", "a"), ("1004", "b")] {
        world.set(seat, |phone| phone.manner = crate::world::phone::Manner::Refuses(486));
        away(&mut world, agent);
    }
    world.dial("1001", "611");
    world.until("the last one's phone rings", |world| world.rings("1005"));
    away(&mut world, "c");
    world.until("he hears it", |world| world.hears_prompt("1001", "nobody"));
    world.until("he is hung up", |world| world.stage("1001") == Stage::Over);
    assert!(left(&world, QueueLeft::Empty));

    world.dial("1002", "611");
    world.until("the next hears it", |world| world.hears_prompt("1002", "nobody"));
    assert_eq!(positions(&world, "away"), [1, 0]);
    world.close();
}

/// Key 4 of the menu counts as a minute.
#[test]
fn a_key_can_give_priority() {
    let mut world = World::new(SITE);
    world.dial("1002", "610");
    world.run(Duration::from_secs(30));
    world.dial("1001", "500");
    world.until("the menu speaks", |world| world.hears_prompt("1001", "welcome"));
    world.press("1001", '4');
    world.run(Duration::from_secs(1));

    assert_eq!(positions(&world, "second"), [1, 1]);
    served_first(&mut world, "1001");
}
