//! A URI that names one phone of an account reaches that phone alone (RFC 5627 §6.1).

use crate::answered::talking;
use crate::blind_transfer::{outcomes, told};
use crate::forward::code;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, TransferOutcome};
use strowger::sip::message::Name;
use strowger::time::Duration;

#[test]
fn only_that_phone_rings() {
    in_all_weathers(SITE, |world| {
        for name in ["pub-gruu", "temp-gruu"] {
            let gruu = two_phones(world, name);
            let rung = lines(world);
            call(world, &gruu);
            world.until("it rings", |world| world.rings("1002b"));
            assert_eq!(world.phone("1002").lines.len(), rung, "the other does not");
            world.answer("1002b");
            world.until("they talk", |world| world.talk("1001", "1002b"));
            world.settle();
            world.hang_up("1001");
            world.until("it is told", |world| world.stage("1002b") == Stage::Over);
            world.settle();
        }
        let to = |fact: &Fact| matches!(fact, Fact::Setup { to, .. } if to == "1002");
        assert!(world.has(to), "the record tells the account");
    });
}

/// What the account's person wants elsewhere is not for a phone; do not disturb is.
#[test]
fn forwards_do_not_bend_it() {
    let mut world = World::new(SITE);
    let gruu = two_phones(&mut world, "pub-gruu");
    code(&mut world, "1002", "*721006", "service-on");
    call(&mut world, &gruu);
    world.until("it rings", |world| world.rings("1002b"));
    world.cancel("1001");
    world.settle();
    code(&mut world, "1002", "*73", "service-off");
    code(&mut world, "1002", "*901006", "service-on");
    call(&mut world, &gruu);
    world.until("it rings", |world| world.rings("1002b"));
    world.act("1002b", |phone, now| phone.refuse(now, 486));
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    assert_eq!(world.status_of("1001"), 486);
    code(&mut world, "1002", "*78", "service-on");
    call(&mut world, &gruu);
    world.until("it is refused", |world| world.stage("1001") == Stage::Over);
    assert_eq!(world.status_of("1001"), 486);
    assert!(world.phone("1006").lines.is_empty());
    world.close();
}

/// `[[routes]]` decide first: a phone's name is no way past them, for calls and for transfers.
#[test]
fn routes_bend_it() {
    let rules = "[[routes]]\nfrom = \"1001\"\nto = \"1002\"\ntarget = \"hangup:403\"\n\
                 [[routes]]\nto = \"1002\"\ntarget = \"extension:1005\"\n";
    let mut world = World::new(&format!("{SITE}{rules}"));
    let gruu = two_phones(&mut world, "pub-gruu");
    let rung = lines(&world);
    call(&mut world, &gruu);
    world.until("it is refused", |world| world.stage("1001") == Stage::Over);
    assert_eq!(world.status_of("1001"), 403);

    world.act("1006", |phone, now| phone.dial_uri(now, &gruu));
    world.until("the other rings", |world| world.rings("1005"));
    assert!(world.has(|fact| matches!(fact, Fact::Routed { rule, .. } if rule == "route 2")));
    world.cancel("1006");
    world.settle();
    world.dial("1001", "1006");
    world.until("it rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();
    world.act("1001", |phone, now| {
        let line = phone.lines.len() - 1;
        phone.refer(now, line, &format!("<{gruu}>"), &[]);
    });
    world.until("it is refused", |world| world.phone("1001").line().refers == [403]);
    world.act("1006", |phone, now| {
        let line = phone.lines.len() - 1;
        phone.refer(now, line, &format!("<{gruu}>"), &[]);
    });
    world.until("the other rings", |world| world.rings("1005"));
    world.answer("1005");
    world.until("they talk", |world| world.talk("1001", "1005"));
    assert_eq!((lines(&world), world.phone("1002b").lines.len()), (rung, 0));
    world.settle();
    world.hang_up("1001");
    world.close();
}

/// A route that leads to the account itself leads to the phone.
#[test]
fn a_route_to_its_account_leads_to_the_phone() {
    let route = "[[routes]]\nto = \"10*\"\nfrom = \"1001\"\ntarget = \"extension:1002\"\n";
    let mut world = World::new(&format!("{SITE}{route}"));
    let gruu = two_phones(&mut world, "temp-gruu");
    let rung = lines(&world);
    call(&mut world, &gruu);
    world.until("it rings", |world| world.rings("1002b"));
    assert_eq!(lines(&world), rung);
    world.cancel("1001");
    world.close();
}

/// A phone that is gone is not there; names that nobody was given lead nowhere.
#[test]
fn nobody_else_is_reached() {
    let mut world = World::new(SITE);
    let public = two_phones(&mut world, "pub-gruu");
    let temporary = gruu(&world, "temp-gruu");
    world.act("1002b", |phone, now| phone.register(now, 0));
    world.settle();
    let guessed = "sip:tgruu.00112233445566778899aabbccddeeff@strowger.test;gr".to_owned();
    let unknown = "sip:7777@strowger.test;gr=urn:uuid:1".to_owned();
    for (uri, status) in [(public, 480), (temporary, 404), (guessed, 404), (unknown, 404)] {
        call(&mut world, &uri);
        world.until("it is refused", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), status, "{uri}");
    }
    assert!(world.phone("1002").lines.is_empty());
    world.close();
}

/// Names by chance are kept over a restart.
#[test]
fn over_a_restart() {
    let mut world = World::new(SITE);
    let gruu = two_phones(&mut world, "temp-gruu");
    world.restart();
    world.settle();
    call(&mut world, &gruu);
    world.until("it rings", |world| world.rings("1002b"));
    world.cancel("1001");
    world.close();
}

/// A blind transfer to a phone (RFC 5589 §5): if it refuses, who sent the caller there has it back.
#[test]
fn sent_on_to_a_phone() {
    for takes in [true, false] {
        in_all_weathers(SITE, |world| {
            let gruu = two_phones(world, "pub-gruu");
            let (from, to) = ("1002", "1002b");
            world.dial("1001", "1006");
            world.until("it rings", |world| world.rings("1006"));
            world.answer("1006");
            world.until("they talk", |world| world.talk("1001", "1006"));
            world.settle();
            world.act("1006", |phone, now| phone.refer(now, 0, &format!("<{gruu}>"), &[]));
            world.until("it rings", |world| world.rings(to));
            assert!(world.phone(from).lines.is_empty(), "the other phone does not");
            if takes {
                world.answer(to);
                world.until("they talk", |world| world.talk("1001", to));
                world.until("he is told", |world| told(world, "1006").ends_with("200 OK"));
            } else {
                world.act(to, |phone, now| phone.refuse(now, 486));
                world.until("they talk again", |world| world.talk("1001", "1006"));
                assert_eq!(outcomes(world), [TransferOutcome::Returned]);
            }
            world.settle();
            world.hang_up("1001");
            world.until("all are told", |world| {
                [to, "1006"].iter().all(|name| world.stage(name) == Stage::Over)
            });
        });
    }
}

/// A phone names the place of a dialog by our Contact, which has no user (RFC 5589 §7.1).
#[test]
fn an_attended_transfer_to_our_contact() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.set("1006", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.dial("1002", "1006");
        world.until("they talk", |world| {
            world.phone("1002").lines[1].stage == Stage::Talking
                && world.stage("1006") == Stage::Talking
        });
        world.settle();
        let replaces = world.phone("1002").replaces(1);
        let escaped = replaces.replace('@', "%40").replace(';', "%3B").replace('=', "%3D");
        let target = format!("<sip:192.0.2.1:5060?Replaces={escaped}>");
        world.act("1002", |phone, now| phone.refer(now, 0, &target, &[]));
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("he is through", |world| {
            world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
        });
        world.settle();
        world.hang_up("1001");
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
    });
}

/// A phone may give its GRUU for its Contact (RFC 5627 §4.4): what follows goes to where it is.
#[test]
fn a_phone_that_calls_and_is_called_by_it() {
    in_all_weathers(SITE, |world| {
        for name in ["pub-gruu", "temp-gruu"] {
            let gruu = two_phones(world, name);
            world.set("1002b", |phone| phone.contact_of_calls = Some(format!("<{gruu}>")));
            call(world, &gruu);
            world.until("it rings", |world| world.rings("1002b"));
            world.answer("1002b");
            is_hung_up(world);
            world.dial("1002b", "1001");
            world.until("it rings", |world| world.rings("1001"));
            world.answer("1001");
            is_hung_up(world);
        }
    });
}

/// A phone that gives the GRUU of somebody else hears what is meant for it; the other one does not.
#[test]
fn a_stranger_in_the_contact_hears_nothing() {
    let mut world = World::new(SITE);
    let gruu = two_phones(&mut world, "pub-gruu");
    world.set("1006", |phone| {
        phone.contact_of_calls = Some(format!("<{gruu}>"));
        phone.steals = true;
    });
    let before = lines(&world);
    world.dial("1006", "1001");
    world.until("it rings", |world| world.rings("1001"));
    world.answer("1001");
    world.until("they talk", |world| world.talk("1006", "1001"));
    world.hang_up("1001");
    world.until("the caller is told", |world| world.stage("1006") == Stage::Over);

    assert_eq!(world.phone("1006").line().byes, 1);
    assert_eq!((lines(&world), world.phone("1002b").lines.len()), (before, 0));
}

/// 1001 ends its call with 1002b, whose phone would not take a request to a GRUU.
fn is_hung_up(world: &mut World) {
    world.until("they talk", |world| world.talk("1001", "1002b"));
    world.settle();
    world.hang_up("1001");
    world.until("it is told", |world| world.stage("1002b") == Stage::Over);
    world.settle();
}

/// A second phone of 1002 that knows GRUUs; says one of its own.
fn two_phones(world: &mut World, name: &str) -> String {
    if !world.phones.contains_key("1002b") {
        world.add_phone("1002b");
        world.set("1002b", |phone| {
            let contact = phone.contact();
            phone.registered_contact = Some(format!("{contact};+sip.instance=\"<urn:uuid:b>\""));
            phone.supports_gruu = true;
        });
        world.register("1002b");
    }
    gruu(world, name)
}

fn gruu(world: &World, name: &str) -> String {
    let answer = world.phone("1002b").register_answer.as_ref().expect("it is registered");
    let mut contacts = answer.lines(Name::Contact).filter(|line| line.contains("urn:uuid:b"));
    let contact = contacts.next().expect("its Contact is told").to_owned();
    let (_, after) = contact.split_once(&format!(";{name}=\"")).expect("it has a GRUU");
    after.split_once('"').expect("in quotes").0.to_owned()
}

fn lines(world: &World) -> usize {
    world.phone("1002").lines.len()
}

/// 1001 calls a whole URI.
fn call(world: &mut World, uri: &str) {
    world.act("1001", |phone, now| phone.dial_uri(now, uri));
}
