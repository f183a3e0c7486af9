//! The world: the only place that awaits, spawns, does I/O or reads a clock.

pub mod board;
pub mod cli;
pub mod clock;
pub mod driver;
pub mod entropy;
pub mod figures;
pub mod grpc;
pub mod http;
pub mod ledger;
mod limited;
pub mod log;
pub mod media;
pub mod metrics;
pub mod node;
pub mod pressure;
pub mod proto;
pub mod sip;
pub mod systemd;
pub mod webhook;
