//! The ledger against restarts, kill -9, a full disk, retention, and consumers that lag.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use strowger::cdr::config::Config;
use strowger::cdr::entry::{Direction, Entry, Fact, HungUpBy, OfferOutcome, QueueLeft};
use strowger::cdr::fold::NODE_RESTART;
use strowger::cdr::record::CallRecord;
use strowger::id::{CallId, LegId, QueueId};
use strowger::media::control::Recorded;
use strowger::shell::figures::Terms;
use strowger::shell::ledger::{Body, Item, Ledger, LedgerError, Node};
use strowger::switch::UNSEALED;
use strowger::time::{Duration, Wall};

#[test]
fn a_record_follows_the_end_of_its_call_and_nothing_is_left_out() {
    let site = Site::new();
    let ledger = site.open();

    for call in 1..=50 {
        finished_call(call).into_iter().for_each(|entry| ledger.append(entry));
    }
    assert!(ledger.close());

    let ledger = site.open();
    let items = everything(&ledger);
    let sequences: Vec<u64> = items.iter().map(|item| item.sequence).collect();
    assert_eq!(sequences, (1..=items.len() as u64).collect::<Vec<_>>());
    assert_eq!(records(&items).len(), 50);
    for window in items.windows(2) {
        let ended = matches!(&window[0].body, Body::Entry(e) if is_end(&e.fact));
        assert_eq!(ended, matches!(window[1].body, Body::Record(_)));
    }
    assert_eq!(records(&items)[0].times.end, Some(second(9)));
}

#[test]
fn what_is_announced_is_on_disk() {
    let site = Site::new();
    let ledger = site.open();
    let mut head = ledger.head();
    ledger.append(setup(1));

    let newest = wait_for_head(&mut head, 1);

    assert_eq!(newest, 1);
    assert_eq!(ledger.page(1).unwrap().len(), 1);
    assert!(ledger.close());
}

/// What is counted live is what the ledger has: after a restart it is the same.
#[test]
fn pain_25_the_service_level_outlives_a_restart() {
    let site = Site::new();
    let ledger = site.open();
    let sales = QueueId::from("sales");
    for call in 1..=40 {
        let came = i64::try_from(call).unwrap() * 60;
        let queued = Fact::Queued { queue: sales.clone(), position: 1 };
        ledger.append(at(came, call, queued));
        let why = if call % 4 == 0 { QueueLeft::Abandoned } else { QueueLeft::Answered };
        if call % 5 == 0 {
            let told = Fact::AgentTold { queue: sales.clone(), told_us: 1_000_000 };
            ledger.append(at(came + 1 + came % 50, call, told));
        }
        let left = Fact::QueueLeft { queue: sales.clone(), why };
        ledger.append(at(came + 1 + came % 50, call, left));
    }
    wait_for_head(&mut ledger.head(), 88);
    let live = ledger.service().queue(&sales, second(2500));
    let quarters = ledger.service().quarters(&sales);
    assert_eq!((live.today.offered, live.today.answered), (40, 30));
    assert!(live.lately.offered < 40 && quarters.len() == 3, "{quarters:?}");
    assert!(ledger.close());

    let again = site.open();
    let terms = Terms::new(&std::collections::BTreeMap::new(), "UTC");
    again.count_service(terms, second(2500)).unwrap();

    assert_eq!(again.service().queue(&sales, second(2500)), live);
    assert_eq!(again.service().quarters(&sales), quarters);
}

#[test]
fn facts_after_the_end_are_in_a_record_that_is_asked_for() {
    let site = Site::new();
    let ledger = site.open();
    finished_call(1).into_iter().for_each(|entry| ledger.append(entry));
    ledger.append(at(9, 1, Fact::WrapUpBegan { agent: "17".into() }));
    ledger.append(at(30, 1, Fact::WrapUpEnded { agent: "17".into() }));
    assert!(ledger.close());

    let (_, record) = ledger.record(CallId::from_u64(1)).unwrap().unwrap();

    assert_eq!(record.wrap_ups[0].ended, Some(second(30)));
    assert_eq!(records(&everything(&ledger)).len(), 1, "no second record in the stream");
    drop(ledger);
    assert_eq!(records(&everything(&site.open())).len(), 1, "nor after a restart");
}

#[test]
fn calls_cut_off_by_kill_9_are_closed_once_with_true_times() {
    if let Ok(path) = std::env::var(CHILD) {
        return append_for_ever(Path::new(&path));
    }
    let site = Site::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "calls_cut_off_by_kill_9_are_closed_once_with_true_times", "--nocapture"])
        .env(CHILD, &site.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let announced = last_words(&mut child, 40);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    let latest = Wall::from_micros(ALIVE.as_micros() as i64) + last_moment(&site.path);

    let mut asked = Vec::new();
    let ledger = site.open_with(&mut |path| {
        asked.push(path.to_owned());
        Some(recorded())
    });

    let items = everything(&ledger);
    assert!(items.len() as u64 >= announced, "what was announced is there");
    let sequences: Vec<u64> = items.iter().map(|item| item.sequence).collect();
    assert_eq!(sequences, (1..=items.len() as u64).collect::<Vec<_>>());
    // The short call that was being written when the process died may be among them.
    let closed: Vec<CallRecord> = records(&items)
        .into_iter()
        .filter(|record| record.ended.as_ref().unwrap().reason == NODE_RESTART)
        .filter(|record| record.call.as_u64() > 1000)
        .collect();
    assert_eq!(closed.len(), 20);
    assert!((20..=21).contains(&asked.len()), "each once: {asked:?}"); // the short one has one too
    for record in &closed {
        let end = record.times.end.unwrap();
        assert!(end >= second(6) && end <= latest, "{end} is not when the node stopped");
        assert_eq!(record.talks[0].ended, Some(end));
        let recording = &record.recordings[0];
        let found = recording.ended.as_ref().unwrap();
        assert_eq!(found.bytes, 1234);
        let lost: u64 = found.gaps.iter().map(|gap| gap.length_us).sum();
        let reaches = recording.began.as_micros() + (found.length_us + lost) as i64;
        assert!(end.as_micros() - reaches < 100_000, "what it lacks is told: {found:?}");
        assert_eq!(record.ended.as_ref().unwrap().status, 200);
    }
    assert!(ledger.close());
    drop(ledger);
    assert_eq!(everything(&site.open()).len(), items.len(), "closed once");
}

/// Its disk hung when the call ended, and then the node was killed: the call's record stands as it
/// ended, and what became of the recording follows, whether there is a file or none.
#[test]
fn recordings_that_outlast_their_calls_are_closed_at_the_next_start() {
    for has_file in [true, false] {
        let site = Site::new();
        let ledger = site.open();
        let (awaited, leg) = (1001, leg(1001, 0));
        let (key, call) = (format!("{UNSEALED}{leg}"), CallId::from_u64(awaited));
        ledger.put(key.clone(), Some(serde_json::to_string(&call).unwrap()));
        talking_call(awaited).into_iter().for_each(|entry| ledger.append(entry));
        let reason = "caller_hung_up".to_owned();
        let end = Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason };
        ledger.append(at(9, awaited, end));
        assert!(ledger.close());
        drop(ledger);
        site.clock.store(99_000_000, Relaxed);

        let ledger = site.open_with(&mut |_| has_file.then(recorded));

        let items = everything(&ledger);
        let [delivered] = &records(&items)[..] else { panic!("one record") };
        assert_eq!(delivered.ended.as_ref().unwrap().reason, "caller_hung_up");
        assert_eq!(delivered.recordings[0].ended, None, "a record does not change");
        let Body::Entry(last) = &items.last().unwrap().body else { panic!("{items:?}") };
        assert!(matches!(last.fact, Fact::RecordingEnded { .. }), "{last:?}");
        let record = ledger.record(call).unwrap().unwrap().1;
        let found = record.recordings[0].ended.clone().unwrap();
        assert_eq!(found.fault.as_deref(), Some(NODE_RESTART));
        let told = (found.bytes, found.length_us);
        assert_eq!(told, if has_file { (1234, 1_000_000) } else { (0, 0) });
        let lost: u64 = found.gaps.iter().map(|gap| gap.length_us).sum();
        let began = record.recordings[0].began.as_micros();
        assert_eq!(began + (found.length_us + lost) as i64, second(9).as_micros());
        assert!(ledger.close());
        drop(ledger);
        assert_eq!(everything(&site.open()).len(), items.len(), "closed once");
    }
}

#[test]
fn a_call_that_waited_or_rang_is_closed_where_it_was() {
    let site = Site::new();
    let ledger = site.open();
    let (agent, queue) = (Some("17".into()), Some("sales".into()));
    ledger.append(setup(1));
    ledger.append(at(2, 1, Fact::Queued { queue: "sales".into(), position: 1 }));
    ledger.append(at(
        3,
        1,
        Fact::Offered { leg: leg(1, 1), extension: "1002".into(), agent, queue },
    ));
    site.clock.store(5_000_000, Relaxed);
    assert!(ledger.close());
    drop(ledger);
    site.clock.store(99_000_000, Relaxed);

    let ledger = site.open();

    let record = records(&everything(&ledger)).remove(0);
    assert_eq!(record.queues[0].why, Some(QueueLeft::NodeRestart));
    assert_eq!(record.queues[0].left, Some(second(5)), "not when it was started again");
    assert_eq!(record.offers[0].outcome, Some(OfferOutcome::NodeRestart));
    assert_eq!(record.times.end, Some(second(5)));
    assert_eq!(record.ended.unwrap().status, 0, "no final answer was ever sent");
}

/// The child may write files up to a size, and frees the limit when it has seen the alarm.
#[test]
fn pain_18_a_full_disk_is_an_alarm_and_loses_nothing_that_fits_the_buffer() {
    if let Ok(path) = std::env::var(CHILD) {
        return fill_the_disk(Path::new(&path));
    }
    let site = Site::new();
    // SIGXFSZ ignored, so that writing beyond the limit is an error as on a full disk.
    let script = "trap '' XFSZ; ulimit -S -f 600; exec \"$0\" --exact \
                  pain_18_a_full_disk_is_an_alarm_and_loses_nothing_that_fits_the_buffer \
                  --nocapture";
    let output = Command::new("bash")
        .args(["-c", script, std::env::current_exe().unwrap().to_str().unwrap()])
        .env(CHILD, &site.path)
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let appended: u64 = said.lines().find_map(|l| l.strip_prefix("all ")).unwrap().parse().unwrap();
    let ledger = site.open();
    let entries = everything(&ledger);
    let facts = entries.iter().filter(|item| matches!(item.body, Body::Entry(_))).count();
    assert_eq!(facts as u64, appended);
    assert_eq!(entries.last().unwrap().sequence, entries.len() as u64);
}

/// SQLite itself would go on writing to a file that is lost with the process.
#[test]
fn a_file_that_was_moved_or_replaced_is_an_alarm_and_loses_nothing() {
    let site = Site::new();
    let ledger = site.open();
    let away = site.path.with_extension("away");
    ledger.append(setup(1));
    let mut head = ledger.head();
    let before = wait_for_head(&mut head, 1);

    std::fs::rename(&site.path, &away).unwrap();
    ledger.append(setup(2));
    wait_until(|| !ledger.healthy());
    std::fs::write(&site.path, "another file").unwrap();
    ledger.append(setup(3));
    assert_eq!((ledger.health().waiting, *head.borrow()), (2, before));

    std::fs::rename(&away, &site.path).unwrap();
    wait_until(|| ledger.healthy() && ledger.health().waiting == 0);
    assert!(ledger.close());
    drop(ledger);
    let calls: Vec<_> = everything(&site.open()).iter().filter_map(|it| it.body.call()).collect();
    for call in 1..=3 {
        assert!(calls.contains(&CallId::from_u64(call)), "{call}: {calls:?}");
    }
}

#[test]
fn what_is_too_old_is_removed_and_asking_for_it_names_the_oldest() {
    let site = Site::new();
    let mut config = config();
    config.keep = Duration::from_secs(3600);
    let ledger = site.open_as(&config, &mut |_| None);
    for call in 1..=100 {
        let moment = if call <= 60 { 0 } else { 10_000 };
        ledger.append(at(moment, call, Fact::Answered));
    }
    assert!(ledger.close());
    drop(ledger);
    site.clock.store(second(10_001).as_micros(), Relaxed);

    let ledger = site.open_as(&config, &mut |_| None);

    wait_until(|| ledger.span().unwrap().oldest == 61);
    match ledger.page(1) {
        Err(LedgerError::Gone { sequence: 1, oldest: 61 }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.page(61).unwrap().len(), 40);
    assert_eq!(ledger.page(101).unwrap(), []);
    site.clock.store(second(99_999).as_micros(), Relaxed);
    assert!(ledger.close());
    drop(ledger);

    let ledger = site.open_as(&config, &mut |_| None);
    wait_until(|| ledger.span().unwrap().oldest == 100);
    ledger.append(at(99_999, 1, Fact::Answered));
    assert_eq!(wait_for_head(&mut ledger.head(), 101), 101, "sequences go on after removal");
}

#[test]
fn a_ledger_that_grows_too_big_loses_its_oldest() {
    let site = Site::new();
    let config = Config { keep_bytes: 1 << 20, ..config() };
    let ledger = site.open_as(&config, &mut |_| None);
    for call in 0..2000 {
        let values = [("topic".to_owned(), "x".repeat(2000))].into();
        ledger.append(at(1, call, Fact::Collected { values }));
    }
    assert!(ledger.close());
    drop(ledger);

    let ledger = site.open_as(&config, &mut |_| None);

    wait_until(|| ledger.span().unwrap().oldest > 1200);
    let span = ledger.span().unwrap();
    assert_eq!(span.newest, 2000);
    assert!(span.oldest < 1900, "no more than needed goes: {span:?}");
}

#[test]
fn time_finds_its_place_also_when_the_clock_went_back() {
    let site = Site::new();
    let ledger = site.open();
    for moment in [10, 20, 30, 15, 40] {
        ledger.append(at(moment, 1, Fact::Answered));
    }
    assert!(ledger.close());

    assert_eq!(ledger.first_since(second(0)).unwrap(), 1);
    assert_eq!(ledger.first_since(second(20)).unwrap(), 2);
    assert_eq!(ledger.first_since(second(31)).unwrap(), 5);
    assert_eq!(ledger.first_since(second(41)).unwrap(), 6);
}

#[tokio::test]
async fn acknowledgements_are_kept_and_never_go_back() {
    let site = Site::new();
    let ledger = site.open_as(&Config { consumers_max: 2, ..config() }, &mut |_| None);
    for call in 1..=3 {
        ledger.append(setup(call));
    }
    wait_for_head(&mut ledger.head(), 3);

    assert_eq!(ledger.acknowledged("billing").unwrap(), None);
    assert_eq!(ledger.acknowledge("billing", 2).await.unwrap(), 2);
    assert_eq!(ledger.acknowledge("billing", 1).await.unwrap(), 2);
    assert_eq!(ledger.acknowledge("wallboard", 0).await.unwrap(), 0);
    let ahead = ledger.acknowledge("billing", 4).await;
    assert!(matches!(ahead, Err(LedgerError::Ahead { newest: 3, .. })), "{ahead:?}");
    let third = ledger.acknowledge("third", 1).await;
    assert!(matches!(third, Err(LedgerError::Consumers { max: 2 })), "{third:?}");

    assert!(ledger.close());
    drop(ledger);
    let ledger = site.open();
    assert_eq!(ledger.acknowledged("billing").unwrap(), Some(2));
}

#[test]
fn values_outlive_a_restart() {
    let site = Site::new();
    let ledger = site.open();
    ledger.put("agent/17".to_owned(), Some("away".to_owned()));
    ledger.put("binding/1001".to_owned(), Some("sip:1001@192.0.2.1".to_owned()));
    ledger.put("binding/1002".to_owned(), Some("sip:1002@192.0.2.1".to_owned()));
    ledger.put("binding/1001".to_owned(), None);
    assert!(ledger.close());
    drop(ledger);

    let ledger = site.open();

    let found = ledger.all("binding/").unwrap();
    assert_eq!(found, [("binding/1002".to_owned(), "sip:1002@192.0.2.1".to_owned())]);
    assert_eq!(ledger.all("").unwrap().len(), 2);
}

#[test]
fn a_ledger_belongs_to_one_node() {
    let site = Site::new();
    let ledger = site.open();
    let second = Ledger::open(&site.path, &config(), site.node(&mut |_| None));
    assert!(matches!(second, Err(LedgerError::InUse { .. })));
    assert!(ledger.close());
}

#[test]
fn what_is_no_ledger_is_refused() {
    let site = Site::new();
    std::fs::write(&site.path, "this is a letter, not a ledger; ".repeat(100)).unwrap();

    let opened = Ledger::open(&site.path, &config(), site.node(&mut |_| None));

    assert!(matches!(opened, Err(LedgerError::Storage(_))));
}

// ---- helpers

const CHILD: &str = "STROWGER_TEST_LEDGER";
const ALIVE: Duration = Duration::from_secs(1);

struct Site {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    clock: Arc<AtomicI64>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        Self { _folder: folder, path, clock: Arc::new(AtomicI64::new(1_000_000)) }
    }

    fn open(&self) -> Ledger {
        self.open_with(&mut |_| None)
    }

    fn open_with(&self, recorded: &mut dyn FnMut(&str) -> Option<Recorded>) -> Ledger {
        self.open_as(&config(), recorded)
    }

    fn open_as(
        &self,
        config: &Config,
        recorded: &mut dyn FnMut(&str) -> Option<Recorded>,
    ) -> Ledger {
        Ledger::open(&self.path, config, self.node(recorded)).unwrap()
    }

    fn node<'a>(&self, recorded: &'a mut dyn FnMut(&str) -> Option<Recorded>) -> Node<'a> {
        let clock = Arc::clone(&self.clock);
        Node {
            name: "hq",
            clock: Box::new(move || Wall::from_micros(clock.load(Relaxed))),
            recorded,
        }
    }
}

fn config() -> Config {
    Config { alive_every: ALIVE, ..Config::default() }
}

/// 20 calls that talk, then entries without end; says what was announced. Killed from outside.
fn append_for_ever(path: &Path) {
    let clock = Box::new(|| second(7));
    let node = Node { name: "hq", clock, recorded: &mut |_| None };
    let ledger = Ledger::open(path, &config(), node).unwrap();
    for call in 1001..=1020 {
        talking_call(call).into_iter().for_each(|entry| ledger.append(entry));
    }
    let mut head = ledger.head();
    for call in 1.. {
        finished_call(call % 1000).into_iter().for_each(|entry| ledger.append(entry));
        println!("announced {}", wait_for_head(&mut head, 1));
    }
}

/// Fills the disk, sees the alarm, makes room, sees that it goes on.
fn fill_the_disk(path: &Path) {
    let clock = Box::new(|| second(7));
    let node = Node { name: "hq", clock, recorded: &mut |_| None };
    let config = Config { entries_max: 2000, ..config() };
    let ledger = Ledger::open(path, &config, node).unwrap();
    let mut appended = 0;
    while ledger.health().takes_calls() {
        let values = [("topic".to_owned(), "x".repeat(1000))].into();
        ledger.append(at(1, appended % 50, Fact::Collected { values }));
        appended += 1;
        if ledger.healthy() && appended % 100 == 0 {
            wait_until(|| ledger.health().waiting == 0 || !ledger.healthy());
        }
        assert!(appended < 100_000, "the disk is never full");
    }
    assert!(!ledger.healthy());
    assert!(ledger.health().pressure >= 0.9);

    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    wait_until(|| ledger.healthy() && ledger.health().waiting == 0);
    assert!(ledger.health().takes_calls());
    assert_eq!(ledger.health().lost, 0);
    assert!(ledger.close());
    println!("\nall {appended}");
}

/// Reads `lines` lines of announcements and gives the last number.
fn last_words(child: &mut Child, lines: usize) -> u64 {
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let numbers = said.filter_map(|line| line.strip_prefix("announced ")?.parse().ok());
    numbers.take(lines).last().unwrap()
}

/// The latest moment of any entry on disk.
fn last_moment(path: &Path) -> Duration {
    let db = rusqlite::Connection::open(path).unwrap();
    let micros: i64 = db.query_row("SELECT max(mark) FROM entries", [], |r| r.get(0)).unwrap();
    Duration::from_micros(micros as u64)
}

fn everything(ledger: &Ledger) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    loop {
        let page = ledger.page(all.last().map_or(1, |item| item.sequence + 1)).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn records(items: &[Item]) -> Vec<CallRecord> {
    let record = |item: &Item| match &item.body {
        Body::Record(record) => Some((**record).clone()),
        Body::Entry(_) => None,
    };
    items.iter().filter_map(record).collect()
}

fn wait_for_head(head: &mut tokio::sync::watch::Receiver<u64>, least: u64) -> u64 {
    wait_until(|| *head.borrow() >= least);
    *head.borrow()
}

/// Waits for another thread, for ten seconds at most.
fn wait_until(done: impl FnMut() -> bool) {
    let mut done = done;
    let waiter = crossbeam_channel::tick(Duration::from_millis(2));
    for _ in 0..5000 {
        if done() {
            return;
        }
        waiter.recv().unwrap();
    }
    panic!("what was waited for did not come");
}

fn second(seconds: i64) -> Wall {
    Wall::from_micros(seconds * 1_000_000)
}

fn leg(call: u64, index: u16) -> LegId {
    LegId { call: CallId::from_u64(call), index }
}

fn at(seconds: i64, call: u64, fact: Fact) -> Entry {
    Entry { at: second(seconds), call: Some(CallId::from_u64(call)), fact }
}

fn setup(call: u64) -> Entry {
    let fact = Fact::Setup {
        direction: Direction::Internal,
        from: "1001".to_owned(),
        e164: None,
        name: None,
        extension: Some("1001".into()),
        trunk: None,
        did: None,
        to: "1002".to_owned(),
        sip_call_id: format!("{call}@phone"),
        config: 1,
    };
    at(1, call, fact)
}

fn is_end(fact: &Fact) -> bool {
    matches!(fact, Fact::Ended { .. })
}

fn talking_call(call: u64) -> Vec<Entry> {
    let (a, b) = (leg(call, 0), leg(call, 1));
    vec![
        setup(call),
        at(2, call, Fact::Offered { leg: b, extension: "1002".into(), agent: None, queue: None }),
        at(3, call, Fact::Ringing { leg: b }),
        at(5, call, Fact::OfferEnded { leg: b, outcome: OfferOutcome::Answered }),
        at(5, call, Fact::Answered),
        at(5, call, Fact::TalkBegan { a, b, extension: Some("1002".into()), agent: None }),
        at(6, call, Fact::RecordingBegan { leg: a, path: format!("{call}.wav") }),
    ]
}

fn finished_call(call: u64) -> Vec<Entry> {
    let mut entries = talking_call(call);
    let (a, b) = (leg(call, 0), leg(call, 1));
    let reason = "caller_hung_up".to_owned();
    entries.push(at(9, call, Fact::TalkEnded { a, b }));
    let end = Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason };
    entries.push(at(9, call, end));
    entries
}

fn recorded() -> Recorded {
    Recorded {
        path: "x.wav".into(),
        length: Duration::from_secs(1),
        bytes: 1234,
        sha256: "00".repeat(32),
        fault: None,
        gaps: Vec::new(),
    }
}
