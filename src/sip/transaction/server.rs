//! Non-INVITE server transaction: one per request received that is neither INVITE nor ACK.
//!
//! Spec:     RFC 3261 §17.2.2.
//! In:       copies of the request, the user's responses, the passing of time.
//! Out:      responses to send; `Done`.
//! Not here: matching and CANCEL, which needs no state (`transaction::table`).

use std::mem;

use super::kept::Kept;
use super::timers::{TIMER_F, TIMER_J, absorbing};
use crate::sip::message::Response;
use crate::time::Instant;
use Input::{Request, Respond, Tick, TransportFailed};
use State::{Completed, Done, Proceeding};

/// What can happen to the transaction.
#[derive(Debug)]
pub enum Input {
    /// A copy of the request came.
    Request,
    Respond(Response),
    Tick,
    /// The stream connection is gone.
    TransportFailed,
}

/// What the transaction asks of its owner, in order.
#[derive(Debug)]
pub enum Output {
    Done,
    Send(Response),
}

/// Each state owns exactly the data and the deadlines that mean something in it.
///
/// The RFC's Trying is `Proceeding` without a response.
#[derive(Debug, Default)]
enum State {
    /// `until`: when the client's timer F has fired, an answer is of no use any more.
    Proceeding {
        last: Option<Box<Response>>,
        until: Instant,
    },
    Completed {
        last: Kept,
        until: Instant,
    },
    #[default]
    Done,
}

#[derive(Debug)]
pub struct Server {
    reliable: bool,
    state: State,
}

impl Server {
    /// A transaction whose request came at `now` over a reliable transport, or over UDP.
    pub fn new(now: Instant, reliable: bool) -> Self {
        Self { reliable, state: Proceeding { last: None, until: now + TIMER_F } }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Proceeding { .. }, Respond(r)) if r.is_final() && self.reliable => {
                out.extend([Output::Send(r), Output::Done]);
                Done
            }
            (Proceeding { .. }, Respond(r)) if r.is_final() => {
                let last = Kept::of(r.bytes());
                out.push(Output::Send(r));
                Completed { last, until: now + absorbing(TIMER_J, self.reliable) }
            }
            (Proceeding { until, .. }, Respond(r)) => {
                out.push(Output::Send(r.clone()));
                Proceeding { last: Some(Box::new(r)), until }
            }
            (Proceeding { last: Some(r), until }, Request) => {
                out.push(Output::Send((*r).clone()));
                Proceeding { last: Some(r), until }
            }
            (Completed { last, until }, Request) => {
                out.extend(last.response().map(Output::Send));
                Completed { last, until }
            }
            (Proceeding { until, .. } | Completed { until, .. }, Tick) if now >= until => {
                out.push(Output::Done);
                Done
            }
            (Completed { .. }, TransportFailed) => {
                out.push(Output::Done);
                Done
            }
            (state, Request | Respond(_) | Tick | TransportFailed) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Proceeding { until, .. } | Completed { until, .. } => Some(until),
            Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::ladder;

    /// RFC 3261 §17.2.2, timer J.
    #[test]
    fn a_copy_gets_the_same_answer_for_32_seconds() {
        let mut server = Server::new(Instant::START, false);

        assert_eq!(gets(&mut server, 0, Request), NOTHING);
        assert_eq!(gets(&mut server, 1, respond(202)), ["send 202"]);
        assert_eq!(gets(&mut server, 2, Request), ["send 202"]);
        assert_eq!(gets(&mut server, 3, respond(500)), NOTHING);
        assert_eq!(server.next_tick(), Some(at(33)));
        assert_eq!(gets(&mut server, 33, Tick), ["done"]);
        assert_eq!(server.next_tick(), None);
    }

    #[test]
    fn over_tcp_the_answer_ends_it() {
        let mut server = Server::new(Instant::START, true);

        assert_eq!(gets(&mut server, 0, respond(200)), ["send 200", "done"]);
    }

    #[test]
    fn a_request_that_is_never_answered_is_forgotten() {
        let mut server = Server::new(Instant::START, false);
        assert_eq!(gets(&mut server, 0, respond(100)), ["send 100"]);
        assert_eq!(gets(&mut server, 5, Request), ["send 100"]);

        assert_eq!(server.next_tick(), Some(at(32)));
        assert_eq!(gets(&mut server, 32, Tick), ["done"]);
    }

    const NOTHING: [&str; 0] = [];

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn respond(status: u16) -> Input {
        Respond(ladder::response(status))
    }

    fn gets(server: &mut Server, seconds: u64, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        server.handle(at(seconds), input, &mut out);
        let words = out.iter().map(|output| match output {
            Output::Done => "done".to_owned(),
            Output::Send(response) => format!("send {}", response.status()),
        });
        words.collect()
    }
}
