//! What requests and responses share: the buffer, the index of its headers, their values.

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use super::header::{CSeq, NameAddr, Via};
use super::text::{Values, decimal};
use super::{Name, ParseError};

/// A header's place in the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub name: Name,
    pub name_len: u8,
    /// Where the value begins, counted from `start`.
    pub value_after: u16,
    pub start: u32,
    /// Where the value ends, without trailing spaces.
    pub end: u32,
}

impl Line {
    /// Lines that are held without heap.
    pub const INLINE: usize = 24;
}

/// The headers and the body of a message; `Request` and `Response` both give it.
///
/// Cheap to clone: the text is shared.
#[derive(Clone)]
pub struct Headers {
    pub(super) bytes: Bytes,
    pub(super) lines: SmallVec<[Line; Line::INLINE]>,
    pub(super) body_at: usize,
    pub(super) call_id: u16,
    pub(super) cseq: CSeq,
    pub(super) cseq_line: u16,
    pub(super) from: u16,
    pub(super) to: u16,
    /// Missing only in a built request that no transaction has sent yet.
    pub(super) via: Option<u16>,
}

impl Headers {
    /// The value of the first line with this name, without surrounding spaces.
    pub fn header(&self, name: Name) -> Option<&str> {
        self.lines(name).next()
    }

    /// The value of the first line with any name, known or not; case does not count.
    pub fn header_named(&self, name: &str) -> Option<&str> {
        self.lines_named(name).next()
    }

    /// The values of all lines with this name, uncut: for headers whose commas mean something else.
    pub fn lines(&self, name: Name) -> impl Iterator<Item = &str> {
        let same = move |line: &&Line| name != Name::Other && line.name == name;
        self.lines.iter().filter(same).map(|line| self.value(line))
    }

    /// Like `lines`, for any name.
    pub fn lines_named<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let known = Name::of(name.as_bytes());
        self.lines
            .iter()
            .filter(move |line| match known {
                Name::Other => self.name_text(line).eq_ignore_ascii_case(name.as_bytes()),
                known => line.name == known,
            })
            .map(|line| self.value(line))
    }

    /// Every value of a header over all its lines: lists are cut at their commas, other headers
    /// give one value a line.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &str> {
        self.lines(name).flat_map(move |line| Values::new(line, name.is_list()))
    }

    /// Whether a list of words, such as `Supported`, has this one; case does not count.
    pub fn has_value(&self, name: Name, word: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(word))
    }

    /// Every line as name (as written) and value, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let name =
            |line: &Line| (line.start as usize, line.start as usize + line.name_len as usize);
        self.lines.iter().map(move |line| {
            let (at, end) = name(line);
            (self.text(at, end), self.value(line))
        })
    }

    /// The dialog's or registration's name.
    pub fn call_id(&self) -> &str {
        self.value_at(self.call_id)
    }

    pub fn from(&self) -> NameAddr<'_> {
        self.checked_address(Name::From, self.from)
    }

    pub fn to(&self) -> NameAddr<'_> {
        self.checked_address(Name::To, self.to)
    }

    pub fn from_tag(&self) -> Option<&str> {
        self.from().tag()
    }

    pub fn to_tag(&self) -> Option<&str> {
        self.to().tag()
    }

    pub fn cseq(&self) -> CSeq {
        self.cseq
    }

    /// The topmost `Via`.
    ///
    /// # Panics
    ///
    /// In a request that was built without one.
    pub fn via(&self) -> Via<'_> {
        let line = self.via.expect("every received message has a Via");
        let top = Values::new(self.value_at(line), true).next();
        top.and_then(|value| Via::parse(value).ok()).expect("checked when it was read")
    }

    /// Every `Via`, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, ParseError>> {
        self.values(Name::Via).map(Via::parse)
    }

    /// Every `Contact` but the wildcard.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
        self.addresses(Name::Contact).filter(|contact| contact.is_ok() || !self.is_wildcard())
    }

    /// Whether the only contact is `*`: all bindings (RFC 3261 §10.2.2).
    pub fn is_wildcard(&self) -> bool {
        self.values(Name::Contact).eq(["*"])
    }

    /// Every `Route`, topmost first.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
        self.addresses(Name::Route)
    }

    /// Every `Record-Route`, topmost first.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
        self.addresses(Name::RecordRoute)
    }

    /// Every value of a header of addresses, such as `P-Asserted-Identity`.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddr<'_>, ParseError>> {
        self.values(name).map(move |value| NameAddr::parse(name, value))
    }

    /// Hops that are left.
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: not a number from 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, ParseError> {
        let Some(text) = self.header(Name::MaxForwards) else { return Ok(None) };
        let hops = decimal(text).and_then(|hops| u8::try_from(hops).ok());
        hops.map(Some).ok_or(ParseError::Header(Name::MaxForwards))
    }

    /// Seconds of the `Expires` header; more than 2³²−1 counts as that.
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: not a number.
    pub fn expires(&self) -> Result<Option<u32>, ParseError> {
        let Some(text) = self.header(Name::Expires) else { return Ok(None) };
        let seconds = decimal(text).ok_or(ParseError::Header(Name::Expires))?;
        Ok(Some(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    /// Seconds of a `Retry-After`, without its comment and parameters (RFC 3261 §20.33).
    pub fn retry_after(&self) -> Option<u32> {
        let text = self.header(Name::RetryAfter)?;
        let digits = text.split(|letter: char| !letter.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    /// The media type of the body, with its parameters, as written.
    pub fn content_type(&self) -> Option<&str> {
        self.header(Name::ContentType)
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// The wire form. Of a received message: unfolded, in UTF-8, cut to its `Content-Length`.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    fn checked_address(&self, name: Name, line: u16) -> NameAddr<'_> {
        NameAddr::parse(name, self.value_at(line)).expect("checked when it was read")
    }

    pub(super) fn value_at(&self, line: u16) -> &str {
        self.value(&self.lines[usize::from(line)])
    }

    fn value(&self, line: &Line) -> &str {
        let at = line.start as usize + usize::from(line.value_after);
        self.text(at, line.end as usize)
    }

    fn name_text(&self, line: &Line) -> &[u8] {
        &self.bytes[line.start as usize..][..usize::from(line.name_len)]
    }

    /// A piece of the head; it is UTF-8 and cut at ASCII characters.
    pub(super) fn text(&self, at: usize, end: usize) -> &str {
        std::str::from_utf8(&self.bytes[at..end]).expect("the head is UTF-8, cut at ASCII")
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

/// Two messages are the same if their bytes are.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Headers {}
