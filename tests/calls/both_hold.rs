//! Both sides hold, and come back in any order: who is held hears music when he listens.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn the_first_to_hold_comes_back_first() {
    both_hold(["1001", "1002"]);
}

#[test]
fn the_last_to_hold_comes_back_first() {
    both_hold(["1002", "1001"]);
}

/// The callee holds, then the caller; they come back in this order.
fn both_hold(back: [&str; 2]) {
    in_all_weathers(SITE, |world| {
        talking(world);
        offer(world, "1001", "sendonly");
        world.until("the callee hears music", |world| world.hears_prompt("1002", "hold"));
        world.run(Duration::from_secs(20));
        offer(world, "1002", "sendonly");
        world.until("both hold", |world| {
            world.facts().filter(|fact| matches!(fact, Fact::HoldBegan { .. })).count() == 2
        });
        world.run(Duration::from_secs(20));
        assert_eq!(world.hears("1001"), Heard::Nothing);
        assert_eq!(world.hears("1002"), Heard::Nothing);

        let [first, last] = back;
        offer(world, first, "sendrecv");
        world.until("who is back hears music: the other holds", |world| {
            world.hears_prompt(first, "hold")
        });
        assert_eq!(world.hears(last), Heard::Nothing);
        world.run(Duration::from_secs(20));
        offer(world, last, "sendrecv");
        world.until("they talk again", |world| world.talk("1001", "1002"));
        let ended = world.facts().filter(|fact| matches!(fact, Fact::HoldEnded { .. })).count();
        assert_eq!(ended, 2);
        world.run(Duration::from_secs(20));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// Both hold, and one hangs up.
#[test]
fn one_hangs_up_while_both_hold() {
    in_all_weathers(SITE, |world| {
        talking(world);
        offer(world, "1001", "sendonly");
        world.until("music plays", |world| world.hears_prompt("1002", "hold"));
        world.run(Duration::from_secs(20));
        offer(world, "1002", "inactive");
        world.run(Duration::from_secs(20));
        world.hang_up("1002");
        world.until("the other is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// A refresh of the session does not take a phone back that is held.
#[test]
fn our_refresh_leaves_the_hold() {
    let mut world = World::new(SITE);
    talking(&mut world);
    offer(&mut world, "1001", "sendonly");
    world.until("music plays", |world| world.hears_prompt("1002", "hold"));
    world.run(Duration::from_secs(2000));
    assert!(world.phone("1001").line().changes.len() >= 2);
    assert!(world.hears_prompt("1002", "hold"));
    assert_eq!(world.hears("1001"), Heard::Nothing);
    world.hang_up("1001");
    world.close();
}

fn offer(world: &mut World, name: &str, direction: &str) {
    world.act(name, |phone, now| {
        let offer = phone.sdp("", direction, "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
}
