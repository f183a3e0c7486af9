//! Phones from which nothing is heard: asked whether they are there, and given up if they are not.

use crate::answered::talking;
use crate::queue::waiting;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{AgentState, Fact};
use strowger::id::LegId;
use strowger::media::control::Event;
use strowger::sip::flow::{ConnectionId, Flow, Loss, Transport};
use strowger::sip::message::{Message, Method};
use strowger::switch::Input;
use strowger::time::Duration;

/// A phone that answers is left alone, however long it says nothing.
#[test]
fn a_silent_phone_that_is_there_keeps_its_call() {
    in_all_weathers(SITE, |world| {
        talking(world);
        for _ in 0..3 {
            silent(world, "1001");
            world.run(Duration::from_secs(60));
        }
        assert_eq!(questions(world), 3);
        assert!(world.talk("1001", "1002"));
        world.hang_up("1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    });
}

#[test]
fn a_dead_phone_frees_the_call() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.set("1001", |phone| phone.manner = Manner::Dead);
        silent(world, "1001");
        silent(world, "1001");
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        world.until("it is recorded", |world| !world.ends().is_empty());
        assert_eq!(world.ends(), [(200, "silent".to_owned())]);
        world.set("1001", |phone| phone.lines.clear());
    });
}

/// One-way audio is told once while it lasts, and only in a talk.
#[test]
fn one_way_audio_is_told_and_recorded() {
    let mut world = World::new(SITE);
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(3)));
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    let caller = LegId { index: 0, ..offered_leg(&world) };
    world.input(Input::Media(Event::OneWay { leg: caller }));
    assert_eq!(one_ways(&world), [], "he hears a ringing phone");
    world.until("they talk", |world| {
        world.talk("1001", "1002") && world.stage("1001") == Stage::Talking
    });

    for _ in 0..3 {
        world.input(Input::Media(Event::OneWay { leg: caller }));
    }
    assert_eq!(one_ways(&world), [caller]);
    world.input(Input::Media(Event::BothWays { leg: caller }));
    world.input(Input::Media(Event::OneWay { leg: caller }));
    assert_eq!(one_ways(&world), [caller; 2]);
    assert_eq!(world.node().one_way_total, 2);
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    world.close();
}

/// A dead phone in a queue call frees the agent too.
#[test]
fn a_dead_caller_frees_his_agent() {
    let mut world = World::new(SITE);
    world.set("1003", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    waiting(&mut world, "601");
    world.until("they talk", |world| world.talk("1001", "1003"));
    world.run(Duration::from_secs(2));
    world.set("1001", |phone| phone.manner = Manner::Dead);
    silent(&mut world, "1001");
    world.until("the agent is told", |world| world.stage("1003") == Stage::Over);
    assert_ne!(world.agent("a"), AgentState::OnCall);
    world.set("1001", |phone| phone.lines.clear());
    world.close();
}

/// A phone that was switched off and on again does not know its call any more.
#[test]
fn a_phone_that_has_started_anew_is_given_up() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.set("1002", |phone| phone.lines.clear());
    silent(&mut world, "1002");
    world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
    world.until("it is recorded", |world| !world.ends().is_empty());
    assert_eq!(world.ends(), [(200, "silent".to_owned())]);
    world.close();
}

/// The connection of a caller closes while his call rings: nobody rings for him any longer.
#[test]
fn a_ringing_caller_whose_connection_closes_is_given_up() {
    let mut world = World::new(SITE);
    let flow = Flow {
        transport: Transport::Tcp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: world.phone("1001").address,
        connection: ConnectionId(7),
    };
    world.set("1001", |phone| phone.over_tcp(flow.connection));
    world.act("1001", |phone, now| {
        let offer = phone.talk_sdp();
        phone.dial(now, "1002", &offer);
    });
    world.until("it rings", |world| world.rings("1002"));
    world.input(Input::Closed { flow, why: Loss::Ended });
    world.until("the phone is told", |world| world.stage("1002") == Stage::Over);
    world.until("it is recorded", |world| !world.ends().is_empty());
    assert_eq!(world.ends(), [(487, "caller_hung_up".to_owned())]);
    world.set("1001", |phone| phone.lines.clear());
    world.run(Duration::from_secs(60));
    assert_eq!(world.node().calls, 0);
}

fn offered_leg(world: &World) -> LegId {
    let offered = world.facts().find_map(|fact| match fact {
        Fact::Offered { leg, .. } => Some(*leg),
        _ => None,
    });
    offered.expect("a phone was rung")
}

fn one_ways(world: &World) -> Vec<LegId> {
    let legs = world.facts().filter_map(|fact| match fact {
        Fact::OneWay { leg } => Some(*leg),
        _ => None,
    });
    legs.collect()
}

/// The media thread has heard nothing of the phone.
fn silent(world: &mut World, name: &str) {
    let remote = world.phone(name).rtp();
    let leg = world.studio.leg_at(remote).expect("the phone is connected");
    world.input(Input::Media(Event::Silent { leg }));
}

/// How often a phone was asked whether it is there; copies do not count.
fn questions(world: &World) -> usize {
    let mut asked: Vec<u32> = (world.sent.iter())
        .filter_map(|message| match message {
            Message::Request(request) if request.method() == Method::Options => {
                Some(request.cseq().number)
            }
            _ => None,
        })
        .collect();
    asked.dedup();
    asked.len()
}
