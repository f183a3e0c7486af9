//! Packets in, packets out: sessions, relay, player, recorder.

pub mod config;
pub mod control;
pub mod latch;
pub mod outgoing;
