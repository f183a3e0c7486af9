//! The legs of one media thread: opened, bridged, in rooms, played to, recorded.
//!
//! Spec:     `media::control`; RFC 3550 §2.3 (a relay that renumbers is a translator and mixer).
//! In:       commands, datagrams in place, the passing of time.
//! Out:      where to send the datagram at hand; packets of our own, events, blocks to record.
//! Not here: sockets, files (`shell::media`); one leg's streams (`session`); mixing (`room`).
//!
//! Relaying a packet allocates nothing: it is rewritten where it lies.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::id::LegId;
use crate::media::codec::{Decoded, ticks};
use crate::media::control::{self, Command, Event, PARTIES_MAX, Party, Port, RoomId};
use crate::media::outgoing::samples_of;
use crate::media::prompt::Library;
use crate::media::recorder::{Recorder, Side};
use crate::media::room::Room;
use crate::media::session::{Heard, Hears, Kind, Leg, Recording};
use crate::rng::Rng;
use crate::rtp::packet::RtpMut;
use crate::time::{Duration, Epoch, Instant};

/// The place of a socket pair in its thread: half its RTP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    pub const fn of(port: u16) -> Self {
        Self(port / 2)
    }

    /// The RTP port.
    pub const fn port(self) -> u16 {
        2 * self.0
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Names a recording among those of all threads: the number of the thread that began it is in the
/// upper eight bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub u32);

/// Where the datagram at hand goes, from another leg's RTP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub slot: Slot,
    pub to: SocketAddr,
    /// How many bytes of the buffer.
    pub length: usize,
}

/// A datagram as it came, with room behind it for what takes its place: `OVERHEAD_MAX` more, or the
/// tones of a key.
#[derive(Debug)]
pub struct Datagram<'a> {
    pub buffer: &'a mut [u8],
    pub length: usize,
}

/// What the engine asks of its thread, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The slot's sockets are not needed any more.
    Close {
        slot: Slot,
    },
    Event(Event),
    /// A recording begins; its blocks follow.
    Record {
        id: RecordingId,
        leg: LegId,
        path: PathBuf,
    },
    /// A recording got its last block. `fault` says why, if nobody asked for the end.
    Recorded {
        id: RecordingId,
        fault: Option<String>,
    },
    /// The slot was given back unused.
    Return {
        slot: Slot,
    },
    Rtcp {
        slot: Slot,
        to: SocketAddr,
        packet: Vec<u8>,
    },
    Rtp {
        slot: Slot,
        to: SocketAddr,
        packet: Vec<u8>,
    },
    /// Interleaved samples that follow those before.
    Samples {
        id: RecordingId,
        block: Vec<i16>,
    },
    /// The slot's sockets are needed: a leg listens.
    Serve {
        slot: Slot,
    },
}

/// A leg between two threads, with all that it knows.
#[derive(Debug)]
pub struct Departed {
    pub slot: Slot,
    leg: Box<Leg>,
}

/// What an engine may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest recording.
    pub record_length_max: Duration,
    /// How long a phone may send neither RTP nor RTCP before that is told.
    pub silence_max: Duration,
}

/// Owns the legs of one thread.
pub struct Engine {
    limits: Limits,
    epoch: Epoch,
    rng: Rng,
    legs: Vec<Option<Box<Leg>>>,
    slots: HashMap<LegId, Slot>,
    /// Moments at which legs want a tick; one that is not its leg's `alarm` is stale.
    alarms: BinaryHeap<Reverse<(Instant, Slot)>>,
    rooms: HashMap<RoomId, Room>,
    /// The same for rooms.
    frames: BinaryHeap<Reverse<(Instant, RoomId)>>,
    decoded: Decoded,
    recordings: u32,
}

impl Engine {
    pub fn new(limits: Limits, epoch: Epoch, rng: Rng) -> Self {
        Self {
            limits,
            epoch,
            rng,
            legs: Vec::new(),
            slots: HashMap::new(),
            alarms: BinaryHeap::new(),
            rooms: HashMap::new(),
            frames: BinaryHeap::new(),
            decoded: Decoded::default(),
            recordings: 0,
        }
    }

    /// The same, for the thread with this number.
    #[must_use]
    pub fn on_thread(self, number: u8) -> Self {
        Self { recordings: u32::from(number) << RECORDINGS_BITS, ..self }
    }

    /// A leg leaves for another thread; whatever it hears ends, its recording goes on there.
    pub fn depart(&mut self, now: Instant, id: LegId) -> Option<Departed> {
        let slot = self.slot(id)?;
        self.unbridge(now, slot);
        self.slots.remove(&id);
        let mut leg = self.legs[slot.index()].take()?;
        leg.stop_playing();
        leg.alarm = Instant::NEVER;
        Some(Departed { slot, leg })
    }

    /// A leg comes from another thread.
    pub fn arrive(&mut self, departed: Departed, out: &mut Vec<Output>) {
        let Departed { slot, leg } = departed;
        let id = leg.id;
        self.seat(slot, leg);
        self.schedule(slot);
        out.push(Output::Serve { slot });
        out.push(Output::Event(Event::Moved { leg: id }));
    }

    fn seat(&mut self, slot: Slot, leg: Box<Leg>) {
        if self.legs.len() <= slot.index() {
            self.legs.resize_with(slot.index() + 1, || None);
        }
        self.slots.insert(leg.id, slot);
        self.legs[slot.index()] = Some(leg);
    }

    /// Applies one command and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::Bridge { a, b } => self.bridge(now, a, b),
            Command::Close { leg } => self.close(now, leg, out),
            Command::Connect { leg, audio } => {
                let Some(slot) = self.slot(leg) else { return };
                let peer = self.leg(slot).and_then(|leg| {
                    leg.connect(now, audio);
                    leg.peer
                });
                if let Some(peer) = peer.and_then(|peer| self.leg(peer)) {
                    peer.interrupt();
                }
                self.schedule(slot);
            }
            // Sockets go with the leg: the thread does it, with `depart` and `arrive`.
            Command::Move { .. } => {}
            Command::Open { leg, port } => self.open(leg, port, out),
            Command::PauseRecording { leg, pause } => {
                self.on_leg(leg, |leg| {
                    if let Some(recording) = &mut leg.recording {
                        recording.recorder.pause(now, pause);
                    }
                });
            }
            Command::Play { leg, playback } => self.on_leg(leg, |leg| leg.play(now, playback)),
            Command::Press { leg, key } => {
                let Some(slot) = self.slot(leg) else { return };
                let peer = self.leg(slot).and_then(|leg| leg.peer).filter(|peer| *peer != slot);
                let peer = peer.and_then(|peer| self.leg(peer));
                let may_follow = peer.is_some_and(|peer| peer.may_press());
                self.on_leg(leg, |leg| leg.told_key(now, key, may_follow));
            }
            Command::Record { leg, path } => self.record(now, leg, path, out),
            Command::Return { port } => {
                let slot = Slot::of(port.rtp);
                if self.leg(slot).is_none() {
                    out.push(Output::Return { slot });
                }
            }
            Command::Room(room) => self.set_room(now, &room),
            Command::Stop { leg } => self.on_leg(leg, Leg::stop_playing),
            Command::StopRecording { leg } => {
                if let Some(slot) = self.slot(leg) {
                    self.stop_recording(now, slot, None, out);
                }
            }
            Command::Unbridge { leg } => {
                if let Some(slot) = self.slot(leg) {
                    self.unbridge(now, slot);
                }
            }
        }
    }

    /// Orders something of one leg, which may want its tick earlier for it.
    fn on_leg(&mut self, id: LegId, order: impl FnOnce(&mut Leg)) {
        let Some(slot) = self.slot(id) else { return };
        if let Some(leg) = self.leg(slot) {
            order(leg);
        }
        self.schedule(slot);
    }

    /// Takes a datagram from a slot's RTP socket. If it is to be relayed, it was rewritten for
    /// whom it goes to.
    pub fn rtp(
        &mut self,
        now: Instant,
        slot: Slot,
        from: SocketAddr,
        Datagram { buffer, length }: Datagram<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Forward> {
        let (leg, peer) = pair(&mut self.legs, slot)?;
        let heard = leg.hear(now, from, buffer.get_mut(..length)?, out);
        if let (Some(room), Some(heard)) = (leg.room, heard)
            && let Some(room) = self.rooms.get_mut(&room)
        {
            hear_in_room(now, (slot, room), heard, buffer);
        }
        let is_earlier = leg.next_tick() < leg.alarm; // a key is pressed
        let own = (slot, &mut *leg);
        let forward =
            heard.and_then(|it| relay(now, own, peer, it, buffer, &mut self.decoded, out));
        let is_noise = heard.is_some_and(|it| it.kind == Kind::Noise);
        let pressed_on = leg.peer.filter(|_| leg.is_pressing() || is_noise);
        if is_earlier {
            self.schedule(slot);
        }
        if let Some(peer) = pressed_on {
            self.schedule(peer);
        }
        forward
    }

    /// Takes a datagram from a slot's RTCP socket.
    pub fn rtcp(&mut self, now: Instant, slot: Slot, from: SocketAddr, bytes: &mut [u8]) {
        let now = (now, self.epoch);
        if let Some(leg) = self.leg(slot) {
            leg.hear_rtcp(now, from, bytes);
        }
    }

    /// Does what is due: packets of prompts and music, mixes, reports, blocks of recordings.
    pub fn tick(&mut self, now: Instant, library: &impl Library, out: &mut Vec<Output>) {
        self.tick_rooms(now, out);
        self.tick_legs(now, library, out);
    }

    fn tick_rooms(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(Reverse((at, id))) = self.frames.peek().copied() {
            if at > now {
                return;
            }
            self.frames.pop();
            let Some(room) = self.rooms.get_mut(&id).filter(|room| room.alarm == at) else {
                continue;
            };
            room.alarm = Instant::NEVER;
            room.tick(now, &mut self.legs, out);
            self.schedule_room(id);
        }
    }

    fn tick_legs(&mut self, now: Instant, library: &impl Library, out: &mut Vec<Output>) {
        while let Some(Reverse((at, slot))) = self.alarms.peek().copied() {
            if at > now {
                return;
            }
            self.alarms.pop();
            let epoch = self.epoch;
            let frames_max = u64::from(samples_of(self.limits.record_length_max));
            let Some(leg) = self.leg(slot).filter(|leg| leg.alarm == at) else { continue };
            leg.alarm = Instant::NEVER;
            leg.tick(now, slot, epoch, library, out);
            let recording = leg.recording.as_ref();
            if recording.is_some_and(|recording| recording.recorder.frames() >= frames_max) {
                let fault = "the longest recording allowed was reached";
                self.stop_recording(now, slot, Some(fault.to_owned()), out);
            }
            self.schedule(slot);
        }
    }

    /// When to call `tick` next.
    pub fn next_tick(&self) -> Option<Instant> {
        let leg = self.alarms.peek().map(|Reverse((at, _))| *at);
        let room = self.frames.peek().map(|Reverse((at, _))| *at);
        leg.into_iter().chain(room).min()
    }

    /// Legs with an open port.
    pub fn legs(&self) -> usize {
        self.slots.len()
    }

    /// The legs that are open, for the end of the thread.
    pub fn open_legs(&self) -> Vec<LegId> {
        let mut legs: Vec<_> = self.slots.keys().copied().collect();
        legs.sort_unstable();
        legs
    }

    fn open(&mut self, id: LegId, port: Port, out: &mut Vec<Output>) {
        let slot = Slot::of(port.rtp);
        if self.leg(slot).is_some() || self.slots.contains_key(&id) {
            tracing::error!(leg = %id, port = port.rtp, "the leg or its port is open already");
            return;
        }
        let leg = Box::new(Leg::new(id, self.limits.silence_max, &mut self.rng));
        self.seat(slot, leg);
        out.push(Output::Serve { slot });
    }

    fn close(&mut self, now: Instant, id: LegId, out: &mut Vec<Output>) {
        let Some(slot) = self.slot(id) else { return };
        self.unbridge(now, slot);
        self.stop_recording(now, slot, None, out);
        self.slots.remove(&id);
        let Some(mut leg) = self.legs[slot.index()].take() else { return };
        if let Some((to, packet)) = leg.goodbye(now, self.epoch) {
            out.push(Output::Rtcp { slot, to, packet });
        }
        let counts = Box::new(leg.counts());
        out.push(Output::Event(Event::Closed { leg: id, counts }));
        out.push(Output::Close { slot });
    }

    fn bridge(&mut self, now: Instant, a: LegId, b: LegId) {
        let (Some(a), Some(b)) = (self.slot(a), self.slot(b)) else { return };
        self.unbridge(now, a);
        self.unbridge(now, b);
        for (slot, peer) in [(a, b), (b, a)] {
            if let Some(leg) = self.leg(slot) {
                leg.peer = Some(peer);
                leg.stop_playing();
                leg.tune_in(Hears::Leg(peer));
            }
        }
    }

    /// A leg leaves its bridge or its room.
    fn unbridge(&mut self, now: Instant, slot: Slot) {
        let Some(leg) = self.leg(slot) else { return };
        leg.tune_in(Hears::Nobody);
        let (peer, room) = (leg.peer.take(), leg.room.take());
        if let Some(id) = room
            && let Some(room) = self.rooms.get_mut(&id)
        {
            room.remove(now, slot, &mut self.legs);
            self.tidy_room(id);
        } else if let Some(peer) = peer.and_then(|peer| self.leg(peer)) {
            peer.tune_in(Hears::Nobody);
            peer.peer = None;
        }
    }

    /// A room is as it says.
    fn set_room(&mut self, now: Instant, wanted: &control::Room) {
        let id = wanted.id;
        let mut parties: Vec<(Slot, Party)> = Vec::with_capacity(wanted.parties.len());
        for party in wanted.parties.iter().take(PARTIES_MAX) {
            if let Some(slot) = self.slot(party.leg)
                && !parties.iter().any(|(other, _)| *other == slot)
            {
                parties.push((slot, *party));
            }
        }
        let stays = |slot: &Slot| parties.iter().any(|(party, _)| party == slot);
        let room = self.rooms.entry(id).or_insert_with(Room::new);
        let left: Vec<Slot> = room.slots().filter(|slot| !stays(slot)).collect();
        for slot in left {
            if let Some(leg) = self.leg(slot) {
                (leg.peer, leg.room) = (None, None);
                leg.tune_in(Hears::Nobody);
            }
        }
        for (slot, _) in &parties {
            self.enter(now, *slot, id, &parties);
        }
        if let Some(room) = self.rooms.get_mut(&id) {
            room.set(now, wanted, parties, &mut self.legs);
        }
        self.tidy_room(id);
    }

    /// A leg comes into a room out of a bridge or another room. Who comes with the one that he was
    /// bridged to hears him on.
    fn enter(&mut self, now: Instant, slot: Slot, id: RoomId, parties: &[(Slot, Party)]) {
        let Some(leg) = self.leg(slot) else { return };
        match (leg.room, leg.peer) {
            (Some(room), _) if room == id => return,
            (None, Some(peer)) if parties.iter().any(|(party, _)| *party == peer) => {}
            (None, None) => {}
            (Some(_), _) | (None, Some(_)) => self.unbridge(now, slot),
        }
        if let Some(leg) = self.leg(slot) {
            leg.room = Some(id);
        }
    }

    /// Sets the timer of a room, or forgets the room if nobody is in it.
    fn tidy_room(&mut self, id: RoomId) {
        if self.rooms.get(&id).is_some_and(Room::is_empty) {
            self.rooms.remove(&id);
        }
        self.schedule_room(id);
    }

    fn schedule_room(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let next = room.next_tick();
        if next < room.alarm {
            room.alarm = next;
            self.frames.push(Reverse((next, id)));
        }
    }

    fn record(&mut self, now: Instant, id: LegId, path: PathBuf, out: &mut Vec<Output>) {
        let Some(slot) = self.slot(id) else { return };
        self.stop_recording(now, slot, None, out);
        let recording = RecordingId(self.recordings);
        let next = self.recordings.wrapping_add(1) & RECORDINGS_MASK;
        self.recordings = self.recordings & !RECORDINGS_MASK | next;
        if let Some(leg) = self.leg(slot) {
            leg.recording = Some(Recording { id: recording, recorder: Recorder::new(now) });
            out.push(Output::Record { id: recording, leg: id, path });
        }
        self.schedule(slot);
    }

    fn stop_recording(
        &mut self,
        now: Instant,
        slot: Slot,
        fault: Option<String>,
        out: &mut Vec<Output>,
    ) {
        let recording = self.leg(slot).and_then(|leg| leg.recording.take());
        let Some(Recording { id, mut recorder }) = recording else { return };
        loop {
            let block = recorder.finish(now);
            if block.is_empty() {
                break;
            }
            out.push(Output::Samples { id, block });
        }
        out.push(Output::Recorded { id, fault });
    }

    /// Sets the timer of a leg that may want its tick earlier than before.
    fn schedule(&mut self, slot: Slot) {
        let Some(leg) = self.leg(slot) else { return };
        let next = leg.next_tick();
        if next < leg.alarm {
            leg.alarm = next;
            self.alarms.push(Reverse((next, slot)));
        }
    }

    fn slot(&self, leg: LegId) -> Option<Slot> {
        let slot = self.slots.get(&leg).copied();
        if slot.is_none() {
            tracing::debug!(%leg, "no such leg on this thread");
        }
        slot
    }

    fn leg(&mut self, slot: Slot) -> Option<&mut Leg> {
        self.legs.get_mut(slot.index())?.as_deref_mut()
    }
}

/// A party's packet becomes part of what is mixed.
fn hear_in_room(now: Instant, (slot, room): (Slot, &mut Room), heard: Heard, buffer: &mut [u8]) {
    let packet = buffer.get_mut(..heard.length).and_then(RtpMut::new);
    if let Some(packet) = packet {
        room.hear(now, slot, heard, packet.payload());
    }
}

type Peer<'a> = Option<(Slot, &'a mut Leg)>;

/// A leg and whom it is bridged to.
#[inline]
fn pair(legs: &mut [Option<Box<Leg>>], slot: Slot) -> Option<(&mut Leg, Peer<'_>)> {
    let Some(peer) = legs.get(slot.index())?.as_ref()?.peer else {
        return Some((legs[slot.index()].as_deref_mut()?, None));
    };
    if peer == slot {
        return Some((legs[slot.index()].as_deref_mut()?, None)); // an echo
    }
    let [leg, other] = legs.get_disjoint_mut([slot.index(), peer.index()]).ok()?;
    let other = other.as_deref_mut().map(|other| (peer, other));
    Some((leg.as_deref_mut()?, other))
}

/// Records what was heard, listens for keys in it, and rewrites it for whoever hears it.
#[inline]
fn relay(
    now: Instant,
    (own, leg): (Slot, &mut Leg),
    peer: Peer<'_>,
    heard: Heard,
    buffer: &mut [u8],
    decoded: &mut Decoded,
    out: &mut Vec<Output>,
) -> Option<Forward> {
    let echo = leg.peer == Some(own) && leg.hears_peer();
    let audience = peer.filter(|(_, peer)| peer.hears_peer());
    let mut is_decoded = false;
    if let Kind::Audio(codec) = heard.kind {
        let packet = RtpMut::new(buffer.get_mut(..heard.length)?)?;
        let ticks = ticks(codec, packet.payload());
        let ear = if echo { Some(&*leg) } else { audience.as_ref().map(|(_, peer)| &**peer) };
        let ear = ear.filter(|ear| ear.needs_samples(codec, ticks));
        if leg.listens() || ear.is_some() {
            let narrow = leg.listens() || ear.is_some_and(Leg::needs_narrow);
            is_decoded = leg.decode(codec, heard.packet, packet.payload(), narrow, decoded);
        }
    }
    let decoded = is_decoded.then_some(&*decoded);
    let mut keys = Vec::new();
    if let Some(decoded) = decoded {
        leg.record(now, Side::Phone, heard, decoded);
        keys = leg.listen(decoded.narrow().samples, out);
    }
    if echo {
        let (to, length) = leg.relay(now, (own, heard), buffer, decoded, out)?;
        return Some(Forward { slot: own, to, length });
    }
    let (slot, peer) = audience?;
    if let Some(decoded) = decoded {
        peer.record(now, Side::Peer, heard, decoded);
    }
    if !peer.hear_tones(now, leg.is_pressing(), keys) {
        return None;
    }
    let (to, length) = peer.relay(now, (slot, heard), buffer, decoded, out)?;
    Some(Forward { slot, to, length })
}

/// The numbers of one thread's recordings; they begin again at 0 after the last.
const RECORDINGS_BITS: u32 = 24;
const RECORDINGS_MASK: u32 = (1 << RECORDINGS_BITS) - 1;

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
