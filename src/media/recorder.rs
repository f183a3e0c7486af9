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
/// jitter is taken out, losses are silence, and late packets find their place for `HOLD`. A clock
/// that runs faster or slower than ours is followed, a sample at a time.
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
    /// Packets in a row that did not arrive when their timestamps say, and the last of them by its
    /// arrival.
    astray: Option<(u8, Anchor)>,
    /// The frame after the newest packet.
    end: i64,
    drift: Drift,
}

/// How far a stream has moved away from where its packets arrive.
///
/// Most packets are late, by what they waited on their way; the least late of many shows how the
/// sender's clock runs.
#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    /// The least lateness since `since`, in frames.
    least: i64,
    /// Packets since then.
    packets: u32,
    since: i64,
    /// Frames by which the stream is to come later.
    owed: i64,
    /// Packets since the stream was last moved.
    paid: u32,
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
        let arrival = frames_in(now.since(self.began)) as i64 - samples.len() as i64;
        let track = &mut self.tracks[side as usize];
        match track.place(arrival, Anchor { ssrc, timestamp, frame: arrival }, samples.len()) {
            (frame, 0) => self.write(side, frame, samples),
            (frame, more) => self.write(side, frame, &bent(samples, more)),
        }
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

impl Track {
    /// The frame of a packet's first sample, and by how many samples it is to be longer than it is:
    /// one, none, or one shorter. `found` is the packet as its arrival alone places it.
    fn place(&mut self, arrival: i64, found: Anchor, samples: usize) -> (i64, i64) {
        let length = samples as i64;
        let known = self.anchor.filter(|anchor| anchor.ssrc == found.ssrc);
        let frame = known.map(|anchor| anchor.frame_of(found.timestamp));
        let Some(mut frame) = frame.filter(|frame| !self.is_astray(*frame, found, length)) else {
            let end = arrival + length;
            *self = Self { anchor: Some(found), end, ..Self::default() };
            self.drift.since = arrival;
            return (arrival, 0);
        };
        let hole = frame - self.end;
        if hole >= HOLE_MIN {
            frame += self.drift.pay_all(); // nobody hears how long a silence is
        }
        self.drift.hear(arrival, arrival - frame);
        let more = if hole < 0 || samples < BENT_MIN { 0 } else { self.drift.pay() };
        self.anchor = Some(Anchor { frame: frame + more, ..found });
        self.end = self.end.max(frame + length + more);
        (frame, more)
    }

    /// Whether the stream is no more where its packets arrive: two that are not agree with each
    /// other, as after a jump of the timestamps, or many do not agree with it, as after a stall.
    fn is_astray(&mut self, frame: i64, found: Anchor, length: i64) -> bool {
        if (-BEHIND_MAX..=AHEAD_MAX).contains(&(frame - found.frame)) {
            self.astray = None;
            return false;
        }
        let (count, before) = self.astray.map_or((1, None), |(n, before)| (n + 1, Some(before)));
        self.astray = Some((count, found));
        // Late packets that come all at once are not where they ought to be either.
        let agrees = |before: Anchor| {
            let expected = before.frame_of(found.timestamp);
            (1..=AGREES_MAX).contains(&(expected - before.frame))
                && (expected - found.frame).abs() <= 3 * length / 4
        };
        count >= ASTRAY_MAX || before.is_some_and(agrees)
    }
}

impl Drift {
    /// A packet came so many frames after its place.
    fn hear(&mut self, arrival: i64, late: i64) {
        self.least = if self.packets == 0 { late } else { self.least.min(late) };
        self.packets += 1;
        if arrival - self.since >= DRIFT_WINDOW {
            if self.packets >= DRIFT_PACKETS_MIN {
                self.owed = if self.least.abs() >= DRIFT_MIN { self.least } else { 0 };
            }
            (self.packets, self.since) = (0, arrival);
        }
    }

    /// By how many frames the stream is moved with this packet.
    fn pay(&mut self) -> i64 {
        self.paid += 1;
        let every = if self.owed.abs() > DRIFT_GREAT { 1 } else { PAID_EVERY };
        if self.owed == 0 || self.paid < every {
            return 0;
        }
        self.paid = 0;
        self.move_by(self.owed.signum())
    }

    fn pay_all(&mut self) -> i64 {
        self.move_by(self.owed)
    }

    fn move_by(&mut self, frames: i64) -> i64 {
        self.owed -= frames;
        self.least -= frames;
        frames
    }
}

/// The samples over one frame more or less, without a step: each between those it lies between.
fn bent(samples: &[i16], more: i64) -> Vec<i16> {
    let last = samples.len() as i64 - 1;
    let count = samples.len() as i64 + more;
    let at = |frame: i64| {
        let (whole, part) = (frame * last / (count - 1), frame * last % (count - 1));
        let before = i64::from(samples[whole as usize]);
        let after = i64::from(samples[(whole + 1).min(last) as usize]);
        (before + (after - before) * part / (count - 1)) as i16
    };
    (0..count).map(at).collect()
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
/// Packets in a row beyond these, after which the stream is placed by arrival again, though they do
/// not agree with each other.
const ASTRAY_MAX: u8 = 5;
/// Frames between two packets that tell of a jump: 200 ms.
const AGREES_MAX: i64 = 1600;
/// Frames in which the least late packet is looked for: 5 s.
const DRIFT_WINDOW: i64 = 40_000;
/// With fewer packets in it, none of them need have come in time.
const DRIFT_PACKETS_MIN: u32 = 50;
/// Frames that say nothing: 1 ms.
const DRIFT_MIN: i64 = 8;
/// Frames above which a stream is moved with every packet: 10 ms.
const DRIFT_GREAT: i64 = 80;
/// Packets from one move to the next: 780 ppm with 20 ms in each.
const PAID_EVERY: u32 = 8;
/// A silence of so many frames may be longer or shorter: 100 ms.
const HOLE_MIN: i64 = 800;
/// Packets of fewer samples are not moved.
const BENT_MIN: usize = 40;

#[cfg(test)]
mod tests {
    use super::Side::{Peer, Phone};
    use super::*;
    use crate::rng::Rng;

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

    /// A phone whose timestamps jump, with its SSRC as it was: one packet is lost, the others stay
    /// where they came.
    #[test]
    fn a_jump_of_the_timestamps_costs_one_packet() {
        for jump in [-100_000_i64, -60, -16, 12, 60, 100_000] {
            for jitter in [0, 12] {
                let mut tape = Tape::new();
                for n in 0..100 {
                    let told = if n < 50 { n as i64 } else { n as i64 + jump };
                    let at = 20 * (n + 1) + 100 + if n % 2 == 0 { 0 } else { jitter };
                    tape.packet(at, Phone, told as u64, 100);
                }

                let (left, _) = tape.rewind(2160);

                // From the fifth packet on, less what one is late at the end.
                let silent = left[2000..15_900].iter().filter(|it| **it == 0).count();
                assert!(silent <= 160 + 8 * 12, "{jump}, {jitter}: {silent} frames");
            }
        }
    }

    /// A stall after which all that was held up comes at once is no jump.
    #[test]
    fn packets_that_come_late_all_at_once_stay_where_they_belong() {
        let mut tape = Tape::new();
        for n in 0..100 {
            let at = if (40..58).contains(&n) { 20 * 58 } else { 20 * n };
            tape.packet(at + 20, Phone, n, 100 + n as i16);
        }

        let (left, _) = tape.rewind(2020);

        let place = |n: usize| left.iter().position(|it| *it == 100 + n as i16);
        let (first, last) = (place(1).unwrap(), place(99).unwrap());
        assert_eq!(last - first, 98 * 160);
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

    /// Issue 4, Show 4: for an hour, whatever is heard at one time lies within 20 ms.
    #[test]
    fn an_hour_at_200_ppm_is_aligned_within_20_ms() {
        let mut rng = Rng::from_number(7);
        let mut tape = Tape::new();
        let mut jitter = |most: u64| rng.u64() % most;
        // Microseconds from packet to packet by our clock; each packet says its own number.
        let (own, fast) = (20_000.0, 20_000.0 / 1.000_2);
        let mut packets: Vec<(u64, Side, u64)> = Vec::new();
        for n in 0..180_000_u64 {
            packets.push(((own * (n + 1) as f64) as u64 + jitter(2_000), Phone, n));
            packets.push(((fast * (n + 1) as f64) as u64 + jitter(30_000), Peer, n));
        }
        packets.sort_unstable_by_key(|(at, ..)| *at);
        let mut worst = 0.0_f64;
        let mut frame = 0_u64;
        // Of each side: what was heard last, and how much later than it was said, in microseconds.
        let mut sides = [(0, 0.0, own), (0, 0.0, fast)];
        let mut compare = |block: &[i16]| {
            for heard in block.chunks_exact(2) {
                for ((last, late, packet), heard) in sides.iter_mut().zip(heard) {
                    if *last != *heard && *heard != 0 {
                        *late = later(frame as f64 * 125.0, *heard, *packet);
                    }
                    *last = *heard;
                }
                frame += 1;
                let is_known = frame > 8000 * 20; // in the first seconds nothing is known yet
                worst = if is_known { worst.max((sides[0].1 - sides[1].1).abs()) } else { worst };
            }
        };
        for (at, side, n) in packets {
            tape.now = Instant::from_micros(at);
            if tape.recorder.next_tick() <= tape.now {
                compare(&tape.recorder.flush(tape.now));
            }
            let samples = [1 + (n % NUMBERS) as i16; 160];
            tape.recorder.place(tape.now, side, side as u32, 160 * n as u32, &samples);
        }
        assert!(frame > 8000 * 3590, "{frame} frames");
        assert!(worst < 20_000.0, "{worst:.0} µs apart");
    }

    /// By how many microseconds the packet that begins to be heard `at` comes after its time.
    fn later(at: f64, heard: i16, packet: f64) -> f64 {
        let number = f64::from(heard - 1);
        let round = ((at / packet - number) / NUMBERS as f64).round();
        at - (number + round * NUMBERS as f64) * packet
    }

    const NUMBERS: u64 = 30_000;

    /// A clock that is followed leaves no click: no sample is further from the one before than in
    /// the tone itself.
    #[test]
    fn a_clock_is_followed_without_a_click() {
        for ppm in [-500.0, 500.0] {
            let mut tape = Tape::new();
            let step = std::f64::consts::TAU * 300.0 / 8000.0;
            let packet_us = 20_000.0 / (1.0 + ppm / 1e6);
            for n in 0..6_000_u64 {
                tape.now = Instant::from_micros((packet_us * (n + 1) as f64) as u64);
                while tape.recorder.next_tick() <= tape.now {
                    let block = tape.recorder.flush(tape.now);
                    tape.blocks.extend(block);
                }
                let sample = |k: u64| ((160 * n + k) as f64 * step).sin() * 10_000.0;
                let samples: Vec<i16> = (0..160).map(|k| sample(k) as i16).collect();
                tape.recorder.place(tape.now, Phone, 1, 160 * n as u32, &samples);
            }

            let (left, _) = tape.rewind(119_000);

            let steps = left.windows(2).map(|pair| (pair[1] - pair[0]).unsigned_abs());
            let most = steps.max().unwrap_or(0);
            let allowed = (10_000.0 * step * 1.05) as u16;
            assert!(most <= allowed, "{ppm} ppm: a step of {most}, {allowed} in the tone");
            let last = &left[left.len() - 8000..];
            assert!(last.iter().any(|sample| *sample > 9_000), "the tone is there to the end");
            let moved = tape.recorder.tracks[0].drift.least.abs();
            assert!(moved < 160, "{ppm} ppm: {moved} frames off");
        }
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
            let timestamp = (u32::MAX - 400).wrapping_add(160_u32.wrapping_mul(n as u32));
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
