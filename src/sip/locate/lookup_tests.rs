//! Lookups against a DNS in memory.

use super::*;
use crate::sip::message::Uri;

#[test]
fn a_number_needs_no_question() {
    let found = Dns::default().candidates("sip:192.0.2.1");
    assert_eq!(found, ["udp 192.0.2.1:5060"]);
    let found = Dns::default().candidates("sips:[2001:db8::1]:5071");
    assert_eq!(found, ["tls [2001:db8::1]:5071"]);
    let found = Dns::default().candidates("sip:192.0.2.1;transport=tls");
    assert_eq!(found, ["tls 192.0.2.1:5061"]);
}

/// RFC 3263 §4.2: a port is an order, SRV records are not asked.
#[test]
fn a_port_leads_to_the_name_itself() {
    let mut dns = Dns::default();
    dns.addresses("a.example", &["192.0.2.1", "2001:db8::1"]);
    dns.srv("_sip._udp.a.example", &[(1, 1, 5080, "b.example")]);

    assert_eq!(
        dns.candidates("sip:a.example:5070"),
        ["udp 192.0.2.1:5070", "udp [2001:db8::1]:5070"]
    );
    assert_eq!(dns.asked, ["A a.example"]);
}

/// RFC 3263 §4.1: the example of the RFC.
#[test]
fn naptr_records_choose_the_transport() {
    let mut dns = Dns::default();
    dns.naptr(
        "example.com",
        &[
            (50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
            (90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
            (100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
            (10, 50, "u", "E2U+sip", "other.example.com"),
        ],
    );
    dns.srv(
        "_sip._tcp.example.com",
        &[(0, 1, 5060, "server1.example.com"), (1, 2, 5060, "server2.example.com")],
    );
    dns.addresses("server1.example.com", &["192.0.2.1"]);
    dns.addresses("server2.example.com", &["192.0.2.2"]);
    dns.srv("_sip._udp.example.com", &[(0, 1, 5060, "server1.example.com")]);

    let found = dns.candidates("sip:user@example.com");

    assert_eq!(found, ["tcp 192.0.2.1:5060", "tcp 192.0.2.2:5060", "udp 192.0.2.1:5060"]);
    let asked = &dns.asked[1..4];
    let services = ["_sip._tcp", "_sip._udp", "_sips._tcp"];
    assert_eq!(asked, services.map(|service| format!("SRV {service}.example.com")));
}

/// RFC 3263 §4.1: only TLS reaches a sips URI.
#[test]
fn a_secure_uri_never_falls_back_to_plain() {
    let mut dns = Dns::default();
    dns.naptr(
        "example.com",
        &[
            (50, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
            (90, 50, "S", "sips+d2t", "secure.example.com"),
        ],
    );
    dns.srv("secure.example.com", &[(0, 1, 5061, "a.example.com")]);
    dns.addresses("a.example.com", &["192.0.2.1"]);
    assert_eq!(dns.candidates("sips:example.com"), ["tls 192.0.2.1:5061"]);

    let mut dns = Dns::default();
    dns.addresses("example.com", &["192.0.2.9"]);
    assert_eq!(dns.candidates("sips:example.com"), ["tls 192.0.2.9:5061"]);
    assert_eq!(dns.asked[1..], ["SRV _sips._tcp.example.com", "A example.com"]);
}

#[test]
fn without_naptr_all_transports_are_asked_for() {
    let mut dns = Dns::default();
    dns.srv("_sip._tcp.example.com", &[(0, 1, 5062, "a.example.com")]);
    dns.addresses("a.example.com", &["192.0.2.1"]);

    assert_eq!(dns.candidates("sip:example.com"), ["tcp 192.0.2.1:5062"]);
}

#[test]
fn without_any_record_the_name_itself_is_tried_over_udp() {
    let mut dns = Dns::default();
    dns.addresses("example.com", &["192.0.2.1"]);

    assert_eq!(dns.candidates("sip:example.com"), ["udp 192.0.2.1:5060"]);
    assert_eq!(dns.candidates("sip:example.com;transport=tcp"), ["tcp 192.0.2.1:5060"]);
}

#[test]
fn what_is_not_found_says_why() {
    let mut dns = Dns::default();
    assert_eq!(dns.find("sip:nobody.example"), Err(LocateError::NotFound));
    dns.srv("_sip._udp.closed.example", &[(0, 0, 0, ".")]);
    dns.addresses("closed.example", &["192.0.2.1"]);
    let closed = dns.find("sip:closed.example;transport=udp");
    assert_eq!(closed, Err(LocateError::NotOffered));
    assert_eq!(dns.find("sip:a.example;transport=ws"), Err(LocateError::Unreachable));
    dns.is_dead = true;
    assert_eq!(dns.find("sip:example.com"), Err(LocateError::Unavailable));
}

#[test]
fn a_hostile_zone_is_cut_off() {
    let mut dns = Dns::default();
    let hosts: Vec<String> = (0..99).map(|n| format!("h{n}.example")).collect();
    let records: Vec<_> = hosts.iter().map(|host| (0, 1, 5060, host.as_str())).collect();
    dns.srv("_sip._udp.example.com", &records);
    for host in &hosts {
        dns.addresses(host, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    }

    assert_eq!(dns.candidates("sip:example.com").len(), 3, "one address each, however often");
    assert_eq!(dns.asked.iter().filter(|asked| asked.starts_with("A ")).count(), PLACES_MAX);
}

#[test]
fn answers_to_other_questions_are_ignored() {
    let (mut out, mut rng) = (Vec::new(), Rng::from_number(1));
    let target = target("sip:example.com");
    let mut lookup = Lookup::start(&target, &USABLE, &mut out);
    out.clear();

    let other = Question::Addresses("example.com".to_owned());
    lookup.answered(&mut rng, &other, Answer::Addresses(Vec::new()), &mut out);

    assert_eq!(out, []);
    assert!(matches!(lookup.state, Transports));
}

/// Answers of the wrong kind, in any order, never stop a lookup from ending.
#[test]
fn every_lookup_ends() {
    for seed in 0..200 {
        let mut rng = Rng::from_number(seed);
        let mut out = Vec::new();
        let mut lookup = Lookup::start(&target("sip:example.com"), &USABLE, &mut out);
        let mut asked = 0;
        while let Some(output) = out.pop() {
            let Output::Ask(question) = output else { break };
            asked += 1;
            let answer = match rng.below(4) {
                0 => Answer::Unavailable,
                1 => Answer::Addresses(vec![IpAddr::from([192, 0, 2, 1])]),
                2 => Answer::Servers(vec![Srv {
                    priority: 1,
                    weight: rng.u16(),
                    port: rng.u16(),
                    target: "x.example".to_owned(),
                }]),
                _ => Answer::Naptr(Vec::new()),
            };
            lookup.answered(&mut rng, &question, answer, &mut out);
            out.sort_by_key(|_| rng.u32());
        }
        assert!(matches!(lookup.state, Done), "seed {seed}");
        assert!(asked <= 1 + SERVICES_MAX + PLACES_MAX);
    }
}

const USABLE: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

fn target(uri: &str) -> Target {
    Target::of(&Uri::parse(uri).unwrap()).unwrap()
}

/// A DNS in memory.
#[derive(Default)]
struct Dns {
    naptr: BTreeMap<String, Vec<Naptr>>,
    srv: BTreeMap<String, Vec<Srv>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
    is_dead: bool,
    asked: Vec<String>,
}

impl Dns {
    fn naptr(&mut self, name: &str, records: &[(u16, u16, &str, &str, &str)]) {
        let records = records.iter().map(|(order, preference, flags, service, to)| Naptr {
            order: *order,
            preference: *preference,
            flags: (*flags).to_owned(),
            service: (*service).to_owned(),
            replacement: (*to).to_owned(),
        });
        self.naptr.insert(name.to_owned(), records.collect());
    }

    fn srv(&mut self, name: &str, records: &[(u16, u16, u16, &str)]) {
        let records = records.iter().map(|(priority, weight, port, target)| Srv {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).to_owned(),
        });
        self.srv.insert(name.to_owned(), records.collect());
    }

    fn addresses(&mut self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        self.addresses.insert(name.to_owned(), addresses.collect());
    }

    fn candidates(&mut self, uri: &str) -> Vec<String> {
        let found = self.find(uri).unwrap().into_iter();
        found.map(|one| format!("{} {}", one.transport.param(), one.address)).collect()
    }

    fn find(&mut self, uri: &str) -> Result<Vec<Candidate>, LocateError> {
        self.asked.clear();
        let (mut out, mut rng) = (Vec::new(), Rng::from_number(1));
        let mut lookup = Lookup::start(&target(uri), &USABLE, &mut out);
        loop {
            match out.remove(0) {
                Output::Done(found) => return found,
                Output::Ask(question) => {
                    let answer = self.answer(&question);
                    lookup.answered(&mut rng, &question, answer, &mut out);
                }
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        let (kind, name) = match question {
            Question::Addresses(name) => ("A", name),
            Question::Naptr(name) => ("NAPTR", name),
            Question::Servers(name) => ("SRV", name),
            Question::Ways { .. } => panic!("a lookup asks for no ways"),
        };
        self.asked.push(format!("{kind} {name}"));
        match question {
            _ if self.is_dead => Answer::Unavailable,
            Question::Addresses(name) => {
                Answer::Addresses(self.addresses.get(name).cloned().unwrap_or_default())
            }
            Question::Naptr(name) => {
                Answer::Naptr(self.naptr.get(name).cloned().unwrap_or_default())
            }
            Question::Servers(name) => {
                Answer::Servers(self.srv.get(name).cloned().unwrap_or_default())
            }
            Question::Ways { .. } => unreachable!("see above"),
        }
    }
}
