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

use strowger::acd::config::{Absence, Strategy};
use strowger::acd::{Acd, Ask, Change, Favourite, Outcome, Output, Refusal, State};
use strowger::id::{CallId, SkillId};
use strowger::rng::Rng;
use strowger::time::{Duration, Instant};

use site::{PAUSE, SKILLS, Site, Size, Wait, name, number, queue_name, queue_number, seat};

mod site;

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
    /// Somebody gives a caller another priority.
    Moves,
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
    arrival: Instant,
    entered: Instant,
    until: Instant,
    /// How many phones may ring for him: as the queue was when he came.
    cap: usize,
    /// How long phones ring before one more does, if they do one by one; and since when the last.
    ring_next: Option<Duration>,
    last_rung: Option<Instant>,
    /// The agent who is waited for, and until when.
    favourite: Option<(usize, Instant)>,
    asks: BTreeMap<SkillId, u8>,
    prefers: BTreeMap<SkillId, u8>,
    ringing: BTreeSet<usize>,
    tried: BTreeSet<usize>,
}

impl Caller {
    fn may_ring_more(&self) -> bool {
        self.ringing.len() < self.cap
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

impl Day {
    fn new(seed: u64, size: Size) -> Self {
        let mut rng = Rng::from_number(seed);
        let sites = (0..3).map(|_| Site::new(&mut rng, size)).collect();
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
        day.plan(60.0, Event::Moves);
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
        for caller in self.waiting.values_mut() {
            let (Some(next), Some(rung)) = (caller.ring_next, caller.last_rung) else { continue };
            let people = &self.people;
            let goes_on = |agent: &&usize| people[**agent].rings.is_some_and(|(.., end)| end > due);
            let ringing = caller.ringing.iter().filter(goes_on).count();
            caller.cap += usize::from(rung + next == due && ringing >= caller.cap);
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
            Event::Moves => self.moves(),
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
        let config = &self.sites[self.site].config;
        for caller in self.waiting.values_mut() {
            let queue = config.queues.get(&queue_name(caller.queue));
            caller.until = queue.map_or(caller.until, |it| caller.entered + config.max_wait(it));
        }
        self.acd.configure(self.now, config, &mut self.out);
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
        let ask = self.wishes();
        let id = queue_name(queue);
        let entered = self.acd.enter(self.now, call, &id, ask.clone(), &mut self.out);
        if self.sites[self.site].queues[queue].is_none() {
            assert_eq!(entered, Err(Refusal::Empty), "there is no such queue");
            self.tally.refused += 1;
            return;
        }
        match entered {
            Ok(_) => {
                let caller = self.caller(queue, ask);
                self.lines[queue].insert(caller.place, call);
                self.waiting.insert(call, caller);
                self.touched.insert(queue);
                let patience = self.exponential(240.0);
                self.plan(patience, Event::GivesUp(call));
                self.hears();
            }
            Err(why) => {
                self.tally.refused += 1;
                let site = &self.sites[self.site];
                let config = site.queues[queue].as_ref().expect("looked at above");
                let full = self.lines[queue].len() >= site.config.callers_max(config) as usize;
                let causes = config.empty_join.union(&config.empty_leave).copied().collect();
                let deserted = self.is_deserted(queue, &causes);
                match why {
                    Refusal::Full => assert!(full),
                    Refusal::Empty => assert!(deserted, "somebody is logged in"),
                }
            }
        }
    }

    /// What somebody asks for.
    fn wishes(&mut self) -> Ask {
        let mut skill = |one_of| match self.rng.below(one_of) {
            0 => [(SkillId::from(SKILLS[self.rng.below(3) as usize]), 3)].into(),
            _ => BTreeMap::new(),
        };
        let (skills, prefer) = (skill(20), skill(10));
        let dear = self.rng.below(4 * self.size.agents as u32) as usize;
        let outsider = self.rng.below(2) == 0;
        let wait = Duration::from_secs(20);
        let favourite = Favourite { agent: name(dear), wait, outsider };
        let credit = Duration::from_secs(if self.rng.below(30) == 0 { 120 } else { 0 });
        Ask {
            priority_credit: credit,
            skills,
            prefer,
            favourite: (dear < self.size.agents).then_some(favourite),
            entered: self.now,
            ..Ask::default()
        }
    }

    /// Somebody who has just entered a queue.
    fn caller(&self, queue: usize, ask: Ask) -> Caller {
        let site = &self.sites[self.site];
        let config = site.queues[queue].as_ref().expect("he is in it");
        let (asks, prefers) = (ask.skills, ask.prefer);
        let wait = Wait { queue, waited: Duration::ZERO, asks: &asks, prefers: &prefers };
        let favourite = ask.favourite.and_then(|favourite| {
            let dear = number(&favourite.agent);
            let may = favourite.outsider || site.members[queue].contains(&dear);
            let may = may && self.can_come(dear) && site.levels(wait, dear).is_some();
            may.then(|| (dear, self.now + favourite.wait))
        });
        let effective = self.now.as_micros() as i64 - ask.priority_credit.as_micros() as i64;
        Caller {
            queue,
            place: (effective, self.tally.offered),
            arrival: self.now,
            entered: self.now,
            until: self.now + site.config.max_wait(config),
            cap: if config.strategy == Strategy::RingAll { usize::MAX } else { 1 },
            ring_next: site.config.ring_next(config),
            last_rung: None,
            favourite,
            asks,
            prefers,
            ringing: BTreeSet::new(),
            tried: BTreeSet::new(),
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
        caller.favourite.take_if(|(dear, _)| *dear == agent);
        self.touched.insert(caller.queue);
    }

    fn moves(&mut self) {
        let credit = Duration::from_secs(u64::from(self.rng.below(300)));
        let some = self.rng.below(1 + self.waiting.len() as u32) as usize;
        if let Some(call) = self.waiting.keys().nth(some).copied() {
            let caller = self.waiting.get_mut(&call).expect("he waits");
            self.lines[caller.queue].remove(&caller.place);
            caller.place.0 = caller.arrival.as_micros() as i64 - credit.as_micros() as i64;
            self.lines[caller.queue].insert(caller.place, call);
            let position = self.lines[caller.queue].range(..=caller.place).count() as u32;
            self.touched.insert(caller.queue);
            let told = self.acd.prioritise(self.now, call, credit, &mut self.out);
            assert_eq!(told, Some(position));
            assert!(self.out.is_empty(), "nobody is free for him");
        }
        if self.tally.offered < self.size.calls {
            let wait = self.exponential(120.0);
            self.plan(wait, Event::Moves);
        }
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
        self.disappoints(agent);
        self.hears();
    }

    /// Whether callers go elsewhere, since who is logged in is absent so.
    fn is_deserted(&self, queue: usize, causes: &BTreeSet<Absence>) -> bool {
        let is_there = |agent: &usize| {
            let person = &self.people[*agent];
            let works = matches!(person.state, State::OnCall | State::WrapUp);
            let is = |cause| match cause {
                Absence::Away => person.state == State::Away,
                Absence::Busy => works || person.busy,
                Absence::Unreachable => !person.reachable,
            };
            person.state != State::LoggedOut && !causes.iter().any(|cause| is(*cause))
        };
        let site = &self.sites[self.site];
        let config = site.queues[queue].as_ref().expect("there is such a queue");
        config.on_empty.is_some() && !site.members[queue].iter().any(is_there)
    }

    fn can_come(&self, agent: usize) -> bool {
        let person = &self.people[agent];
        !matches!(person.state, State::LoggedOut | State::Away) && person.reachable
    }

    /// Those who wait for an agent who cannot come wait for whoever can.
    fn disappoints(&mut self, agent: usize) {
        if self.can_come(agent) {
            return;
        }
        for caller in self.waiting.values_mut() {
            if caller.favourite.take_if(|(dear, _)| *dear == agent).is_some() {
                self.touched.insert(caller.queue);
            }
        }
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
                    self.disappoints(number(&agent));
                    let person = &mut self.people[number(&agent)];
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
                Output::Rested { agent } => self.touch(number(&agent)),
                Output::BreakHeld { .. }
                | Output::Decided { .. }
                | Output::Intent { .. }
                | Output::Widened { .. } => {}
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
        let turn = self.turn(call);
        for queue in &self.sites[self.site].serves[agent] {
            let line = self.lines[*queue].values().copied();
            let mut before = line.take_while(|before| self.turn(*before) < turn);
            let passed = before.find(|before| self.wants(*before, agent));
            let passed = passed.map(|call| &self.waiting[&call]);
            assert!(passed.is_none(), "{passed:?} is passed over by {caller:?} for {agent}");
        }
        // Of those who are free he is of the best, unless they have refused the caller.
        let better = self.sites[self.site].members[queue].iter().find(|other| {
            let is_asked = caller.tried.contains(*other) <= caller.tried.contains(&agent);
            is_asked
                && self.is_free(**other)
                && self.wants(call, **other)
                && self.class(call, **other) < self.class(call, agent)
        });
        assert!(better.is_none(), "{better:?} would be better than {agent} for {caller:?}");
        if caller.tried.contains(&agent) {
            self.waiting.get_mut(&call).expect("he waits").tried.clear();
        }
        let caller = self.waiting.get_mut(&call).expect("he waits");
        caller.ringing.insert(agent);
        caller.last_rung = Some(self.now);
        self.people[agent].rings = Some((call, self.now, expires));
        self.tally.rings += 1;
        let ring = self.now.as_micros() ^ call.as_u64() << 40 ^ (agent as u64) << 54;
        self.tally.digest = self.tally.digest.rotate_left(5).wrapping_add(ring);
        let reaction = 0.5 + self.spread(7.0);
        self.plan(reaction, Event::Reacts(call, agent, self.now));
    }

    /// Whose wait, times the weight of his queue, is the longest is next; then who came before.
    fn turn(&self, call: CallId) -> (i64, (i64, u64)) {
        let caller = &self.waiting[&call];
        let queue = self.sites[self.site].queues[caller.queue].as_ref();
        let weight = queue.and_then(|queue| queue.weight).unwrap_or(1);
        let waited = self.now.as_micros() as i64 - caller.place.0;
        (-waited * i64::from(weight), caller.place)
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
        self.class(call, agent).is_some()
            && caller.may_ring_more()
            && (caller.ringing.is_empty() || !caller.tried.contains(&agent))
            && self.now < caller.until
    }

    /// How good an agent is for a caller, if able: his tier, and what he lacks of the preferred.
    fn class(&self, call: CallId, agent: usize) -> Option<(usize, u32)> {
        let caller = &self.waiting[&call];
        let wait = Wait {
            queue: caller.queue,
            waited: self.now.since(caller.entered),
            asks: &caller.asks,
            prefers: &caller.prefers,
        };
        let is_there = |agent: usize| self.people[agent].state != State::LoggedOut;
        if let Some((dear, _)) = caller.favourite.filter(|(_, until)| self.now < *until) {
            let able = self.sites[self.site].levels(wait, agent);
            return able.filter(|_| dear == agent).map(|lacks| (0, lacks));
        }
        self.sites[self.site].class(wait, agent, is_there)
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
            for call in self.lines[queue].values() {
                let favourite = self.waiting[call].favourite;
                let waits = |dear: usize| self.is_free(dear) && self.wants(*call, dear);
                assert!(!favourite.is_some_and(|(dear, _)| waits(dear)), "waits for {favourite:?}");
            }
            let site = &self.sites[self.site];
            if self.lines[queue].is_empty() {
                continue;
            }
            let config = site.queues[queue].as_ref().expect("somebody waits where no queue is");
            let left = self.is_deserted(queue, &config.empty_leave);
            assert!(!left, "somebody waits in queue {queue}, where nobody is");
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
