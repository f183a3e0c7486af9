//! Whole calls in virtual time: phones, network, Switch and media of one site, one file a flow.
//!
//! Each flow ends with `World::close`: no call, leg, port, dialog or transaction is left, and the
//! ledger's books balance. Most flows are repeated in storms that lose, copy and reorder datagrams.

#[path = "../support/world.rs"]
mod world;

mod site;

mod answered;
