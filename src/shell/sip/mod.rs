//! SIP over the network: what is received goes to the Switch as values, what it sends goes out.
//!
//! Spec:     RFC 3261 §18 and §26.2, RFC 3581, RFC 5626 §4.4 (keep-alives), RFC 5922, RFC 7118.
//! In:       datagrams and connections; messages from the Switch thread.
//! Out:      `Incoming` over bounded channels (`inbox`); bytes on the wire.
//! Not here: resending (`sip::transaction`), which servers a name has (`sip::locate`).
//!
//! Each UDP socket has a thread that receives, each connection a task. They parse, so only whole,
//! well-formed messages reach the Switch. A request that can be answered but not read gets its 400
//! here. When the Switch's channel is full, datagrams are dropped (their senders resend) and
//! connections are not read until there is room.

mod connections;
mod inbox;
mod local;
mod noise;
pub mod resolve;
mod stream;
mod tcp;
pub mod tls;
mod udp;
mod websocket;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::TrySendError;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::sip::flow::{ConnectionId, Flow, Loss, Transport};
use crate::sip::message::Message;

use connections::Connections;
pub use inbox::{Inbox, Outbox, inbox};
use local::Locals;
pub use local::own_address;
use noise::Noise;
use tls::Tls;

/// One address to listen on. Port 0 takes any free one.
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

/// What the network tells the Switch.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Nothing more can be sent over this flow: its connection ended, or an address is unreachable.
    Closed {
        flow: Flow,
        why: Loss,
    },
    Received {
        flow: Flow,
        message: Message,
    },
}

/// Bounds on what peers can make the transports hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all, whatever runs over them. Further ones are closed at once. Default 8192.
    pub connections_max: usize,
    /// Connections of one address: an office behind NAT has many phones. Default 512.
    pub connections_per_source_max: usize,
    /// Unsent bytes of one connection, above which it is cut. Default 1 MiB.
    pub queued_bytes_max: usize,
    /// How long opening a connection may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long a handshake of TLS or WebSocket may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// Handshakes at a time; further connections are closed at once. Default 512.
    pub handshakes_max: usize,
    /// How long a connection may go without its first message, or a message without its rest.
    /// Default 30 s.
    pub message_timeout: Duration,
    /// How long a connection may be silent; more than the longest registration. Default 2 h.
    pub idle_timeout: Duration,
    /// How long the peer may take to make room for one message; then it is cut. Default 20 s.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 8192,
            connections_per_source_max: 512,
            queued_bytes_max: 1 << 20,
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 512,
            message_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(7200),
            write_timeout: Duration::from_secs(20),
        }
    }
}

/// What the transports are besides their addresses.
#[derive(Clone, Default)]
pub struct Setup {
    /// The address that peers outside of private networks see.
    pub external: Option<IpAddr>,
    pub limits: Limits,
    /// The pages that may open WebSockets; none: all.
    pub origins: Vec<String>,
    pub tls: Tls,
}

/// Why the transports could not start.
#[derive(Debug, Error)]
pub enum TransportError {
    #[error("cannot listen on {listen}: {source}")]
    Bind { listen: Listen, source: io::Error },
    #[error("there is no address to listen on")]
    NoListen,
    #[error("cannot start to receive: {0}")]
    Thread(io::Error),
}

/// Events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages given to the Switch.
    pub received: u64,
    /// Datagrams dropped because the Switch's channel was full.
    pub dropped: u64,
    /// Datagrams and frames that were no SIP messages.
    pub malformed: u64,
    /// Keep-alives: empty datagrams, pings and pongs.
    pub keep_alives: u64,
    /// Connections refused or cut because of a limit.
    pub refused: u64,
    /// Handshakes of TLS or WebSocket that failed or took too long.
    pub handshakes_failed: u64,
    /// Messages sent, or queued for a connection.
    pub sent: u64,
    /// Messages that could not be sent.
    pub unsent: u64,
}

/// The sockets of the node. Dropping it closes them all.
pub struct Transports {
    shared: Arc<Shared>,
    udp: Vec<udp::Outlet>,
    _receivers: Vec<udp::Receiver>,
    runtime: Handle,
    closing: watch::Sender<()>,
}

impl Transports {
    /// Opens all sockets and starts to receive; call it inside a tokio runtime.
    ///
    /// `external` is the address that peers outside of private networks see.
    ///
    /// # Errors
    ///
    /// `TransportError::Bind` names the first address that cannot be had.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind(
        listen: &[Listen],
        external: Option<IpAddr>,
        incoming: Inbox,
    ) -> Result<Self, TransportError> {
        Self::bind_with(listen, Setup { external, ..Setup::default() }, incoming)
    }

    /// `bind` with limits and certificates.
    ///
    /// # Errors
    ///
    /// As `bind`.
    ///
    /// # Panics
    ///
    /// As `bind`.
    pub fn bind_with(
        listen: &[Listen],
        setup: Setup,
        incoming: Inbox,
    ) -> Result<Self, TransportError> {
        if listen.is_empty() {
            return Err(TransportError::NoListen);
        }
        let mut udp = Vec::new();
        let mut streams = Vec::new();
        for wanted in listen {
            let failed = |source| TransportError::Bind { listen: *wanted, source };
            match wanted.transport {
                Transport::Udp => udp.push(udp::bind(wanted.address).map_err(failed)?),
                transport => {
                    let (listener, address) = tcp::bind(wanted.address).map_err(failed)?;
                    streams.push((listener, Listen { transport, address }));
                }
            }
        }
        let Setup { external, limits, origins, tls } = setup;
        let shared = Arc::new(Shared {
            connections: Mutex::new(Connections::default()),
            counters: Counters::default(),
            handshakes: Semaphore::new(limits.handshakes_max),
            incoming,
            limits,
            locals: Locals::new(external),
            noise: Noise::default(),
            origins,
            streams: streams.iter().map(|(_, listen)| *listen).collect(),
            tls,
        });
        let (closing, _) = watch::channel(());
        let runtime = Handle::current();
        let start = |outlet: &udp::Outlet| udp::Receiver::start(outlet.clone(), shared.clone());
        let receivers: io::Result<Vec<_>> = udp.iter().map(start).collect();
        let receivers = receivers.map_err(TransportError::Thread)?;
        for (listener, listen) in streams {
            runtime.spawn(tcp::accept(listener, listen, shared.clone(), closing.subscribe()));
        }
        runtime.spawn(shared.tls.clone().watch(closing.subscribe()));
        Ok(Self { shared, udp, _receivers: receivers, runtime, closing })
    }

    /// The addresses that are listened on, with the ports that 0 became.
    pub fn listening(&self) -> Vec<Listen> {
        let of_udp =
            |outlet: &udp::Outlet| Listen { transport: Transport::Udp, address: outlet.address };
        self.udp.iter().map(of_udp).chain(self.shared.streams.iter().copied()).collect()
    }

    /// The flow to a peer that has not sent anything yet; `None` if no listener can serve it.
    ///
    /// Over TLS a peer is reached from any listener: what it sends comes over the connection.
    pub fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let mut addresses = match transport {
            Transport::Udp => self.udp.iter().map(|outlet| outlet.address).collect(),
            Transport::Ws | Transport::Wss => Vec::new(),
            Transport::Tcp | Transport::Tls => self.shared.listens_of(transport),
        };
        if addresses.is_empty() && transport == Transport::Tls {
            addresses = self.listening().iter().map(|listen| listen.address).collect();
        }
        let listen = self.shared.locals.pick(&addresses, None, remote)?;
        let local = self.shared.locals.towards(listen, remote.ip());
        Some(Flow { transport, local, remote, connection: ConnectionId(0) })
    }

    /// Remembers under which name a server was looked up: its certificate must be for it.
    pub fn expect(&self, server: SocketAddr, name: &str) {
        self.shared.tls.expect(server, name);
    }

    /// Sends one message; never blocks. May be called from any thread.
    ///
    /// Over UDP it is sent at once, from the socket that received on this flow. Over a stream it is
    /// queued for the flow's connection, else for another one to the same remote, else for a new
    /// one. Failure that is noticed comes back as `Incoming::Closed` with the same flow.
    pub fn send(&self, flow: &Flow, message: &Message) {
        let bytes = message.bytes();
        let outcome = match flow.transport {
            Transport::Udp => self.send_datagram(flow, bytes),
            _ => tcp::send(&self.shared, &self.runtime, &self.closing, flow, bytes),
        };
        match outcome {
            Outcome::Sent => count(&self.shared.counters.sent),
            Outcome::Lost => count(&self.shared.counters.unsent),
            Outcome::Unreachable => {
                count(&self.shared.counters.unsent);
                let (shared, flow) = (self.shared.clone(), *flow);
                let closed = Incoming::Closed { flow, why: Loss::Ended };
                self.runtime.spawn(async move { shared.deliver(closed).await });
            }
        }
    }

    fn send_datagram(&self, flow: &Flow, bytes: &[u8]) -> Outcome {
        let outlet = match &self.udp[..] {
            [only] => Some(only),
            several => {
                let addresses: Vec<_> = several.iter().map(|outlet| outlet.address).collect();
                let picked = self.shared.locals.pick(&addresses, Some(flow.local), flow.remote);
                picked.and_then(|address| several.iter().find(|o| o.address == address))
            }
        };
        outlet.map_or(Outcome::Unreachable, |outlet| outlet.send(flow.remote, bytes))
    }

    /// Events since the start.
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counters;
        // Relaxed: figures, which order nothing.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            received: read(&counters.received),
            dropped: read(&counters.dropped),
            malformed: read(&counters.malformed),
            keep_alives: read(&counters.keep_alives),
            refused: read(&counters.refused),
            handshakes_failed: read(&counters.handshakes_failed),
            sent: read(&counters.sent),
            unsent: read(&counters.unsent),
        }
    }

    /// Connections that are open or being opened.
    pub fn connections(&self) -> usize {
        self.shared.connections().len()
    }
}

/// What became of a message.
enum Outcome {
    /// Nobody will say so: the buffers were full. Whoever waits for an answer resends.
    Lost,
    Sent,
    Unreachable,
}

/// What all tasks use.
struct Shared {
    connections: Mutex<Connections>,
    counters: Counters,
    handshakes: Semaphore,
    incoming: Inbox,
    limits: Limits,
    locals: Locals,
    noise: Noise,
    origins: Vec<String>,
    /// Where connections are accepted.
    streams: Vec<Listen>,
    tls: Tls,
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listens_of(&self, transport: Transport) -> Vec<SocketAddr> {
        let fitting = self.streams.iter().filter(|listen| listen.transport == transport);
        fitting.map(|listen| listen.address).collect()
    }

    /// Hands something to the Switch now, or not at all.
    fn offer(&self, incoming: Incoming) {
        match self.incoming.try_send(incoming) {
            Ok(()) => count(&self.counters.received),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                count(&self.counters.dropped);
            }
        }
    }

    /// Hands something to the Switch as soon as there is room.
    async fn deliver(&self, mut incoming: Incoming) {
        loop {
            match self.incoming.try_send(incoming) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => incoming = back,
            }
            tokio::time::sleep(ROOM_CHECK_INTERVAL).await;
        }
    }
}

/// How often a connection looks whether the Switch's channel has room again.
const ROOM_CHECK_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    dropped: AtomicU64,
    malformed: AtomicU64,
    keep_alives: AtomicU64,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    sent: AtomicU64,
    unsent: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed); // a figure, orders nothing
}

#[cfg(test)]
mod secure_tests;
#[cfg(test)]
mod tests;
