//! Wrong passwords by the thousand from one address, while others talk and register.
//!
//! The intruder asks for accounts that exist and for some that do not, with passwords that are
//! wrong, with nonces that it has made up, and with credentials that it has seen on the wire.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::figures::{Cpu, Table, percentile};
use crate::rtp;
use crate::support::daemon::password;
use crate::support::place::Place;
use crate::support::wait;
use crate::support::wire::{Challenge, Wire, status};
use crate::talks::Talks;

const CALLS: u16 = 20;
const TIME: Duration = Duration::from_secs(60);
const PER_SECOND: u32 = 2000;
/// Requests that are sent in one go.
const BURST: u32 = 20;

pub fn measure(table: &mut Table) {
    let mut talks = Talks::begin(CALLS, TIME, "\"\n", [None; 2]);
    let (node, pid) = (talks.node.sip(), talks.node.pid());
    let mut phone = Wire::new("2019", node);
    let challenge = phone.challenge();
    let seen = phone.credentials(&challenge, &password(2019), 1);
    assert_eq!(status(phone.register(Some(&seen)).as_deref()), 200);

    let streams = std::mem::take(&mut talks.streams);
    let before = Cpu::of(pid);
    let (tally, refreshed, counted) = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(node, &seen));
        let phone = scope.spawn(|| refresh(&mut phone));
        let counted = rtp::exchange(streams, TIME);
        let ended = "the thread counts to its end";
        (flood.join().expect(ended), phone.join().expect(ended), counted)
    });
    let cpu = Cpu::of(pid).since(before);
    let metrics = talks.node.http("/metrics").map(|(_, body)| body).unwrap_or_default();
    talks.end();

    let sent = TIME.as_secs() * u64::from(PER_SECOND);
    let let_in: u64 = tally.values().filter_map(|codes| codes.get(&200)).sum();
    let lock_outs = metric(&metrics, "strowger_defence_lock_outs_total");
    let dropped = metric(&metrics, "strowger_defence_dropped_total");
    let mut delays = counted.delays;
    table.row(
        &format!(
            "{sent} REGISTERs of an intruder at {PER_SECOND}/s: let in; lock-outs; unanswered"
        ),
        format!("{let_in}; {lock_outs}; {dropped}"),
        "",
        "1000 wrong passwords: no lock-out",
    );
    table.row("answers to it, for accounts there are / are not", tell(&tally), "", "");
    table.row(
        "others meanwhile: registrations that failed; packets lost; delay p99, ms",
        format!(
            "{refreshed}; {} of {}; {:.2}",
            counted.sent - counted.received.min(counted.sent),
            counted.sent,
            percentile(&mut delays, 0.99)
        ),
        "",
        "",
    );
    table.row(
        "CPU-s per 1000 of its requests, the audio of 20 calls included",
        format!("{:.3}", cpu * 1000.0 / sent as f64),
        "",
        "",
    );
}

/// Codes of the answers and how often each came, to requests for accounts that exist or do not.
type Tally = BTreeMap<bool, BTreeMap<u16, u64>>;

fn flood(node: std::net::SocketAddrV4, seen: &str) -> Tally {
    let place = Place::new();
    // Half of them exist.
    let wire = |user: u32| (user < 2020, Wire::at(&user.to_string(), node, &place));
    let mut wires: Vec<(bool, Wire)> = (2010..2030).map(wire).collect();
    let mut nonces: Vec<Option<Challenge>> = vec![None; wires.len()];
    let mut tally = Tally::new();
    let (began, gap) = (wait::now(), Duration::from_secs(1) * BURST / PER_SECOND);
    let bursts = TIME.as_secs() as u32 * PER_SECOND / BURST;
    for burst in 0..bursts {
        wait::pause((began + gap * burst).saturating_duration_since(wait::now()));
        wires.reverse(); // none of them is first for ever: the first are answered more
        nonces.reverse();
        for ((exists, wire), nonce) in wires.iter_mut().zip(&mut nonces) {
            for response in wire.responses() {
                *tally.entry(*exists).or_default().entry(status(Some(&response))).or_default() += 1;
                *nonce = Challenge::in_response(&response).or(nonce.take());
            }
            let invented = Challenge {
                realm: nonce.as_ref().map(|nonce| nonce.realm.clone()).unwrap_or_default(),
                nonce: format!("{burst:032x}"),
                opaque: None,
            };
            let credentials = match (burst % 3, &nonce) {
                (0, _) => seen.to_owned(),
                (1, Some(nonce)) => wire.credentials(nonce, &format!("guess-{burst}"), 1),
                _ => wire.credentials(&invented, "guess", 1),
            };
            let request = wire.request(Some(&credentials));
            wire.send(request.as_bytes());
        }
    }
    tally
}

/// A phone that registers every second: how often that failed.
fn refresh(phone: &mut Wire) -> u32 {
    let mut failed = 0;
    for _ in 0..TIME.as_secs() {
        wait::pause(Duration::from_secs(1));
        let challenge = phone.challenge();
        let credentials = phone.credentials(&challenge, &password(2019), 1);
        failed += u32::from(status(phone.register(Some(&credentials)).as_deref()) != 200);
    }
    failed
}

/// What a counter of the metrics says.
fn metric(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or("?").to_owned()
}

fn tell(tally: &Tally) -> String {
    let side = |exists| {
        let codes = tally.get(&exists).into_iter().flatten();
        codes.map(|(code, count)| format!("{count} x {code}")).collect::<Vec<_>>().join(" ")
    };
    format!("{} / {}", side(true), side(false))
}
