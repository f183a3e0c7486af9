//! The matching protocol over atomics that order nothing but themselves.

pub mod sync {
    pub use loom::sync::atomic::AtomicU64;

    /// Whatever is asked for, it is relaxed.
    #[allow(dead_code, reason = "the protocol may come to use any of them")]
    #[allow(non_snake_case, non_upper_case_globals, reason = "it stands for the type of this name")]
    pub mod Ordering {
        pub use loom::sync::atomic::Ordering::Relaxed;

        pub const Release: loom::sync::atomic::Ordering = Relaxed;
        pub const Acquire: loom::sync::atomic::Ordering = Relaxed;
        pub const AcqRel: loom::sync::atomic::Ordering = Relaxed;
        pub const SeqCst: loom::sync::atomic::Ordering = Relaxed;
    }

    pub fn publish() {
        loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
    }
}

#[path = "../../src/acd/matching.rs"]
pub mod matching;
#[path = "model.rs"]
pub mod model;
#[path = "../../src/acd/place.rs"]
pub mod place;
#[path = "../../src/acd/word.rs"]
pub mod word;
