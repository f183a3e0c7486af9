//! The keys of SRTP in session descriptions: `a=crypto`.
//!
//! Spec:     RFC 4568; RFC 8643 (keys under a plain profile: encrypted if both can).
//! In, out:  attributes of one media description.
//! Not here: which of them is taken (`offer_answer`), what is encrypted with them (`rtp::srtp`).

use serde::{Deserialize, Serialize};

use super::session::{Attribute, Media};
pub use crate::rtp::srtp::{MasterKey, Suite};

/// Whether the audio of a leg is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Never; what must be encrypted is refused.
    Off,
    /// If the peer offers it. We offer plain audio.
    #[default]
    Accepted,
    /// If the peer can: our offer has keys under the plain profile, which a peer that knows none
    /// overlooks (RFC 8643).
    Preferred,
    /// Always; plain audio is refused.
    Required,
}

/// What offer and answer agreed on for the encryption of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The number under which the offer has the suite.
    pub tag: u32,
    /// What we encrypt with.
    pub send: MasterKey,
    /// What the peer encrypts with.
    pub receive: MasterKey,
}

/// One `a=crypto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub tag: u32,
    pub key: MasterKey,
}

impl Line {
    /// Each attribute of a media description that can be used, the peer's choice first. What asks
    /// for more than plain SRTP, or names a suite that we do not have, is left out (RFC 4568 §6.3,
    /// §7.1).
    pub(super) fn all(media: &Media) -> impl Iterator<Item = Self> {
        media.values("crypto").take(LINES_MAX).filter_map(Self::parse)
    }

    pub(super) fn attribute(&self) -> Attribute {
        let Self { tag, key } = self;
        let (suite, text) = (key.suite().name(), key.to_base64());
        Attribute::new("crypto", format_args!("{tag} {suite} inline:{text}"))
    }

    /// RFC 4568 §9.1: `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:4 WSH=64`.
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite: Suite = words.next()?.parse().ok()?;
        let (method, keys) = words.next()?.split_once(':')?;
        let is_plain = |word: &str| word.starts_with('-') || word.starts_with("WSH=");
        if !method.eq_ignore_ascii_case("inline") || keys.contains(';') || !words.all(is_plain) {
            return None;
        }
        let mut parts = keys.split('|');
        let key = MasterKey::from_base64(suite, parts.next()?)?;
        // The lifetime, if there is one, is longer than any call: 2^31 packets at least.
        let name = parts.find(|part| part.contains(':'));
        match name {
            Some(name) => Some(Self { tag, key: key.named(&name_bytes(name)?)? }),
            None => Some(Self { tag, key }),
        }
    }
}

/// The bytes that name a key in each packet: `4:2` is the number 4 in two bytes.
fn name_bytes(text: &str) -> Option<Vec<u8>> {
    let (value, length) = text.split_once(':')?;
    let value: u128 = value.parse().ok()?;
    let length: usize = length.parse().ok().filter(|length| (1..=128).contains(length))?;
    let bytes = value.to_be_bytes();
    let mut name = vec![0; length];
    let zeros = bytes.len().saturating_sub(length);
    if bytes[..zeros].iter().any(|byte| *byte != 0) {
        return None;
    }
    let from = length.saturating_sub(bytes.len());
    name[from..].copy_from_slice(&bytes[zeros..]);
    Some(name)
}

/// Attributes of one description that are looked at.
const LINES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// RFC 4568 §4.1 and §9.1, and what phones write.
    #[test]
    fn attributes_are_read() {
        let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let of = |text: &str| Line::parse(&text.replace("KEY", key));

        let first = of("1 AES_CM_128_HMAC_SHA1_80 inline:KEY").unwrap();
        assert_eq!((first.tag, first.key.to_base64().as_str()), (1, key));
        for same in ["inline:KEY|2^20", "inline:KEY|1048576 WSH=64", "INLINE:KEY|2^48 -X=1"] {
            assert_eq!(of(&format!("1 aes_cm_128_hmac_sha1_80  {same}")), Some(first.clone()));
        }
        let named = of("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4").unwrap();
        assert_eq!(named.key, first.key.clone().named(&[0, 0, 0, 1]).unwrap());
        assert_eq!(of("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|300:2").unwrap().key, {
            first.key.named(&[1, 44]).unwrap()
        });
    }

    #[test]
    fn what_cannot_be_kept_is_left_out() {
        let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        for text in [
            "",
            "1",
            "x AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1234567890 AES_CM_128_HMAC_SHA1_80 inline:KEY",
            "1 F8_128_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEYx",
            "1 AES_256_CM_HMAC_SHA1_80 inline:KEY",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4;inline:KEY|2^20|2:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|256:1",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:0",
            "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:129",
        ] {
            assert_eq!(Line::parse(&text.replace("KEY", key)), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (tag, suite) in (1..).zip(Suite::ALL) {
            let line = Line { tag, key: MasterKey::random(suite, &mut Rng::from_number(9)) };

            let text = line.attribute();

            assert_eq!(Line::parse(text.text()), Some(line));
        }
    }

    #[test]
    fn a_long_name_has_leading_zeros() {
        assert_eq!(name_bytes("1:20").unwrap(), [&[0; 19][..], &[1]].concat());
        assert_eq!(name_bytes("65536:2"), None);
    }
}
