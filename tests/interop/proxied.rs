//! Phones behind a proxy: Kamailio stands between baresip and us, and writes itself into Path.

use std::time::Duration;

use crate::site::{account, assert_heard, connect, number, phone};
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, extensions};
use crate::support::kamailio::Kamailio;
use crate::support::wait::{self, pause};

#[test]
fn a_phone_behind_a_proxy_is_called_and_calls_over_udp() {
    a_phone_behind_a_proxy_is_called_and_calls("udp");
}

#[test]
fn a_phone_behind_a_proxy_is_called_and_calls_over_tcp() {
    a_phone_behind_a_proxy_is_called_and_calls("tcp");
}

/// RFC 3327: registered, called, refreshed, calling, gone: not a message passes the proxy by.
fn a_phone_behind_a_proxy_is_called_and_calls(transport: &'static str) {
    let node = Daemon::start(&extensions([1001, 1002]));
    let proxy = Kamailio::start_at_the_edge(&node.place);
    let edge = Some(proxy.place.at(5060));
    let mut behind = Baresip::start(&Account {
        proxy: edge,
        expires: 10,
        tone: 1000.0,
        ..account(&node, 1002, transport)
    });
    let mut outside = phone(&node, 1001, "udp", 440.0);
    is_reached_by(&node, &proxy);

    connect(&mut outside, &mut behind, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(2));
    behind.hang_up();
    outside.wait_for("CALL_CLOSED", SOON);
    assert_heard(&outside.heard(), 0, 1000.0, 1.0, "the caller hears the phone behind");
    assert_heard(&behind.heard(), 0, 440.0, 1.0, "the phone behind hears the caller");

    behind.wait_for("REGISTER_OK", 2 * SOON);
    assert_eq!(node.status("registrations"), 2);
    is_reached_by(&node, &proxy);
    connect(&mut behind, &mut outside, &number(&node, 1001, transport));
    pause(Duration::from_secs(2));
    outside.hang_up();
    behind.wait_for("CALL_CLOSED", SOON);
    assert_heard(&outside.heard(), 0, 1000.0, 1.0, "the called one hears the phone behind");
    assert_heard(&behind.heard(), 0, 440.0, 1.0, "the phone behind hears the called one");

    let trace = behind.trace();
    let passes = format!("Record-Route: <sip:{}", proxy.place.ip);
    assert!(trace.contains(&passes), "{trace}");
    let direct = [format!("{} ->", node.sip()), format!("-> {}", node.sip())];
    assert!(direct.iter().all(|line| !trace.contains(line)), "{trace}");
    behind.quit();
    wait::until("its registration ends with it", SOON, || {
        (node.status("registrations") == 1).then_some(())
    });
    outside.quit();
}

/// The registrar knows one phone by way of the proxy.
fn is_reached_by(node: &Daemon, proxy: &Kamailio) {
    let phones = node.json(&["phones"]);
    let address = format!("//{}:5060", proxy.place.ip);
    let count = phones.iter().filter(|phone| phone.to_string().contains(&address)).count();
    assert_eq!(count, 1, "{phones:?}");
}
