//! Rules of CONTRIBUTING.md that neither rustfmt nor clippy can hold.
//!
//! Each rule is a function from files to faults, so that each is shown to bite on a made-up file.

#[path = "support/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tree::{TextFile, assert_none, code};

const FILE_LINES_MAX: usize = 800;
const LINE_CHARS_MAX: usize = 100;
/// With its signature; clippy counts the body alone, and no comments.
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_and_lines_are_short() {
    assert_none(&too_long(&rust()));
}

#[test]
fn functions_are_short() {
    assert_none(&long_functions(&rust()));
}

#[test]
fn text_files_are_clean() {
    let texts = tree::files(&[".rs", ".toml", ".md", ".proto", ".py", ".xml", ".service", ".conf"]);
    assert_none(&untidy_text(&texts));
}

#[test]
fn nothing_is_left_unfinished() {
    assert_none(&unfinished(&rust()));
}

#[test]
fn tests_wait_for_events_not_for_time() {
    assert_none(&sleeps(&rust()));
}

#[test]
fn every_file_and_machine_has_its_header() {
    assert_none(&headers_missing(&rust()));
}

#[test]
fn unsafe_code_is_not_allowed_anywhere() {
    assert_none(&unsafe_allowed(&rust()));
}

#[test]
fn errors_are_typed_outside_the_command_line() {
    assert_none(&untyped_errors(&rust()));
}

#[test]
fn names_say_what_a_thing_is() {
    assert_none(&empty_names(&rust()));
}

/// A fresh clone builds as documented, with `--locked`.
#[test]
fn the_lock_file_is_tracked_and_current() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let runs = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).current_dir(folder).output();
        let output = output.expect("the program is installed");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words:?}\n{told}");
    };

    runs(env!("CARGO"), &["tree", "--locked", "--offline", "--quiet"]);
    // What was unpacked from an archive has no history.
    if Path::new(folder).join(".git").exists() {
        let safe = format!("safe.directory={folder}");
        runs("git", &["-c", &safe, "ls-files", "--error-unmatch", "Cargo.lock"]);
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    assert_none(&dependencies_without_reason(&tree::files(&["Cargo.toml"])));
}

#[test]
fn links_between_pages_resolve() {
    assert_none(&broken_links(&tree::files(&[".md"]), &|path| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
    }));
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let endings = [".rs", ".toml", ".md", ".proto", ".py", ".xml", ".service", ".conf", "run"];
    assert_none(&machine_paths(&tree::files(&endings)));
}

#[test]
fn decisions_are_numbered_and_complete() {
    assert_none(&decisions(&tree::files(&[".md"])));
}

fn rust() -> Vec<TextFile> {
    tree::files(&[".rs"])
}

fn too_long(files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines; {FILE_LINES_MAX} are allowed", file.path));
        }
        for (index, line) in file.text.lines().enumerate() {
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX {
                let place = file.place(index);
                faults.push(format!("{place}: {chars} characters; {LINE_CHARS_MAX} are allowed"));
            }
        }
    }
    faults
}

/// Functions as rustfmt lays them out: each ends with the brace that stands below its `fn`.
fn long_functions(files: &[TextFile]) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut faults = Vec::new();
    for file in files {
        let lines: Vec<&str> = file.text.lines().collect();
        let begun = lines.iter().enumerate().filter(|(_, line)| is_function(line));
        for (index, first) in begun {
            let ends = |line: &&str| {
                let is_last = line.trim() == "}" || line.ends_with(';') || line.ends_with(" {}");
                is_last && indent(line) == indent(first)
            };
            let end = lines[index..].iter().position(ends).map_or(0, |end| end + 1);
            let is_one = first.ends_with('}');
            if end > FUNCTION_LINES_MAX && !is_one {
                let place = file.place(index);
                faults.push(format!("{place}: {end} lines; {FUNCTION_LINES_MAX} are allowed"));
            }
        }
    }
    faults
}

fn is_function(line: &str) -> bool {
    let Some((before, _)) = code(line).split_once("fn ") else { return false };
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
    before.split_whitespace().all(|word| words.contains(&word))
}

fn untidy_text(files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for (index, line) in file.text.split('\n').enumerate() {
            // A Markdown line that ends in two spaces means a break: write a paragraph.
            if line.ends_with([' ', '\t', '\r']) {
                faults.push(format!("{}: space at the end of the line", file.place(index)));
            }
            if line.contains('\t') {
                faults.push(format!("{}: a tab", file.place(index)));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            faults.push(format!("{}: ends with one line break", file.path));
        }
    }
    faults
}

/// Spelt in two halves, so that this file passes its own rule.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("db", "g!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X:"),
    concat!("HA", "CK"),
    concat!("#[ig", "nore"),
    concat!("#![allow(dead_code)", "]"),
    concat!("#![allow(unused)", "]"),
    concat!("allow(clippy::all", ")"),
];

fn unfinished(files: &[TextFile]) -> Vec<String> {
    each_line(files, |line| UNFINISHED.iter().find(|word| line.contains(**word)))
        .map(|(place, word)| format!("{place}: `{word}`"))
        .collect()
}

/// Waits for other programs, always with a deadline, or sends audio in real time; nobody else does.
const MAY_SLEEP: &[&str] = &["tests/support/wait.rs"];

fn sleeps(files: &[TextFile]) -> Vec<String> {
    let word = concat!("slee", "p(");
    let tests = files.iter().filter(|file| {
        (file.path.starts_with("tests/") || file.path.starts_with("src/"))
            && !file.path.starts_with("src/shell/")
            && !MAY_SLEEP.contains(&file.path.as_str())
    });
    let tests: Vec<TextFile> = tests.cloned().collect();
    each_line(&tests, |line| code(line).contains(word).then_some(()))
        .map(|(place, ())| format!("{place}: wait for an event, never for time"))
        .collect()
}

fn headers_missing(files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        if !file.text.starts_with("//! ") {
            faults.push(format!("{}: begins with `//! ` and what it is", file.path));
        }
        if !is_machine(file) {
            continue;
        }
        for part in ["//! Spec: ", "//! In: ", "//! Out: ", "//! Not here: "] {
            if !file.text.lines().any(|line| line.starts_with(part)) {
                faults.push(format!("{}: a machine's header says `{part}…`", file.path));
            }
        }
    }
    faults
}

/// A file below `src` whose `handle` is told the time and appends to `out`.
fn is_machine(file: &TextFile) -> bool {
    let Some(at) = file.text.find("pub fn handle(") else { return false };
    let signature = file.text[at..].split('{').next().unwrap_or_default();
    file.path.starts_with("src/")
        && signature.contains("&mut self")
        && signature.contains("now: Instant")
        && signature.contains("out: &mut Vec<")
}

fn unsafe_allowed(files: &[TextFile]) -> Vec<String> {
    let words = [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("(unsafe", "_code")];
    each_line(files, |line| words.iter().find(|word| code(line).contains(**word)))
        .map(|(place, word)| format!("{place}: `{word}`: unsafe code is forbidden"))
        .collect()
}

fn untyped_errors(files: &[TextFile]) -> Vec<String> {
    let word = concat!("any", "how::");
    let bound = |file: &&TextFile| {
        file.path.starts_with("src/")
            && file.path != "src/main.rs"
            && !file.path.starts_with("src/shell/cli/")
    };
    let files: Vec<TextFile> = files.iter().filter(bound).cloned().collect();
    each_line(&files, |line| code(line).contains(word).then_some(()))
        .map(|(place, ())| format!("{place}: one error enum for each layer, not `{word}`"))
        .collect()
}

const EMPTY_NAMES: &[&str] = &["Manager", "Helper", "Util", "Context", "Info"];

fn empty_names(files: &[TextFile]) -> Vec<String> {
    let sources: Vec<TextFile> =
        files.iter().filter(|file| file.path.starts_with("src/")).cloned().collect();
    let mut faults: Vec<String> = each_line(&sources, |line| {
        let name = declared(code(line).trim_start())?;
        let is_empty = EMPTY_NAMES.iter().any(|word| name.ends_with(word))
            || name.starts_with("get_")
            || name.starts_with("process_");
        is_empty.then(|| name.to_owned())
    })
    .map(|(place, name)| format!("{place}: `{name}` says too little, or too much"))
    .collect();
    for file in &sources {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if ["util.rs", "utils.rs", "helper.rs", "helpers.rs", "common.rs"].contains(&name) {
            faults.push(format!("{}: name the file for what it holds", file.path));
        }
    }
    faults
}

/// The name that a line of code declares, if it declares one.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let line = line.strip_prefix("pub(super) ").unwrap_or(line);
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let line = line.strip_prefix("const ").unwrap_or(line);
    let rest = ["fn ", "struct ", "enum ", "trait ", "mod ", "type "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end])
}

fn dependencies_without_reason(manifests: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for manifest in manifests {
        let mut inside = false;
        for (index, line) in manifest.text.lines().enumerate() {
            if line.starts_with('[') {
                inside = line.trim_end().ends_with("dependencies]");
            } else if inside && line.contains('=') {
                let reason = line.rsplit_once("# ").map(|(_, reason)| reason.trim());
                if reason.is_none_or(str::is_empty) {
                    let name = line.split('=').next().unwrap_or_default().trim();
                    faults.push(format!("{}: why `{name}`? `# …`", manifest.place(index)));
                }
            }
        }
    }
    faults
}

/// Links of the form `[text](target)`; those that leave the project are not followed.
fn broken_links(pages: &[TextFile], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for page in pages {
        let mut fenced = false;
        for (index, line) in page.text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            for target in line.split("](").skip(1).filter(|_| !fenced) {
                let target = target.split(')').next().unwrap_or_default();
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() { page.path.clone() } else { beside(page, file) };
                if !exists(&path) {
                    faults.push(format!("{}: `{target}` does not exist", page.place(index)));
                } else if !heading.is_empty()
                    && !pages.iter().any(|page| page.path == path && has_heading(page, heading))
                {
                    faults.push(format!("{}: no heading for `{target}`", page.place(index)));
                }
            }
        }
    }
    faults
}

/// `file`, named from the folder of `page`, as a path from the project's root.
fn beside(page: &TextFile, file: &str) -> String {
    let mut parts: Vec<&str> = page.path.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a heading of the page gives this anchor, as forges make them.
fn has_heading(page: &TextFile, anchor: &str) -> bool {
    page.text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).eq(anchor.chars())
    })
}

fn machine_paths(files: &[TextFile]) -> Vec<String> {
    let words = [concat!("/wor", "k/"), concat!("/roo", "t/"), concat!("/hom", "e/")];
    each_line(files, |line| words.iter().find(|word| line.contains(**word)))
        .map(|(place, word)| format!("{place}: `{word}…` is a path of one machine"))
        .collect()
}

/// `docs/adr/NNNN-title.md`, counted from 0001, each with context, decision and cost.
fn decisions(pages: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut numbers = BTreeSet::new();
    for page in pages {
        let Some(name) = page.path.strip_prefix("docs/adr/") else { continue };
        let number = name.split('-').next().and_then(|number| number.parse::<usize>().ok());
        let fresh = number.is_some_and(|number| numbers.insert(number));
        if !fresh {
            faults.push(format!("{}: begins with a number of its own", page.path));
        }
        for heading in ["## Context", "## Decision", "## Cost"] {
            if !page.text.lines().any(|line| line == heading) {
                faults.push(format!("{}: lacks `{heading}`", page.path));
            }
        }
    }
    if !numbers.iter().copied().eq(1..=numbers.len()) {
        faults.push(format!("docs/adr: numbers {numbers:?} leave a gap"));
    }
    faults
}

/// The lines in which `find` finds something, with their places.
fn each_line<T>(
    files: &[TextFile],
    find: impl Fn(&str) -> Option<T>,
) -> impl Iterator<Item = (String, T)> {
    files.iter().flat_map(move |file| {
        let lines = file.text.lines().enumerate();
        lines.filter_map(|(i, line)| Some((file.place(i), find(line)?))).collect::<Vec<_>>()
    })
}

/// What each rule says about a file that breaks it.
mod bites {
    use super::*;

    const ROOT: &str = "src/x.rs";

    fn one(path: &str, text: &str) -> [TextFile; 1] {
        [TextFile::new(path, text)]
    }

    #[test]
    fn long_files_and_lines() {
        assert_eq!(too_long(&one(ROOT, &"\n".repeat(801))).len(), 1);
        assert_eq!(too_long(&one(ROOT, &"é".repeat(101))).len(), 1);
        assert_eq!(too_long(&one(ROOT, &"é".repeat(100))).len(), 0);
    }

    #[test]
    fn long_functions_by_their_braces() {
        let function = |indent: &str, lines: usize| {
            let inside = format!("{indent}    b();\n").repeat(lines - 2);
            format!("{indent}pub fn a() {{\n{inside}{indent}}}\n")
        };
        for indent in ["", "    "] {
            assert_eq!(long_functions(&one(ROOT, &function(indent, 70))), [""; 0]);
            assert_eq!(long_functions(&one(ROOT, &function(indent, 71))).len(), 1);
        }
        let short = "fn a();\nfn b() {}\nfn c() -> u8\nwhere\n    T: A,\n{\n}\n";
        let rest = "\n".repeat(80) + "}\n";
        assert_eq!(long_functions(&one(ROOT, &format!("{short}{rest}"))), [""; 0]);
    }

    #[test]
    fn untidy_text_is_named() {
        let faults = untidy_text(&one("a.md", "one \n\ttwo\r\n\n"));
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn unfinished_code() {
        for word in UNFINISHED {
            assert_eq!(unfinished(&one(ROOT, &format!("  {word}"))).len(), 1, "{word}");
        }
    }

    #[test]
    fn sleeping() {
        let text = concat!("thread::slee", "p(SECOND);\n");
        assert_eq!(sleeps(&one("tests/a.rs", text)).len(), 1);
        assert_eq!(sleeps(&one("src/sip/a.rs", text)).len(), 1);
        assert_eq!(sleeps(&one("tests/support/wait.rs", text)).len(), 0);
    }

    #[test]
    fn headers() {
        let machine = "pub fn handle(&mut self, now: Instant, input: I, out: &mut Vec<O>) {}\n";
        assert_eq!(headers_missing(&one(ROOT, machine)).len(), 5);
        let header = "//! X.\n//! Spec: a\n//! In:   b\n//! Out: c\n//! Not here: d\n";
        let whole = format!("{header}{machine}");
        assert_eq!(headers_missing(&one(ROOT, &whole)).len(), 0);
    }

    #[test]
    fn unsafe_code_and_untyped_errors() {
        assert_eq!(unsafe_allowed(&one(ROOT, concat!("unsafe", " { 1 }"))).len(), 1);
        assert_eq!(untyped_errors(&one(ROOT, concat!("use any", "how::Result;"))).len(), 1);
        assert_eq!(untyped_errors(&one("src/main.rs", concat!("any", "how::bail!"))).len(), 0);
    }

    #[test]
    fn names() {
        assert_eq!(empty_names(&one(ROOT, "pub struct CallManager;\nfn get_call() {}\n")).len(), 2);
        assert_eq!(empty_names(&one("src/sip/utils.rs", "//! x\n")).len(), 1);
        assert_eq!(empty_names(&one(ROOT, "pub struct Call;\nlet get_call = 1;\n")).len(), 0);
    }

    #[test]
    fn dependencies() {
        let manifest = "[dependencies]\na = \"1\" # why\nb = \"1\"\n[lints]\nc = 1\n";
        let faults = dependencies_without_reason(&one("Cargo.toml", manifest));
        assert_eq!(faults, ["Cargo.toml:3: why `b`? `# …`"]);
    }

    #[test]
    fn links() {
        let pages = [
            TextFile::new("docs/a.md", "[b](b.md#the-end) [c](../c.md) [d](#no) [e](b.md#x)\n"),
            TextFile::new("docs/b.md", "# The end!\n"),
        ];
        let faults = broken_links(&pages, &|path| path.starts_with("docs/"));
        let expected = [
            "docs/a.md:1: `../c.md` does not exist",
            "docs/a.md:1: no heading for `#no`",
            "docs/a.md:1: no heading for `b.md#x`",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn paths_and_decisions() {
        assert_eq!(machine_paths(&one(ROOT, concat!("\"/hom", "e/someone\""))).len(), 1);
        let whole = "## Context\n## Decision\n## Cost\n";
        assert_eq!(decisions(&one("docs/adr/0001-a.md", whole)).len(), 0);
        assert_eq!(decisions(&one("docs/adr/0002-a.md", whole)).len(), 1);
        assert_eq!(decisions(&one("docs/adr/0001-a.md", "## Context\n")).len(), 2);
    }
}
