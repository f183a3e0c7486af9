//! A recording that is silent while somebody says what must not be kept.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::id::LegId;
use strowger::sip::message::Method;
use strowger::switch::request::{Refusal, Reply, Request};
use strowger::time::Duration;

/// The agent presses the codes; the customer's keys mean nothing here.
#[test]
fn an_extension_pauses_its_recording_by_code() {
    in_all_weathers(&recorded(), |world| {
        recorded_talk(world);
        press(world, "1001", "99*2");
        press(world, "1001", "2");
        world.until("it is paused", |world| by(world) == ["1001"]);
        press(world, "1001", "*22");
        world.run(Duration::from_secs(2));
        assert_eq!(by(world), ["1001"], "it is paused already");
        press(world, "1002", "*23");
        world.until("it is resumed", |world| by(world) == ["1001", "1002"]);
        press(world, "1002", "*22");
        world.until("it is paused again", |world| by(world).len() == 3);
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        assert_eq!(by(world), ["1001", "1002", "1002", "talk_ended"]);
    });
}

/// The tone that tells a phone that it was obeyed does not take the place of the music.
#[test]
fn who_is_held_keeps_the_music() {
    let mut world = World::new(&recorded());
    recorded_talk(&mut world);
    world.act("1002", |phone, now| {
        let offer = phone.sdp("", "sendonly", "8");
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    press(&mut world, "1001", "*22");
    world.run(Duration::from_secs(5));

    assert_eq!(by(&world), ["1001"]);
    assert!(world.hears_prompt("1001", "hold"));
}

#[test]
fn a_program_pauses_a_recording() {
    let mut world = World::new(&recorded());
    recorded_talk(&mut world);
    let leg = caller(&world);
    let mut order = |pause| {
        let by = "crm".to_owned();
        world.ask(Request::PauseRecording { leg, pause, by })
    };

    assert!(matches!(order(false), Reply::Refused(Refusal::LegState { .. })));
    assert_eq!(order(true), Reply::Done);
    assert!(matches!(order(true), Reply::Refused(Refusal::LegState { .. })));
    assert_eq!(order(false), Reply::Done);
    assert_eq!(by(&world), ["crm", "crm"]);
}

#[test]
fn what_is_not_recorded_cannot_be_paused() {
    let mut world = World::new(SITE);
    crate::answered::talking(&mut world);
    press(&mut world, "1001", "*22");
    let leg = caller(&world);
    let request = Request::PauseRecording { leg, pause: true, by: "crm".to_owned() };

    assert!(matches!(world.ask(request), Reply::Refused(Refusal::LegState { .. })));
    assert!(by(&world).is_empty());
}

fn recorded() -> String {
    SITE.replace("name = \"Ann\"", "name = \"Ann\"\nrecord = \"always\"")
}

fn recorded_talk(world: &mut World) {
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    crate::answered::talking(world);
    assert!(world.has(|fact| matches!(fact, Fact::RecordingBegan { .. })));
}

fn press(world: &mut World, name: &str, keys: &str) {
    keys.chars().for_each(|key| world.press(name, key));
}

fn caller(world: &World) -> LegId {
    let call = world.entries.iter().find_map(|entry| entry.call).expect("there is a call");
    LegId { call, index: 0 }
}

/// Who paused and resumed, in order.
fn by(world: &World) -> Vec<String> {
    let who = world.facts().filter_map(|fact| match fact {
        Fact::RecordingPaused { by, .. } | Fact::RecordingResumed { by, .. } => Some(by.clone()),
        _ => None,
    });
    who.collect()
}
