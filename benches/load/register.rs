//! REGISTER, 401, REGISTER, 200: a thousand phones that refresh, and Kamailio as their registrar.

use std::net::SocketAddrV4;
use std::time::Duration;

use crate::call::QUIET;
use crate::figures::{Cpu, Table};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::kamailio::{self, Kamailio};
use crate::support::place::Place;
use crate::support::sipp::Scenario;

const ACCOUNTS: std::ops::Range<u32> = 2000..3000;
/// How many registrations, at how many a second.
const PACES: [(u32, u32); 2] = [(10_000, 500), (60_000, 2000)];

pub fn measure(table: &mut Table) {
    for (count, rate) in PACES {
        let mut node = Daemon::start(&format!("{QUIET}{}", extensions(ACCOUNTS)));
        let pid = node.pid();
        let before = Cpu::of(pid);
        registrations(node.sip(), password, count, rate);
        let ours = Cpu::of(pid).since(before);

        let outside = Place::new();
        let kamailio = Kamailio::start(&outside);
        let before = Cpu::of_family(kamailio.pid());
        let secret = |_| kamailio::SECRET.to_owned();
        registrations(kamailio.place.at(5060), secret, count, rate);
        let theirs = Cpu::of_family(kamailio.pid()).since(before);

        let per_1000 = |seconds: f64| format!("{:.3}", seconds * 1000.0 / f64::from(count));
        table.row(
            &format!("REGISTER with digest at {rate}/s, CPU-s per 1000"),
            per_1000(ours),
            "0.74–0.87",
            "0.20–0.22",
        );
        table.row(
            &format!("the same by Kamailio, in this run, {rate}/s"),
            per_1000(theirs),
            "",
            "",
        );
        let resident = node.resident_kib() / 1024;
        table.row(
            &format!("resident memory with {} phones, MB", ACCOUNTS.len()),
            resident.to_string(),
            "1000–1400 after load",
            "44 idle, 310–880 after load",
        );
    }
}

/// Each account registers again and again; every registration must succeed.
fn registrations(server: SocketAddrV4, secret: impl Fn(u32) -> String, count: u32, rate: u32) {
    let phones = Place::new();
    let users: Vec<String> = ACCOUNTS
        .map(|user| format!("{user};[authentication username={user} password={}];60", secret(user)))
        .collect();
    Scenario::quiet("register", &phones, 5060, server)
        .users(&users)
        .calls(count, rate)
        .option(&["-l", "8000"])
        .patient()
        .succeeds(Duration::from_secs(120));
}
