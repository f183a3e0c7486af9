//! Relaying RTP: what the engine costs in memory, without any socket.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smallvec::smallvec;
use strowger::id::{CallId, LegId, PromptId};
use strowger::media::control::{Command, PlayId, Playback, Port, Sound};
use strowger::media::engine::{Datagram, Engine, Limits, Output, Slot};
use strowger::media::prompt::{Found, Library};
use strowger::rng::Rng;
use strowger::rtp::packet;
use strowger::rtp::srtp::OVERHEAD_MAX;
use strowger::sdp::{Codec, Direction, Keys, MasterKey, Negotiated, Payload, Suite};
use strowger::time::{Duration, Epoch, Instant};

fn relay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rtp_relay");
    group.throughput(Throughput::Elements(1));
    for (name, other, record, suite) in [
        ("passed through", Codec::Pcma, false, None),
        ("A-law to µ-law", Codec::Pcmu, false, None),
        ("A-law to G.722", Codec::G722, false, None),
        ("A-law to Opus", Codec::Opus, false, None),
        ("passed through, recorded", Codec::Pcma, true, None),
        ("encrypted by AES-CM and SHA-1", Codec::Pcma, false, Some(Suite::Counter128Tag80)),
        ("encrypted by AES-GCM", Codec::Pcma, false, Some(Suite::Gcm128)),
    ] {
        let mut bench = Bench::new(300, other, record, suite);
        group.bench_function(name, |bencher| bencher.iter(|| bench.packet()));
    }
    group.finish();
}

/// Packets go round the calls, as they do on a busy thread: no call stays in the cache.
struct Bench {
    engine: Engine,
    out: Vec<Output>,
    calls: u16,
    turn: u64,
}

struct Nothing;

impl Library for Nothing {
    fn find(&self, _: &PromptId) -> Found {
        Found::Missing
    }
}

impl Bench {
    fn new(calls: u16, other: Codec, record: bool, suite: Option<Suite>) -> Self {
        let limits = Limits {
            record_length_max: Duration::from_secs(1 << 40),
            silence_max: Duration::from_secs(1 << 40),
        };
        let mut engine = Engine::new(limits, Epoch::default(), Rng::from_number(1));
        let mut out = Vec::new();
        for call in 0..calls {
            for (index, codec) in [(0, Codec::Pcma), (1, other)] {
                let leg = leg(call, index);
                let port = Port { rtp: port(call, index), thread: 0 };
                let suite = suite.filter(|_| index == 1);
                let audio = Box::new(negotiated(call, index, codec, suite));
                engine.handle(Instant::START, Command::Open { leg, port }, &mut out);
                engine.handle(Instant::START, Command::Connect { leg, audio }, &mut out);
            }
            let bridge = Command::Bridge { a: leg(call, 0), b: leg(call, 1) };
            engine.handle(Instant::START, bridge, &mut out);
            if record {
                let path = format!("{call}.wav").into();
                let command = Command::Record { leg: leg(call, 0), path };
                engine.handle(Instant::START, command, &mut out);
            }
            // Whoever listens: no sound of our own.
            let playback = Playback {
                id: PlayId(0),
                sounds: [Sound::Silence(Duration::ZERO)].into(),
                repeat: false,
            };
            engine.handle(Instant::START, Command::Play { leg: leg(call, 1), playback }, &mut out);
        }
        engine.tick(Instant::START, &Nothing, &mut out);
        out.clear();
        Self { engine, out, calls, turn: 0 }
    }

    fn packet(&mut self) {
        let calls = u64::from(self.calls);
        let (call, n) = ((self.turn % calls) as u16, self.turn / calls);
        let now =
            Instant::START + Duration::from_micros(20_000 * n + 20_000 * u64::from(call) / calls);
        self.turn += 1;
        let mut bytes = [0xd5; LENGTH + OVERHEAD_MAX];
        let head = packet::header(false, 8, n as u16, (160 * n) as u32, 7);
        bytes[..head.len()].copy_from_slice(&head);
        let slot = Slot::of(port(call, 0));
        let datagram = Datagram { buffer: &mut bytes, length: LENGTH };
        let forward =
            self.engine.rtp(now, slot, address(call, 0), black_box(datagram), &mut self.out);
        assert!(black_box(forward).is_some());
        if call == 0 {
            self.engine.tick(now, &Nothing, &mut self.out);
        }
        self.out.clear();
    }
}

fn leg(call: u16, index: u16) -> LegId {
    LegId { call: CallId::from_u64(call.into()), index }
}

fn port(call: u16, index: u16) -> u16 {
    20_000 + 4 * call + 2 * index
}

fn address(call: u16, index: u16) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1].into(), 2 * call + index + 1)
}

fn negotiated(call: u16, index: u16, codec: Codec, suite: Option<Suite>) -> Negotiated {
    let number = match codec {
        Codec::Pcma => 8,
        Codec::Pcmu => 0,
        Codec::G722 => 9,
        Codec::Opus => 111,
    };
    Negotiated {
        remote_rtp: address(call, index),
        remote_rtcp: address(call, index),
        signalled: None,
        codecs: smallvec![Payload { codec, receive: number, send: number }],
        digits: smallvec![],
        noise: false,
        opus: None,
        tones: false,
        direction: Direction::SendRecv,
        ptime: 20,
        maxptime: None,
        keys: suite.map(|suite| {
            let mut rng = Rng::from_number(call.into());
            let [send, receive] = [0; 2].map(|_| MasterKey::random(suite, &mut rng));
            Keys { tag: 1, send, receive }
        }),
    }
}

/// Bytes of a packet of A-law, 20 ms.
const LENGTH: usize = 172;

criterion_group!(benches, relay);
criterion_main!(benches);
