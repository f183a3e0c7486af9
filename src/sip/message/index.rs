//! Finds the lines of a message, and checks what every reader relies on.

use bytes::{Buf as _, Bytes};
use memchr::{memchr2, memmem};
use smallvec::SmallVec;

use super::header::{CSeq, NameAddr, Params, Via};
use super::headers::{Headers, Line};
use super::normal::normalised;
use super::text::{Values, decimal, is_blank, is_token, is_token_byte};
use super::uri::is_uri_text;
use super::{HEADERS_MAX, MESSAGE_BYTES_MAX, Method, Name, PARAMS_MAX, ParseError};

/// The first line, as positions in the message.
pub(super) enum StartLine {
    Request(RequestLine),
    Response(StatusLine),
}

/// `METHOD uri SIP/2.0`; the method's text ends one byte before the URI.
#[derive(Clone)]
pub(super) struct RequestLine {
    pub method: Method,
    pub uri_at: u32,
    pub uri_end: u32,
}

/// `SIP/2.0 status reason`.
#[derive(Clone)]
pub(super) struct StatusLine {
    pub status: u16,
    pub reason_at: u32,
    pub reason_end: u32,
}

/// Reads what came from the network.
pub(super) fn received(mut bytes: Bytes) -> Result<(StartLine, Headers), ParseError> {
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    bytes.advance(blank);
    if bytes.is_empty() {
        return Err(ParseError::Empty);
    }
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(ParseError::TooLong { size: bytes.len() });
    }
    if let Some(lines) = find_lines(&bytes, HEADERS_MAX)?
        && std::str::from_utf8(&bytes[..lines.body_at]).is_ok()
    {
        return read(bytes, lines, true);
    }
    let bytes = normalised(&bytes).ok_or(ParseError::LineEnd { at: bytes.len() })?;
    let lines = find_lines(&bytes, HEADERS_MAX)?.ok_or(ParseError::HeaderLine { at: 0 })?;
    read(bytes, lines, true)
}

/// Reads what the builder wrote: the limits for received messages do not hold,
/// and the `Via` may be missing.
pub(super) fn built(bytes: Bytes) -> Result<(StartLine, Headers), ParseError> {
    let lines = find_lines(&bytes, usize::MAX)?.ok_or(ParseError::HeaderLine { at: 0 })?;
    read(bytes, lines, false)
}

struct Lines {
    /// Where the first line ends.
    start_end: usize,
    headers: SmallVec<[Line; Line::INLINE]>,
    body_at: usize,
}

/// Cuts the head into lines; `None` if one of them is folded.
fn find_lines(text: &[u8], lines_max: usize) -> Result<Option<Lines>, ParseError> {
    let start_end = line_end(text, 0)?;
    let mut at = start_end + 2;
    let mut headers = SmallVec::new();
    loop {
        let end = line_end(text, at)?;
        if end == at {
            return Ok(Some(Lines { start_end, headers, body_at: end + 2 }));
        }
        if is_blank(text[at]) {
            return Ok(None);
        }
        if headers.len() == lines_max {
            return Err(ParseError::HeadersMany);
        }
        headers.push(header_line(text, at, end).ok_or(ParseError::HeaderLine { at })?);
        at = end + 2;
    }
}

/// Where the line that begins at `at` has its CR LF.
fn line_end(text: &[u8], at: usize) -> Result<usize, ParseError> {
    let rest = text.get(at..).unwrap_or(&[]);
    let Some(found) = memchr2(b'\r', b'\n', rest) else {
        return Err(ParseError::LineEnd { at });
    };
    if rest[found] == b'\r' && rest.get(found + 1) == Some(&b'\n') {
        return Ok(at + found);
    }
    Err(ParseError::LineEnd { at })
}

/// Reads `Name : value`, which spans from `at` to `end`.
fn header_line(text: &[u8], at: usize, end: usize) -> Option<Line> {
    let line = &text[at..end];
    let name_len = line.iter().position(|b| !is_token_byte(*b))?;
    let colon = name_len + line[name_len..].iter().position(|b| !is_blank(*b))?;
    if name_len == 0 || line[colon] != b':' {
        return None;
    }
    let after = &line[colon + 1..];
    let skipped = after.iter().position(|b| !is_blank(*b)).unwrap_or(after.len());
    let trailing = after[skipped..].iter().rev().position(|b| !is_blank(*b)).unwrap_or(0);
    Some(Line {
        name: Name::of(&line[..name_len]),
        name_len: u8::try_from(name_len).ok()?,
        value_after: u16::try_from(colon + 1 + skipped).ok()?,
        start: u32::try_from(at).ok()?,
        end: u32::try_from(end - trailing).ok()?,
    })
}

fn read(bytes: Bytes, lines: Lines, has_via: bool) -> Result<(StartLine, Headers), ParseError> {
    let start = start_line(&bytes[..lines.start_end])?;
    let mut places = Places::default();
    for (i, line) in lines.headers.iter().enumerate() {
        places.note(i, line.name)?;
    }
    let mut headers = Headers {
        bytes,
        lines: lines.headers,
        body_at: lines.body_at,
        call_id: places.call_id.ok_or(ParseError::Missing(Name::CallId))?,
        cseq: CSeq { number: 0, method: Method::Other },
        cseq_line: places.cseq.ok_or(ParseError::Missing(Name::CSeq))?,
        from: places.from.ok_or(ParseError::Missing(Name::From))?,
        to: places.to.ok_or(ParseError::Missing(Name::To))?,
        via: places.via,
    };
    if has_via && headers.via.is_none() {
        return Err(ParseError::Missing(Name::Via));
    }
    check(&start, &mut headers, has_via)?;
    if let Some(length) = places.content_length {
        cut_body(&mut headers, length)?;
    }
    Ok((start, headers))
}

/// Checks the values that accessors give without a `Result`.
fn check(start: &StartLine, headers: &mut Headers, received: bool) -> Result<(), ParseError> {
    let call_id = headers.value_at(headers.call_id);
    if call_id.is_empty() || !call_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ParseError::Header(Name::CallId));
    }
    let leaves_room = |params: Params<'_>| !received || params.iter().count() <= PARAMS_MAX;
    for (name, line) in [(Name::From, headers.from), (Name::To, headers.to)] {
        let address = NameAddr::parse(name, headers.value_at(line))?;
        if !leaves_room(address.params()) {
            return Err(ParseError::Header(name));
        }
    }
    if let Some(line) = headers.via {
        let top = Values::new(headers.value_at(line), true).next();
        let via = Via::parse(top.ok_or(ParseError::Header(Name::Via))?)?;
        if !leaves_room(via.params()) {
            return Err(ParseError::Header(Name::Via));
        }
    }
    let (cseq, method) = CSeq::parse(headers.value_at(headers.cseq_line))?;
    if let StartLine::Request(line) = start {
        let given = &headers.bytes[..line.uri_at as usize - 1];
        if given != method.as_bytes() {
            return Err(ParseError::CSeqMethod { known: line.method != Method::Other });
        }
    }
    headers.cseq = cseq;
    Ok(())
}

fn cut_body(headers: &mut Headers, line: u16) -> Result<(), ParseError> {
    let wrong = ParseError::Header(Name::ContentLength);
    let said = decimal(headers.value_at(line)).ok_or(wrong)?;
    let size = headers.bytes.len() - headers.body_at;
    let said = usize::try_from(said).unwrap_or(usize::MAX);
    if said > size {
        return Err(ParseError::BodyShort { said, size });
    }
    headers.bytes.truncate(headers.body_at + said);
    Ok(())
}

/// On which line each essential header first stands.
#[derive(Default)]
struct Places {
    call_id: Option<u16>,
    content_length: Option<u16>,
    content_type: Option<u16>,
    cseq: Option<u16>,
    from: Option<u16>,
    max_forwards: Option<u16>,
    to: Option<u16>,
    via: Option<u16>,
}

impl Places {
    fn note(&mut self, line: usize, name: Name) -> Result<(), ParseError> {
        let place = match name {
            Name::CSeq => &mut self.cseq,
            Name::CallId => &mut self.call_id,
            Name::ContentLength => &mut self.content_length,
            Name::ContentType => &mut self.content_type,
            Name::From => &mut self.from,
            Name::MaxForwards => &mut self.max_forwards,
            Name::To => &mut self.to,
            Name::Via => &mut self.via,
            _ => return Ok(()),
        };
        match place {
            Some(_) if name.is_single() => Err(ParseError::Duplicate(name)),
            Some(_) => Ok(()),
            None => {
                *place = Some(u16::try_from(line).map_err(|_| ParseError::HeadersMany)?);
                Ok(())
            }
        }
    }
}

fn start_line(line: &[u8]) -> Result<StartLine, ParseError> {
    if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
        return status_line(rest, line.len()).ok_or(ParseError::StartLine);
    }
    let method_end = line.iter().position(|b| *b == b' ').ok_or(ParseError::StartLine)?;
    let version_at = line.iter().rposition(|b| *b == b' ').ok_or(ParseError::StartLine)?;
    let method = &line[..method_end];
    if !is_token(method) || version_at <= method_end {
        return Err(ParseError::StartLine);
    }
    let version = &line[version_at + 1..];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let is_sip = version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"));
        return Err(if is_sip { ParseError::Version } else { ParseError::Uri });
    }
    let uri = std::str::from_utf8(&line[method_end + 1..version_at]);
    if !uri.is_ok_and(is_uri_text) {
        return Err(ParseError::Uri);
    }
    Ok(StartLine::Request(RequestLine {
        method: Method::of(method),
        uri_at: u32::try_from(method_end + 1).map_err(|_| ParseError::StartLine)?,
        uri_end: u32::try_from(version_at).map_err(|_| ParseError::StartLine)?,
    }))
}

/// Reads `200 OK`; the reason, and the space before it, may be missing.
fn status_line(rest: &[u8], end: usize) -> Option<StartLine> {
    let digits = rest.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || rest.get(3).is_some_and(|b| *b != b' ') {
        return None;
    }
    let status = digits.iter().fold(0, |n, b| n * 10 + u16::from(b - b'0'));
    if !(100..700).contains(&status) {
        return None;
    }
    let reason_at = (end - rest.len() + 4).min(end);
    Some(StartLine::Response(StatusLine {
        status,
        reason_at: u32::try_from(reason_at).ok()?,
        reason_end: u32::try_from(end).ok()?,
    }))
}

/// Where the head ends: after the empty line.
pub(super) fn head_end(text: &[u8]) -> Option<usize> {
    memmem::find(text, b"\r\n\r\n").map(|at| at + 4)
}
