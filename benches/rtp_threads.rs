//! Relaying RTP through one media thread with real sockets on loopback: processor time per packet,
//! losses, added latency. `cargo bench --bench rtp_threads -- 100 300` measures so many calls.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use crossbeam_channel::{Receiver, bounded};
use smallvec::smallvec;
use strowger::id::{CallId, LegId};
use strowger::media::config::Config;
use strowger::media::control::{Command, Event, Port};
use strowger::rng::Rng;
use strowger::sdp::{Codec, Direction, Negotiated, Payload};
use strowger::shell::clock::Clock;
use strowger::shell::media::keyring::Keyring;
use strowger::shell::media::prompts::Source;
use strowger::shell::media::retention::Growing;
use strowger::shell::media::{MediaThreads, Setup};
use strowger::time::Duration;

#[path = "../tests/support/rtp_probe.rs"]
mod rtp_probe;

use rtp_probe::{End, Probe};

fn main() {
    let mut sizes: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100, 300];
    }
    println!("calls recorded  sent     lost  µs/packet  % of a core/call  p50 µs  p99 µs  max µs");
    for calls in sizes {
        for recorded in [0, calls] {
            measure(calls, recorded);
        }
    }
}

fn measure(calls: usize, recorded: usize) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let listen = IpAddr::from([127, 0, 30, 1]);
    let config = Config {
        listen,
        ports: "30000-33999".parse().expect("a range"),
        threads: 1,
        spares: u16::try_from(2 * calls).expect("few calls"),
        ..Config::default()
    };
    let setup = Setup {
        prompts: Source {
            folder: folder.path().to_owned(),
            locale: "en-US".into(),
            bytes_max: 1 << 20,
        },
        recordings: folder.path().to_owned(),
        keyring: Keyring::default(),
        growing: Growing::default(),
        clock: Clock::start(),
        rng: Rng::from_number(1),
        config,
    };
    let (sender, events) = bounded::<Event>(10_000);
    let mut media = MediaThreads::start(setup, sender).expect("the address is this machine's");
    let probe = Probe::bind(IpAddr::from([127, 0, 30, 2]), 16).expect("free ports");
    let mut ends = Vec::new();
    for call in 0..calls {
        let legs = [0, 1].map(|index| LegId { call: CallId::from_u64(call as u64), index });
        for (end, leg) in legs.into_iter().enumerate() {
            let port = spare(&events);
            let audio = Box::new(alaw(probe.address(2 * call + end)));
            media.send(0, Command::Open { leg, port });
            media.send(0, Command::Connect { leg, audio });
            ends.push(End { to: SocketAddr::new(listen, port.rtp), heard_by: 2 * call + 1 - end });
        }
        media.send(0, Command::Bridge { a: legs[0], b: legs[1] });
        if call < recorded {
            let path = format!("{call}.wav").into();
            media.send(0, Command::Record { leg: legs[0], path });
        }
        media.wake();
    }
    probe.run(&ends, Duration::from_secs(1)); // warms up
    let names = ["media 0", "record", "seal"];
    let before: f64 = names.iter().map(|name| cpu_seconds(name)).sum();
    let seconds = 8;
    let report = probe.run(&ends, Duration::from_secs(seconds));
    let cpu = names.iter().map(|name| cpu_seconds(name)).sum::<f64>() - before;
    println!(
        "{calls:5} {recorded:8} {:8} {:6}  {:9.2}  {:16.4}  {:6}  {:6}  {:6}",
        report.sent,
        report.lost,
        1e6 * cpu / report.received.max(1) as f64,
        100.0 * cpu / seconds as f64 / calls as f64,
        report.latency_p50_us,
        report.latency_p99_us,
        report.latency_max_us,
    );
    drop(events);
    media.stop();
}

fn spare(events: &Receiver<Event>) -> Port {
    loop {
        if let Event::Spare { port } = events.recv().expect("the threads run") {
            return port;
        }
    }
}

/// Processor time of this process's threads of that name.
fn cpu_seconds(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    tasks
        .flatten()
        .filter(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        })
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map(|nanos| nanos / 1e9)
        .sum()
}

fn alaw(phone: SocketAddr) -> Negotiated {
    Negotiated {
        remote_rtp: phone,
        remote_rtcp: phone,
        signalled: None,
        codecs: smallvec![Payload { codec: Codec::Pcma, receive: 8, send: 8 }],
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
