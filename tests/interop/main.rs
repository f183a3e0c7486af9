//! The daemon as other programs see it: SIPp, baresip, Linphone and JsSIP as phones, Kamailio as a
//! provider, a Python gRPC client as the downstream system. `cargo xtask test` installs them.
//!
//! Faults that were seen in another switch are tests here, named in their comments.

#[allow(dead_code, reason = "the load tool uses the rest")]
#[path = "../support/mod.rs"]
mod support;

mod announced;
mod browser;
mod calls;
mod configuration;
mod crash;
mod encryption;
mod harness;
mod lamps;
mod linphone;
mod opus;
mod parking;
mod phones;
mod proxied;
mod queues;
mod recordings;
mod registration;
mod rooms;
mod scanners;
mod secure;
mod sessions;
mod site;
mod speech;
mod transfers;
mod trunks;
mod volume;
mod watching;
