//! Messages that no phone of the site sends, and what they are answered.

use std::net::SocketAddr;

use crate::world::World;
use strowger::sip::digest::{Credentials, answer};
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Message, Method, Name, Request, Response};
use strowger::switch::Input;

/// Says one thing from an address far away.
pub fn stranger(world: &mut World, request: Request) -> Option<Response> {
    say(world, SocketAddr::from(([203, 0, 113, 66], 5060)), request)
}

/// The answer that a request gets at once.
pub fn say(world: &mut World, remote: SocketAddr, request: Request) -> Option<Response> {
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    let connection = ConnectionId::default();
    let flow = Flow { transport: Transport::Udp, local, remote, connection };
    let before = world.sent.len();
    world.input(Input::Message { flow, message: request.into() });
    let answers = world.sent[before..].iter().filter_map(|message| match message {
        Message::Response(response) if response.is_final() => Some(response.clone()),
        _ => None,
    });
    answers.last()
}

pub fn request(method: Method, user: &str, to_tag: &str) -> Request {
    let uri = match method {
        Method::Register => "sip:strowger.test".to_owned(),
        _ => format!("sip:{user}@strowger.test"),
    };
    Request::build(method, &uri)
        .via(&format!("SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bK{user}{method:?}"))
        .header(Name::From, format!("<sip:{user}@strowger.test>;tag=from"))
        .header(Name::To, format!("<sip:{user}@strowger.test>{to_tag}"))
        .header(Name::CallId, format!("{user}{method:?}"))
        .header(Name::CSeq, format!("1 {method}"))
        .header(Name::Contact, format!("<sip:{user}@203.0.113.66>"))
        .request()
}

/// The same request in another transaction, with an answer to the challenge.
pub fn with_password(old: &Request, challenge: &Response, user: &str, password: &str) -> Request {
    let credentials = Credentials { user, password };
    let (method, uri) = (old.method_text(), old.uri_text());
    let (name, value) =
        answer(challenge, credentials, method, uri, "c", 1).expect("it is a challenge");
    let unique = &value[value.find("nonce=\"").expect("it has a nonce") + 7..][..24];
    let text = String::from_utf8_lossy(old.bytes()).into_owned();
    let text = text.replacen("branch=z9hG4bK", &format!("branch=z9hG4bK{unique}"), 1);
    let (head, body) = text.split_once("\r\n\r\n").expect("it has an end");
    read(&format!("{head}\r\n{name}: {value}\r\n\r\n{body}"))
}

/// What an account's request is answered in the end, after its challenge.
pub fn account(world: &mut World, user: &str, password: &str, request: Request) -> Response {
    let challenge = stranger(world, request.clone()).expect("it is challenged");
    if challenge.status() != 401 {
        return challenge;
    }
    stranger(world, with_password(&request, &challenge, user, password)).expect("it is answered")
}

/// As `account`, of a request that goes on without a final answer.
pub fn account_goes_on(world: &mut World, user: &str, password: &str, request: Request) {
    let challenge = stranger(world, request.clone()).expect("it is challenged");
    assert!(stranger(world, with_password(&request, &challenge, user, password)).is_none());
}

/// Reads a request as it comes from the network.
pub fn read(text: &str) -> Request {
    match Message::parse(text.as_bytes().to_vec().into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}
