//! Nobody fetches a parked call: the phone that parked it is rung.

use crate::blind_transfer::outcomes;
use crate::park::{left, parked};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{ParkLeft, TransferOutcome};
use strowger::time::Duration;

#[test]
fn who_parked_it_takes_it_back() {
    in_all_weathers(&soon(""), |world| {
        parked(world, "*70");
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.until("he is rung", |world| world.phone("1002").lines.len() == 2);
        assert!(world.hears_prompt("1001", "hold"), "the caller is not left in silence");
        world.until("they talk again", |world| world.talk("1001", "1002"));
        assert_eq!(left(world), [ParkLeft::TimedOut]);
        assert_eq!(outcomes(world), [TransferOutcome::Completed], "that of the parking");
        world.settle();
        world.hang_up("1001");
        world.until("he is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// He does not answer either, and no target is named: the call ends, and says why.
#[test]
fn nobody_anywhere() {
    in_all_weathers(&soon(""), |world| {
        parked(world, "*70");
        world.set("1002", |phone| phone.manner = Manner::Rings);
        world.until("he is rung", |world| world.phone("1002").lines.len() == 2);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "park_timed_out".to_owned())]);
        world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
    });
}

/// `on_timeout`: another phone is rung.
#[test]
fn somewhere_else() {
    in_all_weathers(&soon("on_timeout = \"extension:1006\""), |world| {
        parked(world, "*70");
        world.set("1002", |phone| phone.manner = Manner::Refuses(486));
        world.set("1006", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.settle();
        world.hang_up("1006");
        world.until("he is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// The caller gives up while the phone that parked him is rung.
#[test]
fn the_caller_hangs_up_meanwhile() {
    in_all_weathers(&soon(""), |world| {
        parked(world, "*70");
        world.set("1002", |phone| phone.manner = Manner::Rings);
        world.until("he is rung", |world| world.phone("1002").lines.len() == 2);
        world.hang_up("1001");
        world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
    });
}

/// Nobody is sent to a place that was kept: who kept it is hung up.
#[test]
fn a_place_that_was_kept_for_nobody() {
    let mut world = World::new(&soon(""));
    world.dial("1002", "*70");
    world.until("it hears music", |world| world.hears_prompt("1002", "hold"));
    world.until("it is hung up", |world| world.stage("1002") == Stage::Over);
    world.close();
    assert_eq!(world.ends(), [(200, "park_unused".to_owned())]);
}

/// Places are to be fetched from within thirty seconds.
fn soon(more: &str) -> String {
    format!("{SITE}\n[park]\ntimeout = \"30s\"\n{more}\n[calls]\nrecall_timeout = \"10s\"\n")
}
