//! A change of the session that we want: one request at a time, and again after glare.
//!
//! Spec:     RFC 3261 §14.1, §12.2.1.2; RFC 3311 §5.1 and §5.3.
//! In:       wishes, leave to send, final responses, the passing of time.
//! Out:      `Send`, what became of it, `Ended` if the peer knows the dialog no more.
//! Not here: what the request says (its user), its copies (`sip::transaction`).

use std::mem;

use crate::rng::Rng;
use crate::sip::transaction::{ClientId, Failure};
use crate::time::{Duration, Instant};
use Input::{Failed, Free, Response, Tick, Want};
use State::{Idle, Pending, Wanted};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The request with this name gets no final response.
    Failed(ClientId, Failure),
    /// Nothing in the dialog stands in the way of a request, which would have this name.
    Free(ClientId),
    /// A final response to the request with this name; the time is its Retry-After.
    Response(ClientId, u16, Option<Duration>),
    Tick,
    Want(Wish),
}

/// What is wanted; the greater includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// To hear that the peer is still there, or to tell it so: nothing changes.
    Refresh,
    /// Another session: what it is to be is said when the request is sent.
    Offer,
}

/// What must be done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The wish came true.
    Accepted(Wish),
    /// The request is to be given up: it is pending for too long.
    Cancel(ClientId),
    /// The dialog is over for the peer: it is to be ended with a BYE.
    Ended,
    /// Glare: the request comes again, and its offer counts as never made.
    Postponed,
    /// The wish was refused with this status: the session stays as it was.
    Refused(Wish, u16),
    Send(Wish),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// To be sent at `at` or when the dialog is free, whichever is later.
    Wanted { wish: Wish, at: Instant, tries: u8 },
    /// Sent; `next` is what was wanted meanwhile.
    Pending { client: ClientId, wish: Wish, tries: u8, next: Option<Wish>, give_up_at: Instant },
}

/// The change of one dialog's session.
#[derive(Debug)]
pub struct Modification {
    /// Whether the Call-ID is ours: of two sides, that one waits longer after glare.
    owner: bool,
    state: State,
}

impl Modification {
    /// Nothing is wanted yet. `owner`: whether we made the dialog's Call-ID.
    pub const fn new(owner: bool) -> Self {
        Self { owner, state: Idle }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, rng: &mut Rng, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Idle, Want(wish)) => Wanted { wish, at: now, tries: 0 },
            (Wanted { wish: before, at, tries }, Want(wish)) => {
                Wanted { wish: before.max(wish), at, tries }
            }
            (Pending { client, wish, tries, next, give_up_at }, Want(more)) => {
                Pending { client, wish, tries, next: next.max(Some(more)), give_up_at }
            }
            (Wanted { wish, at, tries }, Free(client)) if now >= at => {
                out.push(Output::Send(wish));
                let give_up_at = now + PENDING_MAX;
                Pending { client, wish, tries: tries + 1, next: None, give_up_at }
            }
            (Pending { client, wish, tries, next, .. }, Response(of, status, retry_after))
                if of == client =>
            {
                self.answered(now, rng, (wish, tries, next), (status, retry_after), out)
            }
            (Pending { client, .. }, Failed(of, Failure::Timeout)) if of == client => {
                out.push(Output::Ended);
                Idle
            }
            (
                Pending { client, wish, next, .. },
                Failed(of, Failure::Transport | Failure::Unverified),
            ) if of == client => refused(now, wish, next, 503, out),
            (Pending { client, wish, tries, next, give_up_at }, Tick) if now >= give_up_at => {
                out.push(Output::Cancel(client));
                Pending { client, wish, tries, next, give_up_at: Instant::NEVER }
            }
            (state, Failed(..) | Free(_) | Response(..) | Tick) => state, // absorbed
        };
    }

    /// The request goes out once more under another name: with credentials, or a longer interval.
    pub fn rename(&mut self, before: ClientId, after: ClientId) {
        if let Pending { client, .. } = &mut self.state
            && *client == before
        {
            *client = after;
        }
    }

    /// Whether the request with this name is the one under way.
    pub fn is_pending(&self, name: ClientId) -> bool {
        matches!(self.state, Pending { client, .. } if client == name)
    }

    /// The name of the request under way.
    pub fn under_way(&self) -> Option<ClientId> {
        match self.state {
            Pending { client, .. } => Some(client),
            Idle | Wanted { .. } => None,
        }
    }

    /// What the request under way is for.
    pub fn pending(&self) -> Option<Wish> {
        match self.state {
            Pending { wish, .. } => Some(wish),
            Idle | Wanted { .. } => None,
        }
    }

    /// Whether a request is to be sent as soon as the dialog is free.
    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, Wanted { at, .. } if now >= at)
    }

    /// When to send the next `Tick`; `free`: whether the dialog is free for a request.
    pub fn next_tick(&self, free: bool) -> Option<Instant> {
        match self.state {
            Wanted { at, .. } => free.then_some(at),
            Pending { give_up_at, .. } => Some(give_up_at).filter(|at| *at < Instant::NEVER),
            Idle => None,
        }
    }

    fn answered(
        &self,
        now: Instant,
        rng: &mut Rng,
        (wish, tries, next): (Wish, u8, Option<Wish>),
        (status, retry_after): (u16, Option<Duration>),
        out: &mut Vec<Output>,
    ) -> State {
        let wait = match status {
            _ if tries >= TRIES_MAX => None,
            491 => Some(self.glare_wait(rng)),
            // RFC 3311 §5.2, RFC 3261 §14.2: the peer is in the middle of another change.
            500 => retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
            _ => None,
        };
        if let Some(wait) = wait {
            out.push(Output::Postponed);
            return Wanted { wish: wish.max(next.unwrap_or(wish)), at: now + wait, tries };
        }
        match status {
            200..=299 => {
                out.push(Output::Accepted(wish));
                then(now, next)
            }
            408 | 481 => {
                out.push(Output::Ended);
                Idle
            }
            status => refused(now, wish, next, status, out),
        }
    }

    /// RFC 3261 §14.1: in units of 10 ms, 2.1 to 4 s for the owner of the Call-ID, else 0 to 2 s.
    fn glare_wait(&self, rng: &mut Rng) -> Duration {
        let (first, last) = if self.owner { (210, 400) } else { (0, 200) };
        Duration::from_millis(10 * u64::from(first + rng.below(last - first + 1)))
    }
}

fn refused(
    now: Instant,
    wish: Wish,
    next: Option<Wish>,
    status: u16,
    out: &mut Vec<Output>,
) -> State {
    out.push(Output::Refused(wish, status));
    then(now, next)
}

fn then(now: Instant, next: Option<Wish>) -> State {
    next.map_or(Idle, |wish| Wanted { wish, at: now, tries: 0 })
}

/// How long a request may have no final response: a re-INVITE needs nobody to decide anything.
const PENDING_MAX: Duration = Duration::from_secs(32);
/// How often one wish is sent: a peer that always answers 491 has refused it.
const TRIES_MAX: u8 = 8;
/// The longest Retry-After that is waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_sent_when_the_dialog_is_free_and_comes_true() {
        let mut change = Change::of(true);

        assert_eq!(change.gets(0, Want(Wish::Offer)), []);
        assert_eq!(change.machine.next_tick(false), None);
        assert_eq!(change.gets(700, Free(ClientId(1))), [Output::Send(Wish::Offer)]);
        assert_eq!(change.gets(800, response(1, 200)), [Output::Accepted(Wish::Offer)]);
        assert_eq!(change.machine.next_tick(true), None);
    }

    #[test]
    fn wishes_of_the_meantime_are_one_request() {
        let mut change = Change::sent(true, Wish::Refresh);

        change.gets(10, Want(Wish::Offer));
        change.gets(20, Want(Wish::Refresh));
        assert_eq!(change.gets(30, response(1, 200)), [Output::Accepted(Wish::Refresh)]);
        assert_eq!(change.gets(30, Free(ClientId(2))), [Output::Send(Wish::Offer)]);
        assert_eq!(change.gets(40, response(2, 200)), [Output::Accepted(Wish::Offer)]);
        assert_eq!(change.machine.next_tick(true), None);
    }

    /// RFC 3261 §14.1.
    #[test]
    fn after_glare_the_owner_of_the_call_id_waits_longer() {
        for (owner, first, last) in [(true, 2100, 4000), (false, 0, 2000)] {
            let mut waits = Vec::new();
            let mut rng = Rng::from_number(7);
            for _ in 0..400 {
                let mut change = Change { rng: rng.clone(), ..Change::sent(owner, Wish::Offer) };
                assert_eq!(change.gets(0, response(1, 491)), [Output::Postponed]);
                let at = change.machine.next_tick(true).unwrap();
                waits.push(at.as_micros() / 1000);
                rng.u64();
            }
            assert!(waits.iter().all(|wait| (first..=last).contains(wait) && wait % 10 == 0));
            let spread = waits.iter().max().unwrap() - waits.iter().min().unwrap();
            assert!(spread > (last - first) * 3 / 4, "{spread}");
        }
    }

    #[test]
    fn a_peer_that_always_says_glare_has_refused() {
        let mut change = Change::sent(false, Wish::Offer);
        let mut now = 0;
        for client in 2..=u64::from(TRIES_MAX) {
            assert_eq!(change.gets(now, response(client - 1, 491)), [Output::Postponed]);
            now += 5000;
            assert_eq!(change.gets(now, Free(ClientId(client))), [Output::Send(Wish::Offer)]);
        }

        let last = response(TRIES_MAX.into(), 491);
        assert_eq!(change.gets(now, last), [Output::Refused(Wish::Offer, 491)]);
    }

    /// RFC 3311 §5.2.
    #[test]
    fn a_500_with_retry_after_is_tried_again_then() {
        let mut change = Change::sent(true, Wish::Offer);

        let later = Response(ClientId(1), 500, Some(Duration::from_secs(3)));
        assert_eq!(change.gets(0, later), [Output::Postponed]);
        assert_eq!(change.machine.next_tick(true), Some(at(3000)));
        change.gets(3000, Free(ClientId(2)));
        let never = Response(ClientId(2), 500, None);
        assert_eq!(change.gets(3100, never), [Output::Refused(Wish::Offer, 500)]);
    }

    /// RFC 3261 §12.2.1.2.
    #[test]
    fn who_does_not_know_the_dialog_or_does_not_answer_has_left() {
        for input in [response(1, 481), response(1, 408), Failed(ClientId(1), Failure::Timeout)] {
            assert_eq!(Change::sent(true, Wish::Refresh).gets(0, input), [Output::Ended]);
        }
        let lost = Failed(ClientId(1), Failure::Transport);
        let refused = Output::Refused(Wish::Refresh, 503);
        assert_eq!(Change::sent(true, Wish::Refresh).gets(0, lost), [refused]);
    }

    #[test]
    fn a_request_that_only_rings_is_cancelled() {
        let mut change = Change::sent(true, Wish::Offer);

        assert_eq!(change.machine.next_tick(false), Some(at(32_000)));
        assert_eq!(change.gets(32_000, Tick), [Output::Cancel(ClientId(1))]);
        assert_eq!(change.machine.next_tick(true), None);
        assert_eq!(change.gets(33_000, response(1, 487)), [Output::Refused(Wish::Offer, 487)]);
    }

    #[test]
    fn a_request_sent_again_under_another_name_is_the_same() {
        let mut change = Change::sent(true, Wish::Offer);

        change.machine.rename(ClientId(1), ClientId(9));
        assert_eq!(change.gets(0, response(1, 200)), []);
        assert_eq!(change.gets(0, response(9, 200)), [Output::Accepted(Wish::Offer)]);
    }

    struct Change {
        machine: Modification,
        rng: Rng,
    }

    impl Change {
        fn of(owner: bool) -> Self {
            Self { machine: Modification::new(owner), rng: Rng::from_number(1) }
        }

        /// The wish is under way as request 1.
        fn sent(owner: bool, wish: Wish) -> Self {
            let mut change = Self::of(owner);
            change.gets(0, Want(wish));
            assert_eq!(change.gets(0, Free(ClientId(1))), [Output::Send(wish)]);
            change
        }

        fn gets(&mut self, millis: u64, input: Input) -> Vec<Output> {
            let mut out = Vec::new();
            self.machine.handle(at(millis), &mut self.rng, input, &mut out);
            out
        }
    }

    fn response(client: u64, status: u16) -> Input {
        Response(ClientId(client), status, None)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(1000 * millis)
    }
}
