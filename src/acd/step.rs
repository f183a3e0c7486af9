//! One change to the ACD: the change itself, what it makes possible, and what comes out of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::choice::{Choice, Wish};
use super::core::{Acd, Timer};
use super::event::{Output, State, Withdrawn};
use super::line::{Caller, Place};
use super::matching::{self, Again, Floor, Stop};
use super::roster::{Member, Queue, Roster};
use super::seat::Seat;
use super::sync::publish;
use super::word::{Agent, AgentWord, Bits, CallWord, Phase};
use crate::time::Instant;

/// A change in progress; `finish` ends it.
pub struct Step<'a> {
    pub acd: &'a Acd,
    pub now: Instant,
    pub out: &'a mut Vec<Output>,
    again: VecDeque<Again<Arc<Caller>>>,
    /// Those of whom it is told at the end why somebody, or nobody, rings for them.
    told: Vec<Arc<Caller>>,
}

impl<'a> Step<'a> {
    pub fn new(acd: &'a Acd, now: Instant, out: &'a mut Vec<Output>) -> Self {
        Self { acd, now, out, again: VecDeque::new(), told: Vec::new() }
    }

    /// Completes every match that the change made possible.
    pub fn finish(mut self) {
        while let Some(again) = self.again.pop_front() {
            if let Again::Caller(caller) = &again {
                // Pairs with the fence in `expire`: the last phone that stops ringing sees that the
                // caller is overdue, or his deadline sees that none rings.
                publish();
                if caller.is_overdue() {
                    self.expire(caller);
                    continue;
                }
            }
            matching::resume(&mut self, &again);
        }
        for caller in std::mem::take(&mut self.told) {
            let offers = caller.word.offers();
            if offers == Some(0) || offers.is_some() && caller.offered.is_some() {
                self.tell_why(&caller, None);
            }
        }
    }

    /// Has it told at the end of the step whether somebody rings for a caller, and why not others.
    pub fn ask_why(&mut self, caller: &Arc<Caller>) {
        let is_told = |told: &Arc<Caller>| Arc::ptr_eq(told, caller);
        if self.acd.explains && !self.told.last().is_some_and(is_told) {
            self.told.push(caller.clone());
        }
    }

    fn tell_why(&mut self, caller: &Arc<Caller>, chosen: Option<u32>) {
        let survey = Box::new(self.acd.survey(self.now, caller, chosen));
        let queue = self.acd.roster.load().queues[caller.queue as usize].id.clone();
        self.out.push(Output::Decided { call: caller.call, queue, survey });
    }

    /// Says that less is demanded of a caller's agents, or that others serve him, from now on; if
    /// that is so at `stage` of his needs, and was not at the one before.
    pub fn widened(&mut self, caller: &Caller, before: usize, stage: usize) {
        if self.acd.explains {
            let roster = self.acd.roster.load();
            let queue = &roster.queues[caller.queue as usize];
            let needs = caller.needs.load_full().unwrap_or_else(|| queue.needs.clone());
            let step = queue.widened(&needs, stage);
            if step == queue.widened(&needs, before) {
                return; // the next tier is due
            }
            let (queue, skills) = (queue.id.clone(), queue.widening(step));
            let step = step as u32;
            self.out.push(Output::Widened { call: caller.call, queue, step, skills });
        }
    }

    pub fn seat(&self, agent: u32) -> &'a Seat {
        self.acd.seats.at(agent)
    }

    /// Sends a caller away whose patience is over, unless a phone rings for him.
    pub fn expire(&mut self, caller: &Arc<Caller>) {
        caller.overdue.store(true, Ordering::Release); // pairs with `is_overdue`
        publish(); // pairs with the fence in `finish`
        if self.close(caller, |offers| offers == 0) {
            if self.acd.explains {
                self.tell_why(caller, None);
            }
            let queue = self.acd.roster.load().queues[caller.queue as usize].id.clone();
            self.out.push(Output::TimedOut { call: caller.call, queue });
        }
    }

    /// Ends a caller's wait if `may` agrees to the number of phones that ring: whether it did.
    pub fn close(&mut self, caller: &Arc<Caller>, may: impl Fn(u32) -> bool) -> bool {
        let closed = matching::close(self, caller, may);
        if closed {
            caller.line.pace.left(self.now.since(caller.entered), false);
            self.acd.forget(caller);
        }
        closed
    }

    /// Notes that an agent's word was swapped and says so; `reason` is why he is away.
    pub fn moved(&mut self, agent: u32, from: Agent, to: Agent) {
        let (old, new) = (from.phase().into(), to.phase().into());
        if old != new && works(from) {
            self.seat(agent).worked(self.now);
            if !works(to) {
                self.handled(agent);
            }
        }
        self.seat(agent).since.set(self.now);
        if old != new {
            self.announce(agent, old, new);
        }
        self.disappoint(agent, to);
        self.leaves(agent, to);
    }

    /// Notes how long the call that is over for an agent has kept him.
    fn handled(&self, agent: u32) {
        let seat = self.seat(agent);
        let queue = seat.queue.load(Ordering::Acquire); // pairs with the store in `answered`
        let roster = self.acd.roster.load();
        roster.queues[queue as usize].line.pace.handled(self.now.since(seat.rung.at()));
    }

    pub fn announce(&mut self, agent: u32, from: State, to: State) {
        let seat = self.seat(agent);
        self.out.push(Output::Agent {
            agent: self.acd.roster.load().agents[agent as usize].id.clone(),
            from,
            to,
            reason: self.acd.reason_of(agent, to),
            extension: seat.extension(),
        });
    }

    /// Sets the deadline of an agent's state; `word` is his word in that state.
    pub fn arm(&self, agent: u32, word: Agent, at: Instant) {
        self.seat(agent).until.set(at);
        let generation = word.generation();
        self.acd.timers.insert((at, Timer::Agent { agent, generation }));
    }

    /// Removes the deadline of a state that the agent left; `word` was his word in it.
    pub fn disarm(&self, agent: u32, word: Agent) {
        let timer = Timer::Agent { agent, generation: word.generation() };
        self.acd.timers.remove(&(self.seat(agent).until.at(), timer));
    }

    pub fn withdraw(&mut self, caller: &Caller, agent: u32, why: Withdrawn) {
        let agent = self.acd.roster.load().agents[agent as usize].id.clone();
        self.out.push(Output::Withdraw { call: caller.call, agent, why });
    }
}

impl Floor for Step<'_> {
    type Caller = Arc<Caller>;

    fn agent(&self, agent: u32) -> &AgentWord {
        &self.seat(agent).word
    }

    fn call<'a>(&'a self, caller: &'a Arc<Caller>) -> &'a CallWord {
        &caller.word
    }

    fn slot(&self, caller: &Arc<Caller>) -> u32 {
        caller.slot
    }

    fn holds(&self, caller: &Arc<Caller>) -> bool {
        self.acd.callers.holds(caller)
    }

    fn cap(&self, caller: &Arc<Caller>) -> u32 {
        caller.cap()
    }

    fn offered<'a>(&'a self, caller: &'a Arc<Caller>) -> Option<&'a Bits> {
        caller.offered.as_ref()
    }

    fn show(&self, agent: u32) {
        self.acd.idle.insert((self.seat(agent).idle_since.at(), agent));
        self.acd.free.insert(agent);
    }

    fn conceal(&self, agent: u32) {
        self.acd.free.remove(agent);
        // What another thread makes of the moment meanwhile leaves a stale entry for `Choice`.
        self.acd.idle.remove(&(self.seat(agent).idle_since.at(), agent));
    }

    fn choose(&self, caller: &Arc<Caller>) -> Option<u32> {
        let offers = caller.word.offers()?;
        if offers >= caller.cap() || caller.is_overdue() {
            return None;
        }
        let roster = self.acd.roster.load();
        Choice::new(self.acd, &roster, caller, offers).best()
    }

    fn first(&self, agent: u32, before: Option<&Arc<Caller>>) -> Option<Arc<Caller>> {
        let roster = self.acd.roster.load();
        let weight = |caller: &Caller| roster.queues[caller.queue as usize].weight;
        let before = before.map(|caller| caller.place().turn(self.now, weight(caller)));
        let mut first: Option<((i64, Place), Arc<Caller>)> = None;
        for &number in &roster.agents[agent as usize].queues {
            let queue = &roster.queues[number as usize];
            if queue.line.len() == 0 {
                continue;
            }
            let end = first.as_ref().map(|(turn, _)| *turn).or(before);
            for entry in queue.line.callers.iter() {
                let turn = entry.key().turn(self.now, queue.weight);
                if end.is_some_and(|end| turn >= end) {
                    break;
                }
                if wants(self.acd, &roster, queue, entry.value(), agent) {
                    first = Some((turn, entry.value().clone()));
                    break;
                }
            }
        }
        for caller in self.acd.waiting_for(agent) {
            let turn = caller.place().turn(self.now, weight(&caller));
            let end = first.as_ref().map(|(turn, _)| *turn).or(before);
            let queue = &roster.queues[caller.queue as usize];
            if end.is_none_or(|end| turn < end) && wants(self.acd, &roster, queue, &caller, agent) {
                first = Some((turn, caller));
            }
        }
        first.map(|(_, caller)| caller)
    }

    fn rings(&mut self, agent: u32, caller: &Arc<Caller>, word: Agent) {
        let roster = self.acd.roster.load();
        let queue = &roster.queues[caller.queue as usize];
        if self.acd.explains && caller.offered.is_none() {
            self.tell_why(caller, Some(agent));
        } else {
            self.ask_why(caller);
        }
        queue.line.last_rung.store(agent, Ordering::Release); // pairs with the load in `choose`
        if caller.has_tried(agent) {
            caller.forget_tried();
        }
        if caller.rung_at(self.now) {
            self.acd.schedule(self.now, caller);
        }
        let expires = self.arm_ring(agent, caller, word, queue.ring_timeout);
        self.seat(agent).rung.set(self.now);
        self.seat(agent).since.set(self.now);
        self.announce(agent, State::Available, State::Ringing);
        let extension = self.seat(agent).extension().expect("set before he is logged in");
        self.out.push(Output::Offer {
            call: caller.call,
            queue: queue.id.clone(),
            agent: roster.agents[agent as usize].id.clone(),
            extension,
            expires,
        });
    }

    fn stops(&mut self, agent: u32, caller: &Arc<Caller>, why: Stop, word: Agent) {
        let why = match why {
            Stop::CallerGone => Withdrawn::CallerGone,
            Stop::LostRace => Withdrawn::LostRace,
        };
        self.withdraw(caller, agent, why);
        let until = self.seat(agent).until.at();
        let generation = word.generation().wrapping_sub(1);
        self.acd.timers.remove(&(until, Timer::Agent { agent, generation }));
        self.seat(agent).since.set(self.now);
        self.announce(agent, State::Ringing, word.phase().into());
    }

    fn later(&mut self, again: Again<Arc<Caller>>) {
        // Of all who become free in one step a caller has the best, not the first looked at.
        if let Again::Agent(agent) = again
            && self.seat(agent).word.load().is_free()
        {
            self.show(agent);
        }
        self.again.push_back(again);
    }
}

/// Whether the caller would take the agent, if that one is free.
pub fn wants(acd: &Acd, roster: &Roster, queue: &Queue, caller: &Caller, agent: u32) -> bool {
    let Some(offers) = caller.word.offers() else { return false };
    if offers >= caller.cap() || caller.is_overdue() || offers > 0 && caller.has_tried(agent) {
        return false;
    }
    let wish = Wish::of(caller, queue);
    if let Some(favourite) = caller.favourite() {
        return favourite == agent && wish.is_met_by(roster, agent);
    }
    let serves = |member: &Member| {
        !queue.is_tiered
            || member.tiers & wish.tiers() != 0
            || member.tiers & queue.open_tiers(wish.tiers(), &acd.logged_in) != 0
    };
    queue.member(agent).is_some_and(serves) && wish.is_met_by(roster, agent)
}

/// Spreads a number over all bits (the finaliser of SplitMix64).
pub fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Whether the agent talks with a caller, or works after it.
fn works(word: Agent) -> bool {
    matches!(word.phase(), Phase::OnCall | Phase::WrapUp)
}

/// Whether the agent is logged in.
pub fn is_logged_in(word: Agent) -> bool {
    word.phase() != Phase::LoggedOut
}
