//! Locks out who guesses passwords, without locking out who knows them.
//!
//! Wrong passwords are counted by source and account, and by source alone. Above the limit the
//! account (or every account) is not even looked at for that source until the lock ends; all other
//! sources still reach it. Each lock of a suspect lasts twice as long as the one before. Sources
//! cannot be forged here: only guesses that carry one of our nonces are counted, and those are
//! bound to the address that they were sent to.
//!
//! Behind one address there may be an intruder and a whole office. A flow that has proven the
//! account's password before (`Sender::proven`) is a suspect of its own: what its neighbours guess
//! neither counts against it nor locks it out, and what it guesses itself does.

use std::net::{IpAddr, SocketAddr};

use super::locks::{Lengths, Locks};
use crate::time::{Duration, Instant};

/// How many guesses are borne, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wrong passwords for one account from one source, until it is locked for that source.
    pub failures_max: u32,
    /// Wrong passwords from one source in all, until it is locked for all accounts.
    pub failures_of_source_max: u32,
    /// How long the first lock lasts, and how long after the last guess failures are forgotten.
    pub lock: Duration,
    /// The longest lock, and how long after one its length is remembered.
    pub lock_max: Duration,
    /// Suspects that are remembered; beyond it the oldest are forgotten.
    pub suspects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failures_max: 10,
            failures_of_source_max: 100,
            lock: Duration::from_secs(60),
            lock_max: Duration::from_secs(3600),
            suspects_max: 65_536,
        }
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub remote: SocketAddr,
    /// The address that stands for everyone who shares the sender's network.
    pub source: IpAddr,
    /// Whether this very flow has proven a password of the account that it names.
    pub proven: bool,
}

/// A lock that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub length: Duration,
    /// All accounts are locked for the source, not one.
    pub whole_source: bool,
}

/// Who is suspected of guessing what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Suspect {
    /// A flow with good credentials that tries its own account.
    Flow(SocketAddr, Box<str>),
    Source(IpAddr),
    SourceAndUser(IpAddr, Box<str>),
}

/// Who failed how often, lately.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    suspects: Locks<Suspect>,
}

impl Guard {
    pub fn new(limits: Limits) -> Self {
        let suspects = Locks::new(limits.suspects_max);
        Self { limits, suspects }
    }

    /// Changed limits count from the next guess on.
    pub fn configure(&mut self, limits: Limits) {
        self.suspects.set_max(limits.suspects_max);
        self.limits = limits;
    }

    /// How long this sender must not try this account; nothing if it may.
    pub fn locked(&self, now: Instant, sender: &Sender, user: &str) -> Option<Duration> {
        if sender.proven {
            return self.left(now, &Suspect::Flow(sender.remote, short(user)));
        }
        let one = self.left(now, &Suspect::SourceAndUser(sender.source, short(user)));
        one.max(self.left(now, &Suspect::Source(sender.source)))
    }

    /// A guess was wrong; tells the lock that begins with it.
    pub fn failed(&mut self, now: Instant, sender: &Sender, user: &str) -> Option<Lock> {
        let max = self.limits.failures_max;
        let one = |length| Lock { length, whole_source: false };
        if sender.proven {
            return self.add(now, Suspect::Flow(sender.remote, short(user)), max).map(one);
        }
        let user = self.add(now, Suspect::SourceAndUser(sender.source, short(user)), max).map(one);
        let max = self.limits.failures_of_source_max;
        let all = self.add(now, Suspect::Source(sender.source), max);
        all.map(|length| Lock { length, whole_source: true }).or(user)
    }

    /// The password was right: earlier slips are forgiven.
    pub fn succeeded(&mut self, sender: &Sender, user: &str) {
        self.suspects.forget(&Suspect::SourceAndUser(sender.source, short(user)));
        self.suspects.forget(&Suspect::Flow(sender.remote, short(user)));
    }

    fn left(&self, now: Instant, suspect: &Suspect) -> Option<Duration> {
        self.suspects.left(now, suspect)
    }

    fn add(&mut self, now: Instant, suspect: Suspect, max: u32) -> Option<Duration> {
        self.suspects.failed(now, suspect, max, self.limits.lengths())
    }
}

impl Limits {
    fn lengths(&self) -> Lengths {
        Lengths { first: self.lock, longest: self.lock_max }
    }
}

/// What of a user name is told apart: longer ones are no account's.
fn short(user: &str) -> Box<str> {
    let end = user.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = end.take_while(|end| *end <= USER_BYTES_MAX).last().unwrap_or(0);
    Box::from(&user[..end])
}

const USER_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_passwords_lock_the_account_for_that_source() {
        let mut guard = Guard::new(Limits::default());
        for _ in 0..9 {
            assert_eq!(guard.failed(at(0), &HOME, "1001"), None);
            assert_eq!(guard.locked(at(0), &HOME, "1001"), None);
        }
        let lock = Lock { length: Duration::from_secs(60), whole_source: false };
        assert_eq!(guard.failed(at(0), &HOME, "1001"), Some(lock));

        assert_eq!(guard.locked(at(20), &HOME, "1001"), Some(Duration::from_secs(40)));
        assert_eq!(guard.locked(at(20), &AWAY, "1001"), None);
        assert_eq!(guard.locked(at(20), &HOME, "1002"), None);
        assert_eq!(guard.locked(at(60), &HOME, "1001"), None);
    }

    #[test]
    fn each_lock_lasts_twice_as_long_up_to_the_longest() {
        let mut guard = Guard::new(Limits::default());
        let mut now = 0;
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let lock = lock(&mut guard, now, "1001");
            lengths.push(lock.length.as_secs());
            now += lock.length.as_secs();
        }
        assert_eq!(lengths, [60, 120, 240, 480, 960, 1920, 3600, 3600]);

        // An hour after the last one all is forgotten.
        assert_eq!(lock(&mut guard, now + 3600, "1001").length.as_secs(), 60);
    }

    #[test]
    fn a_scanner_that_tries_many_accounts_is_locked_as_a_whole() {
        let mut guard = Guard::new(Limits::default());
        let locks: Vec<_> = (0..100)
            .filter_map(|number: u32| guard.failed(at(0), &HOME, &number.to_string()))
            .collect();

        assert_eq!(locks, [Lock { length: Duration::from_secs(60), whole_source: true }]);
        assert!(guard.locked(at(0), &HOME, "never tried").is_some());
        assert!(guard.locked(at(0), &AWAY, "never tried").is_none());
    }

    /// A phone that has proven its password is not locked out by its neighbours behind the NAT.
    #[test]
    fn a_proven_flow_answers_for_itself_alone() {
        let mut guard = Guard::new(Limits::default());
        let phone = Sender { remote: "192.0.2.9:6000".parse().unwrap(), proven: true, ..HOME };
        lock(&mut guard, 0, "1001");
        for number in 0..100 {
            guard.failed(at(0), &HOME, &number.to_string());
        }

        assert_eq!(guard.locked(at(1), &phone, "1001"), None);
        for _ in 0..10 {
            guard.failed(at(1), &phone, "1001");
        }
        assert!(guard.locked(at(1), &phone, "1001").is_some());
    }

    #[test]
    fn the_right_password_forgives_slips() {
        let mut guard = Guard::new(Limits::default());
        for _ in 0..9 {
            guard.failed(at(0), &HOME, "1001");
        }
        guard.succeeded(&HOME, "1001");

        assert_eq!(guard.failed(at(1), &HOME, "1001"), None);
        assert_eq!(guard.locked(at(1), &HOME, "1001"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut guard = Guard::new(Limits { suspects_max: 100, ..Limits::default() });
        guard.failed(at(0), &HOME, &"ü".repeat(1000));
        for number in 0..1000_u32 {
            let source = IpAddr::from(number.to_be_bytes());
            guard.failed(at(1), &Sender { source, ..HOME }, "1001");
        }

        assert!(guard.suspects.len() <= 100);
        assert_eq!(short(&"ü".repeat(1000)).len(), 64);
    }

    const HOME: Sender = sender([192, 0, 2, 9]);
    const AWAY: Sender = sender([192, 0, 2, 10]);

    const fn sender(address: [u8; 4]) -> Sender {
        let [a, b, c, d] = address;
        let source = IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d));
        Sender { remote: SocketAddr::new(source, 5060), source, proven: false }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    /// Guesses until the account is locked.
    fn lock(guard: &mut Guard, seconds: u64, user: &str) -> Lock {
        (0..10).find_map(|_| guard.failed(at(seconds), &HOME, user)).expect("ten are too many")
    }
}
