//! Notices that a phone hears but is not heard: one-way audio.
//!
//! Spec:     none; RFC 3389 §4 and RFC 3551 §4.1 (a silent phone may send less, or nothing).
//! In:       what comes from the phone, what goes to it, whether it should be heard.
//! Out:      that nothing comes: again each three seconds while it lasts, and once that it is over.
//! Not here: whether both have answered (`call`), a phone that is gone (`silence`).
//!
//! It looks once a second at what has come: a packet costs one write. A phone that has said that it
//! is silent (comfort noise), or whose reports still come, may be silent on purpose.

use crate::time::{Duration, Instant};

/// The audio from one phone.
#[derive(Debug)]
pub struct OneWay {
    look_at: Instant,
    /// When the last audio came.
    heard_at: Instant,
    /// The last packet was comfort noise.
    hushed: bool,
    reported_at: Option<Instant>,
    /// Since when nothing has come, and how many packets had been sent to the phone then.
    quiet_from: Instant,
    sent_then: u64,
    /// When it is told next, once it was.
    tell_at: Option<Instant>,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The phone is sent audio, and none comes from it.
    OneWay,
    /// It comes again, or is not expected any more.
    Over,
}

impl OneWay {
    /// Nothing is expected before `agreed`.
    pub const fn new() -> Self {
        Self {
            look_at: Instant::NEVER,
            heard_at: Instant::START,
            hushed: false,
            reported_at: None,
            quiet_from: Instant::START,
            sent_then: 0,
            tell_at: None,
        }
    }

    /// Audio is agreed on.
    pub fn agreed(&mut self, now: Instant) {
        if self.look_at == Instant::NEVER {
            self.quiet_from = now;
        }
        self.look_at = self.look_at.min(now + LOOK_EVERY);
    }

    /// A packet came from the phone.
    #[inline]
    pub fn hear(&mut self, now: Instant, is_comfort_noise: bool) {
        self.heard_at = now;
        self.hushed = is_comfort_noise;
    }

    /// A report came from the phone.
    pub fn hear_report(&mut self, now: Instant) {
        self.reported_at = Some(now);
    }

    /// Looks, if it is time. `expected`: the phone is in a talk and holds nobody, nor is held;
    /// `sent`: packets to it so far.
    pub fn look(&mut self, now: Instant, expected: bool, sent: u64) -> Option<Found> {
        if now < self.look_at {
            return None;
        }
        let looked_at = now - LOOK_EVERY;
        self.look_at = now + LOOK_EVERY;
        if !expected || self.hushed || self.heard_at >= looked_at {
            self.quiet_from = now;
            self.sent_then = sent;
            return self.tell_at.take().map(|_| Found::Over);
        }
        let reports = self.reported_at.is_some_and(|at| now < at + REPORTS_AFTER);
        let due = self.tell_at.unwrap_or(self.quiet_from + QUIET_MAX);
        if reports || now < due || sent < self.sent_then + SENT_MIN {
            return None;
        }
        self.tell_at = Some(now + QUIET_MAX);
        Some(Found::OneWay)
    }

    /// When to call `look` next.
    pub const fn next_tick(&self) -> Instant {
        self.look_at
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long may nothing come: with the looks before and after, it is told within five seconds.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// Packets that the phone was sent meanwhile: a second of audio.
const SENT_MIN: u64 = 50;
/// A phone that reports does so within this (RFC 3550 §6.2: each five seconds, at random half as
/// much again).
const REPORTS_AFTER: Duration = Duration::from_millis(7500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_that_is_never_heard_is_told_within_five_seconds_and_again() {
        let mut line = Line::new();

        assert_eq!(line.pass(5), [Found::OneWay]);
        assert_eq!(line.pass(9), [Found::OneWay; 3]);
        line.talks = true;
        assert_eq!(line.pass(5), [Found::Over]);
    }

    #[test]
    fn a_phone_that_falls_silent_is_told_within_five_seconds() {
        for millis in [0, 300, 990] {
            let mut line = Line::new();
            line.talks = true;
            assert_eq!(line.pass(7), []);
            line.wait(millis);
            line.talks = false;

            assert_eq!(line.pass(5), [Found::OneWay], "{millis}");
        }
    }

    #[test]
    fn a_phone_that_need_not_be_heard_is_not_told() {
        let quiet = |change: fn(&mut Line)| {
            let mut line = Line::new();
            line.talks = true;
            line.pass(3);
            line.talks = false;
            change(&mut line);
            line.pass(60)
        };

        assert_eq!(quiet(|line| line.expected = false), [], "on hold");
        assert_eq!(quiet(|line| line.is_sent = false), [], "both silent");
        assert_eq!(quiet(|line| line.one_way.hear(line.now, true)), [], "comfort noise");
        assert_eq!(quiet(|line| line.reports = true), [], "silence suppression");
    }

    #[test]
    fn a_phone_that_reports_no_more_is_told() {
        let mut line = Line::new();
        (line.talks, line.reports) = (true, true);
        line.pass(6);
        (line.talks, line.reports) = (false, false);

        assert_eq!(line.pass(4), []);
        assert_eq!(line.pass(4), [Found::OneWay]);
    }

    #[test]
    fn who_is_taken_back_from_hold_has_his_time() {
        let mut line = Line::new();
        line.expected = false;
        line.pass(30);
        line.expected = true;

        assert_eq!(line.pass(2), []);
        assert_eq!(line.pass(3), [Found::OneWay]);
    }

    /// Long after the node's start.
    const ANSWERED: Instant = Instant::from_micros(3_600_000_000);

    struct Line {
        one_way: OneWay,
        now: Instant,
        expected: bool,
        is_sent: bool,
        talks: bool,
        /// Each five seconds.
        reports: bool,
        sent: u64,
    }

    impl Line {
        fn new() -> Self {
            let mut one_way = OneWay::new();
            one_way.agreed(ANSWERED);
            let (expected, is_sent) = (true, true);
            let (talks, reports) = (false, false);
            Self { one_way, now: ANSWERED, expected, is_sent, talks, reports, sent: 0 }
        }

        fn pass(&mut self, seconds: u64) -> Vec<Found> {
            self.wait(1000 * seconds)
        }

        fn wait(&mut self, millis: u64) -> Vec<Found> {
            let mut found = Vec::new();
            for _ in 0..millis / 10 {
                self.now = self.now + Duration::from_millis(10);
                let at = self.now.as_micros() / 1000;
                if self.talks && at.is_multiple_of(20) {
                    self.one_way.hear(self.now, false);
                }
                if self.reports && at.is_multiple_of(5000) {
                    self.one_way.hear_report(self.now);
                }
                self.sent += u64::from(self.is_sent && at.is_multiple_of(20));
                found.extend(self.one_way.look(self.now, self.expected, self.sent));
            }
            found
        }
    }
}
