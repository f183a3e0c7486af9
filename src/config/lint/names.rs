//! Names of things: that targets, URIs, files and logs can say them, and that none of them says
//! two things.

use crate::config::Config;
use crate::config::problem::{Finding, error};

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    for (section, id) in ids(config) {
        if !is_name(id) {
            findings.push(error(&[section, id], wrong(id)));
        }
    }
    let agents = config.acd.agents.iter();
    let queues = config.acd.queues.iter();
    let with_skills = (agents.map(|(id, agent)| ("agents", id.as_str(), &agent.skills)))
        .chain(queues.map(|(id, queue)| ("queues", id.as_str(), &queue.skills)));
    for (section, id, skills) in with_skills {
        for skill in skills.keys().filter(|skill| !is_name(skill.as_str())) {
            let path = [section, id, "skills", skill.as_str()];
            findings.push(error(&path, wrong(skill.as_str())));
        }
    }
    lamps(config, findings);
}

/// Every name that is a key of a table, but for those that are numbers.
fn ids(config: &Config) -> impl Iterator<Item = (&'static str, &str)> {
    let classes = config.classes.keys().map(|id| ("classes", id.as_str()));
    let conferences = config.conferences.keys().map(|id| ("conferences", id.as_str()));
    let agents = config.acd.agents.keys().map(|id| ("agents", id.as_str()));
    let hours = config.hours.keys().map(|id| ("hours", id.as_str()));
    let menus = config.menus.keys().map(|id| ("menus", id.as_str()));
    let queues = config.acd.queues.keys().map(|id| ("queues", id.as_str()));
    let trunks = config.trunks.keys().map(|id| ("trunks", id.as_str()));
    agents.chain(classes).chain(conferences).chain(hours).chain(menus).chain(queues).chain(trunks)
}

/// Numbers under which phones watch something else (`switch::lamps`).
fn lamps(config: &Config, findings: &mut Vec<Finding>) {
    for (number, target, path) in config.numbers() {
        let Some(what) = watched(config, &number) else { continue };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = format!(
            "phones watch {what} as `{number}`, which is the number of `{target}` too; give it \
             another"
        );
        findings.push(error(&path, text));
    }
}

/// What else phones watch under a number.
fn watched(config: &Config, number: &str) -> Option<String> {
    let (kind, id) = number.split_once('-')?;
    let is_there = match kind {
        "agent" => config.acd.agents.contains_key(id),
        "park" => !config.codes.park.is_empty() && id.parse::<u16>().is_ok_and(|slot| slot > 0),
        "queue" => config.acd.queues.contains_key(id),
        _ => false,
    };
    is_there.then(|| match kind {
        "park" => "a place where calls are parked".to_owned(),
        _ => format!("{kind} `{id}`"),
    })
}

/// Whether targets, SIP URIs and file names can say it: `:` and `/` part targets, `@` parts URIs.
fn is_name(text: &str) -> bool {
    let is_good = |letter: char| letter.is_alphanumeric() || "-_.+".contains(letter);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(is_good)
}

fn wrong(id: &str) -> String {
    if id.is_empty() {
        return "this has no name; write one such as `sales`".to_owned();
    }
    if id.len() > NAME_BYTES_MAX {
        return format!("the name is too long; write {NAME_BYTES_MAX} bytes or less");
    }
    format!("`{id}` is no name that can be used; write letters, digits, `-`, `_`, `.` and `+`")
}

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
