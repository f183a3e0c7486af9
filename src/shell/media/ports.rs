//! The port pairs of one media thread: bound ahead of need, rested after use.
//!
//! A pair is bound before the Switch writes it into SDP, so that a port which another program holds
//! is found out in time. Sockets are kept from call to call; what lies in them is thrown away
//! before a leg gets them.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::media::config::Config;
use crate::media::control::Port;
use crate::media::engine::Slot;
use crate::time::{Duration, Instant};

/// Two bound sockets, neither of which ever waits.
#[derive(Debug)]
pub struct Pair {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Reported, or taken by the Switch but not opened yet.
    Spare,
    Serving,
    Resting,
}

/// All pairs of a thread.
#[derive(Debug)]
pub struct Ports {
    listen: IpAddr,
    dscp: u32,
    thread: u8,
    rest: Duration,
    /// Spare pairs wanted.
    spares_wanted: usize,
    spares: usize,
    /// The thread's share of the range, the next to be tried first.
    untried: VecDeque<Slot>,
    pairs: Vec<Option<Pair>>,
    resting: VecDeque<(Instant, Slot)>,
    /// When ports that others hold are tried again.
    retry_at: Instant,
}

impl Ports {
    /// The share of thread number `thread` of `threads`.
    pub fn new(config: &Config, thread: u8, threads: u8) -> Self {
        let ports = config.ports.even_ports().skip(thread.into()).step_by(threads.max(1).into());
        Self {
            listen: config.listen,
            dscp: config.dscp,
            thread,
            rest: config.port_rest,
            spares_wanted: usize::from(config.spares).div_ceil(usize::from(threads.max(1))).max(1),
            spares: 0,
            untried: ports.map(Slot::of).collect(),
            pairs: Vec::new(),
            resting: VecDeque::new(),
            retry_at: Instant::START,
        }
    }

    /// Whether the sockets are IPv6's.
    pub fn is_v6(&self) -> bool {
        self.listen.is_ipv6()
    }

    pub fn pair(&self, slot: Slot) -> Option<&Pair> {
        self.pairs.get(slot.index())?.as_ref()
    }

    /// Whether a leg may be opened on it.
    pub fn is_spare(&self, slot: Slot) -> bool {
        self.pair(slot).is_some_and(|pair| pair.state == State::Spare)
    }

    /// A leg takes a spare pair; what strangers sent to it before is thrown away. One that came
    /// with its pair keeps what was sent to it on the way.
    pub fn serve(&mut self, slot: Slot) -> Option<&Pair> {
        let pair = self.pairs.get_mut(slot.index())?.as_mut()?;
        if pair.state == State::Spare {
            self.spares -= 1;
        }
        if pair.state != State::Serving {
            pair.drain();
        }
        pair.state = State::Serving;
        Some(pair)
    }

    /// A leg goes to another thread, with its pair.
    pub fn give_away(&mut self, slot: Slot) -> Option<Pair> {
        let pair = self.pairs.get_mut(slot.index())?;
        pair.take_if(|pair| pair.state == State::Serving)
    }

    /// A leg comes from another thread, with its pair, which is this thread's from now on.
    pub fn adopt(&mut self, slot: Slot, pair: Pair) {
        if self.pairs.len() <= slot.index() {
            self.pairs.resize_with(slot.index() + 1, || None);
        }
        self.pairs[slot.index()] = Some(pair);
    }

    /// The leg is closed: the pair rests.
    pub fn release(&mut self, now: Instant, slot: Slot) {
        if let Some(Some(pair)) = self.pairs.get_mut(slot.index())
            && pair.state == State::Serving
        {
            pair.state = State::Resting;
            self.resting.push_back((now + self.rest, slot));
        }
    }

    /// Makes rested pairs spare again and binds new ones up to what is wanted; gives those that
    /// may be taken from now on.
    pub fn refill(&mut self, now: Instant) -> Vec<Port> {
        let mut ready = Vec::new();
        while let Some((_, slot)) = self.resting.pop_front_if(|(at, _)| *at <= now) {
            if self.spares < self.spares_wanted {
                if let Some(Some(pair)) = self.pairs.get_mut(slot.index()) {
                    pair.state = State::Spare;
                    self.spares += 1;
                    ready.push(slot);
                }
            } else {
                self.pairs[slot.index()] = None;
                self.untried.push_back(slot);
            }
        }
        if now >= self.retry_at {
            self.bind_more(now, &mut ready);
        }
        ready.into_iter().map(|slot| Port { rtp: slot.port(), thread: self.thread }).collect()
    }

    /// When to call `refill` next, if no leg is opened or closed first.
    pub fn next_tick(&self) -> Option<Instant> {
        let rested = self.resting.front().map(|(at, _)| *at);
        let lacks = self.spares < self.spares_wanted && !self.untried.is_empty();
        let retry = lacks.then_some(self.retry_at);
        rested.into_iter().chain(retry).min()
    }

    fn bind_more(&mut self, now: Instant, ready: &mut Vec<Slot>) {
        let tries = self.untried.len().min(TRIES_MAX);
        for _ in 0..tries {
            if self.spares >= self.spares_wanted {
                return;
            }
            let Some(slot) = self.untried.pop_front() else { return };
            match Pair::bind(self.listen, slot.port(), self.dscp) {
                Ok(pair) => {
                    if self.pairs.len() <= slot.index() {
                        self.pairs.resize_with(slot.index() + 1, || None);
                    }
                    self.pairs[slot.index()] = Some(pair);
                    self.spares += 1;
                    ready.push(slot);
                }
                Err(error) => {
                    tracing::debug!(port = slot.port(), %error, "a media port is not free");
                    self.untried.push_back(slot);
                    self.retry_at = now + RETRY_AFTER;
                }
            }
        }
    }
}

impl Pair {
    fn bind(listen: IpAddr, port: u16, dscp: u32) -> io::Result<Self> {
        Ok(Self {
            rtp: bind(SocketAddr::new(listen, port), dscp)?,
            rtcp: bind(SocketAddr::new(listen, port + 1), dscp)?,
            state: State::Spare,
        })
    }

    /// Throws away what has been received, up to a bound.
    fn drain(&self) {
        let mut bytes = [0; 1];
        for socket in [&self.rtp, &self.rtcp] {
            for _ in 0..DRAIN_MAX {
                if socket.recv_from(&mut bytes).is_err() {
                    break;
                }
            }
        }
    }
}

/// Binds without sharing: a port that someone else holds is refused.
fn bind(address: SocketAddr, dscp: u32) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    let mark = (dscp & 0x3f) << 2;
    let marked =
        if address.is_ipv4() { socket.set_tos_v4(mark) } else { socket.set_tclass_v6(mark) };
    if let Err(error) = marked {
        tracing::debug!(%error, "packets go unmarked");
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Ports tried in one go, so that packets do not wait for long.
const TRIES_MAX: usize = 32;
/// How long a port that someone else holds is left alone.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Datagrams thrown away when a leg gets a socket; more than a receive buffer holds.
const DRAIN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ports_that_others_hold_are_skipped() {
        let theirs = UdpSocket::bind("127.0.0.9:24002").unwrap();
        let theirs_rtcp = UdpSocket::bind("127.0.0.9:24005").unwrap();
        let mut ports = ports("24000-24009", "127.0.0.9", 5);

        assert_eq!(taken(ports.refill(AT)), [24_000, 24_006, 24_008]);

        drop((theirs, theirs_rtcp));
        assert_eq!(taken(ports.refill(ports.next_tick().unwrap())), [24_002, 24_004]);
    }

    #[test]
    fn a_closed_port_rests_before_it_is_spare_again() {
        let mut ports = ports("24100-24101", "127.0.0.9", 5);
        assert_eq!(taken(ports.refill(AT)), [24_100]);
        let slot = Slot::of(24_100);
        ports.serve(slot).unwrap();
        assert!(!ports.is_spare(slot));

        ports.release(AT, slot);

        let rested = AT + Duration::from_secs(2);
        assert_eq!(ports.next_tick(), Some(rested));
        assert_eq!(taken(ports.refill(rested - Duration::from_micros(1))), [0; 0]);
        assert_eq!(taken(ports.refill(rested)), [24_100]);
        assert!(ports.is_spare(slot));
    }

    #[test]
    fn spares_are_bound_ahead_of_need_and_no_further() {
        let mut ports = ports("24200-24299", "127.0.0.9", 3);
        assert_eq!(ports.refill(AT).len(), 3);
        assert_eq!(ports.refill(AT).len(), 0);

        ports.serve(Slot::of(24_200)).unwrap();
        assert_eq!(taken(ports.refill(AT)), [24_206]);

        ports.release(AT, Slot::of(24_200));
        assert_eq!(taken(ports.refill(AT + Duration::from_secs(9))), [0; 0]);
        assert!(ports.pair(Slot::of(24_200)).is_none(), "more spares than wanted are let go");
    }

    #[test]
    fn what_came_before_the_leg_is_thrown_away() {
        let mut ports = ports("24300-24301", "127.0.0.9", 1);
        ports.refill(AT);
        let stranger = UdpSocket::bind("127.0.0.9:0").unwrap();
        for _ in 0..20 {
            stranger.send_to(b"boo", "127.0.0.9:24300").unwrap();
        }

        let pair = ports.serve(Slot::of(24_300)).unwrap();

        let error = pair.rtp.recv_from(&mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn threads_share_the_range() {
        let config = config("24400-24407", "127.0.0.9", 8);
        let mut first = Ports::new(&config, 0, 2);
        let mut second = Ports::new(&config, 1, 2);

        assert_eq!(taken(first.refill(AT)), [24_400, 24_404]);
        assert_eq!(taken(second.refill(AT)), [24_402, 24_406]);
    }

    const AT: Instant = Instant::from_micros(1_000_000);

    fn config(range: &str, listen: &str, spares: u16) -> Config {
        let listen = IpAddr::V4(listen.parse::<Ipv4Addr>().unwrap());
        Config { listen, ports: range.parse().unwrap(), spares, ..Config::default() }
    }

    fn ports(range: &str, listen: &str, spares: u16) -> Ports {
        Ports::new(&config(range, listen, spares), 0, 1)
    }

    fn taken(ports: Vec<Port>) -> Vec<u16> {
        ports.into_iter().map(|port| port.rtp).collect()
    }
}
