//! The phones of an account ring for the caller.

use crate::call::call::{Call, Output, Stage, cause_of};
use crate::call::invite::COMPLETED_ELSEWHERE;
use crate::call::leg;
use crate::call::site::Site;
use crate::cdr::entry::{Fact, ForwardWhy, HungUpBy, OfferOutcome};
use crate::id::{AgentId, ExtensionId, LegId, Target};
use crate::media::control::Sound;
use crate::sip::flow::Flow;
use crate::time::{Duration, Instant};

/// Phones of one account that ring.
#[derive(Debug)]
pub struct Ringing {
    /// When the caller is told that nobody answers.
    pub until: Instant,
    /// The legs that still ring.
    pub legs: Vec<LegId>,
    /// The phone that the caller hears before it answers.
    pub heard: Option<LegId>,
    /// Whose phones they are.
    pub extension: ExtensionId,
    /// The refusal that says most, if any phone has refused.
    refusal: Option<u16>,
}

impl Call {
    /// Rings every phone of an account.
    pub(super) fn ring(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        extension: &ExtensionId,
        wait: Duration,
        out: &mut Vec<Output>,
    ) {
        // Who calls his own account means its other phones, as does who sends a call there.
        let here = self.legs.values().filter(|leg| !leg.is_leaving());
        let own = here.filter(|leg| leg.extension.as_ref() == Some(extension));
        let own: Vec<Flow> = own.map(leg::Leg::flow).collect();
        let mut phones = site.phones.targets(extension);
        if let Some(meant) = self.meant.as_ref().filter(|meant| meant.extension == *extension) {
            phones.retain(|phone| meant.has(phone));
        }
        let mut legs = Vec::new();
        let mut why = (480, 20, "not_registered");
        for phone in phones.iter().filter(|phone| !own.contains(&phone.path.flow)) {
            match self.dial(now, site, extension, phone, (None, None), out) {
                Some(leg) => legs.push(leg),
                None => why = (503, 34, "no_port"),
            }
        }
        if legs.is_empty() {
            self.untaken(now, site, (extension, ForwardWhy::NoAnswer), why, out);
            return;
        }
        if self.answered.is_some() && self.transfer.is_none() {
            self.play(self.party, vec![Sound::Prompt(RINGBACK.into())], true, out);
        }
        self.stage = Stage::Ringing(Ringing {
            until: now + wait,
            legs,
            extension: extension.clone(),
            heard: None,
            refusal: None,
        });
    }

    /// Rings the phone where an agent sits, past the queues.
    pub(super) fn ring_agent(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        agent: &AgentId,
        out: &mut Vec<Output>,
    ) {
        let seat = site.acd.agent(agent);
        let fixed = || self.plan.acd.agents.get(agent).and_then(|agent| agent.extension.clone());
        match seat.and_then(|view| view.extension).or_else(fixed) {
            Some(extension) => self.go(now, site, Target::Extension(extension), out),
            None => self.fail(now, site, HungUpBy::Switch, (480, 20, "agent_logged_out"), out),
        }
    }

    /// One of the rung phones was answered.
    pub(super) fn picked_up(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Ringing(ringing) = self.take_stage() else { return };
        self.fact(now, out, Fact::OfferEnded { leg, outcome: OfferOutcome::Answered });
        for other in ringing.legs.into_iter().filter(|other| *other != leg) {
            self.stop_ringing(now, site, other, OfferOutcome::LostRace, out);
        }
        match self.summons.take() {
            Some(summons) => self.summoned(now, site, (leg, summons), out),
            None if self.is_called_back() && self.answered.is_none() => {
                self.customer_answered(now, site, leg, out)
            }
            None => self.talk(now, site, leg, out),
        }
    }

    /// A rung phone refused, or could not be reached.
    pub(super) fn phone_refused(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        let Stage::Ringing(ringing) = &mut self.stage else { return };
        ringing.legs.retain(|it| *it != leg);
        // A 6xx speaks for the person; busy, or nothing to talk in, says more than "not here"
        // (RFC 3261 §16.7, step 6).
        let says = |status: u16| match status {
            600..=699 => 3,
            486 | 488 => 2,
            _ => 1,
        };
        if ringing.refusal.is_none_or(|before| says(status) > says(before)) {
            ringing.refusal = Some(status);
        }
        let all = ringing.legs.is_empty() || status >= 600;
        let refusal = ringing.refusal.unwrap_or(status);
        let extension = ringing.extension.clone();
        self.fact(now, out, Fact::OfferEnded { leg, outcome: outcome_of(status) });
        self.early_audio_ended(leg, out);
        if all {
            let (status, reason, kind) = match outcome_of(refusal) {
                OfferOutcome::Busy => (refusal, "busy", ForwardWhy::Busy),
                OfferOutcome::Rejected => (refusal, "rejected", ForwardWhy::Busy),
                // The caller may come with another offer (RFC 3261 §21.4.26).
                _ if matches!(refusal, 488 | 606) => {
                    (refusal, "not_acceptable", ForwardWhy::NoAnswer)
                }
                _ => (480, "unreachable", ForwardWhy::NoAnswer),
            };
            let why = (status, cause_of(status), reason);
            self.untaken(now, site, (&extension, kind), why, out);
        }
    }

    pub(super) fn nobody_picked_up(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Ringing(ringing) = &self.stage else { return };
        let extension = ringing.extension.clone();
        let why = (480, 19, "no_answer");
        self.untaken(now, site, (&extension, ForwardWhy::NoAnswer), why, out);
    }

    /// Stops every rung phone: nobody took the call.
    pub(super) fn stop_all_ringing(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        self.stop_outgoing(now, site, out);
        if !matches!(self.stage, Stage::Ringing(_)) {
            return;
        }
        let Stage::Ringing(ringing) = self.take_stage() else { return };
        for leg in ringing.legs {
            self.stop_ringing(now, site, leg, OfferOutcome::NoAnswer, out);
        }
    }

    /// Stops one rung phone.
    pub(super) fn stop_ringing(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        outcome: OfferOutcome,
        out: &mut Vec<Output>,
    ) {
        self.fact(now, out, Fact::OfferEnded { leg, outcome });
        let reason = (outcome == OfferOutcome::LostRace).then_some(COMPLETED_ELSEWHERE);
        self.drive(now, site, leg, leg::Input::HangUp(reason), out);
    }
}

/// What a phone's final status says about the person at it.
pub(super) fn outcome_of(status: u16) -> OfferOutcome {
    match status {
        486 | 600 => OfferOutcome::Busy,
        480 | 487 | 603 => OfferOutcome::Rejected,
        _ => OfferOutcome::Unreachable,
    }
}

/// What a caller hears who was answered already, while phones ring.
pub(super) const RINGBACK: &str = "ringback";
