//! An agent has answered: what he hears, and the caller, until the two are joined.
//!
//! In:       phones that are answered; the end of a greeting that must finish, and of what the
//!           agent is told.
//! Out:      the two joined, when both are done; or the caller in line again, at his place.
//! Not here: who is rung (`acd`), what the caller heard before (`queueing`), the talk (`talking`).
//!
//! While the caller still hears a greeting that must finish, the agent hears first whose call it
//! is, if he is to know, then that it rings. The caller hears on what he heard: what the agent is
//! told does not count as his wait.

use std::mem;

use crate::acd::announce::AgentAnnounce;
use crate::acd::{self, Ask, Outcome};
use crate::call::call::{Call, Output, Stage};
use crate::call::leg;
use crate::call::queueing::{Hears, Waiting};
use crate::call::ringing::RINGBACK;
use crate::call::site::Site;
use crate::call::talking::Talking;
use crate::cdr::entry::{Fact, OfferOutcome, QueueLeft};
use crate::id::{AgentId, LegId, PromptId};
use crate::ivr::speech;
use crate::media::control::{PlayId, Sound};
use crate::time::{Duration, Instant};

/// Who has the call, and where.
#[derive(Debug)]
pub struct Winner {
    pub agent: AgentId,
    pub leg: LegId,
    /// What he is told, until it is over.
    told: Option<PlayId>,
    /// Since when the caller waits for nothing else.
    told_since: Instant,
    /// When he has waited too long for the end of the caller's greeting.
    pub(super) until: Option<Instant>,
}

impl Call {
    /// A phone of an agent was answered: he has the call, or another was faster.
    pub(super) fn agent_picked_up(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let agent = waiting.agent_of(leg);
        let won = waiting.winner.is_none()
            && agent.as_ref().is_some_and(|agent| {
                site.acd.offer_ended(now, self.acd_id, agent, Outcome::Answered, site.decided)
            });
        let (Some(agent), true) = (agent, won) else {
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
            return;
        };
        self.fact(now, out, Fact::OfferEnded { leg, outcome: OfferOutcome::Answered });
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.winner = Some(Winner { agent, leg, told: None, told_since: now, until: None });
        let offers = mem::take(&mut waiting.offers);
        for other in offers.into_values().flat_map(|offer| offer.legs) {
            if other != leg {
                self.stop_ringing(now, site, other, OfferOutcome::LostRace, out);
            }
        }
        self.keep_apart(now, leg, out);
        self.join_if_ready(now, site, out);
    }

    /// Lets the agent hear whose call it is, or that the caller hears a greeting that must finish.
    fn keep_apart(&mut self, now: Instant, leg: LegId, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(config) = self.plan.acd.queues.get(&waiting.queue) else { return };
        let waited = now.since(waiting.since);
        let words = words(self.plan.locale, &config.agent_announce, waited);
        let is_greeted = waiting.hears == Hears::Greeting { finish: true };
        let asks = mem::take(&mut waiting.asking).is_some();
        let until =
            is_greeted.then_some(now + config.greeting_agent_max.unwrap_or(GREETING_AGENT_MAX));
        let told = !words.is_empty();
        if told {
            self.play(leg, words.into_iter().map(Sound::Prompt).collect(), false, out);
        } else if is_greeted {
            self.play(leg, vec![Sound::Prompt(RINGBACK.into())], true, out);
        }
        let id = PlayId(self.plays);
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if let Some(winner) = &mut waiting.winner {
            winner.until = until;
            winner.told = told.then_some(id);
        }
        if asks && told {
            waiting.hears = Hears::Music; // he has an agent, and needs not be called back
            self.play_music(out);
        }
    }

    /// Joins the two if neither the caller's greeting nor what the agent is told is to be waited
    /// for.
    fn join_if_ready(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        let is_greeted = waiting.hears == Hears::Greeting { finish: true };
        if !is_greeted && waiting.winner.as_ref().is_some_and(|winner| winner.told.is_none()) {
            self.connect_agent(now, site, out);
        }
    }

    /// Joins the caller with the agent who has answered.
    fn connect_agent(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = self.take_stage() else { return };
        let Waiting { queue, winner: Some(winner), .. } = *waiting else { return };
        self.waits_since = None;
        let told = now.since(winner.told_since);
        if !told.is_zero() {
            let told_us = u64::try_from(told.as_micros()).unwrap_or(u64::MAX);
            self.fact(now, out, Fact::AgentTold { queue: queue.clone(), told_us });
        }
        self.fact(now, out, Fact::QueueLeft { queue: queue.clone(), why: QueueLeft::Answered });
        let (peer, agent, music) = (winner.leg, Some(winner.agent), Some(queue));
        self.stage = Stage::Talking(Talking { peer, agent, music });
        self.join(now, site, peer, out);
    }

    /// What the caller heard is over, while an agent has answered.
    pub(super) fn played_to_answered(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let was_greeted = waiting.hears == Hears::Greeting { finish: true };
        waiting.hears = Hears::Music;
        if let Some(winner) = waiting.winner.as_mut().filter(|_| was_greeted) {
            (winner.told_since, winner.until) = (now, None);
        }
        self.join_if_ready(now, site, out);
        if matches!(self.stage, Stage::Waiting(_)) {
            self.play_music(out);
        }
    }

    /// Something that was played to a phone beside the caller's is over.
    pub(super) fn played_to_agent(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, playback): (LegId, PlayId),
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(winner) = &mut waiting.winner else { return };
        if winner.leg != leg || winner.told != Some(playback) {
            return;
        }
        winner.told = None;
        if waiting.hears == (Hears::Greeting { finish: true }) {
            self.play(leg, vec![Sound::Prompt(RINGBACK.into())], true, out);
        }
        self.join_if_ready(now, site, out);
    }

    /// Time has passed for an agent who has answered: he does not wait for ever.
    pub(super) fn agent_tick(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        let Some(winner) = &waiting.winner else { return };
        if winner.until.is_some_and(|until| until <= now) {
            let leg = winner.leg;
            self.waits_again(now, site, false, out);
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
        }
    }

    /// The agent who had answered hung up before he was joined with the caller.
    pub(super) fn agent_left(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &self.stage else { return };
        if waiting.winner.as_ref().is_some_and(|winner| winner.leg == leg) {
            self.waits_again(now, site, true, out);
        }
    }

    /// The caller is not joined with the agent who had answered, who wants it so or not: he enters
    /// again with the time he first came, and so keeps his place.
    fn waits_again(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by_agent: bool,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let Some(winner) = waiting.winner.take() else { return };
        let (queue, here, since) = (waiting.queue.clone(), waiting.entered, waiting.since);
        let config = self.plan.acd.queues.get(&queue).cloned().unwrap_or_default();
        site.acd.not_joined(now, self.acd_id, (&winner.agent, by_agent), site.decided);
        let left_by = Some(winner.agent);
        let ask = Ask { entered: since, here_since: Some(here), left_by, ..self.wishes(&config) };
        match site.acd.enter(now, self.acd_id, &queue, ask, site.decided) {
            Ok(_) => {}
            Err(acd::Refusal::Empty) => {
                self.leave_queue(now, site, &queue, QueueLeft::Empty, out);
            }
            Err(acd::Refusal::Full) => self.leave_queue(now, site, &queue, QueueLeft::Full, out),
        }
    }
}

/// How long an agent waits for the end of a greeting whose queue does not say.
const GREETING_AGENT_MAX: Duration = Duration::from_secs(30);

/// What an agent is told of a caller who has waited for so long.
fn words(locale: speech::Locale, config: &AgentAnnounce, waited: Duration) -> Vec<PromptId> {
    let mut words: Vec<PromptId> = config.prompt.iter().cloned().collect();
    if config.wait {
        words.extend(speech::waited(locale, waited));
    }
    words
}
