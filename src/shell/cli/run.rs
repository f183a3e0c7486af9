//! `strowger run`: the daemon.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::problem::Problem;
use crate::config::{Config, Loaded, generate_password};
use crate::id::ExtensionId;
use crate::shell::cli::check;
use crate::shell::node::Node;
use crate::shell::sip::{Listen, own_address};
use crate::shell::{entropy, log, systemd};

/// What `strowger run` is given.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The configuration [default: conf/strowger.toml if it is there, else the built-in site]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Runs the daemon until it is told to stop; says what keeps it from starting.
pub fn run(args: &Args) -> ExitCode {
    match start(args.config.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strowger: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(file: Option<&Path>) -> anyhow::Result<()> {
    let file = file.map(Path::to_owned);
    let config = read(file.as_deref()).map_err(|mistakes| anyhow!("{}", mistakes.join("\n")))?;
    log::start(&config.log).map_err(|error| anyhow!("[log] filter: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, file))
}

async fn serve(config: Config, file: Option<PathBuf>) -> anyhow::Result<()> {
    let site = announcement(&config);
    let mut stop = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let mut hang_up = signal(SignalKind::hangup())?;
    let node = Node::start(config, Box::new(move || read(file.as_deref()))).await?;
    let mut text = format!("Strowger {} is ready.\n", env!("CARGO_PKG_VERSION"));
    for listen in &node.sip {
        text.push_str(&format!("  phones register at  {}\n", shown(listen)));
    }
    text.push_str(&format!("  records and control grpc://{}\n", node.grpc));
    text.push_str(&format!("  health and metrics  http://{}/health/ready\n{site}", node.http));
    let mut screen = io::stdout();
    // A node runs whether anybody reads this or not.
    let _ = screen.write_all(text.as_bytes()).and_then(|()| screen.flush());
    systemd::ready();
    let [Ok(terminate), Ok(interrupt)] = &mut stop else {
        return Err(anyhow!("signals cannot be received"));
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                // What comes of it is logged.
                if let Err(error) = node.switch().reload().await {
                    tracing::warn!(%error, "not reloaded");
                }
            }
        }
    }
    match node.stop().await {
        true => Ok(()),
        false => Err(anyhow!("the ledger lacks its last entries; the log says how many")),
    }
}

/// A listener as somebody types it into a phone.
fn shown(listen: &Listen) -> String {
    let address = listen.address;
    match own_address(address.is_ipv6()).filter(|_| address.ip().is_unspecified()) {
        Some(ours) => {
            let address = SocketAddr::new(ours, address.port());
            format!("{}, or at any other address of ours", Listen { address, ..*listen })
        }
        None => listen.to_string(),
    }
}

/// Reads the configuration, and the passwords that the built-in site generated before.
fn read(file: Option<&Path>) -> Result<Config, Vec<String>> {
    let Loaded { mut config, warnings, .. } = check::load(file).map_err(sentences)?;
    for warning in warnings {
        eprintln!("{warning}");
    }
    give_passwords(&mut config).map_err(|error| vec![format!("{error:#}")])?;
    Ok(config)
}

fn sentences(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// What can be dialled at the built-in site.
const NUMBERS: &str =
    "Dial 500 for the menu, then 1 for the queue; 600 for the queue at once; *43 for an echo.\n";

/// Gives the built-in site's extensions their passwords; makes those that are not there yet.
fn give_passwords(config: &mut Config) -> anyhow::Result<()> {
    let without = config.without_password();
    if !config.site_is_builtin || without.is_empty() {
        return Ok(());
    }
    let path = passwords_file(&config.node.data);
    let mut known = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let mut rng = entropy::rng()?;
    let mut new = String::new();
    for extension in without {
        let password = match find(&known, &extension) {
            Some(password) => password.to_owned(),
            None => {
                let password = generate_password(&mut rng);
                new.push_str(&format!("{extension} {password}\n"));
                password
            }
        };
        config.give_password(&extension, password.into());
    }
    if !new.is_empty() {
        known.push_str(&new);
        write_private(&path, &known).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Where the built-in site keeps its passwords: a line each, extension and password.
fn passwords_file(data: &Path) -> PathBuf {
    data.join("passwords")
}

fn find<'a>(known: &'a str, extension: &ExtensionId) -> Option<&'a str> {
    let mut lines = known.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == extension.as_str()).map(|(_, password)| password.trim())
}

/// Replaces a file that only this user may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Which accounts phones can register with, if they are the built-in ones.
fn announcement(config: &Config) -> String {
    if !config.site_is_builtin {
        return String::new();
    }
    let mut text = String::from("Accounts (the built-in site; see conf/strowger.toml):\n");
    for (extension, account) in &config.extensions {
        let password = account.password.as_ref().map_or("", |password| password.expose());
        text.push_str(&format!("  {extension}  password {password}\n"));
    }
    text.push_str(NUMBERS);
    text
}
