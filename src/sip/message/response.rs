//! A response.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::build::Builder;
use super::headers::Headers;
use super::index::{self, StartLine, StatusLine};
use super::{Message, Request};

/// A response: its status, and through `Deref` its headers and body.
#[derive(Clone)]
pub struct Response {
    line: StatusLine,
    headers: Headers,
}

impl Response {
    pub(super) fn new(line: StatusLine, headers: Headers) -> Self {
        Self { line, headers }
    }

    /// Starts the response to a request (RFC 3261 §8.2.6): copies `Via`, `From`, `To`, `Call-ID`,
    /// `CSeq` and `Timestamp`; adds `to_tag` where `To` has none and the status is above 100;
    /// copies `Record-Route` when the status is from 101 to 299 (§12.1.1).
    ///
    /// # Panics
    ///
    /// If `status` is not from 100 to 699.
    pub fn build(to: &Request, status: u16, to_tag: Option<&str>) -> Builder {
        Builder::status_line(to, status, to_tag)
    }

    pub(super) fn from_built(bytes: Bytes) -> Self {
        match index::built(bytes) {
            Ok((StartLine::Response(line), headers)) => Self { line, headers },
            Ok((StartLine::Request(_), _)) => panic!("a request was built as a response"),
            Err(error) => panic!("a response was built wrong: {error}"),
        }
    }

    /// From 100 to 699.
    pub fn status(&self) -> u16 {
        self.line.status
    }

    /// What the sender wrote behind the status; for people.
    pub fn reason(&self) -> &str {
        self.text(self.line.reason_at as usize, self.line.reason_end as usize)
    }

    /// Whether more is to come: 1xx.
    pub fn is_provisional(&self) -> bool {
        self.line.status < 200
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.line.status)
    }

    /// Whether this ends the transaction: 200 and above.
    pub fn is_final(&self) -> bool {
        self.line.status >= 200
    }
}

/// What a status means, in the words of the RFC that defines it.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => class_phrase(status),
    }
}

/// For statuses without words of their own.
const fn class_phrase(status: u16) -> &'static str {
    match status / 100 {
        1 => "Progress",
        2 => "Success",
        3 => "Redirection",
        4 => "Request Failure",
        5 => "Server Failure",
        _ => "Global Failure",
    }
}

impl Deref for Response {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

/// Prints the text of the response.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.headers, f)
    }
}

impl PartialEq for Response {
    fn eq(&self, other: &Self) -> bool {
        self.headers == other.headers
    }
}

impl Eq for Response {}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Message::deserialize(deserializer)? {
            Message::Response(response) => Ok(response),
            Message::Request(_) => Err(serde::de::Error::custom("a request is no response")),
        }
    }
}
