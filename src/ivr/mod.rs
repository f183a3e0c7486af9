//! The menu language and its machine: plays, collects digits, decides a target.

pub mod config;
pub mod speech;
