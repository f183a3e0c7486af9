//! SIP without sockets.

pub mod config;
pub mod flow;
