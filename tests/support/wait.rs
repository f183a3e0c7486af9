//! Waiting for other programs: always for an event, always with a deadline. The only place in the
//! tests that sleeps or reads the clock.

use std::time::{Duration, Instant, SystemTime};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// Looks until `event` gives something.
///
/// # Panics
///
/// After `limit`, naming what did not happen.
pub fn until<T>(what: &str, limit: Duration, event: impl FnMut() -> Option<T>) -> T {
    within(limit, event).unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}

/// Looks until `event` gives something; `None` after `limit`.
pub fn within<T>(limit: Duration, mut event: impl FnMut() -> Option<T>) -> Option<T> {
    let end = now() + limit;
    loop {
        if let Some(found) = event() {
            return Some(found);
        }
        if now() >= end {
            return None;
        }
        pause(STEP);
    }
}

/// Lets real time pass: talk time of a call, silence in which nothing may happen.
pub fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "other programs live in real time")]
    std::thread::sleep(time);
}

pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "other programs live in real time")]
    Instant::now()
}

/// Microseconds since 1970, to compare with records and traces.
pub fn wall_us() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "other programs live in real time")]
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).expect("the clock is after 1970");
    i64::try_from(since.as_micros()).expect("the clock is before the year 290000")
}
