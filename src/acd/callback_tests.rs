//! Callers who are called first, in a line with others.

use super::config::{Absence, Strategy};
use super::hall::{Hall, call, most_idle, ring_all, secs, strategy, with};
use super::{Ask, Change, Outcome, Output, Refusal, State};

/// He is served in his turn; what rings for him is held, and nobody else is.
#[test]
fn pain_19_a_callback_is_a_place_in_the_line() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.calls(1).unwrap();
    hall.pass(1);
    assert_eq!(asked(&mut hall, 2), Ok(2));
    hall.pass(1);
    hall.calls(3).unwrap();

    hall.works("a");
    assert_eq!(hall.rung(), ["1>a"]);
    hall.answers(1, "a");
    hall.hangs_up(1, "a");
    assert_eq!(hall.rung(), ["2>a"]);
    assert_eq!(hall.acd.agent(&"a".into()).unwrap().reason.as_deref(), Some("callback"));
    hall.acd.confirmed(hall.now, call(2), &mut hall.out);
    assert_eq!(hall.acd.agent(&"a".into()).unwrap().reason, None);
    assert!(hall.answers(2, "a"));
    hall.hangs_up(2, "a");
    assert_eq!(hall.rung(), ["3>a"]);
}

/// With `ring-all` the others ring too once he is there.
#[test]
fn one_agent_is_held_whatever_the_strategy() {
    let mut hall = Hall::new(["a", "b", "c"], ring_all(&["a", "b", "c"]));
    hall.work(["a", "b"]);
    asked(&mut hall, 1).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);
    hall.works("c");
    assert_eq!(hall.rung(), [""; 0]);
    hall.acd.confirmed(hall.now, call(1), &mut hall.out);
    assert_eq!(hall.rung(), ["1>b", "1>c"]);
    assert!(hall.answers(1, "c"));
    assert_eq!(hall.rung(), ["1-a LostRace", "1-b LostRace"]);
}

#[test]
fn phones_ring_one_by_one_from_his_confirmation_on() {
    let queues = with(strategy(Strategy::RingProgressively, &["a", "b"]), |queue| {
        queue.ring_next = Some(secs(5));
    });
    let mut hall = Hall::new(["a", "b"], queues);
    hall.work(["a", "b"]);
    asked(&mut hall, 1).unwrap();
    hall.pass(30);
    assert_eq!(hall.rung(), ["1>a"]);
    hall.acd.confirmed(hall.now, call(1), &mut hall.out);
    hall.pass(4);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(2);
    assert_eq!(hall.rung(), ["1>b"]);
}

/// The agent did nothing wrong: he is not set away, and free at once for the next.
#[test]
fn who_is_given_up_leaves_the_agent_free() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    asked(&mut hall, 1).unwrap();
    hall.calls(2).unwrap();
    hall.pass(30);
    hall.leaves(1);
    assert_eq!(hall.rung(), ["1>a", "1-a CallerGone", "2>a"]);
    assert_eq!(hall.state("a"), State::Ringing);
}

/// Nobody told the ACD: the claim ends by itself, and is no missed call.
#[test]
fn an_agent_is_not_held_for_ever() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    asked(&mut hall, 1).unwrap();
    hall.pass(79);
    assert_eq!(hall.rung(), ["1>a"]);
    hall.pass(2);
    assert_eq!(hall.rung(), ["1-a NoAnswer"]);
    assert_eq!(hall.state("a"), State::Available);
}

/// From then on his phone rings, and has the queue's time for it.
#[test]
fn the_ringing_begins_when_he_has_confirmed() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.works("a");
    asked(&mut hall, 1).unwrap();
    hall.pass(50);
    hall.acd.confirmed(hall.now, call(1), &mut hall.out);
    hall.acd.confirmed(hall.now, call(1), &mut hall.out); // once
    hall.pass(19);
    assert_eq!(hall.rung(), ["1>a"]);
    hall.pass(2);
    assert_eq!(hall.rung(), ["1-a NoAnswer"]);
    assert_eq!(hall.state("a"), State::Away, "he let it ring");
    hall.works("b");
    assert_eq!(hall.rung(), ["1>b"], "he waits on, as the first");
}

#[test]
fn an_agent_who_is_held_can_leave() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.work(["a", "b"]);
    asked(&mut hall, 1).unwrap();
    hall.change("a", Change::Logout).unwrap();
    assert_eq!(hall.rung(), ["1>a", "1-a AgentLeft", "1>b"]);
    assert!(!hall.ends(1, "a", Outcome::Answered));
}

/// Who waits on the line is sent elsewhere; who is called back waits until somebody comes.
#[test]
fn he_waits_whoever_is_there_and_as_long_as_it_takes() {
    let queues = with(most_idle(&["a"]), |queue| {
        queue.on_empty = Some("hangup:480".parse().unwrap());
        queue.empty_leave = [Absence::Away].into();
        queue.callers_max = Some(1);
        queue.max_wait = Some(secs(60));
    });
    let mut hall = Hall::new(["a"], queues);
    assert_eq!(asked(&mut hall, 1), Ok(1));
    assert_eq!(asked(&mut hall, 2), Ok(2));
    assert_eq!(hall.calls(3), Err(Refusal::Empty));
    hall.pass(3600);
    hall.works("a");
    assert_eq!(hall.calls(3), Err(Refusal::Full), "they hold places");
    assert_eq!(hall.rung(), ["1>a"]);
    hall.change("a", Change::Away { reason: String::new() }).unwrap();
    hall.change("a", Change::Available).unwrap();
    assert_eq!(hall.rung(), ["1-a AgentLeft", "1>a"]);

    hall.acd.confirmed(hall.now, call(1), &mut hall.out);
    hall.change("a", Change::Away { reason: String::new() }).unwrap();
    let emptied = Output::Emptied { call: call(1), queue: "q".into() };
    assert!(hall.out.contains(&emptied), "from then on he is a caller: {:?}", hall.out);
}

#[test]
fn a_queue_that_is_removed_has_no_callbacks() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    asked(&mut hall, 1).unwrap();
    hall.config.queues.clear();
    hall.configure();
    assert!(hall.out.contains(&Output::Emptied { call: call(1), queue: "q".into() }));
    assert_eq!(asked(&mut hall, 1), Err(Refusal::Empty));
}

fn asked(hall: &mut Hall, number: u64) -> Result<u32, Refusal> {
    let called_first = Some(secs(60));
    hall.asks(number, "q", Ask { entered: hall.now, called_first, ..Ask::default() })
}
