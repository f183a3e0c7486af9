//! The daemon as other programs see it: SIPp and baresip as phones, a Python gRPC client as the
//! downstream system. `cargo xtask test` installs them.

#[path = "../support/mod.rs"]
mod support;

mod harness;
