//! Calls go on to another number: by feature code, by the phone itself (RFC 5359 §2.7 to §2.9).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, ForwardWhy};
use strowger::sip::message::Name;
use strowger::switch::request::{Reply, Request};
use strowger::time::Duration;

#[test]
fn always() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*721006", "service-on");
        world.dial("1001", "1002");
        world.until("the third rings", |world| world.rings("1006"));
        let diversion = world.phone("1006").line().invite.header(Name::Diversion);
        assert_eq!(diversion, Some("<sip:1002@strowger.test>;reason=unconditional;counter=1"));
        talked(world, "1006");
        assert_eq!(world.phone("1002").lines.len(), 1, "it did not ring");

        code(world, "1002", "*73", "service-off");
        world.dial("1001", "1002");
        world.until("it rings again", |world| world.rings("1002"));
        talked(world, "1002");
    });
}

#[test]
fn while_busy() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*901006", "service-on");
        world.set("1002", |phone| phone.manner = Manner::Refuses(486));
        world.dial("1001", "1002");
        world.until("the third rings", |world| world.rings("1006"));
        talked(world, "1006");
        assert_eq!(reasons(world), [ForwardWhy::Busy]);
    });
}

#[test]
fn without_an_answer() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*921006", "service-on");
        world.dial("1001", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.until("the third rings", |world| world.rings("1006"));
        world.until("the first rings no more", |world| world.stage("1002") == Stage::Over);
        talked(world, "1006");
        assert_eq!(reasons(world), [ForwardWhy::NoAnswer]);
    });
}

/// Nobody is registered there.
#[test]
fn without_a_phone() {
    let mut world = World::new(SITE);
    code(&mut world, "1002", "*921006", "service-on");
    world.act("1002", |phone, now| phone.register(now, 0));
    world.run(Duration::from_secs(1));
    world.dial("1001", "1002");
    world.until("the third rings", |world| world.rings("1006"));
    world.cancel("1001");
    world.close();
}

/// The number is asked for if it is not dialled with the code.
#[test]
fn the_number_is_asked_for() {
    let mut world = World::new(SITE);
    world.dial("1002", "*72");
    world.until("it is asked for", |world| world.hears_prompt("1002", "forward-number"));
    for key in "1006#".chars() {
        world.press("1002", key);
    }
    world.until("it is done", |world| world.hears_prompt("1002", "service-on"));
    world.until("it is over", |world| world.stage("1002") == Stage::Over);
    let Reply::Phones(phones) = world.ask(Request::Phones) else { panic!("asked for phones") };
    let phone = phones.iter().find(|phone| phone.extension.as_str() == "1002");
    let services = phone.map(|phone| phone.services.clone()).expect("the account is known");
    assert_eq!(services.always.as_deref(), Some("1006"));
    world.close();
}

/// Where the account may not call, nothing is forwarded to; nor to itself, nor to a code.
#[test]
fn to_nowhere() {
    let mut world = World::new(SITE);
    for wrong in ["*727777", "*721002", "*72*43"] {
        code(&mut world, "1002", wrong, "invalid");
    }
    assert!(!world.store.keys().any(|key| key.starts_with("services/")));
    world.close();
}

/// Two accounts forward to each other: the caller is told, and nothing turns for ever.
#[test]
fn in_a_circle() {
    in_all_weathers(SITE, |world| {
        code(world, "1002", "*721006", "service-on");
        code(world, "1006", "*721002", "service-on");
        world.dial("1001", "1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), 482);
    });
}

#[test]
fn kept_over_a_restart() {
    let mut world = World::new(SITE);
    code(&mut world, "1002", "*721006", "service-on");
    world.run(Duration::from_secs(40));
    world.restart();
    world.entries.clear();
    world.dial("1001", "1002");
    world.until("the third rings", |world| world.rings("1006"));
    world.cancel("1001");
    world.close();
}

/// RFC 3261 §8.1.3.4: the phone itself names another number, where its account may call.
#[test]
fn a_phone_redirects() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| {
            phone.manner = Manner::Refuses(302);
            phone.redirects_to = Some("1006".to_owned());
        });
        world.dial("1001", "1002");
        world.until("the third rings", |world| world.rings("1006"));
        talked(world, "1006");
        assert_eq!(reasons(world), [ForwardWhy::Redirected]);
    });
}

/// To itself, to nowhere, or without a number: no loop, and the caller is told.
#[test]
fn a_phone_redirects_badly() {
    for (to, status) in [(Some("1002"), 482), (Some("7777"), 404), (None, 480)] {
        let mut world = World::new(SITE);
        world.set("1002", |phone| {
            phone.manner = Manner::Refuses(302);
            phone.redirects_to = to.map(str::to_owned);
        });
        world.dial("1001", "1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        assert_eq!(world.status_of("1001"), status, "{to:?}");
        world.close();
    }
}

/// A transfer to an account that forwards its calls goes there.
#[test]
fn a_transfer_is_forwarded_too() {
    in_all_weathers(SITE, |world| {
        code(world, "1006", "*721005", "service-on");
        crate::answered::talking(world);
        crate::blind_transfer::transfer(world, "1002", "1006");
        world.until("the fourth rings", |world| world.rings("1005"));
        world.answer("1005");
        world.until("they talk", |world| world.talk("1001", "1005"));
        world.settle();
        world.hang_up("1001");
        world.until("all are told", |world| {
            world.stage("1005") == Stage::Over && world.stage("1002") == Stage::Over
        });
    });
}

/// The called phone rings, and the call is answered and ended.
fn talked(world: &mut World, callee: &str) {
    world.answer(callee);
    world.until("they talk", |world| {
        world.talk("1001", callee) && world.stage("1001") == Stage::Talking
    });
    world.settle();
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage(callee) == Stage::Over);
    world.settle();
}

fn reasons(world: &World) -> Vec<ForwardWhy> {
    let forwards = world.facts().filter_map(|fact| match fact {
        Fact::Forwarded { why, .. } => Some(*why),
        _ => None,
    });
    forwards.collect()
}

/// Dials a code and hears what becomes of it.
pub fn code(world: &mut World, name: &str, code: &str, prompt: &str) {
    world.dial(name, code);
    world.until(prompt, |world| world.hears_prompt(name, prompt));
    world.until("it is over", |world| world.stage(name) == Stage::Over);
}
