//! `conf/strowger.toml` says the truth: it names every key, and its defaults are the program's.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::Path;

use strowger::acd::config::{Agent, Queue};
use strowger::call::trunk::Trunk;
use strowger::config::{self, Config, Environment};
use strowger::ivr::config::Menu;
use strowger::route::access::{Callers, Class};
use strowger::route::config::{Extension, Hours};
use strowger::route::customers::Customer;

#[test]
fn as_shipped_it_is_the_built_in_configuration() {
    let loaded = config::load(Path::new(FILE), &Environment::new(), None).unwrap();

    assert_eq!(loaded.config, Config::builtin());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn every_default_is_the_programs() {
    let config = defaults();
    let bare = Config::default();

    assert_eq!(config.acd.acd, bare.acd.acd);
    assert_eq!(config.calls, bare.calls);
    assert_eq!(config.callers[&"queue:sales".parse().unwrap()], Callers::default());
    assert_eq!(config.classes["national"], Class::default());
    assert_eq!(config.codes, bare.codes);
    assert_eq!(config.customers["vip"], Customer::default());
    assert_eq!(config.emergency, bare.emergency);
    assert_eq!(config.defence, bare.defence);
    assert_eq!(config.grpc, bare.grpc);
    assert_eq!(config.http, bare.http);
    assert_eq!(config.ivr, bare.ivr);
    assert_eq!(config.lamps, bare.lamps);
    assert_eq!(config.ledger, bare.ledger);
    assert_eq!(config.log, bare.log);
    assert_eq!(config.media, bare.media);
    assert_eq!(config.node, bare.node);
    assert_eq!(config.park, bare.park);
    assert_eq!(config.recordings, bare.recordings);
    assert_eq!(config.sip, bare.sip);
    assert_eq!(config.extensions["1001"], Extension::default());
    assert_eq!(config.acd.agents["17"], Agent::default());
    assert_eq!(config.acd.queues["sales"], Queue::default());
    assert_eq!(config.menus["main"], Menu::default());
    assert_eq!(config.hours["office"], Hours::default());
    assert_eq!(*config.trunks["itsp"], Trunk::default());
    let [route] = &config.routes[..] else { panic!("one route") };
    assert!(route.name.is_empty() && route.from.is_none() && route.to.is_none());
}

#[test]
fn every_key_is_documented() {
    let text = fs::read_to_string(FILE).unwrap();
    let mut missing = Vec::new();
    for heading in [
        "[acd]",
        "[agents.17]",
        "[calls]",
        "[callers.\"queue:sales\"]",
        "[classes.national]",
        "[codes]",
        "[customers.vip]",
        "[emergency]",
        "[defence]",
        "[extensions.1001]",
        "[grpc]",
        "[hours.office]",
        "[http]",
        "[ivr]",
        "[lamps]",
        "[ledger]",
        "[log]",
        "[media]",
        "[menus.main]",
        "[node]",
        "[park]",
        "[queues.sales]",
        "[recordings]",
        "[[routes]]",
        "[sip]",
        "[trunks.itsp]",
    ] {
        let section = section(&text, heading);
        for key in known_keys(heading) {
            let stands = |line: &str| {
                let line = line.trim_start_matches('#').trim_start();
                line.strip_prefix(&key).is_some_and(|rest| rest.starts_with(" = "))
            };
            if !section.iter().any(|line| stands(line)) {
                missing.push(format!("{heading} {key}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in {FILE}: {missing:?}");
}

#[test]
fn every_example_can_be_read() {
    let text = fs::read_to_string(FILE).unwrap();
    let mut examples = 0;
    let mut heading = "";
    for line in text.lines() {
        let bare = line.trim_start_matches('#');
        if bare.starts_with('[') {
            heading = bare;
        } else if let Some(example) = line.strip_prefix("#   ") {
            // A route is read only with its target.
            let rest = if heading == "[[routes]]" { "\ntarget = \"hangup:404\"" } else { "" };
            let read = config::parse(FILE, &format!("{heading}\n{example}{rest}"));
            assert!(read.is_ok(), "{example}: {read:?}");
            examples += 1;
        }
    }
    assert!(examples > 20);
}

const FILE: &str = "conf/strowger.toml";

/// The file with every default written out: each `#` that no space follows is taken away.
fn defaults() -> Config {
    let text = fs::read_to_string(FILE).unwrap();
    let written: Vec<_> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect();
    config::parse(FILE, &written.join("\n")).unwrap()
}

/// The lines below a heading, up to the next one.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let is_heading = |line: &&str| line.trim_start_matches('#').starts_with('[');
    text.lines()
        .skip_while(|line| line.trim_start_matches('#') != heading)
        .skip(1)
        .take_while(|line| !is_heading(line))
        .collect()
}

/// Asks the program which keys a section has, by giving it one that it cannot know.
fn known_keys(heading: &str) -> Vec<String> {
    let problems = config::parse("", &format!("{heading}\nxyzzyxyzzy = 1")).unwrap_err();
    let told = problems.iter().map(|problem| problem.text.as_str());
    let keys = told
        .filter_map(|text| Some(text.split_once("there are: ")?.1))
        .next()
        .unwrap_or_else(|| panic!("{heading}: {problems:?}"));
    keys.split(", ").map(str::to_owned).collect()
}
