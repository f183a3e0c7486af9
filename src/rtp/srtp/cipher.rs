//! The session keys of one direction, for RTP or for RTCP, and what is done with them.

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncrypt, InnerIvInit as _, KeyInit as _, StreamCipher as _};
use aes::{Aes128, Aes256};
use ctr::{Ctr128BE, CtrCore};
use ring::aead::{self, Aad};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::{MasterKey, TAG_MAX};

/// Which packets the keys are for: the first of three labels (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// Encrypts and checks the packets of one direction.
pub(super) enum Cipher {
    /// RFC 3711 §4.1.1, §4.2.1.
    Counter { aes: Aes, salt: [u8; 14], auth: hmac::Key, tag_bytes: usize },
    /// RFC 7714 §8, §9.
    Gcm { key: aead::LessSafeKey, salt: [u8; 12], packets: Use },
}

/// What distinguishes a packet from all others under the same key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub ssrc: u32,
    /// 48 bits: rollover counter and sequence number; in SRTCP 31 bits.
    pub index: u64,
}

impl Cipher {
    /// Derives the session keys, once for all packets (RFC 3711 §4.3: a rate of zero).
    pub(super) fn new(master: &MasterKey, packets: Use) -> Self {
        let suite = master.suite();
        let aes = Aes::new(master.key());
        let derive = |label: u8, bytes: &mut [u8]| {
            let mut iv = [0; 16];
            iv[..master.salt().len()].copy_from_slice(master.salt());
            iv[7] ^= packets as u8 + label;
            aes.apply(iv, bytes);
        };
        let mut key = [0; 32];
        let key = &mut key[..suite.key_bytes()];
        derive(0, key);
        if suite.is_gcm() {
            let mut salt = [0; 12];
            derive(2, &mut salt);
            return Self::gcm(key, salt, packets);
        }
        let (mut auth, mut salt) = ([0; 20], [0; 14]);
        derive(1, &mut auth);
        derive(2, &mut salt);
        let tag_bytes = match packets {
            Use::Rtp => suite.tag_bytes(),
            Use::Rtcp => RTCP_TAG_BYTES,
        };
        Self::Counter {
            aes: Aes::new(key),
            salt,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
            tag_bytes,
        }
    }

    /// `key` has 16 or 32 bytes.
    pub(super) fn gcm(key: &[u8], salt: [u8; 12], packets: Use) -> Self {
        let algorithm = if key.len() == 16 { &aead::AES_128_GCM } else { &aead::AES_256_GCM };
        let key = aead::UnboundKey::new(algorithm, key).expect("a key of the cipher's length");
        Self::Gcm { key: aead::LessSafeKey::new(key), salt, packets }
    }

    pub(super) fn tag_bytes(&self) -> usize {
        match self {
            Self::Counter { tag_bytes, .. } => *tag_bytes,
            Self::Gcm { .. } => TAG_MAX,
        }
    }

    /// Encrypts all but the first `plain` bytes and gives the tag, of which `tag_bytes` count.
    ///
    /// `trailer` is authenticated too: the rollover counter of RTP, the index word of RTCP.
    pub(super) fn seal(
        &self,
        number: Number,
        packet: &mut [u8],
        plain: usize,
        trailer: [u8; 4],
    ) -> [u8; TAG_MAX] {
        let mut tag = [0; TAG_MAX];
        match self {
            Self::Counter { aes, salt, auth, tag_bytes } => {
                aes.apply(counter_iv(salt, number), &mut packet[plain..]);
                let whole = signature(auth, packet, trailer);
                tag[..*tag_bytes].copy_from_slice(&whole.as_ref()[..*tag_bytes]);
            }
            Self::Gcm { key, salt, packets } => {
                let (head, body) = packet.split_at_mut(plain);
                let sealed = match packets {
                    Use::Rtp => {
                        key.seal_in_place_separate_tag(nonce(salt, number), Aad::from(&*head), body)
                    }
                    Use::Rtcp => {
                        let aad = Aad::from(rtcp_head(head, trailer));
                        key.seal_in_place_separate_tag(nonce(salt, number), aad, body)
                    }
                };
                let sealed = sealed.expect("a datagram is shorter than the cipher's limit");
                tag.copy_from_slice(sealed.as_ref());
            }
        }
        tag
    }

    /// Checks the tag and decrypts all but the first `plain` bytes. A packet with a wrong tag is of
    /// no use any more.
    pub(super) fn open(
        &self,
        number: Number,
        packet: &mut [u8],
        plain: usize,
        trailer: [u8; 4],
        tag: &[u8],
    ) -> bool {
        match self {
            Self::Counter { aes, salt, auth, tag_bytes } => {
                let whole = signature(auth, packet, trailer);
                let is_right: bool = whole.as_ref()[..*tag_bytes].ct_eq(tag).into();
                if is_right {
                    aes.apply(counter_iv(salt, number), &mut packet[plain..]);
                }
                is_right
            }
            Self::Gcm { key, salt, packets } => {
                let Ok(tag) = aead::Tag::try_from(tag) else { return false };
                let (head, body) = packet.split_at_mut(plain);
                let nonce = nonce(salt, number);
                let opened = match packets {
                    Use::Rtp => {
                        key.open_in_place_separate_tag(nonce, Aad::from(&*head), tag, body, 0..)
                    }
                    Use::Rtcp => {
                        let aad = Aad::from(rtcp_head(head, trailer));
                        key.open_in_place_separate_tag(nonce, aad, tag, body, 0..)
                    }
                };
                opened.is_ok()
            }
        }
    }
}

/// A key of AES, expanded.
pub(super) enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    /// `key` has 16 or 32 bytes.
    fn new(key: &[u8]) -> Self {
        match key.try_into() {
            Ok(key) => Self::Short(Aes128::new(key)),
            Err(_) => Self::Long(Aes256::new(key.try_into().expect("a key of 16 or 32 bytes"))),
        }
    }

    /// Encrypts or decrypts, which is the same, by the key stream that begins at `iv`.
    fn apply(&self, iv: [u8; 16], bytes: &mut [u8]) {
        match self {
            Self::Short(key) => stream(key, iv).apply_keystream(bytes),
            Self::Long(key) => stream(key, iv).apply_keystream(bytes),
        }
    }
}

/// The key stream that begins at `iv`.
fn stream<C: BlockCipherEncrypt<BlockSize = U16>>(key: &C, iv: [u8; 16]) -> Ctr128BE<&C> {
    Ctr128BE::from_core(CtrCore::inner_iv_init(key, &iv.into()))
}

/// RFC 3711 §4.1.1.
fn counter_iv(salt: &[u8; 14], number: Number) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    mix(&mut iv[4..14], number);
    iv
}

/// RFC 7714 §8.1, §9.1.
fn nonce(salt: &[u8; 12], number: Number) -> aead::Nonce {
    let mut nonce = *salt;
    mix(&mut nonce[2..], number);
    aead::Nonce::assume_unique_for_key(nonce)
}

/// Makes a salt the packet's own.
fn mix(salt: &mut [u8], number: Number) {
    let ssrc = number.ssrc.to_be_bytes();
    let index = &number.index.to_be_bytes()[2..];
    for (byte, number) in salt.iter_mut().zip(ssrc.iter().chain(index)) {
        *byte ^= number;
    }
}

/// RFC 3711 §4.2.
fn signature(key: &hmac::Key, packet: &[u8], trailer: [u8; 4]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(&trailer);
    context.sign()
}

/// What GCM authenticates of an RTCP packet without encrypting it (RFC 7714 §9.2).
fn rtcp_head(head: &[u8], trailer: [u8; 4]) -> [u8; RTCP_HEAD_BYTES + 4] {
    let mut whole = [0; RTCP_HEAD_BYTES + 4];
    whole[..RTCP_HEAD_BYTES].copy_from_slice(head);
    whole[RTCP_HEAD_BYTES..].copy_from_slice(&trailer);
    whole
}

/// What stays readable of an RTCP packet: its first words, with the SSRC.
pub(super) const RTCP_HEAD_BYTES: usize = 8;
/// Of SRTCP's tag with HMAC-SHA1, in every suite (RFC 3711 §5.2, RFC 4568 §6.2).
const RTCP_TAG_BYTES: usize = 10;
