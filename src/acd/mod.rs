//! The lock-free ACD core.

pub mod config;
