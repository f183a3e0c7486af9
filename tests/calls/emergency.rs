//! Emergency calls: before every rule, past every limit, never by a part of the number.

use crate::site::SITE;
use crate::trunk_out::{begin, invite, record};
use crate::world::phone::Manner;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::switch::Input;
use strowger::time::Duration;

#[test]
fn the_number_goes_out_as_it_is_dialled() {
    in_all_weathers(&site(), |world| {
        begin(world);
        world.dial("1001", "110");
        world.until("it rings", |world| world.rings("itsp"));
        assert_eq!(invite(world, "itsp").uri().unwrap().user(), Some("110"));
        world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.answer("itsp");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        world.hang_up("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(record(world).routes[0].rule, "emergency 110");
    });
}

/// A number that only contains one, or begins with one, takes the way of any other.
#[test]
fn a_number_that_contains_it_is_none() {
    for number in ["1100", "0110", "11", "+110"] {
        let mut world = World::new(&site());
        begin(&mut world);
        world.dial("1001", number);
        world.run(Duration::from_secs(1));
        assert!(
            !world.has(|fact| matches!(
                fact,
                Fact::Routed { rule, .. } if rule.starts_with("emergency")
            )),
            "{number}"
        );
        world.act("1001", |phone, now| phone.leave(now));
        world.close();
    }
}

/// The trunk is full and slow, the node is full, the ledger has no room: it rings all the same.
#[test]
fn no_limit_stops_it() {
    let full =
        site().replace("[trunks.itsp]", "[node]\ncalls_max = 1\n[trunks.itsp]\ncalls_max = 1");
    let mut world = World::new(&full);
    begin(&mut world);
    world.dial("1001", "0555");
    world.until("it rings", |world| world.rings("itsp"));
    world.dial("1002", "0555");
    world.run(Duration::from_millis(200));
    assert_eq!(world.status_of("1002"), 503);
    world.input(Input::Room(false));
    world.dial("1002", "119");
    world.run(Duration::from_secs(1));

    assert_eq!(world.phone("1002").line().statuses, [180]);
    assert_eq!(invite(&world, "itsp").uri().unwrap().user(), Some("119"));
    world.cancel("1001");
    world.cancel("1002");
    world.close();
}

/// The node has more than it can take, and sends every new call away but this.
#[test]
fn it_is_taken_while_others_are_sent_away() {
    let mut world = World::new(&site());
    begin(&mut world);
    world.input(Input::Load(Duration::from_secs(10)));
    for _ in 0..5 {
        world.dial("1002", "1001");
        world.until("it is sent away", |world| world.phone("1002").is_quiet());
        assert_eq!(world.status_of("1002"), 503);
        world.dial("1001", "119");
        world.until("it rings", |world| world.rings("itsp"));
        world.cancel("1001");
        world.settle();
    }
    world.close();
}

/// Every server seems to be down: they are called all the same, then the next trunk's.
#[test]
fn a_trunk_that_seems_down_is_tried_and_then_the_next() {
    let probed = site().replace("qualify_every = \"0s\"", "qualify_every = \"10s\"");
    let mut world = World::new(&probed);
    world.add_provider("backup", 2);
    world.run(Duration::from_secs(60));
    assert!(!world.trunk("itsp").servers[0].up);
    world.set("backup", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
    world.dial("1001", "110");
    world.until("they talk", |world| world.talk("1001", "backup"));
    world.settle();

    assert_eq!(record(&world).attempts.len(), 2);
    world.hang_up("1001");
    world.run(Duration::from_secs(3));
}

/// Whoever calls in from outside is not sent to the police.
#[test]
fn outsiders_cannot_call_it() {
    let mut world = World::new(&site());
    begin(&mut world);
    world.call_in("itsp", "013800138000", "110");
    world.close();

    assert_eq!(world.status_of("itsp"), 403, "by the route for it");
    assert!(!world.has(|fact| matches!(fact, Fact::Attempt { .. })));
}

fn site() -> String {
    format!(
        r#"{SITE}
        [emergency]
        numbers = ["110", "119", "120", "122"]
        trunks = ["itsp", "backup"]
        [[routes]]
        to = "0*"
        target = "trunk:itsp"
        [[routes]]
        to = "110"
        target = "hangup:403"
        [trunks.itsp]
        host = "203.0.113.1"
        qualify_every = "0s"
        out = [{{ match = "*", prefix = "9" }}]
        [trunks.backup]
        host = "203.0.113.2"
        qualify_every = "0s"
        "#
    )
}
