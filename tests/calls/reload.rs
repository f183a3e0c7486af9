//! A new configuration while calls go on: they keep the one that they began with.

use crate::answered::talking;
use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, QueueLeft};
use strowger::switch::request::{Reply, Request};
use strowger::time::Duration;

/// The callee's account is gone from the new configuration; the call is not.
#[test]
fn a_call_goes_on_without_its_account() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.reload(&SITE.replace("[extensions.1002]", "[extensions.1099]"));
        world.run(Duration::from_secs(5));
        assert!(world.talk("1001", "1002"));
        world.hang_up("1002");
        world.close();

        world.dial("1001", "1002");
        world.close();
        assert_eq!(world.status_of("1001"), 404);
    });
}

#[test]
fn a_changed_password_stops_the_phone() {
    in_all_weathers(SITE, |world| {
        world.reload(&SITE.replace("one-1001", "another"));
        world.dial("1001", "1002");
        world.close();

        assert_eq!(world.status_of("1001"), 401);
    });
}

/// The queue is gone: its callers are not left in it for ever, and agents are rung no more.
#[test]
fn a_queue_that_is_gone_keeps_nobody() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        rung(world);
        world.reload(
            &SITE.replace("[queues.idle]", "[queues.other]").replace("queue:idle", "queue:other"),
        );
        world.until("the caller is sent on", |world| world.stage("1001") == Stage::Over);
        world.close();

        assert!(world.has(|fact| matches!(fact, Fact::QueueLeft { .. })));
        assert!(
            !world.has(|fact| { matches!(fact, Fact::QueueLeft { why: QueueLeft::Answered, .. }) })
        );
        assert_eq!(world.stage("1003"), Stage::Over);
    });
}

/// A key, his patience, and where it leads are those of the new configuration.
#[test]
fn who_waits_goes_by_the_new_configuration() {
    let mut world = World::new(SITE);
    let small = |wait: &str, then: &str| {
        let keys = "keys = { 5 = \"prompt:busy\" }\nmax_wait";
        let new = SITE.replace("on_timeout = \"prompt:nobody\"", then);
        new.replace("max_wait = \"20s\"", &format!("{keys} = \"{wait}\""))
    };
    waiting(&mut world, "605");
    let began = world.now;
    world.run(Duration::from_secs(5));
    world.reload(&small("40s", "on_timeout = \"prompt:welcome\""));
    world.until("he hears the new one", |world| world.hears_prompt("1001", "welcome"));
    let waited = world.now.since(began);
    assert!((38..42).contains(&waited.as_secs()), "{waited:?}");
    world.close();

    waiting(&mut world, "605");
    world.run(Duration::from_secs(15));
    let before = world.now;
    world.reload(&small("10s", ""));
    world.until("at once, for he has waited longer", |world| world.stage("1001") == Stage::Over);
    assert!(world.now.since(before) < Duration::from_secs(1));
    world.close();

    waiting(&mut world, "605");
    world.press("1001", '5');
    world.until("it leads somewhere", |world| world.hears_prompt("1001", "busy"));
    world.close();
}

/// He can be moved to a queue that did not exist when he called.
#[test]
fn who_waits_can_be_moved_to_a_new_queue() {
    let mut world = World::new(SITE);
    waiting(&mut world, "605");
    let call = world.entries.iter().rev().find_map(|entry| entry.call).expect("he has called");
    world.reload(&format!("{SITE}\n[queues.new]\nmembers = [\"b\"]\n"));
    let by = "boss".to_owned();
    let moved = world.ask(Request::MoveCaller { call, queue: "new".into(), by });
    assert!(!matches!(moved, Reply::Refused(_)), "{moved:?}");
    world.until("its member is rung", |world| world.rings("1004"));
    world.hang_up("1001");
    world.close();
}

/// The agent who is rung does not work here any more.
#[test]
fn an_agent_who_is_gone_is_rung_no_more() {
    in_all_weathers(SITE, |world| {
        waiting(world, "601");
        assert_eq!(rung(world), "1003");
        let without = SITE
            .replace("[agents.a]", "[agents.z]")
            .replace("\"a\", ", "")
            .replace("members = [\"a\"]", "members = [\"z\"]");
        world.reload(&without);
        world.until("the next rings", |world| world.rings("1004"));
        world.hang_up("1001");
        world.close();
        assert_eq!(world.stage("1003"), Stage::Over);
    });
}
