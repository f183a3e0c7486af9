//! One leg: everything between its socket pair and the other legs of the thread.
//!
//! Spec:     RFC 3550 §5.1, RFC 3551, RFC 3264 §5.1 (direction), RFC 4733, RFC 3389 §4.
//! In:       packets of the phone, time.
//! Out:      what was heard; digits; what was counted.
//! Not here: which legs are bridged (`engine`), what the phone hears (`sending`), sockets
//!           (`shell::media`).

use std::net::SocketAddr;

use crate::audio::keys::Detector;
use crate::id::LegId;
use crate::media::codec::{self, Decoded, Decoder, Encoder};
use crate::media::control::{Counts, Event, Playback, RoomId, Way};
use crate::media::engine::{Output, RecordingId, Slot};
use crate::media::keying::Keying;
use crate::media::latch::{Latch, Verdict};
use crate::media::noising::Noising;
use crate::media::one_way::{Found, OneWay};
use crate::media::outgoing::{Incoming, Outgoing};
use crate::media::player::Player;
use crate::media::prompt::Library;
use crate::media::recorder::{Recorder, Side};
use crate::media::reports::Reports;
use crate::media::score;
use crate::media::sending::Rest;
use crate::media::silence::Silence;
use crate::media::toning::Toning;
use crate::media::twice::Twice;
use crate::rng::Rng;
use crate::rtp::dtmf;
use crate::rtp::packet::RtpMut;
use crate::rtp::press::Press;
use crate::rtp::srtp::{Receiver, Refused, Sender};
use crate::sdp::{COMFORT_NOISE, Codec, Direction, Keys, Negotiated};
use crate::time::{Duration, Epoch, Instant};

mod pressing;

/// A leg with an open port.
#[derive(Debug)]
pub struct Leg {
    pub id: LegId,
    /// The leg that what the phone says is relayed to.
    pub peer: Option<Slot>,
    /// The room that the leg is in.
    pub room: Option<RoomId>,
    /// Whom it hears.
    hears: Hears,
    /// What does not fill a packet yet, of a mix or of a peer that is transcoded; `None` if that
    /// did not go on.
    pub(super) rest: Option<Rest>,
    pub recording: Option<Recording>,
    /// The moment for which the engine's timer is set.
    pub alarm: Instant,
    pub(super) audio: Option<Box<Negotiated>>,
    /// What each payload type from the phone means.
    kinds: [Kind; 128],
    pub(super) latch: Latch,
    pub(super) outgoing: Outgoing,
    pub(super) player: Option<Player>,
    /// Nothing was sent right before: the next packet begins a talkspurt.
    pub(super) pausing: bool,
    /// The phone's timestamps at 8 kHz.
    moments: Moments,
    digits: dtmf::Receiver,
    /// Hears the keys of a phone that presses them as tones.
    tones: Option<Box<Detector>>,
    /// A key of the peer, for a phone that hears keys as tones only.
    pub(super) toning: Option<Toning>,
    /// A key of the peer that the phone hears with other numbers.
    pub(super) press: Option<Press>,
    /// Keys that we press on the phone, and the timestamp of the one at hand.
    pub(super) keying: Option<(Keying, Option<u32>)>,
    /// What the phone hears while its peer, which is transcoded, says nothing.
    pub(super) noising: Option<Noising>,
    /// Keys of the peer that SIP INFO tells too.
    pub(super) twice: Twice,
    /// The tones that the peer presses are told already.
    swallows: bool,
    /// Emptied at once; kept for its memory.
    pressed: Vec<dtmf::Digit>,
    pub(super) reports: Reports,
    silence: Silence,
    one_way: OneWay,
    decoder: Decoder,
    pub(super) encoder: Encoder,
    /// `None` if packets are not encrypted.
    pub(super) secure: Option<Box<Secure>>,
    received: Way,
    pub(super) sent: Way,
    malformed: u64,
    forged: u64,
}

/// Whom a leg hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hears {
    /// One other, relayed.
    Leg(Slot),
    /// Several, of its room.
    Mix,
    #[default]
    Nobody,
}

/// What encrypts the leg's packets.
#[derive(Debug)]
pub struct Secure {
    keys: Keys,
    pub(super) sender: Sender,
    receiver: Receiver,
}

/// A recording of the leg.
#[derive(Debug)]
pub struct Recording {
    pub id: RecordingId,
    pub recorder: Recorder,
}

/// Timestamps of a clock that is faster than 8 kHz wrap sooner: they are counted on.
#[derive(Debug)]
struct Moments {
    clock_rate: u32,
    /// Source and timestamp of the newest packet.
    newest: Option<(u32, i64)>,
}

impl Default for Moments {
    fn default() -> Self {
        Self { clock_rate: codec::NARROW, newest: None }
    }
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Audio(Codec),
    /// A key, told in units of this clock.
    Digit {
        clock_rate: u32,
    },
    /// Comfort noise (RFC 3389).
    Noise,
    /// Nothing was agreed on.
    #[default]
    Unknown,
}

/// A packet of the phone that may be relayed.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub kind: Kind,
    pub packet: Incoming,
    /// Its timestamp at 8 kHz.
    pub moment: u32,
    /// Bytes of the packet, decrypted.
    pub length: usize,
}

impl Secure {
    /// A key that stays goes on where it was (RFC 3711 §3.2.1).
    fn new(keys: &Keys, before: Option<Box<Self>>) -> Box<Self> {
        let (sender, receiver) = before.map_or((None, None), |before| {
            let Self { keys: old, sender, receiver } = *before;
            let sender = (old.send == keys.send).then_some(sender);
            (sender, (old.receive == keys.receive).then_some(receiver))
        });
        Box::new(Self {
            keys: keys.clone(),
            sender: sender.unwrap_or_else(|| Sender::new(&keys.send)),
            receiver: receiver.unwrap_or_else(|| Receiver::new(&keys.receive)),
        })
    }
}

impl Leg {
    /// `silence_max`: how long the phone may say nothing before that is told.
    pub fn new(id: LegId, silence_max: Duration, rng: &mut Rng) -> Self {
        let ssrc = rng.u32();
        Self {
            id,
            peer: None,
            room: None,
            hears: Hears::Nobody,
            rest: None,
            recording: None,
            alarm: Instant::NEVER,
            audio: None,
            kinds: [Kind::Unknown; 128],
            latch: Latch::default(),
            outgoing: Outgoing::new(ssrc, rng.u16(), rng.u32()),
            player: None,
            pausing: true,
            moments: Moments::default(),
            digits: dtmf::Receiver::default(),
            tones: None,
            toning: None,
            press: None,
            keying: None,
            noising: None,
            twice: Twice::default(),
            swallows: false,
            pressed: Vec::new(),
            reports: Reports::new(ssrc, rng),
            silence: Silence::new(silence_max),
            one_way: OneWay::new(),
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            secure: None,
            received: Way::default(),
            sent: Way::default(),
            malformed: 0,
            forged: 0,
        }
    }

    /// Takes what offer and answer agreed on.
    pub fn connect(&mut self, now: Instant, audio: Box<Negotiated>) {
        self.kinds = [Kind::Unknown; 128];
        // Whether it was agreed on or not: it has this number everywhere.
        self.kinds[usize::from(COMFORT_NOISE)] = Kind::Noise;
        for payload in audio.codecs.iter().rev() {
            self.kinds[usize::from(payload.receive & 0x7f)] = Kind::Audio(payload.codec);
        }
        for digits in &audio.digits {
            let clock_rate = digits.clock_rate;
            self.kinds[usize::from(digits.receive & 0x7f)] = Kind::Digit { clock_rate };
        }
        if let Some(first) = audio.codecs.first() {
            self.outgoing.set_clock_rate(first.codec.clock_rate());
        }
        self.latch.expect(audio.remote_rtp, audio.signalled);
        self.reports.start(now, audio.remote_rtcp);
        self.silence.agreed(now, audio.direction);
        self.one_way.agreed(now);
        self.outgoing.interrupt();
        self.noising = None;
        if !audio.tones {
            (self.tones, self.toning) = (None, None);
        } else if self.tones.is_none() {
            self.tones = Some(Box::default());
        }
        self.secure = audio.keys.as_ref().map(|keys| Secure::new(keys, self.secure.take()));
        self.audio = Some(audio);
    }

    /// Replaces what is played.
    pub fn play(&mut self, now: Instant, playback: Playback) {
        self.outgoing.interrupt();
        self.noising = None;
        self.player = Some(Player::new(now, playback));
    }

    pub fn stop_playing(&mut self) {
        self.player = None;
        self.outgoing.interrupt();
    }

    /// Whom the leg hears from here on; the same as before changes nothing.
    pub fn tune_in(&mut self, hears: Hears) {
        if self.hears == hears {
            return;
        }
        if self.hears == Hears::Nobody {
            self.stop_playing();
        }
        self.hears = hears;
        self.interrupt();
    }

    /// Another stream, or none, will be heard of the peer.
    pub fn interrupt(&mut self) {
        self.outgoing.interrupt();
        (self.rest, self.noising) = (None, None);
        if let Some(recording) = &mut self.recording {
            recording.recorder.interrupt(Side::Peer);
        }
    }

    /// Judges and counts a packet from the socket; gives what may be relayed.
    pub fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        out: &mut Vec<Output>,
    ) -> Option<Heard> {
        let arrived = bytes.len() as u64;
        let bytes = self.open_rtp(from, bytes)?;
        let length = bytes.len();
        let Some(packet) = RtpMut::new(bytes) else {
            self.malformed += 1;
            return None;
        };
        let incoming = Incoming {
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            marker: packet.marker(),
            event: false,
        };
        match self.latch.judge(now, from, incoming.ssrc, incoming.sequence) {
            Verdict::Ours => {}
            Verdict::Probation | Verdict::Stranger => return None,
        }
        self.silence.hear(now);
        let kind = self.kinds[usize::from(packet.payload_type())];
        self.one_way.hear(now, kind == Kind::Noise);
        let clock_rate = match kind {
            Kind::Audio(codec) => codec.clock_rate(),
            Kind::Digit { .. } => self.moments.clock_rate, // that of the audio beside it
            Kind::Noise | Kind::Unknown => codec::NARROW,
        };
        let moment = self.moments.of(clock_rate, &incoming);
        let packet = match kind {
            Kind::Unknown => {
                self.malformed += 1;
                return None;
            }
            Kind::Digit { .. } => {
                let Incoming { ssrc, timestamp, .. } = incoming;
                match dtmf::Event::parse(packet.payload()) {
                    Some(event) => {
                        let key = dtmf::Input::Packet { ssrc, timestamp, clock_rate, event };
                        self.digit(now, key, out);
                    }
                    None => self.malformed += 1,
                }
                Incoming { event: true, ..incoming }
            }
            Kind::Audio(_) | Kind::Noise => incoming,
        };
        self.received.packets += 1;
        self.received.bytes += arrived;
        self.reports.received(now, &packet, clock_rate);
        let hears = matches!(kind, Kind::Digit { .. }) || self.may_receive();
        hears.then_some(Heard { kind, packet, moment, length })
    }

    /// Decrypts a packet, if the leg's are encrypted. One that cannot be the phone's costs no
    /// cryptography.
    fn open_rtp<'a>(&mut self, from: SocketAddr, bytes: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let Some(secure) = &mut self.secure else { return Some(bytes) };
        if self.latch.excludes(from) {
            return Some(bytes); // it will be counted as a stranger's
        }
        match secure.receiver.open_rtp(bytes) {
            Ok(length) => return Some(&mut bytes[..length]),
            Err(Refused::Malformed) => self.malformed += 1,
            Err(Refused::Forged | Refused::Replayed | Refused::Streams) => self.forged += 1,
        }
        None
    }

    /// Whether a peer's packets go to the phone.
    pub fn hears_peer(&self) -> bool {
        self.player.is_none() && self.may_send()
    }

    /// Fills `decoded` with what the phone said, at 8 kHz too if that is wanted; false if it was
    /// none of the codec's packets.
    pub fn decode(
        &mut self,
        codec: Codec,
        packet: Incoming,
        payload: &[u8],
        narrow: bool,
        decoded: &mut Decoded,
    ) -> bool {
        let is_decoded = self.decoder.decode(codec, packet, payload, narrow, decoded);
        self.malformed += u64::from(!is_decoded);
        is_decoded
    }

    /// Whether what the phone says must be decoded, whoever hears it.
    pub fn listens(&self) -> bool {
        self.recording.is_some() || self.tones.is_some()
    }

    /// Listens for keys in what the phone says; gives them, each as soon as it is sure.
    pub fn listen(&mut self, samples: &[i16], out: &mut Vec<Output>) -> Vec<char> {
        let Some(tones) = &mut self.tones else { return Vec::new() };
        let mut keys = Vec::new(); // takes no memory while there are none
        tones.hear(samples, &mut keys);
        let events = keys.iter().map(|digit| Event::Digit { leg: self.id, digit: *digit });
        out.extend(events.map(Output::Event));
        keys
    }

    /// Whether a key is heard as tones from the phone.
    pub fn is_pressing(&self) -> bool {
        self.tones.as_ref().is_some_and(|tones| tones.is_pressed())
    }

    /// Records a packet of the phone or of its peer, if there is a recording.
    pub fn record(&mut self, now: Instant, side: Side, heard: Heard, decoded: &Decoded) {
        if let Some(recording) = &mut self.recording {
            let moment = heard.moment.wrapping_sub(decoded.recovered());
            let samples = decoded.narrow().samples;
            recording.recorder.place(now, side, heard.packet.ssrc, moment, samples);
        }
    }

    /// Whether the phone speaks at 16 kHz.
    pub fn is_wide(&self) -> bool {
        let codec = self.audio.as_ref().and_then(|audio| audio.codecs.first());
        codec.is_some_and(|payload| codec::is_wide(payload.codec))
    }

    /// Records a frame of the mix that the leg hears, at 8 kHz; `clock` counts its samples.
    pub fn record_mix(&mut self, now: Instant, clock: u32, samples: &[i16]) {
        let ssrc = self.outgoing.ssrc();
        if let Some(recording) = &mut self.recording {
            recording.recorder.place(now, Side::Peer, ssrc, clock, samples);
        }
    }

    /// What the leg does by itself at this moment.
    pub fn tick(
        &mut self,
        now: Instant,
        slot: Slot,
        epoch: Epoch,
        library: &impl Library,
        out: &mut Vec<Output>,
    ) {
        self.digit(now, dtmf::Input::Tick, out);
        self.press_due(now, slot, out);
        self.noise_due(now, slot, out);
        self.play_due(now, slot, library, out);
        if now >= self.reports.next_tick() {
            let counts = Box::new(self.counts());
            out.push(Output::Event(Event::Counted { leg: self.id, counts }));
        }
        let report = self.reports.tick(now, epoch, &self.outgoing, &self.latch);
        if let Some((to, packet)) = report.and_then(|report| self.seal_rtcp(report)) {
            out.push(Output::Rtcp { slot, to, packet });
        }
        if self.silence.tick(now) {
            out.push(Output::Event(Event::Silent { leg: self.id }));
        }
        let talks = self.peer.is_some_and(|peer| peer != slot) || self.room.is_some();
        let expected = talks && self.is_two_way();
        if let Some(found) = self.one_way.look(now, expected, self.sent.packets) {
            let leg = self.id;
            let event = match found {
                Found::OneWay => Event::OneWay { leg },
                Found::Over => Event::BothWays { leg },
            };
            out.push(Output::Event(event));
        }
        if let Some(recording) = &mut self.recording {
            let block = recording.recorder.flush(now);
            if !block.is_empty() {
                out.push(Output::Samples { id: recording.id, block });
            }
        }
    }

    /// When to call `tick` next.
    pub fn next_tick(&self) -> Instant {
        let player = self.player.as_ref().filter(|_| self.audio.is_some());
        player
            .map_or(Instant::NEVER, Player::next_tick)
            .min(self.digits.next_tick().unwrap_or(Instant::NEVER))
            .min(self.keying.as_ref().map_or(Instant::NEVER, |(keying, _)| keying.next_tick()))
            .min(self.twice.next_tick())
            .min(self.noising.as_ref().map_or(Instant::NEVER, |noising| noising.due))
            .min(self.reports.next_tick())
            .min(self.silence.next_tick())
            .min(self.one_way.next_tick())
            .min(self.recording.as_ref().map_or(Instant::NEVER, |it| it.recorder.next_tick()))
    }

    /// Takes an RTCP packet of the phone.
    pub fn hear_rtcp(&mut self, now: (Instant, Epoch), from: SocketAddr, bytes: &mut [u8]) {
        let bytes = match &mut self.secure {
            None => bytes,
            Some(secure) => match secure.receiver.open_rtcp(bytes) {
                Ok(length) => &mut bytes[..length],
                Err(Refused::Malformed) => return self.malformed += 1,
                Err(Refused::Forged | Refused::Replayed | Refused::Streams) => {
                    return self.forged += 1;
                }
            },
        };
        if self.reports.hear(now, from, bytes, &self.outgoing, &self.latch) {
            self.silence.hear(now.0);
            self.one_way.hear_report(now.0);
        }
    }

    fn seal_rtcp(&mut self, report: (SocketAddr, Vec<u8>)) -> Option<(SocketAddr, Vec<u8>)> {
        let (to, mut packet) = report;
        let Some(secure) = &mut self.secure else { return Some((to, packet)) };
        secure.sender.seal_rtcp(&mut packet).then_some((to, packet))
    }

    /// The last RTCP packet of the leg.
    pub fn goodbye(&mut self, now: Instant, epoch: Epoch) -> Option<(SocketAddr, Vec<u8>)> {
        let report = self.reports.goodbye(now, epoch, &self.outgoing, &self.latch)?;
        self.seal_rtcp(report)
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let figures = self.reports.figures();
        let mut counts = Counts {
            received: self.received.clone(),
            sent: self.sent.clone(),
            strangers: self.latch.strangers() + figures.strangers,
            malformed: self.malformed + figures.malformed,
            forged: self.forged,
            encrypted: self.secure.is_some(),
            ..Counts::default()
        };
        score::fill(&mut counts, &figures, self.audio.as_deref());
        counts
    }

    fn digit(&mut self, now: Instant, input: dtmf::Input, out: &mut Vec<Output>) {
        self.digits.handle(now, input, &mut self.pressed);
        let events =
            self.pressed.drain(..).map(|dtmf::Digit(digit)| Event::Digit { leg: self.id, digit });
        out.extend(events.map(Output::Event));
    }

    /// Whether the phone hears its peer and is to be heard: neither holds the other.
    fn is_two_way(&self) -> bool {
        let direction = self.audio.as_ref().map(|audio| audio.direction);
        self.player.is_none() && direction == Some(Direction::SendRecv)
    }

    fn may_send(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| may_send(audio.direction))
    }

    fn may_receive(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| match audio.direction {
            Direction::RecvOnly | Direction::SendRecv => true,
            Direction::Inactive | Direction::SendOnly => false,
        })
    }
}

impl Moments {
    /// The packet's timestamp at 8 kHz: as it is, or of a faster clock as many times slower.
    fn of(&mut self, clock_rate: u32, packet: &Incoming) -> u32 {
        self.clock_rate = clock_rate;
        if clock_rate == codec::NARROW {
            return packet.timestamp;
        }
        let before = self.newest.filter(|(ssrc, _)| *ssrc == packet.ssrc);
        let newest = before.map_or(packet.timestamp.into(), |(_, newest)| newest);
        let step = packet.timestamp.wrapping_sub(newest as u32).cast_signed();
        let extended = newest + i64::from(step);
        self.newest = Some((packet.ssrc, extended));
        extended.div_euclid((clock_rate / codec::NARROW).into()) as u32
    }
}

pub fn may_send(direction: Direction) -> bool {
    match direction {
        Direction::SendOnly | Direction::SendRecv => true,
        Direction::Inactive | Direction::RecvOnly => false,
    }
}
