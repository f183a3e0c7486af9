//! Whom a caller waits for: the first tier, then the next; others after a while; preferred skills.

use crate::queue::{SEATS, ringing, rung, waiting};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::time::Duration;

/// 1004 is the whole first tier, and in a private call.
#[test]
fn a_caller_waits_for_his_tier_then_the_next_is_rung() {
    let mut world = World::new(SITE);
    world.dial("1004", "1002");
    world.until("it rings", |world| world.rings("1002"));
    waiting(&mut world, "607");
    world.run(Duration::from_millis(4_900));
    assert_eq!(ringing(&world), [""; 0]);

    world.run(Duration::from_millis(200));

    assert_eq!(ringing(&world), ["1003"]);
    world.answer("1003");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.hang_up("1001");
    world.cancel("1004");
    world.close();
}

#[test]
fn whoever_becomes_free_in_his_tier_has_the_caller_at_once() {
    let mut world = World::new(SITE);
    world.dial("1004", "1002");
    world.until("it rings", |world| world.rings("1002"));
    waiting(&mut world, "607");
    world.run(Duration::from_secs(2));
    world.cancel("1004");

    assert_eq!(rung(&mut world), "1004");
    world.hang_up("1001");
    world.close();
}

/// Agents a, b and c are logged out; 17 helps from the fifteenth second on.
#[test]
fn others_help_a_caller_who_has_waited_long() {
    let mut world = World::new(SITE);
    crate::codes::log_in(&mut world, "1006");
    for seat in SEATS {
        world.act(seat, |phone, now| phone.register(now, 0));
    }
    world.settle();
    waiting(&mut world, "607");
    world.run(Duration::from_millis(14_800));
    assert!(!world.rings("1006"));

    world.run(Duration::from_millis(300));

    assert!(world.rings("1006"));
    world.hang_up("1001");
    world.close();
}

/// Key 3 prefers English, which only c speaks; a and b are rung when c is not free.
#[test]
fn a_key_that_prefers_a_skill_chooses_the_agent() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "500");
        world.until("the menu speaks", |world| world.hears_prompt("1001", "welcome"));
        world.press("1001", '3');
        assert_eq!(rung(world), "1005");
        world.dial("1002", "500");
        world.until("the menu speaks again", |world| world.hears_prompt("1002", "welcome"));
        world.press("1002", '3');
        world.until("another phone rings", |world| ringing(world).len() == 2);

        assert_eq!(ringing(world), ["1003", "1005"]);
        world.settle();
        for caller in ["1001", "1002"] {
            if world.stage(caller) == Stage::Talking {
                world.hang_up(caller);
            }
        }
    });
}
