//! Calls between phones whose audio is encrypted and those whose is not (RFC 4568).

use std::time::Duration;

use crate::site::{account, assert_heard, connect, number};
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, extensions};
use crate::support::records::Consumer;
use crate::support::wait::pause;

/// Each leg is encrypted by itself: a phone that must, one that can, one that cannot.
#[test]
fn encrypted_and_plain_phones_talk() {
    let calls = [
        // The caller's and the callee's transport and encryption, and whether their audio is.
        ("udp", "srtp-mand", true, "udp", "", false),
        ("tls", "srtp", true, "tls", "srtp", true),
        ("tcp", "", false, "tls", "srtp", true),
        ("tls", "srtp-mand", true, "udp", "", false),
    ];
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    for (count, (near, near_kind, near_is, far, far_kind, far_is)) in (1..).zip(calls) {
        talk(&node, (near, near_kind), (far, far_kind));

        let record = consumer.wait_for(count, SOON).pop().expect("a record");
        let is = |leg: usize| record["legs"][leg]["quality"]["encrypted"] == true;
        let what = format!("{near} {near_kind:?} calls {far} {far_kind:?}: {record:#}");
        assert_eq!((is(0), is(1)), (near_is, far_is), "{what}");
        for leg in [0, 1] {
            let quality = &record["legs"][leg]["quality"];
            assert_eq!(quality["forged"], serde_json::Value::Null, "{what}");
            assert_eq!(quality["receivedLost"], serde_json::Value::Null, "{what}");
        }
    }
}

/// A phone that must encrypt is called where its account says so.
#[test]
fn a_phone_that_must_encrypt_is_called() {
    let site = extensions([1001, 1002])
        .replace("[extensions.1002]", "[extensions.1002]\nsrtp = \"required\"");
    let node = Daemon::start_secure(&site);

    talk(&node, ("udp", ""), ("tls", "srtp-mand"));
}

/// Both hear each other for two seconds.
fn talk(node: &Daemon, near: (&'static str, &'static str), far: (&'static str, &'static str)) {
    let phone = |user, (transport, encryption), tone| {
        Baresip::start(&Account { tone, encryption, ..account(node, user, transport) })
    };
    let mut caller = phone(1001, near, 440.0);
    let mut callee = phone(1002, far, 1000.0);

    connect(&mut caller, &mut callee, &number(node, 1002, near.0));
    pause(Duration::from_secs(3));
    callee.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);

    assert_heard(&caller.heard(), 0, 1000.0, 1.5, &format!("{near:?} hears {far:?}"));
    assert_heard(&callee.heard(), 0, 440.0, 1.5, &format!("{far:?} hears {near:?}"));
    caller.quit();
    callee.quit();
}
