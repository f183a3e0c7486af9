//! Nobody takes a call that was sent on: who sent it there gets it back (RFC 5589 §6.3).

use crate::answered::talking;
use crate::blind_transfer::{hold, outcomes, told, transfer};
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::TransferOutcome;
use strowger::sip::message::Method;
use strowger::time::Duration;

/// He has not hung up: he has the caller again as soon as the third is busy.
#[test]
fn who_waits_has_it_back() {
    in_all_weathers(SITE, |world| {
        talking(world);
        hold(world, "1002");
        world.until("music plays", |world| world.hears_prompt("1001", "hold"));
        world.set("1006", |phone| phone.manner = Manner::Refuses(486));
        transfer(world, "1002", "1006");
        world.until("he is told", |world| told(world, "1002").ends_with("486 Busy Here"));
        assert_eq!(outcomes(world), [TransferOutcome::Returned]);
        assert!(world.hears_prompt("1001", "hold"), "he still holds the caller");

        world.settle();
        world.act("1002", |phone, now| {
            let offer = phone.talk_sdp();
            phone.in_dialog(now, Method::Invite, &offer);
        });
        world.until("they talk again", |world| world.talk("1001", "1002"));
        world.settle();
        world.hang_up("1001");
        world.until("he is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// He has hung up: his phone rings, and he talks with the caller again.
#[test]
fn who_hung_up_is_rung_again() {
    in_all_weathers(SITE, |world| {
        gone(world, "1006");
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.until("the recall rings", |world| world.phone("1002").lines.len() == 2);
        assert!(world.hears_prompt("1001", "hold"), "the caller is not left in silence");
        world.until("they talk again", |world| world.talk("1001", "1002"));
        assert_eq!(outcomes(world), [TransferOutcome::Recalled]);
        world.settle();
        world.hang_up("1001");
        world.until("he is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// He does not answer either: the call ends, and says why.
#[test]
fn nobody_anywhere() {
    in_all_weathers(SITE, |world| {
        gone(world, "1006");
        world.set("1002", |phone| phone.manner = Manner::Rings);
        world.until("the recall rings", |world| world.phone("1002").lines.len() == 2);
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "transfer_failed".to_owned())]);
        assert_eq!(outcomes(world), [TransferOutcome::Failed]);
        world.until("it rings no more", |world| world.stage("1002") == Stage::Over);
    });
}

/// The third lets it ring until the time of its account is over.
#[test]
fn the_third_does_not_answer() {
    let mut world =
        World::new(&SITE.replace("[extensions.1006]", "[extensions.1006]\nring_timeout = \"10s\""));
    gone_while_ringing(&mut world);
    let rang = world.now;
    world.until("the recall rings", |world| world.phone("1002").lines.len() == 2);
    assert!((9..11).contains(&world.now.since(rang).as_secs()));
    assert_eq!(world.stage("1006"), Stage::Over);
    world.answer("1002");
    world.until("they talk again", |world| world.talk("1001", "1002"));
    world.hang_up("1002");
    world.close();
}

/// `recall_timeout = "0s"`: nobody is rung again.
#[test]
fn no_recall() {
    let mut world = World::new(&format!("{SITE}\n[calls]\nrecall_timeout = \"0s\"\n"));
    gone(&mut world, "1006");
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    world.settle();
    assert_eq!(world.ends(), [(200, "transfer_failed".to_owned())]);
    assert_eq!(world.phone("1002").lines.len(), 1);
    world.close();
}

/// The account that sent the call away has no phone any more.
#[test]
fn the_transferor_has_no_phone() {
    let mut world = World::new(SITE);
    gone_while_ringing(&mut world);
    world.act("1002", |phone, now| phone.register(now, 0));
    world.run(Duration::from_secs(1));
    world.act("1006", |phone, now| phone.refuse(now, 486));
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    world.settle();
    assert_eq!(world.ends(), [(200, "transfer_failed".to_owned())]);
    world.close();
}

/// 1002 has sent 1001 to a phone that refuses, and has hung up at once.
fn gone(world: &mut World, to: &str) {
    talking(world);
    world.set(to, |phone| phone.manner = Manner::Rings);
    transfer(world, "1002", to);
    world.until("the third rings", |world| world.rings(to));
    world.settle();
    world.hang_up("1002");
    world.settle();
    world.act(to, |phone, now| phone.refuse(now, 486));
}

/// 1002 has sent 1001 to 1006, which rings, and has hung up.
fn gone_while_ringing(world: &mut World) {
    talking(world);
    transfer(world, "1002", "1006");
    world.until("the third rings", |world| world.rings("1006"));
    world.set("1002", |phone| phone.manner = Manner::Rings);
    world.hang_up("1002");
}
