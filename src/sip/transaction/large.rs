//! Requests too long for a datagram: over TCP first, over UDP where nobody takes them there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::Request;
use crate::time::{Duration, Instant};

/// What is sent over UDP if TCP comes to nothing (RFC 3261 §18.1.1).
#[derive(Debug)]
pub(super) struct Fallback {
    pub(super) flow: Flow,
    /// Without Via.
    pub(super) request: Box<Request>,
    /// When TCP is given up.
    pub(super) at: Instant,
    /// It was cancelled meanwhile, with this reason.
    pub(super) cancelled: Option<Option<String>>,
}

/// Who takes no connections.
#[derive(Debug, Default)]
pub(super) struct Large {
    /// Whether the node speaks TCP at all.
    enabled: bool,
    /// Since when connections of each peer have come to nothing.
    refused: BTreeMap<IpAddr, Instant>,
}

impl Large {
    pub(super) fn enable(&mut self) {
        self.enabled = true;
    }

    /// The flow by which a request without Via goes, and what is done if that fails.
    pub(super) fn way(
        &self,
        now: Instant,
        flow: Flow,
        request: &Request,
    ) -> (Flow, Option<Fallback>) {
        let size = request.bytes().len() + VIA_BYTES;
        let refuses =
            self.refused.get(&flow.remote.ip()).is_some_and(|since| now.since(*since) < REMEMBERED);
        if flow.transport != Transport::Udp || size <= DATAGRAM_MAX || !self.enabled || refuses {
            return (flow, None);
        }
        let stream =
            Flow { transport: Transport::Tcp, connection: ConnectionId::default(), ..flow };
        let request = Box::new(request.clone());
        let at = now + PATIENCE;
        (stream, Some(Fallback { flow, request, at, cancelled: None }))
    }

    /// A peer takes no connections: for an hour its requests go over UDP, however long.
    pub(super) fn refused(&mut self, now: Instant, peer: IpAddr) {
        self.refused.insert(peer, now);
        if self.refused.len() > REFUSED_MAX {
            let oldest = self.refused.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.refused.remove(&oldest);
            }
        }
    }
}

/// The longest request for a datagram, if the MTU is not known (RFC 3261 §18.1.1).
const DATAGRAM_MAX: usize = 1300;
/// Room for the Via that is added.
const VIA_BYTES: usize = 100;
/// How long a peer may take to answer anything over TCP: a firewall may swallow it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is remembered that a peer takes no connections.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Peers that are remembered; above it the one that refused longest ago is forgotten.
const REFUSED_MAX: usize = 4096;
