//! Dialogs: what two user agents remember of one another (RFC 3261 §12).

#![allow(
    clippy::large_enum_variant,
    reason = "a message holds its index: inputs and outputs move it, states box it"
)]

pub mod accepted;
