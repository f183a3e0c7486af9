//! Reading and writing whole messages.

use std::net::SocketAddr;

use super::*;

#[test]
fn a_request_gives_its_essentials() {
    let invite = request(INVITE);

    assert_eq!(invite.method(), Method::Invite);
    assert_eq!(invite.uri_text(), "sip:1002@pbx.example.com:5060");
    assert_eq!(invite.call_id(), "0_218@192.168.1.21");
    assert_eq!(invite.cseq(), CSeq { number: 2, method: Method::Invite });
    assert_eq!(invite.from().display().unwrap(), "Alice \"A\" Smith");
    assert_eq!(invite.from_tag(), Some("3147284560"));
    assert_eq!(invite.to_tag(), None);
    assert_eq!(invite.via().branch(), Some("z9hG4bK24"));
    assert_eq!(invite.via().sent_by(), "192.168.1.21:5060");
    assert_eq!(invite.max_forwards(), Ok(Some(70)));
    assert_eq!(invite.content_type(), Some("text/plain"));
    assert_eq!(invite.body(), b"hello");
    assert!(invite.has_value(Name::Supported, "TIMER"));
}

#[test]
fn a_response_copies_what_binds_it_to_its_request() {
    let invite = request(INVITE);

    let trying = Response::build(&invite, 100, Some("x")).response();
    let ok = Response::build(&invite, 200, Some("x"))
        .header(Name::Contact, "<sip:pbx@10.0.0.1>")
        .body("application/sdp", b"v=0\r\n")
        .response();

    assert_eq!(trying.to_tag(), None);
    assert_eq!(trying.header(Name::RecordRoute), None);
    assert_eq!(ok.to_tag(), Some("x"));
    assert_eq!(ok.from_tag(), Some("3147284560"));
    assert_eq!(ok.cseq(), invite.cseq());
    assert_eq!(ok.vias().count(), 2);
    assert_eq!(ok.header(Name::RecordRoute), Some("<sip:p1.example.com;lr>"));
    assert_eq!(ok.body(), b"v=0\r\n");
    assert_eq!((ok.status(), ok.reason()), (200, "OK"));
    assert_eq!(Message::parse(ok.bytes().clone()), Ok(Message::Response(ok)));
}

#[test]
fn a_request_is_written_and_gets_its_via_later() {
    let bye = Request::build(Method::Bye, "sip:b@10.0.0.9")
        .header(Name::From, "<sip:a@x>;tag=1")
        .header(Name::To, "<sip:b@x>;tag=2")
        .header(Name::CallId, "c1")
        .header(Name::CSeq, "8 BYE")
        .header_named("X-Note", "one\r\nVia: SIP/2.0/UDP evil")
        .request();

    let sent = bye.with_via("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1");

    assert_eq!(sent.via().branch(), Some("z9hG4bK1"));
    assert_eq!(sent.vias().count(), 1);
    assert_eq!(sent.max_forwards(), Ok(Some(70)));
    assert_eq!(sent.header_named("x-note"), Some("one  Via: SIP/2.0/UDP evil"));
    assert!(sent.bytes().starts_with(b"BYE sip:b@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1"));
    assert_eq!(Message::parse(sent.bytes().clone()), Ok(Message::Request(sent)));
}

/// RFC 3581 §4; a `received` that the sender invented is overwritten (RFC 3261 §18.2.1).
#[test]
fn the_source_of_a_request_is_written_into_its_top_via() {
    let source: SocketAddr = "203.0.113.5:40000".parse().unwrap();
    let invite = request(INVITE).received_from(source);

    assert_eq!(invite.via().param("received"), Some("203.0.113.5"));
    assert_eq!(invite.via().param("rport"), Some("40000"));
    assert_eq!(invite.via().branch(), Some("z9hG4bK24"));
    assert_eq!(invite.vias().nth(1).unwrap().unwrap().branch(), Some("z9hG4bK23"));
    assert_eq!(invite.received_from(source), invite);

    let liar = request(&INVITE.replace(";rport", ";received=1.2.3.4"));
    let liar = liar.received_from("192.168.1.21:5060".parse().unwrap());
    assert_eq!(liar.via().param("received"), Some("192.168.1.21"));

    let plain = request(&INVITE.replace(";rport", ""));
    assert_eq!(plain.received_from("192.168.1.21:5060".parse().unwrap()), plain);
}

/// What is written into a value moves all that follows, and nothing else.
#[test]
fn a_via_with_its_source_reads_like_one_that_came_so() {
    let folded = INVITE.replace("Via: ", "Via: , ").replacen("\r\nVia", "\r\nX:y \r\nVia", 1);
    for text in [INVITE, &folded, &INVITE.replace(";rport", ";RPORT;received=\"::1\"")] {
        for source in ["203.0.113.5:40000", "[2001:db8::9:1]:5060", "1.2.3.4:1"] {
            let changed = request(text).received_from(source.parse().unwrap());
            let read = request(std::str::from_utf8(changed.bytes()).unwrap());

            assert_eq!(changed, read);
            assert!(changed.all().eq(read.all()), "{changed:?}");
            assert_eq!(changed.body(), request(text).body());
            assert_eq!(changed.body(), read.body());
            assert_eq!(changed.call_id(), read.call_id());
            assert_eq!(changed.to_tag(), read.to_tag());
            assert_eq!(changed.via().param("received"), read.via().param("received"));
            assert_eq!(changed.received_from(source.parse().unwrap()), changed);
        }
    }
}

/// One that is right hides no second one that is wrong.
#[test]
fn a_source_that_is_told_twice_is_told_once() {
    let source: SocketAddr = "203.0.113.5:40000".parse().unwrap();
    for lie in [
        ";rport=40000;received=203.0.113.5;received=1.2.3.4",
        ";rport=40000;received=203.0.113.5;rport=1",
        ";received=203.0.113.5;rport",
        ";rport=40000",
        ";rport=040000x;received=203.0.113.5",
    ] {
        let told = request(&INVITE.replace(";rport", lie)).received_from(source);
        let of = |wanted: &str| {
            let params = told.via().params();
            params.iter().filter(|(name, _)| *name == wanted).collect::<Vec<_>>()
        };
        assert_eq!(of("received"), [("received", "203.0.113.5")], "{lie}");
        assert_eq!(of("rport"), [("rport", "40000")], "{lie}");
    }
}

#[test]
fn text_from_a_peer_cannot_break_the_lines_of_a_request() {
    let request = Request::build(Method::Invite, "sip:a b\r\n<c>@x")
        .header(Name::From, format_args!("{} <sip:a@x>;tag=1", Quoted("A \"B\" \\\r\nC")))
        .header(Name::To, "<sip:b@x>")
        .header(Name::CallId, "c1")
        .header(Name::CSeq, "1 INVITE")
        .request();

    assert_eq!(request.uri_text(), "sip:a%20b%0D%0A%3Cc%3E@x");
    assert_eq!(request.from().display().unwrap(), "A \"B\" \\  C");
}

#[test]
fn messages_outlive_the_process_as_values() {
    let message = Message::Request(request(INVITE));

    let json = serde_json::to_string(&message).unwrap();

    assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    assert!(serde_json::from_str::<Response>(&json).is_err());
}

#[test]
fn one_more_header_than_the_limit_is_refused() {
    let with =
        |count: usize| INVITE.replacen("\r\n", &format!("\r\n{}", "X: y\r\n".repeat(count)), 1);
    let own = request(INVITE).all().count();

    assert!(Message::parse(Bytes::from(with(HEADERS_MAX - own))).is_ok());
    let refused = Message::parse(Bytes::from(with(HEADERS_MAX - own + 1)));
    assert_eq!(refused, Err(ParseError::HeadersMany));
}

#[test]
fn one_more_parameter_than_the_limit_is_refused() {
    let with = |count: usize| INVITE.replace(";rport", &";p".repeat(count));

    assert!(Message::parse(Bytes::from(with(PARAMS_MAX - 1))).is_ok());
    let refused = Message::parse(Bytes::from(with(PARAMS_MAX)));
    assert_eq!(refused, Err(ParseError::Header(Name::Via)));
}

/// What we add to a value that is full already does not make it malformed.
#[test]
fn a_request_with_as_many_parameters_as_are_read_is_answered() {
    let full = ";p".repeat(PARAMS_MAX - 2);
    let text = INVITE.replace(";rport", &format!(";rport{full}"));
    let asked = request(&text).received_from("192.0.2.1:5062".parse().unwrap());
    assert_eq!(asked.via().param("rport"), Some("5062"));

    let text = ["From", "To"].into_iter().fold(text, |text, name| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (address, _) = line.split_once(";tag").unwrap_or((&line, ""));
        text.replace(&line, &format!("{address}{}", ";p".repeat(PARAMS_MAX)))
    });
    let answer = Response::build(&request(&text), 200, Some("ours")).response();
    assert_eq!(answer.to_tag(), Some("ours"));
}

fn request(text: &str) -> Request {
    match Message::parse(Bytes::from(text.to_owned())) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

const INVITE: &str = "INVITE sip:1002@pbx.example.com:5060 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK24;rport, SIP/2.0/TCP x;branch=z9hG4bK23\r\n\
    Record-Route: <sip:p1.example.com;lr>\r\n\
    From: \"Alice \\\"A\\\" Smith\" <sip:1001@pbx.example.com:5060>;tag=3147284560\r\n\
    To: <sip:1002@pbx.example.com:5060>\r\n\
    Call-ID: 0_218@192.168.1.21\r\n\
    CSeq: 2 INVITE\r\n\
    Supported: replaces,timer\r\n\
    Max-Forwards: 70\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 5\r\n\
    \r\n\
    hello";
