//! One trunk as it is at this moment: its servers, its registration, its calls.
//!
//! Spec:     RFC 3261 §10.2 and §11, through `sip::registration` and `sip::probe`.
//! In:       where its servers are, the answers to its questions, the end, time.
//! Out:      questions, a change of state, what to keep for the next start.
//! Not here: calls (`call::trunk::outgoing`), which request came from it (`switch::trunks`).
//!
//! Calls never wait for DNS: they take the servers that were found last. Those are looked for
//! again before every REGISTER and every `LOCATE_EVERY`; when nothing is found, the old ones stay.

use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::config::Trunk;
use super::rest::{Rest, Resting, Trouble};
use crate::cdr::entry::TrunkState;
use crate::id::TrunkId;
use crate::rng::Rng;
use crate::sip::digest::Login;
use crate::sip::flow::{Flow, Transport};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::probe::{self, Pace, Probe};
use crate::sip::registration::{self, Account, Kept, Registration, Status};
use crate::sip::transaction::Failure;
use crate::time::{Duration, Instant};

/// What can happen to a trunk.
#[derive(Debug)]
pub enum LineInput {
    /// The answer to its latest question of this kind.
    Answered(Job, Response),
    /// That question got none.
    Failed(Job, Failure),
    /// Where its servers are, the best first; empty if nothing was found.
    Located(Vec<Flow>),
    /// It is not wanted any more.
    Stop,
    Tick,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Whether a server is there.
    Probe(ServerKey),
    Register,
}

/// One server of a trunk.
pub type ServerKey = (Transport, SocketAddr);

/// What a trunk asks of the Switch, in order.
#[derive(Debug)]
pub enum LineOutput {
    Ask {
        job: Job,
        flow: Flow,
        request: Request,
    },
    /// Something to be found again at the next start.
    Keep(Kept),
    /// Its servers are to be looked for: `Located` is awaited.
    Locate,
    State {
        state: TrunkState,
        why: String,
    },
}

/// Why a trunk takes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    CallsMax,
    CpsMax,
    /// No server answers, none is known, or it is not registered.
    Down,
    /// Every server has asked to be left alone for a while.
    RetryAfter,
}

impl Unavailable {
    /// In a word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallsMax => "calls_max",
            Self::CpsMax => "cps_max",
            Self::Down => "down",
            Self::RetryAfter => "retry_after",
        }
    }
}

/// Names a line: another one with the same trunk may stand in its place after a reload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    pub trunk: TrunkId,
    pub serial: u32,
}

/// One trunk as it is at this moment.
#[derive(Debug)]
pub struct Line {
    key: LineKey,
    config: Arc<Trunk>,
    kept: Kept,
    servers: Vec<Server>,
    locate_at: Instant,
    /// `Located` is awaited until then.
    locating: Option<Instant>,
    registration: Option<Registration>,
    /// Legs of calls.
    calls: usize,
    bucket: Bucket,
    state: TrunkState,
    why: String,
    since: Instant,
    stopping: bool,
}

#[derive(Debug)]
struct Server {
    flow: Flow,
    /// None if the trunk's servers are not asked.
    probe: Option<Probe>,
    rest: Rest,
}

/// One server as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    pub flow: Flow,
    pub up: bool,
    pub latency: Option<Duration>,
    pub resting: Option<Resting>,
}

impl Line {
    pub fn new(
        now: Instant,
        key: LineKey,
        config: Arc<Trunk>,
        kept: Option<Kept>,
        rng: &mut Rng,
    ) -> Self {
        let kept = kept.unwrap_or_else(|| Kept {
            call_id: rng.token(16),
            cseq: 0,
            contact: rng.token(16),
        });
        let registration =
            account(&config).map(|account| Registration::new(now, account, kept.clone(), rng));
        let cps_max = config.cps_max;
        Self {
            key,
            config,
            kept,
            servers: Vec::new(),
            locate_at: now,
            locating: None,
            registration,
            calls: 0,
            bucket: Bucket::full(now, cps_max),
            state: TrunkState::Starting,
            why: String::new(),
            since: now,
            stopping: false,
        }
    }

    /// Takes another configuration; `None` if that one registers otherwise, so that this line must
    /// end and another begin.
    pub fn reconfigured(mut self, now: Instant, config: Arc<Trunk>) -> Result<Self, Box<Self>> {
        let same_account = |one: &Trunk, other: &Trunk| {
            let of = |trunk: &Trunk| {
                let (host, register) = (trunk.host.clone(), trunk.register);
                let secret = (trunk.username.clone(), trunk.password.clone());
                (host, register, secret, trunk.realm.clone(), trunk.register_expires)
            };
            of(one) == of(other)
        };
        if !same_account(&self.config, &config) {
            return Err(Box::new(self));
        }
        let pace = pace(&config);
        if pace != self::pace(&self.config) || config.servers() != self.config.servers() {
            for server in &mut self.servers {
                server.probe = pace.map(|pace| Probe::new(now, pace));
            }
            self.locate_at = now;
        }
        self.bucket = Bucket::full(now, config.cps_max);
        self.config = config;
        Ok(self)
    }

    /// Takes up what an earlier process kept, before the first `Tick`.
    pub fn resume(&mut self, now: Instant, kept: Kept, rng: &mut Rng) {
        *self = Self::new(now, self.key.clone(), self.config.clone(), Some(kept), rng);
    }

    /// Takes over the calls of the line in whose place this one stands.
    pub fn succeed(&mut self, before: &Self) {
        self.calls = before.calls;
    }

    pub fn id(&self) -> &TrunkId {
        &self.key.trunk
    }

    pub fn key(&self) -> &LineKey {
        &self.key
    }

    pub fn config(&self) -> &Arc<Trunk> {
        &self.config
    }

    /// The user part of our Contact there.
    pub fn contact(&self) -> &str {
        &self.kept.contact
    }

    /// What it is, why, and since when.
    pub fn state(&self) -> (TrunkState, &str, Instant) {
        (self.state, &self.why, self.since)
    }

    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Until when the registrar sends calls; none if it does not.
    pub fn registered_until(&self) -> Option<Instant> {
        match self.registration.as_ref()?.status() {
            Status::Registered { until } => Some(*until),
            Status::Trying | Status::Unregistered { .. } => None,
        }
    }

    pub fn servers(&self, now: Instant) -> impl Iterator<Item = ServerView> {
        self.servers.iter().map(move |server| ServerView {
            flow: server.flow,
            up: server.is_up(),
            latency: server.probe.as_ref().and_then(Probe::latency),
            resting: server.rest.view(now),
        })
    }

    /// Whether one of its servers, or of its networks, has this address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let servers = self.servers.iter().map(|server| server.flow.remote.ip().to_canonical());
        servers.into_iter().any(|server| server == address)
            || self.config.addresses.iter().any(|network| network.contains(address))
    }

    /// Whether nothing of it is left after `Stop`.
    pub fn is_over(&self) -> bool {
        self.stopping && self.registration.as_ref().is_none_or(Registration::is_over)
    }

    /// The servers for a call, the best first.
    ///
    /// # Errors
    ///
    /// Why it takes none. Emergency calls are taken whatever the limits say, and also if nobody
    /// seems to be there.
    pub fn admit(&mut self, now: Instant, is_emergency: bool) -> Result<Vec<Flow>, Unavailable> {
        let (mut up, down): (Vec<&Server>, Vec<&Server>) =
            self.servers.iter().partition(|server| server.is_up());
        up.sort_by_key(|server| server.rest.since(now));
        if is_emergency {
            let all: Vec<Flow> = up.iter().chain(&down).map(|server| server.flow).collect();
            return if all.is_empty() { Err(Unavailable::Down) } else { Ok(all) };
        }
        if self.calls >= self.config.calls_max {
            return Err(Unavailable::CallsMax);
        }
        let registered = self.registration.is_none() || self.registered_until().is_some();
        if up.is_empty() || !registered || self.stopping {
            return Err(Unavailable::Down);
        }
        let open = up.iter().filter(|server| !server.rest.is_closed(now));
        let flows: Vec<Flow> = open.map(|server| server.flow).collect();
        if flows.is_empty() {
            return Err(Unavailable::RetryAfter);
        }
        if !self.bucket.take(now) {
            return Err(Unavailable::CpsMax);
        }
        Ok(flows)
    }

    /// A request over this flow was of no use: calls try other servers first.
    pub fn failed(&mut self, now: Instant, flow: &Flow, trouble: Trouble) {
        for server in self.servers.iter_mut().filter(|server| key(&server.flow) == key(flow)) {
            server.rest.failed(now, trouble);
        }
    }

    /// A request over this flow was answered.
    pub fn worked(&mut self, flow: &Flow) {
        for server in self.servers.iter_mut().filter(|server| key(&server.flow) == key(flow)) {
            server.rest.worked();
        }
    }

    /// Whether a further call may come in.
    pub fn has_room(&self) -> bool {
        self.calls < self.config.calls_max
    }

    /// A leg of a call began here.
    pub fn began(&mut self) {
        self.calls += 1;
    }

    /// A leg of a call is over.
    pub fn ended(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        input: LineInput,
        out: &mut Vec<LineOutput>,
    ) {
        match input {
            LineInput::Answered(Job::Register, response) => {
                self.register(now, rng, registration::Input::Response(response), out);
            }
            LineInput::Failed(Job::Register, why) => {
                self.register(now, rng, registration::Input::Failed(why), out);
            }
            LineInput::Answered(Job::Probe(server), response) => {
                if response.is_final() {
                    self.probe(now, server, probe::Input::Answered(response.status()), rng, out);
                }
            }
            LineInput::Failed(Job::Probe(server), _) => {
                self.probe(now, server, probe::Input::Failed, rng, out);
            }
            LineInput::Located(flows) => self.located(now, rng, flows, out),
            LineInput::Stop => {
                self.stopping = true;
                self.register(now, rng, registration::Input::Stop, out);
            }
            LineInput::Tick => self.tick(now, rng, out),
        }
        self.assess(now, out);
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(Registration::next_tick);
        if self.stopping {
            return registration;
        }
        let probes =
            self.servers.iter().filter_map(|server| Some(server.probe.as_ref()?.next_tick()));
        let locate = self.locating.unwrap_or(self.locate_at);
        probes.chain(registration).chain([locate]).min()
    }

    fn tick(&mut self, now: Instant, rng: &mut Rng, out: &mut Vec<LineOutput>) {
        self.register(now, rng, registration::Input::Tick, out);
        if self.stopping {
            return;
        }
        if self.locating.is_some_and(|until| now >= until) {
            self.locating = None;
            self.locate_at = now + LOCATE_EVERY;
        }
        if self.locating.is_none() && now >= self.locate_at {
            self.locate(now, out);
        }
        let due: Vec<ServerKey> = (self.servers.iter())
            .filter(|server| server.probe.as_ref().is_some_and(|probe| now >= probe.next_tick()))
            .map(|server| key(&server.flow))
            .collect();
        for server in due {
            self.probe(now, server, probe::Input::Tick, rng, out);
        }
    }

    fn locate(&mut self, now: Instant, out: &mut Vec<LineOutput>) {
        if self.locating.replace(now + LOCATE_WAIT_MAX).is_none() {
            out.push(LineOutput::Locate);
        }
    }

    fn located(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        flows: Vec<Flow>,
        out: &mut Vec<LineOutput>,
    ) {
        self.locating = None;
        self.locate_at = now + if flows.is_empty() { LOCATE_AGAIN } else { LOCATE_EVERY };
        if !flows.is_empty() {
            let mut known: BTreeMap<ServerKey, Server> =
                mem::take(&mut self.servers).into_iter().map(|s| (key(&s.flow), s)).collect();
            for flow in flows.into_iter().take(SERVERS_MAX) {
                if self.servers.iter().any(|server| key(&server.flow) == key(&flow)) {
                    continue; // named twice
                }
                let before = known.remove(&key(&flow)).map(|server| (server.probe, server.rest));
                let (probe, rest) = before.unwrap_or_default();
                let fresh = || pace(&self.config).map(|pace| Probe::new(now, pace));
                self.servers.push(Server { flow, probe: probe.or_else(fresh), rest });
            }
        }
        let flows = self.servers.iter().map(|server| server.flow).collect();
        self.register(now, rng, registration::Input::Located(flows), out);
    }

    fn register(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        input: registration::Input,
        out: &mut Vec<LineOutput>,
    ) {
        let Some(registration) = &mut self.registration else { return };
        let mut steps = Vec::new();
        registration.handle(now, rng, input, &mut steps);
        if *registration.kept() != self.kept {
            self.kept = registration.kept().clone();
            out.push(LineOutput::Keep(self.kept.clone()));
        }
        for step in steps {
            match step {
                registration::Output::Locate => self.locate(now, out),
                registration::Output::Request { flow, request } => {
                    out.push(LineOutput::Ask { job: Job::Register, flow, request });
                }
            }
        }
    }

    fn probe(
        &mut self,
        now: Instant,
        of: ServerKey,
        input: probe::Input,
        rng: &mut Rng,
        out: &mut Vec<LineOutput>,
    ) {
        let mut servers = self.servers.iter_mut();
        let Some(server) = servers.find(|server| key(&server.flow) == of) else { return };
        let Some(probe) = &mut server.probe else { return };
        let mut steps = Vec::new();
        probe.handle(now, input, &mut steps);
        let flow = server.flow;
        for step in steps {
            match step {
                probe::Output::Ask => {
                    let request = options(&self.config, &flow, rng);
                    out.push(LineOutput::Ask { job: Job::Probe(of), flow, request });
                }
            }
        }
    }

    /// Tells the trunk's state if it has changed.
    fn assess(&mut self, now: Instant, out: &mut Vec<LineOutput>) {
        let (state, why) = self.assessed();
        if state == self.state {
            return;
        }
        (self.state, self.why, self.since) = (state, why.clone(), now);
        out.push(LineOutput::State { state, why });
    }

    fn assessed(&self) -> (TrunkState, String) {
        let registration = self.registration.as_ref().map(Registration::status);
        if let Some(Status::Unregistered { why }) = registration {
            return (TrunkState::Unregistered, why.clone());
        }
        if self.servers.is_empty() {
            let state = match self.state {
                TrunkState::Starting if self.locating.is_some() || self.locate_at == self.since => {
                    TrunkState::Starting
                }
                _ => TrunkState::Unresolved,
            };
            return (state, String::new());
        }
        if !self.servers.iter().any(Server::is_up) {
            return (TrunkState::Down, "no server answers".to_owned());
        }
        match registration {
            Some(Status::Trying) => (self.state, self.why.clone()),
            _ => (TrunkState::Up, String::new()),
        }
    }
}

impl Server {
    fn is_up(&self) -> bool {
        self.probe.as_ref().is_none_or(Probe::is_up)
    }
}

fn key(flow: &Flow) -> ServerKey {
    (flow.transport, flow.remote)
}

/// How its servers are asked; none if they are not.
fn pace(config: &Trunk) -> Option<Pace> {
    (!config.qualify_every.is_zero()).then_some(Pace {
        every: config.qualify_every,
        failures: config.qualify_failures,
        successes: config.qualify_successes,
    })
}

/// What we register there; none if the trunk does not want that.
fn account(config: &Trunk) -> Option<Account> {
    let (host, user) = (config.host.as_ref()?, config.username.as_deref()?);
    config.register.then(|| Account {
        registrar: format!("sip:{}", host.host),
        aor: format!("sip:{user}@{}", host.host),
        login: login(config).unwrap_or_else(|| Login::new(user, "", None)),
        expires: config.register_expires,
    })
}

/// What we answer the trunk's challenges with; none if it has no user name for us.
pub fn login(config: &Trunk) -> Option<Login> {
    let password = config.password.as_ref().map_or("", |password| password.expose());
    Some(Login::new(config.username.as_deref()?, password, config.realm.as_deref()))
}

/// The question whether a server is there (RFC 3261 §11.1).
fn options(config: &Trunk, flow: &Flow, rng: &mut Rng) -> Request {
    let host = config.host.as_ref().map_or_else(String::new, |host| host.host.clone());
    let user = config.username.as_deref().unwrap_or("ping");
    Request::build(Method::Options, &format!("sip:{host}"))
        .header(Name::From, format_args!("<sip:{user}@{host}>;tag={}", rng.token(8)))
        .header(Name::To, format_args!("<sip:{host}>"))
        .header(Name::CallId, rng.token(16))
        .header(Name::CSeq, "1 OPTIONS")
        .header(Name::Contact, flow.contact())
        .header(Name::Accept, "application/sdp")
        .request()
}

/// Calls that may begin: so many a second, and as many at once.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: u32,
    /// In millionths of a call.
    level: u64,
    at: Instant,
}

impl Bucket {
    fn full(now: Instant, rate: u32) -> Self {
        Self { rate, level: u64::from(rate) * CALL, at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let gained = gained.saturating_mul(self.rate.into());
        self.level = self.level.saturating_add(gained).min(u64::from(self.rate) * CALL);
        self.at = now;
        let has = self.level >= CALL;
        if has {
            self.level -= CALL;
        }
        has
    }
}

/// One call in a bucket.
const CALL: u64 = 1_000_000;
/// Servers of one trunk that are known; further ones are left out.
const SERVERS_MAX: usize = 16;
/// How often the servers are looked for.
const LOCATE_EVERY: Duration = Duration::from_secs(60);
/// How soon again if nothing was found.
const LOCATE_AGAIN: Duration = Duration::from_secs(10);
/// How long that may last.
const LOCATE_WAIT_MAX: Duration = Duration::from_secs(12);
