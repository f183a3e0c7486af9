//! An INVITE without an offer: ours is in the 200, the answer in the ACK (RFC 3261 §13.2.1).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
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

/// The ACK brings no answer, or a useless one: there can be no audio, so the call ends.
#[test]
fn an_ack_without_an_answer_ends_the_call() {
    let mut world = World::new(SITE);
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.set("1001", |phone| phone.answers_late = false);
    world.act("1001", |phone, now| phone.dial(now, "1002", ""));
    world.until("both are told", |world| {
        let over = |name| world.phone(name).lines.last().is_some_and(|l| l.stage == Stage::Over);
        over("1001") && over("1002")
    });
    world.close();

    assert_eq!(world.phone("1001").line().byes, 1);
    assert_eq!(world.ends().len(), 1);
}
