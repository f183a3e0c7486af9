//! A program calls for an account: its phones ring first, then the number is called.

use crate::site::SITE;
use crate::trunk_out::{begin, invite, site};
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, HungUpBy, OrderKind};
use strowger::cdr::record::CallRecord;
use strowger::id::CallId;
use strowger::sip::message::Name;
use strowger::switch::request::{Dial, Refusal, Reply, Request};
use strowger::time::Duration;

#[test]
fn the_phone_rings_then_the_number_is_called() {
    in_all_weathers(SITE, |world| {
        let call = dial(world, order("1001", "1002"));
        world.until("his own phone rings", |world| world.rings("1001"));
        let from = world.phone("1001").line().invite.from().uri_text().to_owned();
        assert_eq!(from, "sip:1002@strowger.test", "it shows whom it is for");
        assert!(world.phone("1002").lines.is_empty(), "nobody else is called yet");
        world.answer("1001");
        world.until("the other rings", |world| world.rings("1002"));
        let invite = &world.phone("1002").line().invite;
        assert_eq!(invite.from().uri().unwrap().user(), Some("1001"));
        world.until("he hears that it rings", |world| world.hears_prompt("1001", "ringback"));
        world.answer("1002");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.settle();
        world.hang_up("1001");
        world.until("the other is told", |world| world.stage("1002") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);

        let record = record(world, call);
        assert_eq!(record.orders[0].order, OrderKind::Dial);
        assert_eq!(record.orders[0].by, "crm");
        assert_eq!(record.orders[0].to.as_deref(), Some("1002"));
        assert_eq!(record.caller.number, "1001");
        assert_eq!(record.dialled, "1002");
        assert_eq!(record.offers.len(), 2, "his own phone, and the other's");
        assert!(record.legs.iter().all(|leg| leg.sip_call_id.is_some()));
        assert_eq!(record.ended.map(|end| end.by), Some(HungUpBy::Caller));
    });
}

/// The called one hangs up: the record says that it was he.
#[test]
fn the_called_one_hangs_up() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        let call = dial(world, order("1001", "1002"));
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.settle();
        world.hang_up("1002");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);
        let end = record(world, call).ended.expect("it is over");
        assert_eq!((end.by, end.reason.as_str()), (HungUpBy::Callee, "callee_hung_up"));
    });
}

/// He does not pick up, or refuses.
#[test]
fn his_own_phone_is_not_answered() {
    for (manner, reason) in [(Manner::Rings, "no_answer"), (Manner::Refuses(486), "busy")] {
        in_all_weathers(SITE, |world| {
            world.set("1001", |phone| phone.manner = manner);
            dial(world, order("1001", "1002"));
            world.until("the books are closed", |world| world.ends().len() == 1);
            assert_eq!(world.ends()[0].1, reason);
            assert!(world.phone("1002").lines.is_empty(), "nobody else was called");
        });
    }
}

/// What is set for those who call him does not hold for himself.
#[test]
fn his_own_forwards_and_dnd_do_not_count() {
    let mut world = World::new(SITE);
    for code in ["*901006", "*78"] {
        world.dial("1001", code);
        world.until("it is set", |world| world.stage("1001") == Stage::Over);
    }
    world.settle();
    world.set("1001", |phone| phone.manner = Manner::Refuses(486));
    let rung = world.phone("1001").lines.len();
    dial(&mut world, order("1001", "1002"));
    world.until("his own phone is called", |world| world.phone("1001").lines.len() > rung);
    world.until("the books are closed", |world| world.ends().len() == 3);
    assert_eq!(world.ends()[2], (486, "busy".to_owned()));
    assert!(world.phone("1006").lines.is_empty());
    world.close();
}

/// Nobody takes it where he calls: he has heard it ring, and is hung up.
#[test]
fn the_number_is_not_answered() {
    in_all_weathers(SITE, |world| {
        world.set("1001", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.set("1002", |phone| phone.manner = Manner::Refuses(486));
        dial(world, order("1001", "1002"));
        world.until("he is told", |world| {
            world.phone("1001").lines.len() == 1 && world.stage("1001") == Stage::Over
        });
        world.until("the books are closed", |world| world.ends().len() == 1);
        assert_eq!(world.ends(), [(200, "busy".to_owned())]);
    });
}

/// A queue, with his phone answering by itself.
#[test]
fn to_a_queue_with_a_phone_that_answers_by_itself() {
    let mut world = World::new(SITE);
    dial(&mut world, Dial { auto_answer: true, ..order("1001", "601") });
    world.until("his own phone rings", |world| world.rings("1001"));
    let call_info = world.phone("1001").line().invite.header(Name::CallInfo).map(str::to_owned);
    assert_eq!(call_info.as_deref(), Some("<sip:strowger.test>;answer-after=0"));
    world.answer("1001");
    let seat = crate::queue::rung(&mut world);
    assert!(world.phone(seat).line().invite.header(Name::CallInfo).is_none());
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.hang_up("1001");
    world.settle();
    world.close();
}

/// Somebody outside is shown the number that the program wants.
#[test]
fn outside_with_a_number_to_show() {
    let mut world = World::new(&site("caller_id = '02155550000'"));
    begin(&mut world);
    for name in ["1001", "itsp"] {
        world.set(name, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    }
    let caller_id = Some("02155551234".to_owned());
    dial(&mut world, Dial { caller_id, ..order("1001", "02112345678") });
    world.until("they talk", |world| world.talk("1001", "itsp"));
    assert_eq!(invite(&world, "itsp").from().uri().unwrap().user(), Some("02155551234"));
    world.settle();
    world.hang_up("itsp");
    world.settle();
    world.close();
}

/// What cannot be is refused at once, and nothing rings.
#[test]
fn what_cannot_be_dialled() {
    let toml = format!("{SITE}\n[classes.far]\nnumbers = [\"500\"]\n[emergency]\nnumbers = []\n");
    let toml = toml.replace("[extensions.1006]", "[extensions.1006]\ncalls = [\"internal\"]");
    let mut world = World::new(&toml);
    world.act("1005", |phone, now| phone.register(now, 0));
    world.settle();
    let refused =
        |world: &mut World, from: &str, to: &str| match world.ask(Request::Dial(order(from, to))) {
            Reply::Refused(refusal) => refusal,
            other => panic!("{from} to {to}: {other:?}"),
        };
    assert_eq!(refused(&mut world, "7", "1002"), Refusal::UnknownExtension("7".into()));
    assert_eq!(refused(&mut world, "1001", "7777"), Refusal::NoWay("7777".to_owned()));
    assert_eq!(refused(&mut world, "1001", "*43"), Refusal::ByPhoneOnly("*43".to_owned()));
    assert_eq!(refused(&mut world, "1005", "1002"), Refusal::NotRegistered("1005".into()));
    let forbidden = refused(&mut world, "1006", "500");
    assert!(matches!(forbidden, Refusal::Forbidden { .. }), "{forbidden:?}");
    world.ask(Request::Drain { on: true });
    assert_eq!(refused(&mut world, "1001", "1002"), Refusal::NoRoom);
    assert!(!world.has(|fact| matches!(fact, Fact::Setup { .. })));
    assert!(world.phones.values().all(|phone| phone.lines.is_empty()));
    world.close();
}

/// Somebody leaves, or the node stops, after each single step of it.
#[test]
fn everyone_leaves_at_any_step() {
    for who in ["1001", "1002", "all", "administrator"] {
        for steps in 0..48 {
            let mut world = World::new(SITE);
            for name in ["1001", "1002"] {
                world.set(name, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
            }
            let call = dial(&mut world, order("1001", "1002"));
            for _ in 0..steps {
                world.step();
            }
            let names: &[&str] = match who {
                "all" => &["1001", "1002"],
                "administrator" => &[],
                one => &[one],
            };
            for name in names {
                world.act(name, |phone, now| phone.leave(now));
            }
            if names.is_empty() {
                world.ask(Request::HangUp { call, by: "boss".to_owned() });
            }
            world.run(Duration::from_secs(120));
            for name in ["1001", "1002"] {
                world.act(name, |phone, now| phone.leave(now));
            }
            world.close();
        }
    }
}

pub fn order(from: &str, to: &str) -> Dial {
    Dial {
        extension: from.into(),
        to: to.to_owned(),
        caller_id: None,
        auto_answer: false,
        by: "crm".to_owned(),
    }
}

pub fn dial(world: &mut World, order: Dial) -> CallId {
    match world.ask(Request::Dial(order)) {
        Reply::Dialled(call) => call,
        other => panic!("a call is ordered, the answer is {other:?}"),
    }
}

pub fn record(world: &World, call: CallId) -> CallRecord {
    let mut record = CallRecord::new(call, "hq");
    for entry in &world.entries {
        record.apply(entry);
    }
    record
}
