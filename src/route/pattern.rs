//! Patterns of numbers: exact `4008001234`, prefix `400*`, expression `~^0(\d+)$`.
//!
//! Expressions are matched in time linear in the number's length, whatever they say.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Which numbers a rule is about.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// This number alone.
    Exact(String),
    /// Numbers in which the expression matches somewhere.
    Expression(Box<Regex>),
    /// Numbers that begin so; every number if empty.
    Prefix(String),
}

impl Pattern {
    /// Whether `number` is one of those meant.
    pub fn matches(&self, number: &str) -> bool {
        match self {
            Self::Exact(exact) => number == exact,
            Self::Expression(regex) => {
                number.len() <= NUMBER_BYTES_MAX && regex.is_match(number.as_bytes())
            }
            Self::Prefix(prefix) => number.starts_with(prefix.as_str()),
        }
    }

    /// `number` with its match replaced: `$1` in `with` is the first group of an expression; of the
    /// other forms the whole number is replaced. `None` if it does not match.
    pub fn replace(&self, number: &str, with: &str) -> Option<String> {
        if !self.matches(number) {
            return None;
        }
        match self {
            Self::Exact(_) | Self::Prefix(_) => Some(with.to_owned()),
            Self::Expression(regex) => {
                let changed = regex.replace(number.as_bytes(), with.as_bytes());
                Some(String::from_utf8_lossy(&changed).into_owned())
            }
        }
    }

    /// Whether it certainly matches every number that `other` matches; `false` if that is unclear.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Prefix(a), Self::Exact(b) | Self::Prefix(b)) => b.starts_with(a.as_str()),
            (Self::Prefix(a), Self::Expression(_)) => a.is_empty(),
            (Self::Expression(_), Self::Exact(b)) => self.matches(b),
            (Self::Expression(a), Self::Expression(b)) => a.as_str() == b.as_str(),
            (Self::Exact(_), _) | (Self::Expression(_), Self::Prefix(_)) => false,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Expression(regex) => write!(f, "~{}", regex.as_str()),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if let Some(expression) = text.strip_prefix('~') {
            let regex = RegexBuilder::new(expression)
                .unicode(false) // `\d` is 0 to 9
                .size_limit(REGEX_BYTES_MAX)
                .dfa_size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|error| PatternError::Expression(reason(&error)))?;
            return Ok(Self::Expression(Box::new(regex)));
        }
        let wrong = || PatternError::Malformed(text.to_owned());
        let stem = text.strip_suffix('*').unwrap_or(text);
        // A feature code begins with `*`; anywhere else it is a mistake.
        let stem_wrong = stem.chars().skip(1).any(|key| key == '*')
            || stem.chars().any(|key| key.is_whitespace() || "?[](){}^$\\|".contains(key));
        if text.is_empty() || stem_wrong {
            return Err(wrong());
        }
        if stem.len() == text.len() {
            Ok(Self::Exact(stem.to_owned()))
        } else {
            Ok(Self::Prefix(stem.to_owned()))
        }
    }
}

/// The last line of what the expression's compiler says; the lines before draw the place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    #[error("the expression cannot be read: {0}; write one such as `~^0\\d+$`")]
    Expression(String),
    #[error("`{0}` is no number pattern; write `4008001234`, `400*` or `~^400\\d+$`")]
    Malformed(String),
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes; write several routes")]
    TooLong,
}

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 512;
/// The longest number that an expression looks at, in bytes; longer ones do not match.
pub const NUMBER_BYTES_MAX: usize = 256;
/// What one compiled expression may take, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_matches_its_numbers() {
        assert!(pattern("600").matches("600"));
        assert!(!pattern("600").matches("6001"));
        assert!(pattern("400*").matches("4008001234"));
        assert!(pattern("400*").matches("400"));
        assert!(!pattern("400*").matches("40"));
        assert!(pattern("*").matches("anything"));
        assert!(pattern(r"~^0(\d+)$").matches("013800138000"));
        assert!(!pattern(r"~^0(\d+)$").matches("0x"));
        assert!(!pattern(r"~^\d+$").matches("٣٤"));
        assert!(pattern("~^1.*9$").matches("1009"));
        assert!(pattern("*43").matches("*43"));
    }

    #[test]
    fn a_pattern_that_would_never_match_is_refused() {
        for text in ["", "4?0", "40*0", "^400$", "4 00"] {
            assert_eq!(text.parse::<Pattern>(), Err(PatternError::Malformed(text.to_owned())));
        }
        assert!(matches!("~(".parse::<Pattern>(), Err(PatternError::Expression(_))));
        assert_eq!("1".repeat(600).parse::<Pattern>(), Err(PatternError::TooLong));
    }

    #[test]
    fn an_expression_that_would_eat_memory_is_refused() {
        assert!(matches!(r"~(\w{500}){500}".parse::<Pattern>(), Err(PatternError::Expression(_))));
    }

    #[test]
    fn covering_is_claimed_only_when_certain() {
        assert!(pattern("*").covers(&pattern("~^1")));
        assert!(pattern("10*").covers(&pattern("100*")));
        assert!(!pattern("100*").covers(&pattern("10*")));
        assert!(pattern("~^1").covers(&pattern("1001")));
        assert!(!pattern("~^1").covers(&pattern("1*")));
    }

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }
}
