//! The loop of the Switch thread: wait, `Switch::handle`, carry out the outputs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use tokio::sync::oneshot;

use crate::call::Plan;
use crate::id::{CallId, ExtensionId};
use crate::media::control::Event;
use crate::shell::board::Board;
use crate::shell::clock::Clock;
use crate::shell::ledger::Ledger;
use crate::shell::media::MediaThreads;
use crate::shell::metrics::Metrics;
use crate::shell::pressure::Pressure;
use crate::shell::sip::resolve::Resolver;
use crate::shell::sip::{Incoming, Outbox, Transports};
use crate::sip::digest::Secret;
use crate::sip::locate::{Answer, Question, QuestionId};
use crate::switch::request::{Reply, Request};
use crate::switch::{AskId, Input, Output, Switch};
use crate::time::{Duration, Instant};

/// What the rest of the process wants of the Switch thread.
#[derive(Debug)]
enum Order {
    Ask { request: Request, reply: oneshot::Sender<Reply> },
    Plan(Box<Plan>, HashMap<ExtensionId, Secret>),
    Stop,
}

/// Gives orders to the Switch thread from any thread or task; cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    sender: Sender<Order>,
    /// When the Switch last went round its loop, in microseconds: the watchdog's proof of life.
    alive: Arc<AtomicU64>,
}

impl Orders {
    /// Passes a question on without waiting; false if it cannot take one more, or has stopped.
    pub fn ask(&self, request: Request, reply: oneshot::Sender<Reply>) -> bool {
        self.sender.try_send(Order::Ask { request, reply }).is_ok()
    }

    /// Gives the Switch a new configuration, from the next call on; false as of `ask`.
    pub fn plan(&self, plan: Plan, secrets: HashMap<ExtensionId, Secret>) -> bool {
        self.sender.try_send(Order::Plan(Box::new(plan), secrets)).is_ok()
    }

    /// Ends all calls, then the Switch thread.
    pub fn stop(&self) {
        // A full channel is emptied within milliseconds; a closed one has stopped already.
        let _ = self.sender.send(Order::Stop);
    }

    /// When the Switch last went round its loop.
    pub fn alive_at(&self) -> Instant {
        Instant::from_micros(self.alive.load(Ordering::Relaxed))
    }
}

/// What the Switch thread reads from and writes to.
pub struct Ends {
    pub board: Board,
    pub clock: Clock,
    pub ledger: Ledger,
    pub media: MediaThreads,
    pub media_events: Receiver<Event>,
    pub metrics: Metrics,
    pub resolved: Receiver<(QuestionId, Answer)>,
    pub resolver: Resolver,
    pub sip: Transports,
    pub sip_incoming: Outbox,
}

/// Starts the Switch thread, which first carries out what is `owed` from before; it gives the media
/// threads back when it ends, for them to be stopped.
///
/// # Errors
///
/// If the operating system has no thread left.
pub fn start(
    switch: Switch,
    owed: Vec<Output>,
    ends: Ends,
) -> std::io::Result<(Orders, JoinHandle<MediaThreads>)> {
    let (sender, orders) = bounded(ORDERS_MAX);
    let alive = Arc::new(AtomicU64::new(ends.clock.now().as_micros()));
    let handle = Orders { sender, alive: alive.clone() };
    let driver = Driver {
        switch,
        ends,
        orders,
        answers: HashMap::new(),
        asked: 0,
        known: VecDeque::new(),
        room: true,
        look_at: Instant::START,
        pressure: Pressure::new(Instant::START),
        load: Duration::ZERO,
        out: owed,
        stop_at: None,
        unstored: BTreeMap::new(),
        unwoken: None,
        synced: bounded(ORDERS_MAX),
        alive,
    };
    let thread = thread::Builder::new().name("switch".to_owned()).spawn(move || driver.run())?;
    Ok((handle, thread))
}

struct Driver {
    switch: Switch,
    ends: Ends,
    orders: Receiver<Order>,
    answers: HashMap<AskId, oneshot::Sender<Reply>>,
    asked: u64,
    /// Answers that needed nobody to be asked, for the next round.
    known: VecDeque<Input>,
    /// What the Switch was last told of the ledger, and when to look again.
    room: bool,
    look_at: Instant,
    pressure: Pressure,
    /// How long the Switch was told that new messages wait.
    load: Duration,
    out: Vec<Output>,
    alive: Arc<AtomicU64>,
    /// What is to be found again at the next start, until it is given to the ledger: one commit
    /// takes all that changed in a quarter of a second, and of each key only the last value.
    unstored: BTreeMap<String, Option<String>>,
    /// Since when media threads have orders that they were not woken for.
    unwoken: Option<Instant>,
    /// What the ledger has made durable, as was wanted to be known.
    synced: (Sender<CallId>, Receiver<CallId>),
    /// When the thread ends, calls or not.
    stop_at: Option<Instant>,
}

impl Driver {
    fn run(mut self) -> MediaThreads {
        self.carry_out();
        loop {
            let now = self.ends.clock.now();
            self.alive.store(now.as_micros(), Ordering::Relaxed);
            self.look_around(now);
            self.weigh(now);
            self.wake_media(now);
            if self.stop_at.is_some_and(|at| now >= at || self.switch.is_idle()) {
                self.store();
                return self.ends.media; // stopping them wakes them
            }
            if let Some(input) = self.known.pop_front() {
                self.step(input);
                continue;
            }
            let due = self.switch.next_tick();
            let input = if due.is_some_and(|at| at <= now) {
                Some(Input::Tick)
            } else {
                let wake = due.map_or(self.look_at, |at| at.min(self.look_at));
                self.wait(wake.since(now))
            };
            if let Some(input) = input {
                self.step(input);
            }
        }
    }

    /// Wakes the media threads that have orders, once for all that is at hand, or for a
    /// millisecond of it.
    fn wake_media(&mut self, now: Instant) {
        let ends = &self.ends;
        let is_at_hand = || {
            !(ends.sip_incoming.urgent.is_empty()
                && ends.sip_incoming.new.is_empty()
                && ends.media_events.is_empty())
        };
        if let Some(since) = self.unwoken
            && (now >= since + MEDIA_WAIT_MAX || !is_at_hand())
        {
            self.unwoken = None;
            self.ends.media.wake();
        }
    }

    /// Waits for the next input, at the longest for `wait`; what is new comes last.
    fn wait(&mut self, wait: Duration) -> Option<Input> {
        select_biased! {
            recv(self.ends.sip_incoming.urgent) -> incoming => incoming.ok().map(Input::from),
            recv(self.ends.media_events) -> event => event.ok().map(Input::Media),
            recv(self.synced.1) -> call => call.ok().map(Input::Synced),
            recv(self.ends.resolved) -> answer => {
                answer.ok().map(|(id, answer)| Input::Resolved { id, answer })
            }
            recv(self.orders) -> order => match order {
                Ok(Order::Ask { request, reply }) => {
                    self.asked += 1;
                    let id = AskId(self.asked);
                    self.answers.insert(id, reply);
                    Some(Input::Ask { id, request })
                }
                Ok(Order::Plan(plan, secrets)) => Some(Input::Plan(plan, secrets)),
                Ok(Order::Stop) | Err(_) => {
                    self.stop_at = Some(self.ends.clock.now() + STOP_MAX);
                    Some(Input::Stop)
                }
            },
            recv(self.ends.sip_incoming.new) -> incoming => {
                self.pressure.took(self.ends.sip_incoming.new.len());
                incoming.ok().map(Input::from)
            }
            default(wait) => None,
        }
    }

    /// Tells the Switch how long a new message waits, if that has changed.
    fn weigh(&mut self, now: Instant) {
        if let Some(load) = self.pressure.wait(now).filter(|load| *load != self.load) {
            self.load = load;
            self.step(Input::Load(load));
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.ends.clock.now();
        self.switch.handle(now, input, &mut self.out);
        let took = self.ends.clock.now().since(now);
        self.ends.metrics.switch_step.observe(took.as_secs_f64());
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                Output::Answer { id, reply } => {
                    if let Some(answer) = self.answers.remove(&id) {
                        let _ = answer.send(reply); // who does not wait any more needs no answer
                    }
                }
                Output::Changed(subjects) => self.ends.board.mark(subjects),
                Output::Entry(entry) => self.ends.ledger.append(entry),
                // Lost only if the thread does not keep up; it counts and logs that.
                Output::Media(thread, command) => {
                    self.ends.media.send(thread, command);
                    self.unwoken.get_or_insert_with(|| self.ends.clock.now());
                }
                Output::Resolve { id, question } => self.resolve(id, question),
                Output::Send { flow, message } => self.ends.sip.send(&flow, &message),
                Output::Sync(call) => {
                    self.store();
                    self.ends.ledger.when_durable(call, &self.synced.0);
                }
                Output::Store { key, value } => _ = self.unstored.insert(key, value),
            }
        }
        self.out = out;
    }

    fn resolve(&mut self, id: QuestionId, question: Question) {
        match question {
            Question::Ways { candidates, domain } => {
                let sip = &self.ends.sip;
                let flows = candidates.iter().filter_map(|one| {
                    let flow = sip.flow_to(one.transport, one.address)?;
                    if let Some(domain) = domain.as_deref().filter(|_| one.transport.is_secure()) {
                        sip.expect(one.address, domain);
                    }
                    Some(flow)
                });
                let answer = Answer::Ways(flows.collect());
                self.known.push_back(Input::Resolved { id, answer });
            }
            question => self.ends.resolver.ask(id, question),
        }
    }

    fn store(&mut self) {
        for (key, value) in std::mem::take(&mut self.unstored) {
            self.ends.ledger.put(key, value);
        }
    }

    /// Tells the Switch when the ledger has no room for new calls, or has it again; takes over what
    /// others have counted.
    fn look_around(&mut self, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        self.store();
        if let Some(epoch) = self.ends.clock.follow() {
            tracing::warn!(epoch = %epoch.0, "the wall clock was set; records follow it");
            self.step(Input::Epoch(epoch));
        }
        self.ends.metrics.follow(self.ends.sip.counts(), self.ends.media.figures());
        let room = self.ends.ledger.health().takes_calls();
        if room != self.room {
            self.room = room;
            self.step(Input::Room(room));
        }
    }
}

/// How long calls may take to end when the node stops.
const STOP_MAX: Duration = Duration::from_secs(5);

impl From<Incoming> for Input {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::Closed { flow, why } => Self::Closed { flow, why },
            Incoming::Received { flow, message } => Self::Message { flow, message },
        }
    }
}

/// How long an order may wait for its media thread to be woken while there is more to do.
const MEDIA_WAIT_MAX: Duration = Duration::from_millis(1);

/// Questions that may wait for the Switch.
const ORDERS_MAX: usize = 1024;

/// How often it looks around; also the longest that the loop sleeps.
const LOOK_EVERY: Duration = Duration::from_millis(250);
