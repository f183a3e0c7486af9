//! Requests that belong to no dialog yet: who is asking, and may he?
//!
//! Whatever is refused for want of credentials is answered without a transaction (RFC 3261 §8.2.7),
//! and only as often as its source may ask (`switch::defence`): a flood costs no memory. A request
//! that has an account behind it gets its transaction first, and is judged then.

use std::borrow::Cow;

use crate::call::trunk::Line;
use crate::call::{
    ALLOW, Call, Caller, Input as CallInput, Invited, LegInput, Origin, RETRY_AFTER_S, SDP,
    SUPPORTED, is_hidden,
};
use crate::id::{CallId, ExtensionId};
use crate::route::config::Extension;
use crate::route::rules::Dest;
use crate::sip::digest::Verdict;
use crate::sip::flow::Flow;
use crate::sip::message::{Message, Method, Name, Request, Response};
use crate::sip::registrar::nat;
use crate::sip::subscription::ALLOW_EVENTS;
use crate::sip::transaction::{self, ServerKey};
use crate::switch::defence::overload::{retry_after, sheds};
use crate::switch::destination::Destination;
use crate::switch::kept::keep_limits;
use crate::switch::trunks::caller_over;
use crate::switch::wanted::{Names, Unserved, acceptable, may_go_on, wanted};
use crate::switch::{Output, Switch};
use crate::time::Instant;

/// What a request may do before anybody has looked at what it asks for.
enum Admission {
    /// Its sender has proven who he is; none must within a dialog or a transaction.
    Admitted(Option<Origin>),
    /// It is answered without a transaction.
    Answered(Response),
    /// There were too many.
    Dropped,
}

impl Switch {
    /// A message from the network.
    pub(super) fn received(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        if !self.lets_in(flow.remote.ip()) {
            return;
        }
        let origin = match &message {
            Message::Response(_) => None,
            Message::Request(request) => match self.admit(now, &flow, request, out) {
                Admission::Admitted(origin) => origin,
                Admission::Answered(response) => {
                    let (flow, message) = (nat::reply_flow(flow, request), response.into());
                    out.push(Output::Send { flow, message });
                    return;
                }
                Admission::Dropped => return,
            },
        };
        let input = transaction::Input::Received { flow, message };
        self.transact_for(now, input, origin, out);
    }

    fn admit(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Admission {
        // An ACK is never answered, and ignored where nobody waits for it.
        if request.method() == Method::Ack || self.parts.transactions.knows(request) {
            return Admission::Admitted(None);
        }
        let received = || request.received_from(flow.remote);
        match request.method() {
            // The table answers one that cancels nothing, without a transaction (RFC 3261 §9.2).
            Method::Cancel if self.defence.bears(now, flow.remote) => Admission::Admitted(None),
            Method::Cancel => Admission::Dropped,
            _ if self.has_dialog(request) => Admission::Admitted(None),
            Method::Invite if self.sends_away(request) => self.send_away(now, flow, request),
            // One with a To tag names a dialog that is not here: it begins no call.
            Method::Invite
                if request.to_tag().is_none()
                    && let Some(trunk) = self.trunk_of(flow, request) =>
            {
                Admission::Admitted(Some(Origin::Trunk(trunk)))
            }
            method
                if (request.to_tag().is_none() && needs_account(method))
                    || self.is_subscribed(request) =>
            {
                let verdict = self.judge(now, flow.remote, request, out);
                self.admit_as(now, flow, &received(), verdict)
            }
            _ if self.defence.bears(now, flow.remote) => {
                Admission::Answered(self.answer_stranger(flow, &received()))
            }
            _ => Admission::Dropped,
        }
    }

    /// A new call is one too many. Strangers pay for the answer, lest a flood of theirs be answered
    /// for as long as it keeps the callers of the site out.
    fn send_away(&mut self, now: Instant, flow: &Flow, request: &Request) -> Admission {
        let is_known =
            self.defence.knows(now, flow.remote) || self.trunk_of(flow, request).is_some();
        if !is_known && !self.defence.bears(now, flow.remote) {
            return Admission::Dropped;
        }
        self.calls_total += 1;
        self.calls_refused += 1;
        let wait = retry_after(&mut self.parts.rng);
        let received = request.received_from(flow.remote);
        let busy = Response::build(&received, 503, Some(&self.parts.auth.tag(&received)));
        Admission::Answered(busy.header(Name::RetryAfter, wait).response())
    }

    /// An account's request, or a refusal; who has the right password for a challenge that is too
    /// old gets another, whatever else his source sends.
    fn admit_as(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        verdict: Verdict,
    ) -> Admission {
        match verdict {
            Verdict::User(user) => Admission::Admitted(Some(self.origin_of(&user))),
            Verdict::Stale { proven: true } => self.challenge(now, flow, request, &verdict),
            _ if self.defence.bears(now, flow.remote) => {
                self.challenge(now, flow, request, &verdict)
            }
            _ => Admission::Dropped,
        }
    }

    /// Whose user name that is.
    fn origin_of(&self, user: &str) -> Origin {
        match self.trunks.lines.of_inbound_user(user) {
            Some(line) => Origin::Trunk(line.id().clone()),
            None => Origin::Extension(user.into()),
        }
    }

    fn challenge(
        &mut self,
        now: Instant,
        flow: &Flow,
        request: &Request,
        verdict: &Verdict,
    ) -> Admission {
        let refusal = self.parts.auth.refusal(now, flow.remote.ip(), request, verdict);
        Admission::Answered(refusal)
    }

    /// Whether a request is within a dialog that is here.
    fn has_dialog(&self, request: &Request) -> bool {
        request.to_tag().is_some() && self.leg_of(request).is_some()
    }

    /// The answer to what needs no account or cannot be served: the same for every user named, and
    /// without the product's name, so that nobody learns who is here.
    fn answer_stranger(&self, flow: &Flow, request: &Request) -> Response {
        let tag = self.parts.auth.tag(request);
        let status = match request.method() {
            _ if request.to_tag().is_some() => 481,
            // RFC 3261 §11.2, but for the status: that of an INVITE would tell who is here.
            Method::Options => 200,
            Method::Bye | Method::Info | Method::Notify | Method::Prack | Method::Update => 481,
            _ => 405,
        };
        if status == 200
            && let Err(unserved) = acceptable(request, Some(&self.names(flow)))
        {
            return unserved.response(request, &tag);
        }
        let mut response = Response::build(request, status, Some(&tag));
        if matches!(status, 200 | 405) {
            response = response.header(Name::Allow, ALLOW).header(Name::Supported, SUPPORTED);
        }
        if status == 200 {
            response = response.header(Name::Accept, SDP).header(Name::AllowEvents, ALLOW_EVENTS);
        }
        response.response()
    }

    /// A request that no transaction knew.
    pub(super) fn requested(
        &mut self,
        now: Instant,
        (key, flow, request): (ServerKey, Flow, Request),
        origin: Option<Origin>,
        out: &mut Vec<Output>,
    ) {
        let unserved = match &origin {
            Some(Origin::Extension(_)) => acceptable(&request, Some(&self.names(&flow))).err(),
            Some(Origin::Trunk(_)) => acceptable(&request, None).err(),
            None => None,
        };
        if let Some(unserved) = unserved {
            let response = unserved.response(&request, &self.tag());
            self.respond(now, key, response, out);
            return;
        }
        match (origin, request.method()) {
            (Some(Origin::Extension(account)), Method::Register) => {
                self.register(now, (key, flow), &request, &account, out);
            }
            (Some(Origin::Trunk(_)), Method::Register) => {
                self.refuse(now, key, &request, 403, out);
            }
            (Some(origin), Method::Invite) => self.invite(now, (key, flow, request), origin, out),
            (Some(Origin::Extension(account)), Method::Subscribe) => {
                self.subscribe(now, (key, flow), &request, &account, out);
            }
            (Some(_), _) => self.refuse(now, key, &request, 405, out),
            (None, _) => match self.leg_of(&request) {
                Some(leg) => self.leg(now, leg, LegInput::Request { key, flow, request }, out),
                None => self.refuse(now, key, &request, 481, out),
            },
        }
    }

    /// Whether a new call is one too many at this moment; an emergency never is.
    fn sends_away(&mut self, request: &Request) -> bool {
        let is_emergency = || {
            let uri = request.uri().ok();
            let dialled = uri.as_ref().and_then(|uri| uri.user_unescaped());
            dialled.is_some_and(|dialled| self.plan.emergency.has(&dialled))
        };
        request.to_tag().is_none() && sheds(self.wait, &mut self.parts.rng) && !is_emergency()
    }

    /// The names under which a sender knows us.
    fn names(&self, flow: &Flow) -> Names<'_> {
        let settings = &self.parts.settings;
        Names {
            domain: &settings.domain,
            aliases: &settings.aliases,
            local: flow.local.ip(),
            external: settings.media,
        }
    }

    /// Whether the INVITE is one of ours that came back through proxies, still asking for what the
    /// caller of its call asked for (RFC 5393 §4.2.1: else it is a spiral, which may be meant).
    ///
    /// Through another back-to-back user agent it comes with other Vias: then Max-Forwards, which
    /// both take down by one, ends it (RFC 7332).
    fn is_loop(&self, request: &Request) -> bool {
        let vias = request.vias().filter_map(|via| {
            let client = self.parts.transactions.client_of(via.ok()?.branch()?)?;
            self.clients.get(&client)
        });
        let dialled = request.uri().ok().and_then(|uri| uri.user_unescaped());
        let mut calls = vias.filter_map(|leg| self.calls.get(&leg.call));
        calls.any(|call| Some(call.caller().dialled.as_str()) == dialled.as_deref())
    }

    /// RFC 3261 §10.3: only the account itself registers phones.
    fn register(
        &mut self,
        now: Instant,
        (key, flow): (ServerKey, Flow),
        request: &Request,
        account: &ExtensionId,
        out: &mut Vec<Output>,
    ) {
        let owner = request.to().uri().ok().and_then(|uri| uri.user_unescaped());
        if owner.as_deref() != Some(account.as_str()) {
            self.refuse(now, key, request, 403, out);
            return;
        }
        let mut changes = Vec::new();
        let tag = self.tag();
        let parts = &mut self.parts;
        let (rng, asked) = (&mut parts.rng, (flow, request));
        let response =
            parts.registrar.handle_register(now, rng, account, asked, &tag, &mut changes);
        self.respond(now, key, response, out);
        self.registrations_changed(now, changes, out);
    }

    /// A new call.
    fn invite(
        &mut self,
        now: Instant,
        (key, flow, request): (ServerKey, Flow, Request),
        origin: Origin,
        out: &mut Vec<Output>,
    ) {
        let wanted = match wanted(&request, self.parts.settings.session) {
            Ok(_) if self.is_loop(&request) => Err(Unserved::Status(482)),
            other => other,
        };
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(unserved) => {
                let response = unserved.response(&request, &self.tag());
                self.respond(now, key, response, out);
                return;
            }
        };
        let id = self.call_ids.next(self.wall(now).as_micros());
        let found = self.destination(now, origin, &request, &wanted);
        let Destination { caller, decision, phone } = match found {
            Ok(destination) => destination,
            Err(status) => {
                self.refuse(now, key, &request, status, out);
                return;
            }
        };
        let is_emergency = decision.target == Dest::Emergency;
        let has_room = is_emergency && !self.stopping || self.has_room(&caller);
        let answer_to = (key, request.clone());
        let invited = Invited { key, request, flow, offer: wanted.offer, caller };
        let mut steps = Vec::new();
        let plan = self.plan.clone();
        let call = if has_room {
            let mut site = self.site();
            Call::new(now, id, invited, plan, &mut site, &mut steps)
        } else {
            None
        };
        self.calls_total += 1;
        let Some(call) = call else {
            self.turn_away(now, answer_to, out);
            return;
        };
        self.invites.insert(key, call.caller_leg());
        self.calls.insert(id, Box::new(call));
        let route = (decision.rule, decision.target);
        let refusal = match wanted.replaces {
            Some(_) => None,
            None => self.dialler(id).and_then(|(extension, dialled)| {
                self.forbidden(now, id, (extension, &dialled), &route.1, out)
            }),
        };
        self.with_call(id, |call, site| match (wanted.replaces, refusal) {
            (Some(replaces), _) => call.take_over(replaces, &mut steps),
            (None, None) => {
                call.mean(phone);
                call.route(now, site, route, &mut steps);
            }
            (None, Some(reason)) => call.refuse(now, site, reason, &mut steps),
        });
        self.carry_out(now, steps, out);
        self.drive(now, id, CallInput::Tick, out);
    }

    /// There is no room for the call.
    fn turn_away(
        &mut self,
        now: Instant,
        (key, request): (ServerKey, Request),
        out: &mut Vec<Output>,
    ) {
        self.calls_refused += 1;
        let (room, draining, ports) = (self.room, self.draining, self.ports.taken());
        tracing::warn!(room, draining, ports, "call refused");
        let response = Response::build(&request, 503, Some(&self.tag()))
            .header(Name::RetryAfter, RETRY_AFTER_S)
            .response();
        self.respond(now, key, response, out);
    }

    /// Whether a further call of this caller is taken.
    pub(super) fn has_room(&self, caller: &Caller) -> bool {
        let line = caller.trunk().and_then(|trunk| self.trunks.lines.get(trunk));
        let is_free = self.room && !self.draining && self.calls.len() < self.plan.calls_max;
        is_free && line.is_none_or(Line::has_room)
    }

    /// Who calls, and whom; `None` if the trunk is gone.
    pub(super) fn caller(
        &self,
        origin: Origin,
        request: &Request,
        dialled: String,
    ) -> Option<Caller> {
        let extension = match &origin {
            Origin::Extension(extension) => extension,
            Origin::Trunk(trunk) => {
                return Some(caller_over(self.trunks.lines.get(trunk)?, request, &dialled));
            }
        };
        let account = self.plan.extensions.get(extension);
        let name = account.map(|account| account.name.clone());
        Some(Caller {
            presented: account.and_then(|account| preferred(account, request)),
            sent: extension.to_string(),
            number: extension.to_string(),
            e164: None,
            name: name.filter(|name| !name.is_empty()),
            origin,
            dialled,
            did: None,
            hidden: is_hidden(request),
        })
    }

    /// The refusal of a request that cannot be served, whoever sends it.
    pub(super) fn unserved(&mut self, request: &Request) -> Option<Response> {
        let unserved = may_go_on(request).err()?;
        Some(unserved.response(request, &self.tag()))
    }

    /// The account that calls, and what it dialled; none if the call came over a trunk.
    fn dialler(&self, id: CallId) -> Option<(ExtensionId, String)> {
        let caller = self.calls.get(&id)?.caller();
        Some((caller.extension()?.clone(), caller.dialled.clone()))
    }

    /// Why an account may not dial that; feature codes and emergencies are free. A call that counts
    /// is counted.
    pub(super) fn forbidden(
        &mut self,
        now: Instant,
        id: CallId,
        (extension, dialled): (ExtensionId, &str),
        to: &Dest,
        out: &mut Vec<Output>,
    ) -> Option<&'static str> {
        let plan = self.plan.clone();
        let account = plan.extensions.get(&extension)?;
        let Dest::Target(target) = to else { return None };
        let (access, at) = (&plan.access, self.wall(now));
        let (classes, day) = (access.classes_of(dialled, target), access.day(at));
        let usage = self.limits.of(now, &extension, &day);
        if let Some(refusal) = access.refusal(account, &classes, at, &usage) {
            tracing::info!(call = %id, %extension, reason = refusal.reason(), "call refused");
            return Some(refusal.reason());
        }
        if access.counts(account, &classes) {
            let kept = self.limits.began(now, id, (extension.clone(), classes), day);
            out.push(keep_limits(&extension, kept));
        }
        None
    }

    pub(super) fn refuse(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Request,
        status: u16,
        out: &mut Vec<Output>,
    ) {
        let mut response = Response::build(request, status, Some(&self.tag()));
        if status == 405 {
            response = response.header(Name::Allow, ALLOW);
        }
        self.respond(now, key, response.response(), out);
    }

    pub(super) fn respond(
        &mut self,
        now: Instant,
        key: ServerKey,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        self.transact(now, transaction::Input::Respond { key, response }, out);
    }

    pub(super) fn tag(&mut self) -> String {
        self.parts.rng.token(8)
    }
}

/// The number that a phone wants to be shown, if its account may be (RFC 3325 §9.2).
fn preferred(account: &Extension, request: &Request) -> Option<String> {
    let wishes = request.addresses(Name::PPreferredIdentity).filter_map(Result::ok);
    let mut numbers = wishes.filter_map(|wish| wish.uri().ok()?.user_unescaped());
    numbers.find(|number| account.may_show(number)).map(Cow::into_owned)
}

/// Whether only accounts may send it, outside of dialogs.
fn needs_account(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Register | Method::Subscribe)
}
