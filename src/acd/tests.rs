//! How the ACD behaves, in virtual time and one thread.

use super::config::{Agent, Login, Mode, Queue, Strategy, Widen};
use super::hall::{Hall, call, most_idle, ring_all, secs, strategy, with};
use super::*;
use crate::id::AgentId;

#[test]
fn the_longest_idle_agent_is_rung_and_wins() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.works("b");
    hall.pass(1);
    hall.works("a");

    assert_eq!(hall.calls(1), Ok(1));
    assert_eq!(hall.rung(), ["1>b"]);
    assert!(hall.answers(1, "b"));

    assert_eq!(hall.state("b"), State::OnCall);
    assert_eq!(hall.acd.position(call(1)), None);
    assert!(!hall.acd.is_offered(call(1), &"b".into()));
}

#[test]
fn callers_are_served_in_the_order_of_arrival() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    assert_eq!((hall.calls(1), hall.calls(2), hall.calls(3)), (Ok(1), Ok(2), Ok(3)));

    hall.works("a");

    assert_eq!(hall.rung(), ["1>a"]);
    assert!(hall.answers(1, "a"));
    assert_eq!(hall.acd.position(call(2)), Some(1));
    hall.hangs_up(1, "a");
    assert_eq!(hall.rung(), ["2>a"]);
}

#[test]
fn priority_credit_counts_as_an_earlier_arrival() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.pass(100);
    hall.calls(1).unwrap();
    hall.pass(10);
    let ask = Ask { priority_credit: secs(11), entered: hall.now, ..Ask::default() };
    assert_eq!(hall.asks(2, "q", ask), Ok(1));
    let ask = Ask { priority_credit: secs(9), entered: hall.now, ..Ask::default() };
    assert_eq!(hall.asks(3, "q", ask), Ok(3));

    hall.works("a");

    assert_eq!(hall.rung(), ["2>a"]);
    assert_eq!(hall.acd.position(call(1)), Some(2));
}

/// One order over the queues that an agent serves.
#[test]
fn the_longest_waiting_caller_of_all_queues_is_first() {
    let mut config = most_idle(&["a"]);
    config.insert("r".into(), config["q"].clone());
    let mut hall = Hall::new(["a"], config);
    hall.asks(1, "r", Ask { entered: hall.now, ..Ask::default() }).unwrap();
    hall.pass(1);
    hall.asks(2, "q", Ask { entered: hall.now, ..Ask::default() }).unwrap();

    hall.works("a");

    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn a_caller_who_hangs_up_stops_the_ringing_at_once() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    hall.out.clear();

    hall.leaves(1);

    assert_eq!(hall.rung(), ["1-a CallerGone", "2>a"]);
    assert!(!hall.answers(1, "a"));
    assert!(hall.answers(2, "a"));
}

#[test]
fn all_ring_and_the_first_to_answer_wins() {
    let mut hall = Hall::new(["a", "b", "c"], ring_all(&["a", "b", "c"]));
    for agent in ["a", "b", "c"] {
        hall.works(agent);
    }
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), ["1>a", "1>b", "1>c"]);

    assert!(hall.answers(1, "b"));
    assert!(!hall.answers(1, "c"));

    assert_eq!(hall.rung(), ["1-a LostRace", "1-c LostRace"]);
    assert_eq!(hall.state("a"), State::Available);
    assert_eq!(hall.state("b"), State::OnCall);
}

#[test]
fn an_agent_who_comes_while_all_ring_rings_too() {
    let mut hall = Hall::new(["a", "b"], ring_all(&["a", "b"]));
    hall.works("a");
    hall.calls(1).unwrap();

    hall.works("b");

    assert_eq!(hall.rung(), ["1>a", "1>b"]);
}

/// Ring-all rings nobody twice in one wave, and everybody again in the next.
#[test]
fn ring_all_goes_on_in_waves() {
    let mut hall = Hall::new(["a", "b"], ring_all(&["a", "b"]));
    hall.works("a");
    hall.works("b");
    hall.calls(1).unwrap();
    hall.ends(1, "a", Outcome::Rejected);
    hall.pass(6);
    assert_eq!(hall.rung(), ["1>a", "1>b"]);

    hall.ends(1, "b", Outcome::Rejected);

    assert_eq!(hall.rung(), ["1>a"]);
    hall.pass(6);
    assert_eq!(hall.rung(), ["1>b"]);
}

#[test]
fn who_lets_it_ring_is_set_away_and_the_caller_keeps_his_place() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.works("a");
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    hall.out.clear();

    hall.pass(20);

    assert_eq!(hall.rung(), ["1-a NoAnswer"]);
    let a = hall.acd.agent(&"a".into()).unwrap();
    assert_eq!((a.state, a.reason.as_deref()), (State::Away, Some("no-answer")));
    assert_eq!(hall.acd.position(call(1)), Some(1));
    hall.works("b");
    assert_eq!(hall.rung(), ["1>b"]);
}

#[test]
fn a_missed_call_told_by_the_phone_counts_once() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    hall.calls(1).unwrap();

    assert!(hall.ends(1, "a", Outcome::NoAnswer));
    assert!(!hall.ends(1, "a", Outcome::NoAnswer));

    assert_eq!(hall.state("a"), State::Away);
    hall.out.clear();
    hall.pass(60);
    assert_eq!(hall.rung(), [""; 0]);
}

#[test]
fn a_refused_call_goes_to_the_next_at_once() {
    for outcome in [Outcome::Busy, Outcome::Rejected, Outcome::Unreachable] {
        let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
        hall.works("a");
        hall.works("b");
        hall.calls(1).unwrap();
        assert_eq!(hall.rung(), ["1>a"]);

        assert!(hall.ends(1, "a", outcome));

        assert_eq!(hall.rung(), ["1>b"]);
        assert_eq!(hall.state("a"), State::Available);
    }
}

#[test]
fn who_refused_is_not_rung_again_while_another_is_able() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.works("a");
    hall.calls(1).unwrap();
    hall.ends(1, "a", Outcome::Rejected);
    hall.pass(4);
    hall.calls(2).unwrap();
    hall.works("b");
    assert_eq!(hall.rung(), ["1>a", "1>b"]);

    hall.pass(1);
    assert_eq!(hall.rung(), ["2>a"]);
    hall.ends(2, "a", Outcome::Rejected);
    hall.ends(1, "b", Outcome::Rejected);
    hall.pass(5);

    assert_eq!(hall.rung(), ["1>a", "2>b"]);
}

/// The pain of a loop between one agent and one call.
#[test]
fn a_lone_agent_who_refuses_is_left_alone_for_a_moment() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    hall.calls(1).unwrap();
    hall.ends(1, "a", Outcome::Rejected);
    assert_eq!(hall.rung(), ["1>a"]);

    hall.pass(4);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn wrap_up_holds_calls_back_until_its_end() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.wrap_up = Some(secs(30))));
    hall.talks(1, "a");
    hall.calls(2).unwrap();
    hall.hangs_up(1, "a");
    assert_eq!(hall.state("a"), State::WrapUp);

    hall.pass(29);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["2>a"]);
}

#[test]
fn wrap_up_can_be_ended_and_extended() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.wrap_up = Some(secs(300))));
    hall.talks(1, "a");
    hall.hangs_up(1, "a");
    assert_eq!(hall.change("a", Change::WrapUpExtend), Ok(()));
    assert_eq!(hall.change("a", Change::WrapUpExtend), Err(ChangeError::WrapUpMax));
    hall.pass(599);
    assert_eq!(hall.state("a"), State::WrapUp);
    hall.pass(1);
    assert_eq!(hall.state("a"), State::Available);

    hall.talks(2, "a");
    hall.hangs_up(2, "a");
    assert_eq!(hall.change("a", Change::WrapUpDone), Ok(()));
    assert_eq!(hall.state("a"), State::Available);
    assert_eq!(hall.change("a", Change::WrapUpDone), Err(ChangeError::NotInWrapUp));
}

#[test]
fn logging_out_during_a_call_waits_for_its_end() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.wrap_up = Some(secs(30))));
    hall.talks(1, "a");

    hall.change("a", Change::Logout).unwrap();
    assert_eq!(hall.state("a"), State::OnCall);
    hall.hangs_up(1, "a");

    assert_eq!(hall.state("a"), State::LoggedOut);
}

#[test]
fn a_break_asked_for_during_a_call_follows_the_wrap_up() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.wrap_up = Some(secs(30))));
    hall.talks(1, "a");
    hall.change("a", Change::Away { reason: "lunch".into() }).unwrap();
    hall.hangs_up(1, "a");
    assert_eq!(hall.state("a"), State::WrapUp);

    hall.pass(30);

    let a = hall.acd.agent(&"a".into()).unwrap();
    assert_eq!((a.state, a.reason.as_deref()), (State::Away, Some("lunch")));
}

#[test]
fn an_agent_who_leaves_while_ringing_passes_the_call_on() {
    let leave = [
        Change::Logout,
        Change::Away { reason: "lunch".into() },
        Change::Reachable(false),
        Change::BusyElsewhere(true),
    ];
    for change in leave {
        let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
        hall.works("a");
        hall.works("b");
        hall.calls(1).unwrap();
        hall.out.clear();

        hall.change("a", change).unwrap();

        assert_eq!(hall.rung(), ["1-a AgentLeft", "1>b"]);
        assert!(!hall.answers(1, "a"));
    }
}

/// Unregistered or in a private call is not available, whatever he says.
#[test]
fn only_who_can_be_reached_is_rung() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.change("a", Change::Login { extension: "x".into() }).unwrap();
    hall.calls(1).unwrap();
    assert_eq!(hall.rung(), [""; 0]);
    hall.change("a", Change::BusyElsewhere(true)).unwrap();
    hall.change("a", Change::Reachable(true)).unwrap();
    assert_eq!(hall.rung(), [""; 0]);

    hall.change("a", Change::BusyElsewhere(false)).unwrap();

    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn skills_decide_who_is_able_and_who_is_best() {
    let queue = Queue {
        strategy: Strategy::Skills,
        skills: [("sales".into(), 3)].into(),
        ..Queue::default()
    };
    let mut hall = Hall::new(["a", "b", "c"], [("q".into(), queue)].into());
    hall.skilled("a", "sales", 3);
    hall.skilled("b", "sales", 9);
    hall.skilled("c", "sales", 2);
    for agent in ["a", "b", "c"] {
        hall.works(agent);
    }

    for number in 1..=3 {
        hall.calls(number).unwrap();
    }

    assert_eq!(hall.rung(), ["1>b", "2>a"]);
}

#[test]
fn demands_sink_while_a_caller_waits() {
    let queue = Queue {
        skills: [("sales".into(), 3)].into(),
        widen: vec![Widen {
            after: secs(30),
            skills: [("sales".into(), 1)].into(),
            members: vec![],
            mode: Mode::Add,
        }],
        ..Queue::default()
    };
    let mut hall = Hall::new(["a"], [("q".into(), queue)].into());
    hall.skilled("a", "sales", 2);
    hall.works("a");
    hall.calls(1).unwrap();

    hall.pass(29);
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(1);
    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn a_caller_who_asks_for_a_skill_is_not_served_without() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    hall.skilled("b", "vpn", 2);
    hall.works("a");
    let ask = Ask { skills: [("vpn".into(), 2)].into(), entered: hall.now, ..Ask::default() };
    hall.asks(1, "q", ask).unwrap();
    hall.calls(2).unwrap();
    assert_eq!(hall.rung(), ["2>a"]);

    hall.works("b");

    assert_eq!(hall.rung(), ["1>b"]);
}

#[test]
fn round_robin_goes_around_also_when_members_are_away() {
    let mut hall = Hall::new(["a", "b", "c"], strategy(Strategy::RoundRobin, &["c", "b", "a"]));
    for agent in ["a", "b", "c"] {
        hall.works(agent);
    }
    for number in 1..=4 {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        if number == 4 {
            break;
        }
        hall.hangs_up_last(number);
    }
    assert_eq!(hall.rung(), ["1>c", "2>b", "3>a", "4>c"]);

    hall.change("b", Change::Away { reason: "lunch".into() }).unwrap();
    hall.calls(5).unwrap();

    assert_eq!(hall.rung(), ["5>a"]);
}

#[test]
fn the_small_strategies_choose_as_they_are_named() {
    for (by, expected) in [
        (Strategy::Linear, ["1>a", "2>a", "3>a"]),
        (Strategy::FewestCalls, ["1>a", "2>b", "3>b"]),
        (Strategy::LeastTalk, ["1>a", "2>b", "3>b"]),
    ] {
        let mut hall = Hall::new(["a", "b"], strategy(by, &["a", "b"]));
        hall.works("a");
        hall.works("b");
        for number in 1..=3 {
            hall.calls(number).unwrap();
            hall.answers_last(number);
            hall.pass(if number == 1 { 10 } else { 2 });
            hall.hangs_up_last(number);
            if number == 2 && by == Strategy::FewestCalls {
                // A call that b had from elsewhere does not count; a's second does.
                hall.talks_with(9, "a", "b");
            }
        }
        assert_eq!(hall.rung_first(3), expected, "{by:?}");
    }
}

#[test]
fn random_reaches_everybody() {
    let mut hall = Hall::new(["a", "b", "c"], strategy(Strategy::Random, &["a", "b", "c"]));
    for agent in ["a", "b", "c"] {
        hall.works(agent);
    }
    for number in 1..=60 {
        hall.calls(number).unwrap();
        hall.answers_last(number);
        hall.hangs_up_last(number);
    }
    for agent in ["a", "b", "c"] {
        let calls = hall.acd.agent(&agent.into()).unwrap().calls;
        assert!((8..40).contains(&calls), "{agent} had {calls}");
    }
}

#[test]
fn a_full_queue_refuses() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.callers_max = Some(2)));
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    assert_eq!(hall.calls(3), Err(Refusal::Full));

    hall.leaves(1);

    assert_eq!(hall.calls(3), Ok(2));
}

#[test]
fn a_queue_without_agents_sends_callers_on_if_it_says_where() {
    let elsewhere = |q: &mut Queue| q.on_empty = Some("hangup:480".parse().unwrap());
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), elsewhere));
    assert_eq!(hall.calls(1), Err(Refusal::Empty));
    hall.works("a");
    hall.change("a", Change::Away { reason: "lunch".into() }).unwrap();
    hall.calls(1).unwrap();
    hall.out.clear();

    hall.change("a", Change::Logout).unwrap();

    assert!(hall.out.contains(&Output::Emptied { call: call(1), queue: "q".into() }));
    assert_eq!(hall.acd.position(call(1)), None);
}

#[test]
fn patience_ends_with_the_longest_wait() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.max_wait = Some(secs(60))));
    hall.calls(1).unwrap();

    hall.pass(60);

    assert_eq!(hall.out, [Output::TimedOut { call: call(1), queue: "q".into() }]);
    assert_eq!(hall.acd.position(call(1)), None);
    assert_eq!(hall.acd.next_tick(), None);
}

/// The agent who had answered hung up before he was joined with the caller.
/// Nobody has served a queue yet, so there may be none.
#[test]
fn who_has_had_no_call_has_no_wrap_up_to_extend() {
    let mut hall = Hall::new(["a"], hall::Queues::new());
    hall.works("a");

    assert_eq!(hall.change("a", Change::WrapUpExtend), Err(ChangeError::NotInWrapUp));
    assert_eq!(hall.change("a", Change::WrapUpDone), Err(ChangeError::NotInWrapUp));
}

/// He has not talked, has no after-call work, and is not rung at once by the same caller; who has
/// his place however many came meanwhile.
#[test]
fn who_hangs_up_before_he_is_joined_had_no_call() {
    let queue = |q: &mut Queue| (q.wrap_up, q.callers_max) = (Some(secs(30)), Some(1));
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), queue));
    hall.talks(1, "a");
    hall.calls(2).unwrap();
    hall.pass(1);

    hall.acd.not_joined(hall.now, call(1), (&"a".into(), true), &mut hall.out);
    let came = hall.now - secs(2);
    let left_by = Some("a".into());
    let ask = Ask { entered: came, here_since: Some(came), left_by, ..Ask::default() };
    assert_eq!(hall.asks(1, "q", ask), Ok(1));

    let view = hall.acd.agent(&"a".into()).unwrap();
    assert_eq!((view.state, view.paused, view.calls), (State::Available, true, 0));
    assert_eq!(hall.rung(), [""; 0]);
    hall.pass(5);
    assert!(hall.out.contains(&Output::Rested { agent: "a".into() }));
    assert_eq!(hall.rung(), ["1>a"]);
}

#[test]
fn a_caller_who_leaves_before_he_is_joined_costs_the_agent_no_turn() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.wrap_up = Some(secs(30))));
    hall.talks(1, "a");
    hall.change("a", Change::Away { reason: "lunch".to_owned() }).unwrap();

    hall.acd.not_joined(hall.now, call(1), (&"a".into(), false), &mut hall.out);

    let view = hall.acd.agent(&"a".into()).unwrap();
    assert_eq!((view.state, view.calls, view.talked), (State::Away, 0, secs(0)));
}

#[test]
fn who_comes_back_to_a_queue_waits_no_longer_for_it() {
    let mut hall = Hall::new(["a"], with(most_idle(&["a"]), |q| q.max_wait = Some(secs(60))));
    let entered = hall.now;
    hall.calls(1).unwrap();
    hall.pass(50);
    hall.leaves(1);

    hall.asks(1, "q", Ask { entered, here_since: Some(entered), ..Ask::default() }).unwrap();
    hall.pass(10);

    assert_eq!(hall.out, [Output::TimedOut { call: call(1), queue: "q".into() }]);
}

#[test]
fn a_phone_that_rings_at_the_longest_wait_may_be_answered() {
    let config = with(most_idle(&["a", "b"]), |q| q.max_wait = Some(secs(60)));
    let mut hall = Hall::new(["a", "b"], config.clone());
    hall.calls(1).unwrap();
    hall.pass(50);
    hall.works("a");
    hall.pass(10);
    hall.works("b");
    assert!(hall.answers(1, "a"));

    let mut hall = Hall::new(["a", "b"], config);
    hall.calls(1).unwrap();
    hall.pass(50);
    hall.works("a");
    hall.pass(10);
    hall.works("b");
    hall.out.clear();
    hall.ends(1, "a", Outcome::Rejected);
    assert!(hall.out.contains(&Output::TimedOut { call: call(1), queue: "q".into() }));
    assert_eq!(hall.rung(), [""; 0]);
}

#[test]
fn a_reload_keeps_callers_and_states() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a"]));
    hall.works("a");
    hall.works("b");
    hall.calls(1).unwrap();
    hall.calls(2).unwrap();
    hall.calls(3).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);

    hall.config.queues = most_idle(&["a", "b"]);
    hall.configure();
    assert_eq!(hall.rung(), ["2>b"]);
    assert_eq!(hall.acd.position(call(3)), Some(3));

    assert!(hall.answers(1, "a"));
    hall.config.agents.remove(&AgentId::from("a"));
    hall.config.queues = most_idle(&["b"]);
    hall.configure();
    hall.hangs_up(1, "a");
    assert_eq!(hall.acd.agent(&"a".into()), None);
    assert_eq!(hall.rung(), [""; 0]);

    hall.out.clear();
    hall.config.queues.clear();
    hall.configure();
    assert!(hall.out.contains(&Output::Emptied { call: call(3), queue: "q".into() }));
    assert_eq!(hall.state("b"), State::Available);
}

#[test]
fn two_agents_cannot_sit_at_one_phone() {
    let mut hall = Hall::new(["a", "b"], most_idle(&["a", "b"]));
    let login = || Change::Login { extension: "x".into() };
    hall.change("a", login()).unwrap();
    assert_eq!(hall.change("b", login()), Err(ChangeError::SeatTaken("a".into())));
    assert_eq!(hall.state("b"), State::LoggedOut);

    hall.change("a", Change::Login { extension: "y".into() }).unwrap();

    assert_eq!(hall.change("b", login()), Ok(()));
    hall.change("b", Change::Logout).unwrap();
    assert_eq!(hall.change("a", login()), Ok(()));
}

#[test]
fn an_agent_with_automatic_login_follows_his_phone() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    let agent = Agent { login: Login::Auto, extension: Some("1001".into()), ..Agent::default() };
    hall.config.agents.insert("a".into(), agent);
    hall.configure();
    hall.calls(1).unwrap();

    hall.change("a", Change::Reachable(true)).unwrap();
    assert_eq!(hall.rung(), ["1>a"]);
    hall.change("a", Change::Reachable(false)).unwrap();
    assert_eq!(hall.state("a"), State::LoggedOut);

    hall.change("a", Change::Reachable(true)).unwrap();
    hall.change("a", Change::Logout).unwrap();
    hall.change("a", Change::Reachable(true)).unwrap();
    assert_eq!(hall.state("a"), State::LoggedOut);
    hall.change("a", Change::Reachable(false)).unwrap();
    hall.change("a", Change::Reachable(true)).unwrap();
    assert_eq!(hall.state("a"), State::Ringing);
}

#[test]
fn an_automatic_login_outlives_a_phone_that_is_gone_for_a_moment_of_the_call() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    let agent = Agent { login: Login::Auto, extension: Some("1001".into()), ..Agent::default() };
    hall.config.agents.insert("a".into(), agent);
    hall.configure();
    hall.change("a", Change::Reachable(true)).unwrap();
    hall.calls(1).unwrap();
    assert!(hall.answers(1, "a"));

    hall.change("a", Change::Reachable(false)).unwrap();
    hall.change("a", Change::Reachable(true)).unwrap();
    hall.hangs_up(1, "a");

    assert_eq!(hall.state("a"), State::Available);
}

#[test]
fn every_change_of_state_is_told_with_reason_and_seat() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));
    hall.works("a");
    hall.change("a", Change::Away { reason: "lunch".into() }).unwrap();
    hall.change("a", Change::Away { reason: "training".into() }).unwrap();

    let told = |from, to, reason: Option<&str>| Output::Agent {
        agent: "a".into(),
        from,
        to,
        reason: reason.map(str::to_owned),
        extension: Some("seat-a".into()),
    };
    assert_eq!(
        hall.out,
        [
            told(State::LoggedOut, State::Available, None),
            told(State::Available, State::Away, Some("lunch")),
            told(State::Away, State::Away, Some("training")),
        ]
    );
}

#[test]
fn unknown_agents_calls_and_queues_are_refused() {
    let mut hall = Hall::new(["a"], most_idle(&["a"]));

    assert_eq!(hall.change("z", Change::Available), Err(ChangeError::Unknown));
    assert_eq!(hall.change("a", Change::Available), Err(ChangeError::NotLoggedIn));
    assert_eq!(hall.asks(1, "z", Ask::default()), Err(Refusal::Empty));
    assert!(!hall.answers(1, "a"));
    hall.leaves(1);
    hall.hangs_up(1, "a");
    assert_eq!(hall.out, []);
}
