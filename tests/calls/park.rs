//! A call waits at a numbered place until it is fetched from any phone (RFC 5359 §2.15).

use crate::answered::talking;
use crate::attended_transfer::complete;
use crate::blf_ringing::watch;
use crate::blind_transfer::{hold, outcomes, told, transfer};
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use roxmltree::Document;
use strowger::cdr::entry::{Fact, ParkLeft, TransferOutcome};
use strowger::cdr::record::CallRecord;
use strowger::id::CallId;
use strowger::sip::message::Name;
use strowger::switch::request::{Reply, Request, Stage as Shown};

/// Sent to the code: the first free place is his; who dials it talks with him.
#[test]
fn to_the_first_free_place() {
    in_all_weathers(SITE, |world| {
        parked(world, "*70");
        world.dial("1006", "*701");
        fetched(world);
    });
}

/// Sent to a place: nobody else is sent there meanwhile, and nothing happens to who tries.
#[test]
fn to_a_place() {
    in_all_weathers(SITE, |world| {
        watch(world, "1006", "*7012", "dialog");
        parked(world, "*7012");
        world.until("its lamp is lit", |world| world.shows("1006", 0) == "confirmed");
        world.dial("1004", "1005");
        world.until("it rings", |world| world.rings("1005"));
        world.answer("1005");
        world.until("they talk", |world| world.talk("1004", "1005"));
        world.settle();
        transfer(world, "1005", "*7012");
        world.until("it is refused", |world| world.phone("1005").line().refers == [486]);
        assert!(world.talk("1004", "1005"));
        world.hang_up("1004");
        world.dial("1006", "*7012");
        world.until("its lamp is off", |world| world.shows("1006", 0) == "off");
        fetched(world);
        world.until("the others are done", |world| world.stage("1005") == Stage::Over);
    });
}

/// The phone that parks has called: the one whom it called waits.
#[test]
fn the_called_one() {
    in_all_weathers(SITE, |world| {
        talking(world);
        transfer(world, "1001", "*70");
        world.until("it is through", |world| told(world, "1001").ends_with("200 OK"));
        world.hang_up("1001");
        world.settle();
        world.dial("1006", "*701");
        world.until("they talk", |world| world.talk("1002", "1006"));
        world.until("the books are closed", |world| world.ends().len() == 1);
        world.settle();
        world.hang_up("1006");
        world.until("the other is told", |world| world.stage("1002") == Stage::Over);
    });
}

/// A lit key is pressed: its phone names the dialog that the lamp told of (RFC 3891).
#[test]
fn with_a_key() {
    in_all_weathers(SITE, |world| {
        watch(world, "1006", "park-1", "dialog");
        watch(world, "1006", "park-1", "presence");
        assert_eq!(world.shows("1006", 0), "off");
        parked(world, "*70");
        world.until("it is lit", |world| world.shows("1006", 0) == "confirmed");
        let text = world.phone("1006").lamps[0].body().to_owned();
        assert!(text.contains("Ann"), "it shows who waits: {text}");
        world.until("its note says so", |world| {
            world.phone("1006").lamps[1].body().contains("Parked: 1001")
        });
        let document = Document::parse(&text).expect("it is XML");
        let dialog = document.root_element().first_element_child().expect("a dialog");
        let part = |name| dialog.attribute(name).expect("it names the dialog");
        let (call_id, local, remote) = (part("call-id"), part("local-tag"), part("remote-tag"));
        let replaces = format!("{call_id};to-tag={local};from-tag={remote}");
        world.act("1006", |phone, now| {
            let offer = phone.talk_sdp();
            phone.dial_with(now, "*701", &offer, &[(Name::Replaces, &replaces)]);
        });
        world.until("it is off", |world| world.shows("1006", 0) == "off");
        fetched(world);
    });
}

/// A place is kept for the phone that calls the code; it sends its caller there.
#[test]
fn announced_first() {
    in_all_weathers(SITE, |world| {
        talking(world);
        hold(world, "1002");
        world.until("music plays", |world| world.hears_prompt("1001", "hold"));
        world.settle();
        world.dial("1002", "*70");
        world.until("it hears the place", |world| world.stage("1002") == Stage::Talking);
        world.settle();
        complete(world, "1002", 0, 1);
        world.until("it is through", |world| {
            world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
        });
        assert!(world.hears_prompt("1001", "hold"));
        assert_eq!(outcomes(world), [TransferOutcome::Completed]);
        world.dial("1006", "*701");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.settle();
        world.hang_up("1001");
        world.until("the other is told", |world| world.stage("1006") == Stage::Over);
        assert_eq!(left(world), [ParkLeft::Moved, ParkLeft::Fetched]);
    });
}

/// In good weather the place's number is heard, then music.
#[test]
fn the_number_is_said() {
    let mut world = World::new(SITE);
    world.dial("1002", "*70");
    world.until("it hears the place", |world| world.hears_prompt("1002", "digit-1"));
    world.until("it hears music", |world| world.hears_prompt("1002", "hold"));
    world.hang_up("1002");
    world.settle();
    assert_eq!(left(&world), [ParkLeft::Abandoned]);
    world.close();
}

/// Who waits hangs up: the place is free, and who comes too late is told.
#[test]
fn who_waits_hangs_up() {
    in_all_weathers(SITE, |world| {
        watch(world, "1006", "*701", "dialog");
        parked(world, "*70");
        world.until("it is lit", |world| world.shows("1006", 0) == "confirmed");
        world.hang_up("1001");
        world.until("it is off", |world| world.shows("1006", 0) == "off");
        for number in ["*701", "*7099"] {
            world.dial("1006", number);
            world.until("it is refused", |world| world.stage("1006") == Stage::Over);
        }
        assert_eq!(world.status_of("1006"), 404, "there is no such place");
        assert_eq!(left(world), [ParkLeft::Abandoned]);
    });
}

/// Two fetch at once: one has him, the other is told that nobody is there.
#[test]
fn two_at_once() {
    in_all_weathers(SITE, |world| {
        parked(world, "*70");
        world.dial("1006", "*701");
        world.dial("1005", "*701");
        world
            .until("one has him", |world| world.talk("1001", "1006") || world.talk("1001", "1005"));
        world.settle();
        let lines = ["1006", "1005"].map(|name| world.stage(name) == Stage::Talking);
        assert_eq!(lines.iter().filter(|talks| **talks).count(), 1);
        world.hang_up("1001");
        world.until("both are told", |world| {
            world.stage("1006") == Stage::Over && world.stage("1005") == Stage::Over
        });
    });
}

/// `[park] slots`: who would be one too many stays where he is.
#[test]
fn no_place_is_left() {
    let mut world = World::new(&format!("{SITE}\n[park]\nslots = 1\n"));
    parked(&mut world, "*70");
    let waits = Shown::Parked { slot: 1 };
    let Reply::Calls(calls) = world.ask(Request::Calls) else { panic!("asked for calls") };
    assert_eq!(calls[0].stage, waits);
    world.dial("1006", "*70");
    world.until("it is refused", |world| world.stage("1006") == Stage::Over);
    assert_eq!(world.status_of("1006"), 486);
    world.dial("1004", "1005");
    world.until("it rings", |world| world.rings("1005"));
    world.answer("1005");
    world.until("they talk", |world| world.talk("1004", "1005"));
    world.settle();
    for (target, status) in [("*70", 486), ("*701", 486), ("*702", 404)] {
        world.set("1005", |phone| phone.lines[0].refers.clear());
        transfer(&mut world, "1005", target);
        world.until("it is refused", |world| !world.phone("1005").line().refers.is_empty());
        assert_eq!(world.phone("1005").line().refers, [status], "{target}");
    }
    assert!(world.talk("1004", "1005"));
    world.hang_up("1004");
    world.hang_up("1001");
    world.close();
}

/// A place has one number: what only reads like it leads nowhere, whatever asks for it.
#[test]
fn no_other_number_is_a_place() {
    let mut world = World::new(SITE);
    parked(&mut world, "*70");
    world.dial("1004", "1005");
    world.until("it rings", |world| world.rings("1005"));
    world.answer("1005");
    world.until("they talk", |world| world.talk("1004", "1005"));
    world.settle();
    for number in ["*7001", "*70001", "*700", "*70+1", "*70*1", "*7065537", "*701a"] {
        world.dial("1006", number);
        world.until("it is refused", |world| world.stage("1006") == Stage::Over);
        assert_eq!(world.status_of("1006"), 404, "called {number}");
        world.set("1005", |phone| phone.lines[0].refers.clear());
        transfer(&mut world, "1005", number);
        world.until("it is refused", |world| !world.phone("1005").line().refers.is_empty());
        assert_eq!(world.phone("1005").line().refers, [404], "transferred to {number}");
    }
    for (lamp, name) in ["*7001", "park-01", "park-+1", "park-0"].into_iter().enumerate() {
        world.act("1006", |phone, now| phone.watch(now, name, "dialog", 3600));
        world.until("it is refused", |world| {
            world.phone("1006").lamps[lamp].statuses.last() == Some(&404)
        });
    }
    assert!(world.hears_prompt("1001", "hold"), "who is parked waits on");
    world.hang_up("1004");
    world.hang_up("1001");
    world.close();
}

/// A restart: the phone that waits is told that its call is over, and every place is free.
#[test]
fn the_node_starts_again() {
    let mut world = World::new(SITE);
    watch(&mut world, "1006", "*701", "dialog");
    parked(&mut world, "*70");
    world.until("it is lit", |world| world.shows("1006", 0) == "confirmed");
    world.restart();
    world.until("he is told", |world| world.stage("1001") == Stage::Over);
    world.until("it is off", |world| world.shows("1006", 0) == "off");
    world.dial("1006", "*701");
    world.until("nobody is there", |world| world.stage("1006") == Stage::Over);
    assert_eq!(world.status_of("1006"), 480);
}

/// 1002 parks its caller 1001 and leaves.
pub fn parked(world: &mut World, to: &str) {
    talking(world);
    transfer(world, "1002", to);
    world.until("it is through", |world| told(world, "1002").ends_with("200 OK"));
    world.until("he hears music", |world| world.hears_prompt("1001", "hold"));
    world.hang_up("1002");
    world.settle();
}

/// 1006 has dialled the place of 1001: they talk, and the first call tells the whole story.
fn fetched(world: &mut World) {
    world.until("they talk", |world| {
        world.talk("1001", "1006") && world.stage("1006") == Stage::Talking
    });
    world.settle();
    assert_eq!(outcomes(world), [TransferOutcome::Completed]);
    world.hang_up("1001");
    world.until("the other is told", |world| world.stage("1006") == Stage::Over);
    world.settle();
    let call = world.entries.iter().find_map(|entry| entry.call).expect("there was a call");
    let record = record(world, call);
    assert_eq!(record.parks.len(), 1);
    assert_eq!(record.parks[0].extension.as_ref().map(|it| it.as_str()), Some("1002"));
    assert_eq!(record.parks[0].why, Some(ParkLeft::Fetched));
    assert_eq!(record.talks.len(), 2, "before and after");
    assert_eq!(record.talks[1].extension.as_ref().map(|it| it.as_str()), Some("1006"));
    assert_eq!(record.ended.map(|end| end.reason), Some("caller_hung_up".to_owned()));
}

/// Why each one was parked no more.
pub fn left(world: &World) -> Vec<ParkLeft> {
    let left = world.facts().filter_map(|fact| match fact {
        Fact::Unparked { why, .. } => Some(*why),
        _ => None,
    });
    left.collect()
}

fn record(world: &World, call: CallId) -> CallRecord {
    let mut record = CallRecord::new(call, "hq");
    for entry in &world.entries {
        record.apply(entry);
    }
    record
}
