//! The ledger: facts made durable, in order, before anybody hears of them.
//!
//! One thread writes, with group commit; readers have connections of their own and wait for nobody.
//! Whoever appends never waits: entries go through a bounded channel. While the disk refuses, they
//! wait in it and the writer tries again until it succeeds; `Health` says so, and the node takes no
//! new calls once the channel is nearly full. A file that was deleted or moved counts as a disk
//! that refuses. A second process on the same file is refused.

mod place;
mod recovery;
mod store;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tracing::error;

pub use store::{Body, Item, Span};

use crate::cdr::config::Config;
use crate::cdr::entry::Entry;
use crate::cdr::record::CallRecord;
use crate::id::CallId;
use crate::media::control::Recorded;
use crate::shell::figures::{Live, Terms};
use crate::shell::limited::{LimitedSender, limited};
use crate::time::{Duration, Wall};
use place::Place;
use writer::{Job, Order, Writer};

/// Rows and bytes of text that are read at once.
const PAGE_ROWS_MAX: usize = 500;
const PAGE_BYTES_MAX: usize = 1 << 20;

/// What is counted of the past: two days.
const HISTORY_US: i64 = 2 * 24 * 60 * 60 * 1_000_000;

/// Orders of gRPC clients that wait for the writer; one more waits in its own task.
const ORDERS_MAX: usize = 256;

/// Connections kept for the next reader.
const READERS_KEPT_MAX: usize = 8;

/// What the ledger needs to know of its node.
pub struct Node<'a> {
    /// `[node] name`, for the records.
    pub name: &'a str,
    /// Asked for the time that is noted while the node lives.
    pub clock: Box<dyn Fn() -> Wall + Send>,
    /// Says what is on disk of a recording that was cut off, by its path as in the entries; none if
    /// there is nothing.
    pub recorded: &'a mut dyn FnMut(&str) -> Option<Recorded>,
}

/// What becomes of an order: the newest sequence, or what was wrong.
type Answer = oneshot::Receiver<Result<u64, LedgerError>>;

/// A handle to the open ledger; clones share it.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    node: String,
    config: Config,
    jobs: LimitedSender<Job>,
    orders: Sender<Order>,
    head: watch::Receiver<u64>,
    state: Arc<State>,
    /// Connections that nobody uses at the moment.
    readers: Mutex<Vec<Connection>>,
    service: Live,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// When the node is last known to have lived before this start.
    last_alive: Option<Wall>,
}

/// What the writer tells everybody. Each number stands alone, so every access is `Relaxed`.
#[derive(Default)]
struct State {
    /// The last commit failed.
    failing: AtomicBool,
    /// The writer's thread runs.
    running: AtomicBool,
    /// Entries and values that are taken and not yet durable.
    waiting: AtomicUsize,
    lost: AtomicU64,
    commits: AtomicU64,
    commit_us: AtomicU64,
    appended: AtomicU64,
}

/// How the ledger does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// The disk takes what is written.
    pub writable: bool,
    /// The writer lives; if not, nothing will be written any more.
    pub running: bool,
    /// Entries that are not yet durable.
    pub waiting: usize,
    /// Their share of `[ledger] entries_max`, from 0 to 1.
    pub pressure: f64,
    /// Entries lost since the start because the buffer was full.
    pub lost: u64,
    /// Entries made durable since the start.
    pub appended: u64,
    /// Commits since the start, and the time they took together.
    pub commits: u64,
    pub commit_time: Duration,
}

impl Health {
    /// Whether the node may take new calls: their facts can be kept.
    pub fn takes_calls(&self) -> bool {
        self.running && self.pressure < 0.9
    }
}

impl Ledger {
    /// Opens the ledger at `path` or makes it, and closes the calls that were cut off when the node
    /// stopped without warning. Blocks until they are durable.
    ///
    /// # Errors
    ///
    /// If the file is no ledger, cannot be written, or belongs to a running node.
    pub fn open(path: &Path, config: &Config, node: Node<'_>) -> Result<Self, LedgerError> {
        let lock = lock(path)?;
        let mut db = store::open(path)?;
        let place = Place::of(path)?;
        let now = (node.clock)();
        let last_alive = store::last_alive(&db)?;
        let end = recovery::close_cut_off(&mut db, node.name, now, node.recorded)?;
        store::set_alive(&db, now)?;

        let (jobs, jobs_in) = limited(config.entries_max);
        let (orders, orders_in) = bounded(ORDERS_MAX);
        let (head_out, head) = watch::channel(end.sequence);
        let (state, service) = (Arc::new(State::default()), Live::default());
        state.running.store(true, Relaxed);
        let writer = Writer {
            db,
            place,
            end,
            node: node.name.to_owned(),
            config: config.clone(),
            clock: node.clock,
            jobs: jobs_in,
            orders: orders_in,
            head: head_out,
            state: Arc::clone(&state),
            service: service.clone(),
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| LedgerError::file(path, error))?;
        let shared = Shared {
            path: path.to_owned(),
            node: node.name.to_owned(),
            config: config.clone(),
            jobs,
            orders,
            head,
            state,
            readers: Mutex::default(),
            service,
            writer: Mutex::new(Some(thread)),
            last_alive,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes an entry to be made durable. Never waits; if `entries_max` wait already, the entry is
    /// lost and counted.
    pub fn append(&self, entry: Entry) {
        self.send(Job::Entry(Box::new(entry)));
    }

    /// Makes entries durable, and says when they are.
    ///
    /// # Errors
    ///
    /// If the disk refuses, or too much waits for it: then there is nothing of them in the ledger.
    pub async fn append_durably(&self, entries: Vec<Entry>) -> Result<(), LedgerError> {
        self.order(entries)?.await.map_err(|_| LedgerError::Refusing)?.map(drop)
    }

    /// As `append_durably`, for threads of no runtime: blocks for as long as the disk takes.
    ///
    /// # Errors
    ///
    /// As `append_durably`.
    pub fn append_blocking(&self, entries: Vec<Entry>) -> Result<(), LedgerError> {
        self.order(entries)?.blocking_recv().map_err(|_| LedgerError::Refusing)?.map(drop)
    }

    fn order(&self, entries: Vec<Entry>) -> Result<Answer, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Append { entries, reply };
        self.shared.orders.try_send(order).map_err(|_| LedgerError::Refusing)?;
        Ok(answer)
    }

    /// Sets a value that outlives restarts, or removes it; durable in order with the entries.
    pub fn put(&self, key: String, value: Option<String>) {
        self.send(Job::Put { key, value });
    }

    /// Says `call` to `tell` when all is durable that was taken before; never, if there is no room
    /// for that, or nobody who listens keeps up.
    pub fn when_durable(&self, call: CallId, tell: &Sender<CallId>) {
        self.send(Job::Durable { call, tell: tell.clone() });
    }

    fn send(&self, job: Job) {
        self.shared.state.waiting.fetch_add(1, Relaxed);
        if self.shared.jobs.try_send(job).is_err() {
            self.shared.state.waiting.fetch_sub(1, Relaxed);
            let lost = self.shared.state.lost.fetch_add(1, Relaxed) + 1;
            if lost.is_power_of_two() {
                error!(lost, "ledger entries lost: the disk has refused them for too long");
            }
        }
    }

    /// The values under keys that begin with `prefix`, as they are on disk.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn all(&self, prefix: &str) -> Result<Vec<(String, String)>, LedgerError> {
        self.read(|db| store::all(db, prefix))
    }

    /// The newest durable sequence, and word of each newer one.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.shared.head.clone()
    }

    /// When the node is last known to have lived before this start; none for a new ledger.
    pub fn last_alive(&self) -> Option<Wall> {
        self.shared.last_alive
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub fn health(&self) -> Health {
        let state = &self.shared.state;
        let waiting = state.waiting.load(Relaxed);
        let running = state.running.load(Relaxed);
        Health {
            writable: running && !state.failing.load(Relaxed),
            running,
            waiting,
            pressure: (waiting as f64 / self.shared.config.entries_max as f64).min(1.0),
            lost: state.lost.load(Relaxed),
            appended: state.appended.load(Relaxed),
            commits: state.commits.load(Relaxed),
            commit_time: Duration::from_micros(state.commit_us.load(Relaxed)),
        }
    }

    /// The disk takes what is written.
    pub fn healthy(&self) -> bool {
        self.health().writable
    }

    /// Where the stream begins and ends.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read; so with all that read.
    pub fn span(&self) -> Result<Span, LedgerError> {
        self.read(store::span)
    }

    /// Items from the sequence `from` on, a bounded number; none if there is no newer one.
    ///
    /// # Errors
    ///
    /// `LedgerError::Gone` if retention has removed `from`.
    pub fn page(&self, from: u64) -> Result<Vec<Item>, LedgerError> {
        self.read(|db| {
            let items = store::page(db, from, PAGE_ROWS_MAX, PAGE_BYTES_MAX)?;
            let oldest = match items.first() {
                Some(first) => first.sequence,
                None => store::span(db)?.oldest,
            };
            if from < oldest {
                return Err(LedgerError::Gone { sequence: from, oldest });
            }
            Ok(items)
        })
    }

    /// The sequence from which on everything is that happened at `time` or later.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn first_since(&self, time: Wall) -> Result<u64, LedgerError> {
        self.read(|db| store::first_since(db, time))
    }

    /// The record of a finished call with all that is known of it; none if there is none.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn record(&self, call: CallId) -> Result<Option<(u64, CallRecord)>, LedgerError> {
        self.read(|db| store::record_of(db, call, &self.shared.node))
    }

    /// The service level of queues, of what is durable.
    pub fn service(&self) -> &Live {
        &self.shared.service
    }

    /// Counts the callers of queues of the last two days. To be called before anything is
    /// appended; what comes later is counted as soon as it is durable.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn count_service(&self, terms: Terms, now: Wall) -> Result<(), LedgerError> {
        let service = self.service();
        service.agree(terms);
        let from = self.first_since(Wall::from_micros(now.as_micros() - HISTORY_US))?;
        self.read(|db| store::visits(db, from, &mut |entry| service.count(entry, now)))
    }

    /// The facts of a call after the sequence `after`, in order, a bounded number; none if there
    /// are no more.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn facts(&self, call: CallId, after: u64) -> Result<Vec<(u64, Entry)>, LedgerError> {
        self.read(|db| store::facts_of(db, call, after, PAGE_ROWS_MAX))
    }

    /// When the oldest entry that is kept happened; none in an empty ledger.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn oldest(&self) -> Result<Option<Wall>, LedgerError> {
        self.read(store::oldest)
    }

    /// Up to `records_max` records with a sequence below `before`, newest first, as they were when
    /// their calls ended.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn records_before(
        &self,
        before: u64,
        records_max: usize,
    ) -> Result<Vec<Item>, LedgerError> {
        self.read(|db| store::records_before(db, before, records_max))
    }

    /// What a consumer has acknowledged; none if its name is new.
    ///
    /// # Errors
    ///
    /// If the disk cannot be read.
    pub fn acknowledged(&self, consumer: &str) -> Result<Option<u64>, LedgerError> {
        self.read(|db| store::acknowledged(db, consumer))
    }

    /// Notes durably that a consumer has everything up to `sequence`, and gives what is in force:
    /// an acknowledgement never goes back.
    ///
    /// # Errors
    ///
    /// If nothing that new exists, if there are too many consumers, if the disk refuses.
    pub async fn acknowledge(&self, consumer: &str, sequence: u64) -> Result<u64, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Acknowledge { consumer: consumer.to_owned(), sequence, reply };
        self.shared.orders.try_send(order).map_err(|_| LedgerError::Refusing)?;
        answer.await.map_err(|_| LedgerError::Refusing)?
    }

    /// Makes everything durable that was appended, and ends the writer. True if all is on disk.
    /// Blocks; if the disk refuses, for no longer than one more attempt.
    pub fn close(&self) -> bool {
        let (reply, answer) = bounded(1);
        let asked = self.shared.orders.send(Order::Close { reply }).is_ok();
        let written = asked && answer.recv().unwrap_or(false);
        let thread = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            _ = thread.join();
        }
        written
    }

    /// Runs a query on a connection of its own, beside the writer and other readers.
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let readers = || self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = readers().pop();
        let db = match kept {
            Some(db) => db,
            None => store::open_reader(&self.shared.path)?,
        };
        let found = query(&db)?; // a connection whose query failed is not used again
        let mut readers = readers();
        if readers.len() < READERS_KEPT_MAX {
            readers.push(db);
        }
        Ok(found)
    }
}

/// Claims the ledger at `path` for this process, for as long as the file is held.
fn lock(path: &Path) -> Result<File, LedgerError> {
    let path = path.with_extension("lock");
    let wrong = |error| LedgerError::file(&path, error);
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(LedgerError::file(&path, error)),
    }
}

/// Why the ledger cannot do something.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("sequence {sequence} does not exist yet; the newest is {newest}")]
    Ahead { sequence: u64, newest: u64 },
    #[error("{max} consumers are known already; raise [ledger] consumers_max")]
    Consumers { max: usize },
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("sequence {sequence} is no longer kept; the oldest is {oldest}")]
    Gone { sequence: u64, oldest: u64 },
    #[error("{path} is held by a running node", path = path.display())]
    InUse { path: PathBuf },
    #[error("a row of the ledger is broken: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the ledger cannot be written at the moment")]
    Refusing,
    #[error("{path} is another file than the one that was opened", path = path.display())]
    Replaced { path: PathBuf },
    #[error("the ledger's storage: {0}")]
    Storage(#[from] rusqlite::Error),
    #[error("the ledger has layout {found}; this version reads layout {known}")]
    Version { found: i64, known: i64 },
}

impl LedgerError {
    fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
