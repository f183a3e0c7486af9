//! baresip with Opus: with another one, with G.711, alone with the switch, in a conference.

use std::time::Duration;

use crate::site::{account, assert_heard, connect, number, phone};
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, extensions};
use crate::support::tone::share;
use crate::support::wait::{self, pause};

const OPUS: &str = "opus/48000/1";

/// Both are offered and answered Opus, under the caller's number, and hear each other.
#[test]
fn two_phones_with_opus_talk_in_it() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let mut caller = opus(&node, 1001, 440.0);
    let mut callee = opus(&node, 1002, 1000.0);

    talk(&node, &mut caller, &mut callee);

    for phone in [&caller, &callee] {
        let trace = phone.trace();
        let lines = trace.lines().filter(|line| line.contains("a=rtpmap:"));
        assert!(lines.clone().any(|line| line.contains("opus/48000/2")), "{trace}");
        let answers: Vec<&str> = trace.lines().filter(|line| line.contains("m=audio")).collect();
        assert!(answers.len() >= 2, "{trace}");
    }
    assert_heard(&caller.heard(), 0, 1000.0, 2.0, "the caller hears the callee");
    assert_heard(&callee.heard(), 0, 440.0, 2.0, "the callee hears the caller");
    caller.quit();
    callee.quit();
}

/// Either calls the other: transcoded both ways.
#[test]
fn a_phone_with_opus_talks_with_one_with_g711() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let mut wide = opus(&node, 1001, 440.0);
    let account = account(&node, 1002, "udp");
    let codecs = "PCMA/8000/1";
    let mut narrow = Baresip::start(&Account { tone: 1000.0, codecs, ..account });

    talk(&node, &mut wide, &mut narrow);
    assert_heard(&wide.heard(), 0, 1000.0, 2.0, "Opus hears G.711");
    assert_heard(&narrow.heard(), 0, 440.0, 2.0, "G.711 hears Opus");
    connect(&mut narrow, &mut wide, &number(&node, 1001, "udp"));
    pause(Duration::from_secs(3));
    narrow.hang_up();
    wide.wait_for("CALL_CLOSED", SOON);

    assert_heard(&wide.heard(), 0, 1000.0, 2.0, "Opus hears G.711 that calls it");
    assert_heard(&narrow.heard(), 0, 440.0, 2.0, "G.711 hears Opus that it calls");
    wide.quit();
    narrow.quit();
}

/// A menu hears the key of a phone that speaks Opus alone; the echo test says what it said.
#[test]
fn a_menu_and_the_echo_test_are_used_in_opus() {
    let menu = "[menus.main]\nnumber = \"500\"\nprompt = \"welcome\"\n\
                [menus.main.keys]\n1 = \"extension:1002\"\n";
    let mut node = Daemon::prepare(&format!("{}{menu}", extensions([1001, 1002])));
    node.prompt("welcome", 700.0, 20);
    node.prompt("echo", 850.0, 1);
    node.start_again();
    let mut wide = opus(&node, 1001, 440.0);
    let mut other = phone(&node, 1002, "udp", 1000.0);

    wide.dial(&format!("sip:500@{}", node.sip()));
    wide.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    wide.press("1");
    other.wait_for("CALL_INCOMING", SOON);
    other.answer();
    other.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    wide.hang_up();
    other.wait_for("CALL_CLOSED", SOON);
    assert_heard(&wide.heard(), 0, 700.0, 1.0, "the menu is heard");
    assert_heard(&wide.heard(), 0, 1000.0, 1.0, "who the key leads to is heard");
    assert_heard(&other.heard(), 0, 440.0, 1.0, "and hears");

    wide.dial(&format!("sip:*43@{}", node.sip()));
    wide.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(4));
    wide.hang_up();
    wide.wait_for("CALL_CLOSED", SOON);
    assert_heard(&wide.heard(), 0, 850.0, 0.5, "the echo test is explained");
    assert_heard(&wide.heard(), 0, 440.0, 1.0, "the phone hears itself");
    wide.quit();
    other.quit();
}

/// Opus, G.722 and G.711 in one room: each hears the two others, and not itself.
#[test]
fn a_conference_mixes_opus_with_the_others() {
    const TONES: [f64; 3] = [430.0, 790.0, 1290.0];
    let conference = "[conferences.room]\nnumber = \"700\"\n";
    let node = Daemon::start(&format!("{}{conference}", extensions(1001..=1003)));
    let codecs = [OPUS, "G722/16000/1", "PCMA/8000/1"];
    let mut phones: Vec<Baresip> = (0..3)
        .map(|index| {
            let account = account(&node, 1001 + index, "udp");
            let (tone, codecs) = (TONES[index as usize], codecs[index as usize]);
            Baresip::start(&Account { tone, codecs, peak: 5000.0, ..account })
        })
        .collect();
    for phone in &mut phones {
        phone.dial(&format!("sip:700@{}", node.sip()));
        phone.wait_for("CALL_ESTABLISHED", SOON);
    }

    for (index, phone) in phones.iter().enumerate() {
        wait::until(&format!("phone {index} hears both others"), 3 * SOON, || {
            let heard = phone.heard();
            let second = heard.rate as usize;
            let samples = &heard.channels[0];
            let latest = &samples[samples.len().checked_sub(second)?..];
            let share = TONES.map(|tone| share(latest, heard.rate, tone));
            let is_right = (0..3)
                .all(|tone| if tone == index { share[tone] < 0.02 } else { share[tone] > 0.2 });
            is_right.then_some(())
        });
    }
    for phone in &mut phones {
        phone.hang_up();
        phone.wait_for("CALL_CLOSED", SOON);
    }
}

/// A baresip that speaks nothing but Opus.
fn opus(node: &Daemon, user: u32, tone: f64) -> Baresip {
    Baresip::start(&Account { tone, codecs: OPUS, ..account(node, user, "udp") })
}

/// The first calls 1002, and they talk for three seconds.
fn talk(node: &Daemon, caller: &mut Baresip, callee: &mut Baresip) {
    connect(caller, callee, &number(node, 1002, "udp"));
    pause(Duration::from_secs(3));
    caller.hang_up();
    callee.wait_for("CALL_CLOSED", SOON);
}
