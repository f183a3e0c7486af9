//! Two tables with a network between them that loses, doubles and reorders; seeded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use super::ladder::bare;
use super::*;
use crate::rng::Rng;
use crate::sip::dialog::accepted::{self, Accepted};
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, Method, Name, Request, Response};
use crate::time::{Duration, Instant};

#[test]
fn over_a_bad_network_each_request_is_seen_once_and_answered_and_all_ends() {
    for seed in 0..40 {
        let mut world = World::new(seed, Faults { lost: 20, doubled: 20, late: 30 });
        world.run(60);

        for (call, request) in &world.requests {
            assert_eq!(request.seen, 1, "seed {seed}: {call} was seen by the server's user");
            assert_eq!(request.finals, 1, "seed {seed}: {call} was answered");
            assert_eq!(request.failed, 0, "seed {seed}: {call} failed");
            assert_eq!(request.wanted, request.got, "seed {seed}: {call}");
        }
        assert!(world.accepted.is_empty(), "seed {seed}: every 2xx is acknowledged");
        world.assert_empty(seed);
    }
}

#[test]
fn over_a_dead_network_everything_fails_once_and_ends() {
    let mut world = World::new(1, Faults { lost: 100, doubled: 0, late: 0 });
    world.run(20);

    for (call, request) in &world.requests {
        assert_eq!((request.seen, request.finals, request.failed), (0, 0, 1), "{call}");
    }
    world.assert_empty(1);
}

/// The answers are lost, the requests are not: the server's side ends too.
#[test]
fn when_no_answer_comes_through_both_sides_end() {
    let mut world = World::new(2, Faults { lost: 0, doubled: 0, late: 0 });
    world.one_way = true;
    world.run(20);

    for (call, request) in &world.requests {
        assert_eq!((request.seen, request.finals, request.failed), (1, 0, 1), "{call}");
    }
    world.assert_empty(2);
}

/// In percent of the messages.
struct Faults {
    lost: u32,
    doubled: u32,
    late: u32,
}

#[derive(Debug, Default)]
struct Sent {
    /// Times that the server's user was given it.
    seen: u32,
    /// Final responses that the client's user was given; copies of a 2xx count once.
    finals: u32,
    failed: u32,
    wanted: u16,
    got: u16,
}

enum Happens {
    AtClient(Message),
    AtServer(Message),
    /// The server's user answers.
    Answer(ServerKey, Request, u16),
    /// The client's user sends.
    Send(u32),
}

struct World {
    now: Instant,
    rng: Rng,
    faults: Faults,
    one_way: bool,
    client: Table,
    server: Table,
    /// By Call-ID.
    requests: BTreeMap<String, Sent>,
    calls: BTreeMap<ClientId, String>,
    accepted: BTreeMap<String, (ServerKey, Accepted)>,
    events: BTreeMap<(Instant, u64), Happens>,
    count: u64,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: Instant::START,
            rng: Rng::from_number(seed),
            faults,
            one_way: false,
            client: Table::new(1, 1000),
            server: Table::new(2, 1000),
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            accepted: BTreeMap::new(),
            events: BTreeMap::new(),
            count: 0,
        }
    }

    /// Sends `count` requests, half of them INVITEs, and goes on until nothing is due any more.
    fn run(&mut self, count: u32) {
        for number in 1..=count {
            let wait = self.rng.below(20_000);
            self.happens_in(wait, Happens::Send(number));
        }
        while let Some(next) = self.next() {
            assert!(next < Instant::from_micros(600_000_000), "the world goes on for ever");
            self.now = next;
            self.step();
        }
    }

    fn next(&self) -> Option<Instant> {
        let accepted = self.accepted.values().filter_map(|(_, accepted)| accepted.next_tick());
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let tables = [self.client.next_tick(), self.server.next_tick(), event];
        accepted.chain(tables.into_iter().flatten()).min()
    }

    fn step(&mut self) {
        if let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Happens::AtClient(message) => {
                    self.at_client(Input::Received { flow: TO_SERVER, message });
                }
                Happens::AtServer(message) => {
                    self.at_server(Input::Received { flow: TO_CLIENT, message });
                }
                Happens::Answer(key, request, status) => self.answer(key, &request, status),
                Happens::Send(number) => self.send(number),
            }
            return;
        }
        self.at_client(Input::Tick);
        self.at_server(Input::Tick);
        let mut copies = Vec::new();
        let now = self.now;
        self.accepted.retain(|_, (key, accepted)| {
            let mut out = Vec::new();
            accepted.handle(now, accepted::Input::Tick, &mut out);
            let mut goes_on = true;
            for output in out {
                match output {
                    accepted::Output::Ended { .. } => goes_on = false,
                    accepted::Output::Resend(response) => copies.push((*key, response)),
                }
            }
            goes_on
        });
        for (key, response) in copies {
            self.at_server(Input::Respond { key, response });
        }
    }

    fn send(&mut self, number: u32) {
        let method = if number.is_multiple_of(2) { "INVITE" } else { "OPTIONS" };
        let call = format!("call-{number}");
        let client = self.client.client_id();
        self.requests.insert(call.clone(), Sent::default());
        self.calls.insert(client, call.clone());
        let request = bare(method, &call, number);
        self.at_client(Input::Request { client, flow: TO_SERVER, request });
    }

    fn at_client(&mut self, input: Input) {
        let mut out = Vec::new();
        self.client.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            match output {
                Output::Transmit { flow, message } => {
                    assert_eq!(flow, TO_SERVER);
                    self.travels(message, false);
                }
                Output::Response { client, response, .. } => self.answered(client, &response),
                Output::Failed { client, why, .. } => {
                    assert_eq!(why, Failure::Timeout);
                    self.requests.get_mut(&self.calls[&client]).unwrap().failed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn answered(&mut self, client: ClientId, response: &Response) {
        let sent = self.requests.get_mut(&self.calls[&client]).unwrap();
        if !response.is_final() {
            return;
        }
        let is_copy = response.is_success() && sent.got == response.status();
        sent.finals += u32::from(!is_copy);
        sent.got = response.status();
        if response.is_success() && response.cseq().method == Method::Invite {
            let request = Request::build(Method::Ack, "sip:1002@192.0.2.2:5060")
                .header(Name::From, response.header(Name::From).unwrap())
                .header(Name::To, response.header(Name::To).unwrap())
                .header(Name::CallId, response.call_id())
                .header(Name::CSeq, format_args!("{} ACK", response.cseq().number))
                .request();
            self.at_client(Input::Ack { flow: TO_SERVER, request });
        }
    }

    fn at_server(&mut self, input: Input) {
        let mut out = Vec::new();
        self.server.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            match output {
                Output::Transmit { flow, message } => {
                    assert_eq!(flow, TO_CLIENT);
                    self.travels(message, true);
                }
                Output::Request { key, request, .. } => self.requested(key, request),
                Output::Ack { request, .. } => {
                    self.accepted.remove(request.call_id());
                }
                Output::Abandoned { .. } | Output::ServerEnded { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn requested(&mut self, key: ServerKey, request: Request) {
        let sent = self.requests.get_mut(request.call_id()).unwrap();
        sent.seen += 1;
        sent.wanted = [200, 486, 404, 603][self.rng.below(4) as usize];
        let (ringing, wait) = (self.rng.below(2_000), 1 + self.rng.below(5_000));
        let status = sent.wanted;
        if request.method() == Method::Invite {
            self.happens_in(ringing, Happens::Answer(key, request.clone(), 180));
            self.happens_in(ringing + wait, Happens::Answer(key, request, status));
        } else {
            self.happens_in(wait / 4, Happens::Answer(key, request, status));
        }
    }

    fn answer(&mut self, key: ServerKey, request: &Request, status: u16) {
        let response = Response::build(request, status, Some("callee")).response();
        if response.is_success() && request.method() == Method::Invite {
            match self.accepted.entry(request.call_id().to_owned()) {
                Entry::Vacant(entry) => {
                    entry.insert((key, Accepted::new(self.now, response.clone())));
                }
                Entry::Occupied(_) => panic!("accepted twice"),
            }
        }
        self.at_server(Input::Respond { key, response });
    }

    fn travels(&mut self, message: Message, to_client: bool) {
        let copies = 1 + u32::from(self.rng.below(100) < self.faults.doubled);
        for _ in 0..copies {
            if self.rng.below(100) < self.faults.lost || (to_client && self.one_way) {
                continue;
            }
            let is_late = self.rng.below(100) < self.faults.late;
            let wait = 1 + self.rng.below(if is_late { 3_000 } else { 50 });
            // As over the wire: the other side reads the bytes.
            let message = Message::parse(message.bytes().clone()).unwrap();
            self.happens_in(
                wait,
                match to_client {
                    true => Happens::AtClient(message),
                    false => Happens::AtServer(message),
                },
            );
        }
    }

    fn happens_in(&mut self, millis: u32, what: Happens) {
        self.count += 1;
        let at = self.now + Duration::from_millis(millis.into());
        self.events.insert((at, self.count), what);
    }

    fn assert_empty(&self, seed: u64) {
        for table in [&self.client, &self.server] {
            assert_eq!(table.len(), 0, "seed {seed}: {table:?}");
            assert_eq!(table.next_tick(), None, "seed {seed}");
        }
    }
}

const TO_SERVER: Flow = Flow {
    transport: Transport::Udp,
    local: address(1),
    remote: address(2),
    connection: ConnectionId(0),
};

const TO_CLIENT: Flow = Flow { local: address(2), remote: address(1), ..TO_SERVER };

const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, host)), 5060)
}
