//! Requests that belong to no dialog yet: who is asking, and may he?

use crate::call::{
    ALLOW, Call, Caller, Input as CallInput, Invited, LegInput, Origin, RETRY_AFTER_S,
};
use crate::id::ExtensionId;
use crate::route::rules::Call as Dialled;
use crate::sdp::Session;
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::transaction::{self, ServerKey};
use crate::switch::{Output, Switch};
use crate::time::Instant;

impl Switch {
    /// A request that no transaction knows.
    pub(super) fn requested(
        &mut self,
        now: Instant,
        key: ServerKey,
        flow: Flow,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        if request.to_tag().is_some() {
            match self.leg_of(&request) {
                Some(leg) => self.leg(now, leg, LegInput::Request { key, flow, request }, out),
                None => self.refuse(now, key, &request, 481, out),
            }
            return;
        }
        match request.method() {
            Method::Register => self.register(now, key, flow, &request, out),
            Method::Invite => self.invite(now, key, flow, request, out),
            Method::Options => {
                let response = Response::build(&request, 200, Some(&self.tag()))
                    .header(Name::Allow, ALLOW)
                    .header(Name::Accept, "application/sdp")
                    .response();
                self.respond(now, key, response, out);
            }
            Method::Bye | Method::Update | Method::Prack | Method::Notify | Method::Info => {
                self.refuse(now, key, &request, 481, out);
            }
            _ => self.refuse(now, key, &request, 405, out),
        }
    }

    /// RFC 3261 §10.3: only the account itself registers phones.
    fn register(
        &mut self,
        now: Instant,
        key: ServerKey,
        flow: Flow,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        let Some(account) = self.credentials(now, &key, flow, request, out) else { return };
        let owner = request.to().uri().ok().and_then(|uri| uri.user_unescaped());
        if owner.as_deref() != Some(account.as_str()) {
            self.refuse(now, key, request, 403, out);
            return;
        }
        let mut changes = Vec::new();
        let tag = self.tag();
        let registrar = &mut self.parts.registrar;
        let response = registrar.handle_register(now, &account, flow, request, &tag, &mut changes);
        self.respond(now, key, response, out);
        self.registrations_changed(now, changes, out);
    }

    /// A new call.
    fn invite(
        &mut self,
        now: Instant,
        key: ServerKey,
        flow: Flow,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let Some(extension) = self.credentials(now, &key, flow, &request, out) else { return };
        let wanted = match wanted(&request) {
            Ok(wanted) => wanted,
            Err(response) => {
                let response = response.response(&request, &self.tag());
                self.respond(now, key, response, out);
                return;
            }
        };
        let id = self.call_ids.next(self.wall(now).as_micros());
        let name = self.plan.extensions.get(&extension).map(|account| account.name.clone());
        let decision = self.plan.routes.find(&Dialled {
            from: extension.as_str(),
            to: &wanted.dialled,
            extension: Some(&extension),
            at: self.wall(now),
        });
        let caller = Caller {
            number: extension.to_string(),
            origin: Origin::Extension(extension),
            name: name.filter(|name| !name.is_empty()),
            dialled: wanted.dialled,
        };
        let answer_to = (key, request.clone());
        let invited = Invited { key, request, flow, offer: wanted.offer, caller };
        let mut steps = Vec::new();
        let plan = self.plan.clone();
        let call = if self.room && !self.draining && self.calls.len() < plan.calls_max {
            let mut site = self.site();
            Call::new(now, id, invited, plan, &mut site, &mut steps)
        } else {
            None
        };
        self.calls_total += 1;
        let Some(call) = call else {
            self.calls_refused += 1;
            tracing::warn!(
                room = self.room,
                draining = self.draining,
                ports = self.ports.taken(),
                "call refused: no room"
            );
            let (key, request) = answer_to;
            let response = Response::build(&request, 503, Some(&self.tag()))
                .header(Name::RetryAfter, RETRY_AFTER_S)
                .response();
            self.respond(now, key, response, out);
            return;
        };
        self.invites.insert(key, call.caller_leg());
        self.calls.insert(id, Box::new(call));
        self.with_call(id, |call, site| {
            call.route(now, site, (decision.rule, decision.target), &mut steps);
        });
        self.carry_out(now, steps, out);
        self.drive(now, id, CallInput::Tick, out);
    }

    /// The account whose credentials the request carries; otherwise the request is answered.
    fn credentials(
        &mut self,
        now: Instant,
        key: &ServerKey,
        flow: Flow,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Option<ExtensionId> {
        let (tag, source, secrets) = (self.tag(), flow.remote.ip(), &self.secrets);
        let admitted = self.parts.auth.admit(now, source, request, &tag, |user| secrets.get(user));
        match admitted {
            Ok(account) => Some(ExtensionId::from(account.as_str())),
            Err(response) => {
                self.respond(now, *key, *response, out);
                None
            }
        }
    }

    fn refuse(
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

    fn respond(&mut self, now: Instant, key: ServerKey, response: Response, out: &mut Vec<Output>) {
        self.transact(now, transaction::Input::Respond { key, response }, out);
    }

    fn tag(&mut self) -> String {
        self.parts.rng.token(8)
    }
}

/// What an INVITE asks for.
struct Wanted {
    dialled: String,
    offer: Option<Session>,
}

/// Why an INVITE cannot be served, whoever sends it.
enum Unserved {
    /// An extension that we do not know is required (RFC 3261 §8.2.2.3).
    Extension(String),
    /// The body is no session description (RFC 3261 §8.2.3).
    MediaType,
    Status(u16),
}

impl Unserved {
    fn response(self, request: &Request, tag: &str) -> Response {
        match self {
            Self::Extension(names) => {
                Response::build(request, 420, Some(tag)).header(Name::Unsupported, names).response()
            }
            Self::MediaType => Response::build(request, 415, Some(tag))
                .header(Name::Accept, "application/sdp")
                .response(),
            Self::Status(status) => Response::build(request, status, Some(tag)).response(),
        }
    }
}

fn wanted(request: &Request) -> Result<Wanted, Unserved> {
    let required: Vec<&str> = request.values(Name::Require).collect();
    if !required.is_empty() {
        return Err(Unserved::Extension(required.join(", ")));
    }
    match request.max_forwards() {
        Ok(Some(0)) => return Err(Unserved::Status(483)),
        Ok(_) => {}
        Err(_) => return Err(Unserved::Status(400)),
    }
    let uri = request.uri().map_err(|_| Unserved::Status(400))?;
    let dialled = uri.user_unescaped().ok_or(Unserved::Status(404))?.into_owned();
    if request.body().is_empty() {
        return Ok(Wanted { dialled, offer: None });
    }
    let kind = request.content_type().unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(SDP)) {
        return Err(Unserved::MediaType);
    }
    let offer = Session::parse(request.body()).map_err(|_| Unserved::Status(400))?;
    Ok(Wanted { dialled, offer: Some(offer) })
}

const SDP: &str = "application/sdp";
