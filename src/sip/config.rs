//! `[sip]`: where phones reach us, and the limits of the SIP layer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::sip::dialog::session_timer;
use crate::sip::digest::Algorithm;
use crate::sip::flow::Transport;
use crate::time::Duration;

/// `[sip]`: where phones reach us, and the limits of the SIP layer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Names besides `domain` under which phones and trunks address the node. Default `[]`.
    pub aliases: Vec<String>,
    /// PEM file with the certificates of those who sign the certificates of servers that we connect
    /// to over TLS. Default: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// PEM file of the certificate chain that `tls` and `wss` show, relative to the configuration
    /// file. Taken up anew when it changes. Default: none.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificates of those who sign the certificates of clients: clients are
    /// asked for one, a wrong one ends the connection, and one without any shows who it is by its
    /// password. Default: clients are not asked.
    pub client_ca: Option<PathBuf>,
    /// Open connections of phones (TCP, TLS, WebSocket), in all; further ones are closed at once.
    /// Default 4096.
    pub connections_max: usize,
    /// Phones that one account can have registered; a further one takes the
    /// place of the one that was heard longest ago. Default 10.
    pub contacts_max: usize,
    /// The hashes that digest challenges offer, the preferred first: `"sha-256"`, `"md5"`. Default
    /// `["md5"]`; `["sha-256", "md5"]` is better where every phone knows RFC 8760, but some of
    /// those that do not give up when they see a hash that they do not know.
    pub digest: Vec<Algorithm>,
    /// The domain of the accounts. Requests for another get `404`, unless it is one of `aliases` or
    /// our address. Default `""`: whatever domain or address a phone names.
    pub domain: String,
    /// How long a registration lasts if the phone does not say. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires: Duration,
    /// A longer registration is cut to this. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_max: Duration,
    /// A shorter registration is refused with `423 Interval Too Brief`. Default `"1m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_min: Duration,
    /// The address that outsiders see, when behind NAT. Default: the address of the listener.
    pub external: Option<IpAddr>,
    /// PEM file of the certificate's private key, relative to the configuration file.
    /// Default: none.
    pub key: Option<PathBuf>,
    /// Where SIP is received; `[::]` is IPv6 alone, so that both families are written.
    /// Default `["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"]`.
    pub listen: Vec<Listen>,
    /// How long a digest nonce may be used; an older one is asked for again with `stale=true`.
    /// Default `"5m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub nonce_lifetime: Duration,
    /// The pages that may open WebSockets, as `"https://phone.example.com"`. Default: all may.
    pub origins: Vec<String>,
    /// The digest realm. Default: the domain, or `strowger` if there is none.
    pub realm: String,
    /// The name servers that SIP servers are looked up with, as `"192.0.2.53:53"`. Default: those
    /// of the system (`/etc/resolv.conf`); the hosts file counts before either.
    pub resolvers: Vec<SocketAddr>,
    /// How long a call lives without a sign of life from a phone: after half of this it is asked
    /// for one (RFC 4028). Default `"30m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub session_expires: Duration,
    /// A phone that wants to be asked more often is refused with `422 Session Interval Too Small`;
    /// 90 s or more. Default `"90s"`.
    #[serde(with = "crate::time::WithinYears")]
    pub session_expires_min: Duration,
    /// Transactions under way; above it new requests get `503` with Retry-After, and above twice
    /// that those of calls in progress too. A finished one counts for 32 s more (RFC 3261 §17.2.2).
    /// One dialog has 400 at most: what is more gets `500` with Retry-After, but for a BYE. Default
    /// 200000.
    pub transactions_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Self {
            aliases: Vec::new(),
            ca: None,
            certificate: None,
            client_ca: None,
            connections_max: 4096,
            contacts_max: 10,
            digest: vec![Algorithm::Md5],
            domain: String::new(),
            expires: Duration::from_secs(3600),
            expires_max: Duration::from_secs(3600),
            expires_min: Duration::from_secs(60),
            external: None,
            key: None,
            listen: vec![
                Listen { transport: Transport::Udp, address: any },
                Listen { transport: Transport::Tcp, address: any },
            ],
            nonce_lifetime: Duration::from_secs(300),
            origins: Vec::new(),
            realm: String::new(),
            resolvers: Vec::new(),
            session_expires: Duration::from_secs(1800),
            session_expires_min: session_timer::EXPIRES_MIN,
            transactions_max: 200_000,
        }
    }
}

impl Config {
    /// The transports over which others are reached, the preferred first.
    pub fn reaches(&self) -> Vec<Transport> {
        let has =
            |transport: &Transport| self.listen.iter().any(|listen| listen.transport == *transport);
        // A client needs no listener for TLS: what the server sends comes over the connection.
        let plain = [Transport::Udp, Transport::Tcp].into_iter().filter(has);
        plain.chain([Transport::Tls]).collect()
    }

    /// What we want of session timers.
    pub fn session(&self) -> session_timer::Limits {
        session_timer::Limits { expires: self.session_expires, min: self.session_expires_min }
    }

    /// The realm of digest challenges: `realm`, else the domain, else `strowger`.
    pub fn realm(&self) -> &str {
        [self.realm.as_str(), self.domain.as_str()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or("strowger")
    }
}

/// An address where SIP is received, written `udp://0.0.0.0:5060`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listen {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport.param(), self.address)
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let wrong = || ListenError::Malformed(text.to_owned());
        let (scheme, address) = text.split_once("://").ok_or_else(wrong)?;
        let known = Transport::ALL.into_iter().find(|transport| transport.param() == scheme);
        let transport = known.ok_or_else(wrong)?;
        match address.parse::<SocketAddr>() {
            Ok(address) if address.port() > 0 => Ok(Self { transport, address }),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ListenVisitor)
    }
}

/// Reads an address inside the reader, so that a mistake is found at its place in the list.
struct ListenVisitor;

impl Visitor<'_> for ListenVisitor {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Listen, E> {
        text.parse().map_err(E::custom)
    }
}

/// Why a text is no listening address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ListenError {
    #[error(
        "`{0}` is no listening address; write `udp://0.0.0.0:5060` or `tcp`, `tls`, `ws`, `wss`"
    )]
    Malformed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_addresses_print_as_they_are_written() {
        for text in
            ["udp://0.0.0.0:5060", "tcp://[::1]:5070", "tls://[::]:5061", "wss://1.2.3.4:443"]
        {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        for text in
            ["0.0.0.0:5060", "udp://pbx.example.com:5060", "udp://0.0.0.0", "udp://1.2.3.4:0"]
        {
            assert_eq!(text.parse::<Listen>(), Err(ListenError::Malformed(text.to_owned())));
        }
        assert!("sctp://0.0.0.0:5060".parse::<Listen>().is_err());
    }

    #[test]
    fn the_realm_falls_back_to_the_domain() {
        let mut config = Config::default();
        assert_eq!(config.realm(), "strowger");
        config.domain = "pbx.example.com".to_owned();
        assert_eq!(config.realm(), "pbx.example.com");
        config.realm = "offices".to_owned();
        assert_eq!(config.realm(), "offices");
    }
}
