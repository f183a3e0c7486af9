//! Where an INVITE goes: by rules, or to the one phone that it names (RFC 5627 §6.1).
//! And where our own requests go whose phone has told such a name as its Contact.

use crate::call::{Caller, GRUU_RULE, Origin};
use crate::id::Target;
use crate::route::rules::{Call as Dialled, Decision, Dest};
use crate::sip::flow::Flow;
use crate::sip::message::{Name, Request, Uri};
use crate::sip::registrar::{Binding, Phone};
use crate::sip::transaction::Input;
use crate::switch::Switch;
use crate::switch::wanted::Wanted;
use crate::time::Instant;

/// Who calls, and where that leads.
pub(super) struct Destination {
    pub caller: Caller,
    pub decision: Decision,
    /// The phone that is meant, if it is not every one of its account.
    pub phone: Option<Phone>,
}

impl Switch {
    /// Where the INVITE goes; or the status that refuses it.
    pub(super) fn destination(
        &self,
        now: Instant,
        origin: Origin,
        request: &Request,
        wanted: &Wanted,
    ) -> Result<Destination, u16> {
        let phone = match &origin {
            Origin::Extension(_) if wanted.replaces.is_none() => self.phone_named(request)?,
            // Calls over trunks go where rules say; who wants a place has it wherever he dials.
            Origin::Extension(_) | Origin::Trunk(_) => None,
        };
        let account = phone.as_ref().map(|phone| phone.extension.to_string());
        let dialled = account.unwrap_or_else(|| wanted.dialled.clone());
        let caller = self.caller(origin, request, dialled).ok_or(NOT_FOUND)?;
        let mut decision = self.plan.routes.find(&Dialled {
            from: &caller.number,
            to: &caller.dialled,
            extension: caller.extension(),
            trunk: caller.trunk(),
            at: self.wall(now),
        });
        // No way past the rules: where they lead elsewhere, its name does not lead to a phone.
        let account = match &decision.target {
            Dest::Target(Target::Extension(account)) => Some(account),
            _ => None,
        };
        let phone = phone.filter(|phone| account == Some(&phone.extension));
        if phone.is_some() {
            decision.rule = GRUU_RULE.to_owned();
        }
        Ok(Destination { caller, decision, phone })
    }

    /// The phone that the Request-URI names if it is a GRUU, or why it cannot be called.
    fn phone_named(&self, request: &Request) -> Result<Option<Phone>, u16> {
        let uri = request.uri().map_err(|_| BAD_REQUEST)?;
        match self.parts.registrar.at_gruu(&uri) {
            None => Ok(None),
            Some(Ok(phone)) if self.plan.extensions.contains_key(&phone.extension) => {
                Ok(Some(phone))
            }
            Some(Err(status)) if self.is_extension(&uri) => Err(status),
            Some(_) => Err(NOT_FOUND),
        }
    }

    /// Our requests to a phone that gave its GRUU as Contact go where it is registered, by the way
    /// of its registration if no Record-Route gave another (RFC 5627 §6.1).
    pub(super) fn to_registered(&self, input: Input) -> Input {
        match input {
            Input::Ack { flow, request } => {
                let (flow, request) = self.retargeted(flow, request);
                Input::Ack { flow, request }
            }
            Input::Request { client, flow, request } => {
                let (flow, request) = self.retargeted(flow, request);
                Input::Request { client, flow, request }
            }
            other => other,
        }
    }

    fn retargeted(&self, flow: Flow, request: Request) -> (Flow, Request) {
        let registrar = &self.parts.registrar;
        let named = request.uri().ok().and_then(|uri| registrar.at_gruu(&uri));
        // A phone that is not registered any more is reached where it was heard last.
        let Some(Ok(phone)) = named else { return (flow, request) };
        let mut bindings = registrar.targets(&phone.extension).into_iter();
        // Whoever names the GRUU of somebody else hears from us himself.
        let is_there = |flow_of: &Flow| flow_of.remote.ip() == flow.remote.ip();
        let is_its_own = |it: &Binding| phone.has(it) && is_there(&it.path.flow);
        let Some(binding) = bindings.find(is_its_own) else {
            return (flow, request);
        };
        if request.header(Name::Route).is_some() {
            return (flow, request.forwarded_to(&binding.contact, &[]));
        }
        (binding.path.flow, request.forwarded_to(&binding.contact, &binding.route))
    }

    fn is_extension(&self, uri: &Uri<'_>) -> bool {
        uri.user_unescaped().is_some_and(|user| self.plan.extensions.contains_key(&*user))
    }
}

const BAD_REQUEST: u16 = 400;
const NOT_FOUND: u16 = 404;
