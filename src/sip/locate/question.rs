//! What the DNS and the network are asked for, and what they answer.

use std::net::{IpAddr, SocketAddr};

use crate::sip::flow::{Flow, Transport};

/// Names a question, so that its answer finds the lookup that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// One thing that must be known. Every question is answered, `Unavailable` if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The addresses of a host: A and AAAA, or the hosts file.
    Addresses(String),
    /// How a domain wants to be reached: NAPTR (RFC 3403).
    Naptr(String),
    /// Which hosts offer a service, such as `_sip._udp.example.com`: SRV (RFC 2782).
    Servers(String),
    /// From which of our addresses each candidate is reached. `domain` is the name that led to
    /// them: over TLS their certificates must be for it (RFC 5922 §7.2).
    Ways { candidates: Vec<Candidate>, domain: Option<String> },
}

/// The answer to the `Question` of the same name; nothing found is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Addresses(Vec<IpAddr>),
    Naptr(Vec<Naptr>),
    Servers(Vec<Srv>),
    /// Nobody answered in time, or whoever did has a fault: it may be known later.
    Unavailable,
    /// The candidates that can be reached, in the order of the question.
    Ways(Vec<Flow>),
}

/// A NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    /// Such as `SIP+D2U`.
    pub service: String,
    /// The name to look up next.
    pub replacement: String,
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// The host; `.` if the service is decidedly not offered.
    pub target: String,
}

/// One way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    pub transport: Transport,
    pub address: SocketAddr,
}
