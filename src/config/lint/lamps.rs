//! Subscriptions: lengths that contradict each other, limits under which nothing works.

use crate::config::problem::{Finding, error};
use crate::sip::subscription::Config;
use crate::time::Duration;

pub fn lint(lamps: &Config, findings: &mut Vec<Finding>) {
    if lamps.expires_min > lamps.expires_max {
        let text = "`expires_min` is longer than `expires_max`; make it shorter";
        findings.push(error(&["lamps", "expires_min"], text));
    } else if !(lamps.expires_min..=lamps.expires_max).contains(&lamps.expires) {
        let text = "`expires` must lie between `expires_min` and `expires_max`; change one of them";
        findings.push(error(&["lamps", "expires"], text));
    }
    if lamps.expires_min < Duration::from_secs(1) {
        let text = "this is too short; write \"1s\" or more";
        findings.push(error(&["lamps", "expires_min"], text));
    }
    // RFC 6665 §4.2.1.1: nobody who asks for an hour or more is told that it is too little.
    if lamps.expires_min > Duration::from_secs(3600) {
        let text = "phones that ask for an hour must get it; write \"1h\" or less";
        findings.push(error(&["lamps", "expires_min"], text));
    }
    if lamps.notify_interval > Duration::from_secs(60) {
        let text = "lamps would lag; write \"1m\" or less";
        findings.push(error(&["lamps", "notify_interval"], text));
    }
    for (key, limit) in [
        ("per_extension_max", lamps.per_extension_max),
        ("subscriptions_max", lamps.subscriptions_max),
    ] {
        if limit == 0 {
            findings.push(error(&["lamps", key], "no lamp could be lit; write 1 or more"));
        }
    }
}
