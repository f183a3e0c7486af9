//! Registrations through proxies, and over flows that phones keep open.

use super::tests::{Site, TCP};
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::Name;
use crate::time::{Duration, Instant};

/// RFC 3327 §5.3.
#[test]
fn a_phone_behind_proxies_is_reached_through_them() {
    let mut site = Site::new();
    site.sent_by = "192.0.2.9";
    let (edge, inner) = ("<sip:edge@192.0.2.50:5070;lr>", "<sip:inner.example;lr>");

    let ok = site.registers(&format!("Contact: <sip:a@10.0.0.9>\r\nPath: {edge}, {inner}"));

    assert_eq!(ok.status(), 200);
    assert!(ok.values(Name::Path).eq([edge, inner]));
    assert!(ok.values(Name::Supported).eq(["path", "outbound", "gruu"]));
    let target = &site.registrar.targets(&site.extension)[0];
    assert_eq!(target.route, [edge, inner]);
    assert_eq!(target.flow().remote, "192.0.2.50:5070".parse().unwrap());
}

#[test]
fn a_way_that_cannot_be_kept_is_refused() {
    let mut site = Site::new();
    let many = ["<sip:p;lr>"; 9].join(", ");
    for path in ["tel:+1", "<sip:>", &many] {
        assert_eq!(site.registers(&format!("Contact: <sip:a@h>\r\nPath: {path}")).status(), 400);
    }
    let refused = site.registers("Contact: <sip:a@h>\r\nRequire: path, pigeons");
    assert_eq!((refused.status(), refused.header(Name::Unsupported)), (420, Some("pigeons")));
    assert!(site.targets().is_empty());
}

/// RFC 5626 §5.3: one phone with two flows rings once, by the flow registered last.
#[test]
fn of_a_phones_flows_the_latest_is_used_and_its_end_leaves_the_other() {
    let mut site = Site::new();
    let second = Flow { connection: ConnectionId(8), ..TCP };
    for (number, flow) in [(1, TCP), (2, second)] {
        site.flow = flow;
        let ok = site.registers(&outbound(number));
        assert_eq!(ok.header(Name::Require), Some("outbound"));
        assert_eq!(ok.header_named("Flow-Timer"), Some("120"));
        site.now = Instant::START + Duration::from_secs(number);
    }

    let over = |site: &Site| site.registrar.targets(&site.extension)[0].flow();
    assert_eq!(site.registrar.all(&site.extension).len(), 2);
    assert_eq!(site.targets().len(), 1);
    assert_eq!(over(&site), second);
    site.closes(second);
    assert_eq!(over(&site), TCP);
    site.closes(TCP);
    assert!(site.targets().is_empty());
}

/// The flow is registered again after its connection broke: the old one is forgotten.
#[test]
fn a_flow_registered_again_replaces_itself() {
    let mut site = Site::new();
    site.flow = TCP;
    site.registers(&outbound(1));
    site.flow = Flow { connection: ConnectionId(9), ..TCP };
    let ok = site.registers(&outbound(1));

    let contacts: Vec<_> = ok.values(Name::Contact).collect();
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0].ends_with(";+sip.instance=\"<urn:uuid:1>\";reg-id=1"), "{contacts:?}");
    site.closes(TCP);
    assert_eq!(site.targets().len(), 1, "the old connection is nobody's");
}

/// RFC 5626 §6.
#[test]
fn a_proxy_that_does_not_keep_flows_is_told_to_the_phone() {
    let mut site = Site::new();
    site.sent_by = "p.example;branch=z9hG4bKp\r\nVia: SIP/2.0/UDP phone.example";

    assert_eq!(site.registers(&outbound(1)).status(), 439);
    let kept = format!("{}\r\nPath: <sip:flow7@p.example;lr;ob>", outbound(1));
    let ok = site.registers(&kept);

    assert_eq!((ok.status(), ok.header(Name::Require)), (200, Some("outbound")));
    let target = &site.registrar.targets(&site.extension)[0];
    assert_eq!(target.flow(), site.flow, "the proxy's own flow");
}

fn outbound(number: u64) -> String {
    format!(
        "Contact: <sip:a@10.0.0.9;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id={number}\r\n\
         Supported: path, outbound"
    )
}
