//! Session timer: notices that the peer of a dialog is gone, and shows it that we are not.
//!
//! Spec:     RFC 4028 §7 to §10; our own refreshing where the peer does not know timers.
//! In:       what a 2xx agreed on, refusals of a refresh, the passing of time.
//! Out:      `Refresh`, `Expired`; the headers of requests and of their answers.
//! Not here: how a refresh is sent (`modification`), the BYE after the end (its user).

use std::mem;

use crate::sip::message::{
    Builder, Headers, Name, ParseError, Refresher, Response, SessionExpires,
};
use crate::time::{Duration, Instant};
use Input::{Agreed, Refused, Tick};
use State::{Off, Ours, Theirs};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A 2xx to an INVITE or UPDATE was sent or came: the session is fresh.
    Agreed(Terms),
    /// The peer answered a refresh with something else than a 2xx.
    Refused,
    Tick,
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nobody refreshed the session: it is to be ended with a BYE.
    Expired,
    /// A re-INVITE or UPDATE is to be sent.
    Refresh,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub interval: Duration,
    /// Whether we refresh; otherwise the peer does.
    pub ours: bool,
    /// Whether the peer counts the time too: without it, any answer of it is a sign of life.
    pub common: bool,
}

/// What we want of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a session lives without being refreshed.
    pub expires: Duration,
    /// The shortest that we take (RFC 4028 §5: not below 90 s).
    pub min: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No dialog stands yet.
    #[default]
    Off,
    /// We refresh at `refresh_at`; `end_at` comes only where no refresh succeeds.
    Ours { terms: Terms, refresh_at: Instant, end_at: Instant },
    /// The peer refreshes.
    Theirs { end_at: Instant },
}

/// The session timer of one dialog.
#[derive(Debug)]
pub struct SessionTimer {
    limits: Limits,
    /// The Min-SE that a 422 taught us; zero before.
    min_heard: Duration,
    state: State,
}

impl SessionTimer {
    /// Not running before the first `Agreed`.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, min_heard: Duration::ZERO, state: Off }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (_, Agreed(terms)) => agreed(now, terms),
            (Ours { terms, .. }, Refused) if !terms.common => agreed(now, terms),
            (Ours { terms, end_at, .. }, Refused) => {
                // RFC 4028 §10: tried again while there is time.
                let refresh_at = now + (end_at.since(now) / 2).max(RETRY_MIN);
                Ours { terms, refresh_at, end_at }
            }
            (Ours { end_at, .. } | Theirs { end_at }, Tick) if now >= end_at => {
                out.push(Output::Expired);
                Off
            }
            (Ours { terms, refresh_at, end_at }, Tick) if now >= refresh_at => {
                out.push(Output::Refresh);
                Ours { terms, refresh_at: Instant::NEVER, end_at }
            }
            (state, Refused | Tick) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Ours { refresh_at, end_at, .. } => Some(refresh_at.min(end_at)),
            Theirs { end_at } => Some(end_at),
            Off => None,
        }
    }

    /// Adds what an INVITE or UPDATE of ours says about the timer (RFC 4028 §7.1, §7.4).
    #[must_use]
    pub fn ask(&self, request: Builder) -> Builder {
        let expires = self.wanted().as_secs();
        let refresher = match self.state {
            // Left to the callee: it knows best whether it can.
            Off => "",
            Ours { .. } => ";refresher=uac",
            Theirs { .. } => ";refresher=uas",
        };
        let mut request =
            request.header(Name::SessionExpires, format_args!("{expires}{refresher}"));
        if self.min_heard > Duration::ZERO {
            request = request.header(Name::MinSe, self.min_heard.as_secs());
        }
        request
    }

    /// What the 2xx to a request of ours agrees on (RFC 4028 §7.2).
    pub fn terms_of(&self, answer: &Response) -> Terms {
        match SessionExpires::of(answer) {
            Ok(Some(SessionExpires { seconds, refresher })) => Terms {
                // A peer cannot make us busier than the RFC's shortest session would, nor keep us
                // from noticing that it is gone: it may only shorten what we asked for (§9).
                interval: Duration::from_secs(seconds.into()).clamp(EXPIRES_MIN, self.wanted()),
                ours: refresher != Some(Refresher::Uas),
                common: true,
            },
            Ok(None) | Err(_) => Terms { interval: self.wanted(), ours: true, common: false },
        }
    }

    /// What our 2xx to `request` agrees on (RFC 4028 §9).
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: the peer's wish cannot be read.
    pub fn terms_for(&self, request: &Headers) -> Result<Terms, ParseError> {
        let asked = SessionExpires::of(request)?;
        let min = Duration::from_secs(SessionExpires::min_of(request)?.unwrap_or(0).into());
        let min = min.min(MIN_SE_MAX);
        let common = request.has_value(Name::Supported, TAG);
        let mut interval = self.limits.expires.max(min).max(self.limits.min);
        if let Some(asked) = asked {
            let wish = Duration::from_secs(asked.seconds.into());
            interval = interval.min(wish.max(min).max(self.limits.min));
        }
        let refresher = asked.and_then(|asked| asked.refresher).filter(|_| common);
        Ok(Terms { interval, ours: refresher != Some(Refresher::Uac), common })
    }

    /// Takes up the Min-SE of a 422 to a request of ours: whether to send it again (RFC 4028 §7.3).
    pub fn raise(&mut self, refusal: &Response) -> bool {
        let Ok(Some(seconds)) = SessionExpires::min_of(refusal) else { return false };
        let min = Duration::from_secs(seconds.into());
        let grows = min > self.wanted() && min <= MIN_SE_MAX;
        if grows {
            self.min_heard = min;
        }
        grows
    }

    fn wanted(&self) -> Duration {
        self.limits.expires.max(self.limits.min).max(self.min_heard).max(EXPIRES_MIN)
    }
}

impl Limits {
    /// The Min-SE of the 422 that a request is owed: it wants a shorter session than we take, and
    /// knows what that means (RFC 4028 §9).
    pub fn too_small(&self, request: &Headers) -> Option<Duration> {
        let asked = SessionExpires::of(request).ok()??;
        let is_short = Duration::from_secs(asked.seconds.into()) < self.min;
        (is_short && request.has_value(Name::Supported, TAG)).then_some(self.min)
    }
}

impl Terms {
    /// Adds what our 2xx says about the timer.
    #[must_use]
    pub fn tell(&self, response: Builder) -> Builder {
        let refresher = if self.ours { Refresher::Uas } else { Refresher::Uac };
        let value = format!("{};refresher={}", self.interval.as_secs(), refresher.text());
        let response = response.header(Name::SessionExpires, value);
        // RFC 4028 §9: who is to refresh must know how.
        if self.ours { response } else { response.header(Name::Require, TAG) }
    }
}

fn agreed(now: Instant, terms: Terms) -> State {
    // RFC 4028 §10: the BYE comes before the interval is over.
    let end_at = now + (terms.interval - (terms.interval / 3).min(END_MARGIN));
    match (terms.ours, terms.common) {
        (true, true) => Ours { terms, refresh_at: now + terms.interval / 2, end_at },
        (true, false) => {
            Ours { terms, refresh_at: now + terms.interval / 2, end_at: Instant::NEVER }
        }
        (false, _) => Theirs { end_at },
    }
}

/// The option tag of session timers (RFC 4028 §6).
pub const TAG: &str = "timer";
/// The shortest session that anybody may ask for (RFC 4028 §4).
pub const EXPIRES_MIN: Duration = Duration::from_secs(90);
/// A Min-SE above this is nonsense: it would keep the dialogs of dead phones for days.
const MIN_SE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long before its end a session without a refresh is given up (RFC 4028 §10).
const END_MARGIN: Duration = Duration::from_secs(32);
/// The shortest wait before a refused refresh is tried again.
const RETRY_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "session_timer_tests.rs"]
mod tests;
