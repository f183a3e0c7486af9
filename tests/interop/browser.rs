//! JsSIP, the SIP stack of browser phones, over ws and wss: all but its audio, which needs WebRTC.

use crate::site::phone;
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::jssip;
use crate::support::wait;

#[test]
fn jssip_is_served_over_ws() {
    jssip_is_served("ws", 5080);
}

#[test]
fn jssip_is_served_over_wss() {
    jssip_is_served("wss", 5443);
}

/// It registers and is told its flow and its GRUU; refreshes; asks with OPTIONS, MESSAGE and
/// SUBSCRIBE; refuses a call; its end is the end of its registration.
fn jssip_is_served(scheme: &str, port: u16) {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let mut colleague = phone(&node, 1001, "udp", 440.0);
    let url = format!("{scheme}://{}/sip", node.place.at(port));
    let account = ("1002", &*password(1002));
    let (ip, ca) = (node.place.ip, node.authority().ca());
    let mut browser = jssip::start(&url, account, "1001", ip, &ca);

    let registered = browser.wait_for("registered");
    let contact = registered["contact"].as_str().unwrap_or_default().to_owned();
    for part in ["expires=8", "pub-gruu=", "temp-gruu=", "+sip.instance="] {
        assert!(contact.contains(part), "no {part} in {registered}");
    }
    assert_eq!(browser.wait_for("options")["status"], 200);
    let mut events = browser.events();
    wait::until("all it asks is answered", SOON, || {
        events = browser.events();
        let told = |kind: &str| events.iter().any(|event| event["event"] == kind);
        (told("message") && told("notify")).then_some(())
    });
    let told = |kind: &str| events.iter().find(|event| event["event"] == kind);
    // Nobody takes messages here: it is told so, and what is allowed.
    assert_eq!(told("message").expect("it was answered")["status"], 405);
    let lamp = told("notify").expect("it was told")["body"].as_str().unwrap_or_default();
    assert!(lamp.contains("dialog-info") && lamp.contains("1001"), "{lamp}");

    // The refresh comes over the same flow: there is one phone, and it stays.
    browser.wait_for("kept");
    let phones = node.json(&["phones"]);
    let of_browser = phones.iter().find(|phone| phone["extension"] == "1002");
    let contacts = of_browser.and_then(|phone| phone["contacts"].as_array());
    assert_eq!(contacts.map(Vec::len), Some(1), "{phones:#?}");
    assert_eq!(node.status("registrations"), 2);

    // It cannot talk without WebRTC, and says so: 488.
    colleague.dial(&format!("sip:1002@{}", node.sip()));
    let closed = colleague.wait_for("CALL_CLOSED", SOON);
    assert!(closed.param.contains("488"), "{closed:?}");
    drop(browser);
    wait::until("its registration ends with it", SOON, || {
        (node.status("registrations") == 1).then_some(())
    });
    colleague.quit();
}

/// A wrong password is refused, and nothing is registered.
#[test]
fn jssip_with_a_wrong_password_is_refused() {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    for (scheme, port) in [("ws", 5080), ("wss", 5443)] {
        let url = format!("{scheme}://{}/sip", node.place.at(port));
        let (ip, ca) = (node.place.ip, node.authority().ca());
        let mut browser = jssip::start(&url, ("1002", "wrong"), "1001", ip, &ca);

        let refused = browser.wait_for("refused");
        assert!([401, 403].map(Some).contains(&refused["status"].as_u64()), "{refused}");
        assert_eq!(node.status("registrations"), 0);
    }
}
