//! The caller is called out for, over a trunk: server after server, trunk after trunk.
//!
//! The next server is tried, and after a trunk's last one its `fallback`, when one fails as a
//! server: it says nothing for `try_timeout`, cannot be reached, wants credentials that we do not
//! have, or answers 408 or 5xx. Any other refusal is the called party's, and the caller's answer.
//! One call makes at most `ATTEMPTS_MAX` attempts. The caller hears on what he heard: who was told
//! that it rings is not told otherwise.

use std::collections::{BTreeSet, VecDeque};

use super::config::{CallerIdFor, Digits, Identity, OfferIn, Trunk};
use super::legs::prepare;
use super::rest::Trouble;
use crate::call::call::{Call, Output, Stage, cause_of};
use crate::call::caller::Origin;
use crate::call::identity::{Manner, Shown};
use crate::call::invite::{Dial, Outside};
use crate::call::leg::{self, Leg};
use crate::call::ringing::{RINGBACK, outcome_of};
use crate::call::site::Site;
use crate::cdr::entry::{Fact, HungUpBy, OfferOutcome};
use crate::id::{LegId, Target, TrunkCall, TrunkId};
use crate::media::control::Sound;
use crate::route::rewrite::rewrite;
use crate::sip::flow::Flow;
use crate::sip::message::UserPart;
use crate::sip::registrar::nat::Path;
use crate::time::Instant;

/// A call out that is not answered.
#[derive(Debug)]
pub struct Outgoing {
    /// The leg that is called.
    leg: LegId,
    /// What the record says of the attempt.
    began: Fact,
    /// When the server must have said something; none once it has.
    silent_until: Option<Instant>,
    /// When the caller is told that nobody answers.
    ring_until: Instant,
    way: Way,
}

/// What is still to be tried.
#[derive(Debug)]
struct Way {
    /// The number as it was dialled or configured.
    number: String,
    is_emergency: bool,
    /// The trunk that is tried.
    trunk: Option<TrunkId>,
    /// Its further servers.
    flows: VecDeque<Flow>,
    /// Further trunks.
    trunks: VecDeque<TrunkId>,
    /// Trunks that were tried: none is tried twice.
    seen: BTreeSet<TrunkId>,
    attempts: u8,
}

impl Outgoing {
    /// The leg that is called.
    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// What the record says of the attempt that is under way.
    pub fn began(&self) -> &Fact {
        &self.began
    }

    pub fn next_tick(&self) -> Instant {
        self.silent_until.map_or(self.ring_until, |at| at.min(self.ring_until))
    }
}

impl Way {
    fn new(number: &str, trunks: impl IntoIterator<Item = TrunkId>, is_emergency: bool) -> Self {
        Self {
            number: number.to_owned(),
            is_emergency,
            trunk: None,
            flows: VecDeque::new(),
            trunks: trunks.into_iter().collect(),
            seen: BTreeSet::new(),
            attempts: 0,
        }
    }
}

/// What the caller is told when nothing is left to try: status, cause, reason.
type Failure = (u16, u8, &'static str);

impl Call {
    /// Sends the caller out over a trunk.
    pub(in crate::call) fn call_out(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        to: &TrunkCall,
        out: &mut Vec<Output>,
    ) {
        let number = to.number.as_deref().unwrap_or(&self.caller.dialled);
        let way = Way::new(number, [to.trunk.clone()], false);
        self.attempt(now, site, way, DOWN, out);
    }

    /// Calls an emergency number: past all limits, over whatever trunk is there.
    pub(in crate::call) fn call_emergency(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        rule: String,
        out: &mut Vec<Output>,
    ) {
        let number = self.caller.dialled.clone();
        let trunks = self.plan.emergency.trunks.clone();
        if let Some(first) = trunks.first() {
            let to = TrunkCall { trunk: first.clone(), number: Some(number.as_str().into()) };
            self.fact(now, out, Fact::Routed { rule, target: Target::Trunk(to) });
        }
        tracing::warn!(call = %self.id, "emergency call");
        self.attempt(now, site, Way::new(&number, trunks, true), DOWN, out);
    }

    /// Calls the next server of the next trunk, or ends the call with what the last one said.
    fn attempt(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut way: Way,
        mut failure: Failure,
        out: &mut Vec<Output>,
    ) {
        while way.attempts < ATTEMPTS_MAX {
            if let (Some(flow), Some(trunk)) = (way.flows.pop_front(), way.trunk.clone()) {
                way.attempts += 1;
                if !self.dial_out(now, site, way, (trunk, flow), out) {
                    self.fail(now, site, HungUpBy::Switch, (503, 34, "no_port"), out);
                }
                return;
            }
            let Some(trunk) = way.trunks.pop_front() else { break };
            if !way.seen.insert(trunk.clone()) {
                continue;
            }
            match site.lines.admit(now, &trunk, way.is_emergency) {
                Ok(flows) => way.flows = flows.into(),
                Err(why) => {
                    let why = why.name().to_owned();
                    self.fact(now, out, Fact::TrunkSkipped { trunk: trunk.clone(), why });
                    failure = DOWN;
                }
            }
            let fallback = self.plan.trunks.get(&trunk).and_then(|it| it.fallback.as_ref());
            if let (Some(Target::Trunk(next)), false) = (fallback, way.is_emergency) {
                way.trunks.push_back(next.trunk.clone());
            }
            way.trunk = Some(trunk);
        }
        self.fail(now, site, HungUpBy::Switch, failure, out);
    }

    /// Calls one server; false if no port is left.
    fn dial_out(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        way: Way,
        (trunk, flow): (TrunkId, Flow),
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(config) = self.plan.trunks.get(&trunk).cloned() else { return false };
        let Some(host) = config.host.as_ref() else { return false };
        let number = match way.is_emergency {
            true => way.number.clone(),
            false => config.numbers.formed(&rewrite(&config.out, &way.number)),
        };
        let (shown, name) = self.shown_on(&config);
        let contact = site.lines.get(&trunk).filter(|_| config.register);
        let contact = contact.map(|line| line.contact().to_owned());
        let hidden = self.caller.hidden && self.party == self.caller_leg();
        let diverted = self.diverted.clone();
        let dial = Dial {
            user: &number,
            uri: &host.uri(Some(&UserPart(&number).to_string())),
            path: Path { flow, direct: true },
            route: &[],
            from: &shown,
            name: name.as_deref(),
            referred_by: None,
            srtp: config.srtp,
            outside: Some(Outside {
                host: &host.host,
                contact: contact.as_deref(),
                asserted_by: (config.identity == Identity::Asserted)
                    .then(|| config.username.as_deref().unwrap_or(&shown)),
                keys_as_info: config.digits == Digits::Info,
                is_late: config.offer == OfferIn::Late,
            }),
            // A provider is trusted with who calls, and to keep it to itself (RFC 3325 §7).
            max_forwards: self.max_forwards,
            manner: Manner { diverted: &diverted, hidden, trusted: hidden, ..Manner::default() },
        };
        let codecs = self.codecs_within(config.codecs.as_ref().unwrap_or(&site.settings.codecs));
        let Some((mut leg, steps)) = self.make_leg(site, &dial, &codecs) else { return false };
        let id = leg.id;
        leg.trunk = Some(trunk.clone());
        leg.identity = Shown { number: way.number.clone(), ..Shown::default() };
        prepare(&mut leg, &config, &steps);
        site.lines.began(&trunk);
        let server = flow.to_string();
        let fact = Fact::Attempt { leg: id, trunk, server, number, shown };
        self.stage = Stage::Outgoing(Box::new(Outgoing {
            leg: id,
            began: fact.clone(),
            silent_until: Some(now + config.try_timeout),
            ring_until: now + self.customer_wait().unwrap_or(config.ring_timeout),
            way,
        }));
        // Who hears us already would hear nothing more of a server that is left.
        if self.legs.get(&self.party).is_some_and(|party| party.audio().agreed().is_some()) {
            self.play(self.party, vec![Sound::Prompt(RINGBACK.into())], true, out);
        }
        self.place_leg(now, site, leg, (fact, steps), out);
        true
    }

    /// The number and the name that a trunk is to show.
    fn shown_on(&self, config: &Trunk) -> (String, Option<String>) {
        if let Some(number) = &self.caller.presented {
            return (config.numbers.formed(number), None);
        }
        let own = match &self.caller.origin {
            Origin::Extension(extension) => {
                self.plan.extensions.get(extension).and_then(|account| account.caller_id.as_ref())
            }
            Origin::Trunk(_) => None,
        };
        let replaced = match (&self.caller.origin, config.caller_id_for) {
            (Origin::Extension(_), _) | (_, CallerIdFor::All) => config.caller_id.as_ref(),
            (Origin::Trunk(_), CallerIdFor::Own) => None,
        };
        match own.or(replaced) {
            Some(number) => (config.numbers.formed(number), None),
            None => {
                let number = self.caller.e164.as_ref().unwrap_or(&self.caller.number);
                (config.numbers.formed(number), self.caller.name.clone())
            }
        }
    }

    /// A server has said that the call is on its way.
    pub(in crate::call) fn attempt_heard(&mut self, leg: LegId) {
        if let Stage::Outgoing(outgoing) = &mut self.stage
            && outgoing.leg == leg
        {
            outgoing.silent_until = None;
        }
    }

    pub(in crate::call) fn attempt_answered(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let outcome = OfferOutcome::Answered;
        self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: Some(200) });
        self.stage = Stage::Routing;
        if self.is_called_back() && self.answered.is_none() {
            return self.customer_answered(now, site, leg, out);
        }
        self.talk(now, site, leg, out);
    }

    /// A server refused, or could not be reached.
    pub(in crate::call) fn attempt_refused(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, status): (LegId, u16),
        out: &mut Vec<Output>,
    ) {
        let outcome = outcome_of(status);
        self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: Some(status) });
        let Stage::Outgoing(outgoing) = self.take_stage() else { return };
        if is_servers(status) {
            self.attempt(now, site, outgoing.way, FAILED, out);
            return;
        }
        let (status, reason) = match (status, outcome) {
            (300..=399, _) => (480, "redirected"),
            (_, OfferOutcome::Busy) => (status, "busy"),
            (_, OfferOutcome::Rejected) => (status, "rejected"),
            _ => (status, "refused"),
        };
        self.fail(now, site, HungUpBy::Callee, (status, cause_of(status), reason), out);
    }

    /// Nobody took the call, or it is wanted elsewhere: who is called hears of it no more.
    pub(in crate::call) fn stop_outgoing(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Outgoing(outgoing) = &self.stage else { return };
        let (leg, outcome) = (outgoing.leg, OfferOutcome::NoAnswer);
        self.stage = Stage::Routing;
        self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: None });
        self.drive(now, site, leg, leg::Input::HangUp(None), out);
    }

    pub(in crate::call) fn outgoing_tick(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Outgoing(outgoing) = &self.stage else { return };
        let leg = outgoing.leg;
        if outgoing.silent_until.is_some_and(|at| now >= at) {
            let outcome = OfferOutcome::Unreachable;
            self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: None });
            let Stage::Outgoing(outgoing) = self.take_stage() else { return };
            if let Some(flow) = self.legs.get(&leg).map(Leg::flow) {
                site.lines.failed(now, &flow, Trouble::Silent);
            }
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
            self.attempt(now, site, outgoing.way, FAILED, out);
        } else if now >= outgoing.ring_until {
            self.fail(now, site, HungUpBy::Switch, (480, 19, "no_answer"), out);
        }
    }
}

/// Whether a status speaks of the server, and not of the called party.
fn is_servers(status: u16) -> bool {
    matches!(status, 401 | 407 | 408 | 500..=599)
}

/// Attempts of one call out.
const ATTEMPTS_MAX: u8 = 8;
/// No trunk takes the call.
const DOWN: Failure = (503, 34, "trunk_down");
/// The last trunk has failed.
const FAILED: Failure = (503, 34, "trunk_failed");
