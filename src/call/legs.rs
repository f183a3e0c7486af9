//! The legs of a call: rung, driven, listened to.

use crate::acd::config::Srtp;
use crate::call::audio::Audio;
use crate::call::call::{Call, Output, Stage, cause_of};
use crate::call::identity::{Manner, Shown};
use crate::call::invite::Dial;
use crate::call::leg::presses::Way;
use crate::call::leg::{self, Leg};
use crate::call::site::Site;
use crate::call::transfer::Transfer;
use crate::cdr::entry::{Fact, HungUpBy};
use crate::id::{AgentId, ExtensionId, LegId, QueueId};
use crate::ivr::collect::Input as CodeInput;
use crate::ivr::machine::Input as MenuInput;
use crate::media::control::Command;
use crate::sdp::{Codec, Security};
use crate::sip::registrar::Binding;
use crate::time::Instant;

impl Call {
    /// Rings one phone; `None` if no port is left for it, or the call has rung 65,535 already.
    pub(super) fn dial(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        extension: &ExtensionId,
        binding: &Binding,
        (agent, queue): (Option<AgentId>, Option<QueueId>),
        out: &mut Vec<Output>,
    ) -> Option<LegId> {
        let mut shown = self.shown();
        if self.summons.is_some() {
            (shown.number, shown.name) = (self.caller.dialled.clone(), None);
        }
        let referred_by = self.transfer.as_ref().and_then(Transfer::referred_by);
        let referred_by = referred_by.map(str::to_owned);
        let rings = queue.as_ref().and_then(|queue| self.plan.acd.queues.get(queue));
        let alert = rings.map(|queue| &queue.alert).filter(|alert| !alert.is_empty());
        let is_outside = self.legs.get(&self.party).is_some_and(|party| party.trunk.is_some());
        let usual = match is_outside {
            true => &self.plan.calls.alert_external,
            false => &self.plan.calls.alert_internal,
        };
        let alert = alert.unwrap_or(usual).clone();
        let diverted = if agent.is_none() { self.diverted.clone() } else { Vec::new() };
        let manner = Manner {
            hidden: shown.hidden,
            diverted: &diverted,
            alert: &alert,
            auto_answer: rings.is_some_and(|queue| queue.auto_answer)
                || self.summons.as_ref().is_some_and(|summons| summons.auto_answer),
            ..Manner::default()
        };
        let dial = Dial {
            user: extension.as_str(),
            uri: &binding.contact,
            path: binding.path,
            route: &binding.route,
            from: &shown.number,
            name: shown.name.as_deref(),
            referred_by: referred_by.as_deref(),
            srtp: security(
                self.plan.extensions.get(extension).and_then(|account| account.srtp),
                rings.and_then(|queue| queue.srtp),
            ),
            outside: None,
            manner,
            max_forwards: self.max_forwards,
        };
        let codecs = self.codecs_within(&site.settings.codecs);
        let (mut leg, steps) = self.make_leg(site, &dial, &codecs)?;
        let id = leg.id;
        leg.extension = Some(extension.clone());
        leg.identity = self.plan.identity_of(extension);
        leg.agent.clone_from(&agent);
        let fact = Fact::Offered { leg: id, extension: extension.clone(), agent, queue };
        self.place_leg(now, site, leg, (fact, steps), out);
        Some(id)
    }

    /// The number of one more leg, unless the call has had 65,535.
    pub(super) fn number_leg(&mut self) -> Option<LegId> {
        let index = self.legs_made;
        self.legs_made = index.checked_add(1)?;
        Some(LegId { call: self.id, index })
    }

    /// A leg that we call, and what it asks for; `None` as of `dial`.
    pub(super) fn make_leg(
        &mut self,
        site: &mut Site<'_>,
        dial: &Dial<'_>,
        codecs: &[Codec],
    ) -> Option<(Leg, Vec<leg::Output>)> {
        let number = self.legs_made;
        let next = number.checked_add(1)?;
        let port = site.ports.take_on(self.thread)?;
        self.legs_made = next;
        let id = LegId { call: self.id, index: number };
        let session = self.id.as_u64() ^ u64::from(number);
        let place = (site.media_address(&dial.path.flow), port);
        let sealing = site.sealing(&dial.path.flow, dial.srtp);
        let mut audio = Audio::new(place, site.settings.ptime, session, sealing);
        if let Some(party) = self.legs.get(&self.party) {
            audio.want_ear(party.ear());
        }
        let mut steps = Vec::new();
        let leg = Leg::inviting(id, dial, audio, codecs, site, &mut steps);
        Some((leg, steps))
    }

    /// Takes a leg that was made into the call; `fact` says why it is called.
    pub(super) fn place_leg(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: Leg,
        (fact, steps): (Fact, Vec<leg::Output>),
        out: &mut Vec<Output>,
    ) {
        let id = leg.id;
        self.open_media.insert(id, self.thread);
        self.leg_began(&leg, out);
        self.fact(now, out, fact);
        let sip_call_id = leg.dialog_key().0.to_owned();
        self.fact(now, out, Fact::LegSetup { leg: id, sip_call_id });
        self.legs.insert(id, leg);
        self.carry_out(now, site, id, steps, out);
    }

    /// The one who is served, as other phones show him.
    pub fn shown(&self) -> Shown {
        let party = self.legs.get(&self.party);
        party.map_or_else(|| self.caller.identity(), |party| party.identity.clone())
    }

    /// The codecs that may be spoken on a leg, the preferred first.
    pub(super) fn codecs_of(&self, leg: LegId, site: &Site<'_>) -> Vec<Codec> {
        let trunk = self.legs.get(&leg).and_then(|leg| self.plan.trunks.get(leg.trunk.as_ref()?));
        let codecs = trunk.and_then(|trunk| trunk.codecs.as_ref());
        codecs.unwrap_or(&site.settings.codecs).clone()
    }

    /// The codecs of `all` to offer somebody who is to talk with the caller: his own first.
    pub(super) fn codecs_within(&self, all: &[Codec]) -> Vec<Codec> {
        let mut codecs =
            self.legs.get(&self.party).map(|party| party.spoken(all)).unwrap_or_default();
        let rest: Vec<_> = all.iter().copied().filter(|codec| !codecs.contains(codec)).collect();
        codecs.extend(rest);
        codecs
    }

    /// The party is told what the one can hear whom it is to talk with.
    pub(super) fn suit_party(&mut self, peer: LegId) {
        let ear = self.legs.get(&peer).map(Leg::ear);
        if let (Some(ear), Some(party)) = (ear, self.legs.get_mut(&self.party)) {
            party.want_ear(ear);
        }
    }

    /// Gives an input to a leg and carries out what it asks.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        input: leg::Input,
        out: &mut Vec<Output>,
    ) {
        let Some(it) = self.legs.get_mut(&leg) else { return };
        let mut steps = Vec::new();
        it.handle(now, site, input, &mut steps);
        self.carry_out(now, site, leg, steps, out);
    }

    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        steps: Vec<leg::Output>,
        out: &mut Vec<Output>,
    ) {
        for step in steps {
            match step {
                leg::Output::Ack { flow, request } => out.push(Output::Ack { flow, request }),
                leg::Output::Cancel { client, reason } => {
                    out.push(Output::Cancel { client, reason });
                }
                leg::Output::Dialog(dialog) => out.push(Output::Dialog { leg, dialog }),
                leg::Output::Event(event) => self.leg_event(now, site, leg, event, out),
                leg::Output::Media(command) => self.order(command, out),
                leg::Output::Request { client, flow, request } => {
                    self.clients.push((leg, client));
                    out.push(Output::Request { leg, client, flow, request });
                }
                leg::Output::Respond { key, response } => {
                    out.push(Output::Respond { key, response });
                }
            }
        }
    }

    /// Something that one of the legs did.
    pub(super) fn leg_event(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        event: leg::Event,
        out: &mut Vec<Output>,
    ) {
        match event {
            // The ACK of our 200 to who called: nothing waits for it.
            leg::Event::Answered if leg.index == 0 => {}
            leg::Event::Answered => match &self.stage {
                Stage::Outgoing(outgoing) if outgoing.leg() == leg => {
                    self.attempt_answered(now, site, leg, out);
                }
                Stage::Ringing(_) => self.picked_up(now, site, leg, out),
                Stage::Waiting(_) => self.agent_picked_up(now, site, leg, out),
                _ => self.drive(now, site, leg, leg::Input::HangUp(None), out),
            },
            leg::Event::Digit(digit) => {
                if self.is_new_key(now, leg, (Way::Info, digit)) {
                    self.key(now, site, (leg, digit), out);
                    self.press_on_other(leg, digit, out);
                }
            }
            leg::Event::EarlyAudio => self.early_audio(now, site, leg, out),
            leg::Event::Held(held) => self.held(now, leg, held, out),
            leg::Event::HungUp => self.hung_up(now, site, leg, None, out),
            leg::Event::Lost(why) => self.hung_up(now, site, leg, Some(why), out),
            leg::Event::Modified => {} // nothing waits for it
            leg::Event::NotModified(_) => self.not_modified(now, leg, out),
            leg::Event::Redirected { status, number } => {
                self.redirected(now, site, leg, (status, &number), out);
            }
            leg::Event::Referred(refer) => self.referred(now, site, leg, &refer, out),
            leg::Event::Refused(status) => self.refused(now, site, leg, status, out),
            leg::Event::Trying => self.attempt_heard(leg),
            leg::Event::Ringing => {
                self.attempt_heard(leg);
                self.fact(now, out, Fact::Ringing { leg });
                let rings = matches!(self.stage, Stage::Outgoing(_) | Stage::Ringing(_));
                if rings && self.answered.is_none() {
                    self.drive(now, site, self.party, leg::Input::Ring, out);
                }
            }
        }
    }

    /// A party has left; `lost` says how it was noticed that it is gone without a word.
    pub(super) fn hung_up(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        lost: Option<&'static str>,
        out: &mut Vec<Output>,
    ) {
        if self.supervisor_left(now, leg, out) {
            return;
        }
        let cause = if lost.is_some() { NO_LIFE } else { 16 };
        let talks = matches!(&self.stage, Stage::Talking(talking) if talking.peer == leg);
        if leg == self.party || talks {
            let status = if self.answered.is_some() { 200 } else { 487 };
            let (by, reason) = match leg == self.caller_leg() {
                true => (HungUpBy::Caller, "caller_hung_up"),
                false => (HungUpBy::Callee, "callee_hung_up"),
            };
            self.end(now, site, by, (status, cause, lost.unwrap_or(reason)), out);
            return;
        }
        if matches!(self.stage, Stage::Waiting(_)) {
            self.agent_left(now, site, leg, out);
        }
    }

    pub(super) fn refused(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        leg: LegId,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        if leg == self.party {
            let why = (status, cause_of(status), "offer_refused");
            self.end(now, site, HungUpBy::Switch, why, out);
            return;
        }
        match &self.stage {
            Stage::Outgoing(outgoing) if outgoing.leg() == leg => {
                self.attempt_refused(now, site, (leg, status), out);
            }
            Stage::Ringing(_) => self.phone_refused(now, site, leg, status, out),
            Stage::Waiting(_) => self.agent_refused(now, site, leg, status, out),
            _ => {}
        }
    }

    /// Whether a key is not one that came by another way already.
    pub(super) fn is_new_key(&mut self, now: Instant, leg: LegId, key: (Way, char)) -> bool {
        let leg = self.legs.get_mut(&leg);
        leg.is_none_or(|leg| leg.presses.is_new(now, key.0, key.1))
    }

    /// A key of one side: for us, or for the other side if the audio does not carry it there.
    pub(super) fn key(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, key): (LegId, char),
        out: &mut Vec<Output>,
    ) {
        if self.supervisor_key(now, site, (leg, key), out) {
            return;
        }
        if leg == self.party {
            self.digit(now, site, key, out);
        }
        let Stage::Talking(talking) = &self.stage else { return };
        let other = if leg == self.party { talking.peer } else { self.party };
        self.press_in_talk(now, (leg, key), out);
        if self.legs.get(&other).is_some_and(|other| !other.audio().carries_digits()) {
            self.drive(now, site, other, leg::Input::Key(key), out);
        }
    }

    /// The other side of a talk gets a key by its audio, which did not bring it there: the key came
    /// by SIP INFO, or others are mixed in.
    pub(super) fn press_on_other(&mut self, leg: LegId, key: char, out: &mut Vec<Output>) {
        let Some(other) = self.talks_with(leg) else { return };
        if self.legs.get(&other).is_some_and(|other| other.audio().carries_digits()) {
            self.order(Command::Press { leg: other, key }, out);
        }
    }

    /// A key of the caller's phone.
    pub(super) fn digit(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        digit: char,
        out: &mut Vec<Output>,
    ) {
        match &mut self.stage {
            Stage::Conference(_) => self.conference_key(now, site, digit, out),
            Stage::Menu(_) => self.menu_input(now, site, MenuInput::Digit(digit), out),
            Stage::Confirming(_) => {
                self.confirming_input(now, site, CodeInput::Digit(digit), out);
            }
            Stage::Dialling(_) => self.code_input(now, site, CodeInput::Digit(digit), out),
            Stage::Waiting(_) => self.waiting_key(now, site, digit, out),
            _ => {}
        }
    }

    pub(super) fn leg_began(&mut self, leg: &Leg, out: &mut Vec<Output>) {
        let tag = leg.dialog_key().1.to_owned();
        self.tags.push((leg.id, tag.clone()));
        out.push(Output::LegBegan { leg: leg.id, tag });
        if let (Some(extension), None) = (&leg.extension, &leg.agent) {
            out.push(Output::Occupied { extension: extension.clone(), is: true });
        }
    }

    pub(super) fn free_seat(&self, leg: &Leg, out: &mut Vec<Output>) {
        if let (Some(extension), None) = (&leg.extension, &leg.agent) {
            out.push(Output::Occupied { extension: extension.clone(), is: false });
        }
    }
}

/// What a queue says counts for the phones that it rings, but for an account that requires it.
fn security(account: Option<Security>, queue: Option<Srtp>) -> Option<Security> {
    match (account, queue) {
        (Some(Security::Required), _) | (_, None) => account,
        (_, Some(Srtp::Off)) => Some(Security::Off),
        (_, Some(Srtp::Preferred)) => Some(Security::Preferred),
        (_, Some(Srtp::Required)) => Some(Security::Required),
    }
}

/// The Q.850 cause of a party that is gone without a word: recovery on timer expiry.
const NO_LIFE: u8 = 102;
