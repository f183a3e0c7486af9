//! What a request outside of dialogs asks for, and why it cannot be had, whoever asks.
//!
//! Spec: RFC 3261 §8.2.2, §8.2.3, §16.3 as far as it holds for one who answers for others;
//! RFC 7332.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::call::{SDP, is_description, is_type, not_understood};
use crate::sdp::Session;
use crate::sip::dialog::Replaces;
use crate::sip::dialog::session_timer::Limits;
use crate::sip::message::{Host, Name, Request, Response, Scheme};
use crate::time::Duration;

/// What an INVITE asks for.
pub(super) struct Wanted {
    pub dialled: String,
    pub offer: Option<Session>,
    /// The dialog whose place the caller wants (RFC 3891).
    pub replaces: Option<Replaces>,
}

/// Why a request cannot be served, whoever sends it.
pub(super) enum Unserved {
    /// Extensions that we do not know are required.
    Extensions(String),
    /// The body is no session description (RFC 3261 §8.2.3).
    MediaType,
    /// Its session would be too short (RFC 4028 §9): the shortest that we take.
    SessionTooShort(Duration),
    Status(u16),
}

impl Unserved {
    pub fn response(&self, request: &Request, tag: &str) -> Response {
        match self {
            Self::Extensions(names) => {
                Response::build(request, 420, Some(tag)).header(Name::Unsupported, names).response()
            }
            Self::MediaType => {
                Response::build(request, 415, Some(tag)).header(Name::Accept, SDP).response()
            }
            Self::SessionTooShort(min) => Response::build(request, 422, Some(tag))
                .header(Name::MinSe, min.as_secs())
                .response(),
            Self::Status(status) => Response::build(request, *status, Some(tag)).response(),
        }
    }
}

/// The names under which the node is addressed.
pub(super) struct Names<'a> {
    /// Empty: whatever name or address a phone uses.
    pub domain: &'a str,
    pub aliases: &'a [String],
    /// Ours, as the sender knows it.
    pub local: IpAddr,
    pub external: Option<IpAddr>,
}

impl Names<'_> {
    fn are_meant(&self, host: Host<'_>) -> bool {
        if self.domain.is_empty() {
            return true;
        }
        match host {
            Host::Absent => true, // a tel URI
            Host::Ip(ip) => {
                let ours = |known: IpAddr| known.to_canonical() == ip.to_canonical();
                ours(self.local)
                    || self.external.is_some_and(ours)
                    || self.domain.parse().is_ok_and(ours)
            }
            Host::Name(name) => {
                let aliases = self.aliases.iter().map(String::as_str);
                aliases.chain([self.domain]).any(|known| known.eq_ignore_ascii_case(name))
            }
        }
    }
}

/// Looks at what every request must have in order: its URI, its hops and what it requires. Trunks
/// are free to name any host.
pub(super) fn acceptable(request: &Request, names: Option<&Names<'_>>) -> Result<(), Unserved> {
    let uri = request.uri().map_err(|_| Unserved::Status(400))?;
    request.max_forwards().map_err(|_| Unserved::Status(400))?;
    if uri.scheme() == Scheme::Other {
        return Err(Unserved::Status(416));
    }
    if names.is_some_and(|names| !names.are_meant(uri.host())) {
        return Err(Unserved::Status(404));
    }
    not_understood(request).map_or(Ok(()), |names| Err(Unserved::Extensions(names)))
}

/// Whether the request may go further, to whom it is for (RFC 3261 §16.3).
pub(super) fn may_go_on(request: &Request) -> Result<(), Unserved> {
    match request.max_forwards() {
        Ok(Some(0)) => Err(Unserved::Status(483)),
        Ok(_) => Ok(()),
        Err(_) => Err(Unserved::Status(400)),
    }
}

/// What an acceptable INVITE asks for.
pub(super) fn wanted(request: &Request, session: Limits) -> Result<Wanted, Unserved> {
    may_go_on(request)?;
    let replaces = match request.lines(Name::Replaces).collect::<Vec<_>>()[..] {
        [] => None,
        [one] => Some(Replaces::parse(one).ok_or(Unserved::Status(400))?),
        _ => return Err(Unserved::Status(400)),
    };
    if let Some(min) = session.too_small(request) {
        return Err(Unserved::SessionTooShort(min));
    }
    let uri = request.uri().map_err(|_| Unserved::Status(400))?;
    let dialled = uri.user_unescaped().map(Cow::into_owned).ok_or(Unserved::Status(404))?;
    if !takes_sdp(request) {
        return Err(Unserved::Status(406));
    }
    if request.body().is_empty() {
        return Ok(Wanted { dialled, offer: None, replaces });
    }
    if !is_description(request) {
        return Err(Unserved::MediaType);
    }
    let offer = Session::parse(request.body()).map_err(|_| Unserved::Status(400))?;
    Ok(Wanted { dialled, offer: Some(offer), replaces })
}

/// Whether our answer can be read by the caller (RFC 3261 §20.1); who does not say can.
fn takes_sdp(request: &Request) -> bool {
    let mut accepted = request.values(Name::Accept).peekable();
    accepted.peek().is_none()
        || accepted.any(|kind| ["*/*", "application/*", SDP].iter().any(|all| is_type(kind, all)))
}
