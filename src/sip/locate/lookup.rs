//! One lookup: from a target to its candidates, question by question.
//!
//! Spec:     RFC 3263 §4.1 and §4.2, RFC 2782, RFC 3403; NAPTR services of RFC 3263 §4.1.
//! In:       the answers to its questions.
//! Out:      questions; at the end the candidates in the order in which they are to be tried.
//! Not here: asking (`shell::sip::resolve`), caching (there too), which of our addresses reaches a
//!           candidate and who failed lately (`locator`).
//!
//! A record that cannot be had counts as one that does not exist: many resolvers drop questions for
//! NAPTR, and a phone that is found by its address alone still rings.

use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::rng::Rng;
use crate::sip::flow::Transport;

use super::question::{Answer, Candidate, Naptr, Question, Srv};
use super::srv;
use super::target::{Target, TargetHost};
use State::{Addresses, Done, Services, Transports};

/// What the lookup asks of its owner, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Ask(Question),
    /// The last output: at least one candidate, or why there is none.
    Done(Result<Vec<Candidate>, LocateError>),
}

/// Why a target has no candidates.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LocateError {
    #[error("too many names are looked up at this moment")]
    Busy,
    #[error("the name has no address")]
    NotFound,
    #[error("the domain says that it offers no such service")]
    NotOffered,
    #[error("the DNS does not answer")]
    Unavailable,
    #[error("no transport of this node reaches it")]
    Unreachable,
}

/// Each round waits for all answers to its questions.
#[derive(Debug, Default)]
enum State {
    /// Which transports does the domain prefer?
    Transports,
    /// Which hosts serve it by each transport?
    Services { services: Vec<Service>, known: BTreeMap<String, Vec<Srv>> },
    /// Which addresses do these hosts have?
    Addresses { places: Vec<Place>, known: BTreeMap<String, Vec<IpAddr>> },
    #[default]
    Done,
}

/// A name that SRV records may stand under.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    transport: Transport,
    name: String,
}

/// A server by name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    transport: Transport,
    host: String,
    port: u16,
}

#[derive(Debug)]
pub struct Lookup {
    /// The name that is looked up.
    name: String,
    secure: bool,
    /// The transports that the node can use, the preferred first.
    usable: Vec<Transport>,
    /// Whether something could not be asked.
    unavailable: bool,
    /// Whether a service is decidedly not offered.
    declined: bool,
    state: State,
}

impl Lookup {
    /// Starts a lookup; numbers need no questions.
    pub fn start(target: &Target, usable: &[Transport], out: &mut Vec<Output>) -> Self {
        let mut lookup = Self {
            name: String::new(),
            secure: target.secure,
            usable: usable.to_vec(),
            unavailable: false,
            declined: false,
            state: Done,
        };
        lookup.begin(target, out);
        lookup
    }

    /// The name that is looked up; none for a number.
    pub fn domain(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(self.name.as_str())
    }

    /// Takes the answer to one of its questions; what was not asked is ignored.
    pub fn answered(
        &mut self,
        rng: &mut Rng,
        question: &Question,
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        self.unavailable |= answer == Answer::Unavailable;
        match (mem::take(&mut self.state), question) {
            (Transports, Question::Naptr(_)) => {
                let records = match answer {
                    Answer::Naptr(records) => records,
                    _ => Vec::new(),
                };
                let services = self.preferred(records);
                self.ask_services(services, out);
            }
            (Services { services, mut known }, Question::Servers(name)) => {
                let records = match answer {
                    Answer::Servers(records) => records,
                    _ => Vec::new(),
                };
                known.insert(name.clone(), records);
                if services.iter().all(|service| known.contains_key(&service.name)) {
                    self.ask_addresses(rng, services, &known, out);
                } else {
                    self.state = Services { services, known };
                }
            }
            (Addresses { places, mut known }, Question::Addresses(name)) => {
                let found = match answer {
                    Answer::Addresses(found) => found,
                    _ => Vec::new(),
                };
                known.insert(name.clone(), found);
                if places.iter().all(|place| known.contains_key(&place.host)) {
                    self.finish(&places, &known, out);
                } else {
                    self.state = Addresses { places, known };
                }
            }
            (state @ (Transports | Services { .. } | Addresses { .. } | Done), _) => {
                self.state = state; // not asked
            }
        }
    }

    fn begin(&mut self, target: &Target, out: &mut Vec<Output>) {
        let is_fixed = target.port.is_some() || matches!(target.host, TargetHost::Ip(_));
        let usual = if self.secure { Transport::Tls } else { Transport::Udp };
        let transport = target.transport.or_else(|| is_fixed.then_some(usual));
        if transport.is_some_and(|transport| !self.usable.contains(&transport)) {
            out.push(Output::Done(Err(LocateError::Unreachable)));
            return;
        }
        let port = |transport: Transport| target.port.unwrap_or(transport.default_port());
        match (&target.host, transport) {
            (TargetHost::Ip(ip), transport) => {
                let transport = transport.unwrap_or(usual);
                let address = SocketAddr::new(*ip, port(transport));
                out.push(Output::Done(Ok(vec![Candidate { transport, address }])));
            }
            (TargetHost::Name(name), Some(transport)) => {
                self.name.clone_from(name);
                if target.port.is_some() {
                    let (host, port) = (name.clone(), port(transport));
                    self.ask_places(vec![Place { transport, host, port }], out);
                } else {
                    self.ask_services(vec![self.service(transport)], out);
                }
            }
            (TargetHost::Name(name), None) => {
                self.name.clone_from(name);
                self.state = Transports;
                out.push(Output::Ask(Question::Naptr(name.clone())));
            }
        }
    }

    /// The services that a domain wants to be asked for (RFC 3263 §4.1); without NAPTR records all
    /// that could be.
    fn preferred(&self, mut records: Vec<Naptr>) -> Vec<Service> {
        records.sort();
        let wanted = records.into_iter().filter_map(|record| {
            let transport = naptr_transport(&record.service)?;
            let is_srv = record.flags.eq_ignore_ascii_case("s") && !record.replacement.is_empty();
            let fits = self.usable.contains(&transport) && (transport.is_secure() || !self.secure);
            (is_srv && fits).then_some(Service { transport, name: record.replacement })
        });
        let services: Vec<_> = wanted.take(SERVICES_MAX).collect();
        if !services.is_empty() {
            return services;
        }
        let fits = |transport: &&Transport| transport.is_secure() || !self.secure;
        self.usable.iter().filter(fits).map(|transport| self.service(*transport)).collect()
    }

    /// Where the SRV records of a transport stand if no NAPTR record says so.
    fn service(&self, transport: Transport) -> Service {
        let labels = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tls => "_sips._tcp",
            // Of WebSocket only the peer opens connections: the node never has it as usable.
            Transport::Tcp | Transport::Ws | Transport::Wss => "_sip._tcp",
        };
        Service { transport, name: format!("{labels}.{}", self.name) }
    }

    fn ask_services(&mut self, services: Vec<Service>, out: &mut Vec<Output>) {
        if services.is_empty() {
            out.push(Output::Done(Err(LocateError::Unreachable)));
            return;
        }
        let mut names: Vec<_> = services.iter().map(|service| service.name.clone()).collect();
        names.sort();
        names.dedup();
        out.extend(names.into_iter().map(|name| Output::Ask(Question::Servers(name))));
        self.state = Services { services, known: BTreeMap::new() };
    }

    /// RFC 3263 §4.2: the servers of the SRV records; if there are none, the name itself.
    fn ask_addresses(
        &mut self,
        rng: &mut Rng,
        services: Vec<Service>,
        known: &BTreeMap<String, Vec<Srv>>,
        out: &mut Vec<Output>,
    ) {
        let mut places = Vec::new();
        for service in &services {
            let records = known.get(&service.name).cloned().unwrap_or_default();
            for record in srv::order(records, rng) {
                match TargetHost::parse(&record.target) {
                    Some(TargetHost::Name(host)) if record.port > 0 => {
                        let (transport, port) = (service.transport, record.port);
                        places.push(Place { transport, host, port });
                    }
                    _ => self.declined = true,
                }
            }
        }
        places.truncate(PLACES_MAX);
        if places.is_empty() && !self.declined {
            let transport = self.usual_of(&services);
            let (host, port) = (self.name.clone(), transport.default_port());
            places.push(Place { transport, host, port });
        }
        self.ask_places(places, out);
    }

    /// The transport to try without any SRV record (RFC 3263 §4.1): the one that was asked for,
    /// else UDP, or TLS where only that will do.
    fn usual_of(&self, services: &[Service]) -> Transport {
        let usual = if self.secure { Transport::Tls } else { Transport::Udp };
        let has_usual = services.iter().any(|service| service.transport == usual);
        match services.first() {
            Some(first) if !has_usual => first.transport,
            Some(_) | None => usual,
        }
    }

    fn ask_places(&mut self, places: Vec<Place>, out: &mut Vec<Output>) {
        if places.is_empty() {
            self.finish(&places, &BTreeMap::new(), out);
            return;
        }
        let mut hosts: Vec<_> = places.iter().map(|place| place.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        out.extend(hosts.into_iter().map(|host| Output::Ask(Question::Addresses(host))));
        self.state = Addresses { places, known: BTreeMap::new() };
    }

    fn finish(
        &mut self,
        places: &[Place],
        known: &BTreeMap<String, Vec<IpAddr>>,
        out: &mut Vec<Output>,
    ) {
        let mut candidates = Vec::new();
        for Place { transport, host, port } in places {
            for ip in known.get(host).into_iter().flatten() {
                let address = SocketAddr::new(ip.to_canonical(), *port);
                let candidate = Candidate { transport: *transport, address };
                if !candidates.contains(&candidate) {
                    candidates.push(candidate);
                }
            }
        }
        candidates.truncate(CANDIDATES_MAX);
        out.push(Output::Done(match candidates.is_empty() {
            false => Ok(candidates),
            true if self.unavailable => Err(LocateError::Unavailable),
            true if self.declined => Err(LocateError::NotOffered),
            true => Err(LocateError::NotFound),
        }));
    }
}

fn naptr_transport(service: &str) -> Option<Transport> {
    let is = |name: &str| service.eq_ignore_ascii_case(name);
    match () {
        () if is("SIP+D2U") => Some(Transport::Udp),
        () if is("SIP+D2T") => Some(Transport::Tcp),
        () if is("SIPS+D2T") => Some(Transport::Tls),
        () => None,
    }
}

/// NAPTR records of a domain that are followed; further ones are left out.
const SERVICES_MAX: usize = 8;
/// Servers of a target that are asked for their addresses; further ones are left out.
const PLACES_MAX: usize = 16;
/// Candidates of a target; further ones are left out.
const CANDIDATES_MAX: usize = 32;

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
