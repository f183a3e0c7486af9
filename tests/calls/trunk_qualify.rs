//! Servers of a trunk are asked whether they are there (RFC 3261 §11), and skipped when not.
//!
//! Pace and latency are looked at in good weather: a storm is what they measure.

use crate::site::SITE;
use crate::trunk_out::{begin, record, site};
use crate::world::phone::Manner;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, TrunkState};
use strowger::time::Duration;

/// A server that does not answer is down after three questions; calls skip it at once.
#[test]
fn a_dead_server_is_skipped_and_comes_back() {
    let mut world = asked("");
    world.run(Duration::from_secs(35));
    let trunk = world.trunk("itsp");
    assert!(trunk.servers[0].up);
    assert_eq!(trunk.servers[0].latency, Some(Duration::from_millis(2)));

    world.provider("itsp").answers_options = false;
    world.run(Duration::from_secs(60));
    assert!(world.trunk("itsp").servers[0].up, "one or two lost answers move nothing");
    world.run(Duration::from_secs(45));
    let trunk = world.trunk("itsp");
    assert_eq!((trunk.state, trunk.servers[0].up), (TrunkState::Down, false));
    let began = world.now;
    world.dial("1001", "0555");
    world.run(Duration::from_millis(100));
    assert_eq!(world.status_of("1001"), 503);
    assert!(world.has(|fact| matches!(fact, Fact::TrunkSkipped { why, .. } if why == "down")));
    assert!(world.now.since(began) < Duration::from_secs(1), "nobody waited");

    world.provider("itsp").answers_options = true;
    world.run(Duration::from_secs(70));
    assert_eq!(world.trunk("itsp").state, TrunkState::Up);
    let states: Vec<_> = world.facts().filter_map(state).collect();
    assert_eq!(states, [TrunkState::Up, TrunkState::Down, TrunkState::Up]);
}

/// Of two servers the one that is up is called, whichever stands first.
#[test]
fn the_server_that_is_up_is_called() {
    let two = "targets = ['203.0.113.8', '203.0.113.1']\n#";
    let site = site("").replace("qualify_every = \"0s\"", "").replace("targets = ", two);
    in_all_weathers(&site, |world| {
        begin(world);
        world.run(Duration::from_secs(120));
        let servers = world.trunk("itsp").servers;
        assert_eq!((servers[0].up, servers[1].up), (false, true));
        world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.dial("1001", "0555");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(record(world).attempts.len(), 1);
        world.reload(SITE); // nobody is asked any more, and nothing is left
    });
}

#[test]
fn questions_keep_their_pace() {
    let mut world = asked("");
    world.run(Duration::from_secs(299));

    assert_eq!(world.provider("itsp").options, 10);
}

#[test]
fn who_is_not_to_be_asked_is_not() {
    let mut world = World::new(&site(""));
    begin(&mut world);
    world.run(Duration::from_secs(300));

    assert_eq!(world.provider("itsp").options, 0);
    world.close();
}

/// A name that leads nowhere: the trunk takes no calls, and says so.
#[test]
fn a_trunk_without_servers_is_unresolved() {
    let named = site("").replace("targets = [\"203.0.113.1\"]", "");
    let mut world = World::new(&named);
    world.run(Duration::from_secs(30));
    assert_eq!(world.trunk("itsp").state, TrunkState::Unresolved);
    world.dial("1001", "0555");
    world.run(Duration::from_secs(1));
    assert_eq!(world.status_of("1001"), 503);

    world.names.addresses.insert("sip.itsp.example".into(), vec![[203, 0, 113, 1].into()]);
    begin(&mut world);
    world.run(Duration::from_secs(30));
    assert_eq!(world.trunk("itsp").state, TrunkState::Up);
    // The DNS fails: what it said last is still good.
    world.names.is_dead = true;
    world.run(Duration::from_secs(300));
    assert_eq!(world.trunk("itsp").state, TrunkState::Up);
    world.names.is_dead = false;
    world.close();
}

fn asked(more: &str) -> World {
    let mut world = World::new(&site(more).replace("qualify_every = \"0s\"", ""));
    begin(&mut world);
    world
}

fn state(fact: &Fact) -> Option<TrunkState> {
    match fact {
        Fact::Trunk { state, .. } => Some(*state),
        _ => None,
    }
}
