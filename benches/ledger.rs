//! How fast the ledger makes facts durable, and how fast a consumer reads them back.
//!
//! Appending is measured up to the announcement, so each figure contains the disk's sync.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use strowger::cdr::config::Config;
use strowger::cdr::entry::{Direction, Entry, Fact, HungUpBy, OfferOutcome};
use strowger::id::{CallId, LegId};
use strowger::shell::ledger::{Ledger, Node};
use strowger::time::Wall;

fn append(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").expect("the working folder can be written");
    let node =
        Node { name: "hq", clock: Box::new(|| Wall::from_micros(1)), recorded: &mut |_| None };
    let ledger = Ledger::open(&folder.path().join("ledger.db"), &Config::default(), node)
        .expect("the working folder can be written");
    let mut next = 0;
    let mut group = c.benchmark_group("ledger");

    group.bench_function("one entry, durable", |b| {
        b.iter_batched(
            || {
                next += 1;
                vec![setup(next)]
            },
            |entries| durable(&ledger, entries),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(100 * ENTRIES_PER_CALL));
    group.sample_size(20);
    group.bench_function("100 calls with their records, durable", |b| {
        b.iter_batched(
            || (0..100).flat_map(|_| call(&mut next)).collect(),
            |entries| durable(&ledger, entries),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(500));
    group.bench_function("a page of 500 read", |b| {
        b.iter(|| ledger.page(1).expect("the disk can be read"));
    });
    group.finish();
    ledger.close();
}

/// Appends and waits until the newest is announced.
fn durable(ledger: &Ledger, entries: Vec<Entry>) {
    let wanted = ledger.health().appended + entries.len() as u64;
    entries.into_iter().for_each(|entry| ledger.append(entry));
    while ledger.health().appended < wanted {
        std::thread::yield_now();
    }
}

fn setup(call: u64) -> Entry {
    let fact = Fact::Setup {
        direction: Direction::Internal,
        from: "1001".to_owned(),
        e164: None,
        name: Some("Reception".to_owned()),
        extension: Some("1001".into()),
        trunk: None,
        did: None,
        to: "1002".to_owned(),
        sip_call_id: format!("{call}-8a7d9f@192.0.2.10"),
        config: 1,
    };
    Entry { at: Wall::from_micros(1), call: Some(CallId::from_u64(call)), fact }
}

const ENTRIES_PER_CALL: u64 = 8;

fn call(next: &mut u64) -> Vec<Entry> {
    *next += 1;
    let call = CallId::from_u64(*next);
    let leg = |index| LegId { call, index };
    let (a, b) = (leg(0), leg(1));
    let (by, reason) = (HungUpBy::Caller, "caller-hung-up".to_owned());
    let facts = [
        Fact::Offered { leg: b, extension: "1002".into(), agent: None, queue: None },
        Fact::Ringing { leg: b },
        Fact::OfferEnded { leg: b, outcome: OfferOutcome::Answered },
        Fact::Answered,
        Fact::TalkBegan { a, b, extension: Some("1002".into()), agent: None },
        Fact::TalkEnded { a, b },
        Fact::Ended { by, status: 200, cause: 16, reason },
    ];
    let at = Wall::from_micros(1);
    let rest = facts.into_iter().map(|fact| Entry { at, call: Some(call), fact });
    std::iter::once(setup(*next)).chain(rest).collect()
}

criterion_group!(benches, append);
criterion_main!(benches);
