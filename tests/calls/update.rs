//! UPDATE within a call (RFC 3311): answered at once, without an ACK.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::Stage;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn an_offer_in_an_update_holds() {
    in_all_weathers(SITE, |world| {
        talking(world);
        for (direction, held) in [("sendonly", true), ("sendrecv", false)] {
            world.act("1001", |phone, now| {
                let offer = phone.sdp("", direction, "8");
                phone.in_dialog(now, Method::Update, &offer);
            });
            world.until("the offer holds", |world| world.hears_prompt("1002", "hold") == held);
            world.run(Duration::from_secs(20));
            assert_eq!(world.status_of("1001"), 200);
        }
        assert!(world.talk("1001", "1002"));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// Session timers of phones refresh with an empty UPDATE.
#[test]
fn an_empty_update_changes_nothing() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.act("1002", |phone, now| phone.in_dialog(now, Method::Update, ""));
        world.until("it is answered", |world| {
            world.phone("1002").line().statuses.last() == Some(&200)
        });
        assert!(world.talk("1001", "1002"));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}
