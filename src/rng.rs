//! Seeded random source: the shell seeds it from the operating system, tests with a number.

use std::fmt::Write as _;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// A random source whose whole state is a value; unpredictable if its seed is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// For tests and simulations: the same number gives the same sequence.
    pub fn from_number(number: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(number))
    }

    pub fn u16(&mut self) -> u16 {
        (self.0.next_u32() >> 16) as u16
    }

    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each as likely as the next (bias below 2⁻³²).
    ///
    /// # Panics
    ///
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "nothing is below zero");
        ((self.0.next_u64() >> 32).wrapping_mul(u64::from(bound)) >> 32) as u32
    }

    /// Fills `bytes` with random ones: keys.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// `bytes` random bytes as lower-case hexadecimal digits: tags, branches, nonces.
    pub fn token(&mut self, bytes: usize) -> String {
        let mut raw = [0; 32];
        let raw = &mut raw[..bytes.min(32)];
        self.0.fill_bytes(raw);
        raw.iter().fold(String::with_capacity(2 * bytes), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
    }
}
