//! The configuration as the ACD works with it: who serves which queue, and who can do what.
//!
//! A roster is never changed: a reload makes the next one from it and swaps the pointer, so that a
//! reader has one consistent picture and waits for nobody. Agents and queues keep their numbers
//! from roster to roster, also when the configuration names them no more, and with the numbers
//! their words and lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::config::{self, Absence, Config, Follows, IdleFrom, LastBreak, Login, Mode};
use super::config::{Settings, Strategy};
use super::event::Outcome;
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
    /// Who of the best is next.
    pub order: Strategy,
    pub ring_timeout: Duration,
    pub wrap_up: Duration,
    pub max_wait: Duration,
    pub callers_max: u32,
    /// What follows when an agent is busy, lets it ring, refuses, or cannot be reached.
    pub after: [Follows; 4],
    pub last_break: LastBreak,
    /// How long phones ring before one more does, if not all do at once.
    pub ring_next: Option<Duration>,
    pub idle_from: IdleFrom,
    /// Whether callers go elsewhere while nobody is logged in.
    pub on_empty: bool,
    /// Who counts as logged out for callers who come, and for those who wait.
    pub empty_join: BTreeSet<Absence>,
    pub empty_leave: BTreeSet<Absence>,
    /// How fast callers age.
    pub weight: u8,
    /// What a caller who asks for nothing in particular needs.
    pub needs: Arc<Needs>,
    /// Whether not everyone serves every caller at every moment.
    pub is_tiered: bool,
    /// The largest weight of a member.
    pub weight_max: u8,
    /// The members by number, ascending.
    pub members: Vec<Member>,
    /// The members' places in their order, with who has them.
    pub turns: Vec<(u32, u32)>,
    masks: Vec<Mask>,
    /// The members of each configured tier.
    staffs: Vec<Vec<Mask>>,
    widen: Vec<config::Widen>,
    skills: BTreeMap<SkillId, u8>,
    prefer: BTreeMap<SkillId, u8>,
    tier_wait: Duration,
    tier_max: u8,
}

impl Queue {
    /// What follows when an agent does not take a call.
    pub fn follows(&self, cause: Outcome) -> Follows {
        let at = CAUSES.iter().position(|it| *it == cause);
        at.map_or(Follows::Nothing, |at| self.after[at])
    }
}

/// In the order of `Queue::after`.
const CAUSES: [Outcome; 4] =
    [Outcome::Busy, Outcome::NoAnswer, Outcome::Rejected, Outcome::Unreachable];

/// An agent as he serves a queue.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub agent: u32,
    /// His place in the configured order.
    pub place: u32,
    /// The tiers that he is in, a bit each, the lowest first: the configured ones, then one for
    /// each step of `widen`.
    pub tiers: u64,
    pub weight: u8,
}

/// Up to 64 members of a queue, as they lie in a `Bits`.
#[derive(Clone, Copy, Debug)]
struct Mask {
    at: usize,
    bits: u64,
    /// How many members come before these.
    before: usize,
}

/// What a call needs, and how that changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Each from its time on; never empty.
    stages: Vec<Stage>,
    /// What an agent had better be able to do.
    pub prefer: Vec<(u16, u8)>,
}

/// What a call needs for some time.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stage {
    after: Duration,
    levels: Vec<(u16, u8)>,
    tiers: u64,
}

impl Needs {
    /// The step that a call is at after `waited`.
    pub fn step(&self, waited: Duration) -> usize {
        self.stages.iter().rposition(|stage| stage.after <= waited).unwrap_or(0)
    }

    /// When the step after `step` comes, from the call's entering.
    pub fn next_after(&self, step: usize) -> Option<Duration> {
        self.stages.get(step + 1).map(|stage| stage.after)
    }

    /// The tiers that serve a call at `step`.
    pub fn tiers(&self, step: usize) -> u64 {
        self.stages.get(step).or(self.stages.last()).map_or(0, |stage| stage.tiers)
    }

    fn levels(&self, step: usize) -> &[(u16, u8)] {
        self.stages.get(step).or(self.stages.last()).map_or(&[], |stage| &stage.levels)
    }
}

impl Agent {
    /// Whether he can serve a call that is at `step` of its needs.
    pub fn is_able(&self, needs: &Needs, step: usize) -> bool {
        needs.levels(step).iter().all(|&(skill, level)| self.level(skill) >= level)
    }

    /// The first skill that he lacks for it, the level that is enough, and his.
    pub fn lacking(&self, needs: &Needs, step: usize) -> Option<(u16, u8, u8)> {
        let levels =
            needs.levels(step).iter().map(|&(skill, level)| (skill, level, self.level(skill)));
        levels.into_iter().find(|(_, level, has)| has < level)
    }

    /// Whether he can serve a call at any of its steps at which not only others do.
    fn serves(&self, needs: &Needs) -> bool {
        let mut steps = (0..needs.stages.len()).filter(|step| needs.tiers(*step) & CONFIGURED != 0);
        steps.any(|step| self.is_able(needs, step))
    }

    /// How good he is at what the call needs and prefers: the sum of his levels.
    pub fn proficiency(&self, needs: &Needs, step: usize) -> u32 {
        let preferred = needs.prefer.iter().map(|&(skill, _)| skill);
        let mut skills: Vec<u16> = needs.levels(step).iter().map(|&(skill, _)| skill).collect();
        skills.extend(preferred.filter(|skill| !needs.levels(step).iter().any(|n| n.0 == *skill)));
        skills.into_iter().map(|skill| u32::from(self.level(skill))).sum()
    }

    /// The levels that he lacks of those that the call prefers.
    pub fn shortfall(&self, needs: &Needs) -> u32 {
        let lacks = |&(skill, level): &(u16, u8)| level.saturating_sub(self.level(skill));
        needs.prefer.iter().map(|preferred| u32::from(lacks(preferred))).sum()
    }

    fn level(&self, skill: u16) -> u8 {
        self.levels.get(usize::from(skill)).copied().unwrap_or(0)
    }
}

impl Queue {
    /// The members whose bits are in `bits`.
    pub fn members_in<'a>(&'a self, bits: &'a Bits) -> impl Iterator<Item = &'a Member> + 'a {
        self.masks.iter().flat_map(move |mask| {
            ones(mask.bits & bits.word(mask.at)).map(move |bit| {
                let below = (mask.bits & ((1 << bit) - 1)).count_ones() as usize;
                &self.members[mask.before + below]
            })
        })
    }

    /// How many members have their bits in `bits`.
    pub fn count_in(&self, bits: &Bits) -> usize {
        let count = |mask: &Mask| (mask.bits & bits.word(mask.at)).count_ones() as usize;
        self.masks.iter().map(count).sum()
    }

    /// How many phones may ring for a caller who has just come.
    pub fn rings_at_once(&self) -> u32 {
        let all = self.strategy.rings_many() && self.ring_next.is_none();
        if all { config::AGENTS_MAX as u32 } else { 1 }
    }

    pub fn member(&self, agent: u32) -> Option<&Member> {
        let at = self.members.binary_search_by_key(&agent, |member| member.agent).ok()?;
        Some(&self.members[at])
    }

    /// How many steps of `widen` have been taken by a stage of a call's needs.
    pub fn widened(&self, needs: &Needs, stage: usize) -> usize {
        let after = needs.stages.get(stage).map_or(Duration::ZERO, |stage| stage.after);
        self.widen.iter().take_while(|step| step.after <= after).count()
    }

    /// The levels that `widen` number `step`, from 1, says are enough.
    pub fn widening(&self, step: usize) -> BTreeMap<SkillId, u8> {
        let widen = step.checked_sub(1).and_then(|step| self.widen.get(step));
        widen.map(|widen| widen.skills.clone()).unwrap_or_default()
    }

    /// The tiers that serve a caller for whom `due` are: he waits for no tier of which nobody is
    /// logged in.
    pub fn open_tiers(&self, due: u64, logged_in: &Bits) -> u64 {
        let mut waits = (due & CONFIGURED).count_ones();
        if self.staffs.len() < 2 || waits == 0 {
            return due;
        }
        let mut open = due;
        for (tier, staff) in self.staffs.iter().enumerate() {
            if waits == 0 {
                break;
            }
            open |= 1 << tier;
            let is_there = staff.iter().any(|mask| mask.bits & logged_in.word(mask.at) != 0);
            waits -= u32::from(is_there);
        }
        open
    }

    /// The configured tiers that an agent is in.
    pub fn tiers_of(&self, agent: u32) -> u64 {
        self.member(agent).map_or(0, |member| member.tiers & CONFIGURED)
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

    /// What a caller needs who asks `queue` for `skills` and prefers `prefer`.
    pub fn needs(
        &self,
        queue: &Queue,
        skills: &BTreeMap<SkillId, u8>,
        prefer: &BTreeMap<SkillId, u8>,
    ) -> Needs {
        let later = (1..u32::from(queue.tier_max)).map(|tier| queue.tier_wait * tier);
        let mut times: Vec<Duration> = queue.widen.iter().map(|step| step.after).collect();
        times.extend(later.filter(|after| !after.is_zero()));
        times.push(Duration::ZERO);
        times.sort_unstable();
        times.dedup();
        let stages = times.into_iter().map(|after| self.stage(queue, skills, after)).collect();
        Needs { stages, prefer: self.numbered(&greater(queue.prefer.clone(), prefer)) }
    }

    /// What is needed from `after` on.
    fn stage(&self, queue: &Queue, asked: &BTreeMap<SkillId, u8>, after: Duration) -> Stage {
        let mut levels = greater(queue.skills.clone(), asked);
        let due = |tier: &u8| queue.tier_wait * u32::from(tier - 1) <= after;
        let mut tiers = (1..=queue.tier_max).filter(due).map(|tier| 1 << (tier - 1)).sum();
        for (at, step) in queue.widen.iter().enumerate().filter(|(_, step)| step.after <= after) {
            let is_replaced = step.mode == Mode::Replace;
            if is_replaced {
                levels.clone_from(asked);
            }
            levels.extend(step.skills.clone());
            if !step.members.is_empty() {
                tiers = if is_replaced { 0 } else { tiers } | widened(at);
            }
        }
        Stage { after, levels: self.numbered(&levels), tiers }
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
            queue.staffs.clear();
        }
        for (id, queue) in &config.queues {
            next.add_queue(id, config, queue);
        }
        next
    }

    fn number_skills(&mut self, config: &Config) {
        let of_agents = config.agents.values().flat_map(|agent| agent.skills.keys());
        let of_queues = config.queues.values().flat_map(|q| q.skills.keys().chain(q.prefer.keys()));
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
            order: config.order(queue),
            ring_timeout: config.ring_timeout(queue),
            wrap_up: config.wrap_up(queue),
            max_wait: config.max_wait(queue),
            callers_max: config.callers_max(queue),
            after: CAUSES.map(|cause| config.after(queue, cause)),
            last_break: queue.last_break.unwrap_or(config.acd.last_break),
            ring_next: config.ring_next(queue),
            idle_from: config.idle_from(queue),
            on_empty: queue.on_empty.is_some(),
            empty_join: queue.empty_join.union(&queue.empty_leave).copied().collect(),
            empty_leave: queue.empty_leave.clone(),
            weight: queue.weight.unwrap_or(1).clamp(1, config::WEIGHT_MAX),
            needs: Arc::default(),
            is_tiered: false,
            weight_max: 1,
            members: vec![],
            turns: vec![],
            masks: vec![],
            staffs: vec![],
            widen: queue.widen.iter().take(config::STEPS_MAX).cloned().collect(),
            skills: queue.skills.clone(),
            prefer: queue.prefer.clone(),
            tier_wait: queue.tier_wait,
            tier_max: queue.tiers.values().max().map_or(1, |tier| (*tier).min(config::TIERS_MAX)),
        };
        compiled.needs = Arc::new(self.needs(&compiled, &BTreeMap::new(), &BTreeMap::new()));
        let members = self.members(&compiled, config, queue);
        for member in &members {
            self.agents[member.agent as usize].queues.push(number);
        }
        compiled.seat(members);
        if known.is_some() {
            self.queues[number as usize] = compiled;
        } else {
            self.queue_numbers.insert(id.clone(), number);
            self.queues.push(compiled);
        }
    }

    /// The members of a queue: those named, or all whose skills are enough at any step; then those
    /// whom steps name.
    fn members(&self, queue: &Queue, config: &Config, named: &config::Queue) -> Vec<Member> {
        let number = |id: &AgentId| {
            self.agent_number(id).filter(|number| self.agents[*number as usize].present)
        };
        let mut tiers: Vec<(u32, u64)> = vec![];
        let own = |agent: u32| {
            let tier = named.tiers.get(&self.agents[agent as usize].id).copied().unwrap_or(1);
            1 << (tier.clamp(1, config::TIERS_MAX) - 1)
        };
        if named.members.is_empty() && !queue.skills.is_empty() {
            let mut able: Vec<u32> = (0..self.agents.len() as u32)
                .filter(|&number| self.agents[number as usize].present)
                .filter(|&number| self.agents[number as usize].serves(&queue.needs))
                .collect();
            able.sort_by(|&a, &b| self.agents[a as usize].id.cmp(&self.agents[b as usize].id));
            tiers.extend(able.into_iter().map(|agent| (agent, own(agent))));
        } else {
            let named = named.members.iter().filter_map(number);
            tiers.extend(named.map(|agent| (agent, own(agent))));
        }
        for (at, step) in queue.widen.iter().enumerate() {
            tiers.extend(step.members.iter().filter_map(number).map(|it| (it, widened(at))));
        }
        let member = |((agent, tiers), place): ((u32, u64), u32)| {
            let id = &self.agents[agent as usize].id;
            let own = config.agents.get(id).map_or(1, |agent| agent.weight);
            let weight = named.weights.get(id).copied().unwrap_or(own).clamp(1, config::WEIGHT_MAX);
            Member { agent, place, tiers, weight }
        };
        let mut members: Vec<Member> = tiers.into_iter().zip(0..).map(member).collect();
        members.sort_unstable_by_key(|member| (member.agent, member.place));
        members.dedup_by(|more, member| {
            let is_same = more.agent == member.agent;
            member.tiers |= if is_same { more.tiers } else { 0 };
            is_same
        });
        members
    }
}

/// The tiers that `tiers` of a queue can name.
const CONFIGURED: u64 = (1 << config::TIERS_MAX) - 1;

/// The tier of those whom a step of `widen` names.
fn widened(at: usize) -> u64 {
    1 << (usize::from(config::TIERS_MAX) + at)
}

/// The levels of both, the greater where both have one.
fn greater(
    mut levels: BTreeMap<SkillId, u8>,
    others: &BTreeMap<SkillId, u8>,
) -> BTreeMap<SkillId, u8> {
    for (skill, &level) in others {
        let least = levels.entry(skill.clone()).or_default();
        *least = level.max(*least);
    }
    levels
}

impl Queue {
    fn seat(&mut self, members: Vec<Member>) {
        self.is_tiered = members.iter().any(|member| member.tiers != 1);
        self.weight_max = members.iter().map(|member| member.weight).max().unwrap_or(1);
        self.turns = members.iter().map(|member| (member.place, member.agent)).collect();
        self.turns.sort_unstable();
        self.masks = masks(&members);
        let staff = |tier: u8| {
            let in_it = |member: &&Member| member.tiers & 1 << (tier - 1) != 0;
            masks(&members.iter().filter(in_it).copied().collect::<Vec<_>>())
        };
        self.staffs = (1..=self.tier_max).map(staff).collect();
        self.members = members;
    }
}

/// Where the members lie in a `Bits`.
fn masks(members: &[Member]) -> Vec<Mask> {
    let mut masks: Vec<Mask> = vec![];
    for (index, member) in members.iter().enumerate() {
        let at = member.agent as usize / 64;
        let bit = 1 << (member.agent % 64);
        match masks.last_mut() {
            Some(mask) if mask.at == at => mask.bits |= bit,
            _ => masks.push(Mask { at, bits: bit, before: index }),
        }
    }
    masks
}
