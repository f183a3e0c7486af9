//! Callbacks that could never be made.

use crate::acd::callback::Callback;
use crate::config::Config;
use crate::config::problem::{Finding, error, nearest, warning};
use crate::route::access::{INTERNAL, OTHER};

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    for (id, queue) in &config.acd.queues {
        if let Some(callback) = &queue.callback {
            one(config, id.as_str(), callback, findings);
        }
    }
}

fn one(config: &Config, id: &str, callback: &Callback, findings: &mut Vec<Finding>) {
    let missing = |kind: &str, section: &str, name: &str, known: Vec<&str>| {
        let right = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add [{section}.{name}]"),
        };
        let is_known = known.contains(&name);
        (!is_known).then(|| format!("there is no {kind} `{name}`; {right}"))
    };
    let path = |key| ["queues", id, "callback", key];
    if let Some(hours) = &callback.hours {
        let known = config.hours.keys().map(|id| id.as_str()).collect();
        let text = missing("table of hours", "hours", hours.as_str(), known);
        findings.extend(text.map(|text| error(&path("hours"), text)));
    }
    if let Some(trunk) = &callback.trunk {
        let known = config.trunks.keys().map(|id| id.as_str()).collect();
        let text = missing("trunk", "trunks", trunk.as_str(), known);
        findings.extend(text.map(|text| error(&path("trunk"), text)));
    }
    let classes = config.classes.keys().map(|id| id.as_str()).chain([INTERNAL, OTHER]);
    let classes: Vec<&str> = classes.collect();
    for class in &callback.calls {
        let text = missing("class", "classes", class.as_str(), classes.clone());
        findings.extend(text.map(|text| error(&path("calls"), text)));
    }
    if callback.calls.is_empty() && !config.trunks.is_empty() {
        let text = "nobody outside is called back; write `calls = [\"…\"]`, the classes of numbers \
                    that may be called";
        findings.push(warning(&["queues", id, "callback"], text));
    }
}
