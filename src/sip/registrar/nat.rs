//! Address translation between a peer and us: seen where the peer's words and its packets differ.
//!
//! A peer that writes the address which we see it send from has no NAT in between: then the other
//! addresses that it writes can be believed. Whoever is behind a NAT is answered, called back and
//! sent requests over the flow that he opened, and over no other.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Host, Request, Scheme, Uri, Via};

/// The port of a SIP URI or a Via that names none (RFC 3261 §19.1.2).
pub const DEFAULT_PORT: u16 = 5060;

/// A flow to a peer, with whether anything else that it says about addresses can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    pub flow: Flow,
    /// No NAT lies between: the peer is also reached where its Contact points.
    pub direct: bool,
}

impl Path {
    /// What a request that was received tells of its sender.
    pub fn of(flow: Flow, request: &Request) -> Self {
        Self { flow, direct: is_direct(&flow, &request.via()) }
    }

    /// The path after a restart, to a peer with this Contact: connections are gone; those that can
    /// be opened from here are.
    pub fn reopened(self, contact: &str) -> Option<Self> {
        if !self.flow.transport.is_reliable() {
            return Some(self);
        }
        // A phone's own certificate can hardly be verified, and browsers take no connections.
        let is_open = self.direct && self.flow.transport == Transport::Tcp;
        let uri = Uri::parse(contact).ok().filter(|_| is_open)?;
        let Host::Ip(ip) = uri.host() else { return None };
        let remote = SocketAddr::new(ip, uri.port().unwrap_or(DEFAULT_PORT));
        let flow = Flow { remote, connection: ConnectionId::default(), ..self.flow };
        Some(Self { flow, ..self })
    }

    /// The flow over which `uri` is reached from here (RFC 3261 §8.1.2, as far as no DNS is asked).
    ///
    /// The path's own flow, unless nothing translates addresses in between and `uri` names another
    /// address: then that address, by the transport that `uri` names.
    pub fn towards(&self, uri: &Uri<'_>) -> Flow {
        // A GRUU names a phone, not the place where it is (RFC 5627 §3.1).
        let is_place =
            matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && uri.param("gr").is_none();
        if !self.direct || !is_place {
            return self.flow;
        }
        let host = match uri.param("maddr").and_then(|maddr| maddr.parse().ok()) {
            Some(maddr) => Host::Ip(maddr),
            None => uri.host(),
        };
        let Host::Ip(ip) = host else { return self.flow };
        let transport = match uri.param("transport") {
            None => self.flow.transport,
            Some(name) => match Transport::of_param(name, uri.scheme() == Scheme::Sips) {
                Some(transport) => transport,
                None => return self.flow,
            },
        };
        // Only the peer opens WebSockets; what came secured goes back over its own connection.
        if transport != self.flow.transport && !matches!(transport, Transport::Tcp | Transport::Udp)
        {
            return self.flow;
        }
        let port = uri.port().unwrap_or(transport.default_port());
        let remote = SocketAddr::new(ip, port);
        let same_place = remote.ip() == self.flow.remote.ip().to_canonical()
            && (transport.is_reliable() || port == self.flow.remote.port());
        let usable = !ip.is_unspecified() && !ip.is_multicast() && port != 0;
        let same_family = ip.is_ipv4() == self.flow.local.ip().to_canonical().is_ipv4();
        // A phone's TCP connection comes from a port of its own choice: it is used while it lasts.
        if (same_place && transport == self.flow.transport) || !usable || !same_family {
            return self.flow;
        }
        Flow { transport, remote, connection: ConnectionId::default(), ..self.flow }
    }
}

/// Where the responses to `request` go (RFC 3261 §18.2.2, RFC 3581 §4).
///
/// Back over the flow; but to the port of the Via if the sender wants it so: it did not ask for
/// `rport`, and writes its true address.
pub fn reply_flow(flow: Flow, request: &Request) -> Flow {
    let via = request.via();
    if flow.transport.is_reliable() || via.param("rport").is_some() || !is_direct(&flow, &via) {
        return flow;
    }
    let port = via.port().filter(|port| *port != 0).unwrap_or(DEFAULT_PORT);
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
}

/// Whether the sender writes the address that its packets come from.
fn is_direct(flow: &Flow, via: &Via<'_>) -> bool {
    match via.host() {
        Host::Ip(ip) => canonical(ip) == canonical(flow.remote.ip()),
        Host::Absent | Host::Name(_) => false,
    }
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
