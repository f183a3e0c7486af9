//! Parameters: `;name=value` (RFC 3261 §7.3.1).

use crate::sip::message::text::{find_outside, is_token, quoted_end, trim, trim_start};
use crate::sip::message::{ADDED_PARAMS_MAX, PARAMS_MAX};

/// The parameters of one header value or URI, in order. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    /// Empty, or from the first semicolon on.
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Checks `;a=b;c` as it stands after the value.
    pub(in crate::sip) fn parse(text: &'a str) -> Option<Self> {
        let params = Self { text: trim(text) };
        let mut rest = params.text;
        let mut count = 0;
        while !rest.is_empty() {
            let inside = rest.strip_prefix(';')?;
            let end = find_outside(inside.as_bytes(), b';').unwrap_or(inside.len());
            let (name, value) = split(&inside[..end]);
            count += 1;
            let is_one = is_token(name.as_bytes()) && value.is_none_or(is_value);
            if !is_one || count > PARAMS_MAX + ADDED_PARAMS_MAX {
                return None;
            }
            rest = &inside[end..];
        }
        Some(params)
    }

    /// Without checks, for text that `parse` or the URI's reader has seen.
    pub(in crate::sip::message) const fn checked(text: &'a str) -> Self {
        Self { text }
    }

    /// As written, from the first semicolon on.
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// The value of the first parameter called `name`, without its quotes; empty for a flag.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names and values (without quotes; empty for a flag).
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            let inside = rest.strip_prefix(';')?;
            let end = find_outside(inside.as_bytes(), b';').unwrap_or(inside.len());
            rest = &inside[end..];
            let (name, value) = split(&inside[..end]);
            Some((name, unquoted(value.unwrap_or(""))))
        })
    }
}

fn split(param: &str) -> (&str, Option<&str>) {
    match param.split_once('=') {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(param), None),
    }
}

/// A token, a host, a quoted string, or nothing (some phones write `rport=`).
fn is_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    if bytes.first() == Some(&b'"') {
        return quoted_end(bytes) == Some(bytes.len());
    }
    !bytes.iter().any(|b| matches!(b, 0..=b' ' | b'"' | b'<' | b'>' | b',' | 0x7f))
}

fn unquoted(value: &str) -> &str {
    match value.strip_prefix('"') {
        Some(inside) => inside.strip_suffix('"').unwrap_or(inside),
        None => value,
    }
}

/// Whether `text` has at most spaces before its first parameter.
pub(super) fn begins_params(text: &str) -> bool {
    let text = trim_start(text);
    text.is_empty() || text.starts_with(';')
}
