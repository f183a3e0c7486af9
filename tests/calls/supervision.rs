//! A supervisor listens to an agent, whispers to him, barges in, takes the call over.

use crate::control_dial::record;
use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact, JoinWhy, OrderKind, SupervisorMode};
use strowger::id::CallId;
use strowger::media::control::Command;
use strowger::sip::message::Method;
use strowger::switch::request::{Refusal, Reply, Request, Supervise};
use strowger::time::Duration;

/// Nobody in the talk is told or asked anything: not a message more goes to their phones.
#[test]
fn keys_say_who_hears_the_supervisor() {
    in_all_weathers(&site(), |world| {
        let seat = talk_with_agent(world);
        let before = [received(world, "1001"), received(world, seat)];
        listen(world, seat);
        assert!(world.talk("1001", seat));

        for (key, agent, customer) in [
            ('2', vec!["1001", "1002"], vec![seat]),
            ('3', vec!["1001", "1002"], vec!["1002", seat]),
            ('1', vec!["1001"], vec![seat]),
        ] {
            world.press("1002", key);
            world.until("the agent hears so", |world| world.hears(seat) == heard(&agent));
            assert_eq!(world.hears("1001"), heard(&customer));
            assert_eq!(world.hears("1002"), heard(&["1001", seat]));
        }
        assert_eq!([received(world, "1001"), received(world, seat)], before);

        world.hang_up("1002");
        world.until("he has left", |world| {
            world.has(|fact| matches!(fact, Fact::SupervisionEnded { .. }))
        });
        assert!(world.talk("1001", seat));
        world.settle();
        world.hang_up("1001");
        world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
        world.settle();
        let record = record(world, call_of(world, "1001"));
        let modes: Vec<_> = record.supervisor_joins.iter().map(|join| join.mode).collect();
        use SupervisorMode::{Barge, Listen, Whisper};
        assert_eq!(modes, [Listen, Whisper, Barge, Listen]);
        for join in &record.supervisor_joins {
            assert_eq!((join.extension.as_str(), join.agent.as_str()), ("1002", agent_at(seat)));
            assert!(join.ended.is_some_and(|ended| ended >= join.began));
        }
        assert_eq!(record.joins[0].why, JoinWhy::Supervise);
        assert_eq!(record.talks.len(), 1, "one talk, whoever listened");
    });
}

/// While the agent holds the customer, what is said in the agent's room is nobody's to hear.
#[test]
fn who_holds_is_not_heard_by_a_supervisor() {
    in_all_weathers(&site(), |world| {
        let seat = talk_with_agent(world);
        listen(world, seat);
        for _ in 0..2 {
            offer(world, seat, "sendonly");
            world.until("the customer hears music", |world| world.hears_prompt("1001", "hold"));
            world.until("the agent is not heard", |world| world.hears("1002") == heard(&["1001"]));
            world.settle();
            offer(world, seat, "sendrecv");
            world.until("all is as before", |world| world.hears("1001") == heard(&[seat]));
            world.until("he is again", |world| world.hears("1002") == heard(&["1001", seat]));
            world.settle();
        }
        part(world);
    });
}

fn offer(world: &mut World, name: &str, direction: &str) {
    world.act(name, |phone, now| {
        let offer = phone.sdp("", direction, "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
}

/// Keys of the two who talk reach each other though a supervisor is mixed in; his own are orders.
#[test]
fn keys_pass_a_supervisor_who_is_heard() {
    let mut world = World::new(&site());
    let seat = talk_with_agent(&mut world);
    listen(&mut world, seat);
    let pressed = |world: &mut World, who: &str| {
        let before = world.studio.orders.len();
        world.press(who, '5');
        world.settle();
        let orders = world.studio.orders[before..].iter();
        let pressed = orders.filter_map(|order| match order {
            Command::Press { leg, key: '5' } => Some(*leg),
            _ => None,
        });
        let legs = ["1001", seat, "1002"].map(|name| {
            (name.to_owned(), world.studio.leg_at(world.phone(name).rtp()).expect("it talks"))
        });
        let name = |leg| legs.iter().find(|(_, it)| *it == leg).map(|(name, _)| name.clone());
        pressed.filter_map(name).collect::<Vec<_>>()
    };
    let seat_only = vec![seat.to_owned()];
    let customer_only = vec!["1001".to_owned()];
    // While he listens both are relayed, keys too; what he whispers is mixed for the agent alone.
    for (mode, agent_presses, customer_presses) in [
        ('1', Vec::new(), Vec::new()),
        ('2', Vec::new(), seat_only.clone()),
        ('3', customer_only, seat_only),
    ] {
        world.press("1002", mode);
        world.settle();
        assert_eq!(pressed(&mut world, seat), agent_presses, "mode {mode}");
        assert_eq!(pressed(&mut world, "1001"), customer_presses, "mode {mode}");
        assert_eq!(pressed(&mut world, "1002"), Vec::<String>::new(), "mode {mode}");
    }
    part(&mut world);
    world.settle();
}

#[test]
fn who_takes_over_talks_and_the_agent_is_free() {
    in_all_weathers(&site(), |world| {
        let seat = talk_with_agent(world);
        listen(world, seat);
        world.press("1002", '4');
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.until("the agent is released", |world| world.stage(seat) == Stage::Over);
        world.until("he can take calls", |world| {
            let free = AgentState::Available;
            world.facts().any(|fact| matches!(fact, Fact::Agent { to, .. } if *to == free))
        });
        world.settle();
        world.hang_up("1002");
        world.until("the customer is told", |world| world.stage("1001") == Stage::Over);
        world.settle();
        let record = record(world, call_of(world, "1001"));
        assert_eq!(record.supervisor_joins.last().unwrap().mode, SupervisorMode::TakeOver);
        assert_eq!(record.talks.len(), 2);
        assert_eq!(record.talks[1].extension, Some("1002".into()));
    });
}

/// The talk is over: so is the supervision, whoever hangs up.
#[test]
fn supervision_ends_with_the_talk() {
    for who in ["1001", "agent"] {
        in_all_weathers(&site(), |world| {
            let seat = talk_with_agent(world);
            listen(world, seat);
            world.hang_up(if who == "1001" { who } else { seat });
            world.until("the supervisor is told", |world| world.stage("1002") == Stage::Over);
        });
    }
}

/// The supervisor's leg comes from another media thread, and follows as soon as it is there.
#[test]
fn a_supervisor_comes_from_another_thread() {
    in_all_weathers(&site(), |world| {
        let seat = talk_with_agent(world);
        world.use_another_media_thread();
        listen(world, seat);
        assert!(world.talk("1001", seat));
        world.press("1002", '3');
        world.until("all hear all", |world| world.hears("1001") == heard(&["1002", seat]));
        part(world);
    });
}

#[test]
fn hold_transfer_and_a_leaving_agent_are_followed() {
    let mut world = World::new(&site());
    let seat = talk_with_agent(&mut world);
    listen(&mut world, seat);
    world.act(seat, |phone, now| {
        let offer = phone.sdp("", "sendonly", "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.until("the customer hears music", |world| world.hears_prompt("1001", "hold"));
    world.press("1002", '3');
    world.settle();
    assert!(world.hears_prompt("1001", "hold"), "who barges in does not end the hold");
    assert_eq!(world.hears("1002"), heard(&["1001"]));
    world.act(seat, |phone, now| {
        let offer = phone.talk_sdp();
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.until("it is over", |world| world.hears("1001") == heard(&["1002", seat]));
    world.settle();

    world.act(seat, |phone, now| phone.refer(now, 0, "sip:1006@strowger.test", &[]));
    world.until("the next phone rings", |world| world.rings("1006"));
    world.until("the supervisor leaves with the agent", |world| world.stage("1002") == Stage::Over);
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
}

/// The supervisor's own phone holds: the others notice nothing.
#[test]
fn a_supervisor_who_holds_disturbs_nobody() {
    let mut world = World::new(&site());
    let seat = talk_with_agent(&mut world);
    listen(&mut world, seat);
    world.act("1002", |phone, now| {
        let offer = phone.sdp("", "sendonly", "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.settle();
    assert!(world.talk("1001", seat));
    assert!(!world.has(|fact| matches!(fact, Fact::HoldBegan { .. })));
}

#[test]
fn only_who_may_and_only_who_talks() {
    let mut world = World::new(&impatient());
    for (from, to, status) in [
        ("1006", "*33a", 403),  // may supervise nobody
        ("1002", "*3317", 403), // may not supervise him
        ("1002", "*33nobody", 403),
        ("1002", "*33a", 480), // he talks with nobody
    ] {
        world.dial(from, to);
        world.until("it is refused", |world| world.stage(from) == Stage::Over);
        assert_eq!(world.status_of(from), status, "{from} {to}");
        world.settle();
    }
    let seat = talk_with_agent(&mut world);
    world.dial("1006", &format!("*33{}", agent_at(seat)));
    world.until("it is refused", |world| world.stage("1006") == Stage::Over);
    assert_eq!(world.status_of("1006"), 403);
    assert!(world.talk("1001", seat));
}

/// Of an agent who talks with nobody the next talk is waited for.
#[test]
fn a_supervisor_waits_for_the_next_talk() {
    in_all_weathers(&site(), |world| {
        // Whoever of the three gets the call is supervised.
        world.set("1004", |phone| phone.manner = Manner::Refuses(486));
        world.set("1005", |phone| phone.manner = Manner::Refuses(486));
        world.dial("1002", "*33a");
        world.until("he hears music", |world| world.hears_prompt("1002", "hold"));
        world.settle();
        waiting(world, "601");
        world.until("the agent's phone rings", |world| world.rings("1003"));
        assert!(world.hears_prompt("1002", "hold"), "it rings only");
        world.run(Duration::from_secs(1));
        world.answer("1003");
        world.until("he listens", |world| world.hears("1002") == heard(&["1001", "1003"]));
        assert!(world.talk("1001", "1003"));
        world.press("1002", '3');
        world.until("he is heard", |world| world.hears("1001") == heard(&["1002", "1003"]));
        part(world);
    });
}

#[test]
fn a_supervisor_waits_for_so_long_only() {
    let mut world = World::new(&site());
    world.dial("1002", "*33a");
    world.until("he hears music", |world| world.hears_prompt("1002", "hold"));
    world.settle();
    world.run(Duration::from_secs(590));
    assert!(world.hears_prompt("1002", "hold"));
    world.run(Duration::from_secs(20));
    world.until("he is hung up", |world| world.stage("1002") == Stage::Over);
    world.settle();
    assert_eq!(world.ends(), [(200, "agent_not_talking".to_owned())]);

    world.dial("1002", "*33b");
    world.until("he hears music", |world| world.hears_prompt("1002", "hold"));
    world.settle();
    world.hang_up("1002");
    world.close();
    assert_eq!(world.ends()[1], (200, "caller_hung_up".to_owned()));
}

/// Without an id after the code it is asked for.
#[test]
fn the_id_is_asked_for() {
    let mut world = World::new(&site());
    let seat = talk_with_agent(&mut world);
    world.dial("1002", "*33");
    world.until("he is asked", |world| world.hears_prompt("1002", "agent-id"));
    world.settle();
    world.press("1002", '9');
    world.press("1002", '#');
    world.until("there is no such agent", |world| world.hears_prompt("1002", "agent-denied"));
    assert!(world.talk("1001", seat));
}

/// A program rings the supervisor; a second order changes what he does.
#[test]
fn a_program_orders_supervision() {
    in_all_weathers(&impatient(), |world| {
        let order = |world: &mut World, agent: &str, extension: &str, mode| {
            let (agent, extension, by) = (agent.into(), extension.into(), "crm".to_owned());
            world.ask(Request::Supervise(Supervise { agent, extension, mode, by }))
        };
        let (whisper, barge) = (SupervisorMode::Whisper, SupervisorMode::Barge);
        let idle = order(world, "a", "1002", whisper);
        assert!(matches!(idle, Reply::Refused(Refusal::AgentState { .. })), "{idle:?}");
        let seat = talk_with_agent(world);
        let agent = agent_at(seat);
        for (agent, extension) in [("z", "1002"), (agent, "999"), (agent, "1006")] {
            assert!(matches!(order(world, agent, extension, whisper), Reply::Refused(_)));
        }
        let ordered = order(world, agent, "1002", whisper);
        assert!(matches!(ordered, Reply::Dialled(_)), "{ordered:?}");
        world.until("his phone rings", |world| world.rings("1002"));
        world.answer("1002");
        world.until("he whispers", |world| world.hears(seat) == heard(&["1001", "1002"]));
        assert_eq!(world.hears("1001"), heard(&[seat]));

        let call = call_of(world, "1001");
        assert_eq!(order(world, agent, "1002", barge), Reply::Dialled(call));
        world.until("all hear all", |world| world.hears("1001") == heard(&["1002", seat]));
        let record = record(world, call);
        let orders: Vec<_> = record.orders.iter().map(|it| (it.order, it.by.as_str())).collect();
        assert_eq!(orders, [(OrderKind::Supervise, "crm")]);
        part(world);
    });
}

/// An agent's own call out is supervised too, and taken over with him as the caller.
#[test]
fn an_agents_call_out_is_taken_over() {
    in_all_weathers(&site(), |world| {
        world.dial("1003", "1006");
        world.until("the other rings", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1003", "1006"));
        world.settle();
        world.dial("1002", "*33a");
        world.until("he listens", |world| world.hears("1002") == heard(&["1003", "1006"]));
        world.settle();
        world.press("1002", '2');
        world.until("he whispers", |world| world.hears("1003") == heard(&["1002", "1006"]));
        assert_eq!(world.hears("1006"), heard(&["1003"]));
        world.press("1002", '4');
        world.until("they talk", |world| world.talk("1002", "1006"));
        world.until("the agent is released", |world| world.stage("1003") == Stage::Over);
        world.settle();
        world.hang_up("1006");
        world.until("he is told", |world| world.stage("1002") == Stage::Over);
    });
}

fn site() -> String {
    let may = "[extensions.1002]\nsupervises = [\"queue:idle\"]";
    SITE.replace("[extensions.1002]", may)
}

/// Nobody waits for an agent's next talk.
fn impatient() -> String {
    format!("{}\n[calls]\nsupervise_wait = \"0s\"\n", site())
}

/// 1001 talks with an agent of the queue; says where he sits.
fn talk_with_agent(world: &mut World) -> &'static str {
    waiting(world, "601");
    let seat = rung(world);
    world.run(Duration::from_secs(1));
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();
    seat
}

fn listen(world: &mut World, seat: &'static str) {
    world.dial("1002", &format!("*33{}", agent_at(seat)));
    world.until("he listens", |world| world.hears("1002") == heard(&["1001", seat]));
    world.settle();
}

/// The customer hangs up, and all are told.
fn part(world: &mut World) {
    world.settle();
    world.hang_up("1001");
    world.until("the supervisor is told", |world| world.stage("1002") == Stage::Over);
}

fn agent_at(seat: &str) -> &'static str {
    match seat {
        "1003" => "a",
        "1004" => "b",
        _ => "c",
    }
}

fn heard(names: &[&str]) -> Heard {
    match names {
        [name] => Heard::Phone((*name).to_owned()),
        names => Heard::Phones(names.iter().map(|name| (*name).to_owned()).collect()),
    }
}

/// Changes that a phone was asked for in its call.
fn received(world: &World, name: &str) -> usize {
    world.phone(name).line().changes.len()
}

/// The call that a phone has begun.
fn call_of(world: &World, name: &str) -> CallId {
    let begun = world.entries.iter().find(|entry| {
        matches!(&entry.fact, Fact::Setup { extension: Some(who), .. } if who.as_str() == name)
    });
    begun.and_then(|entry| entry.call).expect("it has called")
}
