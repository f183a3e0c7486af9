//! The whole daemon under load, measured from outside:
//! `cargo xtask load [register|call|queue|centre|relay|crowd|flood]`.
//!
//! SIPp registers and calls; an RTP generator of ours counts every packet at both ends. What the
//! daemon costs is the CPU time that the kernel has given to its threads. rtpengine carries the
//! same audio in the same run; `cargo xtask load relay` installs it (Debian's `rtpengine-daemon`).
//!
//! Of `relay`, the environment says how much: `STROWGER_LOAD_CALLS` (100), `STROWGER_LOAD_SECONDS`
//! (15), and `STROWGER_LOAD_ROWS`, a part of the names of the rows that are wanted.

#[allow(dead_code, reason = "the tests with real peers use the rest")]
#[path = "../../tests/support/mod.rs"]
mod support;

mod call;
mod centre;
mod crowd;
mod figures;
mod flood;
mod mixed;
mod queue;
mod register;
mod relay;
mod rooms;
mod rtp;
mod rtpengine;
mod talks;

use std::process::ExitCode;

use figures::Table;

type Measure = (&'static str, fn(&mut Table));

/// What is measured, by name.
const MEASURES: [Measure; 7] = [
    ("register", register::measure),
    ("call", call::measure),
    ("queue", queue::measure),
    ("centre", centre::measure),
    ("relay", relay::measure),
    ("crowd", crowd::measure),
    ("flood", flood::measure),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let which = words.first().map_or("all", String::as_str);
    let measures: Vec<_> =
        MEASURES.iter().filter(|(name, _)| ["all", name].contains(&which)).collect();
    if measures.is_empty() {
        eprintln!("cargo xtask load [register|call|queue|centre|relay|crowd|flood]");
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    for (_, measure) in measures {
        measure(&mut table);
    }
    println!("{table}");
    ExitCode::SUCCESS
}
