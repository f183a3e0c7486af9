//! A session description: parsed, and written again.
//!
//! Spec:     RFC 8866; tolerant: LF alone, missing lines, lines it does not know.
//! In:       a message body as bytes, hostile ones too.
//! Out:      what offer and answer need of it, as text that is checked where it is used.
//! Not here: what a description means (`offer_answer`).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A description's lines, those that matter for audio; the others are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The line `o=`; `None` if it is missing or malformed, which nothing depends on.
    pub origin: Option<Origin>,
    /// Where media goes unless a media description says otherwise.
    pub connection: Option<Connection>,
    /// They hold for each media description that does not have its own.
    pub attributes: Vec<Attribute>,
    /// In the order in which they stand, which an answer keeps.
    pub media: Vec<Media>,
}

/// Who made the description, and its version (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// A name, or `-`.
    pub user: String,
    /// Decimal digits by the RFC; kept as they came.
    pub session: String,
    /// Grows with each change; kept as it came.
    pub version: String,
    /// Where the description was made; no media goes there.
    pub connection: Connection,
}

/// An address as it is written (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// An IP address, perhaps with `/ttl`, or a host name.
    pub address: String,
    /// Written as `IP6`.
    pub v6: bool,
}

/// One media description (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// `audio`, `video`, `image`, …
    pub kind: String,
    /// 0: refused, or not wanted.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: String,
    /// Payload types if the protocol is one of RTP; never empty.
    pub formats: Vec<String>,
    /// Where this media goes; `None` if the session's connection says it.
    pub connection: Option<Connection>,
    /// In the order in which they stand.
    pub attributes: Vec<Attribute>,
}

/// `a=name:value` or `a=name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// What stands before the colon.
    pub name: String,
    /// What stands after it.
    pub value: Option<String>,
}

/// Why a body is no session description. Lines count from 1.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    #[error("line {line}: the connection is malformed")]
    Connection { line: usize },
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong { line: usize },
    #[error("line {line}: the media description is malformed")]
    Media { line: usize },
    #[error("no v=0 in the first line")]
    NotSdp,
    #[error("{size} bytes exceed the limit of {SESSION_BYTES_MAX}")]
    TooLong { size: usize },
    #[error("more than {LINES_MAX} lines")]
    TooManyLines,
    #[error("more than {MEDIA_MAX} media descriptions")]
    TooManyMedia,
}

impl ParseError {
    /// The status that a request with such a body is answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::TooLong { .. } | Self::TooManyLines | Self::TooManyMedia => 413,
            Self::Connection { .. }
            | Self::LineTooLong { .. }
            | Self::Media { .. }
            | Self::NotSdp => 400,
        }
    }
}

/// Longest description that is read.
pub const SESSION_BYTES_MAX: usize = 32 << 10;
/// Longest line that is read.
pub const LINE_BYTES_MAX: usize = 4 << 10;
/// Most lines that are read.
pub const LINES_MAX: usize = 1000;
/// Most media descriptions that are read.
pub const MEDIA_MAX: usize = 16;
/// Most formats of one media description that are read.
pub const FORMATS_MAX: usize = 64;

impl Session {
    /// Reads a whole body.
    ///
    /// # Errors
    ///
    /// If it is no description, one that exceeds a limit, or one whose `m=` or `c=` lines cannot be
    /// understood.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        if body.len() > SESSION_BYTES_MAX {
            return Err(ParseError::TooLong { size: body.len() });
        }
        let text = String::from_utf8_lossy(body);
        let mut session = Self::default();
        let mut versioned = false;
        for (index, line) in text.split('\n').enumerate() {
            let line_number = index + 1;
            if index >= LINES_MAX {
                return Err(ParseError::TooManyLines);
            }
            if line.len() > LINE_BYTES_MAX {
                return Err(ParseError::LineTooLong { line: line_number });
            }
            let line = line.trim_matches(|c: char| c.is_control() || c.is_whitespace());
            let Some((kind, value)) = line.split_once('=') else { continue };
            if !versioned && (kind, value.trim()) != ("v", "0") {
                return Err(ParseError::NotSdp);
            }
            versioned = true;
            session.line(kind, value.trim(), line_number)?;
        }
        if versioned { Ok(session) } else { Err(ParseError::NotSdp) }
    }

    fn line(&mut self, kind: &str, value: &str, line: usize) -> Result<(), ParseError> {
        let is_text = !value.contains(|c: char| c.is_control() && c != '\t');
        match kind {
            "c" if !is_text => return Err(ParseError::Connection { line }),
            "m" if !is_text => return Err(ParseError::Media { line }),
            _ if !is_text => {}
            "o" => self.origin = Origin::parse(value),
            "c" => {
                let connection = Connection::parse(value).ok_or(ParseError::Connection { line })?;
                match self.media.last_mut() {
                    // Of several addresses (RFC 8866 §5.7) the first counts.
                    Some(media) => _ = media.connection.get_or_insert(connection),
                    None => _ = self.connection.get_or_insert(connection),
                }
            }
            "m" if self.media.len() == MEDIA_MAX => return Err(ParseError::TooManyMedia),
            "m" => self.media.push(Media::parse(value).ok_or(ParseError::Media { line })?),
            "a" => match self.media.last_mut() {
                Some(media) => media.attributes.push(Attribute::parse(value)),
                None => self.attributes.push(Attribute::parse(value)),
            },
            _ => {}
        }
        Ok(())
    }
}

impl Origin {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.splitn(4, char::is_whitespace);
        let mut word = || words.next().filter(|word| !word.is_empty()).map(str::to_owned);
        Some(Self {
            user: word()?,
            session: word()?,
            version: word()?,
            connection: Connection::parse(words.next()?)?,
        })
    }
}

impl Connection {
    /// How an address of ours is written.
    pub fn of(address: IpAddr) -> Self {
        Self { address: address.to_string(), v6: address.is_ipv6() }
    }

    /// The address without `/ttl`; `None` for a host name. IPv4 inside of IPv6 is taken out.
    pub fn ip(&self) -> Option<IpAddr> {
        let address = self.address.split('/').next()?;
        address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }

    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        if !words.next()?.eq_ignore_ascii_case("IN") {
            return None;
        }
        let v6 = match words.next()? {
            family if family.eq_ignore_ascii_case("IP4") => false,
            family if family.eq_ignore_ascii_case("IP6") => true,
            _ => return None,
        };
        Some(Self { address: words.next()?.to_owned(), v6 })
    }
}

impl Media {
    /// The value of the first attribute of that name, empty if it has none.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The values of all attributes of that name, empty for those that have none.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.attributes.iter().filter(move |own| own.name == name).map(Attribute::text)
    }

    fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let kind = words.next()?.to_owned();
        // `port/count` is for layered encodings; the first port is the one that counts.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?.to_owned();
        let formats: Vec<_> = words.take(FORMATS_MAX).map(str::to_owned).collect();
        if formats.is_empty() {
            return None;
        }
        Some(Self { kind, port, protocol, formats, connection: None, attributes: Vec::new() })
    }
}

impl Attribute {
    /// `a=name:value`.
    pub fn new(name: &str, value: impl fmt::Display) -> Self {
        Self { name: name.to_owned(), value: Some(value.to_string()) }
    }

    /// `a=name`.
    pub fn flag(name: &str) -> Self {
        Self { name: name.to_owned(), value: None }
    }

    /// The value, empty if there is none.
    pub fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    fn parse(line: &str) -> Self {
        match line.split_once(':') {
            Some((name, value)) => Self::new(name.trim(), value.trim()),
            None => Self::flag(line),
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        if let Some(Origin { user, session, version, connection }) = &self.origin {
            write!(f, "o={user} {session} {version} {connection}\r\n")?;
        }
        f.write_str("s=-\r\n")?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        f.write_str("t=0 0\r\n")?;
        self.attributes.iter().try_for_each(|attribute| attribute.fmt(f))?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IN {} {}", if self.v6 { "IP6" } else { "IP4" }, self.address)
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, port, protocol, formats, connection, attributes } = self;
        write!(f, "m={kind} {port} {protocol} {}\r\n", formats.join(" "))?;
        if let Some(connection) = connection {
            write!(f, "c={connection}\r\n")?;
        }
        attributes.iter().try_for_each(|attribute| attribute.fmt(f))
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "a={}:{value}\r\n", self.name),
            None => write!(f, "a={}\r\n", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 8866 §5, its example shortened.
    #[test]
    fn lines_are_sorted_into_session_and_media() {
        let session = Session::parse(EXAMPLE).unwrap();

        assert_eq!(session.origin.as_ref().unwrap().version, "2890842807");
        assert_eq!(session.connection.as_ref().unwrap().ip(), "198.51.100.1".parse().ok());
        assert_eq!(session.attributes, [Attribute::flag("recvonly")]);
        assert_eq!(session.media.len(), 2);
        assert_eq!((session.media[1].kind.as_str(), session.media[1].port), ("video", 51372));
        assert_eq!(session.media[1].attribute("rtpmap"), Some("99 h263-1998/90000"));
        assert_eq!(session.media[1].connection.as_ref().unwrap().ip(), "2001:db8::2".parse().ok());
    }

    #[test]
    fn line_feeds_alone_and_missing_lines_are_tolerated() {
        let session = Session::parse(b"v=0\nx\nm=audio 4000 RTP/AVP 0 \nz=?\n\n").unwrap();

        assert_eq!(session.media[0].formats, ["0"]);
        assert_eq!(session.connection, None);
    }

    #[test]
    fn what_is_no_description_is_refused_with_its_line() {
        let of = |text: &str| Session::parse(text.as_bytes());
        assert_eq!(of(""), Err(ParseError::NotSdp));
        assert_eq!(of("s=-\r\nv=0\r\n"), Err(ParseError::NotSdp));
        assert_eq!(of("v=1\r\n"), Err(ParseError::NotSdp));
        for media in ["audio", "audio x RTP/AVP 0", "audio 70000 RTP/AVP 0", "audio 4000 RTP/AVP"] {
            assert_eq!(of(&format!("v=0\nm={media}\n")), Err(ParseError::Media { line: 2 }));
        }
        for connection in ["", "IN", "IN IP4", "IN IP5 a", "XX IP4 1.2.3.4", "IN IP6 ::1\0\r:1"] {
            let line = of(&format!("v=0\ns=-\nc={connection}\n"));
            assert_eq!(line, Err(ParseError::Connection { line: 3 }));
        }
    }

    #[test]
    fn every_limit_holds() {
        let lines = |line: &str, count: usize| format!("v=0\n{}", line.repeat(count));
        let of = |text: String| Session::parse(text.as_bytes()).map(drop);

        let size = SESSION_BYTES_MAX + 1;
        assert_eq!(of(" ".repeat(size)), Err(ParseError::TooLong { size }));
        assert_eq!(of(lines("a=x\n", LINES_MAX)), Err(ParseError::TooManyLines));
        assert_eq!(of(lines("a=x\n", LINES_MAX - 2)), Ok(()));
        let media = "m=audio 1 RTP/AVP 0\n";
        assert_eq!(of(lines(media, MEDIA_MAX + 1)), Err(ParseError::TooManyMedia));
        assert_eq!(of(lines(media, MEDIA_MAX)), Ok(()));
        let long = format!("v=0\na={}\n", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(of(long), Err(ParseError::LineTooLong { line: 2 }));
        let formats = format!("v=0\nm=audio 1 RTP/AVP{}\n", " 0".repeat(1000));
        let session = Session::parse(formats.as_bytes()).unwrap();
        assert_eq!(session.media[0].formats.len(), FORMATS_MAX);
    }

    #[test]
    fn an_error_is_answered_with_a_fitting_status() {
        assert_eq!(ParseError::NotSdp.status(), 400);
        assert_eq!(ParseError::TooManyLines.status(), 413);
    }

    proptest! {
        #[test]
        fn writing_is_stable(text in LINES) {
            if let Ok(session) = Session::parse(format!("v=0\r\n{text}").as_bytes()) {
                let once = session.to_string();
                let again = Session::parse(once.as_bytes()).unwrap();
                prop_assert_eq!(&again, &session);
                prop_assert_eq!(again.to_string(), once);
            }
        }

        #[test]
        fn mutated_bytes_never_panic(changes in prop::collection::vec(any::<(u16, u8)>(), 0..20)) {
            let mut body = EXAMPLE.to_vec();
            for (at, byte) in changes {
                let at = usize::from(at) % body.len();
                body[at] = byte;
            }
            if let Ok(session) = Session::parse(&body) {
                let _ = session.to_string();
            }
        }
    }

    const LINES: &str =
        "((a|c|m|o|s|b)=(IN IP4 |IN IP6 |audio |video )?([0-9:/.=]|[ -~]){0,30}\r?\n){0,8}";

    const EXAMPLE: &[u8] = b"v=0\r\n\
        o=jdoe 3724394400 2890842807 IN IP4 198.51.100.1\r\n\
        s=Call to John Smith\r\n\
        i=SDP Offer #1\r\n\
        c=IN IP4 198.51.100.1\r\n\
        t=0 0\r\n\
        a=recvonly\r\n\
        m=audio 49170 RTP/AVP 0\r\n\
        m=video 51372 RTP/AVP 99\r\n\
        c=IN IP6 2001:db8::2\r\n\
        a=rtpmap:99 h263-1998/90000\r\n";
}
