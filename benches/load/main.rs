//! The whole daemon under load, measured from outside:
//! `cargo xtask load [register|call|queue|relay]`.
//!
//! SIPp registers and calls; an RTP generator of ours counts every packet at both ends. What the
//! daemon costs is the CPU time that the kernel has given to its threads.

#[allow(dead_code, reason = "the tests with real peers use the rest")]
#[path = "../../tests/support/mod.rs"]
mod support;

mod call;
mod figures;
mod queue;
mod register;
mod relay;
mod rtp;

use std::process::ExitCode;

use figures::Table;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let which = words.first().map_or("all", String::as_str);
    if !["all", "register", "call", "queue", "relay"].contains(&which) {
        eprintln!("cargo xtask load [register|call|queue|relay]");
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    let wants = |name: &str| which == "all" || which == name;
    if wants("register") {
        register::measure(&mut table);
    }
    if wants("call") {
        call::measure(&mut table);
    }
    if wants("queue") {
        queue::measure(&mut table);
    }
    if wants("relay") {
        relay::measure(&mut table);
    }
    println!("{table}");
    ExitCode::SUCCESS
}
