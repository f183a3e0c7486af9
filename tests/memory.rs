//! What the longest message that is read keeps alive, however it is made: docs/operations.md states
//! the figure.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use bytes::Bytes;
use strowger::sdp::Session;
use strowger::sip::message::{MESSAGE_BYTES_MAX, Message, bad_request};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Twice the longest datagram: the datagram itself, and what is found in it.
const STATED_BYTES: usize = 128 << 10;

#[test]
fn no_message_keeps_more_alive_than_is_stated() {
    let _profiler = dhat::Profiler::builder().testing().build();
    for (name, text) in hostile() {
        assert!(text.len() <= MESSAGE_BYTES_MAX, "{name} is {} bytes", text.len());
        let bytes = Bytes::from(text);
        drop(bytes.clone()); // the first copy makes it shared, which takes a few bytes
        let before = dhat::HeapStats::get();
        let read = Message::parse(bytes.clone());
        let answer = read.as_ref().err().and_then(|error| bad_request(&bytes, error));
        let session = read.as_ref().ok().map(|message| Session::parse(message.body()));
        let after = dhat::HeapStats::get();
        let kept = bytes.len() + after.curr_bytes - before.curr_bytes;
        println!("{name}: {kept} bytes, read: {}", read.is_ok());
        assert!(kept <= STATED_BYTES, "{name} keeps {kept} bytes");
        drop((answer, session)); // alive until here
    }
}

/// Messages of the greatest length, each with as much of one thing as fits.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let head = "INVITE sip:1001@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
                From: <sip:1002@pbx>;tag=a\r\nTo: <sip:1001@pbx>\r\n\
                Call-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n";
    let filled = |begin: &str, piece: &str, end: &str| {
        let end = format!("{end}\r\nContent-Length: 0\r\n\r\n");
        let room = MESSAGE_BYTES_MAX - head.len() - begin.len() - end.len();
        format!("{head}{begin}{}{end}", piece.repeat(room / piece.len())).into_bytes()
    };
    let described = |piece: &str| {
        let begin = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let room = (32 << 10) - begin.len();
        let body = format!("{begin}{}", piece.repeat(room / piece.len()));
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    vec![
        ("one long header", filled("Subject: ", "x", "")),
        ("many headers", filled("", "a: b\r\n", "a: b")),
        ("as many headers as are read", format!("{head}{}\r\n", "a: b\r\n".repeat(190)).into()),
        ("many Vias", filled("Via: SIP/2.0/UDP a", ", SIP/2.0/UDP a", "")),
        ("many parameters", filled("Contact: <sip:1@a>", ";a", "")),
        ("many contacts", filled("Contact: <sip:1@a>", ",<sip:1@a>", "")),
        ("many routes", filled("Route: <sip:a;lr>", ",<sip:a;lr>", "")),
        ("many fields of credentials", filled("Authorization: Digest a=b", ",a=b", "")),
        ("a long quoted name", filled("Contact: \"", "\\\"", "\" <sip:1@a>")),
        ("many folds", filled("Subject: x", "\r\n x", "")),
        ("many media", described("m=audio 9 RTP/AVP 0\r\n")),
        ("many attributes", described("a=x\r\n")),
        ("many formats", described(&format!("m=audio 9 RTP/AVP{}\r\n", " 0".repeat(60)))),
    ]
}
