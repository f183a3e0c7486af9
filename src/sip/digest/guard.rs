//! Slows down who guesses passwords, without locking out who knows them.
//!
//! Wrong passwords are counted by address and account, and by address alone. Above the limit the
//! account (or the address) is not even looked at until it has kept quiet for a while; the account
//! stays open to all other addresses. Addresses cannot be forged here: only guesses that carry one
//! of our nonces are counted, and those are bound to the address that they were sent to.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::time::{Duration, Instant};

/// Wrong passwords for one account from one address, until it is locked for that address.
pub const FAILURES_MAX: u32 = 10;
/// Wrong passwords from one address in all, until the address is locked.
pub const FAILURES_OF_ADDRESS_MAX: u32 = 100;
/// How long after the last counted guess all guesses are forgotten.
pub const MEMORY: Duration = Duration::from_secs(60);
/// Addresses and accounts that are remembered; beyond it the oldest are forgotten.
pub const SUSPECTS_MAX: usize = 20_000;
/// Bytes of a user name that are told apart: longer ones are no account's.
const USER_BYTES_MAX: usize = 64;

/// An address, and the account that it tried; an empty name stands for all.
type Suspect = (IpAddr, Box<str>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Who failed how often, lately.
#[derive(Debug, Default)]
pub struct Guard {
    failures: HashMap<Suspect, Failures>,
    by_age: BTreeSet<(Instant, Suspect)>,
}

impl Guard {
    /// How long this address must not try this account; nothing if it may.
    pub fn locked(&self, now: Instant, address: IpAddr, user: &str) -> Option<Duration> {
        let one = self.left(now, suspect(address, user), FAILURES_MAX);
        one.max(self.left(now, suspect(address, ""), FAILURES_OF_ADDRESS_MAX))
    }

    /// A guess was wrong.
    pub fn failed(&mut self, now: Instant, address: IpAddr, user: &str) {
        self.add(now, suspect(address, user));
        self.add(now, suspect(address, ""));
    }

    /// The password was right: earlier slips are forgiven.
    pub fn succeeded(&mut self, address: IpAddr, user: &str) {
        let suspect = suspect(address, user);
        if let Some(failures) = self.failures.remove(&suspect) {
            self.by_age.remove(&(failures.last, suspect));
        }
    }

    fn left(&self, now: Instant, suspect: Suspect, max: u32) -> Option<Duration> {
        let failures = self.failures.get(&suspect).filter(|failures| failures.count >= max)?;
        let until = failures.last + MEMORY;
        (now < until).then(|| until.since(now))
    }

    fn add(&mut self, now: Instant, suspect: Suspect) {
        while let Some((last, _)) = self.by_age.first() {
            if now < *last + MEMORY && self.by_age.len() < SUSPECTS_MAX {
                break;
            }
            if let Some((_, oldest)) = self.by_age.pop_first() {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(suspect.clone());
        let failures = failures.or_insert(Failures { count: 0, last: now });
        self.by_age.remove(&(failures.last, suspect.clone()));
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
        self.by_age.insert((now, suspect));
    }
}

fn suspect(address: IpAddr, user: &str) -> Suspect {
    let end = user.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = end.take_while(|end| *end <= USER_BYTES_MAX).last().unwrap_or(0);
    (address.to_canonical(), Box::from(&user[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_passwords_lock_the_account_for_that_address_and_a_minute() {
        let mut guard = Guard::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(guard.locked(at(0), HOME, "1001"), None);
            guard.failed(at(0), HOME, "1001");
        }

        assert_eq!(guard.locked(at(20), HOME, "1001"), Some(Duration::from_secs(40)));
        assert_eq!(guard.locked(at(20), AWAY, "1001"), None);
        assert_eq!(guard.locked(at(20), HOME, "1002"), None);
        assert_eq!(guard.locked(at(60), HOME, "1001"), None);
    }

    #[test]
    fn a_scanner_that_tries_many_accounts_is_locked_as_a_whole() {
        let mut guard = Guard::default();
        for number in 0..FAILURES_OF_ADDRESS_MAX {
            guard.failed(at(0), HOME, &number.to_string());
        }

        assert!(guard.locked(at(0), HOME, "never tried").is_some());
        assert!(guard.locked(at(0), AWAY, "never tried").is_none());
    }

    #[test]
    fn the_right_password_forgives_slips() {
        let mut guard = Guard::default();
        for _ in 0..FAILURES_MAX - 1 {
            guard.failed(at(0), HOME, "1001");
        }
        guard.succeeded(HOME, "1001");

        guard.failed(at(1), HOME, "1001");

        assert_eq!(guard.locked(at(1), HOME, "1001"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut guard = Guard::default();
        let long = "ü".repeat(1000);
        guard.failed(at(0), HOME, &long);
        for number in 0..SUSPECTS_MAX as u32 + 10 {
            let address = IpAddr::from(number.to_be_bytes());
            guard.failed(at(1), address, "1001");
        }

        assert!(guard.failures.len() <= SUSPECTS_MAX);
        assert_eq!(guard.failures.len(), guard.by_age.len());
        guard.failed(at(100), HOME, "1001");
        assert_eq!(guard.failures.len(), 2);
    }

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }
}
