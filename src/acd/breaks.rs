//! Breaks, where a queue says what becomes of the wish of the last one who is there.
//!
//! In:       an agent's wish; who comes to work.
//! Out:      the break at once, later, or not.
//! Not here: states as such (`people`).
//!
//! Who wants a break says so in his word, crosses the fence, and looks whether another is there
//! for each of his queues; of two who want one at once the one with the lower number goes: for him
//! the other stays, for the other he goes. Whoever comes to work crosses the fence after his own
//! word, and looks for those who wait for their break: one of the two sees the other.

use super::config::LastBreak;
use super::event::{ChangeError, Output};
use super::roster::{Queue, Roster};
use super::step::Step;
use super::sync::publish;
use super::word::{Agent, BREAK, BUSY, LEAVING, Phase, REACHABLE, WISH};

impl Step<'_> {
    /// An agent wants a break; he has it after his call, when another is there, or not, as his
    /// queues say.
    pub(super) fn want_break(&mut self, agent: u32, reason: String) -> Result<(), ChangeError> {
        let roster = self.acd.roster.load_full();
        let phase = self.seat(agent).word.load().phase();
        let is_there = !matches!(phase, Phase::LoggedOut | Phase::Away);
        let mut queues = guarded(&roster, agent);
        if !is_there || queues.next().is_none() {
            return self.go_away(agent, reason);
        }
        let before = self.seat(agent).reason();
        self.seat(agent).set_reason(Some(reason.clone()));
        self.flag(agent, WISH, true);
        self.acd.wishes.insert(agent);
        publish(); // pairs with the fence in `grant_breaks`, and with itself
        let Some(queue) = self.needed_in(&roster, agent) else {
            return self.go_away(agent, reason);
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

    /// Somebody has come to work: those go who waited for that.
    pub(super) fn grant_breaks(&mut self) {
        publish(); // pairs with the fence in `want_break`
        let waiting: Vec<u32> = self.acd.wishes.iter().map(|entry| *entry.value()).collect();
        let roster = self.acd.roster.load_full();
        for agent in waiting {
            let word = self.seat(agent).word.load();
            if !word.has(WISH) || matches!(word.phase(), Phase::LoggedOut | Phase::Away) {
                self.forget_wish(agent);
            } else if self.needed_in(&roster, agent).is_none() {
                let reason = self.seat(agent).reason().unwrap_or_default();
                let _ = self.go_away(agent, reason); // he has logged out, if it is refused
            }
        }
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
                let word = self.seat(member.agent).word.load();
                let goes = word.has(WISH) && member.agent < agent;
                member.agent != agent && is_there(word) && !goes
            })
        };
        guarded(roster, agent).filter(lonely).max_by_key(|queue| queue.last_break)
    }
}

/// The queues that say something of the last one's break, of those that an agent serves.
fn guarded(roster: &Roster, agent: u32) -> impl Iterator<Item = &Queue> {
    let queues = roster.agents[agent as usize].queues.iter();
    let queues = queues.map(|&queue| &roster.queues[queue as usize]);
    queues.filter(|queue| queue.present && queue.last_break != LastBreak::Allow)
}

/// Whether an agent takes calls, or will without doing anything before.
pub(super) fn is_there(word: Agent) -> bool {
    !matches!(word.phase(), Phase::LoggedOut | Phase::Away)
        && word.has(REACHABLE)
        && !word.has(BUSY)
        && !word.has(LEAVING)
        && !word.has(BREAK)
}
