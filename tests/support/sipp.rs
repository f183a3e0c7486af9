//! SIPp: runs a scenario and says how it went.

use std::fs;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::child::{Running, read_lossy};
use super::place::Place;

/// A SIPp to be started.
#[derive(Debug)]
pub struct Scenario {
    name: String,
    args: Vec<String>,
    folder: TempDir,
    place: Option<Place>,
}

impl Scenario {
    /// `tests/interop/sipp/NAME.xml`, from `place:port`, towards `to`.
    pub fn new(name: &str, place: &Place, port: u16, to: SocketAddrV4) -> Self {
        Self::quiet(name, place, port, to).option(&["-trace_msg"])
    }

    /// As `new`, without the trace of every message: for loads.
    pub fn quiet(name: &str, place: &Place, port: u16, to: SocketAddrV4) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let file = format!("{root}/tests/interop/sipp/{name}.xml");
        assert!(fs::exists(&file).is_ok_and(|is| is), "{file} does not exist");
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let ip = place.ip.to_string();
        let args = [
            "-sf",
            &file,
            "-i",
            &ip,
            "-mi",
            &ip,
            "-p",
            &port.to_string(),
            "-nostdin",
            "-trace_err",
            "-fd",
            "1",
            "-timeout_error",
            &to.to_string(),
        ];
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { name: name.to_owned(), args, folder, place: None }
    }

    /// Keeps the address as long as the SIPp.
    pub fn keep(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// A file beside the scenario, such as the audio it says.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.folder.path().join(name), bytes).expect("a scratch folder can be written");
        self
    }

    /// `;`-separated fields, one user a line: `[field0]` and so on in the scenario.
    pub fn users(mut self, lines: &[String]) -> Self {
        let file = self.folder.path().join("users.csv");
        let text = format!("SEQUENTIAL\n{}\n", lines.join("\n"));
        fs::write(&file, text).expect("a scratch folder can be written");
        self.args.extend(["-inf".to_owned(), file.display().to_string()]);
        self
    }

    /// How many calls in all, begun at this rate a second.
    pub fn calls(mut self, count: u32, rate: u32) -> Self {
        for (key, value) in [("-m", count), ("-r", rate), ("-l", count)] {
            self.args.extend([key.to_owned(), value.to_string()]);
        }
        self
    }

    /// The number that every call of it dials: SIPp signs one URI for all of them.
    pub fn dials(self, number: &str, node: SocketAddrV4) -> Self {
        self.option(&["-auth_uri", &format!("{number}@{node}")])
    }

    /// Takes copies of messages as they come: a machine that stalls for T1 makes its peers send
    /// some, and SIPp would abort the call.
    pub fn patient(self) -> Self {
        self.option(&["-default_behaviors", "all,-abortunexp"])
    }

    /// Any other option of SIPp, such as `-t t1`.
    pub fn option(mut self, words: &[&str]) -> Self {
        self.args.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Starts it in the background. It gives up after `limit`.
    pub fn start(self, limit: Duration) -> Sipp {
        let seconds = limit.as_secs().max(1).to_string();
        let mut command = Command::new("sipp");
        // `-aa`: who comes to talk with somebody else is told so by UPDATE, which it answers.
        command.args(&self.args).args(["-aa", "-timeout", &seconds]);
        command.current_dir(self.folder.path());
        let log = self.folder.path().join("screen.log");
        let process = Running::start(&format!("SIPp {}", self.name), &mut command, log);
        Sipp { process, name: self.name, folder: self.folder, limit, _place: self.place }
    }

    /// Runs it to its end; every call must have succeeded.
    pub fn succeeds(self, limit: Duration) -> Report {
        self.start(limit).succeeds()
    }
}

/// A running SIPp.
#[derive(Debug)]
pub struct Sipp {
    process: Running,
    name: String,
    folder: TempDir,
    limit: Duration,
    _place: Option<Place>,
}

/// What a SIPp has left behind.
#[derive(Clone, Debug)]
pub struct Report {
    /// SIPp's exit code: 0 if every call succeeded, 1 if one failed, 97 at its time limit.
    pub code: i32,
    /// Every message sent and received, with its moment.
    pub messages: String,
    /// One line for each measured response time, with `-trace_rtt`.
    pub round_trips: String,
    /// Unexpected messages and timeouts.
    pub errors: String,
    pub screen: String,
}

impl Sipp {
    /// Waits for its end; every call must have succeeded.
    ///
    /// # Panics
    ///
    /// If a call failed.
    pub fn succeeds(self) -> Report {
        let name = self.name.clone();
        let report = self.ends();
        let Report { code, messages, errors, screen, .. } = &report;
        let last = &messages[messages.floor_char_boundary(messages.len().saturating_sub(6000))..];
        assert_eq!(*code, 0, "SIPp {name}\n{screen}\n{errors}\n… {last}");
        report
    }

    /// Waits for its end, whatever it is.
    pub fn ends(mut self) -> Report {
        let status = self.process.end(self.limit + Duration::from_secs(10));
        let mut report = self.report();
        report.code = status.code().unwrap_or(-1);
        report
    }

    /// What it has seen so far.
    pub fn report(&self) -> Report {
        Report {
            code: -1,
            messages: self.file("_messages.log"),
            round_trips: self.file("_rtt.csv"),
            errors: self.file("_errors.log"),
            screen: self.process.tail(),
        }
    }

    /// Kills it at once: a phone that loses its power.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    fn file(&self, ending: &str) -> String {
        let files = fs::read_dir(self.folder.path()).expect("the folder was made");
        let paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        let found = paths.iter().find(|path| path.to_string_lossy().ends_with(ending));
        found.map(|path| read_lossy(path)).unwrap_or_default()
    }
}

/// One message of a SIPp trace.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Microseconds since 1970.
    pub at_us: i64,
    pub sent: bool,
    pub text: String,
}

impl Report {
    /// How many calls failed, by its last screen.
    pub fn failed(&self) -> u32 {
        let line = self.screen.lines().rfind(|line| line.contains("Failed call"));
        let count = line.and_then(|line| line.split('|').nth(2)?.trim().parse().ok());
        count.unwrap_or(u32::MAX)
    }

    /// The messages in order.
    pub fn trace(&self) -> Vec<Traced> {
        let mut found = Vec::new();
        for part in self.messages.split("-----------------------------------------------").skip(1) {
            let Some((stamp, rest)) = part.trim_start().split_once('\n') else { continue };
            let Some((head, text)) = rest.split_once("\n\n") else { continue };
            let at = stamp.trim().replace(' ', "T");
            let Ok(at) = at.parse::<jiff::civil::DateTime>() else { continue };
            let zone = jiff::tz::TimeZone::system();
            let Ok(at) = at.to_zoned(zone) else { continue };
            found.push(Traced {
                at_us: at.timestamp().as_microsecond(),
                sent: head.contains("sent"),
                text: text.to_owned(),
            });
        }
        found
    }
}
