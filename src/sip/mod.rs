//! SIP without sockets.

pub mod flow;

pub mod message;
