//! A phone over WebSocket that refuses every call: `websocket_phone.py`, in a process of its own.

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
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/websocket_phone.py");
        let mut command = Command::new(python());
        command.args([script, url, user, password, &domain.to_string()]);
        if url.starts_with("wss") {
            command.arg("--ca").arg(ca);
        }
        let log = folder.path().join("log");
        let process = Running::start("websocket_phone.py", &mut command, log.clone());
        let mut phone = Self { process, log, seen: 0, _folder: folder };
        phone.wait_for("registered");
        phone
    }

    /// The next event of this kind after those already waited for.
    pub fn wait_for(&mut self, kind: &str) -> Value {
        let found = wait::within(LIMIT, || {
            let text = read_lossy(&self.log);
            let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut later = events.enumerate().skip(self.seen);
            later.find(|(_, event)| event["event"] == kind)
        });
        let (at, event) = found.unwrap_or_else(|| {
            panic!("no {kind} within {LIMIT:?}\n{}", self.process.tail());
        });
        self.seen = at + 1;
        event
    }
}

const LIMIT: Duration = Duration::from_secs(20);
