//! The half of the table that holds requests of ours.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use crate::sip::flow::{ConnectionId, Flow, Loss};
use crate::sip::message::{Host, Method, Request, Response};
use crate::sip::registrar::nat::DEFAULT_PORT;
use crate::time::{Deadlines, Instant};

use super::client::{self, Client};
use super::invite_client::{self, InviteClient};
use super::key::{Branch, ClientId};
use super::large::{Fallback, Large};
use super::table::{Output, via};

#[derive(Debug, Default)]
pub(super) struct Clients {
    last: u64,
    pub(super) large: Large,
    entries: HashMap<ClientId, Entry>,
    /// The transactions over stream connections.
    streams: BTreeSet<(SocketAddr, ClientId)>,
    deadlines: Deadlines<ClientId>,
}

#[derive(Debug)]
struct Entry {
    machine: Machine,
    flow: Flow,
    branch: Branch,
    method: Method,
    /// The CSeq number.
    number: u32,
    /// Until the first response over TCP, for a request too long for a datagram.
    fallback: Option<Fallback>,
}

impl Entry {
    fn next_tick(&self) -> Option<Instant> {
        let fallback = self.fallback.as_ref().map(|fallback| fallback.at);
        [self.machine.next_tick(), fallback].into_iter().flatten().min()
    }
}

#[derive(Debug)]
enum Machine {
    /// `cancel` is the CANCEL's own transaction: it has the same branch, so it lives here.
    Invite {
        invite: InviteClient,
        cancel: Option<Client>,
    },
    Other(Client),
}

impl Machine {
    fn next_tick(&self) -> Option<Instant> {
        match self {
            Self::Invite { invite, cancel } => {
                let cancel = cancel.as_ref().and_then(Client::next_tick);
                [invite.next_tick(), cancel].into_iter().flatten().min()
            }
            Self::Other(client) => client.next_tick(),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Invite { invite, cancel } => {
                invite.is_done() && cancel.as_ref().is_none_or(Client::is_done)
            }
            Self::Other(client) => client.is_done(),
        }
    }
}

/// What a transaction can be told.
enum Event {
    Cancel {
        reason: Option<String>,
    },
    /// A response to the CANCEL came.
    CancelAnswered(Response),
    /// A response came, over this flow.
    Receive(Flow, Response),
    Tick,
    TransportFailed(Loss),
}

impl Clients {
    pub(super) fn id(&mut self) -> ClientId {
        self.last += 1;
        ClientId(self.last)
    }

    /// Sends a request that has no Via yet.
    pub(super) fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        branch: Branch,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let (flow, fallback) = self.large.way(now, flow, &request);
        self.begin(now, (flow, fallback), branch, &request, out);
    }

    fn begin(
        &mut self,
        now: Instant,
        (flow, fallback): (Flow, Option<Fallback>),
        branch: Branch,
        request: &Request,
        out: &mut Vec<Output>,
    ) {
        let request = request.with_via(&via(&flow, branch));
        let client = branch.client;
        let reliable = flow.transport.is_reliable();
        if reliable {
            self.streams.insert((flow.remote, client));
        }
        let (method, number) = (request.method(), request.cseq().number);
        out.push(Output::Transmit { flow, message: request.clone().into() });
        let machine = match method {
            Method::Invite => {
                let invite = InviteClient::new(now, reliable, request);
                Machine::Invite { invite, cancel: None }
            }
            _ => Machine::Other(Client::new(now, reliable, request)),
        };
        let entry = Entry { machine, flow, branch, method, number, fallback };
        self.deadlines.set(&client, entry.next_tick());
        self.entries.insert(client, entry);
    }

    /// Over TCP came nothing: the same request goes over UDP, with the same branch.
    fn fall_back(&mut self, now: Instant, client: ClientId, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.remove(&client) else { return };
        self.streams.remove(&(entry.flow.remote, client));
        let Some(fallback) = entry.fallback else { return };
        self.large.refused(now, entry.flow.remote.ip());
        self.begin(now, (fallback.flow, None), entry.branch, &fallback.request, out);
        if let Some(reason) = fallback.cancelled {
            self.tell(now, client, Event::Cancel { reason }, out);
        }
    }

    pub(super) fn has(&self, branch: Branch) -> bool {
        self.entries.get(&branch.client).is_some_and(|entry| entry.branch == branch)
    }

    pub(super) fn cancel(
        &mut self,
        now: Instant,
        client: ClientId,
        reason: Option<String>,
        out: &mut Vec<Output>,
    ) {
        self.tell(now, client, Event::Cancel { reason }, out);
    }

    /// RFC 3261 §17.1.3 and §18.1.2: what does not match in all points is dropped.
    pub(super) fn response_received(
        &mut self,
        now: Instant,
        flow: Flow,
        branch: Branch,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        let Some(entry) = self.entries.get(&branch.client) else { return };
        let cseq = response.cseq();
        let is_cancels = entry.method == Method::Invite && cseq.method == Method::Cancel;
        let matches = entry.branch == branch
            && cseq.number == entry.number
            && (cseq.method == entry.method || is_cancels)
            && is_sent_by(&response, entry.flow.local);
        if matches {
            let event = match is_cancels {
                true => Event::CancelAnswered(response),
                false => Event::Receive(flow, response),
            };
            self.tell(now, branch.client, event, out);
        }
    }

    pub(super) fn transport_failed(
        &mut self,
        now: Instant,
        (flow, loss): (&Flow, Loss),
        out: &mut Vec<Output>,
    ) {
        if !flow.transport.is_reliable() {
            return;
        }
        let (first, last) = ((flow.remote, ClientId(0)), (flow.remote, ClientId(u64::MAX)));
        let ids: Vec<_> = self.streams.range(first..=last).map(|(_, id)| *id).collect();
        for id in ids {
            // A request that asked for a new connection is on whichever was made.
            let is_on =
                |ours: ConnectionId| ours == flow.connection || ours == ConnectionId::default();
            if self.entries.get(&id).is_some_and(|entry| is_on(entry.flow.connection)) {
                self.tell(now, id, Event::TransportFailed(loss), out);
            }
        }
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(client) = self.deadlines.pop_due(now) {
            self.tell(now, client, Event::Tick, out);
        }
    }

    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells one transaction, and does what it asks for.
    fn tell(&mut self, now: Instant, client: ClientId, event: Event, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(&client) else { return };
        let flow = entry.flow;
        if let Some(fallback) = &mut entry.fallback {
            match &event {
                Event::TransportFailed(_) => return self.fall_back(now, client, out),
                Event::Tick if now >= fallback.at => return self.fall_back(now, client, out),
                Event::Cancel { reason } => fallback.cancelled = Some(reason.clone()),
                Event::CancelAnswered(_) | Event::Receive(..) => entry.fallback = None,
                Event::Tick => {}
            }
        }
        match &mut entry.machine {
            Machine::Invite { invite, cancel } => {
                let (invite_event, cancel_event) = event.split();
                if let (Some(machine), Some(input)) = (&mut *cancel, cancel_event) {
                    tell_cancel(machine, now, flow, input, out);
                }
                if let Some((heard, input)) = invite_event {
                    let heard = heard.unwrap_or(flow);
                    let ask = tell_invite(invite, now, client, (flow, heard), input, out);
                    if let Some(request) = ask {
                        out.push(Output::Transmit { flow, message: request.clone().into() });
                        *cancel = Some(Client::new(now, flow.transport.is_reliable(), request));
                    }
                }
            }
            Machine::Other(machine) => tell_other(machine, now, client, flow, event, out),
        }
        if entry.machine.is_done() {
            self.entries.remove(&client);
            self.deadlines.set(&client, None);
            self.streams.remove(&(flow.remote, client));
        } else {
            self.deadlines.set(&client, entry.next_tick());
        }
    }
}

impl Event {
    /// What the event means to an INVITE (with the flow it came over), and to its CANCEL.
    fn split(self) -> (Option<(Option<Flow>, invite_client::Input)>, Option<client::Input>) {
        use invite_client::Input;
        match self {
            Self::Cancel { reason } => (Some((None, Input::Cancel { reason })), None),
            Self::CancelAnswered(response) => (None, Some(client::Input::Receive(response))),
            Self::Receive(flow, response) => (Some((Some(flow), Input::Receive(response))), None),
            Self::Tick => (Some((None, Input::Tick)), Some(client::Input::Tick)),
            Self::TransportFailed(loss) => {
                let cancels = client::Input::TransportFailed(loss);
                (Some((None, Input::TransportFailed(loss))), Some(cancels))
            }
        }
    }
}

/// Gives the CANCEL to send, if it is time for one.
fn tell_invite(
    machine: &mut InviteClient,
    now: Instant,
    client: ClientId,
    (flow, heard): (Flow, Flow),
    input: invite_client::Input,
    out: &mut Vec<Output>,
) -> Option<Request> {
    use invite_client::Output::{Cancel, Done, Failed, Pass, Send};
    let (mut asked, mut cancel) = (Vec::new(), None);
    machine.handle(now, input, &mut asked);
    for output in asked {
        match output {
            Cancel(request) => cancel = Some(request),
            Done => {}
            Failed(why) => out.push(Output::Failed { client, flow: Some(flow), why }),
            Pass(response) => out.push(Output::Response { client, flow: heard, response }),
            Send(request) => out.push(Output::Transmit { flow, message: request.into() }),
        }
    }
    cancel
}

/// How a CANCEL ends means nothing: its INVITE's end counts.
fn tell_cancel(
    machine: &mut Client,
    now: Instant,
    flow: Flow,
    input: client::Input,
    out: &mut Vec<Output>,
) {
    use client::Output::{Done, Failed, Pass, Send};
    let mut asked = Vec::new();
    machine.handle(now, input, &mut asked);
    for output in asked {
        match output {
            Done | Failed(_) | Pass(_) => {}
            Send(request) => out.push(Output::Transmit { flow, message: request.into() }),
        }
    }
}

fn tell_other(
    machine: &mut Client,
    now: Instant,
    client: ClientId,
    flow: Flow,
    event: Event,
    out: &mut Vec<Output>,
) {
    use client::Output::{Done, Failed, Pass, Send};
    let (heard, input) = match event {
        Event::Cancel { .. } | Event::CancelAnswered(_) => return, // only an INVITE has a CANCEL
        Event::Receive(heard, response) => (heard, client::Input::Receive(response)),
        Event::Tick => (flow, client::Input::Tick),
        Event::TransportFailed(loss) => (flow, client::Input::TransportFailed(loss)),
    };
    let mut asked = Vec::new();
    machine.handle(now, input, &mut asked);
    for output in asked {
        match output {
            Done => {}
            Failed(why) => out.push(Output::Failed { client, flow: Some(flow), why }),
            Pass(response) => out.push(Output::Response { client, flow: heard, response }),
            Send(request) => out.push(Output::Transmit { flow, message: request.into() }),
        }
    }
}

/// Whether the topmost Via is the one that we wrote.
fn is_sent_by(response: &Response, local: SocketAddr) -> bool {
    let via = response.via();
    let is_host = matches!(via.host(), Host::Ip(ip) if ip == local.ip());
    is_host && via.port().unwrap_or(DEFAULT_PORT) == local.port()
}
