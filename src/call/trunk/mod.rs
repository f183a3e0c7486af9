//! Trunks: how each is configured, what is known of it at this moment, calls that go out over it.

pub mod config;
pub mod legs;
pub mod line;
pub mod lines;
pub mod outgoing;
pub mod peer;
pub mod rest;

pub use config::Trunk;
pub use line::{Job, Line, LineInput, LineKey, LineOutput, Unavailable};
pub use lines::{Lines, Steps};
pub use outgoing::Outgoing;
pub use rest::Trouble;
