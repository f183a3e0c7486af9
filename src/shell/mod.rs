//! The world: the only place that awaits, spawns, does I/O or reads a clock.

pub mod cli;
pub mod clock;
pub mod grpc;
pub mod ledger;
pub mod media;
pub mod proto;
pub mod sip;
