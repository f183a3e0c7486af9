//! The whole ACD under real threads: everything at once, as fast as it goes, then what must hold.
//!
//! loom shows the protocol in every interleaving of a few steps; this runs the whole core, with its
//! lines, slots and deadlines, through millions of them by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use strowger::acd::config::{Absence, Agent, Config, Queue, Strategy};
use strowger::acd::{
    Acd, AgentSnapshot, Ask, Change, Favourite, LastBreak, Outcome, Output, State,
};
use strowger::id::{AgentId, CallId, QueueId};
use strowger::rng::Rng;
use strowger::time::{Duration, Instant};

#[test]
fn pain_08_agents_of_many_queues_block_nobody() {
    for round in 0..ROUNDS {
        let world = World::new();
        thread::scope(|scope| {
            for number in 0..THREADS {
                let world = &world;
                scope.spawn(move || world.works(Rng::from_number(round * THREADS + number)));
            }
        });
        world.holds();
        world.goes_home();
    }
}

/// The queue keeps its last one; each of its two agents wants a break in a thread of his own.
#[test]
fn of_two_who_want_a_break_at_once_one_stays() {
    for _ in 0..300 {
        let (acd, now, mut out) = (Acd::new(), Instant::from_micros(1_000_000), vec![]);
        let members = vec![id(0), id(1)];
        let queue = Queue { members, last_break: Some(LastBreak::Delay), ..Queue::default() };
        let agents = [0, 1].map(|agent| (id(agent), Agent::default())).into();
        let config = Config { agents, queues: [("q".into(), queue)].into(), ..Config::default() };
        acd.configure(now, &config, &mut out);
        for agent in [id(0), id(1)] {
            let extension = agent.as_str().into();
            acd.change(now, &agent, Change::Reachable(true), &mut out).expect("known");
            acd.change(now, &agent, Change::Login { extension }, &mut out).expect("free");
        }
        thread::scope(|scope| {
            for agent in [0, 1].map(id) {
                let (acd, away) = (&acd, Change::Away { reason: "tea".into() });
                scope.spawn(move || acd.change(now, &agent, away, &mut vec![]));
            }
        });
        let states = acd.agents().into_iter().map(|agent| agent.state);
        assert_eq!(states.filter(|state| *state == State::Away).count(), 1);
    }
}

/// Nobody hangs up or is late, so whoever is rung can answer, whichever thread is handed the offer.
#[test]
fn every_offer_can_be_answered() {
    let (acd, clock) = (Acd::new(), AtomicU64::new(1));
    let now = || Instant::from_micros(clock.fetch_add(1, Ordering::Relaxed));
    let members: Vec<_> = (0..AGENTS).map(id).collect();
    let agents = members.iter().map(|agent| (agent.clone(), Agent::default())).collect();
    let queue = Queue { members: members.clone(), wrap_up: None, ..Queue::default() };
    let config = Config { agents, queues: [("q".into(), queue)].into(), ..Config::default() };
    acd.configure(now(), &config, &mut vec![]);
    for agent in &members {
        let extension = agent.as_str().into();
        acd.change(now(), agent, Change::Reachable(true), &mut vec![]).expect("known");
        acd.change(now(), agent, Change::Login { extension }, &mut vec![]).expect("free");
    }
    let answers = |out: &mut Vec<Output>| {
        while let Some(output) = out.pop() {
            if let Output::Offer { call, agent, .. } = output {
                assert!(acd.offer_ended(now(), call, &agent, Outcome::Answered, out), "{call:?}");
                acd.call_ended(now(), call, &agent, out);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut out = vec![];
                for _ in 0..OFFERS {
                    let entered = now();
                    let call = CallId::from_u64(entered.as_micros());
                    let ask = Ask { entered, ..Ask::default() };
                    acd.enter(entered, call, &"q".into(), ask, &mut out).expect("there is room");
                    answers(&mut out);
                }
            });
        }
    });
    assert_eq!(acd.queues()[0].callers, []);
}

const ROUNDS: u64 = 8;
const OFFERS: u32 = 10_000;
const THREADS: u64 = 4;
/// How long a phone rings.
const RING: Duration = Duration::from_secs(5);
/// By how much the clocks of two threads may differ that have to do with one agent.
const LATE: Duration = Duration::from_secs(5);
/// How long an agent is held for who is called first.
const HOLD: Duration = Duration::from_secs(600);
const STEPS: u32 = 1_500;
const AGENTS: u32 = 6;
const QUEUES: u32 = 4;
const PROGRESSIVE: Strategy = Strategy::RingProgressively;

struct World {
    acd: Acd,
    configs: [Config; 2],
    clock: AtomicU64,
}

impl World {
    fn new() -> Self {
        let configs = [0, 1].map(config);
        let acd = Acd::new();
        acd.configure(Instant::START, &configs[0], &mut vec![]);
        Self { acd, configs, clock: AtomicU64::new(1_000_000) }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.clock.fetch_add(50_000, Ordering::Relaxed))
    }

    /// One thread: its callers, its agents' whims, and the phones of the offers it is handed.
    fn works(&self, mut rng: Rng) {
        let mut mine: BTreeSet<CallId> = BTreeSet::new();
        let mut called: BTreeSet<CallId> = BTreeSet::new();
        let mut ringing: Vec<(CallId, AgentId)> = vec![];
        let mut talking: Vec<(CallId, AgentId)> = vec![];
        let mut out = vec![];
        for _ in 0..STEPS {
            let now = self.now();
            let agent = id(rng.below(AGENTS));
            match rng.below(18) {
                0..=3 => {
                    if let Some((call, is_called)) = self.enters(&mut rng, now, &mut out) {
                        mine.insert(call);
                        called.extend(is_called.then_some(call));
                    }
                }
                17 => {
                    if let Some(call) = called.pop_first() {
                        self.acd.confirmed(now, call, &mut out);
                    }
                }
                4 => {
                    if let Some(call) = mine.pop_first() {
                        self.acd.leave(now, call, &mut out);
                    }
                }
                5..=8 => {
                    if let Some((call, agent)) = ringing.pop() {
                        let outcome = match rng.below(6) {
                            0 => Outcome::Rejected,
                            1 => Outcome::NoAnswer,
                            _ => Outcome::Answered,
                        };
                        let his = self.acd.offer_ended(now, call, &agent, outcome, &mut out);
                        if his && outcome == Outcome::Answered {
                            talking.push((call, agent));
                        }
                    }
                }
                9..=10 => {
                    if let Some((call, agent)) = talking.pop() {
                        self.acd.call_ended(now, call, &agent, &mut out);
                    }
                }
                11 => self.acd.tick(now, &mut out),
                12 if rng.below(20) == 0 => {
                    let config = &self.configs[rng.below(2) as usize];
                    self.acd.configure(now, config, &mut out);
                }
                16 => self.moves(&mut rng, now, &mine, &mut out),
                what => {
                    let change = whim(&mut rng, what, &agent);
                    let _ = self.acd.change(now, &agent, change, &mut out);
                }
            }
            for output in out.drain(..) {
                if let Output::Offer { call, agent, .. } = output {
                    ringing.push((call, agent));
                }
            }
        }
        for (call, agent) in talking {
            self.acd.call_ended(self.now(), call, &agent, &mut out);
        }
        for call in called {
            self.acd.confirmed(self.now(), call, &mut out);
        }
    }

    /// Somebody comes into a queue: his call, and whether he is called first.
    fn enters(&self, rng: &mut Rng, now: Instant, out: &mut Vec<Output>) -> Option<(CallId, bool)> {
        let call = CallId::from_u64(now.as_micros());
        let queue: QueueId = rng.below(QUEUES).to_string().as_str().into();
        let ask = asks(rng, now);
        let is_called = ask.called_first.is_some();
        let entered = self.acd.enter(now, call, &queue, ask, out);
        entered.is_ok().then_some((call, is_called))
    }

    /// One of those who wait is moved up.
    fn moves(&self, rng: &mut Rng, now: Instant, mine: &BTreeSet<CallId>, out: &mut Vec<Output>) {
        let some = rng.below(1 + mine.len() as u32) as usize;
        if let Some(call) = mine.iter().nth(some) {
            let credit = Duration::from_secs(u64::from(rng.below(60)));
            self.acd.prioritise(now, *call, credit, out);
        }
    }

    /// With nothing in progress: nobody is lost, nothing is claimed twice or for nobody.
    fn holds(&self) {
        // Nobody waits for one agent alone any more.
        self.acd.tick(self.now() + Duration::from_secs(2), &mut vec![]);
        let agents = self.acd.agents();
        let mut rings: BTreeMap<CallId, u32> = BTreeMap::new();
        for agent in agents.iter().filter(|agent| agent.state == State::Ringing) {
            // Nobody is held any more: all have confirmed.
            let rings_for = agent.until.expect("it ends").since(agent.since);
            assert!(rings_for <= RING + LATE, "{agent:?} rings for {rings_for:?}");
            *rings.entry(agent.call.expect("he rings for somebody")).or_default() += 1;
        }
        for queue in self.acd.queues() {
            let members: BTreeSet<_> = queue.agents.iter().map(|(agent, _)| agent).collect();
            for caller in queue.callers {
                let ringing = rings.remove(&caller.call).unwrap_or(0);
                assert_eq!(caller.offers, ringing, "{:?} in {}", caller.call, queue.queue);
                let free = agents.iter().filter(|a| a.free && members.contains(&a.agent)).count();
                assert!(caller.offers > 0 || free == 0, "{:?} waits in vain", caller.call);
                assert_eq!(self.acd.position(caller.call), Some(caller.position));
            }
        }
        assert_eq!(rings, BTreeMap::new(), "phones ring for nobody");
        self.breaks_hold(&agents);
    }

    /// Whoever's break waits is the only one who is there for one of his queues.
    fn breaks_hold(&self, agents: &[AgentSnapshot]) {
        let held = agents.iter().filter(|agent| agent.break_held);
        for agent in held {
            let lonely = ["0", "1"].iter().any(|queue| {
                let queue = QueueId::from(*queue);
                let serves = |agent: &AgentSnapshot| agent.queues.contains(&queue);
                let is_there = |other: &AgentSnapshot| {
                    !matches!(other.state, State::LoggedOut | State::Away)
                        && other.reachable
                        && !other.busy_elsewhere
                        && (other.then.is_none() || other.break_held)
                };
                let mut others = agents.iter().filter(|other| other.agent != agent.agent);
                serves(agent) && !others.any(|it| serves(it) && is_there(it))
            });
            assert!(lonely, "{agent:?} could go");
        }
    }

    /// Everyone leaves: no deadline, no caller, no seat is left over.
    fn goes_home(&self) {
        let mut out = vec![];
        for agent in 0..AGENTS {
            self.acd.change(self.now(), &id(agent), Change::Logout, &mut out).expect("known");
        }
        let end = self.now() + Duration::from_secs(100_000);
        self.acd.tick(end, &mut out);
        self.acd.tick(end, &mut out);
        assert_eq!(self.acd.next_tick(), None);
        for queue in self.acd.queues() {
            assert_eq!(queue.callers, [], "{}", queue.queue);
        }
        let login = Change::Login { extension: "seat-0".into() };
        self.acd.change(end, &id(5), login, &mut out).expect("the seat is free");
        for agent in self.acd.agents() {
            assert_eq!(agent.state == State::LoggedOut, agent.agent != id(5), "{agent:?}");
        }
    }
}

/// How somebody comes into a queue: one of four waits for an agent, one of four is called first.
fn asks(rng: &mut Rng, now: Instant) -> Ask {
    let mut ask = Ask { entered: now, ..Ask::default() };
    match rng.below(4) {
        0 => {
            let (wait, outsider) = (Duration::from_secs(1), true);
            ask.favourite = Some(Favourite { agent: id(rng.below(AGENTS)), wait, outsider });
        }
        1 => ask.called_first = Some(HOLD),
        _ => {}
    }
    ask
}

/// What comes into an agent's mind; `what` is from 13 on.
fn whim(rng: &mut Rng, what: u32, agent: &AgentId) -> Change {
    let extension = format!("seat-{agent}").as_str().into();
    match (what, rng.below(5)) {
        (13, 0) => Change::Logout,
        (13, 1) => Change::Away { reason: "break".into() },
        (13, 2) => Change::Reachable(false),
        (13, 3) => Change::BusyElsewhere(true),
        (_, 0 | 1) => Change::Login { extension },
        (_, 2) => Change::Reachable(true),
        (_, 3) => Change::BusyElsewhere(false),
        _ => Change::Available,
    }
}

fn config(variant: u32) -> Config {
    let mut config = Config::default();
    config.acd.ring_timeout = RING;
    config.acd.refusal_pause = Duration::from_millis(500);
    config.acd.wrap_up = Duration::from_millis(200);
    config.agents = (0..AGENTS).map(|agent| (id(agent), Agent::default())).collect();
    for (number, strategy) in
        (0..).zip([Strategy::MostIdle, Strategy::RingAll, Strategy::RoundRobin, PROGRESSIVE])
    {
        let members: Vec<_> =
            (0..4).map(|member| id((number * 2 + member + variant) % AGENTS)).collect();
        let mut queue = Queue { strategy, members, callers_max: Some(20), ..Queue::default() };
        queue.weight = Some(1 + number as u8);
        queue.ring_next = Some(Duration::from_millis(500));
        queue.tiers = [(queue.members[1].clone(), 2), (queue.members[3].clone(), 3)].into();
        config.queues.insert(number.to_string().as_str().into(), queue);
    }
    config.queues.get_mut("0").expect("inserted").last_break = Some(LastBreak::Delay);
    config.queues.get_mut("1").expect("inserted").last_break = Some(LastBreak::Refuse);
    config.queues.get_mut("2").expect("inserted").on_empty =
        Some("hangup:480".parse().expect("a target"));
    config.queues.get_mut("3").expect("inserted").on_empty =
        Some("hangup:480".parse().expect("a target"));
    config.queues.get_mut("3").expect("inserted").empty_leave = [Absence::Away].into();
    config
}

fn id(agent: u32) -> AgentId {
    agent.to_string().as_str().into()
}
