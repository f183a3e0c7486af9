//! The only place that asks what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{self, SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Epoch, Instant, Wall};

/// Tells the monotonic time since the process started, and what the wall clock showed then.
///
/// Clones share what they know of the wall clock.
#[derive(Clone, Debug)]
pub struct Clock {
    started: time::Instant,
    /// The wall clock at `Instant::START`, in microseconds.
    epoch: Arc<AtomicI64>,
}

impl Clock {
    /// Starts the process's time; call it once.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    pub fn start() -> Self {
        let epoch = Arc::new(AtomicI64::new(wall_now().as_micros()));
        Self { started: time::Instant::now(), epoch }
    }

    pub fn now(&self) -> Instant {
        let micros = self.started.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The time for people and records.
    pub fn wall(&self) -> Wall {
        self.epoch().wall(self.now())
    }

    /// What the wall clock showed at `Instant::START`, as far as it has not been set since.
    pub fn epoch(&self) -> Epoch {
        // Relaxed: one number, which orders nothing.
        Epoch(Wall::from_micros(self.epoch.load(Ordering::Relaxed)))
    }

    /// Looks at the wall clock; if somebody has set it meanwhile, gives the epoch that follows.
    pub fn follow(&self) -> Option<Epoch> {
        self.follow_to(wall_now())
    }

    fn follow_to(&self, wall: Wall) -> Option<Epoch> {
        let known = self.epoch();
        let off = wall.as_micros() - known.wall(self.now()).as_micros();
        if off.unsigned_abs() < SET_MIN_US {
            return None;
        }
        let epoch = known.0.as_micros() + off;
        self.epoch.store(epoch, Ordering::Relaxed); // as in `epoch`
        Some(Epoch(Wall::from_micros(epoch)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
fn wall_now() -> Wall {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Wall::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// The two clocks are not read at one instant: a smaller difference, in microseconds, says nothing.
const SET_MIN_US: u64 = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_is_followed() {
        let (clock, hour) = (Clock::start(), Duration::from_secs(3600));
        let other = clock.clone();
        let before = clock.epoch();

        assert_eq!(clock.follow_to(clock.wall()), None);
        let set = clock.follow_to(clock.wall() + hour).unwrap();

        let moved = set.0.since(before.0);
        assert!(moved.abs_diff(hour) < Duration::from_secs(1), "{moved:?}");
        assert_eq!(other.epoch(), set, "clones know");
    }
}
