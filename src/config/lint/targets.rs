//! Targets and prompts that do not exist, menus without a way, overflow that leads in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::config::lint::HasPrompt;
use crate::config::problem::{Finding, Path, error, nearest, owned, warning};
use crate::id::{PromptId, Target};
use crate::ivr::config::Menu;
use crate::time::Duration;

pub fn lint(config: &Config, prompts: Option<HasPrompt<'_>>, findings: &mut Vec<Finding>) {
    let targets = targets(config);
    let mut heard = prompts_of(config);
    for (path, target) in &targets {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Target::Prompt(prompt) = target {
            heard.push((owned(&path), prompt));
        } else if let Some(text) = missing(config, target) {
            findings.push(error(&path, text));
        }
    }
    for (id, menu) in config.menus.iter() {
        one_menu(id.as_str(), menu, findings);
    }
    if let Some(has) = prompts {
        for (path, prompt) in heard.iter().filter(|(_, prompt)| !has(config, prompt)) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let shipped = SHIPPED.into_iter().filter(|name| has(config, &PromptId::from(*name)));
            let right = match nearest(prompt.as_str(), shipped) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("put `{prompt}.wav` into the folder of prompts"),
            };
            findings.push(warning(&path, format!("there is no prompt `{prompt}`; {right}")));
        }
    }
    circles(&targets, findings);
}

/// Every target that is written, with its key.
pub(super) fn targets(config: &Config) -> Vec<(Path, &Target)> {
    let mut targets = Vec::new();
    for (id, menu) in config.menus.iter() {
        let id = id.as_str();
        for (digit, key) in &menu.keys {
            targets.push((owned(&["menus", id, "keys", &digit.to_string()]), &key.target));
        }
        targets.push((owned(&["menus", id, "on_fail"]), &menu.on_fail));
    }
    for (id, queue) in &config.acd.queues {
        for (key, target) in [
            ("on_empty", &queue.on_empty),
            ("on_full", &queue.on_full),
            ("on_timeout", &queue.on_timeout),
        ] {
            let path = owned(&["queues", id.as_str(), key]);
            targets.extend(target.iter().map(|target| (path.clone(), target)));
        }
        for (key, target) in &queue.keys {
            targets.push((owned(&["queues", id.as_str(), "keys", key]), target));
        }
    }
    if let Some(target) = &config.park.on_timeout {
        targets.push((owned(&["park", "on_timeout"]), target));
    }
    for (place, route) in config.routes.iter().enumerate() {
        targets.push((owned(&["routes", &place.to_string(), "target"]), &route.target));
    }
    for (id, trunk) in &config.trunks {
        let path = owned(&["trunks", id.as_str(), "fallback"]);
        targets.extend(trunk.fallback.iter().map(|target| (path.clone(), target)));
    }
    targets
}

/// Every prompt that is written, with its key; but for those that are targets.
fn prompts_of(config: &Config) -> Vec<(Path, &PromptId)> {
    let mut prompts = Vec::new();
    for (id, menu) in config.menus.iter() {
        let prompt = menu.prompt.iter().map(|prompt| ("prompt", prompt));
        for (key, prompt) in
            prompt.chain([("invalid", &menu.invalid), ("no_input", &menu.no_input)])
        {
            prompts.push((owned(&["menus", id.as_str(), key]), prompt));
        }
    }
    for (id, queue) in &config.acd.queues {
        let greeting = queue.greeting.iter().map(|prompt| ("greeting", prompt));
        for (place, prompt) in queue.announce.messages.iter().enumerate() {
            let key = ["queues", id.as_str(), "announce", "messages", &place.to_string()];
            prompts.push((owned(&key), prompt));
        }
        if let Some(prompt) = &queue.agent_announce.prompt {
            prompts.push((owned(&["queues", id.as_str(), "agent_announce", "prompt"]), prompt));
        }
        for (key, prompt) in greeting.chain(queue.music.iter().map(|prompt| ("music", prompt))) {
            prompts.push((owned(&["queues", id.as_str(), key]), prompt));
        }
    }
    for (id, conference) in &config.conferences {
        prompts.push((owned(&["conferences", id.as_str(), "music"]), &conference.music));
    }
    prompts
}

/// What to say of a target that does not exist; `None` if it does.
pub(super) fn missing(config: &Config, target: &Target) -> Option<String> {
    let names = |names: Vec<&str>, kind: &str, section: &str, name: &str| {
        if names.contains(&name) {
            return None;
        }
        let right = match nearest(name, names) {
            Some(meant) => format!("did you mean `{kind}:{meant}`?"),
            None => format!("add [{section}.{name}]"),
        };
        Some(format!("there is no {kind} `{name}`; {right}"))
    };
    match target {
        Target::Agent(id) => {
            let known = config.acd.agents.keys().map(|id| id.as_str()).collect();
            names(known, "agent", "agents", id.as_str())
        }
        Target::Conference(id) => {
            let known = config.conferences.keys().map(|id| id.as_str()).collect();
            names(known, "conference", "conferences", id.as_str())
        }
        Target::Extension(id) => {
            let known = config.extensions.keys().map(|id| id.as_str()).collect();
            names(known, "extension", "extensions", id.as_str())
        }
        Target::Menu(id) => {
            let known = config.menus.keys().map(|id| id.as_str()).collect();
            names(known, "menu", "menus", id.as_str())
        }
        Target::Queue(id) => {
            let known = config.acd.queues.keys().map(|id| id.as_str()).collect();
            names(known, "queue", "queues", id.as_str())
        }
        Target::Trunk(to) => {
            let known = config.trunks.keys().map(|id| id.as_str()).collect();
            names(known, "trunk", "trunks", to.trunk.as_str())
        }
        Target::Hangup(_) | Target::Prompt(_) => None,
    }
}

fn one_menu(id: &str, menu: &Menu, findings: &mut Vec<Finding>) {
    let path = ["menus", id];
    if menu.prompt.is_none() {
        let text = format!("menu `{id}` has no prompt; write `prompt = \"…\"`");
        findings.push(error(&path, text));
    }
    if menu.keys.is_empty() {
        let text = format!("menu `{id}` has no keys; add [menus.{id}.keys]");
        findings.push(warning(&path, text));
    }
    let day = Duration::from_secs(24 * 3600);
    if !(Duration::from_secs(1)..=day).contains(&menu.timeout) {
        let text = "nobody could press a key in time; write \"1s\" to \"1d\"";
        findings.push(error(&["menus", id, "timeout"], text));
    }
    if menu.retries > RETRIES_MAX {
        let text = format!("callers would be held for ever; write {RETRIES_MAX} or less");
        findings.push(error(&["menus", id, "retries"], text));
    }
}

/// Queues that overflow, menus that fail and trunks that fall back into each other: a caller who
/// does nothing would never come out.
fn circles(targets: &[(Path, &Target)], findings: &mut Vec<Finding>) {
    let mut ways: BTreeMap<String, Vec<(&Path, String)>> = BTreeMap::new();
    for (path, target) in targets {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let from = match parts[..] {
            ["queues", id, _] => format!("queue:{id}"),
            ["menus", id, "on_fail"] => format!("menu:{id}"),
            ["trunks", id, "fallback"] => format!("trunk:{id}"),
            _ => continue, // a key that is pressed, or a rule, leads on once
        };
        let to = match target {
            Target::Trunk(to) => format!("trunk:{}", to.trunk),
            to => to.to_string(),
        };
        ways.entry(from).or_default().push((path, to));
    }
    let mut told = BTreeSet::new();
    for start in ways.keys() {
        let Some((circle, path)) = circle(&ways, start) else { continue };
        let mut members = circle.clone();
        members.sort();
        members.dedup();
        if told.insert(members) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let names = circle.join(" → ");
            let text = format!("this leads in a circle: {names}; let one of them lead out");
            findings.push(error(&path, text));
        }
    }
}

/// The shortest way from `start` back to it, and the key of its first step.
fn circle(
    ways: &BTreeMap<String, Vec<(&Path, String)>>,
    start: &str,
) -> Option<(Vec<String>, Path)> {
    let mut seen = BTreeSet::new();
    let mut fronts: Vec<(Vec<String>, Option<Path>)> = vec![(vec![start.to_owned()], None)];
    while !fronts.is_empty() {
        let mut next = Vec::new();
        for (way, first) in fronts {
            let here = way.last()?;
            for (path, to) in ways.get(here).into_iter().flatten() {
                let first = first.clone().unwrap_or_else(|| (*path).clone());
                let mut longer = way.clone();
                longer.push(to.clone());
                if to == start {
                    return Some((longer, first));
                }
                if seen.insert(to.clone()) {
                    next.push((longer, Some(first)));
                }
            }
        }
        fronts = next;
    }
    None
}

/// More retries than this hold a caller for ever.
const RETRIES_MAX: u32 = 100;
/// Shipped prompts that menus, queues and routes may name; suggested only where they exist.
const SHIPPED: [&str; 11] = [
    "busy",
    "closed",
    "goodbye",
    "hold",
    "invalid",
    "no-input",
    "nobody",
    "please-wait",
    "recording-notice",
    "try-later",
    "welcome",
];
