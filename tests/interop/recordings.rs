//! Recordings: paused while somebody says what must not be kept; encrypted, found, exported.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::site::{assert_heard, connect, moment_us, number, phone};
use crate::support::baresip::SOON;
use crate::support::daemon::{Daemon, extensions};
use crate::support::records::Consumer;
use crate::support::tone::Wav;
use crate::support::wait::{self, pause};

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

/// REC-1, REC-2: two calls of which the second is cut off by kill -9, the key changed between them.
/// Neither is on the disk in the clear; both are found, exported with both voices, and sound; what
/// was altered is told, and the ledger says who exported what for.
#[test]
fn encrypted_recordings_are_exported_and_verified() {
    let site = extensions([1001, 1002]).replacen("\"\n", "\"\nrecord = \"always\"\n", 1);
    let mut node = Daemon::prepare(&format!("[recordings]\nkeys = \"recording.keys\"\n{site}"));
    let keys = node.data().with_file_name("recording.keys");
    let key = |name: &str, byte: &str| format!("{name} {}\n", byte.repeat(32));
    fs::write(&keys, key("october", "0a")).expect("a scratch folder can be written");
    node.start_again();
    let mut caller = phone(&node, 1001, "udp", CALLER);
    let mut callee = phone(&node, 1002, "udp", CALLEE);

    connect(&mut caller, &mut callee, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(4));
    callee.hang_up();
    caller.wait_for("CALL_CLOSED", SOON);
    wait::until("the first is found", SOON, || {
        (node.json(&["recordings", "find"]).len() == 1).then_some(())
    });
    fs::write(&keys, key("october", "0c")).expect("a scratch folder can be written");
    let refused = node.verb(&["reload"]);
    let why = String::from_utf8_lossy(&refused.stderr) + String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && why.contains("`october` has its name still"), "{why}");
    let both = key("october", "0a") + &key("november", "0b");
    fs::write(&keys, both).expect("a scratch folder can be written");
    node.succeeds(&["reload"]);
    connect(&mut caller, &mut callee, &number(&node, 1002, "udp"));
    pause(Duration::from_secs(4));
    node.kill();
    node.start_again();

    let found = node.json(&["recordings", "find", "--extension", "1002"]);
    assert_eq!(found.len(), 2, "{found:#?}");
    for (index, key) in [(0, "november"), (1, "october")] {
        let path = found[index]["recording"]["path"].as_str().expect("a path").to_owned();
        let bytes = fs::read(&path).expect("a recording");
        assert!(path.ends_with(".wav.enc") && !bytes.starts_with(b"RIFF"), "{path}");
        assert!(bytes[..96].windows(key.len()).any(|part| part == key.as_bytes()), "{path}");
        let call = found[index]["call_id"].as_str().expect("an id");
        let out = node.data().join(format!("{index}.wav"));
        let name = out.display().to_string();
        node.succeeds(&["recordings", "export", call, "--out", &name, "--purpose", "test"]);
        let wav = Wav::read(&out).expect("a WAV file");
        assert_heard(&wav, 0, CALLER, 2.5, "the caller is on the left");
        assert_heard(&wav, 1, CALLEE, 2.5, "the callee is on the right");
    }
    assert_eq!(node.recordings(), [""; 0].map(PathBuf::from), "nothing lies there in the clear");
    let verified = node.succeeds(&["recordings", "verify"]);
    assert!(verified.ends_with("2 recordings, 0 not as they were\n"), "{verified}");
    let events = node.succeeds(&["cdr", "tail", "--events"]);
    assert_eq!(events.matches("recording-exported").count(), 2, "{events}");

    alter(&node, found[0]["recording"]["path"].as_str().expect("a path"));
    caller.quit();
    callee.quit();
}

/// REC-1, RFC 7845: a call that was recorded before a kill -9 is Ogg/Opus after it, in the clear
/// and encrypted. The tools of Opus find nothing wrong with it, and hear each voice on its side for
/// as long as the record says; altered it does not verify.
#[test]
fn recordings_become_ogg_opus_that_players_know() {
    for keys in ["", "keys = \"recording.keys\"\n"] {
        let site = extensions([1001, 1002]).replacen("\"\n", "\"\nrecord = \"always\"\n", 1);
        let config = |wait: &str| {
            let policy = format!("format_after = \"opus\"\nformat_after_wait = \"{wait}\"\n");
            format!("[recordings]\n{keys}{policy}{site}")
        };
        let mut node = Daemon::prepare(&config("1h"));
        let file = node.data().with_file_name("recording.keys");
        fs::write(&file, format!("one {}\n", "0a".repeat(32))).expect("a scratch folder");
        node.start_again();
        let mut caller = phone(&node, 1001, "udp", CALLER);
        let mut callee = phone(&node, 1002, "udp", CALLEE);
        connect(&mut caller, &mut callee, &number(&node, 1002, "udp"));
        pause(Duration::from_secs(4));
        callee.hang_up();
        caller.wait_for("CALL_CLOSED", SOON);
        let found = |node: &Daemon| node.json(&["recordings", "find"]).pop();
        let before = wait::until("it is found", SOON, || {
            found(&node).filter(|found| found["recording"]["sha256"].is_string())
        });
        assert!(before["recording"].get("converted").is_none(), "{before:#}");
        node.kill();
        node.write_config(&config("0s"));
        node.start_again();

        let after = wait::until("it is Ogg/Opus", SOON, || {
            found(&node).filter(|found| found["recording"].get("converted").is_some())
        });
        let (recording, copy) = (&after["recording"], &after["recording"]["converted"]);
        assert_eq!(copy["length"], recording["length"], "{after:#}");
        let wav = recording["path"].as_str().expect("a path");
        wait::until("the WAV file is gone", SOON, || (!Path::new(wav).exists()).then_some(()));
        let call = after["call_id"].as_str().expect("an id");
        let out = node.data().join("talk.opus");
        let told = node.succeeds(&["recordings", "export", call, "--out", &path_of(&out)]);
        assert!(told.ends_with("ogg-opus\n"), "{told}");
        assert_players_know(&out, recording);
        let verified = node.succeeds(&["recordings", "verify"]);
        assert!(verified.ends_with("1 recordings, 0 not as they were\n"), "{verified}");
        assert_eq!(node.metric("recordings_converted_total"), 1.0);

        let path = copy["path"].as_str().expect("a path");
        let bytes = fs::read(path).expect("an Ogg file");
        assert_eq!(bytes.starts_with(b"OggS"), keys.is_empty(), "{path}");
        alter(&node, path);
        caller.quit();
        callee.quit();
    }
}

/// A recording of which one bit is changed does not verify.
fn alter(node: &Daemon, path: &str) {
    let mut bytes = fs::read(path).expect("a recording");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("the archive is ours");
    let told = node.verb(&["recordings", "verify"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("was altered"));
}

/// `opusinfo` has no complaint, and what `opusdec` decodes is both voices, each on its side.
fn assert_players_know(ogg: &Path, recording: &serde_json::Value) {
    let looked = Command::new("opusinfo").arg(ogg).output().expect("opus-tools is installed");
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(looked.status.success() && !said.contains("WARNING"), "{said}");
    assert!(said.contains("Channels: 2") && said.contains("RECORDING="), "{said}");
    let wav = ogg.with_extension("wav");
    let args = ["--quiet", "--rate", "48000", "--no-dither"];
    let decoded = Command::new("opusdec").args(args).arg(ogg).arg(&wav).status();
    assert!(decoded.expect("opus-tools is installed").success());
    let wav = Wav::read(&wav).expect("opusdec writes WAV");
    assert_heard(&wav, 0, CALLER, 2.5, "the caller is on the left");
    assert_heard(&wav, 1, CALLEE, 2.5, "the callee is on the right");
    let length = recording["length"].as_str().and_then(|text| text.strip_suffix('s'));
    let length: f64 = length.and_then(|text| text.parse().ok()).expect("a length");
    let heard = wav.channels[0].len() as f64 / f64::from(wav.rate);
    assert!((heard - length).abs() < 0.001, "{heard} s of {length} s");
}

fn path_of(path: &Path) -> String {
    path.display().to_string()
}
