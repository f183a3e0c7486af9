//! A server of a trunk fails, or the whole trunk: the next one is tried, and the caller waits on.

use crate::site::SITE;
use crate::trunk_out::{record, sent};
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, OfferOutcome};
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn the_next_server_is_tried_after_a_503() {
    in_all_weathers(&site(), |world| {
        begin(world);
        world.set("one", |phone| phone.manner = Manner::Refuses(503));
        reached(world, "two");

        assert_eq!(attempts(world), [("a", Some(503)), ("a", Some(200))]);
    });
}

#[test]
fn pain_23_the_next_server_is_tried_when_one_is_silent() {
    in_all_weathers(&site(), |world| {
        begin(world);
        world.set("one", |phone| phone.manner = Manner::Dead);
        reached(world, "two");

        assert_eq!(attempts(world), [("a", None), ("a", Some(200))]);
    });
}

#[test]
fn the_fallback_is_tried_when_all_servers_have_failed() {
    in_all_weathers(&site(), |world| {
        begin(world);
        world.set("one", |phone| phone.manner = Manner::Refuses(500));
        world.set("two", |phone| phone.manner = Manner::Refuses(408));
        reached(world, "three");

        assert_eq!(attempts(world), [("a", Some(500)), ("a", Some(408)), ("b", Some(200))]);
    });
}

/// What the called party says is the caller's answer, whoever could be asked else.
#[test]
fn a_refusal_of_the_callee_is_final() {
    for (status, told) in [(486, 486), (404, 404), (480, 480), (603, 603), (403, 403), (302, 480)] {
        let mut world = World::new(&site());
        begin(&mut world);
        world.set("one", |phone| phone.manner = Manner::Refuses(status));
        world.dial("1001", "0555");
        world.close();

        assert_eq!(world.status_of("1001"), told, "{status}");
        assert_eq!(attempts(&world), [("a", Some(status))]);
    }
}

#[test]
fn a_caller_for_whom_nothing_works_gets_503() {
    in_all_weathers(&site(), |world| {
        begin(world);
        for name in ["one", "two", "three"] {
            world.set(name, |phone| phone.manner = Manner::Refuses(503));
        }
        world.dial("1001", "0555");
        world.until("it is refused", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.status_of("1001"), 503);
        assert_eq!(world.ends(), [(503, "trunk_failed".to_owned())]);
        assert_eq!(attempts(world).len(), 3);
    });
}

/// A server that rings and then fails: the caller is not told anew, and still reaches somebody.
#[test]
fn ringing_goes_on_over_a_failover() {
    in_all_weathers(&site(), |world| {
        begin(world);
        world.set("two", |phone| phone.manner = Manner::Answers(Duration::from_secs(2)));
        world.dial("1001", "0555");
        world.until("it rings", |world| world.rings("one"));
        world.settle();
        if world.rings("one") {
            world.act("one", |phone, now| phone.refuse(now, 503));
        }
        world.until("they talk", |world| world.talk("1001", "two"));
        world.settle();
        assert_eq!(world.phone("1001").line().statuses, [180, 200]);
        world.hang_up("1001");
    });
}

/// A 200 of a server that was given up is ended; the caller talks with the other.
#[test]
fn a_late_answer_of_a_silent_server_is_ended() {
    let mut world = World::new(&site());
    begin(&mut world);
    world.set("one", |phone| phone.manner = Manner::Dead);
    world.set("two", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "0555");
    world.until("the next is tried", |world| world.rings("two"));
    world.set("one", |phone| phone.manner = Manner::Answers(Duration::ZERO));
    world.until("they talk", |world| world.talk("1001", "two"));
    world.run(Duration::from_secs(10));

    assert_eq!(world.stage("one"), Stage::Over);
    assert!(world.talk("1001", "two"));
    world.hang_up("1001");
    world.close();
}

/// A server that speaks before it fails: the caller, who heard it, hears that it rings elsewhere.
#[test]
fn a_caller_who_heard_a_server_hears_ringing_after_it() {
    let mut world = World::new(&site());
    begin(&mut world);
    world.dial("1001", "0555");
    world.until("it rings", |world| world.rings("one"));
    world.act("one", |phone, now| phone.announce(now));
    world.until("the server is heard", |world| world.talk("1001", "one"));
    world.act("one", |phone, now| phone.refuse(now, 503));
    world.until("the next rings", |world| world.rings("two"));
    assert!(world.hears_prompt("1001", "ringback"));
    world.answer("two");
    world.until("they talk", |world| world.talk("1001", "two"));
    world.settle();
    world.hang_up("1001");
    world.close();
}

#[test]
fn a_full_trunk_is_passed_over() {
    let mut world = World::new(&site().replace("calls_max = 50", "calls_max = 1"));
    begin(&mut world);
    world.dial("1001", "0555");
    world.until("it rings", |world| world.rings("one"));
    world.dial("1002", "0555");
    world.until("the other rings", |world| world.rings("three"));

    assert!(world.has(|fact| matches!(fact, Fact::TrunkSkipped { why, .. } if why == "calls_max")));
    world.cancel("1001");
    world.cancel("1002");
    world.close();
}

#[test]
fn attempts_end_somewhere() {
    let servers: Vec<String> = (1..=12).map(|n| format!("\"203.0.113.{n}\"")).collect();
    let many = site().replace("\"203.0.113.1\", \"203.0.113.2\"", &servers.join(", "));
    let mut world = World::new(&many);
    for place in 1..=12 {
        world.add_provider(&format!("p{place}"), place);
        world.set(&format!("p{place}"), |phone| phone.manner = Manner::Refuses(503));
    }
    world.run(Duration::from_millis(100));
    world.dial("1001", "0555");
    world.close();

    assert_eq!(world.status_of("1001"), 503);
    assert_eq!(sent(&world, Method::Invite).len(), 8);
}

/// Two servers of one trunk, and another trunk.
pub fn site() -> String {
    format!(
        r#"{SITE}
        [[routes]]
        to = "0*"
        target = "trunk:a"
        [trunks.a]
        host = "sip.a.example"
        targets = ["203.0.113.1", "203.0.113.2"]
        fallback = "trunk:b"
        calls_max = 50
        qualify_every = "0s"
        [trunks.b]
        host = "203.0.113.3"
        qualify_every = "0s"
        "#
    )
}

pub fn begin(world: &mut World) {
    for (place, name) in [(1, "one"), (2, "two"), (3, "three")] {
        world.add_provider(name, place);
    }
    world.run(Duration::from_millis(100));
}

/// 1001 calls, and reaches this provider.
fn reached(world: &mut World, name: &str) {
    world.set(name, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "0555");
    world.until("they talk", |world| world.talk("1001", name));
    world.settle();
    world.hang_up("1001");
    world.until("the books are closed", |world| world.ends().len() == 1);
}

/// The attempts that are over, by trunk, with their statuses.
fn attempts(world: &World) -> Vec<(&'static str, Option<u16>)> {
    let over = record(world).attempts.into_iter().filter(|attempt| {
        attempt.ended.is_some() && attempt.outcome != Some(OfferOutcome::CallerGone)
    });
    over.map(|attempt| (&*attempt.trunk.to_string().leak(), attempt.status)).collect()
}
