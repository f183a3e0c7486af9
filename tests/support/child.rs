//! Other programs as children: their output kept, ended when the test lets go of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::wait;

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    /// What it wrote to both of its outputs.
    pub log: PathBuf,
}

impl Running {
    /// Starts a program whose output goes to `log`.
    ///
    /// # Panics
    ///
    /// If it cannot be started: a peer that is not installed fails the test.
    pub fn start(name: &str, command: &mut Command, log: PathBuf) -> Self {
        Self::spawn(name, command.stdin(Stdio::null()), log)
    }

    /// As `start`, for a program that reads commands.
    pub fn start_with_input(name: &str, command: &mut Command, log: PathBuf) -> (Self, ChildStdin) {
        let mut running = Self::spawn(name, command.stdin(Stdio::piped()), log);
        let input = running.child.stdin.take().expect("its input is a pipe");
        (running, input)
    }

    fn spawn(name: &str, command: &mut Command, log: PathBuf) -> Self {
        let out = File::options().create(true).append(true).open(&log);
        let out = out.expect("a scratch folder can be written");
        let err = out.try_clone().expect("a file can be shared");
        let child = command.stdout(out).stderr(err).spawn();
        let hint = "`cargo xtask test` installs what the tests need";
        let child = child.unwrap_or_else(|error| panic!("cannot run {name}: {error}; {hint}"));
        Self { child, name: name.to_owned(), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once (SIGKILL), as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name} {pid}");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self, limit: Duration) -> ExitStatus {
        let status = wait::within(limit, || self.ended());
        status.unwrap_or_else(|| {
            panic!("{} has not ended within {limit:?}\n{}", self.name, self.tail())
        })
    }

    pub fn output(&self) -> String {
        read_lossy(&self.log)
    }

    /// The last lines of its output, for a test that fails.
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let last = lines[lines.len().saturating_sub(400)..].join("\n");
        format!("── {} ({}):\n{last}", self.name, self.log.display())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// A file as text, whatever is in it; empty if it is not there yet.
pub fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
