//! Call park: somebody waits at a numbered place until he is fetched, from any phone.
//!
//! Spec:     RFC 5359 §2.15 as people see it: the park server is the switch itself.
//! In:       a REFER to the park code, a call to it, calls that fetch, the passing of time.
//! Out:      music for the one who waits; he goes back to who parked him if nobody fetches him.
//! Not here: finding a place's call (`switch::joining`), lamps of places (`switch::lamps`).
//!
//! ```text
//! transferred to *70 or *701    the other side is parked: at the first free place, or at place 1
//! called      *70               hears the number of a place that is kept for him: whom he sends
//!                               there (attended transfer) is parked at it
//! called      *701              talks with who is parked at place 1
//! ```

use std::collections::BTreeMap;

use crate::call::call::{Call, Output, Stage};
use crate::call::joining::Place;
use crate::call::queueing::HOLD_MUSIC;
use crate::call::site::{Plan, Site};
use crate::call::transfer::Transfer;
use crate::cdr::entry::{Fact, HungUpBy, ParkLeft};
use crate::id::{CallId, ExtensionId, PromptId};
use crate::ivr::speech;
use crate::media::control::Sound;
use crate::route::config::Code;
use crate::route::rules::{Call as Dialled, Dest};
use crate::time::Instant;

/// The places that are taken, and by which calls.
#[derive(Clone, Debug, Default)]
pub struct Lot {
    calls: BTreeMap<u16, CallId>,
}

impl Lot {
    /// The call at a place.
    pub fn call(&self, slot: u16) -> Option<CallId> {
        self.calls.get(&slot).copied()
    }

    fn first_free(&self, slots: u16) -> Option<u16> {
        (1..=slots).find(|slot| !self.calls.contains_key(slot))
    }
}

/// Somebody waits at a place.
#[derive(Debug)]
pub struct Parked {
    /// Counts from 1.
    pub slot: u16,
    /// When he has waited too long.
    pub until: Instant,
    /// Who gets him back then, if that is an account.
    by: Option<ExtensionId>,
    music: PromptId,
    /// He keeps the place for another, whom he is about to send there.
    keeps: bool,
}

impl Plan {
    /// Whether there is such a place.
    pub fn has_place(&self, slot: u16) -> bool {
        !self.codes.park.is_empty() && (1..=self.park.slots).contains(&slot)
    }

    /// The number of the place that something dialled or watched names: `*701`, `park-1`.
    ///
    /// A place has one number: `*7001` and `park-01` name none.
    pub fn park_slot(&self, named: &str) -> Option<u16> {
        let code = self.codes.park.as_str();
        let digits = named.strip_prefix(code).or_else(|| named.strip_prefix(LAMP))?;
        let slot = digits.parse().ok().filter(|slot| self.has_place(*slot))?;
        (digits == slot.to_string()).then_some(slot)
    }
}

impl Call {
    /// Whether somebody waits here to be fetched.
    pub fn is_parked(&self) -> bool {
        matches!(self.stage, Stage::Parked(_))
    }

    /// The place that a phone's REFER means, or why it cannot be had; `None` if it means none.
    pub(super) fn place_meant(
        &self,
        now: Instant,
        site: &Site<'_>,
        (owner, number): (&ExtensionId, &str),
    ) -> Option<Result<u16, u16>> {
        let decision = self.plan.routes.find(&Dialled {
            from: owner.as_str(),
            to: number,
            extension: Some(owner),
            trunk: None,
            at: self.epoch.wall(now),
        });
        if decision.target != Dest::Code(Code::Park) {
            return None;
        }
        if number == self.plan.codes.park {
            return Some(site.lot.first_free(self.plan.park.slots).ok_or(BUSY));
        }
        let slot = self.plan.park_slot(number).ok_or(NOT_FOUND);
        Some(slot.and_then(|slot| site.lot.call(slot).map_or(Ok(slot), |_| Err(BUSY))))
    }

    /// The caller dialled the park code: he wants a place kept, or who waits at one.
    pub(super) fn dial_park(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let dialled = self.caller.dialled.clone();
        if dialled != self.plan.codes.park {
            match self.plan.park_slot(&dialled) {
                Some(slot) => self.seek(|_| Place::Parked { slot }, out),
                None => self.end(now, site, HungUpBy::Switch, (NOT_FOUND, 1, "no_such_place"), out),
            }
            return;
        }
        let (Some(by), Some(slot)) =
            (self.caller.extension().cloned(), site.lot.first_free(self.plan.park.slots))
        else {
            self.end(now, site, HungUpBy::Switch, (BUSY, 17, "park_full"), out);
            return;
        };
        self.answer_caller(now, site, None, out);
        if !matches!(self.stage, Stage::Routing) {
            return; // the answer failed, and the call has ended
        }
        let words = speech::number(self.plan.locale, slot.into());
        self.play(self.party, words.into_iter().map(Sound::Prompt).collect(), false, out);
        self.park(now, site, (slot, Some(by), HOLD_MUSIC.into()), true, out);
    }

    /// The party waits at a place from here on; what he hears is for the caller of this.
    pub(super) fn park(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (slot, by, music): (u16, Option<ExtensionId>, PromptId),
        keeps: bool,
        out: &mut Vec<Output>,
    ) {
        site.lot.calls.insert(slot, self.id);
        let (leg, extension) = (self.party, by.clone());
        self.fact(now, out, Fact::Parked { leg, slot, extension });
        let until = now + self.plan.park.timeout;
        self.stage = Stage::Parked(Parked { slot, until, by, music, keeps });
    }

    /// He waits no more.
    pub(super) fn unpark(
        &self,
        now: Instant,
        site: &mut Site<'_>,
        (parked, why): (&Parked, ParkLeft),
        out: &mut Vec<Output>,
    ) {
        site.lot.calls.remove(&parked.slot);
        self.fact(now, out, Fact::Unparked { leg: self.party, slot: parked.slot, why });
    }

    /// A guest has the place of who kept it for him, or who waited there.
    pub(super) fn park_guest(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (parked, sent): (Parked, bool),
        out: &mut Vec<Output>,
    ) {
        let Parked { slot, by, music, keeps, .. } = parked;
        self.play(self.party, vec![Sound::Prompt(music.clone())], true, out);
        self.park(now, site, (slot, by, music), keeps && !sent, out);
    }

    /// What was said to who waits came to its end.
    pub(super) fn park_played(&mut self, out: &mut Vec<Output>) {
        let Stage::Parked(parked) = &self.stage else { return };
        let music = Sound::Prompt(parked.music.clone());
        self.play(self.party, vec![music], true, out);
    }

    /// Nobody has fetched him in time.
    pub(super) fn parked_too_long(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Stage::Parked(parked) = self.take_stage() else { return };
        self.unpark(now, site, (&parked, ParkLeft::TimedOut), out);
        if parked.keeps {
            self.end(now, site, HungUpBy::Switch, (480, 16, "park_unused"), out);
        } else {
            let back = Transfer::back(self.party, parked.by, parked.music);
            self.recall(now, site, back, out);
        }
    }

    /// Who parked him did not take him back either.
    pub(super) fn not_taken_back(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        match self.plan.park.on_timeout.clone() {
            Some(target) => {
                let rule = "park on_timeout".to_owned();
                self.fact(now, out, Fact::Routed { rule, target: target.clone() });
                self.go(now, site, target, out);
            }
            None => self.end(now, site, HungUpBy::Switch, (480, 19, "park_timed_out"), out),
        }
    }
}

/// What a place is called besides the number that phones dial.
const LAMP: &str = "park-";
/// All places are taken, or the one that is meant.
const BUSY: u16 = 486;
const NOT_FOUND: u16 = 404;
