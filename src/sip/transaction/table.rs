//! The table of all transactions: finds the machine that a message belongs to.
//!
//! Spec:     RFC 3261 §17.1.3, §17.2.3 (matching, with RFC 2543), §8.2.2.2 (merged requests),
//!           §9 (CANCEL), §18.1.1 (long requests), §18.1.2 and §18.2.2 (who may answer, where
//!           answers go); RFC 6026.
//! In:       messages as they arrive, requests and responses to send, lost connections, time.
//! Out:      messages to transmit; requests, ACKs, cancellations and responses for the user.
//! Not here: the machines (one per file beside this), dialogs and the resending of a 2xx
//!           (`sip::dialog`), who may call whom.
//!
//! An INVITE is answered 100 at once, a refusal of ours is resent until its ACK comes, a refusal of
//! theirs is acknowledged here; copies never reach the user. A CANCEL is answered here, without
//! state: only its INVITE can remember what it did.
//!
//! Limits: see `Table::new`. What is kept per transaction is what may have to be sent again.

use crate::rng::Rng;
use crate::sip::flow::{Flow, Loss};
use crate::sip::message::{Message, Method, Request, Response};
use crate::time::Instant;

use super::Failure;
use super::clients::Clients;
use super::key::{Branch, ClientId, ServerKey};
use super::servers::{Room, Servers};

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// The user acknowledges a 2xx: sent as it is, but for the Via, and not remembered.
    Ack { flow: Flow, request: Request },
    /// The INVITE is not wanted any more; its user still gets a final response or `Failed`.
    ///
    /// `reason` becomes the CANCEL's Reason header (RFC 3326).
    Cancel { client: ClientId, reason: Option<String> },
    /// A message came.
    Received { flow: Flow, message: Message },
    /// A request to send, without a Via; `client` comes from `Table::client_id`.
    Request { client: ClientId, flow: Flow, request: Request },
    /// The user answers a request. Copies of a 2xx to an INVITE are given here too.
    Respond { key: ServerKey, response: Response },
    /// The time that `next_tick` named has come.
    Tick,
    /// The stream connection of `flow` is gone, or could not be made.
    TransportFailed { flow: Flow, loss: Loss },
}

/// What must be done, in order.
#[derive(Debug)]
pub enum Output {
    /// The connection of the INVITE's caller is gone before it had a final answer.
    Abandoned { invite: ServerKey },
    /// An ACK that belongs to a dialog: it acknowledges a 2xx (or nothing that is known).
    Ack { flow: Flow, request: Request },
    /// The INVITE was cancelled; the CANCEL is answered, the INVITE still wants its 487.
    ///
    /// `cancel` carries what the caller says about why.
    Cancelled { invite: ServerKey, cancel: Request },
    /// No final response will come. `flow` is the one that failed, if the peer is to blame.
    Failed { client: ClientId, flow: Option<Flow>, why: Failure },
    /// A new request, with `received` and `rport` in its Via.
    Request { key: ServerKey, flow: Flow, request: Request },
    /// A response to a request of the user. Of an INVITE's, each 2xx that comes is given, copies
    /// too: all want an ACK.
    Response { client: ClientId, flow: Flow, response: Response },
    /// An INVITE's transaction is over. `acked`: whether the ACK of a refusal came; always true
    /// after a 2xx, whose ACK only the dialog sees.
    ServerEnded { key: ServerKey, acked: bool },
    /// To be sent as it is.
    Transmit { flow: Flow, message: Message },
}

/// All transactions of one Switch.
#[derive(Debug)]
pub struct Table {
    shard: u8,
    transactions_max: usize,
    servers: Servers,
    clients: Clients,
}

impl Table {
    /// An empty table.
    ///
    /// `shard` is the Switch's number, carried by branches. With `transactions_max` transactions,
    /// new requests get 503 with Retry-After; those within dialogs are taken up to twice that, and
    /// requests of the user too, which fail beyond it. Of one dialog at most 400 are taken;
    /// further requests get 500 with Retry-After. Of all dialogs of one source (an address, or an
    /// IPv6 /64) at most a quarter of `transactions_max` are taken, and never fewer than 400;
    /// further requests get 503 with Retry-After. ACK and CANCEL are always taken; and so is the
    /// BYE of a dialog, up to 16 beyond its 400.
    pub fn new(shard: u8, transactions_max: usize) -> Self {
        let servers = Servers::new(transactions_max / SOURCE_SHARE);
        let clients = Clients::default();
        Self { shard, transactions_max, servers, clients }
    }

    /// The node speaks TCP: requests too long for a datagram go over it first (RFC 3261 §18.1.1).
    #[must_use]
    pub fn with_tcp(mut self) -> Self {
        self.clients.large.enable();
        self
    }

    /// A name for a request that is about to be sent.
    pub fn client_id(&mut self) -> ClientId {
        self.clients.id()
    }

    /// The request of ours, still under way, whose Via has this branch.
    pub fn client_of(&self, branch: &str) -> Option<ClientId> {
        let branch = Branch::parse(branch).filter(|branch| branch.shard == self.shard)?;
        self.clients.has(branch).then_some(branch.client)
    }

    /// Whether a request belongs to a transaction that is here: then it costs nothing more.
    ///
    /// For a user that refuses strangers without a transaction (RFC 3261 §8.2.7).
    pub fn knows(&mut self, request: &Request) -> bool {
        self.servers.knows(request)
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, rng: &mut Rng, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Ack { flow, request } => {
                let branch =
                    Branch { shard: self.shard, client: self.client_id(), secret: rng.u64() };
                let message = request.with_via(&via(&flow, branch)).into();
                out.push(Output::Transmit { flow, message });
            }
            Input::Cancel { client, reason } => self.clients.cancel(now, client, reason, out),
            Input::Received { flow, message: Message::Request(request) } => {
                self.request_received(now, rng, flow, request, out);
            }
            Input::Received { flow, message: Message::Response(response) } => {
                if let Some(branch) = response.via().branch().and_then(Branch::parse)
                    && branch.shard == self.shard
                {
                    self.clients.response_received(now, flow, branch, response, out);
                }
            }
            Input::Request { client, flow, request } => {
                if self.len() >= 2 * self.transactions_max {
                    let why = Failure::Transport;
                    out.push(Output::Failed { client, flow: None, why });
                    return;
                }
                let branch = Branch { shard: self.shard, client, secret: rng.u64() };
                self.clients.send(now, flow, branch, request, out);
            }
            Input::Respond { key, response } => self.servers.respond(now, key, response, out),
            Input::Tick => {
                self.servers.tick(now, out);
                self.clients.tick(now, out);
            }
            Input::TransportFailed { flow, loss } => {
                self.servers.transport_failed(now, &flow, out);
                self.clients.transport_failed(now, (&flow, loss), out);
            }
        }
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        [self.servers.next_tick(), self.clients.next_tick()].into_iter().flatten().min()
    }

    /// Requests within dialogs since the start that were told to wait: their dialog, or their
    /// source, had too many.
    pub fn crowded(&self) -> u64 {
        self.servers.crowded()
    }

    /// Transactions that have not ended.
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn request_received(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        flow: Flow,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        match request.method() {
            Method::Ack => self.servers.ack_received(now, flow, request, out),
            Method::Cancel => self.servers.cancel_received(rng, flow, request, out),
            method => {
                let in_dialog = request.to_tag().is_some() || method == Method::Bye;
                let max = self.transactions_max * if in_dialog { 2 } else { 1 };
                let room = if self.len() < max { Room::Free } else { Room::Full };
                self.servers.request_received(now, rng, flow, request, room, out);
            }
        }
    }
}

/// The part of all transactions that the dialogs of one source may have: a quarter. A provider
/// with a thousand calls that last three minutes, each refreshed every quarter of an hour, needs
/// a few hundred.
const SOURCE_SHARE: usize = 4;

/// The Via of a request of ours.
///
/// `rport` asks the peer to answer to the port that it sees (RFC 3581 §3).
pub(super) fn via(flow: &Flow, branch: Branch) -> String {
    format!("SIP/2.0/{} {};rport;branch={branch}", flow.transport.name(), flow.local)
}
