//! The table as a whole: matching, CANCEL, limits.

use std::net::SocketAddr;

use super::ladder::{bare, parse, request_with};
use super::*;
use crate::rng::Rng;
use crate::sip::flow::{ConnectionId, Flow, Loss, Transport};
use crate::sip::message::{Message, Method, Name, Request, Response};
use crate::time::{Duration, Instant};

#[test]
fn an_invite_is_answered_100_at_once_and_its_copies_reach_nobody() {
    let mut table = Side::new();

    let out = table.gets(invite("z9hG4bKa"));
    assert_eq!(words(&out), ["send 100", "INVITE"]);
    assert_eq!(words(&table.gets(invite("z9hG4bKa"))), ["send 100"]);

    table.respond(&out, 180);
    let again = table.gets(invite("z9hG4bKa"));
    assert_eq!(words(&again), ["send 180"]);
}

/// A copy of a response is the same buffer, not the same text written once more.
#[test]
fn a_response_is_written_once() {
    let mut table = Side::new();
    let out = table.gets(invite("z9hG4bKa"));

    let first = table.respond(&out, 486);
    let copy = table.gets(invite("z9hG4bKa"));
    assert_eq!(sent(&first[0]).bytes().as_ptr(), sent(&copy[0]).bytes().as_ptr());

    let out = table.gets(request_with("OPTIONS", "z9hG4bKb", "other", 1));
    table.respond(&out, 200);
    let copies = || request_with("OPTIONS", "z9hG4bKb", "other", 1);
    let (first, copy) = (table.gets(copies()), table.gets(copies()));

    assert_eq!(sent(&first[0]).bytes().as_ptr(), sent(&copy[0]).bytes().as_ptr());
}

#[test]
fn the_ack_of_a_refusal_stays_here_and_that_of_a_2xx_goes_up() {
    let mut table = Side::new();
    let refused = table.gets(invite("z9hG4bKa"));
    table.respond(&refused, 486);
    assert_eq!(words(&table.gets(request_with("ACK", "z9hG4bKa", "call-1", 7))), NOTHING);

    let accepted = table.gets(request_with("INVITE", "z9hG4bKb", "call-2", 7));
    table.respond(&accepted, 200);
    // By the book the ACK has a branch of its own; some phones take the INVITE's.
    for branch in ["z9hG4bKc", "z9hG4bKb"] {
        assert_eq!(words(&table.gets(request_with("ACK", branch, "call-2", 7))), ["ACK"]);
    }
    assert_eq!(words(&table.gets(request_with("ACK", "z9hG4bKd", "none", 7))), ["ACK"]);
}

/// RFC 3261 §9.2.
#[test]
fn a_cancel_is_answered_and_told_once() {
    let mut table = Side::new();
    let out = table.gets(invite("z9hG4bKa"));
    table.respond(&out, 180);
    let cancel = || request_with("CANCEL", "z9hG4bKa", "call-1", 7);

    let told = table.gets(cancel());
    assert_eq!(words(&told), ["send 200", "cancelled"]);
    assert_eq!(sent(&told[0]).to_tag(), Some("callee"));
    assert_eq!(sent(&told[0]).cseq().method, Method::Cancel);
    assert_eq!(words(&table.gets(cancel())), ["send 200"]);

    assert_eq!(words(&table.respond(&out, 487)), ["send 487"]);
    assert_eq!(words(&table.gets(cancel())), ["send 200"]);
}

#[test]
fn a_cancel_of_nothing_gets_481() {
    let mut table = Side::new();
    table.gets(invite("z9hG4bKa"));

    for (branch, call) in [("z9hG4bKb", "call-1"), ("z9hG4bKa", "call-2")] {
        let out = table.gets(request_with("CANCEL", branch, call, 7));
        assert_eq!(words(&out), ["send 481"]);
    }
}

#[test]
fn a_cancel_after_the_2xx_changes_nothing() {
    let mut table = Side::new();
    let out = table.gets(invite("z9hG4bKa"));
    table.respond(&out, 200);

    let cancel = request_with("CANCEL", "z9hG4bKa", "call-1", 7);
    assert_eq!(words(&table.gets(cancel)), ["send 200"]);
}

/// RFC 3261 §8.2.2.2.
#[test]
fn the_same_request_by_another_way_gets_482() {
    let mut table = Side::new();
    table.gets(invite("z9hG4bKa"));

    assert_eq!(words(&table.gets(invite("z9hG4bKb"))), ["send 482"]);
    // But requests within a dialog, and REGISTER, are not forked.
    table.gets(request_with("REGISTER", "z9hG4bKc", "call-3", 1));
    let again = table.gets(request_with("REGISTER", "z9hG4bKd", "call-3", 1));
    assert_eq!(words(&again), ["REGISTER"]);
}

/// A phone that uses its branch for the next request too is understood.
#[test]
fn a_branch_used_twice_is_told_apart_by_cseq() {
    let mut table = Side::new();
    let first = table.gets(request_with("REGISTER", "z9hG4bKa", "call-1", 1));
    table.respond(&first, 401);

    let second = table.gets(request_with("REGISTER", "z9hG4bKa", "call-1", 2));

    assert_eq!(words(&second), ["REGISTER"]);
}

/// RFC 3261 §17.2.3, the part for RFC 2543 peers.
#[test]
fn without_the_cookie_the_whole_request_is_compared() {
    let mut table = Side::new();
    for via in ["1", ""] {
        let invite = |method: &str| {
            let text = format!(
                "{method} sip:1002@pbx.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.9:5060;branch={via}\r\n\
                 From: <sip:1001@pbx.example>;tag=old{via}\r\n\
                 To: <sip:1002@pbx.example>\r\n\
                 Call-ID: old{via}\r\n\
                 CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
            );
            parse(&text.replace(";branch=\r\n", "\r\n"))
        };
        let out = table.gets(invite("INVITE"));
        assert_eq!(words(&out), ["send 100", "INVITE"]);
        assert_eq!(words(&table.gets(invite("INVITE"))), ["send 100"]);
        assert_eq!(words(&table.gets(invite("CANCEL"))), ["send 200", "cancelled"]);
        table.respond(&out, 487);
        assert_eq!(words(&table.gets(invite("ACK"))), NOTHING);
    }
    assert_eq!(words(&table.after(Duration::from_secs(5))), ["ended", "ended"]);
}

#[test]
fn above_the_limit_new_requests_get_503_and_dialogs_go_on() {
    let mut table = Side { table: Table::new(0, 2), ..Side::new() };
    let one = table.gets(request_with("INVITE", "z9hG4bK1", "one", 1));
    table.gets(request_with("INVITE", "z9hG4bK2", "two", 1));

    let out = table.gets(request_with("INVITE", "z9hG4bK3", "three", 1));
    assert_eq!(words(&out), ["send 503"]);
    assert!(sent(&out[0]).header(Name::RetryAfter).is_some());
    let out = table.gets(request_with("OPTIONS", "z9hG4bK4", "four", 1));
    assert_eq!(words(&out), ["send 503"]);

    // CANCEL and BYE make room.
    let out = table.gets(request_with("BYE", "z9hG4bK5", "five", 1));
    assert_eq!(words(&out), ["BYE"]);
    let out = table.gets(request_with("CANCEL", "z9hG4bK1", "one", 1));
    assert_eq!(words(&out), ["send 200", "cancelled"]);
    table.respond(&one, 487);
    assert_eq!(words(&table.gets(request_with("ACK", "z9hG4bK1", "one", 1))), NOTHING);

    table.gets(request_with("BYE", "z9hG4bK6", "six", 1));
    let out = table.gets(request_with("BYE", "z9hG4bK7", "seven", 1));
    assert_eq!(words(&out), ["send 503"]);
    let (_, out) = table.sends(UDP, bare("OPTIONS", "mine", 1));
    assert_eq!(words(&out), ["failed Transport"]);
    assert_eq!(table.table.len(), 4);
}

/// Whoever has many calls does not take the room of others; he can always end them.
#[test]
fn all_dialogs_of_one_source_have_a_quarter_of_the_table() {
    let mut table = Side { table: Table::new(0, 2000), ..Side::new() };
    let from = |last: u8| Flow { remote: address([192, 0, 2, last], 5060), ..UDP };
    let mut number = 0;
    let mut asks = |table: &mut Side, method: &str, dialog: &str, flow: Flow| {
        number += 1;
        words(&table.hears(flow, within(method, dialog, number).into()))
    };
    for dialog in ["one", "two"] {
        for _ in 0..250 {
            assert_eq!(asks(&mut table, "INFO", dialog, from(2)), ["INFO"]);
        }
    }

    for dialog in ["one", "two", "three"] {
        assert_eq!(asks(&mut table, "INFO", dialog, from(2)), ["send 503"]);
    }
    assert_eq!(table.table.crowded(), 3);
    assert_eq!(asks(&mut table, "INFO", "four", from(3)), ["INFO"], "another is served");
    assert_eq!(asks(&mut table, "BYE", "one", from(2)), ["BYE"], "a call can be ended");
    for _ in 0..500 {
        asks(&mut table, "BYE", "two", from(2));
    }
    assert_eq!(asks(&mut table, "BYE", "two", from(2)), ["send 500"], "but not for ever");
    assert_eq!(table.table.len(), 250 + 416 + 2);
}

#[test]
fn a_response_that_does_not_match_in_every_point_is_dropped() {
    let mut table = Side::new();
    let (_, out) = table.sends(UDP, bare("OPTIONS", "mine", 5));
    let request = sent_request(&out[0]);
    let good = Response::build(&request, 200, Some("x")).response();
    let text = String::from_utf8(good.bytes().to_vec()).unwrap();
    let branch = request.via().branch().unwrap().to_owned();
    let wrong = [
        text.replace(&branch, &branch.replace("z9hG4bK07", "z9hG4bK08")),
        text.replace(&branch, &(branch[..branch.len() - 1].to_owned() + "g")),
        text.replace(&branch, "z9hG4bK07.ff.0123456789abcdef"),
        text.replace("CSeq: 5", "CSeq: 6"),
        text.replace("5 OPTIONS", "5 INVITE"),
        text.replace("5 OPTIONS", "5 CANCEL"),
        text.replace("192.0.2.1:5060", "192.0.2.7:5060"),
        text.replace("192.0.2.1:5060", "192.0.2.1:5061"),
    ];
    for text in wrong {
        let message = Message::parse(text.clone().into()).unwrap();
        assert_eq!(words(&table.hears(UDP, message)), NOTHING, "{text}");
    }

    assert_eq!(words(&table.hears(UDP, good.into())), ["response 200"]);
}

/// RFC 3261 §13.2.2.4: other branches of a fork answer too.
#[test]
fn each_2xx_of_a_fork_is_given() {
    let mut table = Side::new();
    let (_, out) = table.sends(UDP, bare("INVITE", "mine", 1));
    let invite = sent_request(&out[0]);

    for tag in ["one", "two", "one"] {
        let ok = Response::build(&invite, 200, Some(tag)).response();
        let out = table.hears(UDP, ok.into());
        let [Output::Response { response, .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!(response.to_tag(), Some(tag));
    }
    assert_eq!(words(&table.after(timers::TIMER_M)), NOTHING);
    assert_eq!(table.table.len(), 0);
}

/// A peer that invents one branch after the other is not acknowledged for ever.
#[test]
fn of_too_many_answers_the_rest_is_dropped() {
    let mut table = Side::new();
    let (_, out) = table.sends(UDP, bare("INVITE", "mine", 1));
    let invite = sent_request(&out[0]);

    let forged = (0..70).map(|fork| Response::build(&invite, 200, Some(&format!("t{fork}"))));
    let forged: Vec<Message> = forged.map(|it| it.response().into()).collect();
    let passed = forged.into_iter().filter(|answer| !table.hears(UDP, answer.clone()).is_empty());
    assert_eq!(passed.count(), 64);
    assert_eq!(words(&table.after(timers::TIMER_M)), NOTHING);
    assert_eq!(table.table.len(), 0);
}

/// One dialog cannot take the room of all others; it can be ended all the same.
#[test]
fn a_dialog_has_a_limit_of_its_own() {
    let mut table = Side { table: Table::new(7, 4000), ..Side::new() };
    for number in 0..400 {
        let out = table.gets(within("INFO", "one", number));
        assert_eq!(words(&out), ["INFO"]);
        table.respond(&out, 200);
    }

    let out = table.gets(within("INFO", "one", 400));
    assert_eq!(words(&out), ["send 500"]);
    assert!(sent(&out[0]).header(Name::RetryAfter).is_some());
    assert_eq!(words(&table.gets(within("INFO", "two", 1))), ["INFO"]);
    assert_eq!(words(&table.gets(within("BYE", "one", 401))), ["BYE"]);

    table.after(timers::TIMER_J);
    assert_eq!(words(&table.gets(within("INFO", "one", 402))), ["INFO"]);
}

/// RFC 3261 §9.1: the CANCEL has a transaction of its own, with the INVITE's branch.
#[test]
fn our_cancel_is_resent_until_answered() {
    let mut table = Side::new();
    let (client, out) = table.sends(UDP, bare("INVITE", "mine", 1));
    let invite = sent_request(&out[0]);
    table.hears(UDP, Response::build(&invite, 180, Some("x")).response().into());

    let reason = Some("SIP;cause=200".to_owned());
    let out = table.told(Input::Cancel { client, reason });
    let cancel = sent_request(&out[0]);
    assert_eq!(words(&out), ["send CANCEL"]);
    assert_eq!(cancel.header(Name::Reason), Some("SIP;cause=200"));
    assert_eq!(words(&table.after(timers::T1)), ["send CANCEL"]);
    let ok = Response::build(&cancel, 200, Some("x")).response();
    assert_eq!(words(&table.hears(UDP, ok.into())), NOTHING);

    let gone = Response::build(&invite, 487, Some("x")).response();
    assert_eq!(words(&table.hears(UDP, gone.into())), ["send ACK", "response 487"]);
    table.after(timers::TIMER_D);
    assert_eq!(table.table.len(), 0);
}

#[test]
fn over_tcp_nothing_is_kept_after_the_answer() {
    let mut table = Side::new();
    let out = table.hears(TCP, request_with("OPTIONS", "z9hG4bKa", "o", 1).into());
    table.respond(&out, 200);
    let (_, out) = table.sends(TCP, bare("OPTIONS", "mine", 1));
    let ok = Response::build(&sent_request(&out[0]), 200, Some("x")).response();
    table.hears(TCP, ok.into());
    let out = table.hears(TCP, request_with("INVITE", "z9hG4bKb", "i", 1).into());
    table.respond(&out, 486);
    let out = table.hears(TCP, request_with("ACK", "z9hG4bKb", "i", 1).into());

    assert_eq!(words(&out), ["ended"]);
    assert!(table.table.is_empty());
    assert_eq!(table.table.next_tick(), None);
}

#[test]
fn a_lost_connection_fails_what_was_sent_over_it() {
    let mut table = Side::new();
    let other = Flow { connection: ConnectionId(2), ..TCP };
    let opening = Flow { connection: ConnectionId(0), ..TCP };
    table.sends(TCP, bare("INVITE", "mine", 1));
    table.sends(other, bare("INVITE", "mine", 2));
    table.sends(opening, bare("OPTIONS", "mine", 3));
    table.sends(UDP, bare("OPTIONS", "mine", 4));

    let out = table.told(Input::TransportFailed { flow: TCP, loss: Loss::Ended });

    assert_eq!(words(&out), ["failed Transport", "failed Transport"]);
    assert_eq!(table.table.len(), 2);
    let out = table.told(Input::TransportFailed { flow: other, loss: Loss::Ended });
    assert_eq!(words(&out), ["failed Transport"]);
}

/// RFC 3261 §18.2.2, RFC 3581 §4, and phones that send from a port where they do not listen.
#[test]
fn answers_go_where_the_sender_hears_them() {
    let cases = [
        ("192.0.2.2:5070;rport", "192.0.2.2:40000"),
        ("192.0.2.2:5070", "192.0.2.2:5070"),
        ("192.0.2.2", "192.0.2.2:5060"),
        ("10.0.0.2:5070", "192.0.2.2:40000"),
        ("phone.example", "192.0.2.2:40000"),
    ];
    for (sent_by, to) in cases {
        let mut table = Side::new();
        let flow = Flow { remote: "192.0.2.2:40000".parse().unwrap(), ..UDP };
        let invite = invite("z9hG4bKa");
        let text = String::from_utf8(invite.bytes().to_vec()).unwrap();
        let text = text.replace(";rport", "").replace("192.0.2.1:5060", sent_by);

        let out = table.hears(flow, parse(&text).into());

        let Output::Transmit { flow, .. } = &out[0] else { panic!("{out:?}") };
        assert_eq!(flow.remote, to.parse().unwrap(), "{sent_by}");
        let Output::Request { flow, request, .. } = &out[1] else { panic!("{out:?}") };
        assert_eq!(flow.remote.port(), 40000);
        assert_eq!(
            request.via().param("received").is_some(),
            sent_by != "192.0.2.2:5070" && sent_by != "192.0.2.2"
        );
    }
}

/// RFC 3261 §18.1.1: a long request goes over TCP; where that is refused, over UDP after all.
#[test]
fn a_request_too_long_for_a_datagram_goes_over_tcp_and_falls_back() {
    let mut table = Side::new();
    table.table = Table::new(7, 1000).with_tcp();
    let tcp = Flow { connection: ConnectionId(0), ..TCP };

    let (_, out) = table.sends(UDP, bare("OPTIONS", "short", 1));
    assert_eq!(flow_of(&out[0]), UDP);
    let (client, out) = table.sends(UDP, long("INVITE", "long"));
    assert_eq!(flow_of(&out[0]), tcp);
    assert_eq!(sent_request(&out[0]).via().transport(), "TCP");
    let branch = sent_request(&out[0]).via().branch().unwrap().to_owned();

    let out = table.told(Input::TransportFailed { flow: tcp, loss: Loss::Ended });
    assert_eq!((words(&out), flow_of(&out[0])), (vec!["send INVITE".to_owned()], UDP));
    let again = sent_request(&out[0]);
    assert_eq!((again.via().transport(), again.via().branch()), ("UDP", Some(branch.as_str())));
    let busy = Response::build(&again, 486, Some("callee")).response();
    assert_eq!(words(&table.hears(UDP, busy.into())), ["send ACK", "response 486"]);
    assert_ne!(client, table.table.client_id());

    // It is remembered for a while.
    let (_, out) = table.sends(UDP, long("OPTIONS", "next"));
    assert_eq!(flow_of(&out[0]), UDP);
    table.after(Duration::from_secs(3600));
    let (_, out) = table.sends(UDP, long("OPTIONS", "later"));
    assert_eq!(flow_of(&out[0]), tcp);
}

/// A firewall swallows the connection; the call was cancelled meanwhile.
#[test]
fn a_long_request_that_tcp_swallows_falls_back_with_its_cancel() {
    let mut table = Side::new();
    table.table = Table::new(7, 1000).with_tcp();
    let (client, _) = table.sends(UDP, long("INVITE", "long"));
    assert_eq!(words(&table.told(Input::Cancel { client, reason: None })), NOTHING);

    let out = table.after(Duration::from_secs(2));
    assert_eq!((words(&out), flow_of(&out[0])), (vec!["send INVITE".to_owned()], UDP));
    let trying = Response::build(&sent_request(&out[0]), 100, None).response();
    let out = table.hears(UDP, trying.into());
    assert_eq!(words(&out), ["response 100", "send CANCEL"]);
    assert_eq!(flow_of(&out[1]), UDP);
}

/// Whoever answers over TCP stays there.
#[test]
fn a_long_request_that_is_answered_over_tcp_stays_there() {
    let mut table = Side::new();
    table.table = Table::new(7, 1000).with_tcp();
    let (_, out) = table.sends(UDP, long("INVITE", "long"));
    let ringing = Response::build(&sent_request(&out[0]), 180, Some("callee")).response();

    assert_eq!(words(&table.hears(TCP, ringing.into())), ["response 180"]);
    assert_eq!(words(&table.after(Duration::from_secs(10))), NOTHING);
    let flow = Flow { connection: ConnectionId(0), ..TCP };
    let lost = table.told(Input::TransportFailed { flow, loss: Loss::Ended });
    assert_eq!(words(&lost), ["failed Transport"]);
}

/// A request within the dialog in which our tag is that of the call.
fn within(method: &str, call: &str, number: u32) -> Request {
    let branch = format!("z9hG4bK{call}{number}");
    let request = request_with(method, &branch, call, number).bytes().to_vec();
    let text = String::from_utf8(request).unwrap();
    let text = text.replace("1002@pbx.example>", &format!("1002@pbx.example>;tag={call}"));
    let Ok(Message::Request(request)) = Message::parse(text.into()) else { panic!("{call}") };
    assert_eq!(request.to_tag(), Some(call));
    request
}

fn long(method: &str, call: &str) -> Request {
    let method = if method == "INVITE" { Method::Invite } else { Method::Options };
    Request::build(method, "sip:1002@192.0.2.2:5060")
        .header(Name::From, "<sip:1001@pbx.example>;tag=caller")
        .header(Name::To, "<sip:1002@pbx.example>")
        .header(Name::CallId, call)
        .header(Name::CSeq, format_args!("1 {method}"))
        .body("text/plain", &[b'x'; 1200])
        .request()
}

fn flow_of(output: &Output) -> Flow {
    let Output::Transmit { flow, .. } = output else { panic!("{output:?}") };
    *flow
}

const NOTHING: [&str; 0] = [];

const UDP: Flow = Flow {
    transport: Transport::Udp,
    local: address([192, 0, 2, 1], 5060),
    remote: address([192, 0, 2, 2], 5060),
    connection: ConnectionId(0),
};

const TCP: Flow = Flow { transport: Transport::Tcp, connection: ConnectionId(1), ..UDP };

const fn address(ip: [u8; 4], port: u16) -> SocketAddr {
    let ip = std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]);
    SocketAddr::new(std::net::IpAddr::V4(ip), port)
}

fn invite(branch: &str) -> Request {
    request_with("INVITE", branch, "call-1", 7)
}

/// A table with its clock.
struct Side {
    table: Table,
    rng: Rng,
    now: Instant,
}

impl Side {
    fn new() -> Self {
        Self { table: Table::new(7, 1000), rng: Rng::from_number(1), now: Instant::START }
    }

    fn told(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.table.handle(self.now, &mut self.rng, input, &mut out);
        out
    }

    fn hears(&mut self, flow: Flow, message: Message) -> Vec<Output> {
        self.told(Input::Received { flow, message })
    }

    fn gets(&mut self, request: Request) -> Vec<Output> {
        self.hears(UDP, request.into())
    }

    fn sends(&mut self, flow: Flow, request: Request) -> (ClientId, Vec<Output>) {
        let client = self.table.client_id();
        (client, self.told(Input::Request { client, flow, request }))
    }

    /// Answers the request that `out` gave.
    fn respond(&mut self, out: &[Output], status: u16) -> Vec<Output> {
        let Some(Output::Request { key, request, .. }) = out.last() else { panic!("{out:?}") };
        let response = Response::build(request, status, Some("callee")).response();
        self.told(Input::Respond { key: *key, response })
    }

    fn after(&mut self, wait: Duration) -> Vec<Output> {
        let end = self.now + wait;
        let mut out = Vec::new();
        while let Some(due) = self.table.next_tick().filter(|due| *due <= end) {
            self.now = due;
            out.extend(self.told(Input::Tick));
        }
        self.now = end;
        out
    }
}

fn sent(output: &Output) -> &Message {
    let Output::Transmit { message, .. } = output else { panic!("{output:?}") };
    message
}

fn sent_request(output: &Output) -> Request {
    sent(output).as_request().unwrap().clone()
}

fn words(out: &[Output]) -> Vec<String> {
    let word = |output: &Output| match output {
        Output::Ack { .. } => "ACK".to_owned(),
        Output::Cancelled { .. } => "cancelled".to_owned(),
        Output::Failed { why, .. } => format!("failed {why:?}"),
        Output::Request { request, .. } => request.method_text().to_owned(),
        Output::Response { response, .. } => format!("response {}", response.status()),
        Output::Abandoned { .. } => "abandoned".to_owned(),
        Output::ServerEnded { .. } => "ended".to_owned(),
        Output::Transmit { message: Message::Request(request), .. } => {
            format!("send {}", request.method_text())
        }
        Output::Transmit { message: Message::Response(response), .. } => {
            format!("send {}", response.status())
        }
    };
    out.iter().map(word).collect()
}
