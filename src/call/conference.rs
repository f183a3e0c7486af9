//! A caller in a conference: he comes, is asked for its PIN, talks, mutes himself, leaves.
//!
//! In:       a call that leads to a conference; the keys of his phone; orders.
//! Out:      his leg in the conference's room; facts.
//! Not here: who else is there (`call::hall`), mixing (`media::room`).
//!
//! Each member has a call of his own, with its record and, if a policy wants it, its recording:
//! left what he says, right what he hears. The first one's media thread is the conference's; the
//! legs of the others come there.

use crate::call::call::{Call, Output, Stage};
use crate::call::codes::Question;
use crate::call::control::OrderError;
use crate::call::site::Site;
use crate::call::talking::BEEP;
use crate::cdr::entry::{Fact, HungUpBy, OrderKind};
use crate::id::{ConferenceId, LegId};
use crate::ivr::collect::Digits;
use crate::media::control::{Command, Sound};
use crate::route::config::Record;
use crate::time::Instant;

impl Call {
    /// The caller is sent to a conference.
    pub(super) fn enter_conference(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        conference: ConferenceId,
        out: &mut Vec<Output>,
    ) {
        let plan = self.plan.clone();
        let Some(config) = plan.conferences.get(&conference) else {
            let why = (404, 1, "no_such_conference");
            return self.fail(now, site, HungUpBy::Switch, why, out);
        };
        if !site.halls.has_room(&conference, config) {
            let why = (486, 17, "conference_full");
            return self.fail(now, site, HungUpBy::Switch, why, out);
        }
        self.answer_caller(now, site, None, out);
        if !matches!(self.stage, Stage::Routing) {
            return; // the answer failed, and the call has ended
        }
        if config.pin.is_some() && self.guesses(now, site, Some(&conference)) {
            self.deny(now, site, out);
        } else if config.pin.is_some() {
            self.ask(now, site, Question::ConferencePin { conference }, 0, out);
        } else {
            self.take_seat(now, site, conference, out);
        }
    }

    /// The caller has typed a PIN; whether it is the conference's.
    pub(super) fn told_pin(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (conference, digits): (&ConferenceId, &Digits),
        out: &mut Vec<Output>,
    ) -> bool {
        let pin = self.plan.conferences.get(conference).and_then(|it| it.pin.as_ref());
        let is_right = pin.is_some_and(|pin| super::codes::same(pin.as_str(), digits.as_str()));
        if is_right {
            self.take_seat(now, site, conference.clone(), out);
        }
        is_right
    }

    /// The party is a member from here on.
    pub(super) fn take_seat(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        conference: ConferenceId,
        out: &mut Vec<Output>,
    ) {
        let plan = self.plan.clone();
        let config = plan.conferences.get(&conference);
        let config = config.filter(|config| site.halls.has_room(&conference, config));
        let Some(config) = config else {
            // It has filled up while he was asked, or is no more.
            return self.announce(now, site, "busy".into(), "conference_full", out);
        };
        let leg = self.party;
        let thread = self.open_media.get(&leg).copied().unwrap_or(self.thread);
        let member = (self.id, leg);
        self.thread = site.halls.enter(now, (&conference, config), member, thread);
        self.order(Command::Stop { leg }, out);
        self.bring(site, leg, self.thread, out);
        self.stage = Stage::Conference(conference.clone());
        self.fact(now, out, Fact::ConferenceJoined { leg, conference: conference.clone() });
        let own = self.legs.get(&leg).and_then(|leg| leg.extension.as_ref());
        let own = own.and_then(|extension| plan.extensions.get(extension));
        let is_recorded = own.is_some_and(|account| account.record == Record::Always);
        if (is_recorded || config.record == Record::Always) && self.open_recordings.is_empty() {
            self.record(now, site, out);
        }
        if !self.moving.contains_key(&leg) {
            tell(site.halls.arrive(now, &conference, leg), out);
        }
    }

    /// The party's leg has come to the conference's media thread.
    pub(super) fn arrived_in_conference(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        out: &mut Vec<Output>,
    ) {
        let Stage::Conference(conference) = &self.stage else { return };
        if leg == self.party {
            tell(site.halls.arrive(now, conference, leg), out);
        }
    }

    /// The party is a member no more.
    pub(super) fn leave_conference(
        &self,
        now: Instant,
        site: &mut Site<'_>,
        conference: &ConferenceId,
        out: &mut Vec<Output>,
    ) {
        let (leg, conference) = (self.party, conference.clone());
        tell(site.halls.leave(now, &conference, leg), out);
        self.fact(now, out, Fact::ConferenceLeft { leg, conference });
    }

    /// A key of a member's phone: the code mutes him, and lets him be heard again.
    pub(super) fn conference_key(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        key: char,
        out: &mut Vec<Output>,
    ) {
        let Stage::Conference(conference) = &self.stage else { return };
        let (leg, mute) = (self.party, !site.halls.is_muted(conference, self.party));
        let plan = self.plan.clone();
        if self.typed_code(leg, key, &[&plan.codes.conference_mute]).is_none() {
            return;
        }
        if self.mute(now, site, mute, out) {
            let beeps = if mute { 1 } else { 2 };
            self.play(leg, vec![Sound::Prompt(BEEP.into()); beeps], false, out);
        }
    }

    /// Mutes the party or lets him be heard again; whether that has changed anything.
    fn mute(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mute: bool,
        out: &mut Vec<Output>,
    ) -> bool {
        let Stage::Conference(conference) = &self.stage else { return false };
        let commands = site.halls.mute(now, conference, (self.party, mute));
        let is_changed = commands.is_some();
        tell(commands.unwrap_or_default(), out);
        is_changed
    }

    /// What was played to a member is over.
    pub(super) fn played_in_conference(&self, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let Stage::Conference(conference) = &self.stage else { return };
        tell(site.halls.entertain_again(conference, self.party), out);
    }

    /// Mutes a member because somebody wants it, or sends him away.
    ///
    /// # Errors
    ///
    /// If the leg is in no conference, or it is so already.
    pub(super) fn order_member(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, order, by): (LegId, OrderKind, String),
        out: &mut Vec<Output>,
    ) -> Result<(), OrderError> {
        if leg != self.party || !matches!(self.stage, Stage::Conference(_)) {
            return Err(OrderError::NotInConference);
        }
        let fact = Fact::Ordered { order, by, leg: Some(leg), to: None };
        match order {
            OrderKind::Kick => {
                self.fact(now, out, fact);
                self.end(now, site, HungUpBy::Switch, (200, 16, "kicked"), out);
            }
            order => {
                let mute = order == OrderKind::Mute;
                if !self.mute(now, site, mute, out) {
                    return Err(if mute { OrderError::Muted } else { OrderError::NotMuted });
                }
                self.fact(now, out, fact);
            }
        }
        Ok(())
    }
}

/// Orders of a conference go to its media thread, also about legs of other calls.
fn tell(commands: impl IntoIterator<Item = (u8, Command)>, out: &mut Vec<Output>) {
    out.extend(commands.into_iter().map(|(thread, command)| Output::Media(thread, command)));
}
