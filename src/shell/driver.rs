//! The loop of the Switch thread: wait, `Switch::handle`, carry out the outputs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use tokio::sync::oneshot;

use crate::call::Plan;
use crate::id::ExtensionId;
use crate::media::control::Event;
use crate::shell::clock::Clock;
use crate::shell::ledger::Ledger;
use crate::shell::media::MediaThreads;
use crate::shell::sip::{Incoming, Transports};
use crate::sip::digest::Secret;
use crate::switch::request::{Reply, Request};
use crate::switch::{AskId, Input, Output, Switch};
use crate::time::{Duration, Instant};

/// What the rest of the process wants of the Switch thread.
#[derive(Debug)]
enum Order {
    Ask { request: Request, answer: oneshot::Sender<Reply> },
    Plan(Box<Plan>, HashMap<ExtensionId, Secret>),
    Stop,
}

/// Asks the Switch from any thread or task; cheap to clone.
#[derive(Clone, Debug)]
pub struct SwitchHandle {
    orders: Sender<Order>,
    /// When the Switch last finished an input, in microseconds: the watchdog's proof of life.
    alive: Arc<AtomicU64>,
}

/// Why the Switch gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("too many questions wait for the Switch")]
    Busy,
    #[error("the node is stopping")]
    Stopped,
}

impl SwitchHandle {
    /// Waits for the answer to a question.
    ///
    /// # Errors
    ///
    /// If too many questions wait already, or the node stops.
    pub async fn ask(&self, request: Request) -> Result<Reply, AskError> {
        let (answer, reply) = oneshot::channel();
        self.order(Order::Ask { request, answer })?;
        reply.await.map_err(|_| AskError::Stopped)
    }

    /// Gives the Switch a new configuration, from the next call on.
    ///
    /// # Errors
    ///
    /// As `ask`.
    pub fn plan(&self, plan: Plan, secrets: HashMap<ExtensionId, Secret>) -> Result<(), AskError> {
        self.order(Order::Plan(Box::new(plan), secrets))
    }

    /// Ends the Switch thread after what it has in hand.
    pub fn stop(&self) {
        // A full channel is emptied within milliseconds; a closed one has stopped already.
        let _ = self.orders.send(Order::Stop);
    }

    /// When the Switch last went round its loop.
    pub fn alive_at(&self) -> Instant {
        Instant::from_micros(self.alive.load(Ordering::Relaxed))
    }

    fn order(&self, order: Order) -> Result<(), AskError> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => AskError::Busy,
            TrySendError::Disconnected(_) => AskError::Stopped,
        })
    }
}

/// What the Switch thread reads from and writes to.
pub struct Ends {
    pub clock: Clock,
    pub ledger: Ledger,
    pub media: MediaThreads,
    pub media_events: Receiver<Event>,
    pub sip: Transports,
    pub sip_incoming: Receiver<Incoming>,
}

/// Starts the Switch thread; it gives the media threads back when it ends, for them to be stopped.
///
/// # Errors
///
/// If the operating system has no thread left.
pub fn start(
    switch: Switch,
    ends: Ends,
) -> std::io::Result<(SwitchHandle, JoinHandle<MediaThreads>)> {
    let (orders, taken) = bounded(ORDERS_MAX);
    let alive = Arc::new(AtomicU64::new(ends.clock.now().as_micros()));
    let handle = SwitchHandle { orders, alive: alive.clone() };
    let driver = Driver {
        switch,
        ends,
        orders: taken,
        answers: HashMap::new(),
        asked: 0,
        room: true,
        look_at: Instant::START,
        out: Vec::new(),
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
    /// What the Switch was last told of the ledger, and when to look again.
    room: bool,
    look_at: Instant,
    out: Vec<Output>,
    alive: Arc<AtomicU64>,
}

impl Driver {
    fn run(mut self) -> MediaThreads {
        loop {
            let now = self.ends.clock.now();
            self.alive.store(now.as_micros(), Ordering::Relaxed);
            self.look_at_ledger(now);
            let due = self.switch.next_tick();
            let input = if due.is_some_and(|at| at <= now) {
                Some(Input::Tick)
            } else {
                let wake = due.map_or(self.look_at, |at| at.min(self.look_at));
                match self.wait(wake.since(now)) {
                    Ok(input) => input,
                    Err(Stopped) => return self.ends.media,
                }
            };
            if let Some(input) = input {
                self.step(input);
            }
        }
    }

    /// Waits for the next input, at the longest for `wait`.
    fn wait(&mut self, wait: Duration) -> Result<Option<Input>, Stopped> {
        select! {
            recv(self.ends.sip_incoming) -> incoming => Ok(incoming.ok().map(|incoming| match incoming {
                Incoming::Closed { flow } => Input::Closed(flow),
                Incoming::Received { flow, message } => Input::Message { flow, message },
            })),
            recv(self.ends.media_events) -> event => Ok(event.ok().map(Input::Media)),
            recv(self.orders) -> order => match order {
                Ok(Order::Ask { request, answer }) => {
                    self.asked += 1;
                    let id = AskId(self.asked);
                    self.answers.insert(id, answer);
                    Ok(Some(Input::Ask { id, request }))
                }
                Ok(Order::Plan(plan, secrets)) => Ok(Some(Input::Plan(plan, secrets))),
                Ok(Order::Stop) | Err(_) => Err(Stopped),
            },
            default(wait) => Ok(None),
        }
    }

    fn step(&mut self, input: Input) {
        let mut out = std::mem::take(&mut self.out);
        self.switch.handle(self.ends.clock.now(), input, &mut out);
        for output in out.drain(..) {
            match output {
                Output::Answer { id, reply } => {
                    if let Some(answer) = self.answers.remove(&id) {
                        let _ = answer.send(reply); // who does not wait any more needs no answer
                    }
                }
                Output::Entry(entry) => self.ends.ledger.append(entry),
                Output::Media(thread, command) => self.ends.media.send(thread, command),
                Output::Send { flow, message } => self.ends.sip.send(&flow, &message),
                Output::Store { key, value } => self.ends.ledger.put(key, value),
            }
        }
        self.out = out;
    }

    /// Tells the Switch when the ledger has no room for new calls, or has it again.
    fn look_at_ledger(&mut self, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        let room = self.ends.ledger.health().takes_calls();
        if room != self.room {
            self.room = room;
            self.step(Input::Room(room));
        }
    }
}

/// The process stops.
struct Stopped;

/// Questions that may wait for the Switch.
const ORDERS_MAX: usize = 1024;

/// How often the ledger's health is looked at; also the longest that the loop sleeps.
const LOOK_EVERY: Duration = Duration::from_millis(250);
