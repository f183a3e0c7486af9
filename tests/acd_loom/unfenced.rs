//! The matching protocol without the fence between publishing and looking.

pub mod sync {
    pub use loom::sync::atomic::{AtomicU64, Ordering};

    pub fn publish() {}
}

#[path = "crew.rs"]
pub mod crew;
#[path = "desk.rs"]
pub mod desk;
#[path = "../../src/acd/due.rs"]
pub mod due;
#[path = "../../src/acd/matching.rs"]
pub mod matching;
#[path = "model.rs"]
pub mod model;
#[path = "../../src/acd/place.rs"]
pub mod place;
#[path = "../../src/acd/wish.rs"]
pub mod wish;
#[path = "../../src/acd/word.rs"]
pub mod word;
