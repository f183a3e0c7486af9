//! What systemd is told: ready, alive, reloading, stopping.

use sd_notify::NotifyState;

use crate::shell::clock::Clock;
use crate::shell::driver::Orders;
use crate::time::Duration;

/// The node takes calls. Without systemd this does nothing, like all of these.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells the watchdog that the node lives, as long as the Switch goes round its loop.
pub async fn watch(switch: Orders, clock: Clock) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    let mut beats = tokio::time::interval(within / 3);
    loop {
        beats.tick().await;
        let silent = clock.now().since(switch.alive_at());
        if silent < SILENT_MAX {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(?silent, "the Switch does not move");
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// The Switch sleeps a quarter of a second at most.
const SILENT_MAX: Duration = Duration::from_secs(5);
