//! Records: who talked when, what was recorded, what a restart leaves.

use crate::attended_transfer::{complete, records};
use crate::blind_transfer::{hold, told, transfer};
use crate::queue::{rung, served};
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use strowger::cdr::entry::{AgentState, TransferOutcome};
use strowger::sip::message::Method;
use strowger::time::Duration;

/// The first agent talks for some seconds, and sends his customer to the queue of another.
#[test]
fn pain_14_each_agent_is_booked_what_he_talked() {
    let mut world = World::new(SITE);
    world.dial("1001", "602");
    let first = rung(&mut world);
    world.answer(first);
    world.until("they talk", |world| world.talk("1001", first));
    world.run(Duration::from_secs(5));
    transfer(&mut world, first, "607");
    world.until("he is told", |world| told(world, first).ends_with("200 OK"));
    world.hang_up(first);
    world.until("agent b rings", |world| world.rings("1004"));
    world.answer("1004");
    world.until("they talk", |world| world.talk("1001", "1004"));
    world.run(Duration::from_secs(60));
    world.hang_up("1001");
    world.close();

    let [record] = &records(&world)[..] else { panic!("one call") };
    let talks: Vec<(&str, u64)> = record
        .talks
        .iter()
        .map(|talk| {
            let length = talk.ended.expect("it is over").since(talk.began);
            (talk.agent.as_ref().expect("an agent's").as_str(), length.as_secs())
        })
        .collect();
    assert_eq!(talks, [("a", 5), ("b", 60)]);
    let queues: Vec<&str> = record.queues.iter().map(|visit| visit.queue.as_str()).collect();
    assert_eq!(queues, ["turn", "tiers"]);
    let [transfer] = &record.transfers[..] else { panic!("one transfer") };
    assert_eq!((transfer.to.as_str(), transfer.outcome), ("607", Some(TransferOutcome::Completed)));
}

/// The customer of a recorded queue waits at the place that his agent had taken for him.
#[test]
fn pain_15_recordings_and_records_outlive_an_attended_transfer() {
    let mut world = World::new(SITE);
    world.dial("1001", "604");
    world.until("agent a rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.settle();
    hold(&mut world, "1003");
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    world.settle();
    world.dial("1003", "605");
    crate::codes::log_in(&mut world, "1006");
    world.until("the other agent rings", |world| world.rings("1006"));
    complete(&mut world, "1003", 0, 1);
    world.until("he is through", |world| {
        world.phone("1003").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.run(Duration::from_secs(5));
    world.hang_up("1001");
    world.close();

    let records = records(&world);
    let told = |record: &strowger::cdr::record::CallRecord| record.dialled.clone();
    assert!(records.iter().any(|record| told(record) == "604"));
    assert!(records.iter().all(|record| record.ended.is_some()));
    let recordings = records.iter().flat_map(|record| &record.recordings);
    assert!(recordings.clone().count() >= 1);
    assert!(recordings.clone().all(|it| it.ended.is_some()), "each is sealed");
    let agents = records.iter().flat_map(|record| &record.talks);
    let agents: Vec<_> = agents.filter_map(|talk| talk.agent.clone()).collect();
    assert_eq!(agents.iter().map(|it| it.as_str()).collect::<Vec<_>>(), ["a", "17"]);
}

/// To the microsecond, each before the next.
#[test]
fn pain_17_every_moment_of_a_call_is_in_its_record() {
    let mut world = World::new(SITE);
    world.dial("1001", "601");
    let seat = rung(&mut world);
    world.run(Duration::from_secs(3));
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();
    hold(&mut world, seat);
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    world.run(Duration::from_secs(7));
    world.act(seat, |phone, now| {
        let offer = phone.sdp("", "sendrecv", "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();
    world.hang_up("1001");
    world.close();

    let [record] = &records(&world)[..] else { panic!("one call") };
    let (visit, offer) = (&record.queues[0], &record.offers[0]);
    let (talk, held) = (&record.talks[0], &record.holds[0]);
    let moments = [
        record.times.setup,
        Some(visit.entered),
        Some(offer.began),
        offer.rang,
        offer.ended,
        Some(talk.began),
        Some(held.began),
        held.ended,
        talk.ended,
        record.times.end,
    ];
    let moments: Vec<_> = moments.into_iter().map(|it| it.expect("it is there")).collect();
    assert!(moments.is_sorted(), "{moments:#?}");
    assert!(record.times.answer.is_some_and(|at| at >= moments[0] && at < moments[4]));
    let wait = visit.wait().expect("it is over");
    assert!(wait >= Duration::from_secs(3) && wait < Duration::from_secs(4), "{wait:?}");
    let hold = moments[7].since(moments[6]);
    assert!(hold >= Duration::from_secs(7) && hold < Duration::from_secs(9), "{hold:?}");
}

/// The process dies: who had logged in is there, who was away is, for the same reason.
#[test]
fn pain_25_agents_and_registrations_come_back() {
    let mut world = World::new(SITE);
    crate::codes::log_in(&mut world, "1006");
    world.dial("1004", "*14");
    world.run(Duration::from_millis(100));
    world.press("1004", '2');
    world.run(Duration::from_secs(5));
    world.restart();

    assert_eq!(world.node().registrations, 6);
    assert_eq!(world.agent("a"), AgentState::Available);
    assert_eq!(world.agent("b"), AgentState::Away);
    assert_eq!(world.agent("17"), AgentState::Available);
    assert_eq!(served(&mut world, "601"), "1003");
    world.close();
}
