//! shell

pub mod ledger;
