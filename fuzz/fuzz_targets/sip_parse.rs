//! Any bytes: reading them never panics, and what is accepted reads the same when written again.

#![no_main]

use std::net::SocketAddr;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use strowger::sip::message::stream::{Frame, Framer};
use strowger::sip::message::{Headers, Message, Name, Request, Response, bad_request};

fuzz_target!(|bytes: &[u8]| {
    datagram(bytes);
    stream(bytes);
});

fn datagram(bytes: &[u8]) {
    let message = match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(message) => message,
        Err(error) => {
            if let Some(answer) = bad_request(bytes, &error) {
                assert!(answer.starts_with(b"SIP/2.0 "));
                assert!(answer.ends_with(b"\r\n\r\n"));
            }
            return;
        }
    };
    let again = Message::parse(message.bytes().clone());
    assert_eq!(again.as_ref(), Ok(&message));
    read(&message);
    if let Message::Request(request) = &message {
        write(request);
    }
}

fn read(message: &Headers) {
    let _ = (message.from().uri(), message.to().uri(), message.from_tag(), message.to_tag());
    let _ = (message.from().display(), message.to().q(), message.via().branch(), message.cseq());
    let _ = (message.max_forwards(), message.expires(), message.content_type(), message.body());
    let contacts = message.contacts().chain(message.routes()).chain(message.record_routes());
    for address in contacts.flatten() {
        if let Ok(uri) = address.uri() {
            let _ = (uri.user_unescaped(), uri.host(), uri.param("lr"), uri.header("Replaces"));
            assert!(uri.is_same(&uri), "{}", uri.text());
        }
    }
    assert!(message.vias().next().is_some_and(|via| via.is_ok()));
    for (name, value) in message.all() {
        assert!(!name.is_empty() && !value.contains(['\r', '\n']));
    }
}

fn write(request: &Request) {
    let source = SocketAddr::from(([192, 0, 2, 1], 5062));
    let received = request.received_from(source);
    assert_eq!(received.received_from(source), received);
    assert_eq!(received.via().branch(), request.via().branch());
    assert_eq!(received.vias().count(), request.vias().count());

    let answer = Response::build(&received, 200, Some("t")).response();
    assert_eq!(answer.call_id(), request.call_id());
    assert_eq!(answer.cseq(), request.cseq());
    assert!(answer.to_tag().is_some() || !request.to().params().text().is_empty());

    let own = Request::build(request.method(), request.uri_text());
    let sent = request.with_via("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKfuzz");
    assert_eq!(sent.via().branch(), Some("z9hG4bKfuzz"));
    drop(own.header(Name::Subject, request.header(Name::Subject).unwrap_or_default()));
}

/// However a stream is cut, its frames are the same.
fn stream(bytes: &[u8]) {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(frames(bytes, 7), whole);
}

fn frames(bytes: &[u8], step: usize) -> Vec<Frame> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}
