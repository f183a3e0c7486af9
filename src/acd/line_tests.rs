//! The line: priorities, weights of queues, moves, and what counts as nobody there.

use super::config::{Absence, Queue, Strategy};
use super::hall::{Hall, Queues, call, most_idle, secs, strategy, with};
use super::{Ask, Change, Outcome, Output, Refusal};

#[test]
fn a_wait_counts_by_the_weight_of_its_queue() {
    for (waited, first) in [(29, "1>a"), (31, "2>a")] {
        let mut hall = Hall::new(["a"], weighted());
        hall.pass(100);
        hall.asks(1, "q", Ask { entered: hall.now, ..Ask::default() }).unwrap();
        hall.pass(60);
        hall.asks(2, "heavy", Ask { entered: hall.now, ..Ask::default() }).unwrap();
        hall.pass(waited);
        // 60 + 29 are more than 3 · 29, 60 + 31 are less than 3 · 31.
        hall.works("a");
        assert_eq!(hall.rung(), [first], "{waited}");
    }
}

/// Both ways of meeting: an agent who comes, and a caller for whom several agents are free.
#[test]
fn weights_and_credits_count_together() {
    let mut hall = Hall::new(["a"], weighted());
    hall.pass(1000);
    hall.asks(1, "q", Ask { entered: hall.now, ..Ask::default() }).unwrap();
    hall.pass(40);
    let ask = Ask { entered: hall.now, priority_credit: secs(15), ..Ask::default() };
    hall.asks(2, "heavy", ask).unwrap();

    hall.works("a");

    assert_eq!(hall.rung(), ["2>a"]); // 40 and 3 · 15
}

#[test]
fn a_caller_who_waits_can_be_moved_up_and_down() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.pass(1000);
    for number in 1..=3 {
        hall.calls(number).unwrap();
        hall.pass(10);
    }
    let prioritise = |hall: &mut Hall, number, credit| {
        hall.acd.prioritise(hall.now, call(number), secs(credit), &mut hall.out)
    };
    assert_eq!(prioritise(&mut hall, 3, 15), Some(2));
    assert_eq!(prioritise(&mut hall, 3, 30), Some(1));
    assert_eq!(prioritise(&mut hall, 9, 30), None);
    assert_eq!([1, 2, 3].map(|number| hall.acd.position(call(number)).unwrap()), [2, 3, 1]);
    assert_eq!(prioritise(&mut hall, 3, 0), Some(3));
    assert_eq!(prioritise(&mut hall, 2, 11), Some(1));

    hall.works("a");
    assert_eq!(hall.rung(), ["2>a"]);
    hall.answers(2, "a");
    hall.leaves(1);
    hall.leaves(3);

    assert!(hall.acd.queues()[0].callers.is_empty());
}

/// His phone rings for the one who was first; moving another up does not take it from him.
#[test]
fn who_is_rung_for_keeps_the_agent_when_another_is_moved_up() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.pass(1000);
    hall.works("a");
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    hall.acd.prioritise(hall.now, call(2), secs(60), &mut hall.out);
    assert_eq!(hall.rung(), ["1>a"]);

    hall.ends(1, "a", Outcome::Rejected);
    hall.pass(6);

    assert_eq!(hall.rung(), ["2>a"]);
}

#[test]
fn absent_members_count_as_logged_out_for_whom_they_shall() {
    let away = || Change::Away { reason: "tea".into() };
    for (absence, change) in [
        (Absence::Away, away()),
        (Absence::Busy, Change::BusyElsewhere(true)),
        (Absence::Unreachable, Change::Reachable(false)),
    ] {
        for leaves in [false, true] {
            let config = with(most_idle(&["a", "b"]), |queue| {
                queue.on_empty = Some("hangup:480".parse().unwrap());
                let list = if leaves { &mut queue.empty_leave } else { &mut queue.empty_join };
                list.insert(absence);
            });
            let mut hall = Hall::new(["a", "b"], config);
            hall.works("a");
            hall.works("b");
            hall.calls(8).unwrap();
            hall.calls(9).unwrap();
            hall.answers_last(8);
            hall.hangs_up_last(8);
            hall.leaves(9);
            hall.change("a", away()).unwrap();
            hall.change("a", Change::Available).unwrap();
            hall.change("a", change.clone()).unwrap();
            hall.calls(1).unwrap();
            hall.calls(2).unwrap();
            hall.out.clear();

            hall.change("b", change.clone()).unwrap();

            let emptied: Vec<_> =
                [1, 2].map(|n| Output::Emptied { call: call(n), queue: "q".into() }).into();
            let told = hall.out.iter().filter(|it| matches!(it, Output::Emptied { .. }));
            let told: Vec<_> = told.cloned().collect();
            assert_eq!(told, if leaves { emptied } else { vec![] }, "{absence:?}");
            assert_eq!(hall.calls(3), Err(Refusal::Empty), "{absence:?}");
        }
    }
}

/// The last agent talks: those who wait are sent on, but not the one whose phone he picks up.
#[test]
fn when_all_are_busy_the_others_are_sent_on() {
    let config = with(strategy(Strategy::MostIdle, &["a"]), |queue| {
        queue.on_empty = Some("hangup:480".parse().unwrap());
        queue.empty_leave.insert(Absence::Busy);
    });
    let mut hall = Hall::new(["a"], config);
    hall.works("a");
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);

    assert!(hall.answers(1, "a"));

    assert!(hall.out.contains(&Output::Emptied { call: call(2), queue: "q".into() }));
    assert_eq!(hall.calls(3), Err(Refusal::Empty));
    hall.hangs_up(1, "a");
    assert_eq!(hall.calls(3), Ok(1));
}

/// Queues q and heavy, of weight 3, which a serves both.
fn weighted() -> Queues {
    let mut queues = most_idle(&["a"]);
    let heavy = Queue { weight: Some(3), ..queues["q"].clone() };
    queues.insert("heavy".into(), heavy);
    queues
}
