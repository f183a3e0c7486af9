//! Recording of one leg: two streams of RTP become one stereo stream without holes.
//!
//! Spec:     RFC 3550 §5.1 (timestamps), the recorder of issue 2.
//! In:       decoded packets of each side with their RTP timestamps, in any order; time.
//! Out:      blocks of interleaved 8 kHz samples, each block right after the one before.
//! Not here: decoding (`codec`), the file (`shell::media::file`).

use crate::time::{Duration, Instant};

/// Who is heard on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the leg's phone says: the left channel.
    Phone = 0,
    /// What the leg hears of its peer: the right channel.
    Peer = 1,
}

/// Aligns two streams by their timestamps.
///
/// The first packet of a stream is placed by its arrival, every later one by its timestamp; so
/// jitter is taken out, losses are silence, and late packets find their place for `HOLD`.
#[derive(Clone, Debug)]
pub struct Recorder {
    began: Instant,
    /// Frames given away; the window begins here.
    written: u64,
    /// Frame `n` is at `n % WINDOW`; all zero outside of what was placed.
    window: Box<[[i16; 2]]>,
    tracks: [Track; 2],
    /// What is not to be heard, by its frames; the last has no end yet while there is a pause.
    pauses: Vec<(u64, Option<u64>)>,
    flush_at: Instant,
    dropped: u64,
}

/// One channel's stream.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    anchor: Option<Anchor>,
    /// Packets in a row that did not arrive when their timestamps say.
    astray: u8,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    /// The frame in which that timestamp lies.
    frame: i64,
}

impl Recorder {
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            written: 0,
            window: vec![[0; 2]; WINDOW as usize].into_boxed_slice(),
            tracks: [Track::default(); 2],
            pauses: Vec::new(),
            flush_at: now + BLOCK + HOLD,
            dropped: 0,
        }
    }

    /// Places the samples of one packet.
    pub fn place(&mut self, now: Instant, side: Side, ssrc: u32, timestamp: u32, samples: &[i16]) {
        let length = samples.len() as i64;
        let arrival = frames_in(now.since(self.began)) as i64 - length;
        let track = &mut self.tracks[side as usize];
        let anchor = match track.anchor {
            Some(anchor) if anchor.ssrc == ssrc => {
                let off = anchor.frame_of(timestamp) - arrival;
                if !(-BEHIND_MAX..=AHEAD_MAX).contains(&off) {
                    track.astray += 1;
                } else {
                    track.astray = 0;
                }
                if track.astray >= ASTRAY_MAX {
                    track.astray = 0;
                    Anchor { ssrc, timestamp, frame: arrival }
                } else {
                    anchor
                }
            }
            _ => Anchor { ssrc, timestamp, frame: arrival },
        };
        let frame = anchor.frame_of(timestamp);
        track.anchor = Some(Anchor { ssrc, timestamp, frame });
        self.write(side, frame, samples);
    }

    /// From this moment on nothing is recorded but silence, or (`pause` is false) everything again.
    pub fn pause(&mut self, now: Instant, pause: bool) {
        let frame = frames_in(now.since(self.began));
        let written = self.written;
        self.pauses.retain(|(_, end)| end.is_none_or(|end| end > written));
        let is_full = self.pauses.len() == PAUSES_MAX;
        match (self.pauses.last_mut(), pause) {
            (Some((_, end @ None)), false) => *end = Some(frame),
            (Some((_, None)), true) | (None | Some(_), false) => {}
            // One more would not be remembered: it and the one before become one.
            (Some((_, end)), true) if is_full => *end = None,
            (None | Some(_), true) => self.pauses.push((frame, None)),
        }
    }

    /// Whether a frame is not to be heard.
    fn is_paused_at(&self, frame: u64) -> bool {
        let is_within =
            |(from, end): &(u64, Option<u64>)| *from <= frame && end.is_none_or(|end| frame < end);
        self.pauses.iter().any(is_within)
    }

    /// The side's stream ends: what comes next is placed by its arrival.
    pub fn interrupt(&mut self, side: Side) {
        self.tracks[side as usize] = Track::default();
    }

    /// When to call `flush` next.
    pub fn next_tick(&self) -> Instant {
        self.flush_at
    }

    /// Gives away what no packet can change any more: interleaved, left first. Empty if there is
    /// nothing yet.
    pub fn flush(&mut self, now: Instant) -> Vec<i16> {
        if now < self.flush_at {
            return Vec::new();
        }
        self.flush_at = now + BLOCK;
        let until = frames_in(now.since(self.began)).saturating_sub(frames_in(HOLD));
        self.take(until.min(self.written + WINDOW))
    }

    /// Gives away all there is, to the sample of this moment; call until it is empty.
    pub fn finish(&mut self, now: Instant) -> Vec<i16> {
        let until = frames_in(now.since(self.began));
        self.take(until.min(self.written + WINDOW))
    }

    /// Frames given away so far.
    pub fn frames(&self) -> u64 {
        self.written
    }

    /// Samples that came too late, or too early, to be placed.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write(&mut self, side: Side, frame: i64, samples: &[i16]) {
        for (at, sample) in (frame..).zip(samples) {
            match u64::try_from(at) {
                Ok(at) if self.is_paused_at(at) => {}
                Ok(at) if (self.written..self.written + WINDOW).contains(&at) => {
                    self.window[(at % WINDOW) as usize][side as usize] = *sample;
                }
                _ => self.dropped += 1,
            }
        }
    }

    fn take(&mut self, until: u64) -> Vec<i16> {
        let count = until.saturating_sub(self.written);
        let mut block = Vec::with_capacity(2 * count as usize);
        for at in self.written..self.written + count {
            let frame = std::mem::take(&mut self.window[(at % WINDOW) as usize]);
            block.extend_from_slice(&frame);
        }
        self.written += count;
        block
    }
}

impl Anchor {
    fn frame_of(self, timestamp: u32) -> i64 {
        self.frame + i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed())
    }
}

fn frames_in(time: Duration) -> u64 {
    u64::try_from(time.as_micros() / 125).unwrap_or(u64::MAX)
}

/// Frames a second of a recording.
pub const RATE: u32 = 8000;
/// How long a packet may be late and still be placed.
pub const HOLD: Duration = Duration::from_millis(300);
/// Audio in a block, usually.
pub const BLOCK: Duration = Duration::from_millis(300);
/// Frames between the oldest that may change and the newest that may come: 1.5 s.
const WINDOW: u64 = 12_000;
/// Frames by which a packet may come before its time: 200 ms.
const AHEAD_MAX: i64 = 1600;
/// Frames by which a packet may come after its time: `HOLD`, less a packet.
const BEHIND_MAX: i64 = 2240;
/// Pauses that can be told apart within the window.
const PAUSES_MAX: usize = 8;
/// Packets in a row beyond these, after which the stream is placed by arrival again.
const ASTRAY_MAX: u8 = 5;

#[cfg(test)]
mod tests {
    use super::Side::{Peer, Phone};
    use super::*;

    #[test]
    fn two_streams_lie_side_by_side() {
        let mut tape = Tape::new();
        for n in 0..50 {
            tape.packet(20 * (n + 1), Phone, n, 100);
            tape.packet(20 * (n + 1), Peer, n, 200);
        }

        let (left, right) = tape.rewind(1000);

        assert_eq!(left, vec![100; 8000]);
        assert_eq!(right, vec![200; 8000]);
    }

    /// What was said during a pause is in no file, however late its packets come.
    #[test]
    fn a_pause_is_silence_on_both_sides() {
        let mut tape = Tape::new();
        for n in 0..50 {
            let at = 20 * (n + 1);
            match at {
                320 => tape.recorder.pause(Instant::START + Duration::from_millis(300), true),
                620 => tape.recorder.pause(Instant::START + Duration::from_millis(600), false),
                _ => {}
            }
            let late = if n % 3 == 1 { 100 } else { 0 };
            tape.packet(at + late, Phone, n, 100);
            tape.packet(at, Peer, n, 200);
        }

        let (left, right) = tape.rewind(1000);

        for (side, sample) in [(left, 100), (right, 200)] {
            assert!(side[..2400].iter().all(|heard| *heard == sample));
            assert_eq!(side[2400..4800], [0; 2400]);
            assert!(side[4800..].iter().all(|heard| *heard == sample));
        }
    }

    #[test]
    fn many_pauses_lose_no_silence() {
        let mut recorder = Recorder::new(Instant::START);
        for n in 0..100 {
            recorder.pause(Instant::START + Duration::from_millis(n), n % 2 == 0);
        }
        assert!(recorder.pauses.len() <= PAUSES_MAX);
        assert!(recorder.is_paused_at(98 * 8) && !recorder.is_paused_at(99 * 8));
        recorder.pause(Instant::START + Duration::from_secs(1), false);
        assert!(!recorder.is_paused_at(9000));
    }

    #[test]
    fn jitter_and_reordering_leave_no_trace() {
        let mut tape = Tape::new();
        let arrivals =
            [(20, 0), (70, 2), (71, 1), (150, 4), (155, 5), (160, 3), (300, 6), (300, 7)];
        for (at, n) in arrivals {
            tape.packet(at, Phone, n, n as i16 + 1);
        }

        let (left, right) = tape.rewind(400);

        for n in 0..8 {
            assert_eq!(left[160 * n..160 * (n + 1)], [n as i16 + 1; 160]);
        }
        assert_eq!(left[1280..], [0; 3200 - 1280]);
        assert_eq!(right, [0; 3200]);
    }

    #[test]
    fn lost_packets_are_silence_of_their_length() {
        let mut tape = Tape::new();
        for n in (0..100).filter(|n| n % 10 != 3) {
            tape.packet(20 * (n + 1), Phone, n, 9);
        }

        let (left, _) = tape.rewind(2000);

        assert_eq!(left.len(), 16_000);
        for (at, sample) in left.iter().enumerate() {
            assert_eq!(*sample == 0, (at / 160) % 10 == 3, "sample {at}");
        }
    }

    #[test]
    fn a_packet_older_than_the_hold_is_dropped() {
        let mut tape = Tape::new();
        for n in (0..100).filter(|n| *n != 20) {
            tape.packet(20 * (n + 1), Phone, n, 9);
            if n == 80 {
                tape.packet(20 * (n + 1), Phone, 20, 9);
            }
        }

        let (left, _) = tape.rewind(2000);

        assert_eq!(left.iter().filter(|sample| **sample == 0).count(), 160);
        assert_eq!(tape.recorder.dropped(), 160);
    }

    #[test]
    fn another_source_is_placed_by_its_arrival() {
        let mut tape = Tape::new();
        tape.packet(20, Peer, 0, 1);
        tape.now(500);
        tape.recorder.place(tape.now, Peer, 99, 0xffff_fff0, &[2; 160]);
        tape.now(520);
        tape.recorder.place(tape.now, Peer, 99, 0x90, &[3; 160]);

        let (_, right) = tape.rewind(520);

        assert_eq!(right[..160], [1; 160]);
        assert_eq!(right[160..3840], [0; 3680]);
        assert_eq!(right[3840..4000], [2; 160]);
        assert_eq!(right[4000..], [3; 160]);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut tape = Tape::new();
        let mut heard = 0;
        for n in 0..200_u64 {
            tape.packet(22 * (n + 1), Phone, n, 5);
        }
        let (left, _) = tape.rewind(22 * 200);
        heard += left.iter().filter(|sample| **sample == 5).count();

        assert!(heard > 160 * 180, "only {heard} samples of {} were kept", 160 * 200);
    }

    #[test]
    fn a_thread_that_slept_for_long_gives_bounded_blocks() {
        let mut tape = Tape::new();
        tape.packet(20, Phone, 0, 5);
        tape.now(60_000);

        let block = tape.recorder.flush(tape.now);
        assert_eq!(block.len(), 2 * WINDOW as usize);

        let (left, _) = tape.rewind(60_000);
        assert_eq!(left.len(), 8 * 60_000 - WINDOW as usize);
    }

    struct Tape {
        recorder: Recorder,
        now: Instant,
        blocks: Vec<i16>,
    }

    impl Tape {
        fn new() -> Self {
            Self {
                recorder: Recorder::new(Instant::START),
                now: Instant::START,
                blocks: Vec::new(),
            }
        }

        fn now(&mut self, ms: u64) {
            self.now = Instant::START + Duration::from_millis(ms);
        }

        /// The nth packet of a side arrives; flushes as often as is due.
        fn packet(&mut self, at_ms: u64, side: Side, n: u64, sample: i16) {
            self.now(at_ms);
            while self.recorder.next_tick() <= self.now {
                let block = self.recorder.flush(self.now);
                self.blocks.extend(block);
            }
            let timestamp = (u32::MAX - 400).wrapping_add(160 * n as u32);
            self.recorder.place(self.now, side, side as u32, timestamp, &[sample; 160]);
        }

        /// The two channels of the finished recording.
        fn rewind(&mut self, at_ms: u64) -> (Vec<i16>, Vec<i16>) {
            self.now(at_ms);
            loop {
                let block = self.recorder.finish(self.now);
                if block.is_empty() {
                    break;
                }
                self.blocks.extend(block);
            }
            let channel = |n| self.blocks.iter().skip(n).step_by(2).copied().collect();
            (channel(0), channel(1))
        }
    }
}
