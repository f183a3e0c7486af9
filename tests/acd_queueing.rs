//! The ACD beside queueing theory: what it does to callers is what Erlang's formulas say.
//!
//! Calls come at random (Poisson), talk for random times (exponential), and hang up at random if
//! they have to wait; agents answer at once. For such a hall the share that waits, the mean wait,
//! the service level and the abandonment are known: Erlang C without abandonment (M/M/n), Erlang A
//! with it (M/M/n+M). An ACD that loses, delays or doubles anything, or leaves an agent idle while
//! somebody waits, is off.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use strowger::acd::config::{Agent, Config, Queue, Settings, Strategy};
use strowger::acd::{Acd, Ask, Change, Outcome, Outlook, Output};
use strowger::id::{AgentId, CallId, QueueId};
use strowger::rng::Rng;
use strowger::time::{Duration, Instant};

/// Agents, load per agent, and mean patience in mean talk times; infinite patience: Erlang C.
const POINTS: [(u32, f64, f64); 24] = [
    (1, 0.50, INFINITE),
    (1, 0.60, INFINITE),
    (2, 0.50, INFINITE),
    (2, 0.65, INFINITE),
    (3, 0.70, INFINITE),
    (5, 0.50, INFINITE),
    (5, 0.70, INFINITE),
    (8, 0.70, INFINITE),
    (10, 0.75, INFINITE),
    (15, 0.75, INFINITE),
    (20, 0.75, INFINITE),
    (30, 0.80, INFINITE),
    (1, 0.80, 1.0),
    (1, 1.50, 0.5),
    (2, 0.90, 2.0),
    (3, 1.20, 0.3),
    (5, 0.95, 1.0),
    (5, 1.30, 0.5),
    (10, 0.90, 0.2),
    (10, 1.10, 1.0),
    (20, 1.00, 0.5),
    (30, 0.95, 2.0),
    (30, 1.25, 0.25),
    (50, 1.05, 0.5),
];
const INFINITE: f64 = f64::INFINITY;

/// Seconds: the mean talk time, and what the service level counts as soon.
const TALK: f64 = 180.0;
const SOON: f64 = 20.0;

/// The mean of a batch of calls is one observation.
const BATCHES: usize = 20;
/// Student's t of 19 degrees of freedom: 99 %, and 99.99 %, two-sided.
const T_99: f64 = 2.861;
const T_9999: f64 = 4.897;

/// Calls that make a batch nearly independent of the one before: thirty times those that come in
/// the hall's relaxation time (J. W. Cohen 1982, III.7.3), which abandonment shortens.
fn batch(load: f64, patience: f64) -> usize {
    let forgets = if patience == INFINITE { load / (1.0 - load.sqrt()).powi(2) } else { 0.0 };
    (30.0 * forgets).max(800.0) as usize
}

/// What is compared, in its order in the arrays below.
const NAMES: [&str; 4] = ["waits", "mean wait, s", "service level", "abandons"];

#[test]
fn waiting_is_as_erlang_says() {
    let (mut compared, mut outside) = (0, Vec::new());
    for (number, (agents, load, patience)) in (0..).zip(POINTS) {
        let arrivals = f64::from(agents) * load / TALK;
        let theory = if patience == INFINITE {
            erlang_c(agents, arrivals)
        } else {
            erlang_a(agents, arrivals, 1.0 / (patience * TALK))
        };
        let hall = Hall::new(agents, Strategy::MostIdle, number);
        let batches = hall.runs(arrivals, patience * TALK, batch(load, patience));
        for (at, name) in NAMES.into_iter().enumerate() {
            let Seen { mean, error } = Seen::of(batches.iter().map(|batch| batch[at]));
            let off = (mean - theory[at]).abs();
            let what = format!(
                "{agents} agents, load {load}, patience {patience}: {name} is {mean:.4} ± {:.4}, \
                 theory says {:.4}",
                T_99 * error,
                theory[at]
            );
            println!("{what}");
            assert!(off <= T_9999 * error + 1e-9, "{what}");
            compared += 1;
            if off > T_99 * error + 1e-9 {
                outside.push(what);
            }
        }
    }
    // Of intervals that hold the truth 99 times in 100, one in 100 misses it: three of 96 are
    // chance (96 in 100), more are not.
    assert!(outside.len() * 32 <= compared, "{outside:#?}");
}

#[test]
fn each_caller_waits_exactly_as_long_as_the_line_before_him_makes_him() {
    for agents in [1, 2, 7, 20] {
        let mut hall = Hall::new(agents, Strategy::MostIdle, 100 + u64::from(agents));
        hall.goes_on(f64::from(agents) * 0.9 / TALK, INFINITE, 5_000);
        // Kiefer and Wolfowitz 1955: each goes to whoever is free first.
        let mut free_at = vec![0; agents as usize];
        for (call, (came, talks)) in &hall.facts {
            free_at.sort_unstable();
            let waits = u64::saturating_sub(free_at[0], *came);
            free_at[0] = came + waits + talks;
            let (waited, _) = hall.decided[call];
            assert_eq!((waited * 1e6).round() as u64, waits, "call {call} of {agents} agents");
        }
    }
}

/// Time-dependent priorities (L. Kleinrock 1964): callers of the two queues of an agent age at the
/// rates of their weights, and wait on average as long as that makes them.
#[test]
fn weights_of_queues_share_the_wait_as_theory_says() {
    for (number, (weights, loads)) in
        (200..).zip([([1, 3], [0.4, 0.4]), ([1, 10], [0.6, 0.2]), ([2, 3], [0.3, 0.55])])
    {
        let rate = |class: usize| f64::from(weights[class]);
        let load = loads[0] + loads[1];
        let fcfs = load * TALK / (1.0 - load);
        let ratio = 1.0 - rate(0) / rate(1);
        let slow = fcfs / (1.0 - loads[1] * ratio);
        let theory = [slow, fcfs - loads[0] * slow * ratio];

        let mut hall = Hall::of(1, Strategy::MostIdle, number, &weights);
        hall.share = loads[0] / load;
        let size = 2 * batch(load, INFINITE);
        hall.goes_on(load / TALK, INFINITE, ((1 + BATCHES) * size) as u64);
        for class in [0, 1] {
            let of_class = |batch: &[(CallId, f64)]| {
                let own = batch.iter().filter(|(call, _)| hall.class[call] == class);
                let waits: Vec<f64> = own.map(|(_, waited)| *waited).collect();
                waits.iter().sum::<f64>() / waits.len() as f64
            };
            let waits: Vec<(CallId, f64)> =
                hall.decided.iter().map(|(call, (waited, _))| (*call, *waited)).collect();
            let Seen { mean, error } = Seen::of(waits[size..].chunks_exact(size).map(of_class));
            let what = format!(
                "weights {weights:?}, loads {loads:?}: class {class} waits {mean:.1} ± {:.1}, \
                 theory says {:.1}",
                T_99 * error,
                theory[class]
            );
            println!("{what}");
            assert!((mean - theory[class]).abs() <= T_9999 * error, "{what}");
        }
    }
}

/// The bound that docs/queues.md gives: nobody is served before a caller who has waited less than
/// the ratio of their weights of that one's wait.
#[test]
fn pain_11_nobody_is_passed_over_beyond_the_bound_of_the_weights() {
    let weights = [1, 4];
    let mut hall = Hall::of(3, Strategy::MostIdle, 300, &weights);
    hall.share = 0.5;
    hall.goes_on(3.0 * 0.97 / TALK, INFINITE, 20_000);
    // When each was rung, in the order of time.
    let mut rung: Vec<(f64, f64, usize)> = hall
        .decided
        .iter()
        .map(|(call, (waited, _))| {
            let came = hall.facts[call].0 as f64 / 1e6;
            (came + waited, came, hall.class[call])
        })
        .collect();
    rung.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut passed = 0;
    for (at, (_, came, class)) in rung.iter().enumerate() {
        // Who is rung before him though he came later has waited so much at least.
        for (when, other, of) in &rung[at.saturating_sub(500)..at] {
            let ratio = f64::from(weights[*class]) / f64::from(weights[*of]);
            let least = (when - came) * ratio;
            if other > came && when > came {
                passed += 1;
                assert!(when - other >= least - 1e-3, "{other} before {came} at {when}");
            }
        }
    }
    assert!(passed > 1_000, "hardly anybody was passed over: {passed}");
}

#[test]
fn nobody_works_much_more_than_another() {
    let spread = |strategy| {
        let mut hall = Hall::new(12, strategy, 7);
        hall.books_idle_times = true;
        hall.spread(12.0 * 0.7 / TALK)
    };
    let (most_idle, round_robin) = (spread(Strategy::MostIdle), spread(Strategy::RoundRobin));
    let linear = spread(Strategy::Linear);
    println!("coefficient of variation of idle times, of calls by agent:");
    println!("most-idle {most_idle:?}\nround-robin {round_robin:?}\nlinear {linear:?}");
    // Who always takes the longest idle makes their rests as even as they can be.
    assert!(most_idle.idle < 1.0 && most_idle.idle < round_robin.idle);
    assert!(round_robin.idle < linear.idle / 2.0);
    assert!(most_idle.calls < 0.05 && round_robin.calls < 0.05);
    assert!(linear.calls > 0.2);
}

/// A caller is told a range for the rest of his wait, in which nine waits of ten are said to end:
/// all who ask when they come, and the next in line each time that somebody comes.
#[test]
fn nine_waits_of_ten_end_in_the_range_that_was_foretold() {
    for (number, (agents, load, patience, talks, weights)) in (400..).zip([
        (1, 0.90, INFINITE, Talks::AtRandom, &[1][..]),
        (5, 0.95, INFINITE, Talks::AtRandom, &[1]),
        (20, 0.98, INFINITE, Talks::AtRandom, &[1]),
        (20, 0.98, INFINITE, Talks::Alike, &[1]),
        (5, 1.30, 2.0, Talks::AtRandom, &[1]),
        (30, 1.25, 1.0, Talks::AtRandom, &[1]),
        (30, 1.25, 1.0, Talks::Alike, &[1]),
        (10, 0.97, INFINITE, Talks::AtRandom, &[1, 1]),
        (10, 1.20, 1.0, Talks::AtRandom, &[1, 2]),
    ]) {
        let mut hall = Hall::of(agents, Strategy::MostIdle, number, weights);
        (hall.share, hall.talks, hall.asks) = (0.6, talks, true);
        hall.goes_on(f64::from(agents) * load / TALK, patience * TALK, 8_000);
        let (mut right, mut early, mut late) = (0.0, 0.0, 0.0);
        for (call, waited, outlook) in &hall.outlooks {
            let (in_all, answered) = hall.decided[call];
            let rest = in_all - waited;
            match () {
                () if rest > seconds(outlook.to) => late += 1.0,
                () if !answered => {} // how long he would have waited nobody knows
                () if rest < seconds(outlook.from) => early += 1.0,
                () => right += 1.0,
            }
        }
        let all: f64 = right + early + late;
        let what = format!(
            "{agents} agents, load {load}, patience {patience}, {talks:?}, weights \
             {weights:?}: {all} told of {}, {:.1} % in the range, {:.1} % sooner, {:.1} % later",
            hall.asked,
            100.0 * right / all,
            100.0 * early / all,
            100.0 * late / all,
        );
        println!("{what}");
        assert!(all > 2_000.0 && (0.88..=0.98).contains(&(right / all)), "{what}");
        assert!(early.max(late) / all < 0.08, "{what}");
    }
}

/// Coefficients of variation.
#[derive(Clone, Copy, Debug)]
struct Spread {
    /// Of the single times that agents were idle.
    idle: f64,
    /// Of the calls that each agent got.
    calls: f64,
}

/// A mean, and its standard error.
struct Seen {
    mean: f64,
    error: f64,
}

impl Seen {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, error: (squares / (count - 1.0) / count).sqrt() }
    }
}

/// Erlang C (A. K. Erlang 1917): the figures of `NAMES` for calls that wait for ever.
fn erlang_c(agents: u32, arrivals: f64) -> [f64; 4] {
    let offered = arrivals * TALK;
    let n = f64::from(agents);
    let blocked = (1..=agents).fold(1.0, |b, k| offered * b / (f64::from(k) + offered * b));
    let waits = n * blocked / (n - offered * (1.0 - blocked));
    let spare = n / TALK - arrivals;
    [waits, waits / spare, 1.0 - waits * (-spare * SOON).exp(), 0.0]
}

/// Erlang A (C. Palm 1946): the same for calls that hang up at the rate `leaving` while they wait.
fn erlang_a(agents: u32, arrivals: f64, leaving: f64) -> [f64; 4] {
    let n = agents as usize;
    let served = 1.0 / TALK;
    // Calls in the hall as a birth and death process, from the shares of its states.
    let states = n + 4000;
    let mut shares = vec![1.0; states];
    for k in 1..states {
        let waiting = k.saturating_sub(n) as f64;
        let ends = k.min(n) as f64 * served + waiting * leaving;
        shares[k] = shares[k - 1] * arrivals / ends;
    }
    let whole: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= whole);
    let waits: f64 = shares[n..].iter().sum();
    let waiting: f64 = shares[n..].iter().enumerate().map(|(k, share)| k as f64 * share).sum();
    let at_once: f64 = shares[..n].iter().sum();
    let soon = at_once + served_within(SOON, &shares[n..], n as f64 * served, leaving);
    [waits, waiting / arrivals, soon, leaving * waiting / arrivals]
}

/// The share of calls that wait and are served within `seconds`; `ahead[j]` find `j` before them.
///
/// Those before go at `busy + j * leaving`, the caller himself gives up at `leaving`: a chain of
/// exponential stages, followed in small steps (Runge and Kutta).
fn served_within(seconds: f64, ahead: &[f64], busy: f64, leaving: f64) -> f64 {
    let depth = ahead.iter().rposition(|share| *share > 1e-12).map_or(1, |last| last + 1);
    let mut state: Vec<f64> = ahead[..depth].to_vec();
    state.push(0.0); // who has been served
    let change = |state: &[f64]| -> Vec<f64> {
        let goes = |j: usize| (busy + j as f64 * leaving) * state[j];
        let mut change: Vec<f64> = (0..depth)
            .map(|j| {
                let comes = if j + 1 < depth { goes(j + 1) } else { 0.0 };
                comes - goes(j) - leaving * state[j]
            })
            .collect();
        change.push(goes(0));
        change
    };
    let steps = 2000;
    let dt = seconds / f64::from(steps);
    for _ in 0..steps {
        let moved = |by: &[f64], dt: f64| -> Vec<f64> {
            state.iter().zip(by).map(|(state, by)| state + dt * by).collect()
        };
        let first = change(&state);
        let second = change(&moved(&first, dt / 2.0));
        let third = change(&moved(&second, dt / 2.0));
        let fourth = change(&moved(&third, dt));
        for (at, value) in state.iter_mut().enumerate() {
            *value += dt / 6.0 * (first[at] + 2.0 * second[at] + 2.0 * third[at] + fourth[at]);
        }
    }
    state[depth]
}

/// What is to come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes,
    GivesUp(CallId),
    HangsUp(CallId, AgentId),
}

/// How long calls talk.
#[derive(Clone, Copy, Debug)]
enum Talks {
    Alike,
    AtRandom,
}

/// Queues, their agents and their callers, in virtual time.
struct Hall {
    acd: Acd,
    queues: Vec<QueueId>,
    /// The share of the calls that come to the first queue, if there are two; and where each came.
    share: f64,
    class: BTreeMap<CallId, usize>,
    rng: Rng,
    now: Instant,
    coming: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    numbered: u64,
    /// When each waiting caller came.
    waiting: BTreeMap<CallId, Instant>,
    calls: u64,
    /// For each call that is decided: seconds waited, whether answered.
    decided: BTreeMap<CallId, (f64, bool)>,
    /// When each call came and how long it talked, in microseconds.
    facts: BTreeMap<CallId, (u64, u64)>,
    talks: Talks,
    /// Whether callers ask how long they are going to wait; how often they did, and what they were
    /// told when they had waited for so many seconds.
    asks: bool,
    asked: u32,
    outlooks: Vec<(CallId, f64, Outlook)>,
    books_idle_times: bool,
    idle_since: BTreeMap<AgentId, Instant>,
    idle_times: Vec<f64>,
    answered: BTreeMap<AgentId, u32>,
}

impl Hall {
    fn new(agents: u32, strategy: Strategy, seed: u64) -> Self {
        Self::of(agents, strategy, seed, &[1])
    }

    /// A hall with a queue of each of the weights.
    fn of(agents: u32, strategy: Strategy, seed: u64, weights: &[u8]) -> Self {
        let ids: Vec<AgentId> = (0..agents).map(|n| format!("a{n:03}").as_str().into()).collect();
        let queue = |(at, weight): (usize, &u8)| {
            let weight = Some(*weight);
            let queue = Queue { members: ids.clone(), strategy, weight, ..Queue::default() };
            (QueueId::from(at.to_string().as_str()), queue)
        };
        let queues: BTreeMap<_, _> = weights.iter().enumerate().map(queue).collect();
        let long = Duration::from_secs(24 * 60 * 60);
        let acd = Settings { callers_max: 100_000, max_wait: long, ..Settings::default() };
        let config = Config {
            acd,
            queues: queues.clone(),
            agents: ids.iter().map(|id| (id.clone(), Agent::default())).collect(),
        };
        let (acd, mut out) = (Acd::new(), Vec::new());
        acd.configure(Instant::START, &config, &mut out);
        for id in &ids {
            let seat = Change::Login { extension: id.as_str().into() };
            for change in [Change::Reachable(true), seat] {
                acd.change(Instant::START, id, change, &mut out).expect("he may");
            }
        }
        Self {
            acd,
            queues: queues.into_keys().collect(),
            share: 1.0,
            class: BTreeMap::new(),
            rng: Rng::from_number(seed),
            now: Instant::START,
            coming: BinaryHeap::new(),
            numbered: 0,
            waiting: BTreeMap::new(),
            calls: 0,
            decided: BTreeMap::new(),
            facts: BTreeMap::new(),
            talks: Talks::AtRandom,
            asks: false,
            asked: 0,
            outlooks: Vec::new(),
            books_idle_times: false,
            idle_since: ids.iter().map(|id| (id.clone(), Instant::START)).collect(),
            idle_times: Vec::new(),
            answered: BTreeMap::new(),
        }
    }

    /// The figures of `NAMES`, batch after batch of calls in the order in which they came.
    fn runs(mut self, arrivals: f64, patience: f64, size: usize) -> Vec<[f64; 4]> {
        self.goes_on(arrivals, patience, ((1 + BATCHES) * size) as u64);
        let decided: Vec<(f64, bool)> = self.decided.into_values().skip(size).collect();
        decided
            .chunks_exact(size)
            .map(|batch| {
                let share = |is: &dyn Fn(&(f64, bool)) -> bool| {
                    batch.iter().filter(|call| is(call)).count() as f64 / size as f64
                };
                let waited = batch.iter().map(|(waited, _)| waited).sum::<f64>();
                [
                    share(&|(waited, _)| *waited > 0.0),
                    waited / size as f64,
                    share(&|(waited, answered)| *answered && *waited <= SOON),
                    share(&|(_, answered)| !answered),
                ]
            })
            .collect()
    }

    fn spread(mut self, arrivals: f64) -> Spread {
        self.goes_on(arrivals, INFINITE, 12_000);
        let variation = |values: &[f64]| {
            let Seen { mean, error } = Seen::of(values.iter().copied());
            error * (values.len() as f64).sqrt() / mean
        };
        let calls: Vec<f64> = self.answered.values().map(|calls| f64::from(*calls)).collect();
        Spread { idle: variation(&self.idle_times), calls: variation(&calls) }
    }

    /// Lives until so many calls have come and all of them are decided.
    fn goes_on(&mut self, arrivals: f64, patience: f64, calls: u64) {
        self.plan(1.0 / arrivals, Event::Comes);
        while let Some(Reverse((at, _, event))) = self.coming.pop() {
            self.now = at;
            let mut out = Vec::new();
            match event.clone() {
                Event::Comes => {
                    self.calls += 1;
                    if self.calls < calls {
                        self.plan(1.0 / arrivals, Event::Comes);
                    }
                    let call = CallId::from_u64(self.calls);
                    self.waiting.insert(call, at);
                    if patience < INFINITE {
                        self.plan(patience, Event::GivesUp(call));
                    }
                    let ask = Ask { entered: at, ..Ask::default() };
                    let class = if self.queues.len() == 1 { 0 } else { self.class_by_chance() };
                    self.class.insert(call, class);
                    let queue = &self.queues[class];
                    self.acd.enter(at, call, queue, ask, &mut out).expect("there is room");
                }
                Event::GivesUp(call) => {
                    if let Some(came) = self.waiting.remove(&call) {
                        self.decided.insert(call, (seconds(at.since(came)), false));
                        self.acd.leave(at, call, &mut out);
                    }
                }
                Event::HangsUp(call, agent) => {
                    self.idle_since.insert(agent.clone(), at);
                    self.acd.call_ended(at, call, &agent, &mut out);
                }
            }
            let comes = matches!(event, Event::Comes);
            self.carry_out(out);
            if self.asks && comes {
                let next = self.waiting.keys().next().copied();
                let asking = next.into_iter().chain(self.waiting.keys().last().copied());
                for call in asking.collect::<Vec<_>>() {
                    self.ask(call);
                }
            }
        }
        assert!(self.waiting.is_empty(), "nobody is forgotten");
    }

    fn ask(&mut self, call: CallId) {
        self.asked += 1;
        let waited = seconds(self.now.since(self.waiting[&call]));
        self.outlooks.extend(self.acd.outlook(call).map(|outlook| (call, waited, outlook)));
    }

    fn class_by_chance(&mut self) -> usize {
        let even = (self.rng.u64() >> 11) as f64 / (1_u64 << 53) as f64;
        usize::from(even >= self.share)
    }

    /// Every phone that rings is answered at once.
    fn carry_out(&mut self, out: Vec<Output>) {
        let mut todo = out;
        while let Some(output) = todo.pop() {
            let Output::Offer { call, agent, .. } = output else { continue };
            let now = self.now;
            assert!(self.acd.offer_ended(now, call, &agent, Outcome::Answered, &mut todo));
            let came = self.waiting.remove(&call).expect("offered once, while he waits");
            self.decided.insert(call, (seconds(now.since(came)), true));
            if self.books_idle_times {
                self.idle_times.push(seconds(now.since(self.idle_since[&agent])));
                *self.answered.entry(agent.clone()).or_default() += 1;
            }
            let hangs_up = Event::HangsUp(call, agent);
            let talks = match self.talks {
                Talks::Alike => self.plan_after((TALK * 1e6) as u64, hangs_up),
                Talks::AtRandom => self.plan(TALK, hangs_up),
            };
            self.facts.insert(call, (came.as_micros(), talks));
        }
    }

    /// Lets something happen after an exponential time of the given mean, in seconds: that time in
    /// microseconds.
    fn plan(&mut self, mean: f64, event: Event) -> u64 {
        let even = (self.rng.u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let wait = -mean * (1.0 - even).ln();
        self.plan_after((wait * 1e6) as u64, event)
    }

    fn plan_after(&mut self, micros: u64, event: Event) -> u64 {
        self.numbered += 1;
        let at = Instant::from_micros(self.now.as_micros() + micros);
        self.coming.push(Reverse((at, self.numbered, event)));
        micros
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
