//! `RSeq` and `RAck` (RFC 3262 §7.1, §7.2).

use crate::sip::message::text::decimal;
use crate::sip::message::{Headers, Method, Name, ParseError};

/// Which reliable response a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The response's `RSeq`.
    pub rseq: u32,
    /// The CSeq number of the request that it answers.
    pub cseq: u32,
    /// The method of that request.
    pub method: Method,
}

impl RAck {
    /// The `RAck` of a PRACK.
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: it is missing, or not two numbers and a method.
    pub fn of(prack: &Headers) -> Result<Self, ParseError> {
        let read = || {
            let mut words = prack.header(Name::RAck)?.split_ascii_whitespace();
            let (rseq, cseq, method) = (words.next()?, words.next()?, words.next()?);
            Some(Self {
                rseq: u32::try_from(decimal(rseq)?).ok()?,
                cseq: u32::try_from(decimal(cseq)?).ok()?,
                method: Method::of(method.as_bytes()),
            })
        };
        read().ok_or(ParseError::Header(Name::RAck))
    }

    /// The `RSeq` of a response; `None` if it is missing or malformed.
    pub fn rseq_of(response: &Headers) -> Option<u32> {
        u32::try_from(decimal(response.header(Name::RSeq)?)?).ok()
    }
}
