//! Somebody outside calls in over a trunk: by its address, by our Contact, by its password.

use crate::site::SITE;
use crate::stranger::{request, say};
use crate::trunk_out::record;
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Direction, Fact};
use strowger::sip::message::Method;
use strowger::time::Duration;

#[test]
fn a_call_from_the_trunks_address_is_taken() {
    in_all_weathers(&site(""), |world| {
        begin(world);
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.call_in("itsp", "013800138000", "4008001234");
        world.until("they talk", |world| world.talk("itsp", "1002"));
        world.settle();
        assert_eq!(world.trunk("itsp").calls, 1);
        world.hang_up("itsp");
        world.until("the books are closed", |world| world.ends().len() == 1);

        let record = record(world);
        assert_eq!(record.direction, Some(Direction::Inbound));
        assert_eq!(record.trunk.unwrap().as_str(), "itsp");
        assert_eq!(record.did.as_deref(), Some("4008001234"));
        assert_eq!(record.dialled, "main");
        assert_eq!(record.caller.number, "013800138000");
        assert_eq!(record.caller.e164.as_deref(), Some("+8613800138000"));
        assert_eq!(record.routes[0].rule, "main number");
    });
}

/// The number called decides, by rules of this trunk; others lead nowhere.
#[test]
fn an_unknown_number_is_refused() {
    let mut world = begun(&site(""));
    world.call_in("itsp", "013800138000", "4008009999");
    world.close();

    assert_eq!(world.status_of("itsp"), 404);
}

/// Feature codes and emergency numbers are not for callers from outside.
#[test]
fn codes_are_not_for_outsiders() {
    let mut world = begun(&site(""));
    world.call_in("itsp", "013800138000", "*43");
    world.close();

    assert_eq!(world.status_of("itsp"), 404);
}

/// A To tag names a dialog (RFC 3261 §12.2.2): an invented one begins no call and costs nothing.
#[test]
fn an_invite_with_an_invented_tag_costs_no_transaction() {
    let mut world = begun(&site(""));
    world.run(Duration::from_secs(40));
    let before = world.node().transactions;
    let provider = world.phone("itsp").address;
    for n in 0..20 {
        let tag = format!(";tag=junk{n}");
        let junk = say(&mut world, provider, request(Method::Invite, &n.to_string(), &tag));
        assert_eq!(junk.map(|it| it.status()), Some(481));
    }

    assert_eq!(world.node().transactions, before);
    assert_eq!(world.ends(), []);
}

#[test]
fn a_network_of_the_trunk_counts_too() {
    let mut world = begun(&site("addresses = ['203.0.113.128/25']"));
    world.add_provider("gateway", 200);
    world.call_in("gateway", "013800138000", "4008001234");
    world.until("it rings", |world| world.rings("1002"));
    world.cancel("gateway");
    world.close();
}

/// Whoever is at no trunk's address is asked for a password like anybody.
#[test]
fn a_stranger_is_asked_for_his_password() {
    let mut world = begun(&site(""));
    world.add_provider("stranger", 77);
    world.call_in("stranger", "013800138000", "4008001234");
    world.close();

    assert_eq!(world.status_of("stranger"), 401);
    assert!(!world.entries.iter().any(|entry| entry.call.is_some()));
}

/// Two trunks behind one address: neither is meant for certain, so nobody is believed.
#[test]
fn an_address_of_two_trunks_proves_nothing() {
    let two =
        format!("{}\n[trunks.other]\nhost = \"203.0.113.1\"\nqualify_every = \"0s\"", site(""));
    let mut world = begun(&two);
    world.call_in("itsp", "013800138000", "4008001234");
    world.close();

    assert_eq!(world.status_of("itsp"), 401);
}

/// But one that must log in is not known by its address, so it hides the other no more there.
#[test]
fn a_trunk_that_logs_in_leaves_its_address_to_another() {
    let two = format!(
        "{}\n[trunks.other]\nhost = \"203.0.113.1\"\nqualify_every = \"0s\"\n\
         inbound_username = \"other-in\"\ninbound_password = \"theirs\"",
        site("")
    );
    let mut world = begun(&two);
    world.call_in("itsp", "013800138000", "4008001234");
    world.until("it rings", |world| world.rings("1002"));
    world.cancel("itsp");
    world.close();

    assert_eq!(record(&world).trunk.unwrap().as_str(), "itsp");
}

/// A registrar calls our Contact, from wherever; the number called stands in To.
#[test]
fn a_call_to_our_contact_is_its_registrars() {
    let registering = site("register = true\nusername = 'acct'\npassword = 'secret'");
    in_all_weathers(&registering, |world| {
        begin(world);
        world.until("it is registered", |world| world.provider_contact("itsp").is_some());
        world.settle();
        let contact = world.provider_contact("itsp").expect("it is registered");
        world.add_provider("elsewhere", 99);
        world.set("1002", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        let uri = format!("sip:{contact}@192.0.2.1");
        world.act("elsewhere", |phone, now| {
            phone.call(now, (&uri, "013800138000", "4008001234"));
        });
        world.until("they talk", |world| world.talk("elsewhere", "1002"));
        world.settle();
        world.hang_up("elsewhere");
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(record(world).trunk.unwrap().as_str(), "itsp");
        assert_eq!(record(world).did.as_deref(), Some("4008001234"));
    });
}

#[test]
fn a_guessed_contact_is_nobodys() {
    let mut world = begun(&site("register = true\nusername = 'acct'\npassword = 'secret'"));
    world.run(Duration::from_secs(1));
    world.add_provider("stranger", 77);
    let uri = format!("sip:{}@192.0.2.1", "0".repeat(32));
    world.act("stranger", |phone, now| phone.call(now, (&uri, "1", "4008001234")));
    world.close();

    assert_eq!(world.status_of("stranger"), 401);
}

/// The trunk must log in: its address is not enough, its password is, from wherever.
#[test]
fn a_trunk_can_be_asked_for_its_password() {
    let both = site("inbound_username = 'itsp-in'\ninbound_password = 'theirs'");
    in_all_weathers(&both, |world| {
        begin(world);
        world.call_in("itsp", "013800138000", "4008001234");
        world.until("it is refused", |world| world.phone("itsp").is_quiet());
        assert_eq!(world.status_of("itsp"), 401);

        world.add_provider("elsewhere", 99);
        world.set("elsewhere", |phone| {
            phone.account = "itsp-in".to_owned();
            phone.password = "theirs".to_owned();
        });
        world.call_in("elsewhere", "013800138000", "4008001234");
        world.until("it rings", |world| world.rings("1002"));
        assert!(world.has(|fact| matches!(fact, Fact::Setup { trunk: Some(_), .. })));
        world.cancel("elsewhere");
        world.until("it is over", |world| world.stage("1002") == Stage::Over);
    });
}

/// A trunk's account is no extension: no phone registers with it.
#[test]
fn a_trunks_password_registers_no_phone() {
    let both = site("inbound_username = 'itsp-in'\ninbound_password = 'theirs'");
    let mut world = begun(&both);
    world.set("itsp", |phone| {
        phone.account = "itsp-in".to_owned();
        phone.password = "theirs".to_owned();
        phone.register(strowger::time::Instant::START, 60);
    });
    world.act("itsp", |_, _| {});
    world.close();

    assert_eq!(world.phone("itsp").registered, Some(403));
    assert_eq!(world.node().registrations, 6);
}

#[test]
fn a_full_trunk_is_refused() {
    let mut world = begun(&site("calls_max = 1\naddresses = ['203.0.113.150']"));
    world.call_in("itsp", "013800138000", "4008001234");
    world.until("it rings", |world| world.rings("1002"));
    world.add_provider("again", 150);
    world.set("again", |phone| phone.account = "x".to_owned());
    world.call_in("again", "013900139000", "4008001234");
    world.settle();
    assert_eq!(world.status_of("again"), 503);
    world.cancel("itsp");
    world.close();
}

/// A caller from outside who is sent out again keeps his number, unless the trunk forbids it.
#[test]
fn a_call_can_pass_through() {
    for (key, shown) in [("", "+8613800138000"), ("caller_id_for = 'all'", "+862188888888")] {
        let site = format!(
            "{}\n[[routes]]\ntrunk = \"itsp\"\nto = \"777\"\ntarget = \"trunk:other/010\"\n\
             [trunks.other]\nhost = \"203.0.113.9\"\nqualify_every = \"0s\"\n\
             caller_id = \"+862188888888\"\n{key}",
            site("")
        );
        let mut world = begun(&site);
        world.add_provider("other", 9);
        world.call_in("itsp", "013800138000", "777");
        world.until("it rings", |world| world.rings("other"));
        let invite = world.phone("other").line().invite.clone();
        assert_eq!(invite.from().uri().unwrap().user(), Some(shown));
        world.cancel("itsp");
        world.close();
        assert_eq!(record(&world).direction, Some(Direction::Inbound));
    }
}

pub fn site(more: &str) -> String {
    format!(
        r#"{SITE}
        [[routes]]
        name = "main number"
        trunk = "itsp"
        to = "main"
        target = "extension:1002"
        [trunks.itsp]
        host = "sip.itsp.example"
        targets = ["203.0.113.1"]
        qualify_every = "0s"
        numbers = {{ country = "86", national = "0", international = "00" }}
        in = [{{ match = "4008001234", replace = "main" }}]
        {more}
        "#
    )
}

pub fn begun(site: &str) -> World {
    let mut world = World::new(site);
    begin(&mut world);
    world
}

fn begin(world: &mut World) {
    world.add_provider("itsp", 1);
    world.run(Duration::from_millis(100));
}
