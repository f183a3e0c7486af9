//! SIP over UDP: one socket a listener.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use socket2::{Domain, Protocol, Socket, Type};
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
    socket: Arc<UdpSocket>,
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

/// Opens a listener's socket.
pub(super) fn bind(address: SocketAddr) -> io::Result<Outlet> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // The kernel caps both at its own limits; less than asked for is no failure.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    Ok(Outlet { address: socket.local_addr()?, socket: Arc::new(socket) })
}

/// The thread that receives from one socket; dropping it ends it.
///
/// A thread of its own, because a task of the runtime costs more wake-ups than a message costs
/// work: one of a worker, often one of a second worker that looks after the sockets meanwhile.
pub(super) struct Receiver {
    thread: Option<thread::JoinHandle<()>>,
    stop: Arc<OwnedFd>,
}

impl Receiver {
    pub(super) fn start(outlet: Outlet, shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("sip udp".to_owned())
            .spawn(move || receive(&outlet, &shared, &stopped))?;
        Ok(Self { thread: Some(thread), stop })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It cannot fail: the counter of an eventfd takes more than one.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // an error is a panic that has been reported
        }
    }
}

/// Receives until `stop` is written to.
fn receive(outlet: &Outlet, shared: &Shared, stop: &OwnedFd) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut look_at = Instant::now();
    loop {
        let mut both =
            [PollFd::new(&*outlet.socket, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        let well = poll(&mut both, None).is_ok();
        let now = Instant::now();
        let pause = match well {
            // Under load: what comes within a millisecond is read, and handled, in one go.
            true => look_at.saturating_duration_since(now),
            false => ERROR_PAUSE,
        };
        let stops = !both[1].revents().is_empty();
        if stops || !pause.is_zero() && stops_within(stop, pause) {
            return;
        }
        match drain(outlet, shared, &mut buffer) {
            Ok(true) => look_at = now.max(look_at) + PACE,
            Ok(false) => {} // there is more: it does not wait
            Err(error) => {
                debug!(%error, "cannot receive");
                if stops_within(stop, ERROR_PAUSE) {
                    return;
                }
            }
        }
    }
}

/// Waits for a time: whether the thread is to end.
fn stops_within(stop: &OwnedFd, time: Duration) -> bool {
    let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    let mut one = [PollFd::new(stop, PollFlags::IN)];
    poll(&mut one, Some(&time)).is_ok() && !one[0].revents().is_empty()
}

/// Takes what there is, a burst at most: whether that was all.
fn drain(outlet: &Outlet, shared: &Shared, buffer: &mut [u8]) -> io::Result<bool> {
    for _ in 0..BURST {
        match outlet.socket.recv_from(buffer) {
            Ok((size, source)) => datagram(shared, outlet, source, &buffer[..size]),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(true),
                // An ICMP error that an earlier datagram caused, or a signal.
                io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(false)
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
/// Datagrams read before it is looked whether the thread is to end.
const BURST: usize = 64;
/// Wait after an error that may last, so as not to spin.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
