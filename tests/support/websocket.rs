//! Phones over WebSocket, in processes of their own that tell events as lines of JSON: one that
//! refuses every call (`websocket_phone.py`), and what `jssip` adds.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::child::{Running, read_lossy};
use super::records::python;
use super::wait;

/// A running phone.
#[derive(Debug)]
pub struct WebsocketPhone {
    process: Running,
    log: PathBuf,
    /// How many events a `wait_for` has passed.
    seen: usize,
    _folder: TempDir,
}

impl WebsocketPhone {
    /// Starts the phone and waits until it is registered.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the registrar refuses.
    pub fn start(url: &str, user: &str, password: &str, domain: Ipv4Addr, ca: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/websocket_phone.py");
        let mut command = Command::new(python());
        command.args([script, url, user, password, &domain.to_string()]);
        if url.starts_with("wss") {
            command.arg("--ca").arg(ca);
        }
        let mut phone = Self::run("websocket_phone.py", &mut command);
        phone.wait_for("registered");
        phone
    }

    /// Starts a program that is such a phone.
    pub fn run(name: &str, command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let log = folder.path().join("log");
        let process = Running::start(name, command, log.clone());
        Self { process, log, seen: 0, _folder: folder }
    }

    /// The next event of this kind after those already waited for.
    pub fn wait_for(&mut self, kind: &str) -> Value {
        let found = wait::within(LIMIT, || {
            let mut later = self.events().into_iter().enumerate().skip(self.seen);
            later.find(|(_, event)| event["event"] == kind)
        });
        let (at, event) = found.unwrap_or_else(|| {
            panic!("no {kind} within {LIMIT:?}\n{}", self.process.tail());
        });
        self.seen = at + 1;
        event
    }

    /// Everything that it has told so far.
    pub fn events(&self) -> Vec<Value> {
        let text = read_lossy(&self.log);
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

const LIMIT: Duration = Duration::from_secs(20);
