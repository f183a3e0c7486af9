//! A whole call through two transaction tables: INVITE, 100, 180, 200, ACK, BYE, 200.
//!
//! Each side reads the bytes that the other wrote, as over the network. Virtual time runs at a
//! hundred calls a second, so that the tables hold what they hold on a busy site: over UDP each
//! call leaves its transactions for 32 s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use strowger::rng::Rng;
use strowger::sip::dialog::Dialog;
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Message, Method, Name, Request, Response};
use strowger::sip::registrar::Path;
use strowger::sip::transaction::{Input, Output, Table};
use strowger::time::{Duration, Instant};

const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5060)
}

const CALLER: Flow = Flow {
    transport: Transport::Udp,
    local: address(1),
    remote: address(2),
    connection: ConnectionId(0),
};

const CALLEE: Flow = Flow { local: address(2), remote: address(1), ..CALLER };

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

struct World {
    now: Instant,
    rng: Rng,
    caller: Table,
    callee: Table,
    calls: u64,
}

impl World {
    fn new() -> Self {
        Self {
            now: Instant::START,
            rng: Rng::from_number(1),
            caller: Table::new(1, 1_000_000),
            callee: Table::new(2, 1_000_000),
            calls: 0,
        }
    }

    /// One call from the INVITE to the answer to its BYE.
    fn call(&mut self) {
        self.calls += 1;
        self.now = self.now + Duration::from_millis(10);
        self.at_caller(Input::Tick);
        self.at_callee(Input::Tick);

        let invite = Request::build(Method::Invite, "sip:1002@192.0.2.2:5060")
            .header(Name::From, format_args!("<sip:1001@pbx.example>;tag=a{}", self.calls))
            .header(Name::To, "<sip:1002@pbx.example>")
            .header(Name::CallId, format_args!("{}@192.0.2.1", self.calls))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, "<sip:1001@192.0.2.1:5060>")
            .header(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO")
            .header(Name::UserAgent, "Strowger")
            .body("application/sdp", SDP)
            .request();
        let (received, key) = self.sends(invite.clone());
        let ringing = Response::build(&received, 180, Some("b")).response();
        self.at_callee(Input::Respond { key, response: ringing });
        let ok = Response::build(&received, 200, Some("b"))
            .header(Name::Contact, "<sip:1002@192.0.2.2:5060>")
            .body("application/sdp", SDP)
            .response();
        let heard = self.at_callee(Input::Respond { key, response: ok });
        let ok = heard.into_iter().next_back().expect("the 200 arrives");
        let mut dialog = Dialog::as_uac(Path { flow: CALLER, direct: true }, &invite, &ok)
            .expect("the 200 makes a dialog");

        let ack = dialog.ack(1).request();
        self.at_caller(Input::Ack { flow: dialog.next_hop(), request: ack });
        let (received, key) = self.sends(dialog.request(Method::Bye).request());
        let ok = Response::build(&received, 200, None).response();
        let heard = self.at_callee(Input::Respond { key, response: ok });
        assert_eq!(heard.len(), 1);
        black_box(heard);
    }

    /// What the callee's user gets of a request.
    fn sends(&mut self, request: Request) -> (Request, strowger::sip::transaction::ServerKey) {
        let client = self.caller.client_id();
        let out = self.at_caller(Input::Request { client, flow: CALLER, request });
        let request = out.into_iter().find_map(|output| match output {
            Output::Request { key, request, .. } => Some((request, key)),
            _ => None,
        });
        request.expect("the callee's user gets it")
    }

    /// Tells the caller's table; gives what comes out at the callee.
    fn at_caller(&mut self, input: Input) -> Vec<Output> {
        let (mut out, mut got) = (Vec::new(), Vec::new());
        self.caller.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            let Output::Transmit { message, .. } = output else { continue };
            let input = Input::Received { flow: CALLEE, message: over_the_wire(&message) };
            self.callee.handle(self.now, &mut self.rng, input, &mut got);
        }
        for output in &got {
            let Output::Transmit { message, .. } = output else { continue };
            let input = Input::Received { flow: CALLER, message: over_the_wire(message) };
            self.caller.handle(self.now, &mut self.rng, input, &mut Vec::new());
        }
        got
    }

    /// Tells the callee's table; gives the responses that the caller's user gets.
    fn at_callee(&mut self, input: Input) -> Vec<Response> {
        let (mut out, mut got) = (Vec::new(), Vec::new());
        self.callee.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            let Output::Transmit { message, .. } = output else { continue };
            let input = Input::Received { flow: CALLER, message: over_the_wire(&message) };
            self.caller.handle(self.now, &mut self.rng, input, &mut got);
        }
        let responses = got.into_iter().filter_map(|output| match output {
            Output::Response { response, .. } => Some(response),
            _ => None,
        });
        responses.collect()
    }
}

fn over_the_wire(message: &Message) -> Message {
    Message::parse(message.bytes().clone()).expect("the other side writes SIP")
}

fn calls(c: &mut Criterion) {
    let mut world = World::new();
    for _ in 0..4_000 {
        world.call();
    }
    eprintln!("transactions held: {} + {}", world.caller.len(), world.callee.len());
    let mut group = c.benchmark_group("transaction");
    group.throughput(Throughput::Elements(1));
    group.bench_function("call, both sides, with messages", |b| b.iter(|| world.call()));
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
