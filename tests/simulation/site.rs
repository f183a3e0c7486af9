//! Who serves what, how, and who can do what; drawn at random.

use std::collections::BTreeMap;

use strowger::acd::config::{Absence, Agent, Config, Mode, Queue, Settings, Strategy, Widen};
use strowger::id::{AgentId, ExtensionId, QueueId, SkillId};
use strowger::rng::Rng;
use strowger::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub agents: usize,
    pub queues: usize,
    pub calls: u64,
}

/// A configuration, by numbers.
pub struct Site {
    pub config: Config,
    pub queues: Vec<Option<Queue>>,
    pub agents: Vec<Option<Agent>>,
    /// Who serves each queue at any time of a wait, and the queues of each agent.
    pub members: Vec<Vec<usize>>,
    pub serves: Vec<Vec<usize>>,
}

/// A caller as the configuration sees him.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    pub queue: usize,
    pub waited: Duration,
    pub asks: &'a BTreeMap<SkillId, u8>,
    pub prefers: &'a BTreeMap<SkillId, u8>,
}

/// How long an agent is left alone after he refused a call.
pub const PAUSE: Duration = Duration::from_secs(5);
pub const SKILLS: [&str; 3] = ["english", "sales", "vpn"];

impl Site {
    pub fn new(rng: &mut Rng, size: Size) -> Self {
        let config = config(rng, size);
        let queue = |number| config.queues.get(&queue_name(number)).cloned();
        let queues: Vec<Option<Queue>> = (0..size.queues).map(queue).collect();
        let of = |queue: &Option<Queue>| {
            let Some(queue) = queue else { return vec![] };
            let added = queue.widen.iter().flat_map(|step| &step.members);
            let mut members: Vec<usize> = queue.members.iter().chain(added).map(number).collect();
            members.sort_unstable();
            members.dedup();
            members
        };
        let members: Vec<Vec<usize>> = queues.iter().map(of).collect();
        let has = |agent: usize| {
            move |(queue, members): (usize, &Vec<usize>)| members.contains(&agent).then_some(queue)
        };
        let serves = |agent| members.iter().enumerate().filter_map(has(agent)).collect();
        Self {
            agents: (0..size.agents)
                .map(|agent| config.agents.get(&name(agent)).cloned())
                .collect(),
            serves: (0..size.agents).map(serves).collect(),
            members,
            queues,
            config,
        }
    }

    /// The tier in which an agent serves a caller, if he does and is able, and the levels that he
    /// lacks of those preferred.
    pub fn class(
        &self,
        wait: Wait<'_>,
        agent: usize,
        is_there: impl Fn(usize) -> bool,
    ) -> Option<(usize, u32)> {
        let queue = self.queues[wait.queue].as_ref()?;
        let tier = tier(queue, wait.waited, &name(agent), is_there)?;
        self.levels(wait, agent).map(|lacks| (tier, lacks))
    }

    /// The levels that an agent lacks of those preferred, if he is able.
    pub fn levels(&self, wait: Wait<'_>, agent: usize) -> Option<u32> {
        let queue = self.queues[wait.queue].as_ref()?;
        let person = self.agents[agent].as_ref()?;
        let due = || queue.widen.iter().filter(|step| step.after <= wait.waited);
        if queue.skills.is_empty() && wait.asks.is_empty() && due().next().is_none() {
            return Some(Self::lacks(queue, wait, person)); // as nearly always
        }
        let mut needs = greater(&queue.skills, wait.asks);
        for step in due() {
            if step.mode == Mode::Replace {
                needs.clone_from(wait.asks);
            }
            needs.extend(step.skills.clone());
        }
        let is_able = needs.iter().all(|(skill, needed)| level(person, skill) >= *needed);
        is_able.then(|| Self::lacks(queue, wait, person))
    }

    fn lacks(queue: &Queue, wait: Wait<'_>, person: &Agent) -> u32 {
        if queue.prefer.is_empty() && wait.prefers.is_empty() {
            return 0;
        }
        let preferred = greater(&queue.prefer, wait.prefers);
        let lacks = |(skill, wanted): (&SkillId, &u8)| wanted.saturating_sub(level(person, skill));
        preferred.iter().map(|preferred| u32::from(lacks(preferred))).sum()
    }
}

fn level(person: &Agent, skill: &SkillId) -> u8 {
    person.skills.get(skill).copied().unwrap_or(0)
}

/// The tier in which an agent serves who has waited so long; those of `widen` from 100 on.
fn tier(
    queue: &Queue,
    waited: Duration,
    id: &AgentId,
    is_there: impl Fn(usize) -> bool,
) -> Option<usize> {
    let due = queue.widen.iter().take_while(|step| step.after <= waited);
    let replaces = |step: &Widen| step.mode == Mode::Replace && !step.members.is_empty();
    let replaced = due.clone().enumerate().filter(|(_, step)| replaces(step)).last();
    let first = replaced.map(|(at, _)| at);
    let mut added = due.enumerate().skip(first.unwrap_or(0));
    let added = added.find(|(_, step)| step.members.contains(id)).map(|(at, _)| 100 + at);
    if first.is_some() || !queue.members.contains(id) {
        return added;
    }
    let of = |id: &AgentId| queue.tiers.get(id).copied().unwrap_or(1);
    let staffed =
        |tier: &u8| queue.members.iter().any(|other| of(other) == *tier && is_there(number(other)));
    let before = (1..of(id)).filter(staffed).count() as u32;
    let is_due = queue.tier_wait * before <= waited;
    if is_due { Some(usize::from(of(id))) } else { added }
}

fn greater(a: &BTreeMap<SkillId, u8>, b: &BTreeMap<SkillId, u8>) -> BTreeMap<SkillId, u8> {
    let mut greater = a.clone();
    for (skill, &level) in b {
        greater.entry(skill.clone()).and_modify(|it| *it = level.max(*it)).or_insert(level);
    }
    greater
}

/// A configuration: who serves what, how, and who can do what.
fn config(rng: &mut Rng, size: Size) -> Config {
    let mut agents = BTreeMap::new();
    for agent in 0..size.agents {
        if rng.below(50) == 0 && size.agents > 20 {
            continue; // not in this one
        }
        let skills = SKILLS.map(|skill| (SkillId::from(skill), rng.below(6) as u8)).into();
        let weight = 1 + rng.below(4) as u8;
        agents.insert(name(agent), Agent { skills, weight, ..Agent::default() });
    }
    let mut queues = BTreeMap::new();
    for number in 0..size.queues {
        if rng.below(30) > 0 {
            queues.insert(queue_name(number), queue(rng, size, &agents));
        }
    }
    let acd = Settings { refusal_pause: PAUSE, ..Settings::default() };
    Config { acd, queues, agents }
}

fn queue(rng: &mut Rng, size: Size, agents: &BTreeMap<AgentId, Agent>) -> Queue {
    let strategies = [
        Strategy::MostIdle,
        Strategy::RoundRobin,
        Strategy::RingAll,
        Strategy::Linear,
        Strategy::FewestCalls,
        Strategy::LeastTalk,
        Strategy::Random,
        Strategy::Skills,
        Strategy::LeastBusy,
        Strategy::RingProgressively,
        Strategy::RoundRobinTalk,
    ];
    let strategy = strategies[rng.below(strategies.len() as u32) as usize];
    let members = some(rng, size, 3, agents);
    let mut made = Queue { strategy, members, ..Queue::default() };
    made.wrap_up = (rng.below(2) == 0).then_some(Duration::from_secs(20));
    made.max_wait = (rng.below(3) == 0).then_some(Duration::from_secs(90));
    made.callers_max = (rng.below(4) == 0).then_some(3);
    made.rona = strategy.rings_many().then_some(false);
    made.on_empty = (rng.below(2) == 0).then(|| "hangup:486".parse().expect("a target"));
    made.weight = (rng.below(4) == 0).then(|| 1 + rng.below(5) as u8);
    for cause in [Absence::Away, Absence::Busy, Absence::Unreachable] {
        match rng.below(12) {
            0 => made.empty_join.insert(cause),
            1 => made.empty_leave.insert(cause),
            _ => false,
        };
    }
    let sales = |level| [(SkillId::from("sales"), level)].into();
    let sinks = rng.below(4) == 0 && !made.members.is_empty();
    if sinks {
        made.skills = sales(4);
    }
    if rng.below(3) == 0 {
        made.prefer = [(SkillId::from(SKILLS[rng.below(3) as usize]), 3)].into();
    }
    if rng.below(3) == 0 {
        made.tiers = made.members.iter().map(|id| (id.clone(), 1 + rng.below(3) as u8)).collect();
        made.tiers.retain(|_, tier| *tier > 1);
        made.tier_wait = Duration::from_secs(u64::from(rng.below(2) * 15));
    }
    for after in [25, 40, 55] {
        let adds = rng.below(4) == 0;
        if !sinks && !adds {
            continue;
        }
        made.widen.push(Widen {
            after: Duration::from_secs(after),
            skills: if sinks { sales(rng.below(3) as u8) } else { BTreeMap::new() },
            members: if adds { some(rng, size, 2, agents) } else { vec![] },
            mode: if rng.below(3) == 0 { Mode::Replace } else { Mode::Add },
        });
    }
    made
}

/// About `each` agents for each queue.
fn some(rng: &mut Rng, size: Size, each: u32, agents: &BTreeMap<AgentId, Agent>) -> Vec<AgentId> {
    let chosen = (0..size.agents).filter(|_| rng.below(size.queues as u32) < each).map(name);
    chosen.filter(|id| agents.contains_key(id)).collect()
}

pub fn name(agent: usize) -> AgentId {
    format!("{agent:03}").as_str().into()
}

pub fn number(agent: &AgentId) -> usize {
    agent.as_str().parse().expect("as `name` makes it")
}

pub fn queue_name(queue: usize) -> QueueId {
    format!("{queue:02}").as_str().into()
}

pub fn queue_number(queue: &QueueId) -> usize {
    queue.as_str().parse().expect("as `queue_name` makes it")
}

pub fn seat(agent: usize) -> ExtensionId {
    format!("seat-{agent}").as_str().into()
}
