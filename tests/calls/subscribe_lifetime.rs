//! A subscription from its first SUBSCRIBE to its end: refreshed, unsubscribed, run out, lost.

use crate::blf_ringing::watch;
use crate::site::SITE;
use crate::world::phone::Manner;
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Name;
use strowger::time::Duration;

/// RFC 6665 §4.2.1.2: each refresh is answered with the full state; §4.1.2.3: and the end too.
#[test]
fn refreshed_and_unsubscribed() {
    in_all_weathers(SITE, |world| {
        watch(world, "1001", "1002", "dialog");
        let told = world.phone("1001").lamps[0].notifies.len();
        world.act("1001", |phone, now| phone.watch_on(now, 0, "dialog", 600));
        world.until("it is told again", |world| world.phone("1001").lamps[0].notifies.len() > told);
        world.until("it is refreshed", |world| world.phone("1001").lamps[0].statuses == [200, 200]);
        assert_eq!(world.phone("1001").lamps[0].state(), "active");

        world.act("1001", |phone, now| phone.watch_on(now, 0, "dialog", 0));
        world.until("it is told the end", |world| {
            world.phone("1001").lamps[0].state() == "terminated;reason=timeout"
        });
        assert_eq!(world.node().subscriptions, 0);
        assert!(!world.store.keys().any(|key| key.starts_with("subscriptions/")));
    });
}

#[test]
fn run_out() {
    in_all_weathers(SITE, |world| {
        world.act("1001", |phone, now| phone.watch(now, "1002", "presence", 60));
        world.run(Duration::from_secs(50));
        assert_eq!(world.node().subscriptions, 1);
        world.until("it is told the end", |world| {
            let lamp = &world.phone("1001").lamps[0];
            lamp.notifies.last().is_some_and(|_| lamp.state() == "terminated;reason=timeout")
        });
        assert_eq!(world.node().subscriptions, 0);
    });
}

/// RFC 6665 §4.4.3: the state once, and no subscription.
#[test]
fn fetched() {
    in_all_weathers(SITE, |world| {
        world.act("1001", |phone, now| phone.watch(now, "1002", "presence", 0));
        world.until("it is told", |world| !world.phone("1001").lamps[0].notifies.is_empty());
        assert_eq!(world.shows("1001", 0), "open");
        assert_eq!(world.phone("1001").lamps[0].state(), "terminated;reason=timeout");
        assert_eq!(world.node().subscriptions, 0);
    });
}

/// RFC 6665 §4.2.2: a phone that does not answer, or does not know it, is told no more.
#[test]
fn the_phone_has_lost_power() {
    let mut world = World::new(SITE);
    watch(&mut world, "1001", "1002", "presence");
    world.set("1001", |phone| phone.manner = Manner::Dead);
    world.act("1002", |phone, now| phone.register(now, 0));
    world.run(Duration::from_secs(31));
    assert_eq!(world.node().subscriptions, 1);
    world.run(Duration::from_secs(3));
    assert_eq!(world.node().subscriptions, 0);
    world.close();
}

#[test]
fn the_phone_has_restarted() {
    in_all_weathers(SITE, |world| {
        watch(world, "1001", "1002", "presence");
        world.set("1001", |phone| phone.lamps[0].forgotten = true);
        world.act("1002", |phone, now| phone.register(now, 0));
        world.settle();
        world.run(Duration::from_secs(5));
        assert_eq!(world.node().subscriptions, 0);
    });
}

/// A phone that has no time is asked again; 503 without a time ends it.
#[test]
fn the_phone_is_in_trouble() {
    let mut world = World::new(SITE);
    watch(&mut world, "1001", "1002", "presence");
    world.set("1001", |phone| phone.notify_status = 503);
    world.act("1002", |phone, now| phone.register(now, 0));
    world.settle();
    assert_eq!(world.node().subscriptions, 0);
    // What it does not know we have forgotten too (RFC 6665 §4.2.1.2).
    world.act("1001", |phone, now| phone.watch_on(now, 0, "presence", 600));
    world.until("it is refused", |world| world.phone("1001").lamps[0].statuses == [200, 481]);
    world.close();
}

/// Only its own account refreshes a subscription, and in order.
#[test]
fn what_is_refused() {
    let mut world = World::new(SITE);
    for (whom, event, expires, status) in [
        ("7777", "dialog", 600, 404),
        ("agent-99", "dialog", 600, 404),
        ("agent-a", "message-summary", 600, 404),
        ("1002", "conference", 600, 489),
        ("1002", "dialog", 59, 423),
    ] {
        world.act("1001", |phone, now| phone.watch(now, whom, event, expires));
        world.until("it is answered", |world| {
            world.phone("1001").lamps.last().is_some_and(|lamp| !lamp.statuses.is_empty())
        });
        let lamp = world.phone("1001").lamps.last().expect("it has asked");
        assert_eq!(lamp.statuses, [status], "{whom} {event} {expires}");
        let answer = lamp.answer.as_ref().expect("it was answered");
        assert_eq!(answer.header(Name::MinExpires).is_some(), status == 423);
        assert_eq!(answer.header(Name::AllowEvents).is_some(), status == 489);
    }
    // Who cannot show who he is learns nothing: neither who exists nor who does not.
    world.set("1003", |phone| phone.password = "wrong".to_owned());
    for whom in ["1002", "7777"] {
        world.act("1003", |phone, now| phone.watch(now, whom, "dialog", 600));
        world.settle();
        let lamp = world.phone("1003").lamps.last().expect("it has asked");
        assert!(lamp.statuses.iter().all(|status| [401, 403].contains(status)), "{lamp:?}");
        assert!(lamp.notifies.is_empty());
    }
    assert_eq!(world.node().subscriptions, 0);
    world.close();
}
