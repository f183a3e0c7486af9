//! What is logged: a filter that cannot be read, and names that nothing logs under.

use tracing_subscriber::filter::LevelFilter;

use crate::config::problem::{Finding, error, nearest, warning};
use crate::config::sections::Log;

pub fn lint(log: &Log, findings: &mut Vec<Finding>) {
    let path = ["log", "filter"];
    if let Err(wrong) = log.filter() {
        findings.push(error(&path, wrong));
        return;
    }
    let before = findings.len();
    for part in log.parts() {
        let name = part.split(['=', '[']).next().unwrap_or_default().trim();
        if let Some(text) = misspelt(name, part.trim() == name) {
            findings.push(warning(&path, text));
        }
    }
    if findings.len() == before && log.parts().next().is_some() && !log.parts().any(concerns_us) {
        let all = log.filter.trim();
        let text = format!("nothing of ours is logged; write a level too, such as \"info,{all}\"");
        findings.push(warning(&path, text));
    }
}

/// Whether a part of the filter is a level for all, or names something that begins as ours does.
fn concerns_us(part: &str) -> bool {
    let name = part.split(['=', '[']).next().unwrap_or_default().trim();
    let root = name.split("::").next().unwrap_or_default();
    part.trim().parse::<LevelFilter>().is_ok() || OURS.starts_with(root)
}

/// What to say of a name that is almost a level, or almost one of ours. Other programs' parts have
/// names of their own.
fn misspelt(name: &str, is_alone: bool) -> Option<String> {
    let meant = |known: &[&'static str]| {
        let nearest = nearest(name, known.iter().copied())?;
        (!known.iter().any(|known| known.eq_ignore_ascii_case(name))).then_some(nearest)
    };
    if is_alone && let Some(level) = meant(&LEVELS) {
        return Some(format!("`{name}` is no level; did you mean `{level}`?"));
    }
    let (root, module) = name.split_once("::").unwrap_or((name, ""));
    if root == OURS {
        let first = module.split("::").next().unwrap_or_default();
        return (!module.is_empty() && !MODULES.contains(&first)).then(|| {
            let right = match nearest(first, MODULES) {
                Some(meant) => format!("did you mean `{OURS}::{meant}`?"),
                None => format!("there are: {}", MODULES.join(", ")),
            };
            format!("nothing logs as `{name}`; {right}")
        });
    }
    nearest(root, [OURS]).map(|_| format!("nothing logs as `{root}`; did you mean `{OURS}`?"))
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// The name that everything of ours logs under.
const OURS: &str = "strowger";
/// The modules of the library.
const MODULES: [&str; 17] = [
    "time", "rng", "id", "rtp", "sdp", "audio", "sip", "cdr", "acd", "ivr", "media", "route",
    "call", "report", "switch", "config", "shell",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_misspelt_is_told() {
        let told = |filter: &str| {
            let mut findings = Vec::new();
            lint(&Log { filter: filter.to_owned(), ..Log::default() }, &mut findings);
            findings.into_iter().map(|finding| finding.text).collect::<Vec<_>>()
        };

        for right in ["", "info", "WARN", "0", "debug,h2=warn,tower", "info,strowger::sip=debug"] {
            assert_eq!(told(right), [""; 0], "{right}");
        }
        assert_eq!(
            told("verbose"),
            ["nothing of ours is logged; write a level too, such as \"info,verbose\""]
        );
        assert_eq!(told("strow=debug,h2"), [""; 0]);
        assert_eq!(told("debgu"), ["`debgu` is no level; did you mean `debug`?"]);
        assert_eq!(told("strowgr=debug"), ["nothing logs as `strowgr`; did you mean `strowger`?"]);
        assert_eq!(
            told("info,strowger::spi::flow=debug"),
            ["nothing logs as `strowger::spi::flow`; did you mean `strowger::sip`?"]
        );
        assert_eq!(
            told("strowgr=debgu,,"),
            ["`strowgr=debgu` cannot be read; write a level such as \"info\", or levels of parts \
              such as \"info,strowger::sip=debug\""]
        );
    }

    #[test]
    fn every_module_of_the_library_is_known() {
        let library = include_str!("../../lib.rs");
        let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
        let modules: Vec<_> = modules.filter_map(|name| name.strip_suffix(';')).collect();
        assert_eq!(modules, MODULES);
    }
}
