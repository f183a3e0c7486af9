//! The table of stream connections, and what waits to be written on each.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::Limits;
use crate::sip::flow::{ConnectionId, Flow};

/// One connection as its users see it.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) remote: SocketAddr,
    /// Told when the connection must end at once.
    pub(super) cut: Notify,
    queue: mpsc::Sender<Bytes>,
    queued_bytes: AtomicUsize,
}

impl Connection {
    /// Queues bytes to be written; `false` if too much waits already: the peer reads too slowly.
    pub(super) fn enqueue(&self, bytes: Bytes, limits: &Limits) -> bool {
        let size = bytes.len();
        // Relaxed: only this counter is at stake; the queue orders what it carries.
        let before = self.queued_bytes.fetch_add(size, Ordering::Relaxed);
        if before + size > limits.queued_bytes_max {
            return false;
        }
        match self.queue.try_send(bytes) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => true, // it ends; `Closed` is on its way
            Err(mpsc::error::TrySendError::Full(_)) => false,
        }
    }

    /// Notes that `size` queued bytes were written.
    pub(super) fn written(&self, size: usize) {
        self.queued_bytes.fetch_sub(size, Ordering::Relaxed); // see `enqueue`
    }
}

/// All connections, accepted or opened.
#[derive(Default)]
pub(super) struct Connections {
    last: u64,
    by_id: HashMap<ConnectionId, Entry>,
    /// The newest connection to each peer.
    by_remote: HashMap<SocketAddr, ConnectionId>,
    per_source: HashMap<IpAddr, usize>,
}

struct Entry {
    connection: Arc<Connection>,
    /// The flows that were used to send over it: each must hear of its end.
    flows: Vec<Flow>,
}

impl Connections {
    /// Adds a connection; `None` if there are too many. What is queued comes out of the receiver.
    pub(super) fn open(
        &mut self,
        remote: SocketAddr,
        limits: &Limits,
    ) -> Option<(Arc<Connection>, mpsc::Receiver<Bytes>)> {
        let of_source = self.per_source.get(&remote.ip()).copied().unwrap_or(0);
        if self.by_id.len() >= limits.connections_max
            || of_source >= limits.connections_per_source_max
        {
            return None;
        }
        self.per_source.insert(remote.ip(), of_source + 1);
        self.last += 1;
        let id = ConnectionId(self.last);
        let (queue, queued) = mpsc::channel(QUEUED_MAX);
        let connection = Arc::new(Connection {
            id,
            remote,
            cut: Notify::new(),
            queue,
            queued_bytes: AtomicUsize::new(0),
        });
        self.by_id.insert(id, Entry { connection: connection.clone(), flows: Vec::new() });
        self.by_remote.insert(remote, id);
        Some((connection, queued))
    }

    /// The connection of this flow, or another one to the same peer; it will hear of the end.
    pub(super) fn find(&mut self, flow: &Flow) -> Option<Arc<Connection>> {
        let id = match self.by_id.contains_key(&flow.connection) {
            true => flow.connection,
            false => *self.by_remote.get(&flow.remote)?,
        };
        let entry = self.by_id.get_mut(&id)?;
        entry.note(flow);
        Some(entry.connection.clone())
    }

    /// Makes `flow` hear of the end of this connection.
    pub(super) fn note(&mut self, id: ConnectionId, flow: &Flow) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.note(flow);
        }
    }

    /// Removes a connection; gives the flows that must hear of it.
    pub(super) fn close(&mut self, connection: &Connection) -> Vec<Flow> {
        let Some(entry) = self.by_id.remove(&connection.id) else { return Vec::new() };
        if self.by_remote.get(&connection.remote) == Some(&connection.id) {
            self.by_remote.remove(&connection.remote);
        }
        let source = connection.remote.ip();
        match self.per_source.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                self.per_source.remove(&source);
            }
        }
        entry.flows
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Entry {
    fn note(&mut self, flow: &Flow) {
        if !self.flows.contains(flow) && self.flows.len() < FLOWS_MAX {
            self.flows.push(*flow);
        }
    }
}

/// Messages that may wait on one connection.
const QUEUED_MAX: usize = 1024;
/// Spellings of one connection's flow that are told of its end; in practice one or two.
const FLOWS_MAX: usize = 16;
