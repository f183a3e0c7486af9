//! More calls than can be taken: those that are there go on, new ones are sent away in time.

use std::collections::BTreeSet;

use crate::answered::talking;
use crate::site::SITE;
use crate::stranger::{request, stranger};
use crate::world::{World, in_all_weathers};
use strowger::sip::message::Method;
use strowger::switch::Input;
use strowger::time::Duration;

#[test]
fn a_call_in_progress_ends_as_ever() {
    in_all_weathers(SITE, |world| {
        talking(world);
        world.input(Input::Load(Duration::from_secs(1)));
        world.hang_up("1001");
        world.until("the call has ended", |world| world.ends().len() == 1);
        world.act("1003", |phone, now| phone.register(now, 3600));
        world.until("1003 has registered again", |world| world.phone("1003").is_quiet());

        assert_eq!(world.phone("1003").registered, Some(200));
    });
}

#[test]
fn new_calls_are_sent_away_and_come_again_at_different_times() {
    let mut world = World::new(SITE);
    world.run(Duration::from_secs(40));
    world.input(Input::Load(Duration::from_secs(1)));
    let mut waits = BTreeSet::new();
    for _ in 0..20 {
        world.dial("1001", "1002");
        world.until("it is sent away", |world| world.phone("1001").is_quiet());
        assert_eq!(world.status_of("1001"), 503);
        let wait = world.phone("1001").line().retry_after.clone().expect("it says when");
        waits.insert(wait.parse::<u32>().expect("it is a number"));
    }
    assert!(waits.len() > 3 && waits.iter().all(|wait| (4..=12).contains(wait)), "{waits:?}");
    let node = world.node();
    assert_eq!((node.transactions, node.calls_refused), (0, 20));

    world.input(Input::Load(Duration::ZERO));
    talking(&mut world);
    world.hang_up("1001");
    world.close();
}

/// What keeps callers out may be a flood of strangers: that is not answered for ever.
#[test]
fn strangers_pay_for_being_sent_away() {
    let mut world = World::new(SITE);
    world.run(Duration::from_secs(40));
    world.input(Input::Load(Duration::from_secs(1)));
    let mut told =
        || stranger(&mut world, request(Method::Invite, "1001", "")).map(|it| it.status());
    let answers: Vec<_> = (0..1500).map(|_| told()).collect();
    assert!(answers[..1000].iter().all(|status| *status == Some(503)));
    assert!(answers[1000..].iter().all(Option::is_none));
    assert_eq!((world.node().dropped, world.node().calls_refused), (500, 1000));

    world.dial("1001", "1002");
    world.until("who is known is told", |world| world.phone("1001").is_quiet());
    assert_eq!(world.status_of("1001"), 503);
}
