//! A phone sends the other side of its conversation on to a number (RFC 5359 §2.4, RFC 5589 §6.1).

use crate::answered::talking;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, TransferOutcome};
use strowger::sip::message::{Method, Name};
use strowger::time::Duration;

/// The called phone sends its caller on: he hears music until the third answers.
#[test]
fn the_callee_transfers() {
    in_all_weathers(SITE, |world| {
        talking(world);
        transfer(world, "1002", "1006");
        world.until("the caller hears music", |world| world.hears_prompt("1001", "hold"));
        world.until("the third rings", |world| world.rings("1006"));
        let invite = &world.phone("1006").line().invite;
        assert_eq!(invite.from().uri().unwrap().user(), Some("1001"), "he sees who calls");
        assert_eq!(invite.header(Name::ReferredBy), Some("<sip:1002@strowger.test>"));

        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("the transferor is told", |world| told(world, "1002").ends_with("200 OK"));
        world.hang_up("1002");
        world.until("it is over for him", |world| !outcomes(world).is_empty());
        world.settle();
        assert!(world.talk("1001", "1006"), "the others go on");
        assert_eq!(outcomes(world), [TransferOutcome::Completed]);
        world.hang_up("1001");
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
    });
}

/// The calling phone sends the one it called on: the call goes on without its caller.
#[test]
fn the_caller_transfers() {
    in_all_weathers(SITE, |world| {
        talking(world);
        hold(world, "1001");
        world.until("music plays", |world| world.hears_prompt("1002", "hold"));
        transfer(world, "1001", "1006");
        world.until("the third rings", |world| world.rings("1006"));
        let from = world.phone("1006").line().invite.from().uri_text().to_owned();
        assert_eq!(from, "sip:1002@strowger.test", "it is 1002 who will talk");

        world.answer("1006");
        world.until("they talk", |world| world.talk("1002", "1006"));
        world.until("the transferor is told", |world| told(world, "1001").ends_with("200 OK"));
        world.hang_up("1001");
        world.settle();
        assert!(world.talk("1002", "1006"));
        world.hang_up("1006");
        world.until("the other is told", |world| world.stage("1002") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "callee_hung_up".to_owned())]);
    });
}

/// In good weather the phone hears 100, 180 and 200, once each (RFC 3515 §2.4.5).
#[test]
fn the_transferor_is_told_each_step() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.set("1006", |phone| phone.manner = Manner::Answers(Duration::from_secs(2)));
    transfer(&mut world, "1002", "1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();

    let steps = ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"];
    assert_eq!(world.phone("1002").line().progress, steps);
    assert_eq!(world.phone("1002").line().refers, [202]);

    world.run(Duration::from_secs(6));
    assert_eq!(world.stage("1002"), Stage::Over, "a phone that does not hang up is hung up");
    world.hang_up("1001");
    world.close();
}

/// RFC 4488: the phone wants no NOTIFY, and hangs up at once.
#[test]
fn without_a_subscription() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.act("1002", |phone, now| {
            phone.refer(now, 0, "<sip:1006@strowger.test>", &[(Name::ReferSub, "false")]);
        });
        world.until("it is accepted", |world| !world.phone("1002").line().refers.is_empty());
        world.hang_up("1002");
        world.until("the third rings", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        assert!(world.phone("1002").line().progress.is_empty());
        world.hang_up("1006");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    });
}

/// The phone says by whose wish: the next one is told what it said (RFC 3892).
#[test]
fn referred_by_is_passed_on() {
    let mut world = World::new(SITE);
    talking(&mut world);
    let who = "\"Front desk\" <sip:desk@strowger.test>";
    world.act("1002", |phone, now| {
        phone.refer(now, 0, "<sip:1006@strowger.test>", &[(Name::ReferredBy, who)]);
    });
    world.until("the third rings", |world| world.rings("1006"));
    assert_eq!(world.phone("1006").line().invite.header(Name::ReferredBy), Some(who));
    world.hang_up("1001");
    world.close();
}

/// What cannot be done is refused, and the conversation goes on.
#[test]
fn what_leads_nowhere_is_refused() {
    let mut world = World::new(SITE);
    talking(&mut world);
    for (target, status) in [
        ("<sip:7777@strowger.test>", 404),
        ("<sip:*43@strowger.test>", 403),
        ("<sip:strowger.test>", 400),
        ("<sip:1006@strowger.test;method=BYE>", 403),
        ("<mailto:1006@strowger.test>", 416),
    ] {
        world.act("1002", |phone, now| phone.refer(now, 0, target, &[]));
        world.until("it is refused", |world| world.phone("1002").line().refers.len() == 1);
        assert_eq!(world.phone("1002").line().refers, [status], "{target}");
        world.set("1002", |phone| phone.lines[0].refers.clear());
        assert!(world.talk("1001", "1002"));
    }
    assert!(world.phone("1002").line().progress.is_empty());
    world.hang_up("1001");
    world.close();
}

/// There is nobody to be sent on from a menu, a queue, or by one whose transfer is under way.
#[test]
fn who_talks_with_nobody_cannot_transfer() {
    let mut world = World::new(SITE);
    world.dial("1001", "500");
    world.until("he hears the menu", |world| world.hears_prompt("1001", "welcome"));
    world.settle();
    world.act("1001", |phone, now| phone.refer(now, 0, "<sip:1006@strowger.test>", &[]));
    world.until("it is refused", |world| world.phone("1001").line().refers == [603]);
    world.hang_up("1001");
    world.run(Duration::from_secs(5));

    world.set("1001", |phone| phone.lines.clear());
    talking(&mut world);
    transfer(&mut world, "1002", "1006");
    world.until("the third rings", |world| world.rings("1006"));
    transfer(&mut world, "1002", "1005");
    world.until("it is refused", |world| world.phone("1002").line().refers == [202, 603]);
    world.hang_up("1001");
    world.close();
}

/// A REFER in a dialog that has just ended.
#[test]
fn too_late() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.hang_up("1001");
    transfer(&mut world, "1002", "1006");
    world.until("it is refused", |world| !world.phone("1002").line().refers.is_empty());
    assert_eq!(world.phone("1002").line().refers, [481]);
    world.close();
}

/// The one who is sent on gives up while the third rings.
#[test]
fn the_transferee_hangs_up() {
    in_all_weathers(SITE, |world| {
        talking(world);
        transfer(world, "1002", "1006");
        world.until("the third rings", |world| world.rings("1006"));
        world.hang_up("1001");
        world.until("all are told", |world| {
            world.stage("1002") == Stage::Over && world.stage("1006") == Stage::Over
        });
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(outcomes(world), [TransferOutcome::Abandoned]);
    });
}

/// A chain: each one sends the caller on to the next.
#[test]
fn from_hand_to_hand() {
    in_all_weathers(SITE, |world| {
        talking(world);
        for (from, to) in [("1002", "1006"), ("1006", "1005"), ("1005", "1002")] {
            world.set(to, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
            let line = world.phone(from).lines.len() - 1;
            let target = format!("<sip:{to}@strowger.test>");
            world.act(from, |phone, now| phone.refer(now, line, &target, &[]));
            world.until("they talk", |world| world.talk("1001", to));
            world.until("the transferor is through", |world| told(world, from).ends_with("OK"));
            world.act(from, |phone, now| phone.hang_up_line(now, line));
            world.settle();
        }
        assert_eq!(outcomes(world), [TransferOutcome::Completed; 3]);
        world.hang_up("1001");
        world.until("the last is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// Asks to send the other side of a phone's last call on.
pub fn transfer(world: &mut World, by: &str, to: &str) {
    let target = format!("<sip:{to}@strowger.test>");
    world.act(by, |phone, now| {
        let line = phone.lines.len() - 1;
        phone.refer(now, line, &target, &[]);
    });
}

/// Puts the other side on hold, as phones do before they transfer.
pub fn hold(world: &mut World, name: &str) {
    world.act(name, |phone, now| {
        let offer = phone.sdp("", "sendonly", "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
}

/// What a phone was told last of its transfer; empty before.
pub fn told(world: &World, name: &str) -> String {
    let lines = world.phone(name).lines.iter();
    lines.flat_map(|line| line.progress.last().cloned()).next_back().unwrap_or_default()
}

/// How the transfers of all calls ended.
pub fn outcomes(world: &World) -> Vec<TransferOutcome> {
    let ended = world.facts().filter_map(|fact| match fact {
        Fact::TransferEnded { outcome, .. } => Some(*outcome),
        _ => None,
    });
    ended.collect()
}
