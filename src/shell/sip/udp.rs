//! SIP over UDP: one socket a listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::{Incoming, Outcome, Shared, count};
use crate::sip::flow::{ConnectionId, Flow, Transport};
use crate::sip::message::{Message, ParseError, bad_request};
use crate::sip::stun;

/// The sending side of a listener's socket.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) address: SocketAddr,
    socket: Arc<std::net::UdpSocket>,
}

impl Outlet {
    /// Sends one datagram without waiting.
    pub(super) fn send(&self, remote: SocketAddr, bytes: &[u8]) -> Outcome {
        match self.socket.send_to(bytes, remote) {
            Ok(_) => Outcome::Sent,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Outcome::Lost,
                // An ICMP error that an earlier datagram caused, perhaps to somebody else.
                io::ErrorKind::ConnectionRefused => Outcome::Lost,
                _ => {
                    debug!(%remote, %error, "cannot send");
                    Outcome::Unreachable
                }
            },
        }
    }
}

/// Opens a listener's socket; call it inside a tokio runtime.
pub(super) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, Outlet)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // The kernel caps both at its own limits; less than asked for is no failure.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket = std::net::UdpSocket::from(socket);
    let outlet = Outlet { address: socket.local_addr()?, socket: Arc::new(socket.try_clone()?) };
    Ok((UdpSocket::from_std(socket)?, outlet))
}

/// Receives until the transports are dropped.
pub(super) async fn receive(
    socket: UdpSocket,
    outlet: Outlet,
    shared: Arc<Shared>,
    mut closing: watch::Receiver<()>,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut look_at = Instant::now();
    loop {
        tokio::select! {
            _ = closing.changed() => return,
            ready = socket.readable() => if ready.is_err() {
                tokio::time::sleep(ERROR_PAUSE).await;
            },
        }
        let now = Instant::now();
        if now < look_at {
            // Under load: what comes within a millisecond is read, and handled, in one go.
            tokio::time::sleep_until(look_at).await;
        }
        for _ in 0..BURST {
            match socket.try_recv_from(&mut buffer) {
                Ok((size, source)) => datagram(&shared, &outlet, source, &buffer[..size]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    look_at = now.max(look_at) + PACE;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    debug!(%error, "cannot receive");
                    tokio::time::sleep(ERROR_PAUSE).await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

fn datagram(shared: &Shared, outlet: &Outlet, source: SocketAddr, bytes: &[u8]) {
    if source.port() == 0 || !is_unicast(source.ip()) {
        count(&shared.counters.malformed);
        return;
    }
    if stun::is_stun(bytes) {
        count(&shared.counters.keep_alives);
        if let Some(answer) = stun::answer(bytes, source) {
            outlet.send(source, &answer);
        }
        return;
    }
    let message = match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(Message::Request(request)) => Message::Request(request.received_from(source)),
        Ok(response) => response,
        Err(ParseError::Empty) => {
            count(&shared.counters.keep_alives);
            return;
        }
        Err(error) => {
            refuse(shared, outlet, source, bytes, error);
            return;
        }
    };
    let local = shared.locals.towards(outlet.address, source.ip());
    let connection = ConnectionId(0);
    let flow = Flow { transport: Transport::Udp, local, remote: source, connection };
    shared.offer(Incoming::Received { flow, message });
}

fn refuse(shared: &Shared, outlet: &Outlet, source: SocketAddr, bytes: &[u8], error: ParseError) {
    count(&shared.counters.malformed);
    let allowed = shared.noise.note(source.ip());
    if allowed.log {
        debug!(%source, %error, "malformed datagram; more from there are not logged for a minute");
    }
    if allowed.answer
        && let Some(answer) = bad_request(bytes, &error)
    {
        outlet.send(source, &answer);
    }
}

/// Whether somebody can be there: forged sources would turn answers against a whole network.
fn is_unicast(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || is_broadcast)
}

/// Kernel buffers: a burst of a whole site's registrations fits.
const BUFFER_BYTES: usize = 4 << 20;
/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// The shortest time between two looks at the socket: each costs a wake-up here and one of the
/// Switch thread, which is more than the work for one message.
const PACE: Duration = Duration::from_millis(1);
/// Datagrams read before other tasks get their turn.
const BURST: usize = 64;
/// Wait after an error that may last, so as not to spin.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
