//! What callers hear who wait, as a phone hears it.

use std::time::Duration;

use crate::site::{LIMIT, assert_heard, callee, caller, phone};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::records::Consumer;
use crate::support::wait::{self, pause};

const AGENT: f64 = 1000.0;
const CALLER: f64 = 440.0;
const MESSAGE: f64 = 2500.0;
const MUSIC: f64 = 1500.0;
const PLACE: f64 = 700.0;
const WAIT: f64 = 2000.0;

/// Ten calls have been handled in less than a second each: the one who waits next hears that it
/// takes less than a minute, his place and a message; then the agent.
#[test]
fn a_caller_hears_his_place_his_wait_and_a_message() {
    let node = site(
        "announce = { position = true, wait = true, every = \"3s\", messages = [\"message\"], \
         messages_every = \"5s\" }\n",
    );
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let handled = callee(&node, "callee", 1003, 10, 100);
    caller(&node, "caller", 1001, "600", 10, 300).option(&["-r", "1"]).succeeds(LIMIT);
    handled.succeeds();
    consumer.wait_for(10, SOON);
    node.succeeds(&["agent", "logout", "a1003"]);

    let mut agent = phone(&node, 1002, "udp", AGENT);
    wait::until("the agent is available", SOON, || {
        let agents = node.json(&["agents"]);
        agents.iter().any(|agent| agent["state"] == "AGENT_STATE_AVAILABLE").then_some(())
    });
    let mut before = phone(&node, 1004, "udp", CALLER);
    before.dial(&format!("sip:600@{}", node.sip()));
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    before.wait_for("CALL_ESTABLISHED", SOON);
    let mut waits = phone(&node, 1001, "udp", CALLER);
    waits.dial(&format!("sip:600@{}", node.sip()));
    waits.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(13));
    before.hang_up();
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    waits.hang_up();

    let heard = waits.heard();
    assert_heard(&heard, 0, PLACE, 0.8, "the caller hears his place");
    assert_heard(&heard, 0, WAIT, 0.8, "how long it takes");
    assert_heard(&heard, 0, MESSAGE, 0.8, "a message");
    assert_heard(&heard, 0, AGENT, 1.0, "and the agent");
    let records = consumer.wait_for(12, SOON);
    let record = records.iter().rev().find(|record| record["caller"]["number"] == "1001");
    let visit = &record.expect("his call is told")["queues"][0];
    assert_eq!(visit["waits_told"][0]["to_minutes"], 1, "{visit:#}");
    assert_eq!(visit["messages_told"][0]["prompt"], "message", "{visit:#}");
    assert_eq!(visit["positions_told"][0]["position"], 1, "{visit:#}");
}

/// The agent hears the name of the queue, while the caller hears music; then they talk.
#[test]
fn an_agent_hears_whose_call_it_is() {
    let node = site("music = \"hold\"\nagent_announce = { prompt = \"message\" }\n");
    let mut caller = phone(&node, 1001, "udp", CALLER);
    caller.dial(&format!("sip:600@{}", node.sip()));
    caller.wait_for("CALL_ESTABLISHED", SOON);
    let mut agent = phone(&node, 1002, "udp", AGENT);
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(4));
    caller.hang_up();
    agent.wait_for("CALL_CLOSED", SOON);

    let heard = agent.heard();
    assert_heard(&heard, 0, MESSAGE, 0.8, "the agent hears whose call it is");
    assert_heard(&heard, 0, CALLER, 1.5, "then the caller");
    let heard = caller.heard();
    assert_heard(&heard, 0, MUSIC, 0.8, "the caller hears music");
    assert_heard(&heard, 0, AGENT, 1.5, "then the agent");
    let message = heard.seconds_of(0, MESSAGE);
    assert!(message < 0.1, "but not what the agent was told: {message} s");
}

/// An agent puts the caller on hold and forgets him: the log says who, and the records' stream too.
#[test]
fn who_is_forgotten_on_hold_is_told() {
    let node = site("alarms = { longest_hold = \"2s\" }\n");
    let mut agent = phone(&node, 1002, "udp", AGENT);
    let mut caller = phone(&node, 1001, "udp", CALLER);
    caller.dial(&format!("sip:600@{}", node.sip()));
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    agent.hold();
    wait::until("the alarm is raised", SOON, || {
        let log = node.log();
        let names_him = log.lines().any(|line| {
            line.contains("a caller is on hold for too long") && line.contains("a1002")
        });
        (names_him && log.contains("LongestHold")).then_some(())
    });
    let call = node.json(&["calls"])[0]["call_id"].as_str().expect("it has a name").to_owned();
    let story = node.succeeds(&["explain", &call]);
    assert!(story.contains("agent a1002 holds him for too long"), "{story}");
    agent.resume();
    wait::until("the alarm is taken back", SOON, || {
        node.log().contains("as it should be again").then_some(())
    });
    caller.hang_up();
    agent.wait_for("CALL_CLOSED", SOON);
}

fn site(queue: &str) -> Daemon {
    let toml = format!(
        "{}\n{}\n[queues.support]\nnumber = \"600\"\nmembers = [\"a1002\", \"a1003\"]\n\
         {queue}",
        extensions(1001..=1004),
        agents(1002..=1003),
    );
    let mut node = Daemon::prepare(&toml);
    for (name, hertz) in
        [("position", PLACE), ("wait-moment", WAIT), ("message", MESSAGE), ("hold", MUSIC)]
    {
        node.prompt(name, hertz, 1);
    }
    node.start_again();
    node
}
