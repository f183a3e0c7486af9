//! The third still rings when the transfer is completed (RFC 5589 §7.6).

use crate::answered::talking;
use crate::attended_transfer::{complete, records};
use crate::blind_transfer::{hold, outcomes};
use crate::site::SITE;
use crate::transfer_any_moment::ringing_outside;
use crate::world::World;
use crate::world::phone::{Manner, Phone, Stage};
use strowger::cdr::entry::{OfferOutcome, TransferOutcome};
use strowger::time::Duration;

#[test]
fn while_the_third_rings() {
    after_the_transfer(|world| {
        assert!(world.rings("1006"), "it rings on");
        world.until("the first hears it ring", |world| world.hears_prompt("1001", "ringback"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.settle();
        world.hang_up("1001");
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// The third refuses: who sent the first there is rung, and has him again.
#[test]
fn nobody_answers_then() {
    after_the_transfer(|world| {
        world.set("1002", |phone| phone.manner = Manner::Rings);
        world.act("1006", |phone, now| phone.refuse(now, 486));
        is_recalled(world);
    });
}

/// Nor does he answer: the call ends, and says why.
#[test]
fn nobody_answers_anywhere() {
    after_the_transfer(|world| {
        world.set("1002", |phone| phone.manner = Manner::Refuses(486));
        world.act("1006", |phone, now| phone.refuse(now, 486));
        world.until("the first is told", |world| world.stage("1001") == Stage::Over);
        world.settle();
        assert_eq!(outcomes(world), [TransferOutcome::Failed]);
        assert!(world.ends().contains(&(200, "transfer_failed".to_owned())));
    });
}

/// The call to the third is the older one: it lives on, and its record tells of the recall.
#[test]
fn the_older_call_rings() {
    let mut world = World::new(SITE);
    world.set("1006", |phone| phone.manner = Manner::Rings);
    world.dial("1002", "1006");
    world.until("the third rings", |world| {
        world.rings("1006") && world.phone("1002").line().statuses.contains(&180)
    });
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.answer("1002");
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.settle();
    complete(&mut world, "1002", 1, 0);
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.set("1002", |phone| phone.manner = Manner::Rings);
    world.act("1006", |phone, now| phone.refuse(now, 486));
    world.until("the recall rings", |world| world.rings("1002"));
    world.answer("1002");
    world.until("they talk again", |world| world.talk("1001", "1002"));
    world.settle();
    world.hang_up("1001");
    world.close();
    let [first, second] = &records(&world)[..] else { panic!("two calls") };
    assert_eq!(first.transfers[0].outcome, Some(TransferOutcome::Recalled));
    assert_eq!(second.transfers[0].outcome, Some(TransferOutcome::Completed));
}

/// His phone has not hung up yet when the third refuses.
#[test]
fn he_lingers() {
    let mut world = World::new(SITE);
    ringing(&mut world);
    world.set("1002", |phone| phone.manner = Manner::Rings);
    complete(&mut world, "1002", 0, 1);
    world.until("the first hears it ring", |world| world.hears_prompt("1001", "ringback"));
    world.act("1006", |phone, now| phone.refuse(now, 486));
    is_recalled(&mut world);
    world.close();
}

#[test]
fn refused_over_a_trunk() {
    let mut world = ringing_outside();
    complete(&mut world, "1002", 0, 1);
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.set("1002", |phone| phone.manner = Manner::Rings);
    world.act("itsp", |phone, now| phone.refuse(now, 486));
    is_recalled(&mut world);
    world.close();
    let first = &records(&world)[0];
    assert_eq!(first.attempts[0].outcome, Some(OfferOutcome::Busy));
    assert_eq!(first.transfers[0].outcome, Some(TransferOutcome::Recalled));
    assert_eq!(first.talks.len(), 2, "before and after");
}

/// The third rings over a trunk: the older call's record goes on with the attempt.
#[test]
fn over_a_trunk() {
    let mut world = ringing_outside();
    complete(&mut world, "1002", 0, 1);
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    world.until("the first hears it ring", |world| world.hears_prompt("1001", "ringback"));
    world.answer("itsp");
    world.until("they talk", |world| world.talk("1001", "itsp"));
    world.settle();
    world.hang_up("1001");
    world.close();
    let [first, second] = &records(&world)[..] else { panic!("two calls") };
    assert_eq!(first.attempts[0].outcome, Some(OfferOutcome::Answered));
    assert_eq!(second.attempts[0].outcome, Some(OfferOutcome::Moved));
    assert_eq!(first.attempts[0].number, second.attempts[0].number);
    assert!(first.holds.iter().all(|hold| hold.ended.is_some()));
}

#[test]
fn anyone_leaves_after_any_step() {
    for leaver in ["1001", "1002", "1006"] {
        for steps in 0..20 {
            let mut world = World::new(SITE);
            ringing(&mut world);
            complete(&mut world, "1002", 0, 1);
            for _ in 0..steps {
                world.step();
            }
            world.act(leaver, Phone::leave);
            world.run(Duration::from_secs(70));
            for name in ["1001", "1002", "1006"] {
                world.act(name, Phone::leave);
            }
            world.close();
        }
    }
}

/// The phone of 1002 rings, is answered, and talks with 1001 again.
fn is_recalled(world: &mut World) {
    world.until("the recall rings", |world| world.rings("1002"));
    assert!(world.hears_prompt("1001", "hold"), "the first is not left in silence");
    world.answer("1002");
    world.until("they talk again", |world| world.talk("1001", "1002"));
    assert_eq!(outcomes(world), [TransferOutcome::Recalled]);
    world.settle();
    world.hang_up("1001");
    world.until("he is told", |world| world.stage("1002") == Stage::Over);
    world.settle();
}

/// In good weather: in a storm the 180 may be lost that tells the phone of its dialog.
fn after_the_transfer(flow: impl Fn(&mut World)) {
    let mut world = World::new(SITE);
    ringing(&mut world);
    complete(&mut world, "1002", 0, 1);
    world.until("he is through", |world| {
        world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
    });
    flow(&mut world);
    world.close();
}

/// 1001 is on hold at 1002, which calls 1006, where it rings.
fn ringing(world: &mut World) {
    talking(world);
    hold(world, "1002");
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    world.settle();
    world.set("1006", |phone| phone.manner = Manner::Rings);
    world.dial("1002", "1006");
    world.until("the third rings", |world| {
        world.rings("1006") && world.phone("1002").lines[1].statuses.contains(&180)
    });
}
