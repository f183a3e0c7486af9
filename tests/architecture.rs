//! Keeps the layering true: who may import whom, and that only the shell touches the world.
//!
//! `MAY_IMPORT` is the architecture; `docs/architecture.md` prints the same table, and `src/lib.rs`
//! lists the same modules in the same order.

#[path = "support/tree.rs"]
mod tree;

use tree::{TextFile, assert_none, code};

/// Module → what it may import. It may only name modules above it, so there can be no cycle.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("rng", &[]),
    ("id", &["rng"]),
    ("rtp", &["time", "rng"]),
    ("sdp", &["rng", "rtp"]),
    ("audio", &[]),
    ("sip", &["time", "rng", "id"]),
    ("cdr", &["time", "id"]),
    ("acd", &["time", "id"]),
    ("ivr", &["time", "id"]),
    ("media", &["time", "rng", "id", "sdp", "rtp", "audio"]),
    ("route", &["time", "id", "sdp"]),
    ("call", &["time", "rng", "id", "sip", "sdp", "cdr", "acd", "ivr", "route", "media::control"]),
    ("report", &["time", "id", "cdr"]),
    ("switch", &["time", "rng", "id", "sip", "sdp", "cdr", "acd", "ivr", "media", "route", "call"]),
    ("config", &["time", "rng", "id", "sdp", "sip", "media", "cdr", "acd", "ivr", "route", "call"]),
    (
        "shell",
        &[
            "time", "rng", "id", "sdp", "rtp", "audio", "sip", "cdr", "acd", "ivr", "media",
            "route", "call", "report", "switch", "config",
        ],
    ),
];

/// What the binary may name of the library.
const MAIN_MAY_IMPORT: &[&str] = &["config", "shell"];

/// Words that belong in `shell` alone, with the modules that may use them besides.
const IMPURE: &[(&str, &[&str])] = &[
    ("tokio::", &[]),
    ("tonic::", &[]),
    ("axum::", &[]),
    ("rusqlite::", &[]),
    ("rustix::", &[]),
    ("socket2::", &[]),
    ("sd_notify::", &[]),
    ("getrandom::", &[]),
    ("rand::", &[]),
    ("crossbeam_channel::", &[]),
    ("std::fs", &["config"]),
    ("std::env", &["config"]),
    ("std::process", &[]),
    ("std::thread", &[]),
    ("std::sync::mpsc", &[]),
    ("thread_rng", &[]),
    ("UdpSocket", &[]),
    ("TcpStream", &[]),
    ("TcpListener", &[]),
    ("::now()", &[]),
    (".elapsed()", &[]),
    ("println!", &[]),
    ("eprint!", &[]),
];

#[test]
fn modules_import_only_what_they_may() {
    assert_none(&forbidden_imports(&sources()));
}

#[test]
fn only_the_shell_touches_the_world() {
    assert_none(&impure_words(&sources()));
}

#[test]
fn only_modules_above_are_imported() {
    for (i, (module, imports)) in MAY_IMPORT.iter().enumerate() {
        for import in *imports {
            let above = MAY_IMPORT[..i].iter().any(|(name, _)| is_within(import, name));
            assert!(above, "`{import}` must stand above `{module}` in MAY_IMPORT");
        }
    }
}

#[test]
fn the_map_in_lib_rs_lists_the_same_modules_in_the_same_order() {
    let lib = sources().into_iter().find(|file| file.path == "src/lib.rs");
    let lib = lib.expect("the library has a root").text;
    let listed: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let rows: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    assert_eq!(listed, rows);
}

#[test]
fn the_page_prints_the_same_table() {
    let page = tree::files(&["docs/architecture.md", "architecture.md"])
        .into_iter()
        .find(|file| file.path == "docs/architecture.md")
        .expect("the architecture has a page");
    for row in table() {
        assert!(
            page.text.lines().any(|line| line == row),
            "docs/architecture.md lacks the row\n{row}\nThe whole table:\n{}",
            table().join("\n")
        );
    }
}

#[test]
fn a_forbidden_import_is_found() {
    let tree = [
        TextFile::new("src/time.rs", "use crate::sip::Message;\nuse crate::timer;\n"),
        TextFile::new("src/call/mod.rs", "use crate::media::control;\nuse crate::media::relay;\n"),
        TextFile::new("src/sip/mod.rs", "use super::acd;\n\nmod tests {\n    use super::*;\n}\n"),
        TextFile::new("src/sip/a/b.rs", "use super::super::dialog; // crate::acd\n"),
        TextFile::new("src/acd/mod.rs", "use crate::{time, sip};\n"),
        TextFile::new("src/pbx.rs", "pub struct Pbx;\n"),
        TextFile::new("src/main.rs", "use strowger::{shell, sip};\nuse strowger::config;\n"),
    ];
    let found = forbidden_imports(&tree);
    let expected = [
        "src/time.rs:1: `time` may not import `sip::Message`",
        "src/time.rs:2: `time` may not import `timer`",
        "src/call/mod.rs:2: `call` may not import `media::relay`",
        "src/sip/mod.rs:1: write `crate::…`: `super` is the crate's root here",
        "src/sip/a/b.rs:1: write `crate::…`, not `super::super`",
        "src/acd/mod.rs:1: one `use crate::…` for each module",
        "src/pbx.rs:1: `pbx` is not in MAY_IMPORT",
        "src/main.rs:1: one `use strowger::…` for each module",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_impure_word_is_found() {
    let tree = [
        TextFile::new("src/sip/mod.rs", "use tokio::net::UdpSocket;\n// tokio::spawn\n"),
        TextFile::new("src/config/mod.rs", "use std::fs;\nlet now = SystemTime::now();\n"),
        TextFile::new("src/shell/sip/udp.rs", "use tokio::net::UdpSocket;\n"),
    ];
    let expected = [
        "src/sip/mod.rs:1: `tokio::` outside the shell",
        "src/sip/mod.rs:1: `UdpSocket` outside the shell",
        "src/config/mod.rs:2: `::now()` outside the shell",
    ];
    assert_eq!(impure_words(&tree), expected);
}

fn sources() -> Vec<TextFile> {
    let files = tree::files(&[".rs"]);
    files.into_iter().filter(|file| file.path.starts_with("src/")).collect()
}

fn forbidden_imports(files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        match module_of(file) {
            "lib" => {}
            "main" => check_paths(file, "main", "strowger::", MAIN_MAY_IMPORT, &mut faults),
            module => match MAY_IMPORT.iter().find(|(name, _)| *name == module) {
                Some((_, allowed)) => {
                    check_paths(file, module, "crate::", allowed, &mut faults);
                    check_super(file, module, &mut faults);
                }
                None => {
                    faults.push(format!("{}: `{module}` is not in MAY_IMPORT", file.place(0)));
                }
            },
        }
    }
    faults
}

/// Every path that begins with `root` must lead into `module` itself or into one of `allowed`.
fn check_paths(
    file: &TextFile,
    module: &str,
    root: &str,
    allowed: &[&str],
    faults: &mut Vec<String>,
) {
    for (index, line) in file.text.lines().enumerate() {
        for path in code(line).split(root).skip(1) {
            let place = file.place(index);
            if path.starts_with('{') {
                faults.push(format!("{place}: one `use {root}…` for each module"));
                continue;
            }
            if !allowed.iter().chain([&module]).any(|prefix| is_within(path, prefix)) {
                let end = path.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
                let path = &path[..end.unwrap_or(path.len())];
                faults.push(format!("{place}: `{module}` may not import `{path}`"));
            }
        }
    }
}

/// `super` must not lead out of the module: that would pass by the table.
fn check_super(file: &TextFile, module: &str, faults: &mut Vec<String>) {
    let is_top = [format!("src/{module}.rs"), format!("src/{module}/mod.rs")].contains(&file.path);
    for (index, line) in file.text.lines().enumerate() {
        let place = file.place(index);
        if code(line).contains("super::super") {
            faults.push(format!("{place}: write `crate::…`, not `super::super`"));
        } else if is_top && !line.starts_with(' ') && code(line).contains("super::") {
            faults.push(format!("{place}: write `crate::…`: `super` is the crate's root here"));
        }
    }
}

fn impure_words(files: &[TextFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let module = module_of(file);
        if ["shell", "main"].contains(&module) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            for (word, besides) in IMPURE {
                if !besides.contains(&module) && code(line).contains(word) {
                    faults.push(format!("{}: `{word}` outside the shell", file.place(index)));
                }
            }
        }
    }
    faults
}

/// The top-level module that a file belongs to.
fn module_of(file: &TextFile) -> &str {
    let inside = file.path.strip_prefix("src/").unwrap_or(&file.path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Whether `path` names `prefix` itself or something inside it.
fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The rows as `docs/architecture.md` prints them.
fn table() -> Vec<String> {
    let row = |(module, imports): &(&str, &[&str])| {
        let imports = if imports.is_empty() { "—".to_owned() } else { imports.join(" ") };
        format!("{module:<8}{imports}")
    };
    MAY_IMPORT.iter().map(row).collect()
}
