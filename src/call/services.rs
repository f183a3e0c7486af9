//! What an account's person wants when he is called: no calls at all, or calls sent elsewhere.
//!
//! Spec:     RFC 3261 §8.1.3.4 (3xx).
//! In:       feature codes of the account's phones; phones that are busy, silent or redirect.
//! Out:      the services to be kept; calls that go on to another number.
//! Not here: keeping them (`switch::kept`), queue calls, which never go elsewhere (`acd`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::call::{Call, Output, Stage, cause_of};
use crate::call::codes::Question;
use crate::call::identity::{Diversion, Diverted};
use crate::call::site::Site;
use crate::cdr::entry::{Fact, ForwardWhy, HungUpBy, OfferOutcome};
use crate::id::{ExtensionId, LegId, Target};
use crate::ivr::collect::Digits;
use crate::route::config::Code;
use crate::route::rules::{Call as Dialled, Dest};
use crate::sip::registrar::Phone;
use crate::time::{Duration, Instant};

/// The services of one account; `Default` is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Services {
    /// Where every call goes.
    pub always: Option<String>,
    /// Where calls go while the account's phones are busy or refuse.
    pub busy: Option<String>,
    /// Where calls go that nobody answers in time, or if no phone is there.
    pub no_answer: Option<String>,
    /// The account is busy for everyone, and its agent gets no queue calls.
    pub dnd: bool,
}

/// The services of all accounts that have any.
pub type Book = BTreeMap<ExtensionId, Services>;

impl Services {
    fn number(&mut self, why: ForwardWhy) -> Option<&mut Option<String>> {
        match why {
            ForwardWhy::Always => Some(&mut self.always),
            ForwardWhy::Busy => Some(&mut self.busy),
            ForwardWhy::NoAnswer => Some(&mut self.no_answer),
            ForwardWhy::Redirected => None,
        }
    }
}

/// What a code does to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Dnd(bool),
    Forward(ForwardWhy),
    NoForward(ForwardWhy),
}

const fn order_of(code: Code) -> Option<Order> {
    Some(match code {
        Code::Dnd => Order::Dnd(true),
        Code::DndOff => Order::Dnd(false),
        Code::ForwardAlways => Order::Forward(ForwardWhy::Always),
        Code::ForwardAlwaysOff => Order::NoForward(ForwardWhy::Always),
        Code::ForwardBusy => Order::Forward(ForwardWhy::Busy),
        Code::ForwardBusyOff => Order::NoForward(ForwardWhy::Busy),
        Code::ForwardNoAnswer => Order::Forward(ForwardWhy::NoAnswer),
        Code::ForwardNoAnswerOff => Order::NoForward(ForwardWhy::NoAnswer),
        _ => return None,
    })
}

impl Call {
    /// Does what a code asks of the caller's services; whether it is such a code.
    pub(super) fn order_service(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        code: Code,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(order) = order_of(code) else { return false };
        let (mut services, on) = (self.services(site), !matches!(order, Order::NoForward(_)));
        match order {
            Order::Dnd(is) => {
                services.dnd = is;
                self.keep_services(now, site, services, is, out);
            }
            Order::NoForward(why) => {
                services.number(why).map(Option::take);
                self.keep_services(now, site, services, on, out);
            }
            Order::Forward(why) => {
                let number = self.number_after(code);
                if number.is_empty() {
                    self.ask(now, site, Question::ForwardTo { why }, 0, out);
                } else {
                    self.forward_to(now, site, why, number, out);
                }
            }
        }
        true
    }

    /// What the caller dialled after a code.
    pub(super) fn number_after(&self, code: Code) -> String {
        let mut codes = self.plan.codes.dialled();
        let dialled = codes.find(|(known, _)| *known == code).map(|(_, dialled)| dialled);
        let number = dialled.and_then(|dialled| self.caller.dialled.strip_prefix(dialled));
        number.unwrap_or_default().to_owned()
    }

    /// The caller has said where his calls are to go.
    pub(super) fn told_number(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (why, digits): (ForwardWhy, &Digits),
        out: &mut Vec<Output>,
    ) {
        self.forward_to(now, site, why, digits.as_str().to_owned(), out);
    }

    /// Only to where the account itself may call, and not to itself.
    fn forward_to(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        why: ForwardWhy,
        number: String,
        out: &mut Vec<Output>,
    ) {
        let Some(extension) = self.caller.extension().cloned() else { return };
        match self.reached_from(now, &extension, &number) {
            Ok((_, target)) if target != Target::Extension(extension) => {
                let mut services = self.services(site);
                if let Some(kept) = services.number(why) {
                    *kept = Some(number);
                }
                self.keep_services(now, site, services, true, out);
            }
            Ok(_) | Err(_) => self.announce(now, site, "invalid".into(), "code_refused", out),
        }
    }

    fn services(&self, site: &Site<'_>) -> Services {
        let known = self.caller.extension().and_then(|extension| site.services.get(extension));
        known.cloned().unwrap_or_default()
    }

    fn keep_services(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        services: Services,
        on: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(extension) = self.caller.extension().cloned() else { return };
        out.push(Output::Services { extension, services });
        let prompt = if on { "service-on" } else { "service-off" };
        self.announce(now, site, prompt.into(), "code_done", out);
    }

    /// One phone of an account is meant by where the call is about to go, not all of them.
    pub fn mean(&mut self, phone: Option<Phone>) {
        self.meant = phone;
    }

    /// A call for an account: its phones ring, unless its person wants something else.
    pub(super) fn call_extension(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        extension: &ExtensionId,
        out: &mut Vec<Output>,
    ) {
        let services = site.services.get(extension);
        let always = services.and_then(|services| services.always.clone());
        if let Some(number) = always.filter(|_| !self.means(extension)) {
            self.forward(now, site, (extension, ForwardWhy::Always), &number, out);
        } else if services.is_some_and(|services| services.dnd) {
            let why = (486, 17, "do_not_disturb");
            self.untaken(now, site, (extension, ForwardWhy::Busy), why, out);
        } else {
            let account = self.plan.extensions.get(extension);
            let wait = account.map_or(Duration::ZERO, |account| account.ring_timeout);
            self.ring(now, site, extension, wait, out);
        }
    }

    /// Whether one phone of an account is meant: its person wants calls for himself elsewhere, not
    /// those for a phone.
    fn means(&self, extension: &ExtensionId) -> bool {
        self.meant.as_ref().is_some_and(|phone| phone.extension == *extension)
    }

    /// An account did not take a call: it goes on if its person wants that, else it fails.
    pub(super) fn untaken(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (extension, kind): (&ExtensionId, ForwardWhy),
        why: (u16, u8, &'static str),
        out: &mut Vec<Output>,
    ) {
        let services = site.services.get(extension).cloned();
        let number = services.and_then(|mut services| services.number(kind)?.take());
        let is_recall = self.transfer.as_ref().is_some_and(|transfer| transfer.is_recall());
        let is_free = !is_recall && self.summons.is_none() && !self.means(extension);
        let is_free = is_free && self.customer_wait().is_none();
        match number.filter(|_| is_free) {
            Some(number) => self.forward(now, site, (extension, kind), &number, out),
            None => {
                let callee = matches!(why.2, "busy" | "rejected" | "unreachable");
                let by = if callee { HungUpBy::Callee } else { HungUpBy::Switch };
                self.fail(now, site, by, why, out);
            }
        }
    }

    /// A rung phone says where its calls go (RFC 3261 §8.1.3.4): the first number that it names.
    pub(super) fn redirected(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        (status, number): (u16, &str),
        out: &mut Vec<Output>,
    ) {
        let owner = self.legs.get(&leg).and_then(|leg| leg.extension.clone());
        // A queue's call stays in its queue, and who is to call himself is not called elsewhere.
        let is_free = self.summons.is_none() && self.customer_wait().is_none();
        let owner = owner.filter(|_| is_free);
        let (Stage::Ringing(ringing), Some(owner)) = (&mut self.stage, owner) else {
            self.refused(now, site, leg, status, out);
            return;
        };
        ringing.legs.retain(|it| *it != leg);
        self.fact(now, out, Fact::OfferEnded { leg, outcome: OfferOutcome::Redirected });
        self.forward(now, site, (&owner, ForwardWhy::Redirected), number, out);
    }

    fn forward(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (extension, why): (&ExtensionId, ForwardWhy),
        number: &str,
        out: &mut Vec<Output>,
    ) {
        self.stop_all_ringing(now, site, out);
        if self.diverted.len() >= FORWARDS_MAX {
            self.fail(now, site, HungUpBy::Switch, (482, 25, "forward_loop"), out);
            return;
        }
        match self.reached_from(now, extension, number) {
            Ok((rule, target)) => {
                let to = number.to_owned();
                self.fact(now, out, Fact::Forwarded { extension: extension.clone(), to, why });
                self.fact(now, out, Fact::Routed { rule, target: target.clone() });
                let number = extension.to_string();
                self.diverted.push(Diverted { number, why: diversion(why) });
                self.go(now, site, target, out);
            }
            Err(status) => {
                let why = (status, cause_of(status), "forward_refused");
                self.fail(now, site, HungUpBy::Switch, why, out);
            }
        }
    }

    /// What an account may not dial it may not have dialled for it.
    pub(super) fn is_allowed(
        &self,
        now: Instant,
        extension: &ExtensionId,
        (number, target): (&str, &Target),
    ) -> Result<(), u16> {
        let (plan, at) = (&self.plan, self.epoch.wall(now));
        let classes = plan.access.classes_of(number, target);
        let account = plan.extensions.get(extension).ok_or(404_u16)?;
        let refusal = plan.access.forbids(account, &classes, at);
        refusal.map_or(Ok(()), |_| Err(403))
    }

    /// Where a number leads for an account; codes and refusals are no place for a call.
    pub(super) fn reached_from(
        &self,
        now: Instant,
        extension: &ExtensionId,
        number: &str,
    ) -> Result<(String, Target), u16> {
        let decision = self.plan.routes.find(&Dialled {
            from: extension.as_str(),
            to: number,
            extension: Some(extension),
            trunk: None,
            at: self.epoch.wall(now),
        });
        match decision.target {
            Dest::Target(Target::Hangup(status)) => Err(status),
            Dest::Target(target) => {
                self.is_allowed(now, extension, (number, &target))?;
                Ok((decision.rule, target))
            }
            // Whoever needs help calls himself.
            Dest::Code(_) | Dest::Emergency => Err(403),
        }
    }
}

/// What records call the rule by which a GRUU leads to its phone.
pub const GRUU_RULE: &str = "gruu";

/// Forwards of one call before it is taken for a loop.
const FORWARDS_MAX: usize = 5;

const fn diversion(why: ForwardWhy) -> Diversion {
    match why {
        ForwardWhy::Always => Diversion::Unconditional,
        ForwardWhy::Busy => Diversion::Busy,
        ForwardWhy::NoAnswer => Diversion::NoAnswer,
        ForwardWhy::Redirected => Diversion::Deflected,
    }
}
