//! How much longer a caller is going to wait, as far as that can be known.
//!
//! In:       how long calls have kept agents, how many callers gave up; who is at work and ahead.
//! Out:      a range in which nine waits of ten are to end; nothing where it would say nothing.
//! Not here: what of it is said to the caller (`call::announcing`).
//!
//! He is served when all who are ahead of him, and one agent more, are gone: by an agent, who takes
//! the queue's calls at the rate of his pace, or because they give up. With exponential times that
//! is a sum of exponential stages (W. Whitt 1999, "Predicting queueing delays"), of which mean
//! and variance are known; it is read as a gamma distribution (E. B. Wilson and M. M. Hilferty
//! 1931), which for one stage, and for equal ones, it is.

use std::sync::atomic::{AtomicU64, Ordering};

use super::choice::Wish;
use super::core::Acd;
use super::line::{Caller, Line};
use super::roster::{Member, Queue, Roster};
use super::wish::is_there;
use crate::id::CallId;
use crate::time::Duration;

/// When the wait is likely to end: one in twenty ends before `from`, one in twenty after `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub from: Duration,
    pub to: Duration,
}

/// How fast a queue's line has moved: means over the latest calls.
#[derive(Debug, Default)]
pub struct Pace {
    /// How long a call kept an agent: from ringing to the end of after-call work.
    handled: Mean,
    /// How long callers waited, and who of them left without an agent: 1, else 0.
    waited: Mean,
    gave_up: Mean,
}

impl Pace {
    /// An agent's call, with the work after it, is over.
    pub fn handled(&self, time: Duration) {
        self.handled.add(time.as_secs_f64());
    }

    /// A caller has left the line.
    pub fn left(&self, wait: Duration, answered: bool) {
        self.waited.add(wait.as_secs_f64());
        self.gave_up.add(if answered { 0.0 } else { 1.0 });
    }

    /// How many of those who wait give up each second, per caller.
    fn giving_up(&self) -> f64 {
        let (gave_up, waited) = (self.gave_up.read(), self.waited.read());
        if waited.mean > 0.0 { gave_up.mean / waited.mean } else { 0.0 }
    }
}

/// The mean of the latest observations: of all until there are `MEMORY`, then each new one counts
/// for one of as many.
#[derive(Debug, Default)]
struct Mean(AtomicU64);

/// What a `Mean` holds: so many observations, up to `MEMORY`, and their mean.
#[derive(Clone, Copy, Debug)]
struct Known {
    count: u32,
    mean: f64,
}

impl Mean {
    fn add(&self, value: f64) {
        let add = |bits: u64| {
            let Known { count, mean } = unpack(bits);
            let count = (count + 1).min(MEMORY);
            let mean = mean + (value - mean) / f64::from(count);
            Some(u64::from(count) << 32 | u64::from((mean as f32).to_bits()))
        };
        // Relaxed: one figure, which says nothing about anything else. Never `None`.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn read(&self) -> Known {
        unpack(self.0.load(Ordering::Relaxed))
    }
}

fn unpack(bits: u64) -> Known {
    let mean = f64::from(f32::from_bits((bits & u64::from(u32::MAX)) as u32));
    Known { count: (bits >> 32) as u32, mean }
}

impl Acd {
    /// How much longer a caller is going to wait.
    ///
    /// Nothing if that is not known: too few calls have been handled, nobody able is at work, a
    /// phone rings for him already, he waits for one agent, or the range would be too wide to
    /// mean anything.
    pub fn outlook(&self, call: CallId) -> Option<Outlook> {
        let caller = self.callers.by_call(call)?;
        if caller.word.offers() != Some(0) || caller.favourite().is_some() {
            return None;
        }
        let roster = self.roster.load();
        let queue = &roster.queues[caller.queue as usize];
        let known = queue.line.pace.handled.read();
        if known.count < HANDLED_MIN {
            return None;
        }
        let rate = self.service(&roster, queue, &caller);
        range(queue.line.stages(&caller), rate, queue.line.pace.giving_up(), known.count)
    }

    /// How many of the queue's callers its agents take each second, if all of them have calls.
    fn service(&self, roster: &Roster, queue: &Queue, caller: &Caller) -> f64 {
        let wish = Wish::of(caller, queue);
        let tiers = queue.open_tiers(wish.tiers(), &self.logged_in);
        let serves = |member: &&Member| {
            (!queue.is_tiered || member.tiers & (wish.tiers() | tiers) != 0)
                && is_there(self.seats.at(member.agent).word.load())
                && wish.is_met_by(roster, member.agent)
        };
        // Of very many agents each so-and-so-many-th stands for those beside him.
        let each = 1 + queue.count_in(&self.logged_in) / LOOKS;
        let looked_at = queue.members_in(&self.logged_in).step_by(each).filter(serves);
        let rates = looked_at.map(|member| pace_of(roster, queue, member.agent));
        rates.sum::<f64>() * each as f64
    }
}

/// How many of the queue's callers an agent takes each second: of the queues that he serves he
/// takes callers as these wait, and each of them takes its time.
fn pace_of(roster: &Roster, queue: &Queue, agent: u32) -> f64 {
    let own = queue.line.pace.handled.read().mean;
    let (mut all, mut time) = (0.0, 0.0);
    for number in roster.agents[agent as usize].queues.iter().take(LOOKS) {
        let other = &roster.queues[*number as usize];
        let wanted = f64::from(other.line.len()) * f64::from(other.weight);
        let known = other.line.pace.handled.read();
        all += wanted;
        time += wanted * if known.count > 0 { known.mean } else { own };
    }
    let wanted = f64::from(queue.line.len().max(1)) * f64::from(queue.weight);
    if all > 0.0 && time > 0.0 { wanted / time } else { 1.0 / own.max(1.0) }
}

impl Line {
    /// How many must go before the caller is served: those ahead for whom no phone rings, and one.
    fn stages(&self, caller: &Caller) -> u32 {
        let place = caller.place();
        let ahead = self.callers.range(..place).take(LOOKS);
        let rung = ahead.filter(|entry| entry.value().word.offers() != Some(0)).count();
        self.position(place).saturating_sub(rung as u32).max(1)
    }
}

/// The range of the sum of so many stages, each of which ends at the rate of the service, and of
/// those who are ahead of it and give up.
fn range(stages: u32, service: f64, giving_up: f64, known: u32) -> Option<Outlook> {
    if stages > STAGES_MAX || service <= 0.0 || !service.is_finite() {
        return None;
    }
    let (mut mean, mut variance) = (0.0, 0.0);
    for ahead in 0..stages {
        let stage = 1.0 / (service + f64::from(ahead) * giving_up);
        mean += stage;
        variance += stage * stage;
    }
    // The mean handling time is only so well known; agents come and go, and work unevenly.
    variance += mean * mean * (1.0 / f64::from(known) + UNEVEN * UNEVEN);
    let shape = mean * mean / variance;
    let at = |normal: f64| {
        let third = 1.0 - 1.0 / (9.0 * shape) + normal / (3.0 * shape.sqrt());
        mean * third.max(0.0).powi(3)
    };
    let (from, to) = (at(-NORMAL_95), at(NORMAL_95));
    let is_clear = to - from <= CLEAR.as_secs_f64().max(CLEAR_SHARE * mean);
    let within = is_clear && to <= OUTLOOK_MAX.as_secs_f64();
    within.then(|| Outlook { from: Duration::from_secs_f64(from), to: Duration::from_secs_f64(to) })
}

/// Observations that a mean is made of.
const MEMORY: u32 = 64;
/// Calls handled before their mean says anything.
const HANDLED_MIN: u32 = 10;
/// Agents, queues of an agent, and callers at the head of a line that are looked at.
const LOOKS: usize = 64;
/// Callers ahead, of whom nothing is foretold to whoever comes after them.
const STAGES_MAX: u32 = 2_000;
/// By what share the pace of the next calls is off that of the latest, beside chance.
const UNEVEN: f64 = 0.1;
/// The quantile at 95 % of the normal distribution.
const NORMAL_95: f64 = 1.6449;
/// A range that is no wider than this, or than a share of the mean, means something.
const CLEAR: Duration = Duration::from_secs(300);
const CLEAR_SHARE: f64 = 1.5;
const OUTLOOK_MAX: Duration = Duration::from_secs(7_200);
