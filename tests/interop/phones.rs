//! baresip over UDP, TCP and TLS: a call that is held, taken back, sent on, joined with another.
//!
//! baresip 1.0 knows no attended transfer of its own: a SIPp stands between two of them.

use std::time::Duration;

use crate::site::{LIMIT, assert_heard, call_line, connect, moment_us, number, phone, register};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;
use crate::support::wait::pause;

#[test]
fn a_call_is_held_and_sent_on_over_udp() {
    a_call_is_held_and_sent_on("udp");
}

#[test]
fn a_call_is_held_and_sent_on_over_tcp() {
    a_call_is_held_and_sent_on("tcp");
}

#[test]
fn a_call_is_held_and_sent_on_over_tls() {
    a_call_is_held_and_sent_on("tls");
}

#[test]
fn two_calls_are_joined_over_udp() {
    two_calls_are_joined("udp");
}

#[test]
fn two_calls_are_joined_over_tcp() {
    two_calls_are_joined("tcp");
}

#[test]
fn two_calls_are_joined_over_tls() {
    two_calls_are_joined("tls");
}

/// Hold and resume, then a blind transfer: REFER, NOTIFYs, and two who have not called each other
/// talk.
fn a_call_is_held_and_sent_on(transport: &'static str) {
    let node = Daemon::start_secure(&extensions([1001, 1002, 1003]));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut caller = phone(&node, 1001, transport, 440.0);
    let mut callee = phone(&node, 1002, transport, 1000.0);
    let mut third = phone(&node, 1003, transport, 700.0);
    let phones = node.json(&["phones"]);
    let scheme = format!("{transport}://");
    assert!(phones.iter().all(|phone| phone.to_string().contains(&scheme)), "{phones:?}");
    connect(&mut caller, &mut callee, &number(&node, 1002, transport));

    // The caller holds: baresip 1.0 resumes calls that it has made only.
    caller.hold();
    pause(Duration::from_secs(1));
    caller.resume();
    pause(Duration::from_secs(2));
    caller.transfer(&number(&node, 1003, transport));
    third.wait_for("CALL_INCOMING", SOON);
    third.answer();
    third.wait_for("CALL_ESTABLISHED", SOON);
    caller.wait_for("CALL_CLOSED", SOON);
    pause(Duration::from_secs(2));
    third.hang_up();
    callee.wait_for("CALL_CLOSED", SOON);

    let heard = callee.heard();
    assert_heard(&heard, 0, 440.0, 0.7, "the callee hears the caller after the hold");
    assert_heard(&heard, 0, 700.0, 1.0, "and then the third");
    assert_heard(&third.heard(), 0, 1000.0, 1.0, "the third hears the callee");
    let record = consumer.wait_for(1, SOON).remove(0);
    let holds = record["holds"].as_array().cloned().unwrap_or_default();
    assert_eq!(holds.len(), 1, "{record:#}");
    let held = moment_us(&holds[0], "end_time") - moment_us(&holds[0], "start_time");
    assert!((800_000..3_000_000).contains(&held), "held for {held} µs");
    assert_eq!(record["transfers"][0]["outcome"], "TRANSFER_OUTCOME_COMPLETED", "{record:#}");
    for phone in [caller, callee, third] {
        phone.quit();
    }
}

/// Attended transfer: the one between leaves, and the two hear each other.
fn two_calls_are_joined(transport: &'static str) {
    let node = Daemon::start_secure(&extensions([1001, 1002, 1003]));
    let place = Place::new();
    register(&node, &place, [1002]);
    let between = Scenario::new("callee_consults", &place, 5060, node.sip())
        .users(&[call_line(1002, "1003")])
        .dials("1003", node.sip())
        .calls(1, 1)
        .option(&["-d", "300"])
        .keep(place)
        .start(LIMIT);
    let mut caller = phone(&node, 1001, transport, 440.0);
    let mut third = phone(&node, 1003, transport, 700.0);

    caller.dial(&number(&node, 1002, transport));
    third.wait_for("CALL_INCOMING", SOON);
    third.answer();
    between.succeeds();
    pause(Duration::from_secs(2));
    third.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);

    assert_heard(&caller.heard(), 0, 700.0, 1.0, "the caller hears the third");
    assert_heard(&third.heard(), 0, 440.0, 1.0, "the third hears the caller");
    caller.quit();
    third.quit();
}
