//! Session timers (RFC 4028): phones that vanish in a call are noticed, all others are left alone.

use crate::site::SITE;
use crate::world::phone::{Manner, Stage, Timers};
use crate::world::{World, in_all_weathers};
use strowger::sip::message::{Method, Name};
use strowger::time::Duration;

/// A phone that knows no timers gets a re-INVITE every 15 minutes, and its call goes on.
#[test]
fn a_phone_without_timers_is_asked_by_re_invite() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Unknown, Timers::Unknown);
        world.run(Duration::from_secs(3600));
        for name in ["1001", "1002"] {
            let changes = &world.phone(name).line().changes;
            assert!((3..=4).contains(&changes.len()), "{name}: {}", changes.len());
            assert!(changes.iter().all(|change| change.method() == Method::Invite));
            assert!(changes.iter().all(|change| !change.body().is_empty()));
        }
        over(world);
    });
}

/// The description of a refresh is the one of before, in all its lines.
#[test]
fn a_refresh_changes_nothing() {
    let mut world = World::new(SITE);
    talking(&mut world, Timers::Unknown, Timers::Unknown);
    let before = world.phone("1001").line().remote_sdp.clone();
    world.run(Duration::from_secs(2000));
    assert_eq!(world.phone("1001").line().changes.len(), 2);
    assert_eq!(world.phone("1001").line().remote_sdp, before);
    over(&mut world);
}

#[test]
fn a_phone_with_timers_is_asked_by_update() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Lazy, Timers::Lazy);
        world.run(Duration::from_secs(2000));
        for name in ["1001", "1002"] {
            let changes = &world.phone(name).line().changes;
            assert_eq!(changes.len(), 2, "{name}");
            assert!(changes.iter().all(|change| change.method() == Method::Update));
            let last = changes.last().and_then(|change| change.header(Name::SessionExpires));
            assert_eq!(last, Some("1800;refresher=uac"));
        }
        over(world);
    });
}

#[test]
fn a_phone_that_refreshes_is_left_alone() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Refreshes, Timers::Refreshes);
        world.run(Duration::from_secs(3600));
        for name in ["1001", "1002"] {
            let line = world.phone(name).line();
            assert_eq!(line.changes.len(), 0, "{name} is not asked");
            assert!(line.statuses.iter().filter(|status| **status == 200).count() >= 3, "{name}");
        }
        over(world);
    });
}

/// The caller loses power, and would have refreshed: 32 s before the end the call is over.
#[test]
fn a_phone_that_should_refresh_and_does_not_ends_the_call() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Forgets, Timers::Unknown);
        world.set("1001", |phone| phone.manner = Manner::Dead);
        world.run(Duration::from_secs(1700));
        assert_eq!(world.stage("1002"), Stage::Talking);
        world.run(Duration::from_secs(100));
        world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
        world.until("it is recorded", |world| !world.ends().is_empty());
        assert_eq!(world.ends(), [(200, "session_expired".to_owned())]);
        world.set("1001", |phone| phone.lines.clear());
    });
}

/// A dead phone does not answer our refresh: 32 s later its call is over.
#[test]
fn a_phone_that_dies_in_a_call_is_noticed_by_our_refresh() {
    for timers in [Timers::Unknown, Timers::Lazy] {
        in_all_weathers(SITE, |world| {
            talking(world, timers, Timers::Unknown);
            world.set("1001", |phone| phone.manner = Manner::Dead);
            world.run(Duration::from_secs(980));
            world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
            world.until("it is recorded", |world| !world.ends().is_empty());
            assert_eq!(world.ends(), [(200, "no_answer_in_dialog".to_owned())]);
            world.set("1001", |phone| phone.lines.clear());
        });
    }
}

/// RFC 4028 §9: an INVITE that wants a session too short is refused before any phone rings.
#[test]
fn too_short_a_session_is_refused_with_422() {
    let mut world = World::new(SITE);
    world.set("1001", |phone| {
        phone.timers = Timers::Lazy;
        phone.session_expires = 60;
    });
    world.dial("1001", "1002");
    world.until("it is refused", |world| world.stage("1001") == Stage::Over);
    assert_eq!(world.status_of("1001"), 422);
    assert_eq!(world.phone("1001").line().min_se.as_deref(), Some("90"));
    assert!(world.phone("1002").lines.is_empty());
    world.close();
}

/// RFC 4028 §7.3: a phone wants longer sessions than we; we ask again as it likes.
#[test]
fn our_invite_is_sent_again_after_a_422() {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Refuses(422));
        world.dial("1001", "1002");
        world.until("it is asked", |world| !world.phone("1002").lines.is_empty());
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.until("they talk", |world| world.talk("1001", "1002"));
        let invite = &world.phone("1002").line().invite;
        assert_eq!(invite.header(Name::SessionExpires), Some("3600"));
        assert_eq!(invite.header(Name::MinSe), Some("3600"));
        assert_eq!(invite.cseq().number, 2);
        over(world);
    });
}

/// A refresh can be told that it is too short as well.
#[test]
fn our_refresh_is_sent_again_after_a_422() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Lazy, Timers::Refreshes);
        world.set("1001", |phone| phone.refusals = vec![422]);
        world.run(Duration::from_secs(960));
        let changes = &world.phone("1001").line().changes;
        let asked: Vec<_> =
            changes.iter().filter_map(|change| change.header(Name::SessionExpires)).collect();
        assert_eq!(asked, ["1800;refresher=uac", "3600;refresher=uac"]);
        over(world);
    });
}

/// A phone that knows no UPDATE after all is asked by re-INVITE from then on.
#[test]
fn a_phone_that_refuses_update_is_asked_by_re_invite() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Lazy, Timers::Refreshes);
        world.set("1001", |phone| phone.refusals = vec![501]);
        world.run(Duration::from_secs(960));
        let changes = &world.phone("1001").line().changes;
        let methods: Vec<_> = changes.iter().map(|change| change.method()).collect();
        assert_eq!(methods, [Method::Update, Method::Invite]);
        over(world);
    });
}

/// Our refresh meets a phone that is in the middle of something: glare, and once more.
#[test]
fn our_refresh_comes_again_after_glare() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Unknown, Timers::Refreshes);
        world.set("1001", |phone| phone.refusals = vec![491, 491]);
        world.run(Duration::from_secs(1000));
        assert_eq!(world.phone("1001").line().changes.len(), 3);
        assert!(world.talk("1001", "1002"));
        over(world);
    });
}

/// A phone that refuses every re-INVITE is alive all the same.
#[test]
fn a_phone_that_refuses_our_refresh_keeps_its_call() {
    in_all_weathers(SITE, |world| {
        talking(world, Timers::Unknown, Timers::Refreshes);
        world.set("1001", |phone| phone.refusals = vec![488; 10]);
        world.run(Duration::from_secs(3600));
        assert!(world.talk("1001", "1002"));
        over(world);
    });
}

fn talking(world: &mut World, caller: Timers, callee: Timers) {
    world.set("1001", |phone| phone.timers = caller);
    world.set("1002", |phone| {
        phone.timers = callee;
        phone.manner = Manner::Answers(Duration::from_secs(1));
    });
    world.dial("1001", "1002");
    world.until("they talk", |world| world.talk("1001", "1002"));
    world.settle();
}

fn over(world: &mut World) {
    world.settle();
    assert!(world.talk("1001", "1002"), "the call goes on\n{}", world.ladder);
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
}
