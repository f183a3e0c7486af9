//! Any bytes as a day of the Switch: messages of all kinds, media reports, reloads, lost
//! connections, time. Whatever they are, nothing panics, the tables keep to their limits, and when
//! all is over nothing is left.
//!
//! Shared by `fuzz/fuzz_targets/switch_inputs.rs` and `tests/switch_inputs.rs`. The peers follow no
//! protocol: they answer, repeat, bend and cross whatever they like, with good passwords.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use strowger::acd::Acd;
use strowger::cdr::entry::Fact;
use strowger::config::{self, Config};
use strowger::media::control::{Event, Port};
use strowger::rng::Rng;
use strowger::sip::digest::{Auth, Credentials, answer};
use strowger::sip::flow::{ConnectionId, Flow, Loss, Transport};
use strowger::sip::locate::{Answer, Locator};
use strowger::sip::message::{Message, Method, Name, Response};
use strowger::sip::registrar::Registrar;
use strowger::sip::transaction::Table;
use strowger::switch::request::{NodeStatus, Reply};
use strowger::switch::{AskId, Input, Output, Parts, Switch, request};
use strowger::time::{Duration, Epoch, Instant, Wall};

use crate::studio::Studio;

/// Plays the bytes; tells how often two legs heard each other.
///
/// # Panics
///
/// If the Switch does not keep to what it promises.
pub fn play(bytes: &[u8]) -> u32 {
    let mut chaos = Chaos::new();
    let mut script = Script(bytes);
    for act in 0..ACTS_MAX {
        let Some(what) = script.next() else { break };
        chaos.act(what, &mut script);
        if act % 32 == 31 {
            chaos.check_limits();
        }
    }
    chaos.end()
}

/// The bytes that are not played yet; none left reads as zeros.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.next().unwrap_or(0)) % limit.max(1)
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        let place = self.below(of.len());
        of.get(place)
    }
}

struct Chaos {
    now: Instant,
    switch: Switch,
    studio: Studio,
    coming: BTreeMap<(Instant, u64), Event>,
    count: u64,
    talks: u32,
    /// What the Switch has sent and heard, the newest last.
    seen: Vec<(Flow, Message)>,
}

impl Chaos {
    fn new() -> Self {
        let now = Instant::from_micros(1_000_000);
        let switch = start(&site(SITE), now);
        let mut chaos = Self {
            now,
            switch,
            studio: Studio::default(),
            coming: BTreeMap::new(),
            count: 0,
            talks: 0,
            seen: Vec::new(),
        };
        for number in 0..PORTS {
            let port = Port { rtp: 20_000 + 2 * number, thread: (number % 2) as u8 };
            chaos.input(Input::Media(Event::Spare { port }));
        }
        for user in ["1001", "1002", "1003", "1004"] {
            chaos.asks(Method::Register, user, user, flow(user.len()), "");
        }
        chaos
    }

    fn act(&mut self, what: u8, script: &mut Script<'_>) {
        match what % 16 {
            0..=2 => {
                let user = script.pick(&USERS).copied().unwrap_or("1001");
                let to = script.pick(&NUMBERS).copied().unwrap_or("1001");
                let method = script.pick(&NEW).copied().unwrap_or(Method::Invite);
                let lines = script.pick(&LINES).copied().unwrap_or_default();
                self.asks(method, user, to, flow(script.below(4)), lines);
            }
            3..=5 => self.answers(script),
            6..=8 => self.goes_on(script),
            9 => self.bends(script),
            10 => self.run(Duration::from_millis(1 << script.below(19))),
            11 => {
                let leg =
                    script.pick(&self.studio.legs.keys().copied().collect::<Vec<_>>()).copied();
                if let Some(leg) = leg {
                    let digit = char::from(b"0123456789*#A"[script.below(13)]);
                    self.input(Input::Media(Event::Digit { leg, digit }));
                }
            }
            12 => {
                let toml = if script.below(2) == 0 { SITE.to_owned() } else { other_site() };
                let config = site(&toml);
                self.input(Input::Plan(Box::new(config.plan(2)), config.secrets()));
            }
            13 => self.input(Input::Closed { flow: flow(script.below(4)), why: Loss::Ended }),
            14 => {
                let load = Duration::from_millis(script.below(256) as u64 * 2);
                self.input(Input::Load(load));
                self.input(Input::Room(script.below(8) != 0));
            }
            _ => {
                let length = script.below(256).min(script.0.len());
                let (text, rest) = script.0.split_at(length);
                script.0 = rest;
                if let Ok(message) = Message::parse(text.to_vec().into()) {
                    self.hears(flow(0), message);
                }
            }
        }
    }

    /// An account's request, with its answer to the challenge.
    fn asks(&mut self, method: Method, user: &str, to: &str, from: Flow, lines: &str) {
        self.count += 1;
        let count = self.count;
        let uri = match method {
            Method::Register => "sip:pbx".to_owned(),
            _ => format!("sip:{to}@pbx"),
        };
        let body = if method == Method::Invite { SDP } else { "" };
        let text = |authorization: &str, cseq: u32| {
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            format!(
                "{method} {uri} SIP/2.0\r\n\
                 Via: SIP/2.0/{} {};branch=z9hG4bK{count}-{cseq}\r\n\
                 From: <sip:{user}@pbx>;tag=f{count}\r\nTo: <sip:{to}@pbx>\r\n\
                 Call-ID: c{count}\r\nCSeq: {cseq} {method}\r\n\
                 Contact: <sip:{user}@{}>\r\n{lines}{authorization}{kind}\
                 Content-Length: {}\r\n\r\n{body}",
                from.transport.name(),
                from.remote,
                from.remote,
                body.len()
            )
        };
        self.hears_text(from, &text("", 1));
        let challenge = match self.seen.last() {
            Some((_, Message::Response(response))) if response.status() == 401 => response.clone(),
            _ => return,
        };
        let credentials = Credentials { user, password: "secret" };
        let method = method.to_string();
        if let Some((name, value)) = answer(&challenge, credentials, &method, &uri, "c", 1) {
            self.hears_text(from, &text(&format!("{name}: {value}\r\n"), 2));
        }
    }

    /// A response to something that the Switch has asked.
    fn answers(&mut self, script: &mut Script<'_>) {
        let calls_only = script.below(2) == 0;
        let asked = self.seen.iter().rev().filter_map(|(flow, message)| match message {
            Message::Request(request) if !calls_only || request.method() == Method::Invite => {
                Some((*flow, request.clone()))
            }
            Message::Request(_) | Message::Response(_) => None,
        });
        let asked: Vec<_> = asked.take(4).collect();
        let Some((flow, request)) = script.pick(&asked).cloned() else { return };
        let any = script.pick(&STATUSES).copied().unwrap_or(200);
        let status = if script.below(2) == 0 { 200 } else { any };
        let tag = ["us", "them", "fork"][script.below(3)];
        let mut response = Response::build(&request, status, Some(tag))
            .header(Name::Contact, format!("<sip:x@{}>", flow.remote));
        if script.below(4) == 0 {
            response = response.header(Name::Require, "100rel").header(Name::RSeq, 7);
        }
        if request.method() == Method::Invite && status < 300 {
            response = response.body("application/sdp", SDP.as_bytes());
        }
        self.hears(flow, response.response().into());
    }

    /// A request in a dialog that the Switch has, or had.
    fn goes_on(&mut self, script: &mut Script<'_>) {
        let known: Vec<_> = self.seen.iter().rev().take(12).cloned().collect();
        let Some((flow, message)) = script.pick(&known).cloned() else { return };
        let method = script.pick(&WITHIN).copied().unwrap_or(Method::Bye);
        // From us to them: theirs is From in what they ask, To in what they answer.
        let asked = matches!(message, Message::Request(_));
        let (from, to) = if asked { (Name::To, Name::From) } else { (Name::From, Name::To) };
        let [from, to] = [from, to].map(|name| message.header(name).unwrap_or_default());
        let tag = match asked && message.to_tag().is_none() {
            true => [";tag=us", ";tag=them", ";tag=fork"][script.below(3)],
            false => "",
        };
        let cseq = match method {
            Method::Ack | Method::Cancel => message.cseq().number,
            _ => 100 + self.count as u32 + script.below(3) as u32,
        };
        self.count += 1;
        let offers = matches!(method, Method::Invite | Method::Update) && script.below(4) != 0;
        let body = if offers { SDP } else { "" };
        let kind = if offers { "Content-Type: application/sdp\r\n" } else { "" };
        let lines = script.pick(&LINES).copied().unwrap_or_default();
        let text = format!(
            "{method} sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bKd{}\r\n\
             From: {from}{tag}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:x@{}>\r\n{lines}{kind}Content-Length: {}\r\n\r\n{body}",
            flow.transport.name(),
            flow.remote,
            self.count,
            message.call_id(),
            flow.remote,
            body.len()
        );
        self.hears_text(flow, &text);
    }

    /// Something that was said before, with a few bytes changed, perhaps from elsewhere.
    fn bends(&mut self, script: &mut Script<'_>) {
        let known: Vec<_> = self.seen.iter().rev().take(32).cloned().collect();
        let Some((from, message)) = script.pick(&known).cloned() else { return };
        let mut bytes = message.bytes().to_vec();
        for _ in 0..script.below(4) {
            let place = (script.below(256) << 8 | script.below(256)) % bytes.len();
            bytes[place] = script.next().unwrap_or(b' ');
        }
        let from = if script.below(4) == 0 { flow(script.below(4)) } else { from };
        if let Ok(message) = Message::parse(bytes.into()) {
            self.hears(from, message);
        }
    }

    fn hears_text(&mut self, flow: Flow, text: &str) {
        if let Ok(message) = Message::parse(text.as_bytes().to_vec().into()) {
            self.hears(flow, message);
        }
    }

    fn hears(&mut self, flow: Flow, message: Message) {
        let message = match message {
            Message::Request(request) => Message::Request(request.received_from(flow.remote)),
            response => response,
        };
        self.remember(flow, message.clone());
        self.input(Input::Message { flow, message });
    }

    fn remember(&mut self, flow: Flow, message: Message) {
        if self.seen.len() >= SEEN_MAX {
            self.seen.drain(..SEEN_MAX / 2);
        }
        self.seen.push((flow, message));
    }

    fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.switch.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Media(thread, command) => {
                    for (wait, event) in self.studio.order(thread, &command) {
                        self.count += 1;
                        self.coming.insert((self.now + wait, self.count), event);
                    }
                }
                Output::Send { flow, message } => {
                    let read = Message::parse(message.bytes().clone());
                    assert!(read.is_ok(), "the Switch wrote what cannot be read: {message:?}");
                    self.remember(flow, message);
                }
                Output::Resolve { id, question: _ } => {
                    self.input(Input::Resolved { id, answer: Answer::Unavailable });
                }
                Output::Entry(entry) => {
                    self.talks += u32::from(matches!(entry.fact, Fact::TalkBegan { .. }));
                }
                Output::Sync(call) => self.input(Input::Synced(call)),
                Output::Answer { .. } | Output::Changed(_) | Output::Store { .. } => {}
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..TICKS_MAX {
            let coming = self.coming.first_key_value().map(|((at, _), _)| *at);
            let due = self.switch.next_tick();
            let Some(at) = [coming, due].into_iter().flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            if coming.is_some_and(|at| at <= self.now)
                && let Some((_, event)) = self.coming.pop_first()
            {
                if self.studio.is_true(&event) {
                    self.input(Input::Media(event));
                }
            } else {
                self.input(Input::Tick);
            }
        }
        panic!("time does not pass: {:?} is due at {:?}", self.switch.next_tick(), self.now);
    }

    fn check_limits(&mut self) {
        let node = self.node();
        assert!(node.transactions <= 2 * TRANSACTIONS_MAX, "{node:?}");
        assert!(node.calls <= CALLS_MAX, "{node:?}");
        assert!(node.legs <= u64::from(PORTS), "{node:?}");
    }

    /// The node stops; what is left then is a leak.
    fn end(mut self) -> u32 {
        self.run(Duration::from_secs(60));
        self.check_limits();
        self.input(Input::Stop);
        self.run(Duration::from_secs(600));
        let node = self.node();
        let left = (node.calls, node.legs, node.dialogs, node.transactions, node.ports_taken);
        assert_eq!(left, (0, 0, 0, 0, 0), "calls, legs, dialogs, transactions, ports");
        assert!(self.switch.is_idle());
        assert!(self.studio.legs.is_empty(), "{:?}", self.studio.legs);
        self.talks
    }

    fn node(&mut self) -> NodeStatus {
        let mut out = Vec::new();
        let ask = Input::Ask { id: AskId(1), request: request::Request::Status };
        self.switch.handle(self.now, ask, &mut out);
        let status = out.into_iter().find_map(|output| match output {
            Output::Answer { reply: Reply::Status(status), .. } => Some(status),
            _ => None,
        });
        status.expect("every question is answered")
    }
}

fn start(config: &Config, now: Instant) -> Switch {
    let mut rng = Rng::from_number(1);
    let parts = Parts {
        acd: Arc::new(Acd::explaining()),
        auth: Auth::new(config.sip.realm(), &config.digest(), &mut rng),
        locator: Locator::new(config.sip.reaches()),
        name: config.node.name.clone(),
        node: config.node.id(),
        registrar: Registrar::new(config.registrar()),
        rng,
        settings: config.settings(Epoch(Wall::from_micros(0)), PathBuf::from("recordings")),
        transactions: Table::new(0, config.sip.transactions_max),
    };
    Switch::new(now, parts, config.plan(1), config.secrets())
}

fn site(toml: &str) -> Config {
    config::parse("site.toml", toml).expect("the site is right")
}

/// The same site with an account less, and limits.
fn other_site() -> String {
    SITE.replace("[extensions.1004]", "[extensions.1005]").replace("# limits", "calls_max = 1")
}

/// One of four peers; the last one speaks TCP.
fn flow(place: usize) -> Flow {
    let place = u8::try_from(place % 4).unwrap_or(0);
    let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10 + place)), 5060);
    let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
    let (transport, connection) = match place {
        3 => (Transport::Tcp, ConnectionId(1)),
        _ => (Transport::Udp, ConnectionId::default()),
    };
    Flow { transport, local, remote, connection }
}

const ACTS_MAX: usize = 400;
const SEEN_MAX: usize = 64;
const TICKS_MAX: usize = 200_000;
const PORTS: u16 = 16;
const TRANSACTIONS_MAX: u64 = 100;
const CALLS_MAX: u64 = 6;

const USERS: [&str; 4] = ["1001", "1002", "1003", "1004"];
const NUMBERS: [&str; 10] =
    ["1001", "1002", "1003", "1004", "600", "500", "*11", "*43", "*721002", "7777"];
const NEW: [Method; 6] = [
    Method::Invite,
    Method::Invite,
    Method::Register,
    Method::Subscribe,
    Method::Options,
    Method::Refer,
];
const WITHIN: [Method; 12] = [
    Method::Ack,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Info,
    Method::Invite,
    Method::Invite,
    Method::Notify,
    Method::Prack,
    Method::Refer,
    Method::Subscribe,
    Method::Update,
];
const STATUSES: [u16; 16] =
    [100, 180, 183, 200, 200, 200, 202, 302, 401, 408, 422, 481, 486, 487, 491, 603];
const LINES: [&str; 10] = [
    "",
    "",
    "",
    "Supported: 100rel, timer, replaces\r\n",
    "Require: 100rel\r\n",
    "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n",
    "Event: dialog\r\nExpires: 600\r\n",
    "Event: message-summary\r\nExpires: 0\r\n",
    "Refer-To: <sip:1003@pbx>\r\n",
    "RAck: 1 1 INVITE\r\n",
];

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.10\r\ns=-\r\nc=IN IP4 198.51.100.10\r\n\
                   t=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

const SITE: &str = r#"
[node]
calls_max = 6
[sip]
domain = "pbx"
transactions_max = 100
[extensions.1001]
password = "secret"
# limits
[extensions.1002]
password = "secret"
[extensions.1003]
password = "secret"
[extensions.1004]
password = "secret"
[agents.a]
extension = "1003"
login = "auto"
[agents.17]
pin = "4711"
[queues.q]
callback = { retry_wait = "5s", retries = 3 }
number = "600"
members = ["a", "17"]
ring_timeout = "10s"
record = "always"
max_wait = "40s"
[menus.m]
number = "500"
prompt = "welcome"
timeout = "3s"
retries = 1
keys = { 1 = "extension:1002", 2 = "queue:q" }
"#;
