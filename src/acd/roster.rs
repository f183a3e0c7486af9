//! The configuration as the ACD works with it: who serves which queue, and who can do what.
//!
//! A roster is never changed: a reload makes the next one from it and swaps the pointer, so that a
//! reader has one consistent picture and waits for nobody. Agents and queues keep their numbers
//! from roster to roster, also when the configuration names them no more, and with the numbers
//! their words and lines.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::config::{self, Config, Login, Settings, Strategy};
use super::line::Line;
use super::word::{Bits, ones};
use crate::id::{AgentId, ExtensionId, QueueId, SkillId};
use crate::time::Duration;

/// Agents and queues, by number and by name.
#[derive(Debug, Default)]
pub struct Roster {
    pub settings: Settings,
    pub agents: Vec<Agent>,
    pub queues: Vec<Queue>,
    agent_numbers: HashMap<AgentId, u32>,
    queue_numbers: HashMap<QueueId, u32>,
    skills: HashMap<SkillId, u16>,
}

/// What is configured about an agent.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: AgentId,
    pub name: String,
    /// Whether the configuration names him.
    pub present: bool,
    /// His seat, if he is logged in whenever its phone is registered.
    pub auto: Option<ExtensionId>,
    /// The queues he serves.
    pub queues: Vec<u32>,
    levels: Vec<u8>,
}

/// What is configured about a queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pub id: QueueId,
    /// Whether the configuration names it.
    pub present: bool,
    pub line: Arc<Line>,
    pub strategy: Strategy,
    pub ring_timeout: Duration,
    pub wrap_up: Duration,
    pub max_wait: Duration,
    pub callers_max: u32,
    pub rona: bool,
    /// Whether callers go elsewhere while nobody is logged in.
    pub on_empty: bool,
    /// What a caller who asks for nothing in particular needs.
    pub needs: Arc<Needs>,
    /// The members by number, ascending.
    pub members: Vec<u32>,
    /// For each of `members` his place in the configured order.
    places: Vec<u32>,
    /// The places in their order, with who has them.
    pub turns: Vec<(u32, u32)>,
    masks: Vec<Mask>,
    skills: BTreeMap<SkillId, u8>,
    widen: Vec<config::Widen>,
}

/// Up to 64 members of a queue, as they lie in a `Bits`.
#[derive(Clone, Copy, Debug)]
struct Mask {
    at: usize,
    bits: u64,
    /// How many members come before these.
    before: usize,
}

/// What a call needs, and how that sinks: each step from its time on. Never empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs(Vec<(Duration, Vec<(u16, u8)>)>);

impl Needs {
    /// The step that a call is at after `waited`.
    pub fn step(&self, waited: Duration) -> usize {
        self.0.iter().rposition(|(after, _)| *after <= waited).unwrap_or(0)
    }

    /// When the step after `step` comes, from the call's entering.
    pub fn next_after(&self, step: usize) -> Option<Duration> {
        self.0.get(step + 1).map(|(after, _)| *after)
    }

    fn at(&self, step: usize) -> &[(u16, u8)] {
        self.0.get(step).or(self.0.last()).map_or(&[], |(_, levels)| levels)
    }
}

impl Agent {
    /// Whether he can serve a call that is at `step` of its needs.
    pub fn is_able(&self, needs: &Needs, step: usize) -> bool {
        needs.at(step).iter().all(|&(skill, level)| self.level(skill) >= level)
    }

    /// The first skill that he lacks for it, the level that is enough, and his.
    pub fn lacking(&self, needs: &Needs, step: usize) -> Option<(u16, u8, u8)> {
        let levels = needs.at(step).iter().map(|&(skill, level)| (skill, level, self.level(skill)));
        levels.into_iter().find(|(_, level, has)| has < level)
    }

    /// How good he is at what the call needs: the sum of his levels.
    pub fn proficiency(&self, needs: &Needs, step: usize) -> u32 {
        needs.at(step).iter().map(|&(skill, _)| u32::from(self.level(skill))).sum()
    }

    fn level(&self, skill: u16) -> u8 {
        self.levels.get(usize::from(skill)).copied().unwrap_or(0)
    }
}

impl Queue {
    /// The members whose bits are in `bits`, with their places in the configured order.
    pub fn members_in<'a>(&'a self, bits: &'a Bits) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.masks.iter().flat_map(move |mask| {
            ones(mask.bits & bits.word(mask.at)).map(move |bit| {
                let below = (mask.bits & ((1 << bit) - 1)).count_ones() as usize;
                (mask.at as u32 * 64 + bit, self.places[mask.before + below])
            })
        })
    }

    pub fn has_member(&self, agent: u32) -> bool {
        self.members.binary_search(&agent).is_ok()
    }

    /// The place of a member in the configured order.
    pub fn place_of(&self, agent: u32) -> Option<u32> {
        self.members.binary_search(&agent).ok().map(|at| self.places[at])
    }

    /// The levels that `widen` number `step`, from 1, says are enough.
    pub fn widening(&self, step: usize) -> BTreeMap<SkillId, u8> {
        let widen = step.checked_sub(1).and_then(|step| self.widen.get(step));
        widen.map(|widen| widen.skills.clone()).unwrap_or_default()
    }

    /// Whether callers must go elsewhere, given who is logged in.
    pub fn is_deserted(&self, logged_in: &Bits) -> bool {
        !self.present || self.on_empty && self.members_in(logged_in).next().is_none()
    }
}

impl Roster {
    pub fn agent_number(&self, agent: &AgentId) -> Option<u32> {
        self.agent_numbers.get(agent).copied()
    }

    /// The name of a skill; none if no agent and no queue of the configuration names it.
    pub fn skill(&self, number: u16) -> Option<SkillId> {
        self.skills.iter().find(|(_, it)| **it == number).map(|(skill, _)| skill.clone())
    }

    /// The number of a queue that the configuration names.
    pub fn queue_number(&self, queue: &QueueId) -> Option<u32> {
        let number = *self.queue_numbers.get(queue)?;
        self.queues[number as usize].present.then_some(number)
    }

    /// What a caller needs who asks `queue` for `skills`.
    pub fn needs(&self, queue: &Queue, skills: &BTreeMap<SkillId, u8>) -> Needs {
        let mut levels = queue.skills.clone();
        for (skill, &level) in skills {
            let needed = levels.entry(skill.clone()).or_default();
            *needed = level.max(*needed);
        }
        let mut steps = vec![(Duration::ZERO, self.numbered(&levels))];
        for step in &queue.widen {
            levels.extend(step.skills.clone());
            steps.push((step.after, self.numbered(&levels)));
        }
        Needs(steps)
    }

    fn numbered(&self, levels: &BTreeMap<SkillId, u8>) -> Vec<(u16, u8)> {
        levels
            .iter()
            .filter(|(_, level)| **level > 0)
            .map(|(skill, level)| (self.skills.get(skill).copied().unwrap_or(u16::MAX), *level))
            .collect()
    }

    /// The roster of `config`, with the numbers of this one.
    ///
    /// Agents and queues beyond what a node can number in its lifetime are left out and logged.
    pub fn next(&self, config: &Config) -> Self {
        let mut next = Self {
            settings: config.acd.clone(),
            agents: self.agents.clone(),
            queues: self.queues.clone(),
            agent_numbers: self.agent_numbers.clone(),
            queue_numbers: self.queue_numbers.clone(),
            skills: self.skills.clone(),
        };
        next.number_skills(config);
        for agent in &mut next.agents {
            agent.present = false;
            agent.queues.clear();
        }
        for (id, agent) in &config.agents {
            next.add_agent(id, agent);
        }
        for queue in &mut next.queues {
            queue.present = false;
            queue.members.clear();
            queue.masks.clear();
            queue.turns.clear();
        }
        for (id, queue) in &config.queues {
            next.add_queue(id, config, queue);
        }
        next
    }

    fn number_skills(&mut self, config: &Config) {
        let of_agents = config.agents.values().flat_map(|agent| agent.skills.keys());
        let of_queues = config.queues.values().flat_map(|queue| queue.skills.keys());
        for skill in of_agents.chain(of_queues) {
            if self.skills.len() < usize::from(u16::MAX) && !self.skills.contains_key(skill) {
                self.skills.insert(skill.clone(), self.skills.len() as u16);
            }
        }
    }

    fn add_agent(&mut self, id: &AgentId, config: &config::Agent) {
        let mut levels = vec![0; self.skills.len()];
        for (skill, level) in &config.skills {
            if let Some(&number) = self.skills.get(skill) {
                levels[usize::from(number)] = *level;
            }
        }
        let auto = config.extension.clone().filter(|_| config.login == Login::Auto);
        let name = if config.name.is_empty() { id.to_string() } else { config.name.clone() };
        let agent = Agent { id: id.clone(), name, present: true, auto, queues: vec![], levels };
        match self.agent_numbers.get(id) {
            Some(&number) => self.agents[number as usize] = agent,
            None if self.agents.len() < config::AGENTS_MAX => {
                self.agent_numbers.insert(id.clone(), self.agents.len() as u32);
                self.agents.push(agent);
            }
            None => tracing::error!(%id, "no room for another agent until a restart"),
        }
    }

    fn add_queue(&mut self, id: &QueueId, config: &Config, queue: &config::Queue) {
        let known = self.queue_numbers.get(id).copied();
        if known.is_none() && self.queues.len() >= config::QUEUES_MAX {
            tracing::error!(%id, "no room for another queue until a restart");
            return;
        }
        let number = known.unwrap_or(self.queues.len() as u32);
        let line = known.map(|number| self.queues[number as usize].line.clone());
        let mut compiled = Queue {
            id: id.clone(),
            present: true,
            line: line.unwrap_or_default(),
            strategy: queue.strategy,
            ring_timeout: config.ring_timeout(queue),
            wrap_up: config.wrap_up(queue),
            max_wait: config.max_wait(queue),
            callers_max: config.callers_max(queue),
            rona: config.rona(queue),
            on_empty: queue.on_empty.is_some(),
            needs: Arc::default(),
            members: vec![],
            places: vec![],
            turns: vec![],
            masks: vec![],
            skills: queue.skills.clone(),
            widen: queue.widen.clone(),
        };
        compiled.needs = Arc::new(self.needs(&compiled, &BTreeMap::new()));
        let members = self.members(&compiled, &queue.members);
        for &(agent, _) in &members {
            self.agents[agent as usize].queues.push(number);
        }
        compiled.seat(members);
        if known.is_some() {
            self.queues[number as usize] = compiled;
        } else {
            self.queue_numbers.insert(id.clone(), number);
            self.queues.push(compiled);
        }
    }

    /// The members of a queue with their places: those named, or all whose skills are enough at any
    /// step.
    fn members(&self, queue: &Queue, named: &[AgentId]) -> Vec<(u32, u32)> {
        let present = |number: &u32| self.agents[*number as usize].present;
        let numbers: Vec<u32> = if named.is_empty() && !queue.skills.is_empty() {
            let mut able: Vec<_> = (0..self.agents.len() as u32)
                .filter(present)
                .filter(|&number| {
                    let agent = &self.agents[number as usize];
                    (0..queue.needs.0.len()).any(|step| agent.is_able(&queue.needs, step))
                })
                .collect();
            able.sort_by(|&a, &b| self.agents[a as usize].id.cmp(&self.agents[b as usize].id));
            able
        } else {
            named.iter().filter_map(|id| self.agent_number(id)).filter(present).collect()
        };
        let mut members: Vec<_> = numbers.into_iter().zip(0..).collect();
        members.sort_unstable();
        members.dedup_by_key(|(agent, _)| *agent);
        members
    }
}

impl Queue {
    fn seat(&mut self, members: Vec<(u32, u32)>) {
        self.turns = members.iter().map(|&(agent, place)| (place, agent)).collect();
        self.turns.sort_unstable();
        (self.members, self.places) = members.into_iter().unzip();
        for (index, &agent) in self.members.iter().enumerate() {
            let at = agent as usize / 64;
            let bit = 1 << (agent % 64);
            match self.masks.last_mut() {
                Some(mask) if mask.at == at => mask.bits |= bit,
                _ => self.masks.push(Mask { at, bits: bit, before: index }),
            }
        }
    }
}
