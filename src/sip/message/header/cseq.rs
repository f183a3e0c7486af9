//! `CSeq` (RFC 3261 §20.16).

use crate::sip::message::text::{decimal, is_blank, is_token, trim};
use crate::sip::message::{Method, Name, ParseError};

/// Orders the requests of a dialog, and names the method that a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    /// Reads `314159 INVITE`, and gives the method's text too.
    pub(in crate::sip::message) fn parse(text: &str) -> Result<(Self, &str), ParseError> {
        let wrong = ParseError::Header(Name::CSeq);
        let end = text.bytes().position(is_blank).ok_or(wrong)?;
        let number = decimal(&text[..end]).filter(|n| *n < 1 << 31).ok_or(wrong)?;
        let number = u32::try_from(number).map_err(|_| wrong)?;
        let method = trim(&text[end..]);
        if !is_token(method.as_bytes()) {
            return Err(wrong);
        }
        Ok((Self { number, method: Method::of(method.as_bytes()) }, method))
    }
}
