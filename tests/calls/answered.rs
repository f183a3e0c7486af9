//! An extension calls another: it rings, is answered, either side hangs up.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, HungUpBy};
use strowger::time::Duration;

#[test]
fn the_caller_hangs_up() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
        assert_eq!(world.phone("1002").line().byes, 1);
    });
}

#[test]
fn the_callee_hangs_up() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.hang_up("1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(200, "callee_hung_up".to_owned())]);
    });
}

/// RFC 3261 §15.1.2: a BYE for a dialog that has just sent one is answered like any other.
#[test]
fn both_hang_up_at_once() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.hang_up("1001");
        world.hang_up("1002");
        world.until("the books are closed", |world| world.ends().len() == 1);

        let ended = world.facts().find(|fact| matches!(fact, Fact::Ended { .. }));
        assert!(matches!(ended, Some(Fact::Ended { by, .. }) if *by != HungUpBy::Switch));
    });
}

#[test]
fn an_administrator_hangs_up() {
    in_all_weathers(SITE, |world| {
        talking(world);
        let call = world.entries.iter().find_map(|entry| entry.call).unwrap();
        world.ask(strowger::switch::request::Request::HangUp { call, by: "boss".to_owned() });
        world.until("both are told", |world| {
            world.stage("1001") == Stage::Over && world.stage("1002") == Stage::Over
        });
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(200, "administrator".to_owned())]);
    });
}

/// The called phone shows who calls; the caller is told that it rings before it is answered.
#[test]
fn both_see_what_they_should() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    let from = world.phone("1002").line().invite.from().display().map(|name| name.to_string());
    assert_eq!(from.as_deref(), Some("Ann"));

    world.run(Duration::from_secs(2));
    assert_eq!(world.hears("1001"), Heard::Nothing);
    world.answer("1002");
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.settle();
    assert_eq!(world.phone("1001").line().statuses, [180, 200]);

    world.hang_up("1001");
    world.close();
}

/// 1001 calls 1002, which answers after a second; both hear each other.
pub fn talking(world: &mut World) {
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "1002");
    world.until("they talk", |world| {
        world.talk("1001", "1002") && world.stage("1001") == Stage::Talking
    });
    world.settle();
}
