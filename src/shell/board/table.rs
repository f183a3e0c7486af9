//! The newest state of each thing that is watched, and what each watcher has been told of it.
//!
//! In:       views, in the order of their changes.
//! Out:      for each watcher what he does not know yet, the newest state of each thing.
//! Not here: where views come from, how watchers are reached (`board`).
//!
//! A watcher costs one number for each thing that he knows, however slow he is: what he is behind
//! is not kept for him, but found by the version of each thing's last change.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::switch::request::{Subject, View};

/// Things that are watched.
#[derive(Debug, Default)]
pub struct Table {
    things: HashMap<Subject, Thing>,
    /// Who changed when: each thing once, at its last change.
    order: BTreeMap<u64, Subject>,
    version: u64,
    /// Those that are gone, by the version at which they went.
    gone: VecDeque<(u64, Subject)>,
    /// Of the changes up to this version, some are not known any more.
    forgotten: u64,
}

#[derive(Debug)]
struct Thing {
    version: u64,
    changes: u64,
    /// None if it is gone.
    view: Option<Arc<View>>,
}

impl Table {
    /// The version of the last change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Notes how a thing is, or that it is gone.
    pub fn set(&mut self, subject: Subject, view: Option<View>) {
        self.set_after(subject, view, 1);
    }

    /// The same, after so many changes: at least one.
    pub fn set_after(&mut self, subject: Subject, view: Option<View>, times: u64) {
        let known = self.things.get(&subject);
        let before = known.and_then(|thing| thing.view.as_deref());
        if before == view.as_ref() {
            return;
        }
        self.version += 1;
        if view.is_none() {
            self.gone.push_back((self.version, subject.clone()));
        }
        let changes = known.map_or(0, |thing| thing.changes) + times;
        if let Some(thing) = known {
            self.order.remove(&thing.version);
        }
        let thing = Thing { version: self.version, changes, view: view.map(Arc::new) };
        self.order.insert(self.version, subject.clone());
        self.things.insert(subject, thing);
        self.forget();
    }

    /// Notes that something that belongs to a thing has changed, if the thing is there.
    pub fn touch(&mut self, subject: &Subject) {
        let Some(thing) = self.things.get_mut(subject).filter(|thing| thing.view.is_some()) else {
            return;
        };
        self.order.remove(&thing.version);
        self.version += 1;
        thing.version = self.version;
        thing.changes += 1;
        self.order.insert(self.version, subject.clone());
    }

    /// Notes how everything is: what is not among these is gone.
    pub fn set_all(&mut self, views: Vec<View>) {
        let there: BTreeSet<Subject> = views.iter().map(View::subject).collect();
        let gone: Vec<Subject> =
            self.things.keys().filter(|subject| !there.contains(subject)).cloned().collect();
        for subject in gone {
            self.set(subject, None);
        }
        for view in views {
            self.set(view.subject(), Some(view));
        }
    }

    /// Forgets what has been gone for longest, if much is.
    fn forget(&mut self) {
        while self.gone.len() > GONE_MAX
            && let Some((version, subject)) = self.gone.pop_front()
        {
            // It may have come back.
            if self.things.get(&subject).is_some_and(|thing| thing.version == version) {
                self.things.remove(&subject);
                self.order.remove(&version);
                self.forgotten = version;
            }
        }
    }
}

/// What somebody who watches is told next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Everything follows; what he knew is to be forgotten.
    Began,
    Changed {
        subject: Subject,
        /// None if it is gone.
        view: Option<Arc<View>>,
        /// Changes since he was last told of it that he was not told.
        merged: u64,
    },
    /// That was everything.
    Done,
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Watcher<F> {
    wants: F,
    /// He knows the changes up to this version.
    known: u64,
    /// The version at which his snapshot is whole; none if he has it.
    snapshot: Option<u64>,
    /// How many changes of each thing he was told, or knows of.
    told: HashMap<Subject, u64>,
    began: bool,
}

impl<F: Fn(&Subject) -> bool> Watcher<F> {
    /// Somebody who wants to know of some things.
    pub fn new(wants: F) -> Self {
        Self { wants, known: 0, snapshot: None, told: HashMap::new(), began: false }
    }

    /// What he is told next, a bounded number; nothing if he knows everything.
    pub fn next(&mut self, table: &Table) -> Vec<Step> {
        let mut steps = Vec::new();
        let missed = self.known < table.forgotten && !self.told.is_empty();
        if !self.began || missed {
            self.began = true;
            self.known = 0;
            self.told.clear();
            self.snapshot = Some(table.version);
            steps.push(Step::Began);
        }
        for (version, subject) in table.order.range(self.known + 1..) {
            if steps.len() >= STEPS_MAX {
                return steps;
            }
            self.tell_done(*version, &mut steps);
            self.known = *version;
            if (self.wants)(subject)
                && let Some(thing) = table.things.get(subject)
            {
                steps.extend(self.tell(subject, thing));
            }
        }
        self.known = table.version;
        self.tell_done(u64::MAX, &mut steps);
        steps
    }

    /// Says that the snapshot is whole, before what comes at `version`.
    fn tell_done(&mut self, version: u64, steps: &mut Vec<Step>) {
        if self.snapshot.is_some_and(|whole| version > whole) {
            self.snapshot = None;
            steps.push(Step::Done);
        }
    }

    fn tell(&mut self, subject: &Subject, thing: &Thing) -> Option<Step> {
        let before = match &thing.view {
            Some(_) => self.told.insert(subject.clone(), thing.changes),
            None => Some(self.told.remove(subject)?), // he never knew of it
        };
        let merged = before.map_or(0, |before| thing.changes.saturating_sub(before + 1));
        Some(Step::Changed { subject: subject.clone(), view: thing.view.clone(), merged })
    }
}

/// Things that are gone and still known, so that who is slow is told.
const GONE_MAX: usize = 10_000;
/// Steps that a watcher is told at once; one more if that ends his snapshot.
const STEPS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::request::QueueView;
    use crate::time::Duration;

    #[test]
    fn a_watcher_gets_everything_then_what_changes() {
        let mut table = Table::default();
        table.set_all(vec![queue("a", 1), queue("b", 2)]);
        let mut watcher = Watcher::new(|_: &Subject| true);

        assert_eq!(shown(&watcher.next(&table)), ["began", "a 1", "b 2", "done"]);
        assert_eq!(shown(&watcher.next(&table)), [""; 0]);
        table.set(name("a"), Some(queue("a", 3)));
        table.set(name("b"), Some(queue("b", 2)));
        assert_eq!(shown(&watcher.next(&table)), ["a 3"], "what did not change is not told");
        table.touch(&name("a"));
        table.touch(&name("c"));
        assert_eq!(shown(&watcher.next(&table)), ["a 3"], "and who is not there cannot be touched");
        table.set(name("b"), None);
        table.set(name("c"), None);
        assert_eq!(shown(&watcher.next(&table)), ["b gone"], "who was never there is not told");
    }

    #[test]
    fn who_is_slow_gets_the_newest_and_what_it_stands_for() {
        let mut table = Table::default();
        table.set_all(vec![queue("a", 0), queue("b", 0)]);
        let mut watcher = Watcher::new(|_: &Subject| true);
        watcher.next(&table);

        for waiting in 1..=1000 {
            table.set(name("a"), Some(queue("a", waiting)));
        }
        table.set(name("b"), Some(queue("b", 1)));

        assert_eq!(shown(&watcher.next(&table)), ["a 1000 +999", "b 1"]);
        table.set(name("a"), None);
        table.set(name("a"), Some(queue("a", 5)));
        assert_eq!(shown(&watcher.next(&table)), ["a 5 +1"]);
    }

    #[test]
    fn only_what_is_wanted_is_told_also_while_the_snapshot_is_under_way() {
        let mut table = Table::default();
        let names: Vec<String> = (0..200).map(|number| format!("q{number:03}")).collect();
        table.set_all(names.iter().map(|name| queue(name, 0)).collect());
        let mut watcher = Watcher::new(|subject: &Subject| *subject != name("q007"));

        let first = watcher.next(&table);
        assert_eq!(first.len(), STEPS_MAX, "a page: began, and all but one");
        table.set(name("q000"), Some(queue("q000", 9)));
        let mut steps = Vec::new();
        loop {
            let next = watcher.next(&table);
            if next.is_empty() {
                break;
            }
            steps.extend(next);
        }

        let told = shown(&steps);
        assert_eq!(told.len(), 200 - STEPS_MAX + 2);
        assert_eq!(told[told.len() - 2..], ["done", "q000 9"]);
    }

    /// A watcher's memory is what he knows, the table's what is there and a bounded past.
    #[test]
    fn what_is_gone_is_forgotten_and_who_missed_it_begins_again() {
        let mut table = Table::default();
        table.set(name("stays"), Some(queue("stays", 1)));
        table.set(name("goes"), Some(queue("goes", 1)));
        let mut slow = Watcher::new(|_: &Subject| true);
        slow.next(&table);
        table.set(name("goes"), None);
        for number in 0..3 * GONE_MAX {
            let id = format!("q{number}");
            table.set(name(&id), Some(queue(&id, 1)));
            table.set(name(&id), None);
        }

        assert_eq!(table.things.len(), GONE_MAX + 1);
        assert_eq!((table.order.len(), table.gone.len()), (GONE_MAX + 1, GONE_MAX));
        let mut steps = slow.next(&table);
        while steps.last() != Some(&Step::Done) {
            steps.extend(slow.next(&table));
        }
        assert_eq!(shown(&steps), ["began", "stays 1", "done"]);
        assert_eq!(slow.told.len(), 1);
    }

    fn name(id: &str) -> Subject {
        Subject::Queue(id.into())
    }

    fn queue(id: &str, waiting: u32) -> View {
        View::Queue(QueueView {
            queue: id.into(),
            number: None,
            strategy: "linear".to_owned(),
            waiting,
            callbacks: 0,
            longest_wait: Duration::ZERO,
            agents_logged_in: 0,
            agents_available: 0,
            agents_busy: 0,
        })
    }

    fn shown(steps: &[Step]) -> Vec<String> {
        let show = |step: &Step| match step {
            Step::Began => "began".to_owned(),
            Step::Done => "done".to_owned(),
            Step::Changed { subject: Subject::Queue(queue), view, merged } => {
                let state = match view.as_deref() {
                    Some(View::Queue(view)) => view.waiting.to_string(),
                    _ => "gone".to_owned(),
                };
                let merged = if *merged > 0 { format!(" +{merged}") } else { String::new() };
                format!("{queue} {state}{merged}")
            }
            Step::Changed { subject, .. } => format!("{subject:?}"),
        };
        steps.iter().map(show).collect()
    }
}
