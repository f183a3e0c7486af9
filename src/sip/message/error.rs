//! Why bytes are not a SIP message, or a header value not what its name promises.

use thiserror::Error;

use super::{HEADERS_MAX, MESSAGE_BYTES_MAX, Name, PARAMS_MAX};

/// Why a message, or one value in it, was refused. Offsets count bytes from the message's start.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    #[error("Content-Length says {said} bytes, the body has {size}")]
    BodyShort { said: usize, size: usize },
    #[error("the method of CSeq is not that of the request")]
    CSeqMethod {
        /// Whether the method of the start line is one that Strowger knows.
        known: bool,
    },
    #[error("header {0} is there more than once")]
    Duplicate(Name),
    #[error("there is nothing but empty lines")]
    Empty,
    #[error("header {0} is malformed")]
    Header(Name),
    #[error("the header line at byte {at} is malformed")]
    HeaderLine { at: usize },
    #[error("there are more than {HEADERS_MAX} header lines")]
    HeadersMany,
    #[error("the line at byte {at} does not end with CR LF")]
    LineEnd { at: usize },
    #[error("header {0} is missing")]
    Missing(Name),
    #[error("there are more than {PARAMS_MAX} parameters")]
    ParamsMany,
    #[error("the first line is neither a request line nor a status line")]
    StartLine,
    #[error("{size} bytes exceed the limit of {MESSAGE_BYTES_MAX}")]
    TooLong { size: usize },
    #[error("a URI is malformed")]
    Uri,
    #[error("the version is not SIP/2.0")]
    Version,
}

impl ParseError {
    /// The status owed to the sender of such a request; `None` if it could not be addressed.
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Empty | Self::StartLine => None,
            Self::TooLong { .. } => Some(413),
            Self::CSeqMethod { known: false } => Some(501),
            Self::Version => Some(505),
            Self::BodyShort { .. }
            | Self::CSeqMethod { known: true }
            | Self::Duplicate(_)
            | Self::Header(_)
            | Self::HeaderLine { .. }
            | Self::HeadersMany
            | Self::LineEnd { .. }
            | Self::Missing(_)
            | Self::ParamsMany
            | Self::Uri => Some(400),
        }
    }

    /// What the sender of such a request reads as the reason phrase.
    pub fn reason(self) -> String {
        match self.status() {
            Some(400) => format!("Bad Request: {self}"),
            Some(status) => super::reason_phrase(status).to_owned(),
            None => String::new(),
        }
    }
}
