//! `Privacy` (RFC 3323 §4.2, RFC 3325 §9.3).

use crate::sip::message::text::trim;
use crate::sip::message::{Headers, Name};

/// What a caller does not want to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Who he is: `id`, `header` or `user`.
    pub identity: bool,
    /// He wants everything to be told, whatever is usual: `none`.
    pub none: bool,
}

impl Privacy {
    /// What all `Privacy` lines of a message want together; words that are not known say nothing.
    pub fn of(message: &Headers) -> Self {
        let mut privacy = Self::default();
        for word in message.lines(Name::Privacy).flat_map(|line| line.split([';', ','])) {
            let is = |name: &str| trim(word).eq_ignore_ascii_case(name);
            privacy.identity |= is("id") || is("header") || is("user");
            privacy.none |= is("none");
        }
        // RFC 3323 §4.2: `none` stands alone.
        privacy.identity &= !privacy.none;
        privacy
    }
}
