//! What a caller is told while he waits: how much longer, and messages between music.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::World;
use strowger::cdr::entry::Fact;
use strowger::time::Duration;

/// The wait is told when enough calls were handled to know it, in minutes that never rise; and
/// never again when it has lasted longer than was said.
#[test]
fn what_is_told_of_a_wait_never_rises() {
    let mut world = World::new(&site("position = true, wait = true, every = \"10s\""));
    talks_privately(&mut world);
    waiting(&mut world, "620");
    world.run(Duration::from_secs(30));
    assert_eq!(waits(&world), [], "nothing is known");
    world.hang_up("1001");
    world.hang_up("1002");
    world.run(Duration::from_secs(1));

    busy_for_a_while(&mut world);
    waiting(&mut world, "620");
    world.until("he is told", |world| world.hears_prompt("1001", "wait-up-to"));
    world.run(Duration::from_secs(300));

    let waits = waits(&world);
    assert!(waits.len() > 1, "{waits:?}");
    assert!(waits.windows(2).all(|two| two[1].1 <= two[0].1), "{waits:?}");
    let last = waits.iter().map(|(at, to)| at + u64::from(to * 60)).max();
    assert!(waits.iter().all(|(at, _)| Some(*at) < last), "{waits:?}");
    assert!(waits[0].1 <= 3, "{waits:?}");
    world.hang_up("1001");
    world.hang_up("1002");
    world.close();
}

/// An agent is rung, and answers, while the caller is being told something: neither waits for it.
#[test]
fn who_answers_meanwhile_has_him_at_once() {
    let mut world = World::new(&site("messages = [\"comfort\"], messages_every = \"5s\""));
    talks_privately(&mut world);
    waiting(&mut world, "620");
    world.until("he is told", |world| world.hears_prompt("1001", "comfort"));
    world.hang_up("1002");
    world.until("the agent is rung", |world| world.rings("1003"));
    assert!(world.hears_prompt("1001", "comfort"), "and the message plays on");
    world.answer("1003");
    world.run(Duration::from_millis(50));
    assert!(world.talk("1001", "1003"), "and is cut when he answers");
    world.run(Duration::from_secs(10));
    world.hang_up("1001");
    world.close();
}

#[test]
fn messages_come_in_turn_between_music() {
    let announce = "messages = [\"comfort\", \"please-wait\"], messages_every = \"10s\"";
    let mut world = World::new(&site(announce));
    talks_privately(&mut world);
    waiting(&mut world, "620");
    for prompt in ["comfort", "please-wait", "comfort"] {
        world.until(prompt, |world| world.hears_prompt("1001", prompt));
        world.until("music plays again", |world| world.hears_prompt("1001", "hold"));
    }
    let told: Vec<_> = world
        .facts()
        .filter_map(|fact| match fact {
            Fact::MessageTold { prompt, .. } => Some(prompt.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["comfort", "please-wait", "comfort"]);
    world.hang_up("1001");
    world.hang_up("1002");
    world.close();
}

/// Both are always due: they take turns.
#[test]
fn messages_leave_room_for_his_place() {
    let announce =
        "position = true, every = \"5s\", messages = [\"comfort\"], messages_every = \"5s\"";
    let mut world = World::new(&site(announce));
    talks_privately(&mut world);
    waiting(&mut world, "620");
    world.run(Duration::from_secs(42));
    let places = world.facts().filter(|it| matches!(it, Fact::PositionTold { .. })).count();
    let messages = world.facts().filter(|it| matches!(it, Fact::MessageTold { .. })).count();
    assert_eq!((places, messages), (4, 4));
    world.hang_up("1001");
    world.hang_up("1002");
    world.close();
}

/// The only agent is in a call of his own.
fn talks_privately(world: &mut World) {
    world.dial("1002", "1003");
    world.until("it rings", |world| world.rings("1003"));
    world.answer("1003");
    world.until("they talk", |world| world.talk("1002", "1003"));
}

/// The agent serves twelve calls of half a minute, and talks in one more.
fn busy_for_a_while(world: &mut World) {
    for call in 0..=12 {
        world.dial("1002", "620");
        world.until("the agent is rung", |world| world.rings("1003"));
        world.answer("1003");
        world.until("they talk", |world| world.talk("1002", "1003"));
        if call < 12 {
            world.run(Duration::from_secs(30));
            world.hang_up("1002");
            world.run(Duration::from_secs(1));
        }
    }
}

/// When the caller was told to wait until how many minutes more, in seconds.
fn waits(world: &World) -> Vec<(u64, u32)> {
    let told = world.entries.iter().filter_map(|entry| match &entry.fact {
        Fact::WaitTold { to_min, .. } => {
            Some((entry.at.as_micros().unsigned_abs() / 1_000_000, *to_min))
        }
        _ => None,
    });
    told.collect()
}

fn site(announce: &str) -> String {
    format!(
        "{SITE}\n[queues.told]\nnumber = \"620\"\nmembers = [\"a\"]\nannounce = {{ {announce} }}\n"
    )
}
