//! The timers of the transaction machines (RFC 3261 table 4), by their letters.

use crate::time::Duration;

/// Round-trip time estimate (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest interval between copies of a non-INVITE request or an INVITE response (§17.1.2.2).
pub const T2: Duration = Duration::from_secs(4);
/// Longest time a message stays in the network (§17.1.2.2).
pub const T4: Duration = Duration::from_secs(5);

/// How long an INVITE waits for its first response (§17.1.1.2).
pub const TIMER_B: Duration = Duration::from_secs(32);
/// How long copies of a refusal of our INVITE are acknowledged, over UDP (§17.1.1.2).
pub const TIMER_D: Duration = Duration::from_secs(32);
/// How long any other request waits for its final response (§17.1.2.2).
pub const TIMER_F: Duration = Duration::from_secs(32);
/// How long a refused INVITE waits for its ACK (§17.2.1).
pub const TIMER_H: Duration = Duration::from_secs(32);
/// How long copies of an answered non-INVITE request are answered again, over UDP (§17.2.2).
pub const TIMER_J: Duration = Duration::from_secs(32);
/// How long copies of an accepted INVITE are absorbed (RFC 6026 §7.1).
pub const TIMER_L: Duration = Duration::from_secs(32);
/// How long further 2xx to our INVITE are passed up: copies, and those of other branches
/// (RFC 6026 §7.2).
pub const TIMER_M: Duration = Duration::from_secs(32);
/// How long an INVITE that was cancelled waits for its final response (RFC 3261 §9.1).
pub const CANCELLED_MAX: Duration = Duration::from_secs(32);

/// What a timer that only guards against late copies lasts (D, I, J, K): over a reliable
/// transport there are no copies.
pub(super) const fn absorbing(wait: Duration, reliable: bool) -> Duration {
    if reliable { Duration::ZERO } else { wait }
}
