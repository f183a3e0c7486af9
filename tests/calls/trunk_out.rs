//! An extension calls out over a trunk that knows us by our address (RFC 3665 §3.1, as a proxy's).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Direction, Fact, OfferOutcome};
use strowger::cdr::record::CallRecord;
use strowger::media::control::Command;
use strowger::sip::message::{Message, Method, Name, Request};
use strowger::time::Duration;

#[test]
fn the_callee_answers_and_hangs_up() {
    in_all_weathers(&site(""), |world| {
        talking(world, "02112345678");
        world.hang_up("itsp");
        world.until("the caller is told", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(200, "callee_hung_up".to_owned())]);
        let statuses = &world.phone("1001").line().statuses;
        assert!(world.weather.lost > 0 || *statuses == [180, 200], "{statuses:?}");
    });
}

#[test]
fn the_caller_hangs_up_while_it_rings() {
    in_all_weathers(&site(""), |world| {
        begin(world);
        world.dial("1001", "02112345678");
        world.until("it rings", |world| world.rings("itsp"));
        world.settle();
        world.cancel("1001");
        world.until("the trunk is told", |world| world.stage("itsp") == Stage::Over);

        assert!(world.has(|fact| matches!(
            fact,
            Fact::AttemptEnded { outcome: OfferOutcome::CallerGone, .. }
        )));
    });
}

#[test]
fn a_busy_callee_is_told_to_the_caller() {
    in_all_weathers(&site(""), |world| {
        begin(world);
        world.set("itsp", |phone| phone.manner = Manner::Refuses(486));
        world.dial("1001", "02112345678");
        world.until("it is refused", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.status_of("1001"), 486);
        assert_eq!(world.ends(), [(486, "busy".to_owned())]);
    });
}

#[test]
fn nobody_answers() {
    let mut world = begun(&site("ring_timeout = '20s'"));
    world.dial("1001", "02112345678");
    world.run(Duration::from_secs(25));
    world.close();

    assert_eq!(world.status_of("1001"), 480);
    assert_eq!(world.ends(), [(480, "no_answer".to_owned())]);
}

/// Rules of the trunk make its numbers; the record tells both.
#[test]
fn numbers_are_written_as_the_trunk_wants_them() {
    let rules = r#"
        caller_id = "02188888888"
        numbers = { country = "86", national = "0", international = "00", form = "e164" }
        out = [{ match = "9*", strip = 1 }]
    "#;
    let mut world = begun(&site(rules));
    world.dial("1001", "9004930123456");
    world.until("it rings", |world| world.rings("itsp"));

    let invite = invite(&world, "itsp");
    assert_eq!(invite.uri_text(), "sip:+4930123456@sip.itsp.example");
    assert_eq!(invite.to().uri().unwrap().user(), Some("+4930123456"));
    let from = invite.from();
    assert_eq!(from.uri().unwrap().user(), Some("+862188888888"));
    assert_eq!(from.display(), None, "names of extensions stay here");
    world.answer("itsp");
    world.until("they talk", |world| world.talk("1001", "itsp"));
    world.settle();
    world.hang_up("1001");
    world.close();

    let record = record(&world);
    assert_eq!(record.direction, Some(Direction::Outbound));
    assert_eq!(record.trunk.unwrap().as_str(), "itsp");
    assert_eq!(record.dialled, "9004930123456");
    let attempt = &record.attempts[0];
    assert_eq!((attempt.number.as_str(), attempt.shown.as_str()), ("+4930123456", "+862188888888"));
    assert_eq!(attempt.outcome, Some(OfferOutcome::Answered));
    assert!(attempt.rang.is_some() && attempt.ended.is_some());
}

#[test]
fn an_extensions_own_number_goes_first() {
    let site = site("caller_id = '02100'").replace("name = \"Ann\"", "caller_id = '02101'");
    let mut world = begun(&site);
    world.dial("1001", "02112345678");
    world.until("it rings", |world| world.rings("itsp"));
    assert_eq!(invite(&world, "itsp").from().uri().unwrap().user(), Some("02101"));
    world.cancel("1001");
    world.close();
}

/// RFC 3325 §9.1: the account in From, the caller's number in P-Asserted-Identity.
#[test]
fn the_callers_number_can_be_asserted() {
    let mut world = begun(&site("identity = 'asserted'\nusername = 'acct'\npassword = 'x'"));
    world.dial("1001", "02112345678");
    world.until("it rings", |world| world.rings("itsp"));
    let invite = invite(&world, "itsp");
    assert_eq!(invite.from().uri().unwrap().user(), Some("acct"));
    let asserted = invite.header(Name::PAssertedIdentity).unwrap();
    assert_eq!(asserted, "\"Ann\" <sip:1001@sip.itsp.example>");
    world.cancel("1001");
    world.close();
}

#[test]
fn a_route_can_name_the_number() {
    let fixed = site("").replace("target = \"trunk:itsp\"", "target = \"trunk:itsp/10086\"");
    let mut world = begun(&fixed);
    world.dial("1001", "0555");
    world.until("it rings", |world| world.rings("itsp"));
    assert_eq!(invite(&world, "itsp").uri().unwrap().user(), Some("10086"));
    world.cancel("1001");
    world.close();
}

/// A menu's caller, who was answered before, hears that it rings.
#[test]
fn a_menu_leads_out() {
    let out = site("").replace("1 = \"extension:1002\"", "1 = \"trunk:itsp/10086\"");
    in_all_weathers(&out, |world| {
        begin(world);
        world.dial("1001", "500");
        world.until("the menu speaks", |world| world.hears_prompt("1001", "welcome"));
        world.settle();
        if world.stage("1001") == Stage::Over {
            return; // the storm outlasted the menu
        }
        world.press("1001", '1');
        world.until("it rings", |world| world.rings("itsp"));
        assert!(world.hears_prompt("1001", "ringback"));
        world.answer("itsp");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        world.hang_up("1001");
    });
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    in_all_weathers(&site("offer = 'late'"), |world| {
        begin(world);
        world.dial("1001", "02112345678");
        world.until("it rings", |world| world.rings("itsp"));
        assert!(invite(world, "itsp").body().is_empty());
        world.answer("itsp");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        let ack = sent(world, Method::Ack).pop().expect("an ACK");
        assert!(String::from_utf8_lossy(ack.body()).contains("m=audio"));
        world.hang_up("1001");
    });
}

#[test]
fn a_trunk_has_its_own_codecs() {
    let mut world = begun(&site("codecs = ['pcma']"));
    world.dial("1001", "02112345678");
    world.until("it rings", |world| world.rings("itsp"));
    let offer = String::from_utf8_lossy(invite(&world, "itsp").body()).into_owned();
    assert!(offer.contains("PCMA/8000") && !offer.contains("PCMU"), "{offer}");
    assert!(offer.contains("telephone-event"), "{offer}");
    world.cancel("1001");
    world.close();
}

/// RFC 6086: the keys of the caller's phone go out as INFO where the audio does not carry them.
#[test]
fn keys_go_out_as_info() {
    let mut world = begun(&site("digits = 'info'"));
    world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "02112345678");
    world.until("they talk", |world| world.talk("1001", "itsp"));
    world.settle();
    let offer = String::from_utf8_lossy(invite(&world, "itsp").body()).into_owned();
    assert!(!offer.contains("telephone-event"), "{offer}");
    world.press("1001", '5');
    world.settle();
    let info = sent(&world, Method::Info).pop().expect("an INFO");
    assert!(String::from_utf8_lossy(info.body()).starts_with("Signal=5\r\n"));
    world.hang_up("1001");
    world.close();
}

/// And the trunk's reach the phone in its audio, whatever that knows of keys.
#[test]
fn keys_that_come_as_info_are_pressed_on_the_phone() {
    let mut world = begun(&site("digits = 'info'"));
    world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "02112345678");
    world.until("they talk", |world| world.talk("1001", "itsp"));
    world.settle();
    world.act("itsp", |phone, now| {
        phone.in_dialog(now, Method::Info, "Signal=7\r\nDuration=160\r\n");
    });
    world.settle();

    let leg = world.studio.leg_at(world.phone("1001").rtp()).expect("it is connected");
    let pressed: Vec<_> =
        world.studio.orders.iter().filter(|it| matches!(it, Command::Press { .. })).collect();
    assert_eq!(pressed, [&Command::Press { leg, key: '7' }]);
    assert!(sent(&world, Method::Info).is_empty(), "it does not go back");
    world.hang_up("1001");
    world.close();
}

#[test]
fn a_trunk_that_is_full_takes_no_more() {
    let mut world = begun(&site("calls_max = 1"));
    talking(&mut world, "02112345678");
    world.dial("1002", "02112345678");
    world.settle();
    assert_eq!(world.status_of("1002"), 503);
    assert_eq!(world.trunk("itsp").calls, 1);
    assert!(world.has(|fact| matches!(fact, Fact::TrunkSkipped { why, .. } if why == "calls_max")));
    world.hang_up("1001");
    world.run(Duration::from_secs(3));
    assert_eq!(world.trunk("itsp").calls, 0);
    talking(&mut world, "02112345678");
    world.hang_up("1001");
    world.close();
}

#[test]
fn calls_that_begin_too_fast_wait_for_nothing() {
    let mut world = begun(&site("cps_max = 1"));
    world.dial("1001", "02112345678");
    world.dial("1002", "02112345678");
    world.run(Duration::from_millis(200));
    assert_eq!(world.status_of("1002"), 503);
    assert!(world.has(|fact| matches!(fact, Fact::TrunkSkipped { why, .. } if why == "cps_max")));
    world.run(Duration::from_secs(1));
    world.dial("1002", "02112345678");
    world.run(Duration::from_millis(200));
    assert_eq!(world.phone("1002").line().statuses, [180]);
    world.cancel("1001");
    world.cancel("1002");
    world.close();
}

/// `SITE` with a trunk at 203.0.113.1 that numbers with 0 and 9 go to; `more` are keys of its.
pub fn site(more: &str) -> String {
    format!(
        r#"{SITE}
        [[routes]]
        name = "out"
        to = "~^[09]"
        target = "trunk:itsp"
        [trunks.itsp]
        host = "sip.itsp.example"
        targets = ["203.0.113.1"]
        qualify_every = "0s"
        {more}
        "#
    )
}

/// The site, when its trunk is there.
pub fn begun(site: &str) -> World {
    let mut world = World::new(site);
    begin(&mut world);
    world
}

pub fn begin(world: &mut World) {
    world.add_provider("itsp", 1);
    world.run(Duration::from_millis(100));
}

pub fn talking(world: &mut World, number: &str) {
    if !world.phones.contains_key("itsp") {
        begin(world);
    }
    world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", number);
    world.until("they talk", |world| {
        world.talk("1001", "itsp") && world.stage("1001") == Stage::Talking
    });
    world.settle();
}

/// The INVITE that a phone got last.
pub fn invite(world: &World, name: &str) -> Request {
    world.phone(name).line().invite.clone()
}

/// Every request of this method that the switch has sent.
pub fn sent(world: &World, method: Method) -> Vec<Request> {
    let requests = world.sent.iter().filter_map(|message| match message {
        Message::Request(request) if request.method() == method => Some(request.clone()),
        _ => None,
    });
    requests.collect()
}

/// The record of the first call.
pub fn record(world: &World) -> CallRecord {
    let call = world.entries.iter().find_map(|entry| entry.call).expect("a call was made");
    let mut record = CallRecord::new(call, "test");
    for entry in &world.entries {
        record.apply(entry);
    }
    record
}
