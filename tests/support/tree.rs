//! The project's own files as text, for the tests that read them.

#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use std::fs;
use std::path::Path;

/// A text file of the project.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Relative to the project's root, with `/` between its parts.
    pub path: String,
    pub text: String,
}

impl TextFile {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Where a line is, for people and editors: `src/time.rs:12`.
    pub fn place(&self, index: usize) -> String {
        format!("{}:{}", self.path, index + 1)
    }
}

/// Folders that no check reads: what builds and runs leave behind.
const SKIPPED: &[&str] =
    &["target", "data", ".git", "node_modules", ".venv", "corpus", "artifacts"];

/// Every file below the project's root whose name ends in one of `endings`, in order of path.
///
/// # Panics
///
/// If a file cannot be read, or nothing is found: a check of nothing must not pass.
pub fn files(endings: &[&str]) -> Vec<TextFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, root, endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no {endings:?} below {}", root.display());
    found
}

fn collect(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<TextFile>) {
    for entry in fs::read_dir(folder).expect("the project's folders can be listed") {
        let path = entry.expect("the project's folders can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name) {
                collect(root, &path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let inside = path.strip_prefix(root).expect("it was found below the root");
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push(TextFile { path: inside.to_string_lossy().into_owned(), text });
        }
    }
}

/// The code of a line: without its comment.
pub fn code(line: &str) -> &str {
    match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    }
}

/// Fails with one line for each fault.
///
/// # Panics
///
/// If there are faults.
pub fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
