//! Reliable responses, early audio, session timers, late offers and forks, with SIPp at both ends.

use crate::site::{LIMIT, callee, caller, register};
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::sipp::Scenario;

/// RFC 3262 on both sides: the callee's announcement reaches the caller before the answer.
#[test]
fn reliable_early_audio_passes_from_end_to_end() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee_announces", 1002, 1, 500);

    let report = caller(&node, "caller_acknowledges", 1001, "1002", 1, 500).succeeds(LIMIT);

    callee.succeeds();
    assert!(report.messages.contains("SIP/2.0 183"), "{}", report.messages);
}

/// The same callee and a caller that knows nothing of it: 183 with a description, not reliable.
#[test]
fn early_audio_reaches_a_plain_caller() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee_announces", 1002, 1, 500);

    let report = caller(&node, "caller", 1001, "1002", 1, 500).succeeds(LIMIT);

    callee.succeeds();
    let early = report.messages.split("SIP/2.0 183").nth(1).expect("a 183 came");
    let early = early.split("-----").next().unwrap_or_default(); // SIPp's line between messages
    assert!(early.contains("m=audio"), "{early}");
}

#[test]
fn a_caller_that_refreshes_is_answered() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee", 1002, 1, 200);

    caller(&node, "caller_refreshes", 1001, "1002", 1, 300).succeeds(LIMIT);

    callee.succeeds();
}

#[test]
fn a_caller_in_haste_learns_the_least_interval() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee", 1002, 1, 200);

    caller(&node, "caller_in_haste", 1001, "1002", 1, 300).succeeds(LIMIT);

    callee.succeeds();
}

/// Half of the shortest session, 45 s, passes before we refresh.
#[test]
fn a_callee_that_does_not_refresh_is_asked_by_update() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let phone = Place::new();
    register(&node, &phone, [1002]);
    let callee = Scenario::new("callee_is_refreshed", &phone, 5060, node.sip())
        .calls(1, 1)
        .keep(phone)
        .start(2 * LIMIT);
    let caller = caller(&node, "caller_waits", 1001, "1002", 1, 0).start(2 * LIMIT);

    callee.succeeds();
    caller.succeeds();
}

#[test]
fn an_offer_in_our_200_is_answered_in_the_ack() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee", 1002, 1, 200);

    caller(&node, "caller_offers_late", 1001, "1002", 1, 300).succeeds(LIMIT);

    callee.succeeds();
}

/// RFC 3261 §13.2.2.4: one phone of a fork is talked to, the other hears a BYE.
#[test]
fn of_two_answers_of_a_fork_one_is_kept() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let callee = callee(&node, "callee_forks", 1002, 1, 0);

    caller(&node, "caller", 1001, "1002", 1, 1500).succeeds(LIMIT);

    callee.succeeds();
}
