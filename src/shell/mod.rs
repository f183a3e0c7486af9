//! shell

pub mod ledger;
pub mod proto;
