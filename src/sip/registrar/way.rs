//! The way back to a phone, as its REGISTER tells it.
//!
//! Spec:     RFC 3327 §5.3 (Path), RFC 5626 §6 (Outbound).
//! In:       a REGISTER and the flow that it came over.
//! Out:      the flow, the proxies on the way, whether the flow is the only way.
//! Not here: the bindings (`registrar`), whether addresses can be believed (`nat`).

use crate::sip::flow::Flow;
use crate::sip::message::{Name, NameAddr, Request, Scheme, Uri};

use super::nat::Path;

/// How requests reach the phone that sent a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    path: Path,
    /// The proxies that requests pass, in this order.
    pub route: Vec<String>,
    /// The phone keeps this flow open, and is reached by it alone (RFC 5626).
    pub outbound: bool,
}

/// Why no way back can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayError {
    /// 439: the phone wants its flow kept, and the proxy before it does not know how.
    FirstHop,
    /// 400.
    Path,
}

impl Way {
    /// Reads the way of a REGISTER; `has_flows` if one of its Contacts has an instance and a
    /// `reg-id`.
    pub fn of(flow: Flow, request: &Request, has_flows: bool) -> Result<Self, WayError> {
        let mut route = Vec::new();
        for value in request.values(Name::Path) {
            let is_sip =
                uri_of(value).is_some_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips));
            if !is_sip || value.len() > PROXY_BYTES_MAX || route.len() == PROXIES_MAX {
                return Err(WayError::Path);
            }
            route.push(value.to_owned());
        }
        let keeps = |proxy: &String| uri_of(proxy).is_some_and(|uri| uri.param("ob").is_some());
        let outbound = has_flows && request.has_value(Name::Supported, "outbound");
        let came_directly = request.values(Name::Via).nth(1).is_none();
        if outbound && !came_directly && !route.iter().any(keeps) {
            return Err(WayError::FirstHop);
        }
        Ok(Self { path: Path::of(flow, request), route, outbound })
    }

    /// The flow to a Contact of the REGISTER.
    pub fn towards(&self, contact: &str) -> Path {
        if self.outbound {
            return Path { direct: false, ..self.path };
        }
        let next_hop = match self.route.first() {
            Some(proxy) => uri_of(proxy),
            None => Uri::parse(contact).ok(),
        };
        next_hop.map_or(self.path, |uri| Path { flow: self.path.towards(&uri), ..self.path })
    }
}

/// The URI of a Path or Route value.
pub fn uri_of(value: &str) -> Option<Uri<'_>> {
    NameAddr::parse(Name::Path, value).ok()?.uri().ok()
}

/// Proxies between a phone and us; more is a loop or an attack.
const PROXIES_MAX: usize = 8;
/// The longest Path value: edge proxies put their state into it.
const PROXY_BYTES_MAX: usize = 1024;
