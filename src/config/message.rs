//! Sentences for people out of what the TOML reader says: what is wrong; what would be right.

use crate::config::problem::nearest;

/// A mistake in the syntax of the file.
pub fn syntax(message: &str) -> String {
    let said = message.trim().replace('\n', ", ");
    if said.contains("duplicate key") {
        return "this key stands twice; keep one of them".to_owned();
    }
    format!("this is no TOML: {said}")
}

/// A mistake in a value or key; `written` is the value's text, `path` the way to it.
pub fn value(message: &str, written: &str, path: &[String]) -> String {
    told(message, written, kind(written), path)
}

/// A mistake in a variable, whose texts stand without quotes.
pub fn variable(message: &str, written: &str, path: &[String]) -> String {
    let is_text = written.parse::<f64>().is_err()
        && !matches!(written, "true" | "false")
        && !written.trim_start().starts_with(['[', '{']);
    told(message, written, if is_text { "text" } else { kind(written) }, path)
}

fn told(message: &str, written: &str, kind: &str, path: &[String]) -> String {
    let message = message.trim();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(rest, path);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_word(rest, (written, kind), path);
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let key = quoted(rest).next().unwrap_or_default();
        return format!("`{key}` is missing; write `{key} = …` here");
    }
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return match message {
            "invalid IP address syntax" => {
                format!("`{}` is no IP address; write one such as `203.0.113.7`", plain(written))
            }
            "invalid socket address syntax" => format!(
                "`{}` is no address with a port; write one such as `127.0.0.1:8080`",
                plain(written)
            ),
            other => other.to_owned(),
        };
    };
    let secret = path.last().is_some_and(|key| SECRETS.contains(&key.as_str()));
    let is_level = path.iter().any(|key| key == "skills") && expected == "u8";
    let expected = if is_level { "a level" } else { expected };
    unexpected(expected, if secret && !written.is_empty() { "…" } else { written }, kind)
}

/// What a value is by the way it is written.
fn kind(written: &str) -> &'static str {
    match written.as_bytes().first() {
        Some(b'"' | b'\'') => "text",
        Some(b'[') if written.starts_with("[[") || written.ends_with("]\n") => "a table",
        Some(b'[') => "a list",
        Some(b'{') => "a table",
        Some(b't' | b'f') => "a yes or no",
        Some(_) if written.contains('-') && written.len() >= 10 => "a date",
        Some(_) if written.contains(['.', 'e']) => "a fraction",
        Some(_) => "a number",
        None => "a table",
    }
}

/// A value that is not what the key wants.
fn unexpected(expected: &str, written: &str, got: &str) -> String {
    let shown = shorten(written);
    if let Some(range) = range(expected) {
        let wrong = if got == "a number" { "out of range" } else { got };
        return format!("`{shown}` is {wrong}; write {range}");
    }
    if let Some(most) = expected.strip_prefix("a duration of ") {
        return format!("`{shown}` is too long; write \"{most}\" or less");
    }
    match expected {
        "a duration" => {
            format!("`{shown}` is no duration; write \"20s\", \"10m\" or \"1h30m\"")
        }
        "a boolean" => format!("`{shown}` is {got}; write true or false"),
        "a string" if written == "…" => "a secret is text; write it in quotes".to_owned(),
        "a string" if got == "a number" => format!("`{shown}` is {got}; write it as \"{shown}\""),
        "a string" => format!("`{shown}` is {got}; write text in quotes"),
        "a sequence" if got == "text" => {
            let text = plain(&shown);
            format!("`{shown}` is text; write a list, such as [\"{text}\"]")
        }
        "a sequence" if written.starts_with("[[") => {
            let name = written.trim_start_matches('[').split(']').next().unwrap_or_default();
            format!("`{shown}` is a list of tables; write one table, [{name}]")
        }
        "a sequence" if written.starts_with('[') => {
            format!("`{shown}` is one table; write a list of them, [{shown}]")
        }
        "a sequence" => format!("`{shown}` is {got}; write a list, such as [{shown}]"),
        "a map" => format!("`{shown}` is {got}; write a table, such as {{ name = 1 }}"),
        "socket address" => {
            format!("`{shown}` is {got}; write an address with a port such as \"127.0.0.1:8080\"")
        }
        "IP address" => format!("`{shown}` is {got}; write one such as \"203.0.113.7\""),
        _ if expected.starts_with("struct ") => {
            format!("`{shown}` is {got}; write a table, such as [section.name] and its keys")
        }
        _ => format!("`{shown}` is {got}; write {expected}"),
    }
}

/// The numbers of a type that the TOML reader names.
fn range(expected: &str) -> Option<&'static str> {
    match expected {
        "a level" => Some("a level from 1 to 10"),
        "u8" => Some("a number from 0 to 255"),
        "u16" => Some("a number from 0 to 65535"),
        "an integer" | "u32" | "u64" | "usize" | "i64" => Some("a whole number such as 100"),
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

/// A word that is not known, or what is written where a word is wanted.
fn unknown_word(rest: &str, (written, kind): (&str, &str), path: &[String]) -> String {
    let mut names = quoted(rest);
    let word = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let choices = known.iter().map(|known| format!("\"{known}\"")).collect::<Vec<_>>().join(", ");
    if word.is_empty() && kind != "text" {
        return format!("`{}` is {kind}; write one of {choices}", shorten(written));
    }
    let not_built = match path {
        [section, .., key] if key == "record" && section != "media" => word == "on-demand",
        [section, key, ..] if section == "media" && key == "codecs" => word == "opus",
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
