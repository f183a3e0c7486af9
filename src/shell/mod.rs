//! The only place that awaits, spawns, does input and output, or reads a clock.

pub mod sip;
