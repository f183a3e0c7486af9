//! What matching costs: the ACD beside a mutex over sorted lists that does the same.
//!
//! `assign`: a call enters, the most idle of all free agents is rung, answers, hangs up; by one,
//! two and four threads at once, with 10 to 10,000 agents who serve one queue or twenty.
//! `explaining` is the ACD as the node runs it, which also says why.
//!
//! `free to offer`: all agents talk and 10,000 callers wait; one becomes free. The time until
//! whoever is to be rung next is handed over, by quantile.

use std::hint::black_box;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use strowger::acd::Acd;

use hall::Hall;
use sorted::Sorted;

mod hall;
mod sorted;

const AGENTS: [u32; 3] = [10, 1_000, 10_000];
const QUEUES_EACH: [u32; 2] = [1, 20];
const THREADS: [u64; 3] = [1, 2, 4];
const BACKLOG: usize = 10_000;
/// Agents who become free, one after the other, for the quantiles.
const FREED: usize = 50_000;
/// Members of a queue, if each agent serves several.
const MEMBERS: u32 = 200;

/// How large a hall is.
#[derive(Clone, Copy)]
struct Site {
    agents: u32,
    /// How many queues each agent serves.
    queues_each: u32,
}

impl Site {
    fn all() -> impl Iterator<Item = Self> {
        let sites = |agents| QUEUES_EACH.map(|queues_each| Self { agents, queues_each });
        AGENTS.into_iter().flat_map(sites)
    }

    /// How many queues there are.
    fn queues(self) -> u32 {
        if self.queues_each == 1 { 1 } else { (self.agents * self.queues_each / MEMBERS).max(20) }
    }

    /// The queues that an agent serves, by number.
    fn served_by(self, agent: u32) -> impl Iterator<Item = u32> {
        (0..self.queues_each).map(move |nth| (agent * self.queues_each + nth) % self.queues())
    }

    fn name(self) -> String {
        format!("{} agents with {} queues each", self.agents, self.queues_each)
    }
}

/// Who brings callers and agents together.
trait Matcher: Sync {
    /// A call enters, is answered, and is hung up.
    fn assign(&self);

    /// Lets callers enter until everybody talks and `BACKLOG` of them wait.
    fn fill(&self) -> usize;

    /// An agent becomes free, and is rung for the next who waits: how long that took. Then he
    /// answers, and another caller takes the last place.
    fn next_of_line(&self) -> std::time::Duration;
}

fn assign(c: &mut Criterion) {
    for site in Site::all() {
        let mut group = c.benchmark_group(format!("acd/assign/{}", site.name()));
        let matchers: [(&str, Box<dyn Matcher>); 3] = [
            ("lock-free", Box::new(Hall::new(Acd::new(), site))),
            ("explaining", Box::new(Hall::new(Acd::explaining(), site))),
            ("mutex", Box::new(Sorted::new(site))),
        ];
        for (name, matcher) in matchers {
            for threads in THREADS {
                group.throughput(Throughput::Elements(threads));
                group.bench_function(BenchmarkId::new(name, threads), |b| {
                    b.iter_custom(|times| at_once(threads, times, matcher.as_ref()));
                });
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench is there to look at the clock")]
fn at_once(threads: u64, times: u64, matcher: &dyn Matcher) -> std::time::Duration {
    let began = std::time::Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..times).for_each(|_| matcher.assign()));
        }
    });
    began.elapsed()
}

/// Quantiles need single times, of which Criterion keeps none.
fn free_to_offer(_: &mut Criterion) {
    for site in Site::all() {
        told(site, "lock-free", &Hall::new(Acd::new(), site));
        told(site, "explaining", &Hall::new(Acd::explaining(), site));
        told(site, "mutex", &Sorted::new(site));
    }
}

fn told(site: Site, name: &str, matcher: &dyn Matcher) {
    black_box(matcher.fill());
    let mut times: Vec<_> = (0..FREED).map(|_| matcher.next_of_line()).collect();
    times.sort();
    let [p50, p99, p999] = [500, 990, 999].map(|permille| times[FREED * permille / 1000]);
    println!("acd/free to offer/{}/{name}: p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}", site.name());
}

criterion_group!(benches, assign, free_to_offer);
criterion_main!(benches);
