//! A waiting caller is told his place.

use crate::queue::waiting;
use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::time::Duration;

#[test]
fn every_so_often_and_music_again() {
    let mut world = World::new(SITE);
    waiting(&mut world, "605");
    world.run(Duration::from_millis(5_050));
    assert!(!world.hears_prompt("1001", "hold"));
    world.until("music plays again", |world| world.hears_prompt("1001", "hold"));
    world.run(Duration::from_secs(6));
    let told = world.facts().filter(|fact| matches!(fact, Fact::PositionTold { position: 1, .. }));
    assert_eq!(told.count(), 2);
    world.hang_up("1001");
    world.close();
}

#[test]
fn who_hangs_up_meanwhile_is_gone() {
    in_all_weathers(SITE, |world| {
        waiting(world, "605");
        world.until("he is told", |world| {
            world.has(|fact| matches!(fact, Fact::PositionTold { .. }))
        });
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);
    });
}
