//! A server that failed lately is left alone for a while.
//!
//! Spec:     RFC 3263 §4.3 (which failures count; the time is ours), RFC 3261 §21.5.4.
//! In:       failures of requests to one server, answers from it.
//! Out:      whether it is tried last, or not at all; until when, and why.
//! Not here: questions whether it is there (`sip::probe`), which answers count (`switch::locate`).

use crate::sip::locate::health::REST;
use crate::time::{Duration, Instant};

/// How a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A 503, with this Retry-After.
    Busy(Option<Duration>),
    /// It did not answer in time.
    Silent,
    /// It could not be connected to, or the connection was lost.
    Unreachable,
    /// Its certificate is not one that we trust, or not for its name.
    Unverified,
}

/// That a server is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    pub until: Instant,
    /// In a word for programs: `retry_after` if no call goes there meanwhile; else how it failed,
    /// and calls go to other servers first.
    pub why: &'static str,
}

/// How one server is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// When it failed last, and how, unless it has answered since.
    failed: Option<(Instant, Trouble)>,
    /// Until when it wants to hear nothing.
    closed_until: Option<Instant>,
}

impl Rest {
    /// A request was of no use.
    pub(super) fn failed(&mut self, now: Instant, trouble: Trouble) {
        self.failed = Some((now, trouble));
        if let Trouble::Busy(retry_after) = trouble {
            let wait = retry_after.map(|wait| now + wait.min(RETRY_AFTER_MAX));
            self.closed_until = self.closed_until.max(wait);
        }
    }

    /// It answered a request: what it asked for by Retry-After stands all the same.
    pub(super) fn worked(&mut self) {
        self.failed = None;
    }

    /// When it failed, if that is not long ago: such servers are tried last.
    pub(super) fn since(&self, now: Instant) -> Option<Instant> {
        self.failed.map(|(at, _)| at).filter(|at| now.since(*at) < REST)
    }

    /// Until when it is left alone, and why; none if it is not.
    pub(super) fn view(&self, now: Instant) -> Option<Resting> {
        if let Some(until) = self.closed_until.filter(|_| self.is_closed(now)) {
            return Some(Resting { until, why: "retry_after" });
        }
        let (at, trouble) = self.failed.filter(|_| self.since(now).is_some())?;
        Some(Resting { until: at + REST, why: trouble.name() })
    }

    /// Whether it has asked not to be tried.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| now < until)
    }
}

impl Trouble {
    /// In a word for programs.
    const fn name(self) -> &'static str {
        match self {
            Self::Busy(_) => "unavailable",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::Unverified => "certificate",
        }
    }
}

/// The longest Retry-After that is kept to.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_for_a_minute_or_until_an_answer() {
        let (mut rest, start) = (Rest::default(), Instant::from_micros(1));
        assert_eq!(rest.since(start), None);
        rest.failed(start, Trouble::Silent);
        assert_eq!(rest.since(start + Duration::from_secs(59)), Some(start));
        assert_eq!(rest.view(start), Some(Resting { until: start + REST, why: "silent" }));
        assert_eq!(rest.since(start + REST), None);
        assert_eq!(rest.view(start + REST), None);
        assert!(!rest.is_closed(start));

        rest.worked();
        assert_eq!(rest.since(start), None);
        assert_eq!(rest.view(start), None);
    }

    #[test]
    fn retry_after_stands_though_it_answers_and_has_an_end() {
        let (mut rest, start) = (Rest::default(), Instant::from_micros(1));
        rest.failed(start, busy(20));
        rest.failed(start, busy(5));
        rest.failed(start, Trouble::Busy(None));
        rest.worked();
        assert!(rest.is_closed(start + Duration::from_secs(19)));
        let until = start + Duration::from_secs(20);
        assert_eq!(rest.view(start), Some(Resting { until, why: "retry_after" }));
        assert!(!rest.is_closed(start + Duration::from_secs(20)));

        rest.failed(start, busy(86_400));
        assert!(!rest.is_closed(start + RETRY_AFTER_MAX));
    }

    fn busy(seconds: u64) -> Trouble {
        Trouble::Busy(Some(Duration::from_secs(seconds)))
    }
}
