//! Who may reach us, and rules that say where a call goes: compiled, matched, explained.

pub mod access;
pub mod config;
pub mod customers;
pub mod defence;
pub mod emergency;
pub mod hours;
pub mod network;
pub mod numbering;
pub mod pattern;
pub mod rewrite;
pub mod rules;
