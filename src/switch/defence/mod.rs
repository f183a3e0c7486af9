//! What strangers may cost: who is let in, how much is borne without a password, who is known.
//!
//! Spec:     RFC 3261 §8.2.7, §26.3.2.4: what is refused for want of credentials leaves no state.
//! In:       where requests come from, what their credentials are worth.
//! Out:      whether a request is answered; lock-outs, told to the log and the ledger.
//! Not here: judging credentials (`sip::digest`), what an account may do (`route`).
//!
//! Each source (an address, or an IPv6 /64) has a bucket of requests that it may send without good
//! credentials; good credentials give theirs back. A flow that has proven a password lately has a
//! bucket of its own, and its account is not locked out for what its neighbours behind the same
//! address do. So behind a NAT an intruder cannot silence the phones that are there already; one
//! that comes new shares the bucket with him.

mod buckets;
pub(super) mod overload;

use std::net::{IpAddr, SocketAddr};

use crate::cdr::entry::{Entry, Fact};
use crate::id::ExtensionId;
use crate::route::defence::Config;
use crate::sip::digest::Verdict;
use crate::sip::digest::guard::{Limits, Lock};
use crate::sip::flow::source_of;
use crate::sip::recent::Recent;
use crate::switch::{Output, Switch};
use crate::time::{Duration, Instant};
use buckets::{Bucket, Rate};

/// What is known of those who send.
#[derive(Debug)]
pub(super) struct Defence {
    rate: Rate,
    buckets: Recent<Payer, Bucket>,
    /// When a flow last proved an account's password, and when any.
    accounts: Recent<(SocketAddr, ExtensionId), Instant>,
    flows: Recent<SocketAddr, Instant>,
    figures: Figures,
}

/// Whose bucket a request is paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    /// One that has proven a password.
    Flow(SocketAddr),
    Source(IpAddr),
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Messages from networks that may not send.
    pub denied: u64,
    /// Requests without good credentials that were not answered, for there were too many.
    pub dropped: u64,
    pub lock_outs: u64,
}

impl Defence {
    pub fn new(config: &Config) -> Self {
        Self {
            rate: Rate::of(config),
            buckets: Recent::new(config.sources_max),
            accounts: Recent::new(FRIENDS_MAX),
            flows: Recent::new(FRIENDS_MAX),
            figures: Figures::default(),
        }
    }

    /// Changed limits count from the next request on.
    pub fn configure(&mut self, config: &Config) {
        self.rate = Rate::of(config);
        self.buckets.set_max(config.sources_max);
    }

    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Whether one more request without good credentials is borne; it is paid for if so.
    pub fn bears(&mut self, now: Instant, remote: SocketAddr) -> bool {
        let (payer, rate) = (self.payer(now, remote), self.rate);
        let bucket = self.buckets.touch(payer, || Bucket::full(now));
        if bucket.take(now, rate) {
            return true;
        }
        self.figures.dropped += 1;
        if bucket.may_tell(now) {
            let address = remote.ip().to_canonical();
            tracing::warn!(target: LOG, %address, "too many requests without credentials");
        }
        false
    }

    /// The sender has proven an account's password.
    fn proven(&mut self, now: Instant, remote: SocketAddr, account: &ExtensionId) {
        let (payer, rate) = (self.payer(now, remote), self.rate);
        self.buckets.touch(payer, || Bucket::full(now)).give_back(now, rate);
        *self.accounts.touch((remote, account.clone()), || now) = now;
        *self.flows.touch(remote, || now) = now;
    }

    fn has_proven(&self, now: Instant, remote: SocketAddr, account: &str) -> bool {
        let proven = self.accounts.peek(&(remote, ExtensionId::from(account)));
        proven.is_some_and(|at| now < *at + FRIEND_FOR)
    }

    /// Whether a password was proven over this flow lately.
    pub fn knows(&self, now: Instant, remote: SocketAddr) -> bool {
        self.flows.peek(&remote).is_some_and(|at| now < *at + FRIEND_FOR)
    }

    fn payer(&self, now: Instant, remote: SocketAddr) -> Payer {
        match self.knows(now, remote) {
            true => Payer::Flow(remote),
            false => Payer::Source(source_of(remote.ip())),
        }
    }
}

impl Switch {
    /// Whether the network of this address may send at all.
    pub(super) fn lets_in(&mut self, address: IpAddr) -> bool {
        let may = self.plan.defence.lets_in(address);
        self.defence.figures.denied += u64::from(!may);
        may
    }

    /// What the credentials of a request are worth, judged once.
    ///
    /// For an address from which the account may not be used there is no such account.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        request: &crate::sip::message::Request,
        out: &mut Vec<Output>,
    ) -> Verdict {
        let (secrets, extensions, defence) = (&self.secrets, &self.plan.extensions, &self.defence);
        let secret_of = |user: &str| {
            match extensions.get(user) {
                Some(account) => account.lets_in(remote.ip()).then(|| secrets.get(user))?,
                None => secrets.get(user), // a trunk's
            }
        };
        let proven = |user: &str| defence.has_proven(now, remote, user);
        let source = source_of(remote.ip());
        let auth = &mut self.parts.auth;
        let verdict = auth.check(now, (remote, source), request, proven, secret_of);
        match &verdict {
            Verdict::User(user) => {
                self.defence.proven(now, remote, &ExtensionId::from(user.as_str()));
            }
            Verdict::Wrong { lock: Some(lock) } => self.locked_out(now, remote.ip(), *lock, out),
            Verdict::Locked { .. }
            | Verdict::Missing
            | Verdict::Stale { .. }
            | Verdict::Wrong { lock: None } => {}
        }
        verdict
    }

    fn locked_out(&mut self, now: Instant, address: IpAddr, lock: Lock, out: &mut Vec<Output>) {
        self.defence.figures.lock_outs += 1;
        let (address, seconds) = (address.to_canonical(), lock.length.as_secs());
        let every_account = lock.whole_source;
        tracing::warn!(target: LOG, %address, seconds, every_account, "locked out");
        let fact = Fact::LockedOut { address: address.to_string(), seconds, every_account };
        out.push(Output::Entry(Entry { at: self.wall(now), call: None, fact }));
    }
}

/// What `[defence]` says of guessing.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        failures_max: config.failures_max,
        failures_of_source_max: config.failures_of_source_max,
        lock: config.lock,
        lock_max: config.lock_max,
        suspects_max: config.sources_max,
    }
}

/// What a firewall looks for in the log: docs/operations.md shows how.
const LOG: &str = "strowger::defence";
/// Flows with good credentials that are known at a time; beyond it those heard longest ago are
/// strangers again.
const FRIENDS_MAX: usize = 200_000;
/// How long good credentials are remembered: longer than phones stay registered without a word.
const FRIEND_FOR: Duration = Duration::from_secs(2 * 60 * 60);
