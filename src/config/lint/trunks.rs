//! Trunks and emergency numbers: what is missing, what two of them claim, what nobody uses.

use std::collections::BTreeMap;

use crate::call::trunk::config::Trunk;
use crate::config::Config;
use crate::config::lint::numbers::{bearers, is_number};
use crate::config::lint::twice;
use crate::config::problem::{Finding, Path, error, nearest, owned, warning};
use crate::id::{Target, TrunkId};
use crate::route::network::Network;
use crate::route::pattern::Pattern;
use crate::route::rewrite::Rewrite;
use crate::time::Duration;

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    let mut users: BTreeMap<&str, Path> = BTreeMap::new();
    for (id, trunk) in &config.trunks {
        host(id, trunk, findings);
        accounts(config, id, trunk, findings);
        inbound_user(id, trunk, &mut users, findings);
        limits(id, trunk, findings);
        rules(id, trunk, findings);
        networks(id, trunk, findings);
        let_in(config, id, trunk, findings);
        if let Some(other) = trunk.fallback.as_ref().filter(|it| !matches!(it, Target::Trunk(_))) {
            let text = format!("`{other}` is no trunk; write one such as \"trunk:other\"");
            findings.push(error(&["trunks", id.as_str(), "fallback"], text));
        }
    }
    addresses(config, findings);
    routes(config, findings);
    emergency(config, findings);
    unused(config, findings);
}

fn host(id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    if trunk.host.is_none() {
        let text = format!("trunk `{id}` has no host; write `host = \"sip.itsp.example\"`");
        findings.push(error(&["trunks", id.as_str()], text));
    }
    let codecs = trunk.codecs.as_deref().unwrap_or_default();
    twice(&["trunks", id.as_str(), "codecs"], codecs, findings);
    if trunk.codecs.as_ref().is_some_and(Vec::is_empty) {
        let text = "no call could be made; write at least one codec or leave this out";
        findings.push(error(&["trunks", id.as_str(), "codecs"], text));
    }
}

/// What we log in there with, and what it logs in here with.
fn accounts(config: &Config, id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    let path = ["trunks", id.as_str()];
    let mut find = |key: &str, text: &str| {
        findings.push(error(&[&path[..], &[key]].concat(), text));
    };
    let asks = trunk.password_file.is_some() || trunk.password_env.is_some();
    if trunk.register && trunk.username.is_none() {
        find("register", "nobody could be registered; write `username` and `password`");
    }
    if trunk.username.is_some() && trunk.password.is_none() && !asks {
        find("username", "this account has no password; write `password = \"…\"`");
    }
    if trunk.username.is_none() && trunk.password.is_some() {
        find("password", "nobody has this password; write `username`");
    }
    let asks = trunk.inbound_password_file.is_some() || trunk.inbound_password_env.is_some();
    match (&trunk.inbound_username, &trunk.inbound_password) {
        (Some(_), None) if !asks => {
            let text = "the trunk could not log in; write `inbound_password = \"…\"`";
            find("inbound_username", text);
        }
        (Some(_), Some(password)) if password.expose().is_empty() => {
            find("inbound_password", "an empty password lets everyone in; write one");
        }
        (None, Some(_)) => find("inbound_password", "nobody has this; write `inbound_username`"),
        _ => {}
    }
    if let Some(user) =
        trunk.inbound_username.as_deref().filter(|u| config.extensions.contains_key(*u))
    {
        let text = format!("`{user}` is an extension's; write another name");
        find("inbound_username", &text);
    }
}

fn inbound_user<'a>(
    id: &TrunkId,
    trunk: &'a Trunk,
    users: &mut BTreeMap<&'a str, Path>,
    findings: &mut Vec<Finding>,
) {
    let Some(user) = trunk.inbound_username.as_deref() else { return };
    let path = ["trunks", id.as_str(), "inbound_username"];
    if let Some(other) = users.insert(user, owned(&path)) {
        let text = format!("two trunks log in as `{user}`; give one another name");
        findings.push(error(&path, text).against(other));
    }
}

fn limits(id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    let mut need = |good: bool, key: &str, text: &str| {
        if !good {
            findings.push(error(&["trunks", id.as_str(), key], text));
        }
    };
    let day = Duration::from_secs(24 * 3600);
    let (second, ten) = (Duration::from_secs(1), Duration::from_secs(10));
    need(trunk.calls_max >= 1, "calls_max", "no call could be made; write 1 or more");
    need(trunk.cps_max >= 1, "cps_max", "no call could be made; write 1 or more");
    let probed = trunk.qualify_every.is_zero() || trunk.qualify_every >= Duration::from_secs(5);
    need(probed, "qualify_every", "this is too often; write \"5s\" or more, or \"0s\" for never");
    need(trunk.qualify_failures >= 1, "qualify_failures", "write 1 or more");
    need(trunk.qualify_successes >= 1, "qualify_successes", "write 1 or more");
    let lasting = (Duration::from_secs(30)..=day).contains(&trunk.register_expires);
    need(lasting, "register_expires", "write from \"30s\" to \"24h\"");
    need(trunk.ring_timeout >= second, "ring_timeout", "nobody could answer; write \"1s\" or more");
    let tried = (second..=3 * ten).contains(&trunk.try_timeout);
    need(tried, "try_timeout", "write from \"1s\" to \"30s\"");
    if let Some(number) = trunk.caller_id.as_ref().filter(|number| !is_number(number)) {
        need(
            false,
            "caller_id",
            &format!("`{number}` is no number; write one such as \"+862112345678\""),
        );
    }
}

/// Rules that could never be applied.
fn rules(id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    for (key, rules) in [("callers", &trunk.callers), ("in", &trunk.inward), ("out", &trunk.out)] {
        for (place, rule) in rules.iter().enumerate() {
            let place = place.to_string();
            let path = ["trunks", id.as_str(), key, &place];
            let hiding = rules.iter().take_while(|other| *other != rule);
            if hiding.into_iter().any(|other| other.number.covers(&rule.number)) {
                let text = "this rule is never applied, for one before it takes all its numbers";
                findings.push(error(&path, text));
            }
            if let Some(text) = unknown_group(rule) {
                findings.push(error(&[&path[..], &["replace"]].concat(), text));
            }
        }
    }
}

/// A group in `replace` that the pattern does not have.
fn unknown_group(rule: &Rewrite) -> Option<String> {
    let with = rule.replace.as_deref()?;
    let groups = match &rule.number {
        Pattern::Expression(regex) => regex.captures_len(),
        Pattern::Exact(_) | Pattern::Prefix(_) => return None, // `$` stands for itself
    };
    for (at, _) in with.match_indices('$') {
        let rest = &with[at + 1..];
        let name = match rest.strip_prefix('{') {
            Some(rest) => rest.split('}').next().unwrap_or_default(),
            None => {
                let word = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
                rest.split(word).next().unwrap_or_default()
            }
        };
        if name.parse::<usize>().is_ok_and(|group| group < groups) {
            continue;
        }
        return Some(format!("the pattern has no group `{name}`; write one such as `${{1}}`"));
    }
    None
}

/// Networks so wide that strangers are taken for the trunk, whose calls need no password.
fn networks(id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    if trunk.inbound_username.is_some() {
        return; // it must log in, wherever it is
    }
    for (place, network) in trunk.addresses.iter().enumerate() {
        let path = ["trunks", id.as_str(), "addresses", &place.to_string()];
        let right = "without a password; write the networks of its servers alone";
        match width(network) {
            Width::Narrow => {}
            Width::Wide => {
                let text = format!("whoever is in `{network}` can call over this trunk {right}");
                findings.push(warning(&path, text));
            }
            Width::Senseless => {
                let text = format!(
                    "`{network}` has strangers in it, who could call over this trunk {right}"
                );
                findings.push(error(&path, text));
            }
        }
    }
}

/// How many others a network of a trunk has in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Narrow,
    /// More than any provider has.
    Wide,
    /// A great part of the Internet.
    Senseless,
}

fn width(network: &Network) -> Width {
    let (senseless, wide) = if network.first().is_ipv4() { (8, 16) } else { (16, 32) };
    match network.bits() {
        _ if network.is_private() => Width::Narrow,
        bits if bits < senseless => Width::Senseless,
        bits if bits < wide => Width::Wide,
        _ => Width::Narrow,
    }
}

/// Servers that could not send to us.
fn let_in(config: &Config, id: &TrunkId, trunk: &Trunk, findings: &mut Vec<Finding>) {
    let networks = trunk.addresses.iter().enumerate().map(|(place, network)| {
        (*network, owned(&["trunks", id.as_str(), "addresses", &place.to_string()]))
    });
    for (network, path) in networks.chain(servers(id, trunk)) {
        if !config.defence.lets_some_in(&network) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let text = format!(
                "`{network}` may not send to us; add it to `allow` of [defence], or take it out \
                 of `deny`"
            );
            findings.push(warning(&path, text));
        }
    }
}

/// The servers that are written as addresses, each with its key.
fn servers(id: &TrunkId, trunk: &Trunk) -> Vec<(Network, Path)> {
    let servers = trunk.servers().iter().enumerate().filter_map(|(place, server)| {
        let network = server.address()?.to_string().parse().ok()?;
        let path = match trunk.targets.is_empty() {
            true => owned(&["trunks", id.as_str(), "host"]),
            false => owned(&["trunks", id.as_str(), "targets", &place.to_string()]),
        };
        Some((network, path))
    });
    servers.collect()
}

/// Addresses that two trunks claim: whose call comes from there could only be guessed.
fn addresses(config: &Config, findings: &mut Vec<Finding>) {
    let mut claimed: Vec<(Network, &TrunkId, Path)> = Vec::new();
    for (id, trunk) in &config.trunks {
        // Who logs in is not known by his address, and who registers not by that of his server.
        let logs_in = trunk.inbound_username.is_some();
        let networks = trunk.addresses.iter().enumerate();
        let networks = networks.filter(|(_, it)| !logs_in && width(it) != Width::Senseless);
        let networks = networks.map(|(place, network)| {
            (*network, owned(&["trunks", id.as_str(), "addresses", &place.to_string()]))
        });
        let servers = servers(id, trunk).into_iter().filter(|_| !logs_in && !trunk.register);
        for (claim, path) in networks.chain(servers) {
            let same = claimed.iter().find(|(other, by, _)| *by != id && claim.meets(other));
            if let Some((other, by, place)) = same {
                let here: Vec<&str> = path.iter().map(String::as_str).collect();
                let text = format!(
                    "trunk `{by}` is at {other} too, and nobody could tell whose calls come from \
                     there; let one of them log in (`inbound_username`)"
                );
                findings.push(error(&here, text).against(place.clone()));
            }
            claimed.push((claim, id, path));
        }
    }
}

fn routes(config: &Config, findings: &mut Vec<Finding>) {
    for (place, route) in config.routes.iter().enumerate() {
        if let Some(trunk) = route.trunk.as_ref().filter(|id| !config.trunks.contains_key(*id)) {
            findings.push(error(&["routes", &place.to_string(), "trunk"], missing(config, trunk)));
        }
    }
}

fn missing(config: &Config, trunk: &TrunkId) -> String {
    let right = match nearest(trunk.as_str(), config.trunks.keys().map(|id| id.as_str())) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("add [trunks.{trunk}]"),
    };
    format!("there is no trunk `{trunk}`; {right}")
}

fn emergency(config: &Config, findings: &mut Vec<Finding>) {
    let emergency = &config.emergency;
    let borne = bearers(config);
    for (place, number) in emergency.numbers.iter().enumerate() {
        let place = place.to_string();
        if !is_number(number) {
            let text = format!("`{number}` cannot be dialled; write digits such as \"110\"");
            findings.push(error(&["emergency", "numbers", &place], text));
        } else if let Some((_, bearer, path)) = borne.iter().find(|(borne, ..)| borne == number) {
            let text = format!("{bearer} could never be called; give it another number");
            let finding = error(&["emergency", "numbers", &place], text);
            findings.push(finding.against(path.clone()));
        }
    }
    for (place, trunk) in emergency.trunks.iter().enumerate() {
        if !config.trunks.contains_key(trunk) {
            let path = ["emergency", "trunks", &place.to_string()];
            findings.push(error(&path, missing(config, trunk)));
        }
    }
    if !emergency.numbers.is_empty() && emergency.trunks.is_empty() {
        let text = "nobody could be called; write `trunks`, the first choice first";
        findings.push(error(&["emergency", "numbers"], text));
    }
}

/// Trunks that no call goes out over and none comes in from.
fn unused(config: &Config, findings: &mut Vec<Finding>) {
    for id in config.trunks.keys() {
        let leads = |target: &Target| matches!(target, Target::Trunk(to) if to.trunk == *id);
        let used = super::targets::targets(config).iter().any(|(_, target)| leads(target))
            || config.emergency.trunks.contains(id)
            || config
                .routes
                .iter()
                .any(|route| route.trunk.is_none() || route.trunk.as_ref() == Some(id));
        if !used {
            let text = format!("no rule has to do with trunk `{id}`; add one to [[routes]]");
            findings.push(warning(&["trunks", id.as_str()], text));
        }
    }
}
