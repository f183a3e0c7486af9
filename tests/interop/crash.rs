//! kill -9 in the middle of calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::site::{LIMIT, call_line, callee, caller, moment_us, register};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;
use crate::support::tone::Wav;
use crate::support::wait::{self, pause, wall_us};

/// µ-law for near full scale, up and down: loud, whatever it is decoded with.
const LOUD: [u8; 2] = [0x80, 0x00];

/// RustPBX: "kill -9 with 20 live calls: no record of any of them, ever; … the recordings' WAV
/// headers say length 0".
#[test]
fn every_call_in_progress_has_its_record_after_kill_9() {
    let recorded: String = (2000..2005).map(|n| extension(n, "always")).collect();
    let others: String = (2005..2020).map(|n| extension(n, "never")).collect();
    let callees = extensions([1001, 1002]);
    let mut node = Daemon::start(&format!("{recorded}{others}{callees}"));
    let mut before = Consumer::start(node.grpc(), "billing");
    before.subscribed(SOON);

    // One call that is over: its record is acknowledged and must not come again.
    let finished = callee(&node, "callee", 1002, 1, 0);
    caller(&node, "caller", 1001, "1002", 1, 300).succeeds(LIMIT);
    finished.succeeds();
    let done = before.wait_for(1, SOON).remove(0)["call_id"].clone();

    let phones = Place::new();
    register(&node, &phones, [1001]);
    let mut far = Scenario::new("callee", &phones, 5060, node.sip())
        .calls(20, 20)
        .option(&["-d", "0", "-rtp_echo"])
        .start(LIMIT);
    let lines: Vec<String> = (2000..2020).map(|user| call_line(user, "1001")).collect();
    let near_place = Place::new();
    let mut near = Scenario::new("caller_speaks", &near_place, 5060, node.sip())
        .users(&lines)
        .dials("1001", node.sip())
        .file("speech.ulaw", &LOUD.repeat(8000 * 10))
        .calls(20, 20)
        .option(&["-d", "60000", "-key", "events", "101"])
        .start(LIMIT);
    wait::until("20 calls talk", SOON, || {
        let calls = node.json(&["calls"]);
        (calls.iter().filter(|call| call["answer_time"].is_string()).count() == 20).then_some(())
    });
    let talking = wall_us();
    pause(Duration::from_secs(4));
    before.kill();
    let killed = wall_us();
    node.kill();
    near.kill();
    far.kill();

    node.start_again();
    let mut after = Consumer::start(node.grpc(), "billing");
    let records = after.wait_for(20, SOON);
    pause(Duration::from_secs(1));
    let records_later = after.records();

    assert_eq!(records_later.len(), 20, "each exactly once");
    let ids: BTreeSet<&str> = records.iter().filter_map(|one| one["call_id"].as_str()).collect();
    assert_eq!(ids.len(), 20);
    assert!(!ids.contains(done.as_str().unwrap_or_default()), "it was acknowledged before");
    for record in &records {
        assert_eq!(record["end"]["reason"], "node_restart", "{record:#}");
        let late = moment_us(record, "end_time") - killed;
        assert!((-2_000_000..=200_000).contains(&late), "ended {late} µs after the kill");
        assert!(moment_us(record, "answer_time") <= talking + 200_000, "{record:#}");
    }
    assert_recordings_reach(&node, &records, killed - talking);
    assert_eq!(node.status("calls"), 0);
}

/// Five recordings play, to within a second of the kill.
fn assert_recordings_reach(node: &Daemon, records: &[Value], talked_us: i64) {
    let files = node.recordings();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        let wav = Wav::read(&file).expect("a recording that was cut off is a WAV file");
        let missing = talked_us as f64 / 1e6 - wav.seconds();
        assert!(missing < 1.0, "{}: {missing:.2} s are missing", file.display());
        assert_eq!(wav.channels.len(), 2, "stereo");
        let loud = wav.channels[0].iter().filter(|sample| sample.unsigned_abs() > 1000).count();
        let loud = loud as f64 / f64::from(wav.rate);
        assert!(loud > 2.0, "{}: {loud:.1} s of speech on the left", file.display());
    }
    let with: Vec<&Value> =
        records.iter().filter(|record| record["recordings"].is_array()).collect();
    assert_eq!(with.len(), 5, "five records name their recordings");
    for record in with {
        let recording = &record["recordings"][0];
        let path = recording["path"].as_str().unwrap_or_default();
        let wav = Wav::read(Path::new(path)).expect("the record names its file");
        let length = seconds(&recording["length"]);
        assert!((length - wav.seconds()).abs() < 0.001, "the record tells its length: {record:#}");
        let gaps = recording["gaps"].as_array().cloned().unwrap_or_default();
        let lost: f64 = gaps.iter().map(|gap| seconds(&gap["length"])).sum();
        let lasted = moment_us(record, "end_time") - moment_us(recording, "start_time");
        let untold = lasted as f64 / 1e6 - length - lost;
        assert!(untold < 0.15, "{untold:.2} s are lost and not told: {record:#}");
    }
}

/// A length as JSON has it: `2.1s`.
fn seconds(length: &Value) -> f64 {
    let text = length.as_str().and_then(|text| text.strip_suffix('s'));
    text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// A consumer that dies between delivery and acknowledgement gets the record again; one that
/// acknowledged does not.
#[test]
fn what_was_not_acknowledged_comes_again() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let phone = callee(&node, "callee", 1002, 3, 0);
    caller(&node, "caller", 1001, "1002", 3, 300).succeeds(LIMIT);
    phone.succeeds();
    let options = ["--consumer", "billing", "--start", "LAST_ACKNOWLEDGED"];

    let mut forgetful = Consumer::with(node.grpc(), &options);
    let first = forgetful.wait_for(3, SOON);
    forgetful.kill();
    let mut careful = Consumer::start(node.grpc(), "billing");
    let second = careful.wait_for(3, SOON);
    pause(Duration::from_millis(500));
    careful.kill();
    let mut third = Consumer::start(node.grpc(), "billing");
    third.subscribed(SOON);
    pause(Duration::from_millis(500));

    assert_eq!(first, second);
    assert_eq!(third.records(), Vec::<Value>::new());
    let sequences: Vec<i64> =
        careful.deliveries().iter().filter_map(|one| one["sequence"].as_i64()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

/// An orderly stop hangs up what is talked, writes its records, and ends with success.
#[test]
fn a_stop_hangs_up_and_leaves_whole_records() {
    let mut node = Daemon::start(&extensions([1001, 1002]));
    let far = callee(&node, "callee", 1002, 1, 0);
    let near = caller(&node, "caller_waits", 1001, "1002", 1, 0).start(LIMIT);
    wait::until("the call talks", SOON, || {
        let calls = node.json(&["calls"]);
        calls.iter().any(|call| call["answer_time"].is_string()).then_some(())
    });

    node.stop();
    far.succeeds();
    near.succeeds();

    node.start_again();
    let mut consumer = Consumer::start(node.grpc(), "billing");
    let record = consumer.wait_for(1, SOON).remove(0);
    assert_eq!(record["end"]["by"], "HUNG_UP_BY_SWITCH", "{record:#}");
}

/// The same stop, but the ledger's file is gone: what can no longer be kept is told to whoever
/// started the node.
#[test]
fn a_stop_that_loses_entries_is_no_success() {
    let mut node = Daemon::start(&extensions([1001, 1002]));
    let far = callee(&node, "callee", 1002, 1, 0);
    let near = caller(&node, "caller_waits", 1001, "1002", 1, 0).start(LIMIT);
    wait::until("the call talks", SOON, || {
        let calls = node.json(&["calls"]);
        calls.iter().any(|call| call["answer_time"].is_string()).then_some(())
    });
    let ledger = node.data().join("ledger.sqlite");
    fs::rename(&ledger, ledger.with_extension("away")).expect("the folder is ours");

    let status = node.ends();
    far.succeeds();
    near.succeeds();

    assert_eq!(status.code(), Some(1), "{}", node.log());
    assert!(node.log().contains("the ledger could not write everything"), "{}", node.log());
}

fn extension(number: u32, record: &str) -> String {
    format!("{}record = \"{record}\"\n", extensions([number]))
}
