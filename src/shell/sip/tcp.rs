//! SIP over TCP: connections that peers open, and those that we open to them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::connections::Connection;
use super::{Incoming, Outcome, Shared, count};
use crate::sip::flow::{Flow, Transport};
use crate::sip::message::stream::{Frame, Framer};
use crate::sip::message::{Message, ParseError, bad_request};

/// Opens a listener; call it inside a tokio runtime.
pub(super) fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?; // a restart need not wait for old connections to fade
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Accepts until the transports are dropped.
pub(super) async fn accept(
    listener: TcpListener,
    listen: SocketAddr,
    shared: Arc<Shared>,
    mut closing: watch::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            _ = closing.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let opened = shared.connections().open(remote, &shared.limits);
        let Some((connection, queued)) = opened else {
            count(&shared.counters.refused);
            if shared.noise.note(remote.ip()).log {
                debug!(%remote, "too many connections");
            }
            continue;
        };
        let ours = match stream.local_addr() {
            Ok(ours) if listen.ip().is_unspecified() => SocketAddr::new(ours.ip(), listen.port()),
            _ => listen,
        };
        let local = shared.locals.towards(ours, remote.ip());
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: connection.id };
        shared.connections().note(connection.id, &flow);
        let (shared, closing) = (shared.clone(), closing.clone());
        tokio::spawn(run(stream, flow, Opened::ByPeer, connection, queued, shared, closing));
    }
}

/// Who opened a connection: a stranger has to say something soon.
#[derive(Clone, Copy)]
enum Opened {
    ByPeer,
    ByUs,
}

/// Queues a message for the flow's connection; opens one if there is none.
pub(super) fn send(
    shared: &Arc<Shared>,
    runtime: &Handle,
    closing: &watch::Sender<()>,
    flow: &Flow,
    bytes: &Bytes,
) -> Outcome {
    let mut connections = shared.connections();
    let connection = match connections.find(flow) {
        Some(connection) => connection,
        None => {
            let Some((connection, queued)) = connections.open(flow.remote, &shared.limits) else {
                return Outcome::Unreachable;
            };
            connections.note(connection.id, flow);
            let flow = Flow { connection: connection.id, ..*flow };
            connections.note(connection.id, &flow);
            let opening =
                open(flow, connection.clone(), queued, shared.clone(), closing.subscribe());
            runtime.spawn(opening);
            connection
        }
    };
    // Under the table's lock: a connection that is still in it will report its end to this flow.
    if connection.enqueue(bytes.clone(), &shared.limits) {
        return Outcome::Sent;
    }
    count(&shared.counters.refused);
    connection.cut.notify_one();
    Outcome::Lost
}

/// Connects, then serves the connection.
async fn open(
    flow: Flow,
    connection: Arc<Connection>,
    queued: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
    closing: watch::Receiver<()>,
) {
    let mut closed = closing.clone();
    let connected = tokio::select! {
        _ = closed.changed() => return,
        connected = timeout(shared.limits.connect_timeout, connect(&shared, &flow)) => connected,
    };
    match connected {
        Ok(Ok(stream)) => {
            run(stream, flow, Opened::ByUs, connection, queued, shared, closing).await;
        }
        Ok(Err(error)) => {
            debug!(remote = %flow.remote, %error, "cannot connect");
            end(&shared, &connection).await;
        }
        Err(_) => end(&shared, &connection).await,
    }
}

/// Connects from the address that the listener has, if it is a certain one.
async fn connect(shared: &Shared, flow: &Flow) -> io::Result<TcpStream> {
    let socket = match flow.remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let listen = shared.locals.pick(&shared.tcp_listens, Some(flow.local), flow.remote);
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_unspecified()) {
        socket.bind(SocketAddr::new(listen.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

/// Serves a connection until it ends, then tells all who used it.
async fn run(
    stream: TcpStream,
    flow: Flow,
    opened: Opened,
    connection: Arc<Connection>,
    queued: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
    mut closing: watch::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let (mut reading, mut writing) = stream.into_split();
    let last_words = tokio::select! {
        _ = closing.changed() => return,
        () = connection.cut.notified() => None,
        () = write(&mut writing, queued, &connection) => None,
        last_words = read(&mut reading, flow, opened, &connection, &shared) => last_words,
    };
    if let Some(words) = last_words {
        let _ = timeout(GOODBYE_TIMEOUT, goodbye(&mut reading, &mut writing, &words)).await;
    }
    drop((reading, writing));
    end(&shared, &connection).await;
}

/// Says why the connection ends, and waits for the peer to take note: closing at once would
/// destroy what it has not read.
async fn goodbye(reading: &mut OwnedReadHalf, writing: &mut OwnedWriteHalf, words: &[u8]) {
    let mut rest = [0; 1024];
    if writing.write_all(words).await.is_ok() && writing.shutdown().await.is_ok() {
        while matches!(reading.read(&mut rest).await, Ok(1..)) {}
    }
}

async fn end(shared: &Shared, connection: &Connection) {
    let flows = shared.connections().close(connection);
    for flow in flows {
        shared.deliver(Incoming::Closed { flow }).await;
    }
}

async fn write(
    writing: &mut OwnedWriteHalf,
    mut queued: mpsc::Receiver<Bytes>,
    connection: &Connection,
) {
    while let Some(bytes) = queued.recv().await {
        if writing.write_all(&bytes).await.is_err() {
            return;
        }
        connection.written(bytes.len());
    }
}

/// Reads until the end; gives what must still be said if the peer broke the framing.
async fn read(
    reading: &mut OwnedReadHalf,
    flow: Flow,
    opened: Opened,
    connection: &Connection,
    shared: &Shared,
) -> Option<Bytes> {
    let mut framer = Framer::default();
    let mut buffer = vec![0; READ_BYTES];
    let (mut has_spoken, wait) = match opened {
        Opened::ByPeer => (false, shared.limits.message_timeout),
        Opened::ByUs => (true, shared.limits.idle_timeout),
    };
    let mut deadline = Instant::now() + wait;
    loop {
        let Ok(Ok(size @ 1..)) = timeout_at(deadline, reading.read(&mut buffer)).await else {
            return None;
        };
        let was_partial = !framer.pending().is_empty();
        framer.push(&buffer[..size]);
        let mut frames = 0;
        loop {
            match framer.next() {
                Ok(Some(frame)) => {
                    frames += 1;
                    has_spoken |= take(frame, flow, connection, shared).await;
                }
                Ok(None) => break,
                Err(error) => return broken(framer.pending(), &error, flow, shared),
            }
        }
        let now = Instant::now();
        if has_spoken && framer.pending().is_empty() {
            deadline = now + shared.limits.idle_timeout;
        } else if has_spoken && (frames > 0 || !was_partial) {
            deadline = now + shared.limits.message_timeout;
        }
    }
}

/// Handles one frame; whether it was a message.
async fn take(frame: Frame, flow: Flow, connection: &Connection, shared: &Shared) -> bool {
    let bytes = match frame {
        Frame::Message(bytes) => bytes,
        Frame::Ping => {
            count(&shared.counters.keep_alives);
            reply(Bytes::from_static(b"\r\n"), connection, shared);
            return false;
        }
        Frame::Pong => {
            count(&shared.counters.keep_alives);
            return false;
        }
    };
    let message = match Message::parse(bytes.clone()) {
        Ok(Message::Request(request)) => Message::Request(request.received_from(flow.remote)),
        Ok(response) => response,
        Err(error) => {
            if let Some(answer) = broken(&bytes, &error, flow, shared) {
                reply(answer, connection, shared);
            }
            return false;
        }
    };
    count(&shared.counters.received);
    shared.deliver(Incoming::Received { flow, message }).await;
    true
}

/// Counts and logs a malformed message; gives the answer to it.
fn broken(bytes: &[u8], error: &ParseError, flow: Flow, shared: &Shared) -> Option<Bytes> {
    count(&shared.counters.malformed);
    let allowed = shared.noise.note(flow.remote.ip());
    if allowed.log {
        debug!(remote = %flow.remote, %error, "malformed message");
    }
    bad_request(bytes, error).filter(|_| allowed.answer)
}

fn reply(bytes: Bytes, connection: &Connection, shared: &Shared) {
    if !connection.enqueue(bytes, &shared.limits) {
        count(&shared.counters.refused);
        connection.cut.notify_one();
    }
}

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// Wait after an error that may last (no more file descriptors), so as not to spin.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// Silence after which the kernel asks whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long a refused peer may take to read why.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
