//! A registration of ours against a registrar that the test plays.

use std::net::SocketAddr;

use super::{Account, Input, Kept, Output, Registration, Status};
use crate::rng::Rng;
use crate::sip::digest::Login;
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Builder, Name, Request, Response};
use crate::sip::transaction::Failure;
use crate::time::{Duration, Instant};

#[test]
fn it_is_made_and_renewed_before_its_end() {
    let mut line = Line::new();
    line.begin();
    line.answer(200, |ok| ok.header(Name::Expires, 600));
    assert_eq!(line.registered_for(), Some(600));
    let renewed = line.wait_for_locate();
    assert!((450..=540).contains(&renewed), "{renewed} s");
    line.locate(1);

    assert_eq!(line.asked().cseq().number, 2);
    assert_eq!(line.asked().call_id(), "our-call-id");
    assert_eq!(line.asked().header(Name::Contact), Some("<sip:token@192.0.2.1:5060>"));
}

/// RFC 3261 §10.3, step 8: the answer lists every phone's Contact; only ours counts.
#[test]
fn the_time_granted_to_our_contact_counts() {
    let mut line = Line::new();
    line.begin();
    line.answer(200, |ok| {
        ok.header(Name::Contact, "<sip:other@192.0.2.9>;expires=3000")
            .header(Name::Contact, "<sip:token@192.0.2.1:5060>;expires=90")
            .header(Name::Expires, 3600)
    });

    assert_eq!(line.registered_for(), Some(90));
}

#[test]
fn a_challenge_is_answered_and_a_second_one_is_a_wrong_password() {
    let mut line = Line::new();
    line.begin();
    line.challenge("n1");
    assert!(line.asked().header(Name::Authorization).is_some());
    assert_eq!(line.asked().cseq().number, 2);
    line.challenge("n2");

    assert_eq!(line.status(), "401");
    let rest = line.wait_for_locate();
    assert!((670..=1130).contains(&rest), "{rest} s");
}

/// RFC 3261 §10.2.8.
#[test]
fn a_longer_time_is_asked_for_if_the_registrar_wants_it() {
    let mut line = Line::new();
    line.begin();
    line.answer(423, |refusal| refusal.header(Name::MinExpires, 1800));
    assert_eq!(line.asked().header(Name::Expires), Some("1800"));
    line.answer(423, |refusal| refusal.header(Name::MinExpires, 9_999_999));
    assert_eq!(line.asked().header(Name::Expires), Some("86400"));
    let asked = line.requests.len();
    line.answer(423, |refusal| refusal);

    assert_eq!(line.requests.len(), asked, "two hints are taken, no more");
    assert_eq!(line.status(), "423");
}

#[test]
fn every_flow_is_tried_then_it_rests_longer_each_time() {
    let mut line = Line::new();
    line.begin_with(2);
    let mut rests = Vec::new();
    for _ in 0..8 {
        line.give(Input::Failed(Failure::Transport));
        assert_eq!(line.requests.last().unwrap().0.remote.port(), 5061, "the second flow");
        line.answer(500, |refusal| refusal);
        rests.push(line.wait_for_locate());
        line.locate(2);
    }

    assert_eq!(line.status(), "500");
    for (rest, wanted) in rests.iter().zip([5, 10, 20, 40, 80, 160, 300, 300]) {
        assert!((wanted * 3 / 4..=wanted * 5 / 4 + 1).contains(rest), "{rests:?}");
    }
}

/// Who reads it is to know what to mend.
#[test]
fn why_it_could_not_be_asked_is_told() {
    for (failure, why) in [
        (Failure::Timeout, "timeout"),
        (Failure::Transport, "unreachable"),
        (Failure::Unverified, "certificate"),
    ] {
        let mut line = Line::new();
        line.begin_with(1);
        line.give(Input::Failed(failure));
        assert_eq!(line.status(), why);
    }
}

#[test]
fn a_registrar_that_is_silent_is_left_for_the_next() {
    let mut line = Line::new();
    line.begin_with(2);
    let since = line.now;
    line.now = line.machine.next_tick().unwrap();
    line.give(Input::Tick);

    assert_eq!(line.requests.len(), 2);
    assert_eq!(line.now.since(since), Duration::from_secs(8));
}

#[test]
fn the_registrars_own_wish_for_rest_is_heard() {
    let mut line = Line::new();
    line.begin();
    line.answer(503, |refusal| refusal.header(Name::RetryAfter, "100 (busy)"));
    let rest = line.wait_for_locate();
    assert!((75..=126).contains(&rest), "{rest} s");
    line.locate(1);
    line.answer(503, |refusal| refusal.header(Name::RetryAfter, "999999999"));
    let rest = line.wait_for_locate();

    assert!((2700..=4501).contains(&rest), "{rest} s");
}

#[test]
fn it_is_lost_when_its_time_is_over_and_made_again() {
    let mut line = Line::new();
    line.begin();
    line.answer(200, |ok| ok.header(Name::Expires, 60));
    while line.registered_for().is_some() {
        line.now = line.machine.next_tick().unwrap();
        line.give(Input::Tick);
        line.give(Input::Located(Vec::new()));
    }
    assert_eq!(line.status(), "unresolved");
    line.wait_for_locate();
    line.locate(1);
    line.answer(200, |ok| ok.header(Name::Expires, 60));

    assert_eq!(line.registered_for(), Some(60));
}

#[test]
fn it_is_taken_back_at_the_end() {
    let mut line = Line::new();
    line.begin();
    line.answer(200, |ok| ok.header(Name::Expires, 600));
    line.give(Input::Stop);
    assert_eq!(line.asked().header(Name::Expires), Some("0"));
    line.challenge("n1");
    assert_eq!(line.asked().header(Name::Expires), Some("0"));
    assert!(!line.machine.is_over());
    line.answer(200, |ok| ok);

    assert!(line.machine.is_over());
    assert_eq!(line.machine.next_tick(), None);
}

#[test]
fn the_end_does_not_wait_for_ever_and_asks_nothing_if_nothing_was_made() {
    let mut line = Line::new();
    line.begin();
    line.give(Input::Stop);
    assert!(line.machine.is_over());

    let mut line = Line::new();
    line.begin();
    line.answer(200, |ok| ok);
    line.give(Input::Stop);
    line.now = line.machine.next_tick().unwrap();
    line.give(Input::Tick);
    assert!(line.machine.is_over());
}

struct Line {
    now: Instant,
    rng: Rng,
    machine: Registration,
    requests: Vec<(Flow, Request)>,
    located: usize,
}

impl Line {
    fn new() -> Self {
        let now = Instant::from_micros(1);
        let mut rng = Rng::from_number(1);
        let account = Account {
            registrar: "sip:itsp.example".to_owned(),
            aor: "sip:1001@itsp.example".to_owned(),
            login: Login::new("1001", "secret", None),
            expires: Duration::from_secs(600),
        };
        let kept = Kept { call_id: "our-call-id".to_owned(), cseq: 0, contact: "token".to_owned() };
        let machine = Registration::new(now, account, kept, &mut rng);
        Self { now, rng, machine, requests: Vec::new(), located: 0 }
    }

    fn give(&mut self, input: Input) {
        let mut out = Vec::new();
        self.machine.handle(self.now, &mut self.rng, input, &mut out);
        for output in out {
            match output {
                Output::Locate => self.located += 1,
                Output::Request { flow, request } => self.requests.push((flow, request)),
            }
        }
    }

    fn begin(&mut self) {
        self.begin_with(1);
    }

    fn begin_with(&mut self, flows: u16) {
        self.give(Input::Tick);
        self.locate(flows);
    }

    fn locate(&mut self, flows: u16) {
        let flow = |number| Flow {
            transport: Transport::Udp,
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            remote: SocketAddr::from(([198, 51, 100, 1], 5060 + number)),
            connection: ConnectionId::default(),
        };
        self.give(Input::Located((0..flows).map(flow).collect()));
    }

    /// The latest request.
    fn asked(&self) -> &Request {
        &self.requests.last().expect("a request was sent").1
    }

    fn answer(&mut self, status: u16, more: impl FnOnce(Builder) -> Builder) {
        let request = self.asked().with_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
        let response = more(Response::build(&request, status, Some("t"))).response();
        self.give(Input::Response(response));
    }

    fn challenge(&mut self, nonce: &str) {
        self.answer(401, |refusal| {
            let value = format!("Digest realm=\"itsp\", nonce=\"{nonce}\", qop=\"auth\"");
            refusal.header(Name::WwwAuthenticate, value)
        });
    }

    /// The seconds until the flows are looked for again.
    fn wait_for_locate(&mut self) -> u64 {
        let (since, located) = (self.now, self.located);
        while self.located == located {
            self.now = self.machine.next_tick().expect("it tries again");
            self.give(Input::Tick);
        }
        self.now.since(since).as_secs()
    }

    fn registered_for(&self) -> Option<u64> {
        match self.machine.status() {
            Status::Registered { until } => Some(until.since(self.now).as_secs()),
            Status::Trying | Status::Unregistered { .. } => None,
        }
    }

    fn status(&self) -> &str {
        match self.machine.status() {
            Status::Unregistered { why } => why,
            status => panic!("it is {status:?}"),
        }
    }
}
