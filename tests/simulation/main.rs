//! Seeded days of a call centre in virtual time: 50 agents, 8 queues, 5,000 calls, and after every
//! single event everything that the ACD promises.
//!
//! The world keeps its own books from what it did and what came out, and compares them with the
//! ACD's. A seed that fails is added to `days`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use strowger::acd::config::{Agent, Config, Queue, Strategy, Widen};
use strowger::acd::{Acd, Ask, Change, Outcome, Output, Refusal, State};
use strowger::id::{AgentId, CallId, QueueId, SkillId};
use strowger::rng::Rng;
use strowger::time::{Duration, Instant};

#[test]
fn days() {
    for seed in [1, 2] {
        let books = World::new(seed).day();

        assert_eq!(books.arrived, CALLS, "seed {seed}");
        let ends = books.answered + books.abandoned + books.timed_out + books.emptied;
        assert_eq!(books.arrived, ends + books.refused, "seed {seed}: {books:?}");
        for (what, count) in [
            ("answered", books.answered),
            ("abandoned", books.abandoned),
            ("timed out", books.timed_out),
            ("emptied or refused", books.emptied + books.refused),
            ("missed", books.missed),
            ("lost the race", books.lost),
        ] {
            assert!(count > 0, "seed {seed}: a day on which nothing {what} proves little");
        }
    }
}

/// The same seed gives the same day, to the last output.
#[test]
fn a_day_can_be_repeated() {
    let (one, two) = (World::new(3).day(), World::new(3).day());

    assert_eq!(one, two);
}

const CALLS: u32 = 5_000;
const AGENTS: u32 = 50;
const DAY: u64 = 10 * 3600;

/// What became of the calls, and a digest of everything that came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Books {
    arrived: u32,
    answered: u32,
    abandoned: u32,
    timed_out: u32,
    emptied: u32,
    refused: u32,
    missed: u32,
    lost: u32,
    digest: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(u64),
    HangsUp(u64),
    Phone(u64, AgentId, Reaction),
    TalkEnds(u64, AgentId),
    Moves(AgentId),
    Reload(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reaction {
    Answers,
    Busy,
    Rejects,
    Unreachable,
}

/// A caller as the world sees him.
#[derive(Clone, Debug)]
struct Waiting {
    queue: QueueId,
    /// Effective arrival in microseconds, and the number.
    place: (i64, u64),
    entered: Instant,
    skills: BTreeMap<SkillId, u8>,
    rung: BTreeSet<AgentId>,
    ever_rung: BTreeSet<AgentId>,
}

struct World {
    acd: Acd,
    config: Config,
    rng: Rng,
    now: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    count: u64,
    waiting: BTreeMap<u64, Waiting>,
    ringing: BTreeMap<AgentId, u64>,
    talking: BTreeMap<AgentId, u64>,
    states: BTreeMap<AgentId, State>,
    unchecked: Vec<Output>,
    books: Books,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            acd: Acd::new(),
            config: config(0),
            rng: Rng::from_number(seed),
            now: Instant::from_micros(1_000_000),
            events: BinaryHeap::new(),
            count: 0,
            waiting: BTreeMap::new(),
            ringing: BTreeMap::new(),
            talking: BTreeMap::new(),
            states: BTreeMap::new(),
            unchecked: vec![],
            books: Books::default(),
        };
        world.acd.configure(world.now, &world.config, &mut world.unchecked);
        for agent in world.config.agents.keys().cloned().collect::<Vec<_>>() {
            world.states.insert(agent.clone(), State::LoggedOut);
            world.apply(&agent, Change::Reachable(true));
            world.in_up_to(1800, Event::Moves(agent));
        }
        for call in 1..=u64::from(CALLS) {
            // Two thirds of the calls in the busy third of the day.
            let busy = world.rng.below(3) > 0;
            let (from, length) = if busy { (DAY / 3, DAY / 3) } else { (0, DAY) };
            let at = from + u64::from(world.rng.below(length as u32));
            world.at(world.now + Duration::from_secs(at), Event::Arrives(call));
        }
        for reload in 1..=20 {
            world.in_up_to(DAY, Event::Reload(reload));
        }
        world
    }

    fn day(mut self) -> Books {
        while let Some(due) = self.next() {
            self.now = self.now.max(due);
            if self.acd.next_tick().is_some_and(|tick| tick <= self.now) {
                self.acd.tick(self.now, &mut self.unchecked);
            } else if let Some(Reverse((_, _, event))) = self.events.pop() {
                self.happens(event);
            }
            self.check();
        }
        assert!(self.waiting.is_empty(), "callers are left: {:?}", self.waiting.keys());
        assert!(self.ringing.is_empty() && self.talking.is_empty());
        self.books
    }

    fn next(&self) -> Option<Instant> {
        let event = self.events.peek().map(|Reverse((at, ..))| *at);
        event.into_iter().chain(self.acd.next_tick()).min()
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    fn in_up_to(&mut self, seconds: u64, event: Event) {
        let wait = u64::from(self.rng.below(1_000_000)) * seconds;
        self.at(self.now + Duration::from_micros(wait), event);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(call) => self.arrives(call),
            Event::HangsUp(call) => {
                if self.waiting.contains_key(&call) {
                    self.acd.leave(self.now, CallId::from_u64(call), &mut self.unchecked);
                    self.settle_outputs();
                    let gone = self.waiting.remove(&call).expect("it waited");
                    assert!(gone.rung.is_empty(), "phones ring for a caller who is gone");
                    self.books.abandoned += 1;
                }
            }
            Event::Phone(call, agent, reaction) => self.reacts(call, &agent, reaction),
            Event::TalkEnds(call, agent) => {
                self.talking.remove(&agent);
                self.acd.call_ended(self.now, CallId::from_u64(call), &agent, &mut self.unchecked);
            }
            Event::Moves(agent) => self.moves(&agent),
            Event::Reload(number) => {
                self.config = config(number);
                self.acd.configure(self.now, &self.config, &mut self.unchecked);
            }
        }
    }

    fn arrives(&mut self, call: u64) {
        self.books.arrived += 1;
        let queues: Vec<_> = self.config.queues.keys().cloned().collect();
        let queue = queues[self.rng.below(queues.len() as u32) as usize].clone();
        let credit = if self.rng.below(10) == 0 { Duration::from_secs(60) } else { Duration::ZERO };
        let skills: BTreeMap<SkillId, u8> = if self.rng.below(10) == 0 {
            [("vpn".into(), 1 + self.rng.below(5) as u8)].into()
        } else {
            BTreeMap::new()
        };
        let ask = Ask {
            priority_credit: credit,
            skills: skills.clone(),
            entered: self.now,
            here_since: None,
        };
        let id = CallId::from_u64(call);
        let place = (
            self.now.as_micros() as i64 - credit.as_micros() as i64,
            u64::from(self.books.arrived),
        );
        let waiting = Waiting {
            queue: queue.clone(),
            place,
            entered: self.now,
            skills,
            rung: BTreeSet::new(),
            ever_rung: BTreeSet::new(),
        };
        let before =
            self.waiting.values().filter(|other| other.queue == queue && other.place.0 <= place.0);
        let expected = before.count() as u32 + 1;
        self.waiting.insert(call, waiting);
        match self.acd.enter(self.now, id, &queue, ask, &mut self.unchecked) {
            Ok(position) => {
                assert_eq!(position, expected);
                self.in_up_to(600, Event::HangsUp(call));
            }
            Err(Refusal::Full | Refusal::Empty) => {
                self.waiting.remove(&call);
                self.books.refused += 1;
            }
        }
    }

    fn reacts(&mut self, call: u64, agent: &AgentId, reaction: Reaction) {
        let outcome = match reaction {
            Reaction::Answers => Outcome::Answered,
            Reaction::Busy => Outcome::Busy,
            Reaction::Rejects => Outcome::Rejected,
            Reaction::Unreachable => Outcome::Unreachable,
        };
        let id = CallId::from_u64(call);
        let rang = self.ringing.get(agent) == Some(&call);
        assert_eq!(self.acd.is_offered(id, agent), rang);
        if rang {
            self.ringing.remove(agent);
            let waiting = self.waiting.get_mut(&call).expect("it waits");
            waiting.rung.remove(agent);
            if outcome == Outcome::Answered {
                self.talking.insert(agent.clone(), call);
            }
        }
        let his = self.acd.offer_ended(self.now, id, agent, outcome, &mut self.unchecked);
        assert_eq!(his, rang, "an offer is his until it ends");
        if rang && outcome == Outcome::Answered {
            self.settle_outputs();
            let taken = self.waiting.remove(&call).expect("it waited");
            assert!(taken.rung.is_empty(), "phones ring for a caller who is answered");
            self.books.answered += 1;
            self.in_up_to(600, Event::TalkEnds(call, agent.clone()));
        }
    }

    /// An agent does something: comes, goes, has a break, a private call, a dead phone.
    fn moves(&mut self, agent: &AgentId) {
        let over = self.now > Instant::START + Duration::from_secs(DAY);
        let state = self.states[agent];
        let extension = format!("seat-{agent}").as_str().into();
        let reason = "break".to_owned();
        let change = match (state, self.rng.below(12)) {
            (_, _) if over => Change::Logout,
            (State::LoggedOut, _) => Change::Login { extension },
            (State::Away, _) => Change::Available,
            (_, 0) => Change::Logout,
            (_, 1..=3) => Change::Away { reason },
            (_, 4) => Change::Reachable(false),
            (_, 5) => Change::BusyElsewhere(true),
            (State::WrapUp, 6) => Change::WrapUpDone,
            (State::WrapUp, 7) => Change::WrapUpExtend,
            (_, 8) => Change::Login { extension },
            _ => Change::Available,
        };
        self.apply(agent, change);
        if self.rng.below(2) == 0 {
            self.apply(agent, Change::Reachable(true));
            self.apply(agent, Change::BusyElsewhere(false));
        }
        if !over || self.states[agent] != State::LoggedOut {
            self.in_up_to(1200, Event::Moves(agent.clone()));
        }
    }

    fn apply(&mut self, agent: &AgentId, change: Change) {
        // A refused change is the agent's mistake; it must leave no trace, which `check` sees.
        let _ = self.acd.change(self.now, agent, change, &mut self.unchecked);
        self.settle_outputs();
    }

    /// Enters what came out into the books, and checks that it could come.
    fn settle_outputs(&mut self) {
        for output in std::mem::take(&mut self.unchecked) {
            let text = format!("{:?} {output:?}", self.now);
            for byte in text.bytes() {
                self.books.digest =
                    (self.books.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
            self.enter_output(output);
        }
    }

    fn enter_output(&mut self, output: Output) {
        match output {
            Output::Agent { agent, from, to, .. } => {
                let was = self.states.insert(agent.clone(), to);
                assert_eq!(was, Some(from), "{agent} changes from a state he was not in");
            }
            Output::Offer { call, queue, agent, expires, .. } => {
                let call = call.as_u64();
                self.may_be_offered(call, &queue, &agent);
                assert!(expires > self.now);
                assert_eq!(self.ringing.insert(agent.clone(), call), None, "two calls for one");
                let waiting = self.waiting.get_mut(&call).expect("checked");
                assert!(waiting.rung.insert(agent.clone()), "{agent} is rung twice");
                waiting.ever_rung.insert(agent.clone());
                let after = Duration::from_micros(1 + u64::from(self.rng.below(15_000_000)));
                let reaction = match self.rng.below(20) {
                    0 => Reaction::Busy,
                    1 => Reaction::Rejects,
                    2 => Reaction::Unreachable,
                    3 => return, // lets it ring
                    _ => Reaction::Answers,
                };
                self.at(self.now + after, Event::Phone(call, agent, reaction));
            }
            Output::Withdraw { call, agent, why } => {
                assert_eq!(self.ringing.remove(&agent), Some(call.as_u64()));
                let waiting = self.waiting.get_mut(&call.as_u64()).expect("it waits until then");
                assert!(waiting.rung.remove(&agent));
                match why {
                    strowger::acd::Withdrawn::NoAnswer => self.books.missed += 1,
                    strowger::acd::Withdrawn::LostRace => self.books.lost += 1,
                    _ => {}
                }
            }
            Output::TimedOut { call, .. } => {
                let gone = self.waiting.remove(&call.as_u64()).expect("he waits");
                assert!(gone.rung.is_empty());
                self.books.timed_out += 1;
            }
            Output::Emptied { call, .. } => {
                let gone = self.waiting.remove(&call.as_u64()).expect("he waits");
                assert!(gone.rung.is_empty());
                self.books.emptied += 1;
            }
        }
    }

    fn may_be_offered(&self, call: u64, queue: &QueueId, agent: &AgentId) {
        let caller = self.waiting.get(&call).expect("an offer for a caller who waits");
        assert_eq!(caller.queue, *queue);
        assert!(!self.talking.contains_key(agent), "{agent} talks");
        assert!(self.is_able(agent, caller), "{agent} cannot serve {call}");
        if self.config.queues[queue.as_str()].strategy == Strategy::RingAll {
            return;
        }
        assert!(caller.rung.is_empty(), "two phones ring for {call}");
        for (other, earlier) in &self.waiting {
            let passed = earlier.queue == *queue
                && earlier.place < caller.place
                && earlier.rung.is_empty()
                && !earlier.ever_rung.contains(agent)
                && self.is_able(agent, earlier);
            assert!(!passed, "{other} is passed over by {call}");
        }
    }

    /// Everything that must hold between two events.
    fn check(&mut self) {
        self.settle_outputs();
        let agents = self.acd.agents();
        for agent in &agents {
            assert_eq!(agent.state, self.states[&agent.agent], "{}", agent.agent);
            let ringing = self.ringing.get(&agent.agent);
            let call = ringing.or(self.talking.get(&agent.agent)).copied();
            assert_eq!(agent.call.map(CallId::as_u64), call, "{}", agent.agent);
            assert_eq!(agent.state == State::Ringing, ringing.is_some(), "{}", agent.agent);
        }
        let free: Vec<_> = agents.iter().filter(|agent| agent.free).collect();
        let mut waiting = 0;
        for queue in self.acd.queues() {
            let mut last = None;
            for shown in &queue.callers {
                waiting += 1;
                let call = shown.call.as_u64();
                let caller = &self.waiting[&call];
                assert_eq!(caller.queue, queue.queue);
                assert!(last < Some(caller.place), "the line is in order");
                last = Some(caller.place);
                assert_eq!(shown.offers as usize, caller.rung.len(), "offers of {call}");
                let all = queue.strategy == Strategy::RingAll;
                for agent in &free {
                    let wanted = shown.offers == 0
                        || all
                            && !caller.ever_rung.contains(&agent.agent)
                            && self.now < caller.entered + MAX_WAIT;
                    assert!(
                        !wanted || !self.is_able(&agent.agent, caller),
                        "{call} waits while {} is free",
                        agent.agent
                    );
                }
            }
        }
        assert_eq!(waiting, self.waiting.len());
    }

    /// Whether the agent may serve the caller at this moment, by the configuration.
    fn is_able(&self, agent: &AgentId, caller: &Waiting) -> bool {
        let Some(queue) = self.config.queues.get(caller.queue.as_str()) else { return false };
        let skills = &self.config.agents[agent.as_str()].skills;
        if !queue.members.is_empty() && !queue.members.contains(agent) {
            return false;
        }
        let mut needed = queue.skills.clone();
        for (skill, level) in &caller.skills {
            let need = needed.entry(skill.clone()).or_default();
            *need = (*need).max(*level);
        }
        for step in &queue.widen {
            if self.now.since(caller.entered) >= step.after {
                needed.extend(step.skills.clone());
            }
        }
        needed.iter().all(|(skill, level)| skills.get(skill).unwrap_or(&0) >= level)
    }
}

const MAX_WAIT: Duration = Duration::from_secs(300);

/// The site: eight queues of all strategies; `reload` changes who serves them.
fn config(reload: u32) -> Config {
    let mut config = Config::default();
    config.acd.wrap_up = Duration::from_secs(20);
    for number in 0..AGENTS {
        let mut skills = BTreeMap::from([("sales".into(), (1 + (number + reload) % 10) as u8)]);
        if number % 3 == 0 {
            skills.insert("vpn".into(), (1 + number % 5) as u8);
        }
        let agent = Agent { skills, ..Agent::default() };
        config.agents.insert(number.to_string().as_str().into(), agent);
    }
    let strategies = [
        Strategy::MostIdle,
        Strategy::RoundRobin,
        Strategy::RingAll,
        Strategy::Linear,
        Strategy::FewestCalls,
        Strategy::LeastTalk,
        Strategy::Random,
        Strategy::Skills,
    ];
    for (number, strategy) in (0..).zip(strategies) {
        let mut queue =
            Queue { strategy, max_wait: Some(MAX_WAIT), callers_max: Some(12), ..Queue::default() };
        if strategy == Strategy::Skills {
            queue.skills = [("sales".into(), 8)].into();
            queue.widen = [(30, 5), (60, 3)]
                .map(|(after, level)| Widen {
                    after: Duration::from_secs(after),
                    skills: [("sales".into(), level)].into(),
                })
                .into();
        } else {
            // Overlapping groups of seven to fourteen; each reload moves them on by one.
            queue.members = (0..7 + number)
                .map(|member| (number * 6 + member + reload) % AGENTS)
                .map(|member| member.to_string().as_str().into())
                .collect();
        }
        if number % 4 == 0 {
            queue.on_empty = Some("hangup:480".parse().expect("a target"));
        }
        config.queues.insert(format!("queue-{number}").as_str().into(), queue);
    }
    config
}
