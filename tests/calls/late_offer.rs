//! An INVITE without an offer: ours is in the 200, the answer in the ACK (RFC 3261 §13.2.1).

use crate::site::SITE;
use crate::world::in_all_weathers;
use crate::world::phone::{Manner, Stage};
use strowger::time::Duration;

#[test]
fn the_answer_comes_in_the_ack() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.act("1001", |phone, now| phone.dial(now, "1002", ""));
        world.until("they talk", |world| world.talk("1001", "1002"));
        assert!(world.phone("1001").line().remote_sdp.contains("m=audio"));

        world.hang_up("1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// A re-INVITE without an offer asks for ours, and its ACK may hold the call.
#[test]
fn a_re_invite_asks_for_our_offer() {
    in_all_weathers(SITE, |world| {
        crate::answered::talking(world);
        world.set("1001", |phone| phone.lines[0].remote_sdp.clear());
        world.act("1001", |phone, now| {
            phone.in_dialog(now, strowger::sip::message::Method::Invite, "");
        });
        world.until("the offer comes", |world| {
            world.phone("1001").line().remote_sdp.contains("a=sendrecv")
        });
        world.run(Duration::from_secs(20));
        assert!(world.talk("1001", "1002"));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}
