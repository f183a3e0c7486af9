//! The caller waits in a queue: greeting, music, his place; agents are rung for him.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::acd::config::{Queue, Srtp};
use crate::acd::{self, Ask, Favourite, Outcome, Withdrawn};
use crate::call::announcing::Announcing;
use crate::call::answered::Winner;
use crate::call::asking::Asking;
use crate::call::call::{Call, Output, Stage};
use crate::call::leg;
use crate::call::ringing::outcome_of;
use crate::call::site::{Plan, Site};
use crate::cdr::entry::{Fact, HungUpBy, OfferOutcome, OrderKind, QueueLeft};
use crate::id::{AgentId, ExtensionId, LegId, PromptId, QueueId, Target};
use crate::ivr::collect::Input as CodeInput;
use crate::media::control::Sound;
use crate::time::{Duration, Instant};

/// A caller in a queue.
#[derive(Debug)]
pub struct Waiting {
    pub queue: QueueId,
    /// Since when he has waited here.
    pub(super) entered: Instant,
    /// Since when he has waited, also in other queues: his seniority.
    pub since: Instant,
    /// The agents whose phones ring, with the legs of those phones.
    pub(super) offers: BTreeMap<AgentId, Offer>,
    /// The agent who has answered while the caller still hears the greeting.
    pub winner: Option<Winner>,
    pub(super) hears: Hears,
    /// He asks to be called back.
    pub(super) asking: Option<Asking>,
    /// When he is offered to be called back.
    pub(super) offer_at: Option<Instant>,
    pub(super) announcing: Announcing,
}

#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) legs: Vec<LegId>,
    /// What the phones that ring no longer said.
    refusal: Option<OfferOutcome>,
}

/// What the caller hears at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    /// The greeting; `finish` if nothing may cut it.
    Greeting {
        finish: bool,
    },
    Music,
    /// His place, a message; that he can, or cannot, be called back.
    Notice,
    /// Something that he answers by keys.
    Question,
}

impl Waiting {
    /// One who hears music, and is told nothing.
    pub(super) fn with_music(now: Instant, queue: QueueId, since: Instant) -> Self {
        Self {
            queue,
            entered: now,
            since,
            offers: BTreeMap::new(),
            winner: None,
            hears: Hears::Music,
            asking: None,
            offer_at: None,
            announcing: Announcing::nothing(),
        }
    }

    pub fn next_tick(&self) -> Option<Instant> {
        let asking = self.asking.as_ref().and_then(Asking::next_tick);
        let told = self.announcing.next_tick();
        let due = [told, self.offer_at, asking].into_iter().flatten().min();
        match &self.winner {
            Some(winner) => winner.until,
            None => due,
        }
    }

    /// The legs that ring.
    pub fn rung(&self) -> Vec<LegId> {
        self.offers.values().flat_map(|offer| offer.legs.iter().copied()).collect()
    }

    pub(super) fn agent_of(&self, leg: LegId) -> Option<AgentId> {
        let (agent, _) = self.offers.iter().find(|(_, offer)| offer.legs.contains(&leg))?;
        Some(agent.clone())
    }
}

impl Call {
    pub(super) fn enter_queue(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        queue: QueueId,
        out: &mut Vec<Output>,
    ) {
        let plan = self.plan.clone();
        let Some(config) = plan.acd.queues.get(&queue) else {
            self.fail(now, site, HungUpBy::Switch, (404, 1, "no_such_queue"), out);
            return;
        };
        let is_too_plain = |call: &mut Self| {
            let party = call.legs.get_mut(&call.party);
            config.srtp == Some(Srtp::Required)
                && !party.is_some_and(leg::Leg::insists_on_encryption)
        };
        if is_too_plain(self) {
            return self.fail(now, site, HungUpBy::Switch, NOT_ENCRYPTED, out);
        }
        let ask = self.asks(now, site, (&queue, config));
        let since = ask.entered;
        let position = match site.acd.enter(now, self.acd_id, &queue, ask, site.decided) {
            Ok(position) => position,
            Err(refusal) => {
                let (why, target) = match refusal {
                    acd::Refusal::Empty => (QueueLeft::Empty, &config.on_empty),
                    acd::Refusal::Full => (QueueLeft::Full, &config.on_full),
                };
                let target = target.clone().unwrap_or(Target::Hangup(486));
                self.fact(now, out, Fact::Queued { queue: queue.clone(), position: 0 });
                self.fact(now, out, Fact::QueueLeft { queue: queue.clone(), why });
                self.fact(now, out, Fact::Overflowed { queue, target: target.clone() });
                self.go(now, site, target, out);
                return;
            }
        };
        self.fact(now, out, Fact::Queued { queue: queue.clone(), position });
        self.answer_caller(now, site, None, out);
        if matches!(self.stage, Stage::Routing) && is_too_plain(self) {
            self.fail(now, site, HungUpBy::Switch, NOT_ENCRYPTED, out);
        }
        if !matches!(self.stage, Stage::Routing) {
            // The answer failed, and the call has ended.
            site.acd.leave(now, self.acd_id, site.decided);
            self.fact(now, out, Fact::QueueLeft { queue, why: QueueLeft::Abandoned });
            return;
        }
        let hears = match &config.greeting {
            Some(_) => Hears::Greeting { finish: config.greeting_must_finish },
            None => Hears::Music,
        };
        let offer_after = config.callback.as_ref().and_then(|callback| callback.offer_after);
        self.stage = Stage::Waiting(Box::new(Waiting {
            hears,
            offer_at: offer_after.map(|after| now + after),
            announcing: Announcing::new(now, &config.announce),
            ..Waiting::with_music(now, queue, since)
        }));
        match &config.greeting {
            Some(greeting) => {
                self.play(self.party, vec![Sound::Prompt(greeting.clone())], false, out)
            }
            None => self.play_music(out),
        }
    }

    /// The ACD decided something about this caller.
    pub(super) fn decided(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        decision: acd::Output,
        out: &mut Vec<Output>,
    ) {
        match decision {
            acd::Output::Agent { .. }
            | acd::Output::BreakHeld { .. }
            | acd::Output::Decided { .. }
            | acd::Output::Intent { .. }
            | acd::Output::Rested { .. }
            | acd::Output::Widened { .. } => {}
            acd::Output::Emptied { .. } if self.holds_agents() => {
                self.queue_is_gone(now, site, out);
            }
            acd::Output::Emptied { queue, .. } => {
                self.leave_queue(now, site, &queue, QueueLeft::Empty, out);
            }
            acd::Output::Offer { agent, extension, .. } if self.holds_agents() => {
                self.hold_agent(agent, extension);
            }
            acd::Output::Offer { agent, extension, .. } => {
                self.offer(now, site, agent, extension, out);
            }
            acd::Output::TimedOut { queue, .. } => {
                self.leave_queue(now, site, &queue, QueueLeft::TimedOut, out);
            }
            acd::Output::Withdraw { agent, .. } if self.holds_agents() => self.free_agent(&agent),
            acd::Output::Withdraw { agent, why, .. } => self.withdraw(now, site, &agent, why, out),
        }
    }

    /// Rings every phone of an agent.
    pub(super) fn offer(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        agent: AgentId,
        extension: ExtensionId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else {
            site.acd.offer_ended(now, self.acd_id, &agent, Outcome::Unreachable, site.decided);
            return;
        };
        let queue = waiting.queue.clone();
        waiting.offers.insert(agent.clone(), Offer::default());
        let mut rings = false;
        for phone in site.phones.targets(&extension) {
            let whose = (Some(agent.clone()), Some(queue.clone()));
            if let Some(leg) = self.dial(now, site, &extension, &phone, whose, out) {
                rings = true;
                if let Stage::Waiting(waiting) = &mut self.stage
                    && let Some(offer) = waiting.offers.get_mut(&agent)
                {
                    offer.legs.push(leg);
                }
            }
        }
        if !rings {
            if let Stage::Waiting(waiting) = &mut self.stage {
                waiting.offers.remove(&agent);
            }
            self.offer_failed(now, (&agent, extension, queue), out);
            site.acd.offer_ended(now, self.acd_id, &agent, Outcome::Unreachable, site.decided);
        }
    }

    /// An agent has no phone that could be rung: his offer is written down as one, with a leg of
    /// which there is nothing but the number.
    fn offer_failed(
        &mut self,
        now: Instant,
        (agent, extension, queue): (&AgentId, ExtensionId, QueueId),
        out: &mut Vec<Output>,
    ) {
        let Some(leg) = self.number_leg() else { return };
        let (agent, queue) = (Some(agent.clone()), Some(queue));
        self.fact(now, out, Fact::Offered { leg, extension, agent, queue });
        self.fact(now, out, Fact::OfferEnded { leg, outcome: OfferOutcome::Unreachable });
    }

    /// The ACD takes an offer back: the agent's phones stop ringing.
    fn withdraw(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        agent: &AgentId,
        why: Withdrawn,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(offer) = waiting.offers.remove(agent) else { return };
        let outcome = match why {
            Withdrawn::AgentLeft => OfferOutcome::AgentLeft,
            Withdrawn::NoAnswer => OfferOutcome::NoAnswer,
            Withdrawn::CallerGone => OfferOutcome::CallerGone,
            Withdrawn::LostRace => OfferOutcome::LostRace,
        };
        for leg in offer.legs {
            self.stop_ringing(now, site, leg, outcome, out);
        }
    }

    /// What callers of a queue hear, and whoever is on hold in its calls.
    pub(super) fn music_of(&self, queue: &QueueId) -> PromptId {
        let queue = self.plan.acd.queues.get(queue);
        queue.and_then(|queue| queue.music.clone()).unwrap_or_else(|| HOLD_MUSIC.into())
    }

    /// A phone of an agent refused, or could not be reached.
    pub(super) fn agent_refused(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(agent) = waiting.agent_of(leg) else { return };
        let Some(offer) = waiting.offers.get_mut(&agent) else { return };
        let outcome = outcome_of(status);
        offer.legs.retain(|it| *it != leg);
        // One phone that was rejected by hand speaks for the person, whatever the others say.
        if offer.refusal.is_none_or(|before| before == OfferOutcome::Unreachable) {
            offer.refusal = Some(outcome);
        }
        let (all, said) = (offer.legs.is_empty() || status >= 600, offer.refusal);
        let rest = if all { waiting.offers.remove(&agent) } else { None };
        self.fact(now, out, Fact::OfferEnded { leg, outcome });
        for other in rest.into_iter().flat_map(|offer| offer.legs) {
            self.stop_ringing(now, site, other, outcome, out);
        }
        if all {
            let outcome = match said {
                Some(OfferOutcome::Busy) => Outcome::Busy,
                Some(OfferOutcome::Rejected) => Outcome::Rejected,
                _ => Outcome::Unreachable,
            };
            site.acd.offer_ended(now, self.acd_id, &agent, outcome, site.decided);
        }
    }

    /// Since when the caller counts as waiting: since he came to the first of his queues, or to
    /// this one before he hung up and called again.
    fn seniority(&mut self, now: Instant, site: &mut Site<'_>, queue: &QueueId) -> Instant {
        let number = self.caller.known_by();
        let back = number.and_then(|number| site.known.come_back(now, number, queue));
        let since = self.waits_since.into_iter().chain(back).min().unwrap_or(now);
        self.waits_since = Some(since);
        since
    }

    /// The caller hung up while he waited: his place is kept if the queue says so.
    pub(super) fn keep_place(&self, now: Instant, site: &mut Site<'_>, waiting: &Waiting) {
        let config = self.plan.acd.queues.get(&waiting.queue);
        let kept = config.and_then(|config| config.place_kept);
        if let (Some(kept), Some(number)) = (kept, self.caller.known_by()) {
            let (queue, since) = (waiting.queue.clone(), waiting.since);
            site.known.leave(number.to_owned(), queue, since, now + kept);
        }
    }

    /// The agent whom the caller is to have before anybody else.
    fn favourite(&self, now: Instant, site: &Site<'_>, queue: &Queue) -> Option<Favourite> {
        let numbers = self.caller.e164.iter().chain([&self.caller.sent, &self.caller.number]);
        let owner = numbers.filter_map(|number| self.plan.owners.get(number)).next();
        if let (Some(wait), Some(agent)) = (queue.owner_wait, owner) {
            return Some(Favourite { agent: agent.clone(), wait, outsider: true });
        }
        let (number, keep) = (self.caller.known_by()?, self.plan.acd.acd.last_agent_keep);
        let last = site.known.last_agent(number, self.epoch.wall(now), keep);
        let (wait, agent) = (queue.last_agent_wait?, last?.clone());
        Some(Favourite { agent, wait, outsider: false })
    }

    /// Takes the caller who waits for one who came earlier by `credit`: his place then.
    pub fn prioritise(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (credit, by): (Duration, String),
        out: &mut Vec<Output>,
    ) -> Option<u32> {
        let Stage::Waiting(waiting) = &self.stage else { return None };
        let queue = self.plan.acd.queues.get(&waiting.queue);
        let whole = queue.map_or(Duration::ZERO, |queue| queue.priority) + credit;
        let position = site.acd.prioritise(now, self.acd_id, whole, site.decided)?;
        self.priority = credit;
        let (order, to) = (OrderKind::Prioritise, Some(format!("{}s", credit.as_secs())));
        self.fact(now, out, Fact::Ordered { order, by, leg: None, to });
        Some(position)
    }

    /// Whether there is such a queue for this call.
    pub fn knows_queue(&self, queue: &QueueId) -> bool {
        self.plan.acd.queues.contains_key(queue)
    }

    /// Sends the caller who waits to another queue: whether he waited.
    pub fn send_to_queue(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (queue, by): (QueueId, String),
        out: &mut Vec<Output>,
    ) -> bool {
        let Stage::Waiting(waiting) = &self.stage else { return false };
        if waiting.winner.is_some() {
            return false; // an agent has answered
        }
        let (from, target) = (waiting.queue.clone(), Target::Queue(queue));
        let (order, to) = (OrderKind::Move, Some(target.to_string()));
        self.fact(now, out, Fact::Ordered { order, by, leg: None, to });
        self.leave_queue_for(now, site, (&from, QueueLeft::Sent), target, out);
        true
    }

    /// A key of a caller who waits: it may lead out of the queue.
    pub(super) fn waiting_key(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        digit: char,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        if waiting.asking.is_some() {
            return self.asking_input(now, site, CodeInput::Digit(digit), out);
        }
        let callback = self.callback_config().filter(|_| self.called_back.is_none());
        let is_free = waiting.winner.is_none() && waiting.hears != Hears::Greeting { finish: true };
        if callback.is_some_and(|callback| callback.key.starts_with(digit)) && is_free {
            return self.ask_for_callback(now, site, out);
        }
        let (plan, queue) = (self.plan.clone(), waiting.queue.clone());
        let config = plan.acd.queues.get(&queue);
        let target = config.and_then(|queue| queue.keys.get(digit.encode_utf8(&mut [0; 4])));
        if let Some(target) = target {
            self.leave_queue_for(now, site, (&queue, QueueLeft::Key), target.clone(), out);
        }
    }

    /// How the caller enters a queue.
    fn asks(&mut self, now: Instant, site: &mut Site<'_>, queue: (&QueueId, &Queue)) -> Ask {
        let entered = self.seniority(now, site, queue.0);
        let favourite = self.favourite(now, site, queue.1);
        Ask { entered, favourite, ..self.wishes(queue.1) }
    }

    /// What the call asks of a queue.
    pub(super) fn wishes(&self, queue: &Queue) -> Ask {
        let priority_credit = queue.priority + self.priority;
        let (skills, prefer) = (self.skills.clone(), self.prefer.clone());
        Ask { skills, prefer, priority_credit, ..Ask::default() }
    }

    /// The greeting or the announcement is over.
    pub(super) fn waiting_played(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.winner.is_some() {
            return self.played_to_answered(now, site, out);
        }
        if waiting.asking.is_some() {
            return self.asking_input(now, site, CodeInput::Ended, out);
        }
        waiting.hears = Hears::Music;
        self.play_music(out);
    }

    pub(super) fn play_music(&mut self, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        let music = self.music_of(&waiting.queue);
        self.play(self.party, vec![Sound::Prompt(music)], true, out);
    }

    /// Time has passed for a caller who waits.
    pub(super) fn waiting_tick(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        if matches!(&self.stage, Stage::Waiting(waiting) if waiting.winner.is_some()) {
            return self.agent_tick(now, site, out);
        }
        self.asking_input(now, site, CodeInput::Tick, out);
        self.offer_callback(now, out);
        self.announce_to_waiting(now, site, out);
    }

    /// Who waits in a queue does so by a new plan from now on, if that knows the queue: where keys,
    /// impatience and an administrator send him. What he is told and when stays as he came.
    pub fn wait_by(&mut self, plan: &Arc<Plan>) {
        if let Stage::Waiting(waiting) = &self.stage
            && plan.acd.queues.contains_key(&waiting.queue)
        {
            self.plan = plan.clone();
        }
    }

    /// The caller leaves the line without having talked.
    pub(super) fn leave_queue(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        queue: &QueueId,
        why: QueueLeft,
        out: &mut Vec<Output>,
    ) {
        let plan = self.plan.clone();
        let target = plan.acd.queues.get(queue).and_then(|queue| match why {
            QueueLeft::Empty => queue.on_empty.clone(),
            QueueLeft::Full => queue.on_full.clone(),
            _ => queue.on_timeout.clone(),
        });
        self.leave_queue_for(now, site, (queue, why), target.unwrap_or(Target::Hangup(480)), out);
    }

    /// The caller leaves the line for a target.
    fn leave_queue_for(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (queue, why): (&QueueId, QueueLeft),
        target: Target,
        out: &mut Vec<Output>,
    ) {
        if !matches!(&self.stage, Stage::Waiting(waiting) if waiting.winner.is_none()) {
            return;
        }
        let Stage::Waiting(waiting) = self.take_stage() else { return };
        for leg in waiting.rung() {
            self.stop_ringing(now, site, leg, OfferOutcome::CallerGone, out);
        }
        site.acd.leave(now, self.acd_id, site.decided);
        self.fact(now, out, Fact::QueueLeft { queue: queue.clone(), why });
        let overflowed = Fact::Overflowed { queue: queue.clone(), target: target.clone() };
        self.fact(now, out, overflowed);
        self.go(now, site, target, out);
    }
}

/// What callers hear whose queue names no music.
pub(super) const HOLD_MUSIC: &str = "hold";
/// The caller of a queue whose calls must be encrypted.
const NOT_ENCRYPTED: (u16, u8, &str) = (488, 65, "not_encrypted");
