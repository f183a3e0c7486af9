//! Places in lines: kept when the caller goes on to another queue, or comes back; keys that lead
//! out; who counts as nobody there.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::World;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::cdr::entry::{Fact, OrderKind, QueueLeft};
use strowger::switch::request::{Refusal, Reply, Request};
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
fn who_hangs_up_and_calls_again_has_his_place_back_for_a_time() {
    for (away, back_at, served) in [(50, 1, "1001"), (61, 2, "1002")] {
        let mut world = World::new(SITE);
        waiting(&mut world, "610");
        world.run(Duration::from_secs(1));
        world.dial("1002", "610");
        world.run(Duration::from_secs(1));
        world.hang_up("1001");
        world.run(Duration::from_secs(away));
        waiting(&mut world, "610");

        assert_eq!(positions(&world, "second"), [1, 2, back_at], "after {away} s");
        served_first(&mut world, served);
    }
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

#[test]
fn somebody_moves_a_caller_up() {
    let mut world = World::new(SITE);
    world.dial("1002", "610");
    world.run(Duration::from_secs(5));
    waiting(&mut world, "610");
    let call = waits_last(&world);
    let prioritise = |world: &mut World, call, credit| {
        let credit = Duration::from_secs(credit);
        world.ask(Request::Prioritise { call, credit, by: "boss".to_owned() })
    };
    assert_eq!(prioritise(&mut world, call, 4), Reply::Position(2));
    assert_eq!(prioritise(&mut world, call, 60), Reply::Position(1));
    let unknown = strowger::id::CallId::from_u64(7);
    let refused = Reply::Refused(Refusal::UnknownCall(unknown));
    assert_eq!(prioritise(&mut world, unknown, 60), refused);
    assert!(world.has(|fact| matches!(
        fact,
        Fact::Ordered { order: OrderKind::Prioritise, to: Some(to), .. } if to == "60s"
    )));
    served_first(&mut world, "1001");
}

/// He came before 1002, to another queue.
#[test]
fn somebody_sends_a_caller_to_another_queue_with_his_seniority() {
    let mut world = World::new(SITE);
    waiting(&mut world, "609");
    world.run(Duration::from_secs(2));
    let call = waits_last(&world);
    world.dial("1002", "610");
    world.run(Duration::from_secs(1));
    let send = |world: &mut World, call, queue: &str| {
        world.ask(Request::MoveCaller { call, queue: queue.into(), by: "boss".to_owned() })
    };
    let nowhere = Reply::Refused(Refusal::UnknownQueue("nowhere".into()));
    assert_eq!(send(&mut world, call, "nowhere"), nowhere);
    assert_eq!(send(&mut world, call, "second"), Reply::Done);

    assert_eq!(positions(&world, "second"), [1, 1]);
    assert!(left(&world, QueueLeft::Sent));
    served_first(&mut world, "1001");
}

/// Better where he is than sent on from there at once.
#[test]
fn nobody_is_sent_to_a_queue_that_would_not_take_him() {
    let full = format!(
        "{SITE}\n[queues.full]\nnumber = \"650\"\nmembers = [\"a\"]\ncallers_max = 1\n\
         [agents.absent]\n[queues.closed]\nmembers = [\"absent\"]\non_empty = \"hangup:480\"\n"
    );
    let mut world = World::new(&full);
    world.dial("1002", "650");
    world.run(Duration::from_secs(1));
    waiting(&mut world, "609");
    let call = waits_last(&world);
    for (queue, why) in [("full", "the queue is full"), ("closed", "nobody serves the queue")] {
        let by = "boss".to_owned();
        let moved = world.ask(Request::MoveCaller { call, queue: queue.into(), by });
        let (queue, why) = (queue.into(), why.to_owned());
        assert_eq!(moved, Reply::Refused(Refusal::NoPlace { queue, why }));
    }
    assert_eq!(world.stage("1001"), Stage::Talking);
    world.hang_up("1001");
    world.hang_up("1002");
    world.close();
}

/// Who talks, or hears a menu, waits in no queue.
#[test]
fn who_waits_in_no_queue_cannot_be_moved() {
    let mut world = World::new(SITE);
    world.dial("1001", "500");
    world.until("the menu speaks", |world| {
        world.stage("1001") == Stage::Talking && world.hears_prompt("1001", "welcome")
    });
    let Reply::Calls(calls) = world.ask(Request::Calls) else { panic!("calls were asked for") };
    let (call, by) = (calls[0].call, "boss".to_owned());
    let refused = Reply::Refused(Refusal::NotWaiting(call));
    let credit = Duration::from_secs(60);
    assert_eq!(world.ask(Request::Prioritise { call, credit, by: by.clone() }), refused);
    let moved = world.ask(Request::MoveCaller { call, queue: "second".into(), by });
    assert_eq!(moved, refused);
    world.hang_up("1001");
    world.close();
}

/// The last call that entered a queue.
fn waits_last(world: &World) -> strowger::id::CallId {
    let queued = |entry: &&strowger::cdr::entry::Entry| matches!(entry.fact, Fact::Queued { .. });
    world.entries.iter().rev().find(queued).and_then(|entry| entry.call).expect("somebody waits")
}
