//! Rules that say where a call goes: compiled, matched, explained.

pub mod config;
pub mod hours;
pub mod pattern;
pub mod rules;
