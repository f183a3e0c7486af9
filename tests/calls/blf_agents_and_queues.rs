//! Keys show agents and queues: who is free, rings, talks or is away; whether callers wait.

use crate::blf_ringing::watch;
use crate::queue::rung;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::switch::request::{AgentChange, Reply, Request};
use strowger::time::Duration;

#[test]
fn an_agents_key_follows_his_call() {
    in_all_weathers(SITE, |world| {
        watch(world, "1002", "agent-a", "dialog");
        watch(world, "1002", "agent-a", "presence");
        assert_eq!(world.shows("1002", 0), "off");
        assert_eq!(world.shows("1002", 1), "open");

        world.dial("1001", "604");
        world.until("it blinks", |world| world.shows("1002", 0) == "early");
        world.until("who is told", |world| world.phone("1002").lamps[0].body().contains("Ann"));
        world.until("1003 rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("it is lit", |world| world.shows("1002", 0) == "confirmed");
        world.until("they talk", |world| world.talk("1001", "1003"));
        note(world, "On a call");
        world.hang_up("1001");
        note(world, "After-call work");
        assert_eq!(world.shows("1002", 0), "confirmed");
        world.until("he is free", |world| world.shows("1002", 0) == "off");
        note(world, "Available");
    });
}

#[test]
fn who_is_away_or_gone_is_told_with_his_reason() {
    in_all_weathers(SITE, |world| {
        watch(world, "1002", "agent-a", "dialog");
        watch(world, "1002", "agent-a", "presence");

        change(world, AgentChange::Away { reason: Some("tea & <cake>".to_owned()) });
        note(world, "Away: tea &amp; &lt;cake&gt;");
        world.until("it is lit", |world| world.shows("1002", 0) == "confirmed");
        assert!(world.phone("1002").lamps[1].body().contains("<rpid:away/>"));
        change(world, AgentChange::LogOut);
        note(world, "Logged out");
        assert_eq!(world.shows("1002", 1), "closed");
        world.until("it is off", |world| world.shows("1002", 0) == "off");
    });
}

/// The queue's key by its name and by its number; queue `small` has one place and no agent.
#[test]
fn a_queues_key_blinks_while_callers_wait() {
    in_all_weathers(SITE, |world| {
        watch(world, "1002", "queue-turn", "dialog");
        watch(world, "1002", "602", "dialog");
        watch(world, "1002", "queue-small", "dialog");
        watch(world, "1002", "queue-small", "presence");
        assert_eq!(world.shows("1002", 3), "closed");

        world.dial("1001", "602");
        world.until("it blinks", |world| world.shows("1002", 0) == "early");
        world.until("the other too", |world| world.shows("1002", 1) == "early");
        assert!(world.phone("1002").lamps[0].body().contains("display=\"1 waiting\""));
        let seat = rung(world);
        world.answer(seat);
        world.until("nobody waits", |world| world.shows("1002", 0) == "off");
        world.until("they talk", |world| world.talk("1001", seat));
        world.hang_up("1001");
        world.settle();

        world.dial("1001", "605");
        world.until("it is full", |world| world.shows("1002", 2) == "confirmed");
        world.until("he waits", |world| world.stage("1001") == Stage::Talking);
        world.settle();
        world.hang_up("1001");
        world.until("nobody waits", |world| world.shows("1002", 2) == "off");
    });
}

fn change(world: &mut World, change: AgentChange) {
    let by = "test".to_owned();
    let reply = world.ask(Request::ChangeAgent { agent: "a".into(), change, by });
    assert!(matches!(reply, Reply::Agent(_)), "{reply:?}");
    world.run(Duration::from_millis(1)); // what the ACD decided is carried out with the next input
}

/// Waits until the presence of the second lamp says this.
fn note(world: &mut World, text: &str) {
    let text = format!("<note>{text}</note>");
    world.until("the note is told", |world| world.phone("1002").lamps[1].body().contains(&text));
}
