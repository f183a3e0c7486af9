//! What is wrong with a configuration, and where it is written.

use std::fmt;

/// A mistake in the configuration, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub place: Place,
    pub severity: Severity,
    /// What is wrong; what would be right.
    pub text: String,
}

/// Prints `file:line:column: what is wrong; what would be right`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity {
            Severity::Error => write!(f, "{}: {}", self.place, self.text),
            Severity::Warning => write!(f, "{}: warning: {}", self.place, self.text),
        }
    }
}

/// Whether the daemon can run with the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It cannot: the start or the reload is refused.
    Error,
    /// It can, but hardly as meant.
    Warning,
}

/// Where a mistake is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Line and column count characters from 1.
    At { file: String, line: usize, column: usize },
    /// An environment variable.
    Environment(String),
    /// A whole file, such as one that cannot be read.
    File(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(file) => f.write_str(file),
        }
    }
}

/// The way to a key from the file's root; places in lists are numbers from 0.
pub type Path = Vec<String>;

/// A mistake in what a configuration means, known by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: Path,
    /// The other key of a contradiction: where to look if nothing is written at `path`.
    pub other: Option<Path>,
    pub severity: Severity,
    /// What is wrong; what would be right.
    pub text: String,
}

/// A mistake that the daemon cannot run with.
pub fn error(path: &[&str], text: impl Into<String>) -> Finding {
    Finding { path: owned(path), other: None, severity: Severity::Error, text: text.into() }
}

/// A mistake that the daemon can run with.
pub fn warning(path: &[&str], text: impl Into<String>) -> Finding {
    Finding { path: owned(path), other: None, severity: Severity::Warning, text: text.into() }
}

impl Finding {
    /// The mistake, with the other key of the contradiction.
    pub fn against(self, other: Path) -> Self {
        Self { other: Some(other), ..self }
    }
}

/// A path from its parts.
pub fn owned(path: &[&str]) -> Path {
    path.iter().map(|&part| part.to_owned()).collect()
}

/// Of the names that exist the one that was probably meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong_max = name.chars().count() / 3 + 1;
    known
        .into_iter()
        .map(|known| (distance(name, known), known))
        .filter(|(wrong, _)| *wrong <= wrong_max)
        .min()
        .map(|(_, known)| known)
}

/// Letters to change, add, leave out or swap with their neighbour to make `a` from `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(NAME_MAX).collect();
    let b: Vec<char> = b.chars().take(NAME_MAX).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

/// Letters of a name that are compared.
const NAME_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_what_was_meant() {
        let known = ["strategy", "members", "music", "ring_timeout"];

        assert_eq!(nearest("stratgey", known), Some("strategy"));
        assert_eq!(nearest("ringtimeout", known), Some("ring_timeout"));
        assert_eq!(nearest("member", known), Some("members"));
        assert_eq!(nearest("voicemail", known), None);
    }

    #[test]
    fn a_problem_prints_as_compilers_do() {
        let place = Place::At { file: "a.toml".to_owned(), line: 3, column: 1 };
        let mut problem = Problem { place, severity: Severity::Error, text: "no; yes".to_owned() };
        assert_eq!(problem.to_string(), "a.toml:3:1: no; yes");
        problem.severity = Severity::Warning;
        assert_eq!(problem.to_string(), "a.toml:3:1: warning: no; yes");
    }
}
