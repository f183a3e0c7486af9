//! SIP without sockets.

pub mod config;
pub mod dialog;
pub mod digest;
pub mod flow;
pub mod locate;
pub mod message;
pub mod probe;
pub mod recent;
pub mod registrar;
pub mod registration;
pub mod stun;
pub mod subscription;
pub mod transaction;

#[cfg(test)]
mod hostile_tests;
