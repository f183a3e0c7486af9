//! The ACD, whose agents are all free at first.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strowger::acd::config::{Agent, Config, Queue};
use strowger::acd::{Acd, Ask, Change, Outcome, Output};
use strowger::id::{AgentId, CallId, QueueId};
use strowger::time::Instant;

use crate::{BACKLOG, Matcher, Site};

pub struct Hall {
    acd: Acd,
    queues: Vec<QueueId>,
    clock: AtomicU64,
    /// Who talks, for the one thread that lets them hang up in turn.
    busy: Mutex<VecDeque<(CallId, AgentId)>>,
}

impl Hall {
    pub fn new(acd: Acd, site: Site) -> Self {
        let name = |number: u32| QueueId::from(number.to_string().as_str());
        let queues: Vec<_> = (0..site.queues()).map(name).collect();
        let agents: Vec<_> =
            (0..site.agents).map(|n| AgentId::from(n.to_string().as_str())).collect();
        let mut config = Config::default();
        for (number, id) in (0..).zip(&agents) {
            config.agents.insert(id.clone(), Agent::default());
            for queue in site.served_by(number) {
                let queue = config.queues.entry(name(queue)).or_insert_with(|| Queue {
                    callers_max: Some(100_000),
                    wrap_up: None,
                    ..Queue::default()
                });
                queue.members.push(id.clone());
            }
        }
        let mut out = Vec::new();
        acd.configure(Instant::START, &config, &mut out);
        for id in &agents {
            let seat = Change::Login { extension: id.as_str().into() };
            acd.change(Instant::START, id, Change::Reachable(true), &mut out).expect("he is known");
            acd.change(Instant::START, id, seat, &mut out).expect("his seat is free");
        }
        Self { acd, queues, clock: AtomicU64::new(1), busy: Mutex::default() }
    }

    /// A moment and an id that nobody else has.
    fn moment(&self) -> (Instant, CallId) {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        (Instant::from_micros(tick), CallId::from_u64(tick))
    }

    fn enter(&self, out: &mut Vec<Output>) {
        let (now, call) = self.moment();
        let queue = &self.queues[call.as_u64() as usize % self.queues.len()];
        let ask = Ask { entered: now, ..Ask::default() };
        self.acd.enter(now, call, queue, ask, out).expect("there is room");
    }

    /// The first who is rung in `out` answers; what comes of it stands behind the others there.
    fn answer(&self, out: &mut Vec<Output>) -> Option<(CallId, AgentId)> {
        let is_offer = |output: &Output| matches!(output, Output::Offer { .. });
        let first = out.iter().position(is_offer).map_or(out.len(), |at| at + 1);
        let rung = out.drain(..first).next_back();
        let Some(Output::Offer { call, agent, .. }) = rung else { return None };
        let now = self.moment().0;
        assert!(self.acd.offer_ended(now, call, &agent, Outcome::Answered, out));
        Some((call, agent))
    }
}

impl Matcher for Hall {
    /// One call enters; every offer that this thread is handed is answered and hung up. With
    /// several threads that may be another's call, and another may be handed this one.
    fn assign(&self) {
        let mut out = Vec::with_capacity(8);
        self.enter(&mut out);
        while let Some((call, agent)) = self.answer(&mut out) {
            self.acd.call_ended(self.moment().0, call, &agent, &mut out);
        }
    }

    fn fill(&self) -> usize {
        let mut busy = self.busy.lock().expect("nobody panics");
        let (mut out, mut waiting) = (Vec::new(), 0);
        while waiting < BACKLOG {
            self.enter(&mut out);
            match self.answer(&mut out) {
                Some(talk) => busy.push_back(talk),
                None => waiting += 1,
            }
        }
        busy.len()
    }

    #[allow(clippy::disallowed_methods, reason = "a bench is there to look at the clock")]
    fn next_of_line(&self) -> Duration {
        let mut busy = self.busy.lock().expect("nobody panics");
        let mut out = Vec::with_capacity(8);
        let (call, agent) = busy.pop_front().expect("somebody talks");
        let now = self.moment().0;
        let began = std::time::Instant::now();
        self.acd.call_ended(now, call, &agent, &mut out);
        let took = began.elapsed();
        busy.push_back(self.answer(&mut out).expect("somebody waits for him"));
        out.clear();
        self.enter(&mut out);
        took
    }
}
