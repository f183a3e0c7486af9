//! Nobody answers, or the phone is dead.

use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::{Manner, Stage};

#[test]
fn it_rings_out() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.until("it is quiet again", |world| world.stage("1002") == Stage::Over);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert_eq!(world.status_of("1001"), 480);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(480, "no_answer".to_owned())]);
    });
}

/// Timer B is longer than this account rings: the phone is given up without a word from it.
#[test]
fn the_phone_is_dead() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Dead);
        world.dial("1001", "1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);

        assert_eq!(world.status_of("1001"), 480);
    });
}

/// RFC 3261 §17.1.1.2, timer B: 32 s without any response is as a 408.
#[test]
fn the_phone_is_dead_and_would_ring_long() {
    in_all_weathers(SITE, |world| {
        world.set("1006", |phone| phone.manner = Manner::Dead);
        world.dial("1001", "1006");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(480, "unreachable".to_owned())]);
    });
}
