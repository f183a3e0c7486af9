//! A program holds a leg, takes it back, sends it on; the record says who wanted it.

use crate::answered::talking;
use crate::blind_transfer::{hold, outcomes};
use crate::control_dial::record;
use crate::site::SITE;
use crate::trunk_in;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{OrderKind, TransferOutcome};
use strowger::id::{CallId, LegId};
use strowger::sip::message::Method;
use strowger::switch::request::{LegState, Refusal, Reply, Request};
use strowger::time::Duration;

/// The leg hears music and is told so by SDP; taken back, both hear each other again.
#[test]
fn held_and_taken_back() {
    in_all_weathers(SITE, |world| {
        talking(world);
        let leg = leg(world, 0);
        assert_eq!(held(world, leg, true), Reply::Done);
        world.until("he hears music", |world| world.hears_prompt("1001", "hold"));
        world.until("his phone is told", |world| offers(world).contains(&"sendonly"));
        assert_eq!(state(world, leg), LegState::Held);
        assert!(matches!(held(world, leg, true), Reply::Refused(Refusal::LegState { .. })));
        world.settle();

        assert_eq!(held(world, leg, false), Reply::Done);
        world.until("they talk again", |world| world.talk("1001", "1002"));
        world.until("his phone is told", |world| offers(world).last() == Some(&"sendrecv"));
        assert!(matches!(held(world, leg, false), Reply::Refused(Refusal::LegState { .. })));
        world.settle();
        world.hang_up("1001");
        world.until("the other is told", |world| world.stage("1002") == Stage::Over);
        let record = record(world, leg.call);
        let orders: Vec<_> = record.orders.iter().map(|it| (it.order, it.by.as_str())).collect();
        assert_eq!(orders, [(OrderKind::Hold, "crm"), (OrderKind::Resume, "crm")]);
        assert_eq!(record.orders[0].leg, Some(leg));
    });
}

/// The other side holds too: the music goes on until both have taken back.
#[test]
fn both_ways() {
    let mut world = World::new(SITE);
    talking(&mut world);
    let leg = leg(&world, 0);
    held(&mut world, leg, true);
    world.settle();
    hold(&mut world, "1002");
    world.settle();
    held(&mut world, leg, false);
    world.settle();
    assert!(world.hears_prompt("1001", "hold"), "1002 still holds him");
    held(&mut world, leg, true);
    world.settle();
    world.act("1002", |phone, now| {
        let offer = phone.talk_sdp();
        phone.in_dialog(now, Method::Invite, &offer);
    });
    world.settle();
    assert!(world.hears_prompt("1001", "hold"), "he is held by order");
    held(&mut world, leg, false);
    world.settle();
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.settle();
    world.close();
}

/// A held leg is sent on: who takes it hears it at once.
#[test]
fn sent_on() {
    in_all_weathers(SITE, |world| {
        talking(world);
        let leg = leg(world, 0);
        held(world, leg, true);
        world.settle();
        assert_eq!(sent(world, leg, "1006"), Reply::Done);
        world.until("the third rings", |world| world.rings("1006"));
        assert!(world.hears_prompt("1001", "hold"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("the other is hung up", |world| world.stage("1002") == Stage::Over);
        assert_eq!(outcomes(world), [TransferOutcome::Completed]);
        assert!(world.phone("1002").line().progress.is_empty(), "it asked for nothing");
        world.settle();
        world.hang_up("1001");
        world.until("the third is told", |world| world.stage("1006") == Stage::Over);
        let record = record(world, leg.call);
        assert_eq!(record.orders[1].order, OrderKind::Transfer);
        assert_eq!(record.orders[1].to.as_deref(), Some("1006"));
        assert_eq!(record.transfers[0].extension.as_ref().map(|it| it.as_str()), Some("1002"));
    });
}

/// Nobody takes it: the other side has it back, or is rung if it has left.
#[test]
fn nobody_takes_it() {
    for leaves in [false, true] {
        in_all_weathers(SITE, |world| {
            talking(world);
            let leg = leg(world, 0);
            world.set("1006", |phone| phone.manner = Manner::Rings);
            assert_eq!(sent(world, leg, "1006"), Reply::Done);
            world.until("the third rings", |world| world.rings("1006"));
            world.settle();
            if leaves {
                world.hang_up("1002");
                world.settle();
            }
            world.act("1006", |phone, now| phone.refuse(now, 486));
            world.until("they talk again", |world| world.talk("1001", "1002"));
            let back = if leaves { TransferOutcome::Recalled } else { TransferOutcome::Returned };
            assert_eq!(outcomes(world), [back]);
            world.settle();
            world.hang_up("1001");
            world.until("the other is told", |world| world.stage("1002") == Stage::Over);
        });
    }
}

/// A caller over a trunk is sent to a queue, with the rights of who talks with him; then parked.
#[test]
fn somebody_outside() {
    let mut world = trunk_in::begun(&trunk_in::site(""));
    world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.call_in("itsp", "013800138000", "4008001234");
    world.until("they talk", |world| world.talk("itsp", "1002"));
    world.settle();
    let leg = leg(&world, 0);
    assert_eq!(sent(&mut world, leg, "*70"), Reply::Done);
    world.settle();
    assert!(world.hears_prompt("itsp", "hold"));
    assert!(matches!(sent(&mut world, leg, "1002"), Reply::Refused(Refusal::LegState { .. })));
    world.hang_up("itsp");
    world.settle();
    world.close();
}

#[test]
fn what_cannot_be_ordered() {
    let mut world = World::new(SITE);
    talking(&mut world);
    let leg = leg(&world, 0);
    let unknown = LegId { index: 9, ..leg };
    assert_eq!(sent(&mut world, leg, "7777"), Reply::Refused(Refusal::NoWay("7777".to_owned())));
    let refused = sent(&mut world, leg, "*43");
    assert!(matches!(refused, Reply::Refused(Refusal::LegState { .. })), "{refused:?}");
    for leg in [unknown, LegId { call: CallId::from_u64(3), index: 0 }] {
        assert_eq!(held(&mut world, leg, true), Reply::Refused(Refusal::UnknownLeg(leg)));
    }
    assert!(world.talk("1001", "1002"));
    world.hang_up("1001");
    world.settle();
    assert!(matches!(held(&mut world, leg, true), Reply::Refused(_)));
    world.close();

    world.dial("1001", "500");
    world.until("he hears the menu", |world| world.hears_prompt("1001", "welcome"));
    let call = world.entries.last().and_then(|entry| entry.call).expect("he calls");
    let leg = LegId { call, index: 0 };
    assert!(matches!(held(&mut world, leg, true), Reply::Refused(Refusal::LegState { .. })));
    world.settle();
    world.hang_up("1001");
    world.close();
}

fn leg(world: &World, index: u16) -> LegId {
    let call = world.entries.iter().find_map(|entry| entry.call).expect("there is a call");
    LegId { call, index }
}

fn held(world: &mut World, leg: LegId, hold: bool) -> Reply {
    world.ask(Request::Hold { leg, hold, by: "crm".to_owned() })
}

fn sent(world: &mut World, leg: LegId, to: &str) -> Reply {
    world.ask(Request::Transfer { leg, to: to.to_owned(), by: "crm".to_owned() })
}

fn state(world: &mut World, leg: LegId) -> LegState {
    let Reply::Calls(calls) = world.ask(Request::Calls) else { panic!("asked for calls") };
    let legs = calls.iter().flat_map(|call| &call.legs);
    legs.filter(|it| it.leg == leg).map(|it| it.state).next().expect("the leg is there")
}

/// The directions that 1001's phone was offered, in their order.
fn offers(world: &World) -> Vec<&str> {
    let changes = world.phone("1001").line().changes.iter();
    let bodies = changes.filter_map(|change| std::str::from_utf8(change.body()).ok());
    let direction = |body: &'_ str| {
        ["sendonly", "sendrecv"].into_iter().find(|way| body.contains(&format!("a={way}")))
    };
    bodies.filter_map(direction).collect()
}
