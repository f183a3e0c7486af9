//! What extensions have used up: calls in progress, calls and minutes of the day.
//!
//! Spec:     requirement CALL-5; the rules are `route::access`.
//! In:       calls that begin and end, the day on the node's clock, time.
//! Out:      what is used; calls whose minutes are over; what is to be kept for the next start.
//! Not here: whether that is too much (`route::access`).
//!
//! Only extensions and classes with a limit are counted, so the table is no longer than the
//! configuration. A call counts for the day that it began on.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::id::{CallId, ClassId, ExtensionId};
use crate::route::access::{Access, Usage, Used};
use crate::time::{Duration, Instant};

/// What one extension has used up on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    day: String,
    all: Used,
    classes: BTreeMap<ClassId, Used>,
}

/// A call in progress that counts.
#[derive(Clone, Debug)]
struct Running {
    extension: ExtensionId,
    classes: Vec<ClassId>,
    day: String,
    /// When somebody answered.
    answered: Option<Instant>,
}

impl Running {
    fn talked(&self, now: Instant) -> u64 {
        self.answered.map_or(0, |at| now.since(at).as_secs_f64().ceil() as u64)
    }
}

/// What is used up, by extension.
#[derive(Debug, Default)]
pub(super) struct Limits {
    days: HashMap<ExtensionId, Day>,
    running: BTreeMap<CallId, Running>,
    look_at: Option<Instant>,
}

/// What is used up of one extension at one moment.
pub(super) struct Of<'a> {
    limits: &'a Limits,
    extension: &'a ExtensionId,
    day: &'a str,
    now: Instant,
}

impl Usage for Of<'_> {
    fn running(&self) -> u32 {
        self.own().count().try_into().unwrap_or(u32::MAX)
    }

    fn used(&self, class: Option<&ClassId>) -> Used {
        let day = self.limits.days.get(self.extension).filter(|day| day.day == self.day);
        let mut used = match (day, class) {
            (None, _) => Used::default(),
            (Some(day), None) => day.all,
            (Some(day), Some(class)) => day.classes.get(class).copied().unwrap_or_default(),
        };
        let today = self.own().filter(|running| running.day == self.day);
        let of_class = today.filter(|running| class.is_none_or(|it| running.classes.contains(it)));
        used.seconds += of_class.map(|running| running.talked(self.now)).sum::<u64>();
        used
    }
}

impl<'a> Of<'a> {
    fn own(&self) -> impl Iterator<Item = &'a Running> {
        let extension = self.extension;
        self.limits.running.values().filter(move |running| running.extension == *extension)
    }
}

impl Limits {
    pub fn of<'a>(&'a self, now: Instant, extension: &'a ExtensionId, day: &'a str) -> Of<'a> {
        Of { limits: self, extension, day, now }
    }

    /// A call that counts was admitted; what is to be kept of the extension.
    pub fn began(
        &mut self,
        now: Instant,
        call: CallId,
        (extension, classes): (ExtensionId, Vec<ClassId>),
        day: String,
    ) -> &Day {
        let running = Running { extension, classes, day, answered: None };
        self.look_at.get_or_insert(now + LOOK_EVERY);
        self.add(call, running, |used| used.calls = used.calls.saturating_add(1))
    }

    /// Somebody answered; more than once is borne.
    pub fn answered(&mut self, call: CallId, at: Instant) {
        if let Some(running) = self.running.get_mut(&call) {
            running.answered.get_or_insert(at);
        }
    }

    /// A call is over; whose it was and what is to be kept, if it counted.
    pub fn ended(&mut self, now: Instant, call: CallId) -> Option<(ExtensionId, &Day)> {
        let running = self.running.remove(&call)?;
        if self.running.is_empty() {
            self.look_at = None;
        }
        let seconds = running.talked(now);
        let extension = running.extension.clone();
        let day = self.count(&running, |used| used.seconds = used.seconds.saturating_add(seconds));
        Some((extension, day))
    }

    /// What an earlier process kept.
    pub fn restore(&mut self, extension: ExtensionId, day: Day) {
        self.days.insert(extension, day);
    }

    /// When to look for calls whose minutes are over.
    pub fn next_tick(&self) -> Option<Instant> {
        self.look_at
    }

    /// The calls whose minutes are over at this moment.
    pub fn overdue(&mut self, now: Instant, access: &Access) -> Vec<CallId> {
        self.look_at = (!self.running.is_empty()).then(|| now + LOOK_EVERY);
        let is_over = |running: &Running| {
            let of = self.of(now, &running.extension, &running.day);
            running.answered.is_some()
                && running
                    .classes
                    .iter()
                    .any(|class| access.has_talked_enough(class, of.used(Some(class))).is_some())
        };
        let over = self.running.iter().filter(|(_, running)| is_over(running));
        over.map(|(call, _)| *call).collect()
    }

    fn add(&mut self, call: CallId, running: Running, change: impl Fn(&mut Used)) -> &Day {
        self.running.insert(call, running.clone());
        self.count(&running, change)
    }

    fn count(&mut self, running: &Running, change: impl Fn(&mut Used)) -> &Day {
        let day = self.days.entry(running.extension.clone()).or_default();
        if day.day < running.day {
            *day = Day { day: running.day.clone(), ..Day::default() };
        }
        if day.day == running.day {
            change(&mut day.all);
            for class in &running.classes {
                change(day.classes.entry(class.clone()).or_default());
            }
        }
        day
    }
}

/// How often calls in progress are looked at: a call may last so much longer than its minutes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_progress_count_with_what_they_have_talked() {
        let mut limits = Limits::default();
        limits.began(at(0), CALL, who(), "2026-11-23".into());
        limits.answered(CALL, at(10));
        limits.answered(CALL, at(50));

        assert_eq!(used(&limits, 70, "2026-11-23"), (1, Used { calls: 1, seconds: 60 }));
        limits.ended(at(100), CALL);
        assert_eq!(used(&limits, 200, "2026-11-23"), (0, Used { calls: 1, seconds: 90 }));
        assert_eq!(limits.next_tick(), None);
    }

    #[test]
    fn a_new_day_begins_with_nothing_used() {
        let mut limits = Limits::default();
        limits.began(at(0), CALL, who(), "2026-11-23".into());
        limits.answered(CALL, at(0));

        assert_eq!(used(&limits, 60, "2026-11-24"), (1, Used::default()));
        let later = CallId::from_u64(2);
        limits.began(at(60), later, who(), "2026-11-24".into());
        // What the old one talked belongs to yesterday, and is forgotten.
        limits.ended(at(100), CALL);
        assert_eq!(used(&limits, 100, "2026-11-24"), (1, Used { calls: 1, seconds: 0 }));
    }

    const CALL: CallId = CallId::from_u64(1);

    fn who() -> (ExtensionId, Vec<ClassId>) {
        ("1001".into(), vec!["national".into()])
    }

    fn used(limits: &Limits, seconds: u64, day: &str) -> (u32, Used) {
        let extension = ExtensionId::from("1001");
        let of = limits.of(at(seconds), &extension, day);
        let class = ClassId::from("national");
        assert_eq!(of.used(None), of.used(Some(&class)));
        (of.running(), of.used(None))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }
}
