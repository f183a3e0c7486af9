//! SIP messages: one buffer each, an index of its headers, values typed when they are asked for.
//!
//! Spec:     RFC 3261 §7, §20 and §25; RFC 3581 (rport); RFC 5626 §4.4.1 (keep-alive).
//! In:       datagrams, or the frames that `stream` cuts from a connection.
//! Out:      `Request` and `Response` to read, `Builder` to write, `bad_request` for the broken.
//! Not here: what a message means (`transaction`, `dialog`, `registrar`).
//!
//! Reading allocates nothing in the usual case. A message with folded headers, or with bytes that
//! are no UTF-8 (older phones write Latin-1), is copied once, unfolded and transcoded, so that each
//! accessor gives `&str`. Text that is passed on or hashed (URIs, credentials) is never re-printed.

mod build;
mod error;
pub mod header;
mod headers;
mod index;
mod method;
mod name;
mod normal;
mod refuse;
mod request;
mod response;
pub mod stream;
mod text;
mod uri;

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use build::{Builder, Quoted, UserPart};
pub use error::ParseError;
pub use header::{CSeq, NameAddr, Params, Privacy, RAck, Refresher, SessionExpires, Via};
pub use headers::Headers;
pub use method::Method;
pub use name::Name;
pub use refuse::bad_request;
pub use request::Request;
pub use response::{Response, reason_phrase};
pub use uri::{Host, Scheme, Uri};

use index::StartLine;

/// Bytes of a received message: start line, headers and body (a UDP datagram holds no more).
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// Header lines of a received message, after unfolding.
pub const HEADERS_MAX: usize = 200;
/// Parameters of one header value or one URI.
pub const PARAMS_MAX: usize = 64;
/// The parameters that we add to a value of a received message (`received`, `rport`, `tag`): so
/// many more are borne in what we write.
const ADDED_PARAMS_MAX: usize = 4;

/// A request or a response.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    /// Reads a whole datagram or frame; empty lines before it and bytes after its body are cut off.
    ///
    /// What every part relies on is checked here: `Via`, `From`, `To`, `Call-ID` and `CSeq` are
    /// there, once, and well formed; the body is as long as `Content-Length` says.
    ///
    /// # Errors
    ///
    /// `ParseError` says what is wrong; `bad_request` makes the answer owed.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        index::received(bytes).map(Self::indexed)
    }

    fn indexed((line, headers): (StartLine, Headers)) -> Self {
        match line {
            StartLine::Request(line) => Self::Request(Request::new(line, headers)),
            StartLine::Response(line) => Self::Response(Response::new(line, headers)),
        }
    }

    /// The request, if it is one.
    pub fn as_request(&self) -> Option<&Request> {
        match self {
            Self::Request(request) => Some(request),
            Self::Response(_) => None,
        }
    }

    /// The response, if it is one.
    pub fn as_response(&self) -> Option<&Response> {
        match self {
            Self::Request(_) => None,
            Self::Response(response) => Some(response),
        }
    }
}

impl Deref for Message {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        match self {
            Self::Request(request) => request,
            Self::Response(response) => response,
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Prints the text of the message.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes().serialize(serializer)
    }
}

/// Reads what Strowger itself has kept: it may lack a `Via`, and no limits hold.
impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?;
        index::built(bytes).map(Self::indexed).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
