//! An agent whom a caller waits for before anybody else is rung.
//!
//! In:       who it is, until when; agents who cannot come.
//! Out:      who alone may be rung for a caller.
//! Not here: who it should be (`call`), his turn among the callers of that agent (`step`).
//!
//! A caller waits for his favourite until `Favourite::wait` is over, or he refuses or misses the
//! call, or cannot come any more; then for whoever serves the queue, as if there had been none.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Acd;
use super::event::Favourite;
use super::line::{Caller, NOBODY};
use super::matching::{Again, Floor as _};
use super::roster::{Queue, Roster};
use super::step::Step;
use super::sync::publish;
use super::word::{Agent, Phase, REACHABLE};
use crate::time::Duration;

impl Acd {
    /// Who is waited for, and how long, if there is a point in it.
    pub(super) fn favourite_of(
        &self,
        roster: &Roster,
        queue: &Queue,
        favourite: Favourite,
    ) -> Option<(u32, Duration)> {
        let agent = roster.agent_number(&favourite.agent)?;
        let may = favourite.outsider || queue.member(agent).is_some();
        let is_there = roster.agents[agent as usize].present && self.can_come(agent);
        (may && is_there && !favourite.wait.is_zero()).then_some((agent, favourite.wait))
    }

    /// Whether an agent will take calls without doing anything before.
    pub(super) fn can_come(&self, agent: u32) -> bool {
        may_come(self.seats.at(agent).word.load())
    }

    /// Lets a caller stand among those who wait for his favourite, if he has one.
    pub(super) fn favour(&self, caller: &Arc<Caller>) {
        if let Some(agent) = caller.favourite() {
            self.favoured.insert((agent, caller.ticket), caller.clone());
            publish(); // pairs with the fence in `release`: that sees the entry, or it is seen here
            if caller.favourite().is_none() {
                self.favoured.remove(&(agent, caller.ticket));
            }
        }
    }

    /// The caller waits for nobody in particular any more.
    pub(super) fn release(&self, caller: &Caller) {
        // AcqRel: pairs with the load in `Caller::favourite`; and one thread removes the entry.
        let agent = caller.favourite.swap(NOBODY, Ordering::AcqRel);
        if agent != NOBODY {
            publish(); // pairs with the fence in `favour`
            self.favoured.remove(&(agent, caller.ticket));
        }
    }

    /// The same, if it is `agent` whom he waits for.
    pub(super) fn release_from(&self, caller: &Caller, agent: u32) {
        if caller.favourite() == Some(agent) {
            self.release(caller);
        }
    }

    /// The callers who wait for an agent alone, in the order of entering.
    pub(super) fn waiting_for(&self, agent: u32) -> impl Iterator<Item = Arc<Caller>> + '_ {
        let own = (agent, 0)..=(agent, u64::MAX);
        self.favoured.range(own).map(|entry| Arc::clone(entry.value()))
    }
}

impl Step<'_> {
    /// Lets those go to others who wait for an agent who cannot come any more.
    pub(super) fn disappoint(&mut self, agent: u32, word: Agent) {
        if may_come(word) {
            return;
        }
        publish(); // pairs with the fence in `enter`: he is seen to be gone, or the caller here
        let left: Vec<_> = self.acd.waiting_for(agent).collect();
        for caller in left {
            self.acd.release(&caller);
            self.acd.schedule(self.now, &caller);
            self.later(Again::Caller(caller));
        }
    }
}

fn may_come(word: Agent) -> bool {
    !matches!(word.phase(), Phase::LoggedOut | Phase::Away) && word.has(REACHABLE)
}
