//! A queue calls for attention: too many wait, one waits too long, nobody is there for them.

use crate::hold::offer;
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::Stage;
use strowger::cdr::entry::{AlarmKind, AlarmKind::*, Fact};
use strowger::switch::request::AgentChange;
use strowger::time::Duration;

#[test]
fn too_many_callers_raise_an_alarm_and_fewer_take_it_back() {
    let mut world = watched("waiting = 2");
    world.dial("1001", "601");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world), []);
    world.dial("1002", "601");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world), [(Waiting, true, 2, 2)]);
    world.hang_up("1002");
    world.run(Duration::from_secs(1));

    assert_eq!(told(&world), [(Waiting, true, 2, 2), (Waiting, false, 1, 2)]);
    world.hang_up("1001");
    world.close();
}

/// In the moment when it is so, though nothing else happens then.
#[test]
fn who_waits_too_long_raises_an_alarm_in_time() {
    let mut world = watched("longest_wait = \"30s\"");
    world.dial("1001", "601");
    world.run(Duration::from_secs(29));
    assert_eq!(told(&world), []);
    world.run(Duration::from_secs(2));
    assert_eq!(told(&world), [(LongestWait, true, 30, 30)]);
    world.dial("1002", "601");
    world.run(Duration::from_secs(5));
    world.hang_up("1001");
    world.run(Duration::from_secs(1));

    let after = told(&world);
    assert!(matches!(after[..], [_, (LongestWait, false, 4 | 5, 30)]), "{after:?}");
    world.hang_up("1002");
    world.close();
}

/// An agent puts a caller on hold and forgets him: it is told in the moment when it is so, with his
/// name. That the caller himself holds is nobody's fault.
#[test]
fn pain_24_who_is_forgotten_on_hold_raises_an_alarm() {
    let mut world = watched("longest_hold = \"30s\"");
    world.dial("1001", "601");
    world.until("c is rung", |world| world.rings("1005"));
    world.answer("1005");
    world.until("they talk", |world| world.talk("1001", "1005"));
    offer(&mut world, "1001", "", "sendonly");
    world.run(Duration::from_secs(40));
    offer(&mut world, "1001", "", "sendrecv");
    offer(&mut world, "1005", "", "sendonly");
    world.run(Duration::from_secs(29));
    assert_eq!(told(&world), []);

    world.run(Duration::from_secs(2));
    assert_eq!(told(&world), [(LongestHold, true, 30, 30)]);
    let forgets =
        |fact: &Fact| matches!(fact, Fact::HeldTooLong { agent, .. } if *agent == "c".into());
    assert_eq!(world.facts().filter(|fact| forgets(fact)).count(), 1);
    world.run(Duration::from_secs(60));
    offer(&mut world, "1005", "", "sendrecv");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world)[1..], [(LongestHold, false, 0, 30)]);

    // A second time, and the caller hangs up.
    offer(&mut world, "1005", "", "sendonly");
    world.run(Duration::from_secs(31));
    assert_eq!(told(&world)[2..], [(LongestHold, true, 30, 30)]);
    assert_eq!(world.facts().filter(|fact| forgets(fact)).count(), 2);
    world.hang_up("1001");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world)[3..], [(LongestHold, false, 0, 30)]);
    world.close();
}

/// The last one goes away while somebody waits; she is back, or nobody waits any more.
#[test]
fn callers_for_whom_nobody_is_there_raise_an_alarm() {
    for back in [true, false] {
        let mut world = watched("nobody = true");
        world.dial("1001", "601");
        world.run(Duration::from_secs(1));
        assert_eq!(told(&world), [], "agent c is there");
        world.order("c", AgentChange::Away { reason: None });
        assert_eq!(told(&world), [(Nobody, true, 1, 0)]);
        if back {
            world.order("c", AgentChange::Available);
        } else {
            world.hang_up("1001");
            world.run(Duration::from_secs(1));
        }

        assert_eq!(told(&world)[1..], [(Nobody, false, u64::from(back), 0)]);
        world.hang_up("1001");
        world.close();
    }
}

/// Nobody waits any more: whoever was told that it is raised is told that it is not.
#[test]
fn a_restart_takes_alarms_back() {
    let mut world = watched("waiting = 1");
    world.dial("1001", "601");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world), [(Waiting, true, 1, 1)]);
    world.restart();
    assert_eq!(told(&world)[1..], [(Waiting, false, 0, 1)]);
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    world.restart();
    assert_eq!(told(&world).len(), 2); // the agent's phone rings on: it cannot be told
}

#[test]
fn a_reload_without_limits_takes_alarms_back() {
    let mut world = watched("waiting = 1");
    world.dial("1001", "601");
    world.run(Duration::from_secs(1));
    assert_eq!(told(&world), [(Waiting, true, 1, 1)]);
    world.reload(SITE);
    assert_eq!(told(&world)[1..], [(Waiting, false, 1, 0)]);
    world.hang_up("1001");
    world.close();
}

/// Agents a and b are logged out, c's phone rings for ever.
fn watched(alarms: &str) -> World {
    let queue = format!("[queues.idle]\nalarms = {{ {alarms} }}\n");
    let site = SITE.replace("[queues.idle]\n", &queue).replace("\"10s\"", "\"5m\"");
    let mut world = World::new(&site);
    for agent in ["a", "b"] {
        world.order(agent, AgentChange::LogOut);
    }
    world
}

fn told(world: &World) -> Vec<(AlarmKind, bool, u64, u64)> {
    let told = world.facts().filter_map(|fact| match fact {
        Fact::Alarm { queue, kind, raised, value, limit } => {
            assert_eq!(queue.as_str(), "idle");
            Some((*kind, *raised, *value, *limit))
        }
        _ => None,
    });
    told.collect()
}
