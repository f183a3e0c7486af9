//! What becomes of an agent who did not take a call, and of the break of the last one who is there.

use super::config::Strategy;
use super::hall::{Hall, most_idle, secs, strategy, with};
use super::*;

#[test]
fn the_last_ones_break_is_as_his_queue_says() {
    for (rule, state, refused) in [
        (LastBreak::Allow, State::Away, false),
        (LastBreak::Delay, State::Available, false),
        (LastBreak::Refuse, State::Available, true),
    ] {
        let mut hall = guarded(["a", "b"], rule);
        hall.work(["a", "b"]);
        hall.change("b", away()).unwrap();
        hall.out.clear();

        let answer = hall.change("a", away());

        assert_eq!(answer.is_err(), refused, "{rule:?}");
        assert_eq!(hall.state("a"), state, "{rule:?}");
        let told = |output: &Output| matches!(output, Output::BreakHeld { .. });
        assert_eq!(hall.out.iter().any(told), rule != LastBreak::Allow, "{rule:?}");
        assert_eq!(view(&hall, "a").break_held, rule == LastBreak::Delay, "{rule:?}");
    }
}

/// Meanwhile he takes calls.
#[test]
fn a_break_that_waits_comes_with_the_next_who_is_there() {
    let mut hall = guarded(["a", "b"], LastBreak::Delay);
    hall.works("a");
    hall.change("a", away()).unwrap();
    let held = view(&hall, "a");
    assert_eq!((held.then, held.reason.as_deref()), (Some(State::Away), Some("tea")));
    hall.calls(1).unwrap();
    assert!(hall.answers(1, "a"));

    hall.works("b");
    assert_eq!((hall.state("a"), view(&hall, "a").break_held), (State::OnCall, false));
    hall.hangs_up(1, "a");

    assert_eq!((hall.state("a"), hall.state("b")), (State::Away, State::Available));
}

#[test]
fn who_is_not_there_lets_nobody_go() {
    let others = [
        Change::Reachable(false),
        Change::BusyElsewhere(true),
        Change::Away { reason: "lunch".into() },
        Change::Logout,
    ];
    for other in others {
        let mut hall = guarded(["a", "b"], LastBreak::Delay);
        hall.work(["a", "b"]);
        hall.change("b", other.clone()).unwrap();
        hall.change("a", away()).unwrap();
        assert_eq!(hall.state("a"), State::Available, "{other:?}");
        match other {
            Change::Reachable(_) => hall.change("b", Change::Reachable(true)).unwrap(),
            Change::BusyElsewhere(_) => hall.change("b", Change::BusyElsewhere(false)).unwrap(),
            Change::Away { .. } => hall.change("b", Change::Available).unwrap(),
            _ => hall.works("b"),
        }
        assert_eq!(hall.state("a"), State::Away, "{other:?}");
    }
}

/// Who talks comes back to the line by himself, unless he has a break coming.
#[test]
fn who_talks_is_there_until_he_has_a_break_coming() {
    let mut hall = guarded(["a", "b", "c"], LastBreak::Refuse);
    hall.talks(1, "a");
    hall.work(["b", "c"]);
    hall.change("c", Change::Logout).unwrap();
    hall.change("a", away()).unwrap();

    let queue = "q".into();
    assert_eq!(hall.change("b", away()), Err(ChangeError::LastAgent(queue)));
    hall.change("b", Change::AwayAnyway { reason: "fire".into() }).unwrap();
    assert_eq!(hall.state("b"), State::Away, "somebody is responsible for that");
}

#[test]
fn a_wish_is_taken_back_by_being_available() {
    let mut hall = guarded(["a", "b"], LastBreak::Delay);
    hall.works("a");
    hall.change("a", away()).unwrap();
    hall.change("a", Change::Available).unwrap();
    hall.works("b");

    assert_eq!(hall.state("a"), State::Available);
    assert_eq!(view(&hall, "a").then, None);
}

#[test]
fn a_reload_that_allows_it_lets_him_go() {
    let mut hall = guarded(["a"], LastBreak::Delay);
    hall.works("a");
    hall.change("a", away()).unwrap();
    hall.config.queues.get_mut("q").unwrap().last_break = None;
    hall.configure();

    assert_eq!(hall.state("a"), State::Away);
}

#[test]
fn what_follows_a_call_that_was_not_taken_goes_by_its_cause() {
    let causes = [Outcome::Busy, Outcome::NoAnswer, Outcome::Rejected, Outcome::Unreachable];
    let reasons = ["busy", "no-answer", "rejected", "unreachable"];
    for (cause, reason) in causes.into_iter().zip(reasons) {
        for (follows, pause) in [
            (Follows::Away, None),
            (Follows::Nothing, Some(1)),
            (Follows::PauseFor(secs(30)), Some(30)),
        ] {
            let mut hall = Hall::new(
                ["a"],
                with(most_idle(&["a"]), |queue| {
                    let follows = Some(follows);
                    match cause {
                        Outcome::Busy => queue.after.busy = follows,
                        Outcome::NoAnswer => queue.after.no_answer = follows,
                        Outcome::Rejected => queue.after.rejected = follows,
                        _ => queue.after.unreachable = follows,
                    }
                }),
            );
            hall.works("a");
            hall.calls(1).unwrap();
            assert!(hall.ends(1, "a", cause));
            let seen = view(&hall, "a");

            match pause {
                None => {
                    assert_eq!(seen.state, State::Away, "{cause:?}");
                    assert_eq!(seen.reason.as_deref(), Some(reason));
                }
                Some(seconds) => {
                    assert!(seen.paused, "{cause:?} {follows:?}");
                    assert_eq!(seen.until, Some(hall.now + secs(seconds)));
                    hall.rung();
                    hall.pass(seconds);
                    assert_eq!(hall.rung(), ["1>a"], "{cause:?} {follows:?}");
                }
            }
        }
    }
}

/// What the site says holds for queues that say nothing, and `rona` for who lets it ring.
#[test]
fn nobody_is_set_away_for_letting_it_ring_where_many_do() {
    let mut hall = Hall::new(["a"], strategy(Strategy::RingAll, &["a"]));
    hall.config.acd.after.no_answer = Some(Follows::Away);
    hall.config.acd.after.rejected = Some(Follows::Away);
    hall.configure();
    hall.works("a");
    hall.calls(1).unwrap();
    assert!(hall.ends(1, "a", Outcome::NoAnswer));
    assert!(view(&hall, "a").paused);
    hall.pass(5);
    assert!(hall.ends(1, "a", Outcome::Rejected));

    assert_eq!(view(&hall, "a").reason.as_deref(), Some("rejected"));
}

fn guarded<const N: usize>(agents: [&str; N], rule: LastBreak) -> Hall {
    Hall::new(agents, with(most_idle(&agents), |queue| queue.last_break = Some(rule)))
}

fn away() -> Change {
    Change::Away { reason: "tea".into() }
}

fn view(hall: &Hall, agent: &str) -> AgentSnapshot {
    hall.acd.agent(&agent.into()).unwrap()
}
