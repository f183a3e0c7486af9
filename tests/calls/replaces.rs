//! A phone calls to take somebody's place: INVITE with Replaces (RFC 3891 §3).

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Name;
use strowger::time::Duration;

/// The second phone of an account takes over the call of the first.
#[test]
fn a_conversation_is_taken_over() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.add_phone("1002b");
        world.register("1002b");
        take(world, "1002b", "1002", "");
        world.until("they talk", |world| world.hears("1001") == Heard::Phone("1002b".into()));
        world.until("the first phone is hung up", |world| world.stage("1002") == Stage::Over);
        world.settle();
        world.hang_up("1002b");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// Nobody takes over the conversation of another account.
#[test]
fn not_by_a_stranger() {
    let mut world = World::new(SITE);
    talking(&mut world);
    take(&mut world, "1006", "1002", "");
    world.until("it is refused", |world| world.stage("1006") == Stage::Over);
    assert_eq!(world.status_of("1006"), 403);
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.close();
}

/// `early-only`: not if it was answered meanwhile (RFC 3891 §6.1).
#[test]
fn only_while_it_rings() {
    let mut world = World::new(SITE);
    talking(&mut world);
    take(&mut world, "1006", "1002", ";early-only");
    world.until("it is refused", |world| world.stage("1006") == Stage::Over);
    assert_eq!(world.status_of("1006"), 486);
    world.hang_up("1001");
    world.close();
}

#[test]
fn what_names_no_dialog_is_refused() {
    let mut world = World::new(SITE);
    for (replaces, status) in [("x@y;to-tag=1;from-tag=2", 481), ("x@y;to-tag=1", 400)] {
        dial(&mut world, "1006", replaces);
        world.until("it is refused", |world| world.stage("1006") == Stage::Over);
        assert_eq!(world.status_of("1006"), status);
        world.run(Duration::from_secs(1));
    }
    world.close();
}

/// A phone that rings for another is picked up (RFC 3891 §1), as lamp keys do.
#[test]
fn a_ringing_phone_is_picked_up() {
    in_all_weathers(SITE, |world| {
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        take(world, "1006", "1002", ";early-only");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
        let reason = world.phone("1002").line().reason.clone().expect("the CANCEL says why");
        assert!(reason.contains("elsewhere"), "{reason}");
        world.settle();
        world.hang_up("1001");
        world.until("he is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// A phone calls to take the place of another phone in its last call.
fn take(world: &mut World, who: &str, from: &str, more: &str) {
    let line = world.phone(from).lines.len() - 1;
    let replaces = world.phone(from).replaces(line) + more;
    dial(world, who, &replaces);
}

fn dial(world: &mut World, who: &str, replaces: &str) {
    world.act(who, |phone, now| {
        let offer = phone.next_sdp();
        let more = [(Name::Replaces, replaces), (Name::Require, "replaces")];
        phone.dial_with(now, "1001", &offer, &more);
    });
}
