//! The verbs of the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use strowger::shell::cli;
use tokio::runtime;

/// Messages are made in one thread and freed in another, which it is made for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A softswitch and ACD daemon for on-prem telephony, in one binary
#[derive(Debug, Parser)]
#[command(version, after_help = "Without a command, `run`.")]
struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read the whole configuration and say what is wrong with it
    Check(cli::check::Args),
    #[command(flatten)]
    Client(cli::Verb),
    /// Play a whole call on this machine: phones, menu, queue, agent, record
    Demo,
    /// Say which rule a call would take, or why a call went as it did
    Explain(cli::explain::Args),
    /// Run the daemon
    Run(cli::run::Args),
}

/// 0: done, 1: the request failed, 2: usage.
fn main() -> ExitCode {
    match Command::parse().verb.unwrap_or_else(|| Verb::Run(cli::run::Args::default())) {
        Verb::Check(args) => cli::check::run(&args),
        Verb::Client(verb) => ask_node(cli::run(verb)),
        Verb::Demo => cli::demo::run(),
        Verb::Explain(args) => match args.call() {
            Some(call) => ask_node(cli::explain::tell(call, &args)),
            None => cli::explain::run(&args),
        },
        Verb::Run(args) => cli::run::run(&args),
    }
}

/// Asks a running node, or has it do something.
fn ask_node(asked: impl Future<Output = Result<(), cli::CliError>>) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(asked),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strowger: {error}");
            if error.is_usage() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
