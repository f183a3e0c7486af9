//! Lamps: phones that watch extensions, agents and queues are told what happens there.
//!
//! Spec:     RFC 6665 §4.2, RFC 4235 §3 (dialog), RFC 3842 (message-summary), RFC 3856 (presence).
//! In:       SUBSCRIBEs; calls, registrations, agents, queues and plans that have changed.
//! Out:      responses, NOTIFYs, subscriptions to be stored.
//! Not here: who is told when (`sip::subscription`), who may (`admission`).
//!
//! ```text
//!                         dialog (a key's lamp)                    presence
//! extension  1001         its calls: trying, early, confirmed      open while registered
//! agent      agent-17     early: rings. confirmed: on a call, in   closed: logged out.
//!                         after-call work, away, on DND. Else off  What he does as activity
//! place      park-1       confirmed: somebody is parked. Else off  always open
//!            or *701
//! queue      queue-sales  early: callers wait. confirmed: it is    closed: nobody is logged in
//!            or its number  full. Else off
//! ```
//!
//! Nothing is kept or looked at for a phone that nobody watches. Changes are noted as they happen
//! and told when the input that made them is carried out: a lamp is never behind its phone.

use std::collections::{BTreeMap, HashMap};

use crate::acd;
use crate::call::{Call, Leg, Plan, Stage};
use crate::cdr::entry::Fact;
use crate::id::{AgentId, CallId, ExtensionId, LegId, QueueId};
use crate::sip::flow::Flow;
use crate::sip::message::{Method, Request, Response};
use crate::sip::subscription::shown::{
    self, Activity, CallState, Mailbox, Names, Party, Presence, Shown,
};
use crate::sip::subscription::{
    Asked, Notifier, Output as Step, Package, Resource, StoredSubscription, SubscriptionId, Topic,
};
use crate::sip::transaction::{self, ClientId, ServerKey};
use crate::switch::kept::keep_subscription;
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};

/// The subscriptions, and the calls at watched phones.
#[derive(Debug)]
pub(super) struct Lamps {
    pub notifier: Notifier,
    lines: HashMap<ExtensionId, Lines>,
    /// The watched phones that each call is at.
    at: HashMap<CallId, Vec<ExtensionId>>,
}

/// A leg in a call.
type Place = (CallId, LegId);

/// The calls at one watched phone.
#[derive(Debug, Default)]
struct Lines {
    calls: BTreeMap<Place, shown::Call>,
    /// What the last change has ended.
    ended: Vec<shown::Call>,
}

impl Lamps {
    pub fn new(notifier: Notifier) -> Self {
        Self { notifier, lines: HashMap::new(), at: HashMap::new() }
    }

    fn unwatch(&mut self, extension: &ExtensionId) {
        self.lines.remove(extension);
        self.at.retain(|_, places| {
            places.retain(|place| place != extension);
            !places.is_empty()
        });
    }
}

impl Switch {
    /// Whether a request is a SUBSCRIBE within the dialog of a subscription.
    pub(super) fn is_subscribed(&self, request: &Request) -> bool {
        request.method() == Method::Subscribe
            && self.lamps.notifier.subscription_of(request).is_some()
    }

    /// A SUBSCRIBE of this account, outside any dialog or in a subscription's.
    pub(super) fn subscribe(
        &mut self,
        now: Instant,
        (key, flow): (ServerKey, Flow),
        request: &Request,
        account: &ExtensionId,
        out: &mut Vec<Output>,
    ) {
        if let Some(response) = self.unserved(request) {
            self.respond(now, key, response, out);
            return;
        }
        let plan = self.plan.clone();
        let notifier = &mut self.lamps.notifier;
        let mut steps = Vec::new();
        let response = match notifier.subscription_of(request) {
            Some((_, owner)) if owner != account => {
                self.refuse(now, key, request, 403, out);
                return;
            }
            Some((id, _)) => notifier.refresh(now, id, flow, request, &mut steps),
            None => {
                let find = |package, user: &str| find(&plan, package, user);
                let asked = Asked { account, flow, request };
                notifier.subscribe(now, &mut self.parts.rng, &asked, find, &mut steps)
            }
        };
        self.respond(now, key, response, out);
        self.keep_lamps(steps, out);
    }

    pub(super) fn notify_answered(
        &mut self,
        now: Instant,
        client: ClientId,
        response: &Response,
        out: &mut Vec<Output>,
    ) {
        let mut steps = Vec::new();
        self.lamps.notifier.answered(now, client, response, &mut steps);
        self.keep_lamps(steps, out);
    }

    pub(super) fn notify_failed(&mut self, now: Instant, client: ClientId, out: &mut Vec<Output>) {
        let mut steps = Vec::new();
        self.lamps.notifier.failed(now, client, &mut steps);
        self.keep_lamps(steps, out);
    }

    pub(super) fn watchers_lost(&mut self, flow: &Flow, out: &mut Vec<Output>) {
        let mut steps = Vec::new();
        self.lamps.notifier.flow_closed(flow, &mut steps);
        self.keep_lamps(steps, out);
    }

    pub(super) fn tick_lamps(&mut self, now: Instant, out: &mut Vec<Output>) {
        let mut steps = Vec::new();
        self.lamps.notifier.tick(now, &mut steps);
        self.keep_lamps(steps, out);
    }

    /// A new plan: what it has no more ends, what has other names is told.
    pub(super) fn lamps_of_plan(&mut self, now: Instant, out: &mut Vec<Output>) {
        let plan = self.plan.clone();
        let mut steps = Vec::new();
        let notifier = &mut self.lamps.notifier;
        notifier.configure(plan.lamps.clone());
        for account in notifier.accounts() {
            if !plan.extensions.contains_key(&account) {
                notifier.end_account(now, &account, &mut steps);
            }
        }
        for topic in notifier.topics() {
            match exists(&plan, &topic.resource) {
                true => notifier.changed(now, &topic, &mut steps),
                false => notifier.end_topic(now, &topic, &mut steps),
            }
        }
        self.keep_lamps(steps, out);
    }

    /// Takes up a subscription of an earlier process, the `count`th.
    pub(super) fn restore_subscription(
        &mut self,
        now: Instant,
        (id, count): (SubscriptionId, u32),
        stored: StoredSubscription,
        out: &mut Vec<Output>,
    ) {
        let at = now + RESTORE_WAIT + RESTORE_PACE * count;
        let mut steps = Vec::new();
        self.lamps.notifier.restore(now, at, id, stored, &mut steps);
        self.keep_lamps(steps, out);
    }

    /// Writes and sends the NOTIFYs that are due.
    pub(super) fn light(&mut self, now: Instant, out: &mut Vec<Output>) {
        let mut last: Option<(Topic, Option<Shown>)> = None;
        while let Some((id, topic)) = self.lamps.notifier.pop_due() {
            if last.as_ref().is_none_or(|(of, _)| *of != topic) {
                let shown = self.shown(&topic);
                last = Some((topic, shown));
            }
            let shown = last.as_ref().and_then(|(_, shown)| shown.as_ref());
            let client = self.parts.transactions.client_id();
            let mut steps = Vec::new();
            let notify = self.lamps.notifier.notify(now, id, client, shown, &mut steps);
            self.keep_lamps(steps, out);
            if let Some((flow, request)) = notify {
                let request = transaction::Input::Request { client, flow, request };
                self.transact(now, request, out);
            }
        }
    }

    /// A call may have changed: the lamps of the watched phones in it follow.
    pub(super) fn follow_call(&mut self, now: Instant, id: CallId, out: &mut Vec<Output>) {
        let lamps = &self.lamps;
        if lamps.lines.is_empty() {
            return;
        }
        let mut places = lamps.at.get(&id).cloned().unwrap_or_default();
        for leg in self.calls.get(&id).iter().flat_map(|call| call.legs()) {
            if let Some(place) = leg.extension.as_ref()
                && lamps.lines.contains_key(place)
                && !places.contains(place)
            {
                places.push(place.clone());
            }
        }
        for place in places {
            self.follow_at(now, id, &place, out);
        }
    }

    /// Agents and queues: what the ledger is told of them is what changes their lamps.
    pub(super) fn follow_fact(&mut self, now: Instant, fact: &Fact, out: &mut Vec<Output>) {
        if self.lamps.notifier.is_empty() {
            return;
        }
        match fact {
            Fact::Agent { agent, .. } => {
                self.touch(now, Resource::Agent(agent.clone()), out);
                let queues = self.parts.acd.agent(agent).map(|view| view.queues);
                for queue in queues.unwrap_or_default() {
                    self.touch(now, Resource::Queue(queue), out);
                }
            }
            Fact::Parked { slot, .. } | Fact::Unparked { slot, .. } => {
                self.touch(now, Resource::Park(*slot), out);
            }
            Fact::Queued { queue, .. } | Fact::QueueLeft { queue, .. } => {
                self.touch(now, Resource::Queue(queue.clone()), out);
            }
            _ => {}
        }
    }

    /// Phones came or went.
    pub(super) fn follow_phones(&mut self, now: Instant, at: &ExtensionId, out: &mut Vec<Output>) {
        if !self.lamps.notifier.is_empty() {
            self.touch(now, Resource::Extension(at.clone()), out);
        }
    }

    /// A phone is not to be disturbed from now on, or is again.
    pub(super) fn follow_services(
        &mut self,
        now: Instant,
        at: &ExtensionId,
        out: &mut Vec<Output>,
    ) {
        if self.lamps.notifier.is_empty() {
            return;
        }
        self.touch(now, Resource::Extension(at.clone()), out);
        if let Some(agent) = self.parts.acd.seated(at) {
            self.touch(now, Resource::Agent(agent), out);
        }
    }

    fn follow_at(&mut self, now: Instant, id: CallId, place: &ExtensionId, out: &mut Vec<Output>) {
        let call = self.calls.get(&id);
        let fresh = call.map(|call| lines_of(call, place, &self.plan)).unwrap_or_default();
        let Some(lines) = self.lamps.lines.get_mut(place) else { return };
        let of_call = |(of, _): &(&Place, &shown::Call)| of.0 == id;
        if lines.calls.iter().filter(of_call).eq(fresh.iter()) {
            return;
        }
        lines.ended.clear();
        let before: Vec<Place> = lines.calls.iter().filter(of_call).map(|(leg, _)| *leg).collect();
        for leg in before {
            if let Some(call) = lines.calls.remove(&leg).filter(|_| !fresh.contains_key(&leg)) {
                let state = CallState::Terminated;
                lines.ended.push(shown::Call { state, remote: None, ..call });
            }
        }
        let places = self.lamps.at.entry(id).or_default();
        places.retain(|other| other != place);
        if !fresh.is_empty() {
            places.push(place.clone());
        }
        if places.is_empty() {
            self.lamps.at.remove(&id);
        }
        lines.calls.extend(fresh);
        self.touch(now, Resource::Extension(place.clone()), out);
    }

    fn touch(&mut self, now: Instant, resource: Resource, out: &mut Vec<Output>) {
        let mut steps = Vec::new();
        let mut topic = Topic { package: Package::Dialog, resource };
        self.lamps.notifier.changed(now, &topic, &mut steps);
        topic.package = Package::Presence;
        self.lamps.notifier.changed(now, &topic, &mut steps);
        self.keep_lamps(steps, out);
    }

    /// Carries out what the notifier asks.
    fn keep_lamps(&mut self, steps: Vec<Step>, out: &mut Vec<Output>) {
        for step in steps {
            match step {
                Step::Store { id, subscription } => {
                    out.push(keep_subscription(id, subscription.as_deref()));
                }
                Step::Unwatched(Topic { resource: Resource::Extension(extension), .. }) => {
                    let of = |package| Topic {
                        package,
                        resource: Resource::Extension(extension.clone()),
                    };
                    let is_watched = |package| self.lamps.notifier.is_watched(&of(package));
                    if !is_watched(Package::Dialog) && !is_watched(Package::Presence) {
                        self.lamps.unwatch(&extension);
                    }
                }
                Step::Unwatched(_) => {}
            }
        }
    }

    /// What is to be told of a thing at this moment; none if there is no such thing.
    fn shown(&mut self, topic: &Topic) -> Option<Shown> {
        if !exists(&self.plan, &topic.resource) {
            return None;
        }
        match (&topic.resource, topic.package) {
            (_, Package::MessageSummary) => Some(Shown::Messages(Mailbox::default())),
            (Resource::Agent(agent), package) => self.agent_shown(agent, package),
            (Resource::Extension(extension), package) => {
                Some(self.extension_shown(extension, package))
            }
            (Resource::Park(slot), package) => Some(self.place_shown(*slot, package)),
            (Resource::Queue(queue), package) => self.queue_shown(queue, package),
        }
    }

    /// A place where calls are parked: a phone takes up the dialog that it names (RFC 5359 §2.15).
    fn place_shown(&self, slot: u16, package: Package) -> Shown {
        let call = self.lot.call(slot).and_then(|call| self.calls.get(&call));
        let parked = call.and_then(|call| {
            let leg = call.legs().find(|leg| leg.id == call.party())?;
            Some((call, leg))
        });
        let Some((call, leg)) = parked else {
            return match package {
                Package::Dialog => Shown::Dialogs(Vec::new()),
                _ => Shown::Presence(Presence { open: true, activity: None, note: None }),
            };
        };
        let party = call.shown();
        if package != Package::Dialog {
            let (activity, note) =
                (Some(Activity::Busy), Some(format!("Parked: {}", party.number)));
            return Shown::Presence(Presence { open: true, activity, note });
        }
        let (call_id, tag) = leg.dialog_key();
        let dialog = Some(Names {
            call_id: call_id.to_owned(),
            local_tag: Some(tag.to_owned()),
            remote_tag: leg.remote_tag().unwrap_or_default().to_owned(),
        });
        let remote = Some(Party { number: party.number, name: party.name });
        let (id, state) = (format!("park-{slot}"), CallState::Confirmed);
        Shown::Dialogs(vec![shown::Call { id, state, called: true, dialog, remote }])
    }

    fn extension_shown(&mut self, extension: &ExtensionId, package: Package) -> Shown {
        if !self.lamps.lines.contains_key(extension) {
            let mut lines = Lines::default();
            for call in self.calls.values() {
                let found = lines_of(call, extension, &self.plan);
                if !found.is_empty() {
                    self.lamps.at.entry(call.id()).or_default().push(extension.clone());
                    lines.calls.extend(found);
                }
            }
            self.lamps.lines.insert(extension.clone(), lines);
        }
        let lines = &self.lamps.lines[extension];
        if package == Package::Dialog {
            let mut calls: Vec<_> = lines.calls.values().cloned().collect();
            calls.sort_by_key(|call| std::cmp::Reverse(call.state)); // the most important first
            calls.extend(lines.ended.iter().cloned());
            calls.truncate(CALLS_SHOWN_MAX);
            return Shown::Dialogs(calls);
        }
        let doing = match lines.calls.values().map(|call| call.state).max() {
            Some(CallState::Confirmed) => Some((Activity::OnThePhone, "On the phone")),
            Some(CallState::Early) => Some((Activity::Busy, "Ringing")),
            Some(_) => Some((Activity::Busy, "Calling")),
            None if self.services.get(extension).is_some_and(|services| services.dnd) => {
                Some((Activity::Busy, UNDISTURBED))
            }
            None => None,
        };
        Shown::Presence(Presence {
            open: !self.parts.registrar.targets(extension).is_empty(),
            activity: doing.map(|(activity, _)| activity),
            note: doing.map(|(_, note)| note.to_owned()),
        })
    }

    fn agent_shown(&self, agent: &AgentId, package: Package) -> Option<Shown> {
        let view = self.parts.acd.agent(agent)?;
        if package == Package::Dialog {
            let state = match view.state {
                acd::State::Available if self.wants_no_calls(&view) => CallState::Confirmed,
                acd::State::Available | acd::State::LoggedOut => CallState::Terminated,
                acd::State::Away | acd::State::OnCall | acd::State::WrapUp => CallState::Confirmed,
                acd::State::Ringing => CallState::Early,
            };
            let home = |call: CallId| self.served.get(&call).copied().unwrap_or(call);
            let call = view.call.and_then(|call| self.calls.get(&home(call)));
            let remote = call.map(|call| caller(call)).filter(|_| state != CallState::Terminated);
            return Some(one_line(format!("agent-{agent}"), state, remote));
        }
        let (open, activity, note) = match view.state {
            acd::State::Available if self.wants_no_calls(&view) => {
                (true, Some(Activity::Busy), UNDISTURBED.to_owned())
            }
            acd::State::Available => (true, None, "Available".to_owned()),
            acd::State::Away => {
                let reason = view.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                (true, Some(Activity::Away), format!("Away{reason}"))
            }
            acd::State::LoggedOut => (false, None, "Logged out".to_owned()),
            acd::State::OnCall => (true, Some(Activity::OnThePhone), "On a call".to_owned()),
            acd::State::Ringing => (true, Some(Activity::Busy), "Ringing".to_owned()),
            acd::State::WrapUp => (true, Some(Activity::Busy), "After-call work".to_owned()),
        };
        Some(Shown::Presence(Presence { open, activity, note: Some(note) }))
    }

    fn queue_shown(&self, queue: &QueueId, package: Package) -> Option<Shown> {
        let config = self.plan.acd.queues.get(queue)?;
        let load = self.parts.acd.load(queue)?;
        let note = format!("{} waiting", load.waiting);
        if package == Package::Dialog {
            let state = match load.waiting {
                0 => CallState::Terminated,
                waiting if waiting >= load.callers_max => CallState::Confirmed,
                _ => CallState::Early,
            };
            let number = config.number.clone().unwrap_or_else(|| format!("queue-{queue}"));
            let remote = (load.waiting > 0).then_some(Party { number, name: Some(note) });
            return Some(one_line(format!("queue-{queue}"), state, remote));
        }
        let (open, activity) = (load.staffed, None);
        Some(Shown::Presence(Presence { open, activity, note: Some(note) }))
    }
}

/// The lamp of what has one state, not calls.
fn one_line(id: String, state: CallState, remote: Option<Party>) -> Shown {
    Shown::Dialogs(vec![shown::Call { id, state, called: true, dialog: None, remote }])
}

/// The calls at a phone that are part of `call`.
fn lines_of(call: &Call, place: &ExtensionId, plan: &Plan) -> BTreeMap<Place, shown::Call> {
    let here = |leg: &&Leg| leg.extension.as_ref() == Some(place) && !leg.is_leaving();
    let shown = |leg: &Leg| {
        let called = leg.id != call.caller_leg();
        let rings = || call.legs().any(Leg::is_ringing);
        let state = match leg {
            leg if leg.is_confirmed() => CallState::Confirmed,
            leg if leg.is_ringing() || (!called && rings()) => CallState::Early,
            _ => CallState::Trying,
        };
        let (call_id, tag) = leg.dialog_key();
        let dialog = Names {
            call_id: call_id.to_owned(),
            local_tag: leg.remote_tag().map(str::to_owned),
            remote_tag: tag.to_owned(),
        };
        let remote = match call.stage() {
            Stage::Talking(talking) if talking.peer == leg.id => caller(call),
            Stage::Talking(_) => callee(call, plan),
            _ if called && !call.is_summoning() => caller(call),
            _ => callee(call, plan),
        };
        let (id, dialog, remote) = (leg.id.to_string(), Some(dialog), Some(remote));
        ((call.id(), leg.id), shown::Call { id, state, called, dialog, remote })
    };
    call.legs().filter(here).map(shown).collect()
}

fn caller(call: &Call) -> Party {
    let caller = call.caller();
    Party { number: caller.number.clone(), name: caller.name.clone() }
}

/// Whom the caller talks with, or else what he dialled.
fn callee(call: &Call, plan: &Plan) -> Party {
    let peer = match call.stage() {
        Stage::Talking(talking) => call.legs().find(|leg| leg.id == talking.peer),
        _ => None,
    };
    match peer.and_then(|leg| leg.extension.as_ref()) {
        Some(extension) => {
            let name = plan.extensions.get(extension).map(|account| account.name.clone());
            let name = name.filter(|name| !name.is_empty());
            Party { number: extension.to_string(), name }
        }
        None => Party { number: call.caller().dialled.clone(), name: None },
    }
}

/// What the user part of a SUBSCRIBE's Request-URI names.
fn find(plan: &Plan, package: Package, user: &str) -> Option<Resource> {
    if let Some((extension, _)) = plan.extensions.get_key_value(user) {
        return Some(Resource::Extension(extension.clone()));
    }
    if package == Package::MessageSummary {
        return None; // only accounts have a mailbox
    }
    if let Some(slot) = plan.park_slot(user) {
        return Some(Resource::Park(slot));
    }
    let (agents, queues) = (&plan.acd.agents, &plan.acd.queues);
    let agent = user.strip_prefix("agent-").and_then(|id| agents.get_key_value(id));
    if let Some((agent, _)) = agent {
        return Some(Resource::Agent(agent.clone()));
    }
    let named = user.strip_prefix("queue-").and_then(|id| queues.get_key_value(id));
    let numbered = || queues.iter().find(|(_, queue)| queue.number.as_deref() == Some(user));
    named.or_else(numbered).map(|(queue, _)| Resource::Queue(queue.clone()))
}

fn exists(plan: &Plan, resource: &Resource) -> bool {
    match resource {
        Resource::Agent(agent) => plan.acd.agents.contains_key(agent),
        Resource::Extension(extension) => plan.extensions.contains_key(extension),
        Resource::Park(slot) => plan.has_place(*slot),
        Resource::Queue(queue) => plan.acd.queues.contains_key(queue),
    }
}

/// What a phone that is not to be disturbed shows.
const UNDISTURBED: &str = "Do not disturb";

/// Calls that one document tells of; it fits a datagram then (RFC 3261 §18.1.1) or nearly.
const CALLS_SHOWN_MAX: usize = 4;

/// After a start: when the first lamp is told its state, and how long after it the next.
const RESTORE_WAIT: Duration = Duration::from_secs(1);
const RESTORE_PACE: Duration = Duration::from_millis(5);
