//! Blind transfer: a phone sends the other side of its conversation on to a number.
//!
//! Spec:     RFC 3515, RFC 3892, RFC 4488, RFC 5589 §6.
//! In:       a phone's REFER; what becomes of the number it names.
//! Out:      the other side goes to that number, hearing music until somebody is there; NOTIFYs.
//! Not here: REFER and NOTIFY as messages (`leg::referring`), where a target leads (`call::call`),
//!           attended transfer (`call::joining`).
//!
//! Nobody is lost on the way. If the target does not take the call, the phone that sent it there
//! gets it back at once if it has not hung up, and is rung again if it has; only if that fails too
//! does the call end, with the reason `transfer_failed`.

use crate::acd::Change;
use crate::call::call::{Call, Output, Stage};
use crate::call::leg::{self, Leg};
use crate::call::ringing::RINGBACK;
use crate::call::services::GRUU_RULE;
use crate::call::site::Site;
use crate::call::talking::Talking;
use crate::cdr::entry::{Fact, HungUpBy, TransferOutcome};
use crate::id::{ExtensionId, LegId, PromptId, Target};
use crate::ivr::speech;
use crate::media::control::{Command, Sound};
use crate::sip::dialog::refer::{Progress, Refer};
use crate::sip::message::Uri;
use crate::sip::registrar::Phone;
use crate::time::{Duration, Instant};

/// Somebody is on his way to where a phone has sent him.
#[derive(Debug)]
pub struct Transfer {
    /// The leg whose phone asked for it; it may have left meanwhile.
    by: LegId,
    /// Its account, which gets the call back if nobody takes it.
    owner: Option<ExtensionId>,
    /// Who asked for it, as the target's phone is told (RFC 3892).
    referred_by: Option<String>,
    /// A program wanted it: the phone does not know that it is to leave.
    ordered: bool,
    /// What the one who is sent on hears.
    music: PromptId,
    /// The phone knows that the target rings.
    ringing_told: bool,
    phase: Phase,
}

/// Where he is on his way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Where he was sent.
    Onwards,
    /// Into the place of his transferor, for whom somebody was rung: that one has left, and knows
    /// it as done.
    Early,
    /// Back: nobody took him there, and the account that sent him is rung.
    Recall,
    /// Back: nobody fetched him from where he was parked. No phone asked for it.
    Unparked,
}

/// Somebody who is sent on, and how.
pub(super) struct Sent {
    /// The leg that he leaves.
    pub by: LegId,
    /// Its account, if it has one.
    pub owner: Option<ExtensionId>,
    pub referred_by: Option<String>,
    /// The number as it was given.
    pub to: String,
    pub way: Way,
    pub ordered: bool,
}

/// Where somebody is sent.
pub(super) enum Way {
    Park {
        slot: u16,
    },
    /// One phone of an account.
    Phone(Phone),
    Target {
        rule: String,
        target: Target,
    },
}

impl Transfer {
    /// Whether the account that asked for it is rung.
    pub fn is_recall(&self) -> bool {
        !matches!(self.phase, Phase::Onwards | Phase::Early)
    }

    /// The way of somebody who is sent into the place of `by` while it rings there.
    pub(super) fn early(by: LegId, owner: Option<ExtensionId>, music: PromptId) -> Self {
        let (phase, referred_by) = (Phase::Early, None);
        let (ringing_told, ordered) = (true, false);
        Self { by, owner, referred_by, music, ringing_told, ordered, phase }
    }

    /// The way back of somebody parked, to the account that parked him; `party` is his leg.
    pub(super) fn back(party: LegId, owner: Option<ExtensionId>, music: PromptId) -> Self {
        let (phase, referred_by) = (Phase::Unparked, None);
        let (ringing_told, ordered) = (true, false);
        Self { by: party, owner, referred_by, music, ringing_told, ordered, phase }
    }

    /// What the phone that is rung learns of who sent the call to it.
    pub fn referred_by(&self) -> Option<&str> {
        self.referred_by.as_deref().filter(|_| !self.is_recall())
    }
}

impl Call {
    /// A phone asks us to send the other side of its conversation on.
    pub(super) fn referred(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by: LegId,
        refer: &Refer,
        out: &mut Vec<Output>,
    ) {
        if let Some(replaces) = &refer.replaces {
            self.attended(now, site, by, (refer, replaces), out);
            return;
        }
        match self.wanted(now, site, by, refer) {
            Ok((owner, way)) => {
                let own = || self.referrer(site, &owner);
                let referred_by = Some(refer.referred_by.clone().unwrap_or_else(own));
                let (owner, to) = (Some(owner), refer.number.clone());
                let sent = Sent { by, owner, referred_by, to, way, ordered: false };
                self.drive(now, site, by, leg::Input::AnswerRefer(202), out);
                self.tell(now, site, by, 100.into(), out);
                self.transfer(now, site, sent, out);
            }
            Err(status) => self.drive(now, site, by, leg::Input::AnswerRefer(status), out),
        }
    }

    /// Who asks, and where his REFER leads to; or the status that refuses it, and nothing changes.
    fn wanted(
        &self,
        now: Instant,
        site: &Site<'_>,
        by: LegId,
        refer: &Refer,
    ) -> Result<(ExtensionId, Way), u16> {
        self.talks_with(by).ok_or(DECLINED)?;
        if self.has_moved_too_often() {
            return Err(LOOP);
        }
        let owner = self.legs.get(&by).and_then(|leg| leg.extension.clone()).ok_or(FORBIDDEN)?;
        let way = match refer.gruu.as_deref().and_then(|uri| Uri::parse(uri).ok()) {
            Some(uri) => self.way_to_phone(now, site, &owner, &uri)?,
            None => self.way_to(now, site, &owner, &refer.number)?,
        };
        Ok((owner, way))
    }

    /// Where a number leads for an account that sends somebody there.
    pub(super) fn way_to(
        &self,
        now: Instant,
        site: &Site<'_>,
        owner: &ExtensionId,
        number: &str,
    ) -> Result<Way, u16> {
        if let Some(slot) = self.place_meant(now, site, (owner, number)) {
            return Ok(Way::Park { slot: slot? });
        }
        let (rule, target) = self.reached_from(now, owner, number)?;
        Ok(Way::Target { rule, target: target.with_number(number) })
    }

    /// Where a GRUU leads for an account that sends somebody there: to the phone, if the number of
    /// its account leads to that, else wherever it leads.
    fn way_to_phone(
        &self,
        now: Instant,
        site: &Site<'_>,
        owner: &ExtensionId,
        uri: &Uri<'_>,
    ) -> Result<Way, u16> {
        let phone = site.phones.at_gruu(uri).unwrap_or(Err(404))?;
        let number = phone.extension.as_str();
        let (rule, target) = self.reached_from(now, owner, number)?;
        if target == Target::Extension(phone.extension.clone()) {
            return Ok(Way::Phone(phone));
        }
        Ok(Way::Target { rule, target: target.with_number(number) })
    }

    /// Whether it is taken for a loop of machines.
    pub(super) fn has_moved_too_often(&self) -> bool {
        self.transfers >= TRANSFERS_MAX
    }

    /// An account as one who sends somebody on.
    pub(super) fn referrer(&self, site: &Site<'_>, owner: &ExtensionId) -> String {
        format!("<sip:{owner}@{}>", site.settings.domain)
    }

    pub(super) fn transfer(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        sent: Sent,
        out: &mut Vec<Output>,
    ) {
        let Sent { by, owner, referred_by, to, way, ordered } = sent;
        let Some(other) = self.talks_with(by) else { return };
        let Stage::Talking(talking) = self.take_stage() else { return };
        self.part(now, site, &talking, out);
        let (extension, agent) = (owner.clone(), talking.agent.filter(|_| talking.peer == by));
        self.fact(now, out, Fact::Transferred { leg: by, extension, agent, to });
        self.party = other;
        let music = self.music_for(talking.music.as_ref());
        self.play(other, vec![Sound::Prompt(music.clone())], true, out);
        self.play(by, vec![Sound::Prompt(RINGBACK.into())], true, out);
        self.transfers += 1;
        self.meant = None;
        self.transfer = Some(Transfer {
            by,
            referred_by,
            owner: owner.clone(),
            music: music.clone(),
            ringing_told: false,
            ordered,
            phase: Phase::Onwards,
        });
        self.hops = 0;
        self.diverted.clear();
        match way {
            Way::Park { slot } => self.park(now, site, (slot, owner, music), false, out),
            Way::Phone(phone) => {
                let target = Target::Extension(phone.extension.clone());
                let rule = GRUU_RULE.to_owned();
                self.fact(now, out, Fact::Routed { rule, target: target.clone() });
                self.mean(Some(phone));
                self.go(now, site, target, out);
            }
            Way::Target { rule, target } => {
                self.fact(now, out, Fact::Routed { rule, target: target.clone() });
                self.go(now, site, target, out);
            }
        }
    }

    /// Whom a leg talks with.
    pub(super) fn talks_with(&self, leg: LegId) -> Option<LegId> {
        let Stage::Talking(talking) = &self.stage else { return None };
        match leg {
            leg if leg == talking.peer => Some(self.party),
            leg if leg == self.party => Some(talking.peer),
            _ => None,
        }
    }

    /// A conversation is over, but not its legs: they hear each other no more, and are the ACD's no
    /// more.
    pub(super) fn part(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        talking: &Talking,
        out: &mut Vec<Output>,
    ) {
        // The agent's phone is in use all the same, and must be known to be before he is free.
        if let Some(agent) = &talking.agent {
            let busy = Change::BusyElsewhere(true);
            let _ = site.acd.change(now, agent, busy, site.decided); // never refused
        }
        self.end_talk(now, site, talking, out);
        self.order(Command::Unbridge { leg: self.party }, out);
        if let Some(leg) = self.legs.get_mut(&talking.peer)
            && leg.agent.take().is_some()
            && let Some(extension) = leg.extension.clone()
        {
            out.push(Output::Occupied { extension, is: true });
        }
    }

    /// Tells the transferor's phone how far it is, once somebody rings or is there.
    pub(super) fn transfer_progress(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(transfer) = &mut self.transfer else { return };
        match &self.stage {
            Stage::Outgoing(_) | Stage::Ringing(_) => {
                let rung = match &self.stage {
                    Stage::Outgoing(outgoing) => vec![outgoing.leg()],
                    Stage::Ringing(ringing) => ringing.legs.clone(),
                    _ => Vec::new(),
                };
                let rings = |leg: &LegId| self.legs.get(leg).is_some_and(Leg::is_ringing);
                if transfer.is_recall() || transfer.ringing_told || !rung.iter().any(rings) {
                    return;
                }
                transfer.ringing_told = true;
                let by = transfer.by;
                self.tell(now, site, by, 180.into(), out);
            }
            Stage::Ending(_) | Stage::Routing => {}
            Stage::Camping(_)
            | Stage::Conference(_)
            | Stage::Confirming(_)
            | Stage::Dialling(_)
            | Stage::Echo
            | Stage::Listening { .. }
            | Stage::Menu(_)
            | Stage::Parked(_)
            | Stage::Talking(_)
            | Stage::Waiting(_) => self.arrived(now, site, out),
        }
    }

    /// The one who was sent on is where somebody or something serves him.
    fn arrived(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Some(transfer) = self.transfer.take() else { return };
        let leg = transfer.by;
        let outcome = match transfer.phase {
            Phase::Onwards | Phase::Early => TransferOutcome::Completed,
            Phase::Recall => TransferOutcome::Recalled,
            Phase::Unparked => return,
        };
        self.fact(now, out, Fact::TransferEnded { leg, outcome });
        if transfer.phase == Phase::Early {
            return;
        }
        self.tell(now, site, leg, 200.into(), out);
        let patience = if transfer.ordered { Duration::ZERO } else { PARTING_MAX };
        self.let_go(now, (leg, patience), out);
        if let Stage::Parked(parked) = &self.stage {
            // Unless his phone hangs up at once, he hears where.
            let words = speech::number(self.plan.locale, parked.slot.into());
            self.play(leg, words.into_iter().map(Sound::Prompt).collect(), false, out);
        }
    }

    /// A leg has nothing to do in this call any more: its phone is given a moment to hang up.
    pub(super) fn let_go(
        &mut self,
        now: Instant,
        (leg, patience): (LegId, Duration),
        out: &mut Vec<Output>,
    ) {
        if self.legs.get(&leg).is_some_and(Leg::is_confirmed) {
            self.order(Command::Stop { leg }, out);
            self.parting.push((leg, now + patience));
        }
    }

    /// Nobody took the call where it was sent. Who sent it there gets it back; without one it ends.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by: HungUpBy,
        why: (u16, u8, &'static str),
        out: &mut Vec<Output>,
    ) {
        let Some(transfer) = self.transfer.take() else {
            self.end(now, site, by, why, out);
            return;
        };
        self.stop_all_ringing(now, site, out);
        if transfer.phase == Phase::Unparked {
            self.not_taken_back(now, site, out);
            return;
        }
        let leg = transfer.by;
        if transfer.phase == Phase::Early {
            // His phone is wanted for the recall, though it may not have hung up yet.
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
            self.recall(now, site, transfer, out);
            return;
        }
        self.tell(now, site, leg, why.0.into(), out);
        if transfer.is_recall() {
            let outcome = TransferOutcome::Failed;
            self.fact(now, out, Fact::TransferEnded { leg, outcome });
            self.end(now, site, HungUpBy::Switch, (480, 19, "transfer_failed"), out);
        } else if self.legs.get(&leg).is_some_and(Leg::is_confirmed) {
            let outcome = TransferOutcome::Returned;
            self.fact(now, out, Fact::TransferEnded { leg, outcome });
            self.stage = Stage::Talking(Talking { peer: leg, agent: None, music: None });
            self.join(now, site, leg, out);
        } else {
            self.recall(now, site, transfer, out);
        }
    }

    /// Rings the account that sent the call away.
    pub(super) fn recall(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        transfer: Transfer,
        out: &mut Vec<Output>,
    ) {
        let (owner, wait) = (transfer.owner.clone(), self.plan.calls.recall_timeout);
        self.play(self.party, vec![Sound::Prompt(transfer.music.clone())], true, out);
        let phase = if transfer.is_recall() { transfer.phase } else { Phase::Recall };
        self.transfer = Some(Transfer { phase, ..transfer });
        self.meant = None;
        let Some(owner) = owner.filter(|_| !wait.is_zero()) else {
            self.fail(now, site, HungUpBy::Switch, (480, 19, "transfer_failed"), out);
            return;
        };
        self.ring(now, site, &owner, wait, out);
    }

    /// The call ends while somebody is on his way.
    pub(super) fn transfer_abandoned(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(Transfer { by: leg, phase, .. }) = self.transfer.take() else { return };
        if phase == Phase::Unparked {
            return;
        }
        let outcome = TransferOutcome::Abandoned;
        self.fact(now, out, Fact::TransferEnded { leg, outcome });
        if phase == Phase::Early {
            return;
        }
        self.tell(now, site, leg, 487.into(), out);
    }

    /// Tells a phone how far its transfer is.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        progress: Progress,
        out: &mut Vec<Output>,
    ) {
        self.drive(now, site, leg, leg::Input::Notify(progress), out);
    }
}

/// Transfers of one call before further ones are taken for a loop of machines.
const TRANSFERS_MAX: u8 = 100;

/// How long a phone has to hang up after its transfer is through; then we do.
pub(super) const PARTING_MAX: Duration = Duration::from_secs(5);

/// There is nobody to be sent on (RFC 3515 §2.4.2).
const DECLINED: u16 = 603;
const FORBIDDEN: u16 = 403;
const LOOP: u16 = 482;
