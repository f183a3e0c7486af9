//! Callers: they come, are offered, answered, passed on, and leave.
//!
//! In:       what the Switch tells of callers and of the phones it rang; the passing of time.
//! Out:      `Output`.
//! Not here: agents' own doings (`people`), who is matched to whom (`matching`, `step`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_skiplist::{SkipMap, SkipSet};

use super::choice::Wish;
use super::chunks::Chunks;
use super::config::{AGENTS_MAX, Config, IdleFrom};
use super::due::{self, Deadline, Due};
use super::event::{Favourite, Outcome, Output, Refusal, Withdrawn};
use super::line::{Caller, Callers, NOBODY, Place};
use super::matching::{self, Again, Answer, Floor as _, rested};
use super::roster::{Needs, Roster};
use super::rules::reason_of;
use super::seat::Seat;
use super::step::{Step, mix};
use super::sync::publish;
use super::wish::{self, Bell};
use super::word::{Agent, Bits, CallWord, LEAVING, PAUSED, Phase};
use crate::id::{AgentId, CallId, ExtensionId, QueueId, SkillId};
use crate::time::{Duration, Instant};

/// The ACD.
#[derive(Debug)]
pub struct Acd {
    pub(super) roster: ArcSwap<Roster>,
    pub(super) seats: Chunks<Seat>,
    /// Agents who may be free: a hint for searches, the words decide.
    pub(super) free: Bits,
    /// The same agents by the time that they became idle; may hold some who are not free any more.
    pub(super) idle: SkipSet<(Instant, u32)>,
    pub(super) logged_in: Bits,
    /// Who may want a break and does not have it; the words decide.
    pub(super) wishes: SkipSet<u32>,
    /// Rung when somebody's break may be possible.
    pub(super) bell: Bell,
    pub(super) callers: Callers,
    /// The callers who wait for one agent, by him.
    pub(super) favoured: SkipMap<(u32, u64), Arc<Caller>>,
    pub(super) timers: SkipSet<(Instant, Timer)>,
    /// Who sits where.
    pub(super) seated: crossbeam_skiplist::SkipMap<ExtensionId, u32>,
    tickets: AtomicU64,
    dice: AtomicU64,
    /// Whether it tells why it decides as it does.
    pub(super) explains: bool,
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Meant if the agent's word still has the generation.
    Agent { agent: u32, generation: u32 },
    /// Meant if the caller's `due` has come.
    Caller(CallId),
}

/// How a caller enters a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// By how much he is taken to have come earlier than he did.
    pub priority_credit: Duration,
    /// What the agent must be able to do, beside what the queue demands.
    pub skills: BTreeMap<SkillId, u8>,
    /// What the agent had better be able to do, beside what the queue prefers.
    pub prefer: BTreeMap<SkillId, u8>,
    /// Who is to have him before anybody else.
    pub favourite: Option<Favourite>,
    /// Since when he has waited, also in other queues: his seniority.
    pub entered: Instant,
    /// Since when he has waited in this queue, if he comes back to it: `max_wait` and widening go
    /// on from there, and he has his place however full the queue is.
    pub here_since: Option<Instant>,
    /// Who waits for a call of ours, and whom an agent's phone rings for only when he is there:
    /// how long the agent is held at the most. He waits as long as it takes, whoever is there.
    pub called_first: Option<Duration>,
    /// Who had answered him and hung up before they were joined: others are rung before this one.
    pub left_by: Option<AgentId>,
}

impl Default for Acd {
    fn default() -> Self {
        Self::new()
    }
}

impl Acd {
    /// An ACD without agents and queues.
    pub fn new() -> Self {
        Self {
            roster: ArcSwap::default(),
            seats: Chunks::new(AGENTS_MAX, Seat::new),
            free: Bits::new(AGENTS_MAX),
            idle: SkipSet::new(),
            logged_in: Bits::new(AGENTS_MAX),
            wishes: SkipSet::new(),
            bell: Bell::new(),
            callers: Callers::new(),
            favoured: SkipMap::new(),
            timers: SkipSet::new(),
            seated: crossbeam_skiplist::SkipMap::new(),
            tickets: AtomicU64::new(0),
            dice: AtomicU64::new(0),
            explains: false,
        }
    }

    /// An ACD that also says why: `Output::Decided` and `Output::Widened`.
    pub fn explaining() -> Self {
        Self { explains: true, ..Self::new() }
    }

    /// Takes over a configuration; callers, agents' states and offers that ring are kept.
    ///
    /// Agents who are no longer named log out, after their call if they are in one. Callers of a
    /// queue that is no longer named get `Emptied`.
    pub fn configure(&self, now: Instant, config: &Config, out: &mut Vec<Output>) {
        loop {
            let roster = self.roster.load_full();
            let next = Arc::new(roster.next(config));
            let before = self.roster.compare_and_swap(&roster, next);
            if Arc::ptr_eq(&before, &roster) {
                break;
            }
        }
        // Pairs with the fences in `settle` and `welcome`: who searched by the former roster has
        // published before, and is found here.
        publish();
        let roster = self.roster.load_full();
        let mut step = Step::new(self, now, out);
        for caller in self.callers.all() {
            self.fit(&roster, &caller);
            let queue = &roster.queues[caller.queue as usize];
            if queue.present && now >= caller.until(queue.max_wait) {
                step.expire(&caller); // he has waited longer already than he may now
                continue;
            }
            // Release: pairs with `Caller::is_overdue`. He may wait longer than before.
            caller.overdue.store(false, Ordering::Release);
            self.schedule(now, &caller);
        }
        for (number, agent) in (0..).zip(&roster.agents) {
            if !agent.present {
                step.log_out(number);
            }
            step.later(Again::Agent(number));
        }
        for number in 0..roster.queues.len() {
            step.empty(number as u32);
        }
        wish::came(&mut step);
        step.finish();
    }

    /// A caller enters a queue: his place from 1.
    ///
    /// If the call waits already, it leaves that place first.
    ///
    /// # Errors
    ///
    /// If the queue is full; if it is empty of agents and has `on_empty`; if there is none.
    pub fn enter(
        &self,
        now: Instant,
        call: CallId,
        queue: &QueueId,
        ask: Ask,
        out: &mut Vec<Output>,
    ) -> Result<u32, Refusal> {
        self.leave(now, call, out);
        let roster = self.roster.load_full();
        let number = roster.queue_number(queue).ok_or(Refusal::Empty)?;
        let served = &roster.queues[number as usize];
        let is_called_first = ask.called_first.is_some();
        let comes_back = ask.here_since.is_some();
        let absence = if comes_back { &served.empty_leave } else { &served.empty_join };
        if !is_called_first && self.is_deserted(served, absence) {
            return Err(Refusal::Empty);
        }
        let most = if is_called_first || comes_back { u32::MAX } else { served.callers_max };
        if !served.line.admit(most) {
            return Err(Refusal::Full);
        }
        let Some(slot) = self.callers.reserve() else {
            served.line.release();
            return Err(Refusal::Full);
        };
        let caller = self.caller(&roster, (call, number, slot), now, ask);
        self.fit(&roster, &caller);
        if let Some(favourite) = caller.favourite()
            && !Wish::of(&caller, served).is_met_by(&roster, favourite)
        {
            self.release(&caller);
        }
        self.callers.insert(&caller);
        self.favour(&caller);
        self.schedule(now, &caller); // not before: who is due must be known
        let position = caller.line.position(caller.place());

        // Pairs with the fences in `configure` and `Step::empty`: whoever has swapped the roster or
        // logged out the last agent finds the caller, or it is seen here.
        publish();
        let current = self.roster.load_full();
        if !Arc::ptr_eq(&current, &roster) {
            self.fit(&current, &caller);
        }
        let mut step = Step::new(self, now, out);
        let served = &current.queues[number as usize];
        let absence = if comes_back { &served.empty_leave } else { &served.empty_join };
        let deserted = self.is_deserted(served, absence);
        let deserted = deserted && (!is_called_first || !served.present);
        if deserted && step.close(&caller, |_| true) {
            step.finish();
            return Err(Refusal::Empty);
        }
        if caller.favourite().is_some_and(|favourite| !self.can_come(favourite)) {
            self.release(&caller); // he has gone meanwhile, or he sees the caller
        }
        step.ask_why(&caller);
        step.later(Again::Caller(caller));
        step.finish();
        Ok(position)
    }

    /// Whether somebody who came to a queue at this moment would have a place in it.
    ///
    /// # Errors
    ///
    /// As `enter`.
    pub fn has_place(&self, queue: &QueueId) -> Result<(), Refusal> {
        let roster = self.roster.load_full();
        let number = roster.queue_number(queue).ok_or(Refusal::Empty)?;
        let served = &roster.queues[number as usize];
        if self.is_deserted(served, &served.empty_join) {
            return Err(Refusal::Empty);
        }
        if served.line.len() < served.callers_max { Ok(()) } else { Err(Refusal::Full) }
    }

    /// Who enters a queue, before anybody knows of him.
    fn caller(
        &self,
        roster: &Roster,
        (call, queue, slot): (CallId, u32, u32),
        now: Instant,
        ask: Ask,
    ) -> Arc<Caller> {
        let served = &roster.queues[queue as usize];
        let entered = ask.here_since.unwrap_or(now);
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let favourite = ask.favourite.and_then(|it| self.favourite_of(roster, served, it));
        let (favourite, wait) = favourite.unwrap_or((NOBODY, Duration::ZERO));
        let hold = ask.called_first;
        let patient_since = hold.map_or(entered.as_micros(), |_| u64::MAX);
        let hold_us = hold.map_or(0, |hold| hold.as_micros() as u64);
        let caller = Arc::new(Caller {
            call,
            queue,
            line: served.line.clone(),
            ticket,
            arrival: ask.entered,
            stand: Place::new(ask.entered, ask.priority_credit, ticket).stand(),
            slot,
            word: CallWord::new(),
            cap: AtomicU32::new(if hold.is_some() { 1 } else { served.rings_at_once() }),
            ring_next: served.ring_next,
            favourite: AtomicU32::new(favourite),
            favourite_until: entered + wait,
            more_at: AtomicU64::new(u64::MAX),
            offered: served.strategy.rings_many().then(|| Bits::new(AGENTS_MAX)),
            tried: std::sync::OnceLock::new(),
            entered,
            patient_since: AtomicU64::new(patient_since),
            hold_us: AtomicU64::new(hold_us),
            skills: ask.skills,
            prefer: ask.prefer,
            needs: ArcSwapOption::empty(),
            step: AtomicUsize::new(0),
            overdue: AtomicBool::new(false),
            due: Due::never(),
        });
        if let Some(agent) = ask.left_by.and_then(|agent| roster.agent_number(&agent)) {
            caller.mark_tried(agent);
        }
        caller
    }

    /// The caller is gone or goes elsewhere: withdraws every offer.
    pub fn leave(&self, now: Instant, call: CallId, out: &mut Vec<Output>) {
        if let Some(caller) = self.callers.by_call(call) {
            let mut step = Step::new(self, now, out);
            step.close(&caller, |_| true);
            step.finish();
        }
    }

    /// An agent's phone has answered or stopped ringing: whether the offer was still his.
    ///
    /// For `Answered` that means that he won the caller, who is out of the queue then. To be told
    /// by whoever rang the phone, as is `call_ended`.
    pub fn offer_ended(
        &self,
        now: Instant,
        call: CallId,
        agent: &AgentId,
        outcome: Outcome,
        out: &mut Vec<Output>,
    ) -> bool {
        let roster = self.roster.load_full();
        let Some(agent) = roster.agent_number(agent) else { return false };
        let Some(caller) = self.callers.by_call(call) else { return false };
        let mut step = Step::new(self, now, out);
        let was_his = match outcome {
            Outcome::Answered => step.answered(agent, &caller),
            cause @ (Outcome::Busy
            | Outcome::NoAnswer
            | Outcome::Rejected
            | Outcome::Unreachable) => step.not_taken(agent, &caller, cause, None),
        };
        step.finish();
        was_his
    }

    /// An agent's talk is over: he is in wrap-up, or what he asked to be.
    pub fn call_ended(&self, now: Instant, call: CallId, agent: &AgentId, out: &mut Vec<Output>) {
        let roster = self.roster.load_full();
        let Some(agent) = roster.agent_number(agent) else { return };
        let mut step = Step::new(self, now, out);
        step.hung_up(&roster, call, agent);
        step.finish();
    }

    /// An agent has answered, but he or the caller left before the two were joined: he had no talk,
    /// and has no after-call work. If it was he, he is left alone for a moment.
    pub fn not_joined(
        &self,
        now: Instant,
        call: CallId,
        (agent, by_agent): (&AgentId, bool),
        out: &mut Vec<Output>,
    ) {
        let roster = self.roster.load_full();
        let Some(agent) = roster.agent_number(agent) else { return };
        let mut step = Step::new(self, now, out);
        step.fell_through(&roster, call, (agent, by_agent));
        step.finish();
    }

    /// Whether the agent's phone is to ring for the call at this moment.
    pub fn is_offered(&self, call: CallId, agent: &AgentId) -> bool {
        let Some(agent) = self.roster.load().agent_number(agent) else { return false };
        let word = self.seats.at(agent).word.load();
        word.phase() == Phase::Ringing
            && self.callers.by_call(call).is_some_and(|caller| caller.slot == word.slot())
    }

    /// A caller's place from 1, if he waits.
    pub fn position(&self, call: CallId) -> Option<u32> {
        let caller = self.callers.by_call(call)?;
        Some(caller.line.position(caller.place()))
    }

    /// Takes a caller who waits for one who came earlier by `credit`, whatever credit he had: his
    /// place from 1 then.
    pub fn prioritise(
        &self,
        now: Instant,
        call: CallId,
        credit: Duration,
        out: &mut Vec<Output>,
    ) -> Option<u32> {
        let caller = self.callers.by_call(call)?;
        self.callers.move_to(&caller, Place::new(caller.arrival, credit, caller.ticket));
        let position = caller.line.position(caller.place());
        let mut step = Step::new(self, now, out);
        step.later(Again::Caller(caller)); // who searched meanwhile has overlooked him
        step.finish();
        Some(position)
    }

    /// When to call `tick`, if nothing else changes a deadline before.
    ///
    /// A change by another thread may bring it forward: who hands over its outputs also asks this
    /// again.
    pub fn next_tick(&self) -> Option<Instant> {
        self.timers.front().map(|entry| entry.value().0)
    }

    /// Does what is due: rings that time out, wrap-ups and pauses that end, waits that are over,
    /// demands that sink.
    pub fn tick(&self, now: Instant, out: &mut Vec<Output>) {
        let mut step = Step::new(self, now, out);
        while let Some(entry) = self.timers.front().filter(|entry| entry.value().0 <= now) {
            let (_, timer) = *entry.value();
            if !entry.remove() {
                continue; // another thread's
            }
            match timer {
                Timer::Agent { agent, generation } => step.agent_due(agent, generation),
                Timer::Caller(call) => {
                    if let Some(caller) = self.callers.by_call(call) {
                        step.caller_due(&caller);
                    }
                }
            }
        }
        step.finish();
    }

    /// Removes a caller whose word is decided from line, slots and deadlines.
    pub(super) fn forget(&self, caller: &Arc<Caller>) {
        due::end(&Patience { acd: self, now: Instant::START, caller });
        self.release(caller);
        self.callers.remove(caller);
    }

    /// A number that is evenly spread over its calls; not one that cannot be guessed.
    pub(super) fn dice(&self) -> u64 {
        mix(self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// Works out what a caller needs who asked for something in particular.
    fn fit(&self, roster: &Roster, caller: &Caller) {
        if !caller.skills.is_empty() || !caller.prefer.is_empty() {
            let queue = &roster.queues[caller.queue as usize];
            let needs: Needs = roster.needs(queue, &caller.skills, &caller.prefer);
            caller.needs.store(Some(Arc::new(needs)));
        }
    }

    /// Sets a caller's step and next deadline by the time he has waited.
    pub(super) fn schedule(&self, now: Instant, caller: &Caller) {
        due::say(&Patience { acd: self, now, caller });
    }
}

/// What a caller is due for next.
struct Patience<'a> {
    acd: &'a Acd,
    now: Instant,
    caller: &'a Caller,
}

impl Deadline for Patience<'_> {
    fn due(&self) -> &Due {
        &self.caller.due
    }

    fn work_out(&self) -> u64 {
        let caller = self.caller;
        if caller.word.offers().is_none() || caller.is_overdue() {
            return due::NEVER;
        }
        let roster = self.acd.roster.load();
        let queue = &roster.queues[caller.queue as usize];
        let own = caller.needs.load();
        let needs = own.as_deref().unwrap_or(&queue.needs);
        let step = needs.step(self.now.since(caller.entered));
        caller.step.store(step, Ordering::Release); // pairs with the load in `Wish::of`
        let widened = needs.next_after(step).map_or(Instant::NEVER, |after| caller.entered + after);
        // Acquire: pairs with the store in `Caller::rung_at`.
        let more = Instant::from_micros(caller.more_at.load(Ordering::Acquire));
        let favoured = caller.favourite().map_or(Instant::NEVER, |_| caller.favourite_until);
        widened.min(caller.until(queue.max_wait)).min(more).min(favoured).as_micros()
    }

    fn set(&self, at: u64) {
        self.acd.timers.insert((Instant::from_micros(at), Timer::Caller(self.caller.call)));
    }

    fn unset(&self, at: u64) {
        self.acd.timers.remove(&(Instant::from_micros(at), Timer::Caller(self.caller.call)));
    }
}

impl Step<'_> {
    fn answered(&mut self, agent: u32, caller: &Arc<Caller>) -> bool {
        let ringing = self.seat(agent).word.load();
        match matching::answer(self, agent, caller) {
            Answer::Won(word) => {
                let seat = self.seat(agent);
                seat.set_call(caller.call);
                seat.calls.fetch_add(1, Ordering::Relaxed);
                // Release: pairs with the loads in `hung_up` and `extend_wrap_up`.
                seat.queue.store(caller.queue, Ordering::Release);
                self.disarm(agent, ringing);
                caller.line.pace.left(self.now.since(caller.entered), true);
                self.acd.forget(caller);
                self.moved(agent, ringing, word);
                true
            }
            Answer::Lost(word) => {
                self.disarm(agent, ringing);
                self.settled_down(agent, ringing, word);
                false
            }
            Answer::NotRinging => false,
        }
    }

    /// The agent did not take it: the caller goes to the next, and of the agent becomes what the
    /// queue says for this cause.
    pub(super) fn not_taken(
        &mut self,
        agent: u32,
        caller: &Arc<Caller>,
        cause: Outcome,
        why: Option<Withdrawn>,
    ) -> bool {
        let roster = self.acd.roster.load_full();
        let follows = roster.queues[caller.queue as usize].follows(cause);
        let pause = follows.pause(roster.settings.refusal_pause);
        // Whose phone was silent has missed nothing.
        let usual = caller.is_called_first().then_some(roster.settings.refusal_pause);
        let pause = usual.or(pause);
        loop {
            let word = self.seat(agent).word.load();
            if !matching::rings_for(self, word, caller) {
                return false;
            }
            caller.mark_tried(agent);
            self.acd.release_from(caller, agent);
            let next = if pause.is_some() {
                word.to(Phase::Available, 0).with(PAUSED, true)
            } else {
                self.seat(agent).set_reason(Some(reason_of(cause).to_owned()));
                word.to(Phase::Away, 0)
            };
            if matching::refuse(self, agent, caller, word, next) {
                self.stopped(agent, caller, word, next, why);
                if let Some(pause) = pause {
                    self.arm(agent, next, self.now + pause);
                }
                return true;
            }
        }
    }

    /// Says that an offer has ended; `why` if the phone must be told.
    pub(super) fn stopped(
        &mut self,
        agent: u32,
        caller: &Arc<Caller>,
        from: Agent,
        to: Agent,
        why: Option<Withdrawn>,
    ) {
        self.disarm(agent, from);
        self.ask_why(caller);
        if let Some(why) = why {
            self.withdraw(caller, agent, why);
        }
        self.moved(agent, from, to);
    }

    fn hung_up(&mut self, roster: &Roster, call: CallId, agent: u32) {
        let seat = self.seat(agent);
        let queue = roster.queues.get(seat.queue.load(Ordering::Acquire) as usize);
        let wrap_up = queue.map_or(Duration::ZERO, |queue| queue.wrap_up);
        let (before, after) = loop {
            let word = seat.word.load();
            if word.phase() != Phase::OnCall || seat.call() != call {
                return;
            }
            let next = if word.has(LEAVING) || wrap_up.is_zero() {
                rested(word)
            } else {
                word.to(Phase::WrapUp, 0)
            };
            if seat.word.swap(word, next).is_ok() {
                break (word, next);
            }
        };
        let talk = self.now.since(seat.since.at());
        seat.talked.fetch_add(talk.as_micros() as u64, Ordering::Relaxed);
        let member = queue.and_then(|queue| queue.member(agent));
        seat.add_turn(talk, member.map_or(1, |member| member.weight));
        seat.idle_since.set(self.now);
        if after.phase() == Phase::WrapUp {
            seat.wrap_up_max.set(self.now + roster.settings.wrap_up_max.max(wrap_up));
            self.arm(agent, after, self.now + wrap_up);
        }
        self.settled_down(agent, before, after);
    }

    fn fell_through(&mut self, roster: &Roster, call: CallId, (agent, by_agent): (u32, bool)) {
        let seat = self.seat(agent);
        let (before, after) = loop {
            let word = seat.word.load();
            if word.phase() != Phase::OnCall || seat.call() != call {
                return;
            }
            let rested = rested(word);
            let next = rested.with(PAUSED, by_agent && rested.phase() == Phase::Available);
            if seat.word.swap(word, next).is_ok() {
                break (word, next);
            }
        };
        seat.calls.fetch_sub(1, Ordering::Relaxed);
        if after.has(PAUSED) {
            self.arm(agent, after, self.now + roster.settings.refusal_pause);
        }
        self.settled_down(agent, before, after);
    }

    /// Says what an agent has become, and follows it up.
    pub(super) fn settled_down(&mut self, agent: u32, from: Agent, to: Agent) {
        self.moved(agent, from, to);
        if to.phase() == Phase::LoggedOut || from.phase() == Phase::LoggedOut {
            self.presence(agent);
        }
        self.later(Again::Agent(agent));
    }

    /// A deadline of an agent has come, if it was set in the state he is in.
    fn agent_due(&mut self, agent: u32, generation: u32) {
        let seat = self.seat(agent);
        loop {
            let word = seat.word.load();
            if word.generation() != generation {
                return;
            }
            // A step that fails met another thread: what that made of the word is looked at again.
            let done = match word.phase() {
                Phase::Ringing => match self.acd.callers.by_slot(word.slot()) {
                    Some(caller) => {
                        let why = Some(Withdrawn::NoAnswer);
                        self.not_taken(agent, &caller, Outcome::NoAnswer, why)
                    }
                    None => false,
                },
                Phase::WrapUp => self.wrapped_up(agent, word),
                Phase::Available if word.has(PAUSED) => {
                    let next = word.to(Phase::Available, 0).with(PAUSED, false);
                    let swapped = seat.word.swap(word, next).is_ok();
                    if swapped {
                        let id = self.acd.roster.load().agents[agent as usize].id.clone();
                        self.out.push(Output::Rested { agent: id });
                        self.later(Again::Agent(agent));
                    }
                    swapped
                }
                _ => true,
            };
            if done {
                return;
            }
        }
    }

    /// The wrap-up of `word` is over: whether the agent was still in it.
    pub(super) fn wrapped_up(&mut self, agent: u32, word: Agent) -> bool {
        let next = rested(word);
        let swapped = self.seat(agent).word.swap(word, next).is_ok();
        if swapped {
            self.disarm(agent, word);
            self.idles(agent);
            self.settled_down(agent, word, next);
        }
        swapped
    }

    /// He is idle from this moment on, unless his after-call work was idle time.
    pub(super) fn idles(&self, agent: u32) {
        let seat = self.seat(agent);
        let queue = seat.queue.load(Ordering::Acquire) as usize; // pairs with `answered`
        let roster = self.acd.roster.load();
        let from = roster.queues.get(queue).map_or(IdleFrom::WrapUp, |queue| queue.idle_from);
        if from == IdleFrom::WrapUp {
            seat.idle_since.set(self.now);
        }
    }

    /// A caller's deadline has come: he needs less, or has waited long enough.
    fn caller_due(&mut self, caller: &Arc<Caller>) {
        if self.now.as_micros() < caller.due.at() {
            return;
        }
        let max_wait = self.acd.roster.load().queues[caller.queue as usize].max_wait;
        if self.now >= caller.until(max_wait) {
            self.expire(caller);
            return;
        }
        caller.more_rings(self.now);
        if self.now >= caller.favourite_until {
            self.acd.release(caller);
        }
        let before = caller.step.load(Ordering::Acquire); // pairs with the store in `schedule`
        self.acd.schedule(self.now, caller);
        let step = caller.step.load(Ordering::Acquire);
        if step > before {
            self.widened(caller, before, step);
        }
        self.later(Again::Caller(caller.clone()));
    }
}
