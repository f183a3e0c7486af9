//! Which of the free agents is rung next for a caller.
//!
//! In:       the roster, the agents' words, who was idle since when.
//! Out:      the best agent by the queue's strategy.
//! Not here: whose turn a caller is (`step`), claiming the agent (`matching`).
//!
//! A few looks where the best is likely to be answer most questions, however many are free: those
//! longest idle, the next in turn, a throw of dice. Only when they do not, and for the strategies
//! that weigh every agent, each free member is looked at.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::config::Strategy;
use super::core::Acd;
use super::line::Caller;
use super::roster::{Needs, Queue, Roster};
use super::step::mix;
use crate::id::SkillId;

/// A caller's choice among the agents who are free at this moment.
pub struct Choice<'a> {
    acd: &'a Acd,
    roster: &'a Roster,
    queue: &'a Queue,
    caller: &'a Caller,
    wish: Wish<'a>,
    /// How many phones ring for him.
    offers: u32,
}

impl<'a> Choice<'a> {
    pub fn new(acd: &'a Acd, roster: &'a Roster, caller: &'a Caller, offers: u32) -> Self {
        let queue = &roster.queues[caller.queue as usize];
        Self { acd, roster, queue, caller, wish: Wish::of(caller, queue), offers }
    }

    /// The agent to be rung next, if anybody able is free.
    pub fn best(&self) -> Option<u32> {
        self.by_few_looks().or_else(|| self.by_every_look())
    }

    /// The best, if `LOOKS` are enough to know him.
    fn by_few_looks(&self) -> Option<u32> {
        match self.queue.strategy {
            Strategy::MostIdle => self.longest_idle(),
            Strategy::Linear | Strategy::RingAll => self.next_in_turn(0),
            Strategy::RoundRobin => {
                let last = self.last_place();
                let turns = &self.queue.turns;
                self.next_in_turn(turns.partition_point(|(place, _)| Some(*place) <= last))
            }
            Strategy::Random => self.by_dice(),
            Strategy::FewestCalls | Strategy::LeastTalk | Strategy::Skills => None,
        }
    }

    /// Who has been idle longest of those who serve this queue, if he is among the longest idle of
    /// all.
    fn longest_idle(&self) -> Option<u32> {
        let listed = self.acd.idle.iter().take(LOOKS).filter(|entry| {
            let (since, agent) = *entry.value();
            let is_right = self.acd.seats.at(agent).idle_since.at() == since;
            if !is_right {
                entry.remove(); // left behind by a thread that was overtaken
            }
            is_right
        });
        let mut agents = listed.map(|entry| entry.value().1);
        agents.find(|agent| self.queue.has_member(*agent) && self.is_first_hand(*agent))
    }

    /// The first free one from a turn on.
    fn next_in_turn(&self, start: usize) -> Option<u32> {
        let (before, after) = self.queue.turns.split_at(start);
        let turns = after.iter().chain(before).take(LOOKS).map(|(_, agent)| *agent);
        turns.into_iter().find(|agent| self.is_first_hand(*agent))
    }

    /// Anyone: throws until the dice show somebody who is free, so that each is as likely.
    fn by_dice(&self) -> Option<u32> {
        let turns = &self.queue.turns;
        let throw = || {
            // The upper half of the product lies evenly below `len`.
            let at = (u128::from(self.acd.dice()) * turns.len() as u128) >> 64;
            turns.get(at as usize).map(|(_, agent)| *agent)
        };
        (0..LOOKS).filter_map(|_| throw()).find(|agent| self.is_first_hand(*agent))
    }

    /// The best of all, each free member looked at once: the cost grows with the free agents, not
    /// with the busy.
    fn by_every_look(&self) -> Option<u32> {
        let last_place = self.last_place();
        let dice = match self.queue.strategy {
            Strategy::Random => self.acd.dice(),
            _ => 0,
        };
        let mut best = None;
        for (agent, place) in self.queue.members_in(&self.acd.free) {
            if !self.is_possible(agent) {
                continue;
            }
            let seat = self.acd.seats.at(agent);
            let rank = match self.queue.strategy {
                Strategy::FewestCalls => (u64::from(seat.calls.load(Ordering::Relaxed)), 0),
                Strategy::LeastTalk => (seat.talked.load(Ordering::Relaxed), 0),
                Strategy::Linear | Strategy::RingAll => (0, place),
                Strategy::MostIdle => (seat.idle_since.at().as_micros(), agent),
                Strategy::Random => (mix(dice ^ u64::from(agent)), 0),
                Strategy::RoundRobin => {
                    let wrapped = last_place.is_some_and(|last| place <= last);
                    (u64::from(wrapped), place)
                }
                Strategy::Skills => (0, u32::MAX - self.wish.proficiency(self.roster, agent)),
            };
            let key = (self.caller.has_tried(agent), rank, seat.idle_since.at(), place);
            if best.as_ref().is_none_or(|(least, _)| key < *least) {
                best = Some((key, agent));
            }
        }
        best.map(|(_, agent)| agent)
    }

    /// The place of the agent who was rung last.
    fn last_place(&self) -> Option<u32> {
        // Acquire: pairs with the store in `Step::rings`.
        self.queue.place_of(self.queue.line.last_rung.load(Ordering::Acquire))
    }

    /// Whether a member is free, able, and may be rung.
    fn is_possible(&self, agent: u32) -> bool {
        self.acd.seats.at(agent).word.load().is_free()
            && (self.offers == 0 || !self.caller.has_tried(agent))
            && self.wish.is_met_by(self.roster, agent)
    }

    /// As `is_possible`, and he has not refused the caller since everybody able had.
    fn is_first_hand(&self, agent: u32) -> bool {
        self.acd.free.contains(agent) && !self.caller.has_tried(agent) && self.is_possible(agent)
    }
}

/// Agents that are looked at before all are.
const LOOKS: usize = 32;

/// What a caller needs at this moment.
pub enum Wish<'a> {
    Own(Arc<Needs>, usize),
    Common(&'a Needs, usize),
}

impl<'a> Wish<'a> {
    pub fn of(caller: &Caller, queue: &'a Queue) -> Self {
        let step = caller.step.load(Ordering::Acquire); // pairs with the store in `Acd::schedule`
        match caller.needs.load_full() {
            Some(needs) => Self::Own(needs, step),
            None => Self::Common(&queue.needs, step),
        }
    }

    pub fn is_met_by(&self, roster: &Roster, agent: u32) -> bool {
        let (needs, step) = self.parts();
        roster.agents[agent as usize].is_able(needs, step)
    }

    pub fn proficiency(&self, roster: &Roster, agent: u32) -> u32 {
        let (needs, step) = self.parts();
        roster.agents[agent as usize].proficiency(needs, step)
    }

    /// The first skill that an agent lacks, the level that is enough, and his.
    pub fn lacking(&self, roster: &Roster, agent: u32) -> Option<(SkillId, u8, u8)> {
        let (needs, step) = self.parts();
        let (skill, needed, has) = roster.agents[agent as usize].lacking(needs, step)?;
        Some((roster.skill(skill)?, needed, has))
    }

    fn parts(&self) -> (&Needs, usize) {
        match self {
            Self::Own(needs, step) => (needs, *step),
            Self::Common(needs, step) => (needs, *step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::Ask;
    use crate::acd::config::{Agent, Config};
    use crate::acd::word::{Phase, REACHABLE};
    use crate::id::{AgentId, CallId};
    use crate::time::Instant;

    /// Numbers from a seed.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(self.0) % u64::from(bound)) as u32
        }
    }

    /// Halls in any state: what few looks find is what every look finds.
    #[test]
    fn few_looks_find_who_every_look_finds() {
        let strategies =
            [Strategy::MostIdle, Strategy::Linear, Strategy::RingAll, Strategy::RoundRobin];
        let mut rng = Chance(1);
        let mut known = [0; 4];
        for round in 0..400 {
            for (strategy, known) in strategies.into_iter().zip(&mut known) {
                let agents = 1 + rng.below(if round % 2 == 0 { 8 } else { 200 });
                let (acd, caller) = hall(&mut rng, agents, strategy);
                let roster = acd.roster.load();
                let choice = Choice::new(&acd, &roster, &caller, 0);
                if let Some(agent) = choice.by_few_looks() {
                    *known += 1;
                    assert_eq!(Some(agent), choice.by_every_look(), "{strategy:?}");
                }
            }
        }
        assert!(known.iter().all(|known| *known > 150), "{known:?}");
    }

    #[test]
    fn the_dice_favour_nobody() {
        let mut rng = Chance(2);
        let (acd, caller) = hall(&mut rng, 40, Strategy::Random);
        let roster = acd.roster.load();
        let choice = Choice::new(&acd, &roster, &caller, 0);
        let turns = choice.queue.turns.iter().map(|(_, agent)| *agent);
        let free: Vec<u32> = turns.filter(|agent| choice.is_first_hand(*agent)).collect();
        assert!(free.len() > 3);
        let mut thrown = [0_u32; 40];
        for _ in 0..400 * free.len() {
            thrown[choice.by_dice().expect("many are free") as usize] += 1;
        }
        // 400 each; five times the standard deviation is 100.
        assert!(free.iter().all(|agent| (300..500).contains(&thrown[*agent as usize])));
        assert_eq!(thrown.iter().sum::<u32>() as usize, 400 * free.len());
    }

    /// A caller before agents of whom some are free, since moments that may be the same.
    fn hall(rng: &mut Chance, agents: u32, strategy: Strategy) -> (Acd, Arc<Caller>) {
        let mut ids: Vec<AgentId> = (0..agents).map(|n| n.to_string().as_str().into()).collect();
        let agents_of = ids.iter().map(|id| (id.clone(), Agent::default())).collect();
        let mut config = Config { agents: agents_of, ..Config::default() };
        for at in (1..ids.len()).rev() {
            ids.swap(at, rng.below(at as u32 + 1) as usize);
        }
        ids.truncate(1 + rng.below(agents) as usize);
        let queue = crate::acd::config::Queue { members: ids, strategy, ..Default::default() };
        config.queues.insert("q".into(), queue);
        let acd = Acd::new();
        acd.configure(Instant::START, &config, &mut vec![]);
        let call = CallId::from_u64(1);
        acd.enter(Instant::START, call, &"q".into(), Ask::default(), &mut vec![]).unwrap();
        let caller = acd.callers.by_call(call).unwrap();
        for agent in 0..agents {
            let seat = acd.seats.at(agent);
            let since = Instant::from_micros(1 + u64::from(rng.below(agents)));
            seat.idle_since.set(since);
            if rng.below(4) == 0 {
                caller.mark_tried(agent);
            }
            if rng.below(3) > 0 {
                let word = seat.word.load();
                seat.word.swap(word, word.to(Phase::Available, 0).with(REACHABLE, true)).unwrap();
                acd.free.insert(agent);
            }
            if rng.below(3) > 0 || acd.free.contains(agent) {
                acd.idle.insert((since, agent)); // those who are not free are left behind
            }
        }
        let last = rng.below(2 * agents);
        acd.roster.load().queues[0].line.last_rung.store(last, Ordering::Release);
        (acd, caller)
    }
}
