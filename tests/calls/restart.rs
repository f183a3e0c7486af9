//! The process dies in the middle of everything, and starts again.

use crate::answered::talking;
use crate::queue::rung;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{EPOCH, World, in_all_weathers};
use strowger::cdr::entry::AgentState;
use strowger::switch::request::AgentChange;
use strowger::time::Duration;

/// Both phones of a call are told that it is over.
#[test]
fn kept_dialogs_get_a_bye() {
    in_all_weathers(SITE, |world| {
        talking(world);
        assert_eq!(dialogs(world), 2);
        world.restart();
        world.entries.clear(); // the ledger closes the books of calls that died with the process
        for name in ["1001", "1002"] {
            world.until("it is told", |world| world.stage(name) == Stage::Over);
            let reason = world.phone(name).line().reason.clone().expect("the BYE says why");
            assert!(reason.contains("503"), "{reason}");
        }
        assert_eq!(dialogs(world), 0);
    });
}

/// An agent on a call of a queue without after-call work is available after it: that call is over.
#[test]
fn an_agent_on_a_call_is_available_again() {
    let mut world = World::new(SITE);
    world.dial("1001", "601");
    let seat = rung(&mut world);
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.run(Duration::from_secs(1));
    world.restart();
    world.entries.clear();
    world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
    world.run(Duration::from_secs(1));

    assert_eq!(world.agent("a"), AgentState::Available);
    assert_eq!(world.agent("b"), AgentState::Available);
    world.close();
}

/// He goes on with his after-call work to the moment when it would have ended, then has the break
/// that he asked for in the call.
#[test]
fn an_agent_in_wrap_up_goes_on_with_it_and_has_his_break_then() {
    let mut world = World::new(&with_wrap_up());
    let seat = talking_agent(&mut world);
    world.order("a", AgentChange::Away { reason: Some("lunch".into()) });
    world.hang_up("1001");
    world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
    world.run(Duration::from_secs(5));
    world.order("a", AgentChange::WrapUpExtend);
    let before = world.agent_view("a");
    assert_eq!((before.state, before.then), (AgentState::WrapUp, Some(AgentState::Away)));

    world.restart();
    let after = world.agent_view("a");
    assert_eq!((after.state, after.then), (before.state, before.then));
    let (until, former) = (after.until.expect("it ends"), before.until.expect("it ends"));
    assert!(until.since(former).max(former.since(until)) < Duration::from_millis(10));
    assert_eq!(after.reason.as_deref(), Some("lunch"));
    world.run(until.since(EPOCH.wall(world.now)) - Duration::from_millis(50));
    assert_eq!(world.agent("a"), AgentState::WrapUp);
    world.run(Duration::from_millis(100));
    assert_eq!(world.agent("a"), AgentState::Away);
    world.close();
}

/// The talk is over with the process; the work after it begins.
#[test]
fn an_agent_on_a_call_has_his_wrap_up_after_it() {
    let mut world = World::new(&with_wrap_up());
    talking_agent(&mut world);
    world.order("a", AgentChange::Away { reason: Some("lunch".into()) });
    world.order("a", AgentChange::Away { reason: Some("tea".into()) });

    world.restart();
    world.entries.clear();
    let after = world.agent_view("a");
    assert_eq!((after.state, after.then), (AgentState::WrapUp, Some(AgentState::Away)));
    assert_eq!(after.reason.as_deref(), Some("tea"));
    world.order("a", AgentChange::WrapUpDone);
    assert_eq!(world.agent("a"), AgentState::Away);
    world.close();
}

#[test]
fn an_agent_who_wanted_to_go_home_after_the_call_has_gone() {
    let mut world = World::new(&with_wrap_up());
    talking_agent(&mut world);
    world.order("a", AgentChange::LogOut);
    assert_eq!(world.agent("a"), AgentState::OnCall);

    world.restart();
    world.entries.clear();
    assert_eq!(world.agent("a"), AgentState::LoggedOut);
    world.close();
}

/// His phone was there all the time; it logs him in when it has been gone and comes back, before
/// the restart or after it.
#[test]
fn who_was_logged_out_by_order_stays_so() {
    for gone_before in [false, true] {
        let mut world = World::new(SITE);
        world.order("a", AgentChange::LogOut);
        let leaves = |world: &mut World| {
            world.act("1003", |phone, now| phone.register(now, 0));
            world.settle();
        };
        if gone_before {
            leaves(&mut world);
        }
        world.restart();
        assert_eq!(world.agent("a"), AgentState::LoggedOut);
        assert_eq!(world.agent("b"), AgentState::Available);
        if !gone_before {
            leaves(&mut world);
        }
        world.register("1003");
        world.settle();
        assert_eq!(world.agent("a"), AgentState::Available);
        world.close();
    }
}

/// Nobody else is there: he is held as before, in his call and after it.
#[test]
fn a_break_that_waits_for_another_waits_on() {
    for in_wrap_up in [false, true] {
        let rule = "[queues.turn]\nwrap_up = \"20s\"\nlast_break = \"delay\"\n";
        let mut world = World::new(&SITE.replace("[queues.turn]\n", rule));
        let seat = talking_agent(&mut world);
        world.order("a", AgentChange::Away { reason: Some("tea".into()) });
        if in_wrap_up {
            world.hang_up("1001");
            world.until("the agent is told", |world| world.stage(seat) == Stage::Over);
        }
        world.restart();
        let after = world.agent_view("a");
        assert_eq!((after.state, after.break_held), (AgentState::WrapUp, true), "{in_wrap_up}");
        world.run(Duration::from_secs(30));
        let then = world.agent_view("a");
        assert_eq!((then.state, then.break_held), (AgentState::Available, true), "{in_wrap_up}");
        assert_eq!(then.reason.as_deref(), Some("tea"));
        world.order("b", AgentChange::LogIn { extension: None });
        assert_eq!(world.agent("a"), AgentState::Away);
        world.entries.clear();
        world.close();
    }
}

/// Neither is the last one's break refused that he had already, nor is one forgotten that waits.
#[test]
fn a_last_ones_break_is_as_before() {
    for (rule, had, state) in
        [("refuse", true, AgentState::Away), ("delay", false, AgentState::Available)]
    {
        let rule = format!("[queues.turn]\nlast_break = \"{rule}\"\n");
        let mut world = World::new(&SITE.replace("[queues.turn]\n", &rule));
        if had {
            world.order("a", AgentChange::AwayAnyway { reason: Some("drill".into()) });
        }
        for other in ["b", "c"] {
            world.order(other, AgentChange::LogOut);
        }
        if !had {
            world.order("a", AgentChange::Away { reason: Some("drill".into()) });
        }
        world.restart();
        let after = world.agent_view("a");
        assert_eq!((after.state, after.break_held), (state, !had));
        assert_eq!(after.reason.as_deref(), Some("drill"));
        world.close();
    }
}

/// The site, with after-call work in the queue at 602.
fn with_wrap_up() -> String {
    SITE.replace("[queues.turn]\n", "[queues.turn]\nwrap_up = \"20s\"\n")
}

/// Agent a talks with a caller: his seat.
fn talking_agent(world: &mut World) -> &'static str {
    for other in ["b", "c"] {
        world.order(other, AgentChange::LogOut);
    }
    world.dial("1001", "602");
    let seat = rung(world);
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();
    seat
}

fn dialogs(world: &World) -> usize {
    world.store.keys().filter(|key| key.starts_with("dialogs/")).count()
}
