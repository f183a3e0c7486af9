//! Calls that come back, and how far one may go (RFC 7332, RFC 5393).

use crate::site::SITE;
use crate::stranger::{account, account_goes_on, read};
use crate::world::World;
use strowger::sip::message::Request;

/// Who is called gets one less than came (RFC 7332).
#[test]
fn each_leg_may_go_one_hop_less() {
    let mut world = World::new(SITE);
    account_goes_on(&mut world, "1001", "one-1001", invite("1002", "Max-Forwards: 9\r\n", ""));
    world.until("1002 rings", |world| world.rings("1002"));

    assert_eq!(world.phone("1002").line().invite.max_forwards(), Ok(Some(8)));
    // A phone begins with 70.
    world.dial("1003", "1004");
    world.until("1004 rings", |world| world.rings("1004"));
    assert_eq!(world.phone("1004").line().invite.max_forwards(), Ok(Some(69)));
}

/// RFC 3261 §16.3, step 3.
#[test]
fn a_call_that_may_not_go_further_is_refused() {
    let mut world = World::new(SITE);
    let refused = invite("1002", "Max-Forwards: 0\r\n", "");

    assert_eq!(account(&mut world, "1001", "one-1001", refused).status(), 483);
}

/// A proxy sends our own INVITE back to us, for the number that it was for (RFC 5393 §4.2).
#[test]
fn a_call_that_comes_back_is_a_loop() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    let via = via_of(&world.phone("1002").line().invite);

    let back = account(&mut world, "1006", "six-1006", invite("1002", "", &via));
    assert_eq!(back.status(), 482);
}

/// The same INVITE for another number is a spiral, and goes on.
#[test]
fn a_call_that_comes_back_for_another_number_is_none() {
    let mut world = World::new(SITE);
    world.dial("1001", "1002");
    world.until("1002 rings", |world| world.rings("1002"));
    let via = via_of(&world.phone("1002").line().invite);
    account_goes_on(&mut world, "1006", "six-1006", invite("1005", "", &via));

    world.until("1005 rings", |world| world.rings("1005"));
}

fn via_of(invite: &Request) -> String {
    format!(
        "Via: SIP/2.0/UDP 192.0.2.1;branch={}\r\n",
        invite.via().branch().expect("ours has one")
    )
}

fn invite(to: &str, line: &str, via: &str) -> Request {
    read(&format!(
        "INVITE sip:{to}@strowger.test SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bKloop{to}\r\n{via}{line}\
         From: <sip:1001@strowger.test>;tag=loop\r\nTo: <sip:{to}@strowger.test>\r\n\
         Call-ID: loop-{to}\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@203.0.113.66>\r\n\
         Content-Length: 0\r\n\r\n"
    ))
}
