//! Routes that can never match, and their hours.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::problem::{Finding, error, nearest, warning};
use crate::route::config::Route;
use crate::route::hours;
use crate::route::pattern::Pattern;
use crate::route::rules::name;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    for (id, calendar) in &config.hours {
        let path = ["hours", id.as_str()];
        if let Some(Err(wrong)) = calendar.zone.as_deref().map(hours::zone) {
            findings.push(error(&[&path[..], &["zone"]].concat(), wrong.to_string()));
        }
        if calendar.open.is_empty() {
            let text =
                format!("hours `{id}` are never open; write `open = [\"mon-fri 09:00-18:00\"]`");
            findings.push(warning(&path, text));
        }
    }
    let mut names = BTreeMap::new();
    for (place, route) in config.routes.iter().enumerate() {
        let index = place.to_string();
        if let Some(id) = route.hours.as_ref().filter(|id| !config.hours.contains_key(*id)) {
            let known = config.hours.keys().map(|id| id.as_str());
            let right = match nearest(id.as_str(), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add [hours.{id}]"),
            };
            let text = format!("there are no hours `{id}`; {right}");
            findings.push(error(&["routes", &index, "hours"], text));
        }
        let before = config.routes[..place].iter().enumerate();
        if let Some((first, hiding)) = before.into_iter().find(|(_, other)| hides(other, route)) {
            let text = format!(
                "this route can never match, for `{}` takes all its calls; move it up",
                name(first, hiding)
            );
            findings.push(error(&["routes", &index], text));
        }
        let named = name(place, route);
        if names.insert(named.clone(), place).is_some() {
            let text = format!("another route is called `{named}` too; give it another name");
            findings.push(warning(&["routes", &index, "name"], text));
        }
    }
}

/// Whether every call that `route` matches is matched by `first`.
fn hides(first: &Route, route: &Route) -> bool {
    let covers = |first: &Option<Pattern>, then: &Option<Pattern>| match (first, then) {
        (None, _) => true,
        (Some(first), Some(then)) => first.covers(then),
        (Some(first), None) => matches!(first, Pattern::Prefix(prefix) if prefix.is_empty()),
    };
    let same_way = first.trunk.is_none() || first.trunk == route.trunk;
    same_way
        && covers(&first.to, &route.to)
        && covers(&first.from, &route.from)
        && (first.hours.is_none() || first.hours == route.hours)
}
