//! `strowger check`: reads the whole configuration and tells every mistake in it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{Access, access};
use serde_json::json;

use crate::config::problem::{Place, Problem, Severity};
use crate::config::{self, Config, Environment, Loaded};
use crate::id::PromptId;
use crate::shell::media::prompts::Source;

/// Reads the whole configuration and tells every mistake in it as `file:line:column: text`.
///
/// Exits with 0 if the daemon can run with it, though there be warnings; with 1 if there is a
/// mistake with which it cannot.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration; without it `conf/strowger.toml`, or the built-in one if there is none.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One object a line, for programs.
    #[arg(long)]
    json: bool,
}

/// Runs the verb: 0 if the daemon can run with the configuration, 1 if it cannot.
pub fn run(args: &Args) -> ExitCode {
    let (mut problems, good) = match load(args.config.as_deref()) {
        Ok(loaded) => (loaded.warnings.clone(), Some(loaded)),
        Err(problems) => (problems, None),
    };
    if let Some(loaded) = &good {
        problems.extend(not_writable(&loaded.config.node.data));
    }
    for problem in &problems {
        if args.json {
            println!("{}", object(problem));
        } else {
            println!("{problem}");
        }
    }
    let warnings = problems.iter().filter(|it| it.severity == Severity::Warning).count();
    match good {
        Some(loaded) if warnings == problems.len() => {
            if !args.json {
                println!("{}", summary(&loaded, warnings));
            }
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}

/// The configuration that every verb uses: `file`, else `conf/strowger.toml` if it is there, else
/// the built-in one; changed by this process's environment.
///
/// # Errors
///
/// Every mistake, if one of them keeps the daemon from running.
pub fn load(file: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let shipped = Path::new(FILE);
    match file.or_else(|| shipped.exists().then_some(shipped)) {
        Some(file) => config::load(file, &environment, Some(&has_prompt)),
        None => config::load_builtin(&environment, Some(&has_prompt)),
    }
}

/// Whether a prompt can be found where the daemon would look for it.
fn has_prompt(config: &Config, prompt: &PromptId) -> bool {
    let source = Source {
        folder: config.node.data.join(&config.media.prompts),
        locale: config.node.locale.as_str().to_owned(),
        bytes_max: config.media.prompts_bytes.0,
    };
    source.has(prompt)
}

/// What keeps the one who checks from writing into the data folder, or from making it.
fn not_writable(folder: &Path) -> Option<Problem> {
    let here = |path: &&Path| path.as_os_str().is_empty() || path.exists();
    let there = folder.ancestors().find(here)?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let why = match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        _ if !there.is_dir() => "it is no folder".to_owned(),
        Ok(()) => return None,
        Err(error) => std::io::Error::from(error).to_string(),
    };
    let text = format!(
        "nothing can be written into `data` of [node]: {why}; make it writable, and check as the \
         user that the daemon runs as"
    );
    let place = Place::File(there.display().to_string());
    Some(Problem { place, severity: Severity::Error, text })
}

fn object(problem: &Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    match &problem.place {
        Place::At { file, line, column } => json!({
            "file": file, "line": line, "column": column,
            "severity": severity, "text": problem.text,
        }),
        Place::Environment(variable) => json!({
            "variable": variable, "severity": severity, "text": problem.text,
        }),
        Place::File(file) => json!({
            "file": file, "severity": severity, "text": problem.text,
        }),
    }
}

fn summary(loaded: &Loaded, warnings: usize) -> String {
    let config = &loaded.config;
    let counted = [
        (config.extensions.len(), "extension"),
        (config.acd.agents.len(), "agent"),
        (config.acd.queues.len(), "queue"),
        (config.menus.len(), "menu"),
        (config.routes.len(), "route"),
    ];
    let counted = counted.map(|(count, name)| number_of(count, name));
    let name = match loaded.files.first() {
        Some(file) => file.display().to_string(),
        None => "built-in configuration".to_owned(),
    };
    let site = if config.site_is_builtin { " of the built-in site" } else { "" };
    let found = match warnings {
        0 => "no mistakes".to_owned(),
        _ => format!("no mistakes, {}", number_of(warnings, "warning")),
    };
    format!("{name}: {found}; {}{site}", counted.join(", "))
}

fn number_of(count: usize, name: &str) -> String {
    match count {
        1 => format!("1 {name}"),
        _ => format!("{count} {name}s"),
    }
}

/// The configuration that is read if none is named.
const FILE: &str = "conf/strowger.toml";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_built_in_site_is_without_mistake_and_has_its_prompts() {
        let loaded = config::load_builtin(&Environment::new(), Some(&has_prompt)).unwrap();

        assert_eq!(loaded.warnings, []);
        assert!(!has_prompt(&loaded.config, &PromptId::from("no-such-prompt")));
        assert_eq!(
            summary(&loaded, 0),
            "built-in configuration: no mistakes; 10 extensions, 10 agents, 1 queue, 1 menu, \
             0 routes of the built-in site"
        );
    }

    #[test]
    fn a_data_folder_must_be_a_folder_that_can_be_made_and_written() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(not_writable(scratch.path()), None);
        assert_eq!(not_writable(&scratch.path().join("a/b")), None);
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("data")] {
            let problem = not_writable(&folder).unwrap();
            assert_eq!(problem.place, Place::File(file.display().to_string()));
            assert!(problem.text.contains("it is no folder"), "{problem}");
        }
        // It depends on who asks: root may write everywhere.
        let closed = scratch.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
        let told = not_writable(&closed.join("data")).is_some();
        assert_eq!(told, std::fs::write(closed.join("probe"), "").is_err());
    }

    #[test]
    fn a_problem_for_programs_has_its_place_in_parts() {
        let place = Place::At { file: "a.toml".to_owned(), line: 3, column: 7 };
        let problem = Problem { place, severity: Severity::Warning, text: "no; yes".to_owned() };

        let expected = json!({
            "file": "a.toml", "line": 3, "column": 7, "severity": "warning", "text": "no; yes",
        });
        assert_eq!(object(&problem), expected);
    }
}
