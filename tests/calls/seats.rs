//! Who may be rung where, and who may speak in a dialog.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use std::net::SocketAddr;
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::message::{Method, Name, Request};
use strowger::switch::Input;

/// His phone came back after the private call that it left in.
#[test]
fn an_agent_whose_phone_is_back_is_rung_again() {
    let mut world = World::new(SITE);
    world.dial("1003", "1001");
    world.until("1001 rings", |world| world.rings("1001"));
    world.act("1003", |phone, now| phone.register(now, 0));
    world.until("it has left", |world| world.phone("1003").is_quiet());
    world.cancel("1003");
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.register("1003");

    world.dial("1001", "601");
    world.until("the agent is rung", |world| world.rings("1003"));
    world.hang_up("1001");
    world.close();
}

#[test]
fn the_phones_of_a_removed_account_are_forgotten() {
    let mut world = World::new(SITE);
    let before = world.node().registrations;
    world.reload(&SITE.replace("[extensions.1006]", "[extensions.1099]"));

    assert_eq!(world.node().registrations, before - 1);
}

/// Call-ID and our tag alone do not make a peer: a fork that lost knows them too.
#[test]
fn a_bye_with_another_tag_ends_nothing() {
    let mut world = World::new(SITE);
    talking(&mut world);
    let invite = world.phone("1002").line().invite.clone();
    let bye = Request::build(Method::Bye, "sip:192.0.2.1:5060")
        .via("SIP/2.0/UDP 198.51.100.99:5060;branch=z9hG4bKstranger")
        .header(Name::From, "<sip:1002@strowger.test>;tag=stranger")
        .header(Name::To, format!("<sip:1001@strowger.test>;tag={}", tag(&invite)))
        .header(Name::CallId, invite.call_id())
        .header(Name::CSeq, "1 BYE")
        .request();
    let remote = SocketAddr::from(([198, 51, 100, 99], 5060));
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    let connection = ConnectionId::default();
    let flow = Flow { transport: Transport::Udp, local, remote, connection };
    world.input(Input::Message { flow, message: bye.received_from(remote).into() });

    world.settle();
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.close();
}

/// Without `[sip] domain`, From and To name the address that the phone knows us by.
#[test]
fn an_invite_always_has_a_host() {
    let mut world = World::new(&SITE.replace("domain = \"strowger.test\"\n", ""));
    talking(&mut world);
    let invite = &world.phone("1002").line().invite;
    for address in [invite.from(), invite.to()] {
        assert!(address.uri_text().ends_with("@192.0.2.1"), "{}", address.uri_text());
    }
    assert_eq!(world.stage("1001"), Stage::Talking);
    world.hang_up("1002");
    world.close();
}

fn tag(invite: &Request) -> String {
    invite.from_tag().unwrap_or_default().to_owned()
}
