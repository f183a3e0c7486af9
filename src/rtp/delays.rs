//! How late packets come: what a jitter buffer must wait for.
//!
//! Spec:     RFC 3550 §6.4.1 (transit).
//! In:       the transit of each packet, in RTP timestamp units; time.
//! Out:      the least transit of late, and the delay that suffices for most packets.
//! Not here: the packets (`jitter`).

use crate::time::{Duration, Instant};

/// The delays of one stream: a histogram that forgets, above the least of the last seconds.
///
/// The least transit follows a clock that drifts and a route that changes within `WINDOW`.
#[derive(Clone, Debug)]
pub struct Delays {
    /// RTP timestamp units in a bucket.
    bucket: i64,
    /// The least transit of this half of the window, and of the half before.
    least: [i64; 2],
    turns_at: Instant,
    weights: [f32; BUCKETS],
    total: f32,
    /// What the next packet weighs: more than the one before, which is how those are forgotten.
    weight: f32,
    /// The bucket up to which `SHARE` of the packets came.
    enough: usize,
}

impl Delays {
    /// `clock` is that of the RTP timestamps, in hertz.
    pub fn new(clock: u32) -> Self {
        let mut delays = Self {
            bucket: i64::from(clock / 1000) * BUCKET.as_millis() as i64,
            least: [i64::MAX; 2],
            turns_at: Instant::START,
            weights: [0.0; BUCKETS],
            total: 0.0,
            weight: 1.0,
            enough: 0,
        };
        delays.weigh(EXPECTED, EXPECTED_WEIGHT);
        delays
    }

    /// The stream begins anew: its transits cannot be compared with those before.
    pub fn restart(&mut self) {
        self.least = [i64::MAX; 2];
        self.turns_at = Instant::START;
    }

    /// Takes the transit of a packet: when it came, less what its timestamp says.
    pub fn note(&mut self, now: Instant, transit: i64) {
        if now >= self.turns_at {
            self.least = [transit, self.least[0]];
            self.turns_at = now + WINDOW / 2;
        }
        self.least[0] = self.least[0].min(transit);
        let late = (transit - self.least()) / self.bucket;
        self.weigh(usize::try_from(late).unwrap_or(0).min(BUCKETS - 1), self.weight);
        self.weight /= KEPT;
        if self.weight > WEIGHT_MAX {
            self.weights.iter_mut().for_each(|weight| *weight /= WEIGHT_MAX);
            self.total /= WEIGHT_MAX;
            self.weight /= WEIGHT_MAX;
        }
    }

    /// The least transit of the last seconds; far in the future before any packet.
    pub fn least(&self) -> i64 {
        self.least[0].min(self.least[1])
    }

    /// What most packets are late by at most, in RTP timestamp units.
    pub fn enough(&self) -> i64 {
        (self.enough as i64 + 1) * self.bucket
    }

    fn weigh(&mut self, bucket: usize, weight: f32) {
        self.weights[bucket] += weight;
        self.total += weight;
        let mut beyond = self.total * (1.0 - SHARE);
        let late = self.weights.iter().rposition(|weight| {
            beyond -= weight;
            beyond < 0.0
        });
        self.enough = late.unwrap_or(0);
    }
}

/// The width of a bucket.
const BUCKET: Duration = Duration::from_millis(5);
/// Buckets: half a second.
const BUCKETS: usize = 100;
/// The share of packets that are to come in time.
const SHARE: f32 = 0.97;
/// What is expected before anything is known: 40 ms, as good as twenty packets' experience.
const EXPECTED: usize = 7;
const EXPECTED_WEIGHT: f32 = 20.0;
/// What is left of a packet's weight when the next one comes: experience lasts 500 packets.
const KEPT: f32 = 0.998;
/// When the weights are scaled down.
const WEIGHT_MAX: f32 = 1e6;
/// How long the least transit counts.
const WINDOW: Duration = Duration::from_secs(10);
