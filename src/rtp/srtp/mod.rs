//! SRTP and SRTCP: packets are encrypted, checked and decrypted where they lie.
//!
//! Spec:     RFC 3711; RFC 4568 §6.2, RFC 6188 and RFC 7714 (the suites).
//! In:       a master key for each direction; packets.
//! Out:      packets with a tag, or without; why one was refused.
//! Not here: how the keys come to us (`sdp`), what is in the packets (`packet`, `rtcp`).
//!
//! The ciphers are those of `aes`, `ctr` and `ring`; this module arranges packets around them,
//! because no library does so without an allocation for each packet.

mod cipher;
mod receiver;
mod sender;
mod window;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use receiver::{Receiver, Refused};
pub use sender::Sender;

use crate::rng::Rng;

/// The most bytes that encryption adds to a packet: a tag and, in SRTCP, the index.
pub const OVERHEAD_MAX: usize = TAG_MAX + INDEX_BYTES;

/// A cipher with its authentication, under its name in SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// AEAD_AES_256_GCM (RFC 7714).
    #[serde(rename = "AEAD_AES_256_GCM")]
    Gcm256,
    /// AEAD_AES_128_GCM (RFC 7714).
    #[serde(rename = "AEAD_AES_128_GCM")]
    Gcm128,
    /// AES_256_CM_HMAC_SHA1_80 (RFC 6188).
    #[serde(rename = "AES_256_CM_HMAC_SHA1_80")]
    Counter256Tag80,
    /// AES_256_CM_HMAC_SHA1_32 (RFC 6188).
    #[serde(rename = "AES_256_CM_HMAC_SHA1_32")]
    Counter256Tag32,
    /// AES_CM_128_HMAC_SHA1_80 (RFC 4568 §6.2.1): the one that every phone has.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    Counter128Tag80,
    /// AES_CM_128_HMAC_SHA1_32 (RFC 4568 §6.2.2).
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    Counter128Tag32,
}

impl Suite {
    /// Every suite, the strongest first.
    pub const ALL: [Self; 6] = [
        Self::Gcm256,
        Self::Gcm128,
        Self::Counter256Tag80,
        Self::Counter128Tag80,
        Self::Counter256Tag32,
        Self::Counter128Tag32,
    ];

    /// The name in `a=crypto` (RFC 4568 §6.2, RFC 6188 §5, RFC 7714 §14.2).
    pub fn name(self) -> &'static str {
        match self {
            Self::Gcm256 => "AEAD_AES_256_GCM",
            Self::Gcm128 => "AEAD_AES_128_GCM",
            Self::Counter256Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Counter256Tag32 => "AES_256_CM_HMAC_SHA1_32",
            Self::Counter128Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Counter128Tag32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Whether the cipher authenticates by itself.
    const fn is_gcm(self) -> bool {
        matches!(self, Self::Gcm256 | Self::Gcm128)
    }

    /// Bytes of the master key, which are those of the session keys.
    const fn key_bytes(self) -> usize {
        match self {
            Self::Gcm256 | Self::Counter256Tag80 | Self::Counter256Tag32 => 32,
            Self::Gcm128 | Self::Counter128Tag80 | Self::Counter128Tag32 => 16,
        }
    }

    /// Bytes of the master salt.
    const fn salt_bytes(self) -> usize {
        if self.is_gcm() { 12 } else { 14 }
    }

    /// Bytes of the tag of an RTP packet. Those of RTCP are never shorter than 80 bits.
    const fn tag_bytes(self) -> usize {
        match self {
            Self::Gcm256 | Self::Gcm128 => 16,
            Self::Counter256Tag80 | Self::Counter128Tag80 => 10,
            Self::Counter256Tag32 | Self::Counter128Tag32 => 4,
        }
    }
}

impl FromStr for Suite {
    type Err = NoSuite;

    /// Some phones write RFC 6188's names as they write those of RFC 4568: `AES_CM_256_…`.
    fn from_str(name: &str) -> Result<Self, NoSuite> {
        let name = name.to_ascii_uppercase();
        let usual = name.replacen("AES_CM_256_", "AES_256_CM_", 1);
        Self::ALL.into_iter().find(|suite| suite.name() == usual).ok_or(NoSuite)
    }
}

/// The name stands for no suite that Strowger has.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no such SRTP suite")]
pub struct NoSuite;

/// A master key and its salt, for one direction. `Debug` does not tell them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey {
    suite: Suite,
    /// The key, then the salt.
    bytes: Vec<u8>,
    /// Bytes of the key's name that the sender puts into each packet (RFC 3711 §3.1, MKI).
    name: Vec<u8>,
}

impl MasterKey {
    /// A new key. It is as secret as the random source.
    pub fn random(suite: Suite, rng: &mut Rng) -> Self {
        let mut bytes = vec![0; suite.key_bytes() + suite.salt_bytes()];
        rng.fill(&mut bytes);
        Self { suite, bytes, name: Vec::new() }
    }

    /// Reads what `a=crypto` writes (RFC 4568 §6.1), with padding or without; `None` if the length
    /// is not the suite's.
    pub fn from_base64(suite: Suite, text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
        let fits = bytes.len() == suite.key_bytes() + suite.salt_bytes();
        fits.then_some(Self { suite, bytes, name: Vec::new() })
    }

    /// The same key, whose packets carry its name.
    ///
    /// `None` if the name is longer than RFC 4568 §6.1 allows, or empty.
    pub fn named(self, name: &[u8]) -> Option<Self> {
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
        fits.then(|| Self { name: name.to_vec(), ..self })
    }

    /// As `a=crypto` writes it.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// The suite that the key is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_bytes()]
    }

    fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_bytes()..]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The longest tag of a suite.
const TAG_MAX: usize = 16;
/// What SRTCP adds beside the tag (RFC 3711 §3.4).
const INDEX_BYTES: usize = 4;
/// The longest name of a key (RFC 4568 §6.1).
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests;
