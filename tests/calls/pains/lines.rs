//! Lines: nobody waits for nothing, nobody is rung for nothing, however many there are.

use std::time::Instant as Clock;

use super::site;
use crate::queue::{ringing, rung, waiting};
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use strowger::acd::config::{Agent, Config, Queue};
use strowger::acd::{Acd, Ask, Change, Outcome, Output};
use strowger::cdr::entry::{AgentState, Fact, OfferOutcome};
use strowger::id::{AgentId, CallId, ExtensionId, QueueId};
use strowger::switch::Input;
use strowger::switch::request::{AgentChange, Request};
use strowger::time::{Duration, Instant, Wall};

/// However an agent becomes free, the caller who waits rings him in that instant.
#[test]
fn pain_01_no_dispatcher_to_hang() {
    type Free = fn(&mut World);
    let ways: [(&str, Free, Free); 4] = [
        (
            "from a break",
            |world| order(world, AgentChange::Away { reason: None }),
            |world| {
                order(world, AgentChange::Available);
            },
        ),
        ("after a call", busy, |world| world.hang_up("1003")),
        ("from after-call work", wraps_up, |world| order(world, AgentChange::WrapUpDone)),
        (
            "with his phone",
            |world| world.act("1003", |phone, now| phone.register(now, 0)),
            |world| world.register("1003"),
        ),
    ];
    for (way, holds_back, frees) in ways {
        let mut world = World::new(SITE);
        for other in ["b", "c"] {
            let (agent, by) = (other.into(), "test".to_owned());
            world.ask(Request::ChangeAgent { agent, change: AgentChange::LogOut, by });
        }
        holds_back(&mut world);
        world.settle();
        world.entries.clear();
        world.dial("1002", "601");
        world.run(Duration::from_secs(5));
        assert!(!world.has(|fact| matches!(fact, Fact::Offered { .. })), "{way}");
        frees(&mut world);
        world.until("he is rung", |world| world.has(|it| matches!(it, Fact::Offered { .. })));

        let free = |fact: &Fact| matches!(fact, Fact::Agent { to: AgentState::Available, .. });
        let offered = |fact: &Fact| matches!(fact, Fact::Offered { .. });
        assert_eq!(when(&world, free), when(&world, offered), "{way}");
    }
}

/// While nobody is free, nothing is asked for again and again: the next deadline is the caller's.
#[test]
fn pain_01_nothing_polls_while_callers_wait() {
    let acd = Acd::explaining();
    let queue = Queue { members: vec!["a".into()], ..Queue::default() };
    let config = Config {
        agents: [("a".into(), Agent::default())].into(),
        queues: [("q".into(), queue)].into(),
        ..Config::default()
    };
    let (now, mut out) = (Instant::from_micros(1_000_000), vec![]);
    acd.configure(now, &config, &mut out);
    acd.enter(now, CallId::from_u64(1), &"q".into(), Ask::default(), &mut out)
        .expect("there is room");
    assert_eq!(acd.next_tick(), Some(now + config.acd.max_wait));
}

/// The agent's 200 and the caller's BYE are under way at once, whichever comes first.
#[test]
fn pain_03_no_ghost_callers() {
    for agent_first in [true, false] {
        for gap in 0..5 {
            let mut world = World::new(SITE);
            waiting(&mut world, "601");
            let seat = rung(&mut world);
            world.run(Duration::from_secs(1));
            if agent_first {
                world.answer(seat);
            } else {
                world.hang_up("1001");
            }
            world.run(Duration::from_millis(gap));
            if agent_first {
                world.hang_up("1001");
            } else if world.rings(seat) {
                world.answer(seat);
            }
            world.close();
            assert_eq!(world.agent("a"), AgentState::Available, "{agent_first} {gap}");
            // Nobody else took the call: a missed one must show.
            assert_eq!(world.phone(seat).line().reason, None, "{agent_first} {gap}");
        }
    }
}

/// Both 200s are under way at once: the second gets ACK and BYE, with a reason.
#[test]
fn pain_04_of_two_who_answer_one_has_the_call() {
    let mut world = World::new(SITE);
    world.dial("1001", "603");
    world.until("all ring", |world| ringing(world).len() == 3);
    world.run(Duration::from_secs(1));
    world.answer("1005");
    world.answer("1003");
    world.run(Duration::from_secs(1));

    assert!(world.talk("1001", "1005"));
    assert_eq!(world.phone("1003").line().byes, 1);
    let reason = world.phone("1003").line().reason.clone().expect("the BYE says why");
    assert!(reason.starts_with("SIP;cause=200"), "{reason}");
    world.hang_up("1001");
    world.close();
    assert_eq!(world.agent("a"), AgentState::Available);
}

/// Of three who ring one answers, and hangs up while the greeting keeps him from the caller.
#[test]
fn pain_04_who_drops_before_they_are_joined_loses_no_caller() {
    let queue = "[queues.all]\nnumber = \"600\"\nstrategy = \"ring-all\"\nmembers = EVERYONE\n\
                 greeting = \"recording-notice\"\ngreeting_must_finish = true\n";
    let mut world = World::with_ports(&site(3, queue), 20);
    world.dial("1001", "600");
    world.until("all ring", |world| (2001..2004).all(|seat| world.rings(&seat.to_string())));
    world.answer("2002");
    world.until("he hears that it rings", |world| world.hears_prompt("2002", "ringback"));
    world.hang_up("2002");
    let again = |world: &World, seat| world.phone(seat).lines.len() == 2 && world.rings(seat);
    world.until("all ring again", |world| again(world, "2001") && again(world, "2003"));
    assert_eq!(world.stage("1001"), Stage::Talking, "the caller is there");
    world.answer("2003");
    world.until("they talk", |world| world.talk("1001", "2003"));
    world.settle();
    world.hang_up("1001");
    world.close();

    let count = |is: fn(&Fact) -> bool| world.facts().filter(|fact| is(fact)).count();
    assert_eq!(count(|fact| matches!(fact, Fact::Setup { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::Queued { .. })), 1);
    assert_eq!(count(|fact| matches!(fact, Fact::TalkBegan { .. })), 1);
    let answered =
        |fact: &Fact| matches!(fact, Fact::OfferEnded { outcome: OfferOutcome::Answered, .. });
    assert_eq!(world.facts().filter(|fact| answered(fact)).count(), 2);
}

/// The quickest of many matches, so that the machine's other work does not count.
#[test]
fn pain_06_a_match_among_many_costs_as_much_as_among_few() {
    let few = quickest_match(500, 5_000);
    let many = quickest_match(8_000, 80_000);
    println!(
        "agent free to offer: {few:?} among 500 agents and 5,000 callers, {many:?} among 16 times"
    );
    assert!(many < few * 4, "{few:?} {many:?}");
}

/// All agents but one are on a call, and so many wait: that one becomes free, again and again.
#[expect(clippy::disallowed_methods, reason = "how long it takes is the question")]
fn quickest_match(agents: u64, callers: u64) -> std::time::Duration {
    let acd = Acd::new();
    let ids: Vec<AgentId> = (0..agents).map(|it| it.to_string().as_str().into()).collect();
    let queue = Queue { members: ids.clone(), callers_max: Some(200_000), ..Queue::default() };
    let config = Config {
        agents: ids.iter().map(|id| (id.clone(), Agent::default())).collect(),
        queues: [("q".into(), queue)].into(),
        ..Config::default()
    };
    let (mut now, mut out) = (Instant::from_micros(1_000_000), vec![]);
    acd.configure(now, &config, &mut out);
    let queue = QueueId::from("q");
    let enter = |now, call, out: &mut Vec<Output>| {
        let ask = Ask { entered: now, ..Ask::default() };
        acd.enter(now, CallId::from_u64(call), &queue, ask, out).expect("there is room");
    };
    for id in &ids {
        acd.change(now, id, Change::Reachable(true), &mut out).expect("he exists");
        let extension = ExtensionId::from(id.as_str());
        acd.change(now, id, Change::Login { extension }, &mut out).expect("the seat is his");
    }
    (0..agents + callers).for_each(|call| enter(now, call, &mut out));
    let mut on_call = answered(&acd, now, &mut out);
    let mut best = std::time::Duration::MAX;
    for round in 0..300 {
        now = now + Duration::from_millis(1);
        let (call, agent) = on_call;
        let began = Clock::now();
        acd.call_ended(now, call, &agent, &mut out);
        best = best.min(began.elapsed());
        on_call = answered(&acd, now, &mut out);
        enter(now, agents + callers + round, &mut out);
    }
    best
}

/// Everyone who is rung answers: the last of them, and his call.
fn answered(acd: &Acd, now: Instant, out: &mut Vec<Output>) -> (CallId, AgentId) {
    let offers = std::mem::take(out).into_iter().filter_map(|output| match output {
        Output::Offer { call, agent, .. } => Some((call, agent)),
        _ => None,
    });
    let mut last = None;
    for (call, agent) in offers {
        assert!(acd.offer_ended(now, call, &agent, Outcome::Answered, out));
        last = Some((call, agent));
    }
    last.expect("somebody is rung")
}

/// Forty queues of two hundred members each, whose phones nobody has; one agent is there.
#[test]
fn pain_07_a_reload_and_a_change_tell_what_changed_and_no_more() {
    let mut queues = String::new();
    let mut members = vec!["\"a1\"".to_owned()];
    for number in 0..200 {
        queues.push_str(&format!("[agents.m{number}]\nname = \"Member {number}\"\n"));
        members.push(format!("\"m{number}\""));
    }
    let members = members.join(", ");
    for number in 0..40 {
        queues.push_str(&format!(
            "[queues.q{number}]\nnumber = \"6{number:02}\"\nmembers = [{members}]\n"
        ));
    }
    let toml = site(1, &queues);
    let mut world = World::with_ports(&toml, 20);
    world.dial("1001", "600");
    world.until("he is rung", |world| world.rings("2001"));
    world.settle();
    world.entries.clear();
    world.sent.clear();
    world.reload(&toml.replace("name = \"Member 7\"", "name = \"Member 8\""));
    world.settle();
    assert_eq!((&world.entries[..], world.sent.len()), (&[][..], 0));
    assert!(world.rings("2001"));
    world.hang_up("1001");
    world.settle();

    world.entries.clear();
    let change = AgentChange::Away { reason: None };
    world.ask(Request::ChangeAgent { agent: "a1".into(), change, by: "test".to_owned() });
    world.input(Input::Tick);
    let states = world.facts().filter(|fact| matches!(fact, Fact::Agent { .. })).count();
    assert_eq!((states, world.entries.len()), (1, 2), "the change, and who wanted it");
    world.close();
}

/// One comes to the front of the line, by his credit; agents go on being rung, for him first.
#[test]
fn pain_11_who_comes_in_front_stops_nothing() {
    let mut world = World::new(SITE);
    world.dial("1002", "610");
    world.run(Duration::from_secs(30));
    world.dial("1001", "500");
    world.until("the menu speaks", |world| world.hears_prompt("1001", "welcome"));
    world.press("1001", '4');
    world.run(Duration::from_secs(1));
    let places = world.facts().filter_map(|fact| match fact {
        Fact::Queued { position, .. } => Some(*position),
        _ => None,
    });
    assert_eq!(places.collect::<Vec<_>>(), [1, 1]);
    crate::codes::log_in(&mut world, "1006");
    for caller in ["1001", "1002"] {
        world.until("the agent's phone rings", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk(caller, "1006"));
        world.settle();
        world.hang_up(caller);
        world.settle();
    }
    world.close();
}

/// Agent a talks with 1001, for his one queue.
fn busy(world: &mut World) {
    waiting(world, "601");
    world.until("agent a rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
}

fn wraps_up(world: &mut World) {
    world.dial("1001", "604");
    world.until("agent a rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.run(Duration::from_secs(1));
    world.hang_up("1003");
    world.run(Duration::from_millis(100));
    let longer = AgentChange::WrapUpExtend;
    order(world, longer);
}

fn order(world: &mut World, change: AgentChange) {
    world.ask(Request::ChangeAgent { agent: "a".into(), change, by: "test".to_owned() });
    world.input(Input::Tick);
}

fn when(world: &World, is: impl Fn(&Fact) -> bool) -> Option<Wall> {
    world.entries.iter().find(|entry| is(&entry.fact)).map(|entry| entry.at)
}
