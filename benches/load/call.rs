//! Calls from phone to phone, without audio.

use std::time::Duration;

use crate::figures::{Cpu, Table, percentile};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::{Report, Scenario};
use crate::support::wait;

/// What a site would log.
pub const QUIET: &str = "[log]\nfilter = \"info\"\n\n";

const CALLS: u32 = 3000;
const PER_SECOND: u32 = 100;
/// Whom everybody calls: SIPp signs one URI for all its calls.
const CALLEE: u32 = 2100;
/// The rate that the machine is to bear.
const FAST: u32 = 1000;
/// Calls whose requests within the dialog are measured.
const DIALOGS: u32 = 500;
/// How often the caller of `caller_reinvites` asks.
const ASKS: u32 = 20;
const LIMIT: Duration = Duration::from_secs(180);

pub fn measure(table: &mut Table) {
    let mut direct = direct_setup();
    let mut node = Daemon::start(&format!("{QUIET}{}", extensions(2000..2101)));
    let phones = Place::new();
    register(&node, &phones, CALLEE..CALLEE + 1);
    let pid = node.pid();
    let idle = node.resident_kib();

    let before = Cpu::of(pid);
    let mut setup = setup_times(&round(&node, &phones));
    let seconds = Cpu::of(pid).since(before) * 1000.0 / f64::from(CALLS);
    let mut resident = vec![node.resident_kib() / 1024];
    for _ in 0..2 {
        round(&node, &phones);
        resident.push(node.resident_kib() / 1024);
    }
    let left = left_over(&node);
    drop(node);

    table.row(
        &format!("call A→B at {PER_SECOND}/s, no audio, CPU-s per 1000"),
        format!("{seconds:.3}"),
        "5.1–6.1",
        "8–10",
    );
    let added = |share, through: &mut [f64], direct: &mut [f64]| {
        percentile(through, share) - percentile(direct, share)
    };
    table.row(
        "set-up time added, p50 / p99, ms",
        format!("{:.1} / {:.1}", added(0.5, &mut setup, &mut direct), {
            added(0.99, &mut setup, &mut direct)
        }),
        "",
        "10.5 / 15; 112 / 128 with media",
    );
    table.row(
        "resident memory idle, and after each of three rounds, MB",
        format!("{}, {resident:?}", idle / 1024),
        "1000–1400 after load",
        "44 idle, 310–880 after load",
    );
    table.row("left over after the last call", left, "", "");
    in_dialog(table);
    fast(table);
}

/// What a request within a dialog costs: calls with many of them, less calls without.
fn in_dialog(table: &mut Table) {
    let mut node = Daemon::start(&format!("{QUIET}{}", extensions(2000..2101)));
    let phones = Place::new();
    register(&node, &phones, CALLEE..CALLEE + 1);
    let pid = node.pid();
    let cost = |scenario, stay| {
        let far = answering(&node, &phones, DIALOGS, PER_SECOND).start(LIMIT);
        let before = Cpu::of(pid);
        let near = calling(&node, scenario, DIALOGS, PER_SECOND).option(&["-d", stay]);
        near.succeeds(LIMIT);
        far.succeeds();
        Cpu::of(pid).since(before) * 1000.0 / f64::from(DIALOGS)
    };
    let (without, with) = (cost("caller", "1000"), cost("caller_reinvites", "50"));
    table.row(
        "re-INVITE in a call, CPU-s per 1000",
        format!("{:.3}", (with - without) / f64::from(ASKS)),
        "",
        "",
    );
}

/// Calls begun at a rate that leaves SIPp and the node just the two cores.
fn fast(table: &mut Table) {
    let mut node = Daemon::start(&format!("{QUIET}{}", extensions(2000..2101)));
    let phones = Place::new();
    register(&node, &phones, CALLEE..CALLEE + 1);
    let pid = node.pid();
    let before = Cpu::of(pid);
    let failed = calls(&node, &phones, FAST * 30, FAST, "500");
    let seconds = Cpu::of(pid).since(before) / f64::from(FAST * 30) * 1000.0;
    table.row(
        &format!("call A→B at {FAST}/s for 30 s: CPU-s per 1000; failed"),
        format!("{seconds:.3}; {failed}"),
        "5.1–6.1 (250/s at most)",
        "8–10 (120/s at most)",
    );
}

/// One round of calls; every one must succeed.
fn round(node: &Daemon, phones: &Place) -> Report {
    let far = answering(node, phones, CALLS, PER_SECOND).start(LIMIT);
    let report = calling(node, "caller", CALLS, PER_SECOND)
        .option(&["-d", "2000", "-trace_rtt", "-rtt_freq", "1"])
        .succeeds(LIMIT);
    far.succeeds();
    report
}

/// Calls at a rate: how many failed.
fn calls(node: &Daemon, phones: &Place, count: u32, rate: u32, stay: &str) -> u32 {
    let far = answering(node, phones, count, rate).start(LIMIT);
    let near = calling(node, "caller", count, rate).option(&["-d", stay]).start(LIMIT).ends();
    far.ends();
    near.failed()
}

fn answering(node: &Daemon, phones: &Place, count: u32, rate: u32) -> Scenario {
    let callee = Scenario::quiet("callee", phones, 5060, node.sip());
    callee.calls(count, rate).option(&["-d", "0"]).patient()
}

fn calling(node: &Daemon, scenario: &str, count: u32, rate: u32) -> Scenario {
    let near = Place::new();
    let lines: Vec<String> = (2000..2100).map(line).collect();
    Scenario::quiet(scenario, &near, 5060, node.sip())
        .users(&lines)
        .dials(&CALLEE.to_string(), node.sip())
        .calls(count, rate)
        .patient()
        .keep(near)
}

/// The same two SIPps without a switch between them, in milliseconds.
fn direct_setup() -> Vec<f64> {
    let (near, phones) = (Place::new(), Place::new());
    let far = Scenario::quiet("callee_challenges", &phones, 5060, near.at(5060))
        .calls(CALLS / 3, PER_SECOND)
        .option(&["-d", "0"])
        .patient()
        .start(LIMIT);
    let report = Scenario::quiet("caller", &near, 5060, phones.at(5060))
        .users(&[line(2000)])
        .calls(CALLS / 3, PER_SECOND)
        .option(&["-d", "2000", "-trace_rtt", "-rtt_freq", "1"])
        .patient()
        .succeeds(LIMIT);
    far.succeeds();
    setup_times(&report)
}

/// Milliseconds from the INVITE with credentials to the 200.
fn setup_times(report: &Report) -> Vec<f64> {
    let lines = report.round_trips.lines();
    lines.filter_map(|line| line.split(';').nth(1)?.trim().parse().ok()).collect()
}

fn line(user: u32) -> String {
    let password = password(user);
    format!("{user};[authentication username={user} password={password}];{CALLEE}")
}

/// Registers users at `phones:5060`.
pub fn register(node: &Daemon, phones: &Place, users: std::ops::Range<u32>) {
    register_at(node, (phones, 5060), users);
}

/// As `register`, from a port.
pub fn register_at(node: &Daemon, (phones, port): (&Place, u16), users: std::ops::Range<u32>) {
    let count = users.end - users.start;
    let lines: Vec<String> = users
        .map(|user| {
            let password = password(user);
            format!("{user};[authentication username={user} password={password}];3600")
        })
        .collect();
    Scenario::quiet("register", phones, port, node.sip())
        .users(&lines)
        .calls(count, 100)
        .succeeds(LIMIT);
}

/// What `strowger status` still counts, 60 s after the last call at most.
fn left_over(node: &Daemon) -> String {
    let counts = ["calls", "legs", "transactions", "dialogs", "ports_taken"];
    let read = || counts.map(|name| node.status(name));
    wait::within(Duration::from_secs(60), || (read() == [0; 5]).then_some(()));
    let left: Vec<String> =
        counts.iter().zip(read()).map(|(name, count)| format!("{count} {name}")).collect();
    left.join(", ")
}
