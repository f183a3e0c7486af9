//! A generator of RTP that counts every packet at both ends.
//!
//! Each end of a call sends 50 packets a second, numbered, with the time in their payload; whatever
//! relays them must leave the payload alone. Ends share a few sockets, so that thousands of streams
//! need a few threads only. Uses the standard library alone, for tests and `cargo xtask load`.
#![allow(clippy::disallowed_methods, reason = "real sockets need the real clock")]
#![allow(clippy::unwrap_used, reason = "a tool of tests: what fails must be seen")]
#![allow(dead_code, reason = "each user needs a part of it")]

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[path = "wait.rs"]
mod wait;

/// The sockets of all ends.
pub struct Probe {
    sockets: Vec<UdpSocket>,
}

/// One end of a call.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The port of the relay that the end talks to.
    pub to: SocketAddr,
    /// Which end must hear it.
    pub heard_by: usize,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
    /// Packets that came to another end, or twice.
    pub astray: u64,
    /// Packets that came after a later one of their stream.
    pub reordered: u64,
    /// Time from one end to the other, in microseconds.
    pub latency_p50_us: u64,
    pub latency_p99_us: u64,
    pub latency_max_us: u64,
}

/// What one receiving thread saw of a packet.
struct Arrival {
    end: u32,
    number: u32,
    socket: usize,
    latency_us: u32,
}

impl Probe {
    /// Binds so many sockets to free ports.
    pub fn bind(ip: IpAddr, sockets: usize) -> io::Result<Self> {
        let bind = |_| {
            let socket = UdpSocket::bind((ip, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(100)))?;
            Ok(socket)
        };
        Ok(Self { sockets: (0..sockets.max(1)).map(bind).collect::<io::Result<_>>()? })
    }

    /// Where an end is: what its SDP must say.
    pub fn address(&self, end: usize) -> SocketAddr {
        self.sockets[end % self.sockets.len()].local_addr().unwrap()
    }

    /// Lets all ends talk for a while; returns half a second after the last packet.
    pub fn run(&self, ends: &[End], length: Duration) -> Report {
        let start = Instant::now();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let receivers: Vec<_> = (0..self.sockets.len())
                .map(|socket| {
                    scope.spawn({
                        let stop = &stop;
                        move || self.receive(socket, start, stop)
                    })
                })
                .collect();
            let sent = self.send(ends, start, length);
            wait::pause(Duration::from_millis(500));
            stop.store(true, Ordering::Relaxed); // pairs with the load in `receive`; time decides
            let arrivals = receivers.into_iter().flat_map(|thread| thread.join().unwrap());
            self.sum_up(ends, &sent, arrivals.collect())
        })
    }

    /// Sends a twentieth of the streams each millisecond; gives how many each end sent.
    fn send(&self, ends: &[End], start: Instant, length: Duration) -> Vec<u32> {
        let mut sent = vec![0; ends.len()];
        for tick in 0..u64::try_from(length.as_millis()).unwrap() {
            let due = Duration::from_millis(tick);
            if let Some(early) = due.checked_sub(start.elapsed()) {
                wait::pause(early);
            }
            for (index, end) in ends.iter().enumerate().skip(tick as usize % 20).step_by(20) {
                let packet = packet(index as u32, sent[index], start.elapsed());
                if self.sockets[index % self.sockets.len()].send_to(&packet, end.to).is_ok() {
                    sent[index] += 1;
                }
            }
        }
        sent
    }

    fn receive(&self, socket: usize, start: Instant, stop: &AtomicBool) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut bytes = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, _)) = self.sockets[socket].recv_from(&mut bytes) else { continue };
            let now = start.elapsed();
            let Some((end, number, sent_at)) = read(&bytes[..length]) else { continue };
            let latency = now.saturating_sub(sent_at).as_micros();
            let latency_us = u32::try_from(latency).unwrap_or(u32::MAX);
            arrivals.push(Arrival { end, number, socket, latency_us });
        }
        arrivals
    }

    fn sum_up(&self, ends: &[End], sent: &[u32], arrivals: Vec<Arrival>) -> Report {
        let mut seen: Vec<Vec<bool>> =
            sent.iter().map(|count| vec![false; *count as usize]).collect();
        let mut highest = vec![0; ends.len()];
        let mut report =
            Report { sent: sent.iter().map(|n| u64::from(*n)).sum(), ..Report::default() };
        let mut latencies = Vec::with_capacity(arrivals.len());
        for Arrival { end, number, socket, latency_us } in arrivals {
            let end = end as usize;
            let place = seen.get_mut(end).and_then(|seen| seen.get_mut(number as usize));
            let at_home =
                ends.get(end).is_some_and(|end| end.heard_by % self.sockets.len() == socket);
            match place {
                Some(place) if at_home && !*place => {
                    *place = true;
                    report.received += 1;
                    report.reordered += u64::from(number < highest[end]);
                    highest[end] = highest[end].max(number);
                    latencies.push(u64::from(latency_us));
                }
                _ => report.astray += 1,
            }
        }
        report.lost = report.sent - report.received;
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or(0)
        };
        report.latency_p50_us = at(0.5);
        report.latency_p99_us = at(0.99);
        report.latency_max_us = at(1.0);
        report
    }
}

/// 20 ms of A-law by its header; the payload says who sent it when.
fn packet(end: u32, number: u32, at: Duration) -> [u8; 172] {
    let mut packet = [0xd5; 172];
    packet[0] = 0x80;
    packet[1] = 8;
    packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&(160 * number).to_be_bytes());
    packet[8..12].copy_from_slice(&(0x5000_0000 + end).to_be_bytes());
    packet[12..20].copy_from_slice(MARK);
    packet[20..24].copy_from_slice(&end.to_be_bytes());
    packet[24..28].copy_from_slice(&number.to_be_bytes());
    packet[28..36].copy_from_slice(&u64::try_from(at.as_nanos()).unwrap().to_be_bytes());
    packet
}

fn read(bytes: &[u8]) -> Option<(u32, u32, Duration)> {
    let payload = bytes.get(12..36)?.strip_prefix(MARK)?;
    let end = u32::from_be_bytes(payload[..4].try_into().ok()?);
    let number = u32::from_be_bytes(payload[4..8].try_into().ok()?);
    let nanos = u64::from_be_bytes(payload[8..16].try_into().ok()?);
    Some((end, number, Duration::from_nanos(nanos)))
}

/// Tells the probe's packets from music and prompts.
const MARK: &[u8; 8] = b"rtpprobe";
