//! The menu language and its machine: plays, collects digits, decides a target.

pub mod collect;
pub mod config;
pub mod machine;
pub mod speech;
