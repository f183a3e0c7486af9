//! Serves one stream connection, TCP or TLS: frames in, queued messages out, until it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::connections::Connection;
use super::{Incoming, Shared, count};
use crate::sip::flow::{Flow, Loss};
use crate::sip::message::stream::{Frame, Framer};
use crate::sip::message::{Message, ParseError, bad_request};

/// Who opened a connection: a stranger has to say something soon.
#[derive(Clone, Copy)]
pub(super) enum Opened {
    ByPeer,
    ByUs,
}

/// A connection and what serving it takes.
pub(super) struct Served {
    pub(super) flow: Flow,
    pub(super) opened: Opened,
    pub(super) connection: Arc<Connection>,
    pub(super) queued: mpsc::Receiver<Bytes>,
    pub(super) shared: Arc<Shared>,
    pub(super) closing: watch::Receiver<()>,
}

impl Served {
    /// Does one thing of the connection's life; nothing if the connection or the node ends first.
    pub(super) async fn unless_over<T>(
        &self,
        wait: Duration,
        act: impl Future<Output = T>,
    ) -> Option<T> {
        let mut closing = self.closing.clone();
        tokio::select! {
            _ = closing.changed() => None,
            () = self.connection.cut.notified() => None,
            done = timeout(wait, act) => done.ok(),
        }
    }

    /// Tells all who used the connection that it is gone.
    pub(super) async fn end(&self) {
        self.lose(Loss::Ended).await;
    }

    /// As `end`, and why it is gone.
    pub(super) async fn lose(&self, why: Loss) {
        let flows = self.shared.connections().close(&self.connection);
        for flow in flows {
            self.shared.deliver(Incoming::Closed { flow, why }).await;
        }
    }
}

/// Serves a connection until it ends, then tells all who used it.
pub(super) async fn serve(
    mut reading: impl AsyncRead + Unpin,
    mut writing: impl AsyncWrite + Unpin,
    mut served: Served,
) {
    let connection = served.connection.clone();
    let mut closing = served.closing.clone();
    let Served { flow, opened, .. } = served;
    let shared = served.shared.clone();
    let last_words = tokio::select! {
        _ = closing.changed() => return,
        () = connection.cut.notified() => None,
        () = write(&mut writing, &mut served.queued, &connection, &shared) => None,
        last_words = read(&mut reading, flow, opened, &connection, &shared) => last_words,
    };
    if let Some(words) = last_words {
        let _ = timeout(GOODBYE_TIMEOUT, goodbye(&mut reading, &mut writing, &words)).await;
    }
    drop((reading, writing));
    served.end().await;
}

/// Says why the connection ends, and waits for the peer to take note: closing at once would
/// destroy what it has not read.
async fn goodbye(
    reading: &mut (impl AsyncRead + Unpin),
    writing: &mut (impl AsyncWrite + Unpin),
    words: &[u8],
) {
    let mut rest = [0; 1024];
    if writing.write_all(words).await.is_ok() && writing.shutdown().await.is_ok() {
        while matches!(reading.read(&mut rest).await, Ok(1..)) {}
    }
}

/// Writes what is queued; ends when the peer does not take a message in time.
async fn write(
    writing: &mut (impl AsyncWrite + Unpin),
    queued: &mut mpsc::Receiver<Bytes>,
    connection: &Connection,
    shared: &Shared,
) {
    while let Some(bytes) = queued.recv().await {
        let written = async {
            writing.write_all(&bytes).await?;
            writing.flush().await
        };
        match timeout(shared.limits.write_timeout, written).await {
            Ok(Ok(())) => connection.written(bytes.len()),
            Ok(Err(_)) => return,
            Err(_) => {
                count(&shared.counters.refused);
                return;
            }
        }
    }
}

/// Reads until the end; gives what must still be said if the peer broke the framing.
async fn read(
    reading: &mut (impl AsyncRead + Unpin),
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
    match frame {
        Frame::Message(bytes) => take_message(bytes, flow, connection, shared).await,
        Frame::Ping => {
            count(&shared.counters.keep_alives);
            reply(Bytes::from_static(b"\r\n"), connection, shared);
            false
        }
        Frame::Pong => {
            count(&shared.counters.keep_alives);
            false
        }
    }
}

/// Gives a whole message to the Switch; whether it was one.
pub(super) async fn take_message(
    bytes: Bytes,
    flow: Flow,
    connection: &Connection,
    shared: &Shared,
) -> bool {
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

/// Queues an answer of the transport's own.
pub(super) fn reply(bytes: Bytes, connection: &Connection, shared: &Shared) {
    if !connection.enqueue(bytes, &shared.limits) {
        count(&shared.counters.refused);
        connection.cut.notify_one();
    }
}

/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// How long a refused peer may take to read why.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
