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
use super::roster::{Member, Needs, Queue, Roster};
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
    /// The tiers that serve him.
    tiers: u64,
}

/// How good an agent is for a caller, whoever's turn it is: the least is the best. His tier, what
/// he lacks of the preferred skills, and what is missing to the greatest proficiency.
type Class = (u32, u32, u32);

impl<'a> Choice<'a> {
    pub fn new(acd: &'a Acd, roster: &'a Roster, caller: &'a Caller, offers: u32) -> Self {
        let queue = &roster.queues[caller.queue as usize];
        let wish = Wish::of(caller, queue);
        let tiers = queue.open_tiers(wish.tiers(), &acd.logged_in);
        Self { acd, roster, queue, caller, wish, offers, tiers }
    }

    /// The agent to be rung next, if anybody able is free.
    pub fn best(&self) -> Option<u32> {
        if let Some(favourite) = self.caller.favourite() {
            return Some(favourite).filter(|agent| self.is_possible(*agent));
        }
        self.by_few_looks().or_else(|| self.by_every_look())
    }

    /// The best, if `LOOKS` are enough to know him.
    fn by_few_looks(&self) -> Option<u32> {
        if self.queue.strategy == Strategy::Skills {
            return None;
        }
        match self.queue.order {
            Strategy::MostIdle => self.longest_idle(),
            Strategy::Linear => self.next_in_turn(0),
            Strategy::RoundRobin => {
                let last = self.last_place();
                let turns = &self.queue.turns;
                self.next_in_turn(turns.partition_point(|(place, _)| Some(*place) <= last))
            }
            Strategy::Random => self.by_dice(),
            Strategy::FewestCalls
            | Strategy::LeastBusy
            | Strategy::LeastTalk
            | Strategy::RingAll
            | Strategy::RingProgressively
            | Strategy::RoundRobinTalk
            | Strategy::Skills => None,
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
        agents.find(|agent| self.is_first_hand(*agent))
    }

    /// The first free one from a turn on.
    fn next_in_turn(&self, start: usize) -> Option<u32> {
        let (before, after) = self.queue.turns.split_at(start);
        let turns = after.iter().chain(before).take(LOOKS).map(|(_, agent)| *agent);
        turns.into_iter().find(|agent| self.is_first_hand(*agent))
    }

    /// Anyone: throws until the dice show somebody who is free, so that each is as likely as his
    /// weight says.
    fn by_dice(&self) -> Option<u32> {
        let turns = &self.queue.turns;
        let throw = || {
            let dice = self.acd.dice();
            // The upper half of the product lies evenly below `len`.
            let at = (u128::from(dice) * turns.len() as u128) >> 64;
            turns.get(at as usize).map(|(_, agent)| *agent)
        };
        let is_his = |agent: &u32| {
            let most = u64::from(self.queue.weight_max);
            most == 1 || {
                let weight = self.queue.member(*agent).map_or(0, |member| member.weight);
                self.acd.dice() % most < u64::from(weight)
            }
        };
        let mut thrown = (0..LOOKS).filter_map(|_| throw()).filter(is_his);
        thrown.find(|agent| self.is_first_hand(*agent))
    }

    /// The best of all, each free member looked at once: the cost grows with the free agents, not
    /// with the busy.
    fn by_every_look(&self) -> Option<u32> {
        let last_place = self.last_place();
        let dice = match self.queue.order {
            Strategy::Random => self.acd.dice(),
            _ => 0,
        };
        let mut best = None;
        for member in self.queue.members_in(&self.acd.free) {
            let agent = member.agent;
            if member.tiers & self.tiers == 0 || !self.is_possible(agent) {
                continue;
            }
            let rank = self.rank(member, last_place, dice);
            let idle_since = self.acd.seats.at(agent).idle_since.at();
            let has_tried = self.caller.has_tried(agent);
            let key = (has_tried, self.class(member), rank, idle_since, member.place);
            if best.as_ref().is_none_or(|(least, _)| key < *least) {
                best = Some((key, agent));
            }
        }
        best.map(|(_, agent)| agent)
    }

    /// Whose turn it is by the queue's order: the least is the next.
    fn rank(&self, member: &Member, last_place: Option<u32>, dice: u64) -> (u64, u32) {
        let seat = self.acd.seats.at(member.agent);
        let share = |dealt: u64| dealt.saturating_mul(SHARE) / u64::from(member.weight);
        match self.queue.order {
            Strategy::FewestCalls => (share(seat.calls.load(Ordering::Relaxed).into()), 0),
            Strategy::LeastBusy => (ascending(seat.load() - f64::from(member.weight).log2()), 0),
            Strategy::LeastTalk => (share(seat.talked.load(Ordering::Relaxed)), 0),
            Strategy::Linear
            | Strategy::RingAll
            | Strategy::RingProgressively
            | Strategy::Skills => (0, member.place),
            Strategy::MostIdle => (seat.idle_since.at().as_micros(), member.agent),
            Strategy::Random => {
                // The first of alarm clocks that ring at random, each at the rate of its weight.
                let even =
                    ((mix(dice ^ u64::from(member.agent)) >> 11) + 1) as f64 * 2_f64.powi(-53);
                (ascending(-even.ln() / f64::from(member.weight)), 0)
            }
            Strategy::RoundRobin => {
                let wrapped = last_place.is_some_and(|last| member.place <= last);
                (u64::from(wrapped), member.place)
            }
            Strategy::RoundRobinTalk => (seat.turn(), 0),
        }
    }

    fn class(&self, member: &Member) -> Class {
        let tier = (member.tiers & self.tiers).trailing_zeros();
        let lacks = match self.queue.strategy {
            Strategy::Skills => u32::MAX - self.wish.proficiency(self.roster, member.agent),
            _ => 0,
        };
        (tier, self.wish.shortfall(self.roster, member.agent), lacks)
    }

    /// The place of the agent who was rung last.
    fn last_place(&self) -> Option<u32> {
        // Acquire: pairs with the store in `Step::rings`.
        let last = self.queue.line.last_rung.load(Ordering::Acquire);
        self.queue.member(last).map(|member| member.place)
    }

    /// Whether an agent is free, able, and may be rung.
    fn is_possible(&self, agent: u32) -> bool {
        self.acd.seats.at(agent).word.load().is_free()
            && (self.offers == 0 || !self.caller.has_tried(agent))
            && self.wish.is_met_by(self.roster, agent)
    }

    /// Whether an agent is such that nobody can be better for the caller: free, able, not one who
    /// refused him since everybody able had, of the first tier, with all that is preferred.
    fn is_first_hand(&self, agent: u32) -> bool {
        self.acd.free.contains(agent)
            && !self.caller.has_tried(agent)
            && self.queue.member(agent).is_some_and(|it| it.tiers & self.first_tier() != 0)
            && self.is_possible(agent)
            && self.wish.shortfall(self.roster, agent) == 0
    }

    /// The lowest of the tiers that serve the caller.
    fn first_tier(&self) -> u64 {
        self.tiers & self.tiers.wrapping_neg()
    }
}

/// Whole numbers in the order of these.
fn ascending(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Agents that are looked at before all are.
const LOOKS: usize = 32;
/// What one dealt by weight counts, so that a hundredth of it is still a number.
const SHARE: u64 = 1_000;

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

    /// The tiers that are due.
    pub fn tiers(&self) -> u64 {
        let (needs, step) = self.parts();
        needs.tiers(step)
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

    fn shortfall(&self, roster: &Roster, agent: u32) -> u32 {
        roster.agents[agent as usize].shortfall(self.parts().0)
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
