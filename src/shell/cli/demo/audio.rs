//! A phone's audio: plays tones and keys, listens for tones. G.711 A-law, 20 ms a packet.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::audio::g711::{alaw_decode, alaw_encode};
use crate::audio::tone::{Sine, amplitude, purity};
use crate::rng::Rng;
use crate::rtp::{dtmf, packet};
use crate::sdp::Negotiated;
use crate::time::Duration;

/// The audio of one call; it plays and listens until it is dropped.
#[derive(Debug)]
pub(super) struct Audio {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

/// What the phone can ask of its audio.
#[derive(Debug)]
enum Command {
    Connect(Negotiated),
    /// Tells as soon as this tone, or any sound, is heard.
    Listen(Sound, oneshot::Sender<()>),
    /// A tone of this many hertz; silence for `None`.
    Play(Option<f64>),
    /// Tells when the key is let go.
    Press(char, oneshot::Sender<()>),
}

/// What to listen for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sound {
    /// Anything that is not silence.
    Any,
    /// A tone of this many hertz, almost alone.
    Tone(f64),
}

impl Audio {
    /// Takes the socket whose port was offered; stays silent until `connect`.
    pub(super) fn start(socket: UdpSocket, rng: &mut Rng) -> Self {
        let (commands, asked) = mpsc::unbounded_channel();
        let line = Line::new(rng);
        Self { commands, task: tokio::spawn(run(socket, line, asked)) }
    }

    /// Sends to, and understands, what was negotiated.
    pub(super) fn connect(&self, negotiated: Negotiated) {
        self.tell(Command::Connect(negotiated));
    }

    pub(super) fn play(&self, frequency: Option<f64>) {
        self.tell(Command::Play(frequency));
    }

    /// Presses a key; the receiver hears when it is let go.
    pub(super) fn press(&self, digit: char) -> oneshot::Receiver<()> {
        let (done, released) = oneshot::channel();
        self.tell(Command::Press(digit, done));
        released
    }

    /// Listens from now on; the receiver hears when the sound came.
    pub(super) fn listen(&self, sound: Sound) -> oneshot::Receiver<()> {
        let (found, heard) = oneshot::channel();
        self.tell(Command::Listen(sound, found));
        heard
    }

    fn tell(&self, command: Command) {
        // If the task has ended, so has every receiver that waits for it.
        let _ = self.commands.send(command);
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Both directions of the audio.
struct Line {
    negotiated: Option<Negotiated>,
    tone: Option<Sine>,
    key: Option<Key>,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    wanted: Option<(Sound, oneshot::Sender<()>)>,
    /// The latest samples that came, at most `WINDOW`.
    heard: Vec<i16>,
}

/// A key that is held.
struct Key {
    packets: dtmf::Sender,
    timestamp: u32,
    done: oneshot::Sender<()>,
}

async fn run(socket: UdpSocket, mut line: Line, mut asked: mpsc::UnboundedReceiver<Command>) {
    let mut buffer = [0; 2048];
    let mut ticks = interval(PACKET);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            command = asked.recv() => match command {
                Some(command) => line.command(command),
                None => return,
            },
            _ = ticks.tick() => if let Some((bytes, remote)) = line.tick() {
                let _ = socket.send_to(&bytes, remote).await; // lost audio is not repeated
            },
            Ok((size, _)) = socket.recv_from(&mut buffer) => line.receive(&buffer[..size]),
        }
    }
}

impl Line {
    fn new(rng: &mut Rng) -> Self {
        Self {
            negotiated: None,
            tone: None,
            key: None,
            sequence: rng.u16(),
            timestamp: rng.u32(),
            ssrc: rng.u32(),
            wanted: None,
            heard: Vec::with_capacity(2 * WINDOW),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect(negotiated) => self.negotiated = Some(negotiated),
            Command::Listen(sound, found) => {
                self.heard.clear();
                self.wanted = Some((sound, found));
            }
            Command::Play(frequency) => {
                self.tone = frequency.map(|frequency| Sine::new(frequency, LOUDNESS, RATE));
            }
            Command::Press(digit, done) => {
                let packets = dtmf::Sender::new(digit, KEY_HELD);
                self.key = packets.map(|packets| Key { packets, timestamp: self.timestamp, done });
            }
        }
    }

    /// The next packet to send.
    fn tick(&mut self) -> Option<(Vec<u8>, SocketAddr)> {
        let negotiated = self.negotiated.as_ref()?;
        let remote = negotiated.remote_rtp;
        let audio_type = negotiated.codecs.first()?.send;
        let key_type = negotiated.digits.first().map(|digits| digits.send);
        let now = self.timestamp;
        self.timestamp = now.wrapping_add(u32::try_from(SAMPLES).unwrap_or(0));
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(key_type) = key_type
            && let Some(key) = &mut self.key
        {
            if let Some(sent) = key.packets.next() {
                let at = key.timestamp;
                let header = packet::header(sent.marker, key_type, self.sequence, at, self.ssrc);
                return Some(([&header[..], &sent.event.bytes()].concat(), remote));
            }
            if let Some(key) = self.key.take() {
                let _ = key.done.send(()); // whoever pressed may have hung up
            }
        }
        let mut bytes = packet::header(false, audio_type, self.sequence, now, self.ssrc).to_vec();
        let samples = (0..SAMPLES).map(|_| self.tone.as_mut().and_then(Iterator::next));
        bytes.extend(samples.map(|sample| alaw_encode(sample.unwrap_or(0))));
        Some((bytes, remote))
    }

    fn receive(&mut self, bytes: &[u8]) {
        let (Some(negotiated), Some(reader)) = (&self.negotiated, packet::read(bytes)) else {
            return;
        };
        if packet::is_rtcp(bytes)
            || !negotiated.codecs.iter().any(|codec| codec.receive == reader.payload_type())
        {
            return;
        }
        self.heard.extend(reader.payload().iter().map(|byte| alaw_decode(*byte)));
        let too_many = self.heard.len().saturating_sub(WINDOW);
        self.heard.drain(..too_many);
        if let Some((sound, found)) = self.wanted.take_if(|(sound, _)| sound.is_in(&self.heard)) {
            let _ = (sound, found.send(())); // whoever listened may have given up
        }
    }
}

impl Sound {
    fn is_in(self, samples: &[i16]) -> bool {
        if samples.len() < WINDOW {
            return false;
        }
        match self {
            Self::Any => {
                let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
                (energy / samples.len() as f64).sqrt() > SILENCE_MAX
            }
            Self::Tone(frequency) => {
                amplitude(samples, frequency, RATE) > SILENCE_MAX
                    && purity(samples, frequency, RATE) > PURITY_MIN
            }
        }
    }
}

/// Samples a second.
const RATE: u32 = 8000;
/// Length of a packet.
const PACKET: Duration = Duration::from_millis(20);
/// Samples of a packet.
const SAMPLES: usize = 160;
/// Samples in which a sound is looked for: 100 ms.
const WINDOW: usize = 800;
/// Peak of the tones played; full scale is 32767.
const LOUDNESS: i16 = 8000;
/// Up to this level there is silence.
const SILENCE_MAX: f64 = 200.0;
/// The share of the sound that a tone must make up.
const PURITY_MIN: f64 = 0.8;
/// How long a key is pressed.
const KEY_HELD: Duration = Duration::from_millis(120);
