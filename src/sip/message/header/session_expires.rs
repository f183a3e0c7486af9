//! `Session-Expires` and `Min-SE` (RFC 4028 §4, §5).

use super::Params;
use super::params::begins_params;
use crate::sip::message::text::{decimal, trim};
use crate::sip::message::{Headers, Name, ParseError};

/// How long a session lives without being refreshed, and who refreshes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionExpires {
    /// Seconds; more than 2³²−1 counts as that.
    pub seconds: u32,
    /// `None` if it is left to the other side.
    pub refresher: Option<Refresher>,
}

/// The side that refreshes, named by its part in the request at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    Uac,
    Uas,
}

impl Refresher {
    /// As written in the `refresher` parameter.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

impl SessionExpires {
    /// The `Session-Expires` of a message.
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: not a number of seconds with parameters.
    pub fn of(message: &Headers) -> Result<Option<Self>, ParseError> {
        let Some(text) = message.header(Name::SessionExpires) else { return Ok(None) };
        let (seconds, params) = read(text).ok_or(ParseError::Header(Name::SessionExpires))?;
        let refresher = match params.get("refresher") {
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Ok(Some(Self { seconds, refresher }))
    }

    /// The seconds of a message's `Min-SE`.
    ///
    /// # Errors
    ///
    /// `ParseError::Header`: not a number of seconds with parameters.
    pub fn min_of(message: &Headers) -> Result<Option<u32>, ParseError> {
        let Some(text) = message.header(Name::MinSe) else { return Ok(None) };
        read(text).map(|(seconds, _)| Some(seconds)).ok_or(ParseError::Header(Name::MinSe))
    }
}

fn read(text: &str) -> Option<(u32, Params<'_>)> {
    let end = text.find(';').unwrap_or(text.len());
    let seconds = decimal(trim(&text[..end]))?;
    let rest = &text[end..];
    let params = begins_params(rest).then(|| Params::parse(rest))??;
    Some((u32::try_from(seconds).unwrap_or(u32::MAX), params))
}
