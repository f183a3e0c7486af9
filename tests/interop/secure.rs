//! A phone over ws and wss; a certificate renewed under it.

use std::time::Duration;

use crate::site::phone;
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::websocket::WebsocketPhone;

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
