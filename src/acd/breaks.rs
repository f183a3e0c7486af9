//! Breaks, where a queue says what becomes of the wish of the last one who is there.
//!
//! In:       an agent's wish; who comes to work.
//! Out:      the break at once, later, or not.
//! Not here: states as such (`people`).
//!
//! `wish` says how those who want one at once, or come to work meanwhile, do not overlook each
//! other. Who asks for one in the same moment as another is held, where else he would be refused.

use super::config::LastBreak;
use super::event::{ChangeError, Output};
use super::roster::{Queue, Roster};
use super::step::Step;
use super::wish::{self, Bell, Crew, is_there};
use super::word::{Agent, Phase, WISH};

impl Step<'_> {
    /// An agent wants a break; he has it after his call, when another is there, or not, as his
    /// queues say.
    pub(super) fn want_break(&mut self, agent: u32, reason: String) -> Result<(), ChangeError> {
        let roster = self.acd.roster.load_full();
        let phase = self.seat(agent).word.load().phase();
        let at_work = !matches!(phase, Phase::LoggedOut | Phase::Away);
        let mut queues = guarded(&roster, agent);
        if !at_work || queues.next().is_none() {
            return self.go_away(agent, reason);
        }
        let before = self.seat(agent).reason();
        self.seat(agent).set_reason(Some(reason.clone()));
        self.flag(agent, WISH, true);
        self.acd.wishes.insert(agent);
        wish::wanted(self);
        let waits = self.seat(agent).word.load().has(WISH);
        let Some(queue) = self.needed_in(&roster, agent).filter(|_| waits) else {
            return Ok(()); // he has it, or another thread is about to look whether he may
        };
        let refused = queue.last_break == LastBreak::Refuse;
        let (id, queue) = (roster.agents[agent as usize].id.clone(), queue.id.clone());
        self.out.push(Output::BreakHeld { agent: id, queue: queue.clone(), refused });
        if refused {
            self.forget_wish(agent);
            self.seat(agent).set_reason(before);
            return Err(ChangeError::LastAgent(queue));
        }
        Ok(())
    }

    /// He does not want a break any more.
    pub(super) fn forget_wish(&mut self, agent: u32) {
        if self.acd.wishes.remove(&agent).is_some() && self.seat(agent).word.load().has(WISH) {
            self.flag(agent, WISH, false);
        }
    }

    /// The queue that has nobody while he is away, the strictest first.
    fn needed_in<'r>(&self, roster: &'r Roster, agent: u32) -> Option<&'r Queue> {
        let lonely = |queue: &&Queue| {
            let mut others = queue.members_in(&self.acd.logged_in);
            !others.any(|member| {
                member.agent != agent && is_there(self.seat(member.agent).word.load())
            })
        };
        guarded(roster, agent).filter(lonely).max_by_key(|queue| queue.last_break)
    }
}

impl Crew for Step<'_> {
    fn bell(&self) -> &Bell {
        &self.acd.bell
    }

    fn word(&self, agent: u32) -> Agent {
        self.seat(agent).word.load()
    }

    fn has_wishes(&self) -> bool {
        !self.acd.wishes.is_empty()
    }

    fn wishes(&self) -> Vec<u32> {
        self.acd.wishes.iter().map(|entry| *entry.value()).collect()
    }

    fn forget(&mut self, agent: u32) {
        self.forget_wish(agent);
    }

    fn is_needed(&self, agent: u32) -> bool {
        self.needed_in(&self.acd.roster.load(), agent).is_some()
    }

    fn goes(&mut self, agent: u32) {
        let reason = self.seat(agent).reason().unwrap_or_default();
        let _ = self.go_away(agent, reason); // he has logged out, if it is refused
    }
}

/// The queues that say something of the last one's break, of those that an agent serves.
fn guarded(roster: &Roster, agent: u32) -> impl Iterator<Item = &Queue> {
    let queues = roster.agents[agent as usize].queues.iter();
    let queues = queues.map(|&queue| &roster.queues[queue as usize]);
    queues.filter(|queue| queue.present && queue.last_break != LastBreak::Allow)
}
