//! One party's side of a call: an INVITE and the dialog it makes, until both sides have left.
//!
//! Spec:     RFC 3261 §12 to §15 as caller and callee, RFC 3262 (PRACK), RFC 3311 (UPDATE),
//!           RFC 4028 (session timers), RFC 6086 (INFO digits).
//! In:       what the phone sends in this dialog, what the call wants of it, the passing of time.
//! Out:      messages, media orders, and what the call must know of it.
//! Not here: retransmission (`sip::transaction`), who is connected to whom (`call::call`).

mod challenged;
mod confirmed;
mod early;
mod invited;
mod inviting;
mod keys;
mod modifying;
pub mod presses;
mod probing;
mod referring;
mod refreshing;
mod showing;

#[cfg(test)]
mod desk;

use std::mem;

use crate::call::audio::{Audio, Ear};
use crate::call::identity::Shown;
use crate::call::invite;
use crate::call::leg::invited::Invited;
use crate::call::leg::inviting::Inviting;
use crate::call::leg::presses::Presses;
use crate::call::site::Site;
use crate::cdr::entry::Quality;
use crate::id::{AgentId, ExtensionId, LegId, TrunkId};
use crate::media::control::Command;
use crate::sdp::{self, Codec, Negotiated, Session};
use crate::sip::dialog::{Accepted, Dialog, Modification, Progress, Refer, SessionTimer};
use crate::sip::digest::Login;
use crate::sip::flow::Flow;
use crate::sip::message::{Headers, Method, Name, Request, Response};
use crate::sip::transaction::{ClientId, Failure, ServerKey};
use crate::time::Instant;
use challenged::Answering;
use referring::Referral;
pub use showing::Connected;
use showing::Showing;

/// What can happen to a leg.
#[derive(Debug)]
pub enum Input {
    /// The peer's ACK of our 2xx.
    Acked(Request),
    /// What the call has decided about the phone's REFER.
    AnswerRefer(u16),
    /// The call wants the INVITE accepted, with audio in one of these codecs.
    Answer(Vec<Codec>),
    /// The peer's CANCEL of its INVITE.
    Cancelled,
    /// A request of ours got no answer.
    Failed(ClientId, Failure),
    /// The call wants the leg to end; the text goes into a Reason header (RFC 3326).
    HangUp(Option<&'static str>),
    /// The call wants the phone held by us, or taken back; ignored before the dialog stands.
    Hold(bool),
    /// The call wants this key sent as SIP INFO; ignored before the dialog stands.
    Key(char),
    /// How far the transfer is that the phone asked for.
    Notify(Progress),
    /// The call wants these codecs offered in a re-INVITE; ignored before the dialog stands.
    Offer(Vec<Codec>),
    /// The call wants the phone to hear another before the INVITE is accepted, in one of these
    /// codecs: `Leg::audio` has agreed on something afterwards, if that can be.
    Progress(Vec<Codec>),
    /// The call wants the INVITE refused.
    Refuse(u16),
    /// A request within the dialog.
    Request {
        key: ServerKey,
        flow: Flow,
        request: Request,
    },
    /// An answer to a request of ours, and the flow it came over.
    Response {
        client: ClientId,
        response: Response,
        flow: Flow,
    },
    /// The call wants the phone told that the other side rings.
    Ring,
    /// The call wants the phone told whom it talks with: with our 2xx, or later.
    Show(Connected),
    /// Neither audio nor reports have come from the phone for long.
    Silent,
    Tick,
}

/// What a leg asks of its call, in order.
#[derive(Debug)]
pub enum Output {
    /// An ACK of a 2xx: sent as it is, outside any transaction.
    Ack {
        flow: Flow,
        request: Request,
    },
    /// Our INVITE is not wanted any more; the reason goes into the CANCEL (RFC 3326).
    Cancel {
        client: ClientId,
        reason: Option<&'static str>,
    },
    /// The dialog stands or has changed, or (`None`) it is over: a later start ends it with this.
    Dialog(Option<Box<Dialog>>),
    Event(Event),
    Media(Command),
    Request {
        client: ClientId,
        flow: Flow,
        request: Request,
    },
    Respond {
        key: ServerKey,
        response: Response,
    },
}

/// What a call must know of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Our INVITE was accepted, or the peer has acknowledged that we accepted its own.
    Answered,
    /// A key, from a SIP INFO.
    Digit(char),
    /// The phone sends audio before it answers.
    EarlyAudio,
    /// The phone put us on hold, or took us back.
    Held(bool),
    /// The peer ended the leg: BYE or CANCEL.
    HungUp,
    /// The peer is gone without a word; says how it was noticed.
    Lost(&'static str),
    /// The peer took an offer of ours: `Leg::audio` says what is agreed on.
    Modified,
    /// The peer refused an offer of ours with this status: all is as it was before.
    NotModified(u16),
    /// The phone refused, and says which number to call.
    Redirected { status: u16, number: String },
    /// The phone wants the other side sent on; owed an `AnswerRefer`.
    Referred(Box<Refer>),
    /// Our INVITE was refused with this status, or we could not accept the peer's.
    Refused(u16),
    /// The phone rings.
    Ringing,
    /// A server has our INVITE (100).
    Trying,
}

#[derive(Debug, Default)]
enum State {
    Invited(Box<Invited>),
    Inviting(Box<Inviting>),
    /// Our INVITE is given up, with the reason for a Reason header; its final answer is still due.
    Cancelling {
        client: ClientId,
        invite: Request,
        reason: Option<&'static str>,
    },
    /// The dialog stands.
    Confirmed(Box<Confirmed>),
    /// Our BYE waits for its answer. A 2xx to an INVITE of ours wants its ACK all the same.
    Leaving {
        client: ClientId,
        dialog: Box<Dialog>,
    },
    #[default]
    Gone,
}

#[derive(Debug)]
struct Confirmed {
    dialog: Dialog,
    /// Our last 2xx to an INVITE, until its ACK comes.
    accepted: Option<Unacknowledged>,
    /// The leg is to end as soon as that ACK has come (RFC 3261 §15).
    leaving: Option<Option<&'static str>>,
    /// Our INVITE and the ACK of its 2xx, sent again for each copy of the 2xx.
    acked: Option<(ClientId, Request, Request)>,
    /// What we want to be different in the session.
    modification: Modification,
    referral: Referral,
    /// The OPTIONS that asks a silent phone whether it is still there.
    probe: Option<ClientId>,
}

/// A 2xx of ours to an INVITE that wants its ACK.
#[derive(Debug)]
struct Unacknowledged {
    key: ServerKey,
    /// The INVITE's CSeq number, which the ACK repeats.
    cseq: u32,
    accepted: Accepted,
}

/// How a leg sounds at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sound {
    /// What was counted up to a few seconds ago.
    pub quality: Option<Quality>,
    /// It is sent audio, and none comes from it.
    pub one_way: bool,
}

/// One party's side of a call.
#[derive(Debug)]
pub struct Leg {
    pub id: LegId,
    /// The account that calls or is called.
    pub extension: Option<ExtensionId>,
    /// The agent who is rung or talks here.
    pub agent: Option<AgentId>,
    /// The trunk that the peer is reached over.
    pub trunk: Option<TrunkId>,
    /// None if the peer's challenges have no answer.
    answering: Option<Answering>,
    flow: Flow,
    /// No NAT lies between us and the phone that we call.
    direct: bool,
    /// The peer says that it understands UPDATE (RFC 3311 §4).
    allows_update: bool,
    /// How it sounds, as its media thread last told.
    pub sound: Sound,
    /// Its keys of late.
    pub presses: Presses,
    /// Who is here, as others are shown.
    pub identity: Shown,
    /// Who is at the other side, as the peer is told.
    showing: Showing,
    sip_call_id: String,
    local_tag: String,
    /// The tag of the phone that our INVITE made ring.
    early_tag: Option<String>,
    audio: Audio,
    /// Notices that the peer is gone.
    timer: SessionTimer,
    /// The peer's offer in its INVITE, until it is answered.
    offer: Option<Session>,
    /// The first INVITE's 2xx was acknowledged, by the peer or by us.
    answered: bool,
    /// Its media is closed.
    silent: bool,
    state: State,
}

impl Leg {
    /// The leg of a peer whose INVITE came over `flow`; `offer` is the INVITE's, if it has one.
    pub fn invited(
        id: LegId,
        (server, invite, flow): (ServerKey, Request, Flow),
        offer: Option<Session>,
        audio: Audio,
        site: &mut Site<'_>,
    ) -> Self {
        let tag = site.tag();
        let mut showing = Showing::default();
        showing.learn(&invite);
        Self {
            id,
            extension: None,
            agent: None,
            trunk: None,
            answering: None,
            flow,
            direct: false,
            allows_update: allows_update(&invite).unwrap_or(false),
            sound: Sound::default(),
            presses: Presses::default(),
            identity: Shown::default(),
            showing,
            sip_call_id: invite.call_id().to_owned(),
            local_tag: tag,
            early_tag: None,
            audio,
            timer: SessionTimer::new(site.settings.session),
            offer,
            answered: false,
            silent: false,
            state: State::Invited(Box::new(Invited::new(site, server, invite))),
        }
    }

    /// Calls a phone; the INVITE carries an offer of `codecs`.
    pub fn inviting(
        id: LegId,
        dial: &invite::Dial<'_>,
        mut audio: Audio,
        codecs: &[Codec],
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) -> Self {
        let (local_tag, sip_call_id) = (site.tag(), site.rng.token(16));
        audio.want_codecs(codecs.to_vec());
        audio.want_digits(dial.outside.as_ref().is_none_or(|outside| !outside.keys_as_info));
        let is_late = dial.outside.as_ref().is_some_and(|outside| outside.is_late);
        let offer = if is_late { String::new() } else { audio.offer() };
        let timer = SessionTimer::new(site.settings.session);
        let invite = invite::build(dial, &sip_call_id, &local_tag, &offer, &timer, site.settings);
        let shows = Connected {
            uri: dial.caller(site.settings),
            name: dial.name.map(str::to_owned),
            hidden: dial.manner.hidden,
        };
        let client = site.client();
        out.push(Output::Media(Command::Open { leg: id, port: audio.port() }));
        out.push(Output::Request { client, flow: dial.path.flow, request: invite.clone() });
        Self {
            id,
            extension: None,
            agent: None,
            trunk: None,
            answering: None,
            flow: dial.path.flow,
            direct: dial.path.direct,
            allows_update: false,
            sound: Sound::default(),
            presses: Presses::default(),
            identity: Shown::default(),
            showing: Showing::told(shows),
            sip_call_id,
            local_tag,
            early_tag: None,
            audio,
            timer,
            offer: None,
            answered: false,
            silent: false,
            state: State::Inviting(Box::new(Inviting::new(client, invite))),
        }
    }

    /// The peer's challenges are answered with this account.
    pub fn log_in(&mut self, login: Login, requests: &[Output]) {
        let mut answering = Answering::new(login);
        answering.remember(requests);
        self.answering = Some(answering);
    }

    /// Keys are not carried by the audio of this leg, but by SIP INFO.
    pub fn send_keys_as_info(&mut self) {
        self.audio.want_digits(false);
    }

    /// The Call-ID and our tag: what finds this leg when a request comes in its dialog.
    pub fn dialog_key(&self) -> (&str, &str) {
        (&self.sip_call_id, &self.local_tag)
    }

    /// Whether a request with this Call-ID and From tag comes from the peer of this dialog.
    pub fn is_dialog_of(&self, sip_call_id: &str, from_tag: Option<&str>) -> bool {
        let tag = from_tag.unwrap_or_default();
        let is_peer = match &self.state {
            State::Confirmed(confirmed) => &*confirmed.dialog.id().remote_tag == tag,
            State::Invited(invited) => invited.invite.from_tag().unwrap_or_default() == tag,
            State::Inviting(_) | State::Cancelling { .. } | State::Leaving { .. } | State::Gone => {
                true
            }
        };
        is_peer && self.sip_call_id == sip_call_id
    }

    /// The peer's tag, if it has said one; while it rings, that of its latest word.
    pub fn remote_tag(&self) -> Option<&str> {
        match &self.state {
            State::Confirmed(confirmed) => Some(&confirmed.dialog.id().remote_tag),
            State::Invited(invited) => invited.invite.from_tag(),
            State::Inviting(_) => self.early_tag.as_deref(),
            State::Cancelling { .. } | State::Leaving { .. } | State::Gone => None,
        }
    }

    pub fn flow(&self) -> Flow {
        self.flow
    }

    pub fn audio(&self) -> &Audio {
        &self.audio
    }

    /// Whether the dialog stands, so that the leg can be heard.
    pub fn is_confirmed(&self) -> bool {
        matches!(&self.state, State::Confirmed(confirmed) if confirmed.leaving.is_none())
    }

    /// Whether the leg was told to leave, or asked to.
    pub fn is_leaving(&self) -> bool {
        match &self.state {
            State::Confirmed(confirmed) => confirmed.leaving.is_some(),
            State::Cancelling { .. } | State::Leaving { .. } | State::Gone => true,
            State::Invited(_) | State::Inviting(_) => false,
        }
    }

    /// Whether the peer's INVITE is accepted, or will be as soon as it knows what we have told it.
    pub fn is_accepted(&self) -> bool {
        match &self.state {
            State::Confirmed(confirmed) => confirmed.leaving.is_none(),
            State::Invited(invited) => invited.is_answering(),
            _ => false,
        }
    }

    /// Whether our INVITE made the phone ring.
    pub fn is_ringing(&self) -> bool {
        matches!(&self.state, State::Inviting(inviting) if inviting.ringing)
    }

    /// Asks for encrypted audio from here on; false if the peer's is in the clear, or will be as
    /// far as its offer says. A peer that has offered nothing is offered nothing else.
    pub fn insists_on_encryption(&mut self) -> bool {
        let is_plain = match (self.audio.agreed(), &self.offer) {
            (Some(agreed), _) => agreed.keys.is_none(),
            (None, offer) => offer.as_ref().is_some_and(|offer| !sdp::has_keys(offer)),
        };
        if !is_plain {
            self.audio.must_be_encrypted();
        }
        !is_plain
    }

    /// Whether the peer's offer, if it has made one, has audio that can be answered with `codecs`.
    pub fn can_talk(&self, codecs: &[Codec]) -> bool {
        self.offer.as_ref().is_none_or(|offer| self.audio.can_answer(offer, codecs))
    }

    /// What this phone can hear, as far as it has said; else what suits us.
    pub fn ear(&self) -> Ear {
        let (noise, opus) = match (self.audio.agreed(), &self.offer) {
            (Some(agreed), _) => (agreed.noise, agreed.opus),
            (None, Some(offer)) => (sdp::has_noise(offer), sdp::opus_of(offer)),
            (None, None) => (false, None),
        };
        let packets = match (self.audio.agreed(), &self.offer) {
            (None, Some(offer)) => sdp::packets_of(offer),
            _ => self.audio.wanted_packets(),
        };
        Ear { noise, opus: opus.unwrap_or(sdp::Opus::OURS), packets }
    }

    /// From here on the phone is told what `ear` wants to hear of it.
    pub fn want_ear(&mut self, ear: Ear) {
        self.audio.want_ear(ear);
    }

    /// The codecs that this phone can speak, in its own order, out of `all`.
    pub fn spoken(&self, all: &[Codec]) -> Vec<Codec> {
        match (self.audio.agreed(), &self.offer) {
            (Some(agreed), _) => agreed.spoken(),
            (None, Some(offer)) => {
                sdp::codecs_of(offer).into_iter().filter(|codec| all.contains(codec)).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// Whether nothing is left to send or to wait for.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        let stood = self.dialog_revision();
        let first = out.len();
        match input {
            Input::Response { client, ref response, .. }
                if self.challenged(site, client, response, out) => {}
            input => self.step(now, site, input, out),
        }
        if let Some(answering) = &mut self.answering {
            answering.remember(&out[first..]);
        }
        // Before any event, which may end the dialog again while it is carried out.
        match &self.state {
            State::Confirmed(confirmed) if stood != Some(confirmed.dialog.revision()) => {
                let dialog = Box::new(confirmed.dialog.clone());
                out.insert(first, Output::Dialog(Some(dialog)));
            }
            State::Confirmed(_) => {}
            _ if stood.is_some() => out.insert(first, Output::Dialog(None)),
            _ => {}
        }
    }

    fn step(&mut self, now: Instant, site: &mut Site<'_>, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (State::Invited(invited), input) => self.invited_step(now, site, invited, input, out),
            (State::Inviting(inviting), input) => {
                self.inviting_step(now, site, inviting, input, out)
            }
            (State::Cancelling { client, invite, reason }, input) => {
                self.cancelling_step(site, (client, invite, reason), input, out)
            }
            (State::Confirmed(confirmed), input) => {
                self.confirmed_step(now, site, confirmed, input, out)
            }
            (State::Leaving { client, dialog }, input) => {
                inviting::leaving_step(site, client, dialog, input, out)
            }
            (State::Gone, Input::Request { key, request, .. }) => {
                out.push(respond(key, &request, 481, ""));
                State::Gone
            }
            (
                State::Gone,
                Input::Acked(_)
                | Input::Answer(_)
                | Input::AnswerRefer(_)
                | Input::Cancelled
                | Input::Failed(..)
                | Input::HangUp(_)
                | Input::Hold(_)
                | Input::Key(_)
                | Input::Notify(_)
                | Input::Offer(_)
                | Input::Progress(_)
                | Input::Refuse(_)
                | Input::Response { .. }
                | Input::Ring
                | Input::Show(_)
                | Input::Silent
                | Input::Tick,
            ) => State::Gone, // absorbed
        };
    }

    /// The state of the dialog that stands, as a number.
    fn dialog_revision(&self) -> Option<u32> {
        match &self.state {
            State::Confirmed(confirmed) => Some(confirmed.dialog.revision()),
            _ => None,
        }
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match &self.state {
            State::Confirmed(confirmed) => {
                let accepted = confirmed.accepted.as_ref();
                let copies = accepted.and_then(|accepted| accepted.accepted.next_tick());
                let modification = confirmed.modification.next_tick(self.is_free(confirmed));
                let timer = self.timer.next_tick().filter(|_| confirmed.leaving.is_none());
                copies.into_iter().chain(modification).chain(timer).min()
            }
            State::Invited(invited) => invited.next_tick(),
            State::Inviting(_) | State::Cancelling { .. } | State::Leaving { .. } | State::Gone => {
                None
            }
        }
    }

    /// Takes up what a message of the peer says about it.
    fn learn(&mut self, message: &Headers) {
        self.allows_update = allows_update(message).unwrap_or(self.allows_update);
        self.showing.learn(message);
    }

    /// The way out of a dialog that stands.
    fn depart(
        &mut self,
        site: &mut Site<'_>,
        confirmed: Box<Confirmed>,
        reason: Option<&'static str>,
        out: &mut Vec<Output>,
    ) -> State {
        give_up_change(&confirmed, out);
        self.leave(site, confirmed.dialog, reason, out)
    }

    /// The way out: asks the phone to leave, and gives the audio back.
    fn leave(
        &mut self,
        site: &mut Site<'_>,
        mut dialog: Dialog,
        reason: Option<&'static str>,
        out: &mut Vec<Output>,
    ) -> State {
        let client = say_bye(site, &mut dialog, reason, out);
        self.close_media(out);
        State::Leaving { client, dialog: Box::new(dialog) }
    }

    /// The end without a word.
    fn gone(&mut self, out: &mut Vec<Output>) -> State {
        self.close_media(out);
        State::Gone
    }

    fn close_media(&mut self, out: &mut Vec<Output>) {
        if !mem::replace(&mut self.silent, true) {
            out.push(Output::Media(Command::Close { leg: self.id }));
        }
    }

    /// Tells the media thread what was agreed on, if anything was.
    fn connect(&self, out: &mut Vec<Output>) {
        if let Some(agreed) = self.audio.agreed() {
            let signalled = Some(self.flow.remote.ip());
            let audio = Box::new(Negotiated { signalled, ..agreed.clone() });
            out.push(Output::Media(Command::Connect { leg: self.id, audio }));
        }
    }
}

/// Nobody waits any more for the answer to a re-INVITE of ours: a peer that has only said that it
/// works on it would leave its transaction open for ever (RFC 3261 §9.1).
fn give_up_change(confirmed: &Confirmed, out: &mut Vec<Output>) {
    if let Some(client) = confirmed.modification.under_way() {
        out.push(Output::Cancel { client, reason: None });
    }
}

/// Asks the peer to leave a dialog.
fn say_bye(
    site: &mut Site<'_>,
    dialog: &mut Dialog,
    reason: Option<&'static str>,
    out: &mut Vec<Output>,
) -> ClientId {
    let mut bye = dialog.request(Method::Bye);
    if let Some(reason) = reason {
        bye = bye.header(Name::Reason, reason);
    }
    let client = site.client();
    out.push(Output::Request { client, flow: dialog.next_hop(), request: bye.request() });
    client
}

/// Whether the sender understands UPDATE; `None` if it does not say what it understands.
fn allows_update(message: &Headers) -> Option<bool> {
    message.header(Name::Allow)?;
    Some(message.has_value(Name::Allow, Method::Update.text()))
}

/// An answer without a body; `tag` is ours, for the To header.
fn respond(key: ServerKey, request: &Request, status: u16, tag: &str) -> Output {
    let tag = (!tag.is_empty()).then_some(tag);
    let mut response = Response::build(request, status, tag);
    if status == 405 || status == 200 {
        response = response.header(Name::Allow, invite::ALLOW);
    }
    match status {
        403 => response = response.header(Name::Reason, "Q.850;cause=21"), // RFC 6432
        415 => response = response.header(Name::Accept, invite::KEYS.join(", ")),
        469 => response = response.header(Name::RecvInfo, ""),
        500 => response = response.header(Name::RetryAfter, 1),
        503 => response = response.header(Name::RetryAfter, invite::RETRY_AFTER_S),
        _ => {}
    }
    Output::Respond { key, response: response.response() }
}
