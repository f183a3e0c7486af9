//! rtpengine in user space, beside us: the same audio, its CPU time counted in the same way.
//!
//! It is told by its NG protocol: a cookie, a space, and a bencoded dictionary in a datagram.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddrV4, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::mixed::Says;
use crate::relay::{Cost, Scale, cost};
use crate::rtp::Stream;
use crate::support::child::Running;
use crate::support::daemon::resident_kib;
use crate::support::place::Place;
use crate::support::wait;
use crate::talks::{Suites, described, key, port, read_key, secure, sockets};

const NG_PORT: u16 = 2223;
const SOON: Duration = Duration::from_secs(10);
const LOCAL_TAG: &str = "near";

/// What rtpengine takes for calls like ours; `None` where it is not installed.
pub fn relay(scale: &Scale, suites: Suites) -> Option<Cost> {
    let engine = Engine::start()?;
    let before = resident_kib(engine.process.pid());
    let (near, far) = (Place::new(), Place::new());
    let mut near_sockets = sockets(&near, 0..scale.calls);
    let mut far_sockets = sockets(&far, 0..scale.calls);
    let mut streams = Vec::new();
    for call in 0..scale.calls {
        let [near_key, far_key] = suites.map(|suite| suite.map(key));
        let offer = describe(&near, call, &described(near_key.as_ref(), "RTP/SAVP", |_| 1));
        let profile = if far_key.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
        let offered = engine.ask("offer", call, &offer, Some(profile));
        let tag = |_| tag_of(&offered);
        let answer = describe(&far, call, &described(far_key.as_ref(), profile, tag));
        let answered = engine.ask("answer", call, &answer, None);
        let ends = [(&mut near_sockets, answered, near_key), (&mut far_sockets, offered, far_key)];
        for (sockets, told, own) in ends {
            let keys = told.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
            let suite = own.as_ref().map(|key| key.suite());
            let theirs = keys.filter_map(read_key).find(|key| Some(key.suite()) == suite);
            streams.push(Stream {
                socket: sockets.remove(&port(call)).expect("one for each call"),
                to: address(&told),
                secure: secure(own.as_ref(), theirs.as_ref()),
                says: Says::Marks,
            });
        }
    }
    Some(cost(scale.time, streams, (engine.process.pid(), before), scale.calls))
}

/// A running rtpengine.
struct Engine {
    process: Running,
    control: UdpSocket,
    _place: Place,
    _folder: tempfile::TempDir,
}

impl Engine {
    fn start() -> Option<Self> {
        let mut command = Command::new("rtpengine");
        if let Err(error) = command.arg("--version").output() {
            assert_eq!(error.kind(), ErrorKind::NotFound, "rtpengine: {error}");
            println!("rtpengine is not installed: nothing beside us");
            return None;
        }
        let (place, here) = (Place::new(), Place::new());
        let folder = tempfile::tempdir().expect("a scratch folder can be made");
        let mut command = Command::new("rtpengine");
        command.args(["--config-file=none", "--foreground", "--log-stderr", "--log-level=4"]);
        // No kernel module: all packets pass its process.
        command.args(["--table=-1", "--port-min=10000", "--port-max=40000"]);
        command.arg(format!("--interface={}", place.ip));
        command.arg(format!("--listen-ng={}:{NG_PORT}", place.ip));
        let process = Running::start("rtpengine", &mut command, folder.path().join("log"));
        let control = UdpSocket::bind(here.at(0)).expect("the address is ours alone");
        control.connect(place.at(NG_PORT)).expect("a datagram socket can be connected");
        control.set_nonblocking(true).expect("a socket can be made non-blocking");
        let engine = Self { process, control, _place: place, _folder: folder };
        let ping = BTreeMap::from([("command", "ping".to_owned())]);
        wait::until("rtpengine answers", SOON, || {
            let _ = engine.control.send(&encode("ping", &ping)); // it may not listen yet
            wait::pause(Duration::from_millis(50));
            engine.receive("ping")
        });
        Some(engine)
    }

    /// Tells a description of a call, and gives the one that the other side is to get.
    fn ask(&self, verb: &'static str, call: u16, sdp: &str, profile: Option<&str>) -> String {
        let mut words = BTreeMap::from([
            ("command", verb.to_owned()),
            ("call-id", format!("call-{call}")),
            ("from-tag", LOCAL_TAG.to_owned()),
            ("sdp", sdp.to_owned()),
            ("ICE", "remove".to_owned()),
        ]);
        if let Some(profile) = profile {
            words.insert("transport-protocol", profile.to_owned());
        } else {
            words.insert("to-tag", "far".to_owned());
        }
        let cookie = format!("{verb}-{call}");
        self.control.send(&encode(&cookie, &words)).expect("rtpengine listens");
        let answer = wait::until("rtpengine answers", SOON, || self.receive(&cookie));
        let told = value(&answer, "sdp");
        told.unwrap_or_else(|| panic!("rtpengine refuses: {}", String::from_utf8_lossy(&answer)))
    }

    /// The answer that begins with a cookie, if it has come.
    fn receive(&self, cookie: &str) -> Option<Vec<u8>> {
        let mut datagram = vec![0; 65_536];
        while let Ok(size) = self.control.recv(&mut datagram) {
            if let Some(rest) = datagram[..size].strip_prefix(cookie.as_bytes()) {
                return Some(rest.strip_prefix(b" ")?.to_vec());
            }
        }
        None
    }
}

/// A datagram: a cookie and a dictionary of strings.
fn encode(cookie: &str, words: &BTreeMap<&str, String>) -> Vec<u8> {
    let string = |text: &str| format!("{}:{text}", text.len());
    let words: String = words.iter().map(|(name, word)| string(name) + &string(word)).collect();
    format!("{cookie} d{words}e").into_bytes()
}

/// The string that a dictionary of strings has for a name.
fn value(dictionary: &[u8], name: &str) -> Option<String> {
    let mut rest = dictionary.strip_prefix(b"d")?;
    while rest.first() != Some(&b'e') {
        let [key, word] = [string(&mut rest)?, string(&mut rest)?];
        if key == name.as_bytes() {
            return String::from_utf8(word.to_vec()).ok();
        }
    }
    None
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let size: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    let (text, after) = rest[colon + 1..].split_at_checked(size)?;
    *rest = after;
    Some(text)
}

/// The description of the phone of a call; `words` as SIPp gets them.
fn describe(place: &Place, call: u16, words: &[String; 6]) -> String {
    let [_, _, profile, _, _, line] = words;
    let (ip, port) = (place.ip, port(call));
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} {profile} 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na={line}\r\n"
    )
}

/// Where a description wants its audio.
fn address(sdp: &str) -> SocketAddrV4 {
    let field = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
    let ip = field("c=IN IP4 ").and_then(|ip| ip.trim().parse().ok());
    let port = field("m=audio ").and_then(|line| line.split(' ').next()?.parse().ok());
    SocketAddrV4::new(ip.expect("an address"), port.expect("a port"))
}

/// The number under which rtpengine offers the suite that we answer with.
fn tag_of(offer: &str) -> usize {
    let mut lines = offer.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    let line = lines.find(|line| line.contains("AES_CM_128_HMAC_SHA1_80"));
    line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(1)
}
