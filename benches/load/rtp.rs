//! RTP phones for loads: each says a packet every 20 ms and counts what it hears.
//!
//! A packet carries its stream, number and moment, so that the far end can tell what was lost and
//! how long it took.

use std::collections::HashMap;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use strowger::rtp::srtp::{OVERHEAD_MAX, Receiver, Sender};

use crate::support::wait;

/// A G.711 packet: 12 bytes of header, 20 ms of audio.
const PACKET_BYTES: usize = 172;
const PACKET_TIME: Duration = Duration::from_millis(20);

/// One phone's audio: its socket, and where the switch wants its packets.
#[derive(Debug)]
pub struct Stream {
    pub socket: UdpSocket,
    pub to: SocketAddrV4,
    /// If its audio is encrypted: by the thread that speaks, and by the one that hears.
    pub secure: Option<(Mutex<Sender>, Mutex<Receiver>)>,
}

/// What was counted over all streams.
#[derive(Debug, Default)]
pub struct Counted {
    pub sent: u64,
    pub received: u64,
    /// Milliseconds from one end to the other.
    pub delays: Vec<f64>,
}

/// Lets every stream speak for a time. Packets of the first second are sent but not counted: the
/// switch learns where each phone is.
pub fn exchange(streams: Vec<Stream>, time: Duration) -> Counted {
    let began = wait::now();
    let streams = Arc::new(streams);
    let done = Arc::new(AtomicBool::new(false));
    let hearing = {
        let (streams, done) = (Arc::clone(&streams), Arc::clone(&done));
        thread::spawn(move || hear(&streams, began, &done))
    };
    let sent = speak(&streams, began, time);
    wait::pause(Duration::from_millis(500));
    // Relaxed: the thread may see it a turn later, and hears a little longer.
    done.store(true, Ordering::Relaxed);
    let mut counted = hearing.join().expect("the hearing thread counts to its end");
    counted.sent = sent;
    counted
}

/// Sends each stream's packets on time, spread over the 20 ms; returns how many count.
fn speak(streams: &[Stream], began: Instant, time: Duration) -> u64 {
    let gap = PACKET_TIME / u32::try_from(streams.len()).expect("a few hundred streams");
    let mut counted = 0;
    let mut number = 0_u32;
    while PACKET_TIME * number < time + WARM_UP {
        for (stream, index) in streams.iter().zip(0_u32..) {
            let due = began + PACKET_TIME * number + gap * index;
            wait::pause(due.saturating_duration_since(wait::now()));
            let counts = PACKET_TIME * number >= WARM_UP;
            let mut packet = packet(index, number, began, counts);
            let length = stream.seal(&mut packet);
            // A full socket buffer is a lost packet, and is counted as one.
            let _ = stream.socket.send_to(&packet[..length], stream.to);
            counted += u64::from(counts);
        }
        number += 1;
    }
    counted
}

const WARM_UP: Duration = Duration::from_secs(1);

impl Stream {
    /// Encrypts a packet, if the stream is; gives its length.
    fn seal(&self, packet: &mut [u8]) -> usize {
        let Some((sender, _)) = &self.secure else { return PACKET_BYTES };
        let mut sender = sender.lock().expect("no thread has failed");
        sender.seal_rtp(packet, PACKET_BYTES).expect("each packet has its number")
    }

    /// Decrypts a packet, if the stream is.
    fn open<'a>(&self, datagram: &'a mut [u8]) -> &'a [u8] {
        let Some((_, receiver)) = &self.secure else { return datagram };
        let opened = receiver.lock().expect("no thread has failed").open_rtp(datagram);
        &datagram[..opened.unwrap_or(0)]
    }
}

fn packet(
    stream: u32,
    number: u32,
    began: Instant,
    counts: bool,
) -> [u8; PACKET_BYTES + OVERHEAD_MAX] {
    let mut packet = [0xd5; PACKET_BYTES + OVERHEAD_MAX];
    let sequence = (number as u16).to_be_bytes();
    packet[..4].copy_from_slice(&[0x80, 0, sequence[0], sequence[1]]);
    packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&(0x5747_0000 + stream).to_be_bytes());
    let micros = wait::now().duration_since(began).as_micros() as u64;
    packet[12..16].copy_from_slice(MARK);
    packet[16..20].copy_from_slice(&stream.to_be_bytes());
    packet[20..24].copy_from_slice(&number.to_be_bytes());
    packet[24..32].copy_from_slice(&micros.to_be_bytes());
    packet[32] = u8::from(counts);
    packet
}

/// Begins the payload of each of our packets.
const MARK: &[u8] = b"LOAD";

/// Takes what comes until told to stop; each packet of a stream counts once.
fn hear(streams: &[Stream], began: Instant, done: &AtomicBool) -> Counted {
    let mut counted = Counted::default();
    let mut heard: HashMap<(u32, u32), ()> = HashMap::new();
    let mut datagram = [0; 2048];
    while !done.load(Ordering::Relaxed) {
        let mut ready: Vec<PollFd<'_>> = streams
            .iter()
            .map(|stream| PollFd::from_borrowed_fd(stream.socket.as_fd(), PollFlags::IN))
            .collect();
        let limit = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if poll(&mut ready, Some(&limit)).is_err() {
            continue;
        }
        for (stream, ready) in streams.iter().zip(&ready) {
            if !ready.revents().contains(PollFlags::IN) {
                continue;
            }
            while let Ok(size) = stream.socket.recv(&mut datagram) {
                let micros = wait::now().duration_since(began).as_micros() as u64;
                let Some((id, sent)) = read(stream.open(&mut datagram[..size])) else { continue };
                if heard.insert(id, ()).is_none() {
                    counted.received += 1;
                    counted.delays.push(micros.saturating_sub(sent) as f64 / 1000.0);
                }
            }
        }
    }
    counted
}

/// Stream and number of a packet that counts, and when it was sent.
fn read(datagram: &[u8]) -> Option<((u32, u32), u64)> {
    let payload = datagram.get(12..)?;
    if payload.get(..4)? != MARK || *payload.get(20)? != 1 {
        return None;
    }
    let word = |at: usize| Some(u32::from_be_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    let sent = u64::from_be_bytes(payload.get(12..20)?.try_into().ok()?);
    Some(((word(4)?, word(8)?), sent))
}
