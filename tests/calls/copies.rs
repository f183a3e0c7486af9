//! Every datagram comes twice: nothing happens twice.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::{Weather, World};
use strowger::cdr::entry::Fact;
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn copies_are_absorbed() {
    let mut world = World::new(SITE);
    world.weather = Weather { lost: 0, copied: 100, delay_ms: 0 };
    talking(&mut world);
    assert_eq!(world.phone("1002").lines.len(), 1);
    world.run(Duration::from_secs(5));
    world.hang_up("1001");
    world.close();

    assert_eq!(world.facts().filter(|fact| matches!(fact, Fact::Setup { .. })).count(), 1);
    assert_eq!(world.phone("1002").line().byes, 1);
    assert_eq!(world.ends(), [(200, "caller_hung_up".to_owned())]);
}

/// An UPDATE after the end names no dialog (RFC 3261 §12.2.2).
#[test]
fn a_request_after_the_end_gets_481() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.hang_up("1001");
    world.run(Duration::from_secs(60));
    world.act("1001", |phone, now| phone.in_dialog(now, Method::Update, ""));
    world.close();

    assert_eq!(world.status_of("1001"), 481);
}
