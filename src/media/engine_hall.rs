//! Phones around an engine, in virtual time: what they send, and what they get.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::smallvec;

use crate::audio::opus;
use crate::id::{CallId, PromptId};
use crate::media::codec::{Decoded, Decoder, Encoder, NARROW, Pcm, bytes_max};
use crate::media::control::{Counts, PlayId, Playback, Sound};
use crate::media::engine::*;
use crate::media::outgoing::Incoming;
use crate::media::prompt::{Found, Prompt};
use crate::rtp::packet as rtp;
use crate::rtp::srtp::{OVERHEAD_MAX, Receiver, Sender};
use crate::sdp::{Codec, DigitPayload, Direction, Keys, Negotiated, Payload};

pub fn leg(index: usize) -> LegId {
    LegId { call: CallId::from_u64(1), index: u16::try_from(index).unwrap() }
}

pub fn port(index: usize) -> Port {
    Port { rtp: 20_000 + 2 * u16::try_from(index).unwrap(), thread: 0 }
}

/// Where a phone's SDP says that it is.
pub fn address(index: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1 + u8::try_from(index).unwrap()].into(), 4000)
}

/// The one byte that a phone says.
pub fn voice(index: usize) -> u8 {
    0x21 + u8::try_from(index).unwrap()
}

/// The payload type of a codec (RFC 3551 §6).
pub fn number_of(codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => 8,
        Codec::Pcmu => 0,
        Codec::G722 => 9,
        Codec::Opus => 111,
    }
}

/// Each phone has its own number for digits: 96 and up.
pub fn negotiated(index: usize, codec: Codec) -> Negotiated {
    let number = number_of(codec);
    let digits = 96 + u8::try_from(index).unwrap();
    Negotiated {
        remote_rtp: address(index),
        remote_rtcp: SocketAddr::new(address(index).ip(), 4001),
        signalled: None,
        codecs: smallvec![Payload { codec, receive: number, send: number }],
        digits: smallvec![DigitPayload { receive: digits, send: digits, clock_rate: 8000 }],
        noise: false,
        opus: None,
        tones: false,
        direction: Direction::SendRecv,
        ptime: 20,
        maxptime: None,
        keys: None,
    }
}

/// A packet of these samples, at 8 kHz.
pub fn encoded(encoder: &mut Encoder, codec: Codec, samples: &[i16]) -> Vec<u8> {
    let mut payload = vec![0; bytes_max(codec, samples.len() / 8)];
    let pcm = Pcm { samples, rate: NARROW };
    let length = encoder.encode(codec, opus::Wishes::ANY, pcm, &mut payload).unwrap();
    payload.truncate(length);
    payload
}

/// What a phone hears that was sent these packets, at 8 kHz.
pub fn decoded(codec: Codec, packets: &[Packet]) -> Vec<i16> {
    let (mut decoder, mut decoded, mut heard) = (Decoder::default(), Decoded::default(), vec![]);
    for packet in packets {
        let Packet { sequence, timestamp, ssrc, marker, ref payload, .. } = *packet;
        let numbers = Incoming { sequence, timestamp, ssrc, marker, event: false };
        assert!(decoder.decode(codec, numbers, payload, true, &mut decoded));
        heard.extend_from_slice(decoded.narrow().samples);
    }
    heard
}

pub fn assert_steady(heard: &[Packet]) {
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
}

/// A packet that a phone got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at: Instant,
    pub to: SocketAddr,
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

#[derive(Debug)]
pub struct Tape {
    pub id: RecordingId,
    pub leg: LegId,
    pub samples: Vec<i16>,
    pub ended: bool,
    pub fault: Option<String>,
}

/// A phone's own stream; it sends from `address`.
pub struct Phone {
    pub address: SocketAddr,
    pub codec: Codec,
    pub sequence: u16,
    pub timestamp: u32,
    /// If its audio is encrypted.
    pub secure: Option<Secure>,
}

/// The phone's side of the encryption.
pub struct Secure {
    pub sender: Sender,
    pub receiver: Receiver,
}

impl Phone {
    /// Timestamp units of 20 ms.
    pub fn step(&self) -> u32 {
        self.codec.clock_rate() / 50
    }
}

impl Secure {
    /// `keys` as the leg has them.
    pub fn of(keys: &Keys) -> Self {
        Self { sender: Sender::new(&keys.receive), receiver: Receiver::new(&keys.send) }
    }
}

/// An engine among phones.
pub struct Hall {
    pub engine: Engine,
    pub now: Instant,
    pub phones: Vec<Phone>,
    pub packets: BTreeMap<Slot, Vec<Packet>>,
    pub reports: Vec<(Slot, Vec<u8>)>,
    pub events: Vec<Event>,
    /// What legs told each five seconds.
    pub snapshots: Vec<Counts>,
    pub tapes: Vec<Tape>,
    pub served: Vec<Slot>,
    pub closed: Vec<Slot>,
}

pub struct Shelf;

impl Library for Shelf {
    fn find(&self, id: &PromptId) -> Found {
        let length = match id.as_str() {
            "short" => 1600,
            "music" => 4000,
            "long" => 80_000,
            _ => return Found::Missing,
        };
        Found::Ready(Arc::new(Prompt { samples: vec![1000; length].into() }))
    }
}

impl Hall {
    pub fn new() -> Self {
        let minute = Duration::from_secs(60);
        let limits = Limits { record_length_max: minute, silence_max: 10 * minute };
        let phones = (0..8).map(|index| Phone {
            address: address(index),
            codec: Codec::Pcma,
            sequence: 65_500 + u16::try_from(index).unwrap(),
            timestamp: 0xffff_f000,
            secure: None,
        });
        Self {
            engine: Engine::new(limits, Epoch::default(), Rng::from_number(1)),
            now: Instant::START,
            phones: phones.collect(),
            packets: BTreeMap::new(),
            reports: Vec::new(),
            events: Vec::new(),
            snapshots: Vec::new(),
            tapes: Vec::new(),
            served: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Two connected phones on one bridge.
    pub fn bridged(codecs: [Codec; 2]) -> Self {
        let mut hall = Self::new();
        for (index, codec) in codecs.into_iter().enumerate() {
            hall.connect(index, codec);
        }
        hall.order(Command::Bridge { a: leg(0), b: leg(1) });
        hall
    }

    pub fn open(&mut self, index: usize) {
        self.order(Command::Open { leg: leg(index), port: port(index) });
    }

    pub fn connect(&mut self, index: usize, codec: Codec) {
        self.open(index);
        self.phones[index].codec = codec;
        let audio = Box::new(negotiated(index, codec));
        self.order(Command::Connect { leg: leg(index), audio });
    }

    /// Connects a phone whose audio is encrypted.
    pub fn connect_secure(&mut self, index: usize, codec: Codec, keys: &Keys) {
        self.phones[index].secure = Some(Secure::of(keys));
        self.open(index);
        self.phones[index].codec = codec;
        let audio = Negotiated { keys: Some(keys.clone()), ..negotiated(index, codec) };
        self.order(Command::Connect { leg: leg(index), audio: Box::new(audio) });
    }

    pub fn direction(&mut self, index: usize, direction: Direction) {
        let audio = Negotiated { direction, ..negotiated(index, self.phones[index].codec) };
        self.order(Command::Connect { leg: leg(index), audio: Box::new(audio) });
    }

    pub fn play(&mut self, index: usize, prompts: &[&str], repeat: bool) {
        let sounds = prompts.iter().map(|name| Sound::Prompt((*name).into())).collect();
        let playback = Playback { id: PlayId(1), sounds, repeat };
        self.order(Command::Play { leg: leg(index), playback });
    }

    pub fn order(&mut self, command: Command) {
        let mut out = Vec::new();
        self.engine.handle(self.now, command, &mut out);
        self.take(out);
    }

    /// Lets time pass, with a tick whenever the engine asks for one.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(at) = self.engine.next_tick().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let mut out = Vec::new();
            self.engine.tick(self.now, &Shelf, &mut out);
            self.take(out);
        }
        self.now = end;
    }

    /// A phone sends its next packet.
    pub fn speak(&mut self, index: usize) {
        self.speak_bytes(index, number_of(self.phones[index].codec), &[voice(index); 160]);
    }

    pub fn speak_bytes(&mut self, index: usize, number: u8, payload: &[u8]) {
        let phone = &mut self.phones[index];
        let ssrc = u32::try_from(index).unwrap();
        let mut bytes = rtp::header(false, number, phone.sequence, phone.timestamp, ssrc).to_vec();
        bytes.extend(payload);
        phone.sequence = phone.sequence.wrapping_add(1);
        phone.timestamp = phone.timestamp.wrapping_add(phone.step());
        let from = phone.address;
        if let Some(secure) = &mut phone.secure {
            let length = bytes.len();
            bytes.resize(length + OVERHEAD_MAX, 0);
            let length = secure.sender.seal_rtp(&mut bytes, length).unwrap();
            bytes.truncate(length);
        }
        self.datagram(index, from, &bytes);
    }

    /// A phone sends so many packets, one every 20 ms; the others are silent for as long.
    pub fn speaks(&mut self, index: usize, count: u32) {
        for _ in 0..count {
            self.speak(index);
            self.pass(20);
        }
        for (other, phone) in self.phones.iter_mut().enumerate() {
            if other != index {
                phone.timestamp = phone.timestamp.wrapping_add(phone.step() * count);
            }
        }
    }

    /// A phone sends a key of so many packets, and its end three times.
    pub fn presses(&mut self, index: usize, code: u8, packets: u16, ends: bool) {
        let ssrc = u32::try_from(index).unwrap();
        let timestamp = self.phones[index].timestamp;
        for n in 0..packets + 2 * u16::from(ends) {
            let is_end = ends && n + 1 >= packets;
            let duration = 160 * (n + 1).min(packets);
            let phone = &mut self.phones[index];
            let mut bytes = rtp::header(n == 0, 0, phone.sequence, timestamp, ssrc).to_vec();
            bytes[1] |= 96 + u8::try_from(index).unwrap();
            bytes.extend([code, u8::from(is_end) << 7 | 10]);
            bytes.extend(duration.to_be_bytes());
            phone.sequence = phone.sequence.wrapping_add(1);
            phone.timestamp = phone.timestamp.wrapping_add(phone.step());
            let from = phone.address;
            self.datagram(index, from, &bytes);
            self.pass(20);
        }
    }

    pub fn datagram(&mut self, index: usize, from: SocketAddr, bytes: &[u8]) {
        let mut out = Vec::new();
        let slot = Slot::of(port(index).rtp);
        let mut buffer = [bytes, &[0; 1000]].concat();
        let datagram = Datagram { buffer: &mut buffer, length: bytes.len() };
        if let Some(forward) = self.engine.rtp(self.now, slot, from, datagram, &mut out) {
            self.got(forward.slot, forward.to, &buffer[..forward.length]);
        }
        self.take(out);
    }

    pub fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Close { slot } => self.closed.push(slot),
                Output::Event(Event::Counted { counts, .. }) => self.snapshots.push(*counts),
                Output::Event(event) => self.events.push(event),
                Output::Record { id, leg, .. } => self.tapes.push(Tape {
                    id,
                    leg,
                    samples: Vec::new(),
                    ended: false,
                    fault: None,
                }),
                Output::Recorded { id, fault } => {
                    let tape = self.tape(id);
                    (tape.ended, tape.fault) = (true, fault);
                }
                Output::Return { .. } => {}
                Output::Serve { slot } => self.served.push(slot),
                Output::Rtcp { slot, packet, .. } => self.reports.push((slot, packet)),
                Output::Rtp { slot, to, packet } => self.got(slot, to, &packet),
                Output::Samples { id, block } => self.tape(id).samples.extend(block),
            }
        }
    }

    pub fn tape(&mut self, id: RecordingId) -> &mut Tape {
        self.tapes.iter_mut().find(|tape| tape.id == id && !tape.ended).unwrap()
    }

    pub fn got(&mut self, slot: Slot, to: SocketAddr, bytes: &[u8]) {
        let index = (0..self.phones.len()).find(|index| Slot::of(port(*index).rtp) == slot);
        let mut bytes = bytes.to_vec();
        if let Some(secure) = &mut self.phones[index.unwrap()].secure {
            let length = secure.receiver.open_rtp(&mut bytes).unwrap();
            bytes.truncate(length);
        }
        let reader = rtp::read(&bytes).unwrap();
        let packet = Packet {
            at: self.now,
            to,
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload().to_vec(),
        };
        self.packets.entry(slot).or_default().push(packet);
    }

    /// What was sent to where the phone really is.
    pub fn heard(&self, index: usize) -> Vec<Packet> {
        let mut packets = self.heard_everywhere(index);
        packets.retain(|packet| packet.to == self.phones[index].address);
        packets
    }

    pub fn heard_everywhere(&self, index: usize) -> Vec<Packet> {
        self.packets.get(&Slot::of(port(index).rtp)).cloned().unwrap_or_default()
    }

    pub fn counts(&mut self, index: usize) -> Counts {
        self.order(Command::Close { leg: leg(index) });
        match self.events.pop() {
            Some(Event::Closed { counts, .. }) => *counts,
            other => panic!("{other:?}"),
        }
    }
}
