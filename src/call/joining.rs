//! A leg takes a place in another call: attended transfer, pick-up, INVITE with Replaces.
//!
//! Spec:     RFC 3891 §3, RFC 5589 §7.
//! In:       two calls: the guest's, and the one with the place that he takes.
//! Out:      one call with those who hear each other; the other ends with the reason `joined`.
//! Not here: finding the place (`switch::joining`), REFER and INVITE as messages.
//!
//! The call that is older lives on, so that a customer's record tells his whole story; each of the
//! two records names the other. Whoever leaves is told with a BYE or CANCEL; nobody else notices
//! more than what he hears. Legs that are to hear each other come to one media thread.

use crate::call::call::{Call, Output, Stage};
use crate::call::invite::COMPLETED_ELSEWHERE;
use crate::call::leg::{self, Leg};
use crate::call::ringing::RINGBACK;
use crate::call::site::Site;
use crate::call::supervision::Wish;
use crate::call::talking::Talking;
use crate::call::transfer::{PARTING_MAX, Transfer};
use crate::cdr::entry::{
    Fact, HungUpBy, JoinWhy, OfferOutcome, ParkLeft, QueueLeft, TransferOutcome,
};
use crate::id::{AgentId, CallId, ExtensionId, LegId};
use crate::media::control::{Command, Sound};
use crate::sip::dialog::Replaces;
use crate::sip::dialog::refer::Refer;
use crate::time::Instant;

/// A place in another call that a leg wants to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// That of the leg with this dialog; `by` asks for it.
    Dialog { replaces: Replaces, by: ExtensionId, why: JoinWhy },
    /// Beside the one who is parked there.
    Parked { slot: u16 },
    /// That of a phone that rings: of one account, or of any that `by` may pick up for.
    Ringing { of: Option<ExtensionId>, by: ExtensionId },
    /// Beside an agent who talks, to supervise him.
    Supervised { agent: AgentId, by: ExtensionId },
}

/// Who waits for a place.
#[derive(Clone, Debug)]
pub enum Joining {
    /// The caller himself.
    Caller,
    /// The caller, who wants to supervise somebody.
    Supervisor(Wish),
    /// The other side of this leg, whose phone asked for it.
    Transferred { by: LegId },
}

/// What a join has changed for the Switch.
#[derive(Debug)]
pub struct Joined {
    /// The call that lives on.
    pub heir: CallId,
    /// Legs that it got from the other.
    pub moved: Vec<LegId>,
    /// The ACD's name of the one who is served, if the heir took it over.
    pub acd: Option<CallId>,
}

/// What a leg is in its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// With the one who is parked: nobody has it.
    Beside,
    Party,
    Peer,
    Rung,
}

/// Puts the leg `guest` into the place of the leg `place` of another call.
///
/// # Errors
///
/// A status, if that cannot be; nothing has changed then, but a guest may have been answered.
pub fn join(
    now: Instant,
    site: &mut Site<'_>,
    (from, guest): (&mut Call, LegId),
    (to, place): (&mut Call, LegId),
    why: JoinWhy,
    out: &mut Vec<Output>,
) -> Result<Joined, u16> {
    let role = match why {
        JoinWhy::Fetch => to.is_parked().then_some(Role::Beside),
        _ => to.role_of(place),
    };
    let role = role.ok_or(GONE)?;
    if !from.moving.is_empty() || !to.moving.is_empty() {
        return Err(PENDING);
    }
    let beside = to.beside(role).and_then(|leg| to.legs.get(&leg));
    from.announce_to(now, site, (guest, beside), out);
    from.be_there(now, site, guest, to.spoken_beside(site, role), out)?;
    let older = from.id < to.id;
    let early = why == JoinWhy::Transfer && role == Role::Party && to.rings_elsewhere();
    let referrer = from.leave_for(now, site, (guest, early && older), out);
    let sent = referrer.filter(|_| early).map(|leg| (leg, from.account_of(leg)));
    let mut stage = to.take_stage();
    to.close_books(now, site, &stage, (place, older), out);
    if let Stage::Parked(parked) = &stage {
        let left = if role == Role::Beside { ParkLeft::Fetched } else { ParkLeft::Moved };
        to.unpark(now, site, (parked, left), out);
    }
    let dismissed = (role != Role::Beside).then_some(place);
    let others = to.legs_of(&stage, dismissed);
    let hears = to.hears.take();
    let (agent_leg, party) = (place, to.party);
    to.free_agent_at(now, site, &mut stage, agent_leg);
    from.end_pause(now, out);
    to.end_pause(now, out);
    to.end_supervision(now, site, out);
    let thread = to.thread;
    let (heir, rest) = if older { (from, to) } else { (to, from) };
    let moved = if older { others.clone() } else { vec![guest] };
    move_legs(now, (rest, heir), &moved, out);
    if !older || !others.is_empty() {
        heir.bring(site, guest, thread, out);
        heir.thread = thread;
    }
    let acd = older.then(|| heir.inherit(rest));
    heir.plays = heir.plays.max(rest.plays);
    let joined = |other| Fact::Joined { leg: guest, place, other, why };
    heir.fact(now, out, joined(rest.id));
    rest.fact(now, out, joined(heir.id));
    if let Some(place) = dismissed {
        let call = if older { &mut *rest } else { &mut *heir };
        call.dismiss(now, site, place, why, out);
    }
    heir.party = if role == Role::Party { guest } else { party };
    heir.hears = hears;
    heir.take_up_recordings(now, &moved, out);
    heir.settle_in(now, site, (stage, role, guest), (place, older, why), out);
    if let Some(sent) = sent {
        heir.sent_early(now, sent, older, out);
    }
    heir.let_referrer_go(now, site, referrer, out);
    rest.let_referrer_go(now, site, referrer, out);
    rest.end(now, site, HungUpBy::Switch, (200, 16, "joined"), out);
    rest.settle(now, site, out);
    Ok(Joined { heir: heir.id, moved, acd })
}

/// Gives legs to the call that lives on; who is held stays so, in its record from here on.
fn move_legs(
    now: Instant,
    (from, to): (&mut Call, &mut Call),
    legs: &[LegId],
    out: &mut Vec<Output>,
) {
    for leg in legs {
        if from.holding.contains(leg) {
            from.fact(now, out, Fact::HoldEnded { leg: *leg });
            to.fact(now, out, Fact::HoldBegan { leg: *leg });
        }
        from.hand_over(to, *leg);
    }
}

impl Call {
    /// A phone asks us to let the other side of its conversation take the place of a dialog.
    pub(super) fn attended(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by: LegId,
        (refer, replaces): (&Refer, &Replaces),
        out: &mut Vec<Output>,
    ) {
        let owner = self.legs.get(&by).and_then(|leg| leg.extension.clone());
        let (Some(other), Some(owner)) = (self.talks_with(by), owner) else {
            self.drive(now, site, by, leg::Input::AnswerRefer(603), out);
            return;
        };
        self.drive(now, site, by, leg::Input::AnswerRefer(202), out);
        self.tell(now, site, by, 100.into(), out);
        let agent = self.legs.get(&by).and_then(|leg| leg.agent.clone());
        let (extension, to) = (Some(owner.clone()), refer.number.clone());
        self.fact(now, out, Fact::Transferred { leg: by, extension, agent, to });
        self.joining = Some(Joining::Transferred { by });
        let why = JoinWhy::Transfer;
        let place = Place::Dialog { replaces: replaces.clone(), by: owner, why };
        out.push(Output::Join { leg: other, place });
    }

    /// The caller wants the place of a dialog (RFC 3891).
    pub fn take_over(&mut self, replaces: Replaces, out: &mut Vec<Output>) {
        self.seek(|by| Place::Dialog { replaces, by, why: JoinWhy::Takeover }, out);
    }

    /// The caller picks up a phone that rings: of the account that he dialled after the code, or of
    /// any account that he may pick up for.
    pub(super) fn pick_up(&mut self, out: &mut Vec<Output>) {
        let number = self.caller.dialled.strip_prefix(&self.plan.codes.pickup);
        let of = number.filter(|number| !number.is_empty()).map(ExtensionId::from);
        self.seek(|by| Place::Ringing { of, by }, out);
    }

    /// The caller wants a place in another call; trunks may not.
    pub(super) fn seek(&mut self, place: impl FnOnce(ExtensionId) -> Place, out: &mut Vec<Output>) {
        let Some(by) = self.caller.extension().cloned() else { return };
        self.joining = Some(Joining::Caller);
        out.push(Output::Join { leg: self.party, place: place(by) });
    }

    /// There was no such place: a transfer leaves all as it was, a caller hears of it.
    pub(super) fn unjoined(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        match self.joining.take() {
            Some(Joining::Transferred { by: leg }) => {
                let outcome = TransferOutcome::Returned;
                self.fact(now, out, Fact::TransferEnded { leg, outcome });
                self.tell(now, site, leg, status.into(), out);
            }
            Some(Joining::Caller) => {
                let why = (status, super::call::cause_of(status), "nobody_there");
                self.end(now, site, HungUpBy::Switch, why, out);
            }
            Some(Joining::Supervisor(wish)) => {
                self.not_supervised(now, site, (wish, status), out);
            }
            None => {}
        }
    }

    /// The phones that ring in this call, with their accounts.
    pub fn ringing(&self) -> impl Iterator<Item = (LegId, &ExtensionId)> {
        let rings = |leg: &&Leg| self.role_of(leg.id) == Some(Role::Rung);
        self.legs.values().filter(rings).filter_map(|leg| Some((leg.id, leg.extension.as_ref()?)))
    }

    /// A leg's account, and whether its dialog stands.
    pub fn leg_state(&self, leg: LegId) -> Option<(Option<&ExtensionId>, bool)> {
        self.legs.get(&leg).map(|leg| (leg.extension.as_ref(), leg.is_confirmed()))
    }

    fn role_of(&self, leg: LegId) -> Option<Role> {
        if self.legs.get(&leg)?.is_leaving() {
            return None;
        }
        match &self.stage {
            Stage::Talking(talking) if talking.peer == leg => Some(Role::Peer),
            Stage::Ringing(ringing) if ringing.legs.contains(&leg) => Some(Role::Rung),
            Stage::Waiting(waiting) if waiting.rung().contains(&leg) => Some(Role::Rung),
            Stage::Conference(_)
            | Stage::Listening { .. }
            | Stage::Menu(_)
            | Stage::Outgoing(_)
            | Stage::Parked(_)
            | Stage::Ringing(_)
            | Stage::Talking(_)
            | Stage::Waiting(_)
                if leg == self.party =>
            {
                Some(Role::Party)
            }
            _ => None,
        }
    }

    /// The one whom a guest in this role is to talk with.
    fn beside(&self, role: Role) -> Option<LegId> {
        match (&self.stage, role) {
            (Stage::Talking(talking), Role::Party) => Some(talking.peer),
            (_, Role::Party) => None,
            (_, Role::Beside | Role::Peer | Role::Rung) => Some(self.party),
        }
    }

    /// What the one speaks whom a guest in this role is to talk with.
    fn spoken_beside(&self, site: &Site<'_>, role: Role) -> Vec<crate::sdp::Codec> {
        let leg = self.beside(role).and_then(|leg| self.legs.get(&leg));
        leg.map(|leg| leg.spoken(&site.settings.codecs)).unwrap_or_default()
    }

    /// Makes sure that a guest's phone is answered.
    pub(super) fn be_there(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        guest: LegId,
        spoken: Vec<crate::sdp::Codec>,
        out: &mut Vec<Output>,
    ) -> Result<(), u16> {
        if guest == self.party {
            self.answer_caller(now, site, spoken.first().copied(), out);
        }
        let is_there = self.legs.get(&guest).is_some_and(Leg::is_confirmed);
        is_there.then_some(()).ok_or(GONE)
    }

    /// The recordings of legs that have come belong to this call's record from here on.
    fn take_up_recordings(&self, now: Instant, legs: &[LegId], out: &mut Vec<Output>) {
        for leg in legs {
            if let Some(path) = self.open_recordings.get(leg).cloned() {
                self.fact(now, out, Fact::RecordingBegan { leg: *leg, path });
            }
        }
    }

    /// Whether somebody is called for the one who is here.
    fn rings_elsewhere(&self) -> bool {
        matches!(self.stage, Stage::Outgoing(_) | Stage::Ringing(_))
    }

    fn account_of(&self, leg: LegId) -> Option<ExtensionId> {
        self.legs.get(&leg)?.extension.clone()
    }

    /// A guest was sent into a place while it rings there (RFC 5589 §7.6): if nobody answers, who
    /// has sent him gets him back. `told`: this call's record has the transfer already.
    fn sent_early(
        &mut self,
        now: Instant,
        (leg, owner): (LegId, Option<ExtensionId>),
        told: bool,
        out: &mut Vec<Output>,
    ) {
        if self.transfer.is_some() {
            return; // whoever sent this call here gets it back
        }
        if !told {
            let (extension, to) = (owner.clone(), self.caller.dialled.clone());
            self.fact(now, out, Fact::Transferred { leg, extension, agent: None, to });
        }
        self.transfer = Some(Transfer::early(leg, owner, self.music_for(None)));
    }

    /// A guest leaves what he was in; says whose phone sent him, if one did. `early`: whether
    /// somebody takes him is not known yet.
    fn leave_for(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (guest, early): (LegId, bool),
        out: &mut Vec<Output>,
    ) -> Option<LegId> {
        if let Stage::Talking(talking) = self.take_stage() {
            self.part(now, site, &talking, out);
        }
        self.order(Command::Stop { leg: guest }, out);
        match self.joining.take() {
            Some(Joining::Transferred { by: leg }) => {
                if !early {
                    let outcome = TransferOutcome::Completed;
                    self.fact(now, out, Fact::TransferEnded { leg, outcome });
                }
                Some(leg)
            }
            Some(Joining::Caller | Joining::Supervisor(_)) | None => None,
        }
    }

    /// Writes the end of what goes on in the other call, or with somebody else.
    fn close_books(
        &self,
        now: Instant,
        site: &mut Site<'_>,
        stage: &Stage,
        (place, moves): (LegId, bool),
        out: &mut Vec<Output>,
    ) {
        let outcome = OfferOutcome::Moved;
        let mut offers = |legs: &[LegId]| {
            for leg in legs.iter().filter(|leg| **leg != place).copied() {
                self.fact(now, out, Fact::OfferEnded { leg, outcome });
            }
        };
        match stage {
            Stage::Talking(talking) => {
                let (a, b) = (self.party, talking.peer);
                self.fact(now, out, Fact::TalkEnded { a, b });
            }
            Stage::Conference(conference) => {
                self.leave_conference(now, site, conference, out);
            }
            Stage::Outgoing(outgoing) if moves => {
                let leg = outgoing.leg();
                self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: None });
            }
            Stage::Ringing(ringing) if moves => offers(&ringing.legs),
            Stage::Waiting(waiting) if moves => {
                offers(&waiting.rung());
                let (queue, why) = (waiting.queue.clone(), QueueLeft::Moved);
                self.fact(now, out, Fact::QueueLeft { queue, why });
            }
            _ => {}
        }
    }

    /// The legs that a stage goes on with, but for the one whose place is taken.
    fn legs_of(&self, stage: &Stage, place: Option<LegId>) -> Vec<LegId> {
        let mut legs = match stage {
            Stage::Talking(talking) => vec![talking.peer],
            Stage::Outgoing(outgoing) => vec![outgoing.leg()],
            Stage::Ringing(ringing) => ringing.legs.clone(),
            Stage::Waiting(waiting) => {
                let winner = waiting.winner.as_ref().map(|winner| winner.leg);
                waiting.rung().into_iter().chain(winner).collect()
            }
            _ => Vec::new(),
        };
        legs.push(self.party);
        legs.retain(|leg| Some(*leg) != place && self.legs.contains_key(leg));
        legs
    }

    /// The agent whose place is taken has after-call work to do.
    fn free_agent_at(&self, now: Instant, site: &mut Site<'_>, stage: &mut Stage, place: LegId) {
        if let Stage::Talking(talking) = stage
            && talking.peer == place
            && let Some(agent) = talking.agent.take()
        {
            site.acd.call_ended(now, self.acd_id, &agent, site.decided);
        }
    }

    /// Gives a leg to another call, with all that is remembered of it.
    pub(super) fn hand_over(&mut self, heir: &mut Self, leg: LegId) {
        let Some(given) = self.legs.remove(&leg) else { return };
        heir.legs.insert(leg, given);
        heir.clients.extend(self.clients.extract_if(.., |(of, _)| *of == leg));
        heir.tags.extend(self.tags.extract_if(.., |(of, _)| *of == leg));
        if self.holding.remove(&leg) {
            heir.holding.insert(leg);
        }
        self.guests.retain(|guest| *guest != leg);
        if leg.call != heir.id {
            heir.guests.push(leg);
        }
        heir.open_media.extend(self.open_media.remove_entry(&leg));
        heir.open_recordings.extend(self.open_recordings.remove(&leg).map(|path| (leg, path)));
    }

    /// Takes over what was found out about the one who is served, and his name in the ACD.
    fn inherit(&mut self, from: &mut Self) -> CallId {
        self.skills.extend(std::mem::take(&mut from.skills));
        self.prefer.extend(std::mem::take(&mut from.prefer));
        self.priority = self.priority.max(from.priority);
        self.acd_id = from.acd_id;
        self.acd_id
    }

    /// Sends the one away whose place is taken.
    fn dismiss(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        place: LegId,
        why: JoinWhy,
        out: &mut Vec<Output>,
    ) {
        let Some(leg) = self.legs.get(&place) else { return };
        let input = match leg {
            leg if leg.is_confirmed() => leg::Input::HangUp(None),
            _ if place == self.party => leg::Input::Refuse(487),
            _ => {
                let picked_up = (why != JoinWhy::Transfer).then_some(COMPLETED_ELSEWHERE);
                let outcome = OfferOutcome::LostRace;
                self.fact(now, out, Fact::OfferEnded { leg: place, outcome });
                leg::Input::HangUp(picked_up)
            }
        };
        self.drive(now, site, place, input, out);
    }

    /// The guest is in his place: those who are to hear each other do, and the books say so.
    fn settle_in(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (stage, role, guest): (Stage, Role, LegId),
        (place, moved, why): (LegId, bool, JoinWhy),
        out: &mut Vec<Output>,
    ) {
        if role == Role::Party && self.answered.is_none() {
            self.answered = Some(now);
            self.fact(now, out, Fact::Answered);
        }
        match (stage, role) {
            (Stage::Talking(talking), role) => {
                let peer = if role == Role::Peer { guest } else { talking.peer };
                self.stage = Stage::Talking(Talking { peer, ..talking });
                self.join(now, site, peer, out);
            }
            (_, Role::Beside) => self.talk(now, site, guest, out),
            (Stage::Conference(conference), _) => self.take_seat(now, site, conference, out),
            (Stage::Parked(parked), _) => {
                let sent = why == JoinWhy::Transfer;
                self.park_guest(now, site, (parked, sent), out);
            }
            (stage, Role::Rung) => {
                self.stop_others(now, site, stage, place, out);
                self.talk(now, site, guest, out);
            }
            (stage, _) => {
                if moved {
                    self.open_books(now, site, &stage, out);
                }
                let rings = matches!(stage, Stage::Outgoing(_) | Stage::Ringing(_));
                self.stage = stage;
                match self.hears.take() {
                    Some(playback) => {
                        self.hears = Some(playback.clone());
                        self.order(Command::Play { leg: guest, playback }, out);
                    }
                    None if rings => {
                        self.play(guest, vec![Sound::Prompt(RINGBACK.into())], true, out);
                    }
                    None => {}
                }
            }
        }
    }

    /// All other phones stop ringing for the one whom a guest has picked up.
    fn stop_others(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        stage: Stage,
        place: LegId,
        out: &mut Vec<Output>,
    ) {
        let legs = match stage {
            Stage::Ringing(ringing) => ringing.legs,
            Stage::Waiting(waiting) => {
                site.acd.leave(now, self.acd_id, site.decided);
                let (queue, why) = (waiting.queue.clone(), QueueLeft::Answered);
                self.fact(now, out, Fact::QueueLeft { queue, why });
                waiting.rung()
            }
            _ => Vec::new(),
        };
        for leg in legs.into_iter().filter(|leg| *leg != place) {
            self.stop_ringing(now, site, leg, OfferOutcome::LostRace, out);
        }
    }

    /// Writes what goes on here from another call's record on.
    fn open_books(&self, now: Instant, site: &Site<'_>, stage: &Stage, out: &mut Vec<Output>) {
        let mut offers = |legs: &[LegId], queue: Option<&crate::id::QueueId>| {
            for leg in legs.iter().filter_map(|leg| self.legs.get(leg)) {
                let Some(extension) = leg.extension.clone() else { continue };
                let (agent, queue) = (leg.agent.clone(), queue.cloned());
                self.fact(now, out, Fact::Offered { leg: leg.id, extension, agent, queue });
            }
        };
        match stage {
            Stage::Outgoing(outgoing) => self.fact(now, out, outgoing.began().clone()),
            Stage::Ringing(ringing) => offers(&ringing.legs, None),
            Stage::Waiting(waiting) => {
                offers(&waiting.rung(), Some(&waiting.queue));
                let position = site.acd.position(self.acd_id).unwrap_or(0);
                self.fact(now, out, Fact::Queued { queue: waiting.queue.clone(), position });
            }
            _ => {}
        }
    }

    fn let_referrer_go(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        referrer: Option<LegId>,
        out: &mut Vec<Output>,
    ) {
        if let Some(leg) = referrer.filter(|leg| self.legs.contains_key(leg)) {
            self.tell(now, site, leg, 200.into(), out);
            self.let_go(now, (leg, PARTING_MAX), out);
        }
    }
}

/// There is no such dialog (RFC 3891 §3).
const GONE: u16 = 481;
/// One of the two is being joined with somebody else at this moment.
const PENDING: u16 = 491;
