//! Provisional responses of ours that the caller must acknowledge, to one INVITE.
//!
//! Spec:     RFC 3262 §3, §5 (offers and answers are their user's).
//! In:       responses to send, PRACKs, the passing of time.
//! Out:      each response, its copies until its PRACK; `Acknowledged`; `GivenUp`.
//! Not here: the PRACK's transaction and answer (its user); the final answer, before which its user
//!           waits for the PRACK.

use std::collections::VecDeque;

use crate::sip::message::{Builder, Method, Name, RAck, Response};
use crate::sip::transaction::timers::T1;
use crate::time::{Duration, Instant};

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// A PRACK came.
    Prack(RAck),
    /// A provisional response is to be sent, after those before it are acknowledged.
    Send(Builder),
    Tick,
}

/// What must be done, in order.
#[derive(Debug)]
pub enum Output {
    /// The PRACK fits: it is owed a 2xx.
    Acknowledged,
    /// No PRACK came in time: the INVITE is to be refused with a 5xx.
    GivenUp,
    /// To be given to the INVITE's transaction.
    Respond(Response),
    /// The PRACK fits no response that waits for one: it is owed a 481.
    Unknown,
}

/// The reliable provisional responses to one INVITE.
#[derive(Debug)]
pub struct Reliable {
    /// The INVITE's CSeq number.
    cseq: u32,
    /// The number of the latest response.
    rseq: u32,
    waiting: Option<Waiting>,
    /// Those that follow; at most `QUEUE_MAX`, beyond which the oldest is left out.
    queue: VecDeque<Builder>,
}

/// A response without its PRACK.
#[derive(Debug)]
struct Waiting {
    response: Response,
    resend_at: Instant,
    interval: Duration,
    give_up_at: Instant,
}

impl Reliable {
    /// `first` is a random number: the first response has the next one (RFC 3262 §3).
    pub fn new(cseq: u32, first: u32) -> Self {
        let rseq = first % RSEQ_FIRST_MAX;
        Self { cseq, rseq, waiting: None, queue: VecDeque::new() }
    }

    /// Whether a response waits for its PRACK.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Prack(rack) => self.acknowledged(now, rack, out),
            Input::Send(builder) => {
                if self.queue.len() == QUEUE_MAX {
                    self.queue.pop_front();
                }
                self.queue.push_back(builder);
                self.send_next(now, out);
            }
            Input::Tick => self.tick(now, out),
        }
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.resend_at.min(waiting.give_up_at))
    }

    fn acknowledged(&mut self, now: Instant, rack: RAck, out: &mut Vec<Output>) {
        let fits = rack.cseq == self.cseq && rack.method == Method::Invite;
        if fits && self.waiting.is_some() && rack.rseq == self.rseq {
            self.waiting = None;
            out.push(Output::Acknowledged);
            self.send_next(now, out);
        } else {
            out.push(Output::Unknown);
        }
    }

    /// RFC 3262 §3: the interval doubles, without the bound of T2, for 64*T1.
    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(waiting) = &mut self.waiting else { return };
        if now >= waiting.give_up_at {
            self.waiting = None;
            self.queue.clear();
            out.push(Output::GivenUp);
        } else if now >= waiting.resend_at {
            waiting.interval *= 2;
            waiting.resend_at = now + waiting.interval;
            out.push(Output::Respond(waiting.response.clone()));
        }
    }

    /// RFC 3262 §3: one at a time, numbered without gaps.
    fn send_next(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.waiting.is_some() {
            return;
        }
        let Some(builder) = self.queue.pop_front() else { return };
        self.rseq += 1;
        let response = builder.header(Name::Require, TAG).header(Name::RSeq, self.rseq).response();
        out.push(Output::Respond(response.clone()));
        let (resend_at, give_up_at) = (now + T1, now + 64 * T1);
        self.waiting = Some(Waiting { response, resend_at, interval: T1, give_up_at });
    }
}

/// The option tag of reliable provisional responses (RFC 3262 §8.1).
pub const TAG: &str = "100rel";
/// The first number is below 2³¹ (RFC 3262 §3), with room for those that follow.
const RSEQ_FIRST_MAX: u32 = 1 << 30;
/// Responses that may wait behind one that is not acknowledged.
const QUEUE_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::{Message, Request};

    #[test]
    fn a_response_is_sent_again_until_its_prack() {
        let mut reliable = Reliable::new(7, 100);

        assert_eq!(sends(&mut reliable, 0, 180), ["180 RSeq 101"]);
        assert_eq!(until(&mut reliable, 4000), ["180 RSeq 101"; 3]);
        assert_eq!(pracks(&mut reliable, 4000, 101), ["acknowledged"]);
        assert_eq!(reliable.next_tick(), None);
        assert_eq!(pracks(&mut reliable, 4100, 101), ["unknown"]);
    }

    /// RFC 3262 §3: 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, and the end at 64*T1.
    #[test]
    fn without_a_prack_the_call_is_given_up() {
        let mut reliable = Reliable::new(7, 0);
        sends(&mut reliable, 0, 183);

        let out = until(&mut reliable, 60_000);
        assert_eq!(out.len(), 7);
        assert_eq!(out.last().map(String::as_str), Some("given up"));
    }

    #[test]
    fn the_next_response_waits_for_the_prack_of_the_one_before() {
        let mut reliable = Reliable::new(7, 5);
        sends(&mut reliable, 0, 180);

        assert_eq!(sends(&mut reliable, 10, 183), [""; 0]);
        assert_eq!(pracks(&mut reliable, 20, 6), ["acknowledged", "183 RSeq 7"]);
    }

    #[test]
    fn a_prack_for_something_else_is_unknown() {
        let mut reliable = Reliable::new(7, 5);
        sends(&mut reliable, 0, 180);

        assert_eq!(pracks(&mut reliable, 20, 5), ["unknown"]);
        let other = RAck { rseq: 6, cseq: 8, method: Method::Invite };
        assert_eq!(gets(&mut reliable, 20, Input::Prack(other)), ["unknown"]);
        assert!(reliable.is_waiting());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut reliable = Reliable::new(7, 5);
        for status in 180..=189 {
            sends(&mut reliable, 0, status);
        }
        assert_eq!(reliable.queue.len(), QUEUE_MAX);
    }

    fn sends(reliable: &mut Reliable, millis: u64, status: u16) -> Vec<String> {
        let text = "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
                    From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\r\n";
        let Ok(Message::Request(invite)) = Message::parse(Bytes::from_static(text.as_bytes()))
        else {
            panic!("not a request")
        };
        let builder = built(&invite, status);
        gets(reliable, millis, Input::Send(builder))
    }

    fn built(invite: &Request, status: u16) -> Builder {
        Response::build(invite, status, Some("2"))
    }

    fn pracks(reliable: &mut Reliable, millis: u64, rseq: u32) -> Vec<String> {
        let rack = RAck { rseq, cseq: 7, method: Method::Invite };
        gets(reliable, millis, Input::Prack(rack))
    }

    fn gets(reliable: &mut Reliable, millis: u64, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        reliable.handle(Instant::from_micros(millis * 1000), input, &mut out);
        let words = out.iter().map(|output| match output {
            Output::Acknowledged => "acknowledged".to_owned(),
            Output::GivenUp => "given up".to_owned(),
            Output::Respond(response) => {
                assert!(response.has_value(Name::Require, TAG));
                let rseq = response.header(Name::RSeq).unwrap_or_default();
                format!("{} RSeq {rseq}", response.status())
            }
            Output::Unknown => "unknown".to_owned(),
        });
        words.collect()
    }

    fn until(reliable: &mut Reliable, millis: u64) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(due) = reliable.next_tick().filter(|due| due.as_micros() <= millis * 1000) {
            out.extend(gets(reliable, due.as_micros() / 1000, Input::Tick));
        }
        out
    }
}
