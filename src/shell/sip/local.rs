//! Which of our addresses a peer can use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Finds our address towards each peer.
#[derive(Debug)]
pub(super) struct Locals {
    /// What peers outside of private networks see.
    external: Option<IpAddr>,
    /// What the kernel answered, and when.
    known: Mutex<HashMap<IpAddr, (IpAddr, Instant)>>,
}

impl Locals {
    pub(super) fn new(external: Option<IpAddr>) -> Self {
        Self { external, known: Mutex::default() }
    }

    /// The address to write into `Via` and `Contact` for this peer of a listener.
    ///
    /// The external address for peers outside; else the listener's own; else, where it listens on
    /// all addresses, the one the kernel would send from.
    pub(super) fn towards(&self, listen: SocketAddr, remote: IpAddr) -> SocketAddr {
        let same_family = |ip: &IpAddr| ip.is_ipv4() == remote.is_ipv4();
        if let Some(external) = self.external.filter(same_family)
            && is_outside(remote)
        {
            return SocketAddr::new(external, listen.port());
        }
        if !listen.ip().is_unspecified() {
            return listen;
        }
        SocketAddr::new(self.of_kernel(remote), listen.port())
    }

    /// Of several listeners, the one that serves this peer, or that gave it the address `local`.
    pub(super) fn pick(
        &self,
        listens: &[SocketAddr],
        local: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let of_family = |listen: &SocketAddr| listen.is_ipv4() == remote.is_ipv4();
        if let Some(exact) = local.filter(|local| listens.contains(local) && of_family(local)) {
            return Some(exact);
        }
        let port_fits = |listen: &SocketAddr| local.is_none_or(|l| l.port() == listen.port());
        let fitting = |listen: &SocketAddr| of_family(listen) && port_fits(listen);
        let mut candidates: Vec<_> = listens.iter().copied().filter(fitting).collect();
        if candidates.is_empty() {
            candidates = listens.iter().copied().filter(of_family).collect();
        }
        if candidates.len() > 1 {
            let ours = self.of_kernel(remote.ip());
            let own = candidates.iter().find(|listen| listen.ip() == ours);
            let any = candidates.iter().find(|listen| listen.ip().is_unspecified());
            if let Some(best) = own.or(any) {
                return Some(*best);
            }
        }
        candidates.first().copied()
    }

    /// The source address of a datagram to `remote`, by the routing table of this moment.
    fn of_kernel(&self, remote: IpAddr) -> IpAddr {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ours, at)) = known.get(&remote)
            && now.duration_since(*at) < KNOWN_FOR
        {
            return *ours;
        }
        let ours = ask_kernel(remote).unwrap_or(match remote {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(remote, (ours, now));
        ours
    }
}

/// The address that others on the network are most likely to find us at.
pub fn own_address(v6: bool) -> Option<IpAddr> {
    // Nobody's, kept for documentation: it is routed as any address outside is.
    let outside = if v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
    } else {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
    };
    ask_kernel(outside)
}

/// Connecting a UDP socket sends nothing; it makes the kernel choose our address.
fn ask_kernel(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((remote, DISCARD_PORT)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

/// Whether a peer is beyond private, shared, link-local and loopback networks.
fn is_outside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b); // RFC 6598
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared)
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

/// Any port does; nothing is sent to it.
const DISCARD_PORT: u16 = 9;
/// Peers whose answer is kept; above it all are asked again.
const KNOWN_MAX: usize = 4096;
/// Routes change: how long an answer is believed.
const KNOWN_FOR: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outsiders_are_told_the_external_address() {
        let locals = Locals::new(Some(ip("203.0.113.7")));
        let any = address("0.0.0.0:5060");

        assert_eq!(locals.towards(any, ip("198.51.100.1")), address("203.0.113.7:5060"));
        assert_eq!(locals.towards(any, ip("127.0.0.1")), address("127.0.0.1:5060"));
        let own = address("10.0.0.1:5060");
        assert_eq!(locals.towards(own, ip("198.51.100.1")), address("203.0.113.7:5060"));
        for inside in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1"] {
            assert_eq!(locals.towards(own, ip(inside)), own, "{inside}");
        }
    }

    #[test]
    fn a_listener_is_chosen_by_what_the_peer_was_told() {
        let locals = Locals::new(None);
        let listens = [address("127.0.0.2:5060"), address("127.0.0.1:5070"), address("[::1]:5060")];

        let picked = |local: &str, remote: &str| {
            locals.pick(&listens, Some(address(local)), address(remote)).unwrap()
        };
        assert_eq!(picked("127.0.0.1:5070", "127.0.0.9:1"), listens[1]);
        assert_eq!(picked("203.0.113.7:5060", "127.0.0.9:1"), listens[0], "by its port");
        assert_eq!(picked("[::1]:9", "[::1]:1"), listens[2], "by its family");
        assert_eq!(locals.pick(&listens, None, address("127.0.0.1:9")), Some(listens[1]));
        assert_eq!(locals.pick(&listens[..2], None, address("[::1]:9")), None);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }
}
