//! The matching protocol over words that are read and written in two steps.

pub mod sync {
    use loom::sync::atomic;
    pub use loom::sync::atomic::Ordering;

    /// An atomic whose compare-and-swap is not one.
    #[derive(Debug)]
    pub struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub fn new(value: u64) -> Self {
            Self(atomic::AtomicU64::new(value))
        }

        pub fn load(&self, order: Ordering) -> u64 {
            self.0.load(order)
        }

        pub fn compare_exchange(
            &self,
            from: u64,
            to: u64,
            _: Ordering,
            _: Ordering,
        ) -> Result<u64, u64> {
            let seen = self.0.load(Ordering::SeqCst);
            if seen != from {
                return Err(seen);
            }
            self.0.store(to, Ordering::SeqCst);
            Ok(seen)
        }

        pub fn swap(&self, to: u64, order: Ordering) -> u64 {
            self.0.swap(to, order)
        }

        pub fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
            self.0.fetch_add(more, order)
        }

        pub fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
            self.0.fetch_or(bits, order)
        }

        pub fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
            self.0.fetch_and(bits, order)
        }
    }

    pub fn publish() {
        atomic::fence(Ordering::SeqCst);
    }
}

#[path = "crew.rs"]
pub mod crew;
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
