//! Why one agent was chosen for a caller and the others were not, or why nobody was.
//!
//! In:       a caller at the moment of the decision, the roster, the agents' words.
//! Out:      `Survey`: the members of his queue counted by reason, the foremost by name.
//! Not here: the decision itself (`choice`), who keeps what is told (the owner of the ACD).
//!
//! Nothing waits for a survey and it waits for nobody: it reads words and sets of bits as they are.
//! It looks at `LOOKS` members one by one, the free ones first; of a larger queue the rest is
//! counted by the sets alone. So its cost has a bound, however many agents serve the queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::choice::Wish;
use super::config::Strategy;
use super::core::Acd;
use super::line::Caller;
use super::roster::{Member, Queue, Roster};
use super::word::{BUSY, PAUSED, Phase, REACHABLE};
use crate::id::{AgentId, SkillId};
use crate::time::Instant;

/// A queue's agents as a decision about one of its callers found them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub strategy: Strategy,
    /// Who rings for the caller, with his standing: at most `NAMED_MAX` of them.
    pub chosen: Vec<(AgentId, Option<u64>)>,
    /// How many phones ring for him.
    pub ringing: u32,
    /// The other members, by the reason why they were passed over.
    pub counts: BTreeMap<Passed, u32>,
    /// The foremost of those: at most `NAMED_MAX`, the free ones first.
    pub named: Vec<PassedOver>,
}

/// Somebody who was not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    pub agent: AgentId,
    pub why: Passed,
    /// If `Behind`: what the strategy compares, as `Survey::chosen` has it of the chosen.
    pub standing: Option<u64>,
    /// If `Skill`: the skill, the level that is enough, and his level.
    pub lacks: Option<(SkillId, u8, u8)>,
}

/// Why an agent is not rung for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    Away,
    /// Free and able, but the strategy prefers another.
    Behind,
    /// His phone is in use for a call that is not the ACD's, or takes none.
    Busy,
    /// The caller waits for another agent before anybody else is rung.
    Favourite,
    LoggedOut,
    OnCall,
    /// He has just refused a call, or could not be reached, and is left alone for a moment.
    Paused,
    /// His phone rings for another caller, or is about to.
    Ringing,
    /// He is not good enough at what the caller needs at this moment.
    Skill,
    /// The caller has not waited long enough for his tier, or for him; or for too long.
    Tier,
    /// He has refused or missed this caller already, and others have not.
    Tried,
    /// Logged in; he was not looked at one by one.
    Unseen,
    /// No phone is registered where he sits.
    Unreachable,
    WrapUp,
}

impl Passed {
    const ALL: [Self; 14] = [
        Self::Away,
        Self::Behind,
        Self::Busy,
        Self::Favourite,
        Self::LoggedOut,
        Self::OnCall,
        Self::Paused,
        Self::Ringing,
        Self::Skill,
        Self::Tier,
        Self::Tried,
        Self::Unseen,
        Self::Unreachable,
        Self::WrapUp,
    ];
}

impl Acd {
    /// How the agents of a caller's queue look at this moment; `chosen` if one was just chosen.
    pub(super) fn survey(&self, now: Instant, caller: &Arc<Caller>, chosen: Option<u32>) -> Survey {
        let roster = self.roster.load_full();
        let queue = &roster.queues[caller.queue as usize];
        let wish = Wish::of(caller, queue);
        let tiers = queue.open_tiers(wish.tiers(), &self.logged_in);
        Surveyor { acd: self, roster: &roster, queue, caller, wish, tiers, now }.survey(chosen)
    }
}

struct Surveyor<'a> {
    acd: &'a Acd,
    roster: &'a Roster,
    queue: &'a Queue,
    caller: &'a Arc<Caller>,
    wish: Wish<'a>,
    /// The tiers that serve the caller.
    tiers: u64,
    now: Instant,
}

impl Surveyor<'_> {
    fn survey(&self, chosen: Option<u32>) -> Survey {
        let chosen = match (chosen, &self.caller.offered) {
            (Some(agent), _) => vec![agent],
            (None, Some(offered)) if self.acd.callers.holds(self.caller) => {
                offered.iter().filter(|&agent| self.rings(agent)).collect()
            }
            (None, Some(_) | None) => Vec::new(),
        };
        let mut survey = Survey {
            strategy: self.queue.strategy,
            chosen: Vec::new(),
            ringing: chosen.len() as u32,
            counts: BTreeMap::new(),
            named: Vec::new(),
        };
        let mut counts = [0; Passed::ALL.len()];
        let free = &self.acd.free;
        let others = self.queue.members_in(&self.acd.logged_in);
        let others = others.filter(|member| !free.contains(member.agent));
        let mut seen = 0;
        for member in self.queue.members_in(free).chain(others).take(LOOKS) {
            if chosen.binary_search(&member.agent).is_err() {
                seen += 1;
                let why = self.why(member);
                counts[why as usize] += 1;
                self.name(member.agent, why, &mut survey.named);
            }
        }
        let logged_in = self.queue.count_in(&self.acd.logged_in);
        let unseen = logged_in.saturating_sub(seen + chosen.len());
        counts[Passed::Unseen as usize] = unseen as u32;
        // By the sets alone: who has left this moment was looked at, and counts as logged in still.
        let out = self.queue.members.len().saturating_sub(logged_in);
        counts[Passed::LoggedOut as usize] = out as u32;
        let found = Passed::ALL.into_iter().map(|why| (why, counts[why as usize]));
        survey.counts = found.filter(|(_, count)| *count > 0).collect();
        self.name_absent(&mut survey);
        let named = chosen.iter().take(NAMED_MAX);
        survey.chosen = named.map(|&agent| (self.id(agent), self.standing(agent))).collect();
        survey
    }

    /// Names somebody who was passed over, if there is room for him.
    fn name(&self, agent: u32, why: Passed, named: &mut Vec<PassedOver>) {
        if why != Passed::LoggedOut && named.len() < NAMED_MAX {
            let lacks = if why == Passed::Skill { self.lacks(agent) } else { None };
            let standing = if why == Passed::Behind { self.standing(agent) } else { None };
            named.push(PassedOver { agent: self.id(agent), why, standing, lacks });
        }
    }

    /// Names those who are logged out, if there is room for them.
    fn name_absent(&self, survey: &mut Survey) {
        let room = NAMED_MAX - survey.named.len();
        let looked = self.queue.members.iter().map(|member| member.agent).take(LOOKS);
        let absent = looked.filter(|agent| !self.acd.logged_in.contains(*agent)).take(room);
        survey.named.extend(absent.map(|agent| PassedOver {
            agent: self.id(agent),
            why: Passed::LoggedOut,
            standing: None,
            lacks: None,
        }));
    }

    fn why(&self, member: &Member) -> Passed {
        let agent = member.agent;
        let word = self.acd.seats.at(agent).word.load();
        let phase = word.phase();
        if phase == Phase::LoggedOut {
            return Passed::LoggedOut;
        }
        if !self.wish.is_met_by(self.roster, agent) {
            return Passed::Skill;
        }
        if self.caller.favourite().is_some_and(|favourite| favourite != agent) {
            return Passed::Favourite;
        }
        if member.tiers & self.tiers == 0 {
            return Passed::Tier;
        }
        match phase {
            Phase::LoggedOut => Passed::LoggedOut,
            Phase::Away => Passed::Away,
            Phase::OnCall => Passed::OnCall,
            Phase::WrapUp => Passed::WrapUp,
            Phase::Reserved | Phase::Ringing => Passed::Ringing,
            Phase::Available if !word.has(REACHABLE) => Passed::Unreachable,
            Phase::Available if word.has(BUSY) => Passed::Busy,
            Phase::Available if word.has(PAUSED) => Passed::Paused,
            Phase::Available if self.caller.has_tried(agent) => Passed::Tried,
            Phase::Available => Passed::Behind,
        }
    }

    fn rings(&self, agent: u32) -> bool {
        self.acd.seats.at(agent).word.load().is_claimed_for(self.caller.slot)
    }

    fn id(&self, agent: u32) -> AgentId {
        self.roster.agents[agent as usize].id.clone()
    }

    fn lacks(&self, agent: u32) -> Option<(SkillId, u8, u8)> {
        self.wish.lacking(self.roster, agent)
    }

    /// What the strategy compares: seconds idle (most-idle), talked (least-talk, round-robin-talk)
    /// or worked of late (least-busy), calls (fewest-calls), the place in the configured order
    /// (linear, round-robin), the sum of levels (skills); none where it compares nothing.
    fn standing(&self, agent: u32) -> Option<u64> {
        let seat = self.acd.seats.at(agent);
        match self.queue.strategy {
            Strategy::RingAll => return None,
            Strategy::Skills => return Some(self.wish.proficiency(self.roster, agent).into()),
            _ => {}
        }
        match self.queue.order {
            Strategy::FewestCalls => Some(u64::from(seat.calls.load(Ordering::Relaxed))),
            Strategy::LeastBusy => Some(seat.work(self.now).as_secs()),
            Strategy::LeastTalk => Some(seat.talked.load(Ordering::Relaxed) / 1_000_000),
            Strategy::Linear | Strategy::RoundRobin => {
                self.queue.member(agent).map(|member| u64::from(member.place) + 1)
            }
            Strategy::MostIdle => Some(self.now.since(seat.idle_since.at()).as_secs()),
            Strategy::RoundRobinTalk => Some(seat.turn() / 1_000_000_000),
            Strategy::Random
            | Strategy::RingAll
            | Strategy::RingProgressively
            | Strategy::Skills => None,
        }
    }
}

/// Members that a survey looks at one by one.
pub const LOOKS: usize = 128;
/// Agents that a survey names: of those who are rung, and of those who are passed over.
pub const NAMED_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::config::{self, Agent, Config, Widen};
    use crate::acd::{Ask, Change, Outcome, Output};
    use crate::id::{CallId, ExtensionId, QueueId};
    use crate::time::Duration;

    #[test]
    fn an_offer_says_who_was_passed_over_and_why() {
        let mut hall = Hall::new(9, |queue| {
            queue.members.truncate(8); // the ninth serves another queue
        });
        for agent in 0..7 {
            hall.works(agent);
            hall.pass(10);
        }
        hall.change(1, Change::Away { reason: "lunch".to_owned() });
        hall.change(2, Change::Reachable(false));
        hall.change(3, Change::BusyElsewhere(true));
        hall.calls(1); // by 0, who is longest idle
        hall.ends(1, 0, Outcome::Answered);
        hall.calls(2); // rings at 4
        hall.ends(2, 4, Outcome::Rejected); // rings at 5, 4 is paused
        hall.out.clear();

        hall.calls(3);

        let survey = hall.survey(3);
        assert_eq!(survey.chosen, [("a6".into(), Some(10))]);
        assert_eq!(survey.ringing, 1);
        let named: Vec<_> = survey.named.iter().map(|one| (one.agent.as_str(), one.why)).collect();
        assert_eq!(
            named,
            [
                ("a0", Passed::OnCall),
                ("a1", Passed::Away),
                ("a2", Passed::Unreachable),
                ("a3", Passed::Busy),
                ("a4", Passed::Paused),
                ("a5", Passed::Ringing),
                ("a7", Passed::LoggedOut),
            ]
        );
        assert_eq!(survey.counts.values().sum::<u32>(), 7);
    }

    #[test]
    fn who_is_free_and_behind_or_has_refused_is_told_with_figures() {
        let mut hall = Hall::new(3, |_| {});
        for agent in 0..3 {
            hall.works(agent);
            hall.pass(20);
        }
        hall.calls(1);
        assert_eq!(hall.survey(1).chosen, [("a0".into(), Some(60))]);
        hall.out.clear();

        hall.ends(1, 0, Outcome::Busy);
        hall.pass(6); // the pause after a refusal is over; he is free, but had his turn
        hall.ends(1, 1, Outcome::Busy);

        let survey = hall.survey(1);
        assert_eq!(survey.chosen, [("a2".into(), Some(26))]);
        let reasons: Vec<_> = survey.named.iter().map(|one| (one.why, one.standing)).collect();
        assert_eq!(reasons, [(Passed::Tried, None), (Passed::Paused, None)]);
        hall.out.clear();
        hall.calls(2);
        let survey = hall.survey(2);
        assert_eq!(survey.chosen, [("a0".into(), Some(66))]);
        assert_eq!(survey.counts[&Passed::Paused], 1);
    }

    #[test]
    fn a_caller_whom_nobody_can_serve_is_told_what_they_lack() {
        let mut hall = Hall::new(2, |queue| {
            queue.members.clear();
            queue.skills = [("vpn".into(), 3)].into();
            let after = Duration::from_secs(30);
            let skills = [("vpn".into(), 1)].into();
            let (members, mode) = (vec![], config::Mode::Add);
            queue.widen = vec![Widen { after, skills, members, mode }];
        });
        hall.works(0);
        hall.works(1);
        hall.out.clear();

        hall.calls(1);

        let survey = hall.survey(1);
        assert_eq!((survey.chosen.len(), survey.ringing), (0, 0));
        assert_eq!(survey.counts, [(Passed::Skill, 2)].into());
        assert_eq!(survey.named[1].lacks, Some(("vpn".into(), 3, 2)));
        hall.out.clear();
        hall.pass(31);
        let skills = [("vpn".into(), 1)].into();
        let widened =
            Output::Widened { call: CallId::from_u64(1), queue: "q".into(), step: 1, skills };
        assert_eq!(hall.out[0], widened);
        assert_eq!(hall.survey(1).chosen.len(), 1);
    }

    #[test]
    fn all_phones_that_ring_at_once_are_told_once() {
        let mut hall = Hall::new(30, |queue| queue.strategy = Strategy::RingAll);
        (0..30).for_each(|agent| hall.works(agent));
        hall.out.clear();

        hall.calls(1);

        let surveys = hall.out.iter().filter(|out| matches!(out, Output::Decided { .. })).count();
        assert_eq!(surveys, 1);
        let survey = hall.survey(1);
        assert_eq!((survey.ringing, survey.chosen.len()), (30, NAMED_MAX));
        assert_eq!(survey.counts.len(), 0);
    }

    /// Who refuses last leaves the caller with nobody: that is told, as is the end of his patience.
    #[test]
    fn it_is_told_when_nobody_is_left() {
        let mut hall = Hall::new(1, |_| {});
        hall.works(0);
        hall.calls(1);
        hall.out.clear();

        hall.ends(1, 0, Outcome::NoAnswer);

        assert_eq!(hall.survey(1).counts, [(Passed::Away, 1)].into());
        hall.out.clear();
        hall.pass(3600);
        assert_eq!(hall.survey(1).counts, [(Passed::Away, 1)].into());
        assert!(matches!(hall.out.last(), Some(Output::TimedOut { .. })));
    }

    #[test]
    fn a_large_queue_is_told_by_few_names_and_exact_numbers() {
        let mut hall = Hall::new(3000, |_| {});
        (0..2000).for_each(|agent| hall.works(agent));
        hall.out.clear();

        hall.calls(1);

        let survey = hall.survey(1);
        assert_eq!(survey.named.len(), NAMED_MAX);
        assert_eq!(survey.counts[&Passed::LoggedOut], 1000);
        assert_eq!(survey.counts[&Passed::Behind], LOOKS as u32);
        assert_eq!(survey.counts.values().sum::<u32>() + survey.ringing, 3000);
    }

    #[test]
    fn an_acd_that_need_not_explain_says_nothing() {
        let acd = Acd::new();
        assert!(!acd.explains);
    }

    /// Agents `a0`, `a1`, … with the skill `vpn` at level 2 in one queue.
    struct Hall {
        acd: Acd,
        now: Instant,
        out: Vec<Output>,
    }

    impl Hall {
        fn new(agents: u32, change: impl Fn(&mut config::Queue)) -> Self {
            let ids: Vec<AgentId> = (0..agents).map(agent).collect();
            let skilled = Agent { skills: [("vpn".into(), 2)].into(), ..Agent::default() };
            let agents = ids.iter().map(|id| (id.clone(), skilled.clone())).collect();
            let mut config = Config { agents, ..Config::default() };
            let mut queue = config::Queue { members: ids, ..config::Queue::default() };
            change(&mut queue);
            config.queues.insert("q".into(), queue);
            let mut hall =
                Self { acd: Acd::explaining(), now: Instant::from_micros(1), out: Vec::new() };
            hall.acd.configure(hall.now, &config, &mut hall.out);
            hall
        }

        fn change(&mut self, number: u32, change: Change) {
            self.acd.change(self.now, &agent(number), change, &mut self.out).unwrap();
        }

        fn works(&mut self, number: u32) {
            self.change(number, Change::Reachable(true));
            let extension = ExtensionId::from(format!("seat-{number}").as_str());
            self.change(number, Change::Login { extension });
        }

        fn calls(&mut self, call: u64) {
            let ask = Ask { entered: self.now, ..Ask::default() };
            let queue = QueueId::from("q");
            self.acd.enter(self.now, CallId::from_u64(call), &queue, ask, &mut self.out).unwrap();
        }

        fn ends(&mut self, call: u64, number: u32, outcome: Outcome) {
            let call = CallId::from_u64(call);
            let agent = agent(number);
            assert!(self.acd.offer_ended(self.now, call, &agent, outcome, &mut self.out));
        }

        fn pass(&mut self, seconds: u64) {
            let end = self.now + Duration::from_secs(seconds);
            while let Some(due) = self.acd.next_tick().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                self.acd.tick(self.now, &mut self.out);
            }
            self.now = end;
        }

        /// The last survey about a caller.
        fn survey(&self, number: u64) -> Survey {
            let survey = self.out.iter().rev().find_map(|out| match out {
                Output::Decided { call, survey, .. } if call.as_u64() == number => Some(survey),
                _ => None,
            });
            Survey::clone(survey.expect("a decision is told"))
        }
    }

    fn agent(number: u32) -> AgentId {
        format!("a{number}").as_str().into()
    }
}
