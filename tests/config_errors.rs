//! Every mistake in a configuration is found at its place and told in a sentence that helps.
//!
//! Each file of `tests/data/config` is broken. Its last lines say what must be told, as
//! `#! line:column: text`; all of it and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

use strowger::config::problem::{Place, Problem};
use strowger::config::{self, Config, Environment};
use strowger::id::PromptId;

#[test]
fn every_broken_file_is_told_line_and_column() {
    let mut wrong = String::new();
    let mut files = 0;
    for path in broken_files() {
        files += 1;
        let text = fs::read_to_string(&path).unwrap();
        let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#! ")).collect();
        let told = told(&path);
        if told != expected || expected.is_empty() {
            wrong += &format!("\n{}: told\n#! {}\n", path.display(), told.join("\n#! "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(files >= 25, "only {files} broken files");
}

#[test]
fn what_is_told_is_one_line_without_the_jargon_of_readers() {
    for path in broken_files() {
        for told in told(&path) {
            let jargon =
                ["invalid type", "invalid value", "unknown field", "struct ", "usize", "wanted "];
            assert!(!told.contains('\n') && told.len() < 300, "{}: {told}", path.display());
            assert!(!jargon.iter().any(|word| told.contains(word)), "{}: {told}", path.display());
        }
    }
}

/// A file that is cut off anywhere is told, with a place inside it, or read; never a panic.
#[test]
fn a_file_cut_off_anywhere_is_told_or_read() {
    for path in broken_files() {
        let text = fs::read_to_string(&path).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(5) {
            let cut = &text[..end];
            match config::parse("cut", cut) {
                Ok(config) => drop(config::lint(&config, None)),
                Err(problems) => {
                    for Problem { place, .. } in problems {
                        let Place::At { line, column, .. } = place else { panic!("no line") };
                        let line = cut.split('\n').nth(line - 1).unwrap();
                        assert!(column <= line.chars().count() + 1, "{}: {end}", path.display());
                    }
                }
            }
        }
    }
}

fn broken_files() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/data/config").unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    files
}

/// What is told of a file, without the file's name.
fn told(path: &Path) -> Vec<String> {
    let prompts =
        ["welcome", "invalid", "no-input", "goodbye", "hold", "recording-notice", "please-wait"];
    let has = |_: &Config, prompt: &PromptId| prompts.contains(&prompt.as_str());
    let problems = match config::load(path, &Environment::new(), Some(&has)) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let name = format!("{}:", path.display());
    let told = problems.iter().map(|problem| problem.to_string());
    told.map(|told| told.strip_prefix(&name).unwrap_or(&told).to_owned()).collect()
}
