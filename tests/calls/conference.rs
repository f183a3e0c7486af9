//! Many talk in one room: dialled, transferred, muted, sent away.

use crate::attended_transfer::complete;
use crate::control_dial::record;
use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::studio::Heard;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, OrderKind};
use strowger::id::{CallId, LegId};
use strowger::sip::message::Method;
use strowger::switch::request::{ConferenceView, Refusal, Reply, Request};
use strowger::time::Duration;

/// Who is alone hears music; the others hear each other; the last one is not left there for ever.
#[test]
fn all_hear_each_other_until_one_is_alone() {
    in_all_weathers(&site(), |world| {
        enter(world, "1001");
        world.until("he hears music", |world| world.hears_prompt("1001", "hold"));
        for name in ["1002", "1006"] {
            enter(world, name);
        }
        world.until("all hear all", |world| together(world, &["1001", "1002", "1006"]));
        world.hang_up("1001");
        world.until("two are left", |world| together(world, &["1002", "1006"]));
        world.settle();
        world.hang_up("1006");
        world.until("he hears music", |world| world.hears_prompt("1002", "hold"));
        world.run(Duration::from_secs(61));
        world.until("he is hung up", |world| world.stage("1002") == Stage::Over);
        world.settle();
        assert!(world.ends().contains(&(200, "alone_in_conference".to_owned())));
        for call in calls(world) {
            let record = record(world, call);
            assert_eq!(record.conferences.len(), 1);
            assert_eq!(record.conferences[0].conference.as_str(), "board");
            assert!(record.conferences[0].ended.is_some());
        }
        assert!(members(world).is_empty());
    });
}

#[test]
fn a_pin_is_asked_for() {
    in_all_weathers(&site(), |world| {
        world.dial("1001", "701");
        world.until("he is asked", |world| world.hears_prompt("1001", "agent-pin"));
        press(world, "1001", "1234#");
        world.until("he is in", |world| world.hears_prompt("1001", "hold"));
        world.dial("1002", "701");
        for _ in 0..3 {
            world.until("he is asked", |world| world.hears_prompt("1002", "agent-pin"));
            press(world, "1002", "9999#");
        }
        world.until("he is refused", |world| world.stage("1002") == Stage::Over);
        assert!(world.hears_prompt("1001", "hold"));
        world.settle();
        world.hang_up("1001");
        world.settle();
    });
}

/// As for the PINs of agents: ten wrong ones, and the phone is asked no more for a while.
#[test]
fn a_phone_that_guesses_pins_is_asked_no_more() {
    let mut world = World::new(&site());
    for tries in [3, 3, 3, 1] {
        world.dial("1002", "701");
        for _ in 0..tries {
            world.until("he is asked", |world| world.hears_prompt("1002", "agent-pin"));
            press(&mut world, "1002", "9999#");
        }
        world.until("he is refused", |world| world.stage("1002") == Stage::Over);
    }
    let locked = |fact: &&Fact| matches!(fact, Fact::LockedOut { seconds: 60, .. });
    assert_eq!(world.facts().filter(locked).count(), 1);

    world.dial("1002", "701");
    world.until("it is answered", |world| {
        world.hears_prompt("1002", "agent-denied") || world.hears_prompt("1002", "agent-pin")
    });
    assert!(world.hears_prompt("1002", "agent-denied"), "nothing is asked any more");
    world.until("it is over", |world| world.stage("1002") == Stage::Over);
    world.dial("1001", "701");
    world.until("another is asked", |world| world.hears_prompt("1001", "agent-pin"));
    press(&mut world, "1001", "1234#");
    world.until("he is in", |world| world.hears_prompt("1001", "hold"));
    world.settle();
    world.hang_up("1001");
    world.settle();
}

/// Somebody outside is known by his number, and locked out for longer each time; others are not.
#[test]
fn a_caller_from_outside_who_guesses_pins_is_asked_no_more() {
    let mut world = outside();
    for (length, guesses) in [(60, 10), (120, 10)] {
        guess(&mut world, "13800138000", guesses);
        let locked =
            |fact: &&Fact| matches!(fact, Fact::LockedOut { seconds, .. } if *seconds == length);
        assert_eq!(world.facts().filter(locked).count(), 1);
        assert!(!is_asked(&mut world, "13800138000"));
        assert!(is_asked(&mut world, "13900139000"), "another number is asked");
        world.run(Duration::from_secs(length));
    }
    assert!(is_asked(&mut world, "13800138000"));
    world.close();
}

/// Numbers can be made up: beyond a hundred wrong PINs nobody of that trunk is asked any more, and
/// everybody inside is.
#[test]
fn a_trunk_whose_callers_guess_pins_is_asked_no_more() {
    let mut world = outside();
    for number in 0..34 {
        guess(&mut world, &format!("1390013{number:04}"), if number < 33 { 3 } else { 1 });
    }
    assert!(!is_asked(&mut world, "13800138000"));
    world.dial("1001", "701");
    world.until("a phone is asked", |world| {
        world.stage("1001") == Stage::Talking && world.hears_prompt("1001", "agent-pin")
    });
    world.hang_up("1001");
    world.run(Duration::from_secs(60));
    assert!(is_asked(&mut world, "13800138000"));
    world.close();
}

#[test]
fn one_too_many_is_refused() {
    let mut world = World::new(&site());
    enter(&mut world, "1001");
    enter(&mut world, "1002");
    enter(&mut world, "1006");
    world.dial("1003", "700");
    world.until("it is refused", |world| world.stage("1003") == Stage::Over);
    assert_eq!(world.status_of("1003"), 486);
    world.hang_up("1006");
    world.settle();
    enter(&mut world, "1003");
    world.until("all hear all", |world| together(world, &["1001", "1002", "1003"]));
}

#[test]
fn members_are_muted_and_sent_away() {
    in_all_weathers(&site(), |world| {
        for name in ["1001", "1002", "1006"] {
            enter(world, name);
        }
        world.until("all hear all", |world| together(world, &["1001", "1002", "1006"]));
        press(world, "1002", "*6");
        world.until("he is muted", |world| world.hears("1001") == Heard::Phone("1006".into()));
        world.run(Duration::from_secs(2));
        assert_eq!(world.hears("1002"), Heard::Phones(vec!["1001".into(), "1006".into()]));
        press(world, "1002", "*6");
        world.run(Duration::from_secs(3));
        assert!(together(world, &["1001", "1002", "1006"]));

        let leg = members(world)[1];
        assert_eq!(order(world, leg, OrderKind::Mute), Reply::Done);
        assert!(matches!(order(world, leg, OrderKind::Mute), Reply::Refused(_)));
        assert_eq!(world.hears("1001"), Heard::Phone("1006".into()));
        assert!(conferences(world)[0].members[1].muted);
        assert_eq!(order(world, leg, OrderKind::Unmute), Reply::Done);
        assert!(matches!(order(world, leg, OrderKind::Unmute), Reply::Refused(_)));
        world.until("all hear all", |world| together(world, &["1001", "1002", "1006"]));
        assert_eq!(order(world, leg, OrderKind::Kick), Reply::Done);
        world.until("he is gone", |world| world.stage("1002") == Stage::Over);
        assert!(together(world, &["1001", "1006"]));
        world.settle();
        let record = record(world, leg.call);
        let orders: Vec<_> = record.orders.iter().map(|order| order.order).collect();
        assert_eq!(orders, [OrderKind::Mute, OrderKind::Unmute, OrderKind::Kick]);
        assert_eq!(record.ended.map(|end| end.reason).as_deref(), Some("kicked"));
        world.hang_up("1001");
        world.settle();
        world.hang_up("1006");
        world.settle();
    });
}

#[test]
fn only_a_member_is_muted() {
    let mut world = World::new(&site());
    crate::answered::talking(&mut world);
    let call = calls(&world)[0];
    let refused = order(&mut world, LegId { call, index: 0 }, OrderKind::Mute);
    assert!(matches!(refused, Reply::Refused(Refusal::LegState { .. })), "{refused:?}");
    let refused = order(&mut world, LegId { call, index: 7 }, OrderKind::Kick);
    assert!(matches!(refused, Reply::Refused(Refusal::UnknownLeg(_))), "{refused:?}");
}

/// One of two sends the other into the conference, and comes too.
#[test]
fn a_blind_transfer_leads_into_it() {
    in_all_weathers(&site(), |world| {
        enter(world, "1006");
        crate::answered::talking(world);
        world.act("1002", |phone, now| phone.refer(now, 0, "sip:700@strowger.test", &[]));
        world.until("he is there", |world| together(world, &["1001", "1006"]));
        world.until("who sent him is free", |world| world.stage("1002") == Stage::Over);
        world.settle();
        world.hang_up("1001");
        world.settle();
        world.hang_up("1006");
        world.settle();
    });
}

/// A member asks somebody, and puts him into his own place.
#[test]
fn an_attended_transfer_leads_into_it() {
    for conference_first in [true, false] {
        let mut world = World::new(&site());
        enter(&mut world, "1006");
        let (inside, outside) = if conference_first { (0, 1) } else { (1, 0) };
        if conference_first {
            enter(&mut world, "1001");
            hold(&mut world, 0);
        }
        world.dial("1001", "1002");
        world.until("the other rings", |world| world.rings("1002"));
        world.answer("1002");
        world.until("they talk", |world| world.hears("1002") == Heard::Phone("1001".into()));
        world.settle();
        if !conference_first {
            hold(&mut world, 0);
            enter(&mut world, "1001");
        }
        complete(&mut world, "1001", outside, inside);
        world.until("he is there", |world| together(world, &["1002", "1006"]));
        world.settle();
        world.hang_up("1002");
        world.until("the last hears music", |world| world.hears_prompt("1006", "hold"));
    }
}

/// Legs of all media threads come to that of the first.
#[test]
fn members_come_from_all_threads() {
    in_all_weathers(&site(), |world| {
        enter(world, "1001");
        world.use_another_media_thread();
        enter(world, "1002");
        enter(world, "1006");
        world.until("all hear all", |world| together(world, &["1001", "1002", "1006"]));
        for name in ["1001", "1002", "1006"] {
            world.hang_up(name);
            world.settle();
        }
    });
}

/// One recording for each call that a policy wants recorded.
#[test]
fn a_member_is_recorded_as_his_policy_says() {
    let mut world =
        World::new(&site().replace("name = \"Ann\"", "name = \"Ann\"\nrecord = \"always\""));
    enter(&mut world, "1002");
    enter(&mut world, "1001");
    world.settle();
    let recorded: Vec<_> = world
        .facts()
        .filter_map(|fact| match fact {
            Fact::RecordingBegan { leg, .. } => Some(leg.call),
            _ => None,
        })
        .collect();
    assert_eq!(recorded, [calls(&world)[1]]);
    world.hang_up("1001");
    world.settle();
    assert!(world.has(|fact| matches!(fact, Fact::RecordingEnded { .. })));
}

fn site() -> String {
    let conferences = "[conferences.board]\nnumber = \"700\"\nparties_max = 3\nalone_max = \"1m\"\n\
                       [conferences.closed]\nnumber = \"701\"\npin = \"1234\"\n";
    format!("{SITE}{conferences}")
}

/// The site, reached from outside over a trunk.
fn outside() -> World {
    let trunk = "[trunks.itsp]\nhost = \"203.0.113.1\"\nqualify_every = \"0s\"\n";
    let mut world = World::new(&format!("{}{trunk}", site()));
    world.add_provider("itsp", 1);
    world.run(Duration::from_millis(100));
    world
}

/// Wrong PINs from outside, three in a call as long as they last.
fn guess(world: &mut World, number: &str, pins: u32) {
    for left in (1..=pins).rev().step_by(3) {
        world.call_in("itsp", number, "701");
        for _ in 0..left.min(3) {
            world.until("he is asked", |world| world.hears_prompt("itsp", "agent-pin"));
            press(world, "itsp", "9999#");
        }
        world.until("he is refused", |world| world.stage("itsp") == Stage::Over);
        world.run(Duration::from_millis(100));
    }
}

/// Whether somebody outside is asked for a PIN; he hangs up.
fn is_asked(world: &mut World, number: &str) -> bool {
    world.call_in("itsp", number, "701");
    world.until("it is answered", |world| {
        world.stage("itsp") == Stage::Talking
            && (world.hears_prompt("itsp", "agent-denied")
                || world.hears_prompt("itsp", "agent-pin"))
    });
    let is_asked = world.hears_prompt("itsp", "agent-pin");
    world.hang_up("itsp");
    world.run(Duration::from_millis(100));
    is_asked
}

fn enter(world: &mut World, name: &str) {
    world.dial(name, "700");
    world.until("he is in", |world| {
        world.phone(name).line().stage == Stage::Talking
            && world.facts().filter(|it| matches!(it, Fact::ConferenceJoined { .. })).count() > 0
    });
    world.settle();
}

fn hold(world: &mut World, line: usize) {
    world.act("1001", |phone, now| {
        let offer = phone.sdp("", "sendonly", "8");
        phone.in_dialog_of(now, line, Method::Invite, &offer);
    });
    world.settle();
}

fn press(world: &mut World, name: &str, keys: &str) {
    keys.chars().for_each(|key| world.press(name, key));
}

/// Whether each of them hears all others, and nobody else.
fn together(world: &World, names: &[&str]) -> bool {
    names.iter().all(|name| {
        let others: Vec<String> =
            names.iter().filter(|it| it != &name).map(|it| (*it).to_owned()).collect();
        let wanted = match &others[..] {
            [other] => Heard::Phone(other.clone()),
            _ => Heard::Phones(others),
        };
        world.hears(name) == wanted
    })
}

fn calls(world: &World) -> Vec<CallId> {
    let begun = world.entries.iter().filter(|it| matches!(it.fact, Fact::Setup { .. }));
    begun.filter_map(|entry| entry.call).collect()
}

fn conferences(world: &mut World) -> Vec<ConferenceView> {
    match world.ask(Request::Conferences) {
        Reply::Conferences(conferences) => conferences,
        other => panic!("{other:?}"),
    }
}

/// The members of the first conference.
fn members(world: &mut World) -> Vec<LegId> {
    conferences(world)[0].members.iter().map(|member| member.leg).collect()
}

fn order(world: &mut World, leg: LegId, order: OrderKind) -> Reply {
    world.ask(Request::Member { leg, order, by: "crm".to_owned() })
}
