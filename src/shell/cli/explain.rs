//! `strowger explain`: which rule a call would take, why not the ones before it, and what follows;
//! or why a call that there was went as it did (`story`).

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::json;

use crate::acd::config::Queue;
use crate::config::Config;
use crate::id::{CallId, ClassId, ExtensionId, Target, TrunkCall, TrunkId};
use crate::route::access::{Refusal, Usage, Used};
use crate::route::hours;
use crate::route::rewrite::rewrite;
use crate::route::rules::{Call, Decision, Dest, Passed};
use crate::shell::cli::{CliError, Where, check, story};
use crate::shell::clock::Clock;
use crate::time::Wall;

/// Tells which rule a call would take, why not the ones before it, and what follows; or why a call
/// that a node has had, or has, went as it did.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The id of a call, as `strowger calls` and records show it; asks the node.
    #[arg(value_name = "CALL-ID", required_unless_present = "from")]
    #[arg(conflicts_with_all = ["from", "to", "at", "trunk"])]
    call: Option<CallId>,
    #[command(flatten)]
    place: Where,
    /// The caller's number; one of the site's extensions calls as that extension.
    #[arg(long, value_name = "NUMBER", requires = "to")]
    #[arg(conflicts_with_all = ["node", "ca"])]
    from: Option<String>,
    /// The number dialled.
    #[arg(long, value_name = "NUMBER", requires = "from")]
    to: Option<String>,
    /// When: `2026-11-23 10:00` on the node's clock, or RFC 3339. Without it: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The trunk that the call comes over; without it, it comes from a phone.
    #[arg(long, value_name = "TRUNK")]
    trunk: Option<String>,
    /// One JSON object a line, for programs: the decision, or each fact of a call.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The call that there was, if one is meant.
    pub const fn call(&self) -> Option<CallId> {
        self.call
    }
}

/// Tells why a call went as it did.
///
/// # Errors
///
/// If the node cannot be reached, or has nothing of the call.
pub async fn tell(call: CallId, args: &Args) -> Result<(), CliError> {
    story::tell(&call.to_string(), &args.place, args.json).await
}

/// Runs the verb for a call that could be: 0 if it can be explained, 1 if the configuration is
/// wrong, 2 if the time is.
pub fn run(args: &Args) -> ExitCode {
    let (Some(from), Some(to)) = (&args.from, &args.to) else { return ExitCode::from(2) };
    let config = match check::load(args.place.config.as_deref()) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return ExitCode::FAILURE;
        }
    };
    let at = match args.at.as_deref() {
        None => Some(Clock::start().epoch().0),
        Some(text) => moment(text, &config.node.zone),
    };
    let Some(at) = at else {
        eprintln!("--at: this is no time; write `2026-11-23 10:00` or `2026-11-23T10:00:00Z`");
        return ExitCode::from(2);
    };
    let id = ExtensionId::from(from.as_str());
    let trunk = args.trunk.as_deref().map(TrunkId::from);
    if let Some(unknown) = trunk.as_ref().filter(|trunk| !config.trunks.contains_key(*trunk)) {
        eprintln!("--trunk: there is no trunk `{unknown}`; write one of [trunks]");
        return ExitCode::from(2);
    }
    // Calls of a trunk are looked at as its rules make them.
    let rules = trunk.as_ref().and_then(|trunk| config.trunks.get(trunk));
    let from = rules.map_or(from.clone(), |it| rewrite(&it.callers, from));
    let to = rules.map_or(to.clone(), |it| rewrite(&it.inward, to));
    let extension = (trunk.is_none() && config.extensions.contains_key(&id)).then_some(&id);
    let call = Call { from: &from, to: &to, extension, trunk: trunk.as_ref(), at };
    let (passed, decision) = config.compile_routes().explain(&call);
    if args.json {
        println!("{}", object(&config, &call, &passed, &decision));
    } else {
        print!("{}", text(&config, &call, &passed, &decision));
    }
    ExitCode::SUCCESS
}

/// RFC 3339, or what a clock in `zone` shows.
fn moment(text: &str, zone: &str) -> Option<Wall> {
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let clock: jiff::civil::DateTime = text.parse().ok()?;
        Some(clock.to_zoned(hours::zone(zone).ok()?).ok()?.timestamp())
    })?;
    Some(Wall::from_micros(at.as_microsecond()))
}

fn object(
    config: &Config,
    call: &Call<'_>,
    passed: &[Passed],
    decision: &Decision,
) -> serde_json::Value {
    let (classes, refusal) = access(config, call, decision).unwrap_or_default();
    let classes: Vec<_> = classes.iter().map(ToString::to_string).collect();
    let passed: Vec<_> = passed
        .iter()
        .map(|passed| json!({ "rule": passed.rule, "reason": passed.reason }))
        .collect();
    json!({
        "from": call.from,
        "to": call.to,
        "trunk": call.trunk.map(ToString::to_string),
        "at": call.at.to_string(),
        "passed": passed,
        "rule": decision.rule,
        "classes": classes,
        "refused": refusal.map(|refusal| refusal.reason()),
        "target": shown(&decision.target),
    })
}

fn shown(dest: &Dest) -> String {
    match dest {
        Dest::Code(code) => format!("code:{}", code.key()),
        Dest::Emergency => "the trunks of [emergency]".to_owned(),
        Dest::Target(target) => target.to_string(),
    }
}

/// The explanation for people.
fn text(config: &Config, call: &Call<'_>, passed: &[Passed], decision: &Decision) -> String {
    let clock = hours::Calendar::new(&Default::default(), &config.node.zone)
        .map_or_else(|_| call.at.to_string(), |calendar| calendar.clock_text(call.at));
    let who = match (call.extension, call.trunk) {
        (Some(_), _) => "extension".to_owned(),
        (None, Some(trunk)) => format!("over trunk {trunk},"),
        (None, None) => "outsider".to_owned(),
    };
    let mut lines =
        vec![format!("{who} {} calls {} at {clock} ({})", call.from, call.to, config.node.zone)];
    let pass = |passed: &Passed| format!("  not  {}: {}", passed.rule, passed.reason);
    lines.extend(passed.iter().map(pass));
    lines.push(format!("  takes  {} → {}", decision.rule, shown(&decision.target)));
    if let Some((classes, refusal)) = access(config, call, decision) {
        let classes = classes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let may = refusal.map_or("may be dialled".to_owned(), |why| format!("403: {why}"));
        lines.push(format!("  class  {classes}: {may}"));
    }
    match &decision.target {
        Dest::Code(_) => {}
        Dest::Emergency => {
            for trunk in &config.emergency.trunks {
                let number = call.to;
                lines.push(format!("  trunk:{trunk}: is called, {number} as it is, past limits"));
            }
        }
        Dest::Target(target) => {
            if !config.compile_access().takes(target, call.from) {
                lines.push(format!("  403    [callers.\"{target}\"] does not take {}", call.from));
            }
            follow(config, (target, call.to), 1, &mut BTreeSet::new(), &mut lines);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The classes of what an extension dials, and why it may not; nothing where no class is known.
///
/// As at the beginning of a day: a file does not know what is used up.
fn access(
    config: &Config,
    call: &Call<'_>,
    decision: &Decision,
) -> Option<(Vec<ClassId>, Option<Refusal>)> {
    let extension = config.extensions.get(call.extension?)?;
    let Dest::Target(target) = &decision.target else { return None };
    if config.classes.is_empty() && extension.calls.is_none() {
        return None;
    }
    let access = config.compile_access();
    let classes = access.classes_of(call.to, target);
    let refusal = access.refusal(extension, &classes, call.at, &Unused);
    Some((classes, refusal))
}

/// Nothing is used up.
struct Unused;

impl Usage for Unused {
    fn running(&self) -> u32 {
        0
    }

    fn used(&self, _: Option<&ClassId>) -> Used {
        Used::default()
    }
}

/// What becomes of a call at `target`, and at those that it leads to; each told once.
fn follow(
    config: &Config,
    (target, dialled): (&Target, &str),
    depth: usize,
    told: &mut BTreeSet<Target>,
    lines: &mut Vec<String>,
) {
    let indent = "  ".repeat(depth);
    if !told.insert(target.clone()) {
        return;
    }
    let mut next: Vec<(String, &Target)> = Vec::new();
    match target {
        Target::Agent(id) => {
            let seat = config.acd.agents.get(id).and_then(|agent| agent.extension.as_ref());
            let seat = seat.map_or("where he logged in".to_owned(), |seat| format!("at {seat}"));
            lines.push(format!("{indent}{target}: rings {seat}"));
        }
        Target::Conference(id) => {
            let Some(conference) = config.conferences.get(id) else { return };
            let pin = if conference.pin.is_some() { "is asked for its PIN, then " } else { "" };
            let most = conference.parties_max;
            lines.push(format!("{indent}{target}: {pin}talks with at most {most} in all"));
        }
        Target::Extension(id) => {
            let wait = config.extensions.get(id).map(|extension| extension.ring_timeout);
            let wait = wait.map_or(String::new(), |wait| format!(" for {wait:?}"));
            lines.push(format!("{indent}{target}: all its phones ring{wait}, then 480"));
        }
        Target::Trunk(TrunkCall { trunk, number }) => {
            let Some(it) = config.trunks.get(trunk) else { return };
            let number = number.as_deref().unwrap_or(dialled);
            let sent = it.numbers.formed(&rewrite(&it.out, number));
            lines.push(format!(
                "{indent}{target}: is called with {sent}, rings for {:?}, then 480",
                it.ring_timeout
            ));
            next.extend(it.fallback.iter().map(|target| ("does not work".to_owned(), target)));
        }
        Target::Hangup(status) => lines.push(format!("{indent}{target}: ends with {status}")),
        Target::Prompt(_) => lines.push(format!("{indent}{target}: is heard once, then the end")),
        Target::Menu(id) => {
            let Some(menu) = config.menus.get(id) else { return };
            let prompt = menu.prompt.as_ref().map_or("no prompt".to_owned(), ToString::to_string);
            lines.push(format!(
                "{indent}{target}: hears {prompt}, has {:?} for a key, {} times more",
                menu.timeout, menu.retries
            ));
            next.extend(menu.keys.iter().map(|(digit, key)| (format!("key {digit}"), &key.target)));
            next.push(("no key".to_owned(), &menu.on_fail));
        }
        Target::Queue(id) => {
            let Some(queue) = config.acd.queues.get(id) else { return };
            lines.push(format!(
                "{indent}{target}: waits at most {:?} for {} agents, each rung for {:?}",
                config.acd.max_wait(queue),
                queue.members.len(),
                config.acd.ring_timeout(queue)
            ));
            next.extend(ways_out(queue));
        }
    }
    for (why, target) in next {
        lines.push(format!("{indent}  {why} → {target}"));
        follow(config, (target, dialled), depth + 2, told, lines);
    }
}

/// Where a queue sends callers on, and when.
fn ways_out(queue: &Queue) -> impl Iterator<Item = (String, &Target)> {
    let ways = [
        ("nobody logged in", &queue.on_empty),
        ("too many wait", &queue.on_full),
        ("waited too long", &queue.on_timeout),
    ];
    let keys = queue.keys.iter().map(|(key, target)| (format!("key {key}"), target));
    let ways = ways.into_iter().filter_map(|(why, to)| Some((why.to_owned(), to.as_ref()?)));
    ways.chain(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_path_is_told_once() {
        let config = Config::builtin();
        let extension = ExtensionId::from("1001");
        let at = moment("2026-11-23 10:00", "UTC").unwrap();
        let extension = Some(&extension);
        let call = Call { from: "1001", to: "500", extension, trunk: None, at };
        let (passed, decision) = config.compile_routes().explain(&call);

        let told = text(&config, &call, &passed, &decision);

        assert_eq!(
            told,
            "extension 1001 calls 500 at Mon 2026-11-23 10:00 (UTC)\n\
             \x20 not  feature codes: `500` is none\n\
             \x20 takes  number of menu:500 → menu:500\n\
             \x20 menu:500: hears welcome, has 5s for a key, 3 times more\n\
             \x20   key 1 → queue:600\n\
             \x20     queue:600: waits at most 1800s for 10 agents, each rung for 20s\n\
             \x20   no key → queue:600\n"
        );
    }

    #[test]
    fn a_call_out_is_followed_over_its_trunks() {
        let config = crate::config::parse(
            "site.toml",
            r#"
            [emergency]
            numbers = ["110"]
            trunks = ["itsp"]
            [[routes]]
            name = "out"
            to = "0*"
            target = "trunk:itsp"
            [trunks.itsp]
            host = "sip.itsp.example"
            fallback = "trunk:other"
            out = [{ match = "~^0(\\d+)$", replace = "+86${1}" }]
            [trunks.other]
            host = "203.0.113.7"
            "#,
        );
        let (config, extension) = (config.unwrap(), ExtensionId::from("1001"));
        let at = moment("2026-11-23 10:00", "UTC").unwrap();
        let told = |to| {
            let call = Call { from: "1001", to, extension: Some(&extension), trunk: None, at };
            let (passed, decision) = config.compile_routes().explain(&call);
            text(&config, &call, &passed, &decision)
        };

        let out = told("02112345678");
        assert!(out.contains("not  emergency numbers: `02112345678` is none"), "{out}");
        assert!(out.contains("takes  out → trunk:itsp"), "{out}");
        assert!(out.contains("trunk:itsp: is called with +862112345678, rings for 120s"), "{out}");
        assert!(out.contains("does not work → trunk:other"), "{out}");
        let help = told("110");
        assert!(help.contains("trunk:itsp: is called, 110 as it is, past limits"), "{help}");
    }

    #[test]
    fn who_may_not_dial_is_told_why() {
        let text_of = "[extensions.1001]\npassword = 'x'\ncalls = ['internal']\n\
                       [classes.national]\nnumbers = ['0*']\n";
        let config = crate::config::parse("site.toml", text_of).unwrap();
        let extension = ExtensionId::from("1001");
        let at = moment("2026-11-23 10:00", "UTC").unwrap();
        let call = Call { from: "1001", to: "0123", extension: Some(&extension), trunk: None, at };
        let (passed, decision) = config.compile_routes().explain(&call);

        let told = text(&config, &call, &passed, &decision);
        assert!(
            told.contains("  class  national: 403: `calls` of the extension lacks `national`\n"),
            "{told}"
        );
        let object = object(&config, &call, &passed, &decision);
        assert_eq!(object["refused"], "not_allowed");
    }

    #[test]
    fn times_are_read_on_the_nodes_clock() {
        let utc = moment("2026-11-23T02:00:00Z", "UTC").unwrap();

        assert_eq!(moment("2026-11-23 10:00", "Asia/Shanghai"), Some(utc));
        assert_eq!(moment("2026-11-23T10:00:00", "Asia/Shanghai"), Some(utc));
        assert_eq!(moment("tomorrow", "UTC"), None);
    }
}
