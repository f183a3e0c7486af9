//! A 2xx of ours to an INVITE, until its ACK comes.
//!
//! Spec:     RFC 3261 §13.3.1.4 (and §14.2 for a re-INVITE).
//! In:       the ACK, the passing of time.
//! Out:      the 2xx again, over reliable transports too; `Ended`, with whether the ACK came.
//! Not here: the INVITE's transaction (`transaction::invite_server`), which carries the copies.

use std::mem;

use crate::sip::message::Response;
use crate::sip::transaction::timers::{T1, T2, TIMER_H};
use crate::time::{Duration, Instant};
use Input::{Ack, Tick};
use State::{Ended, Waiting};

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    Ack,
    Tick,
}

/// What must be done.
#[derive(Debug)]
pub enum Output {
    /// No more copies are sent. Without an ACK the dialog is to be ended with a BYE.
    Ended { acked: bool },
    /// To be given to the INVITE's transaction.
    Resend(Response),
}

#[derive(Debug, Default)]
enum State {
    Waiting {
        response: Box<Response>,
        resend_at: Instant,
        interval: Duration,
        give_up_at: Instant,
    },
    #[default]
    Ended,
}

#[derive(Debug)]
pub struct Accepted {
    state: State,
}

impl Accepted {
    /// Waits for the ACK of a 2xx that is sent at `now`.
    pub fn new(now: Instant, response: Response) -> Self {
        let (resend_at, give_up_at) = (now + T1, now + TIMER_H);
        let response = Box::new(response);
        Self { state: Waiting { response, resend_at, interval: T1, give_up_at } }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Waiting { .. }, Ack) => {
                out.push(Output::Ended { acked: true });
                Ended
            }
            (Waiting { give_up_at, .. }, Tick) if now >= give_up_at => {
                out.push(Output::Ended { acked: false });
                Ended
            }
            (Waiting { response, resend_at, interval, give_up_at }, Tick) if now >= resend_at => {
                out.push(Output::Resend((*response).clone()));
                let interval = (2 * interval).min(T2);
                Waiting { response, resend_at: now + interval, interval, give_up_at }
            }
            (state, Ack | Tick) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Waiting { resend_at, give_up_at, .. } => Some(resend_at.min(give_up_at)),
            Ended => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::Message;

    #[test]
    fn a_2xx_is_resent_until_its_ack() {
        let mut accepted = Accepted::new(Instant::START, ok());

        assert_eq!(until(&mut accepted, 8), ["copy", "copy", "copy", "copy"]);
        assert_eq!(gets(&mut accepted, at(8), Ack), ["acked"]);
        assert_eq!(until(&mut accepted, 60), [""; 0]);
    }

    #[test]
    fn a_caller_that_never_acks_is_given_up_after_32_seconds() {
        let mut accepted = Accepted::new(Instant::START, ok());

        let out = until(&mut accepted, 31);
        assert_eq!(out, ["copy"; 9]);
        assert_eq!(until(&mut accepted, 32), ["copy", "not acked"]);
        assert_eq!(accepted.next_tick(), None);
        assert_eq!(gets(&mut accepted, at(33), Ack), [""; 0]);
    }

    fn ok() -> Response {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
                    From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\n\
                    CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
        match Message::parse(Bytes::from_static(text.as_bytes())).unwrap() {
            Message::Response(response) => response,
            Message::Request(_) => panic!("not a response"),
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn gets(accepted: &mut Accepted, now: Instant, input: Input) -> Vec<&'static str> {
        let mut out = Vec::new();
        accepted.handle(now, input, &mut out);
        let words = out.iter().map(|output| match output {
            Output::Ended { acked: true } => "acked",
            Output::Ended { acked: false } => "not acked",
            Output::Resend(_) => "copy",
        });
        words.collect()
    }

    fn until(accepted: &mut Accepted, seconds: u64) -> Vec<&'static str> {
        let mut out = Vec::new();
        while let Some(due) = accepted.next_tick().filter(|due| *due <= at(seconds)) {
            out.extend(gets(accepted, due, Tick));
        }
        out
    }
}
