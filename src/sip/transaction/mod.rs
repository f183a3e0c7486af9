//! Transactions: what makes a request and its responses arrive once (RFC 3261 §17, RFC 6026).

pub mod client;
mod clients;
pub mod invite_client;
pub mod invite_server;
mod kept;
pub mod key;
mod large;
pub mod server;
mod servers;
pub mod table;
pub mod timers;

#[cfg(test)]
mod ladder;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod world_tests;

use crate::sip::flow::Loss;

pub use key::{ClientId, ServerKey};
pub use table::{Input, Output, Table};

/// Why a request of ours gets no final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered in time (timers B and F, or after a CANCEL): as a 408 (RFC 3261 §8.1.3.1).
    Timeout,
    /// The stream connection could not be made, or was lost: as a 503.
    Transport,
    /// It could not be made, for the peer's certificate is not trusted: as a 503.
    Unverified,
}

impl Failure {
    /// In a word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport => "unreachable",
            Self::Unverified => "certificate",
        }
    }
}

impl From<Loss> for Failure {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Ended => Self::Transport,
            Loss::Unverified => Self::Unverified,
        }
    }
}
