//! Linphone (`linphonec`) as a phone: registers, calls, answers, holds; says a tone and records
//! what it hears.
//!
//! It reads commands from a pipe and writes what happens. Its own traps: it listens on every
//! address of the machine unless two `bind_address` keep it at one; it needs
//! `.local/share/linphone` in its home; it calls over UDP unless the URI says otherwise.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use tempfile::TempDir;

use super::baresip::SOON;
use super::child::Running;
use super::daemon::{Daemon, password};
use super::place::Place;
use super::tone::{self, Wav};
use super::wait;

/// A running linphonec.
#[derive(Debug)]
pub struct Linphone {
    process: Running,
    commands: ChildStdin,
    /// How much of what it wrote a `wait_for` has passed, in bytes.
    seen: usize,
    folder: TempDir,
    _place: Place,
}

impl Linphone {
    /// Starts a phone of extension `user` over `udp`, `tcp` or `tls`, and waits until it is
    /// registered. `tone` is what it says, in hertz.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the registrar refuses.
    pub fn start(node: &Daemon, user: u32, transport: &str, tone: f64) -> Self {
        let (place, folder) = (Place::new(), tempfile::tempdir().expect("a folder can be made"));
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path(".local/share/linphone")).expect("a scratch folder can be written");
        let authority = (transport == "tls").then(|| node.authority().ca());
        fs::write(path("linphonerc"), config(&place, transport, authority))
            .expect("a scratch folder can be written");
        tone::write(&path("tone.wav"), tone, 120);
        let mut command = Command::new("linphonec");
        command
            .arg("-d")
            .arg("6")
            .arg("-l")
            .arg("/tmp/w/a-play/lphone.log")
            .arg("-c")
            .arg(path("linphonerc"))
            .env("HOME", folder.path());
        let name = format!("linphonec {user}");
        let (process, commands) = Running::start_with_input(&name, &mut command, path("log"));
        let mut phone = Self { process, commands, seen: 0, folder, _place: place };
        phone.wait_for("linphonec>", SOON);
        phone.command("soundcard use files");
        phone.command(&format!("play {}", phone.path("tone.wav").display()));
        phone.command(&format!("record {}", phone.path("heard.wav").display()));
        let (ip, port) = (node.place.ip, if transport == "tls" { 5061 } else { 5060 });
        phone.command(&format!(
            "register sip:{user}@{ip} sip:{ip}:{port};transport={transport} {}",
            password(user)
        ));
        let registered = wait::within(SOON, || {
            phone.command("status register");
            phone.finds("registered, identity=", Duration::from_millis(200))
        });
        assert!(registered.is_some(), "it is not registered\n{}", phone.process.tail());
        phone
    }

    pub fn dial(&mut self, uri: &str) {
        self.command(&format!("call {uri}"));
    }

    pub fn answer(&mut self) {
        self.command("answer");
    }

    pub fn hang_up(&mut self) {
        self.command("terminate");
    }

    /// Holds its call of this number, from 1.
    pub fn hold(&mut self, call: u32) {
        self.command(&format!("pause {call}"));
        self.wait_for("is now paused", SOON);
    }

    /// Takes the call back.
    pub fn resume(&mut self, call: u32) {
        self.command(&format!("resume {call}"));
        self.wait_for("Media streams established", SOON);
    }

    /// Unregisters and ends; what it has heard in all its calls.
    pub fn quit(mut self) -> Wav {
        self.command("quit");
        self.process.end(2 * SOON);
        Wav::read(&self.path("heard.wav")).expect("linphonec writes WAV")
    }

    /// Waits until it writes this, after what was already waited for.
    ///
    /// # Panics
    ///
    /// If it does not within `limit`.
    pub fn wait_for(&mut self, words: &str, limit: Duration) {
        let found = self.finds(words, limit);
        assert!(found.is_some(), "no `{words}` within {limit:?}\n{}", self.process.tail());
    }

    fn finds(&mut self, words: &str, limit: Duration) -> Option<()> {
        wait::within(limit, || {
            let output = self.process.output();
            let after = output.get(self.seen..)?;
            self.seen += after.find(words)? + words.len();
            Some(())
        })
    }

    fn command(&mut self, words: &str) {
        writeln!(self.commands, "{words}")
            .unwrap_or_else(|error| panic!("linphonec: {error}\n{}", self.process.tail()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Everything at one address; only the transport that is used. Its TLS knows certificates for names
/// alone, none for addresses: who signed ours is verified, not for whom.
fn config(place: &Place, transport: &str, authority: Option<PathBuf>) -> String {
    let port = |of: &str| if of == transport { 5060 } else { -1 };
    let (udp, tcp, tls) = (port("udp"), port("tcp"), port("tls"));
    let trusts = authority
        .map_or_else(String::new, |ca| format!("root_ca={}\nverify_server_cn=0\n", ca.display()));
    let ip = place.ip;
    format!(
        "[sip]\nbind_address={ip}\nsip_port={udp}\nsip_tcp_port={tcp}\nsip_tls_port={tls}\n{trusts}\
         register_only_when_network_is_up=0\nguess_hostname=0\nuse_ipv6=0\n\
         [rtp]\nbind_address={ip}\naudio_rtp_port=10000-20000\n\
         [sound]\nechocancellation=0\n"
    )
}
