//! Calls between two phones.

use std::time::Duration;

use crate::site::{
    LIMIT, assert_heard, call_line, callee, caller, connect, moment_us, number, phone,
};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::{Report, Scenario};
use crate::support::wait::pause;

#[test]
fn two_phones_talk_over_udp_and_tcp() {
    let node = Daemon::start(&extensions([1001, 1002]));
    for (near, far) in [("udp", "tcp"), ("tcp", "udp")] {
        let mut caller = phone(&node, 1001, near, 440.0);
        let mut callee = phone(&node, 1002, far, 1000.0);

        connect(&mut caller, &mut callee, &number(&node, 1002, near));
        pause(Duration::from_secs(3));
        callee.hang_up();
        caller.wait_for("CALL_CLOSED", SOON);

        assert_heard(&caller.heard(), 0, 1000.0, 1.5, "the caller hears the callee");
        assert_heard(&callee.heard(), 0, 440.0, 1.5, "the callee hears the caller");
        caller.quit();
        callee.quit();
    }
}

#[test]
fn a_busy_phone_is_told_to_the_caller() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee_rejects", 1002, 1, 200);

    let report = caller(&node, "caller_refused", 1001, "1002", 1, 0).succeeds(LIMIT);

    callee.succeeds();
    assert!(report.messages.contains("SIP/2.0 486"), "{}", report.messages);
}

#[test]
fn a_number_that_does_not_exist_is_refused() {
    let node = Daemon::start(&extensions([1001]));

    let report = caller(&node, "caller_refused", 1001, "9999", 1, 0).succeeds(LIMIT);

    assert!(report.messages.contains("SIP/2.0 404"), "{}", report.messages);
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee_rings", 1002, 1, 0);
    let mut caller = phone(&node, 1001, "udp", 440.0);

    caller.dial(&format!("sip:1002@{}", node.sip()));
    caller.wait_for("CALL_RINGING", SOON);
    pause(Duration::from_millis(300));
    caller.hang_up();

    callee.succeeds();
}

/// All phones of an account ring; the first to answer has the call, and the others learn that it
/// was answered elsewhere (RFC 3326).
#[test]
fn the_other_phones_of_an_account_are_told_who_won() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let slow = callee(&node, "callee_rings", 1002, 1, 0);
    let fast = callee(&node, "callee", 1002, 1, 500);

    caller(&node, "caller", 1001, "1002", 1, 500).succeeds(LIMIT);

    fast.succeeds();
    let slow = slow.succeeds();
    let cancel = slow.trace().into_iter().find(|one| one.text.starts_with("CANCEL"));
    let cancel = cancel.expect("the slow phone was cancelled").text;
    assert!(cancel.contains("cause=200"), "{cancel}");
    assert!(cancel.contains("Call completed elsewhere"), "{cancel}");
}

/// RustPBX: "a fixed 100 ms between the callee's 200 and the caller's 200 when media is relayed".
/// And the record's times are those that the phones see, within 50 ms.
#[test]
fn an_answer_is_passed_on_at_once_and_recorded_at_its_time() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let callee = callee(&node, "callee", 1002, 5, 300);

    let near = caller(&node, "caller", 1001, "1002", 5, 1000).option(&["-l", "1"]).succeeds(LIMIT);

    let far = callee.succeeds();
    let records = consumer.wait_for(5, SOON);
    let sent = moments(&far, true, "SIP/2.0 200", "INVITE");
    let got = moments(&near, false, "SIP/2.0 200", "INVITE");
    let delays: Vec<i64> = sent.iter().zip(&got).map(|(sent, got)| got - sent).collect();
    assert_eq!(delays.len(), 5);
    let median = median(delays.clone());
    assert!(median < 50_000, "from the callee's 200 to the caller's: {delays:?} µs");

    let setups = moments(&near, true, "INVITE", "2 INVITE");
    let ends = moments(&near, true, "BYE", "BYE");
    for (traced, field) in [(setups, "setup_time"), (got, "answer_time"), (ends, "end_time")] {
        let offs = records.iter().zip(&traced);
        let offs = offs.map(|(record, traced)| (moment_us(record, field) - traced).abs()).collect();
        let off = self::median(offs);
        assert!(off < 50_000, "{field} is {off} µs off");
    }
}

/// The moments of the messages that begin so and have this in their CSeq, without copies.
fn moments(report: &Report, sent: bool, begins: &str, cseq: &str) -> Vec<i64> {
    let mut calls = Vec::new();
    let mut moments = Vec::new();
    for one in report.trace() {
        let line = |name: &str| {
            let line = one.text.lines().find(|line| line.starts_with(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let call = line("Call-ID:");
        let fits = one.sent == sent
            && one.text.starts_with(begins)
            && line("CSeq:").ends_with(cseq)
            && !calls.contains(&call);
        if fits {
            calls.push(call);
            moments.push(one.at_us);
        }
    }
    moments
}

fn median(mut numbers: Vec<i64>) -> i64 {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

/// A SIPp caller over TCP: one connection carries what both sides begin.
#[test]
fn sipp_calls_over_tcp() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee", 1002, 2, 100);
    let phone = Place::new();

    Scenario::new("caller", &phone, 5060, node.sip())
        .users(&[call_line(1001, "1002")])
        .dials("1002", node.sip())
        .calls(2, 2)
        .option(&["-d", "500", "-t", "t1"])
        .succeeds(LIMIT);

    callee.succeeds();
}
