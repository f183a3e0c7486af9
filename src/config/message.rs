//! Sentences for people out of what the TOML reader says: what is wrong; what would be right.

use std::fmt;

use crate::call::config::SLOTS_MAX;
use crate::config::problem::nearest;
use crate::media::control::PARTIES_MAX;

/// What stands where a mistake is.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub text: &'a str,
    pub kind: Kind,
}

impl Written<'_> {
    /// An empty file.
    pub const NOTHING: Self = Self { text: "", kind: Kind::Table };
}

/// What a value is by the way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Date,
    Fraction,
    List,
    Number,
    /// `{ … }`, or what stands below `[name]`.
    Table,
    /// What stands below `[[name]]`.
    Tables,
    Text,
    YesOrNo,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Date => "a date",
            Self::Fraction => "a fraction",
            Self::List => "a list",
            Self::Number => "a number",
            Self::Table => "a table",
            Self::Tables => "a list of tables",
            Self::Text => "text",
            Self::YesOrNo => "a yes or no",
        })
    }
}

/// A mistake in the syntax of the file.
pub fn syntax(message: &str) -> String {
    let said = message.trim().replace('\n', ", ");
    if said.contains("duplicate key") {
        return "this key stands twice; keep one of them".to_owned();
    }
    format!("this is no TOML: {said}")
}

/// A mistake in a value or key; `path` is the way to it.
pub fn value(message: &str, written: Written<'_>, path: &[String]) -> String {
    let message = message.trim();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(rest, path);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_word(rest, path);
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let key = quoted(rest).next().unwrap_or_default();
        return format!("`{key}` is missing; write `{key} = …` here");
    }
    let expected = message.rsplit_once(", expected ").filter(|_| message.starts_with("invalid "));
    let Some((_, expected)) = expected else {
        let plain = plain(written.text);
        return match message {
            "invalid IP address syntax" => {
                format!("`{plain}` is no IP address; write one such as `203.0.113.7`")
            }
            "invalid socket address syntax" => {
                format!("`{plain}` is no address with a port; write one such as `127.0.0.1:8080`")
            }
            "cannot parse char from empty string" | "too many characters in string" => {
                let key = path.last().map_or("", String::as_str);
                format!("`{key}` is no digit; write one from 0 to 9")
            }
            other => other.to_owned(),
        };
    };
    let secret = path.last().is_some_and(|key| SECRETS.contains(&key.as_str()));
    let is_level = path.iter().any(|key| key == "skills" || key == "prefer") && expected == "u8";
    let expected = if is_level { "a level" } else { expected };
    let text = if secret && !written.text.is_empty() { "…" } else { written.text };
    unexpected(expected, Written { text, ..written }, path)
}

/// A mistake in a variable, whose texts stand without quotes.
pub fn variable(message: &str, written: &str, path: &[String]) -> String {
    let kind = match written.trim_start().as_bytes().first() {
        Some(b'[') => Kind::List,
        Some(b'{') => Kind::Table,
        _ if matches!(written, "true" | "false") => Kind::YesOrNo,
        _ if written.parse::<i64>().is_ok() => Kind::Number,
        _ if written.parse::<f64>().is_ok() => Kind::Fraction,
        _ => Kind::Text,
    };
    value(message, Written { text: written, kind }, path)
}

/// A value that is not what the key wants.
fn unexpected(expected: &str, written: Written<'_>, path: &[String]) -> String {
    let (shown, kind) = (shorten(written.text), written.kind);
    if let Some(range) = range(expected, path) {
        return match kind {
            Kind::Number => format!("`{shown}` is out of range; write {range}"),
            kind => format!("`{shown}` is {kind}; write {range}"),
        };
    }
    if let Some(most) = expected.strip_prefix("a duration of ") {
        return format!("`{shown}` is too long; write \"{most}\" or less");
    }
    let is_table = expected == "a map" || expected.starts_with("struct ");
    match expected {
        _ if is_table => format!("`{shown}` is {kind}; write {}", table(expected, kind, path)),
        "a duration" => {
            format!("`{shown}` is no duration; write \"20s\", \"10m\" or \"1h30m\"")
        }
        "a boolean" => format!("`{shown}` is {kind}; write true or false"),
        "a string" | "path string" if written.text == "…" => {
            "a secret is text; write it in quotes".to_owned()
        }
        "a string" if kind == Kind::Number => {
            format!("`{shown}` is {kind}; write it as \"{shown}\"")
        }
        "a string" | "path string" => format!("`{shown}` is {kind}; write text in quotes"),
        "a sequence" => format!("`{shown}` is {kind}; write {}", list(&shown, kind, path)),
        "socket address" => {
            format!("`{shown}` is {kind}; write an address with a port such as \"127.0.0.1:8080\"")
        }
        "IP address" => format!("`{shown}` is {kind}; write one such as \"203.0.113.7\""),
        _ => format!("`{shown}` is {kind}; write {expected}"),
    }
}

/// How the table is written that is wanted at `path`.
fn table(expected: &str, kind: Kind, path: &[String]) -> String {
    let name = path.join(".");
    let is_listed = |part: &String| part.parse::<usize>().is_ok();
    let is_nameable = path.first().is_some_and(|section| section != "routes")
        && !path.iter().skip(2).any(is_listed);
    match (path, kind) {
        ([_], _) if expected == "a map" => format!("a table for each, [{name}.NAME]"),
        (_, Kind::Tables) => format!("one table, [{name}]"),
        _ if is_nameable => format!("a table, [{name}] and its keys"),
        _ => "a table, { key = … }".to_owned(),
    }
}

/// How the list is written that is wanted at `path`.
fn list(shown: &str, kind: Kind, path: &[String]) -> String {
    let last = path.last().map_or("", String::as_str);
    let of_tables = match path.first().map(String::as_str) {
        Some("queues") => last == "widen",
        Some("routes") => path.len() == 1,
        Some("trunks") => matches!(last, "callers" | "in" | "out"),
        _ => false,
    };
    match kind {
        Kind::Table if of_tables && shown.starts_with('[') => format!("a list of them, [{shown}]"),
        _ if of_tables => "a list of tables, [{ … }]".to_owned(),
        Kind::Text => format!("a list, such as [\"{}\"]", plain(shown)),
        Kind::Number => format!("a list, such as [\"{shown}\"]"),
        _ => format!("a list, such as {last} = [\"…\"]"),
    }
}

/// What a number may be, by the type that the TOML reader names.
fn range(expected: &str, path: &[String]) -> Option<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let limits = match path[..] {
        ["conferences", _, "parties_max"] => Some((2, PARTIES_MAX)),
        ["conferences", _, "speakers_max"] => Some((1, u8::MAX.into())),
        ["media", "spares"] => Some((1, u16::MAX.into())),
        ["park", "slots"] => Some((1, SLOTS_MAX.into())),
        _ => None,
    };
    match (expected, limits) {
        ("a level", _) => Some("a level from 1 to 10".to_owned()),
        (_, Some((least, most))) => Some(format!("a number from {least} to {most}")),
        ("u8", None) => Some("a number from 0 to 255".to_owned()),
        ("u16", None) => Some("a number from 0 to 65535".to_owned()),
        ("an integer" | "u32" | "u64" | "usize" | "i64", None) => {
            Some("a whole number such as 100".to_owned())
        }
        _ => None,
    }
}

fn unknown_key(rest: &str, path: &[String]) -> String {
    let mut names = quoted(rest);
    let key = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    if let Some(what) = not_built(path) {
        return format!("{what} not built yet; leave `{key}` out");
    }
    match nearest(key, known.iter().copied()) {
        Some(meant) => format!("there is no key `{key}` here; did you mean `{meant}`?"),
        None if known.is_empty() => format!("there is no key `{key}` here; leave it out"),
        None => format!("there is no key `{key}` here; there are: {}", known.join(", ")),
    }
}

/// A word that is not known.
fn unknown_word(rest: &str, path: &[String]) -> String {
    let mut names = quoted(rest);
    let word = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let choices = known.iter().map(|known| format!("\"{known}\"")).collect::<Vec<_>>().join(", ");
    let not_built = match path {
        [section, .., key] if key == "record" && section != "media" => word == "on-demand",
        _ => false,
    };
    if not_built {
        return format!("`{word}` is not built yet; write one of {choices}");
    }
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("`{word}` is not known here; did you mean \"{meant}\"?"),
        None => format!("`{word}` is not known here; write one of {choices}"),
    }
}

/// What keys are about that later versions will have.
fn not_built(path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["queues", _, "survey"] => Some("surveys are"),
        ["queues", _, "service_level"] => Some("service levels are"),
        ["queues", _, "announce", "wait"] => Some("announced waiting times are"),
        _ => None,
    }
}

/// The names between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A string's text without its quotes.
fn plain(written: &str) -> &str {
    written.trim_matches(['"', '\''])
}

/// What is written, on one line and not for ever.
fn shorten(written: &str) -> String {
    let line = written.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Characters of a wrong value that a message shows.
const SHOWN_MAX: usize = 40;
/// Keys whose values no message shows.
const SECRETS: [&str; 4] = ["password", "pin", "token", "inbound_password"];
