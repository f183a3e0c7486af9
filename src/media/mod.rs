//! Packets in, packets out: sessions, relay, rooms, player, recorder.

pub mod archive;
pub mod codec;
pub mod config;
pub mod control;
pub mod engine;
pub mod intake;
mod keying;
pub mod latch;
mod noising;
mod one_way;
pub mod outgoing;
pub mod player;
pub mod prompt;
pub mod recorder;
pub mod reports;
mod room;
mod score;
mod sending;
pub mod session;
mod silence;
mod toning;
mod twice;
pub mod vault;
mod voice;
