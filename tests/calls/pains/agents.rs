//! Agents: offers that end, waves, after-call work, counts, refusals, phones that are not there.

use super::site;
use crate::attended_transfer::{complete, consult};
use crate::blf_ringing::watch;
use crate::blind_transfer::hold;
use crate::queue::waiting;
use crate::site::SITE;
use crate::world::World;
use crate::world::phone::{Manner, Stage};
use strowger::cdr::decision::PassedWhy;
use strowger::cdr::entry::{AgentState, Fact};
use strowger::switch::request::AgentChange;
use strowger::time::Duration;

const TWELVE: u32 = 12;

fn crew() -> World {
    let queue = "[queues.all]\nnumber = \"600\"\nstrategy = \"ring-all\"\nmembers = EVERYONE\n\
                 ring_timeout = \"10s\"\n";
    World::with_ports(&site(TWELVE, queue), 60)
}

/// Waves that end by the caller, by their time, by an answer, and at phones that are dead.
#[test]
fn pain_02_no_agent_stays_reserved_when_twelve_ring() {
    let mut world = crew();
    let all = |world: &World| seats().all(|seat| world.rings(&seat));
    let free = |world: &mut World| {
        for number in 1..=TWELVE {
            let agent = world.agent_view(&format!("a{number}"));
            assert_eq!((agent.state, agent.held_back), (AgentState::Available, None), "{number}");
        }
    };
    world.dial("1001", "600");
    world.until("all ring", all);
    world.hang_up("1001");
    world.until("all are quiet", |world| seats().all(|seat| world.stage(&seat) == Stage::Over));
    free(&mut world);

    world.dial("1001", "600");
    world.until("all ring", all);
    world.run(Duration::from_secs(11));
    world.until("all ring again", all);
    world.answer("2007");
    world.until("they talk", |world| world.talk("1001", "2007"));
    world.settle();
    world.hang_up("1001");
    world.settle();
    free(&mut world);

    seats().for_each(|seat| world.set(&seat, |phone| phone.manner = Manner::Dead));
    world.dial("1001", "600");
    world.run(Duration::from_secs(20));
    world.hang_up("1001");
    world.run(Duration::from_secs(10));
    free(&mut world);
    seats().for_each(|seat| world.set(&seat, |phone| phone.manner = Manner::Rings));
    world.close();
}

/// One is busy with a private call, one refuses: the others are rung once a wave.
#[test]
fn pain_05_each_wave_rings_everyone_once() {
    let mut world = crew();
    world.dial("2012", "1002");
    world.until("the private call rings", |world| world.rings("1002"));
    world.entries.clear();
    world.set("2003", |phone| phone.manner = Manner::Refuses(486));
    world.dial("1001", "600");
    for wave in 0..3 {
        world.run(Duration::from_secs(if wave == 0 { 14 } else { 15 }));
        let mut rung: Vec<String> = std::mem::take(&mut world.entries)
            .iter()
            .filter_map(|entry| match &entry.fact {
                Fact::Offered { agent: Some(agent), .. } => Some(agent.to_string()),
                _ => None,
            })
            .collect();
        rung.sort_unstable();
        rung.retain(|agent| agent != "a3");
        let mut others: Vec<String> =
            (1..TWELVE).filter(|it| *it != 3).map(|it| format!("a{it}")).collect();
        others.sort_unstable();
        assert_eq!(rung, others, "wave {wave}");
    }
}

/// Agent a serves two queues; the after-call work of the one holds back the calls of the other.
#[test]
fn pain_09_wrap_up_holds_for_all_queues_and_after_a_transfer() {
    for transferred in [false, true] {
        let mut world = World::new(SITE);
        for other in ["b", "c"] {
            world.order(other, AgentChange::LogOut);
        }
        world.dial("1001", "604");
        world.until("agent a rings", |world| world.rings("1003"));
        world.answer("1003");
        world.until("they talk", |world| world.talk("1001", "1003"));
        world.settle();
        if transferred {
            hold(&mut world, "1003");
            world.until("music plays", |world| world.hears_prompt("1001", "hold"));
            world.settle();
            consult(&mut world, "1003", "1006");
            complete(&mut world, "1003", 0, 1);
            world.until("the others talk", |world| world.talk("1001", "1006"));
        } else {
            world.hang_up("1003");
        }
        world.until("he has after-call work", |world| {
            world.has(|fact| matches!(fact, Fact::WrapUpBegan { .. }))
        });
        let began = world.now;
        world.dial("1002", "601");
        world.until("he is rung", |world| world.rings("1003"));

        assert!(world.now.since(began) >= Duration::from_secs(10), "{transferred}");
        assert!(world.now.since(began) < Duration::from_millis(10_100), "{transferred}");
        world.hang_up("1002");
        world.settle();
        if world.stage("1001") == Stage::Talking {
            world.hang_up("1001");
        }
        world.close();
    }
}

#[test]
fn pain_10_wrap_up_is_to_be_seen_everywhere() {
    let mut world = World::new(SITE);
    watch(&mut world, "1002", "agent-a", "presence");
    world.dial("1001", "604");
    world.until("agent a rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.hang_up("1001");
    world.settle();

    let seen = world.agent_view("a");
    assert_eq!((seen.state, seen.held_back), (AgentState::WrapUp, Some(PassedWhy::WrapUp)));
    assert!(seen.until.is_some());
    assert!(world.phone("1002").lamps[0].body().contains("After-call work"));
    let told = |fact: &Fact| matches!(fact, Fact::Agent { to: AgentState::WrapUp, .. });
    assert!(world.has(told));
    world.run(Duration::from_secs(15));
    world.close();
}

/// Agent a answers twice, since he hangs up during the greeting: that is one call of his.
#[test]
fn pain_12_one_call_is_counted_once() {
    let mut world = World::new(SITE);
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_millis(100)));
    world.dial("1001", "604");
    world.until("he hears that it rings", |world| world.hears_prompt("1003", "ringback"));
    world.hang_up("1003");
    world.until("they talk in the end", |world| world.talk("1001", "1003"));
    world.settle();
    assert_eq!(world.phone("1003").lines.len(), 2, "he answered twice");
    world.hang_up("1001");
    world.close();

    assert_eq!(world.agent_view("a").calls, 1);
    let queued = world.facts().filter(|fact| matches!(fact, Fact::Queued { .. })).count();
    let left = world.facts().filter(|fact| matches!(fact, Fact::QueueLeft { .. })).count();
    assert_eq!((queued, left), (1, 1));
}

/// By every strategy it is the first one's turn; he refuses, and others are able.
#[test]
fn pain_20_who_refused_is_not_rung_again_while_others_are_able() {
    for strategy in [
        "fewest-calls",
        "least-busy",
        "least-talk",
        "linear",
        "most-idle",
        "round-robin",
        "round-robin-talk",
        "skills",
    ] {
        let queue = format!(
            "[acd]\nrefusal_pause = \"1s\"\n[queues.q]\nnumber = \"600\"\nmembers = EVERYONE\n\
             strategy = \"{strategy}\"\nring_timeout = \"30s\"\n"
        );
        let mut world = World::with_ports(&site(3, &queue), 20);
        world.dial("2003", "1002");
        world.until("the third is busy", |world| world.rings("1002"));
        world.set("2001", |phone| phone.manner = Manner::Refuses(603));
        waiting(&mut world, "600");
        world.until("the second rings", |world| world.rings("2002"));
        // The pause of the first is over, and the third is free; then the second refuses too.
        world.cancel("2003");
        world.run(Duration::from_secs(3));
        let first = world.phone("2001").lines.len();
        assert!(first <= 1, "{strategy}");
        world.act("2002", |phone, now| phone.refuse(now, 603));
        world.until("the third is rung", |world| world.rings("2003"));
        assert_eq!(world.phone("2001").lines.len(), 1, "{strategy}");
        world.set("2001", |phone| phone.manner = Manner::Rings);
        world.run(Duration::from_secs(3));
        world.act("2003", |phone, now| phone.refuse(now, 603));
        world.until("all have refused, and it is his turn again", |world| world.rings("2001"));
        world.hang_up("1001");
        world.close();
    }
}

/// A phone without registration, then one that wants no calls.
#[test]
fn pain_21_a_phone_that_is_not_there_does_not_count_as_available() {
    let mut world = World::new(SITE);
    world.act("1003", |phone, now| phone.register(now, 0));
    world.settle();
    crate::forward::code(&mut world, "1004", "*78", "service-on");
    crate::codes::log_in(&mut world, "1006");
    world.act("1006", |phone, now| phone.register(now, 0));
    world.settle();
    let seen =
        [("a", PassedWhy::LoggedOut), ("b", PassedWhy::Busy), ("17", PassedWhy::Unreachable)];
    for (id, why) in seen {
        assert_eq!(world.agent_view(id).held_back, Some(why), "{id}");
    }
    assert_eq!(world.agent_view("b").reason.as_deref(), Some("do-not-disturb"));
    let dialled = world.phone("1004").lines.len();
    world.dial("1001", "603"); // rings all
    world.until("the third rings", |world| world.rings("1005"));
    world.run(Duration::from_secs(10));

    assert_eq!(world.phone("1003").lines.len(), 0);
    assert_eq!(world.phone("1004").lines.len(), dialled);
    world.hang_up("1001");
    world.close();
}

fn seats() -> impl Iterator<Item = String> {
    (2001..=2000 + TWELVE).map(|seat| seat.to_string())
}
