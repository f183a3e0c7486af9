//! A leg whose session we change: what the phone is sent, and what its answers do.

use super::*;
use crate::call::leg::Input;
use crate::call::leg::desk::{Desk, FLOW, SDP, request_with, text};
use crate::sdp::Codec;
use crate::sip::transaction::{Failure, ServerKey};

#[test]
fn a_hold_of_ours_is_a_re_invite_that_only_sends() {
    let mut desk = Desk::talking();

    let (client, hold) = desk.sent(Input::Hold(true));
    assert_eq!((hold.method(), hold.cseq().number), (Method::Invite, 1));
    let offer = text(&hold);
    assert!(offer.contains("a=sendonly") && offer.contains("o=- 7 1 "), "{offer}");
    assert!(hold.header(Name::Contact).is_some());

    let out = desk.answers(client, &hold, 200, &SDP.replace("sendrecv", "recvonly"));
    assert!(out.contains(&"ACK 1".to_owned()), "{out:?}");
    assert!(out.contains(&"Modified".to_owned()), "{out:?}");
    assert!(out.contains(&"connect SendOnly".to_owned()), "{out:?}");
    assert!(!desk.leg.audio().is_held(), "the phone does not hold us");

    let (client, back) = desk.sent(Input::Hold(false));
    assert!(text(&back).contains("a=sendrecv") && text(&back).contains("o=- 7 2 "));
    let out = desk.answers(client, &back, 200, SDP);
    assert!(out.contains(&"connect SendRecv".to_owned()), "{out:?}");
}

#[test]
fn a_refused_offer_leaves_everything_as_it_was() {
    let mut desk = Desk::talking();
    let before = desk.leg.audio().agreed().cloned();

    let (client, hold) = desk.sent(Input::Hold(true));
    assert_eq!(desk.answers(client, &hold, 488, ""), ["NotModified(488)"]);
    assert_eq!(desk.leg.audio().agreed().cloned(), before);

    let (_, offer) = desk.sent(Input::Offer(vec![Codec::Pcmu]));
    assert!(text(&offer).contains("a=sendrecv"), "the hold is given up");
    assert!(text(&offer).contains("RTP/AVP 0 101"), "{}", text(&offer));
    assert!(text(&offer).contains("o=- 7 2 "), "no description is told twice as another");
}

/// RFC 3261 §8.2.3, §14.2: what is no session description changes nothing.
#[test]
fn a_body_of_another_kind_is_told_what_we_take() {
    let mut desk = Desk::talking();
    let before = desk.leg.audio().agreed().cloned();
    for (method, cseq) in [("INVITE", 2), ("UPDATE", 3)] {
        let tag = format!(";tag={}", desk.leg.dialog_key().1);
        let request = request_with(method, cseq, &tag, ("text/plain", "hello"));
        let input = Input::Request { key: ServerKey(1), flow: FLOW, request };
        assert_eq!(desk.gets(input), ["respond 415"], "{method}");
    }
    assert_eq!(desk.leg.audio().agreed().cloned(), before);
}

/// RFC 3261 §21.4.13, RFC 6086 §4.2.2.
#[test]
fn an_info_that_is_no_key_is_told_what_we_take() {
    let mut desk = Desk::talking();
    let tag = format!(";tag={}", desk.leg.dialog_key().1);
    let mut answers = |cseq, kind, body| {
        let request = request_with("INFO", cseq, &tag, (kind, body));
        desk.gets(Input::Request { key: ServerKey(1), flow: FLOW, request })
    };

    let picture = answers(2, "application/media_control+xml", "<media_control/>");
    assert_eq!(picture, ["respond 415 application/dtmf-relay, application/dtmf"]);
    assert_eq!(answers(3, "Application/DTMF ; x=1", "5"), ["respond 200", "Digit('5')"]);
    assert_eq!(answers(4, "text/plain", ""), ["respond 200"]);
    for (cseq, body) in (10..).zip(["", "garbage", "Signal=55", "Signal=Q"]) {
        let picture = answers(cseq, "application/dtmf-relay", body);
        assert_eq!(picture, ["respond 415 application/dtmf-relay, application/dtmf"], "{body}");
    }
    let packaged = answers(20, "application/dtmf\r\nInfo-Package: tones", "5");
    assert_eq!(packaged, ["respond 469"]);
}

/// RFC 3261 §14.1: the Call-ID is the phone's, so we come again within 2 s.
#[test]
fn after_glare_the_same_is_offered_again() {
    let mut desk = Desk::talking();
    let (client, hold) = desk.sent(Input::Hold(true));

    assert_eq!(desk.answers(client, &hold, 491, ""), [""; 0]);
    let at = desk.leg.next_tick().unwrap();
    assert!(at <= desk.now + Duration::from_secs(2));
    desk.now = at;
    let (_, again) = desk.sent(Input::Tick);
    assert_eq!(again.cseq().number, 2);
    assert_eq!(text(&again), text(&hold));
}

/// RFC 3261 §14.2, §14.1: two re-INVITEs cross; both get 491.
#[test]
fn a_re_invite_of_the_phone_meets_ours() {
    let mut desk = Desk::talking();
    desk.sent(Input::Hold(true));

    let theirs = desk.request("INVITE", 3, SDP);
    assert_eq!(desk.gets(theirs), ["respond 491"]);
    let theirs = desk.request("UPDATE", 4, SDP);
    assert_eq!(desk.gets(theirs), ["respond 491"]);
}

#[test]
fn who_does_not_know_the_dialog_any_more_gets_a_bye() {
    for status in [408, 481] {
        let mut desk = Desk::talking();
        let (client, hold) = desk.sent(Input::Hold(true));
        assert_eq!(
            desk.answers(client, &hold, status, ""),
            ["Lost(\"no_answer_in_dialog\")", "BYE 2", "close"]
        );
    }
    let mut desk = Desk::talking();
    let (client, _) = desk.sent(Input::Hold(true));
    let out = desk.gets(Input::Failed(client, Failure::Timeout));
    assert_eq!(out, ["Lost(\"no_answer_in_dialog\")", "BYE 2", "close"]);
}

/// A 2xx without a usable answer: the two sides would believe in different sessions.
#[test]
fn an_accepted_offer_without_an_answer_ends_the_leg() {
    let mut desk = Desk::talking();
    let (client, hold) = desk.sent(Input::Hold(true));

    assert_eq!(
        desk.answers(client, &hold, 200, ""),
        ["ACK 1", "Lost(\"offer_not_answered\")", "BYE 2", "close"]
    );
}

#[test]
fn a_2xx_that_crosses_our_bye_is_acknowledged() {
    let mut desk = Desk::talking();
    let (client, hold) = desk.sent(Input::Hold(true));

    assert_eq!(desk.gets(Input::HangUp(None)), ["cancel", "BYE 2", "close"]);
    assert_eq!(desk.answers(client, &hold, 200, SDP), ["ACK 1"]);
    assert!(!desk.leg.is_gone());
}

#[test]
fn copies_of_a_2xx_are_acknowledged_again() {
    let mut desk = Desk::talking();
    let (client, hold) = desk.sent(Input::Hold(true));
    desk.answers(client, &hold, 200, SDP);

    assert_eq!(desk.answers(client, &hold, 200, SDP), ["ACK 1"]);
}

/// A re-INVITE needs nobody to pick up: after 32 s of 180 it is given up.
#[test]
fn a_re_invite_that_only_rings_is_cancelled() {
    let mut desk = Desk::talking();
    let (client, hold) = desk.sent(Input::Hold(true));
    desk.answers(client, &hold, 180, "");

    desk.now = desk.leg.next_tick().unwrap();
    assert_eq!(desk.gets(Input::Tick), ["cancel"]);
    assert_eq!(desk.answers(client, &hold, 487, ""), ["NotModified(487)"]);
}

#[test]
fn what_is_wanted_before_the_ack_waits_for_it() {
    let mut desk = Desk::answered();

    assert_eq!(desk.gets(Input::Hold(true)), [""; 0]);
    let ack = Input::Acked(desk.message("ACK", 1, ""));
    assert_eq!(desk.gets(ack), ["Answered", "INVITE 1"]);
}

/// What the stored dialog says is enough to end it with the right CSeq.
#[test]
fn the_dialog_is_stored_again_when_our_requests_count_on() {
    let mut desk = Desk::talking();
    desk.sent(Input::Hold(true));
    assert_eq!(desk.stored, Some(1));
}
