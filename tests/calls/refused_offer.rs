//! Offers that we cannot take: 488, and what was agreed on before stays (RFC 3261 §14.2).

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Method;

#[test]
fn a_re_invite_is_refused_and_the_call_goes_on() {
    in_all_weathers(SITE, |world| {
        talking(world);
        for method in [Method::Invite, Method::Update] {
            world.act("1001", |phone, now| {
                let offer = phone.sdp("", "sendrecv", "18");
                phone.in_dialog(now, method, &offer);
            });
            world.until("it is refused", |world| world.phone("1001").is_quiet());
            assert_eq!(world.status_of("1001"), 488);
            assert!(world.talk("1001", "1002"));
        }
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// The callee has answered already when it turns out that the caller speaks nothing of ours.
#[test]
fn an_invite_without_a_common_codec_is_refused() {
    let mut world = World::new(SITE);
    world.act("1001", |phone, now| {
        let offer = phone.sdp("", "sendrecv", "18");
        phone.dial(now, "500", &offer);
    });
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.close();

    assert_eq!(world.status_of("1001"), 488);
    assert_eq!(world.ends()[0].0, 488);
}
