//! Waits and limits of queues that can hardly be meant.

use crate::acd::config::{Config as Acd, Queue, Strategy};
use crate::config::Config;
use crate::config::problem::{Finding, warning};
use crate::time::Duration;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    let acd = &config.acd.acd;
    let usual = [("max_wait", acd.max_wait), ("ring_timeout", acd.ring_timeout)];
    for (key, wait) in usual {
        too_short(&["acd", key], wait, findings);
    }
    if is_short(acd.refusal_pause, SHORTEST) {
        let text = "who refuses is rung again at once; write \"1s\" or more";
        findings.push(warning(&["acd", "refusal_pause"], text));
    }
    if acd.wrap_up > acd.wrap_up_max {
        findings.push(warning(&["acd", "wrap_up"], NEVER_EXTENDED));
    }
    nobody_waits(&["acd", "callers_max"], Some(acd.callers_max), findings);
    for (id, queue) in &config.acd.queues {
        one(&config.acd, id.as_str(), queue, findings);
    }
}

fn one(acd: &Acd, id: &str, queue: &Queue, findings: &mut Vec<Finding>) {
    nobody_waits(&["queues", id, "callers_max"], queue.callers_max, findings);
    for (key, wait) in [("max_wait", queue.max_wait), ("ring_timeout", queue.ring_timeout)] {
        if let Some(wait) = wait {
            too_short(&["queues", id, key], wait, findings);
        }
    }
    if queue.wrap_up.is_some_and(|wrap_up| wrap_up > acd.acd.wrap_up_max) {
        findings.push(warning(&["queues", id, "wrap_up"], NEVER_EXTENDED));
    }
    let ring = queue.ring_timeout.unwrap_or(acd.acd.ring_timeout);
    let next = queue.ring_next.filter(|_| queue.strategy == Strategy::RingProgressively);
    if next.is_some_and(|next| next >= ring) {
        let text = "the phone before has stopped by then; write less than `ring_timeout`";
        findings.push(warning(&["queues", id, "ring_next"], text));
    }
    if is_short(queue.announce.every, EVERY) {
        let text = "the caller would hear hardly anything else; write \"5s\" or more";
        findings.push(warning(&["queues", id, "announce", "every"], text));
    }
    let level = &queue.service_level;
    if level.short > level.within {
        let text = "who hangs up so late has waited too long already; write less than `within`";
        findings.push(warning(&["queues", id, "service_level", "short"], text));
    }
    too_late(acd, id, queue, findings);
}

/// What would happen to a caller when he has been sent on.
fn too_late(acd: &Acd, id: &str, queue: &Queue, findings: &mut Vec<Finding>) {
    let max_wait = acd.max_wait(queue);
    let mut told = |key: &[&str], after: Duration| {
        if after >= max_wait && !after.is_zero() {
            let text = "he is sent on before that; write less than `max_wait`";
            findings.push(warning(&[&["queues", id], key].concat(), text));
        }
    };
    for (place, step) in queue.widen.iter().enumerate() {
        told(&["widen", &place.to_string(), "after"], step.after);
    }
    let offer = queue.callback.as_ref().and_then(|callback| callback.offer_after);
    told(&["callback", "offer_after"], offer.unwrap_or_default());
    let last_tier = queue.tiers.values().copied().max().unwrap_or(1);
    told(&["tier_wait"], queue.tier_wait * u32::from(last_tier - 1));
    told(&["owner_wait"], queue.owner_wait.unwrap_or_default());
    told(&["last_agent_wait"], queue.last_agent_wait.unwrap_or_default());
}

fn too_short(path: &[&str], wait: Duration, findings: &mut Vec<Finding>) {
    if is_short(wait, SHORTEST) {
        let text = "nobody is so quick; write \"1s\" or more";
        findings.push(warning(path, text));
    }
}

/// Nothing at all is an error elsewhere.
fn is_short(wait: Duration, shortest: Duration) -> bool {
    wait < shortest && !wait.is_zero()
}

fn nobody_waits(path: &[&str], callers_max: Option<u32>, findings: &mut Vec<Finding>) {
    if callers_max == Some(0) {
        let text = "every caller is sent on at once; write 1 or more";
        findings.push(warning(path, text));
    }
}

/// The shortest wait for a person that is not warned of.
const SHORTEST: Duration = Duration::from_secs(1);
/// The shortest time between two announcements that is not warned of.
const EVERY: Duration = Duration::from_secs(5);
const NEVER_EXTENDED: &str = "it is longer than any may be extended to; raise `wrap_up_max`";
