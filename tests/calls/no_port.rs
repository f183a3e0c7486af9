//! No media port is left, or no room: 503 with Retry-After, and nothing remains.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::config;
use strowger::switch::Input;
use strowger::time::Duration;

#[test]
fn no_port_for_anyone() {
    let mut world = site_with_ports(0);
    world.dial("1001", "1002");
    world.close();

    assert_eq!(world.status_of("1001"), 503);
    assert!(world.phone("1001").line().retry_after.is_some());
    assert_eq!(world.node().calls_refused, 1);
    assert!(world.phone("1002").lines.is_empty());
}

/// A port for the caller, none for the callee.
#[test]
fn no_port_for_the_callee() {
    let mut world = site_with_ports(1);
    world.dial("1001", "1002");
    world.close();

    assert_eq!(world.ends(), [(503, "no_port".to_owned())]);
    assert_eq!(world.status_of("1001"), 503);
    assert!(world.phone("1001").line().retry_after.is_some());
    assert!(world.phone("1002").lines.is_empty());
}

/// Two ports are enough for any number of calls, one after the other.
#[test]
fn ports_come_back() {
    let mut world = site_with_ports(2);
    for _ in 0..5 {
        crate::answered::talking(&mut world);
        world.hang_up("1001");
        world.run(Duration::from_secs(5));
    }
    world.close();
    assert_eq!(world.node().ports_spare, 2);
    assert_eq!(world.ends().len(), 5);
}

/// The ledger cannot write: calls go on, new ones are refused.
#[test]
fn no_room_in_the_ledger() {
    in_all_weathers(SITE, |world| {
        crate::answered::talking(world);
        world.input(Input::Room(false));
        world.dial("1005", "1006");
        world.until("it is refused", |world| world.stage("1005") == Stage::Over);
        assert_eq!(world.status_of("1005"), 503);

        assert!(world.talk("1001", "1002"));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// The node stops: everyone is hung up, whatever he was in.
#[test]
fn the_node_stops() {
    in_all_weathers(SITE, |world| {
        crate::answered::talking(world);
        world.dial("1006", "601");
        world.until("an agent rings", |world| world.rings("1003"));
        world.input(Input::Stop);
        for name in ["1001", "1002", "1003", "1006"] {
            world.until("it is over", |world| world.stage(name) == Stage::Over);
        }
    });
}

/// The media thread is dead: the books are closed without it after ten seconds.
#[test]
fn the_media_says_nothing() {
    let mut world = World::new(SITE);
    crate::answered::talking(&mut world);
    world.studio.is_dead = true;
    world.hang_up("1001");
    world.run(Duration::from_secs(9));
    assert_eq!(world.ends().len(), 0);
    world.run(Duration::from_secs(2));
    assert_eq!(world.ends().len(), 1);
    world.close();
}

fn site_with_ports(ports: u16) -> World {
    let config = config::parse("site.toml", SITE).expect("the site is right");
    let mut world = World::empty(config, ports);
    for name in ["1001", "1002"] {
        world.add_phone(name);
        world.register(name);
        world.set(name, |phone| phone.manner = Manner::Rings);
    }
    world
}
