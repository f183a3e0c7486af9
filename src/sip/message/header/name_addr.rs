//! Addresses: `From`, `To`, `Contact`, `Route`, `Record-Route`, `Refer-To`, … (RFC 3261 §20.10).

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::Params;
use super::params::begins_params;
use crate::sip::message::text::{find_outside, quoted_end, trim, trim_start};
use crate::sip::message::uri::is_uri_text;
use crate::sip::message::{Name, ParseError, Uri};

/// `"Display" <uri>;params` or `uri;params`.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// Between the quotes, with its backslashes; or the words before the bracket.
    display: &'a str,
    is_quoted: bool,
    uri: &'a str,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value. The URI's inside is read by `uri`.
    ///
    /// # Errors
    ///
    /// `ParseError::Header(name)`: an open quote or bracket, commas in bare words, spaces or other
    /// forbidden bytes in the URI, empty or too many parameters, `?` outside of brackets.
    pub fn parse(name: Name, text: &'a str) -> Result<Self, ParseError> {
        Self::read(trim(text)).ok_or(ParseError::Header(name))
    }

    fn read(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b'"') {
            let end = quoted_end(bytes)?;
            let rest = trim_start(&text[end..]).strip_prefix('<')?;
            return Self::bracketed(&text[1..end - 1], true, rest);
        }
        if let Some(open) = memchr(b'<', bytes) {
            let display = trim(&text[..open]);
            if display.bytes().any(|b| matches!(b, b',' | b';' | b'"' | b'>')) {
                return None;
            }
            return Self::bracketed(display, false, &text[open + 1..]);
        }
        let end = find_outside(bytes, b';').unwrap_or(bytes.len());
        let uri = trim(&text[..end]);
        if !is_uri_text(uri) || memchr2(b',', b'?', uri.as_bytes()).is_some() {
            return None;
        }
        Some(Self { display: "", is_quoted: false, uri, params: Params::parse(&text[end..])? })
    }

    fn bracketed(display: &'a str, is_quoted: bool, rest: &'a str) -> Option<Self> {
        let close = memchr(b'>', rest.as_bytes())?;
        let (uri, after) = (&rest[..close], &rest[close + 1..]);
        if !is_uri_text(uri) || !begins_params(after) {
            return None;
        }
        Some(Self { display, is_quoted, uri, params: Params::parse(after)? })
    }

    /// The display name without quotes and escapes; `None` if there is none or it is empty.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        if self.display.is_empty() {
            return None;
        }
        if !self.is_quoted || memchr(b'\\', self.display.as_bytes()).is_none() {
            return Some(Cow::Borrowed(self.display));
        }
        let mut plain = String::with_capacity(self.display.len());
        let mut chars = self.display.chars();
        while let Some(c) = chars.next() {
            plain.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        Some(Cow::Owned(plain))
    }

    /// The URI as it was written, without brackets; never with spaces, brackets or quotes in it.
    pub const fn uri_text(&self) -> &'a str {
        self.uri
    }

    /// The URI's parts.
    ///
    /// # Errors
    ///
    /// `ParseError::Uri` if it is malformed.
    pub fn uri(&self) -> Result<Uri<'a>, ParseError> {
        Uri::parse(self.uri)
    }

    /// The `tag` parameter; `None` if it is absent or empty.
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }

    /// A header parameter (not one of the URI), without quotes; empty for a flag.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// All header parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The preference `q` in thousandths, 0 to 1000 (RFC 3261 §20.10); `None` if absent or odd.
    pub fn q(&self) -> Option<u16> {
        let text = self.param("q")?;
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let thousandths = part.bytes().chain(*b"000").take(3);
        let part = thousandths.fold(0, |n, b| n * 10 + u16::from(b - b'0'));
        match whole {
            "0" => Some(part),
            "1" if part == 0 => Some(1000),
            _ => None,
        }
    }
}
