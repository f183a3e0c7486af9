//! What everybody sees who watches: the newest state of calls, agents, queues, phones and trunks.
//!
//! The Switch says what has changed (`Output::Changed`), which costs it a bounded queue; one task
//! asks it how those things are, a few at a time and ten times a second at most, however many
//! watch. Nobody who watches holds up anything: each reads the table at his own pace. While nobody
//! watches, nothing is asked.

pub mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_queue::ArrayQueue;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::id::QueueId;
use crate::shell::figures::Live;
use crate::shell::grpc::handle::{AskError, SwitchHandle};
use crate::switch::request::{Reply, Request, Subject, View};
use crate::time::Duration;
use table::Table;

/// The board; clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What has changed.
    marks: ArrayQueue<Subject>,
    /// More changed than `marks` holds, or somebody new watches: everything is asked for.
    all: AtomicBool,
    wake: Notify,
    watchers: AtomicUsize,
    /// How often somebody wanted to know everything, and which of these is answered.
    wanted: AtomicU64,
    answered: watch::Sender<u64>,
    table: Mutex<Table>,
    version: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self(Arc::new(Shared {
            marks: ArrayQueue::new(MARKS_MAX),
            all: AtomicBool::new(false),
            wake: Notify::new(),
            watchers: AtomicUsize::new(0),
            wanted: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            table: Mutex::default(),
            version: watch::Sender::new(0),
        }))
    }
}

impl Board {
    /// Says that these are not as they were. Never waits.
    pub fn mark(&self, subjects: Vec<Subject>) {
        let shared = &self.0;
        if shared.watchers.load(SeqCst) == 0 {
            return; // who comes next asks for everything
        }
        for subject in subjects {
            if shared.marks.push(subject).is_err() {
                shared.all.store(true, SeqCst);
            }
        }
        shared.wake.notify_one();
    }

    /// Lets one more watch, from a fresh look on; none if `WATCHERS_MAX` do.
    pub async fn watch(&self) -> Option<Watch> {
        let count = self
            .0
            .watchers
            .fetch_update(SeqCst, SeqCst, |count| (count < WATCHERS_MAX).then_some(count + 1));
        count.ok()?;
        let watch = Watch { board: self.clone(), version: self.0.version.subscribe() };
        let mut answered = self.0.answered.subscribe();
        // In this order: a look that counts as an answer began after both.
        self.0.all.store(true, SeqCst);
        let wanted = self.0.wanted.fetch_add(1, SeqCst) + 1;
        self.0.wake.notify_one();
        answered.wait_for(|answered| *answered >= wanted).await.ok()?;
        Some(watch)
    }

    /// Keeps the table up to date. Never ends.
    pub async fn run(self, switch: SwitchHandle, service: Live) {
        loop {
            tokio::select! {
                () = self.0.wake.notified() => {}
                queues = service.news() => {
                    self.touch(queues);
                    sleep(PAUSE).await;
                    continue;
                }
            }
            let wanted = self.0.wanted.load(SeqCst);
            if let Err(error) = self.look(&switch).await {
                tracing::debug!(%error, "nothing is told to those who watch");
                self.0.all.store(true, SeqCst);
                self.0.wake.notify_one();
            } else {
                self.0.answered.send_replace(wanted);
            }
            sleep(PAUSE).await;
        }
    }

    /// Has it told that the figures of queues have changed.
    fn touch(&self, queues: BTreeSet<QueueId>) {
        let mut table = self.table();
        for queue in queues {
            table.touch(&Subject::Queue(queue));
        }
        self.0.version.send_replace(table.version());
    }

    /// Takes over how things are that have changed.
    async fn look(&self, switch: &SwitchHandle) -> Result<(), AskError> {
        if self.0.all.swap(false, SeqCst) {
            while self.0.marks.pop().is_some() {}
            let views = everything(switch).await?;
            self.table().set_all(views);
        } else {
            let mut times: BTreeMap<Subject, u64> = BTreeMap::new();
            while let Some(subject) = self.0.marks.pop() {
                *times.entry(subject).or_default() += 1;
            }
            let marked: Vec<Subject> = times.keys().cloned().collect();
            for few in marked.chunks(ASKED_MAX) {
                if let Reply::Seen(seen) = switch.ask(Request::Look(few.to_vec())).await? {
                    let mut table = self.table();
                    for (subject, view) in seen {
                        let times = times.get(&subject).copied().unwrap_or(1);
                        table.set_after(subject, view, times);
                    }
                }
            }
        }
        let version = self.table().version();
        self.0.version.send_replace(version);
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How everything is that can be watched.
async fn everything(switch: &SwitchHandle) -> Result<Vec<View>, AskError> {
    let mut views = Vec::new();
    for request in
        [Request::Agents, Request::Calls, Request::Phones, Request::Queues, Request::Trunks]
    {
        match switch.ask(request).await? {
            Reply::Agents(agents) => views.extend(agents.into_iter().map(View::Agent)),
            Reply::Calls(calls) => views.extend(calls.into_iter().map(View::Call)),
            Reply::Phones(phones) => views.extend(phones.into_iter().map(View::Phone)),
            Reply::Queues(queues) => views.extend(queues.into_iter().map(View::Queue)),
            Reply::Trunks(trunks) => views.extend(trunks.into_iter().map(View::Trunk)),
            _ => {}
        }
    }
    Ok(views)
}

/// Somebody's right to watch; given back when dropped.
#[derive(Debug)]
pub struct Watch {
    board: Board,
    version: watch::Receiver<u64>,
}

impl Watch {
    /// Reads the table; nobody who has to be quick waits for it.
    pub fn read<T>(&mut self, read: impl FnOnce(&Table) -> T) -> T {
        self.version.mark_unchanged();
        read(&self.board.table())
    }

    /// Waits until the table is not as it was when it was read.
    pub async fn changed(&mut self) {
        // The sender lives as long as the board, which this holds.
        let _ = self.version.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.board.0.watchers.fetch_sub(1, SeqCst);
        let mut table = self.board.table();
        if self.board.0.watchers.load(SeqCst) == 0 {
            *table = Table::default(); // the next one begins with a fresh look, after this
        }
    }
}

/// Things that wait to be looked at; if more change, everything is looked at.
const MARKS_MAX: usize = 16_384;
/// How many things the Switch is asked for at once: microseconds each.
const ASKED_MAX: usize = 64;
/// The least time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Those who may watch at one time.
pub const WATCHERS_MAX: usize = 100;
