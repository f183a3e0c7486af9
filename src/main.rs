//! The verbs of the command line.

fn main() -> anyhow::Result<()> {
    strowger::shell::cli::run::run(std::env::args().nth(2).map(std::path::PathBuf::from).as_deref())
}
