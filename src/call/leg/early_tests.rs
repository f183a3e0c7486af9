//! Phones behind a forking proxy, reliable responses out of order, answers that are of no use.

use super::*;
use crate::call::leg::Input;
use crate::call::leg::desk::{Desk, SDP};

/// RFC 3262 §4: in the order of their numbers, each once.
#[test]
fn reliable_responses_are_acknowledged_in_their_order() {
    let (mut desk, client, invite) = Desk::calling();
    let mut gets = |rseq| {
        let lines = [(Name::Require, "100rel"), (Name::RSeq, rseq), (Name::Contact, CONTACT)];
        desk.responds(client, &invite, (180, "a"), &lines, "")
    };

    assert_eq!(gets("7"), ["PRACK 2", "Ringing"]);
    assert_eq!(gets("7"), [""; 0], "a copy");
    assert_eq!(gets("9"), [""; 0], "8 is missing");
    assert_eq!(gets("8"), ["PRACK 3"]);
    let (_, prack) = desk.requests.pop().unwrap();
    assert_eq!(prack.header(Name::RAck), Some("8 1 INVITE"));
    assert_eq!(prack.uri_text(), "sip:a@198.51.100.8");
}

/// Each phone of a fork counts for itself, and the last that spoke of audio is heard.
#[test]
fn forks_have_early_dialogs_of_their_own() {
    let (mut desk, client, invite) = Desk::calling();
    let lines = [(Name::Require, "100rel"), (Name::RSeq, "1"), (Name::Contact, CONTACT)];

    let out = desk.responds(client, &invite, (183, "a"), &lines, SDP);
    assert_eq!(out, ["PRACK 2", "connect SendRecv", "EarlyAudio", "Ringing"]);
    let other = SDP.replace("4000", "5000");
    let out = desk.responds(client, &invite, (183, "b"), &lines, &other);
    assert_eq!(out, ["PRACK 2", "connect SendRecv", "EarlyAudio"]);
    assert_eq!(desk.connected.map(|remote| remote.port()), Some(5000));

    // The first answers, without another description: its own counts.
    let out = desk.responds(client, &invite, (200, "a"), &[(Name::Contact, CONTACT)], "");
    assert_eq!(out, ["ACK 1", "connect SendRecv", "Answered"]);
    assert_eq!(desk.connected.map(|remote| remote.port()), Some(4000));
    assert_eq!(desk.gets(Input::HangUp(None)), ["BYE 3", "close"], "its requests count on");
}

#[test]
fn the_final_answer_may_move_the_audio() {
    let (mut desk, client, invite) = Desk::calling();
    desk.responds(client, &invite, (183, "a"), &[(Name::Contact, CONTACT)], SDP);

    let moved = SDP.replace("4000", "6000");
    desk.responds(client, &invite, (200, "a"), &[(Name::Contact, CONTACT)], &moved);
    assert_eq!(desk.connected.map(|remote| remote.port()), Some(6000));
}

/// RFC 6228 §4.
#[test]
fn a_fork_that_is_over_is_forgotten() {
    let (mut desk, client, invite) = Desk::calling();
    desk.responds(client, &invite, (183, "a"), &[(Name::Contact, CONTACT)], SDP);

    assert_eq!(desk.responds(client, &invite, (199, "a"), &[], ""), [""; 0]);
    let out = desk.responds(client, &invite, (200, "a"), &[(Name::Contact, CONTACT)], "");
    assert_eq!(out, ["ACK 1", "Refused(488)", "BYE 2", "close"], "its answer is gone with it");
}

#[test]
fn more_forks_than_can_be_told_apart_only_ring() {
    let (mut desk, client, invite) = Desk::calling();
    for fork in 0..FORKS_MAX + 4 {
        let tag = format!("t{fork}");
        desk.responds(client, &invite, (183, &tag), &[(Name::Contact, CONTACT)], SDP);
    }
    let out = desk.responds(client, &invite, (183, "late"), &[(Name::Contact, CONTACT)], SDP);
    assert_eq!(out, [""; 0]);
    let out = desk.responds(client, &invite, (200, "late"), &[(Name::Contact, CONTACT)], SDP);
    assert_eq!(out, ["ACK 1", "connect SendRecv", "Answered"], "and may answer all the same");
}

/// A phone that never comes to an end is not acknowledged for ever; it may answer all the same.
#[test]
fn of_too_many_reliable_responses_the_rest_is_not_acknowledged() {
    let (mut desk, client, invite) = Desk::calling();
    let mut pracks = 0;
    for rseq in 1..=PRACKS_MAX + 4 {
        let rseq = rseq.to_string();
        let lines = [(Name::Require, "100rel"), (Name::RSeq, &*rseq), (Name::Contact, CONTACT)];
        let out = desk.responds(client, &invite, (180, "a"), &lines, "");
        pracks += out.iter().filter(|word| word.starts_with("PRACK")).count();
    }
    assert_eq!(pracks, usize::from(PRACKS_MAX));
    let out = desk.responds(client, &invite, (200, "a"), &[(Name::Contact, CONTACT)], SDP);
    assert_eq!(out, ["ACK 1", "connect SendRecv", "Answered"]);
}

/// RFC 3261 §13.2.2.4: whatever is wrong with a 2xx, the phone must not wait in a call.
#[test]
fn a_2xx_that_makes_no_dialog_is_acknowledged_and_ended() {
    for (tag, lines) in [
        ("", &[(Name::Contact, CONTACT)][..]),
        ("a", &[(Name::Contact, "<sip:a b@c>")][..]),
        ("a", &[(Name::Contact, "*")][..]),
        ("a", &[(Name::Contact, CONTACT), (Name::RecordRoute, "<sip:p")][..]),
    ] {
        let (mut desk, client, invite) = Desk::calling();
        let out = desk.responds(client, &invite, (200, tag), lines, SDP);
        assert_eq!(out, ["Refused(502)", "ACK 1", "BYE 2", "close"], "{tag} {lines:?}");
        assert!(!desk.leg.is_gone());

        let (mut desk, client, invite) = Desk::calling();
        desk.gets(Input::HangUp(None));
        let out = desk.responds(client, &invite, (200, tag), lines, SDP);
        assert_eq!(out, ["ACK 1", "BYE 2"], "it crossed our CANCEL");
    }
}

const CONTACT: &str = "<sip:a@198.51.100.8>";
