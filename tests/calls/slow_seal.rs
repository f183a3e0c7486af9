//! A disk that takes its time over a finished recording: the record waits for the file.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use strowger::cdr::entry::Fact;
use strowger::time::Duration;

#[test]
fn the_record_waits_for_its_recording() {
    let mut world = recorded_call(Duration::from_secs(120));
    world.run(Duration::from_secs(120));
    world.close();

    let position = |is: fn(&Fact) -> bool| world.facts().position(is);
    let file = position(|fact| matches!(fact, Fact::RecordingEnded { .. }));
    let end = position(|fact| matches!(fact, Fact::Ended { .. }));
    assert!(file.is_some() && file < end, "{file:?} before {end:?}");
}

/// A file that never comes does not keep the call's record back for ever.
#[test]
fn the_record_does_not_wait_for_ever() {
    let mut world = recorded_call(Duration::from_secs(3600));
    world.run(Duration::from_secs(599));
    assert!(world.ends().is_empty());
    world.run(Duration::from_secs(60));

    assert_eq!(world.ends().len(), 1);
    assert!(!world.has(|fact| matches!(fact, Fact::RecordingEnded { .. })));
}

fn recorded_call(sealing: Duration) -> World {
    let site = SITE.replace("one-1001\"", "one-1001\"\nrecord = \"always\"");
    let mut world = World::new(&site);
    world.studio.sealing = sealing;
    talking(&mut world);
    world.hang_up("1001");
    world
}
