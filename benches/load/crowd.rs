//! Ten thousand phones and five thousand lamps: what each costs while it is there, and how the
//! phones come back when the node starts again, all at once.

use std::time::Duration;

use crate::call::QUIET;
use crate::figures::{Cpu, Table};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::Scenario;
use crate::support::wait;

const PHONES: std::ops::Range<u32> = 20_000..30_000;
const WATCHERS: std::ops::Range<u32> = 20_000..25_000;
const LIMIT: Duration = Duration::from_secs(180);

pub fn measure(table: &mut Table) {
    let mut node = Daemon::start(&format!("{QUIET}{}", extensions(PHONES)));
    let phones = Place::new();
    let idle = node.resident_kib();
    register(&node, &phones, 1000);
    let registered = node.resident_kib();
    subscribe(&node, &phones);
    let watched = node.resident_kib();
    assert_eq!(node.status("registrations"), u64::from(PHONES.end - PHONES.start));
    assert_eq!(node.status("subscriptions"), u64::from(WATCHERS.end - WATCHERS.start));

    node.kill();
    node.start_again();
    let pid = node.pid();
    let (before, began) = (Cpu::of(pid), wait::now());
    register(&node, &phones, PHONES.end - PHONES.start);
    let (cpu, took) = (Cpu::of(pid).since(before), wait::now().duration_since(began));
    let back = node.status("registrations");

    let each = |more: u64, count: usize| format!("{:.2}", more as f64 / count as f64);
    let (phones, lamps) = (PHONES.len(), WATCHERS.len());
    table.row(
        &format!("resident memory idle, with {phones} phones, and {lamps} lamps, MB"),
        [idle, registered, watched].map(|kib| (kib / 1024).to_string()).join(", "),
        "",
        "",
    );
    table.row(
        "memory of a registration and of a subscription, KiB",
        format!("{}, {}", each(registered - idle, phones), each(watched - registered, lamps)),
        "",
        "",
    );
    table.row(
        &format!("{phones} phones register at once after kill -9: lost; seconds; CPU-s"),
        format!("{}; {:.1}; {cpu:.2}", phones as u64 - back, took.as_secs_f64()),
        "",
        "",
    );
}

/// Every phone registers; all must succeed.
fn register(node: &Daemon, place: &Place, rate: u32) {
    Scenario::quiet("register", place, 5060, node.sip())
        .users(&PHONES.map(|user| line(user, "3600")).collect::<Vec<_>>())
        .calls(PHONES.end - PHONES.start, rate)
        .patient()
        .succeeds(LIMIT);
}

/// Groups of watchers watch one phone each: SIPp signs one URI for all its calls.
fn subscribe(node: &Daemon, place: &Place) {
    for group in WATCHERS.collect::<Vec<_>>().chunks(250) {
        let watched = group[0].to_string();
        Scenario::quiet("subscribe", place, 5060, node.sip())
            .users(&group.iter().map(|user| line(*user, &watched)).collect::<Vec<_>>())
            .dials(&watched, node.sip())
            .calls(250, 500)
            .patient()
            .succeeds(LIMIT);
    }
}

fn line(user: u32, last: &str) -> String {
    format!("{user};[authentication username={user} password={}];{last}", password(user))
}
