//! REGISTER, 401, REGISTER, 200: a thousand phones that refresh.

use std::time::Duration;

use crate::figures::{Cpu, Table};
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::place::Place;
use crate::support::sipp::Scenario;

const ACCOUNTS: u32 = 1000;
const REGISTRATIONS: u32 = 10_000;
const PER_SECOND: u32 = 500;

pub fn measure(table: &mut Table) {
    let accounts = 2000..2000 + ACCOUNTS;
    let mut node =
        Daemon::start(&format!("{}{}", crate::call::QUIET, extensions(accounts.clone())));
    let phones = Place::new();
    let users: Vec<String> = accounts
        .map(|user| {
            format!("{user};[authentication username={user} password={}];60", password(user))
        })
        .collect();
    let pid = node.pid();
    let before = Cpu::of(pid);

    Scenario::quiet("register", &phones, 5060, node.sip())
        .users(&users)
        .calls(REGISTRATIONS, PER_SECOND)
        .option(&["-l", "2000"])
        .succeeds(Duration::from_secs(120));

    let seconds = Cpu::of(pid).since(before) * 1000.0 / f64::from(REGISTRATIONS);
    table.row(
        &format!("REGISTER with digest at {PER_SECOND}/s, CPU-s per 1000"),
        format!("{seconds:.3}"),
        "0.74–0.87",
        "0.20–0.22",
    );
    let resident = node.resident_kib() / 1024;
    table.row(
        &format!("resident memory with {ACCOUNTS} phones, MB"),
        resident.to_string(),
        "1000–1400 after load",
        "44 idle, 310–880 after load",
    );
}
