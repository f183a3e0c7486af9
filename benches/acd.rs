//! What matching costs: the ACD beside a mutex over sorted lists that does the same.
//!
//! `cycle`: a call enters, the most idle of all free agents is rung, answers, hangs up;
//! `explaining` says why, too.
//! `backlog`: all agents talk and 10,000 callers wait; an agent becomes free and is rung for the
//! first of them, answers, and a new caller takes the last place.
//! `threads`: the same cycle by two threads at once, per cycle and thread.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use strowger::acd::config::{Agent, Config, Queue};
use strowger::acd::{Acd, Ask, Change, Outcome, Output};
use strowger::id::{AgentId, CallId, QueueId};
use strowger::time::Instant;

const AGENTS: [u32; 3] = [10, 1_000, 10_000];
const BACKLOG: u64 = 10_000;

fn cycle(c: &mut Criterion) {
    let mut group = c.benchmark_group("acd/cycle");
    for agents in AGENTS {
        let hall = Hall::new(agents);
        group.bench_function(BenchmarkId::new("lock-free", agents), |b| b.iter(|| hall.cycle()));
        let hall = Hall::with(Acd::explaining(), agents);
        group.bench_function(BenchmarkId::new("explaining", agents), |b| b.iter(|| hall.cycle()));
        let sorted = Sorted::new(agents);
        group.bench_function(BenchmarkId::new("mutex", agents), |b| b.iter(|| sorted.cycle()));
    }
}

fn backlog(c: &mut Criterion) {
    let mut group = c.benchmark_group("acd/backlog");
    for agents in AGENTS {
        let hall = Hall::new(agents);
        let mut busy = hall.fill();
        group.bench_function(BenchmarkId::new("lock-free", agents), |b| {
            b.iter(|| hall.next_of_line(&mut busy));
        });
        let sorted = Sorted::new(agents);
        let mut busy = sorted.fill();
        group.bench_function(BenchmarkId::new("mutex", agents), |b| {
            b.iter(|| sorted.next_of_line(&mut busy));
        });
    }
}

fn threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("acd/threads");
    for agents in AGENTS {
        let hall = Hall::new(agents);
        group.bench_function(BenchmarkId::new("lock-free", agents), |b| {
            b.iter_custom(|times| at_once(times, || hall.cycle()));
        });
        let sorted = Sorted::new(agents);
        group.bench_function(BenchmarkId::new("mutex", agents), |b| {
            b.iter_custom(|times| at_once(times, || sorted.cycle()));
        });
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench is there to look at the clock")]
fn at_once(times: u64, cycle: impl Fn() + Sync) -> std::time::Duration {
    let began = std::time::Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..times).for_each(|_| cycle()));
        }
    });
    began.elapsed()
}

/// The ACD with one queue whose agents are all free.
struct Hall {
    acd: Acd,
    queue: QueueId,
    clock: AtomicU64,
    agents: u32,
}

impl Hall {
    fn new(agents: u32) -> Self {
        Self::with(Acd::new(), agents)
    }

    fn with(acd: Acd, agents: u32) -> Self {
        let ids: Vec<AgentId> = (0..agents).map(|n| n.to_string().as_str().into()).collect();
        let queue = Queue {
            members: ids.clone(),
            callers_max: Some(100_000),
            wrap_up: None,
            ..Queue::default()
        };
        let mut config = Config::default();
        config.queues.insert("q".into(), queue);
        config.agents = ids.iter().map(|id| (id.clone(), Agent::default())).collect();
        let mut out = Vec::new();
        acd.configure(Instant::START, &config, &mut out);
        for id in &ids {
            let seat = Change::Login { extension: id.as_str().into() };
            acd.change(Instant::START, id, Change::Reachable(true), &mut out).expect("he is known");
            acd.change(Instant::START, id, seat, &mut out).expect("his seat is free");
        }
        Self { acd, queue: "q".into(), clock: AtomicU64::new(1), agents }
    }

    /// A moment and an id that nobody else has.
    fn moment(&self) -> (Instant, CallId) {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        (Instant::from_micros(tick), CallId::from_u64(tick))
    }

    fn enter(&self, out: &mut Vec<Output>) -> CallId {
        let (now, call) = self.moment();
        let ask = Ask { entered: now, ..Ask::default() };
        self.acd.enter(now, call, &self.queue, ask, out).expect("there is room");
        call
    }

    /// Whoever is rung in `out` answers.
    fn answer(&self, out: &mut Vec<Output>) -> (CallId, AgentId) {
        let rung = out.iter().find_map(|output| match output {
            Output::Offer { call, agent, .. } => Some((*call, agent.clone())),
            _ => None,
        });
        let (call, agent) = rung.expect("an agent is free");
        let (now, _) = self.moment();
        assert!(self.acd.offer_ended(now, call, &agent, Outcome::Answered, out));
        out.clear();
        (call, agent)
    }

    /// One call enters; every offer that this thread is handed is answered and hung up. With
    /// several threads that may be another's call, and another may be handed this one.
    fn cycle(&self) {
        let mut out = Vec::with_capacity(8);
        self.enter(&mut out);
        while let Some(Output::Offer { call, agent, .. }) = take_offer(&mut out) {
            let (now, _) = self.moment();
            assert!(self.acd.offer_ended(now, call, &agent, Outcome::Answered, &mut out));
            self.acd.call_ended(self.moment().0, call, &agent, &mut out);
        }
        black_box(out);
    }

    fn fill(&self) -> std::collections::VecDeque<(CallId, AgentId)> {
        let mut out = Vec::new();
        let busy = (0..self.agents)
            .map(|_| {
                self.enter(&mut out);
                self.answer(&mut out)
            })
            .collect();
        for _ in 0..BACKLOG {
            self.enter(&mut out);
        }
        busy
    }

    fn next_of_line(&self, busy: &mut std::collections::VecDeque<(CallId, AgentId)>) {
        let mut out = Vec::with_capacity(8);
        let (call, agent) = busy.pop_front().expect("somebody talks");
        self.acd.call_ended(self.moment().0, call, &agent, &mut out);
        busy.push_back(self.answer(&mut out));
        self.enter(&mut out);
        black_box(out);
    }
}

/// Takes the first offer out; other outputs before it are dropped.
fn take_offer(out: &mut Vec<Output>) -> Option<Output> {
    let at = out.iter().position(|output| matches!(output, Output::Offer { .. }))?;
    out.drain(..=at).next_back()
}

/// The same for one queue by most-idle: two sorted lists under a mutex. No skills, deadlines,
/// states or outputs beside the match: less than the ACD does.
struct Sorted {
    lists: Mutex<Lists>,
    clock: AtomicU64,
    agents: u32,
}

#[derive(Default)]
struct Lists {
    waiting: BTreeMap<(u64, u64), u64>,
    idle: BTreeMap<(u64, u32), ()>,
    calls: BTreeMap<u64, (u64, u64)>,
    rings: BTreeMap<u64, u32>,
}

impl Lists {
    fn offer(&mut self) -> Option<(u64, u32)> {
        let (&place, &call) = self.waiting.first_key_value()?;
        let ((_, agent), ()) = self.idle.pop_first()?;
        self.waiting.remove(&place);
        self.rings.insert(call, agent);
        Some((call, agent))
    }
}

impl Sorted {
    fn new(agents: u32) -> Self {
        let lists =
            Lists { idle: (0..agents).map(|agent| ((0, agent), ())).collect(), ..Lists::default() };
        Self { lists: Mutex::new(lists), clock: AtomicU64::new(1), agents }
    }

    fn enter(&self) -> Option<(u64, u32)> {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut lists = self.lists.lock().expect("nobody panics");
        lists.waiting.insert((tick, tick), tick);
        lists.calls.insert(tick, (tick, tick));
        lists.offer()
    }

    fn answer(&self, call: u64) {
        let mut lists = self.lists.lock().expect("nobody panics");
        lists.rings.remove(&call);
        lists.calls.remove(&call);
    }

    fn end(&self, agent: u32) -> Option<(u64, u32)> {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut lists = self.lists.lock().expect("nobody panics");
        lists.idle.insert((tick, agent), ());
        lists.offer()
    }

    fn cycle(&self) {
        let (call, agent) = self.enter().expect("an agent is free");
        self.answer(call);
        black_box(self.end(agent));
    }

    fn fill(&self) -> std::collections::VecDeque<u32> {
        let busy = (0..self.agents)
            .map(|_| {
                let (call, agent) = self.enter().expect("an agent is free");
                self.answer(call);
                agent
            })
            .collect();
        for _ in 0..BACKLOG {
            self.enter();
        }
        busy
    }

    fn next_of_line(&self, busy: &mut std::collections::VecDeque<u32>) {
        let agent = busy.pop_front().expect("somebody talks");
        let (call, agent) = self.end(agent).expect("somebody waits");
        self.answer(call);
        busy.push_back(agent);
        black_box(self.enter());
    }
}

criterion_group!(benches, cycle, backlog, threads);
criterion_main!(benches);
