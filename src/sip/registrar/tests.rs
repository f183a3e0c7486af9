//! The registrar as phones see it.

use bytes::Bytes;

use super::*;
use crate::id::ExtensionId;
use crate::rng::Rng;
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, Name, Request, Response};
use crate::time::{Duration, Epoch, Instant, Wall};

#[test]
fn a_phone_registers_refreshes_and_expires() {
    let mut site = Site::new();

    let ok = site.registers("Contact: <sip:1001@192.0.2.9>\r\nExpires: 120");
    assert_eq!(ok.status(), 200);
    assert_eq!(contacts(&ok), ["<sip:1001@192.0.2.9>;expires=120;q=1.000"]);
    assert_eq!(ok.header(Name::Expires), Some("120"));
    assert_eq!(site.changes(), ["registered sip:1001@192.0.2.9"]);

    site.now = at(100);
    site.registers("Contact: <sip:1001@192.0.2.9>;expires=60");
    assert_eq!(site.changes(), ["refreshed sip:1001@192.0.2.9"]);
    assert_eq!(site.registrar.next_tick(), Some(at(160)));
    site.ticks(159);
    assert_eq!(site.changes(), NOTHING);
    site.ticks(160);
    assert_eq!(site.changes(), ["expired sip:1001@192.0.2.9"]);
    assert_eq!(site.registrar.next_tick(), None);
    assert!(site.registrar.bindings().is_empty());
}

/// RFC 3261 §10.2.3: without Contact, nothing is changed.
#[test]
fn a_phone_can_ask_what_is_registered() {
    let mut site = Site::new();
    site.registers("Contact: <sip:a@192.0.2.9>;q=0.5, \"B\" <sip:b@192.0.2.9>;q=0.75;expires=90");
    site.changes();

    let ok = site.registers("Expires: 0");

    assert_eq!(
        contacts(&ok),
        ["<sip:b@192.0.2.9>;expires=90;q=0.750", "<sip:a@192.0.2.9>;expires=3600;q=0.500"]
    );
    assert_eq!(site.changes(), NOTHING);
}

#[test]
fn targets_are_in_order_of_preference_and_then_the_latest_first() {
    let mut site = Site::new();
    for (second, contact) in
        [(1, "<sip:old@h>"), (2, "<sip:new@h>"), (3, "<sip:spare@h>;q=0.1"), (4, "<sip:x@h>;q=0.9")]
    {
        site.now = at(second);
        site.registers(&format!("Contact: {contact}"));
    }

    assert_eq!(site.targets(), ["sip:new@h", "sip:old@h", "sip:x@h", "sip:spare@h"]);
}

/// RFC 3261 §10.2.8.
#[test]
fn too_brief_is_told_what_would_do_and_too_long_gets_the_most() {
    let mut site = Site::new();

    let brief = site.registers("Contact: <sip:a@h>;expires=59");
    assert_eq!((brief.status(), brief.header(Name::MinExpires)), (423, Some("60")));
    assert_eq!(site.targets(), NOTHING);
    let long = site.registers("Contact: <sip:a@h>\r\nExpires: 99999999999");
    assert_eq!(long.header(Name::Expires), Some("3600"));
    // A malformed value counts as none (RFC 3261 §20.19).
    let odd = site.registers("Contact: <sip:b@h>\r\nExpires: soon");
    assert_eq!(odd.header(Name::Expires), Some("3600"));
}

/// RFC 3261 §20.10: not what Expires says, least of all the end.
#[test]
fn a_contact_whose_expires_is_no_number_lives_an_hour() {
    let mut site = Site::new();
    for odd in ["soon", "-1", "", "99999999999999999999999"] {
        let ok = site.registers(&format!("Contact: <sip:a@h>;expires={odd}\r\nExpires: 0"));
        assert_eq!(contacts(&ok), ["<sip:a@h>;expires=3600;q=1.000"], "{odd:?}");
    }
}

#[test]
fn a_phone_takes_itself_out() {
    let mut site = Site::new();
    site.registers("Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>");
    site.changes();

    site.registers("Contact: <SIP:a@H>;expires=0");
    assert_eq!(site.changes(), ["removed sip:a@h"]);
    site.registers("Contact: <sip:unknown@h>\r\nExpires: 0");
    assert_eq!(site.changes(), NOTHING);
    let ok = site.registers("Contact: *\r\nExpires: 0");
    assert_eq!(site.changes(), ["removed sip:b@h", "removed sip:c@h"]);
    assert_eq!(contacts(&ok), NOTHING);
    assert_eq!(site.registrar.next_tick(), None);
}

#[test]
fn a_wildcard_needs_expires_zero_and_stands_alone() {
    let mut site = Site::new();
    site.registers("Contact: <sip:a@h>");
    for wrong in [
        "Contact: *",
        "Contact: *\r\nExpires: 60",
        "Contact: *, <sip:a@h>\r\nExpires: 0",
        "Contact: <sip:a@h>\r\nContact: *\r\nExpires: 0",
    ] {
        assert_eq!(site.registers(wrong).status(), 400, "{wrong}");
    }
    assert_eq!(site.targets(), ["sip:a@h"]);
}

/// RFC 3261 §10.3, step 7.
#[test]
fn a_request_that_comes_late_changes_nothing() {
    let mut site = Site::new();
    site.cseq = 10;
    site.registers("Contact: <sip:a@h>");
    site.cseq = 9;

    for late in ["Contact: <sip:new@h>, <sip:a@h>;expires=0", "Contact: *\r\nExpires: 0"] {
        assert_eq!(site.registers(late).status(), 500);
        site.cseq = 9;
        assert_eq!(site.targets(), ["sip:a@h"]);
    }
    // Of another Call-ID the order is not known.
    site.call_id = "after-a-restart";
    assert_eq!(site.registers("Contact: <sip:a@h>;expires=0").status(), 200);
    assert_eq!(site.targets(), NOTHING);
}

#[test]
fn one_phone_too_many_takes_the_place_of_the_oldest() {
    let mut site = Site::new();
    for number in 1..=11 {
        site.now = at(number);
        site.registers(&format!("Contact: <sip:{number}@h>"));
    }

    assert_eq!(site.changes().last().unwrap(), "registered sip:11@h");
    assert_eq!(site.targets().len(), 10);
    assert!(!site.targets().contains(&"sip:1@h".to_owned()));
    let many = (0..11).map(|n| format!("<sip:{n}@h>")).collect::<Vec<_>>().join(",");
    assert_eq!(site.registers(&format!("Contact: {many}")).status(), 400);
}

/// RFC 5626 §4.1: after a power cut the phone has another port, but the same name.
#[test]
fn a_phone_with_a_lasting_name_does_not_ring_twice() {
    let mut site = Site::new();
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"";
    site.registers(&format!("Contact: <sip:a@h:5060>;{instance}"));
    site.registers(&format!("Contact: <sip:a@h:5070>;{instance}"));
    assert_eq!(site.targets(), ["sip:a@h:5070"]);
    assert_eq!(site.changes()[1..], ["removed sip:a@h:5060", "registered sip:a@h:5070"]);

    // RFC 5626 §6: who does not support Outbound has one flow, whatever its number.
    site.registers(&format!("Contact: <sip:b@h:1>;{instance};reg-id=1"));
    assert_eq!(site.targets(), ["sip:b@h:1"]);
}

#[test]
fn malformed_contacts_are_refused_and_nothing_is_changed() {
    let mut site = Site::new();
    let long = format!("<sip:{}@h>", "x".repeat(2000));
    for wrong in ["<sip:>", "<sip:a@h", "sip:a@h:99999", &long] {
        let response = site.registers(&format!("Contact: <sip:good@h>, {wrong}"));
        assert_eq!(response.status(), 400, "{wrong}");
    }
    assert_eq!(site.targets(), NOTHING);
}

/// RFC 3581: whoever is behind a NAT is called back over the flow it came by.
#[test]
fn the_way_back_passes_the_nat() {
    let mut site = Site::new();
    site.sent_by = "10.0.0.9:5060";
    site.registers("Contact: <sip:nat@10.0.0.9:5060>");
    site.sent_by = "192.0.2.9:5060";
    site.registers("Contact: <sip:direct@192.0.2.9:5072>");

    let flow_of = |contact: &str| {
        let targets = site.registrar.targets(&site.extension);
        targets.iter().find(|target| target.contact == contact).unwrap().flow()
    };
    assert_eq!(flow_of("sip:nat@10.0.0.9:5060"), UDP);
    assert_eq!(flow_of("sip:direct@192.0.2.9:5072").to_string(), "udp:192.0.2.9:5072");
}

#[test]
fn a_lost_connection_takes_its_phones_with_it() {
    let mut site = Site::new();
    site.registers("Contact: <sip:udp@h>");
    site.flow = TCP;
    site.registers("Contact: <sip:one@h;transport=tcp>, <sip:two@h;transport=tcp>");
    site.flow = Flow { connection: ConnectionId(8), ..TCP };
    site.registers("Contact: <sip:two@h;transport=tcp>");
    site.changes();

    site.closes(TCP);
    assert_eq!(site.changes(), ["expired sip:one@h;transport=tcp"]);
    site.closes(TCP);
    site.closes(UDP);
    assert_eq!(site.changes(), NOTHING);
    site.closes(site.flow);
    assert_eq!(site.changes(), ["expired sip:two@h;transport=tcp"]);
    assert_eq!(site.targets(), ["sip:udp@h"]);
}

#[test]
fn bindings_outlive_the_process() {
    let mut site = Site::new();
    site.now = at(1000);
    site.registers("Contact: <sip:udp@h>\r\nExpires: 600\r\nUser-Agent: Phone/1");
    site.registers("Contact: <sip:brief@h>\r\nExpires: 60");
    site.flow = TCP;
    site.registers("Contact: <sip:nat@10.0.0.9:5062;transport=tcp>");
    site.sent_by = "192.0.2.9:40000";
    site.registers("Contact: <sip:tcp@192.0.2.9:5062;transport=tcp>");
    let epoch = Epoch(Wall::from_micros(1_800_000_000_000_000));
    let stored = site.registrar.snapshot(epoch);
    let text = serde_json::to_string(&stored).unwrap();

    // 100 s later, in a process that is 1 s old.
    let mut after = Site::new();
    after.now = at(1);
    let epoch = Epoch(epoch.wall(at(1099)));
    let stored = serde_json::from_str(&text).unwrap();
    let mut out = Vec::new();
    after.registrar.restore(after.now, epoch, stored, &mut out);

    assert_eq!(out.len(), 2);
    let targets = after.registrar.targets(&after.extension);
    let udp = targets.iter().find(|target| target.contact == "sip:udp@h").unwrap();
    assert_eq!(udp.expires_at, at(501));
    assert_eq!(udp.user_agent.as_deref(), Some("Phone/1"));
    assert_eq!(udp.flow(), UDP);
    let tcp = targets.iter().find(|target| target.contact.starts_with("sip:tcp")).unwrap();
    assert_eq!(tcp.flow().remote, "192.0.2.9:5062".parse().unwrap());
    assert_eq!(tcp.flow().connection, ConnectionId(0));
    assert_eq!(after.registrar.next_tick(), Some(at(501)));
}

/// The answer to a phone that is gone from the configuration is not the registrar's business.
#[test]
fn an_account_that_is_no_more_loses_its_phones() {
    let mut site = Site::new();
    site.registers("Contact: <sip:a@h>, <sip:b@h>");
    site.changes();
    let mut out = Vec::new();

    site.registrar.remove(&site.extension, &mut out);

    assert_eq!(out.len(), 2);
    assert_eq!(site.registrar.next_tick(), None);
}

const NOTHING: [&str; 0] = [];

const UDP: Flow = Flow {
    transport: Transport::Udp,
    local: address([192, 0, 2, 1], 5060),
    remote: address([192, 0, 2, 9], 5060),
    connection: ConnectionId(0),
};

pub(super) const TCP: Flow = Flow {
    transport: Transport::Tcp,
    remote: address([192, 0, 2, 9], 40_000),
    connection: ConnectionId(7),
    ..UDP
};

const fn address(ip: [u8; 4], port: u16) -> std::net::SocketAddr {
    let ip = std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
    std::net::SocketAddr::new(std::net::IpAddr::V4(ip), port)
}

pub(super) fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

fn contacts(response: &Response) -> Vec<&str> {
    response.values(Name::Contact).collect()
}

/// A registrar, and an account's phone with what its next request says.
pub(super) struct Site {
    pub(super) registrar: Registrar,
    pub(super) extension: ExtensionId,
    pub(super) now: Instant,
    pub(super) flow: Flow,
    pub(super) sent_by: &'static str,
    pub(super) call_id: &'static str,
    cseq: u32,
    rng: Rng,
    out: Vec<Change>,
}

impl Site {
    pub(super) fn new() -> Self {
        Self {
            registrar: Registrar::new(Config::default()),
            extension: "1001".into(),
            now: Instant::START,
            flow: UDP,
            sent_by: "phone.example",
            call_id: "c",
            cseq: 1,
            rng: Rng::from_number(1),
            out: Vec::new(),
        }
    }

    pub(super) fn registers(&mut self, headers: &str) -> Response {
        let request = self.request(headers);
        self.cseq += 1;
        let (now, flow) = (self.now, self.flow);
        self.registrar.handle_register(
            now,
            &mut self.rng,
            &self.extension,
            (flow, &request),
            "us",
            &mut self.out,
        )
    }

    fn request(&self, headers: &str) -> Request {
        let text = format!(
            "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK1\r\n\
             From: <sip:1001@pbx.example>;tag=a\r\nTo: <sip:1001@pbx.example>\r\n\
             Call-ID: {}\r\nCSeq: {} REGISTER\r\n{headers}\r\nContent-Length: 0\r\n\r\n",
            self.sent_by, self.call_id, self.cseq
        );
        match Message::parse(Bytes::from(text)).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("not a request"),
        }
    }

    pub(super) fn ticks(&mut self, second: u64) {
        self.now = at(second);
        self.registrar.tick(self.now, &mut self.out);
    }

    pub(super) fn closes(&mut self, flow: Flow) {
        self.registrar.flow_closed(&flow, &mut self.out);
    }

    pub(super) fn targets(&self) -> Vec<String> {
        let targets = self.registrar.targets(&self.extension);
        targets.into_iter().map(|target| target.contact).collect()
    }

    /// What was reported since the last time.
    fn changes(&mut self) -> Vec<String> {
        let words = self.out.drain(..).map(|change| match change {
            Change::Expired { contact, .. } => format!("expired {contact}"),
            Change::Refreshed { contact, .. } => format!("refreshed {contact}"),
            Change::Registered { contact, .. } => format!("registered {contact}"),
            Change::Removed { contact, .. } => format!("removed {contact}"),
        });
        words.collect()
    }
}
