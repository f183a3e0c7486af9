//! `[classes.X]` and `[callers.X]`: who may call what, how often and how long.
//!
//! A number that is dialled lies in every class one of whose patterns it matches, else in the class
//! `internal`, or `other` if it leads to a trunk. An extension with `calls` may dial it if it may
//! call all of those classes: a pattern that is too wide or too narrow forbids too much, never too
//! little.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::id::{ClassId, HoursId, Target};
use crate::route::config::{Extension, Hours};
use crate::route::hours::Calendar;
use crate::route::pattern::Pattern;
use crate::time::{Duration, Wall};

/// `[classes.X]`: numbers that may not be called by everyone, or not at all times, or not for ever.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Class {
    /// Calls that an extension may begin to these numbers on one day of the node's zone.
    /// Default: any.
    pub calls_a_day: Option<u32>,
    /// Opening hours within which they may be called. Default: at any time.
    pub hours: Option<HoursId>,
    /// Minutes that an extension may talk with these numbers on one day; a call in progress is
    /// ended with the last one. Default: any.
    pub minutes_a_day: Option<u32>,
    /// The numbers, as they are dialled: exact, prefix or pattern as in `[[routes]]`. No default.
    pub numbers: Vec<Pattern>,
}

/// `[callers.X]`: whose calls a target takes; X is the target, such as `"queue:sales"`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Callers {
    /// Numbers of callers that it takes. Default `[]`: all.
    pub allow: Vec<Pattern>,
    /// Numbers that it does not take, even if `allow` has them. Default `[]`.
    pub deny: Vec<Pattern>,
}

impl Callers {
    pub fn take(&self, number: &str) -> bool {
        let among = |patterns: &[Pattern]| patterns.iter().any(|one| one.matches(number));
        (self.allow.is_empty() || among(&self.allow)) && !among(&self.deny)
    }
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    CallsADay {
        class: Option<ClassId>,
        max: u32,
    },
    CallsMax(u32),
    /// The extension may not call this class.
    Class(ClassId),
    /// The class may not be called at this time.
    Hours {
        class: ClassId,
        hours: HoursId,
    },
    MinutesADay {
        class: ClassId,
        max: u32,
    },
}

impl Refusal {
    /// The word for it in records.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::CallsADay { .. } => "calls_a_day",
            Self::CallsMax(_) => "calls_max",
            Self::Class(_) => "not_allowed",
            Self::Hours { .. } => "not_at_this_time",
            Self::MinutesADay { .. } => MINUTES_A_DAY,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallsADay { class: None, max } => write!(f, "it has made its {max} calls today"),
            Self::CallsADay { class: Some(class), max } => {
                write!(f, "it has made its {max} calls to `{class}` today")
            }
            Self::CallsMax(max) => write!(f, "it has {max} calls in progress already"),
            Self::Class(class) => write!(f, "`calls` of the extension lacks `{class}`"),
            Self::Hours { class, hours } => {
                write!(f, "`{class}` is called within hours `{hours}` only")
            }
            Self::MinutesADay { class, max } => {
                write!(f, "it has talked its {max} minutes with `{class}` today")
            }
        }
    }
}

/// What an extension has used up on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct Used {
    pub calls: u32,
    pub seconds: u64,
}

/// What an extension has in progress, and has used up on this day.
pub trait Usage {
    /// Calls in progress.
    fn running(&self) -> u32;
    /// Of a class, or (`None`) in all; calls in progress count with what they have talked so far.
    fn used(&self, class: Option<&ClassId>) -> Used;
}

/// All classes and lists of callers, ready for calls. Built anew at each reload.
#[derive(Clone, Debug)]
pub struct Access {
    classes: BTreeMap<ClassId, (Class, Option<Calendar>)>,
    callers: BTreeMap<Target, Callers>,
    /// Tells the day; none if the zone is unknown, which the configuration's check refuses.
    calendar: Option<Calendar>,
}

impl Access {
    pub fn new(
        classes: &BTreeMap<ClassId, Class>,
        callers: &BTreeMap<Target, Callers>,
        hours: &BTreeMap<HoursId, Hours>,
        zone: &str,
    ) -> Self {
        let compile = |class: &Class| {
            let calendar = class.hours.as_ref().map(|id| {
                let hours = hours.get(id).cloned().unwrap_or_default(); // never open
                Calendar::new(&hours, zone).ok()
            });
            (class.clone(), calendar.flatten())
        };
        Self {
            classes: classes.iter().map(|(id, class)| (id.clone(), compile(class))).collect(),
            callers: callers.clone(),
            calendar: Calendar::new(&Hours::default(), zone).ok(),
        }
    }

    /// Whether a target takes calls of this number.
    pub fn takes(&self, target: &Target, caller: &str) -> bool {
        self.callers.get(target).is_none_or(|callers| callers.take(caller))
    }

    /// The classes of a dialled number that leads to `target`; never empty.
    pub fn classes_of(&self, number: &str, target: &Target) -> Vec<ClassId> {
        let lies_in = |class: &Class| class.numbers.iter().any(|one| one.matches(number));
        let found = self.classes.iter().filter(|(_, (class, _))| lies_in(class));
        let classes: Vec<_> = found.map(|(id, _)| id.clone()).collect();
        match target {
            _ if !classes.is_empty() => classes,
            Target::Trunk(_) => vec![OTHER.into()],
            _ => vec![INTERNAL.into()],
        }
    }

    /// Why an extension may not dial a number of these classes at this moment; `None` if it may.
    pub fn refusal(
        &self,
        extension: &Extension,
        classes: &[ClassId],
        at: Wall,
        usage: &impl Usage,
    ) -> Option<Refusal> {
        if let Some(refusal) = self.forbids(extension, classes, at) {
            return Some(refusal);
        }
        if let Some(max) = extension.calls_max.filter(|max| usage.running() >= *max) {
            return Some(Refusal::CallsMax(max));
        }
        if let Some(max) = extension.calls_a_day.filter(|max| usage.used(None).calls >= *max) {
            return Some(Refusal::CallsADay { class: None, max });
        }
        classes.iter().find_map(|class| self.used_up(class, usage))
    }

    /// Why an extension may not dial a number of these classes, however little it has used up.
    pub fn forbids(&self, extension: &Extension, classes: &[ClassId], at: Wall) -> Option<Refusal> {
        if let Some(may) = &extension.calls
            && let Some(class) = classes.iter().find(|class| !may.contains(class))
        {
            return Some(Refusal::Class(class.clone()));
        }
        classes.iter().find_map(|class| self.is_closed(class, at))
    }

    /// Whether all of these classes may be called at this time.
    pub fn are_open(&self, classes: &[ClassId], at: Wall) -> bool {
        classes.iter().all(|class| self.is_closed(class, at).is_none())
    }

    fn is_closed(&self, id: &ClassId, at: Wall) -> Option<Refusal> {
        let (class, calendar) = self.classes.get(id)?;
        let is_open = calendar.as_ref().is_some_and(|calendar| calendar.is_open(at));
        let hours = class.hours.clone().filter(|_| !is_open)?;
        Some(Refusal::Hours { class: id.clone(), hours })
    }

    fn used_up(&self, id: &ClassId, usage: &impl Usage) -> Option<Refusal> {
        let (class, _) = self.classes.get(id)?;
        let used = usage.used(Some(id));
        if let Some(max) = class.calls_a_day.filter(|max| used.calls >= *max) {
            return Some(Refusal::CallsADay { class: Some(id.clone()), max });
        }
        self.has_talked_enough(id, used)
    }

    /// Whether the minutes of a class are used up.
    pub fn has_talked_enough(&self, id: &ClassId, used: Used) -> Option<Refusal> {
        let max = self.classes.get(id)?.0.minutes_a_day?;
        let spent = Duration::from_secs(used.seconds) >= MINUTE * max;
        spent.then(|| Refusal::MinutesADay { class: id.clone(), max })
    }

    /// Whether calls of this extension to these classes must be counted.
    pub fn counts(&self, extension: &Extension, classes: &[ClassId]) -> bool {
        let counted = |id| {
            let class = self.classes.get(id).map(|(class, _)| class);
            class.is_some_and(|it| it.calls_a_day.is_some() || it.minutes_a_day.is_some())
        };
        extension.calls_max.is_some()
            || extension.calls_a_day.is_some()
            || classes.iter().any(counted)
    }

    /// The day of a moment on the node's clock, such as `2026-11-23`.
    pub fn day(&self, at: Wall) -> String {
        self.calendar.as_ref().map(|calendar| calendar.day_text(at)).unwrap_or_default()
    }
}

/// The class of numbers that lie in no other and stay here, and of those that lead to a trunk.
pub const INTERNAL: &str = "internal";
pub const OTHER: &str = "other";
/// The classes that need no `[classes.X]`.
pub const BUILT_IN: [&str; 2] = [INTERNAL, OTHER];
/// Why a call is ended whose minutes are used up, as records say it.
pub const MINUTES_A_DAY: &str = "minutes_a_day";

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_in_every_class_that_matches() {
        let access = access();
        let [here, trunk] = ["extension:1005", "trunk:itsp"].map(|text| text.parse().unwrap());

        assert_eq!(access.classes_of("5551", &trunk), [ClassId::from("other")]);
        assert_eq!(access.classes_of("1002", &here), [ClassId::from("internal")]);
        assert_eq!(access.classes_of("0123", &here), [ClassId::from("national")]);
        let both = [ClassId::from("international"), ClassId::from("national")];
        assert_eq!(access.classes_of("0044123", &trunk), both);
    }

    #[test]
    fn every_class_of_the_number_must_be_allowed() {
        let extension = extension("calls = ['internal', 'national']");

        assert_eq!(refused(&extension, "1002", NONE), None);
        assert_eq!(refused(&extension, "0123", NONE), None);
        assert_eq!(refused(&extension, "0044123", NONE), Some("not_allowed"));
        assert_eq!(refused(&Extension::default(), "0123", NONE), None);
    }

    #[test]
    fn what_is_used_up_is_refused() {
        let limited = extension("calls_max = 2\ncalls_a_day = 5");
        let three = Day { running: 0, calls: 3, seconds: 0 };
        assert_eq!(refused(&limited, "1002", Day { running: 2, ..NONE }), Some("calls_max"));
        assert_eq!(refused(&limited, "1002", Day { calls: 5, ..NONE }), Some("calls_a_day"));
        assert_eq!(refused(&limited, "1002", three), None);
        assert_eq!(refused(&limited, "0044123", three), Some("calls_a_day"));
        let talked = Day { seconds: 600, ..NONE };
        assert_eq!(refused(&limited, "0044123", talked), Some("minutes_a_day"));
        assert_eq!(refused(&limited, "0044123", Day { seconds: 599, ..NONE }), None);
    }

    #[test]
    fn a_class_has_its_hours() {
        let access = access();
        let id = [ClassId::from("night")];
        let at = |hour| wall(&format!("2026-11-23T{hour}:00:00Z"));
        let extension = Extension::default();

        assert_eq!(access.refusal(&extension, &id, at("10"), &NONE), None);
        let refusal = access.refusal(&extension, &id, at("20"), &NONE).unwrap();
        assert_eq!(refusal.reason(), "not_at_this_time");
        assert_eq!(refusal.to_string(), "`night` is called within hours `office` only");
    }

    #[test]
    fn denied_callers_are_not_taken_even_if_allowed() {
        let callers: Callers = toml::from_str("allow = ['10*']\ndeny = ['1006']").unwrap();

        assert!(callers.take("1001"));
        assert!(!callers.take("1006") && !callers.take("2001"));
        assert!(Callers::default().take("anonymous"));
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let access =
            Access::new(&BTreeMap::new(), &BTreeMap::new(), &BTreeMap::new(), "Asia/Tokyo");

        assert_eq!(access.day(wall("2026-11-23T14:59:59Z")), "2026-11-23");
        assert_eq!(access.day(wall("2026-11-23T15:00:00Z")), "2026-11-24");
    }

    #[derive(Clone, Copy)]
    struct Day {
        running: u32,
        calls: u32,
        seconds: u64,
    }

    impl Usage for Day {
        fn running(&self) -> u32 {
            self.running
        }

        fn used(&self, _: Option<&ClassId>) -> Used {
            Used { calls: self.calls, seconds: self.seconds }
        }
    }

    const NONE: Day = Day { running: 0, calls: 0, seconds: 0 };

    fn refused(extension: &Extension, number: &str, used: Day) -> Option<&'static str> {
        let access = access();
        let at = wall("2026-11-23T10:00:00Z");
        let classes = access.classes_of(number, &"extension:1005".parse().unwrap());
        access.refusal(extension, &classes, at, &used).map(|refusal| refusal.reason())
    }

    fn access() -> Access {
        let classes = [
            ("national", "numbers = ['0*']"),
            ("international", "numbers = ['00*']\ncalls_a_day = 3\nminutes_a_day = 10"),
            ("night", "numbers = ['9']\nhours = 'office'"),
        ];
        let classes = classes.map(|(id, text)| (id.into(), toml::from_str(text).unwrap()));
        let office = toml::from_str("open = ['mon-fri 09:00-18:00']").unwrap();
        let hours = BTreeMap::from([(HoursId::from("office"), office)]);
        Access::new(&classes.into(), &BTreeMap::new(), &hours, "UTC")
    }

    fn extension(text: &str) -> Extension {
        toml::from_str(text).unwrap()
    }

    fn wall(text: &str) -> Wall {
        let at: jiff::Timestamp = text.parse().unwrap();
        Wall::from_micros(at.as_microsecond())
    }
}
