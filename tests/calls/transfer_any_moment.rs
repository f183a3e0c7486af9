//! Somebody leaves at any moment of a transfer: after each single step of it, to any kind of place.

use crate::answered::talking;
use crate::attended_transfer::complete;
use crate::blind_transfer::{hold, transfer};
use crate::trunk_out::{begin, site};
use crate::world::World;
use crate::world::phone::{Manner, Phone};
use strowger::switch::Input;
use strowger::time::Duration;

/// A phone, a queue, a menu, a place to be parked at, somebody outside.
const TARGETS: [&str; 5] = ["1006", "601", "500", "*70", "02112345678"];

/// Phones of the site, and the trunk's other side.
const ALL: [&str; 7] = ["1001", "1002", "1003", "1004", "1005", "1006", "itsp"];

#[test]
fn the_transferor_leaves_after_any_step() {
    at_any_step(|world| world.act("1002", Phone::leave));
}

#[test]
fn the_transferee_leaves_after_any_step() {
    at_any_step(|world| world.act("1001", Phone::leave));
}

#[test]
fn the_target_leaves_after_any_step() {
    at_any_step(|world| {
        for name in &ALL[2..] {
            world.act(name, Phone::leave);
        }
    });
}

#[test]
fn all_leave_after_any_step() {
    at_any_step(|world| {
        for name in ALL {
            world.act(name, Phone::leave);
        }
    });
}

#[test]
fn the_node_stops_after_any_step() {
    at_any_step(|world| world.input(Input::Stop));
}

/// Who is called loses power, and never answers anything: the call comes back.
#[test]
fn the_target_dies_after_any_step() {
    at_any_step(|world| {
        for name in &ALL[2..] {
            world.set(name, |phone| phone.manner = Manner::Dead);
        }
    });
}

/// The third is called over a trunk, and still rings there when the transfer is completed
/// (RFC 5589 §7.6).
#[test]
fn anyone_leaves_after_an_early_transfer_over_a_trunk() {
    for leaver in ["nobody", "1001", "1002", "itsp"] {
        for steps in 0..24 {
            let mut world = ringing_outside();
            complete(&mut world, "1002", 0, 1);
            for _ in 0..steps {
                world.step();
            }
            match leaver {
                "nobody" if world.rings("itsp") => world.answer("itsp"),
                "nobody" => {}
                leaver => world.act(leaver, Phone::leave),
            }
            if leaver == "nobody" {
                world.until("they talk", |world| world.talk("1001", "itsp"));
            }
            end(&mut world);
        }
    }
}

/// 1001 is on hold at 1002, which calls somebody outside, where it rings.
pub fn ringing_outside() -> World {
    let mut world = World::new(&site(""));
    begin(&mut world);
    talking(&mut world);
    hold(&mut world, "1002");
    world.until("music plays", |world| world.hears_prompt("1001", "hold"));
    world.settle();
    world.set("itsp", |phone| phone.manner = Manner::Rings);
    world.dial("1002", "02112345678");
    world.until("it rings outside", |world| {
        world.rings("itsp") && world.phone("1002").lines[1].statuses.contains(&180)
    });
    world
}

fn at_any_step(act: impl Fn(&mut World)) {
    for target in TARGETS {
        for steps in 0..48 {
            let mut world = World::new(&site(""));
            begin(&mut world);
            for name in &ALL[2..] {
                world.set(name, |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
            }
            talking(&mut world);
            hold(&mut world, "1002");
            world.until("music plays", |world| world.hears_prompt("1001", "hold"));
            world.settle();
            transfer(&mut world, "1002", target);
            for _ in 0..steps {
                world.step();
            }
            act(&mut world);
            end(&mut world);
        }
    }
}

/// Whoever is left over leaves too.
fn end(world: &mut World) {
    world.run(Duration::from_secs(70));
    for name in ALL {
        world.act(name, |phone, now| {
            if phone.manner == Manner::Dead {
                phone.lines.clear();
            } else {
                phone.leave(now);
            }
        });
    }
    world.close();
}
