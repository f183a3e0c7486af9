//! The ledger's writer: one thread, one transaction for all that has come in meanwhile.

use std::fs::File;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, tick};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::place::Place;
use super::store::{self, End};
use super::{LedgerError, State};
use crate::cdr::config::Config;
use crate::cdr::entry::Entry;
use crate::id::CallId;
use crate::shell::figures::Live;
use crate::time::{Duration, Wall};

/// How often the ledger looks for what is too old.
const RETENTION_EVERY: Duration = Duration::from_secs(60);

/// How long the writer rests between rounds of removal, so that entries come first.
const RETENTION_REST: Duration = Duration::from_millis(10);

/// The shortest time between commits under load, unless somebody waits for an answer: one flush of
/// the disk serves all that has come meanwhile. An idle ledger writes at once.
const GATHER: Duration = Duration::from_millis(20);

/// How long the writer waits after a failure; doubles up to the second.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// Longer than any wait.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What is made durable, in order.
pub enum Job {
    Entry(Box<Entry>),
    /// All before it is durable: that is told.
    Durable {
        call: CallId,
        tell: Sender<CallId>,
    },
    Put {
        key: String,
        value: Option<String>,
    },
}

/// What somebody waits for.
pub enum Order {
    Acknowledge {
        consumer: String,
        sequence: u64,
        reply: oneshot::Sender<Result<u64, LedgerError>>,
    },
    Append {
        entries: Vec<Entry>,
        reply: oneshot::Sender<Result<u64, LedgerError>>,
    },
    /// The writer's last order.
    Close {
        reply: Sender<bool>,
    },
}

pub struct Writer {
    pub db: Connection,
    pub place: Place,
    pub end: End,
    pub node: String,
    pub config: Config,
    pub clock: Box<dyn Fn() -> Wall + Send>,
    pub jobs: Receiver<Job>,
    pub orders: Receiver<Order>,
    pub head: watch::Sender<u64>,
    pub state: Arc<State>,
    /// Counts what is durable.
    pub service: Live,
    /// Keeps other processes out as long as the writer lives.
    pub _lock: File,
}

/// What one transaction holds.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    orders: Vec<Order>,
    /// Note the time.
    alive: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.orders.is_empty() && !self.alive
    }
}

impl Writer {
    /// Writes until it is told to close, or every handle is gone.
    pub fn run(mut self) {
        let _running = Running(Arc::clone(&self.state));
        let alive = tick(self.config.alive_every);
        let retention = tick(RETENTION_EVERY);
        let pace = tick(GATHER);
        let mut removing = true;
        let mut asked = Vec::new();
        loop {
            let mut batch = Batch { orders: std::mem::take(&mut asked), ..Batch::default() };
            let mut over = false;
            let rest = match (batch.is_empty(), removing) {
                (false, _) => Duration::ZERO,
                (true, true) => RETENTION_REST,
                (true, false) => NEVER,
            };
            select! {
                recv(self.jobs) -> job => match job {
                    Ok(job) => batch.jobs.push(job),
                    Err(_) => over = true,
                },
                recv(self.orders) -> order => match order {
                    Ok(order) => batch.orders.push(order),
                    Err(_) => over = true,
                },
                recv(alive) -> _ => {
                    batch.alive = true;
                    self.service.tick((self.clock)());
                }
                recv(retention) -> _ => removing = true,
                default(rest) => {}
            }
            batch.jobs.extend(self.jobs.try_iter().take(self.config.batch_max));
            batch.orders.extend(self.orders.try_iter());
            let gathers = !batch.is_empty() && batch.jobs.len() < self.config.batch_max;
            match self.write(batch) {
                Next::GiveUp => return,
                Next::GoOn if over => return self.close(&[]),
                Next::GoOn => {}
                Next::Close(replies) => return self.close(&replies),
            }
            if removing && self.jobs.is_empty() {
                removing = self.remove_old();
            } else if gathers {
                // Who asked and waits does not wait for the beat.
                select! {
                    recv(pace) -> _ => {}
                    recv(self.orders) -> order => asked.extend(order),
                }
            }
        }
    }

    /// Commits a batch, as often as it takes.
    fn write(&mut self, mut batch: Batch) -> Next {
        let mut closing = take_closes(&mut batch.orders);
        let mut wait = RETRY_AFTER;
        while let Err(cause) = self.commit(&mut batch) {
            if !self.state.failing.swap(true, Relaxed) {
                error!(%cause, "the ledger cannot be written; entries wait in memory");
            }
            refuse(&mut batch.orders);
            batch.alive = true; // so that each attempt writes something
            if !closing.is_empty() {
                let lost = batch.jobs.len() + self.jobs.len();
                error!(lost, "closing a ledger that cannot be written");
                closing.iter().for_each(|reply| _ = reply.send(false));
                return Next::GiveUp;
            }
            match self.orders.recv_timeout(wait) {
                Ok(order) => batch.orders.push(order),
                Err(RecvTimeoutError::Timeout) => wait = (2 * wait).min(RETRY_AFTER_MAX),
                Err(RecvTimeoutError::Disconnected) => return Next::GiveUp,
            }
            closing = take_closes(&mut batch.orders);
        }
        if self.state.failing.swap(false, Relaxed) {
            info!("the ledger can be written again");
        }
        if closing.is_empty() { Next::GoOn } else { Next::Close(closing) }
    }

    /// One transaction. After an error nothing of the batch is on disk.
    fn commit(&mut self, batch: &mut Batch) -> Result<(), LedgerError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.place.check()?;
        let began = (self.clock)();
        let mut end = self.end;
        let mut answers = Vec::with_capacity(batch.orders.len());
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in &batch.jobs {
            let written = match job {
                Job::Entry(entry) => end.append(&transaction, entry, &self.node),
                Job::Durable { .. } => Ok(()),
                Job::Put { key, value } => store::put(&transaction, key, value.as_deref()),
            };
            match written {
                Err(LedgerError::Json(cause)) => error!(%cause, "a call gets no record"),
                other => other?,
            }
        }
        for order in &batch.orders {
            let answer = match order {
                Order::Acknowledge { consumer, sequence, .. } => {
                    let max = self.config.consumers_max;
                    store::acknowledge(&transaction, consumer, *sequence, max)
                }
                Order::Append { entries, .. } => {
                    let mut entries = entries.iter();
                    let written =
                        entries.try_for_each(|it| end.append(&transaction, it, &self.node));
                    written.map(|()| end.sequence)
                }
                Order::Close { .. } => continue,
            };
            match answer {
                Err(cause @ LedgerError::Storage(_)) => return Err(cause),
                answer => answers.push(answer),
            }
        }
        if batch.alive {
            store::set_alive(&transaction, began)?;
        }
        transaction.commit()?;
        self.end = end;
        let entries = batch.jobs.iter().filter(|job| matches!(job, Job::Entry(_))).count();
        let entries = entries + batch.orders.iter().map(Order::entries).sum::<usize>();
        self.state.appended.fetch_add(entries as u64, Relaxed);
        self.state.waiting.fetch_sub(batch.jobs.len(), Relaxed);
        self.state.commits.fetch_add(1, Relaxed);
        for job in &batch.jobs {
            match job {
                Job::Durable { call, tell } => _ = tell.try_send(*call),
                Job::Entry(entry) => self.service.count(entry, began),
                Job::Put { .. } => {}
            }
        }
        // After the count: who is told of an entry finds it in the figures.
        self.head.send_if_modified(|head| mem::replace(head, end.sequence) != end.sequence);
        let took = (self.clock)().since(began).as_micros();
        self.state.commit_us.fetch_add(u64::try_from(took).unwrap_or(u64::MAX), Relaxed);
        for (order, answer) in batch.orders.drain(..).zip(answers) {
            if let Order::Acknowledge { reply, .. } | Order::Append { reply, .. } = order {
                _ = reply.send(answer); // who asked may have gone
            }
        }
        Ok(())
    }

    /// Removes a bounded number of rows that are too old. True if there may be more.
    fn remove_old(&mut self) -> bool {
        let now = (self.clock)().as_micros();
        let keep = i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX);
        let oldest = Wall::from_micros(now.saturating_sub(keep));
        match store::remove_old(&mut self.db, oldest, self.config.keep_bytes) {
            Ok(more) => more,
            Err(cause) => {
                warn!(%cause, "cannot remove old entries");
                false
            }
        }
    }

    /// Writes what is left, notes the time and answers.
    fn close(&mut self, replies: &[Sender<bool>]) {
        let written = loop {
            let jobs: Vec<Job> = self.jobs.try_iter().take(self.config.batch_max).collect();
            let last = jobs.is_empty();
            let mut batch = Batch { jobs, orders: Vec::new(), alive: true };
            if let Err(cause) = self.commit(&mut batch) {
                let lost = batch.jobs.len() + self.jobs.len();
                error!(%cause, lost, "the ledger was closed without its last entries");
                break false;
            }
            if last {
                break true;
            }
        };
        replies.iter().for_each(|reply| _ = reply.send(written));
    }
}

/// What follows a batch.
enum Next {
    Close(Vec<Sender<bool>>),
    GiveUp,
    GoOn,
}

/// Tells everybody when the writer is gone, also after a panic.
struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Relaxed);
    }
}

impl Order {
    /// How many entries it appends.
    fn entries(&self) -> usize {
        match self {
            Self::Append { entries, .. } => entries.len(),
            Self::Acknowledge { .. } | Self::Close { .. } => 0,
        }
    }
}

/// Takes out the orders to close; the others stay.
fn take_closes(orders: &mut Vec<Order>) -> Vec<Sender<bool>> {
    let mut closes = Vec::new();
    for order in mem::take(orders) {
        match order {
            Order::Close { reply } => closes.push(reply),
            Order::Acknowledge { .. } | Order::Append { .. } => orders.push(order),
        }
    }
    closes
}

fn refuse(orders: &mut Vec<Order>) {
    for order in orders.drain(..) {
        match order {
            Order::Acknowledge { reply, .. } | Order::Append { reply, .. } => {
                _ = reply.send(Err(LedgerError::Refusing));
            }
            Order::Close { reply } => _ = reply.send(false),
        }
    }
}
