//! The site that most tests use, and what they ask of every record.

use serde_json::Value;

use crate::support::daemon::{Daemon, password};
use crate::support::place::Place;
use crate::support::sipp::{Scenario, Sipp};
use crate::support::tone::Wav;
use std::time::Duration;

use super::registration::registration;

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
