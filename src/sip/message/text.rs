//! Characters and lists, as all headers write them (RFC 3261 §25.1).

use memchr::{memchr, memchr2, memchr3};

/// Whether a byte may stand in a token.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

pub(super) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_token_byte(*b))
}

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without the spaces and tabs at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The position after the closing quote of `text`, which starts with a quote.
pub(super) fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// The first `separator` outside quotes and angle brackets.
///
/// What is opened and not closed reaches to the end.
pub(super) fn find_outside(text: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + memchr3(b'"', b'<', separator, text.get(at..)?)?;
        at = match text[found] {
            b'"' => found + quoted_end(&text[found..])?,
            b'<' => found + memchr(b'>', &text[found..])? + 1,
            _ => return Some(found),
        };
    }
}

/// The values of a list; empty ones are left out (RFC 3261 §7.3.1 has none).
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: Option<&'a str>,
    is_list: bool,
}

impl<'a> Values<'a> {
    pub(super) fn new(text: &'a str, is_list: bool) -> Self {
        Self { rest: Some(text), is_list }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.rest.take()?;
            let comma = if self.is_list { find_outside(text.as_bytes(), b',') } else { None };
            let value = match comma {
                Some(comma) => {
                    self.rest = Some(&text[comma + 1..]);
                    trim(&text[..comma])
                }
                None => trim(text),
            };
            if !value.is_empty() {
                return Some(value);
            }
        }
    }
}

/// The number that decimal digits write; more than `u64` holds counts as `u64::MAX`.
pub(super) fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.bytes().fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0'))))
}
