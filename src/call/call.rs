//! A call: the caller, everyone rung or talking for him, and the stage he is in.
//!
//! Spec:     a back-to-back user agent (RFC 3261 §6): each leg is a dialog of its own.
//! In:       what its legs, its media and the ACD say, orders of administrators, time.
//! Out:      messages, media orders, ledger entries.
//! Not here: one leg's dialog (`call::leg`), which agent is next (`acd`), menus (`ivr`).

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use crate::acd;
use crate::call::asking::Wanted;
use crate::call::audio::Audio;
use crate::call::called_back::CalledBack;
use crate::call::caller::{Caller, Origin};
use crate::call::camping::Camping;
use crate::call::codes::Dialogue;
use crate::call::control::Summons;
use crate::call::ending::Ending;
use crate::call::identity::Diverted;
use crate::call::invite;
use crate::call::joining::{Joining, Place};
use crate::call::leg::{self, Leg};
use crate::call::park::Parked;
use crate::call::queueing::Waiting;
use crate::call::ringing::Ringing;
use crate::call::services::Services;
use crate::call::site::{Plan, Site};
use crate::call::supervision::{Supervisor, Wish};
use crate::call::talking::Talking;
use crate::call::transfer::Transfer;
use crate::call::trunk::Outgoing;
use crate::call::trunk::legs::prepare;
use crate::cdr::decision::{RULES_MAX, RulePassed, RulesPassed};
use crate::cdr::entry::{Entry, Fact, HungUpBy};
use crate::id::{CallId, ConferenceId, ExtensionId, LegId, PromptId, SkillId, Target};
use crate::ivr::collect::{Collect, Input as CodeInput};
use crate::ivr::machine::{Input as MenuInput, Session as Menu};
use crate::media::control::{Command, Event, Playback, Sound};
use crate::route::rules::{Call as Dialled, Dest};
use crate::sdp::{Codec, Security, Session};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::message::{Request, Response};
use crate::sip::registrar::Phone;
use crate::sip::transaction::{ClientId, ServerKey};
use crate::time::{Duration, Epoch, Instant};

/// What can happen to a call.
#[derive(Debug)]
pub enum Input {
    /// A decision about this caller.
    Acd(acd::Output),
    /// The node stops, or a limit is reached; says which.
    HangUp(&'static str),
    /// Whether he is called back who asked for it: that is durable, or there is nothing of it.
    Promised(bool),
    /// Something in the dialog of a leg.
    Leg(LegId, leg::Input),
    Media(Event),
    Tick,
    /// There was no such place in another call, or not for this leg; says why in a status.
    Unjoined(u16),
}

/// What a call asks of the Switch, in order.
#[derive(Debug)]
pub enum Output {
    /// An ACK of a 2xx: sent as it is, outside any transaction.
    Ack {
        flow: Flow,
        request: Request,
    },
    /// The caller asks to be called back; answered by `Input::Promised`.
    CallBack(Box<Wanted>),
    Cancel {
        client: ClientId,
        reason: Option<&'static str>,
    },
    /// A leg's dialog stands, or (`None`) it is over: what a later start needs to end it.
    Dialog {
        leg: LegId,
        dialog: Option<Box<Dialog>>,
    },
    Entry(Entry),
    /// A leg is to take a place in another call; answered by `Input::Unjoined` if it cannot.
    Join {
        leg: LegId,
        place: Place,
    },
    /// A leg was made; requests with this tag of ours are for it.
    LegBegan {
        leg: LegId,
        tag: String,
    },
    /// For the media thread with this number.
    Media(u8, Command),
    /// The call is over, and the file of a leg's recording is not complete yet: its end is an entry
    /// of its own.
    Recording {
        leg: LegId,
        call: CallId,
    },
    /// A private call began or ended at this phone: queue calls must not disturb it.
    Occupied {
        extension: ExtensionId,
        is: bool,
    },
    Request {
        leg: LegId,
        client: ClientId,
        flow: Flow,
        request: Request,
    },
    Respond {
        key: ServerKey,
        response: Response,
    },
    /// What an account's person wants when he is called: kept over a restart.
    Services {
        extension: ExtensionId,
        services: Services,
    },
}

/// An INVITE with good credentials, and what routes it.
#[derive(Debug)]
pub struct Invited {
    pub key: ServerKey,
    pub request: Request,
    pub flow: Flow,
    /// The offer in it, if it has one.
    pub offer: Option<Session>,
    pub caller: Caller,
}

/// What the caller goes through.
#[derive(Debug)]
pub enum Stage {
    /// Waits for the talk of an agent whom he wants to supervise.
    Camping(Camping),
    /// Was called back, and is asked whether he is there.
    Confirming(Collect),
    /// Talks with many.
    Conference(ConferenceId),
    /// Hears himself.
    Echo,
    Ending(Ending),
    /// Hears a last prompt.
    Listening {
        prompt: PromptId,
        reason: &'static str,
    },
    /// Types what a feature code asks for.
    Dialling(Dialogue),
    Menu(Box<Menu>),
    /// Is called out for, over a trunk.
    Outgoing(Box<Outgoing>),
    /// Waits to be fetched.
    Parked(Parked),
    Ringing(Ringing),
    /// Nothing is decided yet.
    Routing,
    Talking(Talking),
    Waiting(Box<Waiting>),
}

/// A call in progress.
#[derive(Debug)]
pub struct Call {
    pub(super) id: CallId,
    /// By which the ACD knows the one who is served: this call's, or that of one that he joined.
    pub(super) acd_id: CallId,
    pub(super) plan: Arc<Plan>,
    pub(super) caller: Caller,
    /// The caller's own leg; none has this name until he answers a call that was ordered for him.
    pub(super) first: LegId,
    /// The leg that goes through the stages: the caller's, until he hands his place on.
    pub(super) party: LegId,
    /// The one phone of its account that is meant (RFC 5627).
    pub(super) meant: Option<Phone>,
    /// The phones that ring are the caller's own.
    pub(super) summons: Option<Summons>,
    pub(super) legs: BTreeMap<LegId, Leg>,
    pub(super) stage: Stage,
    pub(super) began: Instant,
    /// The wall clock of the call's records: the same for all, also if it is set meanwhile.
    pub(super) epoch: Epoch,
    /// When the caller got his 200.
    pub(super) answered: Option<Instant>,
    /// Skills that menus asked for.
    pub(super) skills: BTreeMap<SkillId, u8>,
    /// What an agent had better be able to do.
    pub(super) prefer: BTreeMap<SkillId, u8>,
    /// By how much menus let him come earlier than he did.
    pub(super) priority: Duration,
    /// Since when he has waited for an agent, in whatever queue; none before, and once he had one.
    pub(super) waits_since: Option<Instant>,
    /// Whom it is made for, if somebody asked to be called back.
    pub(super) called_back: Option<CalledBack>,
    /// Somebody is on his way to where a phone has sent him.
    pub(super) transfer: Option<Transfer>,
    /// How often that has happened.
    pub(super) transfers: u8,
    /// The accounts that forwarded the call, and why.
    pub(super) diverted: Vec<Diverted>,
    /// Who listens to the talk, or takes part in it, without being one of the two.
    pub(super) supervisors: Vec<Supervisor>,
    /// Whom the caller is to supervise, as somebody has ordered.
    pub(super) wish: Option<Wish>,
    /// Legs that have nothing to do here any more, and when they are hung up.
    pub(super) parting: Vec<(LegId, Instant)>,
    /// Legs whose phones hold the other side.
    pub(super) holding: BTreeSet<LegId>,
    /// How many recordings were begun.
    pub(super) recordings: u32,
    /// Legs whose media is open, with their media threads; all legs that are to hear each other are
    /// on one.
    pub(super) open_media: BTreeMap<LegId, u8>,
    /// Recordings whose files are not complete.
    pub(super) open_recordings: BTreeMap<LegId, String>,
    /// Whether they are silent because somebody wants so.
    pub(super) paused: bool,
    /// The last keys of each phone that talks.
    pub(super) typed: BTreeMap<LegId, String>,
    /// Every request ever sent and every tag ever used, for the Switch to forget at the end.
    pub(super) clients: Vec<(LegId, ClientId)>,
    pub(super) tags: Vec<(LegId, String)>,
    /// Legs that came from other calls.
    pub(super) guests: Vec<LegId>,
    /// Legs on their way to another media thread, with the orders that wait for them.
    pub(super) moving: BTreeMap<LegId, Vec<Command>>,
    /// A phone wants to have somebody put into a place of another call.
    pub(super) joining: Option<Joining>,
    pub(super) legs_made: u16,
    pub(super) plays: u32,
    /// What the party hears: its end is known by it from that of an earlier one.
    pub(super) hears: Option<Playback>,
    /// How often the call was sent somewhere: what makes a loop end.
    pub(super) hops: u8,
    /// What is left of the caller's Max-Forwards for those whom he calls (RFC 7332 §3).
    pub(super) max_forwards: u8,
    pub(super) thread: u8,
}

impl Call {
    /// A call for an INVITE; `None` if no media port is left (the caller is owed a 503).
    pub fn new(
        now: Instant,
        id: CallId,
        invited: Invited,
        plan: Arc<Plan>,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Self> {
        let port = site.ports.take()?;
        let leg_id = LegId { call: id, index: 0 };
        let times = (now, site.settings.epoch);
        let mut call = Self::bare(times, id, (invited.caller, port.thread), plan);
        call.max_forwards = invite::hops_left(&invited.request);
        call.set_up(now, invited.request.call_id().to_owned(), out);
        let place = (site.media_address(&invited.flow), port);
        let sealing = site.sealing(&invited.flow, call.srtp());
        let audio = Audio::new(place, site.settings.ptime, id.as_u64(), sealing);
        let flow = invited.flow;
        let key = (invited.key, invited.request, flow);
        let mut leg = Leg::invited(leg_id, key, invited.offer, audio, site);
        leg.extension = call.caller.extension().cloned();
        leg.identity = call.caller.identity();
        leg.trunk = call.caller.trunk().cloned();
        if let Some(trunk) = leg.trunk.clone() {
            site.lines.began(&trunk);
            if let Some(config) = call.plan.trunks.get(&trunk) {
                prepare(&mut leg, config, &[]);
            }
        }
        call.open_media.insert(leg_id, port.thread);
        out.push(Output::Media(port.thread, Command::Open { leg: leg_id, port }));
        call.leg_began(&leg, out);
        call.legs.insert(leg_id, leg);
        Some(call)
    }

    /// Whether the caller's audio is encrypted, if his account or trunk says so.
    fn srtp(&self) -> Option<Security> {
        match &self.caller.origin {
            Origin::Extension(extension) => self.plan.extensions.get(extension)?.srtp,
            Origin::Trunk(trunk) => self.plan.trunks.get(trunk)?.srtp,
        }
    }

    /// A call without legs.
    pub(super) fn bare(
        (began, epoch): (Instant, Epoch),
        id: CallId,
        (caller, thread): (Caller, u8),
        plan: Arc<Plan>,
    ) -> Self {
        let first = LegId { call: id, index: 0 };
        Self {
            id,
            acd_id: id,
            plan,
            caller,
            first,
            party: first,
            meant: None,
            summons: None,
            legs: BTreeMap::new(),
            stage: Stage::Routing,
            began,
            epoch,
            answered: None,
            skills: BTreeMap::new(),
            prefer: BTreeMap::new(),
            priority: Duration::ZERO,
            waits_since: None,
            called_back: None,
            transfer: None,
            transfers: 0,
            diverted: Vec::new(),
            supervisors: Vec::new(),
            wish: None,
            parting: Vec::new(),
            holding: BTreeSet::new(),
            recordings: 0,
            open_media: BTreeMap::new(),
            open_recordings: BTreeMap::new(),
            paused: false,
            typed: BTreeMap::new(),
            clients: Vec::new(),
            tags: Vec::new(),
            guests: Vec::new(),
            moving: BTreeMap::new(),
            joining: None,
            legs_made: 1,
            plays: 0,
            hears: None,
            hops: 0,
            max_forwards: invite::MAX_FORWARDS,
            thread,
        }
    }

    /// Writes the first fact.
    pub(super) fn set_up(&self, now: Instant, sip_call_id: String, out: &mut Vec<Output>) {
        let caller = &self.caller;
        let fact = Fact::Setup {
            direction: self.direction(),
            from: caller.sent.clone(),
            e164: caller.e164.clone(),
            name: caller.name.clone(),
            extension: caller.extension().cloned(),
            trunk: caller.trunk().cloned(),
            did: caller.did.clone(),
            to: caller.dialled.clone(),
            sip_call_id,
            config: self.plan.version,
        };
        self.fact(now, out, fact);
    }

    /// Sends the call where a rule of the plan says.
    pub fn route(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (rule, dest): (String, Dest),
        out: &mut Vec<Output>,
    ) {
        let hangs_up = matches!(dest, Dest::Target(Target::Hangup(_)));
        if !hangs_up && !self.can_talk(site) {
            // Before anybody's phone rings for a call that can never be.
            self.fail(now, site, HungUpBy::Switch, (488, cause_of(488), "no_common_codec"), out);
            return;
        }
        match dest {
            Dest::Target(target) => {
                self.tell_rules_passed(now, out);
                let fact = Fact::Routed { rule, target: target.clone() };
                self.fact(now, out, fact);
                if self.class(now, site, out) {
                    return self.refuse(now, site, "customer_refused", out);
                }
                self.go(now, site, target, out);
            }
            Dest::Code(code) => self.dial_code(now, site, code, out),
            Dest::Emergency => self.call_emergency(now, site, rule, out),
        }
    }

    /// Writes which rules did not match before the one that does.
    fn tell_rules_passed(&self, now: Instant, out: &mut Vec<Output>) {
        let caller = &self.caller;
        let dialled = Dialled {
            from: &caller.number,
            to: &caller.dialled,
            extension: caller.extension(),
            trunk: caller.trunk(),
            at: self.epoch.wall(now),
        };
        let (passed, more) = self.plan.routes.passed(&dialled, RULES_MAX);
        if !passed.is_empty() {
            let passed = passed.into_iter();
            let rules = passed.map(|it| RulePassed { rule: it.rule, reason: it.reason }).collect();
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            self.fact(now, out, Fact::RulesPassed(RulesPassed { rules, more }));
        }
    }

    /// Whether the caller's offer, if there is one, has audio that we can take part in.
    fn can_talk(&self, site: &Site<'_>) -> bool {
        let codecs = self.codecs_of(self.party, site);
        self.legs.get(&self.party).is_none_or(|leg| leg.can_talk(&codecs))
    }

    /// Sends the caller away who may not call there.
    pub fn refuse(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        reason: &'static str,
        out: &mut Vec<Output>,
    ) {
        self.fail(now, site, HungUpBy::Switch, (403, CALL_REJECTED, reason), out);
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        match input {
            Input::Acd(decision) => self.decided(now, site, decision, out),
            Input::HangUp(reason) => {
                self.end(now, site, HungUpBy::Switch, (480, 16, reason), out);
            }
            Input::Leg(leg, input) => self.drive(now, site, leg, input, out),
            Input::Media(event) => self.media(now, site, event, out),
            Input::Promised(promised) => self.promised(now, site, promised, out),
            Input::Tick => self.tick(now, site, out),
            Input::Unjoined(status) => self.unjoined(now, site, status, out),
        }
        self.transfer_progress(now, site, out);
        self.sweep(now, site, out);
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Camping(camping) => Some(camping.next_tick()),
            Stage::Confirming(collect) => collect.next_tick(),
            Stage::Dialling(dialogue) => dialogue.next_tick(),
            Stage::Ending(ending) => ending.next_tick(!self.open_media.is_empty()),
            Stage::Menu(machine) => machine.next_tick(),
            Stage::Outgoing(outgoing) => Some(outgoing.next_tick()),
            Stage::Parked(parked) => Some(parked.until),
            Stage::Ringing(ringing) => Some(ringing.until),
            Stage::Waiting(waiting) => waiting.next_tick(),
            Stage::Conference(_)
            | Stage::Echo
            | Stage::Listening { .. }
            | Stage::Routing
            | Stage::Talking(_) => None,
        };
        let parting = self.parting.iter().map(|(_, at)| *at);
        self.legs.values().filter_map(Leg::next_tick).chain(stage).chain(parting).min()
    }

    /// Whether nothing of the call is left: its record is written, its legs are gone.
    pub fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Ending(ending) if ending.is_recorded()) && self.legs.is_empty()
    }

    /// By which the caller is known when he calls again.
    pub fn caller_number(&self) -> Option<&str> {
        self.caller.known_by()
    }

    pub fn id(&self) -> CallId {
        self.id
    }

    pub fn caller_leg(&self) -> LegId {
        self.first
    }

    /// The leg of the one who is served.
    pub fn party(&self) -> LegId {
        self.party
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    /// When the caller got his 200.
    pub fn answered(&self) -> Option<Instant> {
        self.answered
    }

    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The legs that are not gone; the caller's first.
    pub fn legs(&self) -> impl ExactSizeIterator<Item = &Leg> {
        self.legs.values()
    }

    /// Whether a recording of this call is being written.
    pub fn is_recording(&self) -> bool {
        !self.open_recordings.is_empty()
    }

    /// Requests that the Switch has remembered for this call.
    pub fn clients(&self) -> impl Iterator<Item = &ClientId> {
        self.clients.iter().map(|(_, client)| client)
    }

    /// Tags of its legs, which the Switch has remembered.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|(_, tag)| tag.as_str())
    }

    /// Legs of other calls that came to this one.
    pub fn guests(&self) -> &[LegId] {
        &self.guests
    }

    /// Whether the leg is there, in the dialog with this Call-ID.
    ///
    /// `remote_tag` is the peer's, if the dialog stands: strangers and lost forks have another.
    pub fn has_leg(&self, leg: LegId, sip_call_id: &str, remote_tag: Option<&str>) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.is_dialog_of(sip_call_id, remote_tag))
    }

    /// Sends the caller to a target; whatever he was in is over.
    pub(super) fn go(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        target: Target,
        out: &mut Vec<Output>,
    ) {
        self.hops += 1;
        if self.hops > HOPS_MAX {
            self.fail(now, site, HungUpBy::Switch, (482, 25, "loop"), out);
            return;
        }
        if !self.plan.access.takes(&target, &self.caller.number) {
            self.refuse(now, site, "caller_not_taken", out);
            return;
        }
        self.stage = Stage::Routing;
        match target {
            Target::Agent(agent) => self.ring_agent(now, site, &agent, out),
            Target::Conference(conference) => {
                self.enter_conference(now, site, conference, out);
            }
            Target::Extension(extension) => self.call_extension(now, site, &extension, out),
            Target::Hangup(status) => {
                let cause = cause_of(status);
                self.fail(now, site, HungUpBy::Switch, (status, cause, "rule"), out);
            }
            Target::Menu(menu) => self.enter_menu(now, site, menu, out),
            Target::Prompt(prompt) => self.announce(now, site, prompt, "announcement", out),
            Target::Queue(queue) => self.enter_queue(now, site, queue, out),
            Target::Trunk(to) => self.call_out(now, site, &to, out),
        }
    }

    /// Plays a last prompt, then hangs up with `reason`.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        prompt: PromptId,
        reason: &'static str,
        out: &mut Vec<Output>,
    ) {
        self.answer_caller(now, site, None, out);
        if matches!(self.stage, Stage::Ending(_)) {
            return; // the answer failed
        }
        self.play(self.party, vec![Sound::Prompt(prompt.clone())], false, out);
        self.stage = Stage::Listening { prompt, reason };
    }

    /// Accepts the caller's INVITE, unless that is done; `spoken` is what the other side speaks.
    ///
    /// If that fails, the call is ending when this returns.
    pub(super) fn answer_caller(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        spoken: Option<Codec>,
        out: &mut Vec<Output>,
    ) {
        if self.answered.is_some() {
            return;
        }
        let codecs = self.codecs_after(site, spoken);
        self.drive(now, site, self.party, leg::Input::Answer(codecs), out);
        if self.legs.get(&self.party).is_some_and(Leg::is_accepted) {
            self.answered = Some(now);
            self.fact(now, out, Fact::Answered);
        }
    }

    /// What may be spoken with the party, the codec of the other side first.
    pub(super) fn codecs_after(&self, site: &Site<'_>, spoken: Option<Codec>) -> Vec<Codec> {
        let all = self.codecs_of(self.party, site);
        let spoken = spoken.filter(|codec| all.contains(codec));
        let rest = all.iter().copied().filter(|codec| Some(*codec) != spoken);
        spoken.into_iter().chain(rest).collect()
    }

    /// The codec that a leg speaks.
    pub(super) fn spoken_by(&self, leg: LegId) -> Option<Codec> {
        let agreed = self.legs.get(&leg)?.audio().agreed()?;
        agreed.codecs.first().map(|payload| payload.codec)
    }

    fn tick(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let due: Vec<LegId> = (self.legs.iter())
            .filter(|(_, leg)| leg.next_tick().is_some_and(|at| at <= now))
            .map(|(leg, _)| *leg)
            .collect();
        for leg in due {
            self.drive(now, site, leg, leg::Input::Tick, out);
        }
        let parted: Vec<LegId> =
            self.parting.extract_if(.., |(_, at)| *at <= now).map(|(leg, _)| leg).collect();
        for leg in parted {
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
        }
        match &self.stage {
            Stage::Camping(_) => self.camping_tick(now, out),
            Stage::Confirming(_) => self.confirming_input(now, site, CodeInput::Tick, out),
            Stage::Dialling(_) => self.code_input(now, site, CodeInput::Tick, out),
            Stage::Ending(_) => self.settle(now, site, out),
            Stage::Menu(_) => self.menu_input(now, site, MenuInput::Tick, out),
            Stage::Outgoing(_) => self.outgoing_tick(now, site, out),
            Stage::Parked(parked) if now >= parked.until => self.parked_too_long(now, site, out),
            Stage::Ringing(ringing) if now >= ringing.until => {
                self.nobody_picked_up(now, site, out)
            }
            Stage::Waiting(_) => self.waiting_tick(now, site, out),
            Stage::Conference(_)
            | Stage::Echo
            | Stage::Listening { .. }
            | Stage::Parked(_)
            | Stage::Ringing(_)
            | Stage::Routing
            | Stage::Talking(_) => {}
        }
    }

    /// Forgets the legs that are gone, and closes the books when the last media is.
    pub(super) fn sweep(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        self.end_holds(now, out);
        let gone: Vec<LegId> =
            self.legs.iter().filter(|(_, leg)| leg.is_gone()).map(|(leg, _)| *leg).collect();
        for leg in gone {
            if let Some(leg) = self.legs.remove(&leg) {
                self.free_seat(&leg, out);
                self.parting.retain(|(parting, _)| *parting != leg.id);
                if let Some(trunk) = &leg.trunk {
                    site.lines.ended(trunk);
                }
            }
        }
        self.settle(now, site, out);
    }

    /// Writes a fact into the ledger.
    pub(super) fn fact(&self, now: Instant, out: &mut Vec<Output>, fact: Fact) {
        out.push(Output::Entry(Entry { at: self.epoch.wall(now), call: Some(self.id), fact }));
    }

    /// Takes the stage out, to leave it or to change it.
    pub(super) fn take_stage(&mut self) -> Stage {
        mem::replace(&mut self.stage, Stage::Routing)
    }
}

/// The Q.850 cause that a SIP status stands for (RFC 3398 §8.2.6.1).
pub(super) fn cause_of(status: u16) -> u8 {
    match status {
        404 | 604 => 1,
        486 | 600 => 17,
        480 => 18,
        603 | 403 => 21,
        408 => 102,
        484 => 28,
        488 | 606 => 65,
        482 | 483 => 25,
        487 => 16,
        503 => 34,
        _ => 31,
    }
}

/// Q.850 cause 21.
const CALL_REJECTED: u8 = 21;
/// Targets that one call can be sent to before it is taken for a loop.
const HOPS_MAX: u8 = 32;

/// How long the books stay open for media reports after the end.
pub(super) const MEDIA_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long they stay open for a recording's file: a disk that is well needs milliseconds.
pub(super) const SEALING_WAIT_MAX: Duration = Duration::from_secs(1);
