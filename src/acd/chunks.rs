//! Places with fixed addresses, made a thousand at a time when the first of them is used.

use std::sync::OnceLock;

/// A table that never moves what is in it.
#[derive(Debug)]
pub struct Chunks<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
    make: fn() -> T,
}

impl<T> Chunks<T> {
    /// Places for the numbers below `size`, each as `make` makes it.
    pub fn new(size: usize, make: fn() -> T) -> Self {
        Self { chunks: (0..size.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(), make }
    }

    /// The place of `number`, which must be below the table's size.
    ///
    /// Threads that come while a thousand are being made wait for that: once per chunk in a
    /// process's life, no more than for the memory itself.
    pub fn at(&self, number: u32) -> &T {
        let number = number as usize;
        let chunk =
            self.chunks[number / CHUNK].get_or_init(|| (0..CHUNK).map(|_| (self.make)()).collect());
        &chunk[number % CHUNK]
    }
}

const CHUNK: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_place_keeps_what_is_put_in_it() {
        let table: Chunks<AtomicU32> = Chunks::new(3000, || AtomicU32::new(7));

        table.at(2999).store(1, Ordering::Relaxed);
        table.at(0).store(2, Ordering::Relaxed);

        assert_eq!(table.at(2999).load(Ordering::Relaxed), 1);
        assert_eq!(table.at(1023).load(Ordering::Relaxed), 7);
        assert_eq!(table.at(1024).load(Ordering::Relaxed), 7);
    }
}
