//! Two offers at once in one dialog: the second gets 491 (RFC 3261 §14.2).

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn a_second_re_invite_before_the_ack_gets_491() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.set("1001", |phone| phone.acks = false);
    for _ in 0..2 {
        world.act("1001", |phone, now| {
            let offer = phone.talk_sdp();
            phone.in_dialog(now, Method::Invite, &offer);
        });
        world.run(Duration::from_millis(100));
    }
    assert_eq!(world.phone("1001").line().statuses, [180, 200, 200, 491]);

    world.act("1001", |phone, now| phone.acknowledge(now));
    world.run(Duration::from_secs(40));
    assert!(world.talk("1001", "1002"), "the call goes on");
    world.hang_up("1001");
    world.close();
}

/// Our offer in a 200 waits for its answer: an UPDATE meanwhile is glare too (RFC 3311 §5.2).
#[test]
fn an_update_while_our_offer_is_open_gets_491() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.set("1001", |phone| phone.acks = false);
    world.act("1001", |phone, now| phone.in_dialog(now, Method::Invite, ""));
    world.run(Duration::from_millis(100));
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.in_dialog(now, Method::Update, &offer);
    });
    world.run(Duration::from_millis(100));
    assert_eq!(world.phone("1001").line().statuses, [180, 200, 200, 491]);

    world.act("1001", |phone, now| phone.acknowledge(now));
    world.run(Duration::from_secs(40));
    assert!(world.talk("1001", "1002"), "the call goes on");
    world.hang_up("1002");
    world.close();
}
