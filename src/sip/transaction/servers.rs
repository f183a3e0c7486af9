//! The half of the table that holds requests received.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::rng::Rng;
use crate::sip::flow::{Flow, source_of};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::registrar::nat;
use crate::time::{Deadlines, Instant};

use super::invite_server::{self, InviteServer};
use super::key::{ServerKey, write_match, write_merge};
use super::server::{self, Server};
use super::table::Output;

/// Whether one more transaction may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Full,
}

/// Transactions that one dialog may have. A person who presses ten keys a second for half a minute,
/// each told by an INFO, stays below it.
pub(super) const DIALOG_MAX: usize = 400;
/// BYEs that a dialog may have beyond that.
const BYES_MAX: usize = 16;
/// What a peer hears when no more can be taken, of all or of its source, and when its dialog has
/// too many.
const BUSY: u16 = 503;
const CROWDED: u16 = 500;

/// Least and most seconds after which a peer that was sent away may come again.
const RETRY_AFTER_SECS: (u32, u32) = (4, 12);

#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Transactions that the dialogs of one source may have.
    source_max: usize,
    last: u64,
    entries: HashMap<ServerKey, Entry>,
    /// By what copies, CANCEL and ACK share with the request.
    matched: HashMap<Arc<str>, ServerKey>,
    /// By what requests share that came by several ways; only those outside dialogs.
    merged: HashMap<Arc<str>, ServerKey>,
    /// The transactions over stream connections.
    streams: BTreeSet<(SocketAddr, ServerKey)>,
    /// How many each dialog has, by our tag in it.
    dialogs: HashMap<Arc<str>, usize>,
    /// How many the dialogs of each source have.
    sources: HashMap<IpAddr, usize>,
    /// Requests within dialogs that were sent away, for there were too many.
    crowded: u64,
    deadlines: Deadlines<ServerKey>,
    /// Kept for its memory: looking a key up allocates nothing.
    text: String,
}

#[derive(Debug)]
struct Entry {
    machine: Machine,
    /// Where responses go.
    reply: Flow,
    match_text: Arc<str>,
    merge_text: Option<Arc<str>>,
    /// Our tag, of a request within a dialog, and its source.
    dialog: Option<(Arc<str>, IpAddr)>,
    cancelled: bool,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteServer),
    Other(Server),
}

/// What a machine can be told, whichever it is.
enum Event {
    Ack,
    Copy,
    Respond(Response),
    Tick,
    TransportFailed,
}

/// What came of telling it.
#[derive(Default)]
struct Told {
    done: bool,
    /// The ACK is the dialog's.
    pass_ack: bool,
}

impl Machine {
    fn next_tick(&self) -> Option<Instant> {
        match self {
            Self::Invite(machine) => machine.next_tick(),
            Self::Other(machine) => machine.next_tick(),
        }
    }
}

impl Servers {
    /// Of the dialogs of one source so many are taken, and never fewer than of one dialog.
    pub(super) fn new(source_max: usize) -> Self {
        Self { source_max: source_max.max(DIALOG_MAX), ..Self::default() }
    }

    pub(super) fn request_received(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        flow: Flow,
        request: Request,
        room: Room,
        out: &mut Vec<Output>,
    ) {
        write_match(&mut self.text, &request);
        if let Some(key) = self.matched.get(self.text.as_str()).copied() {
            self.tell(now, key, Event::Copy, out);
            return;
        }
        let reply = nat::reply_flow(flow, &request);
        let request = request.received_from(flow.remote);
        if let Some(status) = self.refusal(&flow, &request, room) {
            let (least, most) = RETRY_AFTER_SECS;
            let wait = least + rng.below(most - least + 1);
            let busy = Response::build(&request, status, Some(&rng.token(8)))
                .header(Name::RetryAfter, wait)
                .response();
            out.push(Output::Transmit { flow: reply, message: busy.into() });
            return;
        }
        let match_text = Arc::from(self.text.as_str());
        let merge_text = match self.merge_text(&request) {
            Ok(text) => text,
            Err(Merged) => {
                let loops = Response::build(&request, 482, Some(&rng.token(8))).response();
                out.push(Output::Transmit { flow: reply, message: loops.into() });
                return;
            }
        };
        let key = self.insert(now, &flow, reply, &request, match_text, merge_text);
        if request.method() == Method::Invite {
            let trying = Response::build(&request, 100, None).response();
            self.tell(now, key, Event::Respond(trying), out);
        }
        out.push(Output::Request { key, flow, request });
    }

    /// What a request is answered for which there is no room. The end of a dialog is always taken.
    fn refusal(&mut self, flow: &Flow, request: &Request, room: Room) -> Option<u16> {
        let Some(tag) = request.to_tag() else { return (room == Room::Full).then_some(BUSY) };
        let of_dialog = self.dialogs.get(tag).copied().unwrap_or_default();
        let of_source = self.sources.get(&source_of(flow.remote.ip())).copied();
        let status = match request.method() {
            Method::Bye if of_dialog < DIALOG_MAX + BYES_MAX => return None,
            _ if of_dialog >= DIALOG_MAX => CROWDED,
            _ if of_source.is_some_and(|count| count >= self.source_max) => BUSY,
            _ => return (room == Room::Full).then_some(BUSY),
        };
        self.crowded += 1;
        Some(status)
    }

    pub(super) fn crowded(&self) -> u64 {
        self.crowded
    }

    /// Whether a request belongs to a transaction, or came by another way already.
    pub(super) fn knows(&mut self, request: &Request) -> bool {
        write_match(&mut self.text, request);
        self.matched.contains_key(self.text.as_str()) || self.merge_text(request).is_err()
    }

    pub(super) fn ack_received(
        &mut self,
        now: Instant,
        flow: Flow,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        write_match(&mut self.text, &request);
        let is_dialogs = match self.matched.get(self.text.as_str()).copied() {
            Some(key) => self.tell(now, key, Event::Ack, out).pass_ack,
            None => true,
        };
        if is_dialogs {
            out.push(Output::Ack { flow, request });
        }
    }

    /// RFC 3261 §9.2.
    pub(super) fn cancel_received(
        &mut self,
        rng: &mut Rng,
        flow: Flow,
        cancel: Request,
        out: &mut Vec<Output>,
    ) {
        write_match(&mut self.text, &cancel);
        let key = self.matched.get(self.text.as_str()).copied();
        let reply = nat::reply_flow(flow, &cancel);
        let cancel = cancel.received_from(flow.remote);
        let invite = key.and_then(|key| Some((key, self.entries.get_mut(&key)?)));
        let Some((key, entry)) = invite else {
            let unknown = Response::build(&cancel, 481, Some(&rng.token(8))).response();
            out.push(Output::Transmit { flow: reply, message: unknown.into() });
            return;
        };
        let Machine::Invite(invite) = &entry.machine else { return };
        // The same To tag as the INVITE's responses have, if they have one yet.
        let tag = invite.last().and_then(|last| last.to_tag());
        let random = if tag.is_none() { rng.token(8) } else { String::new() };
        let ok = Response::build(&cancel, 200, Some(tag.unwrap_or(&random))).response();
        let has_effect = invite.is_proceeding() && !mem::replace(&mut entry.cancelled, true);
        out.push(Output::Transmit { flow: reply, message: ok.into() });
        if has_effect {
            out.push(Output::Cancelled { invite: key, cancel });
        }
    }

    pub(super) fn respond(
        &mut self,
        now: Instant,
        key: ServerKey,
        response: Response,
        out: &mut Vec<Output>,
    ) {
        self.tell(now, key, Event::Respond(response), out);
    }

    pub(super) fn transport_failed(&mut self, now: Instant, flow: &Flow, out: &mut Vec<Output>) {
        if !flow.transport.is_reliable() {
            return;
        }
        let (first, last) = ((flow.remote, ServerKey(0)), (flow.remote, ServerKey(u64::MAX)));
        let keys: Vec<_> = self.streams.range(first..=last).map(|(_, key)| *key).collect();
        for key in keys {
            let entry = self.entries.get(&key);
            if entry.is_some_and(|entry| entry.reply.connection == flow.connection) {
                self.tell(now, key, Event::TransportFailed, out);
            }
        }
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(key) = self.deadlines.pop_due(now) {
            self.tell(now, key, Event::Tick, out);
        }
    }

    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key under which other ways of the same request would be found; none for those that need
    /// no such guard: requests within dialogs, and REGISTER, which is not forked, but which some
    /// phones repeat under one CSeq with their credentials.
    fn merge_text(&mut self, request: &Request) -> Result<Option<Arc<str>>, Merged> {
        if request.to_tag().is_some() || request.method() == Method::Register {
            return Ok(None);
        }
        write_merge(&mut self.text, request);
        if self.merged.contains_key(self.text.as_str()) {
            return Err(Merged);
        }
        Ok(Some(Arc::from(self.text.as_str())))
    }

    fn insert(
        &mut self,
        now: Instant,
        flow: &Flow,
        reply: Flow,
        request: &Request,
        match_text: Arc<str>,
        merge_text: Option<Arc<str>>,
    ) -> ServerKey {
        self.last += 1;
        let key = ServerKey(self.last);
        let reliable = flow.transport.is_reliable();
        if reliable {
            self.streams.insert((reply.remote, key));
        }
        self.matched.insert(match_text.clone(), key);
        if let Some(text) = &merge_text {
            self.merged.insert(text.clone(), key);
        }
        let machine = match request.method() {
            Method::Invite => Machine::Invite(InviteServer::new(reliable)),
            _ => Machine::Other(Server::new(now, reliable)),
        };
        let source = source_of(flow.remote.ip());
        let dialog = request.to_tag().map(|tag| (Arc::from(tag), source));
        if let Some((tag, source)) = &dialog {
            *self.dialogs.entry(Arc::clone(tag)).or_default() += 1;
            *self.sources.entry(*source).or_default() += 1;
        }
        let entry = Entry { machine, reply, match_text, merge_text, dialog, cancelled: false };
        self.deadlines.set(&key, entry.machine.next_tick());
        self.entries.insert(key, entry);
        key
    }

    /// Tells one machine, and does what it asks for.
    fn tell(&mut self, now: Instant, key: ServerKey, event: Event, out: &mut Vec<Output>) -> Told {
        let Some(entry) = self.entries.get_mut(&key) else { return Told::default() };
        let flow = entry.reply;
        let told = match &mut entry.machine {
            Machine::Invite(machine) => tell_invite(machine, now, key, flow, event, out),
            Machine::Other(machine) => tell_other(machine, now, flow, event, out),
        };
        if told.done {
            self.remove(key);
        } else {
            self.deadlines.set(&key, entry.machine.next_tick());
        }
        told
    }

    fn remove(&mut self, key: ServerKey) {
        self.deadlines.set(&key, None);
        let Some(entry) = self.entries.remove(&key) else { return };
        self.matched.remove(&entry.match_text);
        if let Some(text) = &entry.merge_text {
            self.merged.remove(text);
        }
        self.streams.remove(&(entry.reply.remote, key));
        if let Some((tag, source)) = entry.dialog {
            count_down(&mut self.dialogs, &tag);
            count_down(&mut self.sources, &source);
        }
    }
}

/// Takes one from a count; what has none left is forgotten.
fn count_down<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn tell_invite(
    machine: &mut InviteServer,
    now: Instant,
    key: ServerKey,
    flow: Flow,
    event: Event,
    out: &mut Vec<Output>,
) -> Told {
    use invite_server::Input;
    let input = match event {
        Event::Ack => Input::Ack,
        Event::Copy => Input::Invite,
        Event::Respond(response) => Input::Respond(response),
        Event::Tick => Input::Tick,
        Event::TransportFailed => Input::TransportFailed,
    };
    let (mut asked, mut told) = (Vec::new(), Told::default());
    machine.handle(now, input, &mut asked);
    for output in asked {
        match output {
            invite_server::Output::Abandoned => out.push(Output::Abandoned { invite: key }),
            invite_server::Output::Done { acked } => {
                told.done = true;
                out.push(Output::ServerEnded { key, acked });
            }
            invite_server::Output::PassAck => told.pass_ack = true,
            invite_server::Output::Send(response) => {
                out.push(Output::Transmit { flow, message: response.into() });
            }
        }
    }
    told
}

fn tell_other(
    machine: &mut Server,
    now: Instant,
    flow: Flow,
    event: Event,
    out: &mut Vec<Output>,
) -> Told {
    use server::Input;
    let input = match event {
        Event::Ack => return Told::default(), // an ACK is found under INVITE only
        Event::Copy => Input::Request,
        Event::Respond(response) => Input::Respond(response),
        Event::Tick => Input::Tick,
        Event::TransportFailed => Input::TransportFailed,
    };
    let (mut asked, mut told) = (Vec::new(), Told::default());
    machine.handle(now, input, &mut asked);
    for output in asked {
        match output {
            server::Output::Done => told.done = true,
            server::Output::Send(response) => {
                out.push(Output::Transmit { flow, message: response.into() });
            }
        }
    }
    told
}

/// The request is here already, by another way.
struct Merged;
