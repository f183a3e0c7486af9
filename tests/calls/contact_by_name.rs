//! RFC 3263: a phone that registers a host name is called where the DNS says that it is.

use crate::site::SITE;
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::sip::locate::Srv;
use strowger::time::Duration;

#[test]
fn a_contact_by_name_is_called_where_its_records_lead() {
    in_all_weathers(SITE, |world| {
        let box_address = world.phone("1002").address;
        let server = Srv {
            priority: 1,
            weight: 1,
            port: box_address.port(),
            target: "box.example.com".to_owned(),
        };
        world.names.servers.insert("_sip._udp.desk.example.com".to_owned(), vec![server]);
        world.names.addresses.insert("box.example.com".to_owned(), vec![box_address.ip()]);
        register_by_name(world);

        world.dial("1001", "1006");
        world.until("the phone at the name's address rings", |world| world.rings("1002"));
        world.answer("1002");
        world.until("they talk", |world| world.talk("1001", "1002"));
        world.until("the caller knows", |world| world.stage("1001") == Stage::Talking);
        world.hang_up("1001");
        world.settle();
    });
}

/// A name that nobody knows, or a DNS that is dead: it is called where it registered from.
#[test]
fn a_contact_that_is_not_found_is_called_where_it_registered_from() {
    for is_dead in [false, true] {
        let mut world = World::new(SITE);
        world.names.is_dead = is_dead;
        register_by_name(&mut world);

        world.dial("1001", "1006");
        world.until("it rings where it is", |world| world.rings("1006"));
        world.answer("1006");
        world.until("they talk", |world| world.talk("1001", "1006"));
        world.hang_up("1006");
        world.settle();
        world.close();
    }
}

fn register_by_name(world: &mut World) {
    world.act("1006", |phone, now| phone.register(now, 0));
    world.settle();
    let contact = Some("<sip:1006@desk.example.com>".to_owned());
    world.set("1006", |phone| {
        phone.registered_contact = contact;
        phone.registered = None;
    });
    world.register("1006");
    world.run(Duration::from_secs(1));
}
