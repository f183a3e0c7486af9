//! Phones are told who answered them, and with whom they talk after somebody was moved (RFC 3325,
//! RFC 4916): in the 200, then by UPDATE or re-INVITE. Who does not want to be known stays unknown.

use crate::attended_transfer::{complete, consulting};
use crate::blind_transfer::transfer;
use crate::forward::code;
use crate::site::SITE;
use crate::world::phone::{Manner, Stage, Timers};
use crate::world::{World, in_all_weathers};
use crate::{queue, trunk_in};
use strowger::sip::message::{Message, Method, Name, Request};
use strowger::time::Duration;

#[test]
fn the_200_says_who_answered() {
    in_all_weathers(SITE, |world| {
        world.dial("1002", "1001");
        world.until("it rings", |world| world.rings("1001"));
        world.answer("1001");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.settle();

        assert_eq!(answered_by(world, "1002").as_deref(), Some("\"Ann\" <sip:1001@strowger.test>"));
        assert_eq!(changes(world, "1001"), 0, "its INVITE said who calls");
        assert_eq!(changes(world, "1002"), 0);
        world.hang_up("1001");
        world.until("it is over", |world| world.stage("1002") == Stage::Over);
    });
}

#[test]
fn who_took_a_forwarded_call_is_shown() {
    let mut world = World::new(SITE);
    code(&mut world, "1002", "*721006", "service-on");
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));

    assert_eq!(answered_by(&world, "1001").as_deref(), Some("<sip:1006@strowger.test>"));
    world.settle();
    world.hang_up("1001");
    world.close();
}

/// By re-INVITE, or by UPDATE to a phone that knows it; the third knew from its INVITE.
#[test]
fn a_blind_transfer_brings_the_display_up_to_date() {
    for (timers, method) in [(Timers::Unknown, Method::Invite), (Timers::Lazy, Method::Update)] {
        in_all_weathers(SITE, |world| {
            world.set("1001", |phone| phone.timers = timers);
            crate::answered::talking(world);
            transfer(world, "1002", "1006");
            world.until("the third rings", |world| world.rings("1006"));
            world.answer("1006");
            world.until("they talk", |world| world.talk("1001", "1006"));
            world.until("the display changes", |world| changes(world, "1001") > 0);
            world.settle();

            let change = last_change(world, "1001");
            assert_eq!(change.method(), method);
            let shown = change.header(Name::PAssertedIdentity);
            assert_eq!(shown, Some("<sip:1006@strowger.test>"));
            assert_eq!(changes(world, "1006"), 0);
            assert!(world.talk("1001", "1006"), "what they hear stays as it was");
            world.hang_up("1001");
            world.until("it is over", |world| {
                world.stage("1006") == Stage::Over && world.stage("1002") == Stage::Over
            });
        });
    }
}

#[test]
fn an_attended_transfer_tells_both() {
    in_all_weathers(SITE, |world| {
        consulting(world);
        complete(world, "1002", 0, 1);
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.until("both are told", |world| {
            changes(world, "1001") > 0 && changes(world, "1006") > 0
        });
        world.settle();

        let shown =
            |name| last_change(world, name).header(Name::PAssertedIdentity).map(str::to_owned);
        assert_eq!(shown("1001").as_deref(), Some("<sip:1006@strowger.test>"));
        assert_eq!(shown("1006").as_deref(), Some("\"Ann\" <sip:1001@strowger.test>"));
        world.hang_up("1001");
        world.until("it is over", |world| world.stage("1006") == Stage::Over);
        world.until("he is through", |world| {
            world.phone("1002").lines.iter().all(|line| line.stage == Stage::Over)
        });
    });
}

#[test]
fn a_pickup_tells_both() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.dial("1006", "*8");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();

    assert_eq!(shown_last(&world, "1001").as_deref(), Some("<sip:1006@strowger.test>"));
    assert_eq!(answered_by(&world, "1006").as_deref(), Some("\"Ann\" <sip:1001@strowger.test>"));
    assert_eq!((changes(&world, "1001"), changes(&world, "1006")), (0, 0), "the 200 said it");
    world.hang_up("1001");
    world.close();
}

#[test]
fn a_queues_caller_sees_which_phone_took_him() {
    let mut world = World::new(SITE);
    queue::waiting(&mut world, "601");
    assert_eq!(answered_by(&world, "1001"), None);
    let seat = queue::rung(&mut world);
    world.answer(seat);
    world.until("they talk", |world| world.talk("1001", seat));
    world.settle();

    assert_eq!(shown_last(&world, "1001"), Some(format!("<sip:{seat}@strowger.test>")));
    assert_eq!(changes(&world, seat), 0);
    world.hang_up("1001");
    world.close();
}

/// RFC 4916 §4.3: the From of the request, and of those after it.
#[test]
fn a_phone_that_takes_another_from_gets_it() {
    let mut world = World::new(SITE);
    talks_with_from_change(&mut world);
    transfer(&mut world, "1002", "1006");
    world.until("the third rings", |world| world.rings("1006"));
    world.answer("1006");
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();

    let change = last_change(&world, "1001");
    assert_eq!(change.from().uri_text(), "sip:1006@strowger.test");
    world.hang_up("1006");
    world.until("it is over", |world| world.stage("1001") == Stage::Over);
    let byes = world.sent.iter().filter_map(|message| match message {
        Message::Request(request) if request.method() == Method::Bye => Some(request),
        _ => None,
    });
    let call_id = world.phone("1001").line().invite.call_id();
    let bye = byes.filter(|bye| bye.call_id() == call_id).last().unwrap();
    assert_eq!(bye.from().uri_text(), "sip:1006@strowger.test");
    assert_eq!(bye.from_tag(), change.from_tag());
    world.close();
}

/// Who called without being known is not shown to the one whom he is joined with.
#[test]
fn a_hidden_caller_stays_hidden_after_a_transfer() {
    for from_change in [false, true] {
        let mut world = World::new(SITE);
        world.set("1006", |phone| phone.privacy = "id");
        world.dial("1006", "1002");
        world.until("it rings", |world| world.rings("1002"));
        world.answer("1002");
        world.until("they talk", |world| world.talk("1006", "1002"));
        crate::blind_transfer::hold(&mut world, "1002");
        world.run(Duration::from_secs(1));
        // The third calls the one in the middle, who joins the two.
        call_with(&mut world, "1001", "1002", from_change);
        world.until("they talk", |world| world.stage("1001") == Stage::Talking);
        world.run(Duration::from_secs(1));
        complete(&mut world, "1002", 0, 1);
        world.until("they talk", |world| world.talk("1006", "1001"));
        world.settle();

        let told = world.phone("1001").line().changes.iter().map(|change| {
            (change.header(Name::PAssertedIdentity), change.from().uri_text().to_owned())
        });
        let told: Vec<_> = told.collect();
        assert!(told.iter().all(|(asserted, _)| asserted.is_none_or(|it| it.contains("1002"))));
        let anonymous = "sip:anonymous@anonymous.invalid";
        assert_eq!(told.last().is_some_and(|(_, from)| from == anonymous), from_change);
        assert!(told.iter().all(|(_, from)| !from.contains("1006")), "{told:?}");
        world.hang_up("1001");
        world.close();
    }
}

/// The called phone asks for it in its 200 (RFC 3323 §4.1).
#[test]
fn who_answers_may_stay_unknown() {
    let mut world = World::new(SITE);
    world.set("1002", |phone| phone.privacy = "id");
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    world.answer("1002");
    world.until("they talk", |world| world.talk("1001", "1002"));
    assert_eq!(answered_by(&world, "1001"), None);
    world.settle();
    world.hang_up("1001");
    world.close();
}

#[test]
fn it_can_be_switched_off() {
    let mut world = World::new(&format!("{SITE}[calls]\nconnected_identity = false\n"));
    consulting(&mut world);
    complete(&mut world, "1002", 0, 1);
    world.until("they talk", |world| world.talk("1001", "1006"));
    world.settle();
    assert_eq!(answered_by(&world, "1001"), None);
    assert_eq!((changes(&world, "1001"), changes(&world, "1006")), (0, 0));
    world.hang_up("1001");
    world.close();
}

/// A trunk learns a number that is meant for outsiders, if it wants identities asserted; else none.
#[test]
fn a_trunk_is_told_no_number_of_inside() {
    for (more, shown) in [
        ("", None),
        ("caller_id = '4008001234'", None),
        ("identity = 'asserted'", None),
        (
            "identity = 'asserted'\ncaller_id = '4008001234'",
            Some("<sip:4008001234@sip.itsp.example>"),
        ),
    ] {
        let mut world = trunk_in::begun(&trunk_in::site(more));
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.call_in("itsp", "013800138000", "4008001234");
        world.until("they talk", |world| world.talk("itsp", "1002"));
        assert_eq!(answered_by(&world, "itsp").as_deref(), shown, "{more}");
        world.settle();
        world.hang_up("itsp");
        world.close();
    }
}

/// 1001, whose phone takes another From, talks with 1002.
fn talks_with_from_change(world: &mut World) {
    world.set("1002", |phone| phone.manner = Manner::Rings);
    call_with(world, "1001", "1002", true);
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.settle();
}

/// A phone calls another, which answers.
fn call_with(world: &mut World, from: &str, to: &str, from_change: bool) {
    let lines = world.phone(to).lines.len();
    world.act(from, |phone, now| {
        let (offer, tag) = (phone.next_sdp(), [(Name::Supported, "from-change")]);
        phone.dial_with(now, to, &offer, if from_change { &tag } else { &[] });
    });
    world.until("it rings", |world| world.phone(to).lines.len() > lines && world.rings(to));
    world.answer(to);
}

/// The P-Asserted-Identity of the 200 to a phone's last INVITE.
fn answered_by(world: &World, name: &str) -> Option<String> {
    let call_id = world.phone(name).line().invite.call_id();
    let answers = world.sent.iter().filter_map(|message| match message {
        Message::Response(response) if response.status() == 200 => Some(response),
        _ => None,
    });
    let mut answers = answers
        .filter(|it| it.call_id() == call_id && it.cseq().method == Method::Invite)
        .filter(|it| it.cseq().number <= 2);
    answers.next().expect("it was answered").header(Name::PAssertedIdentity).map(str::to_owned)
}

/// How often a phone was told of a change.
fn changes(world: &World, name: &str) -> usize {
    world.phone(name).lines.iter().map(|line| line.changes.len()).sum()
}

fn last_change(world: &World, name: &str) -> Request {
    let mut changes = world.phone(name).lines.iter().flat_map(|line| &line.changes);
    changes.next_back().expect("the phone was told").clone()
}

/// Whom a phone was told of last: in a change, or in the 200.
fn shown_last(world: &World, name: &str) -> Option<String> {
    match changes(world, name) {
        0 => answered_by(world, name),
        _ => last_change(world, name).header(Name::PAssertedIdentity).map(str::to_owned),
    }
}
