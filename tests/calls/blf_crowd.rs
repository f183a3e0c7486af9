//! A thousand keys watch one phone, and all of them follow in the moment in which it rings.

use crate::site::SITE;
use crate::world::World;
use strowger::time::Duration;

#[test]
fn a_thousand_lamps_follow_in_the_same_moment() {
    let mut world = World::new(SITE);
    let watchers = ["1001", "1003", "1004", "1005", "1006"];
    for name in watchers {
        for _ in 0..200 {
            world.act(name, |phone, now| phone.watch(now, "1002", "dialog", 3600));
        }
    }
    world.run(Duration::from_secs(5));
    assert_eq!(world.node().subscriptions, 1000);
    assert_eq!(world.node().notifies_total, 1000);
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    world.run(Duration::from_millis(100));

    let rings = world.ladder.lines.iter().find(|line| line.text == "180 INVITE" && line.to_switch);
    let at = rings.expect("1002 has said so").at;
    // Those that still wait for the answer to the NOTIFY before are told when it comes: 2 ms.
    let late = at + Duration::from_millis(2);
    let told = world.ladder.lines.iter().filter(|line| line.text == "NOTIFY" && line.at >= at);
    assert!(told.clone().all(|line| line.at <= late));
    assert_eq!(told.count(), 1000);
    for name in watchers {
        let shown: Vec<String> = world.phone(name).lamps.iter().map(|lamp| lamp.shows()).collect();
        assert!(shown.iter().all(|shows| shows == "early"), "{name}: {shown:?}");
    }
    world.cancel("1001");
    world.close();
}

/// Of a site's calls, only those at watched phones are told.
#[test]
fn who_watches_others_hears_nothing() {
    let mut world = World::new(SITE);
    world.act("1003", |phone, now| phone.watch(now, "1006", "dialog", 3600));
    world.run(Duration::from_secs(1));
    let before = world.node().notifies_total;
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    world.cancel("1001");
    world.settle();

    assert_eq!(world.node().notifies_total, before);
    world.close();
}
