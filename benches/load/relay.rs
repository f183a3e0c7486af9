//! Calls with audio both ways: what a relayed call costs, with and without a recording.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::time::Duration;

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

pub fn measure(table: &mut Table) {
    let rivals = [("0.30–0.41", "0.23–0.29"), ("0.70–0.90", "0.36–0.51")];
    for (record, (asterisk, rustpbx)) in [false, true].into_iter().zip(rivals) {
        let kind = if record { "relayed and recorded" } else { "relayed" };
        let (share, counted, resident) = relay(record);
        let lost = counted.sent - counted.received.min(counted.sent);
        let mut delays = counted.delays;
        let (p50, p99) = (percentile(&mut delays, 0.5), percentile(&mut delays, 0.99));
        table.row(
            &format!("one G.711 call {kind}, of {CALLS}, % of a core"),
            format!("{share:.3}"),
            asterisk,
            rustpbx,
        );
        table.row(
            &format!("{kind}: lost of {} packets; delay p50 / p99, ms", counted.sent),
            format!("{lost}; {p50:.2} / {p99:.2}"),
            "",
            "",
        );
        table.row(&format!("{kind}: resident memory, MB"), resident.to_string(), "", "0.7 a call");
    }
}

/// Percent of a core per call, what was counted, and resident MB.
fn relay(record: bool) -> (f64, rtp::Counted, u64) {
    let record = if record { "always" } else { "never" };
    let mut talks = Talks::begin(CALLS, TIME, &format!("\"\nrecord = \"{record}\"\n"));
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
    pub fn begin(calls: u16, time: Duration, line_end: &str) -> Self {
        let users = extensions(2000..2000 + u32::from(calls)).replace("\"\n", line_end);
        let node = Daemon::start(&format!("{QUIET}{users}{}", extensions([1001])));
        let (near, far) = (Place::new(), Place::new());
        register(&node, &far, 1001..1002);
        let near_sockets = sockets(&near, calls);
        let far_sockets = sockets(&far, calls);
        let limit = time + LIMIT;
        let callee = Scenario::new("callee_with_port", &far, 5060, node.sip())
            .users(&(0..calls).map(|call| port(call).to_string()).collect::<Vec<_>>())
            .calls(u32::from(calls), 50)
            .keep(far)
            .start(limit);
        let talk = (time + Duration::from_secs(15)).as_millis().to_string();
        let caller = Scenario::new("caller_with_port", &near, 5060, node.sip())
            .users(&(0..calls).map(line).collect::<Vec<_>>())
            .dials("1001", node.sip())
            .calls(u32::from(calls), 50)
            .option(&["-d", &talk])
            .keep(near)
            .start(limit);
        wait::until("all calls talk", Duration::from_secs(20), || {
            let shown = node.json(&["calls"]);
            let talking = shown.iter().filter(|call| call["answer_time"].is_string()).count();
            (talking == usize::from(calls)).then_some(())
        });
        let mut streams = pair(near_sockets, &switch_ports(&caller.report()), &node);
        streams.extend(pair(far_sockets, &switch_ports(&callee.report()), &node));
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

/// Our port → the switch's port, from the SDP in both directions of each call.
fn switch_ports(report: &Report) -> HashMap<u16, u16> {
    let mut ours = HashMap::new();
    let mut theirs = HashMap::new();
    for one in report.trace() {
        let field = |name: &str| {
            let line = one.text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim().to_owned())
        };
        let (Some(call), Some(audio)) = (field("Call-ID:"), field("m=audio ")) else { continue };
        let Some(Ok(port)) = audio.split(' ').next().map(str::parse::<u16>) else { continue };
        let side = if one.sent { &mut ours } else { &mut theirs };
        side.insert(call, port);
    }
    let pairs = ours.into_iter();
    pairs.filter_map(|(call, port)| Some((port, *theirs.get(&call)?))).collect()
}

fn pair(sockets: HashMap<u16, UdpSocket>, ports: &HashMap<u16, u16>, node: &Daemon) -> Vec<Stream> {
    let stream = |(port, socket)| {
        let to = node.place.at(*ports.get(&port)?);
        Some(Stream { socket, to })
    };
    sockets.into_iter().filter_map(stream).collect()
}
