//! Agents: they log in and out, go away and come back, and their phones come and go.
//!
//! In:       `Change`, from feature codes, commands, registrations.
//! Out:      `Output::Agent`, and what the change does to offers and callers.
//! Not here: what calls do to agents (`core`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::config::{Absence, Strategy};
use super::core::Acd;
use super::event::{AfterCall, Change, ChangeError, Output, Withdrawn};
use super::matching::{self, Again, Floor as _};
use super::roster::{Member, Queue};
use super::snapshot::then;
use super::step::{Step, is_logged_in};
use super::sync::publish;
use super::wish::{self, is_there};
use super::word::{Agent, BREAK, BUSY, LEAVING, PAUSED, Phase, REACHABLE, WISH};
use crate::id::{AgentId, ExtensionId};
use crate::time::{Duration, Instant};

impl Acd {
    /// Applies a change to an agent.
    ///
    /// # Errors
    ///
    /// If the agent is unknown or his state does not allow it; nothing is changed then.
    pub fn change(
        &self,
        now: Instant,
        agent: &AgentId,
        change: Change,
        out: &mut Vec<Output>,
    ) -> Result<(), ChangeError> {
        let roster = self.roster.load_full();
        let number = roster.agent_number(agent).ok_or(ChangeError::Unknown)?;
        if !roster.agents[number as usize].present {
            return Err(ChangeError::Unknown);
        }
        let mut step = Step::new(self, now, out);
        let done = match change {
            Change::Available => step.come_back(number),
            Change::Away { reason } => step.want_break(number, reason),
            Change::AwayAnyway { reason } => step.go_away(number, reason),
            Change::BusyElsewhere(busy) => {
                step.flag(number, BUSY, busy);
                Ok(())
            }
            Change::Login { extension } => step.log_in(number, &extension),
            Change::Logout => {
                step.log_out(number);
                Ok(())
            }
            Change::Reachable(reachable) => {
                step.reach(number, reachable, roster.agents[number as usize].auto.as_ref());
                Ok(())
            }
            Change::StayOut => {
                step.flag(number, REACHABLE, true);
                Ok(())
            }
            Change::WorkAfter(work) => step.work_after(number, work),
            Change::WrapUpDone => step.end_wrap_up(number),
            Change::WrapUpExtend => step.extend_wrap_up(number),
        };
        step.finish();
        done
    }
}

impl Acd {
    /// Whether callers of a queue must go elsewhere, when members who are absent so do not count.
    pub(super) fn is_deserted(&self, queue: &Queue, absence: &BTreeSet<Absence>) -> bool {
        let is_absent =
            |member: &Member| is_absent(self.seats.at(member.agent).word.load(), absence);
        let mut there = queue.members_in(&self.logged_in);
        !queue.present || queue.on_empty && !there.any(|member| !is_absent(member))
    }
}

fn is_absent(word: Agent, absence: &BTreeSet<Absence>) -> bool {
    absence.iter().any(|absence| match absence {
        Absence::Away => word.phase() == Phase::Away,
        Absence::Busy => matches!(word.phase(), Phase::OnCall | Phase::WrapUp) || word.has(BUSY),
        Absence::Unreachable => !word.has(REACHABLE),
    })
}

impl Step<'_> {
    fn come_back(&mut self, agent: u32) -> Result<(), ChangeError> {
        self.forget_wish(agent);
        let (from, _) = self.shift(agent, |word| match word.phase() {
            Phase::LoggedOut => Err(ChangeError::NotLoggedIn),
            Phase::OnCall => Ok(word.with(LEAVING | BREAK, false)),
            Phase::WrapUp | Phase::Away => {
                Ok(word.to(Phase::Available, 0).with(PAUSED | BREAK, false))
            }
            Phase::Available if word.has(PAUSED) => {
                Ok(word.to(Phase::Available, 0).with(PAUSED, false))
            }
            Phase::Available | Phase::Reserved | Phase::Ringing => Ok(word),
        })?;
        if from.phase() == Phase::WrapUp {
            self.idles(agent);
        }
        Ok(())
    }

    pub(super) fn go_away(&mut self, agent: u32, reason: String) -> Result<(), ChangeError> {
        let word = self.seat(agent).word.load();
        if word.phase() == Phase::LoggedOut {
            return Err(ChangeError::NotLoggedIn);
        }
        self.seat(agent).set_reason(Some(reason));
        let (from, to) = self.shift(agent, |word| match word.phase() {
            Phase::LoggedOut => Err(ChangeError::NotLoggedIn),
            Phase::OnCall => Ok(word.with(BREAK, true).with(WISH, false)),
            Phase::Away => Ok(word),
            Phase::Available | Phase::Reserved | Phase::Ringing | Phase::WrapUp => {
                Ok(word.to(Phase::Away, 0).with(PAUSED | BREAK | WISH, false))
            }
        })?;
        self.acd.wishes.remove(&agent);
        if from == to && from.phase() == Phase::OnCall {
            self.intends(agent); // another reason
        }
        if from.phase() == Phase::WrapUp {
            self.idles(agent);
        }
        if from.phase() == Phase::Away {
            self.announce(agent, from.phase().into(), to.phase().into()); // another reason
        }
        Ok(())
    }

    fn log_in(&mut self, agent: u32, extension: &ExtensionId) -> Result<(), ChangeError> {
        self.forget_wish(agent);
        let seat = self.seat(agent);
        let before = seat.word.load();
        let former = seat.extension().filter(|_| is_logged_in(before));
        let moves = former.as_ref() != Some(extension);
        if moves && matches!(before.phase(), Phase::Ringing | Phase::OnCall) {
            return Err(ChangeError::InCall);
        }
        self.sit_down(agent, extension)?;
        if moves {
            seat.set_extension(extension.clone());
            if let Some(former) = &former {
                self.stand_up(agent, former);
            }
        }
        if before.phase() == Phase::LoggedOut {
            seat.idle_since.set(self.now);
        }
        let (from, to) = self.shift(agent, |word| match word.phase() {
            Phase::OnCall => Ok(word.with(LEAVING | BREAK, false)),
            Phase::Ringing | Phase::WrapUp => Ok(word),
            Phase::LoggedOut | Phase::Away | Phase::Available | Phase::Reserved => {
                Ok(word.to(Phase::Available, 0).with(PAUSED | LEAVING | BREAK, false))
            }
        })?;
        if moves && from.phase() != Phase::LoggedOut && from.phase() == to.phase() {
            self.announce(agent, from.phase().into(), to.phase().into()); // another seat
        }
        Ok(())
    }

    /// Logs an agent out, or notes that he wants to when his call ends.
    pub fn log_out(&mut self, agent: u32) {
        self.forget_wish(agent);
        let shifted = self.shift(agent, |word| match word.phase() {
            Phase::LoggedOut => Ok(word),
            Phase::OnCall => Ok(word.with(LEAVING, true)),
            Phase::Available | Phase::Reserved | Phase::Ringing | Phase::WrapUp | Phase::Away => {
                Ok(word.to(Phase::LoggedOut, 0).with(PAUSED | BREAK, false))
            }
        });
        shifted.expect("no state forbids it");
    }

    /// Notes whether a phone is registered; an agent with `login = "auto"` follows it.
    fn reach(&mut self, agent: u32, reachable: bool, auto: Option<&ExtensionId>) {
        let was = self.seat(agent).word.load();
        self.flag(agent, REACHABLE, reachable);
        let Some(extension) = auto.filter(|_| was.has(REACHABLE) != reachable) else { return };
        if !reachable {
            self.log_out(agent);
        } else if (was.phase() == Phase::LoggedOut || was.has(LEAVING))
            && let Err(error) = self.log_in(agent, extension)
        {
            tracing::warn!(agent, %error, "cannot log in by registration");
        }
    }

    fn end_wrap_up(&mut self, agent: u32) -> Result<(), ChangeError> {
        loop {
            let word = self.seat(agent).word.load();
            if word.phase() != Phase::WrapUp {
                return Err(ChangeError::NotInWrapUp);
            }
            if self.wrapped_up(agent, word) {
                return Ok(());
            }
        }
    }

    fn extend_wrap_up(&mut self, agent: u32) -> Result<(), ChangeError> {
        let seat = self.seat(agent);
        loop {
            let word = seat.word.load();
            if word.phase() != Phase::WrapUp {
                return Err(ChangeError::NotInWrapUp);
            }
            let queue = seat.queue.load(Ordering::Acquire) as usize; // pairs with `Step::answered`
            let more = self.acd.roster.load().queues[queue].wrap_up;
            let until = seat.until.at();
            let extended = (until + more).min(seat.wrap_up_max.at());
            if extended <= until {
                return Err(ChangeError::WrapUpMax);
            }
            // A new generation, so that the former deadline means nothing.
            let next = word.to(Phase::WrapUp, 0);
            if seat.word.swap(word, next).is_ok() {
                self.disarm(agent, word);
                self.arm(agent, next, extended);
                self.intends(agent);
                return Ok(());
            }
        }
    }

    /// Takes up after-call work that a restart has interrupted, or that it has made due.
    fn work_after(&mut self, agent: u32, work: AfterCall) -> Result<(), ChangeError> {
        let roster = self.acd.roster.load_full();
        let queue = roster.queue_number(&work.queue);
        let wrap_up = queue.map_or(Duration::ZERO, |it| roster.queues[it as usize].wrap_up);
        let until = work.until.unwrap_or(self.now + wrap_up);
        let (Some(queue), true) = (queue, until > self.now) else {
            return work.away.map_or(Ok(()), |reason| self.go_away(agent, reason));
        };
        let seat = self.seat(agent);
        // Release: pairs with the loads in `idles` and `extend_wrap_up`.
        seat.queue.store(queue, Ordering::Release);
        let (_, next) = self.shift(agent, |word| match word.phase() {
            Phase::LoggedOut => Err(ChangeError::NotLoggedIn),
            Phase::Available => Ok(word.to(Phase::WrapUp, 0).with(BREAK, work.away.is_some())),
            Phase::Away | Phase::OnCall | Phase::Reserved | Phase::Ringing | Phase::WrapUp => {
                Err(ChangeError::InCall)
            }
        })?;
        if work.away.is_some() {
            seat.set_reason(work.away);
        }
        seat.wrap_up_max.set(self.now + roster.settings.wrap_up_max.max(wrap_up));
        self.arm(agent, next, until);
        Ok(())
    }

    /// Says that what follows an agent's state, or when it ends, is another.
    fn intends(&mut self, agent: u32) {
        let agent = self.acd.roster.load().agents[agent as usize].id.clone();
        self.out.push(Output::Intent { agent });
    }

    /// Sets a flag that keeps an agent from being free, or clears it; an offer that rings meanwhile
    /// goes to another.
    pub(super) fn flag(&mut self, agent: u32, flag: u64, on: bool) {
        let shifted = self.shift(agent, |word| {
            let flagged = word.with(flag, on);
            match word.phase() {
                Phase::Reserved => Ok(flagged.to(Phase::Available, 0)),
                Phase::Ringing if flagged.has(BUSY) || !flagged.has(REACHABLE) => {
                    Ok(flagged.to(Phase::Available, 0))
                }
                _ => Ok(flagged),
            }
        });
        shifted.expect("no state forbids it");
    }

    /// Swaps an agent's word for what `to` makes of it: both words.
    ///
    /// If his phone rings and shall not any more, the offer goes to another.
    fn shift(
        &mut self,
        agent: u32,
        to: impl Fn(Agent) -> Result<Agent, ChangeError>,
    ) -> Result<(Agent, Agent), ChangeError> {
        loop {
            let word = self.seat(agent).word.load();
            let next = to(word)?;
            if next == word {
                return Ok((word, next));
            }
            if word.phase() == Phase::Ringing && next.phase() != Phase::Ringing {
                let Some(caller) = self.acd.callers.by_slot(word.slot()) else { continue };
                if matching::refuse(self, agent, &caller, word, next) {
                    self.stopped(agent, &caller, word, next, Some(Withdrawn::AgentLeft));
                    self.follow_up(agent, word, next);
                    return Ok((word, next));
                }
            } else if self.seat(agent).word.swap(word, next).is_ok() {
                if word.generation() != next.generation() {
                    self.disarm(agent, word);
                    self.moved(agent, word, next);
                } else if then(word) != then(next) {
                    self.intends(agent);
                }
                self.follow_up(agent, word, next);
                return Ok((word, next));
            }
        }
    }

    fn follow_up(&mut self, agent: u32, from: Agent, to: Agent) {
        if is_logged_in(from) != is_logged_in(to) {
            self.presence(agent);
        }
        self.disappoint(agent, to);
        self.leaves(agent, to);
        if from.is_free() && !to.is_free() {
            matching::hide(self, agent);
        } else if to.is_free()
            && matches!(from.phase(), Phase::LoggedOut | Phase::Away | Phase::Available)
        {
            self.begins_level(agent);
        }
        if is_there(to) && !is_there(from) {
            wish::came(self);
        }
        self.later(Again::Agent(agent));
    }

    /// Who comes to work has no talk to catch up with: his turn is no earlier than that of those
    /// who are there.
    fn begins_level(&self, agent: u32) {
        let roster = self.acd.roster.load();
        for &queue in &roster.agents[agent as usize].queues {
            let queue = &roster.queues[queue as usize];
            if queue.order != Strategy::RoundRobinTalk {
                continue;
            }
            let is_there = |member: &&Member| {
                let word = self.seat(member.agent).word.load();
                member.agent != agent && word.has(REACHABLE) && word.phase() != Phase::Away
            };
            let there = queue.members_in(&self.acd.logged_in).filter(is_there);
            if let Some(least) = there.map(|member| self.seat(member.agent).turn()).min() {
                self.seat(agent).begin_turn_at(least);
            }
        }
    }

    /// Makes the set of those who are logged in, and the seats, agree with an agent's word.
    pub fn presence(&mut self, agent: u32) {
        loop {
            let word = self.seat(agent).word.load();
            let extension = self.seat(agent).extension();
            if is_logged_in(word) {
                self.acd.logged_in.insert(agent);
                if let Some(extension) = &extension {
                    let _ = self.sit_down(agent, extension); // taken: `log_in` has refused it
                }
            } else {
                self.acd.logged_in.remove(agent);
                if let Some(extension) = &extension {
                    self.stand_up(agent, extension);
                }
            }
            // Pairs with itself in another thread: the last to write has seen the last word.
            publish();
            if is_logged_in(self.seat(agent).word.load()) == is_logged_in(word) {
                break;
            }
        }
        let roster = self.acd.roster.load_full();
        for &queue in &roster.agents[agent as usize].queues {
            self.empty(queue);
            self.next_tier(&roster.queues[queue as usize], agent);
        }
    }

    /// Looks for those of the next tier, if the last of his own has logged out.
    fn next_tier(&mut self, queue: &Queue, agent: u32) {
        let tiers = queue.tiers_of(agent);
        if !queue.is_tiered || tiers == 0 || queue.line.len() == 0 {
            return;
        }
        publish(); // pairs with the fence in `settle`: he is seen to be out, or the caller here
        let mut left = queue.members_in(&self.acd.logged_in);
        if left.any(|other| other.tiers & tiers != 0) {
            return;
        }
        for entry in queue.line.callers.iter() {
            self.later(Again::Caller(Arc::clone(entry.value())));
        }
    }

    /// Sends callers elsewhere whose queue an agent was the last to serve.
    pub fn leaves(&mut self, agent: u32, to: Agent) {
        let roster = self.acd.roster.load_full();
        for &number in &roster.agents[agent as usize].queues {
            let queue = &roster.queues[number as usize];
            if queue.on_empty && is_absent(to, &queue.empty_leave) {
                self.empty(number);
            }
        }
    }

    /// Sends the callers of a queue elsewhere, if nobody serves it and it says where.
    pub fn empty(&mut self, queue: u32) {
        let roster = self.acd.roster.load_full();
        let queue = &roster.queues[queue as usize];
        publish(); // pairs with the fence in `enter`
        if queue.line.len() == 0 || !self.acd.is_deserted(queue, &queue.empty_leave) {
            return;
        }
        for entry in queue.line.callers.iter() {
            let caller = Arc::clone(entry.value());
            if caller.is_called_first() && queue.present {
                continue;
            }
            if self.close(&caller, |_| true) {
                self.out.push(Output::Emptied { call: caller.call, queue: queue.id.clone() });
            }
        }
    }

    /// Claims a seat for an agent.
    fn sit_down(&self, agent: u32, extension: &ExtensionId) -> Result<(), ChangeError> {
        loop {
            let entry = self.acd.seated.get_or_insert(extension.clone(), agent);
            let sitter = *entry.value();
            if sitter == agent {
                return Ok(());
            }
            let other = self.seat(sitter);
            if is_logged_in(other.word.load()) && other.extension().as_ref() == Some(extension) {
                let id = self.acd.roster.load().agents[sitter as usize].id.clone();
                return Err(ChangeError::SeatTaken(id));
            }
            entry.remove(); // left behind by a login that was overtaken
        }
    }

    fn stand_up(&self, agent: u32, extension: &ExtensionId) {
        if let Some(entry) = self.acd.seated.get(extension).filter(|entry| *entry.value() == agent)
        {
            entry.remove();
        }
    }
}
