//! A phone talks with a third before it sends the other side there (RFC 5359 §2.5, RFC 5589 §7.1).

use crate::answered::talking;
use crate::blind_transfer::{hold, outcomes, told};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, TransferOutcome};
use strowger::cdr::record::CallRecord;
use strowger::id::CallId;
use strowger::sip::message::Name;
use strowger::time::Duration;

/// REFER in the dialog with the transferee, as RFC 5589 has it.
#[test]
fn the_callee_transfers() {
    in_all_weathers(SITE, |world| {
        consulting(world);
        complete(world, "1002", 0, 1);
        joined(world);
    });
}

/// Some phones send it in the dialog with the third, and name that with the transferee.
#[test]
fn the_other_way_round() {
    in_all_weathers(SITE, |world| {
        consulting(world);
        complete(world, "1002", 1, 0);
        joined(world);
    });
}

/// 1001 and 1006 talk; the one between them has left both calls; the first call tells the story.
fn joined(world: &mut World) {
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.settle();
    assert!(world.talk("1001", "1006"), "the others go on");
    assert_eq!(outcomes(world), [TransferOutcome::Completed]);
    world.hang_up("1006");
    world.until("the first is told", |world| world.stage("1001") == Stage::Over);
    world.until("the books are closed", |world| world.ends().len() == 2);
    let mut ends = world.ends();
    ends.sort();
    assert_eq!(ends, [(200, "callee_hung_up".into()), (200, "joined".into())]);

    let [first, second] = &records(world)[..] else { panic!("two calls") };
    assert_eq!(first.joins.len(), 1);
    assert_eq!(first.joins[0].call, second.call);
    assert_eq!(second.joins[0].call, first.call);
    assert_eq!(first.talks.len(), 2, "with the second, then with the third");
    assert_eq!(first.ended.as_ref().map(|end| end.reason.as_str()), Some("callee_hung_up"));
}

/// In good weather the phone is told that it worked before it is hung up.
#[test]
fn the_transferor_is_told() {
    let mut world = World::new(SITE);
    consulting(&mut world);
    complete(&mut world, "1002", 0, 1);
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();
    let progress = &world.phone("1002").lines[0].progress;
    assert_eq!(progress[..], ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    world.hang_up("1001");
    world.close();
}

/// The phone that transfers had called both.
#[test]
fn the_caller_transfers() {
    in_all_weathers(SITE, |world| {
        talking(world);
        hold(world, "1001");
        world.until("music plays", |world| world.hears_prompt("1002", "hold"));
        world.settle();
        consult(world, "1001", "1006");
        complete(world, "1001", 0, 1);
        world.until("they talk", |world| world.talk("1002", "1006"));
        world.until("he is through", |world| {
            world.phone("1001").lines.iter().all(|line| line.stage == Stage::Over)
        });
        world.settle();
        world.hang_up("1002");
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// A customer goes on from an agent to a colleague: the agent is in wrap-up, the recording goes on.
#[test]
fn an_agents_customer() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "604");
        world.until("agent a rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("they talk", |world| world.talk("1001", "1003"));
        world.settle();
        consult(world, "1003", "1006");
        let began = |world: &World| {
            world.facts().filter(|fact| matches!(fact, Fact::RecordingBegan { .. })).count()
        };
        assert_eq!(began(world), 1);
        complete(world, "1003", 0, 1);
        world.until("they talk", |world| world.talk("1001", "1006"));
        assert_ne!(world.agent("a"), AgentState::OnCall);
        assert_eq!(began(world), 1, "the recording goes on");
        world.until("he is through", |world| {
            world.phone("1003").lines.iter().all(|line| line.stage == Stage::Over)
        });
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 2);

        let [first, _] = &records(world)[..] else { panic!("two calls") };
        let agent = first.transfers[0].agent.as_ref().map(|agent| agent.as_str());
        assert_eq!(agent, Some("a"));
        assert!(first.recordings[0].ended.is_some());
        assert_eq!(first.wrap_ups.len(), 1);
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// The third is a queue's agent: he is the ACD's until the end of the joined call.
#[test]
fn to_an_agent_of_a_queue() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.dial("1002", "604");
        world.until("agent a rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("he has him", |world| world.hears_on("1002", 1) == Heard::Phone("1003".into()));
        world.settle();
        complete(world, "1002", 0, 1);
        world.until("they talk", |world| world.talk("1001", "1003"));
        assert_eq!(world.agent("a"), AgentState::OnCall);
        world.until("he is through", |world| {
            world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
        });
        world.settle();
        world.hang_up("1001");
        world.until("the agent wraps up", |world| world.stage("1003") == Stage::Over);
        world.run(Duration::from_secs(1));
        assert_eq!(world.agent("a"), AgentState::WrapUp);
        let [first, _] = &records(world)[..] else { panic!("two calls") };
        assert_eq!(first.talks[1].agent.as_ref().map(|agent| agent.as_str()), Some("a"));
    });
}

/// The phone is still waiting in a queue: the other takes its place in the line, before it has been
/// there too long.
#[test]
fn into_a_place_in_a_queue() {
    let world = &mut World::new(SITE);
    talking(world);
    world.dial("1002", "605");
    crate::codes::log_in(world, "1006");
    world.until("the agent rings", |world| world.rings("1006"));
    complete(world, "1002", 0, 1);
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.until("the other waits", |world| world.hears_prompt("1001", "hold"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    assert_eq!(world.agent("17"), AgentState::OnCall);
    world.settle();
    world.hang_up("1006");
    world.until("the first is told", |world| world.stage("1001") == Stage::Over);
    world.until("the books are closed", |world| world.ends().len() >= 2);
    world.close();
}

/// A dialog that is not there, that is somebody else's, or the one that the REFER came in.
#[test]
fn what_cannot_be_replaced() {
    let mut world = World::new(SITE);
    consulting(&mut world);
    let unknown = "nobody@nowhere;to-tag=1;from-tag=2".to_owned();
    let foreign = world.phone("1006").replaces(0);
    let own = world.phone("1002").replaces(0);
    for (number, (replaces, status)) in
        [(unknown, "481"), (foreign, "403"), (own, "603")].into_iter().enumerate()
    {
        refer(&mut world, "1002", 0, &replaces);
        world.until("he is told", |world| told(world, "1002").contains(status));
        assert_eq!(outcomes(&world)[number], TransferOutcome::Returned);
        assert_eq!(world.hears_on("1002", 1), Heard::Phone("1006".into()));
    }
    complete(&mut world, "1002", 0, 1);
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.hang_up("1001");
    world.close();
}

/// The third hangs up as the REFER is under way.
#[test]
fn the_third_is_gone() {
    in_all_weathers(SITE, |world| {
        consulting(world);
        world.hang_up("1006");
        complete(world, "1002", 0, 1);
        world.until("he is told", |world| {
            told(world, "1002").contains("481")
                || world.talk("1001", "1006")
                || world.phone("1002").lines[0].stage == Stage::Over
        });
        world.settle();
        for name in ["1001", "1002"] {
            world.act(name, crate::world::phone::Phone::leave);
        }
    });
}

/// Legs of two media threads: one is brought to the other, and both are heard.
#[test]
fn over_two_media_threads() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.use_another_media_thread();
    consult(&mut world, "1002", "1006");
    complete(&mut world, "1002", 0, 1);
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();
    world.hang_up("1001");
    world.close();
}

/// Both parties hang up, one after the other, after any step of it.
#[test]
fn anyone_leaves_after_any_step() {
    for leaver in ["1001", "1002", "1006"] {
        for steps in 0..24 {
            let mut world = World::new(SITE);
            consulting(&mut world);
            complete(&mut world, "1002", 0, 1);
            for _ in 0..steps {
                world.step();
            }
            world.act(leaver, crate::world::phone::Phone::leave);
            world.run(Duration::from_secs(10));
            for name in ["1001", "1002", "1006"] {
                world.act(name, crate::world::phone::Phone::leave);
            }
            world.close();
        }
    }
}

/// 1001 is on hold at 1002, which talks with 1006.
pub fn consulting(world: &mut World) {
    talking(world);
    hold(world, "1002");
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    world.settle();
    consult(world, "1002", "1006");
}

/// A phone calls a third in its second call.
pub fn consult(world: &mut World, from: &str, to: &str) {
    world.set(to, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial(from, to);
    world.until("they talk", |world| {
        world.talk(from, to) && world.phone(from).lines[1].stage == Stage::Talking
    });
    world.settle();
}

/// Sends a REFER in one call that names the dialog of another.
pub fn complete(world: &mut World, by: &str, line: usize, other: usize) {
    let replaces = world.phone(by).replaces(other);
    refer(world, by, line, &replaces);
}

fn refer(world: &mut World, by: &str, line: usize, replaces: &str) {
    let escaped = replaces.replace('@', "%40").replace(';', "%3B").replace('=', "%3D");
    let target = format!("<sip:third@strowger.test?Replaces={escaped}>");
    world.act(by, |phone, now| {
        phone.refer(now, line, &target, &[(Name::ReferredBy, "<sip:1002@strowger.test>")]);
    });
}

/// The records of all calls, oldest first, folded from the ledger's entries.
pub fn records(world: &World) -> Vec<CallRecord> {
    let mut calls: Vec<CallId> = world.entries.iter().filter_map(|entry| entry.call).collect();
    calls.sort_unstable();
    calls.dedup();
    let folded = calls.into_iter().map(|call| {
        let mut record = CallRecord::new(call, "test");
        world.entries.iter().for_each(|entry| record.apply(entry));
        record
    });
    folded.collect()
}
