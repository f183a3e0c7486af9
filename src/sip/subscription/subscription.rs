//! One subscription: when its phone is told, and when it ends.
//!
//! Spec:     RFC 6665 §4.2 (a notifier), §4.1.2 and §4.2.2 (states, reasons, failures).
//! In:       changes of what is watched, refreshes, answers to NOTIFYs, the passing of time.
//! Out:      `Notify`, when a NOTIFY is to be written and sent; `Over`.
//! Not here: what the NOTIFY says (`shown`), who else watches (`notifier`).
//!
//! One NOTIFY is under way at a time. What changes meanwhile is told afterwards, as it is then.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sip::transaction::ClientId;
use crate::time::{Duration, Instant};
use Input::{Answered, Changed, End, Failed, Refreshed, Sent, Tick, Unchanged};
use State::{Due, Later, Over, Quiet, Sending};

/// Names a subscription; it is also our tag in its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SubscriptionId {
    type Err = std::num::ParseIntError;

    /// Reads any hexadecimal number: only the dialog's whole name tells whether it is meant.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for SubscriptionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubscriptionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What can happen to the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The phone answered the NOTIFY; `retry_after` if it named a time.
    Answered {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// What is watched may have changed.
    Changed,
    /// We end it, for this reason.
    End(Reason),
    /// The NOTIFY got no answer.
    Failed,
    /// The phone subscribed or refreshed: it is owed the whole state.
    Refreshed {
        expires_at: Instant,
    },
    /// The NOTIFY that was due is sent.
    Sent(ClientId),
    Tick,
    /// The phone knows already what the NOTIFY that was due would say.
    Unchanged,
}

/// What the subscription asks of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A NOTIFY is due: answered with `Sent` or `Unchanged`.
    Notify,
    /// Nothing is left to say or to wait for.
    Over,
}

/// Why a subscription ends, in the words of Subscription-State (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The thing is no more.
    NoResource,
    /// Another subscription of the same phone takes its place.
    Probation,
    /// The subscriber is no account any more.
    Rejected,
    /// Not refreshed in time, or not wanted any more.
    Timeout,
}

impl Reason {
    /// As Subscription-State says it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoResource => "noresource",
            Self::Probation => "probation;retry-after=60",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
        }
    }
}

/// What the phone is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    Nothing,
    /// The state, if it is not what was told last.
    Change,
    /// The state, whatever it is.
    All,
}

/// Each state owns exactly the data and the deadlines that mean something in it.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The phone knows the state.
    Quiet,
    /// Something is to be told, but not before this moment.
    Later {
        at: Instant,
        owed: Owed,
    },
    /// `Notify` was asked for.
    Due {
        owed: Owed,
    },
    /// A NOTIFY is under way; `owed` is for after its answer.
    Sending {
        client: ClientId,
        owed: Owed,
    },
    Over,
}

/// When one phone is told of one thing.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    expires_at: Instant,
    ending: Option<Reason>,
    /// When all NOTIFYs so far would have been sent, one each interval.
    paid_until: Instant,
    state: State,
}

impl Subscription {
    /// A subscription that owes its phone the state from `at` on.
    pub fn new(expires_at: Instant, at: Instant) -> Self {
        let state = Later { at, owed: Owed::All };
        Self { expires_at, ending: None, paid_until: Instant::START, state }
    }

    pub fn expires_at(&self) -> Instant {
        self.expires_at
    }

    /// Why it ends, if it does.
    pub fn ending(&self) -> Option<Reason> {
        self.ending
    }

    /// Whether a NOTIFY is to be written.
    pub fn is_due(&self) -> bool {
        matches!(self.state, Due { .. })
    }

    /// Whether the NOTIFY that is due may be left out if the state is the one that was told.
    pub fn may_be_quiet(&self) -> bool {
        matches!(self.state, Due { owed: Owed::Change }) && self.ending.is_none()
    }

    /// The NOTIFY that is under way.
    pub fn client(&self) -> Option<ClientId> {
        match self.state {
            Sending { client, .. } => Some(client),
            Quiet | Later { .. } | Due { .. } | Over => None,
        }
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        let expiry = self.ending.is_none().then_some(self.expires_at);
        match self.state {
            Later { at, .. } => Some(expiry.map_or(at, |expiry| expiry.min(at))),
            Quiet | Due { .. } | Sending { .. } => expiry,
            Over => None,
        }
    }

    /// Applies one input and appends what must be done about it to `out`.
    ///
    /// `interval` is the pace of `[lamps] notify_interval`.
    pub fn handle(
        &mut self,
        now: Instant,
        interval: Duration,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        if let Some(reason) = self.ends(now, input) {
            self.ending = Some(reason);
        }
        self.state = match (self.state, input) {
            (Over, _) => Over,
            (Sending { client, .. }, _) if self.ends(now, input).is_some() => {
                Sending { client, owed: Owed::All }
            }
            (Quiet | Later { .. }, End(_)) => due(Owed::All, out),
            (Quiet | Later { .. }, Tick) if self.ending.is_some() => due(Owed::All, out),
            (Quiet, Changed) => self.owe(now, interval, out),
            (Later { at, owed }, Tick) if now >= at => due(owed, out),
            (Quiet | Later { .. }, Refreshed { expires_at }) => {
                self.expires_at = expires_at;
                due(Owed::All, out)
            }
            (Due { .. }, Refreshed { expires_at }) => {
                self.expires_at = expires_at;
                Due { owed: Owed::All }
            }
            (Sending { client, .. }, Refreshed { expires_at }) => {
                self.expires_at = expires_at;
                Sending { client, owed: Owed::All }
            }
            (Sending { client, owed }, Changed) => Sending { client, owed: owed.max(Owed::Change) },
            (Due { .. }, Sent(_)) if self.ending.is_some() => over(out),
            (Due { .. }, Sent(client)) => {
                self.paid_until = self.paid_until.max(now) + interval;
                Sending { client, owed: Owed::Nothing }
            }
            (Due { .. }, Unchanged) => Quiet,
            (Sending { owed, .. }, Answered { status: 200..=299, .. }) => match owed {
                Owed::Nothing => Quiet,
                Owed::Change => self.owe(now, interval, out),
                Owed::All => due(Owed::All, out),
            },
            (Sending { .. }, Answered { status, retry_after: Some(wait) })
                if status >= 300 && status != 481 && self.ending.is_none() =>
            {
                Later { at: now + wait.clamp(interval, RETRY_AFTER_MAX), owed: Owed::All }
            }
            (Sending { .. }, Failed | Answered { status: 300.., .. }) => over(out),
            (state, Answered { .. } | Changed | End(_) | Failed | Sent(_) | Tick | Unchanged) => {
                state
            } // absorbed
        };
    }

    /// The reason that an input gives for the end, if it is the first.
    fn ends(&self, now: Instant, input: Input) -> Option<Reason> {
        match input {
            End(reason) => Some(self.ending.unwrap_or(reason)),
            Tick if now >= self.expires_at => Some(self.ending.unwrap_or(Reason::Timeout)),
            _ => None,
        }
    }

    /// A change is told at once, unless there were too many of late.
    fn owe(&self, now: Instant, interval: Duration, out: &mut Vec<Output>) -> State {
        let at = self.paid_until - interval * (BURST - 1);
        if now >= at { due(Owed::Change, out) } else { Later { at, owed: Owed::Change } }
    }
}

fn due(owed: Owed, out: &mut Vec<Output>) -> State {
    out.push(Output::Notify);
    Due { owed }
}

fn over(out: &mut Vec<Output>) -> State {
    out.push(Output::Over);
    Over
}

/// Changes that are told at once before the pace of `[lamps] notify_interval` holds.
const BURST: u32 = 5;

/// The longest that a phone may ask us to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_at_once_and_what_comes_meanwhile_afterwards() {
        let mut lamp = Lamp::told();

        assert_eq!(lamp.gets(Changed), [Output::Notify]);
        assert_eq!(lamp.gets(Sent(ONE)), []);
        assert_eq!(lamp.gets(Changed), []);
        assert_eq!(lamp.gets(Changed), []);
        assert_eq!(lamp.gets(OK), [Output::Notify]);
        assert_eq!(lamp.gets(Unchanged), []);
        assert_eq!(lamp.gets(Changed), [Output::Notify]);
    }

    #[test]
    fn after_five_changes_the_pace_holds() {
        let mut lamp = Lamp::told();
        for _ in 0..4 {
            assert_eq!(lamp.gets(Changed), [Output::Notify]);
            lamp.gets(Sent(ONE));
            lamp.gets(OK);
        }

        assert_eq!(lamp.gets(Changed), []);
        assert_eq!(lamp.subscription.next_tick(), Some(lamp.now + PACE));
        lamp.now = lamp.now + PACE;
        assert_eq!(lamp.gets(Tick), [Output::Notify]);
    }

    /// RFC 6665 §4.2.1.2, §4.2.1.4: a refresh is answered with the whole state, soon.
    #[test]
    fn a_refresh_is_owed_the_state_whatever_the_pace() {
        let mut lamp = Lamp::told();
        let expires_at = lamp.now + Duration::from_secs(90);

        assert_eq!(lamp.gets(Refreshed { expires_at }), [Output::Notify]);
        assert!(!lamp.subscription.may_be_quiet());
        assert_eq!(lamp.subscription.expires_at(), expires_at);
    }

    /// RFC 6665 §4.2.1.4: the last NOTIFY of one that is over waits for that under way.
    #[test]
    fn the_end_is_told_once_after_what_is_under_way() {
        let mut lamp = Lamp::told();
        lamp.gets(Changed);
        lamp.gets(Sent(ONE));
        lamp.now = lamp.subscription.expires_at();

        assert_eq!(lamp.gets(Tick), []);
        assert_eq!(lamp.gets(OK), [Output::Notify]);
        assert_eq!(lamp.subscription.ending(), Some(Reason::Timeout));
        assert_eq!(lamp.gets(Sent(ONE)), [Output::Over]);
        assert_eq!(lamp.subscription.next_tick(), None);
    }

    /// RFC 6665 §4.2.2.
    #[test]
    fn a_phone_that_does_not_know_it_ends_it() {
        for input in [Failed, answered(481), answered(408), answered(500), answered(302)] {
            let mut lamp = Lamp::told();
            lamp.gets(Changed);
            lamp.gets(Sent(ONE));
            assert_eq!(lamp.gets(input), [Output::Over], "{input:?}");
        }
    }

    /// RFC 6665 §4.2.2: an error with Retry-After is no end.
    #[test]
    fn a_phone_that_asks_for_time_gets_it() {
        let mut lamp = Lamp::told();
        lamp.gets(Changed);
        lamp.gets(Sent(ONE));
        let retry_after = Some(Duration::from_secs(7));

        assert_eq!(lamp.gets(Answered { status: 503, retry_after }), []);
        assert_eq!(lamp.gets(Changed), []);
        let at = lamp.subscription.next_tick().unwrap();
        assert_eq!(at, lamp.now + Duration::from_secs(7));
        lamp.now = at;
        assert_eq!(lamp.gets(Tick), [Output::Notify]);
    }

    const PACE: Duration = Duration::from_secs(1);
    const ONE: ClientId = ClientId(1);
    const OK: Input = answered(200);

    const fn answered(status: u16) -> Input {
        Answered { status, retry_after: None }
    }

    struct Lamp {
        now: Instant,
        subscription: Subscription,
    }

    impl Lamp {
        /// A subscription whose first NOTIFY was answered.
        fn told() -> Self {
            let now = Instant::from_micros(5_000_000);
            let subscription = Subscription::new(now + Duration::from_secs(60), now);
            let mut lamp = Self { now, subscription };
            assert_eq!(lamp.gets(Tick), [Output::Notify]);
            lamp.gets(Sent(ONE));
            lamp.gets(OK);
            lamp
        }

        fn gets(&mut self, input: Input) -> Vec<Output> {
            let mut out = Vec::new();
            self.subscription.handle(self.now, PACE, input, &mut out);
            out
        }
    }
}
