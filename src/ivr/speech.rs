//! Spoken numbers: which prompts say a number, a row of digits, a place in a queue.
//!
//! In:       numbers and digits.
//! Out:      prompts in the order in which they are played.
//! Not here: what menus say (`machine`), the audio itself (the folder `prompts`).

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::PromptId;
use crate::time::Duration;

/// A language with prompts of its own, by its BCP 47 name.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Locale {
    /// American English.
    #[serde(rename = "en-US")]
    EnUs,
    /// Mandarin.
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
}

impl Locale {
    /// Every locale.
    pub const ALL: [Self; 2] = [Self::EnUs, Self::ZhCn];

    /// The BCP 47 name, which is also the name of its folder of prompts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnUs => "en-US",
            Self::ZhCn => "zh-CN",
        }
    }
}

/// Why a text names no locale.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no locale `{0}`; there are en-US and zh-CN")]
pub struct LocaleError(String);

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(text: &str) -> Result<Self, LocaleError> {
        Self::ALL
            .into_iter()
            .find(|locale| locale.as_str() == text)
            .ok_or_else(|| LocaleError(text.to_owned()))
    }
}

/// Largest number that is spoken as one; larger ones are spoken digit by digit.
pub const NUMBER_MAX: u32 = 9999;

/// Says a number as a quantity: 1205 is "one thousand two hundred five", 一千两百零五.
pub fn number(locale: Locale, number: u32) -> Vec<PromptId> {
    let mut words = Vec::new();
    match (number, locale) {
        (0, _) => words.push(digit(0)),
        (1..=NUMBER_MAX, Locale::EnUs) => english(number, &mut words),
        (1..=NUMBER_MAX, Locale::ZhCn) => mandarin(number, &mut words),
        _ => return digits(&number.to_string()),
    }
    words
}

/// Says digits one by one; other characters are left out.
pub fn digits(text: &str) -> Vec<PromptId> {
    text.chars().filter_map(|character| character.to_digit(10)).map(digit).collect()
}

/// Says a place in a waiting line, 1 being the next to be answered.
pub fn position(locale: Locale, place: u32) -> Vec<PromptId> {
    let mut words = vec![PromptId::from("position")];
    words.extend(number(locale, place));
    words.push(PromptId::from("position-after"));
    words
}

/// Says how long a wait is going to be: between so many minutes and so many more, of which the
/// latter are at least 1.
pub fn wait(locale: Locale, from_min: u32, to_min: u32) -> Vec<PromptId> {
    if to_min <= 1 {
        return vec![PromptId::from("wait-moment")];
    }
    let mut words = Vec::new();
    if from_min == 0 {
        words.push(PromptId::from("wait-up-to"));
    } else {
        words.push(PromptId::from("wait-estimate"));
        words.extend(counted(locale, from_min));
        words.push(PromptId::from("wait-to"));
    }
    words.extend(counted(locale, to_min));
    words.push(PromptId::from("wait-minutes"));
    words
}

/// Says how long somebody has waited: in tens of seconds below two minutes, in minutes from there
/// on; nothing below ten seconds.
pub fn waited(locale: Locale, wait: Duration) -> Vec<PromptId> {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    let (count, unit) = match seconds {
        ..10 => return Vec::new(),
        10..120 => (seconds / 10 * 10, "agent-seconds"),
        _ => (seconds / 60, "wait-minutes"),
    };
    let mut words = vec![PromptId::from("agent-waited")];
    words.extend(counted(locale, count));
    words.push(PromptId::from(unit));
    words
}

/// Says how many of something there are: two are 两 and not 二.
fn counted(locale: Locale, count: u32) -> Vec<PromptId> {
    match (locale, count) {
        (Locale::ZhCn, 2) => vec![PromptId::from(LIANG)],
        _ => number(locale, count),
    }
}

/// Every prompt that the functions above can name, for checks that they exist.
pub fn words(locale: Locale) -> Vec<PromptId> {
    let tens = match locale {
        Locale::EnUs => (10..20).chain((20..100).step_by(10)).map(whole).collect(),
        Locale::ZhCn => vec![whole(10), PromptId::from(LIANG)],
    };
    let mut words: Vec<_> = (0..10).map(digit).chain(tens).collect();
    words.extend([HUNDRED, THOUSAND, "position", "position-after"].map(PromptId::from));
    words.extend(["agent-seconds", "agent-waited"].map(PromptId::from));
    let wait = ["wait-estimate", "wait-minutes", "wait-moment", "wait-to", "wait-up-to"];
    words.extend(wait.map(PromptId::from));
    words
}

fn english(number: u32, words: &mut Vec<PromptId>) {
    let (thousands, hundreds, rest) = (number / 1000, number / 100 % 10, number % 100);
    if thousands > 0 {
        words.extend([digit(thousands), PromptId::from(THOUSAND)]);
    }
    if hundreds > 0 {
        words.extend([digit(hundreds), PromptId::from(HUNDRED)]);
    }
    match rest {
        0 => {}
        1..10 => words.push(digit(rest)),
        10..20 => words.push(whole(rest)),
        _ => {
            words.push(whole(rest - rest % 10));
            if rest % 10 > 0 {
                words.push(digit(rest % 10));
            }
        }
    }
}

/// One 零 stands for any row of zeros inside; 十 alone begins 10 to 19; 两 is said before 百 and 千.
fn mandarin(number: u32, words: &mut Vec<PromptId>) {
    let mut gap = false;
    for (unit, name) in [(1000, Some(THOUSAND)), (100, Some(HUNDRED)), (10, Some(TEN)), (1, None)] {
        let count = number / unit % 10;
        if count == 0 {
            gap = !words.is_empty();
            continue;
        }
        if gap {
            words.push(digit(0));
            gap = false;
        }
        match (unit, count) {
            (100 | 1000, 2) => words.push(PromptId::from(LIANG)),
            (10, 1) if words.is_empty() => {}
            _ => words.push(digit(count)),
        }
        words.extend(name.map(PromptId::from));
    }
}

fn digit(value: u32) -> PromptId {
    PromptId::from(format!("digit-{value}").as_str())
}

fn whole(value: u32) -> PromptId {
    PromptId::from(format!("number-{value}").as_str())
}

const TEN: &str = "number-10";
const HUNDRED: &str = "number-hundred";
/// 两: two, before a unit.
const LIANG: &str = "number-liang";
const THOUSAND: &str = "number-thousand";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn english_numbers_are_spoken() {
        for (value, said) in [
            (0, "0"),
            (7, "7"),
            (10, "10"),
            (13, "13"),
            (20, "20"),
            (42, "40 2"),
            (100, "1 hundred"),
            (219, "2 hundred 19"),
            (1005, "1 thousand 5"),
            (9999, "9 thousand 9 hundred 90 9"),
            (10_000, "1 0 0 0 0"),
        ] {
            assert_eq!(said_by(Locale::EnUs, value), said, "{value}");
        }
    }

    #[test]
    fn mandarin_numbers_are_spoken() {
        for (value, said) in [
            (0, "0"),
            (2, "2"),
            (10, "10"),
            (12, "10 2"),
            (20, "2 10"),
            (22, "2 10 2"),
            (100, "1 hundred"),
            (105, "1 hundred 0 5"),
            (110, "1 hundred 1 10"),
            (200, "liang hundred"),
            (1000, "1 thousand"),
            (1001, "1 thousand 0 1"),
            (1010, "1 thousand 0 1 10"),
            (1100, "1 thousand 1 hundred"),
            (2002, "liang thousand 0 2"),
            (2222, "liang thousand liang hundred 2 10 2"),
            (10_203, "1 0 2 0 3"),
        ] {
            assert_eq!(said_by(Locale::ZhCn, value), said, "{value}");
        }
    }

    #[test]
    fn digits_are_spoken_one_by_one() {
        let said: Vec<_> = digits("+86-10").iter().map(ToString::to_string).collect();

        assert_eq!(said, ["digit-8", "digit-6", "digit-1", "digit-0"]);
    }

    #[test]
    fn waits_are_spoken_as_ranges() {
        let said = |locale, from, to| {
            let words: Vec<_> = wait(locale, from, to).iter().map(ToString::to_string).collect();
            words.join(" ").replace("digit-", "").replace("number-", "").replace("wait-", "")
        };
        assert_eq!(said(Locale::EnUs, 0, 1), "moment");
        assert_eq!(said(Locale::EnUs, 0, 3), "up-to 3 minutes");
        assert_eq!(said(Locale::EnUs, 15, 25), "estimate 15 to 20 5 minutes");
        assert_eq!(said(Locale::ZhCn, 2, 12), "estimate liang to 10 2 minutes");
    }

    #[test]
    fn what_was_waited_is_spoken_in_seconds_and_minutes() {
        let said = |locale, seconds| {
            let words = waited(locale, Duration::from_secs(seconds));
            let words: Vec<_> = words.iter().map(ToString::to_string).collect();
            words.join(" ").replace("digit-", "").replace("number-", "")
        };
        assert_eq!(said(Locale::EnUs, 9), "");
        assert_eq!(said(Locale::EnUs, 119), "agent-waited 1 hundred 10 agent-seconds");
        assert_eq!(said(Locale::ZhCn, 120), "agent-waited liang wait-minutes");
    }

    #[test]
    fn every_word_is_listed() {
        for locale in Locale::ALL {
            let listed: BTreeSet<_> = words(locale).into_iter().collect();
            let used = (0..=NUMBER_MAX + 1).flat_map(|n| position(locale, n));
            let used: BTreeSet<_> = used
                .chain((0..3).flat_map(|from| wait(locale, from, 2 * from + 1)))
                .chain(wait(locale, 0, 2))
                .chain(waited(locale, Duration::from_secs(10)))
                .collect();
            assert_eq!(listed, used);
            assert_eq!(locale.as_str().parse(), Ok(locale));
        }
        assert_eq!("de-DE".parse::<Locale>(), Err(LocaleError("de-DE".to_owned())));
    }

    fn said_by(locale: Locale, value: u32) -> String {
        let words: Vec<_> = number(locale, value)
            .iter()
            .map(|word| word.as_str().replace("digit-", "").replace("number-", ""))
            .collect();
        words.join(" ")
    }
}
