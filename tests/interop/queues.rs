//! Callers, menus, queues and agents.

use std::time::Duration;

use strowger::audio::g711::ulaw_encode;
use strowger::audio::keys::Tones;

use crate::site::{LIMIT, assert_heard, call_line, callee, caller, moment_us, offers, phone};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;
use crate::support::tone::Wav;
use crate::support::wait::{self, pause};

/// What the prompts of these tests sound like.
const GREETING: f64 = 700.0;
const MUSIC: f64 = 1500.0;
const CALLER: f64 = 440.0;
const AGENT: f64 = 1000.0;

/// The main job: menu, key, queue, greeting while the agent's phone rings, talk, recording, record.
#[test]
fn a_caller_presses_a_key_waits_and_talks_to_an_agent() {
    let node = site("strategy = \"most-idle\"\ngreeting = \"greeting\"\nrecord = \"always\"\n");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut agent = phone(&node, 1002, "tcp", AGENT);
    let mut caller = phone(&node, 1001, "udp", CALLER);

    caller.dial(&format!("sip:500@{}", node.sip()));
    caller.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(1));
    caller.press("1");
    agent.wait_for("CALL_INCOMING", SOON);
    pause(Duration::from_secs(2));
    agent.answer();
    let answered = agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(4));
    let (legs, ports) = (node.status("legs"), node.status("ports_taken"));
    assert_eq!((node.status("calls"), legs, ports), (1, 2, 2), "while they talk");
    assert!(node.status("dialogs") >= 2);
    caller.hang_up();
    let closed = agent.wait_for("CALL_CLOSED", SOON);

    let heard = caller.heard();
    assert_heard(&heard, 0, GREETING, 1.0, "the caller hears the greeting while a phone rings");
    assert_heard(&heard, 0, AGENT, 2.0, "the caller hears the agent");
    assert_heard(&agent.heard(), 0, CALLER, 2.0, "the agent hears the caller");

    let record = consumer.wait_for(1, SOON).remove(0);
    assert_eq!(record["dialled"], "500", "{record:#}");
    assert_eq!(record["menus"][0]["keys"], "1", "{record:#}");
    assert_eq!(record["queues"][0]["queue"], "support", "{record:#}");
    assert_eq!(record["queues"][0]["why"], "QUEUE_LEFT_ANSWERED", "{record:#}");
    let answer = ("a1002".to_owned(), "OFFER_OUTCOME_ANSWERED".to_owned());
    assert_eq!(offers(&record), [answer], "{record:#}");
    assert_eq!(record["end"]["by"], "HUNG_UP_BY_CALLER", "{record:#}");
    let talk = &record["talks"][0];
    let began = (moment_us(talk, "start_time") - answered.at_us).abs();
    let ended = (moment_us(talk, "end_time") - closed.at_us).abs();
    assert!(began < 200_000 && ended < 200_000, "off by {began} and {ended} µs\n{record:#}");

    let recordings = node.recordings();
    assert_eq!(recordings.len(), 1, "{recordings:?}");
    let recording = Wav::read(&recordings[0]).expect("a recording is a WAV file");
    assert_heard(&recording, 0, CALLER, 2.0, "left of the recording: the caller");
    assert_heard(&recording, 1, AGENT, 2.0, "right of the recording: the agent");
    node.falls_silent(Duration::from_secs(60));
}

/// RustPBX: "with hold music configured, the caller's audio never reached the agent".
#[test]
fn the_agent_hears_the_caller_after_the_music() {
    let node = site("strategy = \"most-idle\"\n");
    let mut caller = phone(&node, 1001, "udp", CALLER);
    caller.dial(&format!("sip:600@{}", node.sip()));
    caller.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));

    let mut agent = phone(&node, 1002, "udp", AGENT);
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(3));
    caller.hang_up();
    agent.wait_for("CALL_CLOSED", SOON);

    assert_heard(&agent.heard(), 0, CALLER, 1.5, "the agent hears the caller");
    let heard = caller.heard();
    assert_heard(&heard, 0, MUSIC, 1.0, "the caller hears music while he waits");
    assert_heard(&heard, 0, AGENT, 1.5, "then the agent");
}

/// RustPBX: "ring-all with two answers 100 ms apart: both stay connected and the caller hears
/// both". The second answer crosses the CANCEL; it is acknowledged and hung up.
#[test]
fn of_two_answers_one_wins() {
    let node = site("strategy = \"ring-all\"\n");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let slow = callee(&node, "callee_races", 1002, 1, 0);
    let fast = callee(&node, "callee", 1003, 1, 1000);
    agents_available(&node, 2);

    caller(&node, "caller", 1001, "600", 1, 3000).succeeds(LIMIT);

    fast.succeeds();
    slow.succeeds();
    let record = consumer.wait_for(1, SOON).remove(0);
    let mut ended = offers(&record);
    ended.sort();
    assert_eq!(ended.len(), 2, "{record:#}");
    assert_eq!(ended[0].1, "OFFER_OUTCOME_LOST_RACE", "{record:#}");
    assert_eq!(ended[1].1, "OFFER_OUTCOME_ANSWERED", "{record:#}");
    assert_eq!(record["talks"].as_array().map(Vec::len), Some(1), "{record:#}");
}

/// RustPBX: "sequential distribution gives every call to agent 1, even while he talks".
#[test]
fn calls_are_spread_over_the_agents() {
    for strategy in ["round-robin", "most-idle"] {
        let node = site(&format!("strategy = \"{strategy}\"\n"));
        let mut consumer = Consumer::start(node.grpc(), "billing");
        consumer.subscribed(SOON);
        let phones: Vec<_> =
            (1002..=1004).map(|user| callee(&node, "callee", user, 2, 100)).collect();
        agents_available(&node, 3);

        // Six calls, the first still talking when the next comes.
        caller(&node, "caller", 1001, "600", 6, 1500).option(&["-r", "1"]).succeeds(LIMIT);

        for phone in phones {
            phone.succeeds();
        }
        let records = consumer.wait_for(6, SOON);
        let mut answered: Vec<String> =
            records.iter().flat_map(offers).map(|(who, _)| who).collect();
        assert_eq!(answered.len(), 6, "{strategy}: nobody was rung in vain: {answered:?}");
        answered.sort();
        let fair = ["a1002", "a1002", "a1003", "a1003", "a1004", "a1004"];
        assert_eq!(answered, fair, "{strategy}");
    }
}

/// An agent who lets it ring is set away; the caller keeps his place and gets the next one.
#[test]
fn an_agent_who_does_not_answer_is_passed_over() {
    let node = site("strategy = \"linear\"\nring_timeout = \"2s\"\n");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let silent = callee(&node, "callee_rings", 1002, 1, 0);
    let second = callee(&node, "callee", 1003, 1, 100);
    agents_available(&node, 2);

    caller(&node, "caller", 1001, "600", 1, 5000).succeeds(LIMIT);

    silent.succeeds();
    second.succeeds();
    let record = consumer.wait_for(1, SOON).remove(0);
    let outcomes: Vec<String> = offers(&record).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["OFFER_OUTCOME_NO_ANSWER", "OFFER_OUTCOME_ANSWERED"], "{record:#}");
    let away = node.json(&["agents"]);
    let away = away.iter().find(|agent| agent["agent"] == "a1002").expect("he is an agent");
    assert_eq!(away["state"], "AGENT_STATE_AWAY", "{away}");
}

/// A refusal passes the caller on at once.
#[test]
fn an_agent_who_refuses_is_passed_over_at_once() {
    let node = site("strategy = \"linear\"\n");
    let busy = callee(&node, "callee_rejects", 1002, 1, 100);
    let second = callee(&node, "callee", 1003, 1, 100);
    agents_available(&node, 2);

    caller(&node, "caller", 1001, "600", 1, 2000).succeeds(LIMIT);

    busy.succeeds();
    second.succeeds();
}

/// Callers that hang up while they wait leave nothing behind.
#[test]
fn a_caller_who_hangs_up_in_the_queue_is_gone() {
    let node = site("strategy = \"most-idle\"\n");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);

    caller(&node, "caller", 1001, "600", 5, 500).succeeds(LIMIT);

    let records = consumer.wait_for(5, SOON);
    for record in records {
        assert_eq!(record["queues"][0]["why"], "QUEUE_LEFT_ABANDONED", "{record:#}");
    }
    assert_eq!(node.status("waiting"), 0);
}

/// Extensions 1001–1004, agents at the last three in queue 600 behind menu 500; prompts are tones.
/// A phone that has no telephone-event: its key is a pair of tones in what it says (ITU-T Q.23).
#[test]
fn a_key_is_heard_in_the_audio() {
    let node = site("");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut agent = phone(&node, 1002, "tcp", AGENT);
    let key = Tones::new('1', 6000).expect("a key").take(800);
    let speech = std::iter::repeat_n(0, 8000 * 2).chain(key).chain([0; 8000 * 2]);
    let speech: Vec<u8> = speech.map(ulaw_encode).collect();

    let place = Place::new();
    let caller = Scenario::new("caller_speaks", &place, 5060, node.sip())
        .users(&[call_line(1001, "500")])
        .dials("500", node.sip())
        .file("speech.ulaw", &speech)
        .calls(1, 1)
        .option(&["-d", "8000", "-key", "events", ""])
        .start(LIMIT);
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    caller.succeeds();

    let record = consumer.wait_for(1, SOON).remove(0);
    assert_eq!(record["menus"][0]["keys"], "1", "{record:#}");
    agent.quit();
}

/// He keeps his place over kill -9, says that he is there, and talks with the agent.
#[test]
fn who_asked_to_be_called_back_is_so_after_kill_9() {
    let mut node = site("callback = { retry_wait = \"5s\" }\n");
    for name in ["callback-number", "callback-choose", "callback-set", "callback-confirm"] {
        node.prompt(name, 600.0, 1);
    }
    let mut agent = phone(&node, 1002, "udp", AGENT);
    let mut caller = phone(&node, 1001, "udp", CALLER);
    agents_available(&node, 1);
    node.succeeds(&["agent", "away", "a1002", "--reason", "lunch"]);
    caller.dial(&format!("sip:600@{}", node.sip()));
    caller.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(1));
    caller.press("1");
    pause(Duration::from_secs(3));
    caller.press("1");
    caller.wait_for("CALL_CLOSED", SOON);

    node.kill();
    node.start_again();
    let kept = node.json(&["callbacks"]);
    assert_eq!((kept.len(), &kept[0]["number"]), (1, &"1001".into()), "{kept:?}");
    wait::until("he stands in the line", SOON, || {
        let state = node.json(&["callbacks"])[0]["state"].clone();
        (state == "CALLBACK_STATE_WAITING").then_some(())
    });
    node.succeeds(&["agent", "available", "a1002"]);
    caller.wait_for("CALL_INCOMING", SOON);
    caller.answer();
    caller.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    caller.press("1");
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(4));
    agent.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);

    assert_heard(&agent.heard(), 0, CALLER, 2.0, "the agent hears the customer");
    let asked = kept[0]["call_id"].as_str().expect("it has an id").to_owned();
    wait::until("it is told", SOON, || {
        let story = node.succeeds(&["explain", &asked]);
        story.contains("callback: talked").then_some(())
    });
    assert_eq!(node.json(&["callbacks"]).len(), 0);
}

fn site(queue: &str) -> Daemon {
    let toml = format!(
        "{}\n{}\n[queues.support]\nnumber = \"600\"\nmembers = [\"a1002\", \"a1003\", \"a1004\"]\n\
         music = \"music\"\n{queue}\n\
         [menus.main]\nnumber = \"500\"\nprompt = \"menu\"\n\
         [menus.main.keys]\n1 = \"queue:support\"\n",
        extensions(1001..=1004),
        agents(1002..=1004),
    );
    let mut node = Daemon::prepare(&toml);
    for (name, hertz, seconds) in
        [("menu", 600.0, 4), ("greeting", GREETING, 2), ("music", MUSIC, 5)]
    {
        node.prompt(name, hertz, seconds);
    }
    node.start_again();
    node
}

/// Waits until so many agents are available: their phones have just registered.
fn agents_available(node: &Daemon, count: usize) {
    wait::until("the agents are available", SOON, || {
        let agents = node.json(&["agents"]);
        let free = agents.iter().filter(|agent| agent["state"] == "AGENT_STATE_AVAILABLE").count();
        (free >= count).then_some(())
    });
}
