//! Packets in, packets out: sessions, relay, player, recorder.

pub mod config;
pub mod control;
pub mod latch;
pub mod outgoing;
pub mod player;
pub mod prompt;
pub mod recorder;
