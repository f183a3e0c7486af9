//! The Switch: all signalling state of a node as one value, one input at a time.
//!
//! Spec:     RFC 3261 §8.2 (a UAS core), §10.3 (a registrar), §22 (credentials).
//! In:       messages, media reports, decisions of the ACD, questions, a new plan, time.
//! Out:      messages, media orders, ledger entries, answers.
//! Not here: sockets and threads (`shell`), what a call is (`call`), who waits for whom (`acd`).

mod admission;
mod agents;
mod alarms;
mod answers;
mod callbacks;
mod calls;
mod conferences;
mod control;
mod crew;
mod decisions;
mod defence;
mod destination;
mod holds;
mod joining;
mod kept;
mod lamps;
mod limits;
mod locate;
pub mod request;
mod supervision;
mod trunks;
mod wanted;
mod watched;

pub use kept::UNSEALED;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::acd::{self, Acd};
use crate::call::known::Known;
use crate::call::services::Book;
use crate::call::trunk::Trouble;
use crate::call::{
    Call, Guesser, Halls, Lot, NODE_STOP, Origin, Plan, Ports, Settings, recording_ended,
};
use crate::cdr::entry::Entry;
use crate::id::{AgentId, CallId, CallIds, ExtensionId, LegId};
use crate::media::control::{Command, Event};
use crate::rng::Rng;
use crate::route::access::MINUTES_A_DAY;
use crate::sip::digest::locks::Locks;
use crate::sip::digest::{Auth, Secret};
use crate::sip::flow::{Flow, Loss};
use crate::sip::locate::{Answer, Locator, LookupId, Question, QuestionId};
use crate::sip::message::Message;
use crate::sip::registrar::Registrar;
use crate::sip::subscription::Notifier;
use crate::sip::transaction::{self, ClientId, Failure, ServerKey, Table};
use crate::switch::defence::Defence;
use crate::switch::kept::keep_unsealed;
use crate::switch::lamps::Lamps;
use crate::switch::limits::Limits;
use crate::time::{Deadlines, Duration, Epoch, Instant, Wall};
use callbacks::Callbacks;
use decisions::Tellings;
use locate::Seeker;
use trunks::Trunks;

/// Names a question, so that its answer finds the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What can happen to the Switch.
#[derive(Debug)]
pub enum Input {
    /// Somebody asks or orders something; answered by `Output::Answer` with the same id.
    Ask {
        id: AskId,
        request: request::Request,
    },
    /// A stream connection is gone, or could not be made.
    Closed {
        flow: Flow,
        why: Loss,
    },
    /// What the ACD decided for someone else who changed it.
    Decided(Vec<acd::Output>),
    /// The wall clock was set: calls to come are recorded by it, those in progress keep theirs.
    Epoch(Epoch),
    /// How long a message that comes now waits for its turn: above capacity new calls are refused.
    Load(Duration),
    Media(Event),
    /// A message came.
    Message {
        flow: Flow,
        message: Message,
    },
    /// A new configuration, from the next call on.
    Plan(Box<Plan>, HashMap<ExtensionId, Secret>),
    /// The answer to `Output::Resolve` with the same id.
    Resolved {
        id: QuestionId,
        answer: Answer,
    },
    /// Whether the ledger has room: without it no new call is taken.
    Room(bool),
    /// Everything is durable that was given out before `Output::Sync` with the same call.
    Synced(CallId),
    /// The node stops: every call is hung up, none is taken any more.
    Stop,
    Tick,
}

/// What the Switch asks of the shell, in order.
#[derive(Debug)]
pub enum Output {
    Answer {
        id: AskId,
        reply: request::Reply,
    },
    Entry(Entry),
    /// These are not as they were: whoever watches them looks again.
    Changed(Vec<request::Subject>),
    /// For the media thread with this number.
    Media(u8, Command),
    /// Something that the DNS or the network knows; answered by `Input::Resolved`.
    Resolve {
        id: QuestionId,
        question: Question,
    },
    Send {
        flow: Flow,
        message: Message,
    },
    /// Wants to know when all that was given out so far is durable; answered by `Input::Synced`.
    Sync(CallId),
    /// A fact to be found again at the next start; `None` forgets it.
    Store {
        key: String,
        value: Option<String>,
    },
}

/// What a Switch is made of, besides its plan.
#[derive(Debug)]
pub struct Parts {
    pub acd: Arc<Acd>,
    pub auth: Auth,
    pub locator: Locator,
    /// The node's name and number.
    pub name: String,
    pub node: u16,
    pub registrar: Registrar,
    pub rng: Rng,
    pub settings: Settings,
    pub transactions: Table,
}

/// All signalling state of a node.
#[derive(Debug)]
pub struct Switch {
    parts: Parts,
    plan: Arc<Plan>,
    /// What each account's credentials are checked against.
    secrets: HashMap<ExtensionId, Secret>,
    defence: Defence,
    call_ids: CallIds,
    calls: HashMap<CallId, Box<Call>>,
    /// Who is to be called back.
    callbacks: Callbacks,
    /// The leg of each dialog, by our tag.
    legs: HashMap<String, LegId>,
    /// The leg that sent each request of ours.
    clients: HashMap<ClientId, LegId>,
    /// The leg of each INVITE that is not answered yet, for its CANCEL.
    invites: HashMap<ServerKey, LegId>,
    /// Legs that are in another call than the one they were made in.
    homes: HashMap<LegId, CallId>,
    /// The ACD's names of those who are served in a call with another name.
    served: HashMap<CallId, CallId>,
    due: Deadlines<CallId>,
    /// What extensions have used up of what they may.
    limits: Limits,
    /// Who wants to know what a lookup finds.
    seekers: HashMap<LookupId, Seeker>,
    lamps: Lamps,
    /// Who is in which conference.
    halls: Halls,
    /// What is known of callers.
    known: Known,
    /// Where calls are parked.
    lot: Lot,
    /// Phones where wrong PINs of agents were dialled.
    pins: Locks<Guesser>,
    ports: Ports,
    /// What the persons of accounts want when they are called.
    services: Book,
    /// Private calls at each phone.
    occupied: HashMap<ExtensionId, u32>,
    /// The call that each agent had last, whose record its wrap-up belongs to.
    last_calls: HashMap<AgentId, CallId>,
    /// What the ACD decided and nobody has carried out yet.
    decided: Vec<acd::Output>,
    /// What has changed without a fact, in the input that is handled.
    changed: BTreeSet<request::Subject>,
    /// What was told of the decisions about callers.
    tellings: Tellings,
    alarms: alarms::Alarms,
    trunks: Trunks,
    /// Whether the ledger has room for new calls.
    room: bool,
    /// Whether new calls are refused: somebody wants it so, or the node stops.
    draining: bool,
    stopping: bool,
    /// How long messages wait.
    wait: Duration,
    calls_total: u64,
    calls_refused: u64,
    one_way_total: u64,
    /// Calls that are over, by the legs whose recordings are not complete on the disk yet.
    unsealed: BTreeMap<LegId, CallId>,
}

impl Switch {
    pub fn new(
        now: Instant,
        parts: Parts,
        plan: Plan,
        secrets: HashMap<ExtensionId, Secret>,
    ) -> Self {
        let mut switch = Self {
            call_ids: CallIds::new(parts.node),
            defence: Defence::new(&plan.defence),
            lamps: Lamps::new(Notifier::new(plan.lamps.clone(), parts.settings.epoch)),
            parts,
            plan: Arc::new(plan),
            secrets,
            calls: HashMap::new(),
            callbacks: Callbacks::default(),
            legs: HashMap::new(),
            clients: HashMap::new(),
            invites: HashMap::new(),
            homes: HashMap::new(),
            served: HashMap::new(),
            due: Deadlines::default(),
            limits: Limits::default(),
            seekers: HashMap::new(),
            halls: Halls::default(),
            known: Known::default(),
            lot: Lot::default(),
            pins: Locks::new(PINS_MAX),
            ports: Ports::default(),
            services: Book::new(),
            occupied: HashMap::new(),
            last_calls: HashMap::new(),
            decided: Vec::new(),
            changed: BTreeSet::new(),
            tellings: Tellings::default(),
            alarms: alarms::Alarms::default(),
            trunks: Trunks::default(),
            room: true,
            draining: false,
            stopping: false,
            wait: Duration::ZERO,
            calls_total: 0,
            calls_refused: 0,
            one_way_total: 0,
            unsealed: BTreeMap::new(),
        };
        switch.parts.auth.limit(defence::limits(&switch.plan.defence));
        switch.configure_acd(now);
        switch.configure_trunks(now, &mut Vec::new()); // no line is there yet that could ask
        switch
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        let before = out.len();
        match input {
            Input::Ask { id, request } => {
                let reply = self.answer(now, request, out);
                out.push(Output::Answer { id, reply });
            }
            Input::Closed { flow, why } => {
                let mut changes = Vec::new();
                self.parts.registrar.flow_closed(&flow, &mut changes);
                self.registrations_changed(now, changes, out);
                self.watchers_lost(&flow, out);
                self.transact(now, transaction::Input::TransportFailed { flow, loss: why }, out);
                if why == Loss::Unverified {
                    self.note_failure(now, &flow, Trouble::Unverified);
                }
            }
            Input::Decided(decisions) => self.decided.extend(decisions),
            Input::Epoch(epoch) => {
                self.parts.settings.epoch = epoch;
                self.lamps.notifier.set_epoch(epoch);
            }
            Input::Load(wait) => self.wait = wait,
            Input::Media(event) => self.media(now, event, out),
            Input::Message { flow, message } => self.received(now, flow, message, out),
            Input::Plan(plan, secrets) => {
                self.plan = Arc::new(*plan);
                for call in self.calls.values_mut() {
                    call.wait_by(&self.plan);
                }
                self.secrets = secrets;
                self.defence.configure(&self.plan.defence);
                self.parts.auth.limit(defence::limits(&self.plan.defence));
                self.configure_acd(now);
                self.configure_trunks(now, out);
                self.forget_removed_accounts(now, out);
                self.lamps_of_plan(now, out);
            }
            Input::Resolved { id, answer } => self.resolved(now, id, answer, out),
            Input::Room(room) => self.room = room,
            Input::Synced(call) => self.callback_is_durable(now, call, out),
            Input::Stop => self.stop(now, out),
            Input::Tick => self.tick(now, out),
        }
        self.carry_out_decisions(now, out);
        self.light(now, out);
        self.watch_queues(now, before, out);
        self.tell_changes(before, out);
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        let parts = &self.parts;
        [
            self.alarms.next_tick(),
            self.due.next(),
            self.callbacks.next_tick(),
            self.halls.next_tick(),
            self.limits.next_tick(),
            parts.acd.next_tick(),
            self.lamps.notifier.next_tick(),
            parts.registrar.next_tick(),
            parts.transactions.next_tick(),
            self.trunks.lines.next_tick(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether no call is in progress, no recording of one that is over is to be completed, and no
    /// registration of ours waits to be taken back.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.unsealed.is_empty() && self.trunks.lines.is_quiet()
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        (self.draining, self.stopping) = (true, true);
        let mut calls: Vec<CallId> = self.calls.keys().copied().collect();
        calls.sort_unstable(); // the order reaches the outputs
        for call in calls {
            self.drive(now, call, crate::call::Input::HangUp(NODE_STOP), out);
        }
        self.stop_trunks(now, out);
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.parts.transactions.next_tick().is_some_and(|at| at <= now) {
            self.transact(now, transaction::Input::Tick, out);
        }
        if self.parts.registrar.next_tick().is_some_and(|at| at <= now) {
            let mut changes = Vec::new();
            self.parts.registrar.tick(now, &mut changes);
            self.registrations_changed(now, changes, out);
        }
        if self.parts.acd.next_tick().is_some_and(|at| at <= now) {
            self.parts.acd.tick(now, &mut self.decided);
        }
        self.tick_callbacks(now, out);
        self.tick_lamps(now, out);
        self.tick_trunks(now, out);
        if self.limits.next_tick().is_some_and(|at| at <= now) {
            for call in self.limits.overdue(now, &self.plan.access) {
                self.drive(now, call, crate::call::Input::HangUp(MINUTES_A_DAY), out);
            }
        }
        for call in self.halls.forsaken(now) {
            self.drive(now, call, crate::call::Input::HangUp("alone_in_conference"), out);
        }
        while let Some(call) = self.due.pop_due(now) {
            self.drive(now, call, crate::call::Input::Tick, out);
        }
    }

    fn media(&mut self, now: Instant, event: Event, out: &mut Vec<Output>) {
        let leg = match &event {
            Event::Spare { port } => {
                self.ports.put(*port);
                return;
            }
            Event::BothWays { leg }
            | Event::Closed { leg, .. }
            | Event::Counted { leg, .. }
            | Event::Digit { leg, .. }
            | Event::Ended { leg, .. }
            | Event::Moved { leg }
            | Event::OneWay { leg }
            | Event::Recorded { leg, .. }
            | Event::Silent { leg } => *leg,
        };
        match event {
            Event::Recorded { recording, .. } if self.unsealed.contains_key(&leg) => {
                let (at, call) = (self.wall(now), self.unsealed.remove(&leg));
                let fact = recording_ended(leg, *recording);
                out.push(Output::Entry(Entry { at, call, fact }));
                out.push(keep_unsealed(leg, None));
            }
            event => self.drive(now, self.home(leg), crate::call::Input::Media(event), out),
        }
    }

    /// A call is over, and the file of its leg's recording is not complete: what becomes of it is
    /// an entry of its own; also if that is found out at the next start, as for those that are too
    /// many to be remembered.
    fn await_recording(&mut self, leg: LegId, call: CallId, out: &mut Vec<Output>) {
        out.push(keep_unsealed(leg, Some(call)));
        if self.unsealed.len() < UNSEALED_MAX {
            self.unsealed.insert(leg, call);
        }
    }

    /// Gives the transactions an input and carries out what they ask.
    fn transact(&mut self, now: Instant, input: transaction::Input, out: &mut Vec<Output>) {
        let input = self.to_registered(input);
        self.transact_for(now, input, None, out);
    }

    /// `transact`, with the one that a request is from if it had to prove who that is.
    fn transact_for(
        &mut self,
        now: Instant,
        input: transaction::Input,
        mut origin: Option<Origin>,
        out: &mut Vec<Output>,
    ) {
        use transaction::Output as Step;

        let mut steps = Vec::new();
        self.parts.transactions.handle(now, &mut self.parts.rng, input, &mut steps);
        for step in steps {
            match step {
                Step::Ack { request, .. } => self.acked(now, request, out),
                Step::Abandoned { invite } | Step::Cancelled { invite, .. } => {
                    if let Some(leg) = self.invites.get(&invite).copied() {
                        self.leg(now, leg, crate::call::LegInput::Cancelled, out);
                    }
                }
                Step::Failed { client, flow, why } => {
                    if let Some(flow) = flow {
                        let trouble = match why {
                            Failure::Timeout => Trouble::Silent,
                            Failure::Transport => Trouble::Unreachable,
                            Failure::Unverified => Trouble::Unverified,
                        };
                        self.note_failure(now, &flow, trouble);
                    }
                    if let Some(leg) = self.clients.get(&client).copied() {
                        self.leg(now, leg, crate::call::LegInput::Failed(client, why), out);
                    } else {
                        self.notify_failed(now, client, out);
                        self.trunk_unanswered(now, (client, why), out);
                    }
                }
                Step::Request { key, flow, request } => {
                    self.requested(now, (key, flow, request), origin.take(), out);
                }
                Step::Response { client, flow, response } => {
                    self.note_health(now, &flow, &response);
                    self.responded(now, client, (response, flow), out);
                }
                Step::ServerEnded { key, .. } => {
                    self.invites.remove(&key);
                }
                Step::Transmit { flow, message } => out.push(Output::Send { flow, message }),
            }
        }
    }

    fn wall(&self, at: Instant) -> Wall {
        self.parts.settings.epoch.wall(at)
    }
}

/// Those with wrong PINs that are remembered; beyond it the oldest are forgotten.
const PINS_MAX: usize = 10_000;
/// Recordings that are waited for after their calls: on a disk that hangs, a quarter of an hour of
/// seventy calls a second.
const UNSEALED_MAX: usize = 65_536;
