//! Who waits asks to be called back: his place stays, he is called when an agent is free for him,
//! and the agent's phone rings when he has said that he is there.

use crate::codes::log_in;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::callback::{Callback, CallbackOutcome};
use strowger::cdr::entry::{AgentState, Direction, Entry, Fact, QueueLeft};
use strowger::cdr::record::CallRecord;
use strowger::id::CallId;
use strowger::switch::request::{
    AgentChange, CallbackState, CallbackView, Refusal, Reply, Request,
};
use strowger::time::Duration;

/// Pain 19 of queue users: callbacks that jump ahead of live callers, and too many at once.
///
/// 1001 has waited for longer than the customer, 1002 for less; one agent comes to work.
#[test]
fn pain_19_a_callback_keeps_its_place_and_takes_nobody_elses() {
    in_all_weathers(&patient_site(), |world| {
        begin(world);
        world.dial("1001", "612");
        world.run(Duration::from_secs(20));
        asks(world, "1");
        world.dial("1002", "612");
        world.run(Duration::from_secs(20));
        log_in(world, "1006");
        world.until("who waits longest is served", |world| world.rings("1006"));
        assert!(!world.rings("itsp"), "he is not called before his turn");
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.settle();
        world.hang_up("1001");

        world.until("the customer is called", |world| world.rings("itsp"));
        assert_eq!(world.agent("17"), AgentState::Ringing);
        assert!(!world.rings("1006"), "the agent's phone is silent");
        assert_eq!(world.stage("1002"), Stage::Talking, "1002 hears music");
        there(world);
        world.until("the agent's phone rings", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("itsp", "1006"));
        world.settle();
        world.hang_up("itsp");

        world.until("then the next", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1002", "1006"));
        world.settle();
        world.hang_up("1002");
        world.settle();
        assert_eq!(outcomes(world), [CallbackOutcome::Talked]);
    });
}

/// Three are to be called and two agents are free: two are called, and the third when one is.
#[test]
fn no_more_are_called_than_agents_are_free() {
    let site = site("")
        .replace("members = [\"17\"]\n[queues.back.", "members = [\"a\", \"b\"]\n[queues.back.");
    let mut world = begun(&site);
    away(&mut world, &["a", "b"]);
    for number in ["013800138001", "013800138002", "013800138003"] {
        asks_from(&mut world, number, "1");
    }
    back(&mut world, &["a", "b"]);
    world.run(Duration::from_secs(3));
    assert_eq!(called(&world), ["013800138001", "013800138002"]);
    assert_eq!(states(&mut world), ["calling", "calling", "3"]);
    assert!(!world.rings("1003") && !world.rings("1004"));

    world.run(Duration::from_secs(18));
    assert_eq!(called(&world).len(), 3, "the third when the first was not reached");
    assert_eq!(called(&world)[2], "013800138003");
    world.run(Duration::from_secs(200));
    assert_eq!(outcomes(&world), [CallbackOutcome::Unanswered; 3]);
    world.close();
}

/// An agent who is held may not wait for ever, and is not blamed; who waits behind has him then.
#[test]
fn who_does_not_answer_is_called_again_later() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    world.dial("1001", "612");
    world.run(Duration::from_secs(19));
    assert!(!world.rings("1006"));
    world.until("the next caller has the agent", |world| world.rings("1006"));
    assert_eq!(world.stage("itsp"), Stage::Over);
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.run(Duration::from_secs(70));
    assert_eq!(called(&world).len(), 1, "the agent is busy");
    world.hang_up("1001");
    world.until("he is called again", |world| world.rings("itsp"));
    there(&mut world);
    answered(&mut world);
    world.hang_up("1006");
    world.close();

    assert_eq!(outcomes(&world), [CallbackOutcome::Talked]);
    let [asked, first, second] = callback_records(&world);
    let part = asked.callback.expect("the call in which he asked says so");
    assert_eq!((part.number.as_str(), part.asked_in), ("013800138000", None));
    assert_eq!(asked.queues[0].why, Some(QueueLeft::Callback));
    assert_eq!(asked.ended.unwrap().reason, "callback");
    let part = first.callback.expect("it is an attempt");
    assert_eq!((part.asked_in, part.attempt), (Some(asked.call), Some(1)));
    assert_eq!(first.queues[0].why, Some(QueueLeft::Callback));
    assert_eq!((first.direction, first.ended.unwrap().reason), out("no_answer"));
    let part = second.callback.expect("it is an attempt");
    assert_eq!((part.asked_in, part.attempt), (Some(asked.call), Some(2)));
    assert!(part.confirmed.is_some());
    assert_eq!(second.queues[0].why, Some(QueueLeft::Answered));
    assert_eq!(second.talks[0].agent.as_ref().unwrap().as_str(), "17");
}

/// An answering machine presses no key.
#[test]
fn no_agent_is_spent_on_who_does_not_confirm() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    log_in(&mut world, "1006");
    for attempt in 1..=2 {
        world.until("he is called", |world| world.rings("itsp"));
        world.answer("itsp");
        let hung_up = |world: &World| world.stage("itsp") == Stage::Over;
        world.until("it is given up", hung_up);
        assert_eq!(called(&world).len(), attempt);
    }
    world.run(Duration::from_secs(100));
    world.close();

    assert!(!world.has(|fact| matches!(fact, Fact::Offered { agent: Some(_), .. })));
    assert_eq!(outcomes(&world), [CallbackOutcome::Unanswered]);
    assert_eq!(world.agent("17"), AgentState::Available);
    let reasons: Vec<_> = world.ends().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons.iter().filter(|it| *it == "callback_not_confirmed").count(), 2);
}

/// A wrong key is asked about once more.
#[test]
fn a_wrong_key_is_no_confirmation() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    world.answer("itsp");
    world.until("he is asked", |world| world.hears_prompt("itsp", "callback-confirm"));
    world.press("itsp", '7');
    assert!(world.hears_prompt("itsp", "callback-confirm"));
    assert!(!world.rings("1006"));
    world.press("itsp", '1');
    answered(&mut world);
    world.hang_up("itsp");
    world.close();
}

/// The process dies while he waits to be called, and while he is called.
#[test]
fn a_callback_outlives_the_process() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    world.restart();
    world.entries.clear(); // the ledger closes the books of what died
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    world.answer("itsp");
    world.until("he is asked", |world| world.hears_prompt("itsp", "callback-confirm"));
    world.run(Duration::from_millis(500));
    world.restart();
    world.entries.clear();
    world.until("he is told that it is over", |world| world.stage("itsp") == Stage::Over);
    world.until("he is called again", |world| world.rings("itsp"));
    let views = callbacks(&mut world);
    assert_eq!((views.len(), views[0].attempts), (1, 2));
    there(&mut world);
    answered(&mut world);
    world.hang_up("itsp");
    world.settle();
    assert!(!world.store.keys().any(|key| key.starts_with("callbacks/")), "{:?}", world.store);
    world.close();
}

/// He is told that he will be called only when that is durable.
#[test]
fn nothing_is_promised_that_is_not_kept() {
    let mut world = begun(&site(""));
    world.deaf_ledger = true;
    waits_for_an_offer(&mut world, "013800138000");
    world.press("itsp", '1');
    world.until("he hears the number", |world| world.hears_prompt("itsp", "callback-number"));
    world.press("itsp", '1');
    world.run(Duration::from_secs(2));
    assert!(!world.hears_prompt("itsp", "callback-set"));
    world.until("he is told", |world| world.hears_prompt("itsp", "callback-sorry"));
    assert_eq!(outcomes(&world), [CallbackOutcome::NotKept]);
    world.until("he waits on", |world| world.hears_prompt("itsp", "hold"));
    log_in(&mut world, "1006");
    answered(&mut world);
    world.hang_up("itsp");
    world.close();
}

/// To ask takes no time of his wait: an agent who answers has him at once.
#[test]
fn who_asks_is_served_meanwhile() {
    let mut world = begun(&site(""));
    waits_for_an_offer(&mut world, "013800138000");
    log_in(&mut world, "1006");
    world.press("itsp", '1');
    world.until("he hears the number", |world| world.hears_prompt("itsp", "callback-number"));
    world.until("the agent's phone rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("itsp", "1006"));
    world.hang_up("itsp");
    world.close();
    assert!(!world.has(|fact| matches!(fact, Fact::Callback(_))));
}

#[test]
fn another_number_can_be_typed_if_it_may_be_called() {
    let mut world = begun(&site(""));
    waits_for_an_offer(&mut world, "02112345678"); // his own may not
    world.press("itsp", '1');
    world.until("he is asked", |world| world.hears_prompt("itsp", "callback-type"));
    keys(&mut world, "0900123456#");
    assert!(world.hears_prompt("itsp", "callback-refused"));
    keys(&mut world, "013912345678#");
    assert!(world.hears_prompt("itsp", "callback-number"));
    assert!(world.hears_prompt("itsp", "digit-9"));
    world.press("itsp", '1');
    world.until("it is promised", |world| world.hears_prompt("itsp", "callback-set"));
    world.until("he is hung up", |world| world.stage("itsp") == Stage::Over);
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    assert_eq!(called(&world), ["013912345678"]);
    there(&mut world);
    answered(&mut world);
    world.hang_up("itsp");
    world.close();
}

#[test]
fn who_types_numbers_that_may_not_be_called_waits_on() {
    let mut world = begun(&site(""));
    waits_for_an_offer(&mut world, "02112345678");
    world.press("itsp", '1');
    for number in ["0900123456#", "112#", "02112345678#"] {
        world.until("he is asked", |world| world.hears_prompt("itsp", "callback-type"));
        keys(&mut world, number);
    }
    assert!(world.hears_prompt("itsp", "callback-sorry"));
    world.until("he waits on", |world| world.hears_prompt("itsp", "hold"));
    world.hang_up("itsp");
    world.close();
    assert!(!world.has(|fact| matches!(fact, Fact::Callback(_))));
}

/// A phone of the site is called back at its extension, and needs no class.
#[test]
fn an_extension_is_called_back() {
    in_all_weathers(&patient_site(), |world| {
        world.dial("1001", "612");
        world.until("it is offered", |world| world.hears_prompt("1001", "callback-offer"));
        world.press("1001", '1');
        world.until("he hears the number", |world| world.hears_prompt("1001", "callback-number"));
        world.press("1001", '1');
        world.until("he is hung up", |world| world.stage("1001") == Stage::Over);
        world.settle();
        log_in(world, "1006");
        world.until("he is called", |world| world.rings("1001"));
        world.answer("1001");
        world.until("he is asked", |world| world.hears_prompt("1001", "callback-confirm"));
        world.press("1001", '1');
        world.until("the agent's phone rings", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.settle();
        world.hang_up("1001");
        world.settle();
    });
}

/// The agent who was held goes home: who has confirmed waits for the next, before all others.
#[test]
fn who_has_confirmed_waits_if_the_agent_is_gone() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    world.order("17", AgentChange::LogOut);
    there(&mut world);
    world.until("he waits", |world| world.hears_prompt("itsp", "hold"));
    world.dial("1001", "612");
    world.run(Duration::from_secs(10));
    log_in(&mut world, "1006");
    answered(&mut world);
    world.hang_up("itsp");
    world.until("then the next", |world| world.rings("1006"));
    world.hang_up("1001");
    world.close();
}

#[test]
fn somebody_cancels_a_callback() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    let call = callbacks(&mut world)[0].asked_in;
    let cancel = |world: &mut World, call| {
        world.ask(Request::CancelCallback { call, by: "boss".to_owned() })
    };
    let unknown = CallId::from_u64(7);
    assert_eq!(cancel(&mut world, unknown), Reply::Refused(Refusal::UnknownCallback(unknown)));
    assert_eq!(cancel(&mut world, call), Reply::Done);
    assert_eq!(callbacks(&mut world), []);
    assert_eq!(outcomes(&world), [CallbackOutcome::Cancelled]);

    asks(&mut world, "1");
    log_in(&mut world, "1006");
    world.until("he is called", |world| world.rings("itsp"));
    let call = callbacks(&mut world)[0].asked_in;
    assert_eq!(cancel(&mut world, call), Reply::Done);
    world.until("he is not called any more", |world| world.stage("itsp") == Stage::Over);

    asks(&mut world, "1"); // the agent is there, but somebody else was before
    world.until("he is called", |world| world.rings("itsp"));
    there(&mut world);
    let call = callbacks(&mut world)[0].asked_in;
    assert_eq!(cancel(&mut world, call), Reply::Refused(Refusal::IsThere(call)));
    answered(&mut world);
    world.hang_up("itsp");
    world.close();
}

/// The clock of the test begins at 9 in UTC.
#[test]
fn nobody_is_called_outside_the_hours() {
    let late = site("hours = \"late\"");
    let mut world = begun(&late);
    log_in(&mut world, "1006");
    away(&mut world, &["17"]);
    asks(&mut world, "1");
    back(&mut world, &["17"]);
    let views = callbacks(&mut world);
    assert!(matches!(views[0].state, CallbackState::Resting(_)), "{views:?}");
    world.run(Duration::from_secs(27 * 60));
    assert_eq!(called(&world), Vec::<String>::new());
    world.run(Duration::from_secs(90));
    world.until("at half past nine he is", |world| world.rings("itsp"));
    there(&mut world);
    answered(&mut world);
    world.hang_up("itsp");
    world.close();
}

#[test]
fn who_could_not_be_called_in_time_is_forgotten() {
    let mut world = begun(&site("lifetime = \"10m\""));
    asks(&mut world, "1");
    world.run(Duration::from_secs(601));
    assert_eq!(outcomes(&world), [CallbackOutcome::Expired]);
    log_in(&mut world, "1006");
    world.run(Duration::from_secs(30));
    assert_eq!(called(&world), Vec::<String>::new());
    world.close();
}

/// He calls again meanwhile and asks again: one callback is left, at the place of the first.
#[test]
fn who_asks_twice_is_called_once() {
    let mut world = begun(&site(""));
    asks(&mut world, "1");
    world.dial("1001", "612");
    world.run(Duration::from_secs(5));
    asks(&mut world, "1");
    assert_eq!(states(&mut world), ["1"]);
    assert_eq!(outcomes(&world), [CallbackOutcome::Cancelled]);
    world.hang_up("1001");
    world.close();
}

fn site(more: &str) -> String {
    format!(
        r#"{SITE}
[queues.back]
number = "612"
members = ["17"]
[queues.back.callback]
{more}
offer_after = "10s"
calls = ["mobile"]
ring_timeout = "20s"
retries = 1
retry_wait = "60s"
[hours.late]
zone = "UTC"
open = ["daily 09:30-18:00"]
[classes.mobile]
numbers = ["013*"]
[classes.premium]
numbers = ["0900*"]
[emergency]
numbers = ["112"]
trunks = ["itsp"]
[[routes]]
name = "main number"
trunk = "itsp"
to = "main"
target = "queue:back"
[trunks.itsp]
host = "sip.itsp.example"
targets = ["203.0.113.1"]
qualify_every = "0s"
numbers = {{ country = "86", national = "0", international = "00" }}
in = [{{ match = "4008001234", replace = "main" }}]
"#
    )
}

/// Phones ring for so long that no storm lasts.
fn patient_site() -> String {
    let site = site("confirm_timeout = \"60s\"");
    site.replace("ring_timeout = \"20s\"", "ring_timeout = \"100s\"").replace(
        "members = [\"17\"]\n[queues.back.",
        "ring_timeout = \"100s\"\nmembers = [\"17\"]\n[queues.back.",
    )
}

fn begun(site: &str) -> World {
    let mut world = World::new(site);
    begin(&mut world);
    world
}

fn begin(world: &mut World) {
    world.add_provider("itsp", 1);
    world.run(Duration::from_millis(100));
    world.set("itsp", |phone| phone.manner = Manner::Rings);
}

/// Somebody outside waits until he hears that he can be called back.
fn waits_for_an_offer(world: &mut World, number: &str) {
    world.call_in("itsp", number, "4008001234");
    world.until("it is offered", |world| {
        world.stage("itsp") == Stage::Talking && world.hears_prompt("itsp", "callback-offer")
    });
}

/// Somebody outside asks to be called back, and hangs up.
fn asks(world: &mut World, choice: &str) {
    asks_from(world, "013800138000", choice);
}

fn asks_from(world: &mut World, number: &str, choice: &str) {
    waits_for_an_offer(world, number);
    world.press("itsp", '1');
    world.until("he hears the number", |world| world.hears_prompt("itsp", "callback-number"));
    keys(world, choice);
    world.until("it is promised", |world| world.hears_prompt("itsp", "callback-set"));
    world.until("he is hung up", |world| world.stage("itsp") == Stage::Over);
    world.settle();
}

/// He answers and confirms.
fn there(world: &mut World) {
    world.answer("itsp");
    world.until("he is asked", |world| world.hears_prompt("itsp", "callback-confirm"));
    world.press("itsp", '1');
}

/// Agent 17 answers the customer.
fn answered(world: &mut World) {
    world.until("the agent's phone rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("itsp", "1006"));
    world.settle();
}

fn keys(world: &mut World, keys: &str) {
    for key in keys.chars() {
        world.press("itsp", key);
    }
}

fn change(world: &mut World, agents: &[&str], change: &AgentChange) {
    for agent in agents {
        world.order(agent, change.clone());
    }
}

fn away(world: &mut World, agents: &[&str]) {
    change(world, agents, &AgentChange::Away { reason: None });
}

fn back(world: &mut World, agents: &[&str]) {
    change(world, agents, &AgentChange::Available);
}

/// The numbers that were called, in order.
fn called(world: &World) -> Vec<String> {
    let attempts = world.facts().filter_map(|fact| match fact {
        Fact::Callback(Callback::Began { number, .. }) => Some(number.clone()),
        _ => None,
    });
    attempts.collect()
}

fn outcomes(world: &World) -> Vec<CallbackOutcome> {
    let ended = world.facts().filter_map(|fact| match fact {
        Fact::Callback(Callback::Ended { outcome, .. }) => Some(*outcome),
        _ => None,
    });
    ended.collect()
}

fn callbacks(world: &mut World) -> Vec<CallbackView> {
    match world.ask(Request::Callbacks { queue: Some("back".into()) }) {
        Reply::Callbacks(callbacks) => callbacks,
        other => panic!("asked for callbacks, got {other:?}"),
    }
}

/// The place of each callback in the line, or that it is being called.
fn states(world: &mut World) -> Vec<String> {
    let told = callbacks(world).into_iter().map(|callback| match callback.state {
        CallbackState::Calling(_) => "calling".to_owned(),
        _ => callback.position.map_or_else(|| "none".to_owned(), |place| place.to_string()),
    });
    told.collect()
}

fn out(reason: &str) -> (Option<Direction>, String) {
    (Some(Direction::Outbound), reason.to_owned())
}

/// The records of the calls that had a part in a callback.
fn callback_records<const N: usize>(world: &World) -> [CallRecord; N] {
    let mut calls: Vec<CallId> = Vec::new();
    for entry in &world.entries {
        let call = entry.call.filter(|_| matches!(entry.fact, Fact::Callback(_)));
        calls.extend(call.filter(|call| !calls.contains(call)));
    }
    let folded = calls.into_iter().map(|call| {
        let mut record = CallRecord::new(call, "hq");
        world.entries.iter().for_each(|entry: &Entry| record.apply(entry));
        record
    });
    let records: Vec<CallRecord> = folded.collect();
    records.try_into().expect("as many calls had a part in it")
}
