//! Lamps of real phones: SIPp subscribes, refreshes and leaves; baresip watches a colleague and its
//! mailbox; a thousand subscriptions follow one phone.

use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use strowger::sip::digest::{Credentials, answer};
use strowger::sip::message::{Message, Method, Name, Request, Response};

use crate::site::{account, number};
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::Scenario;
use crate::support::wait;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn sipp_subscribes_refreshes_and_leaves() {
    let node = Daemon::start(&extensions(2000..2020));
    let phones = Place::new();
    let users: Vec<String> = (2000..2020).map(watcher).collect();
    Scenario::new("watcher", &phones, 5060, node.sip())
        .users(&users)
        .dials("2001", node.sip())
        .calls(40, 40)
        .patient()
        .succeeds(LIMIT);

    assert_eq!(node.status("subscriptions"), 0);
    assert!(node.status("notifies_total") >= 120);
}

#[test]
fn baresip_shows_its_mailbox_and_its_colleague_over_udp() {
    baresip_shows_its_mailbox_and_its_colleague("udp");
}

#[test]
fn baresip_shows_its_mailbox_and_its_colleague_over_tcp() {
    baresip_shows_its_mailbox_and_its_colleague("tcp");
}

#[test]
fn baresip_shows_its_mailbox_and_its_colleague_over_tls() {
    baresip_shows_its_mailbox_and_its_colleague("tls");
}

/// Modules `mwi` and `presence`: the mailbox is empty; the colleague comes and goes.
fn baresip_shows_its_mailbox_and_its_colleague(transport: &'static str) {
    let node = Daemon::start_secure(&extensions([1001, 1002]));
    let watches = vec![number(&node, 1002, transport)];
    let mut phone = Baresip::start(&Account { watches, ..account(&node, 1001, transport) });

    let mailbox = phone.wait_for("MWI_NOTIFY", LIMIT);
    assert!(mailbox.param.contains("Messages-Waiting: no"), "{mailbox:?}");
    shows(&mut phone, "Offline");
    let colleague = Baresip::start(&account(&node, 1002, transport));
    shows(&mut phone, "Online");
    assert_eq!(node.status("subscriptions"), 2);
    colleague.quit();
    shows(&mut phone, "Offline");
    phone.quit();
    wait::until("its subscriptions end with it", LIMIT, || {
        (node.status("subscriptions") == 0).then_some(())
    });
}

/// Fifty phones watch twenty others each. Prints how long after its 180 those who watch one phone
/// were told: the machine and the build decide, so it is not asserted.
#[test]
fn a_lamp_follows_its_phone_among_a_thousand() {
    lamps_follow(|lamp| if lamp == 0 { 2051 } else { 2000 + lamp }, 1);
}

/// As above, but all thousand watch one phone.
#[test]
fn a_thousand_lamps_follow_one_phone() {
    lamps_follow(|_| 2051, 20);
}

/// Each of fifty phones subscribes to what `watches` says of its twenty lamps; `lit` of these are
/// for 2051, which rings.
fn lamps_follow(watches: impl Fn(u32) -> u32, lit: usize) {
    let node = Daemon::start(&extensions(2000..2052));
    let mut phones: Vec<Phone> = (2000..2052).map(|user| Phone::new(user, &node)).collect();
    let mut callee = phones.pop().expect("there are 52");
    let mut caller = phones.pop().expect("there are 51");
    let register = callee.request(Method::Register, "2051", "register", "");
    assert_eq!(callee.transact(&register).status(), 200);
    for phone in &mut phones {
        for lamp in 0..20 {
            let (whom, lines) = (watches(lamp).to_string(), "Event: dialog\r\nExpires: 600\r\n");
            let subscribe = phone.request(Method::Subscribe, &whom, &format!("lamp{lamp}"), lines);
            assert_eq!(phone.transact(&subscribe).status(), 200);
            phone.next_notify("active").expect("the first state comes at once");
        }
    }
    assert_eq!(node.status("subscriptions"), 1000);

    let invite = caller.request(Method::Invite, "2051", "call", "");
    caller.begin(&invite);
    let invite = callee.next_request(Method::Invite);
    for phone in &mut phones {
        for _ in 0..lit {
            phone.next_notify("<state>trying</state>").expect("every lamp is told");
        }
    }
    let ringing = Response::build(&invite, 180, Some("callee"))
        .header(Name::Contact, format!("<sip:2051@{}>", callee.local()))
        .response();
    let began = wait::now();
    callee.send(&ringing.into());
    let mut waits = Vec::new();
    for phone in &mut phones {
        for _ in 0..lit {
            phone.next_notify("<state>early</state>").expect("every lamp blinks");
            waits.push(began.elapsed());
        }
    }
    waits.sort_unstable();
    let (half, last) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{} lamps of 1000 told: half of them {half:?} after the 180, all {last:?}",
        waits.len()
    );
}

/// Waits until the phone says this of its only contact.
fn shows(phone: &mut Baresip, presence: &str) {
    let mut said = String::new();
    let found = wait::within(LIMIT, || {
        said = phone.contacts();
        said.contains(presence).then_some(())
    });
    assert!(found.is_some(), "no {presence}: {said}");
}

/// A line of users for `watcher.xml`.
fn watcher(user: u32) -> String {
    format!("{user};[authentication username={user} password={}];2001", password(user))
}

/// A phone of a few lines, with a socket of its own.
struct Phone {
    user: u32,
    /// The node's, in every URI.
    host: String,
    socket: UdpSocket,
    count: u32,
    _place: Place,
}

impl Phone {
    fn new(user: u32, node: &Daemon) -> Self {
        let place = Place::new();
        let socket = UdpSocket::bind((place.ip, 5060)).expect("the address is ours");
        socket.connect(node.sip()).expect("loopback is there");
        socket.set_read_timeout(Some(SOON)).expect("it is not zero");
        let host = node.sip().ip().to_string();
        Self { user, host, socket, count: 0, _place: place }
    }

    fn local(&self) -> String {
        self.socket.local_addr().expect("it is bound").to_string()
    }

    fn request(&mut self, method: Method, to: &str, call: &str, lines: &str) -> Request {
        self.count += 1;
        let (user, host, count, local) = (self.user, &self.host, self.count, self.local());
        let text = format!(
            "{method} sip:{to}@{host} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK{count}-{user}\r\n\
             From: <sip:{user}@{host}>;tag={user}\r\nTo: <sip:{to}@{host}>\r\n\
             Call-ID: {call}-{user}\r\nCSeq: {count} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:{user}@{local}>\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        match Message::parse(Bytes::from(text)).expect("it is written right") {
            Message::Request(request) => request,
            Message::Response(_) => panic!("not a request"),
        }
    }

    fn send(&self, message: &Message) {
        self.socket.send(message.bytes()).expect("loopback takes a datagram");
    }

    /// Sends a request and answers its challenge; the final response.
    fn transact(&mut self, request: &Request) -> Response {
        self.begin(request);
        self.final_response()
    }

    /// Sends a request and answers its challenge.
    fn begin(&mut self, request: &Request) {
        self.send(&request.clone().into());
        let refusal = self.final_response();
        if refusal.status() != 401 {
            panic!("no challenge: {refusal:?}");
        }
        if request.method() == Method::Invite {
            let ack = format!("{request:?}").replace("INVITE", "ACK");
            self.socket.send(ack.as_bytes()).expect("loopback takes a datagram");
        }
        let who = Credentials { user: &self.user.to_string(), password: &password(self.user) };
        let (method, uri) = (request.method_text(), request.uri_text());
        let (name, value) =
            answer(&refusal, who, method, uri, "c0ffee", 1).expect("the challenge is MD5");
        let old = format!("CSeq: {} ", request.cseq().number);
        let text = format!("{request:?}").replace("branch=z9hG4bK", "branch=z9hG4bKa");
        self.count += 1;
        let text = text.replace(&old, &format!("{name}: {value}\r\nCSeq: {} ", self.count));
        self.socket.send(text.as_bytes()).expect("loopback takes a datagram");
    }

    fn receive(&self) -> Option<Message> {
        let mut datagram = [0; 8192];
        let size = self.socket.recv(&mut datagram).ok()?;
        Some(Message::parse(Bytes::copy_from_slice(&datagram[..size])).expect("it is SIP"))
    }

    fn final_response(&mut self) -> Response {
        loop {
            match self.receive().expect("the node answers") {
                Message::Response(response) if response.is_final() => return response,
                Message::Response(_) | Message::Request(_) => {}
            }
        }
    }

    fn next_request(&mut self, method: Method) -> Request {
        loop {
            match self.receive().expect("the node calls") {
                Message::Request(request) if request.method() == method => return request,
                Message::Response(_) | Message::Request(_) => {}
            }
        }
    }

    /// The next NOTIFY that says this; each is answered.
    fn next_notify(&mut self, says: &str) -> Option<Request> {
        loop {
            if let Message::Request(notify) = self.receive()? {
                let ok = Response::build(&notify, 200, None).response();
                self.send(&ok.into());
                if format!("{notify:?}").contains(says) {
                    return Some(notify);
                }
            }
        }
    }
}
