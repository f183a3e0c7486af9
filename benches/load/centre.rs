//! A call centre for five minutes: 300 agents, ten queues that share them, 20 calls a second, some
//! agents' phones dead and some callers impatient; then a minute in which more call than can be
//! served, so that lines form. What is counted: how soon an agent rings, what a call costs, and
//! whether the records agree with each other.
//!
//! `STROWGER_LOAD_SECONDS` says how long the first part lasts (300).

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use crate::call::{QUIET, register, register_at};
use crate::figures::{Cpu, Table, percentile};
use crate::queue::{header, line, waits};
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::{Report, Scenario, Sipp, Traced};

/// The last of them have phones that nobody hears: 2 %.
const AGENTS: Range<u32> = 3000..3300;
const DEAD: Range<u32> = 3294..3300;
const QUEUES: u32 = 10;
/// Agents of a queue, each of whom serves the next queue too.
const MEMBERS: u32 = 60;
/// Numbers of the callers of each queue, and of those who do not wait.
const CALLERS: u32 = 100;
const FIRST_CALLER: u32 = 4000;
const IMPATIENT: Range<u32> = 6000..6100;
/// Calls a second to each queue; one a second more is impatient: 5 % of all.
const RATE: u32 = 2;
/// Milliseconds: how long an agent's phone rings, and how long a caller stays in all.
const RINGS: &str = "2000";
const STAYS: &str = "10000";
const GIVES_UP: &str = "1000";
/// How long callers stay when there are too many, and for how many seconds they come.
const STAYS_LONG: &str = "30000";
const RUSH: u32 = 60;
/// When the lines stand, after the rush has begun.
const LINES_STAND: Duration = Duration::from_secs(25);

pub fn measure(table: &mut Table) {
    let seconds = std::env::var("STROWGER_LOAD_SECONDS").ok();
    let seconds = seconds.map_or(300, |text| text.parse().expect("a number of seconds"));
    let limit = Duration::from_secs(u64::from(seconds) + 240);
    let mut node = Daemon::start(&site());
    let (phones, dead) = (Place::new(), Place::new());
    register(&node, &phones, AGENTS.start..DEAD.start);
    register_at(&node, (&dead, 5070), DEAD);
    let pid = node.pid();

    let mut agents = Scenario::new("callee", &phones, 5060, node.sip())
        .calls(1_000_000, 1)
        .option(&["-d", RINGS, "-default_behaviors", "all,-abortunexp"])
        .start(limit);
    let before = Cpu::of(pid);
    let impatient = callers(&node, IMPATIENT, 0, (1, seconds), GIVES_UP).start(limit);
    let patient = crowd(&node, seconds, STAYS, limit);
    let asked: Vec<Traced> =
        patient.into_iter().flat_map(|callers| callers.ends().trace()).collect();
    let of_impatient = impatient.ends().failed();
    let calls = (RATE * QUEUES + 1) * seconds;
    let cost = Cpu::of(pid).since(before) * 1000.0 / f64::from(calls);
    let mut first_rings = waits(&asked, &agents.report().trace());

    let rush_began = crate::support::wait::wall_us();
    for callers in crowd(&node, RUSH, STAYS_LONG, limit) {
        callers.ends();
    }
    node.falls_silent(Duration::from_secs(60));
    let lines_stand = rush_began + LINES_STAND.as_micros() as i64;
    let rush_ended = rush_began + i64::from(RUSH) * 1_000_000;
    agents.kill();
    let mut next_offers = gaps(&agents.report(), lines_stand..rush_ended);
    let all = calls + RATE * QUEUES * RUSH;
    let told = Told::of(&node, all);

    let name = format!("call centre, {calls} calls in {seconds} s");
    let milliseconds = |of: &mut [f64]| {
        let share = |of: &mut [f64], share| percentile(of, share);
        format!("{:.1} / {:.1} of {}", share(of, 0.5), share(of, 0.99), of.len())
    };
    table.row(&format!("{name}: CPU-s per 1000"), format!("{cost:.3}"), "11.7", "");
    table.row(
        "an agent is free: caller's INVITE to agent's, p50 / p99, ms",
        milliseconds(&mut first_rings),
        "",
        "",
    );
    table.row(
        "a line stands: agent free to his next INVITE, p50 / p99, ms",
        milliseconds(&mut next_offers),
        "",
        "",
    );
    table.row("impatient callers whom SIPp saw fail", of_impatient.to_string(), "", "");
    table.row(&format!("records of {all} calls"), told.to_string(), "", "");
}

/// Every agent serves two queues; no after-call work, so that each is free at once.
fn site() -> String {
    let count = AGENTS.end - AGENTS.start;
    let queues: String = (0..QUEUES)
        .map(|queue| {
            let members = (0..MEMBERS).map(|member| {
                let agent = AGENTS.start + (queue * (MEMBERS / 2) + member) % count;
                format!("\"a{agent}\"")
            });
            format!(
                "[queues.q{queue}]\nnumber = \"{}\"\nmembers = [{}]\nring_timeout = \"5s\"\n\
                 wrap_up = \"0s\"\n",
                600 + queue,
                members.collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    let callers = FIRST_CALLER..FIRST_CALLER + CALLERS * QUEUES;
    let phones = extensions(callers.chain(IMPATIENT).chain(AGENTS));
    format!("{QUIET}{queues}{phones}{}", agents(AGENTS))
}

/// Callers of every queue, for a time.
fn crowd(node: &Daemon, seconds: u32, stay: &str, limit: Duration) -> Vec<Sipp> {
    let of = |queue| {
        let first = FIRST_CALLER + queue * CALLERS;
        callers(node, first..first + CALLERS, queue, (RATE, seconds), stay).start(limit)
    };
    (0..QUEUES).map(of).collect()
}

fn callers(
    node: &Daemon,
    users: Range<u32>,
    queue: u32,
    (rate, seconds): (u32, u32),
    stay: &str,
) -> Scenario {
    let number = (600 + queue).to_string();
    let place = Place::new();
    let lines: Vec<String> = users.map(|user| line(user, &number)).collect();
    Scenario::new("caller", &place, 5060, node.sip())
        .keep(place)
        .users(&lines)
        .dials(&number, node.sip())
        .calls(rate * seconds, rate)
        .option(&["-d", stay])
        .patient()
}

/// Milliseconds from each end of an agent's call to his next INVITE, of those in a time.
fn gaps(report: &Report, time: Range<i64>) -> Vec<f64> {
    let mut freed: HashMap<String, i64> = HashMap::new();
    let mut rung: HashMap<String, ()> = HashMap::new();
    let mut found = Vec::new();
    for message in report.trace().into_iter().filter(|it| !it.sent) {
        let agent = header(&message, "To:").split('@').next().unwrap_or_default().to_owned();
        if message.text.starts_with("BYE ") {
            freed.insert(agent, message.at_us);
        } else if message.text.starts_with("INVITE ")
            && rung.insert(header(&message, "Call-ID:").to_owned(), ()).is_none()
            && let Some(free) = freed.remove(&agent)
            && time.contains(&free)
        {
            found.push((message.at_us - free) as f64 / 1000.0);
        }
    }
    found
}

/// What the call records say of all calls together.
#[derive(Debug, Default)]
struct Told {
    calls: u32,
    /// Why callers left their queues.
    left: BTreeMap<String, u32>,
    /// Times in which an agent was offered, or talked, two calls at once.
    doubles: u32,
    /// Calls with more than one record.
    twice: u32,
}

impl Told {
    fn of(node: &Daemon, calls: u32) -> Self {
        let mut consumer = Consumer::with(node.grpc(), &["--records-only"]);
        let records = consumer.wait_for(calls as usize, Duration::from_secs(60));
        let mut told = Self { calls: records.len() as u32, ..Self::default() };
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let mut busy: HashMap<&str, Vec<(i64, i64)>> = HashMap::new();
        for record in &records {
            *seen.entry(record["call_id"].as_str().unwrap_or_default()).or_default() += 1;
            for visit in record["queues"].as_array().into_iter().flatten() {
                let why = visit["why"].as_str().unwrap_or("QUEUE_LEFT_NEVER");
                let why = why.trim_start_matches("QUEUE_LEFT_").to_lowercase();
                *told.left.entry(why).or_default() += 1;
            }
            let end = moment(&record["end_time"]).unwrap_or(i64::MAX);
            for offer in record["offers"].as_array().into_iter().flatten() {
                let is_answered = offer["outcome"] == "OFFER_OUTCOME_ANSWERED";
                let until = if is_answered { Some(end) } else { moment(&offer["end_time"]) };
                let (Some(agent), Some(from), Some(until)) =
                    (offer["agent"].as_str(), moment(&offer["start_time"]), until)
                else {
                    continue;
                };
                busy.entry(agent).or_default().push((from, until));
            }
        }
        told.twice = seen.values().filter(|count| **count > 1).count() as u32;
        for times in busy.values_mut() {
            times.sort_unstable();
            let overlaps = times.windows(2).filter(|pair| pair[1].0 < pair[0].1);
            told.doubles += overlaps.count() as u32;
        }
        told
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left: Vec<String> =
            self.left.iter().map(|(why, count)| format!("{count} {why}")).collect();
        write!(
            f,
            "{} records, {} calls told twice, {} agents offered twice at once; {}",
            self.calls,
            self.twice,
            self.doubles,
            left.join(", ")
        )
    }
}

/// A moment of a record, in microseconds since 1970.
fn moment(value: &Value) -> Option<i64> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_microsecond())
}
