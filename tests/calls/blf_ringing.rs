//! A key shows what another phone does: it rings, talks, and has hung up (RFC 4235).

use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use roxmltree::Document;
use strowger::time::Duration;

#[test]
fn a_lamp_follows_its_phone() {
    in_all_weathers(SITE, |world| {
        watch(world, "1003", "1002", "dialog");
        assert_eq!(world.shows("1003", 0), "off");

        world.dial("1001", "1002");
        world.until("1002 rings", |world| world.rings("1002"));
        world.until("it blinks", |world| blinks(world, "1003"));
        assert_eq!(remote(world, "1003"), ("Ann".to_owned(), "sip:1001@strowger.test".to_owned()));
        world.answer("1002");
        world.until("it is lit", |world| world.shows("1003", 0) == "confirmed");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.hang_up("1002");
        world.until("it is off", |world| world.shows("1003", 0) == "off");
    });
}

/// The watched phone calls; what it dialled is told, and then who answered.
#[test]
fn a_lamp_follows_the_phone_that_calls() {
    in_all_weathers(SITE, |world| {
        watch(world, "1003", "1001", "dialog");

        world.dial("1001", "1002");
        world.until("it blinks", |world| blinks(world, "1003"));
        assert_eq!(remote(world, "1003").1, "sip:1002@strowger.test");
        assert!(world.phone("1003").lamps[0].body().contains("direction=\"initiator\""));
        world.settle();
        world.cancel("1001");
        world.until("it is off", |world| world.shows("1003", 0) == "off");
    });
}

/// The last document names what has ended, for phones that wait for that word.
#[test]
fn a_call_that_has_ended_is_told_as_terminated_once() {
    let mut world = World::new(SITE);
    watch(&mut world, "1003", "1002", "dialog");
    world.dial("1001", "1002");
    world.until("it blinks", |world| world.shows("1003", 0) == "early");
    world.cancel("1001");
    world.settle();

    let body = world.phone("1003").lamps[0].body();
    assert!(body.contains("<state>terminated</state>"), "{body}");
    world.close();
}

/// Call-ID and tags are those of the phone that is watched (RFC 4235 §4.1.2).
#[test]
fn the_dialog_is_named_as_the_watched_phone_knows_it() {
    let mut world = World::new(SITE);
    watch(&mut world, "1003", "1002", "dialog");
    world.dial("1001", "1002");
    world.until("it blinks", |world| world.shows("1003", 0) == "early");
    is_named(&world);
    world.answer("1002");
    world.until("it is lit", |world| world.shows("1003", 0) == "confirmed");
    is_named(&world);
    world.hang_up("1001");
    world.close();
}

/// A lamp is told in the moment in which the switch learns it.
#[test]
fn nothing_is_delayed() {
    let mut world = World::new(SITE);
    watch(&mut world, "1003", "1002", "dialog");
    world.dial("1001", "1002");
    world.until("it blinks", |world| world.shows("1003", 0) == "early");

    let at = |text: &str, phone: &str, to_switch: bool| {
        let lines = world.ladder.lines.iter().filter(|line| {
            line.text == text && line.phone.as_deref() == Some(phone) && line.to_switch == to_switch
        });
        lines.map(|line| line.at).collect::<Vec<_>>()
    };
    let rings = at("180 INVITE", "1002", true)[0];
    assert!(at("NOTIFY", "1003", false).contains(&rings));
    world.cancel("1001");
    world.close();
}

/// What happens while a NOTIFY waits for its answer is told in one afterwards.
#[test]
fn a_slow_phone_is_told_the_newest_state() {
    let mut world = World::new(SITE);
    watch(&mut world, "1003", "1002", "dialog");
    world.set("1003", |phone| phone.manner = crate::world::phone::Manner::Dead);
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    world.answer("1002");
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.run(Duration::from_secs(2));
    assert_eq!(world.phone("1003").lamps[0].notifies.len(), 1);
    world.set("1003", |phone| phone.manner = crate::world::phone::Manner::Rings);
    world.until("it is lit", |world| world.shows("1003", 0) == "confirmed");

    assert_eq!(world.phone("1003").lamps[0].notifies.len(), 3);
    world.hang_up("1001");
    world.close();
}

fn is_named(world: &World) {
    let invite = &world.phone("1002").line().invite;
    let document = Document::parse(world.phone("1003").lamps[0].body()).expect("XML");
    let dialog = document.root_element().first_element_child().expect("there is a call");
    assert_eq!(dialog.attribute("call-id"), Some(invite.call_id()));
    assert_eq!(dialog.attribute("remote-tag"), invite.from_tag());
    assert_eq!(dialog.attribute("local-tag"), Some("1002-0"));
    assert_eq!(dialog.attribute("direction"), Some("recipient"));
}

/// The phone of an account subscribes, and is told the first state.
pub fn watch(world: &mut World, phone: &str, whom: &str, event: &str) {
    let before = world.phone(phone).lamps.len();
    world.act(phone, |phone, now| phone.watch(now, whom, event, 3600));
    world.until("it is told the state", |world| {
        let lamp = &world.phone(phone).lamps[before];
        !lamp.notifies.is_empty() && lamp.statuses.last() == Some(&200)
    });
}

/// Whether a call is on its way. In bad weather the word that it rings may be lost for good: a
/// phone says it once.
pub fn blinks(world: &World, phone: &str) -> bool {
    let shows = world.shows(phone, 0);
    shows == "early" || (shows == "trying" && world.weather.lost > 0)
}

/// The name and the address that the lamp shows.
fn remote(world: &World, phone: &str) -> (String, String) {
    let document = Document::parse(world.phone(phone).lamps[0].body()).expect("XML");
    let mut nodes = document.descendants();
    let remote = nodes.find(|node| node.tag_name().name() == "remote").expect("somebody is there");
    let identity = remote.first_element_child().expect("he has an identity");
    let display = identity.attribute("display").unwrap_or_default();
    (display.to_owned(), identity.text().unwrap_or_default().to_owned())
}
