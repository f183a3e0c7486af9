//! Callers are sent on to queues, menus and agents; agents send theirs on.

use crate::answered::talking;
use crate::blind_transfer::{outcomes, told, transfer};
use crate::queue::rung;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, TransferOutcome};
use strowger::cdr::record::CallRecord;
use strowger::id::QueueId;

/// The caller waits and is served; the transferor is told as soon as he waits.
#[test]
fn to_a_queue() {
    in_all_weathers(SITE, |world| {
        talking(world);
        transfer(world, "1002", "601");
        world.until("the transferor is told", |world| told(world, "1002").ends_with("200 OK"));
        let seat = rung(world);
        world.answer(seat);
        world.until("they talk", |world| world.talk("1001", seat));
        world.settle();
        world.hang_up("1001");
        world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
        world.until("he is hung up", |world| world.stage("1002") == Stage::Over);
    });
}

/// An agent sends his customer to another queue: he is in wrap-up, and one record tells it all.
#[test]
fn an_agents_customer_to_another_queue() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "500");
        world.until("he hears the menu", |world| {
            world.hears_prompt("1001", "welcome") && world.stage("1001") == Stage::Talking
        });
        world.press("1001", '2');
        let first = rung(world);
        world.answer(first);
        world.until("they talk", |world| world.talk("1001", first));
        world.settle();

        transfer(world, first, "604");
        world.until("he is told", |world| told(world, first).ends_with("200 OK"));
        if world.phone(first).lines[0].stage == Stage::Talking {
            world.act(first, |phone, now| phone.hang_up_line(now, 0));
        }
        world.until("the customer hears the notice", |world| {
            world.hears_prompt("1001", "recording-notice") || world.rings("1003")
        });
        let agent = ["a", "b", "c"][usize::from(first.as_bytes()[3] - b'3')];
        assert!(!matches!(world.agent(agent), AgentState::OnCall));
        world.until("agent a rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("they talk", |world| world.talk("1001", "1003"));
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);
        story(world);
        world.until("the agent is told", |world| world.stage("1003") == Stage::Over);
    });
}

/// The record of the customer's call, folded from the ledger's entries.
fn story(world: &World) {
    let call = world.entries.iter().find_map(|entry| entry.call).expect("a call");
    let mut record = CallRecord::new(call, "test");
    world.entries.iter().for_each(|entry| record.apply(entry));

    assert_eq!(record.collected.get("topic").map(String::as_str), Some("tax"));
    let queues: Vec<&str> = record.queues.iter().map(|visit| visit.queue.as_str()).collect();
    assert_eq!(queues, ["idle", "notice"]);
    let agents: Vec<_> = record.talks.iter().filter_map(|talk| talk.agent.clone()).collect();
    assert_eq!(agents.len(), 2);
    let [transfer] = &record.transfers[..] else { panic!("one transfer") };
    assert_eq!(transfer.to, "604");
    assert_eq!(transfer.agent.as_ref(), Some(&agents[0]));
    assert_eq!(transfer.outcome, Some(TransferOutcome::Completed));
    assert_eq!(record.recordings.len(), 1);
}

/// The agent is free as soon as he has sent his customer on and hung up.
#[test]
fn the_agent_wraps_up_meanwhile() {
    let mut world = World::new(SITE);
    world.set("1003", |phone| phone.manner = Manner::Rings);
    world.dial("1001", "604");
    world.until("agent a rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.settle();
    transfer(&mut world, "1003", "1006");
    world.until("the third rings", |world| world.rings("1006"));
    assert_eq!(world.agent("a"), AgentState::WrapUp);
    let began = |fact: &Fact| matches!(fact, Fact::WrapUpBegan { agent } if agent.as_str() == "a");
    assert!(world.has(began));
    world.hang_up("1001");
    world.close();
}

/// Nobody is on duty there, and the queue leads nowhere: the transferor has the caller back.
#[test]
fn a_queue_that_takes_nobody() {
    let mut world =
        World::new(&SITE.replace("on_empty = \"prompt:nobody\"", "on_empty = \"hangup:480\""));
    talking(&mut world);
    transfer(&mut world, "1002", "606");
    world.until("he is told", |world| told(world, "1002").contains("480"));
    world.until("they talk again", |world| world.talk("1001", "1002"));
    let empty = QueueId::from("empty");
    let left = |fact: &Fact| matches!(fact, Fact::QueueLeft { queue, .. } if *queue == empty);
    assert!(world.has(left));
    assert_eq!(outcomes(&world), [TransferOutcome::Returned]);
    world.hang_up("1002");
    world.close();
}

#[test]
fn to_a_menu() {
    in_all_weathers(SITE, |world| {
        talking(world);
        transfer(world, "1002", "500");
        world.until("the caller hears the menu", |world| world.hears_prompt("1001", "welcome"));
        world.until("the transferor is told", |world| told(world, "1002").ends_with("200 OK"));
        world.hang_up("1002");
        world.settle();
        world.until("it is over for him", |world| world.stage("1002") == Stage::Over);
        world.hang_up("1001");
    });
}
