//! Nonces: made without remembering them, known again, each count used once.
//!
//! A nonce is its time of issue, a serial number, and a MAC over both and the client's address, by
//! a key that lives as long as the process: an invented one, one of another client or of an earlier
//! run is told from ours. Only nonces with which a password was proven take memory.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::time::{Duration, Instant};

/// Maker and judge of nonces.
#[derive(Debug)]
pub struct Nonces {
    mac: Mac,
    lifetime: Duration,
    used_max: usize,
    serial: u32,
    used: BTreeMap<Stamp, Counts>,
    /// Nonces up to this one are stale: their counts were given up for want of room.
    forgotten: Option<Stamp>,
}

/// Tells our nonces apart; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    issued: Instant,
    serial: u32,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    Fresh(Stamp),
    /// Ours, but too old.
    Stale,
    /// Not given to this client by this process.
    Unknown,
}

/// Which counts of a nonce were used: the highest, and those up to 63 below it.
#[derive(Clone, Copy, Debug)]
struct Counts {
    highest: u32,
    /// Bit `i`: whether `highest - i` was used.
    below: u64,
}

const STAMP_DIGITS: usize = 16 + 8;
const MAC_BYTES: usize = 16;
const TAG_BYTES: usize = 8;

impl Nonces {
    /// `key` must be unknown to all others. `used_max` nonces with a proven password are
    /// remembered; beyond it the oldest become stale early.
    pub fn new(key: [u8; 32], lifetime: Duration, used_max: usize) -> Self {
        let mac = Mac::new(key);
        let used = BTreeMap::new();
        Self { mac, lifetime, used_max, serial: 0, used, forgotten: None }
    }

    /// A new nonce for this client: hexadecimal digits.
    pub fn issue(&mut self, now: Instant, client: IpAddr) -> String {
        self.serial = self.serial.wrapping_add(1);
        let stamp = Stamp { issued: now, serial: self.serial };
        let mut nonce = format!("{:016x}{:08x}", now.as_micros(), stamp.serial);
        nonce.push_str(&hex::encode(self.mac.of(stamp, client)));
        nonce
    }

    pub fn judge(&self, now: Instant, nonce: &str, client: IpAddr) -> Judgement {
        self.read(nonce, client).map_or(Judgement::Unknown, |stamp| {
            let is_old = now.since(stamp.issued) > self.lifetime;
            if is_old || self.forgotten.is_some_and(|forgotten| stamp <= forgotten) {
                return Judgement::Stale;
            }
            Judgement::Fresh(stamp)
        })
    }

    /// Uses a count of a fresh nonce; false if it was used before, or may have been.
    pub fn count(&mut self, now: Instant, stamp: Stamp, count: u32) -> bool {
        let oldest = now - self.lifetime;
        while self.used.first_key_value().is_some_and(|(stamp, _)| stamp.issued < oldest) {
            self.used.pop_first();
        }
        if let Some(counts) = self.used.get_mut(&stamp) {
            return counts.take(count);
        }
        if self.forgotten.is_some_and(|forgotten| stamp <= forgotten) {
            return false;
        }
        if self.used.len() >= self.used_max {
            match self.used.first_entry() {
                Some(oldest) if *oldest.key() < stamp => {
                    self.forgotten = Some(oldest.remove_entry().0);
                }
                _ => return false,
            }
        }
        self.used.insert(stamp, Counts { highest: count, below: 1 });
        true
    }

    /// A word that is the same for the same parts, and that nobody else can foresee.
    pub fn tag(&self, parts: &[&str]) -> String {
        let hash = self.mac.whole(parts.join("\n").as_bytes());
        hex::encode(&hash[..TAG_BYTES])
    }

    fn read(&self, nonce: &str, client: IpAddr) -> Option<Stamp> {
        if nonce.len() != STAMP_DIGITS + 2 * MAC_BYTES || !nonce.is_ascii() {
            return None;
        }
        let (stamp, mac) = nonce.split_at(STAMP_DIGITS);
        let (issued, serial) = stamp.split_at(16);
        let issued = Instant::from_micros(u64::from_str_radix(issued, 16).ok()?);
        let stamp = Stamp { issued, serial: u32::from_str_radix(serial, 16).ok()? };
        let mac = hex::decode(mac).ok()?;
        bool::from(self.mac.of(stamp, client).ct_eq(&mac)).then_some(stamp)
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.below = self.below.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        let is_new = bit != 0 && self.below & bit == 0;
        self.below |= bit;
        is_new
    }
}

/// HMAC-SHA-256 (RFC 2104), its two keyed states prepared.
struct Mac {
    inner: Sha256,
    outer: Sha256,
}

impl Mac {
    fn new(key: [u8; 32]) -> Self {
        let padded = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block)
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn of(&self, stamp: Stamp, client: IpAddr) -> [u8; MAC_BYTES] {
        let client = match client.to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut message = [0; 28];
        message[..8].copy_from_slice(&stamp.issued.as_micros().to_be_bytes());
        message[8..12].copy_from_slice(&stamp.serial.to_be_bytes());
        message[12..].copy_from_slice(&client.octets());
        let whole = self.whole(&message);
        std::array::from_fn(|index| whole[index])
    }

    fn whole(&self, message: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(message).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

/// The key is not printed.
impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_to_its_maker_for_its_client_while_it_lives() {
        let mut nonces = Nonces::new([1; 32], LIFETIME, 10);
        let nonce = nonces.issue(at(1), CLIENT);

        assert!(matches!(nonces.judge(at(301), &nonce, CLIENT), Judgement::Fresh(_)));
        assert_eq!(nonces.judge(at(302), &nonce, CLIENT), Judgement::Stale);
        let other: IpAddr = "192.0.2.10".parse().unwrap();
        assert_eq!(nonces.judge(at(1), &nonce, other), Judgement::Unknown);
        let restarted = Nonces::new([2; 32], LIFETIME, 10);
        assert_eq!(restarted.judge(at(1), &nonce, CLIENT), Judgement::Unknown);
        assert_ne!(nonces.issue(at(1), CLIENT), nonce);
    }

    #[test]
    fn an_invented_nonce_is_unknown() {
        let mut nonces = Nonces::new([1; 32], LIFETIME, 10);
        let nonce = nonces.issue(at(1), CLIENT);
        let mut wrong = vec![String::new(), "é".repeat(28), nonce.clone() + "00", "+".repeat(56)];
        for at in 0..nonce.len() {
            let mut bent = nonce.clone().into_bytes();
            bent[at] = if bent[at] == b'0' { b'1' } else { b'0' };
            wrong.push(String::from_utf8(bent).unwrap());
        }
        for wrong in wrong {
            assert_eq!(nonces.judge(at(1), &wrong, CLIENT), Judgement::Unknown, "{wrong}");
        }
    }

    #[test]
    fn each_count_is_used_once_in_any_order() {
        let (mut nonces, stamp) = with_stamp(10);

        for (count, is_new) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (3, false),
            (66, true),
            (3, false),
            (2, false),
            (4, true),
            (0, false),
            (u32::MAX, true),
            (66, false),
            (u32::MAX, false),
        ] {
            assert_eq!(nonces.count(at(2), stamp, count), is_new, "{count}");
        }
    }

    /// A full table forgets the oldest nonces, and takes none of them afterwards.
    #[test]
    fn a_full_table_lets_nothing_be_used_twice() {
        let (mut nonces, first) = with_stamp(2);
        let first_text = nonces.issue(at(1), CLIENT);
        assert!(nonces.count(at(2), first, 1));
        let later = [at(3), at(4)].map(|at| {
            let text = nonces.issue(at, CLIENT);
            match nonces.judge(at, &text, CLIENT) {
                Judgement::Fresh(stamp) => stamp,
                other => panic!("{other:?}"),
            }
        });
        assert!(nonces.count(at(5), later[0], 1));
        assert!(nonces.count(at(5), later[1], 1));

        assert!(nonces.used.len() <= 2);
        assert!(!nonces.count(at(5), first, 1));
        assert!(!nonces.count(at(5), later[1], 1));
        // One of the same moment as the forgotten one, but later: still good.
        assert!(matches!(nonces.judge(at(5), &first_text, CLIENT), Judgement::Fresh(_)));
    }

    #[test]
    fn counts_of_dead_nonces_take_no_room() {
        let (mut nonces, first) = with_stamp(10);
        nonces.count(at(1), first, 1);
        let text = nonces.issue(at(400), CLIENT);
        let Judgement::Fresh(stamp) = nonces.judge(at(400), &text, CLIENT) else { panic!() };

        nonces.count(at(400), stamp, 1);

        assert_eq!(nonces.used.len(), 1);
    }

    /// RFC 4231 §4.3, with the key padded by zeros as HMAC pads it.
    #[test]
    fn the_mac_is_hmac_sha_256() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let whole = Mac::new(key).whole(b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(whole),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    const LIFETIME: Duration = Duration::from_secs(300);
    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn with_stamp(used_max: usize) -> (Nonces, Stamp) {
        let mut nonces = Nonces::new([1; 32], LIFETIME, used_max);
        let text = nonces.issue(at(1), CLIENT);
        match nonces.judge(at(1), &text, CLIENT) {
            Judgement::Fresh(stamp) => (nonces, stamp),
            other => panic!("{other:?}"),
        }
    }
}
