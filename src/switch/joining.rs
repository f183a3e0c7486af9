//! Places in other calls: found, and whether they may be taken.

use crate::call::{self, Input as CallInput, Joined, Place};
use crate::cdr::entry::JoinWhy;
use crate::id::{CallId, ExtensionId, LegId};
use crate::sip::dialog::Replaces;
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// The call that a leg is in.
    pub(super) fn home(&self, leg: LegId) -> CallId {
        self.homes.get(&leg).copied().unwrap_or(leg.call)
    }

    /// Puts a leg into a place of another call, or tells its own call that it cannot be.
    pub(super) fn join(
        &mut self,
        now: Instant,
        guest: LegId,
        wanted: &Place,
        out: &mut Vec<Output>,
    ) {
        let from = self.home(guest);
        let joined = self.find(from, wanted).and_then(|(place, why)| {
            let (Some(mut giver), Some(mut taker)) =
                (self.calls.remove(&from), self.calls.remove(&self.home(place)))
            else {
                return Err(GONE);
            };
            let mut steps = Vec::new();
            let (guest, place) = ((&mut *giver, guest), (&mut *taker, place));
            let joined = match why {
                JoinWhy::Supervise => {
                    call::supervise(now, &mut self.site(), guest, place, &mut steps)
                }
                _ => call::join(now, &mut self.site(), guest, place, why, &mut steps),
            };
            for call in [giver, taker] {
                self.calls.insert(call.id(), call);
            }
            if let Ok(joined) = &joined {
                self.rehouse(joined);
            }
            self.carry_out(now, steps, out);
            joined
        });
        match joined {
            Ok(joined) => {
                self.follow_call(now, from, out);
                for leg in &joined.moved {
                    self.follow_call(now, leg.call, out);
                }
                self.follow_call(now, joined.heir, out);
                self.tidy(joined.heir);
                self.tidy(from);
            }
            Err(status) => self.drive(now, from, CallInput::Unjoined(status), out),
        }
    }

    fn rehouse(&mut self, joined: &Joined) {
        for leg in &joined.moved {
            if leg.call == joined.heir {
                self.homes.remove(leg);
            } else {
                self.homes.insert(*leg, joined.heir);
            }
        }
        if let Some(served) = joined.acd {
            self.served.insert(served, joined.heir);
            for call in self.last_calls.values_mut().filter(|call| **call == served) {
                *call = joined.heir;
            }
        }
    }

    /// The leg whose place is meant, if it may be taken, and why it is.
    fn find(&self, from: CallId, wanted: &Place) -> Result<(LegId, JoinWhy), u16> {
        match wanted {
            Place::Dialog { replaces, by, why } => self.named(from, replaces, (by, *why)),
            Place::Parked { slot } => {
                let call = self.lot.call(*slot).and_then(|call| self.calls.get(&call));
                let call = call.filter(|call| call.id() != from).ok_or(NOBODY)?;
                Ok((call.party(), JoinWhy::Fetch))
            }
            Place::Ringing { of, by } => {
                let mut calls: Vec<_> = self.calls.values().collect();
                calls.sort_unstable_by_key(|call| call.id()); // who rings longest comes first
                let rung = calls.into_iter().filter(|call| call.id() != from);
                let mut rung = rung.flat_map(|call| call.ringing());
                let found = rung.find(|(_, extension)| {
                    of.as_ref().is_none_or(|of| of == *extension)
                        && *extension != by
                        && self.may_pick_up(by, extension)
                });
                found.map(|(leg, _)| (leg, JoinWhy::Pickup)).ok_or(NOBODY)
            }
            Place::Supervised { agent, by } => {
                let leg = self.supervised(Some(from), agent, by)?;
                Ok((leg, JoinWhy::Supervise))
            }
        }
    }

    /// The leg with a dialog (RFC 3891 §3).
    fn named(
        &self,
        from: CallId,
        replaces: &Replaces,
        (by, why): (&ExtensionId, JoinWhy),
    ) -> Result<(LegId, JoinWhy), u16> {
        let Replaces { call_id, to_tag, from_tag, .. } = replaces;
        // Who learnt of it from a lamp names it as the phone at its other end does (RFC 4235 §4.1).
        let (leg, remote_tag) = match (self.legs.get(to_tag), self.legs.get(from_tag)) {
            (Some(leg), _) => (*leg, from_tag),
            (None, Some(leg)) => (*leg, to_tag),
            (None, None) => return Err(GONE),
        };
        let call = self.calls.get(&self.home(leg)).ok_or(GONE)?;
        if !call.has_leg(leg, call_id, Some(remote_tag)) {
            return Err(GONE);
        }
        if call.id() == from {
            return Err(DECLINED);
        }
        let (owner, is_confirmed) = call.leg_state(leg).ok_or(GONE)?;
        if is_confirmed && replaces.early_only {
            return Err(BUSY);
        }
        if call.is_parked() && owner != Some(by) {
            return Ok((leg, JoinWhy::Fetch)); // as its place's lamp tells everybody
        }
        let owner = owner.ok_or(FORBIDDEN)?;
        let may = owner == by || (!is_confirmed && self.may_pick_up(by, owner));
        may.then_some((leg, why)).ok_or(FORBIDDEN)
    }

    /// Whether two accounts share a pick-up group.
    fn may_pick_up(&self, one: &ExtensionId, other: &ExtensionId) -> bool {
        let groups = |extension| {
            let account = self.plan.extensions.get(extension);
            account.map_or(&[][..], |account| &account.pickup_groups)
        };
        groups(one).iter().any(|group| groups(other).contains(group))
    }
}

const BUSY: u16 = 486;
const DECLINED: u16 = 603;
const FORBIDDEN: u16 = 403;
const GONE: u16 = 481;
/// No phone rings that could be picked up.
const NOBODY: u16 = 480;
