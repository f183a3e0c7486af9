//! A few who serve one queue, which must not be left alone for a break, and what must hold after.
#![allow(dead_code, reason = "each variant of the protocol runs some of the models")]

use loom::sync::Arc;
use loom::thread;

use super::model::{PREEMPTIONS, check, join};
use super::wish::{self, Bell, Crew, is_there};
use super::word::{Agent, AgentWord, Bits, Phase, REACHABLE, WISH};

/// Agents 0 and 1 want a break at once: one stays.
pub fn two_want_one() {
    check(PREEMPTIONS, || {
        let hall = Hall::new(2, 2);
        let other = hall.clone();
        let one = thread::spawn(move || other.wants(1));
        hall.wants(0);
        join([one]);
        hall.holds();
    });
}

/// Agent 0 wants a break while agent 1 comes to work: he has it.
pub fn another_comes() {
    check(PREEMPTIONS, || {
        let hall = Hall::new(2, 1);
        let other = hall.clone();
        let comes = thread::spawn(move || other.comes(1));
        hall.wants(0);
        join([comes]);
        hall.holds();
        assert!(!hall.has_wishes(), "a wish is forgotten");
    });
}

/// Two are there and want a break, a third comes.
pub fn two_want_one_and_another_comes() {
    check(PREEMPTIONS - 1, || {
        let hall = Hall::new(3, 2);
        let (wants, comes) = (hall.clone(), hall.clone());
        let threads =
            [thread::spawn(move || wants.wants(1)), thread::spawn(move || comes.comes(2))];
        hall.wants(0);
        join(threads);
        hall.holds();
        assert!(!hall.has_wishes(), "a wish is forgotten");
    });
}

struct Hall {
    agents: Vec<AgentWord>,
    wishes: Bits,
    bell: Bell,
}

impl Hall {
    /// So many agents, of whom so many are there.
    fn new(agents: u32, there: u32) -> Arc<Self> {
        let hall = Self {
            agents: (0..agents).map(|_| AgentWord::new()).collect(),
            wishes: Bits::new(64),
            bell: Bell::new(),
        };
        for agent in 0..there {
            hall.set(agent, |word| word.to(Phase::Available, 0).with(REACHABLE, true));
        }
        Arc::new(hall)
    }

    fn set(&self, agent: u32, to: impl Fn(Agent) -> Agent) {
        let word = &self.agents[agent as usize];
        let mut seen = word.load();
        while let Err(now) = word.swap(seen, to(seen)) {
            seen = now;
        }
    }

    fn wants(&self, agent: u32) {
        self.set(agent, |word| word.with(WISH, true));
        self.wishes.insert(agent);
        let mut crew = self;
        wish::wanted(&mut crew);
    }

    fn comes(&self, agent: u32) {
        self.set(agent, |word| word.to(Phase::Available, 0).with(REACHABLE, true));
        let mut crew = self;
        wish::came(&mut crew);
    }

    fn has_wishes(&self) -> bool {
        self.wishes.word(0) != 0
    }

    /// What must hold when nothing is in progress.
    fn holds(&self) {
        let there = self.agents.iter().filter(|word| is_there(word.load())).count();
        assert!(there > 0, "nobody is left");
        assert!(there == 1 || !self.has_wishes(), "a wish is forgotten");
        for (agent, word) in (0..).zip(&self.agents) {
            assert_eq!(word.load().has(WISH), self.wishes.contains(agent));
        }
    }
}

impl Crew for &Hall {
    fn bell(&self) -> &Bell {
        &self.bell
    }

    fn word(&self, agent: u32) -> Agent {
        self.agents[agent as usize].load()
    }

    fn has_wishes(&self) -> bool {
        Hall::has_wishes(self)
    }

    fn wishes(&self) -> Vec<u32> {
        (0..self.agents.len() as u32).filter(|agent| self.wishes.contains(*agent)).collect()
    }

    fn forget(&mut self, agent: u32) {
        self.wishes.remove(agent);
    }

    fn is_needed(&self, agent: u32) -> bool {
        let mut others = (0..self.agents.len() as u32).filter(|other| *other != agent);
        !others.any(|other| is_there(self.word(other)))
    }

    fn goes(&mut self, agent: u32) {
        self.set(agent, |word| word.to(Phase::Away, 0).with(WISH, false));
        self.wishes.remove(agent);
    }
}
