//! Do not disturb: busy for everyone, no queue calls; kept over a restart.

use crate::blf_ringing::watch;
use crate::forward::code;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::switch::request::{Reply, Request};
use strowger::time::Duration;

#[test]
fn callers_are_told_that_it_is_busy() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*78", "service-on");
        world.dial("1001", "1002");
        world.until("it is refused", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), 486);
        assert_eq!(world.phone("1002").lines.len(), 1);
        world.settle();

        code(world, "1002", "*79", "service-off");
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.cancel("1001");
        world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
    });
}

/// The agent at such a phone gets no queue calls; over a restart neither.
#[test]
fn no_queue_calls() {
    let mut world = World::new(SITE);
    watch(&mut world, "1002", "agent-a", "dialog");
    watch(&mut world, "1002", "agent-a", "presence");
    code(&mut world, "1003", "*78", "service-on");
    world.run(Duration::from_secs(40));
    assert_eq!(world.shows("1002", 0), "confirmed");
    assert!(world.phone("1002").lamps[1].body().contains("<note>Do not disturb</note>"));
    let Reply::Agents(agents) = world.ask(Request::Agents) else { panic!("asked for agents") };
    assert_eq!(agents.iter().find_map(|it| it.reason.as_deref()), Some("do-not-disturb"));
    for _ in 0..2 {
        world.dial("1001", "604");
        world.until("he waits", |world| world.stage("1001") == Stage::Talking);
        world.run(Duration::from_secs(3));
        assert_eq!(world.phone("1003").lines.len(), 1, "agent a is not rung");
        world.hang_up("1001");
        world.run(Duration::from_secs(40));
        world.restart();
    }
    world.entries.clear();
    code(&mut world, "1003", "*79", "service-off");
    world.until("he is shown as free", |world| world.shows("1002", 0) == "off");
    world.dial("1001", "604");
    world.until("the agent rings", |world| world.rings("1003"));
    world.hang_up("1001");
    world.close();
}

/// Who wants no calls can have them sent on.
#[test]
fn with_a_forward_for_busy() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*78", "service-on");
        code(world, "1002", "*901006", "service-on");
        world.dial("1001", "1002");
        world.until("the third rings", |world| world.rings("1006"));
        world.cancel("1001");
        world.until("it rings no more", |world| world.stage("1006") == Stage::Over);
    });
}
