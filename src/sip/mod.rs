//! SIP without sockets.

pub mod flow;
