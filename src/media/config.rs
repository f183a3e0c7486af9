//! The `[media]` section.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::sdp::{Codec, Security, Suite};
use crate::time::Duration;

/// `[media]`: where audio is received, in which codecs, and how calls are recorded.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address on which RTP and RTCP are received. Default `"0.0.0.0"`, every IPv4 address.
    pub listen: IpAddr,
    /// The UDP ports of RTP (even) and RTCP (the next), two for each leg of a call. Default
    /// `"20000-29999"`: 5,000 legs.
    pub ports: PortRange,
    /// Bound port pairs held ready for calls to come, over all threads. Default 256.
    pub spares: u16,
    /// How long the ports of a finished leg lie unused, so that the late packets of one call do not
    /// reach the next. Default `"2s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub port_rest: Duration,
    /// The codecs that are offered and accepted, the preferred first: `"g722"`, `"opus"`, `"pcma"`,
    /// `"pcmu"`. Default all four, in this order.
    pub codecs: Vec<Codec>,
    /// Milliseconds of audio in a packet that we ask phones for, 10 to 60; of one whose peer has
    /// said how long it wants them, that. Default 20.
    pub ptime: u32,
    /// The threads that move audio; 0 means one for each core. Default 0.
    pub threads: u8,
    /// The DSCP mark of RTP and RTCP packets (RFC 2474), 0 to 63. Default 46, expedited forwarding.
    pub dscp: u32,
    /// The folder whose WAV files take the place of the built-in prompts: `LOCALE/NAME.wav`, else
    /// `NAME.wav`. A relative path starts at `[node] data`. Default `"prompts"`.
    pub prompts: PathBuf,
    /// Memory for decoded prompts; the ones not heard for longest make room. Default `"64MiB"`.
    pub prompts_bytes: Size,
    /// The folder of recordings. A relative path starts at `[node] data`. Default `"recordings"`.
    pub recordings: PathBuf,
    /// How samples are stored: `"pcm16"` (32 kB a second), `"pcma"` or `"pcmu"` (16 kB a second).
    /// Default `"pcm16"`.
    pub record_format: RecordFormat,
    /// The longest recording; the call goes on without it. Default `"4h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub record_length_max: Duration,
    /// Nothing is recorded while the disk has less room than this, so that the ledger can still be
    /// written: a gap in the recordings. Default `"128MiB"`.
    pub record_disk_free_bytes: Size,
    /// Audio that may wait for a slow disk, over all calls; what exceeds it is a gap in its
    /// recording. Default `"32MiB"`.
    pub record_waiting_bytes: Size,
    /// How long a phone in a call may send neither audio nor reports before it is asked whether it
    /// is still there; one that does not answer is hung up on. Default `"60s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub silence_max: Duration,
    /// Whether the audio of phones and trunks is encrypted, by keys in SDP (RFC 4568): `"off"`,
    /// `"accepted"` if they offer it, `"preferred"`: we offer it too (RFC 8643), `"required"`.
    /// Default: preferred where the SIP is encrypted too (TLS, wss), else accepted.
    pub srtp: Option<Security>,
    /// What it may be encrypted with, the preferred first: `"AEAD_AES_128_GCM"`,
    /// `"AEAD_AES_256_GCM"`, `"AES_CM_128_HMAC_SHA1_80"`, `"AES_256_CM_HMAC_SHA1_80"`, and the last
    /// two with `_32`, whose tags are short. Default the first four, in this order.
    pub srtp_suites: Vec<Suite>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ports: PortRange { first: 20_000, last: 29_999 },
            spares: 256,
            port_rest: Duration::from_secs(2),
            codecs: vec![Codec::G722, Codec::Opus, Codec::Pcma, Codec::Pcmu],
            ptime: 20,
            threads: 0,
            dscp: 46,
            prompts: PathBuf::from("prompts"),
            prompts_bytes: Size(64 << 20),
            recordings: PathBuf::from("recordings"),
            record_format: RecordFormat::Pcm16,
            record_length_max: Duration::from_secs(4 * 3600),
            record_disk_free_bytes: Size(128 << 20),
            record_waiting_bytes: Size(32 << 20),
            silence_max: Duration::from_secs(60),
            srtp: None,
            srtp_suites: vec![
                Suite::Gcm128,
                Suite::Gcm256,
                Suite::Counter128Tag80,
                Suite::Counter256Tag80,
            ],
        }
    }
}

/// How the samples of a recording are stored.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RecordFormat {
    /// 16-bit linear, 32 kB a second in stereo.
    Pcm16,
    /// G.711 A-law, 16 kB a second in stereo.
    Pcma,
    /// G.711 µ-law, 16 kB a second in stereo.
    Pcmu,
}

/// UDP ports from the first to the last, both included; written `"20000-29999"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    /// How many pairs of an even port and the next lie within.
    pub fn pairs(self) -> usize {
        self.even_ports().count()
    }

    /// The RTP ports: every even port whose successor is in the range too.
    pub fn even_ports(self) -> impl DoubleEndedIterator<Item = u16> + Clone {
        let first = self.first.div_ceil(2);
        let end = self.last / 2 + self.last % 2;
        (first..end.max(first)).map(|half| 2 * half)
    }

    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Ports(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let range =
            Self { first: port(first).ok_or_else(wrong)?, last: port(last).ok_or_else(wrong)? };
        if range.pairs() == 0 {
            return Err(ConfigError::NoPair(text.to_owned()));
        }
        Ok(range)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A number of bytes: `"64MiB"`, `"512KiB"`, `"2GiB"`, `"1000B"`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= bytes && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl FromStr for Size {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Size(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].trim() {
            "" | "B" => 1_u64,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"64MiB\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes)
                    .map(Size)
                    .map_err(|_| E::custom(ConfigError::Size(bytes.to_string())))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Why a value of the section cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error("`{0}` holds no even port with its successor; write for example \"20000-29999\"")]
    NoPair(String),
    #[error("`{0}` is no range of ports; write for example \"20000-29999\"")]
    Ports(String),
    #[error("`{0}` is no size; write a number with B, KiB, MiB or GiB, such as \"64MiB\"")]
    Size(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_read() {
        let config: Config = toml::from_str(
            r#"
            listen = "::1"
            ports = "30001-30006"
            port_rest = "5s"
            codecs = ["pcmu"]
            prompts_bytes = "1GiB"
            record_format = "pcma"
            record_disk_free_bytes = 1000
            "#,
        )
        .unwrap();

        assert_eq!(config.ports.even_ports().collect::<Vec<_>>(), [30_002, 30_004]);
        assert_eq!(config.port_rest, Duration::from_secs(5));
        assert_eq!(config.codecs, [Codec::Pcmu]);
        assert_eq!(config.prompts_bytes, Size(1 << 30));
        assert_eq!(config.record_disk_free_bytes, Size(1000));
        assert_eq!(config.record_format, RecordFormat::Pcma);
    }

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "ports = \"29999-20000\"",
            "ports = \"20000\"",
            "ports = \"0-70000\"",
            "ports = \"20001-20002\"",
            "prompts_bytes = \"64MB\"",
            "prompts_bytes = \"99999999999GiB\"",
            "prompts_bytes = -1",
            "codecs = [\"g729\"]",
            "spare = 3",
        ] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_highest_ports_can_be_used() {
        let range: PortRange = "65530-65535".parse().unwrap();

        assert_eq!(range.even_ports().collect::<Vec<_>>(), [65_530, 65_532, 65_534]);
    }

    #[test]
    fn sizes_print_as_they_are_written() {
        for text in ["64MiB", "1GiB", "3KiB", "1000B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
    }
}
