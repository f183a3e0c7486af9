//! A request.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, Range};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::Builder;
use super::header::Via;
use super::headers::Headers;
use super::index::{self, RequestLine, StartLine};
use super::text::find_outside;
use super::{Host, Message, Method, ParseError, Uri};

/// A request: its line, and through `Deref` its headers and body.
#[derive(Clone)]
pub struct Request {
    line: RequestLine,
    headers: Headers,
}

impl Request {
    pub(super) fn new(line: RequestLine, headers: Headers) -> Self {
        Self { line, headers }
    }

    /// Starts a request; bytes that cannot stand in a URI are escaped.
    pub fn build(method: Method, uri: &str) -> Builder {
        Builder::request_line(method, uri)
    }

    pub(super) fn from_built(bytes: Bytes) -> Self {
        match index::built(bytes) {
            Ok((StartLine::Request(line), headers)) => Self { line, headers },
            Ok((StartLine::Response(_), _)) => panic!("a response was built as a request"),
            Err(error) => panic!("a request was built wrong: {error}"),
        }
    }

    pub fn method(&self) -> Method {
        self.line.method
    }

    /// The method as written, also when it is none that Strowger knows.
    pub fn method_text(&self) -> &str {
        self.text(0, self.line.uri_at as usize - 1)
    }

    /// The Request-URI as written.
    pub fn uri_text(&self) -> &str {
        self.text(self.line.uri_at as usize, self.line.uri_end as usize)
    }

    /// The Request-URI's parts.
    ///
    /// # Errors
    ///
    /// `ParseError::Uri` if it is malformed.
    pub fn uri(&self) -> Result<Uri<'_>, ParseError> {
        Uri::parse(self.uri_text())
    }

    /// A copy with another `Via` on top: what a client transaction sends.
    pub fn with_via(&self, value: &str) -> Self {
        let at = self.headers.bytes.iter().position(|b| *b == b'\n').map_or(0, |lf| lf + 1);
        Self::from_built(self.bytes_with(at..at, &format!("Via: {value}\r\n")))
    }

    /// A copy for another Request-URI, through these proxies first (RFC 3261 §16.6).
    pub fn forwarded_to(&self, uri: &str, route: &[String]) -> Self {
        let (at, end) = (self.line.uri_at as usize, self.line.uri_end as usize);
        let line = self.headers.bytes.iter().position(|b| *b == b'\n').map_or(end, |lf| lf + 1);
        let mut text = format!("{uri}{}", self.text(end, line));
        for proxy in route {
            text += &format!("Route: {proxy}\r\n");
        }
        Self::from_built(self.bytes_with(at..line, &text))
    }

    /// A copy whose top `Via` says where the request came from, so that responses copy it.
    ///
    /// `received` is set if the sender's own address is another or `rport` asks for it; a value
    /// the sender wrote there itself does not survive (RFC 3261 §18.2.1, RFC 3581 §4).
    ///
    /// # Panics
    ///
    /// If it was built without a `Via`.
    pub fn received_from(&self, source: SocketAddr) -> Self {
        let ip = source.ip().to_canonical();
        let via = self.via();
        if !needs_source(&via, ip, source.port()) {
            return self.clone();
        }
        let line = usize::from(self.headers.via.expect("via() gave it"));
        let line = &self.headers.lines[line];
        let value_at = line.start as usize + usize::from(line.value_after);
        let line = self.text(value_at, line.end as usize);
        let blank = line.len() - line.trim_start_matches([' ', '\t', ',']).len();
        let end = find_outside(&line.as_bytes()[blank..], b',').map_or(line.len(), |at| blank + at);
        let place = value_at + blank..value_at + end;
        self.with_value(place, &via_from(&via, ip, source.port()))
    }

    /// A copy with another text in place of part of a header's value: all else stays what it was.
    fn with_value(&self, place: Range<usize>, text: &str) -> Self {
        let moved = |at: usize| if at < place.end { at } else { at - place.len() + text.len() };
        let moved_32 = |at: u32| u32::try_from(moved(at as usize)).unwrap_or(u32::MAX);
        let mut headers = self.headers.clone();
        headers.bytes = self.bytes_with(place.clone(), text);
        headers.body_at = moved(headers.body_at);
        for line in &mut headers.lines {
            (line.start, line.end) = (moved_32(line.start), moved_32(line.end));
        }
        Self { line: self.line.clone(), headers }
    }

    /// The message with another text at a place.
    fn bytes_with(&self, place: Range<usize>, text: &str) -> Bytes {
        let old = &self.headers.bytes;
        let mut new = Vec::with_capacity(old.len() + text.len());
        new.extend_from_slice(&old[..place.start]);
        new.extend_from_slice(text.as_bytes());
        new.extend_from_slice(&old[place.end..]);
        Bytes::from(new)
    }
}

/// Whether a `Via` does not say yet, or not rightly, where its request came from.
fn needs_source(via: &Via<'_>, ip: IpAddr, port: u16) -> bool {
    let (mut received, mut rport) = (None, None);
    for (name, value) in via.params().iter() {
        let told = if name.eq_ignore_ascii_case("received") {
            &mut received
        } else if name.eq_ignore_ascii_case("rport") {
            &mut rport
        } else {
            continue;
        };
        if told.replace(value).is_some() {
            return true; // one of the two is a lie
        }
    }
    match (received, rport) {
        (None, None) => !via.host().is_same(&Host::Ip(ip)),
        (None, Some(_)) => true,
        (Some(said), rport) => {
            said.parse() != Ok(ip) || rport.is_some_and(|said| said.parse() != Ok(port))
        }
    }
}

/// The `Via` with what its receiver adds.
fn via_from(via: &Via<'_>, ip: IpAddr, port: u16) -> String {
    let mut text = format!("SIP/2.0/{} {}", via.transport(), via.sent_by());
    let mut rest = via.params().text();
    while let Some(inside) = rest.strip_prefix(';') {
        let end = find_outside(inside.as_bytes(), b';').unwrap_or(inside.len());
        let (param, after) = inside.split_at(end);
        let name = param.split('=').next().unwrap_or(param).trim();
        if !name.eq_ignore_ascii_case("received") && !name.eq_ignore_ascii_case("rport") {
            text.push(';');
            text.push_str(param);
        }
        rest = after;
    }
    text.push_str(&format!(";received={ip}"));
    if via.param("rport").is_some() {
        text.push_str(&format!(";rport={port}"));
    }
    text
}

impl Deref for Request {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

/// Prints the text of the request.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.headers, f)
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.headers == other.headers
    }
}

impl Eq for Request {}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Message::deserialize(deserializer)? {
            Message::Request(request) => Ok(request),
            Message::Response(_) => Err(serde::de::Error::custom("a response is no request")),
        }
    }
}
