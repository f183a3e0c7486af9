//! SIP without sockets.

pub mod dialog;
pub mod digest;
pub mod flow;
pub mod message;
pub mod registrar;
pub mod transaction;
