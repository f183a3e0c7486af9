//! The same by sorted lists under a mutex: the waiting of each queue by arrival, its idle members
//! by the time since when. No skills, deadlines, states or outputs beside the match:
//! less than the ACD does.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{BACKLOG, Matcher, Site};

pub struct Sorted {
    lists: Mutex<Lists>,
    clock: AtomicU64,
    queues: u32,
    /// Who talks, for the one thread that lets them hang up in turn.
    busy: Mutex<VecDeque<u32>>,
}

struct Lists {
    /// Of each queue: the calls, whose numbers are the order of their coming.
    waiting: Vec<BTreeSet<u64>>,
    /// Of each queue: since when its free members are idle.
    idle: Vec<BTreeSet<(u64, u32)>>,
    serves: Vec<Vec<u32>>,
    rings: HashMap<u64, u32>,
}

impl Lists {
    fn enter(&mut self, queue: u32, call: u64) -> Option<(u64, u32)> {
        let Some(&(since, agent)) = self.idle[queue as usize].first() else {
            self.waiting[queue as usize].insert(call);
            return None;
        };
        for &queue in &self.serves[agent as usize] {
            self.idle[queue as usize].remove(&(since, agent));
        }
        self.rings.insert(call, agent);
        Some((call, agent))
    }

    fn free(&mut self, agent: u32, now: u64) -> Option<(u64, u32)> {
        let serves = &self.serves[agent as usize];
        let first = |queue: &u32| self.waiting[*queue as usize].first().map(|call| (*call, *queue));
        let Some((call, queue)) = serves.iter().filter_map(first).min() else {
            for &queue in serves {
                self.idle[queue as usize].insert((now, agent));
            }
            return None;
        };
        self.waiting[queue as usize].remove(&call);
        self.rings.insert(call, agent);
        Some((call, agent))
    }
}

impl Sorted {
    pub fn new(site: Site) -> Self {
        let queues = site.queues();
        let mut lists = Lists {
            waiting: vec![BTreeSet::new(); queues as usize],
            idle: vec![BTreeSet::new(); queues as usize],
            serves: (0..site.agents).map(|agent| site.served_by(agent).collect()).collect(),
            rings: HashMap::new(),
        };
        for agent in 0..site.agents {
            for queue in site.served_by(agent) {
                lists.idle[queue as usize].insert((0, agent));
            }
        }
        let (clock, busy) = (AtomicU64::new(1), Mutex::default());
        Self { lists: Mutex::new(lists), clock, queues, busy }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, Lists> {
        self.lists.lock().expect("nobody panics")
    }

    fn enter(&self) -> Option<(u64, u32)> {
        let call = self.tick();
        self.lists().enter((call % u64::from(self.queues)) as u32, call)
    }

    fn free(&self, agent: u32) -> Option<(u64, u32)> {
        let now = self.tick();
        self.lists().free(agent, now)
    }

    fn answer(&self, call: u64) {
        self.lists().rings.remove(&call);
    }
}

impl Matcher for Sorted {
    fn assign(&self) {
        let mut rung = self.enter();
        while let Some((call, agent)) = rung {
            self.answer(call);
            rung = self.free(agent);
        }
    }

    fn fill(&self) -> usize {
        let mut busy = self.busy.lock().expect("nobody panics");
        let mut waiting = 0;
        while waiting < BACKLOG {
            match self.enter() {
                Some((call, agent)) => {
                    self.answer(call);
                    busy.push_back(agent);
                }
                None => waiting += 1,
            }
        }
        busy.len()
    }

    #[allow(clippy::disallowed_methods, reason = "a bench is there to look at the clock")]
    fn next_of_line(&self) -> Duration {
        let mut busy = self.busy.lock().expect("nobody panics");
        let agent = busy.pop_front().expect("somebody talks");
        let began = std::time::Instant::now();
        let rung = self.free(agent);
        let took = began.elapsed();
        let (call, agent) = rung.expect("somebody waits");
        self.answer(call);
        busy.push_back(agent);
        self.enter();
        took
    }
}
