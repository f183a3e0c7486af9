//! Where a message came from and how to answer it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2).
    Tls,
    Udp,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Tls, Self::Udp, Self::Ws, Self::Wss];

    /// Whether what is sent arrives, or the sender is told (RFC 3261 §17): no resending over it.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether nobody between can read it.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether only the peer can open connections (RFC 7118 §5): browsers are never called.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// As written in a Via header: `UDP`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// As written in the `transport` parameter of our own URIs: both kinds of WebSocket are `ws`
    /// (RFC 7118 §5.2).
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Wss => "ws",
            other => other.param(),
        }
    }

    /// Its name in small letters, as in listening addresses: `udp`.
    pub const fn param(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The transport that a URI's `transport` parameter names; a secure URI's TCP is TLS, its
    /// WebSocket WSS (RFC 3261 §26.2.2, RFC 7118 §5.2). `None` if there is no such transport.
    pub fn of_param(param: &str, secure: bool) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|one| one.param().eq_ignore_ascii_case(param))?;
        match (named, secure) {
            (Self::Tcp, true) => Some(Self::Tls),
            (Self::Ws, true) => Some(Self::Wss),
            (Self::Udp, true) => None,
            (named, _) => Some(named),
        }
    }

    /// The port of an address that names none (RFC 3261 §19.1.2, RFC 7118 §5.4.1).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tcp | Self::Udp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// Why nothing more can be sent over a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its connection could not be made, or has ended.
    Ended,
    /// The server showed a certificate that is not signed by whom we trust, or not for its name.
    Unverified,
}

/// The address that stands for one customer's: itself, or the first of an IPv6 address's /64,
/// within which every host takes what address it likes (RFC 6177).
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & V6_SOURCE_MASK)),
    }
}

/// The 64 bits that one IPv6 customer is given.
const V6_SOURCE_MASK: u128 = !(u64::MAX as u128);

/// Counts the stream connections of the process; 0 is none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ConnectionId(pub u64);

/// A way to a peer, and the address of ours that it sees.
///
/// What comes back over the same flow passes every NAT that the request passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    /// Our address as the peer must be told (Via, Contact): never unspecified.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The stream connection to use while it is open; 0 for UDP or to open one to `remote`.
    pub connection: ConnectionId,
}

impl Flow {
    /// The Contact of our messages: where requests in our dialogs are to be sent.
    pub fn contact(&self) -> String {
        self.contact_as(None)
    }

    /// The Contact, with `user` or without.
    pub fn contact_as(&self, user: Option<&str>) -> String {
        let at = if user.is_some() { "@" } else { "" };
        let (user, local) = (user.unwrap_or_default(), self.local);
        match self.transport {
            Transport::Udp => format!("<sip:{user}{at}{local}>"),
            transport => format!("<sip:{user}{at}{local};transport={}>", transport.uri_param()),
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.param(), self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_source_is_its_whole_subnet() {
        let source = |text: &str| source_of(text.parse().unwrap());

        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
