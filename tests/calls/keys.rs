//! Keys of a talk, from one phone to the other, as telephone-event and as SIP INFO.

use crate::answered::talking;
use crate::site::SITE;
use crate::world::World;
use strowger::media::control::Command;
use strowger::sip::message::Method;
use strowger::time::Duration;

/// A phone that agreed on telephone-event and sends INFO: the other one is to get the key, which
/// its audio brings it too if both are sent.
#[test]
fn a_key_by_info_reaches_the_other_phone() {
    let mut world = World::new(SITE);
    talking(&mut world);
    for (presser, hearer) in [("1001", "1002"), ("1002", "1001")] {
        info(&mut world, presser, '5');
        assert_eq!(pressed(&world, hearer), ['5'], "{presser}");
        // The audio is relayed: it has brought the key, and nothing is to be pressed.
        world.press(presser, '6');
        info(&mut world, presser, '6');
        assert_eq!(pressed(&world, hearer), ['5'], "{presser}");
    }
    world.hang_up("1001");
    world.close();
}

fn info(world: &mut World, name: &str, key: char) {
    let body = format!("Signal={key}\r\nDuration=160\r\n");
    world.act(name, |phone, now| phone.in_dialog(now, Method::Info, &body));
    world.run(Duration::from_secs(3));
}

/// The keys that were pressed on a phone.
fn pressed(world: &World, name: &str) -> Vec<char> {
    let on = world.studio.leg_at(world.phone(name).rtp()).expect("it is connected");
    let pressed = world.studio.orders.iter().filter_map(|order| match order {
        Command::Press { leg, key } if *leg == on => Some(*key),
        _ => None,
    });
    pressed.collect()
}
