//! Where logs go: the standard error output, for people or for programs.

use std::io::IsTerminal as _;

use crate::config::sections::{Log, LogFormat};

/// Sends all logs to the standard error output, as `[log]` says.
///
/// # Errors
///
/// A sentence, if the filter cannot be read.
pub fn start(config: &Log) -> Result<(), String> {
    let filter = config.filter()?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_target(false).try_init(),
    };
    started.map_err(|error| error.to_string())
}
