//! A new configuration while calls go on: they keep the one that they began with.

use crate::answered::talking;
use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::cdr::entry::{Fact, QueueLeft};
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
