//! Writes messages.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{Method, Name, Request, Response, reason_phrase};

/// A message in the making. Lines keep the order in which they are added.
///
/// A value cannot break out of its line: CR and LF in it become spaces.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The start line and the headers so far, each with its CR LF.
    text: String,
    /// Where the first header begins.
    headers_at: usize,
    has_max_forwards: bool,
    is_request: bool,
    body: Option<(String, Vec<u8>)>,
}

impl Builder {
    pub(super) fn request_line(method: Method, uri: &str) -> Self {
        let mut text = String::with_capacity(CAPACITY);
        text.push_str(method.text());
        text.push(' ');
        for c in uri.chars() {
            match c {
                '\0'..=' ' | '<' | '>' | '"' | '\x7f' => {
                    push(&mut text, format_args!("%{:02X}", c as u32))
                }
                c => text.push(c),
            }
        }
        text.push_str(" SIP/2.0\r\n");
        Self { headers_at: text.len(), text, has_max_forwards: false, is_request: true, body: None }
    }

    pub(super) fn status_line(to: &Request, status: u16, to_tag: Option<&str>) -> Self {
        assert!((100..700).contains(&status), "{status} is no SIP status");
        let mut text = String::with_capacity(CAPACITY);
        push(&mut text, format_args!("SIP/2.0 {status} {}\r\n", reason_phrase(status)));
        let headers_at = text.len();
        for name in [Name::Via, Name::RecordRoute, Name::Timestamp] {
            if name == Name::RecordRoute && !(101..300).contains(&status) {
                continue;
            }
            for value in to.lines(name) {
                push(&mut text, format_args!("{name}: {value}\r\n"));
            }
        }
        let essential = |name| to.header(name).unwrap_or_default();
        push(
            &mut text,
            format_args!("From: {}\r\nTo: {}", essential(Name::From), essential(Name::To)),
        );
        if let Some(tag) = to_tag.filter(|_| status > 100 && to.to_tag().is_none()) {
            push(&mut text, format_args!(";tag={tag}"));
        }
        let (call_id, cseq) = (to.call_id(), essential(Name::CSeq));
        push(&mut text, format_args!("\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"));
        Self { text, headers_at, has_max_forwards: true, is_request: false, body: None }
    }

    /// Adds a line. `Content-Length` is left to the builder, `Content-Type` to `body`.
    #[must_use]
    pub fn header(mut self, name: Name, value: impl fmt::Display) -> Self {
        match name {
            Name::ContentLength | Name::ContentType | Name::Other => return self,
            Name::MaxForwards => self.has_max_forwards = true,
            _ => {}
        }
        self.add(name.text(), &value);
        self
    }

    /// Adds a line of any name; one that is no token is left out.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl fmt::Display) -> Self {
        match Name::of(name.as_bytes()) {
            Name::Other if super::text::is_token(name.as_bytes()) && name.len() < 256 => {
                self.add(name, &value);
                self
            }
            Name::Other => self,
            known => self.header(known, value),
        }
    }

    /// Puts a `Via` above all other headers.
    #[must_use]
    pub fn via(mut self, value: &str) -> Self {
        let line = format!("Via: {}\r\n", value.replace(['\r', '\n'], " "));
        self.text.insert_str(self.headers_at, &line);
        self
    }

    /// Writes another reason phrase than the status has by itself (responses only).
    #[must_use]
    pub fn reason(mut self, phrase: &str) -> Self {
        if !self.is_request {
            let at = "SIP/2.0 200 ".len();
            let phrase = phrase.replace(['\r', '\n'], " ");
            self.text.replace_range(at..self.headers_at - 2, &phrase);
            self.headers_at = at + phrase.len() + 2;
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = Some((content_type.to_owned(), body.to_vec()));
        self
    }

    /// Finishes a request; adds `Max-Forwards: 70` if it has none, and `Content-Length`.
    ///
    /// # Panics
    ///
    /// If it is a response, or `Via`, `From`, `To`, `Call-ID` or `CSeq` is malformed or missing
    /// (`Via` may be missing: the client transaction adds it with `with_via`).
    pub fn request(mut self) -> Request {
        assert!(self.is_request, "a response was finished as a request");
        if !self.has_max_forwards {
            self.text.push_str("Max-Forwards: 70\r\n");
        }
        Request::from_built(self.finish())
    }

    /// Finishes a response; adds `Content-Length`.
    ///
    /// # Panics
    ///
    /// If it is a request, or a header that was added a second time may be there only once.
    pub fn response(self) -> Response {
        assert!(!self.is_request, "a request was finished as a response");
        Response::from_built(self.finish())
    }

    fn finish(mut self) -> Bytes {
        let Some((content_type, body)) = self.body.take() else {
            self.text.push_str("Content-Length: 0\r\n\r\n");
            return Bytes::from(self.text);
        };
        self.add(Name::ContentType.text(), &content_type);
        self.add(Name::ContentLength.text(), &body.len());
        self.text.push_str("\r\n");
        let mut bytes = self.text.into_bytes();
        bytes.extend_from_slice(&body);
        Bytes::from(bytes)
    }

    fn add(&mut self, name: &str, value: &dyn fmt::Display) {
        push(&mut self.text, format_args!("{name}: "));
        let at = self.text.len();
        push(&mut self.text, format_args!("{value}"));
        if memchr::memchr2(b'\r', b'\n', &self.text.as_bytes()[at..]).is_some() {
            let safe = self.text[at..].replace(['\r', '\n'], " ");
            self.text.truncate(at);
            self.text.push_str(&safe);
        }
        self.text.push_str("\r\n");
    }
}

/// Bytes that most messages fit in.
const CAPACITY: usize = 1024;

fn push(text: &mut String, piece: fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("writing to a String cannot fail");
}

/// A display name or parameter as a quoted string, with quotes and backslashes escaped.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                '\0'..='\x1f' | '\x7f' => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A name as the user part of a URI, escaped (RFC 3261 §25.1, `user`).
#[derive(Clone, Copy, Debug)]
pub struct UserPart<'a>(pub &'a str);

impl fmt::Display for UserPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
