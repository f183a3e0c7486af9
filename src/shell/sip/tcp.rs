//! Stream connections over TCP, with or without TLS and WebSocket on top: accepted and opened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::debug;

use super::stream::{Opened, Served, serve};
use super::{Listen, Outcome, Shared, count, tls, websocket};
use crate::sip::flow::{Flow, Transport};

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
    listen: Listen,
    shared: Arc<Shared>,
    mut closing: watch::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            _ = closing.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => welcome(stream, remote, listen, &shared, &closing),
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

/// Takes a connection in, or closes it if there are too many.
fn welcome(
    stream: TcpStream,
    remote: SocketAddr,
    listen: Listen,
    shared: &Arc<Shared>,
    closing: &watch::Receiver<()>,
) {
    let opened = shared.connections().open(remote, &shared.limits);
    let Some((connection, queued)) = opened else {
        count(&shared.counters.refused);
        if shared.noise.note(remote.ip()).log {
            debug!(%remote, "too many connections");
        }
        return;
    };
    let address = listen.address;
    let ours = match stream.local_addr() {
        Ok(ours) if address.ip().is_unspecified() => SocketAddr::new(ours.ip(), address.port()),
        _ => address,
    };
    let local = shared.locals.towards(ours, remote.ip());
    let flow = Flow { transport: listen.transport, local, remote, connection: connection.id };
    shared.connections().note(connection.id, &flow);
    let (shared, closing) = (shared.clone(), closing.clone());
    let opened = Opened::ByPeer;
    tokio::spawn(greet(stream, Served { flow, opened, connection, queued, shared, closing }));
}

/// Shakes hands as the listener's transport wants it, then serves the connection.
///
/// Handshakes are bounded in number, and each in time: a peer that stops in the middle is cut.
async fn greet(stream: TcpStream, served: Served) {
    prepare(&stream);
    let transport = served.flow.transport;
    if matches!(transport, Transport::Tcp | Transport::Udp) {
        let (reading, writing) = stream.into_split();
        return serve(reading, writing, served).await;
    }
    let shared = served.shared.clone();
    let Ok(handshake) = shared.handshakes.try_acquire() else {
        count(&shared.counters.refused);
        return served.end().await;
    };
    let wait = shared.limits.handshake_timeout;
    if transport == Transport::Ws {
        let socket = served.unless_over(wait, websocket::accept(stream, &shared)).await;
        drop(handshake);
        return talk(socket, served).await;
    }
    let Some(Ok(stream)) = served.unless_over(wait, shared.tls.accept(stream)).await else {
        return refused(&served).await;
    };
    if transport == Transport::Tls {
        drop(handshake);
        let (reading, writing) = split(stream);
        return serve(reading, writing, served).await;
    }
    let socket = served.unless_over(wait, websocket::accept(stream, &shared)).await;
    drop(handshake);
    talk(socket, served).await;
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: Option<Result<websocket::Socket<S>, websocket::Refused>>,
    served: Served,
) {
    match socket {
        Some(Ok(socket)) => websocket::serve(socket, served).await,
        Some(Err(_)) | None => refused(&served).await,
    }
}

/// The handshake failed, or took too long.
async fn refused(served: &Served) {
    count(&served.shared.counters.handshakes_failed);
    let remote = served.flow.remote;
    if served.shared.noise.note(remote.ip()).log {
        debug!(%remote, transport = served.flow.transport.name(), "no handshake");
    }
    served.end().await;
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
        // Of WebSocket only the peer can open connections.
        None if flow.transport.is_websocket() => return Outcome::Unreachable,
        None => {
            let Some((connection, queued)) = connections.open(flow.remote, &shared.limits) else {
                return Outcome::Unreachable;
            };
            connections.note(connection.id, flow);
            let flow = Flow { connection: connection.id, ..*flow };
            connections.note(connection.id, &flow);
            let (shared, closing) = (shared.clone(), closing.subscribe());
            let connection_of = connection.clone();
            let opened = Opened::ByUs;
            let served =
                Served { flow, opened, connection: connection_of, queued, shared, closing };
            runtime.spawn(open(served));
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
async fn open(served: Served) {
    let shared = served.shared.clone();
    let (flow, wait) = (served.flow, shared.limits.connect_timeout);
    let stream = match served.unless_over(wait, connect(&shared, &flow)).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            debug!(remote = %flow.remote, %error, "cannot connect");
            return served.end().await;
        }
        None => return served.end().await,
    };
    prepare(&stream);
    if flow.transport != Transport::Tls {
        let (reading, writing) = stream.into_split();
        return serve(reading, writing, served).await;
    }
    let wait = shared.limits.handshake_timeout;
    match served.unless_over(wait, shared.tls.connect(stream, flow.remote)).await {
        Some(Ok(stream)) => {
            let (reading, writing) = split(stream);
            serve(reading, writing, served).await;
        }
        Some(Err(error)) => {
            // An admin has to know why a trunk does not come up.
            tracing::warn!(remote = %flow.remote, %error, "no TLS with a server");
            count(&shared.counters.handshakes_failed);
            served.lose(tls::loss(&error)).await;
        }
        None => served.end().await,
    }
}

/// Connects from the address that the listener has, if it is a certain one.
async fn connect(shared: &Shared, flow: &Flow) -> io::Result<TcpStream> {
    let socket = match flow.remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let listens = shared.listens_of(flow.transport);
    let listen = shared.locals.pick(&listens, Some(flow.local), flow.remote);
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_unspecified()) {
        socket.bind(SocketAddr::new(listen.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

/// Messages leave at once, and the kernel finds out whether a silent peer is still there.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// Wait after an error that may last (no more file descriptors), so as not to spin.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// Silence after which the kernel asks whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
