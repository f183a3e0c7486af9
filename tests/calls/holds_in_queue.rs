//! Hold around the edges: before the agent is there, by both sides, while it rings on.

use crate::queue::{rung, waiting};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

/// A caller on hold in the queue is joined all the same, and heard when he comes back.
#[test]
fn a_caller_who_holds_while_he_waits() {
    let mut world = World::new(SITE);
    waiting(&mut world, "601");
    let seat = rung(&mut world);
    world.run(Duration::from_secs(1));
    offer(&mut world, "1001", "sendonly");
    world.run(Duration::from_secs(1));
    assert_eq!(world.hears("1001"), Heard::Nothing);
    world.answer(seat);
    world.run(Duration::from_secs(1));
    assert!(world.hears_prompt(seat, "hold"), "the agent hears {:?}", world.hears(seat));
    offer(&mut world, "1001", "sendrecv");
    world.run(Duration::from_secs(1));
    assert!(world.talk("1001", seat));
    world.hang_up("1001");
    world.close();
}

/// Each holds and resumes in turn, whichever was first.
#[test]
fn both_hold() {
    in_all_weathers(SITE, |world| {
        crate::answered::talking(world);
        for (name, direction) in
            [("1001", "sendonly"), ("1002", "sendonly"), ("1001", "sendrecv"), ("1002", "sendrecv")]
        {
            offer(world, name, direction);
            world.settle();
        }
        assert!(world.talk("1001", "1002"), "{:?}", world.hears("1001"));
        let count = |is: fn(&Fact) -> bool| world.facts().filter(|fact| is(fact)).count();
        assert_eq!(count(|fact| matches!(fact, Fact::HoldBegan { .. })), 2);
        assert_eq!(count(|fact| matches!(fact, Fact::HoldEnded { .. })), 2);
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// One resumes while the other still holds: he hears that one's music, not silence.
#[test]
fn who_resumes_first_hears_music() {
    let mut world = World::new(SITE);
    crate::answered::talking(&mut world);
    offer(&mut world, "1001", "sendonly");
    world.run(Duration::from_secs(1));
    offer(&mut world, "1002", "sendonly");
    world.run(Duration::from_secs(1));
    offer(&mut world, "1001", "sendrecv");
    world.run(Duration::from_secs(1));

    assert!(world.hears_prompt("1001", "hold"), "{:?}", world.hears("1001"));
    world.hang_up("1002");
    world.close();
}

fn offer(world: &mut World, name: &str, direction: &str) {
    world.act(name, |phone, now| {
        let offer = phone.sdp("", direction, "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
}
