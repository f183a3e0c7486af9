//! A party's packets in their order, each when it is to be heard: a fixed delay.
//!
//! Spec:     RFC 3550 §5.1 (sequence numbers and timestamps).
//! In:       packets as the network delivers them.
//! Out:      packets in order, the places of lost ones, silence.
//! Not here: decoding (`voice`).

use std::collections::VecDeque;

use crate::media::outgoing::samples_of;
use crate::time::{Duration, Instant};

/// The packets of one stream.
#[derive(Debug, Default)]
pub struct Playout {
    /// In the order of their timestamps.
    packets: VecDeque<(u32, Vec<u8>)>,
    /// The timestamp that is heard next; none in a pause.
    next: Option<u32>,
    /// When the first packet after a pause is heard.
    ready: Instant,
}

/// What is heard next.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// One packet of the stream was lost.
    Lost,
    Packet(Vec<u8>),
    /// Nothing is said, or nothing has come yet.
    Silence,
}

impl Playout {
    /// Takes a packet. What comes too late, or a second time, is dropped.
    pub fn put(
        &mut self,
        now: Instant,
        _sequence: u16,
        timestamp: u32,
        _marker: bool,
        payload: &[u8],
    ) {
        let ahead = |from: u32| timestamp.wrapping_sub(from).cast_signed();
        if let Some(next) = self.next {
            match ahead(next) {
                BACK..0 => return,
                0..JUMP => {}
                _ => *self = Self::default(),
            }
        }
        if self.next.is_none() && self.packets.is_empty() {
            self.ready = now + DELAY;
        }
        let place = self.packets.iter().rposition(|(other, _)| ahead(*other) >= 0);
        let place = match place {
            Some(place) if self.packets[place].0 == timestamp => return,
            place => place.map_or(0, |place| place + 1),
        };
        self.packets.insert(place, (timestamp, payload.to_vec()));
        let waits = self.packets.iter().map(|(_, payload)| payload.len() as u32).sum::<u32>();
        if waits > samples_of(WAIT_MAX) || self.packets.len() > PACKETS_MAX {
            self.packets.pop_front();
            self.next = self.next.and(self.packets.front().map(|(first, _)| *first));
        }
    }

    /// What is to be heard now.
    pub fn take(&mut self, now: Instant) -> Taken {
        let Some((first, _)) = self.packets.front() else {
            self.next = None;
            return Taken::Silence;
        };
        let next = match self.next {
            Some(next) => next,
            None if now >= self.ready => *first,
            None => return Taken::Silence,
        };
        if *first != next {
            let gap = first.wrapping_sub(next);
            self.next = Some(next.wrapping_add(gap.min(samples_of(FRAME))));
            return Taken::Lost;
        }
        let payload = self.packets.pop_front().map(|(_, payload)| payload).unwrap_or_default();
        self.next = Some(next.wrapping_add(payload.len() as u32));
        Taken::Packet(payload)
    }
}

/// How long a packet waits for those before it.
const DELAY: Duration = Duration::from_millis(40);
/// Audio that may wait; what exceeds it is skipped, oldest first.
const WAIT_MAX: Duration = Duration::from_millis(160);
/// Packets that may wait.
const PACKETS_MAX: usize = 32;
const FRAME: Duration = Duration::from_millis(20);
/// A stream that jumps further begins anew: 2 s.
const JUMP: i32 = 16_000;
const BACK: i32 = -JUMP;
