//! Which servers failed lately: they are tried last.

use std::collections::BTreeMap;

use crate::sip::flow::Flow;
use crate::time::{Duration, Instant};

use super::question::Candidate;

/// How long a server that failed is tried last (RFC 3263 §4.3 leaves the time to us).
pub const REST: Duration = Duration::from_secs(60);

/// The servers that were found lately, with when each failed.
#[derive(Debug, Default)]
pub struct Health {
    known: BTreeMap<Candidate, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    found_at: Instant,
    failed_at: Option<Instant>,
}

impl Health {
    /// Notes that somebody may use this server: what fails from here on is remembered.
    ///
    /// Above `KNOWN_MAX` the server that was found longest ago is forgotten.
    pub fn found(&mut self, now: Instant, candidate: Candidate) {
        let entry = self.known.entry(candidate);
        entry.or_insert(Known { found_at: now, failed_at: None }).found_at = now;
        if self.known.len() > KNOWN_MAX {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.found_at);
            if let Some(oldest) = oldest.map(|(candidate, _)| *candidate) {
                self.known.remove(&oldest);
            }
        }
    }

    /// A server did not answer in time, could not be connected to, or answered 503.
    pub fn failed(&mut self, now: Instant, flow: &Flow) {
        if let Some(known) = self.known.get_mut(&of(flow)) {
            known.failed_at = Some(now);
        }
    }

    /// A server answered.
    pub fn answered(&mut self, flow: &Flow) {
        if let Some(known) = self.known.get_mut(&of(flow)) {
            known.failed_at = None;
        }
    }

    /// Whether a server failed within the last `REST`.
    pub fn rests(&self, now: Instant, candidate: &Candidate) -> bool {
        self.failed_at(now, candidate).is_some()
    }

    /// Puts those that failed lately at the end, the latest failure last.
    pub fn order(&self, now: Instant, candidates: &mut [Candidate]) {
        candidates.sort_by_key(|candidate| self.failed_at(now, candidate));
    }

    fn failed_at(&self, now: Instant, candidate: &Candidate) -> Option<Instant> {
        let failed_at = self.known.get(candidate)?.failed_at?;
        (now.since(failed_at) < REST).then_some(failed_at)
    }
}

fn of(flow: &Flow) -> Candidate {
    Candidate { transport: flow.transport, address: flow.remote }
}

/// Servers that are remembered.
const KNOWN_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::sip::flow::{ConnectionId, Transport};

    #[test]
    fn who_failed_is_tried_last_for_a_while() {
        let (mut health, start) = (Health::default(), Instant::from_micros(1));
        let all = [candidate(1), candidate(2), candidate(3)];
        for one in all {
            health.found(start, one);
        }
        health.failed(start, &flow(1));
        health.failed(start + Duration::from_secs(1), &flow(2));

        let order = |health: &Health, now| {
            let mut order = all;
            health.order(now, &mut order);
            order
        };
        let soon = start + Duration::from_secs(2);
        assert_eq!(order(&health, soon), [candidate(3), candidate(1), candidate(2)]);
        assert_eq!(order(&health, start + REST), [candidate(1), candidate(3), candidate(2)]);
        health.answered(&flow(2));
        assert_eq!(order(&health, soon), [candidate(2), candidate(3), candidate(1)]);
    }

    #[test]
    fn strangers_are_not_remembered_and_the_oldest_is_forgotten() {
        let (mut health, start) = (Health::default(), Instant::from_micros(1));
        health.failed(start, &flow(9));
        assert!(!health.rests(start, &candidate(9)));

        let max = u16::try_from(KNOWN_MAX).unwrap();
        for port in 1..=max + 1 {
            let at = start + Duration::from_secs(port.into());
            health.found(at, candidate(port));
        }
        assert_eq!(health.known.len(), KNOWN_MAX);
        assert!(!health.known.contains_key(&candidate(1)));
    }

    fn candidate(port: u16) -> Candidate {
        Candidate { transport: Transport::Udp, address: SocketAddr::from(([192, 0, 2, 1], port)) }
    }

    fn flow(port: u16) -> Flow {
        let Candidate { transport, address: remote } = candidate(port);
        Flow { transport, local: remote, remote, connection: ConnectionId(0) }
    }
}
