//! The only place that asks what time it is.

use std::time::{self, SystemTime, UNIX_EPOCH};

use crate::time::{Duration, Epoch, Instant, Wall};

/// Tells the monotonic time since the process started, and what the wall clock showed then.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: time::Instant,
    epoch: Epoch,
}

impl Clock {
    /// Starts the process's time; call it once.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let wall = Wall::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX));
        Self { started: time::Instant::now(), epoch: Epoch(wall) }
    }

    pub fn now(&self) -> Instant {
        let micros = self.started.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The time for people and records.
    pub fn wall(&self) -> Wall {
        self.epoch.wall(self.now())
    }

    /// What the wall clock showed at `Instant::START`.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}
