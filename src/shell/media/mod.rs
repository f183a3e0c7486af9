//! Media threads: their sockets, ports, prompts and recording files.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle, available_parallelism};

use crossbeam_channel::{Sender, TrySendError, bounded};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::media::config::Config;
use crate::media::control::{Command, Event};
use crate::media::engine::{Engine, Limits};
use crate::rng::Rng;
use crate::shell::clock::Clock;
use crate::shell::media::file::Recordings;
use crate::shell::media::keyring::Keyring;
use crate::shell::media::ports::Ports;
use crate::shell::media::prompts::{Prompts, Source};
use crate::shell::media::retention::Growing;
use crate::shell::media::thread::{MediaThread, Order, Tally};

pub mod archive;
pub mod convert;
pub mod converting;
pub mod file;
mod gaps;
pub mod keyring;
pub mod margin;
pub mod opened;
pub mod ports;
pub mod prompts;
pub mod queue;
pub mod retention;
mod sync;
pub mod tape;
pub mod thread;

/// What the media threads need to know.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub prompts: Source,
    /// Recordings with a relative path are made below it.
    pub recordings: PathBuf,
    /// What they are encrypted with.
    pub keyring: Keyring,
    /// Told of those that are being written.
    pub growing: Growing,
    pub clock: Clock,
    /// Gives SSRCs and the beginnings of streams: must be unpredictable.
    pub rng: Rng,
}

/// All media threads of the process, with the threads that serve them.
#[derive(Debug)]
pub struct MediaThreads {
    threads: Vec<Thread>,
    recordings: Recordings,
    prompts: Option<(Prompts, JoinHandle<()>)>,
}

#[derive(Debug)]
struct Thread {
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
    /// It has orders that it was not woken for.
    unwoken: bool,
    tally: Arc<Tally>,
    handle: JoinHandle<()>,
}

/// What the media threads counted since they started, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands that found no room.
    pub commands_lost: u64,
    /// Legs with an open port.
    pub legs: u64,
    /// Datagrams from phones.
    pub received: u64,
    /// Datagrams to phones.
    pub sent: u64,
    /// Datagrams that the operating system would not take.
    pub send_failures: u64,
    /// Milliseconds that recordings lost to a slow or full disk.
    pub recording_lost_ms: u64,
}

impl MediaThreads {
    /// Starts the threads; spare ports and other events go to `events`, which the Switch's driver
    /// must keep emptying.
    ///
    /// # Errors
    ///
    /// If the listen address is not this machine's, or the operating system gives no thread.
    pub fn start<E>(setup: Setup, events: Sender<E>) -> io::Result<Self>
    where
        E: From<Event> + Send + 'static,
    {
        let Setup { mut config, prompts, recordings, keyring, growing, clock, mut rng } = setup;
        raise_file_limit();
        let affordable = spares_affordable(getrlimit(Resource::Nofile).current);
        if config.spares > affordable {
            tracing::warn!(wanted = config.spares, affordable, "few open files: fewer spare ports");
            config.spares = affordable;
        }
        drop(UdpSocket::bind((config.listen, 0))?);
        let report = Report::new(events);
        let recordings =
            Recordings::start(&config, (&recordings, keyring, growing), report.clone())?;
        let (prompts, reader) = Prompts::start(prompts)?;
        let count = thread_count(&config);
        let mut threads = Vec::new();
        let (mut others, mut queues) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (orders, taken) = bounded(ORDERS_MAX);
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            others.push((orders, Arc::new(eventfd(0, flags)?)));
            queues.push(taken);
        }
        for (number, taken) in (0..count).zip(queues) {
            let (orders, wake) = others[usize::from(number)].clone();
            let tally = Arc::new(Tally::default());
            let limits = Limits {
                record_length_max: config.record_length_max,
                silence_max: config.silence_max,
            };
            let media = MediaThread {
                number,
                engine: Engine::new(limits, clock.epoch(), Rng::from_seed(seed(&mut rng)))
                    .on_thread(number),
                clock: clock.clone(),
                ports: Ports::new(&config, number, count),
                prompts: prompts.clone(),
                recordings: recordings.queue(),
                report: report.clone(),
                orders: taken,
                wake: Arc::clone(&wake),
                others: others.clone(),
                tally: Arc::clone(&tally),
            };
            let handle = Builder::new().name(format!("media {number}")).spawn(move || {
                if let Err(error) = media.run() {
                    tracing::error!(%error, "a media thread ended");
                }
            })?;
            threads.push(Thread { orders, wake, unwoken: false, tally, handle });
        }
        Ok(Self { threads, recordings, prompts: Some((prompts, reader)) })
    }

    /// How many media threads there are; `Port::thread` is below it.
    pub fn threads(&self) -> u8 {
        self.threads.len() as u8 // at most `THREADS_MAX`
    }

    /// Gives an order to a thread without waiting; false, and counted, if it found no room. The
    /// thread looks at it at the next `wake` at the latest, or when half its room is taken.
    pub fn send(&mut self, thread: u8, command: Command) -> bool {
        let Some(media) = self.threads.get_mut(usize::from(thread)) else { return false };
        match media.orders.try_send(Order::Command(command)) {
            Ok(()) if media.orders.len() > ORDERS_MAX / 2 => {
                thread::wake(&media.wake);
                true
            }
            Ok(()) => {
                media.unwoken = true;
                true
            }
            Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) => {
                tracing::error!(?order, "a media thread does not keep up");
                media.tally.commands_lost.fetch_add(1, Ordering::Relaxed); // a count
                false
            }
        }
    }

    /// Wakes the threads that were given orders: once for all of them, since a wake-up costs more
    /// than most orders do.
    pub fn wake(&mut self) {
        for media in &mut self.threads {
            if std::mem::take(&mut media.unwoken) {
                thread::wake(&media.wake);
            }
        }
    }

    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        let recording_lost_ms = self.recordings.lost_ms();
        let mut figures = Figures { recording_lost_ms, ..Figures::default() };
        for Thread { tally, .. } in &self.threads {
            // Counts: they pair with nothing.
            figures.commands_lost += tally.commands_lost.load(Ordering::Relaxed);
            figures.legs += tally.legs.load(Ordering::Relaxed);
            figures.received += tally.received.load(Ordering::Relaxed);
            figures.sent += tally.sent.load(Ordering::Relaxed);
            figures.send_failures += tally.send_failures.load(Ordering::Relaxed);
        }
        figures
    }

    /// Closes all legs and waits until every recording is complete. `events` must be emptied
    /// meanwhile, or its receiver be gone.
    pub fn stop(mut self) {
        for Thread { orders, wake, handle, .. } in self.threads {
            drop(orders.send(Order::Stop));
            thread::wake(&wake);
            join(handle);
        }
        self.recordings.stop();
        if let Some((prompts, reader)) = self.prompts.take() {
            drop(prompts);
            join(reader);
        }
    }
}

fn join(handle: JoinHandle<()>) {
    if handle.join().is_err() {
        tracing::error!("a thread panicked");
    }
}

fn thread_count(config: &Config) -> u8 {
    match config.threads {
        0 => {
            let cores = available_parallelism().map_or(1, usize::from);
            u8::try_from(cores).unwrap_or(u8::MAX).min(THREADS_MAX)
        }
        count => count.min(THREADS_MAX),
    }
}

fn seed(rng: &mut Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&rng.u64().to_le_bytes());
    }
    seed
}

/// Lets the process open as many files as it may: each leg takes two sockets.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "the limit of open files stays");
    }
}

/// The spare port pairs that a limit of open files leaves room for: two sockets each, a quarter of
/// it in all.
fn spares_affordable(files_max: Option<u64>) -> u16 {
    let pairs = files_max.map_or(u64::from(u16::MAX), |files| files / 8);
    u16::try_from(pairs).unwrap_or(u16::MAX).max(1)
}

/// Orders that may wait for one thread.
const ORDERS_MAX: usize = 16_384;
/// Media threads at most.
const THREADS_MAX: u8 = 64;

/// The way of events to the Switch.
#[derive(Clone)]
pub struct Report {
    deliver: Arc<dyn Fn(Event) + Send + Sync>,
    has_room: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Report {
    /// Delivers into any channel that takes events, its receiver being the Switch's driver. Once
    /// that is gone, events vanish.
    pub fn new<E: From<Event> + Send + 'static>(events: Sender<E>) -> Self {
        let room = events.clone();
        Self {
            deliver: Arc::new(move |event: Event| drop(events.send(event.into()))),
            has_room: Arc::new(move || !room.is_full()),
        }
    }

    /// Reports one event; waits while the channel is full.
    pub fn send(&self, event: Event) {
        (self.deliver)(event);
    }

    /// Reports what there is room for, in order; the rest stays.
    pub fn send_some(&self, events: &mut VecDeque<Event>) {
        while (self.has_room)() {
            let Some(event) = events.pop_front() else { return };
            self.send(event);
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("has_room", &(self.has_room)()).finish_non_exhaustive()
    }
}
