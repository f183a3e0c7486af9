//! Many calls: none fails, each is recorded, nothing is left over.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::site::{call_line, register};
use crate::support::daemon::{Daemon, extensions};
use crate::support::place::Place;
use crate::support::records::Consumer;
use crate::support::sipp::Scenario;

const LIMIT: Duration = Duration::from_secs(120);
/// The load of a test build on a shared machine; `cargo xtask load` measures the release build.
const CALLS: u32 = 200;
const CALLS_PER_SECOND: u32 = 20;

/// RustPBX: "records lost without any crash: at 150 calls/s 1,436 of 1,500 were kept".
#[test]
fn no_call_fails_no_record_is_lost_and_nothing_is_left() {
    let mut node = Daemon::start(&extensions(2000..2101));
    let phones = Place::new();
    register(&node, &phones, [2100]);
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(LIMIT);
    let mut resident = Vec::new();
    let mut files = Vec::new();

    for round in 1..=3 {
        let far = Scenario::new("callee", &phones, 5060, node.sip())
            .calls(CALLS, CALLS_PER_SECOND)
            .option(&["-d", "100"])
            .patient()
            .start(LIMIT);
        let lines: Vec<String> = (2000..2100).map(|user| call_line(user, "2100")).collect();
        let near = Place::new();
        Scenario::new("caller", &near, 5060, node.sip())
            .users(&lines)
            .dials("2100", node.sip())
            .calls(CALLS, CALLS_PER_SECOND)
            .option(&["-d", "1000"])
            .patient()
            .succeeds(LIMIT);
        far.succeeds();
        let records = consumer.wait_for((round * CALLS) as usize, Duration::from_secs(20));
        let ids: BTreeSet<&str> =
            records.iter().filter_map(|one| one["call_id"].as_str()).collect();
        assert_eq!(ids.len(), (round * CALLS) as usize, "each call once");
        node.falls_silent(Duration::from_secs(60));
        resident.push(node.resident_kib());
        files.push(node.open_files());
    }

    assert!(files[2] <= files[0] + 4, "open files after each round: {files:?}");
    // What the first round touched stays; later rounds must not add to it.
    assert!(resident[2] < resident[0] + 16 * 1024, "KiB after each round: {resident:?}");
}
