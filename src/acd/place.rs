//! Where a caller stands in his line, while anyone moves him, searches the line or forgets him.
//!
//! 0. Who enters is known by his call before he is in the line: who is handed him from there can
//!    tell of him.
//! 1. Who moves a caller says where to (`Stand`), puts him there, and takes him from where he was.
//! 2. What is in the line follows what is said: who has changed it looks again, and repeats it if
//!    another has said something else meanwhile.
//! 3. Who forgets him has decided his word before; he crosses the fence and takes him from where he
//!    is said to stand. Who moves him crosses it after he has put him there, and looks at the word:
//!    one of them sees the other, so that nobody who is gone is left in the line.
//! 4. A search goes from place to place and may overlook who is moved past it: who moved him looks
//!    for agents again.
//!
//! Generic over `Shelf` so that `tests/acd_loom` checks this very code.

use super::sync::{AtomicU64, Ordering, publish};

/// Where callers stand in order.
pub trait Shelf {
    type Caller;

    fn stand<'a>(&'a self, caller: &'a Self::Caller) -> &'a Stand;

    /// Whether his word is undecided.
    fn waits(&self, caller: &Self::Caller) -> bool;

    /// Makes him known to whoever asks by his call or his slot.
    fn make_known(&self, caller: &Self::Caller);

    /// Puts him into the line at an effective arrival, unless he is there.
    fn put(&self, caller: &Self::Caller, at: i64);

    /// Takes him from there, if he is there.
    fn take(&self, caller: &Self::Caller, at: i64);
}

/// Makes a caller known and lets him stand in the line, from where an agent may be rung for him at
/// once. He must be looked at.
pub fn enter<S: Shelf>(shelf: &S, caller: &S::Caller) {
    shelf.make_known(caller);
    let at = shelf.stand(caller).at();
    shelf.put(caller, at);
    agree(shelf, caller, at); // he may have been moved since he is known, or be gone
}

/// Moves a caller to another effective arrival. He must be looked at again.
pub fn move_to<S: Shelf>(shelf: &S, caller: &S::Caller, to: i64) {
    let former = shelf.stand(caller).swap(to);
    if former == to {
        return;
    }
    shelf.put(caller, to); // first, so that he is in the line all the time
    agree(shelf, caller, former);
    agree(shelf, caller, to);
}

/// Makes the line say of one place whether the caller stands there.
fn agree<S: Shelf>(shelf: &S, caller: &S::Caller, at: i64) {
    let stands = || {
        publish(); // pairs with itself, in another thread and in `take_out`
        shelf.waits(caller) && shelf.stand(caller).at() == at
    };
    let mut there = stands();
    loop {
        if there {
            shelf.put(caller, at);
        } else {
            shelf.take(caller, at);
        }
        let still = stands();
        if still == there {
            return;
        }
        there = still; // he was moved here or away, or forgotten, meanwhile
    }
}

/// Takes a caller whose word is decided out of the line.
pub fn take_out<S: Shelf>(shelf: &S, caller: &S::Caller) {
    // Pairs with the fence in `agree`: where he is moved to is seen here, or his word there.
    publish();
    shelf.take(caller, shelf.stand(caller).at());
}

/// The effective arrival at which a caller stands, in microseconds.
#[derive(Debug)]
pub struct Stand(AtomicU64);

impl Stand {
    pub fn new(at: i64) -> Self {
        Self(AtomicU64::new(at.cast_unsigned()))
    }

    pub fn at(&self) -> i64 {
        // Acquire: pairs with `swap`.
        self.0.load(Ordering::Acquire).cast_signed()
    }

    fn swap(&self, to: i64) -> i64 {
        // AcqRel: pairs with itself and with `at`; moves follow one another.
        self.0.swap(to.cast_unsigned(), Ordering::AcqRel).cast_signed()
    }
}
