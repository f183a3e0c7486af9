//! The called phone refuses: busy, declined, or not to be reached.

use crate::site::SITE;
use crate::world::phone::Manner;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, OfferOutcome};

#[test]
fn busy() {
    refused(486, (486, "busy"), OfferOutcome::Busy);
}

#[test]
fn busy_everywhere() {
    refused(600, (600, "busy"), OfferOutcome::Busy);
}

#[test]
fn declined() {
    refused(603, (603, "rejected"), OfferOutcome::Rejected);
}

/// What a phone cannot do is nothing that its caller could mend.
#[test]
fn broken() {
    refused(500, (480, "unreachable"), OfferOutcome::Unreachable);
}

#[test]
fn not_registered() {
    in_all_weathers(SITE, |world| {
        world.act("1002", |phone, now| phone.register(now, 0));
        world.until("it has left", |world| world.phone("1002").is_quiet());
        world.dial("1001", "1002");
        world.until("the call has ended", |world| world.ends().len() == 1);

        assert_eq!(world.ends(), [(480, "not_registered".to_owned())]);
    });
}

#[test]
fn no_such_number() {
    let mut world = World::new(SITE);
    world.dial("1001", "7777");
    world.until("the call has ended", |world| world.ends().len() == 1);
    world.close();

    assert_eq!(world.status_of("1001"), 404);
}

fn refused(status: u16, end: (u16, &str), outcome: OfferOutcome) {
    in_all_weathers(SITE, |world| {
        world.set("1002", |phone| phone.manner = Manner::Refuses(status));
        world.dial("1001", "1002");
        world.until("the call has ended", |world| world.ends().len() == 1);
        world.until("the caller knows", |world| {
            world.phone("1001").line().statuses.last() == Some(&end.0)
        });

        assert_eq!(world.ends(), [(end.0, end.1.to_owned())]);
        let offers = world
            .facts()
            .filter(|fact| matches!(fact, Fact::OfferEnded { outcome: of, .. } if *of == outcome));
        assert_eq!(offers.count(), 1);
    });
}
