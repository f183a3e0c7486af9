//! INVITE server transaction: one per INVITE received.
//!
//! Spec:     RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1.
//! In:       copies of the INVITE, its ACK, the call's responses, the passing of time.
//! Out:      responses to send; an ACK that is the dialog's; `Abandoned` if nobody waits for them;
//!           `Done`, with whether the ACK came.
//! Not here: matching (`transaction::table`), resending a 2xx (`sip::dialog`).

use std::mem;

use super::timers::{T1, T2, T4, TIMER_H, TIMER_L, absorbing};
use crate::sip::message::Response;
use crate::time::{Duration, Instant};
use Input::{Ack, Invite, Respond, Tick, TransportFailed};
use State::{Accepted, Completed, Confirmed, Done, Proceeding};

/// What can happen to the transaction.
#[derive(Debug)]
pub enum Input {
    Ack,
    /// A copy of the INVITE came.
    Invite,
    Respond(Response),
    Tick,
    /// The stream connection is gone.
    TransportFailed,
}

/// What the transaction asks of its owner, in order.
#[derive(Debug)]
pub enum Output {
    /// The caller's connection is gone before it got a final answer.
    Abandoned,
    /// The transaction is over. A 2xx counts as acknowledged: only its dialog can tell.
    Done {
        acked: bool,
    },
    /// The ACK acknowledges a 2xx: it belongs to the dialog.
    PassAck,
    Send(Response),
}

/// Each state owns exactly the data and the deadlines that mean something in it.
#[derive(Debug, Default)]
enum State {
    Proceeding {
        last: Option<Box<Response>>,
    },
    Completed {
        last: Box<Response>,
        resend_at: Instant,
        interval: Duration,
        give_up_at: Instant,
    },
    Confirmed {
        until: Instant,
    },
    Accepted {
        until: Instant,
    },
    #[default]
    Done,
}

#[derive(Debug)]
pub struct InviteServer {
    reliable: bool,
    state: State,
}

impl InviteServer {
    /// A transaction whose INVITE came over a reliable transport, or over UDP.
    pub const fn new(reliable: bool) -> Self {
        Self { reliable, state: Proceeding { last: None } }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Proceeding { .. }, Respond(r)) if r.is_success() => {
                out.push(Output::Send(r));
                Accepted { until: now + TIMER_L }
            }
            (Proceeding { .. }, Respond(r)) if r.is_final() => {
                out.push(Output::Send(r.clone()));
                let resend_at = if self.reliable { Instant::NEVER } else { now + T1 };
                Completed { last: Box::new(r), resend_at, interval: T1, give_up_at: now + TIMER_H }
            }
            (Proceeding { .. }, Respond(r)) => {
                out.push(Output::Send(r.clone()));
                Proceeding { last: Some(Box::new(r)) }
            }
            (Proceeding { last: Some(r) }, Invite) => {
                out.push(Output::Send((*r).clone()));
                Proceeding { last: Some(r) }
            }
            (Completed { give_up_at, .. }, Tick) if now >= give_up_at => {
                out.push(Output::Done { acked: false });
                Done
            }
            (Completed { last, resend_at, interval, give_up_at }, Tick) if now >= resend_at => {
                out.push(Output::Send((*last).clone()));
                let interval = (2 * interval).min(T2);
                Completed { last, resend_at: now + interval, interval, give_up_at }
            }
            (Completed { last, resend_at, interval, give_up_at }, Invite) => {
                out.push(Output::Send((*last).clone()));
                Completed { last, resend_at, interval, give_up_at }
            }
            (Proceeding { last }, TransportFailed) => {
                out.push(Output::Abandoned);
                Proceeding { last }
            }
            (Completed { .. }, TransportFailed) => {
                out.push(Output::Done { acked: false });
                Done
            }
            (Completed { .. }, Ack) if self.reliable => {
                out.push(Output::Done { acked: true });
                Done
            }
            (Completed { .. }, Ack) => Confirmed { until: now + absorbing(T4, self.reliable) },
            (Accepted { until }, Ack) => {
                out.push(Output::PassAck);
                Accepted { until }
            }
            (Accepted { until }, Respond(r)) if r.is_success() => {
                out.push(Output::Send(r));
                Accepted { until }
            }
            (Confirmed { until } | Accepted { until }, Tick) if now >= until => {
                out.push(Output::Done { acked: true });
                Done
            }
            (state, Ack | Invite | Respond(_) | Tick | TransportFailed) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Completed { resend_at, give_up_at, .. } => Some(resend_at.min(give_up_at)),
            Confirmed { until } | Accepted { until } => Some(until),
            Proceeding { .. } | Done => None,
        }
    }

    /// The last response sent, while it may have to be sent again.
    pub fn last(&self) -> Option<&Response> {
        match &self.state {
            Proceeding { last } => last.as_deref(),
            Completed { last, .. } => Some(last),
            Confirmed { .. } | Accepted { .. } | Done => None,
        }
    }

    /// Whether no final response was given yet, so that a CANCEL has an effect (RFC 3261 §9.2).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, Proceeding { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::ladder;

    /// RFC 3261 §17.2.1, timers G and I.
    #[test]
    fn busy_is_resent_until_acked() {
        let mut invite = Ladder::received(false);

        assert_eq!(invite.gets(respond(486)), ["send 486"]);
        assert_eq!(invite.after(T1), ["send 486"]);
        assert_eq!(invite.after(2 * T1), ["send 486"]);
        assert_eq!(invite.gets(Ack), NOTHING);
        assert_eq!(invite.after(T4), ["done, acked"]);
    }

    /// RFC 3261 §17.2.1: timer G stops growing at T2.
    #[test]
    fn copies_of_busy_are_at_most_t2_apart() {
        let mut invite = Ladder::received(false);
        invite.gets(respond(486));

        let out = invite.after(TIMER_H);

        // 0.5, 1.5, 3.5, 7.5, 11.5, … 31.5 s.
        assert_eq!(out.len(), 11);
    }

    /// RFC 3261 §17.2.1, timer H.
    #[test]
    fn a_caller_that_never_acks_is_given_up() {
        for reliable in [false, true] {
            let mut invite = Ladder::received(reliable);
            invite.gets(respond(486));

            let out = invite.after(TIMER_H);

            assert_eq!(out.last().map(String::as_str), Some("done, not acked"));
            assert_eq!(out.len() == 1, reliable);
            assert_eq!(invite.machine.next_tick(), None);
        }
    }

    #[test]
    fn a_copy_of_the_invite_gets_the_last_response_again() {
        let mut invite = Ladder::received(false);

        assert_eq!(invite.gets(Invite), NOTHING);
        invite.gets(respond(100));
        assert_eq!(invite.gets(Invite), ["send 100"]);
        invite.gets(respond(180));
        assert_eq!(invite.gets(Invite), ["send 180"]);
        invite.gets(respond(603));
        assert_eq!(invite.gets(Invite), ["send 603"]);
        invite.gets(Ack);
        assert_eq!(invite.gets(Invite), NOTHING);
    }

    /// RFC 6026 §7.1, timer L.
    #[test]
    fn an_accepted_invite_absorbs_copies_and_passes_copies_of_its_2xx() {
        let mut invite = Ladder::received(false);

        assert_eq!(invite.gets(respond(200)), ["send 200"]);
        assert_eq!(invite.gets(Invite), NOTHING);
        assert_eq!(invite.gets(respond(200)), ["send 200"]);
        assert_eq!(invite.gets(respond(486)), NOTHING);
        assert_eq!(invite.gets(Ack), ["pass ACK"]);
        assert_eq!(invite.after(TIMER_L), ["done, acked"]);
    }

    /// RFC 3261 §17.2.1: timer I is zero over reliable transports.
    #[test]
    fn over_tcp_the_ack_ends_it() {
        let mut invite = Ladder::received(true);
        invite.gets(respond(404));

        assert_eq!(invite.gets(Ack), ["done, acked"]);
    }

    #[test]
    fn a_caller_whose_connection_is_gone_is_told_of_until_it_is_answered() {
        let mut invite = Ladder::received(true);

        assert_eq!(invite.gets(TransportFailed), ["abandoned"]);
        invite.gets(respond(200));
        assert_eq!(invite.gets(TransportFailed), NOTHING);
    }

    const NOTHING: [&str; 0] = [];

    fn respond(status: u16) -> Input {
        Respond(ladder::response(status))
    }

    /// Drives one machine through virtual time.
    struct Ladder {
        machine: InviteServer,
        now: Instant,
    }

    impl Ladder {
        fn received(reliable: bool) -> Self {
            Self { machine: InviteServer::new(reliable), now: Instant::START }
        }

        fn gets(&mut self, input: Input) -> Vec<String> {
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            let words = out.iter().map(|output| match output {
                Output::Abandoned => "abandoned".to_owned(),
                Output::Done { acked: true } => "done, acked".to_owned(),
                Output::Done { acked: false } => "done, not acked".to_owned(),
                Output::PassAck => "pass ACK".to_owned(),
                Output::Send(response) => format!("send {}", response.status()),
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
