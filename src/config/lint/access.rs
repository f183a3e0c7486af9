//! Classes that do not exist or can never be called, lists of callers for nobody, and classes of
//! callers that nobody is of.

use crate::config::Config;
use crate::config::lint::targets::missing;
use crate::config::problem::{Finding, error, nearest};
use crate::id::Target;
use crate::route::access::BUILT_IN;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    for (id, class) in &config.classes {
        let path = ["classes", id.as_str()];
        if BUILT_IN.contains(&id.as_str()) {
            let text = format!("`{id}` is what lies in no class; give this one another name");
            findings.push(error(&path, text));
        }
        if class.numbers.is_empty() {
            let text = format!("class `{id}` has no numbers; write `numbers = [\"0*\"]`");
            findings.push(error(&path, text));
        }
        if let Some(hours) = class.hours.as_ref().filter(|id| !config.hours.contains_key(*id)) {
            let right = match nearest(hours.as_str(), config.hours.keys().map(|id| id.as_str())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add [hours.{hours}]"),
            };
            let text = format!("there are no hours `{hours}`; {right}");
            findings.push(error(&["classes", id.as_str(), "hours"], text));
        }
    }
    for (id, extension) in &config.extensions {
        for (place, class) in extension.calls.iter().flatten().enumerate() {
            if BUILT_IN.contains(&class.as_str()) || config.classes.contains_key(class) {
                continue;
            }
            let known = config.classes.keys().map(|id| id.as_str()).chain(BUILT_IN);
            let right = match nearest(class.as_str(), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add [classes.{class}]"),
            };
            let text = format!("there is no class `{class}`; {right}");
            let path = ["extensions", id.as_str(), "calls", &place.to_string()];
            findings.push(error(&path, text));
        }
    }
    for (id, customer) in &config.customers {
        let path = ["customers", id.as_str()];
        if !customer.says_who() {
            let text = format!(
                "nobody is of class `{id}`; write `numbers = [\"+86*\"]` or `history = \"new\"`"
            );
            findings.push(error(&path, text));
        }
        for (key, levels) in [("skills", &customer.skills), ("prefer", &customer.prefer)] {
            for (skill, level) in levels.iter().filter(|(_, level)| !(1..=10).contains(*level)) {
                let text = format!("`{skill}` is at level {level}; write one from 1 to 10");
                findings.push(error(&["customers", id.as_str(), key], text));
            }
        }
    }
    for target in config.callers.keys() {
        let text = match target {
            Target::Hangup(_) => Some(format!("`{target}` is nobody; write who takes calls")),
            _ => missing(config, target),
        };
        if let Some(text) = text {
            findings.push(error(&["callers", &target.to_string()], text));
        }
    }
}
