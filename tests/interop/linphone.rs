//! Linphone over UDP, TCP and TLS: registers, calls baresip and is called by it, holds.

use std::time::Duration;

use crate::site::{assert_heard, moment_us, number, phone};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::linphone::Linphone;
use crate::support::records::Consumer;
use crate::support::wait::{self, pause};

#[test]
fn linphone_calls_and_is_called_over_udp() {
    linphone_calls_and_is_called("udp");
}

#[test]
fn linphone_calls_and_is_called_over_tcp() {
    linphone_calls_and_is_called("tcp");
}

#[test]
fn linphone_calls_and_is_called_over_tls() {
    linphone_calls_and_is_called("tls");
}

/// It holds the first call and ends it; the other side begins and ends the second.
fn linphone_calls_and_is_called(transport: &'static str) {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut linphone = Linphone::start(&node, 1001, transport, 440.0);
    let mut other = phone(&node, 1002, "udp", 1000.0);
    let phones = node.json(&["phones"]);
    let scheme = format!("{transport}://");
    assert!(phones.iter().any(|phone| phone.to_string().contains(&scheme)), "{phones:?}");

    linphone.dial(&number(&node, 1002, transport));
    other.wait_for("CALL_INCOMING", SOON);
    linphone.wait_for("ringing", SOON);
    other.answer();
    linphone.wait_for("Media streams established", SOON);
    other.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    linphone.hold(1);
    pause(Duration::from_secs(1));
    linphone.resume(1);
    pause(Duration::from_secs(1));
    linphone.hang_up();
    other.wait_for("CALL_CLOSED", SOON);
    assert_heard(&other.heard(), 0, 440.0, 1.5, "the called one hears Linphone");

    other.dial(&number(&node, 1001, "udp"));
    linphone.wait_for("Receiving new incoming call", SOON);
    linphone.answer();
    linphone.wait_for("Media streams established", SOON);
    other.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    other.hang_up();
    linphone.wait_for("ended", SOON);
    assert_heard(&other.heard(), 0, 440.0, 1.0, "the caller hears Linphone");

    let records = consumer.wait_for(2, SOON);
    let parties = |record: &serde_json::Value| {
        (record["caller"]["extension"].clone(), record["end"]["by"].clone())
    };
    let first = parties(&records[0]);
    assert_eq!(first, ("1001".into(), "HUNG_UP_BY_CALLER".into()), "{:#}", records[0]);
    let second = parties(&records[1]);
    assert_eq!(second, ("1002".into(), "HUNG_UP_BY_CALLER".into()), "{:#}", records[1]);
    let holds = records[0]["holds"].as_array().cloned().unwrap_or_default();
    assert_eq!(holds.len(), 1, "{:#}", records[0]);
    let held = moment_us(&holds[0], "end_time") - moment_us(&holds[0], "start_time");
    assert!((800_000..3_000_000).contains(&held), "held for {held} µs");
    assert_heard(&linphone.quit(), 0, 1000.0, 3.0, "Linphone hears the other in both calls");
    wait::until("its registration ends with it", SOON, || {
        (node.status("registrations") == 1).then_some(())
    });
    other.quit();
}
