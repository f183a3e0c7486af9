//! baresip as a phone: registers, calls, presses keys, holds, sends calls on; says
//! a tone and records what it hears.
//!
//! It is controlled over its `ctrl_tcp` module: JSON in netstrings. Its own traps: the SIP port
//! plus one is its TLS port; audio leaves from 127.0.0.1 whatever the SIP address is, so a phone
//! lives on
//! 127.0.0.1 with ports of its own; it unregisters at its end, so `quit` waits for it.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use strowger::audio::resample::convert;
use tempfile::TempDir;

use super::child::Running;
use super::place::Ports;
use super::tone::{self, Wav};
use super::wait;

/// How long a phone on the same machine may take for anything that needs no person.
pub const SOON: Duration = Duration::from_secs(10);

/// What makes one phone differ from another.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: String,
    pub password: String,
    /// Where it registers; none for a phone that is called by its address.
    pub registrar: Option<SocketAddrV4>,
    /// The proxy that all passes; without it the registrar.
    pub proxy: Option<SocketAddrV4>,
    /// For how many seconds it registers: it does so anew after 9/10 of them.
    pub expires: u32,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// In baresip's spelling: `PCMU/8000/1`, `PCMA/8000/1`, `G722/16000/1`, `opus/48000/1`.
    pub codecs: &'static str,
    /// Answers by itself.
    pub auto_answer: bool,
    /// What it says, in hertz, and how loud: as the peak sample.
    pub tone: f64,
    pub peak: f64,
    /// What it says instead, at 8 kHz; empty for the tone.
    pub speech: Vec<i16>,
    /// `srtp` if its audio can be encrypted, `srtp-mand` if it must be, else empty.
    pub encryption: &'static str,
    /// Whose presence it watches; then it watches its own mailbox too.
    pub watches: Vec<String>,
}

impl Account {
    /// A phone over UDP with G.711 that is answered by hand.
    pub fn new(user: &str, password: &str, registrar: Option<SocketAddrV4>) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            registrar,
            proxy: None,
            expires: 60,
            transport: "udp",
            codecs: "PCMU/8000/1,PCMA/8000/1",
            auto_answer: false,
            tone: 440.0,
            peak: tone::PEAK,
            speech: Vec::new(),
            encryption: "",
            watches: Vec::new(),
        }
    }
}

/// Something that happened at the phone, with the moment at which it said so.
#[derive(Clone, Debug)]
pub struct Event {
    /// baresip's word, such as `CALL_ESTABLISHED`.
    pub kind: String,
    /// A key, a reason, depending on the kind.
    pub param: String,
    /// Microseconds since 1970 at which the event was read.
    pub at_us: i64,
}

/// A running baresip.
#[derive(Debug)]
pub struct Baresip {
    process: Running,
    control: TcpStream,
    received: Vec<u8>,
    events: Vec<Event>,
    /// Commands that were answered.
    answers: u32,
    /// How many of `events` a `wait_for` has passed.
    seen: usize,
    /// What the last answered command printed.
    said: String,
    folder: TempDir,
    ports: Ports,
}

impl Baresip {
    /// Starts the phone and waits until it is controlled and, if it has a registrar, registered.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the registrar refuses.
    pub fn start(account: &Account) -> Self {
        let mut phone = Self::start_without_account(account);
        // Only then: what happens before it is controlled is told to nobody.
        phone.command("uanew", &account_line(account, &phone.ports));
        if account.registrar.is_some() {
            phone.wait_for("REGISTER_OK", SOON);
        }
        phone
    }

    fn start_without_account(account: &Account) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let ports = Ports::new();
        write_files(&folder, &ports, account);
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).arg("-s").env("HOME", folder.path());
        let log = folder.path().join("log");
        let process = Running::start(&format!("baresip {}", account.user), &mut command, log);
        let address = (Ipv4Addr::LOCALHOST, ports.first + 2);
        let control =
            wait::until("baresip can be controlled", SOON, || TcpStream::connect(address).ok());
        control.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self {
            process,
            control,
            received: Vec::new(),
            events: Vec::new(),
            answers: 0,
            seen: 0,
            said: String::new(),
            folder,
            ports,
        }
    }

    /// The URI under which the phone itself can be called.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@127.0.0.1:{}", self.ports.first)
    }

    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    pub fn answer(&mut self) {
        self.command("accept", "");
    }

    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    pub fn hold(&mut self) {
        self.command("hold", "");
    }

    pub fn resume(&mut self) {
        self.command("resume", "");
    }

    /// Sends the other side on (blind).
    pub fn transfer(&mut self, uri: &str) {
        self.command("transfer", uri);
    }

    /// Presses keys (RFC 4733).
    pub fn press(&mut self, keys: &str) {
        self.command("sndcode", keys);
    }

    /// Unregisters and ends.
    pub fn quit(mut self) {
        // Its answer may be cut off by its end.
        self.send("quit", "");
        self.process.end(SOON);
    }

    /// The next event of this kind after those already waited for.
    pub fn wait_for(&mut self, kind: &str, limit: Duration) -> Event {
        let found = wait::within(limit, || self.next(kind));
        found.unwrap_or_else(|| {
            let kinds: Vec<&str> = self.events.iter().map(|event| event.kind.as_str()).collect();
            panic!("no {kind} within {limit:?}; there were {kinds:?}\n{}", self.process.tail())
        })
    }

    /// The people in its contact list, with what their presence is.
    pub fn contacts(&mut self) -> String {
        self.command("contacts", "");
        self.said.clone()
    }

    /// Every message sent and received, each after a line `UDP FROM -> TO`.
    pub fn trace(&self) -> String {
        self.process.output()
    }

    /// What the phone has heard in its latest call; complete once the call is closed.
    pub fn heard(&self) -> Wav {
        let newest = wait::until("the phone's recording", SOON, || self.recordings().pop());
        Wav::read(&newest).expect("sndfile writes WAV")
    }

    /// One file for each time that audio to the phone began, in order.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("heard")).expect("the folder was made");
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.retain(|file| file.to_string_lossy().ends_with("-dec.wav"));
        files.sort();
        files
    }

    fn next(&mut self, kind: &str) -> Option<Event> {
        self.read();
        let found = self.events[self.seen..].iter().position(|event| event.kind == kind)?;
        self.seen += found + 1;
        Some(self.events[self.seen - 1].clone())
    }

    fn send(&mut self, command: &str, params: &str) {
        let text = json!({"command": command, "params": params, "token": command}).to_string();
        let frame = format!("{}:{text},", text.len());
        self.control.write_all(frame.as_bytes()).expect("baresip takes a short command");
    }

    /// Sends a command and waits for its answer.
    fn command(&mut self, command: &str, params: &str) {
        let before = self.answers;
        self.send(command, params);
        let answered = wait::within(SOON, || {
            self.read();
            (self.answers > before).then_some(())
        });
        assert!(answered.is_some(), "no answer to {command}\n{}", self.process.tail());
    }

    /// Takes what has come and turns whole netstrings into events.
    fn read(&mut self) {
        let mut chunk = [0; 4096];
        loop {
            match self.control.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("baresip's control: {error}\n{}", self.process.tail()),
            }
        }
        while let Some((text, used)) = netstring(&self.received) {
            let value: Value = serde_json::from_str(&text).expect("baresip writes JSON");
            self.received.drain(..used);
            let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            if value["event"] == true {
                self.events.push(Event {
                    kind: word("type"),
                    param: word("param"),
                    at_us: wait::wall_us(),
                });
            } else {
                self.answers += 1;
                self.said = word("data");
                assert!(value["ok"] == true, "baresip refuses {value}\n{}", self.process.tail());
            }
        }
    }
}

/// The first whole netstring and how many bytes it takes.
fn netstring(bytes: &[u8]) -> Option<(String, usize)> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let size: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let text = bytes.get(colon + 1..colon + 1 + size)?;
    bytes.get(colon + 1 + size)?;
    Some((String::from_utf8_lossy(text).into_owned(), colon + size + 2))
}

fn write_files(folder: &TempDir, ports: &Ports, account: &Account) {
    let path = folder.path();
    fs::create_dir(path.join("heard")).expect("a scratch folder can be written");
    // Its source does not change the rate of a file.
    let rates = [48_000, 16_000];
    let rate = rates.into_iter().find(|rate| account.codecs.contains(&rate.to_string()));
    let rate = rate.unwrap_or(8000);
    let says = path.join("tone.wav");
    if account.speech.is_empty() {
        tone::write_at(&says, (account.tone, account.peak), 120, rate);
    } else {
        tone::write_samples(&says, &convert(&account.speech, 8000, rate), rate);
    }
    let here = path.display();
    let (sip, control) = (ports.first, ports.first + 2);
    let mut config = format!(
        "poll_method epoll\nsip_listen 127.0.0.1:{sip}\nnet_interface 127.0.0.1\n\
         call_local_timeout 120\ncall_max_calls 4\n\
         audio_player aubridge,heard\naudio_alert aubridge,alert\n\
         audio_source aufile,{here}/tone.wav\n\
         audio_srate {rate}\naudio_channels 1\n\
         opus_stereo no\nopus_sprop_stereo no\nopus_inbandfec yes\nopus_bitrate 28000\n\
         ausrc_format s16\nauplay_format s16\nauenc_format s16\naudec_format s16\n\
         audio_buffer 20-160\nrtp_ports 30000-39999\nrtcp_mux no\njitter_buffer_delay 1-4\n\
         snd_path {here}/heard\nctrl_tcp_listen 127.0.0.1:{control}\n\
         module_path {MODULES}\n"
    );
    for module in ["g711", "g722", "opus", "aufile", "aubridge", "sndfile", "ctrl_tcp", "srtp"] {
        writeln!(config, "module {module}.so").expect("a String takes everything");
    }
    let watching: &[&str] =
        if account.watches.is_empty() { &[] } else { &["contact", "mwi", "presence"] };
    for module in ["account", "menu"].iter().chain(watching) {
        writeln!(config, "module_app {module}.so").expect("a String takes everything");
    }
    let contacts: String =
        account.watches.iter().map(|uri| format!("<{uri}>;presence=p2p\n")).collect();
    fs::write(path.join("contacts"), contacts).expect("a scratch folder can be written");
    fs::write(path.join("config"), config).expect("a scratch folder can be written");
    fs::write(path.join("accounts"), "").expect("a scratch folder can be written");
}

/// The account in the form of baresip's `accounts` file.
fn account_line(account: &Account, ports: &Ports) -> String {
    let Account { user, password, registrar, proxy, transport, codecs, auto_answer, .. } = account;
    let encryption = match account.encryption {
        "" => String::new(),
        kind => format!(";mediaenc={kind}"),
    };
    let answer = if *auto_answer { "auto" } else { "manual" };
    let domain = registrar.unwrap_or(SocketAddrV4::new(Ipv4Addr::LOCALHOST, ports.first));
    let interval = if registrar.is_some() { account.expires } else { 0 };
    let mwi = if account.watches.is_empty() { "no" } else { "yes" };
    // Its `mwi` subscribes without the transport of the account, but by way of its proxy.
    let proxy = match proxy.or(*registrar) {
        Some(at) => format!(";outbound=\"sip:{at};transport={transport}\""),
        None => String::new(),
    };
    format!(
        "<sip:{user}@{domain};transport={transport}>;auth_pass={password};answermode={answer};\
         regint={interval};audio_codecs={codecs};ptime=20;mwi={mwi}{proxy}{encryption}"
    )
}

const MODULES: &str = "/usr/lib/baresip/modules";
