//! The world: threads, sockets, files, clocks.

pub mod clock;
pub mod media;
