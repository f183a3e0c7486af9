//! Call park with real phones: baresip parks by transfer, SIPp by attended transfer; any phone
//! fetches; who parked is rung if nobody does; what is refused changes nothing.

use std::time::Duration;

use serde_json::Value;

use crate::site::{
    LIMIT, assert_heard, call_line, callee, caller, connect, dialog_of, number, phone, register,
};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;
use crate::support::wait::{self, pause};

/// What who waits hears.
const MUSIC: f64 = 523.0;

/// Transferred to `*70`, fetched with `*701` over another transport: one record tells all of it.
#[test]
fn a_call_is_parked_by_transfer_and_fetched() {
    let (node, mut consumer) = site("");
    let mut parker = phone(&node, 1001, "udp", 440.0);
    let mut guest = phone(&node, 1002, "udp", 1000.0);
    let mut third = phone(&node, 1003, "tcp", 700.0);
    connect(&mut parker, &mut guest, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(1));

    parker.transfer(&place(&node, "*70", "udp"));
    parker.wait_for("CALL_CLOSED", SOON);
    waits_at(&node, 1);
    pause(Duration::from_secs(2));
    third.dial(&place(&node, "*701", "tcp"));
    third.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    third.hang_up();
    guest.wait_for("CALL_CLOSED", SOON);

    let heard = guest.heard();
    assert_heard(&heard, 0, MUSIC, 1.0, "who is parked hears music");
    assert_heard(&heard, 0, 700.0, 1.0, "and then who fetched him");
    assert_heard(&third.heard(), 0, 1000.0, 1.0, "who fetched him hears him");
    let records = consumer.wait_for(2, SOON);
    let story = story(&records);
    assert_eq!(story["transfers"][0]["outcome"], "TRANSFER_OUTCOME_COMPLETED", "{story:#}");
    assert_eq!(parked(story), [("1001", 1, "PARK_LEFT_FETCHED")], "{story:#}");
    let talks: Vec<_> = story["talks"].as_array().into_iter().flatten().collect();
    assert_eq!(talks.len(), 2, "{story:#}");
    assert_eq!(talks[1]["extension"], "1003", "{story:#}");
    let joined = records.iter().filter(|it| it["end"]["reason"] == "joined").count();
    assert_eq!(joined, 1, "the call that fetched is the other record: {records:#?}");
    for phone in [parker, guest, third] {
        phone.quit();
    }
}

/// `*70` is called first, and the caller on hold is sent to the place that is kept (RFC 5589 §7).
#[test]
fn a_call_is_parked_after_its_place_was_asked_for() {
    let (node, mut consumer) = site("");
    let desk = Place::new();
    register(&node, &desk, [1002]);
    let parker = Scenario::new("callee_consults", &desk, 5060, node.sip())
        .users(&[call_line(1002, "*70")])
        .dials("*70", node.sip())
        .calls(1, 1)
        .option(&["-d", "300"])
        .keep(desk)
        .start(LIMIT);
    let mut guest = phone(&node, 1001, "udp", 440.0);
    let mut third = phone(&node, 1003, "udp", 700.0);

    guest.dial(&number(&node, 1002, "udp"));
    guest.wait_for("CALL_ESTABLISHED", SOON);
    parker.succeeds();
    waits_at(&node, 1);
    pause(Duration::from_secs(2));
    third.dial(&place(&node, "*701", "udp"));
    third.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    third.hang_up();
    guest.wait_for("CALL_CLOSED", SOON);

    let heard = guest.heard();
    assert_heard(&heard, 0, MUSIC, 1.0, "who is parked hears music");
    assert_heard(&heard, 0, 700.0, 1.0, "and then who fetched him");
    assert_heard(&third.heard(), 0, 440.0, 1.0, "who fetched him hears him");
    let records = consumer.wait_for(3, SOON);
    let story = story(&records);
    assert_eq!(parked(story).last(), Some(&("1002", 1, "PARK_LEFT_FETCHED")), "{story:#}");
    guest.quit();
    third.quit();
}

/// A lamp's key: another phone names the dialog of who is parked (RFC 3891), and talks with him.
#[test]
fn a_parked_call_is_fetched_by_its_dialog() {
    let (node, mut consumer) = site("");
    let mut parker = phone(&node, 1001, "udp", 440.0);
    let guest = callee(&node, "callee", 1002, 1, 100);
    parker.dial(&number(&node, 1002, "udp"));
    parker.wait_for("CALL_ESTABLISHED", SOON);
    let dialog = dialog_of(&guest);
    parker.transfer(&place(&node, "*702", "udp"));
    parker.wait_for("CALL_CLOSED", SOON);
    waits_at(&node, 2);
    let desk = Place::new();

    Scenario::new("caller_replaces", &desk, 5060, node.sip())
        .users(&[format!("{};{dialog}", call_line(1003, "*702"))])
        .dials("*702", node.sip())
        .calls(1, 1)
        .option(&["-d", "500"])
        .succeeds(LIMIT);

    guest.succeeds();
    let records = consumer.wait_for(2, SOON);
    let story = story(&records);
    assert_eq!(parked(story), [("1001", 2, "PARK_LEFT_FETCHED")], "{story:#}");
    assert_eq!(story["talks"][1]["extension"], "1003", "{story:#}");
    parker.quit();
}

/// Nobody fetches him: the phone that parked him is rung, and talks with him again.
#[test]
fn who_parked_has_him_back_in_time() {
    let (node, mut consumer) = site("[park]\ntimeout = \"10s\"\n");
    let mut parker = phone(&node, 1001, "udp", 440.0);
    let mut guest = phone(&node, 1002, "udp", 1000.0);
    connect(&mut parker, &mut guest, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(1));

    parker.transfer(&place(&node, "*703", "udp"));
    parker.wait_for("CALL_CLOSED", SOON);
    waits_at(&node, 3);
    parker.wait_for("CALL_INCOMING", LIMIT);
    parker.answer();
    parker.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    parker.hang_up();
    guest.wait_for("CALL_CLOSED", SOON);

    assert_heard(&parker.heard(), 0, 1000.0, 1.0, "who parked hears him again");
    let record = consumer.wait_for(1, SOON).remove(0);
    assert_eq!(parked(&record), [("1001", 3, "PARK_LEFT_TIMED_OUT")], "{record:#}");
    parker.quit();
    guest.quit();
}

/// A place that is taken, one that is none, and a REFER outside of any call (RFC 5359 §2.15): 486,
/// 404, 405. Who would have been parked talks on.
#[test]
fn a_refused_place_leaves_the_call_as_it_is() {
    let (node, mut consumer) = site("");
    let mut parker = phone(&node, 1001, "udp", 440.0);
    let mut guest = phone(&node, 1002, "udp", 1000.0);
    connect(&mut parker, &mut guest, &number(&node, 1002, "udp"));
    parker.transfer(&place(&node, "*701", "udp"));
    parker.wait_for("CALL_CLOSED", SOON);
    waits_at(&node, 1);

    let callee = callee(&node, "callee", 1003, 2, 100);
    for (to, status) in [("*701", "SIP/2.0 486"), ("*7001", "SIP/2.0 404")] {
        let asks = format!("{};{to}", call_line(1004, "1003"));
        let refused = caller(&node, "caller_refers_in_vain", 1004, "1003", 1, 300).users(&[asks]);
        let refused = refused.succeeds(LIMIT);
        assert!(refused.messages.contains(status), "{to}: {}", refused.messages);
    }
    callee.succeeds();
    let stranger = Place::new();
    Scenario::new("refers_outside", &stranger, 5060, node.sip())
        .users(&["1004;*701".to_owned()])
        .calls(1, 1)
        .succeeds(LIMIT);

    waits_at(&node, 1);
    guest.hang_up();
    let records = consumer.wait_for(3, SOON);
    let kept: Vec<_> = records.iter().filter(|it| it["caller"]["number"] == "1004").collect();
    assert_eq!(kept.len(), 2, "{records:#?}");
    for record in kept {
        assert!(record["transfers"].is_null() && record["parks"].is_null(), "{record:#}");
    }
    parker.quit();
    guest.quit();
}

/// Four phones, and a tone for music.
fn site(more: &str) -> (Daemon, Consumer) {
    let mut node = Daemon::prepare(&format!("{}{more}", extensions(1001..1005)));
    node.prompt("hold", MUSIC, 5);
    node.start_again();
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    (node, consumer)
}

fn place(node: &Daemon, number: &str, transport: &str) -> String {
    format!("sip:{number}@{};transport={transport}", node.sip())
}

/// Until somebody waits at this place, as `strowger calls` tells.
fn waits_at(node: &Daemon, slot: u64) {
    wait::until("somebody is parked there", SOON, || {
        node.json(&["calls"]).iter().find(|call| call["park_slot"] == slot).map(|_| ())
    });
}

/// The record of the call that was parked.
fn story(records: &[Value]) -> &Value {
    let story = records.iter().find(|record| record["transfers"].is_array());
    story.unwrap_or_else(|| panic!("nobody was sent on: {records:#?}"))
}

/// Who parked somebody, where, and how that ended.
fn parked(record: &Value) -> Vec<(&str, u64, &str)> {
    let parks = record["parks"].as_array().into_iter().flatten();
    let told = parks.map(|park| {
        let word = |key: &str| park[key].as_str().unwrap_or_default();
        (word("extension"), park["slot"].as_u64().unwrap_or_default(), word("why"))
    });
    told.collect()
}
