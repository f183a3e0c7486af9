//! Calls of phones: times that nobody would wait, places that cannot be dialled, groups of nobody.

use crate::acd::config::{Pin, is_pin};
use crate::call::config::SLOTS_MAX;
use crate::config::Config;
use crate::config::lint::targets::missing;
use crate::config::problem::{Finding, error, warning};
use crate::id::Target;
use crate::media::control::PARTIES_MAX;
use crate::route::config::Supervised;
use crate::time::Duration;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    let recall = config.calls.recall_timeout;
    if !recall.is_zero() && recall < RING_MIN {
        let text = "no phone could be answered in time; write \"5s\" or more, or \"0s\"";
        findings.push(error(&["calls", "recall_timeout"], text));
    }
    if !(1..=SLOTS_MAX).contains(&config.park.slots) {
        let text = format!("write 1 to {SLOTS_MAX}; `park = \"\"` of [codes] switches it off");
        findings.push(error(&["park", "slots"], text));
    }
    if config.park.timeout < PARK_MIN {
        let text = "nobody could fetch a call in time; write \"10s\" or more";
        findings.push(error(&["park", "timeout"], text));
    }
    pickup_groups(config, findings);
    supervisors(config, findings);
    conferences(config, findings);
}

/// Conferences in which nobody could talk with anybody, or that anybody could enter.
fn conferences(config: &Config, findings: &mut Vec<Finding>) {
    for (id, conference) in &config.conferences {
        let path = |key| ["conferences", id.as_str(), key];
        if !(2..=PARTIES_MAX).contains(&usize::from(conference.parties_max)) {
            let text = format!("write 2 to {PARTIES_MAX}");
            findings.push(error(&path("parties_max"), text));
        }
        if conference.alone_max.is_zero() {
            let text = "who comes first would be hung up at once; write \"10m\"";
            findings.push(error(&path("alone_max"), text));
        }
        if conference.speakers_max == 0 {
            findings.push(error(&path("speakers_max"), "nobody would be heard; write 1 or more"));
        }
        let pin = conference.pin.as_ref().map(Pin::as_str);
        if pin.is_some_and(|pin| !is_pin(pin)) {
            let text = "a PIN is typed at a phone; write 3 to 16 digits";
            findings.push(error(&path("pin"), text));
        }
    }
}

/// Agents and queues that an extension supervises, but nobody knows.
fn supervisors(config: &Config, findings: &mut Vec<Finding>) {
    for (id, account) in &config.extensions {
        for (place, whom) in account.supervises.iter().enumerate() {
            let path = ["extensions", id.as_str(), "supervises", &place.to_string()];
            if account.supervises[..place].contains(whom) {
                findings.push(warning(&path, "it is written twice; leave one out"));
            }
            let target = match whom {
                Supervised::Agent(agent) => Target::Agent(agent.clone()),
                Supervised::All => continue,
                Supervised::Queue(queue) => Target::Queue(queue.clone()),
            };
            findings.extend(missing(config, &target).map(|text| error(&path, text)));
        }
    }
}

fn pickup_groups(config: &Config, findings: &mut Vec<Finding>) {
    for (id, account) in &config.extensions {
        for (place, group) in account.pickup_groups.iter().enumerate() {
            let path = ["extensions", id.as_str(), "pickup_groups", &place.to_string()];
            if group.trim().is_empty() {
                findings.push(error(&path, "a group needs a name; write one or leave it out"));
                continue;
            }
            if account.pickup_groups[..place].contains(group) {
                findings.push(warning(&path, format!("`{group}` is written twice; leave one out")));
                continue;
            }
            let others = config.extensions.iter().filter(|(other, _)| *other != id);
            let mut shared = others.filter(|(_, other)| other.pickup_groups.contains(group));
            if group != ALL && shared.next().is_none() {
                let text = format!("nobody else is in `{group}`; no call could be picked up");
                findings.push(warning(&path, text));
            }
        }
    }
}

/// The group of those who name none.
const ALL: &str = "all";
/// Nobody takes a call in less.
const RING_MIN: Duration = Duration::from_secs(5);
/// Nobody hears of a parked call and gets to a phone in less.
const PARK_MIN: Duration = Duration::from_secs(10);
