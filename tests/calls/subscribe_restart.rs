//! Lamps outlive the process, and follow a changed configuration.

use crate::blf_ringing::{blinks, watch};
use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

/// The process dies in the middle of a call: its lamp is put out by the next one. That CSeq and
/// version grow over it is checked by the phone itself.
#[test]
fn pain_22_a_lamp_is_right_again_after_a_restart() {
    in_all_weathers(SITE, |world| {
        watch(world, "1003", "1002", "dialog");
        watch(world, "1003", "1003", "message-summary");
        world.dial("1001", "1002");
        world.until("1002 rings", |world| world.rings("1002"));
        world.answer("1002");
        world.until("it is lit", |world| world.shows("1003", 0) == "confirmed");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.settle();

        world.restart();
        world.entries.clear();
        assert_eq!(world.node().subscriptions, 2);
        world.until("it is off", |world| world.shows("1003", 0) == "off");
        world.settle();
        world.dial("1006", "1002");
        world.until("it follows", |world| blinks(world, "1003"));
        world.cancel("1006");
        world.until("it is off", |world| world.shows("1003", 0) == "off");

        // The phone goes on in the same dialog.
        world.act("1003", |phone, now| phone.watch_on(now, 0, "dialog", 600));
        world.until("it is refreshed", |world| world.phone("1003").lamps[0].statuses == [200, 200]);
    });
}

#[test]
fn what_ran_out_meanwhile_is_not_taken_up() {
    let mut world = World::new(SITE);
    world.act("1003", |phone, now| phone.watch(now, "1002", "dialog", 60));
    world.run(Duration::from_secs(5));
    world.now = world.now + Duration::from_secs(60);
    world.restart();

    assert_eq!(world.node().subscriptions, 0);
    assert!(!world.store.keys().any(|key| key.starts_with("subscriptions/")));
}

#[test]
fn a_reload_ends_what_is_no_more() {
    let mut world = World::new(SITE);
    watch(&mut world, "1003", "1006", "dialog");
    watch(&mut world, "1003", "agent-17", "presence");
    watch(&mut world, "1003", "1002", "presence");
    watch(&mut world, "1006", "1002", "presence");

    let smaller = SITE.replace("[extensions.1006]", "[extensions.1099]");
    world.reload(&smaller.replace("[agents.17]", "[agents.18]").replace("\"17\"", "\"18\""));
    world.settle();

    let states = |name: &str| {
        let lamps = world.phone(name).lamps.iter();
        lamps.map(|lamp| lamp.state()).collect::<Vec<_>>()
    };
    let gone = "terminated;reason=noresource";
    assert_eq!(states("1003"), [gone, gone, "active"]);
    assert_eq!(states("1006"), ["terminated;reason=rejected"]);
    assert_eq!(world.node().subscriptions, 1);
    world.close();
}
