//! When something is to be looked at again, while any thread works it out anew.
//!
//! 1. Who has changed what a deadline follows from works it out, says it (`Due`), and sets a timer
//!    for it in place of the timer of what was said before.
//! 2. He works it out again: whose change he had not seen is seen now, or he who made it comes
//!    after him.
//! 3. A timer that two have to do with is not lost: who has taken one away sets it again if that
//!    moment was said again meanwhile. One too many may be left, which finds nothing to do.
//! 4. Who ends it has made known before that it is over; he crosses the fence, says so and takes
//!    the timer away. Who sets one meanwhile crosses it before he looks again: he sees that it is
//!    over, or his timer is seen.
//!
//! Generic over `Deadline` so that `tests/acd_loom` checks this very code.

use super::sync::{AtomicU64, Ordering, publish};

/// Something that is looked at again at a moment that may change.
pub trait Deadline {
    fn due(&self) -> &Due;

    /// When it is to be looked at again, in microseconds; `NEVER` if not, or if it is over.
    fn work_out(&self) -> u64;

    /// Sets a timer, unless it is set.
    fn set(&self, at: u64);

    /// Takes a timer away, if it is set.
    fn unset(&self, at: u64);
}

/// Works a deadline out, and sets its timer.
pub fn say(deadline: &impl Deadline) {
    let mut at = deadline.work_out();
    let mut mine = NEVER;
    loop {
        let before = replace(deadline, at);
        for former in [before, mine] {
            if former != at {
                take_away(deadline, former);
            }
        }
        if at != NEVER {
            deadline.set(at);
        }
        mine = at;
        publish(); // pairs with the fence in `end`
        at = deadline.work_out();
        if at == mine {
            return;
        }
    }
}

/// Takes away the timer of what is over.
pub fn end(deadline: &impl Deadline) {
    publish(); // pairs with the fence in `say`
    let before = replace(deadline, NEVER);
    take_away(deadline, before);
}

fn replace(deadline: &impl Deadline, at: u64) -> u64 {
    // AcqRel: pairs with itself and with `Due::at`; what is said follows one another.
    deadline.due().0.swap(at, Ordering::AcqRel)
}

fn take_away(deadline: &impl Deadline, at: u64) {
    if at != NEVER {
        deadline.unset(at);
        if deadline.due().at() == at {
            deadline.set(at); // it was said again meanwhile, and that timer may have been taken
        }
    }
}

/// The moment at which something is due, in microseconds.
#[derive(Debug)]
pub struct Due(AtomicU64);

impl Due {
    pub fn never() -> Self {
        Self(AtomicU64::new(NEVER))
    }

    pub fn at(&self) -> u64 {
        self.0.load(Ordering::Acquire) // pairs with `replace`
    }
}

/// In place of a moment.
pub const NEVER: u64 = u64::MAX;
