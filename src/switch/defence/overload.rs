//! More calls than the node can take: some are sent away before anything is done for them.
//!
//! Spec: RFC 3261 §21.5.4 (503 with Retry-After), RFC 6357 §5.1 (a receiver that sheds by itself).
//!
//! The measure is how long a message waits for its turn: the shell tells it. Up to `SHED_FROM`
//! every call is taken, from `SHED_ALL` none, in between a share that grows: so the wait settles
//! where as many are taken as can be, well below the half second after which callers ask again
//! (timer A).

use crate::rng::Rng;
use crate::time::Duration;

/// Whether one more new call is sent away, when messages wait this long.
pub fn sheds(wait: Duration, rng: &mut Rng) -> bool {
    if wait <= SHED_FROM {
        return false;
    }
    let over = wait.min(SHED_ALL) - SHED_FROM;
    let share = over.as_micros() * PARTS / (SHED_ALL - SHED_FROM).as_micros();
    u128::from(rng.below(PARTS as u32)) < share
}

/// Seconds after which who was sent away may come again: spread, or all would come at once.
pub fn retry_after(rng: &mut Rng) -> u32 {
    let (least, most) = RETRY_AFTER_SECS;
    least + rng.below(most - least + 1)
}

const SHED_FROM: Duration = Duration::from_millis(50);
const SHED_ALL: Duration = Duration::from_millis(250);
/// How finely the share is weighed.
const PARTS: u128 = 1024;
const RETRY_AFTER_SECS: (u32, u32) = (4, 12);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_sent_away_grows_with_the_wait() {
        let mut rng = Rng::from_number(1);
        let mut shed = |millis| {
            let wait = Duration::from_millis(millis);
            (0..10_000).filter(|_| sheds(wait, &mut rng)).count()
        };

        assert_eq!(shed(50), 0);
        assert!((2000..3000).contains(&shed(100)));
        assert!((7000..8000).contains(&shed(200)));
        assert_eq!(shed(250), 10_000);
        assert_eq!(shed(60_000), 10_000);
    }
}
