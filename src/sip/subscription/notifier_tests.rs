//! The notifier with phones that subscribe, answer, ask for time and vanish.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::notifier::Asked;
use super::shown::{Mailbox, Presence, Shown};
use super::{
    Config, Notifier, Output, Package, Resource, StoredSubscription, SubscriptionId, Topic,
};
use crate::id::ExtensionId;
use crate::rng::Rng;
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, Name, Request, Response};
use crate::sip::transaction::ClientId;
use crate::time::{Duration, Epoch, Instant, Wall};

/// RFC 6665 §4.2.1.2: 200, then at once the state.
#[test]
fn who_subscribes_is_told_the_state() {
    let mut desk = Desk::new();

    let response = desk.subscribe("a", "presence", "Expires: 600\r\n");

    assert_eq!(response.status(), 200);
    assert_eq!(response.header(Name::Expires), Some("600"));
    assert_eq!(response.header(Name::Contact), Some("<sip:192.0.2.1:5060>"));
    let notify = desk.notify();
    assert_eq!(notify.uri_text(), "sip:a@192.0.2.9");
    assert_eq!(notify.header(Name::Event), Some("presence"));
    assert_eq!(notify.header(Name::SubscriptionState), Some("active;expires=600"));
    assert_eq!(notify.content_type(), Some("application/pidf+xml"));
    assert_eq!(notify.from_tag(), response.to_tag());
    assert_eq!(notify.cseq().number, 1);
}

#[test]
fn what_cannot_be_served_is_refused() {
    let mut desk = Desk::new();
    for (event, lines, status, header) in [
        ("refer", "", 489, Some((Name::AllowEvents, "dialog, message-summary, presence"))),
        ("Dialog", "", 489, None),
        ("dialog", "Accept: text/plain\r\n", 406, None),
        ("dialog", "Expires: 59\r\n", 423, Some((Name::MinExpires, "60"))),
    ] {
        let response = desk.subscribe("a", event, lines);
        assert_eq!(response.status(), status, "{event} {lines}");
        if let Some((name, value)) = header {
            assert_eq!(response.header(name), Some(value));
        }
    }
    let nobody = desk.send("a", "nobody", "c", "dialog", "");
    assert_eq!(nobody.status(), 404);
    let long = format!("X-Long: {}\r\n", "x".repeat(9000));
    assert_eq!(desk.subscribe("a", "dialog", &long).status(), 513);
    assert!(desk.notifier.is_spotless());
}

#[test]
fn accept_may_name_the_type_or_anything() {
    for accept in ["application/pidf+xml", "text/plain, */*", "application/*;q=0.5"] {
        let mut desk = Desk::new();
        let response = desk.subscribe("a", "presence", &format!("Accept: {accept}\r\n"));
        assert_eq!(response.status(), 200, "{accept}");
    }
}

/// RFC 6665 §4.4.3: a fetch is a subscription that is over at once.
#[test]
fn a_fetch_gets_one_notify_and_leaves_nothing() {
    let mut desk = Desk::new();

    let response = desk.subscribe("a", "message-summary;id=7", "Expires: 0\r\n");

    assert_eq!(response.header(Name::Expires), Some("0"));
    let notify = desk.notify();
    assert_eq!(notify.header(Name::SubscriptionState), Some("terminated;reason=timeout"));
    assert_eq!(notify.header(Name::Event), Some("message-summary;id=7"));
    assert!(notify.body().starts_with(b"Messages-Waiting: no\r\n"));
    assert!(desk.notifier.is_spotless());
    assert!(desk.stored.is_empty());
}

/// RFC 6665 §4.2.1.2: refreshed, told everything again, and unsubscribed.
#[test]
fn a_refresh_is_told_and_an_unsubscription_too() {
    let mut desk = Desk::new();
    let first = desk.subscribe("a", "dialog", "");
    desk.notify();
    desk.answer_all(200);

    let refreshed = desk.again(&first, 2, "dialog", "Expires: 120\r\n");
    assert_eq!((refreshed.status(), refreshed.header(Name::Expires)), (200, Some("120")));
    let notify = desk.notify();
    assert_eq!(notify.header(Name::SubscriptionState), Some("active;expires=120"));
    assert_eq!(notify.cseq().number, 2);
    desk.answer_all(200);

    assert_eq!(desk.again(&first, 2, "dialog", "").status(), 200); // a copy under another branch
    desk.notify();
    desk.answer_all(200);
    assert_eq!(desk.again(&first, 1, "dialog", "").status(), 500);
    assert_eq!(desk.again(&first, 3, "dialog;id=2", "").status(), 481);
    assert_eq!(desk.again(&first, 4, "dialog", "Expires: 0\r\n").status(), 200);
    let last = desk.notify();
    assert_eq!(last.header(Name::SubscriptionState), Some("terminated;reason=timeout"));
    assert!(desk.notifier.is_spotless());
    assert_eq!(desk.again(&first, 5, "dialog", "").status(), 481);
}

#[test]
fn what_the_phone_knows_is_not_told_again() {
    let mut desk = Desk::new();
    desk.subscribe("a", "presence", "");
    desk.notify();
    desk.answer_all(200);

    desk.changed(Package::Presence);
    assert_eq!(desk.notifies().len(), 0);
    desk.open = true;
    desk.changed(Package::Presence);
    assert_eq!(desk.notifies().len(), 1);
}

#[test]
fn a_lost_connection_ends_what_was_subscribed_over_it() {
    let mut desk = Desk::new();
    desk.flow = Flow { transport: Transport::Tcp, connection: ConnectionId(5), ..FLOW };
    let first = desk.subscribe("a", "presence", "");
    let notify = desk.notify();
    assert!(notify.header(Name::Contact).unwrap().contains("transport=tcp"));
    desk.answer_all(200);
    let old = desk.flow;
    desk.flow.connection = ConnectionId(6);
    desk.again(&first, 2, "presence", "");
    desk.notify();
    desk.answer_all(200);

    desk.close(old);
    assert_eq!(desk.notifier.len(), 1);
    desk.close(desk.flow);
    assert!(desk.notifier.is_spotless());
    assert!(desk.stored.is_empty());
}

#[test]
fn a_phone_that_restarts_again_and_again_pushes_out_its_own_past() {
    let mut desk = Desk::with(Config { per_extension_max: 2, ..Config::default() });
    for call in ["1", "2", "3"] {
        assert_eq!(desk.send("a", "1001", call, "presence", "").status(), 200);
    }
    let last = desk.notifies().pop().unwrap();
    assert_eq!(last.call_id(), "3");
    assert_eq!(desk.notifier.len(), 2);
    let refused = desk.send("a", "1001", "4", "dialog", "");
    assert_eq!((refused.status(), refused.header(Name::RetryAfter)), (500, Some("60")));
    // Others have their own share.
    assert_eq!(desk.send("b", "1001", "5", "dialog", "").status(), 200);
}

#[test]
fn nobody_subscribes_beyond_the_limit() {
    let mut desk = Desk::with(Config { subscriptions_max: 1, ..Config::default() });
    assert_eq!(desk.subscribe("a", "presence", "").status(), 200);
    let refused = desk.subscribe("b", "presence", "");
    assert_eq!((refused.status(), refused.header(Name::RetryAfter)), (503, Some("60")));
}

#[test]
fn what_is_no_more_is_told_without_a_state() {
    let mut desk = Desk::new();
    desk.subscribe("a", "presence", "");
    desk.notify();
    desk.answer_all(200);
    desk.gone = true;

    desk.changed(Package::Presence);

    let notify = desk.notify();
    assert_eq!(notify.header(Name::SubscriptionState), Some("terminated;reason=noresource"));
    assert!(notify.body().is_empty());
    assert!(desk.notifier.is_spotless());
}

#[test]
fn the_subscriptions_of_a_removed_account_end() {
    let mut desk = Desk::new();
    desk.subscribe("a", "presence", "");
    desk.notify();
    desk.answer_all(200);

    let mut out = Vec::new();
    desk.notifier.end_account(desk.now, &"a".into(), &mut out);
    desk.carry_out(out);

    let notify = desk.notify();
    assert_eq!(notify.header(Name::SubscriptionState), Some("terminated;reason=rejected"));
    assert!(desk.notifier.is_spotless());
    assert!(desk.stored.is_empty());
}

/// Versions and CSeq numbers of the next process are above all of the last one's.
#[test]
fn after_a_restart_nothing_is_numbered_twice() {
    let mut desk = Desk::new();
    desk.subscribe("a", "dialog", "");
    desk.notify();
    for round in 0..1200 {
        desk.answer_all(200);
        desk.open = round % 2 == 0;
        desk.now = desk.now + Duration::from_secs(2);
        desk.changed(Package::Dialog);
        desk.notifies();
    }
    let before = desk.last_cseq;
    assert_eq!(before, 1201);

    desk.restart();
    let notify = desk.after(Duration::from_secs(2)).pop().unwrap();

    assert!(notify.cseq().number > before, "{}", notify.cseq().number);
    assert_eq!(notify.from_tag().unwrap().len(), 16);
    desk.restart();
    let again = desk.after(Duration::from_secs(2)).pop().unwrap();
    assert!(again.cseq().number > notify.cseq().number);
}

#[test]
fn over_a_lost_connection_nothing_is_taken_up() {
    let mut desk = Desk::new();
    desk.flow = Flow { transport: Transport::Tcp, connection: ConnectionId(5), ..FLOW };
    desk.subscribe("a", "presence", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnat\r\n");
    desk.nat = true;
    desk.send("b", "1001", "nat", "presence", "");
    assert_eq!(desk.stored.len(), 2);

    desk.restart();

    // Whose Contact can be believed is reached there; who is behind a NAT subscribes again.
    assert_eq!(desk.notifier.len(), 1);
    assert_eq!(desk.stored.len(), 1);
}

/// A notifier, and everything that it has said.
pub(super) struct Desk {
    pub now: Instant,
    pub notifier: Notifier,
    pub stored: BTreeMap<SubscriptionId, StoredSubscription>,
    /// Requests that wait for an answer.
    pub waiting: Vec<(ClientId, Request)>,
    pub open: bool,
    pub gone: bool,
    pub flow: Flow,
    nat: bool,
    pub last_cseq: u32,
    config: Config,
    rng: Rng,
    clients: u64,
}

impl Desk {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self {
            now: Instant::from_micros(1_000_000),
            notifier: Notifier::new(config.clone(), EPOCH),
            stored: BTreeMap::new(),
            waiting: Vec::new(),
            open: false,
            gone: false,
            flow: FLOW,
            nat: false,
            last_cseq: 0,
            config,
            rng: Rng::from_number(1),
            clients: 0,
        }
    }

    /// A first SUBSCRIBE of an account for 1001.
    pub fn subscribe(&mut self, account: &str, event: &str, lines: &str) -> Response {
        let call = format!("{account}-{event}");
        self.send(account, "1001", &call, event, lines)
    }

    pub fn send(
        &mut self,
        account: &str,
        whom: &str,
        call: &str,
        event: &str,
        lines: &str,
    ) -> Response {
        let host = if self.nat { "10.0.0.9" } else { "192.0.2.9" };
        let request = read(&format!(
            "SUBSCRIBE sip:{whom}@pbx SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bK1\r\n\
             From: <sip:{account}@pbx>;tag=them\r\nTo: <sip:{whom}@pbx>\r\nCall-ID: {call}\r\n\
             CSeq: 1 SUBSCRIBE\r\nContact: <sip:{account}@192.0.2.9>\r\nEvent: {event}\r\n\
             {lines}\r\n"
        ));
        let account: ExtensionId = account.into();
        let asked = Asked { account: &account, flow: self.flow, request: &request };
        let find = |_, user: &str| (user == "1001").then(|| Resource::Extension(user.into()));
        let mut out = Vec::new();
        let now = self.now;
        let response = self.notifier.subscribe(now, &mut self.rng, &asked, find, &mut out);
        self.carry_out(out);
        response
    }

    /// A SUBSCRIBE within the dialog that `first` answered.
    pub fn again(&mut self, first: &Response, cseq: u32, event: &str, lines: &str) -> Response {
        let request = read(&format!(
            "SUBSCRIBE sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} SUBSCRIBE\r\n\
             Contact: <sip:a@192.0.2.9>\r\nEvent: {event}\r\n{lines}\r\n",
            first.header(Name::From).unwrap(),
            first.header(Name::To).unwrap(),
            first.call_id()
        ));
        let Some((id, _)) = self.notifier.subscription_of(&request) else {
            return Response::build(&request, 481, None).response();
        };
        let mut out = Vec::new();
        let response = self.notifier.refresh(self.now, id, self.flow, &request, &mut out);
        self.carry_out(out);
        response
    }

    pub fn changed(&mut self, package: Package) {
        let mut out = Vec::new();
        self.notifier.changed(self.now, &topic(package), &mut out);
        self.carry_out(out);
    }

    pub fn close(&mut self, flow: Flow) {
        let mut out = Vec::new();
        self.notifier.flow_closed(&flow, &mut out);
        self.carry_out(out);
    }

    /// The NOTIFYs that are due, written.
    pub fn notifies(&mut self) -> Vec<Request> {
        let mut written = Vec::new();
        while let Some((id, topic)) = self.notifier.pop_due() {
            self.clients += 1;
            let client = ClientId(self.clients);
            let shown = (!self.gone).then(|| self.shown(topic.package));
            let mut out = Vec::new();
            let sent = self.notifier.notify(self.now, id, client, shown.as_ref(), &mut out);
            self.carry_out(out);
            if let Some((_, request)) = sent {
                self.last_cseq = request.cseq().number;
                self.waiting.push((client, request.clone()));
                written.push(request);
            }
        }
        written
    }

    /// The one NOTIFY that is due.
    fn notify(&mut self) -> Request {
        let mut written = self.notifies();
        assert_eq!(written.len(), 1);
        written.remove(0)
    }

    pub fn answer(&mut self, place: usize, status: u16) {
        let (client, request) = self.waiting.remove(place);
        let via = request.with_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK3");
        let mut response = Response::build(&via, status, None);
        if status == 503 {
            response = response.header(Name::RetryAfter, "5 (busy)");
        }
        let mut out = Vec::new();
        self.notifier.answered(self.now, client, &response.response(), &mut out);
        self.carry_out(out);
    }

    pub fn answer_all(&mut self, status: u16) {
        while !self.waiting.is_empty() {
            self.answer(0, status);
        }
    }

    /// The NOTIFY at this place gets no answer.
    pub fn lose(&mut self, place: usize) {
        let (client, _) = self.waiting.remove(place);
        let mut out = Vec::new();
        self.notifier.failed(self.now, client, &mut out);
        self.carry_out(out);
    }

    /// Lets time pass; gives the NOTIFYs that were due meanwhile.
    pub fn after(&mut self, wait: Duration) -> Vec<Request> {
        let end = self.now + wait;
        let mut written = self.notifies();
        while let Some(at) = self.notifier.next_tick().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let mut out = Vec::new();
            self.notifier.tick(self.now, &mut out);
            self.carry_out(out);
            written.extend(self.notifies());
        }
        self.now = end;
        written
    }

    /// The process dies and starts again: what was stored is all that is left.
    pub fn restart(&mut self) {
        self.waiting.clear();
        self.notifier = Notifier::new(self.config.clone(), EPOCH);
        for (id, stored) in self.stored.clone() {
            let mut out = Vec::new();
            let at = self.now + Duration::from_secs(1);
            self.notifier.restore(self.now, at, id, stored, &mut out);
            self.carry_out(out);
        }
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Store { id, subscription: Some(one) } => {
                    // As text, since that is what is stored.
                    let text = serde_json::to_string(&one).unwrap();
                    self.stored.insert(id, serde_json::from_str(&text).unwrap());
                }
                Output::Store { id, subscription: None } => _ = self.stored.remove(&id),
                Output::Unwatched(_) => {}
            }
        }
    }

    fn shown(&self, package: Package) -> Shown {
        match package {
            Package::Dialog if self.open => Shown::Dialogs(Vec::new()),
            Package::Dialog => Shown::Presence(Presence::default()),
            Package::MessageSummary => Shown::Messages(Mailbox::default()),
            Package::Presence => {
                Shown::Presence(Presence { open: self.open, ..Presence::default() })
            }
        }
    }
}

fn topic(package: Package) -> Topic {
    Topic { package, resource: Resource::Extension("1001".into()) }
}

fn read(text: &str) -> Request {
    match Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request"),
    }
}

const EPOCH: Epoch = Epoch(Wall::from_micros(1_795_424_400_000_000));

const FLOW: Flow = Flow {
    transport: Transport::Udp,
    local: address([192, 0, 2, 1]),
    remote: address([192, 0, 2, 9]),
    connection: ConnectionId(0),
};

const fn address(ip: [u8; 4]) -> std::net::SocketAddr {
    let ip = std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
    std::net::SocketAddr::new(std::net::IpAddr::V4(ip), 5060)
}
