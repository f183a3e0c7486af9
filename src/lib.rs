//! Strowger: a softswitch and ACD daemon for on-prem telephony, in one binary.
//!
//! **A pure core that is told the time, and a thin shell that touches the world.** Every machine
//! has one verb, `handle(&mut self, now, Input, &mut Vec<Output>)`, and says with `next_tick()`
//! when it wants to be woken. A module imports only modules listed above it here;
//! `tests/architecture.rs` holds the table.

// ---- ground
pub mod time;

pub mod rng;

pub mod id;

// ---- protocols: pure
pub mod rtp;

pub mod sdp;

pub mod audio;

pub mod sip;

// ---- the switch: pure
pub mod cdr;

pub mod acd;

pub mod ivr;

pub mod media;

pub mod route;

pub mod call;

pub mod report;

pub mod switch;

pub mod config;

// ---- the world
pub mod shell;
