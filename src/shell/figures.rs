//! The service level of queues, live: the ledger's writer counts what it has made durable.
//!
//! Who reads waits for the writer, or the writer for him, for some microseconds; the Switch waits
//! for neither. An alarm is raised and taken back in the log, and told to whoever watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::tz::TimeZone;
use tokio::sync::{Notify, mpsc};
use tracing::{info, warn};

use crate::acd::config::Queue;
use crate::cdr::entry::{AlarmKind, Entry, Fact};
use crate::id::QueueId;
use crate::report::service::{self, Figures, Level, Service, lately};
use crate::time::Wall;

/// What the configuration says about figures.
#[derive(Clone, Debug)]
pub struct Terms {
    queues: BTreeMap<QueueId, service::Terms>,
    zone: TimeZone,
}

impl Terms {
    /// `zone` is the node's: its days begin at midnight there.
    pub fn new(queues: &BTreeMap<QueueId, Queue>, zone: &str) -> Self {
        let terms = |queue: &Queue| {
            let level = queue.service_level;
            service::Terms { within: level.within, short: level.short, target: level.target }
        };
        let queues = queues.iter().map(|(id, queue)| (id.clone(), terms(queue))).collect();
        Self { queues, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    fn with_target(&self) -> impl Iterator<Item = QueueId> {
        let queues = self.queues.iter().filter(|(_, terms)| terms.target.is_some());
        queues.map(|(queue, _)| queue.clone())
    }
}

/// The figures of all queues; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
    alarms: OnceLock<mpsc::Sender<Alarm>>,
}

/// A queue needs attention, or does no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub queue: QueueId,
    pub raised: bool,
    pub at: Wall,
    pub what: Figure,
}

/// What it needs attention for.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// The level, and what it should be at least.
    ServiceLevel { percent: f64, target: u8 },
    /// Callers or seconds, and what they should stay below.
    Limit { kind: AlarmKind, value: u64, limit: u64 },
}

#[derive(Debug, Default)]
struct State {
    service: Service,
    terms: Option<Terms>,
    /// Queues whose figures have changed since somebody was told.
    news: BTreeSet<QueueId>,
}

/// How well a queue serves its callers.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueService {
    pub terms: service::Terms,
    /// Callers who came in this quarter of an hour or the one before.
    pub lately: Figures,
    /// Callers who came since midnight.
    pub today: Figures,
    /// The target is missed.
    pub alarm: bool,
}

impl Live {
    /// Takes over a configuration.
    pub fn agree(&self, terms: Terms) {
        let mut state = self.state();
        state.service.agree(terms.queues.clone().into_iter().collect());
        state.terms = Some(terms);
    }

    /// Has alarms told to somebody too; the first one is.
    pub fn tell(&self, alarms: mpsc::Sender<Alarm>) {
        _ = self.0.alarms.set(alarms);
    }

    /// Counts what has become durable.
    pub fn count(&self, entry: &Entry, now: Wall) {
        if let Fact::Alarm { queue, kind, raised, value, limit } = &entry.fact {
            let (queue, raised, at) = (queue.clone(), *raised, entry.at);
            let what = Figure::Limit { kind: *kind, value: *value, limit: *limit };
            return self.alarm(Alarm { queue, raised, at, what });
        }
        let mut state = self.state();
        let Some(queue) = state.service.apply(entry) else { return };
        self.judge(&mut state, &queue, now);
        state.news.insert(queue);
        self.0.wake.notify_one();
    }

    /// Looks at all queues: the level sinks also while nobody comes and nobody leaves.
    pub fn tick(&self, now: Wall) {
        let mut state = self.state();
        let queues: Vec<QueueId> = state.terms.iter().flat_map(Terms::with_target).collect();
        for queue in queues {
            if self.judge(&mut state, &queue, now) {
                state.news.insert(queue);
                self.0.wake.notify_one();
            }
        }
    }

    /// Raises or takes back the alarm of a queue: whether it did.
    fn judge(&self, state: &mut State, queue: &QueueId, now: Wall) -> bool {
        let raised = state.service.judge(queue, now);
        if let Some(raised) = raised {
            let level = state.service.figures(queue, lately(now), now).level(ALARMING);
            let percent = (10.0 * level.unwrap_or_default()).round() / 10.0;
            let target = state.service.terms_of(queue).target.unwrap_or_default();
            match raised {
                true => warn!(%queue, percent, target, "service level below the target"),
                false => info!(%queue, percent, target, "service level as it should be"),
            }
            let what = Figure::ServiceLevel { percent, target };
            self.alarm(Alarm { queue: queue.clone(), raised, at: now, what });
        }
        raised.is_some()
    }

    fn alarm(&self, alarm: Alarm) {
        if let Some(alarms) = self.0.alarms.get()
            && let Err(lost) = alarms.try_send(alarm)
        {
            let queue = lost.into_inner().queue;
            warn!(%queue, "an alarm is lost: too many wait to be posted");
        }
    }

    /// Waits until figures have changed: those of these queues.
    pub async fn news(&self) -> BTreeSet<QueueId> {
        self.0.wake.notified().await;
        std::mem::take(&mut self.state().news)
    }

    /// A queue at this moment.
    pub fn queue(&self, queue: &QueueId, now: Wall) -> QueueService {
        let state = self.state();
        let zone = state.terms.as_ref().map(|terms| &terms.zone);
        QueueService {
            terms: state.service.terms_of(queue),
            lately: state.service.figures(queue, lately(now), now),
            today: state.service.figures(queue, midnight(now, zone), now),
            alarm: state.service.misses_target(queue),
        }
    }

    /// Every configured queue at this moment.
    pub fn queues(&self, now: Wall) -> Vec<(QueueId, QueueService)> {
        let known: Vec<QueueId> = {
            let state = self.state();
            let terms = state.terms.iter();
            terms.flat_map(|terms| terms.queues.keys().cloned()).collect()
        };
        known.into_iter().map(|queue| (queue.clone(), self.queue(&queue, now))).collect()
    }

    /// The quarters of an hour of a queue, the oldest first.
    pub fn quarters(&self, queue: &QueueId) -> Vec<(Wall, Figures)> {
        self.state().service.quarters(queue)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the day of `now` began.
fn midnight(now: Wall, zone: Option<&TimeZone>) -> Wall {
    let began = jiff::Timestamp::from_microsecond(now.as_micros()).ok().and_then(|at| {
        let day = at.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC)).start_of_day().ok()?;
        Some(Wall::from_micros(day.timestamp().as_microsecond()))
    });
    began.unwrap_or(now)
}

/// The share that `target` is about.
const ALARMING: Level = Level::OfferedLessShort;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::entry::QueueLeft;
    use crate::id::CallId;
    use crate::time::Duration;

    #[test]
    fn a_day_begins_at_midnight_of_the_node() {
        let noon = "2026-11-30T04:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let now = Wall::from_micros(noon.as_microsecond());

        assert_eq!(now.since(midnight(now, Some(&shanghai))), Duration::from_secs(12 * 3600));
        assert_eq!(now.since(midnight(now, None)), Duration::from_secs(4 * 3600));
    }

    #[tokio::test]
    async fn an_alarm_is_told_with_its_figures() {
        let (live, at) = (Live::default(), |seconds: i64| Wall::from_micros(seconds * 1_000_000));
        let (sender, mut alarms) = mpsc::channel(1);
        live.tell(sender);
        let mut queue = Queue::default();
        queue.service_level.target = Some(80);
        live.agree(Terms::new(&[("sales".into(), queue)].into(), "UTC"));
        for call in 1..=10 {
            let (id, wait) = (Some(CallId::from_u64(call)), if call <= 7 { 1 } else { 60 });
            let queued = Fact::Queued { queue: "sales".into(), position: 1 };
            live.count(&Entry { at: at(1), call: id, fact: queued }, at(1));
            let left = Fact::QueueLeft { queue: "sales".into(), why: QueueLeft::Answered };
            live.count(&Entry { at: at(1 + wait), call: id, fact: left }, at(1 + wait));
        }

        let alarm = alarms.recv().await.unwrap();
        let Figure::ServiceLevel { percent, target } = alarm.what else { panic!("{alarm:?}") };
        assert!(alarm.raised && percent < 80.0 && target == 80, "{percent} {target}");
        assert!(live.queue(&"sales".into(), at(70)).alarm);
    }

    /// Nobody serves them, and they wait: no fact tells that they wait for too long.
    #[tokio::test]
    async fn an_alarm_is_raised_while_nothing_happens() {
        let (live, at) = (Live::default(), |seconds: i64| Wall::from_micros(seconds * 1_000_000));
        let mut queue = Queue::default();
        queue.service_level.target = Some(80);
        live.agree(Terms::new(&[("sales".into(), queue)].into(), "UTC"));
        for call in 1..=10 {
            let queued = Fact::Queued { queue: "sales".into(), position: 1 };
            let call = Some(CallId::from_u64(call));
            live.count(&Entry { at: at(1), call, fact: queued }, at(1));
        }
        let alarm = |now| {
            live.tick(now);
            live.queue(&"sales".into(), now).alarm
        };

        assert!(!alarm(at(10)));
        assert!(alarm(at(30)));
        for call in 1..=10 {
            let left = Fact::QueueLeft { queue: "sales".into(), why: QueueLeft::Abandoned };
            let call = Some(CallId::from_u64(call));
            live.count(&Entry { at: at(31), call, fact: left }, at(31));
        }
        assert!(alarm(at(60)));
        assert!(!alarm(at(7200)), "nobody has come for long");
    }

    #[tokio::test]
    async fn what_is_counted_is_news_once() {
        let live = Live::default();
        let call = Some(CallId::from_u64(1));
        let at = |seconds: i64| Wall::from_micros(seconds * 1_000_000);
        let queue = || QueueId::from("sales");
        let queued = Fact::Queued { queue: queue(), position: 1 };
        live.count(&Entry { at: at(1), call, fact: queued }, at(1));
        let left = Fact::QueueLeft { queue: queue(), why: QueueLeft::Answered };
        live.count(&Entry { at: at(9), call, fact: left }, at(9));

        assert_eq!(live.news().await, [queue()].into());
        let figures = live.queue(&queue(), at(10));
        assert_eq!((figures.lately.offered, figures.today.answered_within), (1, 1));
        assert!(!figures.alarm);
        assert_eq!(live.quarters(&queue()).len(), 1);
    }
}
