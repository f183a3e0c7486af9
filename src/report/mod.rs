//! Figures folded from ledger entries, the same live and afterwards.

pub mod service;
pub mod waits;
