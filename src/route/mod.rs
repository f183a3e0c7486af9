//! Who may reach us, and rules that say where a call goes: compiled, matched, explained.

pub mod config;
pub mod defence;
pub mod hours;
pub mod network;
pub mod pattern;
pub mod rules;
