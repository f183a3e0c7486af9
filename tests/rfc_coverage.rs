//! `docs/rfc-coverage.md` says which code and which test stand for which section of which RFC.
//!
//! It is made from the citations in the sources (`RFC 3261 §17.2.1`) and from
//! `docs/rfc-coverage.toml`, which names the RFCs and states the gaps. `cargo xtask docs` writes
//! it.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "support/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use tree::{TextFile, assert_none};

const PAGE: &str = "docs/rfc-coverage.md";

#[test]
fn the_page_tells_what_the_sources_cite() {
    let page = page(&known(), &cited(&sources()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("STROWGER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| written.lines().count().min(page.lines().count())) + 1;
    assert!(written == page, "{PAGE} is stale from line {line}; write it: cargo xtask docs");
}

#[test]
fn every_rfc_has_its_title_and_no_gap_is_closed_unnoticed() {
    assert_none(&faults(&known(), &cited(&sources())));
}

#[test]
fn citations_are_read_over_lines_and_lists() {
    let file = TextFile::new(
        "src/x.rs",
        "/// RFC 3261 §12, §13.2.2.4 (the ACK)\n/// and RFC 3550\n    /// §6.2 to §6.4.\n\
         // RFC 3311\n#[cfg(test)]\nmod tests {\n// RFC 3261 §12\n}\n",
    );
    let cited = cited(&[file]);

    let sections: Vec<_> = cited.keys().map(|(rfc, section)| format!("{rfc} {section}")).collect();
    assert_eq!(sections, ["3261 12", "3261 13.2.2.4", "3311 ", "3550 6.2", "3550 6.4"]);
    let places = &cited[&(3261, Section::of("12"))];
    assert_eq!((places.code.len(), places.tests.len()), (1, 1));
}

#[test]
fn an_unknown_rfc_and_a_closed_gap_are_faults() {
    let file = TextFile::new("src/x.rs", "// RFC 9999 §1\n// RFC 1 §2\n");
    let test = TextFile::new("tests/x.rs", "// RFC 1 §2\n");
    let gap = Gap { section: "2".to_owned(), why: "none".to_owned() };
    let known = vec![Rfc { number: 1, title: "Host".to_owned(), gaps: vec![gap] }];

    let faults = faults(&known, &cited(&[file, test]));
    assert_eq!(faults.len(), 2, "{faults:?}");
}

/// An RFC that the project follows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rfc {
    number: u32,
    title: String,
    #[serde(default)]
    gaps: Vec<Gap>,
}

/// A section that is not followed, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gap {
    section: String,
    why: String,
}

/// A section's number; empty for the whole RFC. Sorts as people count: 9 before 10, letters last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Section(Vec<(u32, String)>);

impl Section {
    fn of(text: &str) -> Self {
        let parts = text.split('.').filter(|part| !part.is_empty());
        Self(parts.map(|part| (part.parse().unwrap_or(u32::MAX), part.to_owned())).collect())
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(|(_, part)| part.as_str()).collect();
        f.write_str(&parts.join("."))
    }
}

/// The files that cite a section.
#[derive(Debug, Default)]
struct Places {
    code: BTreeSet<String>,
    tests: BTreeSet<String>,
}

type Cited = BTreeMap<(u32, Section), Places>;

fn known() -> Vec<Rfc> {
    #[derive(Deserialize)]
    struct File {
        rfc: Vec<Rfc>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rfc-coverage.toml");
    let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file.rfc
}

fn sources() -> Vec<TextFile> {
    let mut files = tree::files(&[".rs"]);
    let own = |file: &TextFile| file.path.starts_with("src/") || file.path.starts_with("tests/");
    files.retain(|file| own(file) && file.path != "tests/rfc_coverage.rs");
    files
}

fn cited(files: &[TextFile]) -> Cited {
    let line_break = Regex::new(r"\n[ \t]*//[/!]?[ \t]*").unwrap();
    let citation = Regex::new(r"RFC (\d{1,5})((?:,? (?:and |to |or )?§[0-9A-Z][0-9.]*)*)").unwrap();
    let section = Regex::new(r"§([0-9A-Z][0-9.]*)").unwrap();
    let mut cited = Cited::new();
    for file in files {
        let all_test = file.path.starts_with("tests/") || file.path.ends_with("tests.rs");
        let (code, tests) = match file.text.find("#[cfg(test)]") {
            Some(_) if all_test => ("", file.text.as_str()),
            Some(at) => file.text.split_at(at),
            None if all_test => ("", file.text.as_str()),
            None => (file.text.as_str(), ""),
        };
        for (text, is_test) in [(code, false), (tests, true)] {
            let text = line_break.replace_all(text, " ");
            for found in citation.captures_iter(&text) {
                let rfc: u32 = found[1].parse().unwrap();
                let mut sections: Vec<_> =
                    section.captures_iter(&found[2]).map(|found| Section::of(&found[1])).collect();
                if sections.is_empty() {
                    sections.push(Section::of(""));
                }
                for section in sections {
                    let places = cited.entry((rfc, section)).or_default();
                    let list = if is_test { &mut places.tests } else { &mut places.code };
                    list.insert(file.path.clone());
                }
            }
        }
    }
    cited
}

/// RFCs without a title, gaps without a reason, gaps that code and a test have closed.
fn faults(known: &[Rfc], cited: &Cited) -> Vec<String> {
    let titled: BTreeSet<u32> = known.iter().map(|rfc| rfc.number).collect();
    let untitled: BTreeSet<u32> =
        cited.keys().map(|(rfc, _)| *rfc).filter(|rfc| !titled.contains(rfc)).collect();
    let mut faults: Vec<String> = (untitled.into_iter())
        .map(|rfc| format!("RFC {rfc} is cited, but docs/rfc-coverage.toml does not name it"))
        .collect();
    for rfc in known {
        for gap in &rfc.gaps {
            let place = format!("RFC {} §{}", rfc.number, gap.section);
            if gap.why.is_empty() {
                faults.push(format!("{place}: a gap without a reason"));
            }
            let closed = cited.get(&(rfc.number, Section::of(&gap.section)));
            if closed.is_some_and(|places| !places.code.is_empty() && !places.tests.is_empty()) {
                faults.push(format!("{place} is a stated gap, but code and a test cite it"));
            }
        }
    }
    faults
}

fn page(known: &[Rfc], cited: &Cited) -> String {
    let mut page = String::from(HEAD);
    let tested = |places: &&Places| !places.tests.is_empty();
    let (all, shown) = (cited.len(), cited.values().filter(tested).count());
    let gaps: usize = known.iter().map(|rfc| rfc.gaps.len()).sum();
    let rfcs = cited.keys().map(|(rfc, _)| rfc).collect::<BTreeSet<_>>().len();
    writeln!(
        page,
        "{rfcs} RFCs, {all} places cited, {shown} of them by a test; {gaps} stated gaps.\n"
    )
    .unwrap();
    for rfc in known {
        let of = cited.range((rfc.number, Section(Vec::new()))..);
        let rows: Vec<_> = of.take_while(|((number, _), _)| *number == rfc.number).collect();
        if rows.is_empty() && rfc.gaps.is_empty() {
            continue; // named, and waits for its first citation
        }
        writeln!(page, "## RFC {}: {}\n", rfc.number, rfc.title).unwrap();
        if !rows.is_empty() {
            page.push_str("| section | code | test |\n|---|---|---|\n");
        }
        for ((number, section), places) in &rows {
            let link = match section.to_string() {
                whole if whole.is_empty() => "whole".to_owned(),
                section => format!("[§{section}]({})", address(*number, &section)),
            };
            let (code, tests) = (files(&places.code), files(&places.tests));
            writeln!(page, "| {link} | {code} | {tests} |").unwrap();
        }
        if !rows.is_empty() {
            page.push('\n');
        }
        for gap in &rfc.gaps {
            writeln!(page, "- Gap: §{}: {}", gap.section, gap.why).unwrap();
        }
        if !rfc.gaps.is_empty() {
            page.push('\n');
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn address(rfc: u32, section: &str) -> String {
    let kind = if section.starts_with(|first: char| first.is_ascii_digit()) {
        "section"
    } else {
        "appendix"
    };
    format!("https://www.rfc-editor.org/rfc/rfc{rfc}#{kind}-{section}")
}

fn files(paths: &BTreeSet<String>) -> String {
    let short = |path: &String| {
        let name = path.trim_end_matches(".rs").trim_start_matches("src/");
        format!("[{name}](../{path})")
    };
    paths.iter().map(short).collect::<Vec<_>>().join(", ")
}

const HEAD: &str = "# RFC coverage

Which code and which test stand for which section. Made from the citations in the sources by
`cargo xtask docs`; a test fails when it is stale. An empty cell of the last column means that no
test cites the section, not that none passes through it. The gaps are those we know of and state.

";
