//! One leg: everything between its socket pair and the other legs of the thread.
//!
//! Spec:     RFC 3550 §5.1, RFC 3551, RFC 3264 §5.1 (direction), RFC 4733.
//! In:       packets of the phone, packets of a bridged leg, time.
//! Out:      what was heard; packets for the phone; digits; what was counted.
//! Not here: which legs are bridged (`engine`), sockets (`shell::media`).

use std::net::SocketAddr;

use crate::audio::keys::Detector;
use crate::id::LegId;
use crate::media::codec::{self, Decoder, Encoder, Samples, transcode_g711};
use crate::media::control::{Counts, Event, Playback, RoomId, Way};
use crate::media::engine::{Output, RecordingId, Slot};
use crate::media::keying::Keying;
use crate::media::latch::{Latch, Verdict};
use crate::media::one_way::{Found, OneWay};
use crate::media::outgoing::{Incoming, Outgoing};
use crate::media::player::{Frame, Player};
use crate::media::prompt::Library;
use crate::media::recorder::{Recorder, Side};
use crate::media::reports::Reports;
use crate::media::score;
use crate::media::silence::Silence;
use crate::media::toning::{self, Toning};
use crate::rng::Rng;
use crate::rtp::dtmf;
use crate::rtp::packet::{self, HEADER_BYTES, RtpMut};
use crate::rtp::srtp::{OVERHEAD_MAX, Receiver, Refused, Sender};
use crate::sdp::{Codec, Direction, Keys, Negotiated, Payload};
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
    /// Its part of a mix that does not fill a packet yet; `None` if the mix did not go on.
    mix: Option<Vec<i16>>,
    pub recording: Option<Recording>,
    /// The moment for which the engine's timer is set.
    pub alarm: Instant,
    audio: Option<Box<Negotiated>>,
    /// What each payload type from the phone means.
    kinds: [Kind; 128],
    latch: Latch,
    outgoing: Outgoing,
    player: Option<Player>,
    /// Nothing was sent right before: the next packet begins a talkspurt.
    pausing: bool,
    digits: dtmf::Receiver,
    /// Hears the keys of a phone that presses them as tones.
    tones: Option<Box<Detector>>,
    /// A key of the peer, for a phone that hears keys as tones only.
    toning: Option<Toning>,
    /// Keys that we press on the phone, and the timestamp of the one at hand.
    keying: Option<(Keying, Option<u32>)>,
    /// Emptied at once; kept for its memory.
    pressed: Vec<dtmf::Digit>,
    reports: Reports,
    silence: Silence,
    one_way: OneWay,
    decoder: Decoder,
    encoder: Encoder,
    /// `None` if packets are not encrypted.
    secure: Option<Box<Secure>>,
    received: Way,
    sent: Way,
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
struct Secure {
    keys: Keys,
    sender: Sender,
    receiver: Receiver,
}

/// A recording of the leg.
#[derive(Debug)]
pub struct Recording {
    pub id: RecordingId,
    pub recorder: Recorder,
}

/// What a payload type means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Audio(Codec),
    Digit,
    /// Nothing was agreed on.
    #[default]
    Unknown,
}

/// A packet of the phone that may be relayed.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub kind: Kind,
    pub packet: Incoming,
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
            mix: None,
            recording: None,
            alarm: Instant::NEVER,
            audio: None,
            kinds: [Kind::Unknown; 128],
            latch: Latch::default(),
            outgoing: Outgoing::new(ssrc, rng.u16(), rng.u32()),
            player: None,
            pausing: true,
            digits: dtmf::Receiver::default(),
            tones: None,
            toning: None,
            keying: None,
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
        for payload in audio.codecs.iter().rev() {
            self.kinds[usize::from(payload.receive & 0x7f)] = Kind::Audio(payload.codec);
        }
        if let Some(digits) = audio.digits {
            self.kinds[usize::from(digits.receive & 0x7f)] = Kind::Digit;
        }
        self.latch.expect(audio.remote_rtp);
        self.reports.start(now, audio.remote_rtcp);
        self.silence.agreed(now, audio.direction);
        self.one_way.agreed(now);
        self.outgoing.interrupt();
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
        self.mix = None;
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
        // Comfort noise too, whatever its payload type.
        self.silence.hear(now);
        let kind = self.kinds[usize::from(packet.payload_type())];
        let is_noise = kind == Kind::Unknown && packet.payload_type() == COMFORT_NOISE;
        self.one_way.hear(now, is_noise);
        let packet = match kind {
            Kind::Unknown => {
                self.malformed += 1;
                return None;
            }
            Kind::Digit => {
                let Incoming { ssrc, timestamp, .. } = incoming;
                match dtmf::Event::parse(packet.payload()) {
                    Some(event) => {
                        self.digit(now, dtmf::Input::Packet { ssrc, timestamp, event }, out);
                    }
                    None => self.malformed += 1,
                }
                Incoming { event: true, ..incoming }
            }
            Kind::Audio(_) => incoming,
        };
        self.received.packets += 1;
        self.received.bytes += arrived;
        self.reports.received(now, &packet);
        let hears = matches!(kind, Kind::Digit) || self.may_receive();
        hears.then_some(Heard { kind, packet, length })
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
            Err(Refused::Forged | Refused::Replayed) => self.forged += 1,
        }
        None
    }

    /// Rewrites the packet of the peer in `buffer` for this phone; says where to send it, and how
    /// many bytes of the buffer, if at all.
    ///
    /// `samples` are those of the packet; without them only G.711 can be transcoded.
    pub fn relay(
        &mut self,
        now: Instant,
        heard: Heard,
        buffer: &mut [u8],
        samples: Option<&[i16]>,
    ) -> Option<(SocketAddr, usize)> {
        let to = self.latch.target()?;
        if self.keying.is_some() {
            return None;
        }
        if self.is_toning(now, heard.kind) {
            return self.relay_key(now, heard, buffer).map(|length| (to, length));
        }
        let mut packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        let (payload_type, ticks) = match heard.kind {
            Kind::Unknown => return None,
            Kind::Digit => (self.audio.as_ref()?.digits?.send, 0),
            Kind::Audio(codec) => {
                let Payload { codec: wanted, send, .. } = self.payload_for(codec)?;
                let payload = packet.payload_mut();
                match samples {
                    _ if wanted == codec => {}
                    Some(samples) if is_wide(codec, wanted) => {
                        self.encoder.encode(wanted, samples, payload);
                    }
                    _ => transcode_g711(codec, payload),
                }
                (send, payload.len() as u32)
            }
        };
        let header = self.outgoing.relayed(now, heard.packet, ticks)?;
        packet.set_sequence(header.sequence);
        packet.set_timestamp(header.timestamp);
        packet.set_ssrc(header.ssrc);
        packet.set_marker(header.marker);
        packet.set_payload_type(payload_type);
        let length = self.seal_rtp(buffer, heard.length)?;
        self.count_sent(length as u64);
        Some((to, length))
    }

    /// Whether a packet of the peer is a key that the phone hears as tones, or comes while one
    /// sounds.
    fn is_toning(&self, now: Instant, kind: Kind) -> bool {
        match kind {
            Kind::Digit => self.audio.as_ref().is_some_and(|audio| audio.tones),
            Kind::Audio(_) => self.toning.as_ref().is_some_and(|toning| toning.is_sounding(now)),
            Kind::Unknown => false,
        }
    }

    /// Writes the tones of a key's packet in its place; gives the length of what is to be sent.
    fn relay_key(&mut self, now: Instant, heard: Heard, buffer: &mut [u8]) -> Option<usize> {
        if heard.kind != Kind::Digit {
            return None;
        }
        let packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        let event = dtmf::Event::parse(packet.payload())?;
        let Incoming { ssrc, timestamp, .. } = heard.packet;
        let begins = !self.toning.as_ref().is_some_and(|key| key.is_of(ssrc, timestamp));
        let mut room = [0; toning::SAMPLES_MAX];
        let key = (ssrc, timestamp, event);
        let samples = Toning::next(&mut self.toning, now, key, &mut room);
        if samples.is_empty() {
            return None;
        }
        let length = self.write(now, (samples, 8000), begins, buffer)?;
        let length = self.seal_rtp(buffer, length)?;
        self.count_sent(length as u64);
        Some(length)
    }

    /// Writes a packet of ours with these samples, at 8 kHz or at the codec's own rate, in the
    /// codec that the phone prefers.
    fn write(
        &mut self,
        now: Instant,
        (samples, rate): (&[i16], u32),
        begins: bool,
        buffer: &mut [u8],
    ) -> Option<usize> {
        let payload = *self.audio.as_ref()?.codecs.first()?;
        let ticks = samples.len() * 8000 / rate as usize;
        let length = HEADER_BYTES + ticks;
        let packet = buffer.get_mut(..length)?;
        let header = self.outgoing.made(now, ticks as u32, begins);
        let head = packet::header(
            header.marker,
            payload.send,
            header.sequence,
            header.timestamp,
            header.ssrc,
        );
        packet[..HEADER_BYTES].copy_from_slice(&head);
        match rate {
            8000 => self.encoder.encode(payload.codec, samples, &mut packet[HEADER_BYTES..]),
            _ => self.encoder.encode_own(payload.codec, samples, &mut packet[HEADER_BYTES..]),
        }
        Some(length)
    }

    fn seal_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match &mut self.secure {
            Some(secure) => secure.sender.seal_rtp(buffer, length),
            None => Some(length),
        }
    }

    /// Whether a peer's packets go to the phone.
    pub fn hears_peer(&self) -> bool {
        self.player.is_none() && self.may_send()
    }

    /// Whether a peer's packets must be decoded before they are relayed to this leg.
    pub fn needs_samples(&self, codec: Codec) -> bool {
        let wanted = self.payload_for(codec).map_or(codec, |payload| payload.codec);
        self.recording.is_some() || is_wide(codec, wanted)
    }

    /// The samples of what the phone sent.
    pub fn decode<'a>(
        &mut self,
        codec: Codec,
        payload: &[u8],
        samples: &'a mut Samples,
    ) -> &'a [i16] {
        self.decoder.decode(codec, payload, samples)
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
    pub fn record(&mut self, now: Instant, side: Side, packet: Incoming, samples: &[i16]) {
        if let Some(recording) = &mut self.recording {
            recording.recorder.place(now, side, packet.ssrc, packet.timestamp, samples);
        }
    }

    /// Whether the phone speaks at 16 kHz.
    pub fn is_wide(&self) -> bool {
        let codec = self.audio.as_ref().and_then(|audio| audio.codecs.first());
        codec.is_some_and(|payload| codec::is_wide(payload.codec))
    }

    /// Records a frame of the mix that the leg hears, at 8 kHz; `clock` counts its samples.
    pub fn record_mix(&mut self, now: Instant, clock: u32, samples: &[i16]) {
        let packet = Incoming {
            sequence: 0,
            timestamp: clock,
            ssrc: self.outgoing.ssrc(),
            marker: false,
            event: false,
        };
        self.record(now, Side::Peer, packet, samples);
    }

    /// Sends a frame of the mix that the leg hears, at the rate that `is_wide` says, as soon as it
    /// fills a packet.
    pub fn send_mix(&mut self, now: Instant, slot: Slot, samples: &[i16], out: &mut Vec<Output>) {
        let (Some(to), Some(audio)) = (self.latch.target(), &self.audio) else { return };
        if self.keying.is_some() {
            return self.rest_from_mix();
        }
        let rate = if self.is_wide() { 16_000 } else { 8000 };
        let count = rate as usize / 1000 * usize::from(audio.ptime.clamp(10, 60));
        let mut begins = self.mix.is_none();
        let mut mix = self.mix.take().unwrap_or_default();
        mix.extend_from_slice(samples);
        for frame in mix.chunks_exact(count) {
            let ticks = count * 8000 / rate as usize;
            let mut packet = vec![0; HEADER_BYTES + ticks + OVERHEAD_MAX];
            let length = self.write(now, (frame, rate), begins, &mut packet);
            let length = length.and_then(|length| self.seal_rtp(&mut packet, length));
            let Some(length) = length else { continue };
            begins = false;
            packet.truncate(length);
            self.count_sent(length as u64);
            out.push(Output::Rtp { slot, to, packet });
        }
        mix.drain(..mix.len() / count * count);
        self.mix = Some(mix);
    }

    /// The leg hears something else, or nothing, for a while.
    pub fn rest_from_mix(&mut self) {
        self.mix = None;
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
                Err(Refused::Forged | Refused::Replayed) => return self.forged += 1,
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

    /// Sends what the player has for this moment.
    fn play_due(
        &mut self,
        now: Instant,
        slot: Slot,
        library: &impl Library,
        out: &mut Vec<Output>,
    ) {
        let (Some(player), Some(audio)) = (&mut self.player, &self.audio) else { return };
        if player.next_tick() > now {
            return;
        }
        let count = 8 * usize::from(audio.ptime.clamp(10, 60));
        let mut samples = [0; 480];
        let begins = match player.next(now, library, &mut samples[..count]) {
            Frame::Waiting => return,
            Frame::Ended { id: playback, missing } => {
                self.stop_playing();
                out.push(Output::Event(Event::Ended { leg: self.id, playback, missing }));
                return;
            }
            Frame::Audio { begins } => begins,
        };
        let Some(to) = self.latch.target() else { return };
        if !may_send(audio.direction) {
            self.pausing = true;
            return;
        }
        let begins = std::mem::take(&mut self.pausing) || begins;
        let mut packet = vec![0; HEADER_BYTES + count + OVERHEAD_MAX];
        let length = self.write(now, (&samples[..count], 8000), begins, &mut packet);
        let length = length.and_then(|length| self.seal_rtp(&mut packet, length));
        let Some(length) = length else { return };
        packet.truncate(length);
        self.count_sent(length as u64);
        out.push(Output::Rtp { slot, to, packet });
    }

    fn count_sent(&mut self, bytes: u64) {
        self.pausing = false;
        self.sent.packets += 1;
        self.sent.bytes += bytes;
        self.reports.sent(bytes);
    }

    /// How to send what a peer sends in `codec`: the same if it was agreed on, else the preferred.
    fn payload_for(&self, codec: Codec) -> Option<Payload> {
        let codecs = &self.audio.as_ref()?.codecs;
        let same = codecs.iter().find(|payload| payload.codec == codec);
        same.or(codecs.first()).copied()
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

fn may_send(direction: Direction) -> bool {
    match direction {
        Direction::SendOnly | Direction::SendRecv => true,
        Direction::Inactive | Direction::RecvOnly => false,
    }
}

/// Whether one codec becomes another by way of samples; G.711 does without.
fn is_wide(from: Codec, to: Codec) -> bool {
    from != to && (from == Codec::G722 || to == Codec::G722)
}

/// The payload type of comfort noise at 8 kHz (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;
