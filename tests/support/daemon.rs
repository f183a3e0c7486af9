//! The real daemon: the built binary with a configuration, a data folder and an address of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::authority::Authority;
use super::child::Running;
use super::place::Place;
use super::tone;
use super::wait;

/// How long a start may take, with a ledger to recover.
pub const START_MAX: Duration = Duration::from_secs(30);

/// A running `strowger`, and what remains when it is killed: its folder, its address.
#[derive(Debug)]
pub struct Daemon {
    pub place: Place,
    process: Option<Running>,
    folder: TempDir,
    /// Who signs its certificate, if it listens on TLS and WebSocket too.
    authority: Option<Authority>,
}

impl Daemon {
    /// Starts a node with `toml` behind the sections that name its addresses, and waits until it is
    /// ready for calls.
    pub fn start(toml: &str) -> Self {
        let mut daemon = Self::prepare(toml);
        daemon.start_again();
        daemon
    }

    /// As `start`, with TLS on port 5061, ws on 5080, wss on 5443; it trusts its own authority
    /// alone.
    pub fn start_secure(toml: &str) -> Self {
        let mut daemon = Self::prepare(toml);
        let authority = Authority::new(daemon.folder.path());
        authority.sign(daemon.place.ip);
        daemon.authority = Some(authority);
        daemon.write_config(toml);
        daemon.start_again();
        daemon
    }

    /// Who signs its certificate.
    ///
    /// # Panics
    ///
    /// If it was not started with one.
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("it was started with TLS")
    }

    /// Everything but the process: for prompts that must be there before it starts.
    pub fn prepare(toml: &str) -> Self {
        let place = Place::new();
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let daemon = Self { place, process: None, folder, authority: None };
        daemon.write_config(toml);
        daemon
    }

    /// Puts a tone in the place of a prompt.
    pub fn prompt(&self, name: &str, hertz: f64, seconds: u32) {
        let prompts = self.data().join("prompts");
        fs::create_dir_all(&prompts).expect("a scratch folder can be written");
        tone::write(&prompts.join(format!("{name}.wav")), hertz, seconds);
    }

    /// Starts it on the data that an earlier process left, if there was one.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut command = self.command(&["run"]);
        let log = self.folder.path().join("log");
        self.process = Some(Running::start("strowger", &mut command, log));
        let ready = wait::within(START_MAX, || {
            let ended = self.running().ended();
            assert!(ended.is_none(), "strowger ended: {ended:?}\n{}", self.log_tail());
            self.http("/health/ready").filter(|(status, _)| *status == 200)
        });
        assert!(ready.is_some(), "strowger is not ready\n{}", self.log_tail());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.running().kill();
        self.process = None;
    }

    /// SIGTERM, and waits for the end, which must be a success.
    pub fn stop(&mut self) {
        let status = self.ends();
        assert!(status.success(), "{status}\n{}", self.log_tail());
    }

    /// SIGTERM, and waits for the end; how it was.
    pub fn ends(&mut self) -> ExitStatus {
        let running = self.running();
        running.signal("TERM");
        let status = running.end(Duration::from_secs(20));
        self.process = None;
        status
    }

    /// What `/metrics` says of a name, such as `sip_received_total`, over all its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.http("/metrics").expect("the page is there");
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix("strowger_")?.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some(value)
        });
        values.map(|value| value.parse::<f64>().expect("metrics are numbers")).sum()
    }

    /// Replaces the configuration; `strowger reload` applies it.
    pub fn write_config(&self, toml: &str) {
        let (ip, data) = (self.place.ip, self.data().display().to_string());
        let log =
            if toml.contains("[log]") { "" } else { "[log]\nfilter = \"info,strowger=debug\"\n\n" };
        let (more, files) = match self.authority {
            None => (String::new(), ""),
            Some(_) => (
                format!(", \"tls://{ip}:5061\", \"ws://{ip}:5080\", \"wss://{ip}:5443\""),
                "certificate = \"certificate.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n",
            ),
        };
        let text = format!(
            "[node]\nname = \"test\"\ndata = \"{data}\"\nlocale = \"en-US\"\n\n\
             [sip]\ndomain = \"{ip}\"\nlisten = [\"udp://{ip}:5060\", \
             \"tcp://{ip}:5060\"{more}]\n{files}\
             expires_min = \"1s\"\n\n\
             [media]\nlisten = \"{ip}\"\nports = \"10000-48999\"\n\n\
             [grpc]\nlisten = \"{ip}:50051\"\n\n[http]\nlisten = \"{ip}:8080\"\n\n{log}{toml}"
        );
        fs::write(self.config(), text).expect("a scratch folder can be written");
    }

    pub fn sip(&self) -> SocketAddrV4 {
        self.place.at(5060)
    }

    pub fn grpc(&self) -> SocketAddrV4 {
        self.place.at(50051)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn pid(&mut self) -> u32 {
        self.running().pid()
    }

    /// Runs a verb of the command line against this node.
    pub fn verb(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("strowger can be run")
    }

    /// As `verb`, for a configuration that cannot be read.
    pub fn verb_without_file(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.folder.path()).output().expect("strowger can be run")
    }

    /// As `verb`; it must exit with 0. Returns what it printed.
    pub fn succeeds(&self, words: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.verb(words);
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "strowger {words:?}: {status}\n{stdout}\n{stderr}");
        stdout
    }

    /// A verb's `--json` output: one object a line.
    pub fn json(&self, words: &[&str]) -> Vec<Value> {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let printed = self.succeeds(&words);
        let lines = printed.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).expect("`--json` prints JSON")).collect()
    }

    /// What `strowger status` counts, by name; what is zero is left out of it.
    pub fn status(&self, name: &str) -> u64 {
        let status = self.json(&["status"]).pop().expect("status prints an object");
        status[name].as_u64().unwrap_or(0)
    }

    /// Waits until nothing is left of any call.
    pub fn falls_silent(&self, limit: Duration) {
        let counts = ["calls", "legs", "transactions", "dialogs", "ports_taken"];
        let left = || counts.map(|name| (name, self.status(name)));
        let clean = wait::within(limit, || left().iter().all(|(_, n)| *n == 0).then_some(()));
        assert!(clean.is_some(), "left over after {limit:?}: {:?}\n{}", left(), self.log_tail());
    }

    /// `GET path`: status and body. None while nobody listens.
    pub fn http(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.place.at(8080)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let host = self.place.ip;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Some((status, body.to_owned()))
    }

    /// Every recording, in order of path.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        wav_files(&self.data().join("recordings"), &mut found);
        found.sort();
        found
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&mut self) -> u64 {
        resident_kib(self.pid())
    }

    /// Open files of the process.
    pub fn open_files(&mut self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid()));
        files.expect("the daemon runs").count()
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        super::child::read_lossy(&self.folder.path().join("log"))
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn running(&mut self) -> &mut Running {
        self.process.as_mut().expect("it runs")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("strowger.toml")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).arg("-c").arg(self.config()).current_dir(self.folder.path());
        command
    }
}

/// Resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("Linux tells the resident size")
}

/// The binary under test: the one Cargo has built, or the one `STROWGER_BIN` names.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("STROWGER_BIN");
    named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_strowger")), PathBuf::from)
}

fn wav_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            wav_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "wav") {
            found.push(path);
        }
    }
}

/// `[extensions.N]` sections with the password `secret-N`.
pub fn extensions(numbers: impl IntoIterator<Item = u32>) -> String {
    let section = |n| format!("[extensions.{n}]\npassword = \"{}\"\n", password(n));
    numbers.into_iter().map(section).collect()
}

/// `[agents.aN]` with the fixed seat N, logged in while its phone is registered.
pub fn agents(numbers: impl IntoIterator<Item = u32>) -> String {
    let section = |n| format!("[agents.a{n}]\nextension = \"{n}\"\nlogin = \"auto\"\n");
    numbers.into_iter().map(section).collect()
}

/// The password of an extension made by `extensions`.
pub fn password(number: u32) -> String {
    format!("secret-{number}")
}
