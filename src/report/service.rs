//! How well each queue serves its callers, by quarter of an hour: a fold of queue visits.
//!
//! In:       entries, in the order of the ledger; how soon is soon enough for each queue.
//! Out:      figures of a queue over any quarters: every caller counted once, and shares of them.
//! Not here: where entries come from, who is shown the figures (`shell`).
//!
//! A caller counts in the quarter in which he came, whenever and however his visit ends. So in each
//! quarter, at every moment, exactly: offered = answered + abandoned + overflowed + called
//! back + moved + cut off + waiting. The calls that are made to those who are called back are no
//! callers of the queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::waits::Waits;
use crate::cdr::callback::{Callback, CallbackOutcome};
use crate::cdr::entry::{Entry, Fact, QueueLeft};
use crate::id::{CallId, QueueId};
use crate::time::{Duration, Wall};

/// How soon is soon enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Answered within this, a caller was served well.
    pub within: Duration,
    /// Who hangs up within this did not really want to wait.
    pub short: Duration,
    /// The share of callers, in percent, that is to be served well; none if there is no aim.
    pub target: Option<u8>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { within: Duration::from_secs(20), short: Duration::from_secs(5), target: None }
    }
}

/// All queues.
#[derive(Debug, Default)]
pub struct Service {
    terms: HashMap<QueueId, Terms>,
    queues: HashMap<QueueId, Queue>,
    /// Who waits where, since when, and how much of that does not count.
    open: HashMap<CallId, (QueueId, Wall, Duration)>,
    /// Who has waited in a queue and may come to another: since when.
    before: HashMap<CallId, Wall>,
    /// Calls to callers who asked for them, until they leave the queue.
    callbacks: BTreeSet<CallId>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By the quarter in which callers came.
    quarters: BTreeMap<i64, Tally>,
    /// Who waits, by when he came.
    waiting: BTreeSet<(Wall, CallId)>,
    alarm: bool,
}

/// The callers of one quarter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    offered: u64,
    answered: u64,
    answered_within: u64,
    abandoned: u64,
    abandoned_within: u64,
    abandoned_short: u64,
    overflowed: u64,
    called_back: u64,
    called_back_talked: u64,
    called_back_lost: u64,
    moved: u64,
    cut_off: u64,
    /// How long those waited together who were answered.
    answer_time: Duration,
    waits: Waits,
}

/// A queue over some quarters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Callers who came.
    pub offered: u64,
    pub answered: u64,
    /// Of those: within the time that is soon enough.
    pub answered_within: u64,
    /// Callers who hung up.
    pub abandoned: u64,
    /// Of those: before that time was over, and before they really waited, in this queue and those
    /// that they came from.
    pub abandoned_within: u64,
    pub abandoned_short: u64,
    /// Callers who waited too long, found the queue full or without agents, or left it by a key.
    pub overflowed: u64,
    /// Callers who asked to be called back.
    pub called_back: u64,
    /// Of those: with whom an agent has talked, and who are not called any more although none has.
    pub called_back_talked: u64,
    pub called_back_lost: u64,
    /// Somebody else waits in their place.
    pub moved: u64,
    /// The node stopped while they waited, or somebody ended their calls by order.
    pub cut_off: u64,
    /// They wait at this moment; and of those: longer than is soon enough.
    pub waiting: u64,
    pub waiting_beyond: u64,
    /// How long those waited together who were answered.
    pub answer_time: Duration,
    /// How long everybody waited whose visit is over.
    pub waits: Waits,
}

impl Service {
    /// Takes over what is soon enough for each queue; callers whose visit is over stay counted as
    /// they are.
    pub fn agree(&mut self, terms: HashMap<QueueId, Terms>) {
        self.terms = terms;
    }

    /// Counts an entry: the queue whose figures it changed, if it did.
    pub fn apply(&mut self, entry: &Entry) -> Option<QueueId> {
        let call = entry.call?;
        match &entry.fact {
            Fact::Callback(step) => self.apply_callback(call, step),
            Fact::Queued { .. } if self.callbacks.contains(&call) => None,
            Fact::QueueLeft { .. } if self.callbacks.remove(&call) => None,
            Fact::Queued { queue, .. } => {
                self.tally(queue, entry.at).offered += 1;
                self.before.entry(call).or_insert(entry.at);
                let visit = (queue.clone(), entry.at, Duration::ZERO);
                if let Some((queue, came, _)) = self.open.insert(call, visit) {
                    self.leaves(&queue, (came, call)); // its end is not in the ledger
                    self.tally(&queue, came).cut_off += 1;
                }
                self.queues.entry(queue.clone()).or_default().waiting.insert((entry.at, call));
                self.forget(queue, entry.at);
                Some(queue.clone())
            }
            Fact::AgentTold { told_us, .. } => {
                let (.., told) = self.open.get_mut(&call)?;
                *told = Duration::from_micros(*told_us);
                None
            }
            Fact::QueueLeft { why, .. } => {
                let (queue, came, told) = self.open.remove(&call)?;
                self.leaves(&queue, (came, call));
                let wait = entry.at.since(came).saturating_sub(told);
                let terms = self.terms_of(&queue);
                let first = self.before.get(&call).copied().unwrap_or(came);
                let is_short = entry.at.since(first).saturating_sub(told) <= terms.short;
                self.tally(&queue, came).leave(*why, (wait, is_short), terms.within);
                Some(queue)
            }
            Fact::Ended { .. } => {
                self.before.remove(&call);
                None
            }
            _ => None,
        }
    }

    fn apply_callback(&mut self, call: CallId, step: &Callback) -> Option<QueueId> {
        match step {
            Callback::Began { .. } => {
                self.callbacks.insert(call);
                None
            }
            Callback::Ended { queue, came, outcome, .. } => {
                let tally = self.tally(queue, *came);
                match outcome {
                    CallbackOutcome::Talked => tally.called_back_talked += 1,
                    // He left the queue in another way, and is counted by that.
                    CallbackOutcome::NotKept | CallbackOutcome::Served => {}
                    _ => tally.called_back_lost += 1,
                }
                Some(queue.clone())
            }
            Callback::Asked { .. } | Callback::Confirmed { .. } => None,
        }
    }

    /// A queue over the quarters that began at `since` or later.
    pub fn figures(&self, queue: &QueueId, since: Wall, now: Wall) -> Figures {
        let mut figures = Figures::default();
        let Some(known) = self.queues.get(queue) else { return figures };
        for (_, tally) in known.quarters.range(quarter(since)..) {
            figures.add(tally);
        }
        let within = self.terms_of(queue).within;
        let first = Wall::from_micros(quarter(since) * QUARTER);
        for (came, _) in known.waiting.range((first, CallId::from_u64(0))..) {
            figures.waiting += 1;
            figures.waiting_beyond += u64::from(now.since(*came) > within);
        }
        figures
    }

    /// The quarters of a queue that are known, the oldest first: when each began, and its figures.
    pub fn quarters(&self, queue: &QueueId) -> Vec<(Wall, Figures)> {
        let known = self.queues.get(queue).into_iter().flat_map(|queue| &queue.quarters);
        let told = known.map(|(began, tally)| {
            let mut figures = Figures::default();
            figures.add(tally);
            let over = figures.answered + figures.abandoned + figures.overflowed;
            let ended = over + figures.called_back + figures.moved + figures.cut_off;
            figures.waiting = figures.offered.saturating_sub(ended);
            (Wall::from_micros(began * QUARTER), figures)
        });
        told.collect()
    }

    /// Whether a queue misses its target, by what came in this quarter and the one before: raised
    /// when its level is below, taken back when it is `RELIEF` above, or nobody has come. None if
    /// that is as it was.
    pub fn judge(&mut self, queue: &QueueId, now: Wall) -> Option<bool> {
        let target = f64::from(self.terms_of(queue).target?);
        let since = Wall::from_micros((quarter(now) - 1) * QUARTER);
        let figures = self.figures(queue, since, now);
        let level = figures.level(Level::OfferedLessShort);
        let known = self.queues.get_mut(queue)?;
        let alarm = level.is_some_and(|level| match known.alarm {
            false => figures.offered >= CALLERS_MIN && level < target,
            true => level < (target + RELIEF).min(100.0),
        });
        (std::mem::replace(&mut known.alarm, alarm) != alarm).then_some(alarm)
    }

    /// Whether `judge` has raised the alarm of a queue.
    pub fn misses_target(&self, queue: &QueueId) -> bool {
        self.queues.get(queue).is_some_and(|queue| queue.alarm)
    }

    pub fn terms_of(&self, queue: &QueueId) -> Terms {
        self.terms.get(queue).copied().unwrap_or_default()
    }

    fn leaves(&mut self, queue: &QueueId, who: (Wall, CallId)) {
        if let Some(known) = self.queues.get_mut(queue) {
            known.waiting.remove(&who);
        }
    }

    fn tally(&mut self, queue: &QueueId, came: Wall) -> &mut Tally {
        let known = self.queues.entry(queue.clone()).or_default();
        known.quarters.entry(quarter(came)).or_default()
    }

    /// Drops the quarters that are too long ago.
    fn forget(&mut self, queue: &QueueId, now: Wall) {
        let oldest = quarter(now) - QUARTERS_MAX;
        if let Some(known) = self.queues.get_mut(queue)
            && known.quarters.first_key_value().is_some_and(|(first, _)| *first < oldest)
        {
            known.quarters = known.quarters.split_off(&oldest);
        }
    }
}

impl Tally {
    fn leave(&mut self, why: QueueLeft, (wait, is_short): (Duration, bool), soon: Duration) {
        let within = u64::from(wait <= soon);
        match why {
            QueueLeft::Answered => {
                self.answered += 1;
                self.answered_within += within;
                self.answer_time = self.answer_time.saturating_add(wait);
            }
            QueueLeft::Abandoned => {
                self.abandoned += 1;
                self.abandoned_within += within;
                self.abandoned_short += u64::from(is_short);
            }
            QueueLeft::Callback => self.called_back += 1,
            QueueLeft::Empty
            | QueueLeft::Full
            | QueueLeft::Key
            | QueueLeft::Sent
            | QueueLeft::TimedOut => {
                self.overflowed += 1;
            }
            QueueLeft::Moved => self.moved += 1,
            QueueLeft::HungUp | QueueLeft::NodeRestart => self.cut_off += 1,
        }
        self.waits.add(wait);
    }
}

impl Figures {
    fn add(&mut self, tally: &Tally) {
        self.offered += tally.offered;
        self.answered += tally.answered;
        self.answered_within += tally.answered_within;
        self.abandoned += tally.abandoned;
        self.abandoned_within += tally.abandoned_within;
        self.abandoned_short += tally.abandoned_short;
        self.overflowed += tally.overflowed;
        self.called_back += tally.called_back;
        self.called_back_talked += tally.called_back_talked;
        self.called_back_lost += tally.called_back_lost;
        self.moved += tally.moved;
        self.cut_off += tally.cut_off;
        self.answer_time = self.answer_time.saturating_add(tally.answer_time);
        self.waits.merge(&tally.waits);
    }

    /// How long those waited who were answered, on average; none if there are none.
    pub fn answer_mean(&self) -> Option<Duration> {
        let micros = self.answer_time.as_micros().checked_div(u128::from(self.answered))?;
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// A share in percent; none if there is nobody to count.
    pub fn level(&self, level: Level) -> Option<f64> {
        let gone = self.answered + self.abandoned + self.overflowed + self.called_back;
        let lost = gone + self.waiting_beyond;
        let (well, all) = match level {
            Level::AbandonedWithinToo => (self.answered_within + self.abandoned_within, lost),
            Level::Answered => (self.answered_within, self.answered),
            Level::AnsweredAndAbandoned => (self.answered_within, self.answered + self.abandoned),
            Level::Offered => (self.answered_within, lost),
            Level::OfferedLessShort => (self.answered_within, lost - self.abandoned_short),
            Level::AnswerRate => (self.answered, lost),
            Level::Abandonment => (self.abandoned, lost),
        };
        (all > 0).then(|| 100.0 * well as f64 / all as f64)
    }
}

/// The shares that are in use: sites and contracts differ in what they divide by what.
///
/// Who waits and can still be served well does not count yet; who has waited longer than that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// (Answered within + abandoned within) ÷ offered: who hung up soon does no harm.
    AbandonedWithinToo,
    /// Answered within ÷ answered.
    Answered,
    /// Answered within ÷ (answered + abandoned).
    AnsweredAndAbandoned,
    /// Answered within ÷ offered.
    Offered,
    /// Answered within ÷ (offered − short abandons).
    OfferedLessShort,
    /// Answered ÷ offered.
    AnswerRate,
    /// Abandoned ÷ offered.
    Abandonment,
}

impl Level {
    pub const ALL: [Self; 7] = [
        Self::AbandonedWithinToo,
        Self::Answered,
        Self::AnsweredAndAbandoned,
        Self::Offered,
        Self::OfferedLessShort,
        Self::AnswerRate,
        Self::Abandonment,
    ];

    /// For programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AbandonedWithinToo => "abandoned_within_too",
            Self::Answered => "answered",
            Self::AnsweredAndAbandoned => "answered_and_abandoned",
            Self::Offered => "offered",
            Self::OfferedLessShort => "offered_less_short",
            Self::AnswerRate => "answer_rate",
            Self::Abandonment => "abandonment",
        }
    }
}

/// The number of the quarter of an hour in which something happened.
fn quarter(at: Wall) -> i64 {
    at.as_micros().div_euclid(QUARTER)
}

/// When the quarter before the one of `now` began: figures from there on are those of this moment.
pub fn lately(now: Wall) -> Wall {
    Wall::from_micros((quarter(now) - 1) * QUARTER)
}

/// Microseconds of a quarter of an hour. The days of all time zones begin with one.
const QUARTER: i64 = 15 * 60 * 1_000_000;
/// Quarters that are known: two days.
pub const QUARTERS_MAX: i64 = 192;
/// Callers of whom it can be said that they are served badly.
const CALLERS_MIN: u64 = 10;
/// Percent by which the level exceeds the target before an alarm is taken back.
const RELIEF: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::entry::HungUpBy;

    /// The textbook day: 100 callers, of whom 80 are answered, 64 of them within 20 s; 15 hang up,
    /// 5 of them within 5 s and 2 more within 20 s; 5 wait too long.
    #[test]
    fn every_variant_divides_what_it_says() {
        let mut desk = Desk::default();
        desk.visits(64, 10, QueueLeft::Answered);
        desk.visits(16, 30, QueueLeft::Answered);
        desk.visits(5, 3, QueueLeft::Abandoned);
        desk.visits(2, 15, QueueLeft::Abandoned);
        desk.visits(8, 60, QueueLeft::Abandoned);
        desk.visits(5, 300, QueueLeft::TimedOut);

        let figures = desk.figures();
        let levels: Vec<(&str, f64)> =
            Level::ALL.iter().map(|it| (it.name(), figures.level(*it).unwrap())).collect();
        let wanted = [
            ("abandoned_within_too", 71.0),
            ("answered", 80.0),
            ("answered_and_abandoned", 100.0 * 64.0 / 95.0),
            ("offered", 64.0),
            ("offered_less_short", 100.0 * 64.0 / 95.0),
            ("answer_rate", 80.0),
            ("abandonment", 15.0),
        ];
        assert_eq!(levels, wanted);
        assert_eq!(figures.answer_mean(), Some(Duration::from_secs(14)));
        assert_eq!(figures.waits.count(), 100);
    }

    #[test]
    fn who_waits_counts_as_soon_as_he_cannot_be_served_well_any_more() {
        let mut desk = Desk::default();
        desk.visits(3, 10, QueueLeft::Answered);
        desk.comes();
        assert_eq!(desk.figures().level(Level::Offered), Some(100.0));

        desk.now += 21;

        let figures = desk.figures();
        assert_eq!((figures.waiting, figures.waiting_beyond), (1, 1));
        assert_eq!(figures.level(Level::Offered), Some(75.0));
        assert_eq!(figures.level(Level::Answered), Some(100.0));
    }

    /// Over any hours, whatever happens: each caller is counted once.
    #[test]
    fn nobody_is_lost_and_nobody_counted_twice() {
        let mut desk = Desk::default();
        let ways = [
            QueueLeft::Answered,
            QueueLeft::Abandoned,
            QueueLeft::Callback,
            QueueLeft::Empty,
            QueueLeft::Full,
            QueueLeft::HungUp,
            QueueLeft::Moved,
            QueueLeft::NodeRestart,
            QueueLeft::TimedOut,
        ];
        let mut dice = 7_u64;
        for _ in 0..5000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match (dice >> 33) % 3 {
                0 => _ = desk.comes(),
                1 => desk.goes(ways[(dice >> 40) as usize % ways.len()]),
                _ => desk.now += (dice >> 50) as i64 % 60,
            }
            let all = desk.service.figures(&"sales".into(), Wall::from_micros(0), desk.wall());
            let gone = all.answered + all.abandoned + all.overflowed + all.called_back;
            let ended = gone + all.moved + all.cut_off;
            assert_eq!(all.offered, ended + all.waiting);
            assert_eq!(all.waits.count(), ended);
        }
        let quarters = desk.service.quarters(&"sales".into());
        let all = desk.service.figures(&"sales".into(), Wall::from_micros(0), desk.wall());
        assert_eq!(quarters.iter().map(|(_, it)| it.offered).sum::<u64>(), all.offered);
        assert_eq!(quarters.iter().map(|(_, it)| it.waiting).sum::<u64>(), all.waiting);
        assert!(quarters.len() > 10);
    }

    /// Who is moved, or sent on, has waited before.
    #[test]
    fn who_came_from_another_queue_is_no_short_abandon() {
        let mut desk = Desk::default();
        for (before, shorts) in [(3, 1), (30, 1)] {
            let call = desk.comes();
            desk.now += before;
            desk.goes(QueueLeft::Sent);
            let at = desk.wall();
            let fact = Fact::Queued { queue: "second".into(), position: 1 };
            desk.service.apply(&Entry { at, call: Some(call), fact });
            desk.now += 1;
            let at = desk.wall();
            let fact = Fact::QueueLeft { queue: "second".into(), why: QueueLeft::Abandoned };
            desk.service.apply(&Entry { at, call: Some(call), fact });
            let (by, reason) = (HungUpBy::Caller, "caller_hung_up".to_owned());
            let fact = Fact::Ended { by, status: 200, cause: 16, reason };
            desk.service.apply(&Entry { at, call: Some(call), fact });
            let second = desk.service.figures(&"second".into(), Wall::from_micros(0), at);
            assert_eq!(second.abandoned_short, shorts, "{before}");
        }
        assert!(desk.service.before.is_empty());
    }

    /// He is offered once, whatever is done to reach him.
    #[test]
    fn who_is_called_back_is_counted_once() {
        let mut desk = Desk::default();
        desk.comes();
        desk.now += 30;
        desk.goes(QueueLeft::Callback);
        let queue = QueueId::from("sales");
        for (attempt, left) in [(1, QueueLeft::Callback), (2, QueueLeft::Answered)] {
            let (queue, number) = (queue.clone(), "138".to_owned());
            let asked_in = CallId::from_u64(1);
            let began = Callback::Began { queue, number, asked_in, attempt };
            let call = CallId::from_u64(100 + u64::from(attempt));
            let at = desk.wall();
            desk.service.apply(&Entry { at, call: Some(call), fact: Fact::Callback(began) });
            for fact in [
                Fact::Queued { queue: "sales".into(), position: 1 },
                Fact::QueueLeft { queue: "sales".into(), why: left },
            ] {
                desk.service.apply(&Entry { at, call: Some(call), fact });
            }
        }
        let (came, by) = (Wall::from_micros(0), None);
        let ended = Callback::Ended { queue, came, outcome: CallbackOutcome::Talked, by };
        let (at, call) = (desk.wall(), Some(CallId::from_u64(1)));
        desk.service.apply(&Entry { at, call, fact: Fact::Callback(ended) });

        let figures = desk.figures();
        assert_eq!((figures.offered, figures.answered, figures.waiting), (1, 0, 0));
        assert_eq!((figures.called_back, figures.called_back_talked), (1, 1));
        assert_eq!(figures.called_back_lost, 0);
        assert_eq!(figures.level(Level::AnswerRate), Some(0.0));
        assert!(desk.service.callbacks.is_empty());
    }

    /// The agent answered in time; that he was told whose call it is made the caller wait no more.
    #[test]
    fn what_an_agent_is_told_is_no_wait() {
        let mut desk = Desk::default();
        let call = Some(desk.comes());
        desk.now += 25;
        let told = Fact::AgentTold { queue: "sales".into(), told_us: 6_000_000 };
        desk.service.apply(&Entry { at: desk.wall(), call, fact: told });
        desk.goes(QueueLeft::Answered);

        assert_eq!(desk.figures().level(Level::Offered), Some(100.0));
    }

    #[test]
    fn an_alarm_is_raised_once_and_taken_back_with_a_margin() {
        let mut desk = Desk::default();
        let target = Some(80);
        desk.service.agree([("sales".into(), Terms { target, ..Terms::default() })].into());
        desk.visits(9, 30, QueueLeft::Answered);
        assert_eq!(desk.judge(), None, "too few to tell");
        desk.visits(1, 30, QueueLeft::Answered);
        assert_eq!(desk.judge(), Some(true));
        assert_eq!(desk.judge(), None, "told once");
        desk.visits(50, 1, QueueLeft::Answered);
        assert_eq!(desk.judge(), None, "83 % is not yet 85 %");
        desk.visits(10, 1, QueueLeft::Answered);
        assert_eq!(desk.judge(), Some(false));
        assert!(!desk.service.misses_target(&"sales".into()));
    }

    #[test]
    fn two_days_are_known() {
        let mut desk = Desk::default();
        for _ in 0..300 {
            desk.visits(1, 5, QueueLeft::Answered);
            desk.now += 900;
        }
        let known = desk.service.quarters(&"sales".into()).len();
        assert!(known as i64 <= QUARTERS_MAX + 1, "{known}");
    }

    /// A queue with its callers.
    #[derive(Default)]
    struct Desk {
        service: Service,
        calls: u64,
        waiting: Vec<CallId>,
        /// In seconds.
        now: i64,
    }

    impl Desk {
        fn wall(&self) -> Wall {
            Wall::from_micros(self.now * 1_000_000)
        }

        fn comes(&mut self) -> CallId {
            self.calls += 1;
            let call = CallId::from_u64(self.calls);
            self.waiting.push(call);
            let fact = Fact::Queued { queue: "sales".into(), position: 1 };
            self.service.apply(&Entry { at: self.wall(), call: Some(call), fact });
            call
        }

        /// The first who waits leaves, if anybody does.
        fn goes(&mut self, why: QueueLeft) {
            if self.waiting.is_empty() {
                return;
            }
            let call = Some(self.waiting.remove(0));
            let fact = Fact::QueueLeft { queue: "sales".into(), why };
            self.service.apply(&Entry { at: self.wall(), call, fact });
        }

        /// So many come at once and leave after so many seconds.
        fn visits(&mut self, callers: usize, seconds: i64, why: QueueLeft) {
            let began = self.now;
            (0..callers).for_each(|_| _ = self.comes());
            self.now = began + seconds;
            (0..callers).for_each(|_| self.goes(why));
            self.now = began;
        }

        fn figures(&self) -> Figures {
            self.service.figures(&"sales".into(), lately(self.wall()), self.wall())
        }

        fn judge(&mut self) -> Option<bool> {
            let now = self.wall();
            self.service.judge(&"sales".into(), now)
        }
    }
}
