//! RTP phones for loads: each says a packet every 20 ms and counts what it hears.
//!
//! Where packets are relayed, each carries its stream, number and moment, so that the far end can
//! tell what was lost and how long it took. Where voices are mixed nothing of that is left: there
//! phones say a quiet tone, one of each room is loud for a packet once a second, and the others
//! tell how late they hear that; what they lack, the numbers of the packets tell.

use std::collections::HashMap;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use strowger::rtp::srtp::{OVERHEAD_MAX, Receiver, Sender};

use crate::mixed::{self, Click, Listener, Mixed, Says};
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
    pub says: Says,
}

/// What was counted over all streams.
#[derive(Debug, Default)]
pub struct Counted {
    /// Packets that were said, but for those of tones.
    pub sent: u64,
    pub received: u64,
    /// Milliseconds from one end to the other.
    pub delays: Vec<f64>,
    /// What was heard of rooms.
    pub mixed: Mixed,
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
    let (sent, clicks) = speak(&streams, began, time);
    wait::pause(Duration::from_millis(500));
    // Relaxed: the thread may see it a turn later, and hears a little longer.
    done.store(true, Ordering::Relaxed);
    let mut counted = hearing.join().expect("the hearing thread counts to its end");
    counted.sent = sent;
    counted.mixed.compare(&clicks, &streams.iter().map(|stream| stream.says).collect::<Vec<_>>());
    counted
}

/// Sends each stream's packets on time, spread over the 20 ms; returns how many count, and when
/// somebody was loud.
fn speak(streams: &[Stream], began: Instant, time: Duration) -> (u64, Vec<Click>) {
    let gap = PACKET_TIME / u32::try_from(streams.len()).expect("a few hundred streams");
    let (mut counted, mut clicks) = (0, Vec::new());
    let mut number = 0_u32;
    while PACKET_TIME * number < time + WARM_UP {
        for (stream, index) in streams.iter().zip(0_u32..) {
            let due = began + PACKET_TIME * number + gap * index;
            wait::pause(due.saturating_duration_since(wait::now()));
            let counts = PACKET_TIME * number >= WARM_UP;
            let mut packet = header(index, number);
            let payload = &mut packet[12..PACKET_BYTES];
            let micros = wait::now().duration_since(began).as_micros() as u64;
            if stream.says == Says::Marks {
                mark(payload, (index, number), micros, counts);
                counted += u64::from(counts);
            } else if let Some(click) = mixed::say(stream.says, number, micros, payload) {
                clicks.extend(counts.then_some(click));
            }
            let length = match stream.says {
                Says::Speech(codec) => {
                    counted += u64::from(counts);
                    mixed::speak(codec, number, &mut packet)
                }
                Says::Clicks(_) | Says::Marks | Says::Tone(_) => stream.seal(&mut packet),
            };
            // A full socket buffer is a lost packet, and is counted as one.
            let _ = stream.socket.send_to(&packet[..length], stream.to);
        }
        number += 1;
    }
    (counted, clicks)
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

fn header(stream: u32, number: u32) -> [u8; PACKET_BYTES + OVERHEAD_MAX] {
    let mut packet = [0xd5; PACKET_BYTES + OVERHEAD_MAX];
    let sequence = (number as u16).to_be_bytes();
    packet[..4].copy_from_slice(&[0x80, 0, sequence[0], sequence[1]]);
    packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&(0x5747_0000 + stream).to_be_bytes());
    packet
}

fn mark(payload: &mut [u8], (stream, number): (u32, u32), micros: u64, counts: bool) {
    payload[..4].copy_from_slice(MARK);
    payload[4..8].copy_from_slice(&stream.to_be_bytes());
    payload[8..12].copy_from_slice(&number.to_be_bytes());
    payload[12..20].copy_from_slice(&micros.to_be_bytes());
    payload[20] = u8::from(counts);
}

/// Begins the payload of each of our packets.
const MARK: &[u8] = b"LOAD";

/// Takes what comes until told to stop; each packet of a stream counts once.
fn hear(streams: &[Stream], began: Instant, done: &AtomicBool) -> Counted {
    let mut counted = Counted::default();
    let mut listeners = vec![Listener::default(); streams.len()];
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
        for ((stream, ready), listener) in streams.iter().zip(&ready).zip(&mut listeners) {
            if !ready.revents().contains(PollFlags::IN) {
                continue;
            }
            while let Ok(size) = stream.socket.recv(&mut datagram) {
                let micros = wait::now().duration_since(began).as_micros() as u64;
                let packet = stream.open(&mut datagram[..size]);
                let Some((id, sent)) = read(packet) else {
                    let counts = micros >= WARM_UP.as_micros() as u64;
                    if matches!(stream.says, Says::Speech(_)) {
                        counted.received += u64::from(counts);
                    } else if counts {
                        listener.hear(stream.says, packet, micros, &mut counted.mixed);
                    }
                    continue;
                };
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
