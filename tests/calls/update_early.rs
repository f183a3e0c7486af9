//! UPDATE before the call is answered (RFC 3311 §5.1): the audio changes while the phone rings.

use crate::site::SITE;
use crate::world::phone::{Rel, Stage};
use crate::world::{World, in_all_weathers};

/// The callee moves its audio while it rings, and is answered without another description.
#[test]
fn the_callee_changes_its_audio_while_it_rings() {
    in_all_weathers(SITE, |world| {
        announced(world);
        world.act("1006", |phone, now| {
            let offer = phone.sdp("", "sendrecv", "8 0");
            phone.update_early(now, &offer);
        });
        world.until("we have answered", |world| {
            world.phone("1006").line().remote_sdp.contains("a=rtpmap:0 ")
        });
        world.settle();
        talk_and_part(world);
    });
}

/// The caller does.
#[test]
fn the_caller_changes_its_audio_while_it_hears_ringing() {
    in_all_weathers(SITE, |world| {
        announced(world);
        world.act("1001", |phone, now| {
            let offer = phone.sdp("", "sendrecv", "8 0");
            phone.update_early(now, &offer);
        });
        world.until("we have answered", |world| {
            world.phone("1001").line().remote_sdp.contains("a=rtpmap:0 ")
        });
        world.settle();
        talk_and_part(world);
    });
}

/// RFC 3311 §5.2: the caller's offer is not answered yet.
#[test]
fn an_offer_before_the_first_is_answered_comes_too_early() {
    let mut world = World::new(SITE);
    world.set("1001", |phone| phone.rel = Rel::Requires);
    world.dial("1001", "1006");
    world.until("it rings", |world| world.rings("1006"));
    world.settle();
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.update_early(now, &offer);
    });
    world.settle();
    assert_eq!(world.status_of("1001"), 500);
    talk_and_part(&mut world);
    world.close();
}

/// Both are in early dialogs with reliable descriptions.
fn announced(world: &mut World) {
    world.set("1001", |phone| phone.rel = Rel::Requires);
    world.set("1006", |phone| phone.rel = Rel::Supports);
    world.dial("1001", "1006");
    world.until("it rings", |world| world.rings("1006"));
    world.act("1006", |phone, now| phone.announce(now));
    world.until("early audio", |world| {
        world.talk("1001", "1006") && world.phone("1001").line().remote_sdp.contains("m=audio")
    });
    world.settle();
}

fn talk_and_part(world: &mut World) {
    world.answer("1006");
    world.until("it is answered", |world| world.stage("1001") == Stage::Talking);
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1006") == Stage::Over);
}
