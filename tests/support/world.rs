//! A whole site in virtual time: one Switch, its phones, its media, a network between them.
//!
//! Nothing here waits: `run` moves the time to whatever happens next. The phones speak SIP as bytes
//! over a network that can lose, copy and reorder them, from a seed.

#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

#[path = "world/ladder.rs"]
pub mod ladder;
#[path = "world/names.rs"]
pub mod names;
#[path = "world/phone.rs"]
pub mod phone;
#[path = "world/studio.rs"]
pub mod studio;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use ladder::Ladder;
use names::Names;
use phone::{Phone, Provider, Stage};
use strowger::acd::Acd;
use strowger::cdr::entry::{AgentState, Entry, Fact};
use strowger::config::{self, Config};
use strowger::id::CallId;
use strowger::media::control::{Event, Port};
use strowger::rng::Rng;
use strowger::sip::digest::Auth;
use strowger::sip::flow::{ConnectionId, Flow, Transport};
use strowger::sip::locate::{Answer, Locator, QuestionId};
use strowger::sip::message::Message;
use strowger::sip::registrar::Registrar;
use strowger::sip::transaction::Table;
use strowger::switch::request::{AgentChange, AgentView, NodeStatus, Reply, Request, TrunkView};
use strowger::switch::{AskId, Input, Output, Parts, Switch};
use strowger::time::{Duration, Epoch, Instant, Wall};
use studio::{Heard, Studio};

/// What the network does to datagrams, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub lost: u32,
    pub copied: u32,
    /// The longest delay; each datagram has its own, so that they overtake each other.
    pub delay_ms: u32,
}

/// A site, and everything that happened in it.
#[derive(Debug)]
pub struct World {
    pub now: Instant,
    pub switch: Switch,
    pub phones: BTreeMap<String, Phone>,
    pub studio: Studio,
    pub entries: Vec<Entry>,
    pub store: BTreeMap<String, String>,
    pub weather: Weather,
    /// The DNS.
    pub names: Names,
    /// Phones may hang up before their own re-INVITE is answered. If that answer is lost it is not
    /// sent again, since the dialog is over, and the phone's transaction waits for it.
    pub hasty_phones: bool,
    /// Whether the ledger never says that something is durable.
    pub deaf_ledger: bool,
    pub ladder: Ladder,
    /// Messages that the switch has sent.
    pub sent: Vec<Message>,
    config: Config,
    rng: Rng,
    coming: BTreeMap<(Instant, u64), Coming>,
    count: u64,
}

#[derive(Clone, Debug)]
enum Coming {
    ToPhone(SocketAddr, Message),
    ToSwitch(SocketAddr, Message),
    Media(Event),
    Name(QuestionId, Answer),
    Synced(CallId),
}

impl World {
    /// A site of this configuration, whose phones (one for each account) are registered.
    pub fn new(toml: &str) -> Self {
        Self::with_ports(toml, PORTS)
    }

    /// The same with this many media ports.
    pub fn with_ports(toml: &str, ports: u16) -> Self {
        let config = config::parse("site.toml", toml).expect("the test's configuration is right");
        let mut world = Self::empty(config, ports);
        let accounts: Vec<String> =
            world.config.extensions.keys().map(ToString::to_string).collect();
        for account in accounts {
            world.add_phone(&account);
            world.register(&account);
        }
        world
    }

    /// A site without phones, with this many media ports.
    pub fn empty(config: Config, ports: u16) -> Self {
        let now = Instant::from_micros(1_000_000);
        let mut rng = Rng::from_number(1);
        let switch = start(&config, now, &mut rng);
        let mut world = Self {
            now,
            switch,
            phones: BTreeMap::new(),
            studio: Studio::default(),
            entries: Vec::new(),
            store: BTreeMap::new(),
            weather: Weather::default(),
            names: Names::new(SWITCH),
            hasty_phones: false,
            deaf_ledger: false,
            ladder: Ladder::default(),
            sent: Vec::new(),
            config,
            rng,
            coming: BTreeMap::new(),
            count: 0,
        };
        world.spare_ports(ports);
        world
    }

    /// Puts a phone on a desk; its name is the account, with a letter for a second phone.
    pub fn add_phone(&mut self, name: &str) {
        let account = name.trim_end_matches(char::is_alphabetic);
        let place = u8::try_from(self.phones.len()).expect("few phones");
        let address = SocketAddr::from(([198, 51, 100, 10 + place], 5060));
        let account = self.config.extensions.get(account).expect("the site has the account");
        let password = account.password.as_ref().map_or("", |password| password.expose());
        let phone = Phone::new(name, password, (address, SWITCH));
        self.ladder.add(name);
        self.phones.insert(name.to_owned(), phone);
    }

    /// Opens a trunk's other side at 203.0.113.`place`.
    pub fn add_provider(&mut self, name: &str, place: u8) {
        let address = SocketAddr::from(([203, 0, 113, place], 5060));
        let mut phone = Phone::new(name, "", (address, SWITCH));
        phone.account = name.to_owned();
        phone.provider = Some(Provider::default());
        self.ladder.add(name);
        self.phones.insert(name.to_owned(), phone);
    }

    /// The provider with this name.
    ///
    /// # Panics
    ///
    /// If that is none.
    pub fn provider(&mut self, name: &str) -> &mut Provider {
        let phone = self.phones.get_mut(name).expect("the provider exists");
        phone.provider.as_mut().expect("it is a provider")
    }

    /// Our Contact at a provider, once it is registered there.
    pub fn provider_contact(&self, name: &str) -> Option<String> {
        self.phone(name).provider.as_ref()?.contact()
    }

    /// Calls the site over a trunk, for somebody outside.
    pub fn call_in(&mut self, provider: &str, from: &str, to: &str) {
        let uri = format!("sip:{to}@192.0.2.1");
        self.act(provider, |phone, now| phone.call(now, (&uri, from, to)));
    }

    /// The trunk with this name.
    pub fn trunk(&mut self, id: &str) -> TrunkView {
        let Reply::Trunks(trunks) = self.ask(Request::Trunks) else { panic!("asked for trunks") };
        let trunk = trunks.into_iter().find(|trunk| trunk.trunk.as_str() == id);
        trunk.expect("the trunk exists")
    }

    /// Registers a phone, and waits until it is.
    pub fn register(&mut self, name: &str) {
        self.act(name, |phone, now| phone.register(now, 3600));
        self.until("the phone is registered", |world| world.phone(name).registered == Some(200));
    }

    /// The phone with this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn phone(&self, name: &str) -> &Phone {
        self.phones.get(name).unwrap_or_else(|| panic!("there is no phone {name}"))
    }

    /// Sets how a phone is, without anything happening.
    pub fn set(&mut self, name: &str, change: impl FnOnce(&mut Phone)) {
        change(self.phones.get_mut(name).expect("the phone exists"));
    }

    /// Lets a phone do something; what it sends is under way.
    pub fn act(&mut self, name: &str, act: impl FnOnce(&mut Phone, Instant)) {
        let now = self.now;
        act(self.phones.get_mut(name).expect("the phone exists"), now);
        self.flush(name);
    }

    pub fn dial(&mut self, from: &str, to: &str) {
        self.act(from, |phone, now| {
            let offer = phone.next_sdp();
            phone.dial(now, to, &offer);
        });
    }

    pub fn answer(&mut self, name: &str) {
        self.act(name, Phone::answer);
    }

    pub fn hang_up(&mut self, name: &str) {
        self.act(name, Phone::hang_up);
    }

    pub fn cancel(&mut self, name: &str) {
        self.act(name, Phone::cancel);
    }

    /// Presses a key of a phone that the switch has answered.
    pub fn press(&mut self, name: &str, digit: char) {
        let remote = self.phone(name).rtp();
        let leg = self.studio.leg_at(remote).expect("the phone is connected");
        let event = Event::Digit { leg, digit };
        self.ladder.media(self.now, &event);
        self.input(Input::Media(event));
    }

    /// What a phone hears at this moment.
    pub fn hears(&self, name: &str) -> Heard {
        self.hears_at(self.phone(name).rtp())
    }

    /// What a phone hears in one of its calls.
    pub fn hears_on(&self, name: &str, line: usize) -> Heard {
        self.hears_at(self.phone(name).rtp_of(line))
    }

    fn hears_at(&self, place: SocketAddr) -> Heard {
        match self.studio.heard_at(place) {
            Err(prompts) => Heard::Prompts(prompts),
            Ok(remotes) => {
                let phone_at = |remote: &SocketAddr| {
                    let mut phones = self.phones.values();
                    let who = phones.find(|phone| phone.address.ip() == remote.ip());
                    who.expect("audio comes from a phone").name.clone()
                };
                let mut names: Vec<String> = remotes.iter().map(phone_at).collect();
                names.sort_unstable();
                match &names[..] {
                    [] => Heard::Nothing,
                    [name] => Heard::Phone(name.clone()),
                    _ => Heard::Phones(names),
                }
            }
        }
    }

    pub fn hears_prompt(&self, name: &str, prompt: &str) -> bool {
        matches!(self.hears(name), Heard::Prompts(prompts) if prompts.iter().any(|p| p == prompt))
    }

    /// Whether both hear each other.
    pub fn talk(&self, one: &str, other: &str) -> bool {
        self.hears(one) == Heard::Phone(other.into())
            && self.hears(other) == Heard::Phone(one.into())
    }

    pub fn stage(&self, name: &str) -> Stage {
        self.phone(name).line().stage
    }

    /// Whether the phone was called and rings.
    pub fn rings(&self, name: &str) -> bool {
        self.phone(name).lines.last().is_some_and(|line| line.stage == Stage::Rung)
    }

    /// What one of the phone's lamps shows: see `Lamp::shows`.
    pub fn shows(&self, name: &str, lamp: usize) -> String {
        self.phone(name).lamps[lamp].shows()
    }

    /// The final status of the phone's last call.
    pub fn status_of(&self, name: &str) -> u16 {
        *self.phone(name).line().statuses.last().expect("the phone's call was answered")
    }

    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.entries.iter().map(|entry| &entry.fact)
    }

    pub fn has(&self, is: impl Fn(&Fact) -> bool) -> bool {
        self.facts().any(is)
    }

    /// How each call ended: status and reason.
    pub fn ends(&self) -> Vec<(u16, String)> {
        let ends = self.facts().filter_map(|fact| match fact {
            Fact::Ended { status, reason, .. } => Some((*status, reason.clone())),
            _ => None,
        });
        ends.collect()
    }

    /// Asks the Switch.
    pub fn ask(&mut self, request: Request) -> Reply {
        let mut out = Vec::new();
        self.switch.handle(self.now, Input::Ask { id: AskId(1), request }, &mut out);
        let at = out.iter().position(|output| matches!(output, Output::Answer { .. }));
        let answer = out.remove(at.expect("every question is answered"));
        self.carry_out(out);
        match answer {
            Output::Answer { reply, .. } => reply,
            _ => unreachable!("it is an answer"),
        }
    }

    pub fn node(&mut self) -> NodeStatus {
        match self.ask(Request::Status) {
            Reply::Status(status) => status,
            other => panic!("asked for the status, got {other:?}"),
        }
    }

    pub fn agent(&mut self, id: &str) -> AgentState {
        self.agent_view(id).state
    }

    pub fn agent_view(&mut self, id: &str) -> AgentView {
        match self.ask(Request::Agent(id.into())) {
            Reply::Agent(view) => view,
            other => panic!("asked for an agent, got {other:?}"),
        }
    }

    /// A supervisor orders a change of an agent's state.
    pub fn order(&mut self, agent: &str, change: AgentChange) -> Reply {
        let by = "boss".to_owned();
        let reply = self.ask(Request::ChangeAgent { agent: agent.into(), change, by });
        self.input(Input::Tick);
        reply
    }

    /// Lets `time` pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Lets everything that is under way arrive, however often it must be sent.
    pub fn settle(&mut self) {
        self.run(Duration::from_secs(if self.weather.lost > 0 { 20 } else { 1 }));
    }

    /// Lets time pass until something is so.
    ///
    /// # Panics
    ///
    /// If it is not so within two minutes.
    pub fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(120);
        while !is(self) {
            let next = self.next();
            assert!(next.is_some_and(|at| at <= end), "never: {what}\n{}", self.ladder);
            self.step();
        }
    }

    /// Gives the Switch an input at this moment.
    pub fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.switch.handle(self.now, input, &mut out);
        self.carry_out(out);
    }

    /// Gives the Switch a new configuration.
    pub fn reload(&mut self, toml: &str) {
        self.config = config::parse("site.toml", toml).expect("the new configuration is right");
        let (plan, secrets) = (self.config.plan(2), self.config.secrets());
        self.input(Input::Plan(Box::new(plan), secrets));
    }

    /// The process dies and starts again: what was stored is all that is left.
    pub fn restart(&mut self) {
        self.studio = Studio::default();
        self.coming
            .retain(|_, coming| matches!(coming, Coming::ToPhone(..) | Coming::ToSwitch(..)));
        self.switch = start(&self.config, self.now, &mut self.rng);
        let kept = self.store.clone().into_iter().collect();
        let mut out = Vec::new();
        self.switch.resume(self.now, kept, &mut out);
        self.carry_out(out);
        self.spare_ports(PORTS);
    }

    /// Waits until every transaction is over, and checks that nothing is left of any call.
    ///
    /// # Panics
    ///
    /// If something is.
    pub fn close(&mut self) {
        let stormy = self.weather.lost > 0;
        self.run(Duration::from_secs(if stormy { 110 } else { 45 }));
        let node = self.node();
        let left = (node.calls, node.legs, node.dialogs, node.transactions, node.ports_taken);
        assert_eq!(left, (0, 0, 0, 0, 0), "calls, legs, dialogs, …\n{}", self.ladder);
        assert!(self.switch.is_idle());
        assert!(self.studio.is_dead || self.studio.legs.is_empty(), "{:?}", self.studio.legs);
        assert!(!self.store.keys().any(|key| key.starts_with("dialogs/")), "{:?}", self.store);
        for phone in self.phones.values() {
            let quiet = self.hasty_phones || phone.is_quiet();
            assert!(quiet, "phone {} is not done\n{}", phone.name, self.ladder);
            let all_over = phone.lines.iter().all(|line| line.stage == Stage::Over);
            assert!(all_over, "phone {} has a call\n{}", phone.name, self.ladder);
        }
        self.check_books();
    }

    /// Every call has one beginning and one end, every offer and talk too.
    fn check_books(&self) {
        let mut counts: BTreeMap<CallId, [i32; 8]> = BTreeMap::new();
        for entry in &self.entries {
            let Some(call) = entry.call else { continue };
            if matches!(entry.fact, Fact::Callback(_)) {
                continue; // it may outlive the process in which the call was
            }
            let count = counts.entry(call).or_default();
            match &entry.fact {
                Fact::Setup { .. } => count[0] += 1,
                Fact::Ended { .. } => count[1] += 1,
                Fact::Attempt { .. } | Fact::Offered { .. } => count[2] += 1,
                Fact::AttemptEnded { .. } | Fact::OfferEnded { .. } => count[2] -= 1,
                Fact::TalkBegan { .. } => count[3] += 1,
                Fact::TalkEnded { .. } => count[3] -= 1,
                Fact::Transferred { .. } => count[5] += 1,
                Fact::TransferEnded { .. } => count[5] -= 1,
                Fact::HoldBegan { .. } => count[7] += 1,
                Fact::HoldEnded { .. } => count[7] -= 1,
                Fact::Parked { .. } => count[6] += 1,
                Fact::Unparked { .. } => count[6] -= 1,
                Fact::Queued { .. } => count[4] += 1,
                Fact::QueueLeft { .. } => count[4] -= 1,
                _ => {}
            }
        }
        for (call, count) in counts {
            assert_eq!(count, [1, 1, 0, 0, 0, 0, 0, 0], "call {call}:\n{}", self.ladder);
        }
    }

    fn next(&self) -> Option<Instant> {
        let phones = self.phones.values().filter_map(Phone::next_tick);
        let coming = self.coming.first_key_value().map(|((at, _), _)| *at);
        phones.chain(coming).chain(self.switch.next_tick()).min()
    }

    /// Does whatever is next.
    pub fn step(&mut self) {
        let Some(at) = self.next() else { return };
        self.now = self.now.max(at);
        if self.coming.first_key_value().is_some_and(|((at, _), _)| *at <= self.now)
            && let Some((_, coming)) = self.coming.pop_first()
        {
            self.come(coming);
            return;
        }
        if self.switch.next_tick().is_some_and(|at| at <= self.now) {
            self.input(Input::Tick);
        }
        let names: Vec<String> = self.phones.keys().cloned().collect();
        for name in names {
            if self.phone(&name).next_tick().is_some_and(|at| at <= self.now) {
                self.act(&name, Phone::tick);
            }
        }
    }

    fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Media(event) => {
                if self.studio.is_true(&event) {
                    self.ladder.media(self.now, &event);
                    self.input(Input::Media(event));
                }
            }
            Coming::Name(id, answer) => self.input(Input::Resolved { id, answer }),
            Coming::Synced(call) => self.input(Input::Synced(call)),
            Coming::ToPhone(address, message) => {
                let phone = self.phones.values().find(|phone| phone.address == address);
                let name = phone.map(|phone| phone.name.clone());
                if let Some(name) = name {
                    self.act(&name, |phone, now| phone.receive(now, message));
                }
            }
            Coming::ToSwitch(remote, message) => {
                let phone = self.phones.values().find(|phone| phone.address == remote);
                let (transport, connection) =
                    phone.map_or((Transport::Udp, ConnectionId::default()), Phone::carrier);
                let flow = Flow { transport, local: SWITCH, remote, connection };
                let name = phone.map(|phone| phone.name.clone()).unwrap_or_default();
                self.ladder.received(self.now, &name, &message);
                self.input(Input::Message { flow, message });
            }
        }
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Answer { .. } | Output::Changed(_) => {}
                Output::Entry(entry) => {
                    self.ladder.fact(self.now, &entry.fact);
                    self.entries.push(as_kept(&entry));
                }
                Output::Media(thread, command) => {
                    self.ladder.order(self.now, &command);
                    for (wait, event) in self.studio.order(thread, &command) {
                        self.come_in(wait, Coming::Media(event));
                    }
                }
                Output::Resolve { id, question } => {
                    let answer = self.names.answer(&question);
                    self.come_in(NAME_DELAY, Coming::Name(id, answer));
                }
                Output::Send { flow, message } => {
                    let phone = self.phones.values().find(|phone| phone.address == flow.remote);
                    let name = phone.map(|phone| phone.name.clone()).unwrap_or_default();
                    self.ladder.sent(self.now, &name, &message);
                    self.sent.push(message.clone());
                    self.post(Coming::ToPhone(flow.remote, message));
                }
                Output::Sync(_) if self.deaf_ledger => {}
                Output::Sync(call) => self.come_in(LEDGER_DELAY, Coming::Synced(call)),
                Output::Store { key, value: Some(value) } => _ = self.store.insert(key, value),
                Output::Store { key, value: None } => _ = self.store.remove(&key),
            }
        }
    }

    fn flush(&mut self, name: &str) {
        let Some(phone) = self.phones.get_mut(name) else { return };
        let address = phone.address;
        for message in phone.take() {
            self.post(Coming::ToSwitch(address, message));
        }
    }

    /// Puts a datagram into the network, as bytes.
    fn post(&mut self, coming: Coming) {
        let read = |message: &Message| {
            Message::parse(message.bytes().clone()).expect("both sides write what can be read")
        };
        let coming = match coming {
            Coming::ToPhone(to, message) => Coming::ToPhone(to, read(&message)),
            Coming::ToSwitch(from, message) => Coming::ToSwitch(from, read(&message)),
            other @ (Coming::Media(_) | Coming::Name(..) | Coming::Synced(_)) => other,
        };
        let Weather { lost, copied, delay_ms } = self.weather;
        let copies = if self.rng.below(100) < copied { 2 } else { 1 };
        for _ in 0..copies {
            let wait = 1 + if delay_ms > 0 { self.rng.below(delay_ms) } else { 0 };
            if self.rng.below(100) >= lost {
                self.come_in(Duration::from_millis(wait.into()), coming.clone());
            }
        }
    }

    fn come_in(&mut self, wait: Duration, coming: Coming) {
        self.count += 1;
        self.coming.insert((self.now + wait, self.count), coming);
    }

    /// Further calls get ports of another media thread.
    pub fn use_another_media_thread(&mut self) {
        for number in 0..3 * PORTS {
            let port = Port { rtp: 24_000 + 2 * number, thread: 1 };
            self.input(Input::Media(Event::Spare { port }));
        }
    }

    fn spare_ports(&mut self, count: u16) {
        for number in 0..count {
            let port = Port { rtp: 20_000 + 2 * number, thread: 0 };
            self.input(Input::Media(Event::Spare { port }));
        }
    }
}

/// An entry as the ledger gives it back.
fn as_kept(entry: &Entry) -> Entry {
    let row = serde_json::to_string(entry).expect("an entry can be written");
    let kept: Entry = serde_json::from_str(&row).unwrap_or_else(|e| panic!("{e} in {row}"));
    assert_eq!(&kept, entry, "{row}");
    kept
}

fn start(config: &Config, now: Instant, rng: &mut Rng) -> Switch {
    let parts = Parts {
        acd: Arc::new(Acd::explaining()),
        auth: Auth::new(config.sip.realm(), &config.digest(), rng),
        locator: Locator::new(config.sip.reaches()),
        name: config.node.name.clone(),
        node: config.node.id(),
        registrar: Registrar::new(config.registrar()),
        rng: Rng::from_number(rng.u64()),
        settings: config.settings(EPOCH, PathBuf::from("recordings")),
        transactions: Table::new(0, config.sip.transactions_max),
    };
    Switch::new(now, parts, config.plan(1), config.secrets())
}

/// Runs a flow in good weather, then in storms that each seed makes anew.
pub fn in_all_weathers(toml: &str, flow: impl Fn(&mut World)) {
    for seed in 0..=STORMS {
        let mut world = World::new(toml);
        if seed > 0 {
            world.rng = Rng::from_number(seed);
            world.weather = Weather { lost: 15, copied: 15, delay_ms: 120 };
        }
        flow(&mut world);
        world.close();
    }
}

/// Seeds of bad weather.
const STORMS: u64 = 8;

const SWITCH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);

/// 2026-11-23 09:00:00 UTC, a Monday.
pub const EPOCH: Epoch = Epoch(Wall::from_micros(1_795_424_400_000_000));

/// How long a commit of the ledger takes.
const LEDGER_DELAY: Duration = Duration::from_millis(20);
/// How long the DNS takes.
const NAME_DELAY: Duration = Duration::from_millis(20);

/// Ports of a site, unless a test says otherwise.
const PORTS: u16 = 20;
