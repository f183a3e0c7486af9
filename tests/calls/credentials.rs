//! Who cannot prove who he is reaches no route and rings no phone.

use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use strowger::sip::message::{Message, Method};

#[test]
fn a_wrong_password_never_reaches_a_route() {
    stopped("a guess");
}

#[test]
fn no_password_never_reaches_a_route() {
    stopped("");
}

/// A stranger's REGISTER changes nothing.
#[test]
fn a_wrong_password_registers_nothing() {
    let mut world = World::new(SITE);
    world.set("1002", |phone| phone.password = "a guess".into());
    world.act("1002", |phone, now| phone.register(now, 0));
    world.close();

    assert_eq!(world.phone("1002").registered, Some(401));
    assert_eq!(world.node().registrations, 6);
}

fn stopped(password: &str) {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.password = password.to_owned());
        let before = world.sent.len();
        world.dial("1001", "1002");
        world.until("it is refused", |world| world.phone("1001").is_quiet());

        assert_eq!(world.status_of("1001"), 401);
        let calls = world.sent[before..].iter().filter(
            |message| matches!(message, Message::Request(r) if r.method() == Method::Invite),
        );
        assert_eq!(calls.count(), 0);
        assert!(!world.entries.iter().any(|entry| entry.call.is_some()));
        assert_eq!(world.node().calls_total, 0);
    });
}
