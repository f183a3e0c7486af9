//! `Via` (RFC 3261 §20.42, RFC 3581).

use super::Params;
use crate::sip::message::text::{find_outside, is_token, trim, trim_start};
use crate::sip::message::{Host, Name, ParseError};

/// One hop: how the request was sent, and where its responses go.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    transport: &'a str,
    sent_by: &'a str,
    host: Host<'a>,
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value: `SIP/2.0/UDP host:port;branch=…`, with spaces where the grammar has them.
    ///
    /// # Errors
    ///
    /// `ParseError::Header(Name::Via)`.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::read(trim(text)).ok_or(ParseError::Header(Name::Via))
    }

    fn read(text: &'a str) -> Option<Self> {
        let end = find_outside(text.as_bytes(), b';').unwrap_or(text.len());
        let (before, params) = text.split_at(end);
        let rest = match before.strip_prefix("SIP/2.0/") {
            Some(rest) => trim_start(rest),
            None => spaced_protocol(before)?,
        };
        let (transport, sent_by) = rest.split_once([' ', '\t'])?;
        let sent_by = trim(sent_by);
        let (host, port) = match Host::with_port(sent_by) {
            Some(found) => found,
            None => spaced_port(sent_by)?,
        };
        if !is_token(transport.as_bytes()) {
            return None;
        }
        Some(Self { transport, sent_by, host, port, params: Params::parse(params)? })
    }

    /// As written: `UDP`, `TCP`, `TLS`, `WSS`, …
    pub const fn transport(&self) -> &'a str {
        self.transport
    }

    /// Host and port as written.
    pub const fn sent_by(&self) -> &'a str {
        self.sent_by
    }

    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port as written; `None` stands for the transport's default.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The transaction's name (RFC 3261 §8.1.1.7); RFC 2543 senders have none.
    pub fn branch(&self) -> Option<&'a str> {
        self.param("branch").filter(|branch| !branch.is_empty())
    }

    /// A parameter, without quotes; empty for a flag such as `rport`.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// All parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }
}

/// What follows `SIP / 2.0 /`.
fn spaced_protocol(text: &str) -> Option<&str> {
    let (protocol, rest) = text.split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    let is_sip = trim(protocol).eq_ignore_ascii_case("SIP") && trim(version) == "2.0";
    is_sip.then(|| trim_start(rest))
}

/// Reads `host : port`.
fn spaced_port(text: &str) -> Option<(Host<'_>, Option<u16>)> {
    let (host, port) = text.rsplit_once(':')?;
    let (host, none) = Host::with_port(trim(host))?;
    match none {
        None => Some((host, Some(trim(port).parse().ok()?))),
        Some(_) => None,
    }
}
