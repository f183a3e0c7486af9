//! A disk that takes its time over a finished recording: the call's end does not wait for it.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use strowger::cdr::entry::Fact;
use strowger::switch::UNSEALED;
use strowger::time::Duration;

/// What a disk that is well takes is in the record.
#[test]
fn a_record_has_the_recording_that_is_complete_at_once() {
    let mut world = recorded_call(Duration::from_millis(700));
    world.run(Duration::from_secs(1));
    world.close();

    let file = position(&world, |fact| matches!(fact, Fact::RecordingEnded { .. }));
    let end = position(&world, |fact| matches!(fact, Fact::Ended { .. }));
    assert!(file.is_some() && file < end, "{file:?} before {end:?}");
    assert!(awaited(&world).is_empty());
}

/// A disk that hangs keeps no record back; what becomes of the recording follows, once.
#[test]
fn a_record_does_not_wait_for_a_slow_disk() {
    let mut world = recorded_call(Duration::from_secs(3600));
    world.run(Duration::from_millis(1500));
    assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
    assert!(!world.has(|fact| matches!(fact, Fact::RecordingEnded { .. })));
    assert_eq!(awaited(&world).len(), 1, "a start after a crash would look for it");

    world.run(Duration::from_secs(3600));
    world.close();

    let file = position(&world, |fact| matches!(fact, Fact::RecordingEnded { .. }));
    let end = position(&world, |fact| matches!(fact, Fact::Ended { .. }));
    assert!(file > end, "{file:?} after {end:?}");
    let calls: Vec<_> = [file, end].map(|at| world.entries[at.unwrap()].call).into();
    assert_eq!(calls[0], calls[1]);
    assert_eq!(world.facts().filter(|it| matches!(it, Fact::RecordingEnded { .. })).count(), 1);
    assert!(awaited(&world).is_empty());
}

fn position(world: &World, is: fn(&Fact) -> bool) -> Option<usize> {
    world.entries.iter().position(|entry| is(&entry.fact))
}

/// Recordings whose end is to follow that of their calls, as a later start would find them.
fn awaited(world: &World) -> Vec<&String> {
    world.store.keys().filter(|key| key.starts_with(UNSEALED)).collect()
}

fn recorded_call(sealing: Duration) -> World {
    let site = SITE.replace("one-1001\"", "one-1001\"\nrecord = \"always\"");
    let mut world = World::new(&site);
    world.studio.sealing = sealing;
    talking(&mut world);
    world.hang_up("1001");
    world
}
