//! Dialogs: what two user agents remember of one another (RFC 3261 §12).

pub mod accepted;
