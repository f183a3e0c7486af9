//! Non-INVITE client transaction: one per request of ours that is neither INVITE nor ACK.
//!
//! Spec:     RFC 3261 §17.1.2.
//! In:       responses, the passing of time, a lost connection.
//! Out:      the request to send again; responses for its user; `Failed`; `Done`.
//! Not here: the first sending and the matching of responses (`transaction::table`).

use std::mem;

use super::Failure;
use super::timers::{T1, T2, T4, TIMER_F, absorbing};
use crate::sip::flow::Loss;
use crate::sip::message::{Request, Response};
use crate::time::{Duration, Instant};
use Input::{Receive, Tick, TransportFailed};
use State::{Completed, Done, Pending};

/// What can happen to the transaction.
#[derive(Debug)]
pub enum Input {
    Receive(Response),
    Tick,
    /// The stream connection is gone.
    TransportFailed(Loss),
}

/// What the transaction asks of its owner, in order.
#[derive(Debug)]
pub enum Output {
    Done,
    /// No final response will come; `Done` follows.
    Failed(Failure),
    /// The response is its user's.
    Pass(Response),
    Send(Request),
}

/// Each state owns exactly the data and the deadlines that mean something in it.
#[derive(Debug, Default)]
enum State {
    /// The RFC's Trying, and its Proceeding once a provisional response came.
    Pending {
        request: Box<Request>,
        resend_at: Instant,
        interval: Duration,
        give_up_at: Instant,
    },
    Completed {
        until: Instant,
    },
    #[default]
    Done,
}

#[derive(Debug)]
pub struct Client {
    reliable: bool,
    state: State,
}

impl Client {
    /// A transaction whose request (complete with its Via) is sent at `now`.
    pub fn new(now: Instant, reliable: bool, request: Request) -> Self {
        let resend_at = if reliable { Instant::NEVER } else { now + T1 };
        let give_up_at = now + TIMER_F;
        let request = Box::new(request);
        Self { reliable, state: Pending { request, resend_at, interval: T1, give_up_at } }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Pending { .. }, Receive(r)) if r.is_final() && self.reliable => {
                out.extend([Output::Pass(r), Output::Done]);
                Done
            }
            (Pending { .. }, Receive(r)) if r.is_final() => {
                out.push(Output::Pass(r));
                Completed { until: now + absorbing(T4, self.reliable) }
            }
            (Pending { request, resend_at, give_up_at, .. }, Receive(r)) => {
                out.push(Output::Pass(r));
                Pending { request, resend_at, interval: T2, give_up_at }
            }
            (Pending { give_up_at, .. }, Tick) if now >= give_up_at => {
                out.extend([Output::Failed(Failure::Timeout), Output::Done]);
                Done
            }
            (Pending { request, resend_at, interval, give_up_at }, Tick) if now >= resend_at => {
                out.push(Output::Send((*request).clone()));
                let interval = (2 * interval).min(T2);
                Pending { request, resend_at: now + interval, interval, give_up_at }
            }
            (Pending { .. }, TransportFailed(loss)) => {
                out.extend([Output::Failed(loss.into()), Output::Done]);
                Done
            }
            (Completed { until }, Tick) if now >= until => {
                out.push(Output::Done);
                Done
            }
            (state, Receive(_) | Tick | TransportFailed(_)) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Pending { resend_at, give_up_at, .. } => Some(resend_at.min(give_up_at)),
            Completed { until } => Some(until),
            Done => None,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        matches!(self.state, Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::ladder;

    /// RFC 3261 §17.1.2.2, timers E and F: 0.5, 1.5, 3.5, 7.5, 11.5, … 31.5 s, then the end.
    #[test]
    fn a_request_is_resent_until_timer_f() {
        let mut client = Ladder::sent(false);

        assert_eq!(client.after(Duration::from_millis(3500)), ["send", "send", "send"]);
        let out = client.after(Duration::from_millis(28_500));
        assert_eq!(out.len(), 7 + 2);
        assert_eq!(out[7..], ["timeout", "done"]);
        assert!(client.machine.is_done());
    }

    /// RFC 3261 §17.1.2.2: after a provisional response, copies are T2 apart.
    #[test]
    fn a_provisional_response_slows_the_copies() {
        let mut client = Ladder::sent(false);

        assert_eq!(client.gets(receive(100)), ["pass 100"]);
        assert_eq!(client.after(T1), ["send"]);
        assert_eq!(client.after(Duration::from_millis(3900)), NOTHING);
        assert_eq!(client.after(Duration::from_millis(100)), ["send"]);
    }

    /// RFC 3261 §17.1.2.2, timer K.
    #[test]
    fn copies_of_the_answer_are_absorbed() {
        let mut client = Ladder::sent(false);

        assert_eq!(client.gets(receive(200)), ["pass 200"]);
        assert_eq!(client.gets(receive(200)), NOTHING);
        assert_eq!(client.after(T4), ["done"]);
    }

    #[test]
    fn over_tcp_nothing_is_resent_and_a_lost_connection_fails_at_once() {
        let mut client = Ladder::sent(true);

        assert_eq!(client.after(Duration::from_secs(10)), NOTHING);
        assert_eq!(client.gets(TransportFailed(Loss::Ended)), ["transport", "done"]);
        assert_eq!(Ladder::sent(true).gets(receive(404)), ["pass 404", "done"]);
    }

    const NOTHING: [&str; 0] = [];

    fn receive(status: u16) -> Input {
        Receive(ladder::response(status))
    }

    struct Ladder {
        machine: Client,
        now: Instant,
    }

    impl Ladder {
        fn sent(reliable: bool) -> Self {
            let request = ladder::request("OPTIONS");
            Self { machine: Client::new(Instant::START, reliable, request), now: Instant::START }
        }

        fn gets(&mut self, input: Input) -> Vec<String> {
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            let words = out.iter().map(|output| match output {
                Output::Done => "done".to_owned(),
                Output::Failed(Failure::Timeout) => "timeout".to_owned(),
                Output::Failed(Failure::Transport) => "transport".to_owned(),
                Output::Failed(Failure::Unverified) => "unverified".to_owned(),
                Output::Pass(response) => format!("pass {}", response.status()),
                Output::Send(_) => "send".to_owned(),
            });
            words.collect()
        }

        /// Lets `wait` pass, ticking whenever the machine asked to be.
        fn after(&mut self, wait: Duration) -> Vec<String> {
            let end = self.now + wait;
            let mut out = Vec::new();
            while let Some(due) = self.machine.next_tick().filter(|due| *due <= end) {
                self.now = due;
                out.extend(self.gets(Tick));
            }
            self.now = end;
            out
        }
    }
}
