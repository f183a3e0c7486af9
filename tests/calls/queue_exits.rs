//! A queue that is full, waited in too long, or served by nobody.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, QueueLeft};
use strowger::time::Duration;

#[test]
fn a_full_queue_sends_the_caller_on() {
    in_all_weathers(SITE, |world| {
        waiting(world, "605");
        world.dial("1002", "605");
        world.until("the second hears it", |world| world.hears_prompt("1002", "busy"));
        world.until("the second is hung up", |world| world.stage("1002") == Stage::Over);
        assert!(left(world, QueueLeft::Full));
        world.settle();
        if world.stage("1001") == Stage::Talking {
            world.hang_up("1001");
        }
    });
}

#[test]
fn who_waits_too_long_is_sent_on() {
    in_all_weathers(SITE, |world| {
        waiting(world, "605");
        world.until("he hears it", |world| world.hears_prompt("1001", "nobody"));
        world.until("he is hung up", |world| world.stage("1001") == Stage::Over);

        assert!(left(world, QueueLeft::TimedOut));
    });
}

#[test]
fn a_queue_without_agents_sends_the_caller_on() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "606");
        world.until("he hears it", |world| world.hears_prompt("1001", "nobody"));
        world.until("he is hung up", |world| world.stage("1001") == Stage::Over);

        assert!(left(world, QueueLeft::Empty));
        assert!(!left(world, QueueLeft::TimedOut));
    });
}

/// The last agent logs out while callers wait.
#[test]
fn a_queue_whose_last_agent_leaves_sends_the_callers_on() {
    let mut world = World::new(SITE);
    crate::codes::log_in(&mut world, "1006");
    world.run(Duration::from_secs(3));
    world.act("1006", |phone, now| {
        phone.manner = crate::world::phone::Manner::Refuses(486);
        let _ = now;
    });
    waiting(&mut world, "606");
    world.act("1006", |phone, now| phone.register(now, 0));
    let logged_out = strowger::switch::request::Request::ChangeAgent {
        agent: "17".into(),
        change: strowger::switch::request::AgentChange::LogOut,
        by: "test".to_owned(),
    };
    world.ask(logged_out);
    world.input(strowger::switch::Input::Tick);
    world.until("he hears it", |world| world.hears_prompt("1001", "nobody"));
    assert!(left(&world, QueueLeft::Empty));
    world.close();
}

fn left(world: &World, how: QueueLeft) -> bool {
    world.has(|fact| matches!(fact, Fact::QueueLeft { why, .. } if *why == how))
}
