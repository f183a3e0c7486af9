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

/// No phone rings for a call that can never be.
#[test]
fn an_offer_that_nobody_can_take_rings_nobody() {
    for broken in
        [("m=audio", "m=video"), ("m=audio 4", "m=audio 0 4"), ("c=IN IP4 ", "c=IN IP4 x.")]
    {
        let mut world = World::new(SITE);
        world.act("1001", |phone, now| {
            let offer = phone.sdp("", "sendrecv", "0").replacen(broken.0, broken.1, 1);
            phone.dial(now, "1002", &offer);
        });
        world.until("the call has ended", |world| world.ends().len() == 1);
        world.close();

        assert_eq!((world.status_of("1001"), world.ends()[0].0), (488, 488), "{broken:?}");
        assert!(world.phone("1002").lines.is_empty(), "{broken:?}");
    }
}

/// The switch itself speaks nothing that the caller does.
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
