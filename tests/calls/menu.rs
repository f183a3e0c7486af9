//! A menu: keys during and after the prompt, wrong keys, none, INFO.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn a_key_during_the_prompt_leads_on() {
    in_all_weathers(SITE, |world| {
        in_menu(world);
        world.press("1001", '1');
        world.until("it rings", |world| world.rings("1002"));
        assert!(world.hears_prompt("1001", "ringback"), "{:?}", world.hears("1001"));
        world.answer("1002");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.settle();
        world.hang_up("1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert!(world.has(|fact| matches!(fact, Fact::Key { digit: '1', .. })));
        assert_eq!(world.ends(), [(200, "callee_hung_up".to_owned())]);
    });
}

#[test]
fn a_key_after_the_prompt_leads_on() {
    let mut world = World::new(SITE);
    in_menu(&mut world);
    world.run(Duration::from_secs(3));
    world.press("1001", '1');
    world.until("it rings", |world| world.rings("1002"));
    world.hang_up("1001");
    world.close();

    assert_eq!(world.stage("1002"), Stage::Over);
}

#[test]
fn a_wrong_key_repeats_the_prompt_then_fails() {
    let mut world = World::new(SITE);
    in_menu(&mut world);
    world.press("1001", '9');
    assert!(world.hears_prompt("1001", "invalid"));
    assert!(world.hears_prompt("1001", "welcome"));
    world.press("1001", '9');
    world.run(Duration::from_millis(10));
    assert_eq!(world.stage("1001"), Stage::Over);
    world.close();

    assert_eq!(world.ends(), [(200, "rule".to_owned())]);
}

/// Welcome 1 s, wait 3 s, no-input and welcome 2 s, wait 3 s, the end.
#[test]
fn no_key_at_all_fails_too() {
    let mut world = World::new(SITE);
    in_menu(&mut world);
    world.run(Duration::from_secs(5));
    assert!(world.hears_prompt("1001", "no-input"));
    world.run(Duration::from_millis(3_500));
    assert_eq!(world.stage("1001"), Stage::Talking);
    world.run(Duration::from_secs(1));
    assert_eq!(world.stage("1001"), Stage::Over);
    world.close();
}

#[test]
fn the_caller_hangs_up_in_the_menu() {
    in_all_weathers(SITE, |world| {
        in_menu(world);
        world.settle();
        if world.stage("1001") == Stage::Talking {
            world.hang_up("1001");
        }
    });
}

/// Phones without RFC 4733 send keys as INFO.
#[test]
fn a_key_by_info_counts() {
    let mut world = World::new(SITE);
    in_menu(&mut world);
    world.act("1001", |phone, now| {
        phone.in_dialog(now, Method::Info, "Signal=1\r\nDuration=160\r\n");
    });
    world.until("it rings", |world| world.rings("1002"));
    world.hang_up("1001");
    world.close();
}

/// A phone that sends each key as telephone-event and as INFO, whichever comes first: the menu that
/// a key leads back to does not hear it again, until it is pressed again.
#[test]
fn a_key_that_comes_by_both_ways_counts_once() {
    for info_first in [false, true] {
        let mut world = World::new(&format!("{SITE}7 = \"menu:main\"\n"));
        in_menu(&mut world);
        for pressed in 1..=2 {
            for way in 0..2 {
                match (way == 0) == info_first {
                    true => world.act("1001", |phone, now| {
                        phone.in_dialog(now, Method::Info, "Signal=7\r\nDuration=160\r\n");
                    }),
                    false => world.press("1001", '7'),
                }
                world.run(Duration::from_millis(100));
            }
            let keys = world.facts().filter(|fact| matches!(fact, Fact::Key { digit: '7', .. }));
            assert_eq!(keys.count(), pressed, "INFO first: {info_first}");
        }
        world.hang_up("1001");
        world.close();
    }
}

/// The phone that the menu leads to is busy: the caller, who was answered, is hung up.
#[test]
fn the_target_of_a_key_is_busy() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Refuses(486));
        in_menu(world);
        world.press("1001", '1');
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(200, "busy".to_owned())]);
    });
}

/// 1001 hears the menu's prompt.
fn in_menu(world: &mut World) {
    world.dial("1001", "500");
    world.until("the menu speaks", |world| {
        world.stage("1001") == Stage::Talking && world.hears_prompt("1001", "welcome")
    });
}
