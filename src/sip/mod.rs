//! SIP without sockets.

pub mod config;
pub mod flow;

pub mod message;
