//! A probe of one server: asks it now and then whether it is there, and how fast it answers.
//!
//! Spec:     RFC 3261 §11 (OPTIONS): any answer but 408 and 503 is a sign of life.
//! In:       the answer to a question or its failure, the passing of time.
//! Out:      questions to ask.
//! Not here: the OPTIONS itself, who skips a server that is down (`call::trunk`).
//!
//! A server goes down after some questions in a row without an answer and comes up after some
//! answers in a row, so that one lost packet moves nothing. One that was never asked is up.

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};

/// How often is asked, and what it takes to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    pub every: Duration,
    /// Failures in a row until the server is down; at least 1.
    pub failures: u32,
    /// Answers in a row until it is up again; at least 1.
    pub successes: u32,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The question got an answer with this status.
    Answered(u16),
    /// The question got none.
    Failed,
    Tick,
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Ask,
}

/// What is known of one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    pace: Pace,
    up: bool,
    /// Results in a row that speak against what is believed.
    streak: u32,
    /// How long the last answer took.
    latency: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum State {
    /// A question is out; its answer comes too late at `until`.
    Asking {
        since: Instant,
        until: Instant,
    },
    Resting {
        until: Instant,
    },
}

impl Probe {
    /// A probe that asks for the first time at `first`.
    pub fn new(first: Instant, pace: Pace) -> Self {
        let state = State::Resting { until: first };
        Self { pace, up: true, streak: 0, latency: None, state }
    }

    pub fn is_up(&self) -> bool {
        self.up
    }

    pub fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (self.state, input) {
            (State::Asking { since, .. }, Input::Answered(status)) => {
                let alive = !matches!(status, 408 | 503);
                self.latency = alive.then(|| now.since(since)).or(self.latency);
                self.learn(alive);
                self.rest(since)
            }
            (State::Asking { since, .. }, Input::Failed) => {
                self.learn(false);
                self.rest(since)
            }
            (State::Asking { since, until }, Input::Tick) if now >= until => {
                self.learn(false);
                self.rest(since)
            }
            (State::Resting { until }, Input::Tick) if now >= until => {
                out.push(Output::Ask);
                State::Asking { since: now, until: now + ANSWER_WAIT_MAX }
            }
            // Too late, or too early.
            (state, Input::Answered(_) | Input::Failed | Input::Tick) => state,
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Instant {
        match self.state {
            State::Asking { until, .. } | State::Resting { until } => until,
        }
    }

    /// Questions are asked at a steady pace, however long their answers take.
    fn rest(&self, asked: Instant) -> State {
        State::Resting { until: asked + self.pace.every.max(ANSWER_WAIT_MAX) }
    }

    fn learn(&mut self, alive: bool) {
        if alive == self.up {
            self.streak = 0;
            return;
        }
        self.streak += 1;
        let needed = if self.up { self.pace.failures } else { self.pace.successes };
        if self.streak >= needed {
            (self.up, self.streak) = (alive, 0);
        }
    }
}

/// The longest that an answer may take; also the shortest time between two questions.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_goes_down_and_comes_up_slowly() {
        let mut server = Server::new();

        assert_eq!(server.rounds(&[false, false]), [true, true]);
        assert_eq!(server.rounds(&[true, false, false]), [true, true, true]);
        assert_eq!(server.rounds(&[false, false, true, true]), [false, false, false, true]);
    }

    #[test]
    fn a_busy_server_counts_as_gone_and_any_other_answer_as_life() {
        let mut server = Server::new();
        for status in [503, 408, 503] {
            server.ask();
            server.probe.handle(server.now, Input::Answered(status), &mut Vec::new());
        }
        assert!(!server.probe.is_up());
        for status in [404, 501] {
            server.ask();
            server.now = server.now + Duration::from_millis(20);
            server.probe.handle(server.now, Input::Answered(status), &mut Vec::new());
        }
        assert!(server.probe.is_up());
        assert_eq!(server.probe.latency(), Some(Duration::from_millis(20)));
    }

    #[test]
    fn an_answer_that_comes_too_late_is_none() {
        let mut server = Server::new();
        for _ in 0..3 {
            server.ask();
            server.now = server.probe.next_tick();
            server.probe.handle(server.now, Input::Tick, &mut Vec::new());
            server.probe.handle(server.now, Input::Answered(200), &mut Vec::new());
        }

        assert!(!server.probe.is_up());
        assert_eq!(server.probe.latency(), None);
    }

    struct Server {
        now: Instant,
        probe: Probe,
    }

    impl Server {
        fn new() -> Self {
            let pace = Pace { every: Duration::from_secs(30), failures: 3, successes: 2 };
            Self { now: Instant::START, probe: Probe::new(Instant::START, pace) }
        }

        /// Waits for the next question.
        fn ask(&mut self) {
            self.now = self.probe.next_tick();
            let mut out = Vec::new();
            self.probe.handle(self.now, Input::Tick, &mut out);
            assert_eq!(out, [Output::Ask]);
        }

        /// Questions that are answered or not, and what is believed after each.
        fn rounds(&mut self, answers: &[bool]) -> Vec<bool> {
            let mut believed = Vec::new();
            for alive in answers {
                self.ask();
                let input = if *alive { Input::Answered(200) } else { Input::Failed };
                self.probe.handle(self.now, input, &mut Vec::new());
                believed.push(self.probe.is_up());
            }
            believed
        }
    }
}
