//! Phones that send calls on and take them over: SIPp with REFER, Replaces and 302.

use serde_json::Value;

use crate::site::{LIMIT, call_line, callee, caller, dialog_of, register};
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;

/// Blind: REFER, NOTIFY at each step (RFC 3515 §2.4.5), and the two who are left talk on.
#[test]
fn a_caller_sends_the_called_one_on() {
    let node = Daemon::start(&extensions([1001, 1002, 1003]));
    let mut consumer = subscribed(&node);
    let sent_on = callee(&node, "callee", 1002, 1, 100);
    let target = callee(&node, "callee_hangs_up", 1003, 1, 1000);

    let who = format!("{};1003", call_line(1001, "1002"));
    caller(&node, "caller_refers", 1001, "1002", 1, 500).users(&[who]).succeeds(LIMIT);

    target.succeeds();
    sent_on.succeeds();
    let record = consumer.wait_for(1, LIMIT).remove(0);
    assert_eq!(transfer(&record), ("1001", "1003", "TRANSFER_OUTCOME_COMPLETED"), "{record:#}");
}

/// Attended: REFER in one dialog names the other, escaped (RFC 3891, RFC 5589 §7.1).
#[test]
fn a_called_one_joins_its_caller_and_a_third() {
    let node = Daemon::start(&extensions([1001, 1002, 1003]));
    let mut consumer = subscribed(&node);
    let phone = Place::new();
    register(&node, &phone, [1002]);
    let between = Scenario::new("callee_consults", &phone, 5060, node.sip())
        .users(&[call_line(1002, "1003")])
        .dials("1003", node.sip())
        .calls(1, 1)
        .option(&["-d", "500"])
        .keep(phone)
        .start(LIMIT);
    let third = callee(&node, "callee_hangs_up", 1003, 1, 2500);

    caller(&node, "caller_waits", 1001, "1002", 1, 0).succeeds(LIMIT);

    between.succeeds();
    third.succeeds();
    let records = consumer.wait_for(2, LIMIT);
    let joined = records.iter().filter(|record| record["joins"].is_array()).count();
    assert_eq!(joined, 2, "{records:#?}");
    let transfers: Vec<_> = records.iter().filter(|it| it["transfers"].is_array()).collect();
    assert_eq!(transfers.len(), 1, "{records:#?}");
    assert_eq!(transfer(transfers[0]).2, "TRANSFER_OUTCOME_COMPLETED");
}

/// A second phone of the account takes the conversation over; the first is hung up on.
#[test]
fn another_phone_of_the_account_takes_over() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let first = callee(&node, "callee", 1002, 1, 100);
    let caller = caller(&node, "caller_waits", 1001, "1002", 1, 0).start(LIMIT);
    let dialog = dialog_of(&first);
    let phone = Place::new();

    Scenario::new("caller_replaces", &phone, 5060, node.sip())
        .users(&[format!("{};{dialog}", call_line(1002, "1001"))])
        .dials("1001", node.sip())
        .calls(1, 1)
        .option(&["-d", "500"])
        .succeeds(LIMIT);

    first.succeeds();
    caller.succeeds();
}

/// RFC 3261 §21.3.3: the caller talks with the number that the phone names.
#[test]
fn a_302_is_followed() {
    let node = Daemon::start(&extensions([1001, 1002, 1003]));
    let mut consumer = subscribed(&node);
    let phone = Place::new();
    register(&node, &phone, [1002]);
    let away = Scenario::new("callee_redirects", &phone, 5060, node.sip())
        .calls(1, 1)
        .option(&["-key", "moved", "1003"])
        .keep(phone)
        .start(LIMIT);
    let target = callee(&node, "callee", 1003, 1, 100);

    caller(&node, "caller", 1001, "1002", 1, 300).succeeds(LIMIT);

    away.succeeds();
    let invite = target.succeeds();
    assert!(invite.messages.contains("reason=deflection"), "{}", invite.messages);
    let record = consumer.wait_for(1, LIMIT).remove(0);
    assert_eq!(record["forwards"].as_array().map(Vec::len), Some(1), "{record:#}");
}

fn subscribed(node: &Daemon) -> Consumer {
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(LIMIT);
    consumer
}

/// Who sent whom where, and how it ended, of a record's first transfer.
fn transfer(record: &Value) -> (&str, &str, &str) {
    let word = |key: &str| record["transfers"][0][key].as_str().unwrap_or_default();
    (word("extension"), word("to"), word("outcome"))
}
