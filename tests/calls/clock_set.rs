//! Somebody sets the wall clock during a call: its record keeps the times of one clock.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::{EPOCH, World};
use strowger::cdr::entry::Fact;
use strowger::switch::Input;
use strowger::time::{Duration, Epoch, Wall};

#[test]
fn durations_stay_right_and_the_next_call_has_the_new_time() {
    let mut world = World::new(SITE);
    talking(&mut world);
    let begun = moments(&world, |fact| matches!(fact, Fact::Setup { .. }))[0];
    let day_later = Epoch(EPOCH.0 + DAY);
    world.input(Input::Epoch(day_later));
    world.run(Duration::from_secs(5));
    world.hang_up("1001");
    world.close();

    let ended = moments(&world, |fact| matches!(fact, Fact::Ended { .. }))[0];
    assert!(ended.since(begun) < Duration::from_secs(60), "{begun} to {ended}");

    talking(&mut world);
    world.hang_up("1001");
    world.close();
    let second = moments(&world, |fact| matches!(fact, Fact::Setup { .. }))[1];
    assert!(second.since(ended) >= DAY - Duration::from_secs(60), "{ended}, then {second}");
}

fn moments(world: &World, is: impl Fn(&Fact) -> bool) -> Vec<Wall> {
    world.entries.iter().filter(|entry| is(&entry.fact)).map(|entry| entry.at).collect()
}

const DAY: Duration = Duration::from_secs(86_400);
