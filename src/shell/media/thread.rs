//! One media thread: its sockets, its clock, its engine.
//!
//! It waits in epoll, level-triggered, one datagram per socket and round. Under load it looks at
//! its sockets once a millisecond: a round then serves many datagrams for one wake-up, which costs
//! less than being woken for each.
//!
//! Sockets stay unconnected although connecting them after latching would save a route lookup per
//! packet: a connected socket's strangers are dropped by the kernel, uncounted, and a phone that
//! moves would not be heard before its re-INVITE is through.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::id::LegId;
use crate::media::control::{Command, Event, Port};
use crate::media::engine::{Datagram, Departed, Engine, Output, Slot};
use crate::rtp::srtp::OVERHEAD_MAX;
use crate::shell::clock::Clock;
use crate::shell::media::Report;
use crate::shell::media::ports::{Pair, Ports};
use crate::shell::media::prompts::Prompts;
use crate::shell::media::queue::Queue;
use crate::time::{Duration, Instant};

/// What a media thread is told.
#[derive(Debug)]
pub enum Order {
    /// A leg comes from another thread, with its sockets.
    Arrive(Box<(Departed, Pair)>),
    Command(Command),
    /// Closes all legs and ends the thread.
    Stop,
}

/// What a media thread counted since it started.
#[derive(Debug, Default)]
pub struct Tally {
    /// Commands that found no room.
    pub commands_lost: AtomicU64,
    /// Datagrams from phones.
    pub received: AtomicU64,
    /// Datagrams to phones.
    pub sent: AtomicU64,
    /// Datagrams that the operating system would not take.
    pub send_failures: AtomicU64,
    /// Legs with an open port.
    pub legs: AtomicU64,
}

/// Everything a media thread owns.
pub struct MediaThread {
    pub number: u8,
    pub clock: Clock,
    pub engine: Engine,
    pub ports: Ports,
    pub prompts: Prompts,
    pub recordings: Queue,
    pub report: Report,
    pub orders: Receiver<Order>,
    pub wake: Arc<OwnedFd>,
    /// All media threads, by their numbers.
    pub others: Vec<(Sender<Order>, Arc<OwnedFd>)>,
    pub tally: Arc<Tally>,
}

impl MediaThread {
    /// Works until it is told to stop.
    ///
    /// # Errors
    ///
    /// If epoll cannot be had.
    pub fn run(self) -> io::Result<()> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &self.wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        let mut worker = Worker {
            epoll,
            out: Vec::new(),
            backlog: VecDeque::new(),
            leaving: VecDeque::new(),
            datagram: Box::new([0; DATAGRAM_MAX + OVERHEAD_MAX]),
            thread: self,
        };
        worker.work()?;
        worker.backlog.drain(..).for_each(|event| worker.thread.report.send(event));
        worker.thread.recordings.settle();
        Ok(())
    }
}

struct Worker {
    thread: MediaThread,
    epoll: OwnedFd,
    /// Emptied after each step; kept for its memory.
    out: Vec<Output>,
    /// Events that found no room.
    backlog: VecDeque<Event>,
    /// Legs for other threads that found no room.
    leaving: VecDeque<(u8, Order)>,
    datagram: Box<[u8; DATAGRAM_MAX + OVERHEAD_MAX]>,
}

impl Worker {
    fn work(&mut self) -> io::Result<()> {
        let mut ready = Vec::with_capacity(ROUND_MAX);
        let mut pace = Pace::new(self.thread.clock.now());
        loop {
            let now = self.thread.clock.now();
            if !self.take_orders(now) {
                return Ok(());
            }
            self.thread.engine.tick(now, &self.thread.prompts, &mut self.out);
            self.carry_out(now);
            self.look_after(now);

            self.wait(&mut ready, pace.is_busy)?;
            let now = self.thread.clock.now();
            let datagrams = ready.len() as u64;
            for event in ready.drain(..) {
                self.serve(now, event.data.u64());
            }
            pace.round(now, datagrams);
            if pace.is_busy {
                pause(pace.next_at, self.thread.clock.now());
            }
        }
    }

    /// Applies the commands that wait, up to a bound; false at the end.
    fn take_orders(&mut self, now: Instant) -> bool {
        for _ in 0..ORDERS_MAX {
            match self.thread.orders.try_recv() {
                Ok(Order::Arrive(arrival)) => {
                    let (departed, pair) = *arrival;
                    self.thread.ports.adopt(departed.slot, pair);
                    self.thread.engine.arrive(departed, &mut self.out);
                    self.carry_out(now);
                }
                Ok(Order::Command(Command::Move { leg, to })) => self.depart(now, leg, to),
                Ok(Order::Command(command)) => self.apply(now, command),
                Ok(Order::Stop) | Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    for leg in self.thread.engine.open_legs() {
                        self.apply(now, Command::Close { leg });
                    }
                    return false;
                }
                Err(crossbeam_channel::TryRecvError::Empty) => return true,
            }
        }
        wake(&self.thread.wake);
        true
    }

    fn apply(&mut self, now: Instant, command: Command) {
        if let Command::Open { leg, port } = &command
            && !self.thread.ports.is_spare(Slot::of(port.rtp))
        {
            tracing::error!(%leg, port = port.rtp, "a leg wants a port that is not spare");
            return;
        }
        self.thread.engine.handle(now, command, &mut self.out);
        self.carry_out(now);
    }

    /// Sends a leg with its sockets to another thread; what they receive meanwhile waits in them.
    fn depart(&mut self, now: Instant, leg: LegId, to: u8) {
        let Some(departed) = self.thread.engine.depart(now, leg) else { return };
        let Some(pair) = self.thread.ports.give_away(departed.slot) else { return };
        for socket in [&pair.rtp, &pair.rtcp] {
            let _ = epoll::delete(&self.epoll, socket); // it was added when the leg was opened
        }
        self.leaving.push_back((to, Order::Arrive(Box::new((departed, pair)))));
        self.send_away();
    }

    fn send_away(&mut self) {
        while let Some((to, order)) = self.leaving.pop_front() {
            let Some((orders, awake)) = self.thread.others.get(usize::from(to)) else { continue };
            match orders.try_send(order) {
                Ok(()) => wake(awake),
                Err(TrySendError::Full(order)) => {
                    self.leaving.push_front((to, order));
                    return;
                }
                Err(TrySendError::Disconnected(_)) => {} // the process ends
            }
        }
    }

    /// Ports, events and recordings that could not be dealt with at once.
    fn look_after(&mut self, now: Instant) {
        if self.thread.ports.next_tick().is_some_and(|at| at <= now) {
            let ready = self.thread.ports.refill(now);
            self.backlog.extend(ready.into_iter().map(|port| Event::Spare { port }));
        }
        self.send_away();
        self.thread.report.send_some(&mut self.backlog);
        self.thread.recordings.retry();
        // Counts, read by whoever wants to know: they pair with nothing.
        self.thread.tally.legs.store(self.thread.engine.legs() as u64, Ordering::Relaxed);
    }

    /// Waits for a datagram, a command or a deadline; under load it only looks.
    fn wait(&mut self, ready: &mut Vec<epoll::Event>, is_busy: bool) -> io::Result<()> {
        let now = self.thread.clock.now();
        let deadlines = [self.thread.engine.next_tick(), self.thread.ports.next_tick()];
        let owes = !self.backlog.is_empty() || !self.leaving.is_empty();
        let retry = owes.then(|| now + BACKLOG_RETRY);
        let next = deadlines.into_iter().flatten().chain(retry).min();
        let wait = match next {
            _ if is_busy => Some(Duration::ZERO),
            Some(next) => Some(next.since(now).min(WAIT_MAX)),
            None => Some(WAIT_MAX),
        };
        match epoll::wait(&self.epoll, spare_capacity(ready), wait.map(timespec).as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes one datagram from the socket that a token names.
    fn serve(&mut self, now: Instant, token: u64) {
        if token == WAKE {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.thread.wake, &mut count); // only clears the count
            return;
        }
        let slot = Slot::of((token >> 1) as u16 * 2);
        let Some(pair) = self.thread.ports.pair(slot) else { return };
        let is_rtcp = token & 1 == 1;
        let socket = if is_rtcp { &pair.rtcp } else { &pair.rtp };
        let (length, from) = match socket.recv_from(&mut self.datagram[..DATAGRAM_MAX]) {
            Ok((length, from)) => (length, canonical(from)),
            Err(_) => return, // taken already, or an error of an earlier send
        };
        count(&self.thread.tally.received);
        // What fills the buffer was cut off: it is no packet.
        let length = if length == DATAGRAM_MAX { 0 } else { length };
        if is_rtcp {
            self.thread.engine.rtcp(now, slot, from, &mut self.datagram[..length]);
            return self.carry_out(now);
        }
        let datagram = Datagram { buffer: &mut self.datagram[..], length };
        if let Some(forward) = self.thread.engine.rtp(now, slot, from, datagram, &mut self.out)
            && let Some(pair) = self.thread.ports.pair(forward.slot)
        {
            self.thread.send(&pair.rtp, &self.datagram[..forward.length], forward.to);
        }
        self.carry_out(now);
    }

    /// Does what the engine asked for.
    fn carry_out(&mut self, now: Instant) {
        if self.out.is_empty() {
            return;
        }
        let mut out = mem::take(&mut self.out);
        for output in out.drain(..) {
            self.carry_out_one(now, output);
        }
        self.out = out;
    }

    fn carry_out_one(&mut self, now: Instant, output: Output) {
        let number = self.thread.number;
        match output {
            Output::Close { slot } => {
                if let Some(pair) = self.thread.ports.pair(slot) {
                    let _ = epoll::delete(&self.epoll, &pair.rtp);
                    let _ = epoll::delete(&self.epoll, &pair.rtcp);
                }
                self.thread.ports.release(now, slot);
            }
            Output::Event(Event::Counted { .. }) if self.backlog.len() >= BACKLOG_MAX => {}
            // A phone can press keys faster than a stalled Switch takes them; what is
            // counted comes again; all other events are bounded by the legs.
            Output::Event(Event::Digit { leg, .. }) if self.backlog.len() >= BACKLOG_MAX => {
                tracing::warn!(%leg, "the Switch does not keep up: a key is lost");
            }
            Output::Event(event) => self.backlog.push_back(event),
            Output::Record { id: recording, leg, path } => {
                self.thread.recordings.begin(recording, leg, path);
            }
            Output::Recorded { id: recording, fault } => {
                self.backlog.extend(self.thread.recordings.end(recording, fault));
            }
            Output::Return { slot } => {
                if self.thread.ports.is_spare(slot) {
                    let port = Port { rtp: slot.port(), thread: number };
                    self.backlog.push_back(Event::Spare { port });
                }
            }
            Output::Rtcp { slot, to, packet } => {
                if let Some(pair) = self.thread.ports.pair(slot) {
                    self.thread.send(&pair.rtcp, &packet, to);
                }
            }
            Output::Rtp { slot, to, packet } => {
                if let Some(pair) = self.thread.ports.pair(slot) {
                    self.thread.send(&pair.rtp, &packet, to);
                }
            }
            Output::Samples { id: recording, block } => {
                self.thread.recordings.samples(recording, block);
            }
            Output::Serve { slot } => self.listen(slot),
        }
    }

    fn listen(&mut self, slot: Slot) {
        let Some(pair) = self.thread.ports.serve(slot) else { return };
        let token = slot.index() as u64 * 2;
        for (socket, token) in [(&pair.rtp, token), (&pair.rtcp, token + 1)] {
            let data = epoll::EventData::new_u64(token);
            if let Err(error) = epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN) {
                tracing::error!(port = slot.port(), %error, "a media port cannot be heard");
            }
        }
    }
}

impl MediaThread {
    fn send(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        let to = if self.ports.is_v6() { mapped(to) } else { to };
        match socket.send_to(bytes, to) {
            Ok(_) => count(&self.tally.sent),
            Err(error) => {
                tracing::trace!(%error, "a packet was not sent");
                count(&self.tally.send_failures);
            }
        }
    }
}

/// Decides whether there are enough datagrams for rounds of a millisecond.
struct Pace {
    is_busy: bool,
    /// When the next round begins.
    next_at: Instant,
    window_ends: Instant,
    datagrams: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { is_busy: false, next_at: now, window_ends: now + WINDOW, datagrams: 0 }
    }

    fn round(&mut self, now: Instant, datagrams: u64) {
        self.datagrams += datagrams;
        if now >= self.window_ends {
            self.is_busy = self.datagrams >= BUSY_DATAGRAMS;
            self.datagrams = 0;
            self.window_ends = now + WINDOW;
        }
        self.next_at = (self.next_at + ROUND).max(now);
        self.next_at = self.next_at.min(now + ROUND);
    }
}

fn pause(until: Instant, now: Instant) {
    let wait = until.since(now);
    if !wait.is_zero() {
        let _ = rustix::event::poll(&mut [], Some(&timespec(wait)));
    }
}

/// Ends a thread's wait.
pub fn wake(eventfd: &OwnedFd) {
    // It fails only when the count is at its end: then the thread is awake.
    let _ = rustix::io::write(eventfd, &1_u64.to_ne_bytes());
}

fn timespec(wait: Duration) -> Timespec {
    Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed); // a count: pairs with nothing
}

/// An IPv4 address as such, however an IPv6 socket names it.
fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

/// The address by which an IPv6 socket reaches an IPv4 phone.
fn mapped(to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        IpAddr::V6(_) => to,
    }
}

/// The token of the eventfd.
const WAKE: u64 = u64::MAX;
/// Larger datagrams are no audio.
const DATAGRAM_MAX: usize = 2048;
/// Sockets served in one round.
const ROUND_MAX: usize = 2048;
/// Commands applied between two rounds.
const ORDERS_MAX: usize = 256;
/// The longest a thread sleeps.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Events that may wait for the Switch before keys are dropped.
const BACKLOG_MAX: usize = 10_000;
/// How often events that found no room are tried again.
const BACKLOG_RETRY: Duration = Duration::from_millis(5);
/// The length of a round under load.
const ROUND: Duration = Duration::from_millis(1);
/// What `BUSY_DATAGRAMS` are counted in.
const WINDOW: Duration = Duration::from_millis(20);
/// Datagrams in a window from which rounds are paced: twenty calls.
const BUSY_DATAGRAMS: u64 = 40;
