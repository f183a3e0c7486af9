//! TLS and WebSocket: baresip over TLS, a phone over ws and wss; a certificate renewed under them.

use std::time::Duration;

use crate::site::assert_heard;
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::wait::pause;
use crate::support::websocket::WebsocketPhone;

/// baresip registers over TLS and is called over the connection that it opened.
#[test]
fn two_phones_talk_over_tls() {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let mut caller = phone(&node, 1001, "tls", 440.0);
    let mut callee = phone(&node, 1002, "tls", 1000.0);
    let phones = node.json(&["phones"]);
    let over_tls = phones.iter().filter(|phone| phone.to_string().contains("tls://")).count();
    assert_eq!(over_tls, 2, "{phones:?}");

    caller.dial(&format!("sip:1002@{};transport=tls", node.place.at(5061)));
    callee.wait_for("CALL_INCOMING", SOON);
    caller.wait_for("CALL_RINGING", SOON);
    callee.answer();
    caller.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(3));
    callee.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);

    assert_heard(&caller.heard(), 0, 1000.0, 1.5, "the caller hears the callee");
    assert_heard(&callee.heard(), 0, 440.0, 1.5, "the callee hears the caller");
    caller.quit();
    callee.quit();
    node.falls_silent(Duration::from_secs(60));
}

/// RFC 7118, RFC 5626: calls come over the flow that the phone opened, also after the certificate
/// was renewed; the phone's end is the end of its registration.
#[test]
fn a_websocket_phone_is_called_over_its_flow() {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let mut caller = phone(&node, 1001, "udp", 440.0);
    let urls = [("ws", 5080), ("wss", 5443)];
    for (scheme, port) in urls {
        let url = format!("{scheme}://{}/sip", node.place.at(port));
        let (ip, ca) = (node.place.ip, node.authority().ca());
        let mut browser = WebsocketPhone::start(&url, "1002", &password(1002), ip, &ca);

        for renewed in [false, true] {
            if renewed {
                node.authority().sign(ip);
                node.succeeds(&["reload"]);
            }
            caller.dial(&format!("sip:1002@{}", node.sip()));
            let refused = browser.wait_for("refused");
            assert!(refused["line"].as_str().is_some_and(|ack| ack.contains(".invalid")));
            caller.wait_for("CALL_CLOSED", SOON);
        }
        drop(browser);
        crate::support::wait::until("its registration ends with it", SOON, || {
            (node.status("registrations") == 1).then_some(())
        });
    }
    caller.quit();
    node.falls_silent(Duration::from_secs(60));
}

fn phone(node: &Daemon, user: u32, transport: &'static str, tone: f64) -> Baresip {
    let registrar = if transport == "tls" { node.place.at(5061) } else { node.sip() };
    let account = Account::new(&user.to_string(), &password(user), Some(registrar));
    Baresip::start(&Account { transport, tone, ..account })
}
