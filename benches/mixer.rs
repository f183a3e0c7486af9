//! Mixing: what one frame of a conference costs, its packets in and out, without any socket.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use smallvec::smallvec;
use strowger::audio::opus::Wishes;
use strowger::audio::tone::Sine;
use strowger::id::{CallId, LegId, PromptId};
use strowger::media::codec::{Encoder, NARROW, Pcm, bytes_max};
use strowger::media::control::{Command, Ear, Party, Port, Room, RoomId};
use strowger::media::engine::{Datagram, Engine, Limits, Output, Slot};
use strowger::media::prompt::{Found, Library};
use strowger::rng::Rng;
use strowger::rtp::packet;
use strowger::sdp::{Codec, Direction, Negotiated, Payload};
use strowger::time::{Duration, Epoch, Instant};

/// 20 ms of a conference in which everybody makes a sound: divided by 20 ms, its share of a core.
fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mixer");
    for (name, parties, codecs) in [
        ("8 parties, G.711", 8, [Codec::Pcma, Codec::Pcmu]),
        ("64 parties, G.711", 64, [Codec::Pcma, Codec::Pcmu]),
        ("64 parties, G.722", 64, [Codec::G722, Codec::G722]),
        ("64 parties, half of each", 64, [Codec::Pcma, Codec::G722]),
        ("8 parties, Opus", 8, [Codec::Opus, Codec::Opus]),
    ] {
        let mut bench = Bench::new(parties, codecs);
        group.bench_function(name, |bencher| bencher.iter(|| bench.frame()));
    }
    group.finish();
}

struct Bench {
    engine: Engine,
    out: Vec<Output>,
    now: Instant,
    /// A second of each party's packets.
    payloads: Vec<Vec<Vec<u8>>>,
    codecs: [Codec; 2],
    turn: usize,
}

struct Nothing;

impl Library for Nothing {
    fn find(&self, _: &PromptId) -> Found {
        Found::Missing
    }
}

impl Bench {
    fn new(parties: u16, codecs: [Codec; 2]) -> Self {
        let long = Duration::from_secs(1 << 40);
        let limits = Limits { record_length_max: long, silence_max: long };
        let mut engine = Engine::new(limits, Epoch::default(), Rng::from_number(1));
        let (mut out, mut payloads) = (Vec::new(), Vec::new());
        for index in 0..parties {
            let codec = codecs[usize::from(index % 2)];
            let (leg, port) = (leg(index), Port { rtp: port(index), thread: 0 });
            let audio = Box::new(negotiated(index, codec));
            engine.handle(Instant::START, Command::Open { leg, port }, &mut out);
            engine.handle(Instant::START, Command::Connect { leg, audio }, &mut out);
            let mut tone = Sine::new(300.0 + 40.0 * f64::from(index), 4000, 8000);
            let mut encoder = Encoder::default();
            let mut packet = || {
                let samples: Vec<i16> = tone.by_ref().take(160).collect();
                let mut payload = vec![0; bytes_max(codec, 20)];
                let pcm = Pcm { samples: &samples, rate: NARROW };
                let length = encoder.encode(codec, Wishes::ANY, pcm, &mut payload);
                payload.truncate(length.unwrap_or(0));
                payload
            };
            payloads.push((0..50).map(|_| packet()).collect());
        }
        let party = |index| Party { leg: leg(index), heard_by: Ear::Everybody };
        let parties = (0..parties).map(party).collect();
        let room = Room { id: RoomId(1), parties, speakers_max: 5, tones: true };
        engine.handle(Instant::START, Command::Room(Box::new(room)), &mut out);
        out.clear();
        Self { engine, out, now: Instant::START, payloads, codecs, turn: 0 }
    }

    fn frame(&mut self) {
        for (index, payloads) in (0..).zip(&self.payloads) {
            let codec = self.codecs[usize::from(index % 2)];
            let payload = &payloads[self.turn % 50];
            let sequence = self.turn as u16;
            let timestamp = codec.clock_rate() / 50 * self.turn as u32;
            let length = 12 + payload.len();
            let mut buffer = [0; 400];
            buffer[..12].copy_from_slice(&packet::header(
                false,
                codec.payload_type(),
                sequence,
                timestamp,
                index.into(),
            ));
            buffer[12..length].copy_from_slice(payload);
            let datagram = Datagram { buffer: &mut buffer, length };
            let slot = Slot::of(port(index));
            self.engine.rtp(self.now, slot, address(index), datagram, &mut self.out);
        }
        self.turn += 1;
        self.now = self.now + Duration::from_millis(20);
        self.engine.tick(self.now, &Nothing, &mut self.out);
        black_box(&self.out);
        self.out.clear();
    }
}

fn leg(index: u16) -> LegId {
    LegId { call: CallId::from_u64(1), index }
}

fn port(index: u16) -> u16 {
    20_000 + 2 * index
}

fn address(index: u16) -> SocketAddr {
    SocketAddr::new([192, 0, 2, index as u8].into(), 4000)
}

fn negotiated(index: u16, codec: Codec) -> Negotiated {
    let number = codec.payload_type();
    Negotiated {
        remote_rtp: address(index),
        remote_rtcp: SocketAddr::new(address(index).ip(), 4001),
        signalled: None,
        codecs: smallvec![Payload { codec, receive: number, send: number }],
        digits: smallvec![],
        noise: false,
        opus: None,
        tones: false,
        direction: Direction::SendRecv,
        ptime: 20,
        maxptime: None,
        keys: None,
    }
}

criterion_group!(benches, frame);
criterion_main!(benches);
