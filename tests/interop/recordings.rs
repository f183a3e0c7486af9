//! Recordings that are paused while somebody says what must not be kept.

use std::time::Duration;

use crate::site::{assert_heard, connect, moment_us, number, phone};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::records::Consumer;
use crate::support::tone::Wav;
use crate::support::wait::pause;

const CALLER: f64 = 440.0;
const CALLEE: f64 = 1000.0;
/// Windows of `Wav::heard` in a second.
const WINDOWS: i64 = 20;

/// `*22` and `*23` on a phone, then the same by order: the file is silent on both sides, and the
/// record tells where.
#[test]
fn a_paused_recording_is_silent() {
    let site = extensions([1001, 1002]).replacen("\"\n", "\"\nrecord = \"always\"\n", 1);
    let node = Daemon::start(&site);
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut caller = phone(&node, 1001, "udp", CALLER);
    let mut callee = phone(&node, 1002, "udp", CALLEE);

    connect(&mut caller, &mut callee, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(2));
    caller.press("*22");
    pause(Duration::from_secs(3));
    caller.press("*23");
    pause(Duration::from_secs(2));
    let calls = node.json(&["calls"]);
    let leg = calls[0]["legs"][1]["leg_id"].as_str().expect("a leg").to_owned();
    node.succeeds(&["call", "pause", &leg]);
    pause(Duration::from_secs(2));
    node.succeeds(&["call", "record", &leg]);
    pause(Duration::from_secs(1));
    callee.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);

    let record = consumer.wait_for(1, SOON).remove(0);
    let recording = &record["recordings"][0];
    let pauses = recording["pauses"].as_array().expect("pauses are told").clone();
    assert_eq!(pauses.len(), 2, "{record:#}");
    assert_eq!(pauses[0]["by"], "1001", "{record:#}");
    let wav = Wav::read(&node.recordings()[0]).expect("a recording");
    let began = moment_us(recording, "start_time");
    let block = |moment: i64| ((moment - began) * WINDOWS / 1_000_000) as usize;
    for (channel, hertz) in [(0, CALLER), (1, CALLEE)] {
        let heard = wav.heard(channel, hertz);
        for pause in &pauses {
            let (from, to) = (moment_us(pause, "start_time"), moment_us(pause, "end_time"));
            let silent = &heard[block(from) + 1..block(to) - 1];
            assert!(silent.len() > 20, "{record:#}");
            assert!(silent.iter().all(|heard| !heard), "channel {channel}: {record:#}");
        }
        assert_heard(&wav, channel, hertz, 3.0, "what is not paused is recorded");
    }
    caller.quit();
    callee.quit();
}
