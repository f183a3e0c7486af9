//! The verbs of the command line.

<<<<<<< HEAD
fn main() -> anyhow::Result<()> {
    strowger::shell::cli::run::run(std::env::args().nth(2).map(std::path::PathBuf::from).as_deref())
=======
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use strowger::shell::cli;
use tokio::runtime;

/// A softswitch and ACD daemon for on-prem telephony, in one binary
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Client(cli::Verb),
}

/// 0: done, 1: the request failed, 2: usage.
fn main() -> ExitCode {
    match Command::parse().verb {
        Verb::Client(verb) => ask_node(verb),
    }
}

/// Carries out a verb at a running node.
fn ask_node(verb: cli::Verb) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(verb)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strowger: {error}");
            ExitCode::FAILURE
        }
    }
>>>>>>> 07e860b36221afd88e70214c4067e88fd0de90b5
}
