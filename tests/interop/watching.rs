//! A wallboard, and why a call went as it did, by a gRPC client that knows the contract by
//! reflection alone.

use std::time::Duration;

use serde_json::Value;

use crate::site::{LIMIT, caller};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::records::Consumer;
use crate::support::wait;

/// A caller waits in vain: the wallboard shows him, then the figures; his story says why.
#[test]
fn a_wallboard_shows_what_happens_and_the_story_says_why() {
    let node = Daemon::start(&format!(
        "{}\n{}\n[queues.sales]\nnumber = \"600\"\nmembers = [\"a1002\"]\n\
         service_level = {{ within = \"1s\", short = \"10ms\" }}\n",
        extensions([1001, 1002]),
        agents([1002])
    ));
    let wallboard = Consumer::with(node.grpc(), &["--watch"]);
    let seen = |what: &str, is: &dyn Fn(&Value) -> bool| {
        let found = wait::within(SOON, || wallboard.deliveries().into_iter().find(|it| is(it)));
        found.unwrap_or_else(|| panic!("never seen: {what}\n{:#?}", wallboard.deliveries()))
    };
    seen("the snapshot", &|it| it.get("snapshot_done").is_some());
    let first = seen("the agent", &|it| it["agent"]["agent"] == "a1002");
    assert_eq!(first["agent"]["held_back"], "PASSED_WHY_LOGGED_OUT", "{first:#}");

    caller(&node, "caller", 1001, "600", 1, 1500).succeeds(LIMIT);

    seen("that he waits", &|it| it["queue"]["waiting"] == 1);
    let call = seen("his call", &|it| it["call"]["stage"] == "CALL_STAGE_IN_QUEUE");
    let id = call["call"]["call_id"].as_str().expect("a call has an id").to_owned();
    seen("its end", &|it| it["gone"]["name"] == id.as_str());
    let after = seen("the figures", &|it| it["queue"]["lately"]["abandoned"] == "1");
    let lately = &after["queue"]["lately"];
    assert_eq!(lately["offered"], "1", "{lately:#}");
    assert_eq!(lately["percent"]["offered"], 0.0, "{lately:#}");
    assert_eq!(lately["percent"]["abandonment"], 100.0, "{lately:#}");
    assert!(lately["percent"].get("answered").is_none(), "nobody was: {lately:#}");
    let metrics = node.http("/metrics").expect("metrics are served").1;
    let line = "strowger_queue_abandoned_today{queue=\"sales\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");

    let mut story = Consumer::with(node.grpc(), &["--facts", &id]);
    story.subscribed(SOON);
    let facts = wait::within(SOON, || {
        let facts = story.deliveries();
        facts.iter().any(|fact| fact.get("ended").is_some()).then_some(facts)
    });
    let facts = facts.expect("the story has an end");
    let decided = facts.iter().find_map(|fact| fact.get("decided")).expect("a decision is told");
    assert_eq!(decided["named"][0]["why"], "PASSED_WHY_LOGGED_OUT", "{decided:#}");
    let told = node.succeeds(&["explain", &id]);
    assert!(told.contains("nobody of queue sales can be rung"), "{told}");
    assert!(told.contains("not    a1002: logged out"), "{told}");
    assert!(told.contains("leaves queue sales: abandoned"), "{told}");
    let mut unknown = Consumer::with(node.grpc(), &["--facts", "ffffffffffffffff"]);
    unknown.subscribed(SOON);
    assert_eq!(unknown.deliveries()[0]["error"], "NOT_FOUND");
    node.falls_silent(Duration::from_secs(60));
}
