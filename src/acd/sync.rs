//! The atomics that the protocol is written in: the one place that a model checker replaces.
//!
//! `tests/acd_loom` compiles `word.rs`, `matching.rs`, `place.rs`, `due.rs` and `wish.rs` with
//! loom's atomics in place of these.

pub use std::sync::atomic::{AtomicU64, Ordering};

/// Stands between publishing a change and looking for what it makes possible.
///
/// Each side of a match publishes (a caller his open word, an agent his free bit), crosses this
/// fence and looks for the other. Of two such threads at least one sees the other's change, so
/// that a caller and an agent never miss each other.
pub fn publish() {
    std::sync::atomic::fence(Ordering::SeqCst);
}
