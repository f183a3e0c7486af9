//! The ledger's entries and the call record folded from them: what is written when.

pub mod config;
pub mod entry;
