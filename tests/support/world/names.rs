//! The DNS of a world, and its routing table.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use strowger::sip::flow::{ConnectionId, Flow};
use strowger::sip::locate::{Answer, Naptr, Question, Srv};

/// What the DNS knows; a test adds records as it likes.
#[derive(Debug)]
pub struct Names {
    /// The switch's own address, from which everything is reached.
    switch: SocketAddr,
    pub addresses: BTreeMap<String, Vec<IpAddr>>,
    pub naptr: BTreeMap<String, Vec<Naptr>>,
    pub servers: BTreeMap<String, Vec<Srv>>,
    /// Nobody answers.
    pub is_dead: bool,
}

impl Names {
    pub fn new(switch: SocketAddr) -> Self {
        Self {
            switch,
            addresses: BTreeMap::new(),
            naptr: BTreeMap::new(),
            servers: BTreeMap::new(),
            is_dead: false,
        }
    }

    pub fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Ways { candidates, .. } => {
                let ways = candidates.iter().map(|candidate| Flow {
                    transport: candidate.transport,
                    local: self.switch,
                    remote: candidate.address,
                    connection: ConnectionId::default(),
                });
                Answer::Ways(ways.collect())
            }
            _ if self.is_dead => Answer::Unavailable,
            Question::Addresses(name) => Answer::Addresses(found(&self.addresses, name)),
            Question::Naptr(name) => Answer::Naptr(found(&self.naptr, name)),
            Question::Servers(name) => Answer::Servers(found(&self.servers, name)),
        }
    }
}

fn found<T: Clone>(records: &BTreeMap<String, Vec<T>>, name: &str) -> Vec<T> {
    records.get(name).cloned().unwrap_or_default()
}
