//! A server that failed lately is left alone for a while.
//!
//! Spec:     RFC 3263 §4.3 (which failures count; the time is ours), RFC 3261 §21.5.4.
//! In:       failures of requests to one server, answers from it.
//! Out:      whether it is tried last, or not at all.
//! Not here: questions whether it is there (`sip::probe`), which answers count (`switch::locate`).

use crate::sip::locate::health::REST;
use crate::time::{Duration, Instant};

/// How one server is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// When it failed last, unless it has answered since.
    failed_at: Option<Instant>,
    /// Until when it wants to hear nothing.
    closed_until: Option<Instant>,
}

impl Rest {
    /// A request was not answered in time, could not be sent, or got a 503 with this Retry-After.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.failed_at = Some(now);
        let wait = retry_after.map(|wait| now + wait.min(RETRY_AFTER_MAX));
        self.closed_until = self.closed_until.max(wait);
    }

    /// It answered a request: what it asked for by Retry-After stands all the same.
    pub(super) fn worked(&mut self) {
        self.failed_at = None;
    }

    /// When it failed, if that is not long ago: such servers are tried last.
    pub(super) fn since(&self, now: Instant) -> Option<Instant> {
        self.failed_at.filter(|at| now.since(*at) < REST)
    }

    /// Whether it has asked not to be tried.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| now < until)
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
        rest.failed(start, None);
        assert_eq!(rest.since(start + Duration::from_secs(59)), Some(start));
        assert_eq!(rest.since(start + REST), None);
        assert!(!rest.is_closed(start));

        rest.worked();
        assert_eq!(rest.since(start), None);
    }

    #[test]
    fn retry_after_stands_though_it_answers_and_has_an_end() {
        let (mut rest, start) = (Rest::default(), Instant::from_micros(1));
        rest.failed(start, Some(Duration::from_secs(20)));
        rest.failed(start, Some(Duration::from_secs(5)));
        rest.failed(start, None);
        rest.worked();
        assert!(rest.is_closed(start + Duration::from_secs(19)));
        assert!(!rest.is_closed(start + Duration::from_secs(20)));

        rest.failed(start, Some(Duration::from_secs(86_400)));
        assert!(!rest.is_closed(start + RETRY_AFTER_MAX));
    }
}
