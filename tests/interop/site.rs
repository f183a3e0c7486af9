//! The site that most tests use, and what they ask of every record.

use std::net::SocketAddrV4;
use std::time::Duration;

use serde_json::Value;

use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, password};
use crate::support::place::Place;
use crate::support::sipp::{Scenario, Sipp};
use crate::support::tone::Wav;
use crate::support::wait;

use super::registration::registration;

/// A baresip that is registered over `udp`, `tcp` or `tls`, and says a tone.
pub fn phone(node: &Daemon, user: u32, transport: &'static str, tone: f64) -> Baresip {
    Baresip::start(&Account { tone, ..account(node, user, transport) })
}

/// The account of a baresip over `udp`, `tcp` or `tls`.
pub fn account(node: &Daemon, user: u32, transport: &'static str) -> Account {
    let registrar = Some(listener(node, transport));
    Account { transport, ..Account::new(&user.to_string(), &password(user), registrar) }
}

/// A number as a phone over this transport dials it.
pub fn number(node: &Daemon, user: u32, transport: &str) -> String {
    format!("sip:{user}@{};transport={transport}", listener(node, transport))
}

fn listener(node: &Daemon, transport: &str) -> SocketAddrV4 {
    if transport == "tls" { node.place.at(5061) } else { node.sip() }
}

/// One baresip calls another, which answers.
pub fn connect(caller: &mut Baresip, callee: &mut Baresip, uri: &str) {
    caller.dial(uri);
    callee.wait_for("CALL_INCOMING", SOON);
    caller.wait_for("CALL_RINGING", SOON);
    callee.answer();
    caller.wait_for("CALL_ESTABLISHED", SOON);
    callee.wait_for("CALL_ESTABLISHED", SOON);
}

/// How long a small scenario may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Registers users with a phone at `phones:5060` that a SIPp will be.
pub fn register(node: &Daemon, phones: &Place, users: impl IntoIterator<Item = u32>) {
    let users: Vec<String> = users.into_iter().map(|user| registration(user, 3600)).collect();
    let count = u32::try_from(users.len()).expect("a few users");
    Scenario::new("register", phones, 5060, node.sip())
        .users(&users)
        .calls(count, 100)
        .succeeds(LIMIT);
}

/// A phone with one registered user that plays a callee's scenario `times` times.
pub fn callee(node: &Daemon, scenario: &str, user: u32, times: u32, delay_ms: u32) -> Sipp {
    let phone = Place::new();
    register(node, &phone, [user]);
    Scenario::new(scenario, &phone, 5060, node.sip())
        .calls(times, 100)
        .option(&["-d", &delay_ms.to_string()])
        .keep(phone)
        .start(LIMIT)
}

/// Calls from user `from` to number `to`, talking for `talk_ms`.
pub fn caller(
    node: &Daemon,
    scenario: &str,
    from: u32,
    to: &str,
    times: u32,
    talk_ms: u32,
) -> Scenario {
    let phone = Place::new();
    Scenario::new(scenario, &phone, 5060, node.sip())
        .users(&[call_line(from, to)])
        .dials(to, node.sip())
        .calls(times, 10)
        .option(&["-d", &talk_ms.to_string()])
        .keep(phone)
}

/// A line of users for `caller.xml`: who, with what, whom.
pub fn call_line(from: u32, to: &str) -> String {
    format!("{from};[authentication username={from} password={}];{to}", password(from))
}

/// The dialog of a phone that has just been called: Call-ID, its own tag, the other one.
pub fn dialog_of(phone: &Sipp) -> String {
    let ack = wait::until("the phone talks", LIMIT, || {
        let trace = phone.report().trace();
        trace.into_iter().find(|one| !one.sent && one.text.starts_with("ACK"))
    });
    let line = |name: &str| {
        let line = ack.text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", ack.text)).trim()
    };
    let tag = |name: &str| line(name).split("tag=").nth(1).expect("the dialog stands");
    format!("{};{};{}", line("Call-ID:"), tag("To:"), tag("From:"))
}

/// A moment of a record, in microseconds since 1970.
pub fn moment_us(record: &Value, field: &str) -> i64 {
    let text = record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record:#}"));
    let moment: jiff::Timestamp = text.parse().expect("protobuf's JSON has RFC 3339 times");
    moment.as_microsecond()
}

/// The agents that were offered the call, in order, with how that ended.
pub fn offers(record: &Value) -> Vec<(String, String)> {
    let word = |offer: &Value, key: &str| offer[key].as_str().unwrap_or_default().to_owned();
    let offers = record["offers"].as_array().cloned().unwrap_or_default();
    offers.iter().map(|offer| (word(offer, "agent"), word(offer, "outcome"))).collect()
}

/// Fails unless the tone was heard for at least so many seconds in a channel.
pub fn assert_heard(wav: &Wav, channel: usize, hertz: f64, seconds: f64, what: &str) {
    let heard = wav.seconds_of(channel, hertz);
    let line: String =
        wav.heard(channel, hertz).iter().map(|heard| if *heard { '#' } else { '.' }).collect();
    assert!(heard >= seconds, "{what}: {hertz} Hz for {heard:.2} s of {seconds} s\n{line}");
}
