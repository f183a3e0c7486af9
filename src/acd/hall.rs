//! An ACD in virtual time and one thread, for tests.

use std::collections::BTreeMap;

use super::config::{Agent, Config, Queue, Strategy};
use super::*;
use crate::id::{AgentId, CallId, ExtensionId};
use crate::time::{Duration, Instant};

pub fn call(number: u64) -> CallId {
    CallId::from_u64(number)
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub type Queues = BTreeMap<crate::id::QueueId, Queue>;

pub fn strategy(strategy: Strategy, members: &[&str]) -> Queues {
    let members = members.iter().map(|&member| member.into()).collect();
    [("q".into(), Queue { strategy, members, ..Queue::default() })].into()
}

pub fn most_idle(members: &[&str]) -> Queues {
    strategy(Strategy::MostIdle, members)
}

pub fn ring_all(members: &[&str]) -> Queues {
    strategy(Strategy::RingAll, members)
}

pub fn with(mut queues: Queues, change: impl Fn(&mut Queue)) -> Queues {
    queues.values_mut().for_each(change);
    queues
}

/// An ACD with a queue `q`, driven through virtual time.
pub struct Hall {
    pub acd: Acd,
    pub config: Config,
    pub now: Instant,
    pub out: Vec<Output>,
    pub last: BTreeMap<u64, AgentId>,
    seen: Vec<String>,
}

impl Hall {
    pub fn new<const N: usize>(agents: [&str; N], queues: Queues) -> Self {
        Self::of(&agents, queues)
    }

    pub fn of(agents: &[&str], queues: Queues) -> Self {
        let agents = agents.iter().map(|&id| (id.into(), Agent::default())).collect();
        let config = Config { agents, queues, ..Config::default() };
        let (acd, now, out) = (Acd::new(), Instant::from_micros(1_000_000), vec![]);
        let mut hall = Self { acd, config, now, out, last: BTreeMap::new(), seen: vec![] };
        hall.configure();
        hall
    }

    pub fn configure(&mut self) {
        self.acd.configure(self.now, &self.config, &mut self.out);
    }

    pub fn skilled(&mut self, agent: &str, skill: &str, level: u8) {
        let agent = self.config.agents.get_mut(agent).unwrap();
        agent.skills.insert(skill.into(), level);
        self.configure();
    }

    pub fn change(&mut self, agent: &str, change: Change) -> Result<(), ChangeError> {
        self.acd.change(self.now, &agent.into(), change, &mut self.out)
    }

    pub fn works(&mut self, agent: &str) {
        let extension = ExtensionId::from(format!("seat-{agent}").as_str());
        self.change(agent, Change::Reachable(true)).unwrap();
        self.change(agent, Change::Login { extension }).unwrap();
    }

    /// They come to work a second one after the other, so that the first is the most idle.
    pub fn work<const N: usize>(&mut self, agents: [&str; N]) {
        for agent in agents {
            self.works(agent);
            self.pass(1);
        }
    }

    pub fn state(&self, agent: &str) -> State {
        self.acd.agent(&agent.into()).unwrap().state
    }

    pub fn calls(&mut self, number: u64) -> Result<u32, Refusal> {
        self.asks(number, "q", Ask { entered: self.now, ..Ask::default() })
    }

    pub fn asks(&mut self, number: u64, queue: &str, ask: Ask) -> Result<u32, Refusal> {
        self.acd.enter(self.now, call(number), &queue.into(), ask, &mut self.out)
    }

    pub fn favourite(&self, agent: &str, outsider: bool) -> Favourite {
        Favourite { agent: agent.into(), wait: secs(30), outsider }
    }

    /// A caller who is to have an agent before anybody else, for whom he waits 30 seconds.
    pub fn loves(&mut self, number: u64, agent: &str, outsider: bool) -> Result<u32, Refusal> {
        let favourite = Some(self.favourite(agent, outsider));
        self.asks(number, "q", Ask { favourite, entered: self.now, ..Ask::default() })
    }

    pub fn leaves(&mut self, number: u64) {
        self.acd.leave(self.now, call(number), &mut self.out);
    }

    pub fn ends(&mut self, number: u64, agent: &str, outcome: Outcome) -> bool {
        self.acd.offer_ended(self.now, call(number), &agent.into(), outcome, &mut self.out)
    }

    pub fn answers(&mut self, number: u64, agent: &str) -> bool {
        self.ends(number, agent, Outcome::Answered)
    }

    pub fn hangs_up(&mut self, number: u64, agent: &str) {
        self.acd.call_ended(self.now, call(number), &agent.into(), &mut self.out);
    }

    /// The agent comes to work, is called and answers.
    pub fn talks(&mut self, number: u64, agent: &str) {
        self.works(agent);
        self.calls(number).unwrap();
        assert!(self.answers(number, agent));
        self.out.clear();
    }

    /// `agent` talks in a call while `other` is away for a moment.
    pub fn talks_with(&mut self, number: u64, agent: &str, other: &str) {
        self.change(other, Change::Away { reason: String::new() }).unwrap();
        self.calls(number).unwrap();
        assert!(self.answers(number, agent));
        self.hangs_up(number, agent);
        self.change(other, Change::Available).unwrap();
        self.out.retain(
            |output| !matches!(output, Output::Offer { call: c, .. } if *c == call(number)),
        );
    }

    pub fn answers_last(&mut self, number: u64) {
        let rung = self.out.iter().rev().find_map(|output| match output {
            Output::Offer { call: c, agent, .. } if *c == call(number) => Some(agent.clone()),
            _ => None,
        });
        let agent = rung.expect("somebody is rung");
        assert!(self.answers(number, agent.as_str()));
        self.last.insert(number, agent);
    }

    pub fn hangs_up_last(&mut self, number: u64) {
        let agent = self.last[&number].clone();
        self.hangs_up(number, agent.as_str());
    }

    /// Lets seconds pass, ticking whenever the ACD asked to be.
    pub fn pass(&mut self, seconds: u64) {
        let end = self.now + secs(seconds);
        while let Some(due) = self.acd.next_tick().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.acd.tick(self.now, &mut self.out);
        }
        self.now = end;
    }

    /// What phones were told since the last time: `1>a` rings, `1-a why` stops.
    pub fn rung(&mut self) -> Vec<String> {
        let told = self.out.drain(..).filter_map(|output| match output {
            Output::Offer { call, agent, .. } => Some(format!("{}>{agent}", call.as_u64())),
            Output::Withdraw { call, agent, why } => {
                Some(format!("{}-{agent} {why:?}", call.as_u64()))
            }
            _ => None,
        });
        self.seen = told.collect();
        self.seen.clone()
    }

    pub fn rung_first(&mut self, count: usize) -> Vec<String> {
        self.rung().into_iter().filter(|told| told.contains('>')).take(count).collect()
    }
}
