//! `cargo xtask VERB`: the commands of development. Each verb is a list of steps that a person
//! could type; none of them leaves a step out in silence.

mod check;
mod peers;
mod steps;

use std::process::ExitCode;

type Verb = fn(&[String]) -> anyhow::Result<()>;

/// Verb, what it does, how.
const VERBS: &[(&str, &str, Verb)] = &[
    ("check", "all that must pass before a push", check::check),
    ("test", "all tests, with the real SIP programs", check::test),
    ("docs", "writes the pages that are made from the sources", check::docs),
    ("deny", "licences and sources of the dependencies", check::deny),
    (
        "sim",
        "the seeded simulations of a call centre's day, optimised: [ARGS of the test]",
        check::sim,
    ),
    ("loom", "the model of the ACD's lock-free core", check::loom),
    ("fuzz", "feeds bad input for a minute a target: [TARGET] [SECONDS]", check::fuzz),
    ("bench", "measures the parts: [NAME of a bench]", check::bench),
    (
        "load",
        "measures the whole daemon: [register|call|queue|centre|relay|crowd|flood]",
        check::load,
    ),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let Some((_, _, run)) = VERBS.iter().find(|(name, ..)| *name == verb) else {
        eprintln!("cargo xtask VERB, where VERB is one of:");
        for (name, does, _) in VERBS {
            eprintln!("  {name:<6} {does}");
        }
        return ExitCode::from(2);
    };
    match run(&args.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {verb}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
