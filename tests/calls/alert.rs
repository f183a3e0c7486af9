//! Phones ring differently for calls from outside and from inside (RFC 3261 §20.4, Alert-Info).

use crate::site::SITE;
use crate::trunk_in;
use crate::world::World;
use strowger::sip::message::Name;

const ALERTS: &str = "\n[calls]\nalert_external = \"outside\"\nalert_internal = \"inside\"\n";

#[test]
fn for_an_extension() {
    let mut world = World::new(&format!("{SITE}{ALERTS}"));
    world.dial("1001", "1002");
    world.until("it rings", |world| world.rings("1002"));
    assert_eq!(alert(&world, "1002"), "<http://strowger.test>;info=inside");
    world.cancel("1001");
    world.close();
}

#[test]
fn for_somebody_outside() {
    let mut world = trunk_in::begun(&format!("{}{ALERTS}", trunk_in::site("")));
    world.call_in("itsp", "013800138000", "4008001234");
    world.until("it rings", |world| world.rings("1002"));
    assert_eq!(alert(&world, "1002"), "<http://strowger.test>;info=outside");
    world.cancel("itsp");
    world.close();
}

/// A queue's own counts more.
#[test]
fn for_a_queue() {
    let site = SITE.replace("[queues.idle]", "[queues.idle]\nalert = \"sales\"");
    let mut world = World::new(&format!("{site}{ALERTS}"));
    world.dial("1001", "601");
    let seat = crate::queue::rung(&mut world);
    assert_eq!(alert(&world, seat), "<http://strowger.test>;info=sales");
    world.hang_up("1001");
    world.close();
}

fn alert(world: &World, name: &str) -> String {
    let invite = &world.phone(name).line().invite;
    invite.header(Name::AlertInfo).unwrap_or_default().to_owned()
}
