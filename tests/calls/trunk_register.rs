//! We register with a trunk (RFC 3665 §2.1, the other way round): made, renewed, lost, taken back.

use crate::trunk_out::{begin, begun, site};
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::{Fact, TrunkState};
use strowger::sip::flow::{ConnectionId, Flow, Loss, Transport};
use strowger::sip::message::{Method, Name, Request};
use strowger::switch::Input;
use strowger::time::Duration;

#[test]
fn it_is_made_with_a_password_and_renewed_before_its_end() {
    in_all_weathers(&site(REGISTER), |world| {
        world.add_provider("itsp", 1);
        world.provider("itsp").password = Some("secret".to_owned());
        world.provider("itsp").grants = 100;
        world.until("it is registered", up);
        let first = world.provider("itsp").registers.len();
        world.run(Duration::from_secs(300));

        let registers = world.provider("itsp").registers.clone();
        let renewed = registers.len() - first;
        assert!((2..=8).contains(&renewed), "{renewed}");
        assert!(registers.iter().all(|r| r.call_id() == registers[0].call_id()));
        assert_eq!(world.trunk("itsp").state, TrunkState::Up);
        assert!(world.trunk("itsp").registered_until.is_some());
        world.provider("itsp").grants = 3600;
        world.run(Duration::from_secs(100));
    });
}

/// No call goes out, and nobody is asked again soon.
#[test]
fn a_registrar_that_does_not_want_us_is_left_alone() {
    let mut world = World::new(&site(REGISTER));
    world.add_provider("itsp", 1);
    world.provider("itsp").refuses = Some(403);
    world.run(Duration::from_secs(600));
    assert_eq!(world.provider("itsp").registers.len(), 1);
    let trunk = world.trunk("itsp");
    assert_eq!((trunk.state, trunk.why.as_deref()), (TrunkState::Unregistered, Some("403")));
    world.dial("1001", "0555");
    world.close();

    assert_eq!(world.status_of("1001"), 503);
    assert!(world.has(|fact| matches!(
        fact,
        Fact::Trunk { state: TrunkState::Unregistered, why, .. } if why == "403"
    )));
}

/// Nobody else tells that the registrar's certificate has run out, or is another's.
#[test]
fn a_registrar_that_cannot_be_verified_is_told_as_such() {
    let over_tls = site(REGISTER)
        .replace("targets = [\"203.0.113.1\"]", "targets = [\"tls://203.0.113.1\"]")
        .replacen("[sip]\n", "[sip]\nlisten = [\"tls://0.0.0.0:5061\"]\n", 1);
    let mut world = World::new(&over_tls);
    world.run(Duration::from_millis(100));
    let asked = world.sent.iter().any(|it| it.as_request().is_some_and(is_register));
    assert!(asked, "{}", world.ladder);
    let (local, remote) = (([192, 0, 2, 1], 5061).into(), ([203, 0, 113, 1], 5061).into());
    let (transport, connection) = (Transport::Tls, ConnectionId::default());
    let flow = Flow { transport, local, remote, connection };
    world.input(Input::Closed { flow, why: Loss::Unverified });

    let trunk = world.trunk("itsp");
    assert_eq!(
        (trunk.state, trunk.why.as_deref()),
        (TrunkState::Unregistered, Some("certificate"))
    );
    let told = |fact: &Fact| matches!(fact, Fact::Trunk { why, .. } if why == "certificate");
    assert!(world.has(told));
}

fn is_register(request: &Request) -> bool {
    request.method() == Method::Register
}

#[test]
fn a_dead_registrar_is_asked_more_and_more_seldom() {
    let mut world = World::new(&site(REGISTER));
    world.run(Duration::from_secs(3600));
    let asked = world.sent.len();
    world.run(Duration::from_secs(3600));
    let later = world.sent.len() - asked;
    assert!(later < asked && later > 0, "{asked} packets, then {later}");

    world.add_provider("itsp", 1);
    world.until("it is registered", up);
    world.close();
}

/// RFC 3261 §10.2.8.
#[test]
fn a_longer_time_is_asked_for_if_it_must_be() {
    let mut world = World::new(&site(&format!("{REGISTER}\nregister_expires = '2m'")));
    world.add_provider("itsp", 1);
    world.provider("itsp").min_expires = 600;
    world.until("it is registered", up);
    let registers = &world.provider("itsp").registers;
    let asked: Vec<_> = registers.iter().filter_map(|r| r.header(Name::Expires)).collect();
    assert_eq!(asked, ["120", "600"]);
    world.close();
}

/// The provider's name leads elsewhere from the next renewal on.
#[test]
fn the_name_is_looked_up_before_each_renewal() {
    let named = site(REGISTER).replace("targets = [\"203.0.113.1\"]", "");
    let mut world = World::new(&named);
    world.names.addresses.insert("sip.itsp.example".into(), vec![[203, 0, 113, 1].into()]);
    world.add_provider("itsp", 1);
    world.add_provider("moved", 2);
    world.provider("itsp").grants = 60;
    world.until("it is registered", up);
    world.names.addresses.insert("sip.itsp.example".into(), vec![[203, 0, 113, 2].into()]);
    world.run(Duration::from_secs(70));

    assert_eq!(world.provider("moved").registers.len(), 1);
    assert_eq!(world.trunk("itsp").servers[0].address, "udp:203.0.113.2:5060");
    world.close();
}

#[test]
fn the_next_server_registers_us_when_one_is_dead() {
    let two = site(REGISTER).replace("[\"203.0.113.1\"]", "[\"203.0.113.8\", \"203.0.113.1\"]");
    in_all_weathers(&two, |world| {
        begin(world);
        world.until("it is registered", up);
        world.settle();
    });
}

#[test]
fn it_is_taken_back_when_the_node_stops() {
    in_all_weathers(&site(REGISTER), |world| {
        begin(world);
        world.until("it is registered", up);
        world.settle();
        world.input(Input::Stop);
        assert!(!world.switch.is_idle());
        world.until("it is taken back", |world| world.switch.is_idle());
        world.settle();

        let last = world.provider("itsp").registers.pop().expect("it was registered");
        assert!(world.weather.lost > 0 || last.header(Name::Expires) == Some("0"));
    });
}

/// A reload that does not touch the account leaves the registration alone; a new password makes it
/// anew; a trunk that is gone is taken back. Calls go on through all of it.
#[test]
fn reloads_change_what_they_must() {
    let mut world = begun(&site(REGISTER));
    world.run(Duration::from_secs(1));
    crate::trunk_out::talking(&mut world, "0555");
    let contact = world.provider_contact("itsp");
    world.reload(&site(&format!("{REGISTER}\ncalls_max = 7")));
    world.run(Duration::from_secs(2));
    assert_eq!(world.provider("itsp").registers.len(), 1);
    assert_eq!((world.trunk("itsp").calls, world.trunk("itsp").calls_max), (1, 7));

    world.reload(&site(&REGISTER.replace("secret", "changed")));
    world.run(Duration::from_secs(2));
    let registers = world.provider("itsp").registers.clone();
    assert_eq!(registers.len(), 3, "one is taken back, one is made");
    assert_ne!(world.provider_contact("itsp"), contact);
    assert_eq!(world.trunk("itsp").calls, 1);
    assert!(world.talk("1001", "itsp"));

    let without = crate::site::SITE;
    world.reload(without);
    world.run(Duration::from_secs(2));
    let last = world.provider("itsp").registers.pop().unwrap();
    assert_eq!(last.header(Name::Expires), Some("0"));
    assert!(world.talk("1001", "itsp"));
    assert!(!world.store.keys().any(|key| key.starts_with("trunks/")));
    world.hang_up("1001");
    world.close();
}

/// After a crash the registrar sees the same phone again.
#[test]
fn a_restart_registers_the_same_contact() {
    let mut world = begun(&site(REGISTER));
    world.run(Duration::from_secs(1));
    let contact = world.provider_contact("itsp");
    world.restart();
    world.entries.clear();
    world.until("it is registered", up);
    let registers = world.provider("itsp").registers.clone();

    assert_eq!(world.provider_contact("itsp"), contact);
    assert_eq!(registers[0].call_id(), registers[1].call_id());
    assert!(registers[1].cseq().number > registers[0].cseq().number);
    world.close();
}

fn up(world: &World) -> bool {
    let states = world.facts().filter_map(|fact| match fact {
        Fact::Trunk { state, .. } => Some(*state),
        _ => None,
    });
    states.last() == Some(TrunkState::Up)
}

const REGISTER: &str = "register = true\nusername = 'acct'\npassword = 'secret'";
