//! Where an INVITE goes: by rules, or to the one phone that it names (RFC 5627 §5.2).

use crate::call::{Caller, GRUU_RULE, Origin};
use crate::id::Target;
use crate::route::rules::{Call as Dialled, Decision, Dest};
use crate::sip::message::{Request, Uri};
use crate::sip::registrar::Phone;
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
        let decision = match &phone {
            Some(phone) => Decision {
                rule: GRUU_RULE.to_owned(),
                target: Dest::Target(Target::Extension(phone.extension.clone())),
            },
            None => self.plan.routes.find(&Dialled {
                from: &caller.number,
                to: &caller.dialled,
                extension: caller.extension(),
                trunk: caller.trunk(),
                at: self.wall(now),
            }),
        };
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

    fn is_extension(&self, uri: &Uri<'_>) -> bool {
        uri.user_unescaped().is_some_and(|user| self.plan.extensions.contains_key(&*user))
    }
}

const BAD_REQUEST: u16 = 400;
const NOT_FOUND: u16 = 404;
