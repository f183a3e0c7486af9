//! What no schema can find: parts of the configuration that contradict each other.

use std::net::{IpAddr, SocketAddr};

use crate::acd::config::Srtp;
use crate::config::Config;
use crate::config::problem::{Finding, Path, error, owned, warning};
use crate::id::PromptId;
use crate::route::hours;
use crate::sdp::Security;
use crate::sip::config::Listen;
use crate::sip::dialog::session_timer;
use crate::sip::flow::Transport;
use crate::time::Duration;

mod access;
mod agents;
mod callbacks;
mod calls;
mod lamps;
mod log;
mod names;
mod numbers;
mod queues;
mod routes;
mod targets;
mod trunks;

/// Says whether a prompt can be played with this configuration.
pub type HasPrompt<'a> = &'a dyn Fn(&Config, &PromptId) -> bool;

/// Every contradiction in `config`. Without `prompts`, whether prompts exist is not looked at.
pub fn lint(config: &Config, prompts: Option<HasPrompt<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    node(config, &mut findings);
    sip(config, &mut findings);
    session_timers(config, &mut findings);
    listeners(config, &mut findings);
    grpc(config, &mut findings);
    lamps::lint(&config.lamps, &mut findings);
    log::lint(&config.log, &mut findings);
    ivr(config, &mut findings);
    media(config, &mut findings);
    let ledger = config.ledger.mistakes().into_iter();
    findings.extend(
        ledger.map(|(key, text)| error(&["ledger", key], format!("this cannot work; {text}"))),
    );
    let recordings = config.recordings.mistakes().into_iter();
    findings.extend(recordings.map(|(key, text)| error(&["recordings", key], text)));
    kept(config, &mut findings);
    let defence = config.defence.mistakes().into_iter();
    findings.extend(defence.map(|(key, text)| error(&["defence", key], text)));
    access::lint(config, &mut findings);
    agents::lint(config, &mut findings);
    callbacks::lint(config, &mut findings);
    calls::lint(config, &mut findings);
    names::lint(config, &mut findings);
    numbers::lint(config, &mut findings);
    queues::lint(config, &mut findings);
    routes::lint(config, &mut findings);
    targets::lint(config, prompts, &mut findings);
    trunks::lint(config, &mut findings);
    findings
}

fn node(config: &Config, findings: &mut Vec<Finding>) {
    let node = &config.node;
    if let Err(wrong) = hours::zone(&node.zone) {
        findings.push(error(&["node", "zone"], wrong.to_string()));
    }
    if node.number >= 1024 {
        let text = format!("`{}` is out of range; write a number from 0 to 1023", node.number);
        findings.push(error(&["node", "number"], text));
    }
    if node.calls_max == 0 {
        findings.push(error(&["node", "calls_max"], "no call could be made; write 1 or more"));
    }
    if node.name.is_empty() {
        findings.push(error(&["node", "name"], "the node has no name; write one"));
    }
    if node.data.as_os_str().is_empty() {
        findings.push(error(&["node", "data"], "there is no folder; write one such as \"data\""));
    }
}

fn sip(config: &Config, findings: &mut Vec<Finding>) {
    let sip = &config.sip;
    if sip.listen.is_empty() {
        let text = "no phone could register; write at least one address";
        findings.push(error(&["sip", "listen"], text));
    }
    if sip.expires_min > sip.expires_max {
        let text = "`expires_min` is longer than `expires_max`; make it shorter";
        findings.push(error(&["sip", "expires_min"], text));
    } else if !(sip.expires_min..=sip.expires_max).contains(&sip.expires) {
        let text = "`expires` must lie between `expires_min` and `expires_max`; change one of them";
        findings.push(error(&["sip", "expires"], text));
    }
    if sip.certificate.is_some() != sip.key.is_some() {
        let here = if sip.key.is_some() { "key" } else { "certificate" };
        let text = "`certificate` and `key` belong together; write both or none";
        findings.push(error(&["sip", here], text));
    }
    for (place, listen) in sip.listen.iter().enumerate() {
        if listen.transport.is_secure() && sip.certificate.is_none() {
            let text = format!("`{listen}` shows a certificate; write `certificate` and `key`");
            findings.push(error(&["sip", "listen", &place.to_string()], text));
        }
    }
    for (place, origin) in sip.origins.iter().enumerate() {
        let host =
            origin.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
        if !host.is_some_and(|(_, host)| !host.is_empty() && !host.contains('/')) {
            let text =
                format!("`{origin}` is no page's origin; write \"https://phone.example.com\"");
            findings.push(error(&["sip", "origins", &place.to_string()], text));
        }
    }
    if sip.digest.is_empty() {
        findings
            .push(error(&["sip", "digest"], "no phone could register; write [\"md5\"] at least"));
    }
    let second = Duration::from_secs(1);
    for (key, length) in [("expires_min", sip.expires_min), ("nonce_lifetime", sip.nonce_lifetime)]
    {
        if length < second {
            findings.push(error(&["sip", key], "this is too short; write \"1s\" or more"));
        }
    }
    for (key, limit) in [
        ("connections_max", sip.connections_max),
        ("contacts_max", sip.contacts_max),
        ("transactions_max", sip.transactions_max),
    ] {
        if limit == 0 {
            findings.push(error(&["sip", key], "nothing could work; write 1 or more"));
        }
    }
    host_names(config, findings);
    for (place, server) in sip.resolvers.iter().enumerate() {
        if server.port() == 0 || server.ip().is_unspecified() {
            let text = "no name server can be there; write an address such as \"192.0.2.53:53\"";
            findings.push(error(&["sip", "resolvers", &place.to_string()], text));
        }
    }
    if sip.external.is_some_and(|address| address.is_unspecified()) {
        let text = "outsiders cannot see this address; write a real one or leave it out";
        findings.push(error(&["sip", "external"], text));
    }
}

/// What the node is called.
fn host_names(config: &Config, findings: &mut Vec<Finding>) {
    let sip = &config.sip;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !sip.domain.chars().all(is_name) && sip.domain.parse::<IpAddr>().is_err() {
        let text =
            "no host is called that; write a name such as \"pbx.example.com\", or an address";
        findings.push(error(&["sip", "domain"], text));
    }
    if sip.realm.chars().any(|letter| letter.is_control() || matches!(letter, '"' | '\\')) {
        let text = "phones cannot read this; write letters, digits, `.` and `-`";
        findings.push(error(&["sip", "realm"], text));
    }
}

fn session_timers(config: &Config, findings: &mut Vec<Finding>) {
    let sip = &config.sip;
    if sip.session_expires_min < session_timer::EXPIRES_MIN {
        let text = "this is too short; write \"90s\" or more";
        findings.push(error(&["sip", "session_expires_min"], text));
    } else if !(sip.session_expires_min..=SESSION_EXPIRES_MAX).contains(&sip.session_expires) {
        let text = "this must lie between `session_expires_min` and \"1day\"; change it";
        findings.push(error(&["sip", "session_expires"], text));
    }
}

/// The longest session without a sign of life that makes sense.
const SESSION_EXPIRES_MAX: Duration = Duration::from_secs(24 * 3600);

/// Two listeners on one port, and SIP inside the range of RTP.
fn listeners(config: &Config, findings: &mut Vec<Finding>) {
    let mut taken: Vec<(Listen, String, Path)> = Vec::new();
    let mut take = |listen: Listen, path: &[&str], name: String| match taken
        .iter()
        .find(|(other, ..)| clash(listen, *other))
    {
        Some((_, by, place)) => {
            let port = listen.address.port();
            let text = format!("{by} and {name} want port {port}; change one");
            findings.push(error(path, text).against(place.clone()));
        }
        None => taken.push((listen, name, owned(path))),
    };
    for (place, listen) in config.sip.listen.iter().enumerate() {
        take(*listen, &["sip", "listen", &place.to_string()], format!("`{listen}` of [sip]"));
    }
    let tcp = |address| Listen { transport: Transport::Tcp, address };
    take(tcp(config.grpc.listen), &["grpc", "listen"], "[grpc]".to_owned());
    take(tcp(config.http.listen), &["http", "listen"], "[http]".to_owned());
    let ports = config.media.ports;
    for (place, listen) in config.sip.listen.iter().enumerate() {
        let media = SocketAddr::new(config.media.listen, listen.address.port());
        let media = Listen { transport: Transport::Udp, address: media };
        if ports.contains(listen.address.port()) && clash(*listen, media) {
            let text = if config.sip.listen == crate::sip::config::Config::default().listen {
                let port = listen.address.port();
                let text = format!("port {port} of [sip] lies in these; write others");
                error(&["media", "ports"], text)
            } else {
                let text = format!("this port lies in `ports` of [media], {ports}; write another");
                error(&["sip", "listen", &place.to_string()], text)
            };
            findings.push(text);
        }
    }
}

/// Whether both cannot be bound at once.
fn clash(a: Listen, b: Listen) -> bool {
    let any = |address: IpAddr| address.is_unspecified();
    let (one, other) = (a.address.ip(), b.address.ip());
    let same_family = one.is_ipv4() == other.is_ipv4();
    a.transport.is_reliable() == b.transport.is_reliable() // all but UDP listen on TCP ports
        && a.address.port() == b.address.port()
        && (one == other || same_family && (any(one) || any(other)))
}

fn grpc(config: &Config, findings: &mut Vec<Finding>) {
    let grpc = &config.grpc;
    if grpc.certificate.is_some() != grpc.key.is_some() {
        let here = if grpc.key.is_some() { "key" } else { "certificate" };
        let text = "`certificate` and `key` belong together; write both or none";
        findings.push(error(&["grpc", here], text));
    }
    let is_safe = grpc.certificate.is_some() && grpc.key.is_some() && grpc.token.is_some();
    let asks_token = grpc.token_file.is_some() || grpc.token_env.is_some();
    if !grpc.listen.ip().is_loopback() && !is_safe && !asks_token {
        let text = "others could reach this address; write `certificate`, `key` and `token`, or \
                    listen on 127.0.0.1";
        findings.push(error(&["grpc", "listen"], text));
    }
    if grpc.token.as_ref().is_some_and(|token| token.expose().len() < TOKEN_BYTES_MIN) {
        let text = format!("the token can be guessed; write {TOKEN_BYTES_MIN} characters or more");
        findings.push(error(&["grpc", "token"], text));
    }
    for (section, listen) in [("grpc", grpc.listen), ("http", config.http.listen)] {
        if listen.port() == 0 {
            let text = "port 0 is any port; write the one to use";
            findings.push(error(&[section, "listen"], text));
        }
    }
}

/// The menus' own section; the menus themselves are looked at with their targets.
fn ivr(config: &Config, findings: &mut Vec<Finding>) {
    if config.ivr.digit_timeout < Duration::from_millis(500) {
        let text = "nobody types so fast; write \"500ms\" or more";
        findings.push(error(&["ivr", "digit_timeout"], text));
    }
    if config.ivr.menus_max == 0 {
        findings.push(error(&["ivr", "menus_max"], "no menu could be entered; write 1 or more"));
    }
}

fn media(config: &Config, findings: &mut Vec<Finding>) {
    let media = &config.media;
    let pairs = media.ports.pairs();
    if media.codecs.is_empty() {
        let text = "no call could be made; write at least one codec such as [\"pcma\"]";
        findings.push(error(&["media", "codecs"], text));
    }
    twice(&["media", "codecs"], &media.codecs, findings);
    twice(&["media", "srtp_suites"], &media.srtp_suites, findings);
    let accounts = config.extensions.values().map(|account| account.srtp);
    let mut asked = accounts.chain(config.trunks.values().map(|trunk| trunk.srtp));
    let may_encrypt = media.srtp != Some(Security::Off)
        || asked.any(|srtp| srtp.is_some_and(|srtp| srtp != Security::Off))
        || config.acd.queues.values().any(|queue| queue.srtp.is_some_and(|srtp| srtp != Srtp::Off));
    if media.srtp_suites.is_empty() && may_encrypt {
        let text = "nothing could be encrypted; write a suite, or `srtp = \"off\"`";
        findings.push(error(&["media", "srtp_suites"], text));
    }
    if !(10..=60).contains(&media.ptime) {
        findings.push(error(&["media", "ptime"], "phones cannot do this; write 10 to 60"));
    }
    if media.spares == 0 {
        let text = "no call would find a port; write 1 or more";
        findings.push(error(&["media", "spares"], text));
    }
    if media.silence_max < SILENCE_MIN {
        let text = "phones pause that long; write \"10s\" or more";
        findings.push(error(&["media", "silence_max"], text));
    }
    if media.dscp > 63 {
        findings.push(error(&["media", "dscp"], "there is no such mark; write 0 to 63"));
    }
    if media.ports.first < 1024 {
        let text = "ports below 1024 belong to the system; begin at 1024 or above";
        findings.push(error(&["media", "ports"], text));
    } else if pairs < PAIRS_MIN {
        let text = format!(
            "these are ports for {pairs} phones at once; write a range of {} or more",
            2 * PAIRS_MIN
        );
        findings.push(warning(&["media", "ports"], text));
    } else if media.ports.first % 2 == 1 || media.ports.last.is_multiple_of(2) {
        let text = "RTP takes an even port and the next; begin even and end odd";
        findings.push(warning(&["media", "ports"], text));
    }
}

/// Recordings of which the ledger knows no more.
fn kept(config: &Config, findings: &mut Vec<Finding>) {
    if config.recordings.keep.is_some_and(|keep| keep > config.ledger.keep) {
        let text = "the ledger forgets sooner whose recordings these are, and they are found no \
                    more; write `keep` of [ledger] or less";
        findings.push(warning(&["recordings", "keep"], text).against(owned(&["ledger", "keep"])));
    }
}

/// What stands twice in an order of preference is offered twice.
fn twice<T: PartialEq>(path: &[&str], list: &[T], findings: &mut Vec<Finding>) {
    for place in (1..list.len()).filter(|place| list[..*place].contains(&list[*place])) {
        let place = place.to_string();
        let path: Vec<&str> = path.iter().copied().chain([place.as_str()]).collect();
        findings.push(error(&path, "this is written twice; leave one out"));
    }
}

/// The shortest token, in bytes.
const TOKEN_BYTES_MIN: usize = 16;
/// Phones that send nothing while nobody speaks still send a report every few seconds.
const SILENCE_MIN: Duration = Duration::from_secs(10);
/// Fewer port pairs than this are hardly meant.
const PAIRS_MIN: usize = 10;
