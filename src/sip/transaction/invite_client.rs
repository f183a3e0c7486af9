//! INVITE client transaction: one per INVITE of ours.
//!
//! Spec:     RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2; CANCEL per §9.1.
//! In:       responses, the wish to cancel, the passing of time, a lost connection.
//! Out:      the INVITE again; the ACK of a refusal; the CANCEL, once the peer has shown that it
//!           has the INVITE; responses for its user; `Failed`; `Done`.
//! Not here: the CANCEL's own transaction and the matching of responses (`transaction::table`),
//!           the ACK of a 2xx (`sip::dialog`).

use std::mem;

use super::Failure;
use super::kept::Kept;
use super::timers::{CANCELLED_MAX, T1, TIMER_B, TIMER_D, TIMER_M};
use crate::sip::flow::Loss;
use crate::sip::message::{Builder, Method, Name, Request, Response};
use crate::time::{Duration, Instant};
use Input::{Cancel, Receive, Tick, TransportFailed};
use State::{Accepted, Calling, Completed, Done, Proceeding};

/// What can happen to the transaction.
#[derive(Debug)]
pub enum Input {
    /// The call is not wanted any more; `reason` is the CANCEL's Reason header (RFC 3326).
    Cancel {
        reason: Option<String>,
    },
    Receive(Response),
    Tick,
    /// The stream connection is gone.
    TransportFailed(Loss),
}

/// What the transaction asks of its owner, in order.
#[derive(Debug)]
pub enum Output {
    /// The CANCEL to send, in a transaction of its own.
    Cancel(Request),
    Done,
    /// No final response will come; `Done` follows.
    Failed(Failure),
    /// The response is its user's.
    Pass(Response),
    /// The INVITE or the ACK of a refusal, once more.
    Send(Request),
}

/// Each state owns exactly the data and the deadlines that mean something in it.
#[derive(Debug, Default)]
enum State {
    Calling {
        invite: Box<Request>,
        resend_at: Instant,
        interval: Duration,
        give_up_at: Instant,
        /// The CANCEL that waits for a provisional response.
        cancel: Option<Box<Request>>,
    },
    /// `give_up_at`: never, until the CANCEL was sent.
    Proceeding {
        invite: Box<Request>,
        give_up_at: Instant,
    },
    Completed {
        ack: Kept,
        until: Instant,
    },
    /// `left`: how many more answers are passed on.
    Accepted {
        until: Instant,
        left: u8,
    },
    #[default]
    Done,
}

#[derive(Debug)]
pub struct InviteClient {
    reliable: bool,
    state: State,
}

impl InviteClient {
    /// A transaction whose INVITE (complete with its Via) is sent at `now`.
    pub fn new(now: Instant, reliable: bool, invite: Request) -> Self {
        let resend_at = if reliable { Instant::NEVER } else { now + T1 };
        let give_up_at = now + TIMER_B;
        let invite = Box::new(invite);
        let state = Calling { invite, resend_at, interval: T1, give_up_at, cancel: None };
        Self { reliable, state }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Calling { .. } | Proceeding { .. }, Receive(r)) if r.is_success() => {
                out.push(Output::Pass(r));
                Accepted { until: now + TIMER_M, left: SUCCESSES_MAX - 1 }
            }
            (Accepted { until, left: left @ 1.. }, Receive(r)) if r.is_success() => {
                out.push(Output::Pass(r));
                Accepted { until, left: left - 1 }
            }
            (Calling { invite, .. } | Proceeding { invite, .. }, Receive(r)) if r.is_final() => {
                self.refused(now, &invite, r, out)
            }
            (Calling { invite, cancel, .. }, Receive(r)) => {
                out.push(Output::Pass(r));
                let give_up_at = match cancel {
                    Some(_) => now + CANCELLED_MAX,
                    None => Instant::NEVER,
                };
                out.extend(cancel.map(|cancel| Output::Cancel(*cancel)));
                Proceeding { invite, give_up_at }
            }
            (Proceeding { invite, give_up_at }, Receive(r)) => {
                out.push(Output::Pass(r));
                Proceeding { invite, give_up_at }
            }
            (Calling { invite, resend_at, interval, give_up_at, .. }, Cancel { reason }) => {
                let cancel = Some(Box::new(cancel_of(&invite, reason.as_deref())));
                Calling { invite, resend_at, interval, give_up_at, cancel }
            }
            (Proceeding { invite, give_up_at: Instant::NEVER }, Cancel { reason }) => {
                out.push(Output::Cancel(cancel_of(&invite, reason.as_deref())));
                Proceeding { invite, give_up_at: now + CANCELLED_MAX }
            }
            (Calling { give_up_at, .. } | Proceeding { give_up_at, .. }, Tick)
                if now >= give_up_at =>
            {
                out.extend([Output::Failed(Failure::Timeout), Output::Done]);
                Done
            }
            (Calling { invite, resend_at, interval, give_up_at, cancel }, Tick)
                if now >= resend_at =>
            {
                out.push(Output::Send((*invite).clone()));
                let interval = 2 * interval;
                Calling { invite, resend_at: now + interval, interval, give_up_at, cancel }
            }
            (Calling { .. } | Proceeding { .. }, TransportFailed(loss)) => {
                out.extend([Output::Failed(loss.into()), Output::Done]);
                Done
            }
            (Completed { ack, until }, Receive(r)) if r.status() >= 300 => {
                out.extend(ack.request().map(Output::Send));
                Completed { ack, until }
            }
            (Completed { until, .. } | Accepted { until, .. }, Tick) if now >= until => {
                out.push(Output::Done);
                Done
            }
            (state, Cancel { .. } | Receive(_) | Tick | TransportFailed(_)) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Calling { resend_at, give_up_at, .. } => Some(resend_at.min(give_up_at)),
            Proceeding { give_up_at: Instant::NEVER, .. } | Done => None,
            Proceeding { give_up_at: until, .. }
            | Completed { until, .. }
            | Accepted { until, .. } => Some(until),
        }
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        matches!(self.state, Done)
    }

    fn refused(
        &self,
        now: Instant,
        invite: &Request,
        response: Response,
        out: &mut Vec<Output>,
    ) -> State {
        let ack = ack_of(invite, &response);
        let kept = Kept::of(ack.bytes());
        out.extend([Output::Send(ack), Output::Pass(response)]);
        if self.reliable {
            out.push(Output::Done);
            return Done;
        }
        Completed { ack: kept, until: now + TIMER_D }
    }
}

/// Answers that are passed on of one INVITE: those of a fork's branches and their copies. Each
/// costs an ACK, and one of a further branch a BYE too; beyond it they are dropped.
const SUCCESSES_MAX: u8 = 64;

/// The ACK of a refusal of `invite` (RFC 3261 §17.1.1.3).
fn ack_of(invite: &Request, refusal: &Response) -> Request {
    same_branch(invite, Method::Ack, refusal.header(Name::To)).request()
}

/// The CANCEL of `invite` (RFC 3261 §9.1).
fn cancel_of(invite: &Request, reason: Option<&str>) -> Request {
    let mut cancel = same_branch(invite, Method::Cancel, invite.header(Name::To));
    if let Some(reason) = reason {
        cancel = cancel.header(Name::Reason, reason);
    }
    cancel.request()
}

/// A request that travels exactly as `invite` did.
fn same_branch(invite: &Request, method: Method, to: Option<&str>) -> Builder {
    let mut builder = Request::build(method, invite.uri_text())
        .via(invite.values(Name::Via).next().unwrap_or_default())
        .header(Name::From, invite.header(Name::From).unwrap_or_default())
        .header(Name::To, to.unwrap_or_default())
        .header(Name::CallId, invite.call_id())
        .header(Name::CSeq, format_args!("{} {method}", invite.cseq().number));
    for route in invite.values(Name::Route) {
        builder = builder.header(Name::Route, route);
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::ladder;

    /// RFC 3261 §17.1.1.2, timers A and B: 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s, then the end.
    #[test]
    fn an_invite_nobody_answers_is_sent_seven_times_in_32_seconds() {
        let mut invite = Ladder::sent(false);

        let out = invite.after(TIMER_B);

        assert_eq!(out[..6], ["INVITE"; 6]);
        assert_eq!(out[6..], ["timeout", "done"]);
    }

    #[test]
    fn a_provisional_response_stops_the_copies() {
        let mut invite = Ladder::sent(false);

        assert_eq!(invite.gets(receive(180)), ["pass 180"]);
        assert_eq!(invite.after(Duration::from_secs(600)), NOTHING);
        assert_eq!(invite.gets(receive(183)), ["pass 183"]);
    }

    /// RFC 3261 §17.1.1.2, timer D.
    #[test]
    fn every_copy_of_a_refusal_is_acked_but_passed_once() {
        let mut invite = Ladder::sent(false);

        assert_eq!(invite.gets(receive(486)), ["ACK", "pass 486"]);
        assert_eq!(invite.gets(receive(486)), ["ACK"]);
        assert_eq!(invite.gets(receive(180)), NOTHING);
        assert_eq!(invite.gets(receive(200)), NOTHING);
        assert_eq!(invite.after(TIMER_D), ["done"]);
    }

    /// RFC 6026 §7.2, timer M.
    #[test]
    fn every_2xx_is_passed_until_timer_m() {
        let mut invite = Ladder::sent(false);

        assert_eq!(invite.gets(receive(200)), ["pass 200"]);
        assert_eq!(invite.gets(receive(200)), ["pass 200"]);
        assert_eq!(invite.gets(receive(486)), NOTHING);
        assert_eq!(invite.after(TIMER_M), ["done"]);
    }

    /// RFC 3261 §9.1: no CANCEL before a provisional response.
    #[test]
    fn a_cancel_waits_for_the_first_response() {
        let mut invite = Ladder::sent(false);

        assert_eq!(invite.gets(cancel()), NOTHING);
        assert_eq!(invite.after(T1), ["INVITE"]);
        assert_eq!(invite.gets(receive(100)), ["pass 100", "CANCEL"]);
        assert_eq!(invite.gets(cancel()), NOTHING);
        assert_eq!(invite.gets(receive(487)), ["ACK", "pass 487"]);
    }

    /// RFC 3261 §9.1: a peer that ignores the CANCEL is given up.
    #[test]
    fn a_cancelled_invite_ends_without_a_final_response_too() {
        let mut invite = Ladder::sent(false);
        invite.gets(receive(180));

        assert_eq!(invite.gets(cancel()), ["CANCEL"]);
        assert_eq!(invite.after(CANCELLED_MAX), ["timeout", "done"]);
        assert!(invite.machine.is_done());
    }

    #[test]
    fn a_cancel_that_crosses_a_2xx_is_not_sent() {
        let mut invite = Ladder::sent(false);
        invite.gets(cancel());

        assert_eq!(invite.gets(receive(200)), ["pass 200"]);
        assert_eq!(invite.gets(cancel()), NOTHING);
    }

    #[test]
    fn over_tcp_a_refusal_ends_it_and_a_lost_connection_fails_at_once() {
        let mut invite = Ladder::sent(true);
        assert_eq!(invite.after(Duration::from_secs(20)), NOTHING);
        assert_eq!(invite.gets(receive(404)), ["ACK", "pass 404", "done"]);

        assert_eq!(Ladder::sent(true).gets(TransportFailed(Loss::Ended)), ["transport", "done"]);
        let unverified = TransportFailed(Loss::Unverified);
        assert_eq!(Ladder::sent(true).gets(unverified), ["unverified", "done"]);
    }

    /// RFC 3261 §17.1.1.3.
    #[test]
    fn the_ack_of_a_refusal_travels_as_the_invite_did() {
        let invite = ladder::request("INVITE");

        let ack = ack_of(&invite, &ladder::response(486));

        assert_eq!(ack.method(), Method::Ack);
        assert_eq!(ack.uri_text(), invite.uri_text());
        assert_eq!(ack.header(Name::Via), invite.header(Name::Via));
        assert_eq!(ack.call_id(), invite.call_id());
        assert_eq!(ack.cseq().number, invite.cseq().number);
        assert_eq!(ack.to_tag(), Some("callee"));
        assert!(ack.values(Name::Route).eq(invite.values(Name::Route)));
        assert_eq!(ack.values(Name::Route).count(), 2);
    }

    #[test]
    fn the_cancel_says_why() {
        let invite = ladder::request("INVITE");

        let cancel = cancel_of(&invite, Some("SIP;cause=200;text=\"elsewhere\""));

        assert_eq!(cancel.method(), Method::Cancel);
        assert_eq!(cancel.to_tag(), None);
        assert_eq!(cancel.header(Name::Via), invite.header(Name::Via));
        assert_eq!(cancel.header(Name::Reason), Some("SIP;cause=200;text=\"elsewhere\""));
    }

    const NOTHING: [&str; 0] = [];

    fn receive(status: u16) -> Input {
        Receive(ladder::response(status))
    }

    fn cancel() -> Input {
        Cancel { reason: None }
    }

    struct Ladder {
        machine: InviteClient,
        now: Instant,
    }

    impl Ladder {
        fn sent(reliable: bool) -> Self {
            let invite = ladder::request("INVITE");
            Self {
                machine: InviteClient::new(Instant::START, reliable, invite),
                now: Instant::START,
            }
        }

        fn gets(&mut self, input: Input) -> Vec<String> {
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            let words = out.iter().map(|output| match output {
                Output::Cancel(_) => "CANCEL".to_owned(),
                Output::Done => "done".to_owned(),
                Output::Failed(Failure::Timeout) => "timeout".to_owned(),
                Output::Failed(Failure::Transport) => "transport".to_owned(),
                Output::Failed(Failure::Unverified) => "unverified".to_owned(),
                Output::Pass(response) => format!("pass {}", response.status()),
                Output::Send(request) => request.method_text().to_owned(),
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
