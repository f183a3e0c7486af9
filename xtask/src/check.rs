//! The verbs that build and test.

use anyhow::bail;

use crate::peers::{self, Peers};
use crate::steps::{cargo, command, exists, root, run, succeeds};

/// Everything that must pass before a push.
pub fn check(args: &[String]) -> anyhow::Result<()> {
    no_args(args)?;
    run(&mut command(&cargo(), &["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run(&mut command(&cargo(), &clippy))?;
    test(&[])?;
    let mut doc = command(&cargo(), &["doc", "--workspace", "--no-deps", "--locked"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    deny(&[])
}

/// All tests, those after one that fails too. What they need besides Rust is installed first; a
/// test that cannot run fails.
pub fn test(args: &[String]) -> anyhow::Result<()> {
    no_args(args)?;
    let Peers { python, node } = peers::install()?;
    run(&mut command(&cargo(), &["test", "--workspace", "--locked", "--no-run"]))?;
    let all = ["test", "--workspace", "--locked", "--no-fail-fast"];
    let mut tests = command(&cargo(), &all);
    run(tests.env("STROWGER_TEST_PYTHON", python).env("STROWGER_TEST_NODE", node))
}

/// Writes the pages that are made from the sources.
pub fn docs(args: &[String]) -> anyhow::Result<()> {
    no_args(args)?;
    let mut write = command(&cargo(), &["test", "--locked", "--test", "rfc_coverage", "--"]);
    run(write.arg("the_page_tells").env("STROWGER_WRITE_DOCS", "1"))
}

/// Licences, sources and forbidden crates (`deny.toml`). Installs cargo-deny if it is not there.
pub fn deny(args: &[String]) -> anyhow::Result<()> {
    no_args(args)?;
    if !succeeds(&mut command(&cargo(), &["deny", "--version"])) {
        run(&mut command(&cargo(), &["install", "cargo-deny", "--locked"]))?;
    }
    run(&mut command(&cargo(), &["deny", "check", "licenses", "bans", "sources"]))
}

/// The seeded simulations, optimised: more seeds and longer days than `test` takes.
pub fn sim(args: &[String]) -> anyhow::Result<()> {
    let mut sim = command(&cargo(), &["test", "--release", "--locked", "--test", "simulation"]);
    run(sim.arg("--").arg("--nocapture").args(args))
}

/// The loom models of the ACD's lock-free core.
pub fn loom(args: &[String]) -> anyhow::Result<()> {
    let mut loom = command(&cargo(), &["test", "--release", "--locked", "--test", "acd_loom"]);
    let target = crate::steps::target().join("loom");
    run(loom.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", target).args(args))
}

/// Feeds each target, or the one named, with bad input; needs the nightly compiler.
pub fn fuzz(args: &[String]) -> anyhow::Result<()> {
    if !exists("cargo-fuzz") {
        run(&mut command(&cargo(), &["install", "cargo-fuzz", "--locked"]))?;
    }
    let seconds = args.get(1).map_or("60", String::as_str);
    let limit = format!("-max_total_time={seconds}");
    let targets = match args.first() {
        Some(target) => vec![target.clone()],
        None => fuzz_targets()?,
    };
    for target in targets {
        // What it finds goes below `target/`; the seeds in the repository stay as they are.
        let found = crate::steps::target().join("fuzz").join(&target);
        std::fs::create_dir_all(&found)?;
        let (found, seeds) = (found.to_string_lossy(), format!("fuzz/corpus/{target}"));
        let mut args = vec!["run", "nightly", "cargo", "fuzz", "run", &target, &found];
        if root().join(&seeds).is_dir() {
            args.push(&seeds); // not every target has some
        }
        args.extend(["--", &limit]);
        run(&mut command("rustup", &args))?;
    }
    Ok(())
}

fn fuzz_targets() -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        targets.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

/// The benches of the parts, or the one named.
pub fn bench(args: &[String]) -> anyhow::Result<()> {
    let mut bench = command(&cargo(), &["bench", "--locked"]);
    match args.first() {
        Some(name) => run(bench.args(["--bench", name])),
        None => parts_benches(),
    }
}

/// Every bench but `load`, which measures the whole and takes minutes.
fn parts_benches() -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("benches"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "rs") {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    for name in names {
        run(&mut command(&cargo(), &["bench", "--locked", "--bench", &name]))?;
    }
    Ok(())
}

/// The whole daemon under load: `register`, `call`, `queue`, `centre`, `relay`, `crowd`, `flood`,
/// or all.
pub fn load(args: &[String]) -> anyhow::Result<()> {
    let Peers { python, .. } = peers::install()?;
    if args.first().is_none_or(|measure| measure == "relay") {
        peers::install_beside()?;
    }
    let mut load = command(&cargo(), &["bench", "--locked", "--bench", "load", "--"]);
    run(load.args(args).env("STROWGER_TEST_PYTHON", python))
}

fn no_args(args: &[String]) -> anyhow::Result<()> {
    match args.first() {
        Some(arg) => bail!("`{arg}` is one word too many"),
        None => Ok(()),
    }
}
