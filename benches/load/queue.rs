//! Calls through a queue, without audio of the phones: what one costs, and how soon an agent rings.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::call::{QUIET, register};
use crate::figures::{Cpu, Table, percentile};
use crate::support::daemon::{Daemon, agents, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::{Report, Scenario, Traced};

const CALLS: u32 = 3000;
/// Calls whose messages are traced.
const TRACED: u32 = 500;
const PER_SECOND: u32 = 50;
/// Milliseconds that a caller stays.
const STAY: &str = "2000";
const CALLERS: std::ops::Range<u32> = 2000..2200;
/// Half as many again as talk at once, so that somebody is always free.
const AGENTS: std::ops::Range<u32> = 3000..3150;
const QUEUE: &str = "600";
const LIMIT: Duration = Duration::from_secs(180);

pub fn measure(table: &mut Table) {
    let members: Vec<String> = AGENTS.map(|agent| format!("\"a{agent}\"")).collect();
    let mut node = Daemon::start(&format!(
        "{QUIET}[queues.support]\nnumber = \"{QUEUE}\"\nmembers = [{}]\n{}{}",
        members.join(", "),
        extensions(CALLERS.chain(AGENTS)),
        agents(AGENTS),
    ));
    let phones = Place::new();
    register(&node, &phones, AGENTS);
    let pid = node.pid();

    let before = Cpu::of(pid);
    round(&node, &phones, CALLS, false);
    let seconds = Cpu::of(pid).since(before) * 1000.0 / f64::from(CALLS);
    let (callers, rung) = round(&node, &phones, TRACED, true);
    let mut waits = waits(&callers.trace(), &rung.trace());
    assert_eq!(waits.len(), TRACED as usize, "every caller's agent has rung");

    table.row(
        &format!("call through a queue at {PER_SECOND}/s, CPU-s per 1000"),
        format!("{seconds:.3}"),
        "11.7",
        "",
    );
    table.row(
        "caller's INVITE with credentials to agent's INVITE, p50 / p99, ms",
        format!("{:.1} / {:.1}", percentile(&mut waits, 0.5), percentile(&mut waits, 0.99)),
        "",
        "10 (p50)",
    );
}

/// Callers, and the agents who answer them; every call must reach one.
fn round(node: &Daemon, phones: &Place, calls: u32, traced: bool) -> (Report, Report) {
    let kind = if traced { Scenario::new } else { Scenario::quiet };
    let far = kind("callee", phones, 5060, node.sip())
        .calls(calls, PER_SECOND)
        .option(&["-d", "0"])
        .patient()
        .start(LIMIT);
    let near = Place::new();
    let lines: Vec<String> = CALLERS.map(|user| line(user, QUEUE)).collect();
    let callers = kind("caller", &near, 5060, node.sip())
        .users(&lines)
        .dials(QUEUE, node.sip())
        .calls(calls, PER_SECOND)
        .option(&["-d", STAY])
        .patient()
        .succeeds(LIMIT);
    (callers, far.succeeds())
}

/// A caller's line of SIPp's users, who dials `number`.
pub fn line(user: u32, number: &str) -> String {
    let password = password(user);
    format!("{user};[authentication username={user} password={password}];{number}")
}

/// Milliseconds from each caller's INVITE with credentials to the INVITE that an agent got for him:
/// the first of a caller belongs to the first that shows his number, and so on.
pub fn waits(callers: &[Traced], agents: &[Traced]) -> Vec<f64> {
    let asked = invites(callers, |it| it.sent && header(it, "CSeq:").starts_with("2 "));
    let mut rung: HashMap<String, VecDeque<i64>> = HashMap::new();
    for (caller, at_us) in invites(agents, |it| !it.sent) {
        rung.entry(caller).or_default().push_back(at_us);
    }
    let waits = asked.into_iter().filter_map(|(caller, asked_us)| {
        let rung_us = rung.get_mut(&caller)?.pop_front()?;
        Some((rung_us - asked_us) as f64 / 1000.0)
    });
    waits.collect()
}

/// The INVITEs of a kind, without copies: who calls, and when, in microseconds.
fn invites(trace: &[Traced], is_meant: impl Fn(&Traced) -> bool) -> Vec<(String, i64)> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for message in trace.iter().filter(|it| it.text.starts_with("INVITE ") && is_meant(it)) {
        let from = header(message, "From:");
        let caller = from.split("sip:").nth(1).and_then(|uri| uri.split('@').next());
        if seen.insert(header(message, "Call-ID:")) {
            found.push((caller.unwrap_or_default().to_owned(), message.at_us));
        }
    }
    found
}

/// The text of a header, whose name has its colon.
pub fn header<'a>(message: &'a Traced, name: &str) -> &'a str {
    let mut lines = message.text.lines();
    lines.find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
}
