//! The peers alone, without the daemon: what the other tests of this folder rely on.

use std::time::Duration;

use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::place::Place;
use crate::support::sipp::Scenario;
use crate::support::tone::{Wav, alaw, share, ulaw, write};
use crate::support::wait::pause;

#[test]
fn two_baresips_hear_each_other() {
    let mut caller = Baresip::start(&Account { tone: 440.0, ..Account::new("a", "x", None) });
    let mut callee = Baresip::start(&Account { tone: 1000.0, ..Account::new("b", "x", None) });

    caller.dial(&callee.uri("b"));
    callee.wait_for("CALL_INCOMING", SOON);
    callee.answer();
    caller.wait_for("CALL_ESTABLISHED", SOON);
    callee.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    caller.press("5");
    let key = callee.wait_for("CALL_DTMF_START", SOON);
    caller.hang_up();
    callee.wait_for("CALL_CLOSED", SOON);
    caller.wait_for("CALL_CLOSED", SOON);

    assert_eq!(key.param, "5");
    let (caller_heard, callee_heard) = (caller.heard(), callee.heard());
    assert!(caller_heard.seconds_of(0, 1000.0) > 1.0, "{:?}", caller_heard.heard(0, 1000.0));
    assert!(callee_heard.seconds_of(0, 440.0) > 1.0, "{:?}", callee_heard.heard(0, 440.0));
    assert!(caller_heard.seconds_of(0, 440.0) < 0.2);
    caller.quit();
    callee.quit();
}

#[test]
fn a_sipp_caller_answers_the_challenge_of_a_sipp_callee() {
    let (near, far) = (Place::new(), Place::new());
    let callee = Scenario::new("callee_challenges", &far, 5060, near.at(5060))
        .calls(3, 10)
        .option(&["-d", "200"])
        .start(SOON);
    let users = ["1001;[authentication username=1001 password=secret];1002".to_owned()];

    let report = Scenario::new("caller", &near, 5060, far.at(5060))
        .users(&users)
        .calls(3, 10)
        .option(&["-d", "300"])
        .succeeds(SOON);

    callee.succeeds();
    let trace = report.trace();
    let invites = trace.iter().filter(|one| one.sent && one.text.starts_with("INVITE")).count();
    assert_eq!(invites, 6, "{}", report.messages);
    assert!(trace.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us));
    let age = crate::support::wait::wall_us() - trace[0].at_us;
    assert!((0..60_000_000).contains(&age), "SIPp's clock is ours: {age} µs");
}

#[test]
fn a_tone_is_found_and_another_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    write(&path, 440.0, 2);

    let wav = Wav::read(&path).unwrap();

    assert!((wav.seconds() - 2.0).abs() < 0.001);
    assert!(wav.seconds_of(0, 440.0) > 1.9);
    assert!(wav.seconds_of(0, 1000.0) < 0.1);
}

#[test]
fn silence_is_no_tone() {
    assert!(share(&[0; 400], 8000, 440.0) < 0.1);
}

/// ITU-T G.711, tables 1a and 2a.
#[test]
fn companded_samples_keep_their_size() {
    assert_eq!(ulaw(0xff), 0);
    assert_eq!(ulaw(0x80), 32_124);
    assert_eq!(alaw(0xd5), 8);
    assert_eq!(alaw(0xaa), 32_256);
}
