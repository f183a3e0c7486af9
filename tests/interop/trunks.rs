//! Kamailio as a provider: registered with, called out over, called in from; and one that fails.

use std::time::Duration;

use serde_json::Value;

use crate::site::{LIMIT, callee, caller};
use crate::support::authority::Authority;
use crate::support::daemon::{Daemon, extensions};
use crate::support::kamailio::Kamailio;
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;
use crate::support::wait;

/// REGISTER and INVITE are challenged; calls go both ways through the proxy, which stays in them.
#[test]
fn calls_go_out_and_come_in_over_kamailio() {
    let outside = Place::new();
    let provider = Kamailio::start(&outside);
    let node = Daemon::start(&site(&provider.place, &format!("register = true\n{ACCOUNT}")));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(LIMIT);
    let trunk = registered(&node);
    assert_eq!(trunk["state"], "TRUNK_STATE_UP", "{trunk:#}");
    wait::until("the probe is answered", LIMIT, || {
        registered(&node)["servers"][0]["latency"].as_str().map(str::to_owned)
    });

    let answers = Scenario::new("callee", &outside, 5060, provider.place.at(5060))
        .calls(3, 10)
        .option(&["-d", "200"])
        .start(LIMIT);
    caller(&node, "caller", 1001, "02112345678", 3, 500).succeeds(LIMIT);
    answers.succeeds();
    for record in consumer.wait_for(3, LIMIT) {
        assert_eq!(record["direction"], "DIRECTION_OUTBOUND", "{record:#}");
        assert_eq!(record["trunk"], "itsp");
        assert_eq!(record["attempts"][0]["outcome"], "OFFER_OUTCOME_ANSWERED");
    }

    let phone = callee(&node, "callee", 1002, 3, 200);
    Scenario::new("outsider", &outside, 5060, provider.place.at(5060))
        .users(&["013800138000;;4008001234".to_owned()])
        .calls(3, 10)
        .option(&["-d", "500"])
        .succeeds(LIMIT);
    phone.succeeds();
    let records = consumer.wait_for(6, LIMIT);
    for record in &records[3..] {
        assert_eq!(record["direction"], "DIRECTION_INBOUND", "{record:#}");
        assert_eq!(record["did"], "4008001234");
        assert_eq!(record["caller"]["e164"], "+8613800138000");
    }
    assert_eq!(registered(&node)["calls"].as_u64().unwrap_or(0), 0);
}

/// A trunk over TLS whose server shows a certificate that we verify: registered, called, calling.
#[test]
fn calls_go_out_and_come_in_over_tls() {
    let (outside, place) = (Place::new(), Place::new());
    let more = format!("targets = [\"tls://{}:5061\"]\nregister = true\n{ACCOUNT}", place.ip);
    let node = Daemon::start_secure(&site(&place, &more));
    // Until it is there the registration fails, and is tried again after 5 s.
    let provider = Kamailio::start_secure(place, &outside, node.authority());
    let trunk = registered(&node);
    assert!(trunk.to_string().contains("tls"), "{trunk:#}");

    let answers = Scenario::new("callee", &outside, 5060, provider.place.at(5060))
        .calls(1, 10)
        .option(&["-d", "200"])
        .start(LIMIT);
    caller(&node, "caller", 1001, "02112345678", 1, 500).succeeds(LIMIT);
    let invite = answers.succeeds().messages;
    assert!(invite.contains("SIP/2.0/TLS"), "the provider got it over TLS: {invite}");

    let phone = callee(&node, "callee", 1002, 1, 200);
    Scenario::new("outsider", &outside, 5060, provider.place.at(5060))
        .users(&["013800138000;;4008001234".to_owned()])
        .calls(1, 10)
        .option(&["-d", "500"])
        .succeeds(LIMIT);
    phone.succeeds();
}

/// A server whose certificate is signed by a stranger, or is for another name: it gets no call, the
/// reason is told, and the next server has the call.
#[test]
fn a_server_that_cannot_be_verified_gets_nothing() {
    let elsewhere = tempfile::tempdir().expect("a scratch folder can be made");
    let stranger = Authority::named(elsewhere.path(), "a stranger");
    for is_signed in [false, true] {
        let (outside, nowhere, other) = (Place::new(), Place::new(), Place::new());
        let (wrong, right) = (Place::new(), Place::new());
        let more = format!(
            "targets = [\"tls://{}:5061\", \"tls://{}:5061\"]\nqualify_every = \"0s\"\n{ACCOUNT}",
            wrong.ip, right.ip
        );
        let node = Daemon::start_secure(&site(&right, &more));
        let mut consumer = Consumer::start(node.grpc(), "billing");
        consumer.subscribed(LIMIT);
        let (signer, name) =
            if is_signed { (node.authority(), other.ip) } else { (&stranger, wrong.ip) };
        let wrong = Kamailio::start_under_a_name(wrong, &nowhere, signer, name);
        let right = Kamailio::start_secure(right, &outside, node.authority());
        let answers = Scenario::new("callee", &outside, 5060, right.place.at(5060))
            .calls(1, 10)
            .option(&["-d", "200"])
            .start(LIMIT);

        caller(&node, "caller", 1001, "02112345678", 1, 500).succeeds(LIMIT);

        let invite = answers.succeeds().messages;
        assert!(invite.contains(&right.place.ip.to_string()), "{invite}");
        assert!(!invite.contains(&wrong.place.ip.to_string()), "{invite}");
        let trunk = node.json(&["trunks"]).remove(0);
        let servers = trunk["servers"].as_array().cloned().unwrap_or_default();
        assert_eq!(servers[0]["resting_why"], "certificate", "{trunk:#}");
        assert!(servers[0]["resting_until"].is_string(), "{trunk:#}");
        assert!(servers[1]["resting_why"].is_null(), "{trunk:#}");
        assert!(node.succeeds(&["trunks"]).contains("certificate"), "people see it too");
        let log = node.log();
        let told = log.lines().find(|line| line.contains("no TLS with a server"));
        let told = told.unwrap_or_else(|| panic!("the log does not tell: {log}"));
        assert!(
            told.contains(if is_signed { "not valid for name" } else { "UnknownIssuer" }),
            "{told}"
        );
        let record = consumer.wait_for(1, LIMIT).remove(0);
        let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
        assert_eq!(attempts.len(), 2, "{record:#}");
        assert_eq!(attempts[0]["outcome"], "OFFER_OUTCOME_UNREACHABLE", "{record:#}");
        assert_eq!(attempts[1]["outcome"], "OFFER_OUTCOME_ANSWERED", "{record:#}");
    }
}

/// The first server says 503; the call reaches the second, which asks for a password.
#[test]
fn a_server_that_fails_is_passed_by() {
    let (outside, broken) = (Place::new(), Place::new());
    let provider = Kamailio::start(&outside);
    let more = format!(
        "targets = [\"{}\", \"{}\"]\nqualify_every = \"0s\"\n{ACCOUNT}",
        broken.ip, provider.place.ip
    );
    let node = Daemon::start(&site(&provider.place, &more));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(LIMIT);
    let fails = Scenario::new("server_fails", &broken, 5060, node.sip()).calls(1, 10).start(LIMIT);
    let answers = Scenario::new("callee", &outside, 5060, provider.place.at(5060))
        .calls(1, 10)
        .option(&["-d", "200"])
        .start(LIMIT);

    caller(&node, "caller", 1001, "02112345678", 1, 500).succeeds(LIMIT);

    fails.succeeds();
    answers.succeeds();
    let record = consumer.wait_for(1, LIMIT).remove(0);
    let statuses: Vec<_> =
        record["attempts"].as_array().into_iter().flatten().map(|it| &it["sip_status"]).collect();
    assert_eq!(statuses, [503, 200], "{record:#}");
}

/// RFC 3261 §13.2.2.4: two phones behind a provider's proxy ring and answer; one hears a BYE.
#[test]
fn of_two_answers_of_a_provider_one_is_kept() {
    let provider = Place::new();
    let node = Daemon::start(&site(&provider, "qualify_every = \"0s\""));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(LIMIT);
    let forks = Scenario::new("callee_forks", &provider, 5060, node.sip()).calls(1, 1).start(LIMIT);

    caller(&node, "caller", 1001, "02112345678", 1, 1500).succeeds(LIMIT);

    forks.succeeds();
    let record = consumer.wait_for(1, LIMIT).remove(0);
    assert_eq!(record["talks"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert_eq!(record["attempts"][0]["outcome"], "OFFER_OUTCOME_ANSWERED");
}

/// The trunk as `strowger trunks` shows it, once it is up.
fn registered(node: &Daemon) -> Value {
    wait::until("the trunk is up", Duration::from_secs(20), || {
        let trunk = node.json(&["trunks"]).into_iter().next()?;
        (trunk["state"] == "TRUNK_STATE_UP").then_some(trunk)
    })
}

fn site(provider: &Place, more: &str) -> String {
    format!(
        r#"{}
        [[routes]]
        trunk = "itsp"
        to = "4008001234"
        target = "extension:1002"
        [[routes]]
        to = "0*"
        target = "trunk:itsp"
        [trunks.itsp]
        host = "{}"
        numbers = {{ country = "86", national = "0" }}
        {more}
        "#,
        extensions([1001, 1002]),
        provider.ip
    )
}

const ACCOUNT: &str = "username = \"acct\"\npassword = \"secret\"";
