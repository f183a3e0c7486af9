//! Days of a call centre in virtual time, from a seed: after every single step all that must always
//! hold is checked against a plain account of what the ACD has said.
//!
//! Checked: no agent has two calls and no caller two winners; whoever is rung was free, serves the
//! queue and is able; nobody waits while an able agent is free (no lost wake-up); nobody who came
//! before and would take the agent is passed over (bounded bypass); every phone stops ringing in
//! time; every caller comes to exactly one end, so that the counts add up.
//!
//! `STROWGER_SEED=n cargo test --test simulation` runs one more day, of the full size.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use strowger::acd::config::{Agent, Config, Queue, Settings, Strategy, Widen};
use strowger::acd::{Acd, Ask, Change, Outcome, Output, Refusal, State};
use strowger::id::{AgentId, CallId, QueueId, SkillId};
use strowger::rng::Rng;
use strowger::time::{Duration, Instant};

#[test]
fn a_day_of_five_hundred_agents() {
    let size = Size { agents: 500, queues: 60, calls: 100_000 };
    let tally = Day::new(1, size).passes();
    println!("{tally:#?}");
    // A day on which nothing happens proves nothing.
    assert!(tally.answered > 60_000 && tally.gave_up > 2_000, "{tally:?}");
    assert!(tally.timed_out > 500 && tally.refused > 500 && tally.cut > 20, "{tally:?}");
    assert!(tally.missed > 500 && tally.rejected > 500 && tally.lost_the_race > 500, "{tally:?}");
}

#[test]
fn many_small_days() {
    let mut emptied = 0;
    for seed in 0..40 {
        for agents in [2, 9] {
            emptied += Day::new(seed, Size { agents, queues: 5, calls: 500 }).passes().emptied;
        }
    }
    assert!(emptied > 20, "too few queues lose their last agent: {emptied}");
}

/// The same seed gives the same day, to the last ring.
#[test]
fn a_day_can_be_repeated() {
    let day = || Day::new(3, Size { agents: 50, queues: 8, calls: 5_000 }).passes();

    assert_eq!(day(), day());
}

/// Seeds with which something was wrong once, and the size of their day.
const MENDED: [(u64, Size); 0] = [];

#[test]
fn days_that_went_wrong_once() {
    for (seed, size) in MENDED {
        Day::new(seed, size).passes();
    }
    if let Some(seed) = std::env::var("STROWGER_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Day::new(seed, Size { agents: 500, queues: 60, calls: 100_000 }).passes();
    }
}

#[derive(Clone, Copy, Debug)]
struct Size {
    agents: usize,
    queues: usize,
    calls: u64,
}

/// What became of everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    offered: u64,
    /// Found a queue full or deserted.
    refused: u64,
    answered: u64,
    gave_up: u64,
    timed_out: u64,
    emptied: u64,
    /// Waited when the node went down.
    cut: u64,
    rings: u64,
    rejected: u64,
    missed: u64,
    lost_the_race: u64,
    reloads: u64,
    restarts: u64,
    steps: u64,
    /// Who was rung for whom and when, in its order.
    digest: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes,
    GivesUp(CallId),
    /// The phone that began to ring at this moment is dealt with.
    Reacts(CallId, usize, Instant),
    HangsUp(CallId, usize),
    Whim,
    Reload,
    Restart,
}

/// What is known of an agent from what the ACD has said and was told.
#[derive(Clone, Debug)]
struct Person {
    state: State,
    reachable: bool,
    busy: bool,
    paused: Option<Instant>,
    /// The call that rings, since when and until when at most.
    rings: Option<(CallId, Instant, Instant)>,
    talks: Option<CallId>,
}

#[derive(Debug)]
struct Caller {
    queue: usize,
    /// Effective arrival, then the order of entering.
    place: (i64, u64),
    entered: Instant,
    until: Instant,
    /// Whether several phones may ring for him: as the queue was when he came.
    many: bool,
    asks: BTreeMap<SkillId, u8>,
    ringing: BTreeSet<usize>,
    tried: BTreeSet<usize>,
}

/// A configuration, by numbers.
struct Site {
    config: Config,
    queues: Vec<Option<Queue>>,
    agents: Vec<Option<Agent>>,
    /// The agents of each queue, and the queues of each agent.
    members: Vec<Vec<usize>>,
    serves: Vec<Vec<usize>>,
}

impl Site {
    fn new(config: Config, size: Size) -> Self {
        let queue = |number| config.queues.get(&queue_name(number)).cloned();
        let queues: Vec<Option<Queue>> = (0..size.queues).map(queue).collect();
        let of =
            |queue: &Option<Queue>| queue.iter().flat_map(|q| &q.members).map(number).collect();
        let members: Vec<Vec<usize>> = queues.iter().map(of).collect();
        let has = |agent: usize| {
            move |(queue, members): (usize, &Vec<usize>)| members.contains(&agent).then_some(queue)
        };
        let serves = |agent| members.iter().enumerate().filter_map(has(agent)).collect();
        Self {
            agents: (0..size.agents)
                .map(|agent| config.agents.get(&name(agent)).cloned())
                .collect(),
            serves: (0..size.agents).map(serves).collect(),
            members,
            queues,
            config,
        }
    }
}

impl Caller {
    fn may_ring_more(&self) -> bool {
        self.many || self.ringing.is_empty()
    }
}

struct Day {
    size: Size,
    acd: Acd,
    sites: Vec<Site>,
    /// Which of `sites` it is at present.
    site: usize,
    rng: Rng,
    now: Instant,
    coming: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    numbered: u64,
    people: Vec<Person>,
    waiting: BTreeMap<CallId, Caller>,
    /// The callers of each queue by place.
    lines: Vec<BTreeMap<(i64, u64), CallId>>,
    tally: Tally,
    /// What the last step can have changed.
    touched: BTreeSet<usize>,
    out: Vec<Output>,
}

/// Seconds.
const DAY: u64 = 24 * 60 * 60;
const PAUSE: Duration = Duration::from_secs(5);
const SKILLS: [&str; 3] = ["english", "sales", "vpn"];

impl Day {
    fn new(seed: u64, size: Size) -> Self {
        let mut rng = Rng::from_number(seed);
        let sites = (0..3).map(|_| Site::new(config(&mut rng, size), size)).collect();
        let person = Person {
            state: State::LoggedOut,
            reachable: false,
            busy: false,
            paused: None,
            rings: None,
            talks: None,
        };
        let mut day = Self {
            size,
            acd: Acd::new(),
            sites,
            site: 0,
            rng,
            now: Instant::START,
            coming: BinaryHeap::new(),
            numbered: 0,
            people: vec![person; size.agents],
            waiting: BTreeMap::new(),
            lines: vec![BTreeMap::new(); size.queues],
            tally: Tally::default(),
            touched: BTreeSet::new(),
            out: Vec::new(),
        };
        day.starts();
        day.plan(0.0, Event::Comes);
        for _ in 0..size.agents.div_ceil(10) {
            let at = day.spread(600.0);
            day.plan(at, Event::Whim);
        }
        for hour in (2..24).step_by(3) {
            day.plan(3600.0 * f64::from(hour), Event::Reload);
        }
        for hour in [9.5, 15.25] {
            day.plan(3600.0 * hour, Event::Restart);
        }
        day
    }

    /// Lives through it, and lets everybody go home.
    fn passes(mut self) -> Tally {
        while let Some(at) = self.coming.peek().map(|Reverse((at, ..))| *at) {
            if self.acd.next_tick().is_some_and(|due| due <= at) {
                self.deadline(); // which may bring what is to come before `at`
                continue;
            }
            let Some(Reverse((at, _, event))) = self.coming.pop() else { break };
            assert!(at >= self.now);
            self.now = at;
            self.happens(event);
            self.checks();
            self.tally.steps += 1;
            if self.tally.steps.is_multiple_of(5_000) {
                self.agrees();
            }
        }
        // Nobody answers or gives up any more: what still waits is timed out.
        while self.acd.next_tick().is_some() {
            self.deadline();
        }
        self.agrees();
        assert!(self.waiting.is_empty(), "somebody waits for ever");
        self.tally
    }

    /// Goes on to the next deadline of the ACD.
    fn deadline(&mut self) {
        let due = self.acd.next_tick().expect("there is one");
        assert!(due >= self.now, "a deadline was missed");
        self.now = due;
        for agent in 0..self.size.agents {
            if self.people[agent].paused.is_some_and(|until| until <= due) {
                self.people[agent].paused = None;
                self.touch(agent);
            }
        }
        self.acd.tick(due, &mut self.out);
        self.touched.extend(0..self.size.queues); // demands that sink concern any
        self.hears();
        self.checks();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Comes => self.comes(),
            Event::GivesUp(call) => {
                if self.waiting.contains_key(&call) {
                    self.is_decided(call);
                    self.acd.leave(self.now, call, &mut self.out);
                    self.hears();
                    self.goes(call);
                    self.tally.gave_up += 1;
                }
            }
            Event::Reacts(call, agent, since) => self.reacts(call, agent, since),
            Event::HangsUp(call, agent) => {
                if self.people[agent].talks == Some(call) {
                    self.people[agent].talks = None;
                    self.acd.call_ended(self.now, call, &name(agent), &mut self.out);
                    self.hears();
                }
            }
            Event::Whim => self.whim(),
            Event::Reload => {
                self.site = (self.site + 1) % self.sites.len();
                self.tally.reloads += 1;
                self.configures();
            }
            Event::Restart => {
                self.tally.restarts += 1;
                self.tally.cut += self.waiting.len() as u64;
                self.waiting.clear();
                self.lines.iter_mut().for_each(BTreeMap::clear);
                self.acd = Acd::new();
                for person in &mut self.people {
                    person.state = State::LoggedOut;
                    (person.reachable, person.busy) = (false, false);
                    (person.paused, person.rings, person.talks) = (None, None, None);
                }
                self.starts();
            }
        }
    }

    /// The node begins; nine of ten agents are there.
    fn starts(&mut self) {
        self.configures();
        for agent in 0..self.size.agents {
            if self.rng.below(10) > 0 {
                self.change(agent, Change::Reachable(true));
                self.change(agent, Change::Login { extension: seat(agent) });
            }
        }
    }

    fn configures(&mut self) {
        self.acd.configure(self.now, &self.sites[self.site].config, &mut self.out);
        self.touched.extend(0..self.size.queues);
        self.hears();
    }

    fn comes(&mut self) {
        self.tally.offered += 1;
        let call = CallId::from_u64(self.tally.offered);
        if self.tally.offered < self.size.calls {
            // Twice as many at noon as on average, hardly any at night.
            let hour = self.now.as_micros() as f64 / 3.6e9;
            let rush = 1.0 - (hour / 12.0 * std::f64::consts::PI).cos();
            let mean = DAY as f64 / self.size.calls as f64 / rush.max(0.05);
            let wait = self.exponential(mean);
            self.plan(wait, Event::Comes);
        }
        let queue = self.rng.below(self.size.queues as u32) as usize;
        let asks = match self.rng.below(20) {
            0 => [(SkillId::from(SKILLS[self.rng.below(3) as usize]), 3)].into(),
            _ => BTreeMap::new(),
        };
        let credit = Duration::from_secs(if self.rng.below(30) == 0 { 120 } else { 0 });
        let ask = Ask {
            priority_credit: credit,
            skills: asks.clone(),
            entered: self.now,
            here_since: None,
        };
        let entered = self.acd.enter(self.now, call, &queue_name(queue), ask, &mut self.out);
        let site = &self.sites[self.site];
        let Some(config) = &site.queues[queue] else {
            assert_eq!(entered, Err(Refusal::Empty), "there is no such queue");
            self.tally.refused += 1;
            return;
        };
        match entered {
            Ok(_) => {
                let arrival = self.now.as_micros() as i64;
                let place = (arrival - credit.as_micros() as i64, self.tally.offered);
                let until = self.now + site.config.max_wait(config);
                let caller = Caller {
                    queue,
                    place,
                    entered: self.now,
                    until,
                    many: config.strategy == Strategy::RingAll,
                    asks,
                    ringing: BTreeSet::new(),
                    tried: BTreeSet::new(),
                };
                self.lines[queue].insert(place, call);
                self.waiting.insert(call, caller);
                self.touched.insert(queue);
                let patience = self.exponential(240.0);
                self.plan(patience, Event::GivesUp(call));
                self.hears();
            }
            Err(why) => {
                self.tally.refused += 1;
                let full = self.lines[queue].len() >= site.config.callers_max(config) as usize;
                let is_there = |agent: &usize| self.people[*agent].state != State::LoggedOut;
                let staffed = site.members[queue].iter().any(is_there);
                let deserted = config.on_empty.is_some() && !staffed;
                match why {
                    Refusal::Full => assert!(full),
                    Refusal::Empty => assert!(deserted, "somebody is logged in"),
                }
            }
        }
    }

    fn reacts(&mut self, call: CallId, agent: usize, since: Instant) {
        if self.people[agent].rings.is_none_or(|(rings, at, _)| (rings, at) != (call, since)) {
            return; // it rings no more
        }
        let outcome = match self.rng.below(50) {
            0 => Outcome::Rejected,
            1 => Outcome::Busy,
            2 => return, // he lets it ring
            3 => Outcome::Unreachable,
            _ => Outcome::Answered,
        };
        let id = name(agent);
        let was_his = self.acd.offer_ended(self.now, call, &id, outcome, &mut self.out);
        assert!(was_his, "an offer that was not withdrawn is his");
        self.people[agent].rings = None;
        if outcome == Outcome::Answered {
            self.people[agent].talks = Some(call);
            self.tally.answered += 1;
            self.is_decided(call);
            let caller = self.waiting.get_mut(&call).expect("he waited");
            caller.ringing.remove(&agent);
            self.hears();
            self.goes(call);
            let talk = self.exponential(150.0);
            self.plan(talk, Event::HangsUp(call, agent));
        } else {
            self.tally.rejected += 1;
            self.passed_on(call, agent);
            self.people[agent].paused = Some(self.now + PAUSE);
            self.hears();
        }
    }

    /// His phone stopped ringing without an answer: the caller waits on.
    fn passed_on(&mut self, call: CallId, agent: usize) {
        let caller = self.waiting.get_mut(&call).expect("he waits");
        assert!(caller.ringing.remove(&agent));
        caller.tried.insert(agent);
        self.touched.insert(caller.queue);
    }

    fn whim(&mut self) {
        let agent = self.rng.below(self.size.agents as u32) as usize;
        let away = || Change::Away { reason: "tea".to_owned() };
        let change = match self.rng.below(24) {
            0 => Change::Logout,
            1 => away(),
            2 => Change::Reachable(false),
            3 => Change::BusyElsewhere(true),
            4 => Change::WrapUpDone,
            5 => Change::WrapUpExtend,
            6..=8 => Change::BusyElsewhere(false),
            9..=12 => Change::Reachable(true),
            13..=15 => Change::Available,
            _ => Change::Login { extension: seat(agent) },
        };
        self.change(agent, change);
        if self.tally.offered < self.size.calls {
            let wait = self.exponential(600.0 / 2.0);
            self.plan(wait, Event::Whim);
        }
    }

    /// Tells the ACD of an agent's doing; a refusal must leave everything as it was.
    fn change(&mut self, agent: usize, change: Change) {
        self.touch(agent);
        let done = self.acd.change(self.now, &name(agent), change.clone(), &mut self.out);
        if done.is_err() {
            assert!(self.out.is_empty(), "{change:?} was refused");
            return;
        }
        let person = &mut self.people[agent];
        match change {
            Change::Reachable(on) => person.reachable = on,
            Change::BusyElsewhere(on) => person.busy = on,
            Change::Available | Change::Login { .. } => person.paused = None,
            _ => {}
        }
        self.hears();
    }

    fn touch(&mut self, agent: usize) {
        self.touched.extend(&self.sites[self.site].serves[agent]);
    }

    /// Takes over what the ACD says, in its order, checking each.
    fn hears(&mut self) {
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Agent { agent, from, to, .. } => {
                    let person = &mut self.people[number(&agent)];
                    assert_eq!(person.state, from, "agent {agent}");
                    person.state = to;
                    if to != State::Available {
                        person.paused = None;
                    }
                    self.touch(number(&agent));
                }
                Output::Offer { call, queue, agent, expires, .. } => {
                    self.is_offered(call, queue_number(&queue), number(&agent), expires);
                }
                Output::Withdraw { call, agent, why } => {
                    use strowger::acd::Withdrawn;
                    let agent = number(&agent);
                    let (rung, _, until) = self.people[agent].rings.take().expect("it rang");
                    assert_eq!(rung, call);
                    self.touch(agent);
                    match why {
                        Withdrawn::NoAnswer => {
                            assert_eq!(self.now, until, "neither early nor late");
                            self.tally.missed += 1;
                            self.passed_on(call, agent);
                            if !self.sends_away(call) {
                                self.people[agent].paused = Some(self.now + PAUSE);
                            }
                        }
                        Withdrawn::LostRace => {
                            self.tally.lost_the_race += 1;
                            self.stops(call, agent);
                        }
                        Withdrawn::AgentLeft | Withdrawn::CallerGone => self.stops(call, agent),
                    }
                }
                Output::Decided { .. } | Output::Widened { .. } => {} // only if it explains
                Output::TimedOut { call, .. } => {
                    let caller = &self.waiting[&call];
                    assert!(self.now >= caller.until, "{caller:?} at {:?}", self.now);
                    self.goes(call);
                    self.tally.timed_out += 1;
                }
                Output::Emptied { call, .. } => {
                    self.goes(call);
                    self.tally.emptied += 1;
                }
            }
        }
    }

    fn stops(&mut self, call: CallId, agent: usize) {
        if let Some(caller) = self.waiting.get_mut(&call) {
            assert!(caller.ringing.remove(&agent));
            self.touched.insert(caller.queue);
        }
    }

    /// Whether who misses the call is set away.
    fn sends_away(&self, call: CallId) -> bool {
        let site = &self.sites[self.site];
        let queue = &site.queues[self.waiting[&call].queue];
        queue.as_ref().is_some_and(|queue| site.config.rona(queue))
    }

    /// A phone begins to ring: whether it may.
    fn is_offered(&mut self, call: CallId, queue: usize, agent: usize, expires: Instant) {
        assert!(self.is_free(agent), "agent {agent} is not free: {:?}", self.people[agent]);
        let caller = &self.waiting[&call];
        assert_eq!(caller.queue, queue);
        assert!(self.wants(call, agent), "agent {agent} is not for call {call}: {caller:?}");
        // Bounded bypass: nobody who would take him comes before.
        for queue in &self.sites[self.site].serves[agent] {
            let mut before = self.lines[*queue].range(..caller.place).map(|(_, call)| *call);
            let passed = before.find(|before| self.wants(*before, agent));
            let passed = passed.map(|call| &self.waiting[&call]);
            assert!(passed.is_none(), "{passed:?} is passed over by {caller:?} for {agent}");
        }
        if caller.tried.contains(&agent) {
            self.waiting.get_mut(&call).expect("he waits").tried.clear();
        }
        self.waiting.get_mut(&call).expect("he waits").ringing.insert(agent);
        self.people[agent].rings = Some((call, self.now, expires));
        self.tally.rings += 1;
        let ring = self.now.as_micros() ^ call.as_u64() << 40 ^ (agent as u64) << 54;
        self.tally.digest = self.tally.digest.rotate_left(5).wrapping_add(ring);
        let reaction = 0.5 + self.spread(7.0);
        self.plan(reaction, Event::Reacts(call, agent, self.now));
    }

    fn is_free(&self, agent: usize) -> bool {
        let person = &self.people[agent];
        // The ACD says `Ringing` before it says whom for.
        matches!(person.state, State::Available | State::Ringing)
            && person.rings.is_none()
            && person.reachable
            && !person.busy
            && person.paused.is_none()
    }

    /// Whether the caller would take the agent, were he free.
    fn wants(&self, call: CallId, agent: usize) -> bool {
        let caller = &self.waiting[&call];
        let site = &self.sites[self.site];
        let Some(queue) = &site.queues[caller.queue] else { return false };
        let Some(person) = &site.agents[agent] else { return false };
        let waited = self.now.since(caller.entered);
        let mut needs = queue.skills.clone();
        for (skill, level) in &caller.asks {
            let needed = needs.entry(skill.clone()).or_default();
            *needed = (*needed).max(*level);
        }
        for step in queue.widen.iter().filter(|step| step.after <= waited) {
            needs.extend(step.skills.clone());
        }
        let able = needs
            .iter()
            .all(|(skill, level)| person.skills.get(skill).copied().unwrap_or(0) >= *level);
        able && site.serves[agent].contains(&caller.queue)
            && caller.may_ring_more()
            && (caller.ringing.is_empty() || !caller.tried.contains(&agent))
            && self.now < caller.until
    }

    /// Nobody else is rung for the caller; phones that ring are yet to be stopped.
    fn is_decided(&mut self, call: CallId) {
        let caller = &self.waiting[&call];
        self.lines[caller.queue].remove(&caller.place);
        self.touched.insert(caller.queue);
    }

    /// The caller is out of the queue.
    fn goes(&mut self, call: CallId) {
        let caller = self.waiting.remove(&call).expect("he waits");
        assert!(caller.ringing.is_empty(), "phones ring for nobody");
        self.lines[caller.queue].remove(&caller.place);
        self.touched.insert(caller.queue);
    }

    /// What must hold between two steps, where the last one can have changed it.
    fn checks(&mut self) {
        for queue in std::mem::take(&mut self.touched) {
            let site = &self.sites[self.site];
            if self.lines[queue].is_empty() {
                continue;
            }
            assert!(site.queues[queue].is_some(), "somebody waits where no queue is");
            let free = site.members[queue].iter().copied().filter(|agent| self.is_free(*agent));
            let free: Vec<usize> = free.collect();
            for (call, agent) in
                self.lines[queue].values().flat_map(|call| free.iter().map(move |a| (*call, *a)))
            {
                assert!(
                    !self.wants(call, agent),
                    "call {call} waits in queue {queue}, agent {agent} is free: {:?} {:?}",
                    self.waiting[&call],
                    self.people[agent]
                );
            }
        }
        let Tally { offered, refused, answered, gave_up, timed_out, emptied, cut, .. } = self.tally;
        let ended = refused + answered + gave_up + timed_out + emptied + cut;
        assert_eq!(offered, ended + self.waiting.len() as u64, "{:?}", self.tally);
    }

    /// The whole account beside what the ACD shows.
    fn agrees(&self) {
        for shown in self.acd.agents() {
            let person = &self.people[number(&shown.agent)];
            assert_eq!(shown.state, person.state, "{shown:?}");
            assert_eq!(shown.free, self.is_free(number(&shown.agent)), "{shown:?} {person:?}");
            assert!(person.rings.is_none_or(|(_, _, until)| until >= self.now), "{person:?}");
        }
        for shown in self.acd.queues() {
            let line = self.lines[queue_number(&shown.queue)].values().copied();
            assert!(shown.callers.iter().map(|caller| caller.call).eq(line), "{shown:?}");
        }
    }

    fn plan(&mut self, seconds: f64, event: Event) {
        self.numbered += 1;
        let at = self.now + Duration::from_micros((seconds * 1e6) as u64);
        self.coming.push(Reverse((at, self.numbered, event)));
    }

    /// Evenly between nothing and `most`.
    fn spread(&mut self, most: f64) -> f64 {
        most * f64::from(self.rng.below(1_000_000)) / 1e6
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.spread(1.0)).ln()
    }
}

/// A configuration: who serves what, how, and who can do what.
fn config(rng: &mut Rng, size: Size) -> Config {
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
    let mut agents = BTreeMap::new();
    for agent in 0..size.agents {
        if rng.below(50) == 0 && size.agents > 20 {
            continue; // not in this one
        }
        let skills = SKILLS.map(|skill| (SkillId::from(skill), rng.below(6) as u8));
        agents.insert(name(agent), Agent { skills: skills.into(), ..Agent::default() });
    }
    let mut queues = BTreeMap::new();
    for queue in 0..size.queues {
        if rng.below(30) == 0 {
            continue;
        }
        let strategy = strategies[rng.below(8) as usize];
        let chosen = (0..size.agents).filter(|_| rng.below(size.queues as u32) < 3).map(name);
        let members: Vec<_> = chosen.filter(|id| agents.contains_key(id)).collect();
        let mut made = Queue { strategy, members, ..Queue::default() };
        made.wrap_up = (rng.below(2) == 0).then_some(Duration::from_secs(20));
        made.max_wait = (rng.below(3) == 0).then_some(Duration::from_secs(90));
        made.callers_max = (rng.below(4) == 0).then_some(3);
        made.rona = (strategy == Strategy::RingAll).then_some(false);
        made.on_empty = (rng.below(2) == 0).then(|| "hangup:486".parse().expect("a target"));
        if rng.below(4) == 0 && !made.members.is_empty() {
            made.skills = [(SkillId::from("sales"), 4)].into();
            let sinks = [(SkillId::from("sales"), 1)].into();
            made.widen = vec![Widen { after: Duration::from_secs(25), skills: sinks }];
        }
        queues.insert(queue_name(queue), made);
    }
    let acd = Settings { refusal_pause: PAUSE, ..Settings::default() };
    Config { acd, queues, agents }
}

fn name(agent: usize) -> AgentId {
    format!("{agent:03}").as_str().into()
}

fn number(agent: &AgentId) -> usize {
    agent.as_str().parse().expect("as `name` makes it")
}

fn queue_name(queue: usize) -> QueueId {
    format!("{queue:02}").as_str().into()
}

fn queue_number(queue: &QueueId) -> usize {
    queue.as_str().parse().expect("as `queue_name` makes it")
}

fn seat(agent: usize) -> strowger::id::ExtensionId {
    format!("seat-{agent}").as_str().into()
}
