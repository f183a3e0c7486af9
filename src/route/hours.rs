//! Opening hours: on which days, from when to when, on the clock of a time zone.
//!
//! Times are what a clock on the wall shows, so a day of 23 or 25 hours needs no care. A range over
//! midnight belongs to the day it begins on. Zones come from the database built into the program.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::route::config::Hours;
use crate::time::Wall;

/// `[hours.X]` with its zone looked up.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    open: Vec<Open>,
    closed: Vec<Closed>,
}

impl Calendar {
    /// `zone_default` is used if the hours name no zone.
    ///
    /// # Errors
    ///
    /// If the zone is not in the database.
    pub fn new(hours: &Hours, zone_default: &str) -> Result<Self, HoursError> {
        let zone = zone(hours.zone.as_deref().unwrap_or(zone_default))?;
        Ok(Self { zone, open: hours.open.clone(), closed: hours.closed.clone() })
    }

    /// Whether it is open at this moment.
    pub fn is_open(&self, at: Wall) -> bool {
        let Some(now) = self.clock(at) else { return false };
        let minute = minute_of(now);
        let yesterday = now.date().yesterday().ok();
        self.spans(now.date()).any(|span| span.has(minute))
            || yesterday.is_some_and(|day| self.spans(day).any(|span| span.reaches(minute)))
    }

    /// The next moment, `at` or later, at which it is open; none within a year.
    pub fn opens(&self, at: Wall) -> Option<Wall> {
        if self.is_open(at) {
            return Some(at);
        }
        let mut day = self.clock(at)?.date();
        for _ in 0..DAYS_MAX {
            let begins = self.spans(day).filter_map(|span| self.begins(day, span));
            let next = begins.filter(|begin| *begin > at && self.is_open(*begin)).min();
            if next.is_some() {
                return next;
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn begins(&self, day: Date, span: Span) -> Option<Wall> {
        let (hour, minute) = (span.from / 60, span.from % 60);
        let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
        let zoned = day.at(hour, minute, 0, 0).to_zoned(self.zone.clone()).ok()?;
        Some(Wall::from_micros(zoned.timestamp().as_microsecond()))
    }

    /// What the clock on the wall shows, such as `Sun 2026-11-22 09:30`.
    pub fn clock_text(&self, at: Wall) -> String {
        match self.clock(at) {
            Some(now) => now.strftime("%a %Y-%m-%d %H:%M").to_string(),
            None => at.to_string(),
        }
    }

    /// The day on the wall, such as `2026-11-22`.
    pub fn day_text(&self, at: Wall) -> String {
        self.clock(at).map_or_else(|| at.to_string(), |now| now.date().to_string())
    }

    fn clock(&self, at: Wall) -> Option<DateTime> {
        let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
        Some(self.zone.to_datetime(at))
    }

    /// What is open on `day`: nothing if closed, else what its date says, else its weekday.
    fn spans(&self, day: Date) -> impl Iterator<Item = Span> {
        let closed = self.closed.iter().any(|closed| closed.0.has(day));
        let dated = self.open.iter().any(|open| open.days.is_dated() && open.days.has(day));
        self.open
            .iter()
            .filter(move |open| !closed && open.days.is_dated() == dated && open.days.has(day))
            .flat_map(|open| open.spans.iter().copied())
    }
}

/// A time zone of the IANA database.
///
/// # Errors
///
/// If there is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, HoursError> {
    TimeZone::get(name).map_err(|_| HoursError::Zone(name.to_owned()))
}

/// One line of `open`: `mon-fri 09:00-12:00,13:00-18:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    days: Days,
    spans: Vec<Span>,
    text: String,
}

impl FromStr for Open {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let wrong = || HoursError::Open(text.to_owned());
        let (days, spans) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let days = Days::read(days).ok_or_else(wrong)?;
        let spans: Option<Vec<_>> = spans.split(',').map(|span| Span::read(span.trim())).collect();
        Ok(Self { days, spans: spans.ok_or_else(wrong)?, text: text.to_owned() })
    }
}

/// One line of `closed`: `2026-10-01..2026-10-07`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed(Days, String);

impl FromStr for Closed {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let days = Days::read(text.trim()).filter(Days::is_dated);
        Ok(Self(days.ok_or_else(|| HoursError::Closed(text.to_owned()))?, text.to_owned()))
    }
}

/// The days that a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// From the first to the last, both included.
    Dates(Date, Date),
    /// Monday is bit 0.
    Weekdays(u8),
}

impl Days {
    fn read(text: &str) -> Option<Self> {
        if text == "daily" {
            return Some(Self::Weekdays(0x7f));
        }
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let (first, last) = text.split_once("..").unwrap_or((text, text));
            let (first, last) = (read_date(first)?, read_date(last)?);
            return (first <= last).then_some(Self::Dates(first, last));
        }
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (weekday(first)?, weekday(last)?);
            days |= 1 << day;
            while day != last {
                day = (day + 1) % 7;
                days |= 1 << day;
            }
        }
        Some(Self::Weekdays(days))
    }

    fn is_dated(&self) -> bool {
        matches!(self, Self::Dates(..))
    }

    fn has(&self, day: Date) -> bool {
        match self {
            Self::Dates(first, last) => (*first..=*last).contains(&day),
            Self::Weekdays(days) => {
                days & (1 << day.weekday().to_monday_zero_offset().unsigned_abs()) != 0
            }
        }
    }
}

/// `2026-10-01`, and nothing else that a date parser may take.
fn read_date(text: &str) -> Option<Date> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.len() == 10 && digits == 8 { text.parse().ok() } else { None }
}

/// Days since Monday.
fn weekday(name: &str) -> Option<u8> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    debug_assert_eq!(Weekday::Monday.to_monday_zero_offset(), 0);
    NAMES.iter().position(|day| name.eq_ignore_ascii_case(day)).map(|day| day as u8)
}

/// Minutes of the day; one that does not end after it begins ends on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u16,
    until: u16,
}

impl Span {
    fn read(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let (from, until) = (read_minute(from)?, read_minute(until)?);
        (from < DAY && from != until).then_some(Self { from, until })
    }

    /// Whether `minute` of the day it begins on is inside.
    fn has(self, minute: u16) -> bool {
        minute >= self.from && (minute < self.until || self.until < self.from)
    }

    /// Whether `minute` of the day after is inside.
    fn reaches(self, minute: u16) -> bool {
        self.until < self.from && minute < self.until
    }
}

/// `09:30`, up to `24:00`.
fn read_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| {
        let good = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| good)
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

fn minute_of(now: DateTime) -> u16 {
    u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs())
}

/// Reads a text inside the reader, so that a mistake is found at its place in a list.
struct Read<T>(PhantomData<T>);

impl<T: FromStr<Err = HoursError>> Visitor<'_> for Read<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! text {
    ($name:ident, $text:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.$text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Read(PhantomData))
            }
        }
    };
}

text!(Open, text);
text!(Closed, 1);

/// Why a text is no time.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HoursError {
    #[error("`{0}` is no date; write `2026-12-25` or `2026-10-01..2026-10-07`")]
    Closed(String),
    #[error("`{0}` is no opening time; write `mon-fri 09:00-18:00` or `2026-12-24 09:00-12:00`")]
    Open(String),
    #[error("`{0}` is no time zone; write an IANA name such as `Asia/Shanghai` or `UTC`")]
    Zone(String),
}

/// Days that are looked at for the next that is open.
const DAYS_MAX: u32 = 366;
/// Minutes of a day.
const DAY: u16 = 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_and_closed_dates_decide() {
        let office = calendar(
            &["mon-fri 09:00-12:00,13:00-18:00", "sat 10:00-16:00"],
            &["2026-10-01..2026-10-07"],
            "Asia/Shanghai",
        );

        assert!(open(&office, "2026-11-23T09:00")); // a Monday
        assert!(!open(&office, "2026-11-23T08:59"));
        assert!(!open(&office, "2026-11-23T12:30"));
        assert!(!open(&office, "2026-11-23T18:00"));
        assert!(open(&office, "2026-11-28T15:59"));
        assert!(!open(&office, "2026-11-22T12:00"));
        assert!(!open(&office, "2026-10-01T10:00"));
        assert!(!open(&office, "2026-10-07T10:00"));
        assert!(open(&office, "2026-10-08T10:00"));
    }

    #[test]
    fn the_next_opening_is_found() {
        let office = calendar(
            &["mon-fri 09:00-12:00,13:00-18:00"],
            &["2026-10-01..2026-10-07"],
            "Asia/Shanghai",
        );
        let opens = |at: &str| {
            let at = at.parse::<jiff::civil::DateTime>().unwrap();
            let at = at.to_zoned(TimeZone::get("Asia/Shanghai").unwrap()).unwrap();
            let at = Wall::from_micros(at.timestamp().as_microsecond());
            office.clock_text(office.opens(at).unwrap())
        };

        assert_eq!(opens("2026-11-23T09:30"), "Mon 2026-11-23 09:30");
        assert_eq!(opens("2026-11-23T12:00"), "Mon 2026-11-23 13:00");
        assert_eq!(opens("2026-11-27T18:00"), "Mon 2026-11-30 09:00");
        assert_eq!(opens("2026-09-30T20:00"), "Thu 2026-10-08 09:00");
        let never = Calendar::new(&Hours::default(), "UTC").unwrap();
        assert_eq!(never.opens(Wall::from_micros(0)), None);
    }

    #[test]
    fn a_date_replaces_its_weekday() {
        let shop = calendar(&["daily 09:00-18:00", "2026-12-24 09:00-12:00"], &[], "UTC");

        assert!(open(&shop, "2026-12-24T11:00"));
        assert!(!open(&shop, "2026-12-24T13:00"));
        assert!(open(&shop, "2026-12-23T13:00"));
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let bar = calendar(&["fri 22:00-02:00"], &["2026-11-28"], "UTC");

        assert!(open(&bar, "2026-11-27T23:00")); // a Friday
        assert!(open(&bar, "2026-11-28T01:59")); // Saturday is closed, the night goes on
        assert!(!open(&bar, "2026-11-28T02:00"));
        assert!(!open(&bar, "2026-11-27T01:00"));
        assert!(!open(&bar, "2026-11-28T23:00"));
    }

    #[test]
    fn weekday_ranges_may_pass_sunday() {
        let weekend = calendar(&["sat-mon 00:00-24:00"], &[], "UTC");

        assert!(open(&weekend, "2026-11-22T23:59")); // a Sunday
        assert!(open(&weekend, "2026-11-23T00:00"));
        assert!(!open(&weekend, "2026-11-24T00:00"));
    }

    /// In Berlin the clock shows 02:00 to 02:59 twice on 2026-10-25 and never on 2026-03-29.
    #[test]
    fn days_of_23_and_25_hours_open_by_the_clock() {
        let early = calendar(&["sun 02:00-03:00"], &[], "Europe/Berlin");
        let at = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            early.is_open(Wall::from_micros(at.as_microsecond()))
        };

        assert!(!at("2026-10-24T23:59:59Z"));
        assert!(at("2026-10-25T00:00:00Z"));
        assert!(at("2026-10-25T01:59:59Z"));
        assert!(!at("2026-10-25T02:00:00Z"));
        assert!(!at("2026-03-29T00:59:59Z"));
        assert!(!at("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "mon-fri",
            "mon-fri 9-18",
            "mon-fri 09:00-25:00",
            "mon-fri 09:00-09:00",
            "monday 09:00-18:00",
            "mon-fri 09:60-18:00",
            "24:00-25:00",
            "2026-02-30 09:00-18:00",
            "2026-10-07..2026-10-01 09:00-18:00",
        ] {
            assert_eq!(text.parse::<Open>(), Err(HoursError::Open(text.to_owned())), "{text}");
        }
        for text in ["mon", "2026-13-01", "2026-10-01-2026-10-07", ""] {
            assert_eq!(text.parse::<Closed>(), Err(HoursError::Closed(text.to_owned())), "{text}");
        }
        assert!(Calendar::new(&Hours::default(), "Asia/Shangai").is_err());
    }

    fn calendar(open: &[&str], closed: &[&str], zone: &str) -> Calendar {
        let hours = Hours {
            closed: closed.iter().map(|text| text.parse().unwrap()).collect(),
            open: open.iter().map(|text| text.parse().unwrap()).collect(),
            zone: Some(zone.to_owned()),
        };
        Calendar::new(&hours, "UTC").unwrap()
    }

    fn open(calendar: &Calendar, clock: &str) -> bool {
        let clock: DateTime = clock.parse().unwrap();
        let at = clock.to_zoned(calendar.zone.clone()).unwrap().timestamp();
        calendar.is_open(Wall::from_micros(at.as_microsecond()))
    }
}
