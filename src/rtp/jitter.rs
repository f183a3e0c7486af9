//! The jitter buffer: packets that come when they come are played at an even pace.
//!
//! Spec:     RFC 3550 §5.1 (sequence, timestamp), RFC 3551 §4.1 (silence suppression).
//! In:       packets with their numbers, in any order; time.
//! Out:      what is to be played next, and whether a little faster or slower.
//! Not here: decoding and the change of pace (`media::intake`), concealment (`audio::conceal`).
//!
//! A packet that is missing although later ones are here is lost: its time passes. If nothing is
//! here at all, time stands still: what comes late is still heard, and the delay that was gained
//! by waiting is played off faster. So jitter costs delay, and only loss costs words.

use crate::rtp::delays::Delays;
use crate::time::{Duration, Instant};

/// Holds the packets of one stream; `T` says what a payload is.
#[derive(Clone, Debug)]
pub struct Jitter<T> {
    clock: u32,
    delays: Delays,
    /// The packet with extended sequence number `n` is at `n % CAPACITY`.
    slots: Vec<Slot<T>>,
    stream: Option<Stream>,
    counts: Counts,
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a, T> {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    /// In RTP timestamp units.
    pub duration: u32,
    pub tag: T,
    /// What exceeds `PAYLOAD_MAX` is cut off.
    pub payload: &'a [u8],
}

/// What is heard next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a, T> {
    /// The next packet.
    Packet { tag: T, payload: &'a [u8] },
    /// Nothing has come yet that could be played: to be concealed.
    Late,
    /// So many timestamp units were lost: to be concealed.
    Lost(u32),
    /// The sender is silent.
    Pause,
}

/// How what was decoded is to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Faster,
    Keep,
    Slower,
}

/// What happened to packets, besides being played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came after their time had passed.
    pub late: u64,
    pub duplicates: u64,
    /// Were thrown away because too many waited.
    pub overflown: u64,
    /// Were lost on the way, as far as known when they were due.
    pub lost: u64,
    /// Had numbers that do not go with the others'.
    pub astray: u64,
}

#[derive(Clone, Debug, Default)]
struct Slot<T> {
    /// The extended sequence number of the packet that is, or was, here.
    sequence: u64,
    timestamp: i64,
    duration: u32,
    /// `None` once it was played.
    tag: Option<T>,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// The highest extended sequence number so far, and the timestamp that came with it.
    highest: u64,
    timestamp: i64,
    /// What is to be played next: the number of the packet, and the timestamp.
    next: u64,
    position: i64,
    /// Timestamp units that are lost, before `position`.
    owed: u32,
    /// Something of it was played.
    began: bool,
    /// Whether each packet follows on the one before; the first waits until it is due.
    playing: bool,
    /// Timestamp units since the buffer ran dry.
    dry: u32,
    /// After a packet whose numbers do not go with the others': what would prove a restart.
    restart: Option<u16>,
}

impl<T: Copy> Jitter<T> {
    /// `clock` is that of the RTP timestamps, in hertz.
    pub fn new(clock: u32) -> Self {
        let slot = || Slot {
            sequence: u64::MAX,
            timestamp: 0,
            duration: 0,
            tag: None,
            payload: Vec::new(),
        };
        Self {
            clock,
            delays: Delays::new(clock),
            slots: std::iter::repeat_with(slot).take(CAPACITY as usize).collect(),
            stream: None,
            counts: Counts::default(),
        }
    }

    /// Takes a packet that has come.
    pub fn put(&mut self, now: Instant, packet: Packet<'_, T>) {
        let mut stream = match self.stream {
            Some(stream) if stream.ssrc == packet.ssrc => stream,
            None | Some(_) => self.begin(&packet),
        };
        let is_astray = stream.is_far(stream.extend(packet.sequence))
            || self.is_elsewhere(self.units(now) - stream.extend_timestamp(packet.timestamp));
        if is_astray && stream.restart != Some(packet.sequence) {
            self.counts.astray += 1;
            stream.restart = Some(packet.sequence.wrapping_add(1));
        } else {
            if is_astray {
                stream = self.begin(&packet);
            }
            self.place(now, &mut stream, packet);
        }
        self.stream = Some(stream);
    }

    fn place(&mut self, now: Instant, stream: &mut Stream, packet: Packet<'_, T>) {
        let sequence = stream.extend(packet.sequence);
        let timestamp = stream.extend_timestamp(packet.timestamp);
        stream.restart = None;
        if self.slots[index(sequence)].sequence == sequence {
            self.counts.duplicates += 1;
            return;
        }
        self.delays.note(now, self.units(now) - timestamp);
        if sequence > stream.highest {
            (stream.highest, stream.timestamp) = (sequence, timestamp);
        }
        while sequence >= stream.next + CAPACITY {
            self.counts.overflown += u64::from(self.slots[index(stream.next)].tag.take().is_some());
            stream.next += 1;
        }
        if !stream.began {
            stream.next = stream.next.min(sequence); // the first to come was not the first sent
        }
        if sequence < stream.next {
            self.counts.late += 1;
            return;
        }
        let slot = &mut self.slots[index(sequence)];
        (slot.sequence, slot.timestamp, slot.duration) = (sequence, timestamp, packet.duration);
        slot.tag = Some(packet.tag);
        slot.payload.clear();
        let length = packet.payload.len().min(PAYLOAD_MAX);
        slot.payload.extend_from_slice(&packet.payload[..length]);
    }

    /// The packet that follows on what was just told to be lost, if it is here and nothing of the
    /// loss is owed any more: it may tell of what was before it.
    pub fn following(&self) -> Option<(T, &[u8])> {
        let stream = self.stream.as_ref().filter(|stream| stream.owed == 0 && stream.dry == 0)?;
        let slot = &self.slots[index(stream.next)];
        let tag = slot.tag.filter(|_| slot.sequence == stream.next)?;
        Some((tag, &slot.payload))
    }

    /// What is to be decoded next, if `wanted` timestamp units are to be heard; call until there
    /// are as many.
    pub fn next(&mut self, now: Instant, wanted: u32) -> Next<'_, T> {
        let Some(mut stream) = self.stream else { return Next::Pause };
        let next = self.choose(now, &mut stream, wanted);
        self.stream = Some(stream);
        match next {
            Choice::Late => Next::Late,
            Choice::Lost(units) => Next::Lost(units),
            Choice::Pause => Next::Pause,
            Choice::Play(index) => {
                let slot = &mut self.slots[index];
                match slot.tag.take() {
                    Some(tag) => Next::Packet { tag, payload: &slot.payload },
                    None => Next::Late, // never: `find` looks for a tag
                }
            }
        }
    }

    fn choose(&mut self, now: Instant, stream: &mut Stream, wanted: u32) -> Choice {
        loop {
            if stream.owed > 0 {
                return stream.pay(wanted);
            }
            let Some(index) = self.find(stream) else { return self.run_dry(stream, wanted) };
            let Slot { sequence, timestamp, duration, .. } = self.slots[index];
            let gap = timestamp - stream.position;
            let missing = (sequence - stream.next) as i64;
            if stream.playing && missing > 0 && (1..=self.units_in(LOST_MAX)).contains(&gap) {
                self.counts.lost += 1;
                stream.lose((gap / missing).max(1) as u32);
                continue;
            }
            let follows = stream.playing && gap <= self.units_in(STEP_MAX);
            let waited = self.units(now) - timestamp - self.delays.least();
            if !follows && waited < self.target() {
                (stream.playing, stream.dry) = (false, 0);
                return Choice::Pause;
            }
            (stream.began, stream.playing, stream.dry) = (true, true, 0);
            stream.next = sequence + 1;
            stream.position = timestamp + i64::from(duration);
            return Choice::Play(index);
        }
    }

    /// Nothing is here: the pace stops, for a while.
    fn run_dry(&self, stream: &mut Stream, wanted: u32) -> Choice {
        if !stream.playing {
            return Choice::Pause;
        }
        stream.dry = stream.dry.saturating_add(wanted);
        if i64::from(stream.dry) > self.units_in(DRY_MAX) {
            (stream.playing, stream.dry) = (false, 0);
        }
        Choice::Late
    }

    /// Whether to play faster or slower, if `held` timestamp units were decoded and not heard yet.
    pub fn pace(&self, now: Instant, held: u32) -> Pace {
        let Some(delay) = self.delay(now, held) else { return Pace::Keep };
        let target = self.target();
        if delay > target + self.units_in(ABOVE) {
            Pace::Faster
        } else if delay < target - self.units_in(BELOW) {
            Pace::Slower
        } else {
            Pace::Keep
        }
    }

    /// How long a packet waits that came without jitter, in RTP timestamp units; `None` while
    /// nothing is played.
    pub fn delay(&self, now: Instant, held: u32) -> Option<i64> {
        let stream = self.stream.filter(|stream| stream.playing)?;
        let heard = stream.position - i64::from(stream.owed) - i64::from(held);
        Some(self.units(now) - heard - self.delays.least())
    }

    /// How long packets are to wait, in RTP timestamp units.
    pub fn target(&self) -> i64 {
        self.delays.enough().clamp(self.units_in(TARGET_MIN), self.units_in(TARGET_MAX))
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn begin(&mut self, packet: &Packet<'_, T>) -> Stream {
        for slot in &mut self.slots {
            (slot.sequence, slot.tag) = (u64::MAX, None);
        }
        self.delays.restart();
        Stream {
            ssrc: packet.ssrc,
            highest: BASE + u64::from(packet.sequence),
            timestamp: i64::from(packet.timestamp),
            next: BASE + u64::from(packet.sequence),
            position: i64::from(packet.timestamp),
            owed: 0,
            began: false,
            playing: false,
            dry: 0,
            restart: None,
        }
    }

    /// The slot of the first packet that may be played.
    fn find(&self, stream: &Stream) -> Option<usize> {
        let mut numbers = stream.next..=stream.highest.min(stream.next + CAPACITY - 1);
        let here = numbers.find(|number| {
            let slot = &self.slots[index(*number)];
            slot.sequence == *number && slot.tag.is_some()
        });
        here.map(index)
    }

    /// Whether a packet's timestamp cannot belong to the stream's clock.
    fn is_elsewhere(&self, transit: i64) -> bool {
        let least = self.delays.least();
        least != i64::MAX && (transit - least).abs() > self.units_in(JUMP_MAX)
    }

    fn units(&self, now: Instant) -> i64 {
        let micros = i128::from(now.as_micros()) * i128::from(self.clock);
        (micros / 1_000_000) as i64
    }

    fn units_in(&self, time: Duration) -> i64 {
        i64::from(self.clock) * time.as_millis() as i64 / 1000
    }
}

enum Choice {
    Late,
    Lost(u32),
    Pause,
    Play(usize),
}

impl Stream {
    fn extend(&self, sequence: u16) -> u64 {
        let step = sequence.wrapping_sub(self.highest as u16).cast_signed();
        self.highest.saturating_add_signed(i64::from(step))
    }

    fn extend_timestamp(&self, timestamp: u32) -> i64 {
        let step = timestamp.wrapping_sub(self.timestamp as u32).cast_signed();
        self.timestamp + i64::from(step)
    }

    fn is_far(&self, sequence: u64) -> bool {
        sequence > self.highest + CAPACITY || sequence + CAPACITY < self.highest
    }

    /// The time of a packet passes without it, but for what passed while the buffer was dry.
    fn lose(&mut self, units: u32) {
        self.next += 1;
        self.position += i64::from(units);
        self.owed = units.saturating_sub(self.dry);
        self.dry = self.dry.saturating_sub(units);
    }

    fn pay(&mut self, wanted: u32) -> Choice {
        let units = self.owed.min(wanted);
        self.owed -= units;
        Choice::Lost(units)
    }
}

/// Packets that may wait: 640 ms of the shortest, 1.3 s of the usual ones. One more takes the place
/// of the oldest.
const CAPACITY: u64 = 64;
/// Bytes of a payload: all that a datagram is taken with, 255 ms of G.711.
const PAYLOAD_MAX: usize = 2048;
/// The first extended sequence number is this and what the packet says.
const BASE: u64 = 1 << 32;
/// The longest gap that is concealed; a longer one is a pause.
const LOST_MAX: Duration = Duration::from_millis(400);
/// A step of the timestamp that is no pause: the next packet follows at once.
const STEP_MAX: Duration = Duration::from_millis(5);
/// How long the pace stops if nothing comes; then the sender is silent.
const DRY_MAX: Duration = Duration::from_millis(400);
/// Transits that differ by more are those of another clock.
const JUMP_MAX: Duration = Duration::from_secs(2);
/// The least and the greatest delay that is aimed at.
const TARGET_MIN: Duration = Duration::from_millis(10);
const TARGET_MAX: Duration = Duration::from_millis(400);
/// How far the delay may be off.
const ABOVE: Duration = Duration::from_millis(20);
const BELOW: Duration = Duration::from_millis(5);

fn index(sequence: u64) -> usize {
    (sequence % CAPACITY) as usize
}
