//! The notifier: takes SUBSCRIBE requests whose sender is known, and keeps the subscriptions.
//!
//! Spec:     RFC 6665 §4.2 (a notifier), §8; RFC 4235, RFC 3842, RFC 3856 (packages).
//! In:       SUBSCRIBE requests, changes of what is watched, answers, lost connections, time.
//! Out:      responses; NOTIFYs that are due, for the owner to fill; what is to be stored.
//! Not here: who the sender is (`sip::digest`), what the state of a thing is.
//!
//! A CSeq number is used once for all time, over restarts too: numbers are stored as used in
//! blocks, before the block is. A document's version is the CSeq number of its NOTIFY less one, so
//! it grows by one from zero, and after a restart by more.
//!
//! Limits: `[lamps]`, and `SUBSCRIBE_BYTES_MAX` for what one subscription can make us remember.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::id::ExtensionId;
use crate::rng::Rng;
use crate::sip::dialog::{Dialog, DialogRef};
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::message::{Method, Name, Request, Response};
use crate::sip::registrar::Path;
use crate::sip::transaction::ClientId;
use crate::time::{Deadlines, Duration, Epoch, Instant};

use super::config::Config;
use super::event::{ALLOW_EVENTS, Package, Resource, Topic, event};
use super::shown::Shown;
use super::stored::StoredSubscription;
use super::subscription::{self, Input, Reason, Subscription, SubscriptionId};

/// What the notifier asks of its owner, in order. NOTIFYs that are due: `Notifier::pop_due`.
#[derive(Debug)]
pub enum Output {
    /// To be found again at the next start; `None` forgets it.
    Store { id: SubscriptionId, subscription: Option<Box<StoredSubscription>> },
    /// The last who watched this has gone.
    Unwatched(Topic),
}

/// Keeps the subscriptions.
#[derive(Debug)]
pub struct Notifier {
    config: Config,
    epoch: Epoch,
    entries: HashMap<SubscriptionId, Box<Entry>>,
    watchers: HashMap<Topic, BTreeSet<SubscriptionId>>,
    /// The subscriptions of each account that do not end.
    accounts: HashMap<ExtensionId, BTreeSet<SubscriptionId>>,
    /// Who subscribed over which stream connection.
    connections: BTreeSet<(ConnectionId, SubscriptionId)>,
    clients: HashMap<ClientId, SubscriptionId>,
    deadlines: Deadlines<SubscriptionId>,
    due: VecDeque<SubscriptionId>,
    notifies: u64,
}

#[derive(Debug)]
struct Entry {
    machine: Subscription,
    dialog: Dialog,
    account: ExtensionId,
    topic: Topic,
    event_id: Option<Box<str>>,
    /// CSeq numbers up to this one are stored as used.
    reserved: u32,
    /// A fingerprint of what was told last.
    told: Option<u64>,
}

/// Who subscribes, and how he is reached.
#[derive(Debug)]
pub struct Asked<'a> {
    pub account: &'a ExtensionId,
    pub flow: Flow,
    pub request: &'a Request,
}

/// Why a SUBSCRIBE is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// 489: no such package (RFC 6665 §8.3.2).
    Event,
    /// 503: nobody can subscribe any more.
    Full,
    /// 500: this account has as many as it may.
    Many,
    Status(u16),
    /// 423.
    TooBrief,
}

impl Notifier {
    pub fn new(config: Config, epoch: Epoch) -> Self {
        Self {
            config,
            epoch,
            entries: HashMap::new(),
            watchers: HashMap::new(),
            accounts: HashMap::new(),
            connections: BTreeSet::new(),
            clients: HashMap::new(),
            deadlines: Deadlines::default(),
            due: VecDeque::new(),
            notifies: 0,
        }
    }

    /// Changed limits count from the next request on.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// The wall clock was set.
    pub fn set_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// Subscriptions, those included whose end is being told.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// NOTIFYs written so far.
    pub fn notifies(&self) -> u64 {
        self.notifies
    }

    /// Whether anybody watches this.
    pub fn is_watched(&self, topic: &Topic) -> bool {
        self.watchers.contains_key(topic)
    }

    /// Everything that is watched, in order.
    pub fn topics(&self) -> Vec<Topic> {
        let mut topics: Vec<_> = self.watchers.keys().cloned().collect();
        topics.sort_unstable();
        topics
    }

    /// Every account that watches something, in order.
    pub fn accounts(&self) -> Vec<ExtensionId> {
        let mut accounts: Vec<_> = self.accounts.keys().cloned().collect();
        accounts.sort_unstable();
        accounts
    }

    /// A SUBSCRIBE outside any dialog, whose sender has shown that he may.
    ///
    /// `find` says what the user part of the Request-URI names. The response is 200 and a NOTIFY
    /// is due; or a refusal and nothing is changed.
    pub fn subscribe(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        asked: &Asked<'_>,
        find: impl Fn(Package, &str) -> Option<Resource>,
        out: &mut Vec<Output>,
    ) -> Response {
        let id = loop {
            let id = SubscriptionId(rng.u64());
            if !self.entries.contains_key(&id) {
                break id;
            }
        };
        let tag = id.to_string();
        match self.begin(now, (id, &tag), asked, find, out) {
            Ok(response) => response,
            Err(refusal) => self.refuse(asked.request, &tag, &refusal),
        }
    }

    /// The subscription that a SUBSCRIBE within a dialog is for, and whose it is.
    pub fn subscription_of(&self, request: &Request) -> Option<(SubscriptionId, &ExtensionId)> {
        let id = request.to_tag()?.parse().ok()?;
        let entry = self.entries.get(&id).filter(|entry| entry.machine.ending().is_none())?;
        let name = DialogRef::of_request(request).to_id();
        (*entry.dialog.id() == name).then_some((id, &entry.account))
    }

    /// A SUBSCRIBE within the dialog of `id` (`subscription_of`), from its own account.
    pub fn refresh(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        flow: Flow,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Response {
        let tag = id.to_string();
        match self.renew(now, id, flow, request, out) {
            Ok(response) => response,
            Err(refusal) => self.refuse(request, &tag, &refusal),
        }
    }

    /// Something may have changed: its watchers are told what it is then.
    pub fn changed(&mut self, now: Instant, topic: &Topic, out: &mut Vec<Output>) {
        let Some(watchers) = self.watchers.get(topic) else { return };
        for id in watchers.iter().copied().collect::<Vec<_>>() {
            self.tell(now, id, Input::Changed, out);
        }
    }

    /// The thing is no more, or the account: whoever watches, or watched, is told the end.
    pub fn end_topic(&mut self, now: Instant, topic: &Topic, out: &mut Vec<Output>) {
        let watchers = self.watchers.get(topic).cloned().unwrap_or_default();
        for id in watchers {
            self.tell(now, id, Input::End(Reason::NoResource), out);
        }
    }

    /// Ends all subscriptions of an account that is no more.
    pub fn end_account(&mut self, now: Instant, account: &ExtensionId, out: &mut Vec<Output>) {
        let all = self.accounts.get(account).cloned().unwrap_or_default();
        for id in all {
            self.tell(now, id, Input::End(Reason::Rejected), out);
        }
    }

    /// A stream connection is gone: who subscribed over it cannot be told any more.
    pub fn flow_closed(&mut self, flow: &Flow, out: &mut Vec<Output>) {
        let connection = flow.connection;
        if connection == ConnectionId::default() {
            return;
        }
        let all = (connection, SubscriptionId(0))..=(connection, SubscriptionId(u64::MAX));
        let closed: Vec<_> = self.connections.range(all).map(|(_, id)| *id).collect();
        for id in closed {
            self.forget(id, out);
        }
    }

    /// A response to a NOTIFY; false if the request was none of ours.
    pub fn answered(
        &mut self,
        now: Instant,
        client: ClientId,
        response: &Response,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(id) = self.clients.get(&client).copied() else { return false };
        let status = response.status();
        if response.is_final() {
            self.clients.remove(&client);
            let retry_after = response.header(Name::RetryAfter).and_then(seconds);
            self.tell(now, id, Input::Answered { status, retry_after }, out);
        }
        true
    }

    /// A NOTIFY got no answer; false if the request was none of ours.
    pub fn failed(&mut self, now: Instant, client: ClientId, out: &mut Vec<Output>) -> bool {
        let Some(id) = self.clients.remove(&client) else { return false };
        self.tell(now, id, Input::Failed, out);
        true
    }

    pub fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(id) = self.deadlines.pop_due(now) {
            self.tell(now, id, Input::Tick, out);
        }
    }

    /// When to call `tick`, if nothing else comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next subscription whose phone is to be told, and what it watches.
    pub fn pop_due(&mut self) -> Option<(SubscriptionId, Topic)> {
        while let Some(id) = self.due.pop_front() {
            if let Some(entry) = self.entries.get(&id).filter(|entry| entry.machine.is_due()) {
                return Some((id, entry.topic.clone()));
            }
        }
        None
    }

    /// Writes the NOTIFY that `pop_due` gave; none if the phone knows already.
    ///
    /// Without anything `shown` the thing is no more, and the subscription ends.
    pub fn notify(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        client: ClientId,
        shown: Option<&Shown>,
        out: &mut Vec<Output>,
    ) -> Option<(Flow, Request)> {
        let fingerprint = shown.map(fingerprint);
        if shown.is_none() {
            self.tell(now, id, Input::End(Reason::NoResource), out);
        }
        let entry = self.entries.get_mut(&id)?;
        if entry.machine.may_be_quiet() && entry.told.is_some() && entry.told == fingerprint {
            self.tell(now, id, Input::Unchanged, out);
            return None;
        }
        entry.told = fingerprint;
        let (flow, request) = entry.write(now, shown);
        self.notifies += 1;
        if entry.machine.ending().is_none() {
            self.clients.insert(client, id);
            if entry.reserved - entry.dialog.local_cseq() < CSEQ_BLOCK / 2 {
                entry.reserved += CSEQ_BLOCK;
                out.push(store(id, entry, self.epoch));
            }
        }
        self.tell(now, id, Input::Sent(client), out);
        Some((flow, request))
    }

    /// Takes up a stored subscription, as far as its phone can still be reached; it is told the
    /// state from `at` on. What cannot be taken up is forgotten.
    pub fn restore(
        &mut self,
        now: Instant,
        at: Instant,
        id: SubscriptionId,
        stored: StoredSubscription,
        out: &mut Vec<Output>,
    ) {
        let StoredSubscription { account, topic, event_id, expires_at, mut dialog } = stored;
        let left = expires_at.since(self.epoch.wall(now));
        let is_full = self.entries.len() >= self.config.subscriptions_max;
        let is_known = self.entries.contains_key(&id);
        let is_used_up = dialog.local_cseq() > CSEQ_MAX;
        if left.is_zero() || is_full || is_known || is_used_up || !dialog.reopen() {
            out.push(Output::Store { id, subscription: None });
            return;
        }
        let reserved = dialog.local_cseq() + CSEQ_BLOCK;
        let machine = Subscription::new(now + left, at);
        let event_id = event_id.map(String::into_boxed_str);
        let entry = Entry { machine, dialog, account, topic, event_id, reserved, told: None };
        out.push(store(id, &entry, self.epoch));
        self.put(id, entry);
    }

    /// Whether no index remembers anybody.
    #[cfg(test)]
    pub(super) fn is_spotless(&self) -> bool {
        self.entries.is_empty()
            && self.watchers.is_empty()
            && self.accounts.is_empty()
            && self.connections.is_empty()
            && self.clients.is_empty()
            && self.deadlines.is_empty()
    }

    fn begin(
        &mut self,
        now: Instant,
        (id, tag): (SubscriptionId, &str),
        asked: &Asked<'_>,
        find: impl Fn(Package, &str) -> Option<Resource>,
        out: &mut Vec<Output>,
    ) -> Result<Response, Refusal> {
        let request = asked.request;
        if request.bytes().len() > SUBSCRIBE_BYTES_MAX {
            return Err(Refusal::Status(513));
        }
        let (name, event_id) = event(request).ok_or(Refusal::Event)?;
        let package = Package::of(name).ok_or(Refusal::Event)?;
        if !package.is_accepted(request) {
            return Err(Refusal::Status(406));
        }
        let uri = request.uri().map_err(|_| Refusal::Status(400))?;
        let user = uri.user_unescaped().ok_or(Refusal::Status(404))?;
        let resource = find(package, &user).ok_or(Refusal::Status(404))?;
        let expires = self.granted(request)?;
        let response = accepted(request, tag, asked.flow, expires);
        let dialog = Dialog::as_uas(Path::of(asked.flow, request), request, &response)
            .map_err(|error| Refusal::Status(error.status()))?;
        let topic = Topic { package, resource };
        self.make_room(now, asked.account, (&topic, event_id, dialog.target()), out)?;
        let mut entry = Entry {
            machine: Subscription::new(now + expires, now),
            dialog,
            account: asked.account.clone(),
            topic,
            event_id: event_id.map(Box::from),
            reserved: CSEQ_BLOCK,
            told: None,
        };
        let mut steps = Vec::new();
        let input = match expires.is_zero() {
            true => Input::End(Reason::Timeout), // a fetch (RFC 6665 §4.4.3)
            false => Input::Tick,
        };
        entry.machine.handle(now, self.config.notify_interval, input, &mut steps);
        if !expires.is_zero() {
            out.push(store(id, &entry, self.epoch));
        }
        self.put(id, entry);
        self.carry_out(id, steps, out);
        Ok(response)
    }

    fn renew(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        flow: Flow,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Result<Response, Refusal> {
        if request.bytes().len() > SUBSCRIBE_BYTES_MAX {
            return Err(Refusal::Status(513));
        }
        let expires = self.granted(request)?;
        let (name, event_id) = event(request).ok_or(Refusal::Event)?;
        let package = Package::of(name).ok_or(Refusal::Event)?;
        let entry = self.entries.get_mut(&id).ok_or(Refusal::Status(481))?;
        if package != entry.topic.package || event_id != entry.event_id.as_deref() {
            return Err(Refusal::Status(481)); // that one is not in this dialog
        }
        let before = entry.dialog.path().flow.connection;
        let received = entry.dialog.receive(flow, request);
        received.map_err(|error| Refusal::Status(error.status()))?;
        self.connections.remove(&(before, id));
        if flow.connection != ConnectionId::default() {
            self.connections.insert((flow.connection, id));
        }
        let input = match expires.is_zero() {
            true => Input::End(Reason::Timeout),
            false => Input::Refreshed { expires_at: now + expires },
        };
        self.tell(now, id, input, out);
        if let Some(entry) = self.entries.get(&id).filter(|_| !expires.is_zero()) {
            out.push(store(id, entry, self.epoch));
        }
        Ok(accepted(request, &id.to_string(), flow, expires))
    }

    /// How long a subscription lasts; zero ends it (RFC 6665 §4.2.1.1).
    fn granted(&self, request: &Request) -> Result<Duration, Refusal> {
        // A malformed Expires counts as none (RFC 3261 §20.19).
        let asked = request.expires().unwrap_or(None).map(u64::from);
        let asked = asked.map_or(self.config.expires, Duration::from_secs);
        if !asked.is_zero() && asked < self.config.expires_min {
            return Err(Refusal::TooBrief);
        }
        Ok(asked.min(self.config.expires_max))
    }

    /// One more for this account: a phone that restarted pushes out what it had before.
    fn make_room(
        &mut self,
        now: Instant,
        account: &ExtensionId,
        (topic, event_id, target): (&Topic, Option<&str>, &str),
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if self.entries.len() >= self.config.subscriptions_max {
            return Err(Refusal::Full);
        }
        let Some(all) = self.accounts.get(account) else { return Ok(()) };
        if all.len() < self.config.per_extension_max {
            return Ok(());
        }
        let same = all.iter().filter_map(|id| {
            let entry = self.entries.get(id)?;
            let same = entry.topic == *topic
                && entry.event_id.as_deref() == event_id
                && entry.dialog.target() == target;
            same.then_some((entry.machine.expires_at(), *id))
        });
        let (_, oldest) = same.min().ok_or(Refusal::Many)?;
        self.tell(now, oldest, Input::End(Reason::Probation), out);
        Ok(())
    }

    fn refuse(&self, request: &Request, tag: &str, refusal: &Refusal) -> Response {
        let build = |status| Response::build(request, status, Some(tag));
        let response = match refusal {
            Refusal::Event => build(489).header(Name::AllowEvents, ALLOW_EVENTS),
            Refusal::Full => build(503).header(Name::RetryAfter, RETRY_AFTER_S),
            Refusal::Many => build(500).header(Name::RetryAfter, RETRY_AFTER_S),
            Refusal::Status(status) => build(*status),
            Refusal::TooBrief => {
                build(423).header(Name::MinExpires, self.config.expires_min.as_secs())
            }
        };
        response.response()
    }

    fn put(&mut self, id: SubscriptionId, entry: Entry) {
        self.watchers.entry(entry.topic.clone()).or_default().insert(id);
        if entry.machine.ending().is_none() {
            self.accounts.entry(entry.account.clone()).or_default().insert(id);
        }
        let connection = entry.dialog.path().flow.connection;
        if connection != ConnectionId::default() {
            self.connections.insert((connection, id));
        }
        self.deadlines.set(&id, entry.machine.next_tick());
        self.entries.insert(id, Box::new(entry));
    }

    /// Gives one subscription an input and carries out what it asks.
    fn tell(&mut self, now: Instant, id: SubscriptionId, input: Input, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let mut steps = Vec::new();
        let lived = entry.machine.ending().is_none();
        entry.machine.handle(now, self.config.notify_interval, input, &mut steps);
        let ends = lived && entry.machine.ending().is_some();
        let account = entry.account.clone();
        self.deadlines.set(&id, entry.machine.next_tick());
        if ends {
            self.leave_account(&account, id);
            out.push(Output::Store { id, subscription: None });
        }
        self.carry_out(id, steps, out);
    }

    fn carry_out(
        &mut self,
        id: SubscriptionId,
        steps: Vec<subscription::Output>,
        out: &mut Vec<Output>,
    ) {
        for step in steps {
            match step {
                subscription::Output::Notify => self.due.push_back(id),
                subscription::Output::Over => self.forget(id, out),
            }
        }
    }

    fn forget(&mut self, id: SubscriptionId, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.deadlines.set(&id, None);
        self.connections.remove(&(entry.dialog.path().flow.connection, id));
        if let Some(client) = entry.machine.client() {
            self.clients.remove(&client);
        }
        if entry.machine.ending().is_none() {
            self.leave_account(&entry.account, id);
            out.push(Output::Store { id, subscription: None });
        }
        if let Some(watchers) = self.watchers.get_mut(&entry.topic) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watchers.remove(&entry.topic);
                out.push(Output::Unwatched(entry.topic));
            }
        }
    }

    fn leave_account(&mut self, account: &ExtensionId, id: SubscriptionId) {
        if let Some(all) = self.accounts.get_mut(account) {
            all.remove(&id);
            if all.is_empty() {
                self.accounts.remove(account);
            }
        }
    }
}

impl Entry {
    /// The next NOTIFY, and where it goes (RFC 6665 §4.2.2).
    fn write(&mut self, now: Instant, shown: Option<&Shown>) -> (Flow, Request) {
        let flow = self.dialog.next_hop();
        let mut notify = self.dialog.request(Method::Notify).header(Name::Contact, flow.contact());
        let package = self.topic.package;
        notify = match &self.event_id {
            Some(id) => notify.header(Name::Event, format_args!("{package};id={id}")),
            None => notify.header(Name::Event, package),
        };
        notify = match self.machine.ending() {
            Some(reason) => notify.header(
                Name::SubscriptionState,
                format_args!("terminated;reason={}", reason.text()),
            ),
            None => {
                let left = self.machine.expires_at().since(now).as_secs();
                notify.header(Name::SubscriptionState, format_args!("active;expires={left}"))
            }
        };
        if let Some(shown) = shown {
            let (entity, host) = self.dialog.local_address();
            let host = host.map_or_else(|| flow.local.to_string(), str::to_owned);
            let version = self.dialog.local_cseq() - 1;
            let body = shown.body(entity, &host, version);
            notify = notify.body(package.media_type(), body.as_bytes());
        }
        (flow, notify.request())
    }
}

fn store(id: SubscriptionId, entry: &Entry, epoch: Epoch) -> Output {
    let mut dialog = entry.dialog.clone();
    dialog.skip_to(entry.reserved);
    let stored = StoredSubscription {
        account: entry.account.clone(),
        topic: entry.topic.clone(),
        event_id: entry.event_id.as_deref().map(str::to_owned),
        expires_at: epoch.wall(entry.machine.expires_at()),
        dialog,
    };
    Output::Store { id, subscription: Some(Box::new(stored)) }
}

fn accepted(request: &Request, tag: &str, flow: Flow, expires: Duration) -> Response {
    Response::build(request, 200, Some(tag))
        .header(Name::Contact, flow.contact())
        .header(Name::Expires, expires.as_secs())
        .header(Name::AllowEvents, ALLOW_EVENTS)
        .response()
}

fn fingerprint(shown: &Shown) -> u64 {
    let mut hasher = DefaultHasher::new();
    shown.hash(&mut hasher);
    hasher.finish()
}

/// The seconds of a Retry-After, whatever comes after them (RFC 3261 §20.33).
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.split([';', '(', ' ']).next().unwrap_or_default();
    digits.parse().ok().map(Duration::from_secs)
}

/// CSeq numbers that are stored as used at a time.
const CSEQ_BLOCK: u32 = 1000;

/// No dialog that has come so far is taken up: CSeq numbers end at 2³¹ (RFC 3261 §8.1.1.5).
const CSEQ_MAX: u32 = 1 << 30;

/// Seconds after which a phone may try again for which there was no room.
const RETRY_AFTER_S: u32 = 60;

/// The longest SUBSCRIBE, in bytes; a longer one gets 513.
pub const SUBSCRIBE_BYTES_MAX: usize = 8192;
