//! Media threads with real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use crossbeam_channel::{Receiver, bounded};
use smallvec::smallvec;
use strowger::audio::g711;
use strowger::audio::tone::{Sine, purity};
use strowger::audio::wav::{self, Format, Wav};
use strowger::id::{CallId, LegId};
use strowger::media::config::Config;
use strowger::media::control::{Command, Counts, Event, PlayId, Playback, Port, Sound};
use strowger::rng::Rng;
use strowger::rtp::packet;
use strowger::sdp::{Codec, DigitPayload, Direction, Negotiated, Payload};
use strowger::shell::clock::Clock;
use strowger::shell::media::keyring::Keyring;
use strowger::shell::media::prompts::Source;
use strowger::shell::media::retention::Growing;
use strowger::shell::media::{MediaThreads, Setup};
use strowger::time::Duration;

#[path = "support/rtp_probe.rs"]
mod rtp_probe;

use rtp_probe::{End, Probe};

#[test]
fn twenty_calls_are_relayed_without_loss() {
    let mut site = Site::start("127.0.20.1", "26000-26199", 2);
    let ip = IpAddr::from([127, 0, 20, 2]);
    let probe = Probe::bind(ip, 4).unwrap();
    let mut ends = Vec::new();
    for call in 0..20 {
        let ports = site.bridged([probe.address(2 * call), probe.address(2 * call + 1)], call);
        for (end, port) in ports.into_iter().enumerate() {
            ends.push(End { to: site.address(port), heard_by: 2 * call + 1 - end });
        }
    }

    let report = probe.run(&ends, Duration::from_secs(1));

    assert_eq!((report.sent, report.received), (40 * 50, 40 * 50), "{report:?}");
    assert_eq!((report.astray, report.reordered), (0, 0), "{report:?}");
    for call in 0..20 {
        for index in 0..2 {
            let counts = site.close(leg(call, index));
            assert_eq!((counts.received.packets, counts.sent.packets), (50, 50));
            assert_eq!((counts.received.lost, counts.strangers, counts.malformed), (0, 0, 0));
        }
    }
    site.stop();
}

#[test]
fn a_stranger_is_counted_and_not_heard() {
    let mut site = Site::start("127.0.20.3", "26200-26219", 1);
    let phones = [Phone::new("127.0.20.4"), Phone::new("127.0.20.5")];
    let ports = site.bridged([phones[0].address(), phones[1].address()], 0);
    phones[0].says(site.address(ports[0]), 0, &[7; 160]);
    assert_eq!(phones[1].hears().1, [7; 160]);

    let stranger = Phone::new("127.0.20.6");
    for n in 0..10 {
        stranger.says(site.address(ports[0]), n, &[9; 160]);
    }
    phones[0].says(site.address(ports[0]), 1, &[8; 160]);

    assert_eq!(phones[1].hears().1, [8; 160]);
    assert_eq!(site.close(leg(0, 0)).strangers, 10);
    site.stop();
}

#[test]
fn prompts_digits_and_recordings_go_through_the_thread() {
    let mut site = Site::start("127.0.20.7", "26300-26319", 1);
    site.prompt("tone", 700.0, 4000);
    let phones = [Phone::new("127.0.20.8"), Phone::new("127.0.20.9")];
    let ports = site.bridged([phones[0].address(), phones[1].address()], 0);
    site.order(Command::Record { leg: leg(0, 0), path: "day/call.wav".into() });

    let sounds = [Sound::Prompt("tone".into()), Sound::Prompt("no-such-prompt".into())];
    let playback = Playback { id: PlayId(3), sounds: sounds.into(), repeat: false };
    site.order(Command::Play { leg: leg(0, 0), playback });
    let mut heard = Vec::new();
    let mut last = None;
    for _ in 0..25 {
        let (header, payload) = phones[0].hears();
        assert_eq!(last.map_or(header.0, |last: u16| last.wrapping_add(1)), header.0);
        last = Some(header.0);
        heard.extend(payload.into_iter().map(g711::alaw_decode));
    }
    assert_eq!(heard.len(), 4000);
    assert!(purity(&heard, 700.0, 8000) > 0.99);
    let missing = vec!["no-such-prompt".into()];
    let ended = Event::Ended { leg: leg(0, 0), playback: PlayId(3), missing };
    assert_eq!(site.event(), ended);

    phones[0].presses(site.address(ports[0]), 4);
    assert_eq!(site.event(), Event::Digit { leg: leg(0, 0), digit: '4' });

    let talk: Vec<_> = Sine::new(500.0, 8000, 8000).take(8000).map(g711::alaw_encode).collect();
    for (n, payload) in (100..).zip(talk.chunks(160)) {
        phones[1].says(site.address(ports[1]), n, payload);
        assert_eq!(phones[0].hears().1, payload);
    }
    let counts = site.close(leg(0, 0));
    assert_eq!(counts.sent.packets, 25 + 50);
    let Event::Recorded { recording, .. } = site.event() else { panic!("no recording") };
    assert_eq!((recording.path.as_path(), &recording.fault), (Path::new("day/call.wav"), &None));
    let bytes = fs::read(site.folder.path().join("recordings/day/call.wav")).unwrap();
    assert_eq!((recording.bytes, recording.sha256.len()), (bytes.len() as u64, 64));
    let wav = Wav::parse(&bytes).unwrap();
    assert_eq!(recording.length, Duration::from_micros(125 * wav.frames() as u64));
    let right = wav.channel(1);
    assert!(right.iter().any(|sample| *sample > 7000), "the peer is on the right");
    site.stop();
}

/// Two calls of two threads become one: both tones are heard, nothing is lost on the way, and the
/// recording goes on.
#[test]
fn a_leg_moves_to_another_thread() {
    let mut site = Site::start("127.0.20.14", "26700-26739", 2);
    let phones = ["127.0.20.15", "127.0.20.16", "127.0.20.17", "127.0.20.18"].map(Phone::new);
    let [first, asks, asks_too, third] = &phones;
    let ports = site.bridged([first.address(), asks.address()], 0);
    let others = site.bridged([asks_too.address(), third.address()], 1);
    site.order(Command::Record { leg: leg(0, 0), path: "moved.wav".into() });
    let low: Vec<_> = Sine::new(500.0, 8000, 8000).take(8000).map(g711::alaw_encode).collect();
    let high: Vec<_> = Sine::new(900.0, 8000, 8000).take(8000).map(g711::alaw_encode).collect();
    for (n, payload) in (100..).zip(low.chunks(160)) {
        first.says(site.address(ports[0]), n, payload);
        assert_eq!(asks.hears().1, payload);
    }

    let clock = Clock::start();
    site.order(Command::Move { leg: leg(0, 0), to: 1 });
    for n in 150..155 {
        first.says(site.address(ports[0]), n, &low[..160]); // wait in the socket
    }
    assert_eq!(site.event(), Event::Moved { leg: leg(0, 0) });
    site.order_to(1, Command::Bridge { a: leg(0, 0), b: leg(1, 1) });
    let playback = Playback { id: PlayId(9), sounds: [].into(), repeat: false };
    site.order_to(1, Command::Play { leg: leg(1, 1), playback });
    assert!(matches!(site.event(), Event::Ended { .. })); // so the bridge is there
    third.says(site.address(others[1]), 7, &high[..160]);
    first.hears();
    let gap = clock.now().since(strowger::time::Instant::START);
    assert!(gap.as_millis() < 200, "nothing was heard for {gap:?}");
    for (n, payload) in (155..).zip(low.chunks(160)) {
        first.says(site.address(ports[0]), n, payload);
        let heard = std::iter::repeat_with(|| third.hears().1).find(|heard| heard == payload);
        assert!(heard.is_some());
    }
    for (n, payload) in (8..).zip(high.chunks(160)) {
        third.says(site.address(others[1]), n, payload);
        assert_eq!(first.hears().1, payload);
    }

    site.order_to(1, Command::Close { leg: leg(0, 0) });
    let Event::Closed { counts, .. } = site.event() else { panic!("not closed") };
    assert_eq!((counts.received.packets, counts.received.lost), (105, 0));
    assert_eq!(counts.strangers, 0);
    let Event::Recorded { recording, .. } = site.event() else { panic!("no recording") };
    assert_eq!(recording.fault, None);
    let bytes = fs::read(site.folder.path().join("recordings/moved.wav")).unwrap();
    let wav = Wav::parse(&bytes).unwrap();
    let loud = |channel: u16| wav.channel(channel).iter().any(|sample| *sample > 7000);
    assert!(loud(0), "the phone is on the left");
    assert!(loud(1), "who spoke after the move only is on the right");
    let back =
        std::iter::repeat_with(|| site.spare_of(1)).take(40).any(|port| port.rtp == ports[0].rtp);
    assert!(back, "the port is the other thread's from then on");
    site.stop();
}

#[test]
fn ports_come_back_after_their_rest() {
    let mut site = Site::start("127.0.20.10", "26400-26401", 1);
    for call in 0..3 {
        let port = site.spare();
        assert_eq!(port.rtp, 26_400);
        site.order(Command::Open { leg: leg(call, 0), port });
        site.close(leg(call, 0));
    }
    let port = site.spare();
    site.order(Command::Return { port });
    assert_eq!(site.spare(), port);
    site.stop();
}

#[test]
fn stopping_closes_legs_and_completes_recordings() {
    let mut site = Site::start("127.0.20.11", "26500-26509", 1);
    let port = site.spare();
    site.order(Command::Open { leg: leg(0, 0), port });
    site.order(Command::Record { leg: leg(0, 0), path: "a.wav".into() });
    let Site { media, events, folder, .. } = site;

    media.stop();

    let events: Vec<_> = events.try_iter().collect();
    assert!(events.iter().any(|event| matches!(event, Event::Closed { .. })));
    assert!(events.iter().any(|event| matches!(event, Event::Recorded { .. })));
    assert!(Wav::parse(&fs::read(folder.path().join("recordings/a.wav")).unwrap()).is_ok());
}

fn leg(call: usize, index: u16) -> LegId {
    LegId { call: CallId::from_u64(call as u64), index }
}

struct Site {
    media: MediaThreads,
    events: Receiver<Event>,
    listen: IpAddr,
    folder: tempfile::TempDir,
    spares: Vec<Port>,
}

impl Site {
    fn start(listen: &str, ports: &str, threads: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = listen.parse().unwrap();
        let config = Config {
            listen,
            ports: ports.parse().unwrap(),
            threads,
            port_rest: Duration::from_millis(20),
            ..Config::default()
        };
        let setup = Setup {
            prompts: Source {
                folder: folder.path().join("prompts"),
                locale: "en-US".into(),
                bytes_max: 1 << 20,
            },
            recordings: folder.path().join("recordings"),
            keyring: Keyring::default(),
            growing: Growing::default(),
            clock: Clock::start(),
            rng: Rng::from_number(1),
            config,
        };
        let (sender, events) = bounded::<Event>(1000);
        let media = MediaThreads::start(setup, sender).unwrap();
        Self { media, events, listen, folder, spares: Vec::new() }
    }

    fn prompt(&self, name: &str, frequency: f64, samples: usize) {
        let folder = self.folder.path().join("prompts");
        fs::create_dir_all(&folder).unwrap();
        let mut bytes = wav::header(1, 8000, Format::Pcm16, None);
        bytes.extend(Sine::new(frequency, 8000, 8000).take(samples).flat_map(i16::to_le_bytes));
        fs::write(folder.join(format!("{name}.wav")), bytes).unwrap();
    }

    fn order(&mut self, command: Command) {
        self.order_to(0, command);
    }

    fn order_to(&mut self, thread: u8, command: Command) {
        assert!(self.media.send(thread, command));
        self.media.wake();
    }

    fn address(&self, port: Port) -> SocketAddr {
        SocketAddr::new(self.listen, port.rtp)
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(Duration::from_secs(20)).expect("an event")
    }

    /// The next event that is no spare port.
    fn event(&mut self) -> Event {
        loop {
            match self.next() {
                Event::Spare { port } => self.spares.push(port),
                event => return event,
            }
        }
    }

    fn spare(&mut self) -> Port {
        self.spare_of(0)
    }

    fn spare_of(&mut self, thread: u8) -> Port {
        loop {
            if let Some(index) = self.spares.iter().position(|port| port.thread == thread) {
                return self.spares.remove(index);
            }
            match self.next() {
                Event::Spare { port } => self.spares.push(port),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Opens, connects and bridges the two legs of a call; calls take turns on the threads.
    fn bridged(&mut self, phones: [SocketAddr; 2], call: usize) -> [Port; 2] {
        let thread = (call % usize::from(self.media.threads())) as u8;
        let ports = [self.spare_of(thread), self.spare_of(thread)];
        for (index, (port, phone)) in (0..).zip(ports.into_iter().zip(phones)) {
            let leg = leg(call, index);
            self.order_to(thread, Command::Open { leg, port });
            self.order_to(thread, Command::Connect { leg, audio: Box::new(alaw(phone)) });
        }
        self.order_to(thread, Command::Bridge { a: leg(call, 0), b: leg(call, 1) });
        // Orders are carried out in turn: the end of playing nothing says that the rest is done.
        let playback = Playback { id: PlayId(0), sounds: [].into(), repeat: false };
        self.order_to(thread, Command::Play { leg: leg(call, 0), playback });
        assert!(matches!(self.event(), Event::Ended { .. }));
        ports
    }

    fn close(&mut self, leg: LegId) -> Counts {
        for thread in 0..self.media.threads() {
            self.order_to(thread, Command::Close { leg });
        }
        match self.event() {
            Event::Closed { leg: closed, counts } if closed == leg => *counts,
            other => panic!("{other:?}"),
        }
    }

    fn stop(self) {
        self.media.stop();
    }
}

fn alaw(phone: SocketAddr) -> Negotiated {
    Negotiated {
        remote_rtp: phone,
        remote_rtcp: SocketAddr::new(phone.ip(), phone.port() + 1),
        signalled: None,
        codecs: smallvec![Payload { codec: Codec::Pcma, receive: 8, send: 8 }],
        digits: smallvec![DigitPayload { receive: 101, send: 101, clock_rate: 8000 }],
        noise: false,
        opus: None,
        tones: false,
        direction: Direction::SendRecv,
        ptime: 20,
        maxptime: None,
        keys: None,
    }
}

struct Phone {
    socket: UdpSocket,
}

impl Phone {
    fn new(ip: &str) -> Self {
        let socket = UdpSocket::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn says(&self, to: SocketAddr, n: u16, payload: &[u8]) {
        let mut bytes = packet::header(false, 8, n, 160 * u32::from(n), 5).to_vec();
        bytes.extend(payload);
        self.socket.send_to(&bytes, to).unwrap();
    }

    fn presses(&self, to: SocketAddr, code: u8) {
        for n in 10..13_u16 {
            let mut bytes = packet::header(n == 10, 101, n, 1600, 5).to_vec();
            bytes.extend([code, u8::from(n == 12) << 7 | 10, 0, 160]);
            self.socket.send_to(&bytes, to).unwrap();
        }
    }

    /// Sequence number and timestamp, and payload, of the next packet.
    fn hears(&self) -> ((u16, u32), Vec<u8>) {
        let mut bytes = [0; 2048];
        let (length, _) = self.socket.recv_from(&mut bytes).expect("a packet");
        let reader = packet::read(&bytes[..length]).unwrap();
        ((reader.sequence_number().into(), reader.timestamp()), reader.payload().to_vec())
    }
}
