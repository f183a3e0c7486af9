//! Kamailio: a provider's proxy and registrar, with one account and one number behind it; or the
//! proxy of phones that register elsewhere (Path, RFC 3327).

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::authority::Authority;
use super::child::Running;
use super::place::Place;
use super::wait;

/// A running Kamailio.
#[derive(Debug)]
pub struct Kamailio {
    pub place: Place,
    process: Running,
    _folder: TempDir,
}

impl Kamailio {
    /// A provider whose account `acct` has the password `secret`; all that the account calls goes
    /// to `outside`, and all that comes from there to the account.
    ///
    /// # Panics
    ///
    /// If it does not listen within a few seconds.
    pub fn start(outside: &Place) -> Self {
        let config = format!("{COMMON}{PROVIDER}").replace("@OUTSIDE@", &outside.ip.to_string());
        Self::run(Place::new(), folder(), &config)
    }

    /// As `start`, at a place of one's choice, also over TLS on port 5061: with a certificate of
    /// the authority, and for whoever shows one of it or none.
    ///
    /// # Panics
    ///
    /// As `start`.
    pub fn start_secure(place: Place, outside: &Place, authority: &Authority) -> Self {
        let name = place.ip;
        Self::start_under_a_name(place, outside, authority, name)
    }

    /// As `start_secure`, with a certificate for any address.
    ///
    /// # Panics
    ///
    /// As `start`.
    pub fn start_under_a_name(
        place: Place,
        outside: &Place,
        authority: &Authority,
        name: Ipv4Addr,
    ) -> Self {
        let folder = folder();
        authority.sign_into(folder.path(), name);
        let config = format!("{COMMON}{TLS}{PROVIDER}")
            .replace("@OUTSIDE@", &outside.ip.to_string())
            .replace("@CA@", &authority.ca().display().to_string())
            .replace("@FOLDER@", &folder.path().display().to_string());
        Self::run(place, folder, &config)
    }

    /// The proxy of phones whose accounts are at `registrar`: it writes itself into Path and stays
    /// in every dialog.
    ///
    /// # Panics
    ///
    /// As `start`.
    pub fn start_at_the_edge(registrar: &Place) -> Self {
        let config = format!("{COMMON}{EDGE}").replace("@REGISTRAR@", &registrar.ip.to_string());
        Self::run(Place::new(), folder(), &config)
    }

    fn run(place: Place, folder: TempDir, config: &str) -> Self {
        let file = folder.path().join("kamailio.cfg");
        let text = config.replace("@IP@", &place.ip.to_string());
        fs::write(&file, text).expect("a scratch folder can be written");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-m", "32", "-M", "4", "-f", &file.display().to_string()]);
        command.args(["-w", &path(""), "-Y", &path(""), "-P", &path("pid")]);
        let process = Running::start("kamailio", &mut command, folder.path().join("log"));
        let mut kamailio = Self { place, process, _folder: folder };
        let probe = Place::new();
        let socket = std::net::UdpSocket::bind(probe.at(5060)).expect("the address is free");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        let options = format!(
            "OPTIONS sip:{ip} SIP/2.0\r\nVia: SIP/2.0/UDP {me}:5060;branch=z9hG4bKp\r\n\
             From: <sip:p@{me}>;tag=p\r\nTo: <sip:{ip}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            ip = kamailio.place.ip,
            me = probe.ip
        );
        let answered = wait::within(Duration::from_secs(20), || {
            let ended = kamailio.process.ended();
            assert!(ended.is_none(), "kamailio ended: {ended:?}\n{}", kamailio.process.tail());
            socket.send_to(options.as_bytes(), kamailio.place.at(5060)).ok()?;
            socket.recv(&mut [0; 1500]).ok()
        });
        assert!(answered.is_some(), "kamailio does not answer\n{}", kamailio.process.tail());
        kamailio
    }

    /// The process that has started the others.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Its children would outlive it: all are killed.
impl Drop for Kamailio {
    fn drop(&mut self) {
        let pid = self.process.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        self.process.kill();
        // An error means that they have ended by themselves.
        let children = children.unwrap_or_default();
        let _ =
            Command::new("kill").args(["-s", "KILL"]).args(children.split_whitespace()).output();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

/// Everybody's password.
pub const SECRET: &str = "secret";

const COMMON: &str = r#"#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
listen=udp:@IP@:5060
listen=tcp:@IP@:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
route[ANY] {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("OPTIONS") && uri == myself) { sl_send_reply("200", "OK"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
}
"#;

const TLS: &str = r#"
enable_tls=yes
listen=tls:@IP@:5061
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "@FOLDER@/certificate.pem")
modparam("tls", "private_key", "@FOLDER@/key.pem")
modparam("tls", "ca_list", "@CA@")
modparam("tls", "verify_certificate", 1)
"#;

/// The password stands in a variable: `pv_auth_check` and its kin take no text.
const PROVIDER: &str = r#"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
request_route {
    route(ANY);
    $var(password) = "secret";
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("itsp", "$var(password)", "0")) {
            www_challenge("itsp", "0");
            exit;
        }
        save("location");
        exit;
    }
    if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
    record_route();
    if ($si == "@OUTSIDE@") {
        if (!lookup("location", "sip:acct@@IP@")) { sl_send_reply("404", "Not registered"); exit; }
        t_relay();
        exit;
    }
    if (!pv_proxy_authenticate("itsp", "$var(password)", "0")) {
        proxy_challenge("itsp", "0");
        exit;
    }
    consume_credentials();
    $du = "sip:@OUTSIDE@:5060";
    t_relay();
}
"#;

/// What comes from the registrar has the Path as its Route, and the phone's Contact as its URI. Of
/// a Route outside a dialog `loose_route` says false, and takes it off.
const EDGE: &str = r#"
loadmodule "path.so"
request_route {
    route(ANY);
    if (is_method("REGISTER")) { add_path(); } else { record_route(); }
    loose_route();
    if ($si != "@REGISTRAR@") { $du = "sip:@REGISTRAR@:5060"; }
    t_relay();
}
"#;
