//! A server of a trunk that failed is tried last by the next calls (RFC 3263 §4.3), and not at all
//! while its Retry-After lasts (RFC 3261 §21.5.4); it comes back by itself.
//!
//! Not in storms: a lost answer is a failure of its server here, so each storm would have another
//! order, and only a second account of the rules could say which is right.

use crate::trunk_failover::{self, begin};
use crate::world::phone::{Manner, Stage};
use crate::world::{EPOCH, World};
use strowger::cdr::entry::Fact;
use strowger::sip::flow::{ConnectionId, Flow, Loss, Transport};
use strowger::switch::Input;
use strowger::time::Duration;

#[test]
fn after_a_503_the_next_call_begins_elsewhere_for_a_minute() {
    let mut world = World::new(&site("0s"));
    begin(&mut world);
    world.set("one", |phone| phone.manner = Manner::Refuses(503));
    assert_eq!(tried(&mut world), ["one", "two"]);
    assert!((59..=60).contains(&rests(&mut world, "unavailable")));
    world.set("one", |phone| phone.manner = Manner::Rings);
    assert_eq!(tried(&mut world), ["two"]);
    world.run(Duration::from_secs(60));

    assert_eq!(world.trunk("a").servers[0].resting, None);
    assert_eq!(tried(&mut world), ["one"]);
    world.close();
}

#[test]
fn a_server_that_says_nothing_is_tried_last() {
    let mut world = World::new(&site("0s"));
    begin(&mut world);
    world.set("one", |phone| phone.manner = Manner::Dead);
    assert_eq!(tried(&mut world), ["one", "two"]);
    assert_eq!(tried(&mut world), ["two"]);
    assert!(rests(&mut world, "silent") <= 60);
    // If all are in trouble, the one that failed first is as good as any.
    world.set("two", |phone| phone.manner = Manner::Refuses(503));
    assert_eq!(tried(&mut world), ["two", "one", "three"]);
    world.close();
}

/// What the called party says, and the server's answer to a call in progress, is no failure.
#[test]
fn a_busy_callee_leaves_the_order_as_it_is() {
    let mut world = World::new(&site("0s"));
    begin(&mut world);
    for status in [486, 404, 603] {
        world.set("one", |phone| phone.manner = Manner::Refuses(status));
        assert_eq!(tried(&mut world), ["one"]);
    }
    world.close();
}

/// A probe that is answered brings it back before its time.
#[test]
fn an_answered_probe_brings_a_server_back() {
    let mut world = World::new(&site("10s"));
    begin(&mut world);
    world.set("one", |phone| phone.manner = Manner::Refuses(503));
    assert_eq!(tried(&mut world), ["one", "two"]);
    world.set("one", |phone| phone.manner = Manner::Rings);
    world.run(Duration::from_secs(11));

    assert_eq!(tried(&mut world), ["one"]);
}

/// The server says for how long; its trunk is passed over meanwhile if it has no other.
#[test]
fn retry_after_is_kept_to() {
    let mut world = World::new(&site("10s"));
    begin(&mut world);
    for name in ["one", "two"] {
        world.set(name, |phone| phone.manner = Manner::Refuses(503));
        world.provider(name).retry_after = Some(40);
    }
    assert_eq!(tried(&mut world), ["one", "two", "three"]);
    for name in ["one", "two"] {
        world.set(name, |phone| phone.manner = Manner::Rings);
    }
    assert!((39..=40).contains(&rests(&mut world, "retry_after")));
    world.run(Duration::from_secs(20));
    assert_eq!(tried(&mut world), ["three"]);
    let skipped =
        |fact: &Fact| matches!(fact, Fact::TrunkSkipped { why, .. } if why == "retry_after");
    assert!(world.has(skipped));
    world.run(Duration::from_secs(20));

    assert_eq!(tried(&mut world), ["one"]);
}

/// What is wrong with its certificate is told as such: an administrator has to mend it.
#[test]
fn a_server_that_cannot_be_verified_is_tried_last() {
    let mut world = World::new(&site("0s"));
    begin(&mut world);
    let address = |name: &str, world: &World| world.phone(name).address;
    let (local, remote) = (([192, 0, 2, 1], 5060).into(), address("one", &world));
    let (transport, connection) = (Transport::Udp, ConnectionId::default());
    let flow = Flow { transport, local, remote, connection };
    world.input(Input::Closed { flow, why: Loss::Unverified });
    assert!((59..=60).contains(&rests(&mut world, "certificate")));
    assert_eq!(tried(&mut world), ["two"]);
    world.close();
}

/// Emergency calls try whatever there is.
#[test]
fn an_emergency_call_does_not_wait_for_retry_after() {
    let emergency = "[emergency]\nnumbers = [\"112\"]\ntrunks = [\"a\"]\n";
    let mut world = World::new(&format!("{}{emergency}", site("0s")));
    begin(&mut world);
    for name in ["one", "two"] {
        world.set(name, |phone| phone.manner = Manner::Refuses(503));
        world.provider(name).retry_after = Some(40);
    }
    assert_eq!(tried(&mut world), ["one", "two", "three"]);
    world.set("one", |phone| phone.manner = Manner::Rings);
    world.dial("1001", "112");
    world.until("it rings", |world| world.rings("one"));
    world.cancel("1001");
    world.close();
}

/// The site of `trunk_failover`, whose servers are asked so often.
fn site(every: &str) -> String {
    trunk_failover::site().replacen(
        "qualify_every = \"0s\"",
        &format!("qualify_every = \"{every}\""),
        1,
    )
}

/// For how many seconds the first server is left alone yet, for this reason.
fn rests(world: &mut World, why: &str) -> u64 {
    let servers = world.trunk("a").servers;
    let resting = servers[0].resting.clone().expect("it rests");
    assert_eq!(resting.why, why);
    let now = EPOCH.wall(world.now);
    u64::try_from((resting.until.as_micros() - now.as_micros()) / 1_000_000).expect("it is to come")
}

/// 1001 calls, and gives up when it rings or is refused; the providers that were tried, in order.
fn tried(world: &mut World) -> Vec<&'static str> {
    let before = world.entries.len();
    let calls = world.ends().len();
    world.dial("1001", "0555");
    world.until("it rings, or is over", |world| {
        let line = world.phone("1001").line();
        line.statuses.contains(&180) || line.stage == Stage::Over
    });
    if world.stage("1001") == Stage::Calling {
        world.cancel("1001");
    }
    world.until("the books are closed", |world| world.ends().len() > calls);
    world.run(Duration::from_millis(100));
    let servers = world.entries[before..].iter().filter_map(|entry| match &entry.fact {
        Fact::Attempt { server, .. } => Some(server.as_str()),
        _ => None,
    });
    let name = |server: &str| match server {
        "udp:203.0.113.1:5060" => "one",
        "udp:203.0.113.2:5060" => "two",
        "udp:203.0.113.3:5060" => "three",
        other => panic!("{other}"),
    };
    servers.map(name).collect()
}
