//! Calls with audio both ways: what a relayed call costs, with and without a recording, encrypted
//! and not.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::time::Duration;

use strowger::media::config::Config;
use strowger::rng::Rng;
use strowger::rtp::srtp::{MasterKey, Receiver, Sender, Suite};

use crate::call::{QUIET, register};
use crate::figures::{Cpu, Table, percentile};
use crate::rtp::{self, Stream};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::{Report, Scenario, Sipp};
use crate::support::wait;

const CALLS: u16 = 100;
const TIME: Duration = Duration::from_secs(15);
const FIRST_PORT: u16 = 10_000;
const LIMIT: Duration = Duration::from_secs(90);

/// How the calls of a row are carried.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    rivals: (&'static str, &'static str),
    record: &'static str,
    /// What encrypts the audio of the caller, and that of the callee.
    suites: Suites,
}

/// What encrypts the audio of the callers, and that of whom they call.
pub type Suites = [Option<Suite>; 2];

pub fn measure(table: &mut Table) {
    let kind = |name, suites| Kind { name, rivals: ("", ""), record: "never", suites };
    let counter = Some(Suite::Counter128Tag80);
    let kinds = [
        Kind { rivals: ("0.30–0.41", "0.23–0.29"), ..kind("relayed", [None; 2]) },
        Kind {
            rivals: ("0.70–0.90", "0.36–0.51"),
            record: "always",
            ..kind("relayed and recorded", [None; 2])
        },
        kind("relayed from SRTP (AES-CM) to plain", [counter, None]),
        kind("relayed from SRTP to SRTP (AES-CM)", [counter; 2]),
        kind("relayed from SRTP to SRTP (AES-GCM)", [Some(Suite::Gcm128); 2]),
    ];
    for kind in kinds {
        row(table, kind);
    }
}

fn row(table: &mut Table, kind: Kind) {
    let Kind { name, rivals: (asterisk, rustpbx), .. } = kind;
    let (share, counted, resident) = relay(kind);
    let lost = counted.sent - counted.received.min(counted.sent);
    let mut delays = counted.delays;
    let (p50, p99) = (percentile(&mut delays, 0.5), percentile(&mut delays, 0.99));
    table.row(
        &format!("one G.711 call {name}, of {CALLS}, % of a core"),
        format!("{share:.3}"),
        asterisk,
        rustpbx,
    );
    table.row(
        &format!("{name}: lost of {} packets; delay p50 / p99, ms", counted.sent),
        format!("{lost}; {p50:.2} / {p99:.2}"),
        "",
        "",
    );
    table.row(&format!("{name}: resident memory, MB"), resident.to_string(), "", "0.7 a call");
}

/// Percent of a core per call, what was counted, and resident MB.
fn relay(kind: Kind) -> (f64, rtp::Counted, u64) {
    let line_end = format!("\"\nrecord = \"{}\"\n", kind.record);
    let mut talks = Talks::begin(CALLS, TIME, &line_end, kind.suites);
    let pid = talks.node.pid();
    let before = Cpu::of(pid);
    let began = wait::now();
    let counted = rtp::exchange(std::mem::take(&mut talks.streams), TIME);
    let seconds = wait::now().duration_since(began).as_secs_f64();
    let cpu = Cpu::of(pid).since(before);
    let resident = talks.node.resident_kib() / 1024;
    talks.end();
    (100.0 * cpu / seconds / f64::from(CALLS), counted, resident)
}

/// Calls that talk, with a socket at both ends of each.
pub struct Talks {
    pub node: Daemon,
    pub streams: Vec<Stream>,
    caller: Sipp,
    callee: Sipp,
}

impl Talks {
    /// Begins some calls, which stay for `time` and a little; `line_end` ends every line of the
    /// callers' accounts.
    /// `suites` says what encrypts the audio of each end.
    pub fn begin(calls: u16, time: Duration, line_end: &str, suites: Suites) -> Self {
        let users = extensions(2000..2000 + u32::from(calls)).replace("\"\n", line_end);
        let [near_key, far_key] = suites.map(|suite| suite.map(key));
        let mut callee = extensions([1001]);
        if suites[1].is_some() {
            callee = callee.replace("\"\n", "\"\nsrtp = \"preferred\"\n");
        }
        let node = Daemon::start(&format!("{QUIET}{users}{callee}"));
        let (near, far) = (Place::new(), Place::new());
        register(&node, &far, 1001..1002);
        let near_sockets = sockets(&near, calls);
        let far_sockets = sockets(&far, calls);
        let limit = time + LIMIT;
        let callee = Scenario::new("callee_with_port", &far, 5060, node.sip())
            .users(&(0..calls).map(|call| port(call).to_string()).collect::<Vec<_>>())
            .calls(u32::from(calls), 50)
            .option(
                &described(far_key.as_ref(), "RTP/AVP", tag_of_ours).each_ref().map(String::as_str),
            )
            .keep(far)
            .start(limit);
        let talk = (time + Duration::from_secs(15)).as_millis().to_string();
        let caller = Scenario::new("caller_with_port", &near, 5060, node.sip())
            .users(&(0..calls).map(line).collect::<Vec<_>>())
            .dials("1001", node.sip())
            .calls(u32::from(calls), 50)
            .option(&["-d", &talk])
            .option(&described(near_key.as_ref(), "RTP/SAVP", |_| 1).each_ref().map(String::as_str))
            .keep(near)
            .start(limit);
        wait::until("all calls talk", Duration::from_secs(20), || {
            let shown = node.json(&["calls"]);
            let talking = shown.iter().filter(|call| call["answer_time"].is_string()).count();
            (talking == usize::from(calls)).then_some(())
        });
        let told = (&caller.report(), near_key.as_ref());
        let mut streams = pair(near_sockets, told, &node);
        streams.extend(pair(far_sockets, (&callee.report(), far_key.as_ref()), &node));
        assert_eq!(streams.len(), 2 * usize::from(calls), "both ends of every call");
        Self { node, streams, caller, callee }
    }

    /// Waits until all have hung up; every one must have gone well.
    pub fn end(self) -> Daemon {
        self.caller.succeeds();
        self.callee.succeeds();
        self.node
    }
}

fn line(call: u16) -> String {
    let user = 2000 + u32::from(call);
    let secret = password(user);
    format!("{user};[authentication username={user} password={secret}];1001;{}", port(call))
}

fn port(call: u16) -> u16 {
    FIRST_PORT + 2 * call
}

/// One bound socket for each call, by its port.
fn sockets(place: &Place, calls: u16) -> HashMap<u16, UdpSocket> {
    let bind = |call| {
        let socket = UdpSocket::bind(place.at(port(call))).expect("the address is ours alone");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        (port(call), socket)
    };
    (0..calls).map(bind).collect()
}

/// What every phone of one side encrypts with.
fn key(suite: Suite) -> MasterKey {
    MasterKey::random(suite, &mut Rng::from_number(1))
}

/// What a scenario's descriptions say of the encryption; who answers an offer that leaves it open
/// keeps its profile (RFC 8643).
fn described(key: Option<&MasterKey>, profile: &str, tag: impl Fn(Suite) -> usize) -> [String; 6] {
    let line = |key: &MasterKey| {
        let suite = key.suite();
        format!("crypto:{} {} inline:{}", tag(suite), suite.name(), key.to_base64())
    };
    let (profile, line) = match key {
        None => ("RTP/AVP", "sendrecv".to_owned()),
        Some(key) => (profile, line(key)),
    };
    ["-key", "profile", profile, "-key", "security", &line].map(str::to_owned)
}

/// The number of a suite in the switch's offer.
fn tag_of_ours(suite: Suite) -> usize {
    let suites = Config::default().srtp_suites;
    1 + suites.iter().position(|own| *own == suite).expect("a suite that is offered by default")
}

/// What the switch's description says: its port, and its key if it has one.
struct Told {
    port: u16,
    key: Option<MasterKey>,
}

/// Our port → the switch's description, with its key for `suite`, from the SDP in both directions
/// of each call.
fn described_by_switch(report: &Report, suite: Option<Suite>) -> HashMap<u16, Told> {
    let mut ours = HashMap::new();
    let mut theirs = HashMap::new();
    for one in report.trace() {
        let field = |name: &str| {
            let line = one.text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim().to_owned())
        };
        let (Some(call), Some(audio)) = (field("Call-ID:"), field("m=audio ")) else { continue };
        let Some(Ok(port)) = audio.split(' ').next().map(str::parse::<u16>) else { continue };
        if one.sent {
            ours.insert(call, port);
        } else {
            let lines = one.text.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
            let key = lines.filter_map(read_key).find(|key| Some(key.suite()) == suite);
            theirs.insert(call, Told { port, key });
        }
    }
    let pairs = ours.into_iter();
    pairs.filter_map(|(call, port)| Some((port, theirs.remove(&call)?))).collect()
}

/// `1 SUITE inline:KEY`.
fn read_key(line: &str) -> Option<MasterKey> {
    let mut words = line.split(' ').skip(1);
    let suite = words.next()?.parse().ok()?;
    MasterKey::from_base64(suite, words.next()?.strip_prefix("inline:")?)
}

fn pair(
    sockets: HashMap<u16, UdpSocket>,
    (report, key): (&Report, Option<&MasterKey>),
    node: &Daemon,
) -> Vec<Stream> {
    let told = described_by_switch(report, key.map(MasterKey::suite));
    let stream = |(port, socket)| {
        let told = told.get(&port)?;
        let secure = key.map(|own| {
            let theirs = told.key.as_ref().expect("the switch has a key for an encrypted call");
            (Mutex::new(Sender::new(own)), Mutex::new(Receiver::new(theirs)))
        });
        Some(Stream { socket, to: node.place.at(told.port), secure })
    };
    sockets.into_iter().filter_map(stream).collect()
}
