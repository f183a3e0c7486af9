//! A downstream system: a Python program with grpcio that finds the contract by reflection.

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::child::Running;
use super::wait;

/// A subscriber to the record stream.
#[derive(Debug)]
pub struct Consumer {
    process: Running,
    folder: TempDir,
}

impl Consumer {
    /// Subscribes by name from the last acknowledged sequence, and acknowledges what it gets.
    pub fn start(node: SocketAddrV4, name: &str) -> Self {
        Self::with(
            node,
            &[
                "--consumer",
                name,
                "--start",
                "LAST_ACKNOWLEDGED",
                "--acknowledge",
                "--records-only",
            ],
        )
    }

    /// Subscribes with options of `records.py`.
    pub fn with(node: SocketAddrV4, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/records.py");
        let mut command = Command::new(python());
        command.arg(script).arg(node.to_string()).args(options);
        let log = folder.path().join("log");
        Self { process: Running::start("records.py", &mut command, log), folder }
    }

    /// Every delivery so far, as JSON: `sequence` and `entry`, `record`, or `heartbeat`.
    pub fn deliveries(&self) -> Vec<Value> {
        let output = super::child::read_lossy(&self.folder.path().join("log"));
        let lines = output.lines().filter(|line| line.starts_with('{'));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The call records so far.
    pub fn records(&self) -> Vec<Value> {
        let deliveries = self.deliveries().into_iter();
        deliveries.filter_map(|one| one.get("record").cloned()).collect()
    }

    /// Waits until there are `count` call records, and returns them.
    pub fn wait_for(&mut self, count: usize, limit: Duration) -> Vec<Value> {
        let found = wait::within(limit, || {
            let records = self.records();
            (records.len() >= count).then_some(records)
        });
        found.unwrap_or_else(|| {
            let have = self.records().len();
            panic!("{have} of {count} records within {limit:?}\n{}", self.process.tail())
        })
    }

    /// Waits until the subscription stands: its first delivery, if only a heartbeat, has come.
    pub fn subscribed(&mut self, limit: Duration) {
        let first = wait::within(limit, || (!self.deliveries().is_empty()).then_some(()));
        assert!(first.is_some(), "no delivery within {limit:?}\n{}", self.process.tail());
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// The Python that `cargo xtask test` has prepared.
pub fn python() -> PathBuf {
    let named = std::env::var_os("STROWGER_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python"))
    });
    assert!(python.is_file(), "{} is missing: run `cargo xtask test`", python.display());
    python
}
