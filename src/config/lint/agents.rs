//! Extensions, agents, queues and skills.

use std::collections::{BTreeMap, BTreeSet};

use crate::acd::config::{Login, Queue, Strategy};
use crate::config::Config;
use crate::config::problem::{Finding, Severity, error, nearest, warning};
use crate::id::{AgentId, SkillId};
use crate::time::Duration;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    findings.extend(config.acd.faults().into_iter().map(|fault| {
        let mut path = fault.key;
        // A fault of one entry of a list or table names the entry first.
        let named = fault.what.split('`').nth(1);
        path.extend(named.and_then(|name| entry(config, &path, name)));
        Finding { path, other: None, severity: Severity::Error, text: fault.what }
    }));
    extensions(config, findings);
    seats(config, findings);
    alerts(config, findings);
    let skills: BTreeSet<&SkillId> =
        config.acd.agents.values().flat_map(|agent| agent.skills.keys()).collect();
    for (id, queue) in &config.acd.queues {
        members(config, id.as_str(), queue, findings);
        idle_keys(config, id.as_str(), queue, findings);
        nobody_has(&["queues", id.as_str(), "skills"], &queue.skills, &skills, findings);
        nobody_has(&["queues", id.as_str(), "prefer"], &queue.prefer, &skills, findings);
        for (place, step) in queue.widen.iter().enumerate() {
            let path = ["queues", id.as_str(), "widen", &place.to_string(), "skills"];
            nobody_has(&path, &step.skills, &skills, findings);
        }
    }
    for (id, menu) in config.menus.iter() {
        for (digit, key) in &menu.keys {
            for (name, asked) in [("skills", &key.skills), ("prefer", &key.prefer)] {
                let path = ["menus", id.as_str(), "keys", &digit.to_string(), name];
                nobody_has(&path, asked, &skills, findings);
                for (skill, level) in asked.iter().filter(|(_, level)| !(1..=10).contains(*level)) {
                    let text = format!("`{skill}` is at level {level}; write one from 1 to 10");
                    findings.push(error(&[&path[..], &[skill.as_str()]].concat(), text));
                }
            }
        }
    }
}

/// The last part of the way to the entry `name` of the list or table at `path`.
fn entry(config: &Config, path: &[String], name: &str) -> Option<String> {
    let at = |members: &[AgentId]| {
        members.iter().rposition(|member| member.as_str() == name).map(|at| at.to_string())
    };
    match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["queues", id, "members"] => at(&config.acd.queues.get(id)?.members),
        ["queues", id, "widen", step, "members"] => {
            at(&config.acd.queues.get(id)?.widen.get(step.parse::<usize>().ok()?)?.members)
        }
        ["queues", id, table @ ("prefer" | "skills" | "tiers" | "weights")] => {
            let queue = config.acd.queues.get(id)?;
            let is_there = match table {
                "prefer" => queue.prefer.contains_key(name),
                "skills" => queue.skills.contains_key(name),
                "tiers" => queue.tiers.contains_key(name),
                _ => queue.weights.contains_key(name),
            };
            is_there.then(|| name.to_owned())
        }
        ["queues", id, "widen", step, "skills"] => {
            let step = config.acd.queues.get(id)?.widen.get(step.parse::<usize>().ok()?)?;
            step.skills.contains_key(name).then(|| name.to_owned())
        }
        ["agents", id, "owns"] => {
            let owns = &config.acd.agents.get(id)?.owns;
            owns.iter().rposition(|number| number == name).map(|at| at.to_string())
        }
        ["agents", id, "skills"] => {
            let agent = config.acd.agents.get(id)?;
            agent.skills.contains_key(name).then(|| name.to_owned())
        }
        _ => None,
    }
}

fn extensions(config: &Config, findings: &mut Vec<Finding>) {
    for (id, extension) in &config.extensions {
        let path = ["extensions", id.as_str()];
        let asks = extension.password_file.is_some() || extension.password_env.is_some();
        match extension.password.as_ref().map(|password| password.expose()) {
            None if asks || config.site_is_builtin => {} // fetched or generated
            None => {
                let text = format!("extension `{id}` has no password; write `password = \"…\"`");
                findings.push(error(&path, text));
            }
            Some("") => {
                let text = "an empty password lets everyone in; write one";
                findings.push(error(&[&path[..], &["password"]].concat(), text));
            }
            Some(password) => {
                if let Some(text) = weakness(id.as_str(), password) {
                    findings.push(warning(&[&path[..], &["password"]].concat(), text));
                }
            }
        }
        if extension.ring_timeout < Duration::from_secs(1) {
            let text = "the phone could not be answered; write \"1s\" or more";
            findings.push(error(&[&path[..], &["ring_timeout"]].concat(), text));
        }
    }
}

/// Why a password is soon guessed by who scans for phones, if it is.
fn weakness(id: &str, password: &str) -> Option<&'static str> {
    let lower = password.to_ascii_lowercase();
    if lower.replace(id, "").is_empty() {
        return Some("the number itself is what intruders try first; write another password");
    }
    if TRIED_FIRST.contains(&lower.replace(id, "").as_str()) {
        return Some("every list of passwords to try has this one; write another");
    }
    let is_number = password.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && password.len() < DIGITS_MIN {
        return Some("so few digits are soon tried out; write letters too, or 12 digits");
    }
    (password.chars().count() < LETTERS_MIN)
        .then_some("so short a password is soon guessed; write 8 characters or more")
}

/// What intruders try before all else, apart from the number.
const TRIED_FIRST: [&str; 9] = [
    "admin", "changeme", "default", "p@ssw0rd", "passw0rd", "password", "qwerty", "secret", "voip",
];
/// The shortest password that is not warned of, and the shortest of digits alone.
const LETTERS_MIN: usize = 8;
const DIGITS_MIN: usize = 12;

/// Names of ringing tones that would break the header which they stand in.
fn alerts(config: &Config, findings: &mut Vec<Finding>) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let calls = &config.calls;
    let queues = config.acd.queues.iter();
    let of_queues = queues.map(|(id, queue)| (vec!["queues", id.as_str(), "alert"], &queue.alert));
    let usual = [
        (vec!["calls", "alert_external"], &calls.alert_external),
        (vec!["calls", "alert_internal"], &calls.alert_internal),
    ];
    for (path, alert) in of_queues.chain(usual) {
        if !alert.bytes().all(is_token) {
            let text = "phones cannot read this; write letters, digits, `-`, `.` and `_`";
            findings.push(error(&path, text));
        }
    }
}

/// Agents whose seats do not exist or are taken.
fn seats(config: &Config, findings: &mut Vec<Finding>) {
    let mut taken = BTreeMap::new();
    for (id, agent) in &config.acd.agents {
        if agent.pin.is_some() && !id.as_str().bytes().all(|digit| digit.is_ascii_digit()) {
            let text =
                "nobody can dial this id to log in; name the agent by digits, or write no PIN";
            findings.push(warning(&["agents", id.as_str()], text));
        }
        let Some(seat) = &agent.extension else { continue };
        let path = ["agents", id.as_str(), "extension"];
        if !config.extensions.contains_key(seat) {
            let known = config.extensions.keys().map(|id| id.as_str());
            let right = match nearest(seat.as_str(), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add [extensions.{seat}]"),
            };
            findings.push(error(&path, format!("there is no extension `{seat}`; {right}")));
        } else if agent.login == Login::Auto
            && let Some(other) = taken.insert(seat, id)
        {
            let text = format!("agent `{other}` sits at `{seat}` too; give one another seat");
            findings.push(error(&path, text));
        }
    }
}

/// Keys of a queue that have no effect beside the others.
fn idle_keys(config: &Config, id: &str, queue: &Queue, findings: &mut Vec<Finding>) {
    let order = config.acd.order(queue);
    if !queue.weights.is_empty() && !order.deals_shares() {
        let text = format!(
            "`{}` does not look at weights; leave them out, or write `strategy = \"random\"`",
            order.name()
        );
        findings.push(warning(&["queues", id, "weights"], text));
    }
    let owners = config.acd.agents.values().any(|agent| !agent.owns.is_empty());
    if queue.owner_wait.is_some() && !owners {
        let text = "no agent owns a caller; write `owns = [\"…\"]` in [agents.X]";
        findings.push(warning(&["queues", id, "owner_wait"], text));
    }
    for (key, causes) in [("empty_join", &queue.empty_join), ("empty_leave", &queue.empty_leave)] {
        if !causes.is_empty() && queue.on_empty.is_none() {
            let text = "callers wait whoever is there; write `on_empty = \"…\"`";
            findings.push(warning(&["queues", id, key], text));
        }
    }
    if queue.ring_next.is_some() && queue.strategy != Strategy::RingProgressively {
        let text = "this is for `strategy = \"ring-progressively\"`; leave it out";
        findings.push(warning(&["queues", id, "ring_next"], text));
    }
    if !queue.tier_wait.is_zero() && queue.tiers.is_empty() {
        let text = "everyone is in tier 1; write `tiers = { AGENT = 2 }`";
        findings.push(warning(&["queues", id, "tier_wait"], text));
    }
}

fn members(config: &Config, id: &str, queue: &Queue, findings: &mut Vec<Finding>) {
    if !queue.members.is_empty() {
        return;
    }
    let path = ["queues", id];
    if queue.skills.is_empty() {
        let text = format!("nobody serves queue `{id}`; write `members` or `skills`");
        findings.push(warning(&path, text));
        return;
    }
    let lowest = |skill: &SkillId, level: u8| {
        let steps = queue.widen.iter().filter_map(|step| step.skills.get(skill).copied());
        steps.chain([level]).min().unwrap_or(level)
    };
    let serves = |skills: &BTreeMap<SkillId, u8>| {
        queue
            .skills
            .iter()
            .all(|(skill, level)| skills.get(skill).copied().unwrap_or(0) >= lowest(skill, *level))
    };
    if !config.acd.agents.values().any(|agent| serves(&agent.skills)) {
        let text = format!("no agent has the skills of queue `{id}`; lower them or add an agent");
        findings.push(warning(&[&path[..], &["skills"]].concat(), text));
    }
}

fn nobody_has(
    path: &[&str],
    asked: &BTreeMap<SkillId, u8>,
    known: &BTreeSet<&SkillId>,
    findings: &mut Vec<Finding>,
) {
    for skill in asked.keys().filter(|skill| !known.contains(skill)) {
        let right = match nearest(skill.as_str(), known.iter().map(|known| known.as_str())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "give it to an agent".to_owned(),
        };
        let text = format!("no agent has the skill `{skill}`; {right}");
        findings.push(warning(&[path, &[skill.as_str()]].concat(), text));
    }
}
