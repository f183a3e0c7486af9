//! Strangers: what they may ask, how often, and what they learn.
//!
//! In storms are the phones beside them. What strangers send comes in as it is, each message
//! counted: how many of a flood the network loses is not what is asked here.

use std::net::SocketAddr;

use crate::answered::talking;
use crate::site::SITE;
use crate::stranger::{request, say, stranger, with_password};
use crate::world::phone::Stage;
use crate::world::{World, in_all_weathers};
use strowger::cdr::entry::Fact;
use strowger::sip::message::{Message, Method, Response};
use strowger::time::Duration;

/// RFC 3261 §8.2.7: what is refused for want of credentials leaves nothing behind.
#[test]
fn a_refusal_costs_no_transaction() {
    let mut world = World::new(SITE);
    world.run(Duration::from_secs(40));
    for method in [Method::Invite, Method::Register, Method::Options, Method::Bye, Method::Notify] {
        let status = stranger(&mut world, request(method, "1001", "")).map(|it| it.status());
        let wanted = match method {
            Method::Invite | Method::Register => 401,
            Method::Options => 200,
            _ => 481,
        };
        assert_eq!(status, Some(wanted), "{method:?}");
    }
    assert_eq!(world.node().transactions, 0);
}

/// Requests with a To tag are only taken for dialogs that are here.
#[test]
fn junk_with_a_to_tag_costs_no_transaction() {
    let mut world = World::new(SITE);
    world.run(Duration::from_secs(40));
    for method in [Method::Invite, Method::Bye, Method::Update, Method::Info, Method::Register] {
        let junk = request(method, "1001", ";tag=junk");
        assert_eq!(stranger(&mut world, junk).map(|it| it.status()), Some(481), "{method:?}");
    }
    assert_eq!(world.node().transactions, 0);
}

/// A phone in a call asks more than one dialog may: it is told to wait, and nobody else is. Its
/// call goes on, and can be ended.
#[test]
fn a_dialog_that_asks_too_much_is_told_to_wait() {
    let mut world = World::new(SITE);
    talking(&mut world);
    world.run(Duration::from_secs(40));
    let before = world.node().transactions;
    for _ in 0..450 {
        world.act("1001", |phone, now| phone.in_dialog(now, Method::Options, ""));
    }
    world.run(Duration::from_secs(1));
    let told_to_wait = |world: &World| {
        let is = |it: &&Message| matches!(it, Message::Response(it) if it.status() == 500);
        world.sent.iter().filter(is).count()
    };
    assert_eq!((told_to_wait(&world), world.node().crowded), (50, 50));
    assert_eq!(world.node().transactions - before, 400);

    world.dial("1003", "1004");
    world.until("another call rings", |world| world.rings("1004"));
    world.cancel("1003");
    assert!(world.talk("1001", "1002"));
    world.run(Duration::from_secs(40));
    world.act("1001", |phone, now| phone.in_dialog(now, Method::Options, ""));
    world.run(Duration::from_secs(1));
    assert_eq!(told_to_wait(&world), 50, "it is served again");
    world.hang_up("1001");
    world.until("the callee is told", |world| world.stage("1002") == Stage::Over);
    world.close();
}

/// A copy of a refused request gets the same To tag (RFC 3261 §8.2.7).
#[test]
fn copies_are_refused_under_one_tag() {
    let mut world = World::new(SITE);
    let invite = request(Method::Invite, "1002", "");
    let first = stranger(&mut world, invite.clone()).unwrap();
    let second = stranger(&mut world, invite).unwrap();

    assert!(first.to_tag().is_some());
    assert_eq!(first.to_tag(), second.to_tag());
    let other = stranger(&mut world, request(Method::Invite, "1003", "")).unwrap();
    assert_ne!(first.to_tag(), other.to_tag());
}

/// What an unknown user is told is what a known one is told, whatever is asked for.
#[test]
fn nobody_learns_which_accounts_there_are() {
    let mut world = World::new(SITE);
    for method in [Method::Invite, Method::Register, Method::Options] {
        let mut told = Vec::new();
        for user in ["1001", "9999"] {
            let request = request(method, user, "");
            let first = stranger(&mut world, request.clone()).unwrap();
            told.push(shape(&first));
            if first.status() == 401 {
                let guess = with_password(&request, &first, user, "a guess");
                told.push(shape(&stranger(&mut world, guess).unwrap()));
            }
        }
        let (known, unknown) = told.split_at(told.len() / 2);
        assert_eq!(known, unknown);
        assert!(told.iter().all(|it| !it.contains("Server") && !it.contains("User-Agent")));
    }
}

#[test]
fn a_source_that_guesses_is_locked_out_and_told_to_the_ledger() {
    in_all_weathers(SITE, |world| {
        let statuses: Vec<_> = (0..13).map(|_| guess(world, "1001")).collect();

        assert_eq!(statuses[..10], [401; 10]);
        assert_eq!(statuses[10..], [403; 3]);
        let locked = |fact: &Fact| match fact {
            Fact::LockedOut { address, seconds, every_account } => {
                address == "203.0.113.66" && *seconds == 60 && !every_account
            }
            _ => false,
        };
        assert!(world.has(locked));
        assert_eq!(world.node().lock_outs, 1);
        // Others are not touched, not even at the same account.
        talking(world);
        world.hang_up("1001");
        world.close();
    });
}

/// The second lock-out is longer.
#[test]
fn who_goes_on_guessing_waits_longer() {
    let mut world = World::new(SITE);
    for _ in 0..2 {
        while guess(&mut world, "1001") != 403 {}
        world.run(Duration::from_secs(60));
    }

    assert_eq!(guess(&mut world, "1001"), 403);
    world.run(Duration::from_secs(60));
    assert_eq!(guess(&mut world, "1001"), 401);
}

/// Above its bucket a source is not answered; its phones that are registered are.
#[test]
fn a_flood_is_not_answered_and_its_neighbours_are() {
    in_all_weathers(SITE, |world| {
        let neighbour = SocketAddr::from((world.phone("1001").address.ip(), 31_337));
        let flood: Vec<_> = (0..3000)
            .map(|n| {
                let method = if n % 2 == 0 { Method::Register } else { Method::Options };
                say(world, neighbour, request(method, &n.to_string(), "")).is_some()
            })
            .collect();

        assert!(flood[..900].iter().all(|answered| *answered));
        assert!(flood[1100..].iter().all(|answered| !answered));
        assert!(world.node().dropped > 1900);
        talking(world);
        world.hang_up("1001");
        world.register("1001");
        world.close();
    });
}

/// Who guesses behind the address of a phone does not lock that phone out.
#[test]
fn a_phone_is_not_locked_out_for_its_neighbour() {
    in_all_weathers(SITE, |world| {
        let neighbour = SocketAddr::from((world.phone("1001").address.ip(), 31_337));
        for _ in 0..20 {
            guess_from(world, neighbour, "1001");
        }
        assert_eq!(guess_from(world, neighbour, "1001"), Some(403));

        talking(world);
        world.hang_up("1001");
        world.close();
    });
}

/// The same password over and over, each time with the challenge of the time before.
#[test]
fn credentials_that_were_heard_are_worth_nothing() {
    let mut world = World::new(SITE);
    let register = request(Method::Register, "1001", "");
    let challenge = stranger(&mut world, register.clone()).unwrap();
    let heard = with_password(&register, &challenge, "1001", "one-1001");
    assert_eq!(stranger(&mut world, heard.clone()).unwrap().status(), 200);
    world.run(Duration::from_secs(40));

    assert_eq!(stranger(&mut world, heard.clone()).unwrap().status(), 401);
    let elsewhere = SocketAddr::from(([203, 0, 113, 67], 5060));
    assert_eq!(say(&mut world, elsewhere, heard).unwrap().status(), 401);
}

#[test]
fn denied_networks_are_not_answered() {
    let denied = "[defence]\ndeny = [\"203.0.113.0/24\"]\n";
    let mut world = World::new(&format!("{denied}{SITE}"));

    assert!(stranger(&mut world, request(Method::Options, "1001", "")).is_none());
    assert_eq!(world.node().denied, 1);
    talking(&mut world);
    world.hang_up("1001");
    world.close();
    // A reload opens the door.
    world.reload(SITE);
    assert!(stranger(&mut world, request(Method::Options, "1001", "")).is_some());
}

/// From elsewhere the right password is as wrong as any other.
#[test]
fn an_account_can_be_kept_to_its_network() {
    let kept = "password = \"six-1006\"\nallow = [\"198.51.100.0/24\"]";
    let mut world = World::new(&SITE.replace("password = \"six-1006\"", kept));
    assert_eq!(world.phone("1006").registered, Some(200));
    let register = request(Method::Register, "1006", "");
    let challenge = stranger(&mut world, register.clone()).unwrap();
    let right = with_password(&register, &challenge, "1006", "six-1006");

    assert_eq!(stranger(&mut world, right).unwrap().status(), 401);
}

fn guess(world: &mut World, user: &str) -> u16 {
    guess_from(world, SocketAddr::from(([203, 0, 113, 66], 5060)), user).expect("it is answered")
}

fn guess_from(world: &mut World, remote: SocketAddr, user: &str) -> Option<u16> {
    let register = request(Method::Register, user, "");
    let challenge = say(world, remote, register.clone())?;
    if challenge.status() != 401 {
        return Some(challenge.status());
    }
    Some(say(world, remote, with_password(&register, &challenge, user, "a guess"))?.status())
}

/// A response without what differs from request to request.
fn shape(response: &Response) -> String {
    let lines = response.all().filter(|(name, _)| {
        !["via", "from", "to", "call-id", "www-authenticate"]
            .contains(&name.to_ascii_lowercase().as_str())
    });
    let lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{} {}", response.status(), lines.join("\n"))
}
