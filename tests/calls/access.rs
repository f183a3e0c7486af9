//! Who may call what, how often and how long (CALL-5).

use crate::site::SITE;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Name;
use strowger::time::Duration;

/// 1001 may call inside only; 2* is abroad: two calls or one minute a day.
fn site() -> String {
    let own = "password = \"one-1001\"\ncalls = [\"internal\"]";
    let limited = "password = \"two-1002\"\ncalls_max = 1";
    let site =
        SITE.replace("password = \"one-1001\"", own).replace("password = \"two-1002\"", limited);
    format!(
        "{site}\n[classes.abroad]\nnumbers = [\"2*\"]\ncalls_a_day = 2\nminutes_a_day = 1\n\
         [[routes]]\nto = \"2*\"\ntarget = \"extension:1005\"\n\
         [callers.\"queue:turn\"]\ndeny = [\"1006\"]\n"
    )
}

#[test]
fn what_is_not_in_its_classes_cannot_be_dialled() {
    in_all_weathers(&site(), |world| {
        world.dial("1001", "2000");
        world.until("the call has ended", |world| world.ends().len() == 1);
        world.until("the caller knows", |world| world.phone("1001").line().statuses == [403]);

        assert_eq!(world.ends(), [(403, "not_allowed".to_owned())]);
        let refusals = world.sent.iter().filter_map(|message| message.header(Name::Reason));
        assert_eq!(refusals.last(), Some("Q.850;cause=21"));
        assert!(world.phone("1005").lines.is_empty());
    });
}

#[test]
fn what_is_in_its_classes_and_every_code_can_be_dialled() {
    let mut world = World::new(&site());
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    world.cancel("1001");
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.dial("1001", "*43");
    world.until("it is connected", |world| world.hears_prompt("1001", "echo"));
    world.until("the phone knows", |world| world.stage("1001") == Stage::Talking);
    world.hang_up("1001");
    world.close();
}

#[test]
fn one_call_at_once_and_the_next_when_it_is_over() {
    let mut world = World::new(&site());
    world.dial("1002", "1003");
    world.until("1003 rings", |world| world.rings("1003"));
    world.dial("1002", "1004");
    world.until("it is refused", |world| world.ends().len() == 1);
    assert_eq!(world.ends(), [(403, "calls_max".to_owned())]);

    world.act("1003", |phone, now| phone.refuse(now, 486));
    world.until("the first is over", |world| world.ends().len() == 2);
    world.run(Duration::from_secs(5));
    world.dial("1002", "1004");
    world.until("1004 rings", |world| world.rings("1004"));
}

/// Two calls a day; a restart forgets nothing, midnight does.
#[test]
fn calls_of_the_day_are_counted_over_a_restart() {
    let mut world = World::new(&site());
    world.set("1005", |phone| phone.manner = Manner::Refuses(486));
    for count in 1..=2 {
        dial_abroad(&mut world, (486, "busy"), count);
    }
    dial_abroad(&mut world, (403, "calls_a_day"), 3);
    world.restart();
    dial_abroad(&mut world, (403, "calls_a_day"), 4);

    world.run(Duration::from_secs(15 * 60 * 60));
    for phone in ["1005", "1006"] {
        world.register(phone);
    }
    dial_abroad(&mut world, (486, "busy"), 5);
}

/// The first minute is the last, of this call and of the day.
#[test]
fn a_call_ends_with_the_minutes_of_its_class() {
    let mut world = World::new(&site());
    world.dial("1006", "2000");
    world.until("1005 rings", |world| world.rings("1005"));
    world.run(Duration::from_secs(15));
    world.answer("1005");
    world.until("they talk", |world| world.talk("1006", "1005"));
    world.run(Duration::from_secs(58));
    assert!(world.talk("1006", "1005"));
    world.run(Duration::from_secs(8));
    assert_eq!(world.ends(), [(200, "minutes_a_day".to_owned())]);
    world.run(Duration::from_secs(1));

    dial_abroad(&mut world, (403, "minutes_a_day"), 2);
    world.close();
}

#[test]
fn a_queue_takes_the_callers_that_it_wants() {
    let mut world = World::new(&site());
    world.dial("1006", "602");
    world.until("the call has ended", |world| world.ends().len() == 1);
    assert_eq!(world.ends(), [(403, "caller_not_taken".to_owned())]);

    world.dial("1002", "602");
    world.until("an agent is rung", |world| {
        ["1003", "1004", "1005"].iter().any(|phone| world.rings(phone))
    });
}

fn dial_abroad(world: &mut World, end: (u16, &str), count: usize) {
    world.dial("1006", "2000");
    world.until("the call has ended", |world| world.ends().len() == count);
    world.run(Duration::from_secs(35));
    assert_eq!(world.ends()[count - 1], (end.0, end.1.to_owned()));
}

/// What may not be dialled may not be had by a forward either, even one set while it might be.
#[test]
fn a_forward_goes_no_further_than_its_phone_may_dial() {
    let mut world = World::new(&site().replace("calls = [\"internal\"]", ""));
    world.dial("1001", "*722000");
    world.until("it is set", |world| world.hears_prompt("1001", "service-on"));
    world.until("the phone knows", |world| world.stage("1001") == Stage::Talking);
    world.hang_up("1001");
    world.until("the code is over", |world| world.ends().len() == 1);
    world.reload(&site());
    world.dial("1002", "1001");
    world.until("the call has ended", |world| world.ends().len() == 2);

    assert_eq!(world.ends()[1], (403, "forward_refused".to_owned()));
    assert!(world.phone("1005").lines.is_empty());
    world.close();
}
