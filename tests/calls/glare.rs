//! Two offers at once in one dialog: the second gets 491 (RFC 3261 §14.2).

use crate::answered::talking;
use crate::site::SITE;
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn a_second_re_invite_before_the_ack_gets_491() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.settle();
        world.set("1001", |phone| phone.acks = false);
        for _ in 0..2 {
            world.act("1001", |phone, now| {
                let offer = phone.talk_sdp();
                phone.in_dialog(now, Method::Invite, &offer);
            });
            world.run(Duration::from_millis(150)); // the second is not to overtake the first
        }
        world.until("both are answered", |world| finals(world).len() == 3);
        assert_eq!(sorted(finals(world)), [200, 200, 491]);

        goes_on(world);
        world.hang_up("1001");
    });
}

/// Our offer in a 200 waits for its answer: an UPDATE meanwhile is glare too (RFC 3311 §5.2).
#[test]
fn an_update_while_our_offer_is_open_gets_491() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.settle();
        world.set("1001", |phone| phone.acks = false);
        world.act("1001", |phone, now| phone.in_dialog(now, Method::Invite, ""));
        world.until("our offer is there", |world| finals(world).len() == 2);
        world.act("1001", |phone, now| {
            let offer = phone.talk_sdp();
            phone.in_dialog(now, Method::Update, &offer);
        });
        world.until("both are answered", |world| finals(world).len() == 3);
        assert_eq!(finals(world), [200, 200, 491]);

        goes_on(world);
        world.hang_up("1002");
    });
}

/// The final answers that 1001 got to what it sent in its call.
fn finals(world: &World) -> Vec<u16> {
    let statuses = world.phone("1001").line().statuses.iter();
    statuses.copied().filter(|status| *status >= 200).collect()
}

fn sorted(mut statuses: Vec<u16>) -> Vec<u16> {
    statuses.sort_unstable();
    statuses
}

/// The ACK comes at last.
fn goes_on(world: &mut World) {
    world.set("1001", |phone| phone.acks = true); // of further copies of the 200 too
    world.act("1001", |phone, now| phone.acknowledge(now));
    world.run(Duration::from_secs(40));
    assert!(world.talk("1001", "1002"), "the call goes on");
}
