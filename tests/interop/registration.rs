//! Registration, and what a thief of passwords meets.

use std::time::Duration;

use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::Scenario;
use crate::support::wait;
use crate::support::wire::{Challenge, Wire, status};

const LIMIT: Duration = Duration::from_secs(60);

/// Every account registers, refreshes, and is removed again; nothing is left.
#[test]
fn two_hundred_accounts_register_refresh_and_leave() {
    let node = Daemon::start(&extensions(2000..2200));
    let phones = Place::new();
    let register = |seconds: u32, transport: &[&str]| {
        let users: Vec<String> = (2000..2200).map(|user| registration(user, seconds)).collect();
        Scenario::new("register", &phones, 5060, node.sip())
            .users(&users)
            .calls(200, 100)
            .option(transport)
            .succeeds(LIMIT);
    };

    register(3600, &[]);
    assert_eq!(node.status("registrations"), 200);
    register(60, &[]);
    assert_eq!(node.status("registrations"), 200);
    register(0, &[]);
    assert_eq!(node.status("registrations"), 0);
    register(3600, &["-t", "t1"]);
}

/// A phone that is gone is forgotten when its time is over.
#[test]
fn a_registration_expires() {
    let node = Daemon::start(&extensions([1001]));
    let phone = Place::new();

    Scenario::new("register", &phone, 5060, node.sip())
        .users(&[registration(1001, 2)])
        .calls(1, 1)
        .succeeds(LIMIT);

    assert_eq!(node.status("registrations"), 1);
    wait::until("the registration expires", Duration::from_secs(10), || {
        (node.status("registrations") == 0).then_some(())
    });
}

/// RustPBX: "a replayed Authorization header is accepted".
#[test]
fn a_replayed_authorization_is_refused() {
    let node = Daemon::start(&extensions([1001]));
    let mut phone = Wire::new("1001", node.sip());
    let challenge = phone.challenge();
    let credentials = phone.credentials(&challenge, &password(1001), 1);

    assert_eq!(status(phone.register(Some(&credentials)).as_deref()), 200);
    let again = phone.register(Some(&credentials));
    assert_eq!(status(again.as_deref()), 401, "{again:?}");

    let mut thief = Wire::new("1001", node.sip());
    let stolen = thief.register(Some(&credentials));
    assert_eq!(status(stolen.as_deref()), 401, "{stolen:?}");
    let next = phone.credentials(&challenge, &password(1001), 2);
    assert_eq!(
        status(phone.register(Some(&next)).as_deref()),
        200,
        "the nonce itself is still good"
    );
}

/// RustPBX: "… and one with a nonce the server never issued".
#[test]
fn a_nonce_that_was_never_issued_is_refused() {
    let node = Daemon::start(&extensions([1001]));
    let mut phone = Wire::new("1001", node.sip());
    let real = phone.challenge();
    let length = real.nonce.len();
    let invented = [
        Challenge { nonce: "0123456789abcdef".to_owned(), ..real.clone() },
        Challenge { nonce: "0".repeat(length), ..real.clone() },
        Challenge { nonce: format!("{}{}", real.nonce, "00"), ..real.clone() },
        Challenge { nonce: String::new(), ..real },
    ];
    for challenge in invented {
        let credentials = phone.credentials(&challenge, &password(1001), 1);
        let response = phone.register(Some(&credentials));
        let status = status(response.as_deref());
        assert!((400..500).contains(&status), "{challenge:?}: {response:?}");
    }
    assert_eq!(node.status("registrations"), 0);
}

/// RustPBX: "1000 wrong passwords: no lock-out, no slowing". One address is locked out of one
/// account; the owner, at another address, is not.
#[test]
fn a_guesser_is_locked_out_and_the_owner_is_not() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let place = Place::new();
    let mut guesser = Wire::at("1001", node.sip(), &place);

    let mut tried = 0;
    let locked_out = (0..100).any(|number| {
        tried = number;
        let Some(response) = guesser.register(None) else { return true };
        let Some(challenge) = Challenge::in_response(&response) else { return true };
        let wrong = guesser.credentials(&challenge, &format!("guess-{number}"), 1);
        let answer = guesser.register(Some(&wrong));
        ![401, 403].contains(&status(answer.as_deref())) || is_refused_for_good(answer.as_deref())
    });
    assert!(locked_out, "100 wrong passwords from one address, and it may go on");
    assert!(tried >= 5, "locked out after {tried}: a person mistypes");

    // Even the right password is of no use to the guesser now.
    let mut insider = Wire::at("1001", node.sip(), &place);
    assert_ne!(try_right_password(&mut insider, 1001), 200);
    let mut owner = Wire::new("1001", node.sip());
    assert_eq!(try_right_password(&mut owner, 1001), 200);
}

/// A refusal that asks for no further password.
fn is_refused_for_good(response: Option<&str>) -> bool {
    response.is_none_or(|text| status(Some(text)) == 403 && !text.contains("nonce="))
}

fn try_right_password(phone: &mut Wire, user: u32) -> u16 {
    let Some(response) = phone.register(None) else { return 0 };
    let Some(challenge) = Challenge::in_response(&response) else { return status(Some(&response)) };
    let credentials = phone.credentials(&challenge, &password(user), 1);
    status(phone.register(Some(&credentials)).as_deref())
}

/// A line of users for `register.xml`.
pub fn registration(user: u32, seconds: u32) -> String {
    format!("{user};[authentication username={user} password={}];{seconds}", password(user))
}
