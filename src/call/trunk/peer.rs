//! A server as it is configured: `sip.itsp.example`, `203.0.113.7:5070`, `tcp://[2001:db8::1]`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::sip::flow::Transport;

/// Where a server is; what is not written is found by RFC 3263.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// As it stands in a URI: an IPv6 address has its brackets.
    pub host: String,
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

impl Peer {
    /// The SIP URI that leads there; with `user` or without.
    pub fn uri(&self, user: Option<&str>) -> String {
        let mut uri = String::from("sip:");
        if let Some(user) = user {
            uri.push_str(user);
            uri.push('@');
        }
        uri.push_str(&self.host);
        if let Some(port) = self.port {
            uri.push_str(&format!(":{port}"));
        }
        if let Some(transport) = self.transport {
            uri.push_str(&format!(";transport={}", transport.param()));
        }
        uri
    }

    /// The host, if it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{}://", transport.param())?;
        }
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let wrong = || PeerError(text.to_owned());
        let (transport, rest) = match text.split_once("://") {
            None => (None, text),
            Some((name, rest)) => {
                let known = [Transport::Udp, Transport::Tcp, Transport::Tls];
                let named = known.into_iter().find(|transport| transport.param() == name);
                (Some(named.ok_or_else(wrong)?), rest)
            }
        };
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address without brackets.
            Some((host, _)) if host.contains(':') && !host.ends_with(']') => (rest, None),
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        };
        let port = match port {
            None => None,
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = match bare.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) if is_name(host) => host.to_ascii_lowercase(),
            Err(_) => return Err(wrong()),
        };
        Ok(Self { host, port, transport })
    }
}

/// RFC 3261 §25.1, `hostname` and `IPv4address`.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    host.len() <= NAME_BYTES_MAX
        && host.split('.').all(label)
        && (!numeric || host.parse::<IpAddr>().is_ok())
}

impl<'de> Deserialize<'de> for Peer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PeerVisitor)
    }
}

/// Reads a server inside the reader, so that a mistake is found at its place in the list.
struct PeerVisitor;

impl Visitor<'_> for PeerVisitor {
    type Value = Peer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Peer, E> {
        text.parse().map_err(E::custom)
    }
}

/// A text that is no server.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no server; write `sip.itsp.example`, `203.0.113.7:5070` or `tcp://…`")]
pub struct PeerError(String);

/// The longest name of a host (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_print_as_they_are_written() {
        for (text, uri) in [
            ("sip.itsp.example", "sip:021@sip.itsp.example"),
            ("203.0.113.7:5070", "sip:021@203.0.113.7:5070"),
            ("tcp://[2001:db8::1]:5070", "sip:021@[2001:db8::1]:5070;transport=tcp"),
            ("udp://203.0.113.7", "sip:021@203.0.113.7;transport=udp"),
        ] {
            let peer: Peer = text.parse().unwrap();
            assert_eq!(peer.to_string(), text);
            assert_eq!(peer.uri(Some("021")), uri);
        }
        assert_eq!("2001:db8::1".parse::<Peer>().unwrap().host, "[2001:db8::1]");
        assert_eq!("SIP.Itsp.Example".parse::<Peer>().unwrap().host, "sip.itsp.example");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in
            ["", "sip:x", "a b", "x..y", "203.0.113.300", "host:0", "host:", "ftp://host", "u@host"]
        {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
    }
}
