//! Calls of SIPp whose audio is ours: a socket at each end, and what the descriptions say of it.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::time::Duration;

use strowger::media::config::Config;
use strowger::rng::Rng;
use strowger::rtp::srtp::{MasterKey, Receiver, Sender, Suite};
use strowger::sdp::Codec;

use crate::call::{QUIET, register};
use crate::mixed::Says;
use crate::rtp::Stream;
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::{Report, Scenario, Sipp};
use crate::support::wait;

const FIRST_PORT: u16 = 10_000;
/// How long calls stay when their audio has been counted.
pub const LIMIT: Duration = Duration::from_secs(90);

/// What encrypts the audio of the callers, and that of whom they call.
pub type Suites = [Option<Suite>; 2];

/// Calls that talk, with a socket at both ends of each.
pub struct Talks {
    pub node: Daemon,
    pub streams: Vec<Stream>,
    /// Resident KiB before the first call.
    pub resident_before: u64,
    caller: Sipp,
    callee: Sipp,
}

impl Talks {
    /// Begins some calls, which stay for `time` and a little; `line_end` ends every line of the
    /// callers' accounts.
    /// `suites` says what encrypts the audio of each end.
    pub fn begin(calls: u16, time: Duration, line_end: &str, suites: Suites) -> Self {
        Self::begin_in([Codec::Pcmu; 2], calls, time, line_end, suites)
    }

    /// The same; each end speaks its codec.
    pub fn begin_in(
        codecs: [Codec; 2],
        calls: u16,
        time: Duration,
        line_end: &str,
        suites: Suites,
    ) -> Self {
        let users = extensions(2000..2000 + u32::from(calls)).replace("\"\n", line_end);
        let [near_key, far_key] = suites.map(|suite| suite.map(key));
        let mut callee = extensions([1001]);
        if suites[1].is_some() {
            callee = callee.replace("\"\n", "\"\nsrtp = \"preferred\"\n");
        }
        let mut node = Daemon::start(&format!("{QUIET}{users}{callee}"));
        let (near, far) = (Place::new(), Place::new());
        register(&node, &far, 1001..1002);
        let resident_before = node.resident_kib();
        let near_sockets = sockets(&near, 0..calls);
        let far_sockets = sockets(&far, 0..calls);
        let limit = time + LIMIT;
        let callee = Scenario::new("callee_with_port", &far, 5060, node.sip())
            .users(&(0..calls).map(|call| port(call).to_string()).collect::<Vec<_>>())
            .calls(u32::from(calls), 50)
            .option(&spoken(codecs[1]))
            .option(
                &described(far_key.as_ref(), "RTP/AVP", tag_of_ours).each_ref().map(String::as_str),
            )
            .keep(far)
            .start(limit);
        let caller = Scenario::new("caller_with_port", &near, 5060, node.sip())
            .users(&(0..calls).map(|call| line(call, "1001")).collect::<Vec<_>>())
            .dials("1001", node.sip())
            .calls(u32::from(calls), 50)
            .option(&["-d", &stay(time)])
            .option(&spoken(codecs[0]))
            .option(&described(near_key.as_ref(), "RTP/SAVP", |_| 1).each_ref().map(String::as_str))
            .keep(near)
            .start(limit);
        wait_for_talks(&node, calls);
        let told = (&caller.report(), near_key.as_ref());
        let says = codecs.map(|codec| match codecs[0] == codecs[1] {
            true => Says::Marks,
            false => Says::Speech(codec),
        });
        let mut streams = pair(near_sockets, told, &node, says[0]);
        let told = (&callee.report(), far_key.as_ref());
        streams.extend(pair(far_sockets, told, &node, says[1]));
        assert_eq!(streams.len(), 2 * usize::from(calls), "both ends of every call");
        Self { node, streams, resident_before, caller, callee }
    }

    /// Waits until all have hung up; every one must have gone well.
    pub fn end(self) -> Daemon {
        self.caller.succeeds();
        self.callee.succeeds();
        self.node
    }
}

/// Waits until so many calls are answered.
pub fn wait_for_talks(node: &Daemon, calls: u16) {
    wait::until("all calls talk", Duration::from_secs(20), || {
        let shown = node.json(&["calls"]);
        let talking = shown.iter().filter(|call| call["answer_time"].is_string()).count();
        (talking == usize::from(calls)).then_some(())
    });
}

/// How many milliseconds a caller stays whose audio is counted for `time`.
pub fn stay(time: Duration) -> String {
    (time + Duration::from_secs(15)).as_millis().to_string()
}

/// The line of a caller who dials this number.
pub fn line(call: u16, number: &str) -> String {
    let user = 2000 + u32::from(call);
    let secret = password(user);
    let port = port(call);
    format!("{user};[authentication username={user} password={secret}];{number};{port}")
}

/// Where the phone of a call has its audio.
pub fn port(call: u16) -> u16 {
    FIRST_PORT + 2 * call
}

/// One bound socket for each call, by its port.
pub fn sockets(place: &Place, calls: std::ops::Range<u16>) -> HashMap<u16, UdpSocket> {
    let bind = |call| {
        let socket = UdpSocket::bind(place.at(port(call))).expect("the address is ours alone");
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        (port(call), socket)
    };
    calls.map(bind).collect()
}

/// What every phone of one side encrypts with.
pub fn key(suite: Suite) -> MasterKey {
    MasterKey::random(suite, &mut Rng::from_number(1))
}

/// What a scenario's descriptions say of the encryption; who answers an offer that leaves it open
/// keeps its profile (RFC 8643).
pub fn described(
    key: Option<&MasterKey>,
    profile: &str,
    tag: impl Fn(Suite) -> usize,
) -> [String; 6] {
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

/// What a scenario's descriptions say of the codec.
pub fn spoken(codec: Codec) -> [&'static str; 6] {
    let (format, encoding) = match codec {
        Codec::Opus => ("111", "opus/48000/2"),
        Codec::Pcma | Codec::Pcmu | Codec::G722 => ("0", "PCMU/8000"),
    };
    ["-key", "format", format, "-key", "encoding", encoding]
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
pub fn read_key(line: &str) -> Option<MasterKey> {
    let mut words = line.split(' ').skip(1);
    let suite = words.next()?.parse().ok()?;
    MasterKey::from_base64(suite, words.next()?.strip_prefix("inline:")?)
}

/// The streams of sockets: what the switch's descriptions say of each, by SIPp's trace.
pub fn pair(
    sockets: HashMap<u16, UdpSocket>,
    (report, key): (&Report, Option<&MasterKey>),
    node: &Daemon,
    says: Says,
) -> Vec<Stream> {
    let told = described_by_switch(report, key.map(MasterKey::suite));
    let stream = |(port, socket)| {
        let told = told.get(&port)?;
        let secure = secure(key, told.key.as_ref());
        Some(Stream { socket, to: node.place.at(told.port), secure, says })
    };
    sockets.into_iter().filter_map(stream).collect()
}

/// What encrypts and decrypts a stream, if it has a key.
pub fn secure(
    own: Option<&MasterKey>,
    theirs: Option<&MasterKey>,
) -> Option<(Mutex<Sender>, Mutex<Receiver>)> {
    own.map(|own| {
        let theirs = theirs.expect("the other side has a key for an encrypted call");
        (Mutex::new(Sender::new(own)), Mutex::new(Receiver::new(theirs)))
    })
}
