//! What is to be found: the parts of a URI that say where its server is.

use std::net::IpAddr;

use thiserror::Error;

use crate::sip::flow::Transport;
use crate::sip::message::{Host, Scheme, Uri};

/// Where a URI leads (RFC 3263 §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub host: TargetHost,
    /// As written; none lets SRV records choose.
    pub port: Option<u16>,
    /// As written; none lets NAPTR and SRV records choose.
    pub transport: Option<Transport>,
    /// Only TLS will do (`sips`).
    pub secure: bool,
}

/// A host by number or by name (in small letters, without a dot at its end).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetHost {
    Ip(IpAddr),
    Name(String),
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    #[error("the URI has no host that can be found")]
    Host,
    #[error("the URI's scheme has no servers")]
    Scheme,
    #[error("the URI names a transport that does not exist or is not secure")]
    Transport,
}

impl Target {
    /// Reads a URI: its `maddr` or host, port and `transport`.
    ///
    /// # Errors
    ///
    /// See `TargetError`.
    pub fn of(uri: &Uri<'_>) -> Result<Self, TargetError> {
        let secure = match uri.scheme() {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Other | Scheme::Tel => return Err(TargetError::Scheme),
        };
        let transport = match uri.param("transport") {
            None => None,
            Some(name) => Some(Transport::of_param(name, secure).ok_or(TargetError::Transport)?),
        };
        let host = match (uri.param("maddr"), uri.host()) {
            (Some(maddr), _) => TargetHost::parse(maddr),
            (None, Host::Ip(ip)) => TargetHost::of_ip(ip),
            (None, Host::Name(name)) => TargetHost::of_name(name),
            (None, Host::Absent) => None,
        };
        let host = host.ok_or(TargetError::Host)?;
        let port = uri.port();
        if port == Some(0) {
            return Err(TargetError::Host);
        }
        Ok(Self { host, port, transport, secure })
    }
}

impl TargetHost {
    /// Reads a number or a name; nothing if it can be neither.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match number.unwrap_or(text).parse::<IpAddr>() {
            Ok(ip) => Self::of_ip(ip),
            Err(_) => Self::of_name(text),
        }
    }

    fn of_ip(ip: IpAddr) -> Option<Self> {
        let ip = ip.to_canonical();
        (!ip.is_unspecified() && !ip.is_multicast()).then_some(Self::Ip(ip))
    }

    fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_label = |label: &str| {
            let fits = (1..=63).contains(&label.len());
            fits && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let is_name = name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label);
        is_name.then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

/// The longest name of the DNS (RFC 1035 §2.3.4), with room for `_sips._tcp.` before it.
const NAME_BYTES_MAX: usize = 253 - "_sips._tcp.".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_where_its_server_is() {
        let name = |name: &str| TargetHost::Name(name.to_owned());
        let plain = of("sip:1001@PBX.Example.com.").unwrap();
        assert_eq!(plain.host, name("pbx.example.com"));
        assert_eq!((plain.port, plain.transport, plain.secure), (None, None, false));

        let full = of("sip:a.example:5070;transport=TCP;maddr=192.0.2.7").unwrap();
        assert_eq!(full.host, TargetHost::Ip([192, 0, 2, 7].into()));
        assert_eq!((full.port, full.transport), (Some(5070), Some(Transport::Tcp)));

        let secure = of("sips:a.example;transport=tcp").unwrap();
        assert_eq!((secure.transport, secure.secure), (Some(Transport::Tls), true));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert_eq!(of("tel:+123"), Err(TargetError::Scheme));
        assert_eq!(of("sip:a.example;transport=pigeon"), Err(TargetError::Transport));
        assert_eq!(of("sips:a.example;transport=udp"), Err(TargetError::Transport));
        assert_eq!(of("sip:0.0.0.0"), Err(TargetError::Host));
        assert_eq!(of("sip:224.0.0.1"), Err(TargetError::Host));
        assert_eq!(of("sip:a.example:0"), Err(TargetError::Host));
        assert_eq!(of("sip:a..example"), Err(TargetError::Host));
        assert_eq!(of(&format!("sip:{}", "a.".repeat(130))), Err(TargetError::Host));
    }

    fn of(uri: &str) -> Result<Target, TargetError> {
        Target::of(&Uri::parse(uri).unwrap())
    }
}
