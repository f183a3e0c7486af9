//! Who refreshes, when, and what the headers say.

use bytes::Bytes;

use super::*;
use crate::sip::message::{Message, Method, Request};

/// RFC 4028 §10: half of the interval has passed.
#[test]
fn we_refresh_after_half_of_the_interval() {
    let mut timer = timer();
    assert_eq!(timer.next_tick(), None);

    assert_eq!(gets(&mut timer, 0, Agreed(terms(true, true))), []);
    assert_eq!(timer.next_tick(), Some(at(900)));
    assert_eq!(gets(&mut timer, 900, Tick), [Output::Refresh]);
    gets(&mut timer, 901, Agreed(terms(true, true)));
    assert_eq!(timer.next_tick(), Some(at(1801)));
}

/// RFC 4028 §10: 32 s before the end, or a third of a short interval.
#[test]
fn a_session_that_the_peer_does_not_refresh_ends() {
    let mut timer = timer();
    gets(&mut timer, 0, Agreed(terms(false, true)));

    assert_eq!(timer.next_tick(), Some(at(1800 - 32)));
    assert_eq!(gets(&mut timer, 1768, Tick), [Output::Expired]);
    assert_eq!(timer.next_tick(), None);

    let short = Terms { interval: Duration::from_secs(90), ..terms(false, true) };
    gets(&mut timer, 0, Agreed(short));
    assert_eq!(timer.next_tick(), Some(at(60)));
}

#[test]
fn a_refused_refresh_is_tried_again_until_there_is_no_time() {
    let mut timer = timer();
    gets(&mut timer, 0, Agreed(terms(true, true)));

    let mut refreshes = 0;
    loop {
        let (now, mut out) = (timer.next_tick().unwrap(), Vec::new());
        timer.handle(now, Tick, &mut out);
        match out[..] {
            [Output::Refresh] => timer.handle(now, Refused, &mut out),
            [Output::Expired] => break,
            ref other => panic!("{other:?}"),
        }
        refreshes += 1;
    }
    assert!((5..20).contains(&refreshes), "{refreshes}");
}

/// Whoever answers at all is alive, if he does not count the time himself.
#[test]
fn a_peer_without_timers_may_refuse_for_ever() {
    let mut timer = timer();
    gets(&mut timer, 0, Agreed(terms(true, false)));

    for round in 1..=100 {
        assert_eq!(gets(&mut timer, 900 * round, Tick), [Output::Refresh]);
        assert_eq!(gets(&mut timer, 900 * round, Refused), []);
    }
}

#[test]
fn the_first_request_leaves_the_refresher_open_and_later_ones_keep_it() {
    let mut timer = timer();
    assert_eq!(asked(&timer), ("1800".to_owned(), None));
    gets(&mut timer, 0, Agreed(terms(true, true)));
    assert_eq!(asked(&timer).0, "1800;refresher=uac");
    gets(&mut timer, 0, Agreed(terms(false, true)));
    assert_eq!(asked(&timer).0, "1800;refresher=uas");
}

/// RFC 4028 §7.2.
#[test]
fn the_answer_to_our_request_sets_the_terms() {
    let timer = timer();

    for (lines, interval, ours, common) in [
        ("Session-Expires: 600;refresher=uas\r\n", 600, false, true),
        ("x: 600 ; Refresher=UAC\r\n", 600, true, true),
        ("Session-Expires: 600\r\n", 600, true, true),
        ("Session-Expires: 1;refresher=uac\r\n", 90, true, true),
        ("Session-Expires: 4294967295;refresher=uas\r\n", 1800, false, true),
        ("Session-Expires: soon\r\n", 1800, true, false),
        ("", 1800, true, false),
    ] {
        let wanted = Terms { interval: Duration::from_secs(interval), ours, common };
        assert_eq!(timer.terms_of(&response(200, lines)), wanted, "{lines}");
    }
}

/// RFC 4028 §9, table 2.
#[test]
fn our_answer_keeps_to_what_the_peer_wants_and_can() {
    let timer = timer();

    for (lines, header, required) in [
        ("", "1800;refresher=uas", false),
        ("Supported: timer\r\n", "1800;refresher=uas", false),
        ("k: timer\r\nx: 600;refresher=uac\r\n", "600;refresher=uac", true),
        ("k: timer\r\nx: 600;refresher=uas\r\n", "600;refresher=uas", false),
        ("x: 600;refresher=uac\r\n", "600;refresher=uas", false),
        ("k: timer\r\nx: 7200\r\n", "1800;refresher=uas", false),
        ("k: timer\r\nx: 7200\r\nMin-SE: 3600\r\n", "3600;refresher=uas", false),
        ("x: 9999999\r\nMin-SE: 9999999\r\n", "86400;refresher=uas", false),
    ] {
        let request = request(lines);
        let terms = timer.terms_for(&request).unwrap();
        let response = terms.tell(Response::build(&request, 200, None)).response();
        assert_eq!(response.header(Name::SessionExpires), Some(header), "{lines}");
        assert_eq!(response.has_value(Name::Require, "timer"), required, "{lines}");
    }
    assert!(timer.terms_for(&request("Session-Expires: x\r\n")).is_err());
}

/// RFC 4028 §9: only who supports timers can be told that his is too short.
#[test]
fn too_short_a_session_is_refused_to_those_who_understand() {
    let limits = LIMITS;
    let short = "x: 60\r\n";
    assert_eq!(limits.too_small(&request(short)), None);
    let known = format!("{short}k: timer\r\n");
    assert_eq!(limits.too_small(&request(&known)), Some(Duration::from_secs(90)));
    assert_eq!(limits.too_small(&request("x: 90\r\nk: timer\r\n")), None);
}

/// RFC 4028 §7.3.
#[test]
fn a_422_raises_what_we_ask_for() {
    let mut timer = timer();

    assert!(timer.raise(&response(422, "Min-SE: 3600\r\n")));
    assert_eq!(asked(&timer), ("3600".to_owned(), Some("3600".to_owned())));
    assert!(!timer.raise(&response(422, "Min-SE: 3600\r\n")), "that is asked for already");
    assert!(!timer.raise(&response(422, "")));
    assert!(!timer.raise(&response(422, "Min-SE: 4000000000\r\n")));
}

const LIMITS: Limits = Limits { expires: Duration::from_secs(1800), min: Duration::from_secs(90) };

fn timer() -> SessionTimer {
    SessionTimer::new(LIMITS)
}

fn terms(ours: bool, common: bool) -> Terms {
    Terms { interval: Duration::from_secs(1800), ours, common }
}

fn gets(timer: &mut SessionTimer, seconds: u64, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    timer.handle(at(seconds), input, &mut out);
    out
}

fn at(seconds: u64) -> Instant {
    Instant::from_micros(1_000_000 * seconds)
}

/// The Session-Expires and Min-SE of a request of ours.
fn asked(timer: &SessionTimer) -> (String, Option<String>) {
    let request = timer.ask(builder()).request();
    let value = |name| request.header(name).map(str::to_owned);
    (value(Name::SessionExpires).unwrap_or_default(), value(Name::MinSe))
}

fn builder() -> Builder {
    Request::build(Method::Invite, "sip:b@b")
        .header(Name::From, "<sip:a@a>;tag=1")
        .header(Name::To, "<sip:b@b>")
        .header(Name::CallId, "c")
        .header(Name::CSeq, "1 INVITE")
}

fn request(lines: &str) -> Request {
    let text = format!("INVITE sip:b@b SIP/2.0\r\n{HEAD}{lines}\r\n");
    match Message::parse(Bytes::from(text)).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request"),
    }
}

fn response(status: u16, lines: &str) -> Response {
    let text = format!("SIP/2.0 {status} x\r\n{HEAD}{lines}\r\n");
    match Message::parse(Bytes::from(text)).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => panic!("not a response"),
    }
}

const HEAD: &str = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\n\
                    To: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n";
