//! Phones that accept an INVITE of ours that nobody waits for: a late fork, a copy after the end.
//! All are acknowledged and told to leave (RFC 3261 §13.2.2.4), also if an answer makes no dialog.

use std::net::SocketAddr;

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Message, Method, Name, Request, Response};
use strowger::switch::Input;
use strowger::time::Duration;

/// A second phone behind a proxy, while the first one talks.
#[test]
fn a_second_fork_is_ended_whatever_its_contact_is() {
    for contact in ["<sip:2@198.51.100.77:5070>", "<sip:", ""] {
        let mut world = World::new(SITE);
        talking(&mut world);
        let [ack, bye] = accepts(&mut world, "fork", contact);

        assert_eq!((ack.method(), bye.method()), (Method::Ack, Method::Bye), "{contact}");
        for request in [&ack, &bye] {
            assert_eq!(request.to_tag(), Some("fork"));
            let is_there = request.uri_text() == "sip:2@198.51.100.77:5070";
            assert_eq!(is_there, contact.contains("5070"), "{}", request.uri_text());
        }
        assert_eq!(bye.header(Name::Reason).map(|it| it.contains("elsewhere")), Some(true));
        world.settle();
        assert!(world.talk("1001", "1002"), "the first one talks on");
        world.hang_up("1001");
        world.close();
    }
}

/// The call is over, and its legs are gone.
#[test]
fn a_fork_that_answers_after_the_end_is_ended() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    world.run(Duration::from_secs(15));
    assert_eq!(world.node().legs, 0);
    let [ack, bye] = accepts(&mut world, "late", "<sip:2@198.51.100.77:5070>");

    assert_eq!((ack.method(), ack.cseq().number), (Method::Ack, 1));
    assert_eq!((bye.method(), bye.cseq().number), (Method::Bye, 2));
    assert_eq!((ack.to_tag(), bye.to_tag()), (Some("late"), Some("late")));
    world.close();
}

/// Cancelled, and accepted by two phones all the same: the second while the first one leaves.
#[test]
fn phones_that_accept_what_was_cancelled_are_ended() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.cancel("1001");
    world.until("the caller has left", |world| world.stage("1001") == Stage::Over);
    for tag in ["one", "two"] {
        let [ack, bye] = accepts(&mut world, tag, "");
        assert_eq!((ack.method(), bye.method()), (Method::Ack, Method::Bye));
        assert_eq!((ack.to_tag(), bye.to_tag()), (Some(tag), Some(tag)));
    }
    world.close();
}

/// Somebody accepts the INVITE that 1002 has got; what he is sent.
fn accepts(world: &mut World, tag: &str, contact: &str) -> [Request; 2] {
    let phone = world.phone("1002");
    let (invite, remote) = (phone.line().invite.clone(), phone.address);
    let mut ok = Response::build(&invite, 200, Some(tag));
    if !contact.is_empty() {
        ok = ok.header(Name::Contact, contact);
    }
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    let connection = ConnectionId::default();
    let flow = Flow { transport: Transport::Udp, local, remote, connection };
    let before = world.sent.len();
    world.input(Input::Message { flow, message: ok.response().into() });
    let sent = world.sent[before..].iter().filter_map(|message| match message {
        Message::Request(request) => Some(request.clone()),
        Message::Response(_) => None,
    });
    let sent: Vec<Request> = sent.filter(|it| it.to_tag() == Some(tag)).collect();
    sent.try_into().unwrap_or_else(|sent| panic!("{sent:?}"))
}
