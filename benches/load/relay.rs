//! Calls with audio both ways: what a relayed call costs, with and without a recording, encrypted
//! and not, in a conference, with a supervisor; and beside it what rtpengine takes for the same.

use std::time::Duration;

use strowger::rtp::srtp::Suite;
use strowger::sdp::Codec;

use crate::figures::{Cpu, Table, percentile};
use crate::rooms;
use crate::rtp::{self, Counted, Stream};
use crate::rtpengine;
use crate::support::daemon::resident_kib;
use crate::support::wait;
use crate::talks::{Suites, Talks};

/// How the calls of a row are carried.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    rivals: (&'static str, &'static str),
    record: &'static str,
    /// What encrypts the audio of the caller, and that of the callee.
    suites: Suites,
    /// Whether rtpengine carries the same.
    beside: bool,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Scale {
    pub calls: u16,
    pub time: Duration,
    /// Part of the names of the rows that are wanted; empty for all.
    rows: String,
}

impl Scale {
    /// 100 calls for 15 s, or what the environment says.
    fn from_environment() -> Self {
        let word = |name: &str| std::env::var(name).ok();
        let number = |name, default| {
            let told = word(name).map(|told| told.parse().expect("it is a number"));
            told.unwrap_or(default)
        };
        let calls = number("STROWGER_LOAD_CALLS", 100);
        let time = Duration::from_secs(number("STROWGER_LOAD_SECONDS", 15).into());
        Self { calls, time, rows: word("STROWGER_LOAD_ROWS").unwrap_or_default() }
    }

    fn wants(&self, name: &str) -> bool {
        name.contains(&self.rows)
    }
}

/// What one way to carry calls has cost.
pub struct Cost {
    /// Percent of a core, of one call.
    pub share: f64,
    pub counted: Counted,
    /// KiB that one call has added to the resident memory, and MB of the whole.
    pub added_kib: f64,
    pub resident_mb: u64,
}

pub fn measure(table: &mut Table) {
    let scale = Scale::from_environment();
    let kind =
        |name, suites| Kind { name, rivals: ("", ""), record: "never", suites, beside: false };
    let counter = Some(Suite::Counter128Tag80);
    let kinds = [
        Kind { rivals: ("0.30–0.41", "0.23–0.29"), beside: true, ..kind("relayed", [None; 2]) },
        Kind {
            rivals: ("0.70–0.90", "0.36–0.51"),
            record: "always",
            ..kind("relayed and recorded", [None; 2])
        },
        Kind { beside: true, ..kind("relayed from SRTP (AES-CM) to plain", [counter, None]) },
        Kind { beside: true, ..kind("relayed from SRTP to SRTP (AES-CM)", [counter; 2]) },
        kind("relayed from SRTP to SRTP (AES-GCM)", [Some(Suite::Gcm128); 2]),
    ];
    for kind in kinds.into_iter().filter(|kind| scale.wants(kind.name)) {
        row(table, &scale, kind);
    }
    if scale.wants("opus") {
        transcoded(table, &scale);
    }
    if scale.wants("supervised") {
        rooms::supervised(table, &scale);
    }
    if scale.wants("conference") {
        rooms::conferences(table, &scale);
    }
}

/// Calls between Opus and G.711: fewer, since each costs as much as tens that are relayed. Of what
/// is transcoded packets are counted, but not their delays.
fn transcoded(table: &mut Table, scale: &Scale) {
    let calls = (scale.calls / TRANSCODED_PART).max(1);
    let codecs = [Codec::Opus, Codec::Pcmu];
    let mut talks = Talks::begin_in(codecs, calls, scale.time, "\"\n", [None; 2]);
    let (pid, before) = (talks.node.pid(), talks.resident_before);
    let streams = std::mem::take(&mut talks.streams);
    let cost = cost(scale.time, streams, (pid, before), calls);
    talks.end();
    let work = format!("one call opus to G.711 and back, of {calls}, % of a core");
    table.row(&work, format!("{:.3}", cost.share), "", "");
    let lost = cost.counted.sent.saturating_sub(cost.counted.received);
    let told = format!("{lost} of {}", cost.counted.sent);
    table.row("opus to G.711 and back: lost of packets", told, "", "");
    let work = "opus to G.711 and back: memory of a call, KiB; resident, MB";
    table.row(work, memory(&cost), "", "");
}

/// Of so many calls that are relayed one is transcoded.
const TRANSCODED_PART: u16 = 5;

fn row(table: &mut Table, scale: &Scale, kind: Kind) {
    let Kind { name, rivals: (asterisk, rustpbx), .. } = kind;
    let ours = relay(scale, kind);
    let theirs = if kind.beside { rtpengine::relay(scale, kind.suites) } else { None };
    let tell =
        |told: fn(&Cost) -> String| [told(&ours), theirs.as_ref().map(told).unwrap_or_default()];
    let [share, beside] = tell(|cost| format!("{:.3}", cost.share));
    let work = format!("one G.711 call {name}, of {}, % of a core", scale.calls);
    table.row_beside(&work, share, [asterisk, rustpbx, &beside]);
    let [lost, beside] = tell(|cost| delays(&cost.counted));
    let work = format!("{name}: lost of packets; delay p50 / p99, ms");
    table.row_beside(&work, lost, ["", "", &beside]);
    let [added, beside] = tell(memory);
    let work = format!("{name}: memory of a call, KiB; resident, MB");
    table.row_beside(&work, added, ["", "700 a call", &beside]);
}

/// Lost of all packets, and their delays.
pub fn delays(counted: &Counted) -> String {
    let Counted { sent, received, delays, .. } = counted;
    let lost = sent - received.min(sent);
    let mut delays = delays.clone();
    let (p50, p99) = (percentile(&mut delays, 0.5), percentile(&mut delays, 0.99));
    format!("{lost} of {sent}; {p50:.2} / {p99:.2}")
}

pub fn memory(cost: &Cost) -> String {
    format!("{:.1}; {}", cost.added_kib, cost.resident_mb)
}

fn relay(scale: &Scale, kind: Kind) -> Cost {
    let line_end = format!("\"\nrecord = \"{}\"\n", kind.record);
    let mut talks = Talks::begin(scale.calls, scale.time, &line_end, kind.suites);
    let (pid, before) = (talks.node.pid(), talks.resident_before);
    let streams = std::mem::take(&mut talks.streams);
    let cost = cost(scale.time, streams, (pid, before), scale.calls);
    talks.end();
    cost
}

/// Lets streams speak, and tells what that has cost a process, which was as large as this before
/// its calls; each of so many calls.
pub fn cost(time: Duration, streams: Vec<Stream>, (pid, before): (u32, u64), calls: u16) -> Cost {
    let (cpu, began) = (Cpu::of(pid), wait::now());
    let counted = rtp::exchange(streams, time);
    let seconds = wait::now().duration_since(began).as_secs_f64();
    let cpu = Cpu::of(pid).since(cpu);
    let resident = resident_kib(pid);
    let calls = f64::from(calls);
    Cost {
        share: 100.0 * cpu / seconds / calls,
        counted,
        added_kib: (resident as f64 - before as f64) / calls,
        resident_mb: resident / 1024,
    }
}
