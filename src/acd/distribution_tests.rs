//! Who of the able is rung: preferred skills, tiers, weights, widening.

use std::collections::BTreeMap;

use super::Ask;
use super::Change;
use super::config::{IdleFrom, Mode, Queue, Strategy, Widen};
use super::hall::{Hall, secs, strategy, with};
use crate::id::AgentId;

#[test]
fn preferred_skills_choose_among_the_able_and_exclude_nobody() {
    let config = with(strategy(Strategy::MostIdle, &["a", "b", "c"]), |queue| {
        queue.prefer = [("english".into(), 3)].into();
    });
    let mut hall = Hall::new(["a", "b", "c"], config);
    hall.skilled("b", "english", 2);
    hall.skilled("c", "english", 9);
    hall.work(["a", "b", "c"]);

    for number in 1..=3 {
        hall.calls(number).unwrap();
    }

    // The longest idle is last: he lacks most.
    assert_eq!(hall.rung(), ["1>c", "2>b", "3>a"]);
}

/// More than what is preferred is not better: the turn decides.
#[test]
fn who_has_all_that_is_preferred_is_as_good_as_who_has_more() {
    let config = with(strategy(Strategy::MostIdle, &["a", "b"]), |queue| {
        queue.prefer = [("english".into(), 3)].into();
    });
    let mut hall = Hall::new(["a", "b"], config);
    hall.skilled("a", "english", 3);
    hall.skilled("b", "english", 9);
    hall.work(["a", "b"]);

    hall.calls(1).unwrap();

    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn what_a_call_prefers_counts_beside_what_the_queue_does() {
    let config = with(strategy(Strategy::Linear, &["a", "b", "c"]), |queue| {
        queue.prefer = [("english".into(), 1)].into();
    });
    let mut hall = Hall::new(["a", "b", "c"], config);
    hall.skilled("a", "vpn", 2);
    hall.skilled("b", "english", 1);
    hall.skilled("b", "vpn", 1);
    hall.skilled("c", "english", 1);
    hall.work(["a", "b", "c"]);
    let prefer: BTreeMap<_, _> = [("vpn".into(), 3)].into();

    // a lacks 1 + 1 levels, b 2, c 3.
    let ask = Ask { entered: hall.now, prefer, ..Ask::default() };
    hall.asks(1, "q", ask.clone()).unwrap();
    hall.asks(2, "q", ask).unwrap();
    hall.calls(3).unwrap();

    assert_eq!(hall.rung(), ["1>a", "2>b", "3>c"]);
}

#[test]
fn among_the_most_skilled_it_goes_by_turns_if_so_configured() {
    for (then, expected) in [
        (None, ["1>b", "2>c"]),
        (Some(Strategy::Linear), ["1>c", "2>b"]),
        (Some(Strategy::FewestCalls), ["1>b", "2>c"]),
    ] {
        let queue = Queue {
            strategy: Strategy::Skills,
            then,
            members: ["a", "c", "b"].map(AgentId::from).to_vec(),
            skills: [("sales".into(), 1)].into(),
            ..Queue::default()
        };
        let mut hall = Hall::new(["a", "b", "c"], [("q".into(), queue)].into());
        for (agent, level) in [("a", 1), ("b", 5), ("c", 5)] {
            hall.skilled(agent, "sales", level);
        }
        hall.work(["a", "b", "c"]);
        hall.calls(1).unwrap();
        hall.calls(2).unwrap();
        assert_eq!(hall.rung(), expected, "{then:?}");
    }
}

#[test]
fn shares_of_calls_follow_the_weights() {
    for by in [Strategy::Random, Strategy::FewestCalls] {
        let weigh = |queue: &mut Queue| queue.weights = [("b".into(), 3)].into();
        let mut hall = Hall::new(["a", "b"], with(strategy(by, &["a", "b"]), weigh));
        hall.work(["a", "b"]);
        for number in 1..=400 {
            hall.calls(number).unwrap();
            hall.answers_last(number);
            hall.hangs_up_last(number);
        }
        let calls = |agent: &str| hall.acd.agent(&agent.into()).unwrap().calls;
        // Of the dice 300 of 400, with a standard deviation of 9.
        let dice = if by == Strategy::Random { 45 } else { 0 };
        assert!(calls("b").abs_diff(300) <= dice, "{by:?}: {}", calls("b"));
    }
}

/// When few looks do not find anybody, each is looked at, and the weights count as well.
#[test]
fn shares_of_few_free_agents_follow_the_weights_too() {
    let ids: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let weigh = |queue: &mut Queue| queue.weights = [("1".into(), 4)].into();
    let mut hall = Hall::of(&names, with(strategy(Strategy::Random, &names), weigh));
    hall.work(["0", "1"]);
    for number in 1..=500 {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        hall.hangs_up_last(number);
    }
    let calls = hall.acd.agent(&"1".into()).unwrap().calls;
    assert!(calls.abs_diff(400) < 45, "{calls}");
}

#[test]
fn talk_is_shared_by_weight() {
    let weigh = |queue: &mut Queue| queue.weights = [("b".into(), 2)].into();
    let mut hall = Hall::new(["a", "b"], with(strategy(Strategy::LeastTalk, &["a", "b"]), weigh));
    hall.work(["a", "b"]);
    for number in 1..=30 {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        hall.pass(60);
        hall.hangs_up_last(number);
    }
    assert_eq!(hall.acd.agent(&"b".into()).unwrap().talked, secs(20 * 60));
}

#[test]
fn an_agents_own_weight_counts_where_a_queue_names_none() {
    let mut hall = Hall::new(["a", "b"], strategy(Strategy::FewestCalls, &["a", "b"]));
    hall.config.agents.get_mut("b").unwrap().weight = 3;
    hall.configure();
    hall.work(["a", "b"]);
    for number in 1..=40 {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        hall.hangs_up_last(number);
    }
    assert_eq!(hall.acd.agent(&"b".into()).unwrap().calls, 30);
}

#[test]
fn a_higher_tier_is_rung_when_nobody_of_a_lower_one_is_free() {
    for by in [Strategy::MostIdle, Strategy::RoundRobin, Strategy::FewestCalls, Strategy::Random] {
        let tiers = |queue: &mut Queue| queue.tiers = [("a".into(), 2), ("b".into(), 3)].into();
        let mut hall = Hall::new(["a", "b", "c"], with(strategy(by, &["a", "b", "c"]), tiers));
        hall.work(["a", "b", "c"]);

        for number in 1..=3 {
            hall.calls(number).unwrap();
        }

        assert_eq!(hall.rung(), ["1>c", "2>a", "3>b"], "{by:?}");
    }
}

#[test]
fn a_caller_waits_for_each_tier_before_the_next_is_rung() {
    let mut hall = tiers_of_one_each();
    hall.work(["a", "b", "c"]);
    hall.change("a", away()).unwrap();
    hall.calls(1).unwrap();
    hall.change("b", away()).unwrap();
    hall.pass(19);
    assert_eq!(hall.rung(), [""; 0]);
    hall.change("b", Change::Available).unwrap();
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>b"]);
    hall.change("b", away()).unwrap();
    assert_eq!(hall.rung(), ["1-b AgentLeft"]);

    hall.pass(20);

    assert_eq!(hall.rung(), ["1>c"]);
}

/// Also if he becomes free while callers wait.
#[test]
fn an_agent_of_a_higher_tier_is_not_rung_before_its_time() {
    let mut hall = tiers_of_one_each();
    hall.work(["a", "b"]);
    hall.change("b", away()).unwrap();
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);
    hall.calls(2).unwrap();
    hall.pass(10);
    hall.calls(3).unwrap();
    hall.pass(9);
    hall.change("b", Change::Available).unwrap();
    assert_eq!(hall.rung(), [""; 0]);

    hall.pass(1);

    assert_eq!(hall.rung(), ["1-a NoAnswer", "1>b"]);
}

#[test]
fn a_tier_of_which_nobody_is_logged_in_is_not_waited_for() {
    let mut hall = tiers_of_one_each();
    hall.work(["b", "c"]);
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), ["1>b"]);
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), [""; 0]);

    hall.change("b", Change::Logout).unwrap();

    assert_eq!(hall.rung(), ["1-b AgentLeft", "1>c"]);
}

/// Nothing else happens to the caller: b was away before.
#[test]
fn who_waits_for_a_tier_goes_on_when_its_last_member_logs_out() {
    let mut hall = tiers_of_one_each();
    hall.work(["b", "c"]);
    hall.change("b", away()).unwrap();
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), [""; 0]);

    hall.change("b", Change::Logout).unwrap();

    assert_eq!(hall.rung(), ["1>c"]);
}

#[test]
fn a_caller_waits_once_for_each_tier_that_somebody_is_in() {
    let mut hall = tiers_of_one_each();
    hall.work(["a", "c"]);
    hall.change("a", away()).unwrap();
    hall.calls(1).unwrap();
    hall.pass(19);
    assert_eq!(hall.rung(), [""; 0]);

    hall.pass(1);

    assert_eq!(hall.rung(), ["1>c"]);
}

#[test]
fn others_serve_a_caller_beside_those_before_after_a_while() {
    let mut hall = Hall::new(["a", "b", "x"], widening(Mode::Add));
    hall.work(["x", "b"]);
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(29);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>x", "2>b"]);
}

/// Also if he who is added has been idle for longer.
#[test]
fn who_serves_from_the_beginning_comes_before_those_who_are_added() {
    let mut hall = Hall::new(["a", "b", "x"], widening(Mode::Add));
    let came = hall.now;
    hall.pass(30);
    hall.work(["x", "a"]);
    let ask = Ask { entered: came, here_since: Some(came), ..Ask::default() };

    hall.asks(1, "q", ask.clone()).unwrap();
    hall.asks(2, "q", ask).unwrap();

    assert_eq!(hall.rung(), ["1>a", "2>x"]);
}

#[test]
fn others_serve_a_caller_in_place_of_those_before_after_a_while() {
    let mut hall = Hall::new(["a", "b", "x"], widening(Mode::Replace));
    hall.calls(1).unwrap();
    hall.pass(30);
    hall.work(["a"]);
    assert_eq!(hall.rung(), [""; 0]);
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), ["2>a"]);

    hall.work(["b"]);

    assert_eq!(hall.rung(), ["1>b"]);
}

/// The skills of a queue are replaced, what the call itself asks for is not.
#[test]
fn other_skills_are_enough_after_a_while() {
    let step = |mode| Widen {
        after: secs(30),
        skills: [("support".into(), 2)].into(),
        members: vec![],
        mode,
    };
    for (mode, expected) in [(Mode::Replace, "1>b"), (Mode::Add, "")] {
        let queue = Queue {
            skills: [("sales".into(), 3)].into(),
            widen: vec![step(mode)],
            ..Queue::default()
        };
        let mut hall = Hall::new(["a", "b"], [("q".into(), queue)].into());
        hall.skilled("a", "support", 5);
        hall.skilled("b", "support", 2);
        hall.skilled("b", "french", 2);
        hall.work(["a", "b"]);
        let skills: BTreeMap<_, _> = [("french".into(), 1)].into();
        hall.asks(1, "q", Ask { skills, entered: hall.now, ..Ask::default() }).unwrap();
        hall.pass(29);
        assert_eq!(hall.rung(), [""; 0]);

        hall.pass(1);

        assert_eq!(hall.rung().concat(), expected, "{mode:?}");
    }
}

fn away() -> Change {
    Change::Away { reason: "tea".into() }
}

/// Agents a, b and c in tiers 1, 2 and 3; each is waited for 20 seconds.
fn tiers_of_one_each() -> Hall {
    let tiers = |queue: &mut Queue| {
        queue.tiers = [("b".into(), 2), ("c".into(), 3)].into();
        queue.tier_wait = secs(20);
    };
    Hall::new(["a", "b", "c"], with(strategy(Strategy::MostIdle, &["a", "b", "c"]), tiers))
}

/// A queue of agent a; after 30 seconds b and x come.
fn widening(mode: Mode) -> super::hall::Queues {
    with(strategy(Strategy::MostIdle, &["a"]), move |queue| {
        let members = ["b", "x"].map(AgentId::from).to_vec();
        queue.widen = vec![Widen { after: secs(30), skills: BTreeMap::new(), members, mode }];
    })
}

/// One phone, ten seconds later two, ten seconds later three.
#[test]
fn phones_ring_one_after_the_other_and_all_go_on() {
    let mut hall = Hall::new(["a", "b", "c"], progressive(&["a", "b", "c"]));
    hall.work(["c", "b", "a"]);
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);
    hall.pass(9);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>b"]);
    hall.pass(9);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    // The first has rung for as long as a phone may; nobody is set away for that.
    assert_eq!(hall.rung(), ["1-a NoAnswer", "1>c"]);
    assert_eq!(hall.state("a"), super::State::Available);

    assert!(hall.answers(1, "c"));

    assert_eq!(hall.rung(), ["1-b LostRace"]);
}

#[test]
fn when_one_of_those_who_ring_refuses_the_next_is_rung_at_once() {
    let mut hall = Hall::new(["a", "b", "c"], progressive(&["a", "b", "c"]));
    hall.work(["a", "b", "c"]);
    hall.calls(1).unwrap();
    hall.pass(5);
    hall.ends(1, "a", super::Outcome::Rejected);
    assert_eq!(hall.rung(), ["1>a", "1>b"]);

    // Its time is its own.
    hall.pass(9);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>c"]);
}

/// One more may ring, but nobody is free: whoever comes is rung at once.
#[test]
fn who_comes_while_one_more_may_ring_is_rung_at_once() {
    let mut hall = Hall::new(["a", "b", "c"], progressive(&["a", "b", "c"]));
    hall.work(["a"]);
    hall.calls(1).unwrap();
    hall.pass(15);
    assert_eq!(hall.rung(), ["1>a"]);
    hall.works("b");
    assert_eq!(hall.rung(), ["1>b"]);
    hall.works("c");
    assert_eq!(hall.rung(), [""; 0]);
}

#[test]
fn the_next_to_ring_is_chosen_by_the_configured_order() {
    let then = |queue: &mut Queue| queue.then = Some(Strategy::MostIdle);
    let mut hall = Hall::new(["a", "b", "c"], with(progressive(&["a", "b", "c"]), then));
    hall.work(["c", "b", "a"]);
    hall.calls(1).unwrap();
    hall.pass(10);

    assert_eq!(hall.rung(), ["1>c", "1>b"]);
}

#[test]
fn turns_of_talk_even_out_the_time() {
    let mut hall = Hall::new(["a", "b"], strategy(Strategy::RoundRobinTalk, &["a", "b"]));
    hall.work(["a", "b"]);
    let mut agents = vec![];
    for (number, talk) in (1..).zip([100, 30, 30, 30, 30, 10]) {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        agents.push(hall.last[&number].to_string());
        hall.pass(talk);
        hall.hangs_up_last(number);
    }
    assert_eq!(agents, ["a", "b", "b", "b", "b", "a"]);
}

/// `least-talk` rings the newcomer until he has talked as long as the others.
#[test]
fn who_comes_late_or_back_has_no_talk_to_catch_up_with() {
    for (by, expected) in [(Strategy::RoundRobinTalk, "ababa"), (Strategy::LeastTalk, "bbbba")] {
        let mut hall = Hall::new(["a", "b"], strategy(by, &["a", "b"]));
        hall.work(["a"]);
        for number in 1..=4 {
            hall.calls(number).unwrap();
            hall.answers_last(number);
            hall.pass(100);
            hall.hangs_up_last(number);
        }
        hall.work(["b"]);
        hall.out.clear();
        let mut agents = vec![];
        for number in 5..=9 {
            hall.calls(number).unwrap();
            hall.answers_last(number);
            agents.push(hall.last[&number].to_string());
            hall.pass(100);
            hall.hangs_up_last(number);
        }
        assert_eq!(agents.concat(), expected, "{by:?}");
    }
}

#[test]
fn whoever_had_the_least_work_of_late_is_rung() {
    let wrap_up = |queue: &mut Queue| queue.wrap_up = Some(secs(300));
    let mut hall = Hall::new(["a", "b"], with(strategy(Strategy::LeastBusy, &["a", "b"]), wrap_up));
    hall.work(["a", "b"]);
    // Ten minutes of a, two hours ago; five minutes of after-call work of b, of late.
    for (number, talk, pause) in [(1, 300, 7200), (2, 0, 600)] {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        hall.pass(talk);
        hall.hangs_up_last(number);
        hall.pass(pause);
    }
    assert_eq!(hall.rung_first(9), ["1>a", "2>b"]);

    hall.calls(3).unwrap();
    assert_eq!(hall.rung(), ["3>a"]);
    hall.answers(3, "a");
    hall.pass(200);
    hall.hangs_up(3, "a");
    hall.pass(300);
    hall.calls(4).unwrap();
    assert_eq!(hall.rung(), ["4>b"]);
}

#[test]
fn twice_the_weight_bears_twice_the_work() {
    let weigh = |queue: &mut Queue| queue.weights = [("b".into(), 2)].into();
    for by in [Strategy::LeastBusy, Strategy::RoundRobinTalk] {
        let mut hall = Hall::new(["a", "b"], with(strategy(by, &["a", "b"]), weigh));
        hall.work(["a", "b"]);
        for number in 1..=90 {
            hall.calls(number).unwrap();
            hall.answers_last(number);
            hall.pass(10);
            hall.hangs_up_last(number);
        }
        let calls = hall.acd.agent(&"b".into()).unwrap().calls;
        assert!(calls.abs_diff(60) <= 1, "{by:?}: {calls}");
    }
}

/// a's after-call work is long: who counts it as idle time rings him first.
#[test]
fn idle_time_begins_with_the_call_or_with_the_after_call_work() {
    for (from, expected) in [(IdleFrom::WrapUp, "3>b"), (IdleFrom::Call, "3>a")] {
        for early in [false, true] {
            let idle = |queue: &mut Queue| {
                queue.wrap_up = Some(secs(60));
                queue.idle_from = Some(from);
            };
            let mut hall =
                Hall::new(["a", "b"], with(strategy(Strategy::MostIdle, &["a", "b"]), idle));
            hall.work(["a", "b"]);
            hall.calls(1).unwrap();
            hall.calls(2).unwrap();
            hall.answers(1, "a");
            hall.answers(2, "b");
            hall.hangs_up(1, "a");
            hall.pass(10);
            hall.hangs_up(2, "b");
            hall.pass(20);
            hall.change("b", Change::WrapUpDone).unwrap();
            hall.pass(if early { 10 } else { 40 });
            if early {
                hall.change("a", Change::Available).unwrap();
            }
            hall.out.clear();
            hall.calls(3).unwrap();
            assert_eq!(hall.rung(), [expected], "{from:?} {early}");
        }
    }
}

fn progressive(members: &[&str]) -> super::hall::Queues {
    strategy(Strategy::RingProgressively, members)
}

#[test]
fn a_favourite_is_rung_before_anybody_else() {
    let mut hall = hall_of_three();
    hall.loves(1, "b", true).unwrap();

    assert_eq!(hall.rung(), ["1>b"]);
}

#[test]
fn a_busy_favourite_is_waited_for_so_long_and_no_longer() {
    let mut hall = hall_of_three();
    hall.change("b", Change::BusyElsewhere(true)).unwrap();
    hall.loves(1, "b", true).unwrap();
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), ["2>a"]);
    hall.pass(29);
    assert_eq!(hall.rung(), ["2-a NoAnswer", "2>c"]);

    hall.pass(1);
    // c rings for the other caller; a is away for letting it ring.
    assert_eq!(hall.rung(), [""; 0]);
    hall.change("a", Change::Available).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn a_favourite_who_becomes_free_has_the_caller() {
    let mut hall = hall_of_three();
    hall.change("b", Change::BusyElsewhere(true)).unwrap();
    hall.loves(1, "b", true).unwrap();
    hall.pass(29);
    assert_eq!(hall.rung(), [""; 0]);

    hall.change("b", Change::BusyElsewhere(false)).unwrap();

    assert_eq!(hall.rung(), ["1>b"]);
    // His phone may ring beyond that time; the others do not.
    hall.pass(15);
    assert_eq!(hall.rung(), [""; 0]);
    assert!(hall.answers(1, "b"));
}

#[test]
fn whoever_cannot_come_is_not_waited_for() {
    let away = || Change::Away { reason: "tea".into() };
    for gone in [away(), Change::Logout, Change::Reachable(false)] {
        let mut hall = hall_of_three();
        hall.change("b", gone.clone()).unwrap();
        hall.loves(1, "b", true).unwrap();
        assert_eq!(hall.rung(), ["1>a"], "{gone:?}");

        let mut hall = hall_of_three();
        hall.change("b", Change::BusyElsewhere(true)).unwrap();
        hall.loves(1, "b", true).unwrap();
        assert_eq!(hall.rung(), [""; 0]);
        hall.change("b", gone.clone()).unwrap();
        assert_eq!(hall.rung(), ["1>a"], "{gone:?}");
    }
}

/// He is in a call, and has asked to go home, or to have a break, after it.
#[test]
fn who_leaves_after_his_call_is_waited_for_until_then() {
    for change in [Change::Logout, Change::Away { reason: "tea".into() }] {
        let mut hall = hall_of_three();
        hall.loves(1, "b", true).unwrap();
        hall.answers(1, "b");
        hall.change("b", change).unwrap();
        hall.loves(2, "b", true).unwrap();
        assert_eq!(hall.rung(), ["1>b"]);

        hall.hangs_up(1, "b");

        assert_eq!(hall.rung(), ["2>a"]);
    }
}

#[test]
fn a_favourite_who_refuses_or_misses_the_call_is_waited_for_no_more() {
    for outcome in [super::Outcome::Rejected, super::Outcome::NoAnswer] {
        let mut hall = hall_of_three();
        hall.loves(1, "b", true).unwrap();
        hall.ends(1, "b", outcome);
        assert_eq!(hall.rung(), ["1>b", "1>a"]);
    }
}

#[test]
fn an_outsider_is_a_favourite_if_he_may_be() {
    for (outsider, expected) in [(true, "1>x"), (false, "1>a")] {
        let mut hall = Hall::new(["a", "x"], strategy(Strategy::MostIdle, &["a"]));
        hall.work(["a", "x"]);
        hall.loves(1, "x", outsider).unwrap();
        assert_eq!(hall.rung(), [expected]);

        let mut hall = Hall::new(["a", "x"], strategy(Strategy::MostIdle, &["a"]));
        hall.work(["a", "x"]);
        hall.change("x", Change::BusyElsewhere(true)).unwrap();
        hall.loves(1, "x", outsider).unwrap();
        hall.change("x", Change::BusyElsewhere(false)).unwrap();
        assert_eq!(hall.rung(), [expected]);
    }
}

/// What the call needs is needed of a favourite too; else he is not waited for.
#[test]
fn a_favourite_must_be_able() {
    let mut hall = hall_of_three();
    hall.skilled("a", "vpn", 2);
    let favourite = Some(hall.favourite("b", true));
    let skills: BTreeMap<_, _> = [("vpn".into(), 1)].into();
    hall.asks(1, "q", Ask { skills, favourite, entered: hall.now, ..Ask::default() }).unwrap();

    assert_eq!(hall.rung(), ["1>a"]);
}

/// Callers of the same favourite are served in their order, as are those who want anybody.
#[test]
fn who_came_before_has_the_favourite_first() {
    let mut hall = hall_of_three();
    for agent in ["a", "b", "c"] {
        hall.change(agent, Change::BusyElsewhere(true)).unwrap();
    }
    hall.calls(1).unwrap();
    hall.loves(2, "b", true).unwrap();
    hall.loves(3, "b", true).unwrap();
    hall.change("b", Change::BusyElsewhere(false)).unwrap();
    assert_eq!(hall.rung(), ["1>b"]);
    hall.leaves(1);
    assert_eq!(hall.rung(), ["1-b CallerGone", "2>b"]);
}

fn hall_of_three() -> Hall {
    let mut hall = Hall::new(["a", "b", "c"], strategy(Strategy::MostIdle, &["a", "b", "c"]));
    hall.work(["a", "b", "c"]);
    hall
}
