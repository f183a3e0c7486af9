//! A phone asks to be shown under another number of its (P-Preferred-Identity, RFC 3325 §9.2).

use crate::trunk_out::{begun, invite, site};
use crate::world::World;
use strowger::sip::message::Name;

#[test]
fn a_number_of_its_own_is_shown_and_another_is_not() {
    for (wish, shown) in [
        ("<sip:02102@strowger.test>", "02102"),
        ("\"Sales\" <sip:02101@strowger.test>", "02101"),
        ("<tel:02102>", "02102"),
        ("<sip:110@strowger.test>", "02101"),
        ("<sip:1002@strowger.test>", "02101"),
        ("<<>", "02101"),
    ] {
        let mut world = begun(&numbers());
        call(&mut world, "02112345678", wish);
        world.until("it rings", |world| world.rings("itsp"));
        let invite = invite(&world, "itsp");
        assert_eq!(invite.from().uri().unwrap().user(), Some(shown), "{wish}");
        assert_eq!(invite.header(Name::PPreferredIdentity), None);
        world.cancel("1001");
        world.close();
    }
}

/// A phone of the site shows it too.
#[test]
fn a_phone_of_the_site_shows_it_too() {
    for (wish, shown) in [("<sip:02102@strowger.test>", "02102"), ("<sip:1@x>", "1001")] {
        let mut world = begun(&numbers());
        call(&mut world, "1002", wish);
        world.until("it rings", |world| world.rings("1002"));
        let from = world.phone("1002").line().invite.from().uri_text().to_owned();
        assert_eq!(from, format!("sip:{shown}@strowger.test"));
        world.cancel("1001");
        world.close();
    }
}

fn numbers() -> String {
    let own = "caller_id = '02101'\nidentities = ['02102']";
    site("").replace("name = \"Ann\"", own)
}

fn call(world: &mut World, to: &str, wish: &str) {
    world.act("1001", |phone, now| {
        let offer = phone.next_sdp();
        phone.dial_with(now, to, &offer, &[(Name::PPreferredIdentity, wish)]);
    });
}
