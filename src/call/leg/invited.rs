//! A leg whose peer called us, until we accept or refuse: rings, early audio, PRACKs.

use super::{Confirmed, Event, Input, Leg, Output, Referral, State, Unacknowledged, respond};
use crate::call::invite;
use crate::call::site::Site;
use crate::sdp::{Codec, Session};
use crate::sip::dialog::{Accepted, Dialog, Modification, Reliable, reliable};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, RAck, Request, Response};
use crate::sip::registrar::nat::Path;
use crate::sip::transaction::ServerKey;
use crate::time::Instant;

/// The peer's INVITE waits for our final answer.
#[derive(Debug)]
pub(super) struct Invited {
    server: ServerKey,
    pub(super) invite: Request,
    /// The early dialog, once a response of ours has made it.
    dialog: Option<Dialog>,
    /// Our provisional responses, if the peer can acknowledge them (RFC 3262).
    reliable: Option<Reliable>,
    /// The peer wants to acknowledge every one.
    required: bool,
    /// What is to be accepted with, as soon as the peer has acknowledged what it was told before.
    answer: Option<Vec<Codec>>,
}

impl Invited {
    pub(super) fn new(site: &mut Site<'_>, server: ServerKey, invite: Request) -> Self {
        let required = invite.has_value(Name::Require, reliable::TAG);
        let can = required || invite.has_value(Name::Supported, reliable::TAG);
        let reliable = can.then(|| Reliable::new(invite.cseq().number, site.rng.u32()));
        Self { server, invite, dialog: None, reliable, required, answer: None }
    }

    /// Whether the INVITE is to be accepted, and only a PRACK is waited for.
    pub(super) fn is_answering(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.reliable.as_ref()?.next_tick()
    }
}

impl Leg {
    pub(super) fn invited_step(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut invited: Box<Invited>,
        input: Input,
        out: &mut Vec<Output>,
    ) -> State {
        match input {
            Input::Ring => self.ring_back(now, site, &mut invited, out),
            Input::Progress(codecs) => self.progress(now, &mut invited, codecs, out),
            Input::Answer(codecs) => return self.answer_invite(now, invited, codecs, out),
            Input::Refuse(status) => return self.refuse_invite(&invited, status, out),
            Input::HangUp(_) => return self.refuse_invite(&invited, 480, out),
            Input::Cancelled => {
                out.push(respond(invited.server, &invited.invite, 487, &self.local_tag));
                out.push(Output::Event(Event::HungUp));
                return self.gone(out);
            }
            Input::Request { key, flow, request } => {
                return self.early_request(now, site, invited, (key, flow, &request), out);
            }
            Input::Show(connected) => _ = self.showing.want(connected),
            Input::Tick => return self.tell_reliable(now, invited, reliable::Input::Tick, out),
            Input::Acked(_)
            | Input::AnswerRefer(_)
            | Input::Failed(..)
            | Input::Hold(_)
            | Input::Key(_)
            | Input::Notify(_)
            | Input::Offer(_)
            | Input::Response { .. }
            | Input::Silent => {} // absorbed
        }
        State::Invited(invited)
    }

    /// Tells the peer that the other side rings, unless it hears that already.
    fn ring_back(
        &mut self,
        now: Instant,
        site: &Site<'_>,
        invited: &mut Box<Invited>,
        out: &mut Vec<Output>,
    ) {
        if self.audio.agreed().is_some() {
            return;
        }
        // RFC 3262 §5: without an offer in the INVITE, the first reliable response has ours.
        let offers = self.offer.is_none() && invited.required && !self.audio.is_offering();
        let body = offers.then(|| {
            self.audio.want_codecs(site.settings.codecs.clone());
            self.audio.offer()
        });
        self.provisional(now, invited, 180, body, out);
    }

    /// Lets the peer hear the other side before it answers: 183 with a description (RFC 3960 §3.1).
    ///
    /// Nothing happens if the peer offered nothing and cannot be made an offer, or if its offer is
    /// one that we cannot take: the final answer says so.
    fn progress(
        &mut self,
        now: Instant,
        invited: &mut Box<Invited>,
        codecs: Vec<Codec>,
        out: &mut Vec<Output>,
    ) {
        if self.audio.is_offering() {
            return;
        }
        if self.audio.agreed().is_some() {
            // Said already, and again, since it may have been lost on the way.
            if invited.reliable.is_none() {
                let body = self.audio.said().to_owned();
                self.provisional(now, invited, 183, Some(body), out);
            }
            return;
        }
        self.audio.want_codecs(codecs);
        let body = match &self.offer {
            Some(offer) => self.audio.answer(offer).ok().map(|(body, _)| body),
            None => invited.reliable.is_some().then(|| self.audio.offer()),
        };
        if body.is_some() {
            self.connect(out);
            self.provisional(now, invited, 183, body, out);
        }
    }

    /// Sends a provisional response; so that it surely arrives, if it says something or has to.
    fn provisional(
        &mut self,
        now: Instant,
        invited: &mut Box<Invited>,
        status: u16,
        body: Option<String>,
        out: &mut Vec<Output>,
    ) {
        let mut builder = Response::build(&invited.invite, status, Some(&self.local_tag))
            .header(Name::Contact, self.flow.contact())
            .header(Name::Allow, invite::ALLOW)
            .header(Name::Supported, invite::SUPPORTED);
        if let Some(body) = &body {
            builder = builder.body(invite::SDP, body.as_bytes());
        }
        if invited.dialog.is_none() {
            let response = builder.clone().response();
            let path = Path::of(self.flow, &invited.invite);
            // Without a usable Contact the final answer is a refusal.
            invited.dialog = Dialog::as_uas(path, &invited.invite, &response).ok();
        }
        match &mut invited.reliable {
            Some(reliable) if invited.required || body.is_some() => {
                let mut steps = Vec::new();
                reliable.handle(now, reliable::Input::Send(builder), &mut steps);
                for step in steps {
                    if let reliable::Output::Respond(response) = step {
                        out.push(Output::Respond { key: invited.server, response });
                    }
                }
            }
            _ => out.push(Output::Respond { key: invited.server, response: builder.response() }),
        }
    }

    /// A request before our final answer.
    fn early_request(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut invited: Box<Invited>,
        (key, flow, request): (ServerKey, Flow, &Request),
        out: &mut Vec<Output>,
    ) -> State {
        if let Some(dialog) = &mut invited.dialog
            && let Err(error) = dialog.receive(flow, request)
        {
            out.push(respond(key, request, error.status(), &self.local_tag));
            return State::Invited(invited);
        }
        self.learn(request);
        let status = match request.method() {
            Method::Bye => {
                out.push(respond(key, request, 200, &self.local_tag));
                out.push(respond(invited.server, &invited.invite, 487, &self.local_tag));
                out.push(Output::Event(Event::HungUp));
                return self.gone(out);
            }
            Method::Prack => return self.pracked(now, site, invited, (key, request), out),
            Method::Update if !request.body().is_empty() && self.audio.agreed().is_none() => {
                // An offer is open: ours, or that of the INVITE (RFC 3311 §5.2).
                if self.audio.is_offering() { 491 } else { 500 }
            }
            Method::Update => {
                self.updated(now, site, key, request, out);
                return State::Invited(invited);
            }
            Method::Info => invite::status_of_info(request),
            Method::Options => 200,
            Method::Invite => 500, // RFC 3261 §14.2
            _ => 405,
        };
        out.push(respond(key, request, status, &self.local_tag));
        State::Invited(invited)
    }

    /// A PRACK: acknowledges, and may carry the answer to our offer or an offer of its own
    /// (RFC 3262 §5).
    fn pracked(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        mut invited: Box<Invited>,
        (key, prack): (ServerKey, &Request),
        out: &mut Vec<Output>,
    ) -> State {
        let Ok(rack) = RAck::of(prack) else {
            out.push(respond(key, prack, 400, &self.local_tag));
            return State::Invited(invited);
        };
        let mut steps = Vec::new();
        if let Some(reliable) = &mut invited.reliable {
            reliable.handle(now, reliable::Input::Prack(rack), &mut steps);
        }
        if !matches!(steps.first(), Some(reliable::Output::Acknowledged)) {
            out.push(respond(key, prack, 481, &self.local_tag));
            return State::Invited(invited);
        }
        let mut response = Response::build(prack, 200, Some(&self.local_tag));
        let described = Session::parse(prack.body());
        if self.audio.is_offering() {
            let answer = described.ok().and_then(|answer| self.audio.accept(&answer).ok());
            if answer.is_none() {
                out.push(respond(key, prack, 488, &self.local_tag));
                out.push(respond(invited.server, &invited.invite, 488, &self.local_tag));
                out.push(Output::Event(Event::Refused(488)));
                return self.gone(out);
            }
            self.connect(out);
        } else if !prack.body().is_empty() {
            match self.answer_offer(site, prack, out) {
                Some(body) => response = response.body(invite::SDP, body.as_bytes()),
                // It is acknowledged all the same (RFC 3262 §5), and nothing has changed.
                None => response = Response::build(prack, 488, Some(&self.local_tag)),
            }
        }
        out.push(Output::Respond { key, response: response.response() });
        self.follow_reliable(now, invited, steps, out)
    }

    fn tell_reliable(
        &mut self,
        now: Instant,
        mut invited: Box<Invited>,
        input: reliable::Input,
        out: &mut Vec<Output>,
    ) -> State {
        let mut steps = Vec::new();
        if let Some(reliable) = &mut invited.reliable {
            reliable.handle(now, input, &mut steps);
        }
        self.follow_reliable(now, invited, steps, out)
    }

    /// Carries out what the reliable responses ask; accepts, if that is what waited for them.
    fn follow_reliable(
        &mut self,
        now: Instant,
        mut invited: Box<Invited>,
        steps: Vec<reliable::Output>,
        out: &mut Vec<Output>,
    ) -> State {
        for step in steps {
            match step {
                reliable::Output::Acknowledged | reliable::Output::Unknown => {}
                // RFC 3262 §3: the INVITE is refused with a 5xx.
                reliable::Output::GivenUp => {
                    out.push(respond(invited.server, &invited.invite, 504, &self.local_tag));
                    out.push(Output::Event(Event::Lost("no_prack")));
                    return self.gone(out);
                }
                reliable::Output::Respond(response) => {
                    out.push(Output::Respond { key: invited.server, response });
                }
            }
        }
        match invited.answer.take() {
            Some(codecs) => self.answer_invite(now, invited, codecs, out),
            None => State::Invited(invited),
        }
    }

    fn refuse_invite(&mut self, invited: &Invited, status: u16, out: &mut Vec<Output>) -> State {
        out.push(respond(invited.server, &invited.invite, status, &self.local_tag));
        self.gone(out)
    }

    /// Accepts the peer's INVITE: with an answer to its offer, or with ours if it made none.
    fn answer_invite(
        &mut self,
        now: Instant,
        mut invited: Box<Invited>,
        codecs: Vec<Codec>,
        out: &mut Vec<Output>,
    ) -> State {
        // RFC 3262 §3: not while the peer may not know what we have told it.
        if invited.reliable.as_ref().is_some_and(Reliable::is_waiting) {
            invited.answer = Some(codecs);
            return State::Invited(invited);
        }
        let response = match self.accepting(&invited, codecs) {
            Ok(response) => response,
            Err(status) => {
                out.push(Output::Event(Event::Refused(status)));
                return self.refuse_invite(&invited, status, out);
            }
        };
        let early = invited.dialog.take();
        let made =
            || Dialog::as_uas(Path::of(self.flow, &invited.invite), &invited.invite, &response);
        let Some(mut dialog) = early.or_else(|| made().ok()) else {
            out.push(Output::Event(Event::Refused(400)));
            return self.refuse_invite(&invited, 400, out);
        };
        dialog.accept();
        if let Ok(terms) = self.timer.terms_for(&invited.invite) {
            self.refreshed(now, terms);
        }
        self.connect(out);
        let (key, cseq) = (invited.server, invited.invite.cseq().number);
        out.push(Output::Respond { key, response: response.clone() });
        let accepted = Accepted::new(now, response);
        let accepted = Some(Unacknowledged { key, cseq, accepted });
        let confirmed = Confirmed {
            dialog,
            accepted,
            leaving: None,
            acked: None,
            modification: Modification::new(false),
            probe: None,
            referral: Referral::default(),
        };
        State::Confirmed(Box::new(confirmed))
    }

    /// Our 200 to the INVITE; `Err`: the status with which it is refused instead.
    fn accepting(&mut self, invited: &Invited, codecs: Vec<Codec>) -> Result<Response, u16> {
        let terms = self.timer.terms_for(&invited.invite).map_err(|_| 400_u16)?;
        let response = invite::accept(&invited.invite, &self.local_tag, &self.flow, terms);
        let response = self.showing.tell(response);
        let offer = self.offer.take();
        let body = match (self.audio.agreed(), offer) {
            // Its answer to our offer came with a PRACK: a description would be a new offer.
            (Some(_), None) => return Ok(response.response()),
            // What it was told in a provisional response (RFC 3261 §13.2.1), or since then.
            (Some(_), Some(_)) => self.audio.said().to_owned(),
            (None, Some(offer)) => {
                self.audio.want_codecs(codecs);
                self.audio.answer(&offer).map_err(|_| 488_u16)?.0
            }
            (None, None) => {
                self.audio.want_codecs(codecs);
                self.audio.offer()
            }
        };
        Ok(response.body(invite::SDP, body.as_bytes()).response())
    }
}
