//! Packets in, packets out: sessions, relay, player, recorder.

pub mod codec;
pub mod config;
pub mod control;
pub mod engine;
pub mod latch;
mod one_way;
pub mod outgoing;
pub mod player;
pub mod prompt;
pub mod recorder;
pub mod reports;
mod score;
pub mod session;
mod silence;
mod toning;
