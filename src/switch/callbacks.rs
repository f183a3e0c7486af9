//! Callers who are to be called back: kept over restarts, put into their line, called.
//!
//! In:       wishes of callers, what becomes of the calls that are made to them, time.
//! Out:      entries, what is kept, a place in the ACD, calls.
//! Not here: how a caller asks (`call::asking`), how he is called (`call::called_back`).
//!
//! A callback is known by the call in which it was asked for. When that is over he stands in the
//! line, by his seniority, under the number of the call that will be made to him; that call begins
//! when the ACD has found an agent for him. Who was not reached stands there again later.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::acd::callback::Callback as Config;
use crate::acd::{self, Ask};
use crate::call::{Attempt, Call, Caller, Input as CallInput, Origin, Wanted, Way};
use crate::cdr::callback::{Callback as Step, CallbackOutcome};
use crate::cdr::entry::{Entry, Fact, QueueLeft};
use crate::id::{CallId, ExtensionId, QueueId, SkillId};
use crate::switch::kept::keep_callback;
use crate::switch::request::{CallbackState, CallbackView, Refusal, Reply, Subject};
use crate::switch::{Output, Switch};
use crate::time::{Deadlines, Duration, Instant, Wall};

/// All callbacks of the node.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    /// By the call in which he asked.
    book: BTreeMap<CallId, Callback>,
    /// Which of them a place in a line, or a call, is for.
    tickets: HashMap<CallId, CallId>,
    due: Deadlines<CallId>,
}

#[derive(Debug)]
struct Callback {
    kept: Kept,
    /// Since when he has waited, and in this queue.
    since: Instant,
    entered: Instant,
    /// By how much that was before the node started.
    age: Duration,
    /// When he is called at the latest.
    expires: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is not durable yet, by `until` at the latest; `over` if the call is in which he asked.
    Storing {
        until: Instant,
        over: bool,
    },
    /// The call in which he asked goes on.
    Asked,
    Resting {
        until: Instant,
    },
    /// He stands in the line; `decided` is why he was given an agent, or none.
    Waiting {
        ticket: CallId,
        decided: Option<Fact>,
    },
    /// He is called, or (`is_there`) has confirmed and waits for the agent to answer.
    Calling {
        call: CallId,
        is_there: bool,
    },
}

/// A callback as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    queue: QueueId,
    number: String,
    way: Way,
    /// Where he had called from.
    origin: Origin,
    e164: Option<String>,
    name: Option<String>,
    hidden: bool,
    dialled: String,
    did: Option<String>,
    since: Wall,
    entered: Wall,
    until: Wall,
    skills: BTreeMap<SkillId, u8>,
    prefer: BTreeMap<SkillId, u8>,
    priority_us: u64,
    attempts: u32,
    retry_at: Option<Wall>,
}

impl Kept {
    fn wanted(&self, id: CallId, (since, entered): (Instant, Instant)) -> Wanted {
        Wanted {
            asked_in: id,
            queue: self.queue.clone(),
            number: self.number.clone(),
            way: self.way.clone(),
            caller: Caller {
                origin: self.origin.clone(),
                sent: self.number.clone(),
                number: self.number.clone(),
                e164: self.e164.clone(),
                presented: None,
                name: self.name.clone(),
                dialled: self.dialled.clone(),
                did: self.did.clone(),
                hidden: self.hidden,
            },
            since,
            entered,
            skills: self.skills.clone(),
            prefer: self.prefer.clone(),
            priority: Duration::from_micros(self.priority_us),
        }
    }
}

impl Callback {
    /// When something must be done about it that nobody else causes.
    fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Storing { until, .. } => Some(*until),
            State::Resting { until } => Some((*until).min(self.expires)),
            State::Waiting { .. } => Some(self.expires),
            State::Asked | State::Calling { .. } => None,
        }
    }
}

impl Callbacks {
    pub fn next_tick(&self) -> Option<Instant> {
        self.due.next()
    }

    /// Those of a queue who stand in its line, or are being called.
    pub fn in_line(&self, queue: &QueueId) -> u32 {
        let stands = |it: &&Callback| {
            it.kept.queue == *queue
                && matches!(it.state, State::Waiting { .. } | State::Calling { .. })
        };
        self.book.values().filter(stands).count() as u32
    }

    /// Who stands in a line under this number: his own, his name, his phone.
    pub fn who(&self, ticket: CallId) -> Option<(String, Option<String>, Option<ExtensionId>)> {
        let kept = &self.book.get(self.tickets.get(&ticket)?)?.kept;
        let extension = match &kept.origin {
            Origin::Extension(extension) => Some(extension.clone()),
            Origin::Trunk(_) => None,
        };
        Some((kept.number.clone(), kept.name.clone(), extension))
    }

    pub fn is_empty(&self) -> bool {
        self.book.is_empty()
    }

    /// Whether a place in a line is that of a callback.
    pub fn has(&self, ticket: CallId) -> bool {
        self.tickets.contains_key(&ticket)
    }
}

impl Switch {
    /// A caller asks to be called back: written down, and promised to him when that is durable.
    pub(super) fn call_back(&mut self, now: Instant, wanted: Wanted, out: &mut Vec<Output>) {
        let id = wanted.asked_in;
        let config = self.callback_config(&wanted.queue);
        let of_queue = self.callbacks.book.values().filter(|it| it.kept.queue == wanted.queue);
        let is_full = of_queue.count() >= config.max as usize;
        let at = self.wall(now);
        let until = at + config.lifetime;
        let in_time = self.opens(&config, at).is_some_and(|opens| opens < until);
        if is_full || !in_time || self.stopping || !self.room {
            return self.drive(now, id, CallInput::Promised(false), out);
        }
        let (mut since, entered) = (wanted.since, wanted.entered);
        let again =
            self.callbacks.book.iter().find(|(_, it)| {
                (&it.kept.queue, &it.kept.number) == (&wanted.queue, &wanted.number)
            });
        if let Some((&before, callback)) = again {
            since = since.min(callback.since);
            let by = Some(ASKED_AGAIN.to_owned());
            self.end_callback(now, before, (CallbackOutcome::Cancelled, by), out);
        }
        let caller = &wanted.caller;
        let kept = Kept {
            queue: wanted.queue.clone(),
            number: wanted.number.clone(),
            way: wanted.way,
            origin: caller.origin.clone(),
            e164: caller.e164.clone(),
            name: caller.name.clone(),
            hidden: caller.hidden,
            dialled: caller.dialled.clone(),
            did: caller.did.clone(),
            since: self.wall(since),
            entered: self.wall(entered),
            until,
            skills: wanted.skills,
            prefer: wanted.prefer,
            priority_us: u64::try_from(wanted.priority.as_micros()).unwrap_or(u64::MAX),
            attempts: 0,
            retry_at: None,
        };
        let asked = Step::Asked { queue: wanted.queue, number: wanted.number, until };
        out.push(Output::Entry(Entry { at, call: Some(id), fact: Fact::Callback(asked) }));
        out.push(keep_callback(id, Some(&kept)));
        out.push(Output::Sync(id));
        let state = State::Storing { until: now + STORING_MAX, over: false };
        let (age, expires) = (Duration::ZERO, now + config.lifetime);
        let callback = Callback { kept, since, entered, age, expires, state };
        self.callbacks.book.insert(id, callback);
        self.set_due(id);
    }

    /// What was written down of a callback is durable.
    pub(super) fn callback_is_durable(&mut self, now: Instant, id: CallId, out: &mut Vec<Output>) {
        let Some(callback) = self.callbacks.book.get_mut(&id) else { return };
        let State::Storing { over, .. } = callback.state else { return };
        callback.state = State::Asked;
        self.set_due(id);
        if over {
            self.stand_in_line(now, id, out);
        } else {
            self.drive(now, id, CallInput::Promised(true), out);
        }
    }

    /// A fact of a call: perhaps one in which a callback was asked for, or that is made for it.
    pub(super) fn follow_callback(&mut self, now: Instant, entry: &Entry, out: &mut Vec<Output>) {
        let Some(call) = entry.call else { return };
        if let Some(callback) = self.callbacks.book.get_mut(&call) {
            match (&entry.fact, &mut callback.state) {
                (Fact::QueueLeft { why: QueueLeft::Callback, .. }, _) => {}
                (Fact::QueueLeft { .. }, State::Storing { .. } | State::Asked) => {
                    self.end_callback(now, call, (CallbackOutcome::Served, None), out);
                }
                (Fact::Ended { .. }, State::Storing { over, .. }) => *over = true,
                (Fact::Ended { .. }, State::Asked) => self.stand_in_line(now, call, out),
                _ => {}
            }
            return;
        }
        let Some(&id) = self.callbacks.tickets.get(&call) else { return };
        match &entry.fact {
            Fact::Callback(Step::Confirmed { .. }) => {
                if let Some(callback) = self.callbacks.book.get_mut(&id) {
                    callback.state = State::Calling { call, is_there: true };
                }
            }
            Fact::TalkBegan { agent: Some(_), .. } => {
                self.end_callback(now, id, (CallbackOutcome::Talked, None), out);
            }
            Fact::Ended { reason, .. } => self.attempt_ended(now, id, reason, out),
            _ => {}
        }
    }

    /// A caller stands in his line again, unless it is too late, or not the time to call him.
    fn stand_in_line(&mut self, now: Instant, id: CallId, out: &mut Vec<Output>) {
        let Some(callback) = self.callbacks.book.get(&id) else { return };
        if now >= callback.expires {
            return self.end_callback(now, id, (CallbackOutcome::Expired, None), out);
        }
        let config = self.callback_config(&callback.kept.queue);
        let at = self.wall(now);
        match self.opens(&config, at) {
            Some(opens) if opens > at => return self.rest(id, now + opens.since(at), out),
            None => return self.rest(id, callback.expires, out),
            Some(_) => {}
        }
        let queue = callback.kept.queue.clone();
        let usual = self.plan.acd.queues.get(&queue).map_or(Duration::ZERO, |it| it.priority);
        let ask = Ask {
            priority_credit: usual
                + Duration::from_micros(callback.kept.priority_us)
                + callback.age,
            skills: callback.kept.skills.clone(),
            prefer: callback.kept.prefer.clone(),
            entered: callback.since,
            here_since: Some(callback.entered),
            called_first: Some(config.hold()),
            ..Ask::default()
        };
        let ticket = self.call_ids.next(at.as_micros());
        self.callbacks.tickets.insert(ticket, id);
        if let Some(callback) = self.callbacks.book.get_mut(&id) {
            callback.state = State::Waiting { ticket, decided: None };
        }
        self.set_due(id);
        self.changed.insert(Subject::Queue(queue.clone()));
        match self.parts.acd.enter(now, ticket, &queue, ask, &mut self.decided) {
            Ok(_) => {}
            Err(acd::Refusal::Empty) => {
                self.end_callback(now, id, (CallbackOutcome::QueueGone, None), out);
            }
            Err(acd::Refusal::Full) => self.rest(id, now + HINDERED, out),
        }
    }

    /// He stands in the line again later.
    fn rest(&mut self, id: CallId, until: Instant, out: &mut Vec<Output>) {
        let retry_at = self.wall(until);
        let Some(callback) = self.callbacks.book.get_mut(&id) else { return };
        if let State::Waiting { ticket: call, .. } | State::Calling { call, .. } = callback.state {
            self.callbacks.tickets.remove(&call);
        }
        callback.state = State::Resting { until };
        callback.kept.retry_at = Some(retry_at);
        out.push(keep_callback(id, Some(&callback.kept)));
        self.changed.insert(Subject::Queue(callback.kept.queue.clone()));
        self.set_due(id);
    }

    /// The ACD decided something about a place in a line for which there is no call yet.
    pub(super) fn decided_callback(
        &mut self,
        now: Instant,
        (ticket, decision): (CallId, acd::Output),
        out: &mut Vec<Output>,
    ) {
        let Some(&id) = self.callbacks.tickets.get(&ticket) else { return };
        match decision {
            acd::Output::Offer { .. } => self.begin_attempt(now, (id, ticket), decision, out),
            acd::Output::Emptied { .. } => {
                self.end_callback(now, id, (CallbackOutcome::QueueGone, None), out);
            }
            _ => {}
        }
    }

    /// Keeps why a callback was given an agent, or none, for the call that is made.
    pub(super) fn explain_callback(&mut self, ticket: CallId, fact: Fact) {
        let id = self.callbacks.tickets.get(&ticket);
        let callback = id.and_then(|id| self.callbacks.book.get_mut(id));
        if let (Some(callback), Fact::Decided(_)) = (callback, &fact)
            && let State::Waiting { decided, .. } = &mut callback.state
        {
            *decided = Some(fact);
        }
    }

    /// An agent is held for a caller: he is called.
    fn begin_attempt(
        &mut self,
        now: Instant,
        (id, ticket): (CallId, CallId),
        offer: acd::Output,
        out: &mut Vec<Output>,
    ) {
        let Some(callback) = self.callbacks.book.get_mut(&id) else { return };
        let State::Waiting { decided, .. } = &mut callback.state else { return };
        let decided = decided.take();
        let wanted = callback.kept.wanted(id, (callback.since, callback.entered));
        let config = self.callback_config(&wanted.queue);
        let at = self.wall(now);
        let opens = self.opens(&config, at);
        if opens != Some(at) || !self.has_room(&wanted.caller) || self.ports.thread().is_none() {
            self.parts.acd.leave(now, ticket, &mut self.decided);
            let until = match opens {
                Some(opens) if opens > at => now + opens.since(at),
                _ => now + HINDERED,
            };
            return self.rest(id, until, out);
        }
        let position = self.parts.acd.position(ticket).unwrap_or(1);
        let Some(callback) = self.callbacks.book.get_mut(&id) else { return };
        callback.kept.attempts += 1;
        callback.state = State::Calling { call: ticket, is_there: false };
        out.push(keep_callback(id, Some(&callback.kept)));
        let number = callback.kept.attempts;
        self.set_due(id);
        let attempt = Attempt { wanted, number, position, decided };
        let plan = self.plan.clone();
        let (mut steps, mut site) = (Vec::new(), self.site());
        let call = Call::calling_back(now, ticket, attempt, plan, &mut site, &mut steps);
        let call = call.expect("a media thread has a spare port, as was seen above");
        self.calls_total += 1;
        self.calls.insert(ticket, Box::new(call));
        self.carried_out(now, ticket, steps, out);
        self.drive(now, ticket, CallInput::Acd(offer), out);
    }

    /// The call is over that was made to a caller, and he has not talked with an agent.
    fn attempt_ended(&mut self, now: Instant, id: CallId, reason: &str, out: &mut Vec<Output>) {
        let Some(callback) = self.callbacks.book.get(&id) else { return };
        let is_there = matches!(callback.state, State::Calling { is_there: true, .. });
        let config = self.callback_config(&callback.kept.queue);
        let Some(callback) = self.callbacks.book.get_mut(&id) else { return };
        let until = match reason {
            // Not his doing: it does not count.
            NODE_STOP | "trunk_down" | "no_port" => {
                callback.kept.attempts = callback.kept.attempts.saturating_sub(1);
                now + HINDERED
            }
            "queue_gone" => {
                return self.end_callback(now, id, (CallbackOutcome::QueueGone, None), out);
            }
            _ if is_there => {
                return self.end_callback(now, id, (CallbackOutcome::Abandoned, None), out);
            }
            _ if callback.kept.attempts > config.retries => {
                return self.end_callback(now, id, (CallbackOutcome::Unanswered, None), out);
            }
            _ => now + config.retry_wait,
        };
        self.rest(id, until, out);
    }

    /// Nothing more is done about a callback.
    fn end_callback(
        &mut self,
        now: Instant,
        id: CallId,
        (outcome, by): (CallbackOutcome, Option<String>),
        out: &mut Vec<Output>,
    ) {
        let Some(callback) = self.callbacks.book.remove(&id) else { return };
        self.callbacks.due.set(&id, None);
        let queue = callback.kept.queue;
        self.changed.insert(Subject::Queue(queue.clone()));
        let ended = Step::Ended { queue, came: callback.kept.entered, outcome, by };
        let at = self.wall(now);
        out.push(Output::Entry(Entry { at, call: Some(id), fact: Fact::Callback(ended) }));
        out.push(keep_callback(id, None));
        match callback.state {
            State::Waiting { ticket, .. } => {
                self.callbacks.tickets.remove(&ticket);
                self.parts.acd.leave(now, ticket, &mut self.decided);
            }
            State::Calling { call, is_there } => {
                self.callbacks.tickets.remove(&call);
                if !is_there {
                    self.drive(now, call, CallInput::HangUp(CANCELLED), out);
                }
            }
            State::Storing { over: false, .. } => {
                self.drive(now, id, CallInput::Promised(false), out);
            }
            State::Asked | State::Resting { .. } | State::Storing { .. } => {}
        }
    }

    /// Does what is due.
    pub(super) fn tick_callbacks(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(id) = self.callbacks.due.pop_due(now) {
            match self.callbacks.book.get(&id).map(|callback| &callback.state) {
                Some(State::Storing { .. }) => {
                    tracing::error!(call = %id, "a callback could not be kept");
                    self.end_callback(now, id, (CallbackOutcome::NotKept, None), out);
                }
                Some(State::Resting { .. }) => self.stand_in_line(now, id, out),
                Some(State::Waiting { .. }) => {
                    self.end_callback(now, id, (CallbackOutcome::Expired, None), out);
                }
                Some(State::Asked | State::Calling { .. }) | None => {}
            }
        }
    }

    /// Takes up a callback of an earlier process.
    pub(super) fn resume_callback(&mut self, now: Instant, id: CallId, kept: Kept) {
        let at = self.wall(now);
        let start = self.wall(Instant::START);
        let instant = |wall: Wall| Instant::START + wall.since(start);
        let (since, entered) = (instant(kept.since), instant(kept.entered));
        let (age, expires) = (start.since(kept.since), now + kept.until.since(at));
        let retry_in = kept.retry_at.map_or(Duration::ZERO, |retry_at| retry_at.since(at));
        let until = now + retry_in.max(AFTER_START);
        let state = State::Resting { until };
        self.callbacks.book.insert(id, Callback { kept, since, entered, age, expires, state });
        self.set_due(id);
    }

    /// Who is to be called back.
    pub(super) fn callback_views(&self, queue: Option<QueueId>) -> Result<Reply, Refusal> {
        if let Some(queue) = queue.as_ref().filter(|it| !self.plan.acd.queues.contains_key(*it)) {
            return Err(Refusal::UnknownQueue(queue.clone()));
        }
        let wanted =
            |callback: &&Callback| queue.as_ref().is_none_or(|queue| callback.kept.queue == *queue);
        let callbacks = self.callbacks.book.iter().filter(|(_, callback)| wanted(callback));
        Ok(Reply::Callbacks(callbacks.map(|(id, it)| self.callback_view(*id, it)).collect()))
    }

    fn callback_view(&self, id: CallId, callback: &Callback) -> CallbackView {
        let (state, ticket) = match &callback.state {
            State::Storing { .. } | State::Asked => (CallbackState::Asked, None),
            State::Resting { until } => (CallbackState::Resting(self.wall(*until)), None),
            State::Waiting { ticket, .. } => (CallbackState::Waiting, Some(*ticket)),
            State::Calling { call, .. } => (CallbackState::Calling(*call), Some(*call)),
        };
        CallbackView {
            asked_in: id,
            queue: callback.kept.queue.clone(),
            number: callback.kept.number.clone(),
            name: callback.kept.name.clone(),
            came: callback.kept.entered,
            until: callback.kept.until,
            attempts: callback.kept.attempts,
            state,
            position: ticket.and_then(|ticket| self.parts.acd.position(ticket)),
        }
    }

    /// Somebody does not want a callback any more.
    pub(super) fn cancel_callback(
        &mut self,
        now: Instant,
        (id, by): (CallId, String),
        out: &mut Vec<Output>,
    ) -> Result<Reply, Refusal> {
        match self.callbacks.book.get(&id).map(|callback| &callback.state) {
            None => Err(Refusal::UnknownCallback(id)),
            Some(State::Calling { is_there: true, .. }) => Err(Refusal::IsThere(id)),
            Some(_) => {
                self.end_callback(now, id, (CallbackOutcome::Cancelled, Some(by)), out);
                Ok(Reply::Done)
            }
        }
    }

    fn callback_config(&self, queue: &QueueId) -> Config {
        let queue = self.plan.acd.queues.get(queue);
        queue.and_then(|queue| queue.callback.clone()).unwrap_or_default()
    }

    /// When callers may be called, from `at` on; none if never.
    fn opens(&self, config: &Config, at: Wall) -> Option<Wall> {
        let Some(hours) = &config.hours else { return Some(at) };
        // Hours that a reload has removed are never open.
        self.plan.callback_hours.get(hours)?.opens(at)
    }

    fn set_due(&mut self, id: CallId) {
        let due = self.callbacks.book.get(&id).and_then(Callback::due);
        self.callbacks.due.set(&id, due);
    }
}

/// How long it may take until a callback is durable; the caller hears nothing meanwhile.
const STORING_MAX: Duration = Duration::from_secs(5);
/// When the first is called after a start: trunks are found, phones are back.
const AFTER_START: Duration = Duration::from_secs(5);
/// When it is tried again to call somebody for whom there was no room.
const HINDERED: Duration = Duration::from_secs(30);
/// Who cancels a callback whose caller has called again and asked for another.
const ASKED_AGAIN: &str = "asked_again";
/// Why a call ends whose callback is not wanted any more.
const CANCELLED: &str = "callback_cancelled";
/// Why a call ends with the node.
const NODE_STOP: &str = "node_stop";
