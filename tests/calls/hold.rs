//! A phone puts the other on hold and takes it back: music meanwhile, on the other side alone.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn by_sendonly() {
    held("1001", "1002", "", "sendonly", "a=recvonly");
    held("1002", "1001", "", "sendonly", "a=recvonly");
}

#[test]
fn by_inactive() {
    held("1001", "1002", "", "inactive", "a=inactive");
}

/// RFC 2543 hold: no address to send to.
#[test]
fn by_no_address() {
    held("1001", "1002", "0.0.0.0", "sendrecv", "m=audio");
}

/// A phone that never heard us, such as a microphone, holds nobody: it is heard.
#[test]
fn sendonly_from_the_start_is_no_hold() {
    for silent in ["1001", "1002"] {
        in_all_weathers(SITE, |world| {
            world.set(silent, |phone| phone.direction = "sendonly");
            world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
            world.dial("1001", "1002");
            world.until("they are joined", |world| {
                world.has(|fact| matches!(fact, Fact::TalkBegan { .. }))
            });
            world.settle();
            let other = if silent == "1001" { "1002" } else { "1001" };
            assert_eq!(world.hears(other), Heard::Phone(silent.to_owned()));
            assert_eq!(world.hears(silent), Heard::Nothing);
            assert!(!world.has(|fact| matches!(fact, Fact::HoldBegan { .. })));

            offer(world, silent, "", "sendrecv");
            world.until("they talk", |world| world.talk("1001", "1002"));
            assert!(!world.has(|fact| matches!(fact, Fact::HoldEnded { .. })));
            world.hang_up("1001");
            world.until("the other is told", |world| world.stage("1002") == Stage::Over);
        });
    }
}

/// An UPDATE holds as a re-INVITE does (RFC 3311).
#[test]
fn hung_up_while_held() {
    in_all_weathers(SITE, |world| {
        talking(world);
        offer(world, "1001", "", "sendonly");
        world.until("music plays", |world| world.hears_prompt("1002", "hold"));
        world.hang_up("1002");
        world.until("the holder is told", |world| world.stage("1001") == Stage::Over);
    });
}

fn held(holder: &str, other: &str, address: &str, direction: &str, answer: &str) {
    in_all_weathers(SITE, |world| {
        talking(world);
        offer(world, holder, address, direction);
        world.until("music plays", |world| world.hears_prompt(other, "hold"));
        world.until("the holder is answered", |world| {
            world.phone(holder).line().remote_sdp.contains(answer)
        });
        assert_eq!(world.hears(holder), Heard::Nothing);

        world.run(Duration::from_secs(20));
        offer(world, holder, "", "sendrecv");
        world.until("they talk again", |world| world.talk("1001", "1002"));

        let count = |is: fn(&Fact) -> bool| world.facts().filter(|fact| is(fact)).count();
        assert_eq!(count(|fact| matches!(fact, Fact::HoldBegan { .. })), 1);
        assert_eq!(count(|fact| matches!(fact, Fact::HoldEnded { .. })), 1);
        world.run(Duration::from_secs(20));
        world.hang_up(holder);
        world.until("the other is told", |world| world.stage(other) == Stage::Over);
    });
}

pub fn offer(world: &mut World, name: &str, address: &str, direction: &str) {
    world.act(name, |phone, now| {
        let offer = phone.sdp(address, direction, "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
}
