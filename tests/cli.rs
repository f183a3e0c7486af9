//! The client verbs: the built program against a gRPC server in this process.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use strowger::audio::wav::{Format, Wav};
use strowger::cdr::config::Config;
use strowger::cdr::decision::PassedWhy;
use strowger::cdr::entry::{
    AgentState, Direction, Entry, Fact, HungUpBy, OrderKind, QueueLeft, SupervisorMode, TrunkState,
};
use strowger::config::sections::Grpc;
use strowger::id::{CallId, LegId};
use strowger::media::vault::Keys;
use strowger::shell::board::Board;
use strowger::shell::clock::Clock;
use strowger::shell::grpc::Listener;
use strowger::shell::grpc::handle::{Asked, SwitchHandle};
use strowger::shell::ledger::{Body, Item, Ledger, Node};
use strowger::shell::media::archive::Archive;
use strowger::shell::media::keyring::Keyring;
use strowger::shell::media::tape::Tape;
use strowger::switch::request::{
    AgentChange, AgentView, CallView, CallbackState, CallbackView, CallerView, ConferenceView,
    ContactView, MemberView, NodeStatus, PhoneView, QueueView, Refusal, Reload, Reply, Request,
    RestingView, ServerView, Stage, Supervise, TrunkView,
};
use strowger::time::{Duration, Wall};
use tokio::runtime::Runtime;

#[test]
fn a_node_is_drained_and_takes_calls_again() {
    let site = Site::start();

    assert_eq!(site.says(&["drain"]), "hq takes no new calls; 3 in progress\n");
    assert_eq!(site.says(&["drain", "--undo"]), "hq takes calls; 3 in progress\n");
}

#[test]
fn status_is_a_table_for_people_and_json_for_programs() {
    let site = Site::start();

    let table = site.says(&["status"]);
    assert!(table.lines().any(|line| line == "calls              3"), "{table}");
    assert!(table.contains("written, 1 to 0"), "{table}");

    let json: serde_json::Value = serde_json::from_str(&site.says(&["status", "--json"])).unwrap();
    assert_eq!(json["name"], "hq");
    assert_eq!(json["calls"], 3);
    assert_eq!(json["ledger"]["writable"], true);
}

#[test]
fn agents_calls_queues_and_phones_are_listed() {
    let site = Site::start();
    for (verb, expected) in [
        ("agents", "17     王芳  available"),
        ("calls", "0000000000000001  1001  600"),
        ("conferences", "board       700     1/32     0000000000000001-0  1001  Ann   "),
        ("queues", "sales  600     most-idle  2"),
        ("phones", "1002       Wang Fang  1      -         udp://192.0.2.7:5060  Yealink"),
    ] {
        let table = site.says(&[verb]);
        assert!(table.contains(expected), "{verb}: {table}");
        assert_eq!(site.says(&[verb, "--json"]).lines().count(), 1, "one object a line");
    }
}

#[test]
fn queues_are_shown_with_their_service_level() {
    let site = Site::start();
    assert!(site.says(&["queues"]).trim_end().ends_with(" -"), "nobody came");
    let now = Clock::start().wall();
    for (call, seconds) in [(1, 5), (2, 40)] {
        let call = Some(CallId::from_u64(call));
        let came = Wall::from_micros(now.as_micros() - seconds * 1_000_000);
        let queued = Fact::Queued { queue: "sales".into(), position: 1 };
        site.ledger.append(Entry { at: came, call, fact: queued });
        let left = Fact::QueueLeft { queue: "sales".into(), why: QueueLeft::Answered };
        site.ledger.append(Entry { at: now, call, fact: left });
    }
    site.written(4);

    let table = site.says(&["queues"]);
    assert!(table.trim_end().ends_with("50 %"), "{table}");
    let json = site.says(&["queues", "--json"]);
    let queue: serde_json::Value = serde_json::from_str(&json).unwrap();
    let figures = &queue["lately"];
    assert_eq!((&figures["offered"], &figures["answered_within"]), (&2.into(), &1.into()));
    assert_eq!(figures["percent"]["answered"], 50.0, "{json}");
    assert_eq!(figures["answer_mean"], "22.500s");
    assert_eq!(queue["service_within"], "20s");
}

#[test]
fn who_waits_in_a_queue_is_listed() {
    let site = Site::start();

    let table = site.says(&["queues", "sales"]);
    assert!(table.contains("1      0000000000000001  1001  Ann\u{fffd}  1:15   0"), "{table}");
    assert_eq!(site.says(&["queues", "sales", "--json"]).lines().count(), 1);
    let refused = site.run(&["queues", "sails"]);
    assert_eq!(text(&refused.stderr), "strowger: there is no queue sails\n");
}

#[test]
fn who_is_to_be_called_back_is_listed() {
    let site = Site::start();

    let table = site.says(&["callbacks"]);
    assert!(table.contains("0000000000000007  sales  013800138000  Li    waiting  2"), "{table}");
    assert_eq!(site.says(&["callbacks", "sales", "--json"]).lines().count(), 1);
    let refused = site.run(&["call", "cancel-callback", "0000000000000007"]);
    let told = "strowger: nobody is to be called back who asked for it in call 0000000000000007\n";
    assert_eq!(text(&refused.stderr), told);
}

#[test]
fn trunks_are_listed_with_their_servers() {
    let site = Site::start();
    let table = site.says(&["trunks"]);
    let lines: Vec<&str> = table.lines().collect();

    assert!(lines[0].starts_with("TRUNK  STATE  FOR"), "{table}");
    assert!(lines[1].starts_with("itsp   up"), "{table}");
    assert!(lines[1].contains("3/30   udp:203.0.113.7:5060  yes  12 ms"), "{table}");
    assert!(lines[2].trim_start().starts_with("udp:203.0.113.8:5060  no   -"), "{table}");
    assert!(lines[1].trim_end().ends_with(" -"), "it does not rest: {table}");
    assert!(lines[2].trim_end().ends_with(":02:00 certificate"), "{table}");
    assert_eq!(site.says(&["trunks", "--json"]).lines().count(), 1);
}

#[test]
fn an_agents_state_is_changed() {
    let site = Site::start();

    let table = site.says(&["agent", "away", "17", "--reason", "lunch"]);

    assert!(table.contains("away") && table.contains("lunch"), "{table}");
    let refused = site.run(&["agent", "login", "99"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(text(&refused.stderr), "strowger: there is no agent 99\n");
}

#[test]
fn calls_are_ordered() {
    let site = Site::start();

    let dialled = site.says(&["call", "dial", "1001", "600", "--auto-answer"]);
    assert_eq!(dialled, "0000000000000007\n");
    assert_eq!(site.says(&["call", "transfer", "0000000000000007-1", "1002"]), "");
    let supervise = ["call", "supervise", "17", "--extension", "1002"];
    let whispers = site.says(&[&supervise[..], &["--mode", "whisper"]].concat());
    assert_eq!(whispers, "0000000000000007\n");
    let refused = site.run(&supervise);
    let told = "strowger: extension 1002 may not supervise agent 17\n";
    assert_eq!(text(&refused.stderr), told);
    assert_eq!(site.says(&["call", "prioritize", "0000000000000007", "90s"]), "90\n");
    let refused = site.run(&["call", "prioritize", "0000000000000007", "2d"]);
    assert_eq!(text(&refused.stderr), "strowger: `credit` is up to a day, not below 0\n");
    let refused = site.run(&["call", "move", "0000000000000007", "sales"]);
    assert_eq!(text(&refused.stderr), "strowger: call 0000000000000007 waits in no queue\n");
    assert_eq!(site.says(&["conference", "mute", "0000000000000007-1"]), "");
    assert_eq!(site.says(&["conference", "unmute", "0000000000000007-1"]), "");
    let refused = site.run(&["conference", "kick", "0000000000000007-1"]);
    assert_eq!(text(&refused.stderr), "strowger: there is no leg 0000000000000007-1\n");
    for verb in ["hold", "resume", "pause", "record"] {
        let refused = site.run(&["call", verb, "0000000000000007-1"]);
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(text(&refused.stderr), "strowger: there is no leg 0000000000000007-1\n");
    }
}

#[test]
fn a_refused_reload_shows_the_mistakes() {
    let site = Site::start();

    let refused = site.run(&["reload"]);

    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("strowger.toml:1:1: unknown key"));
}

#[test]
fn records_are_printed_for_people() {
    let site = Site::start();
    site.finish_calls(1..=2);

    let printed = site.says(&["cdr", "tail"]);

    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    let first =
        "       3  1970-01-01 00:00:00  0000000000000001  1001\u{fffd} to 1002  caller_hung_up";
    assert_eq!(lines[0], first, "what the caller sent cannot command the terminal");
}

#[test]
fn records_are_printed_as_a_downstream_system_gets_them() {
    let site = Site::start();
    site.finish_calls(1..=3);

    let printed = site.says(&["cdr", "tail", "--from", "4", "--json"]);

    let lines: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["sequence"], 6);
    assert_eq!(lines[0]["record"]["call_id"], "0000000000000002");
    assert_eq!(lines[0]["record"]["setup_time"], "1970-01-01T00:00:00.000002Z");
    let events = site.says(&["cdr", "tail", "--from", "4", "--json", "--events"]);
    assert_eq!(events.lines().count(), 6);
}

#[test]
fn a_consumer_gets_each_record_once() {
    let site = Site::start();
    site.finish_calls(1..=2);
    let tail = ["cdr", "tail", "--consumer", "billing", "--json"];

    assert_eq!(site.says(&tail).lines().count(), 2);
    assert_eq!(site.says(&tail), "");
    site.finish_calls(3..=3);
    assert_eq!(site.says(&tail).lines().count(), 1);
}

#[test]
fn a_call_that_there_was_is_explained() {
    let site = Site::start();
    site.finish_calls(1..=2);

    let told = site.says(&["explain", "0000000000000002"]);

    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "call 0000000000000002, 1970-01-01 UTC");
    assert_eq!(lines[1], "00:00:00.000  1001\u{fffd} calls 1002");
    assert!(lines.last().unwrap().contains("ends: caller_hung_up, by the caller"), "{told}");
    let json = site.says(&["explain", "0000000000000002", "--json"]);
    let facts: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((facts.len(), &facts[1]["call_id"]), (2, &"0000000000000002".into()));
    let unknown = site.run(&["explain", "00000000000000ff"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(text(&unknown.stderr), "strowger: there was no call 00000000000000ff\n");
}

#[test]
fn explain_wants_a_call_or_two_numbers() {
    for wrong in [
        &["explain"][..],
        &["explain", "1001"],
        &["explain", "--from", "1001"],
        &["explain", "--to", "1001"],
        &["explain", "0000000000000002", "--from", "1", "--to", "2"],
        &["explain", "--from", "1", "--to", "2", "--node", "127.0.0.1:1"],
    ] {
        let refused = Command::new(PROGRAM).args(wrong).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
}

/// A warning keeps no node from starting, so it fails no unit's `ExecStartPre` and no script.
#[test]
fn check_fails_only_for_what_keeps_a_node_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    for (text, code, told, last) in [
        ("", 0, 1, "a.toml: no mistakes; 10 extensions"),
        ("[recordings]\nkeep = \"900days\"\n", 0, 2, "a.toml: no mistakes, 1 warning; 10 "),
        ("[recordings]\nkeep = \"900days\"\n[node]\nname = 5\n", 1, 2, "a.toml:4:8: `5` is a "),
    ] {
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_strowger"));
        let check = check.args(["check", "-c", "a.toml"]).current_dir(&folder).output().unwrap();

        let said = String::from_utf8(check.stdout).unwrap();
        assert_eq!((check.status.code(), said.lines().count()), (Some(code), told), "{said}");
        assert!(said.lines().last().unwrap().starts_with(last), "{said}");
    }
}

#[test]
fn what_goes_wrong_is_said_in_a_sentence() {
    let nobody = Command::new(PROGRAM).args(["status", "--node", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let said = text(&nobody.stderr);
    assert!(said.starts_with("strowger: no node answers at http://127.0.0.1:1: "), "{said}");

    let usage = Command::new(PROGRAM).args(["agent", "dance", "17"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));

    let site = Site::start();
    let gone = site.run(&["cdr", "tail", "--from", "99"]);
    assert_eq!(gone.status.code(), Some(1));
    let said = text(&gone.stderr);
    assert_eq!(said, "strowger: sequence 99 does not exist yet; the newest is 0\n");
}

#[test]
fn recordings_are_found_exported_and_verified() {
    let site = Site::start();
    site.record_calls();

    let table = site.says(&["recordings", "find"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].contains("0000000000000002  1"), "the newest first: {table}");
    let json = site.says(&["recordings", "find", "--call", "0000000000000001", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["recording"]["length"], "0.500s");
    let none = ["recordings", "find", "--caller", "999*", "--json"];
    assert_eq!(site.says(&none), "");

    for call in ["0000000000000001", "0000000000000002"] {
        let out = site.folder.path().join(format!("{call}.wav"));
        let name = out.display().to_string();
        let export = ["recordings", "export", call, "--out", &name, "--purpose", "complaint 7"];
        assert!(site.says(&export).ends_with("0:00  wav\n"));
        let wav = Wav::parse(&fs::read(&out).unwrap()).unwrap();
        assert_eq!((wav.frames(), wav.channel(0)), (4000, vec![1000; 4000]));
        let again = site.run(&export);
        assert_eq!(again.status.code(), Some(1), "a file that is there is left alone");
        assert!(text(&again.stderr).contains("exists"), "{}", text(&again.stderr));
    }
    let verified = site.says(&["recordings", "verify"]);
    assert!(verified.ends_with("2 recordings, 0 not as they were\n"), "{verified}");
}

/// REC-2: who listened is logged, with what he said that it was for.
#[test]
fn the_ledger_says_who_found_and_heard_what() {
    let site = Site::start();
    site.record_calls();
    site.says(&["recordings", "find", "--caller", "1001*", "--purpose", "audit"]);
    let out = site.folder.path().join("heard.wav").display().to_string();
    site.says(&["recordings", "export", "0000000000000002", "--out", &out, "--purpose", "law"]);

    let events = site.says(&["cdr", "tail", "--events", "--json", "--from", "11"]);

    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{events:#?}");
    let found = &events[0]["event"]["recordings_found"];
    assert_eq!(found["query"], "caller=1001*");
    assert_eq!(found["call_ids"].as_array().unwrap().len(), 2);
    assert_eq!(found["access"]["shown"], "local");
    assert_eq!(found["access"]["address"], "127.0.0.1");
    assert_eq!(found["access"]["purpose"], "audit");
    assert_eq!(events[1]["event"]["call_id"], "0000000000000002");
    let exported = &events[1]["event"]["recording_exported"];
    assert!(exported["path"].as_str().unwrap().ends_with("2.rec"));
    assert_eq!(exported["access"]["purpose"], "law");
    let people = site.says(&["cdr", "tail", "--events", "--from", "11"]);
    assert!(people.contains("recording-exported") && people.contains("law"), "{people}");
}

#[test]
fn nobody_hears_anything_that_cannot_be_noted() {
    let site = Site::start();
    site.record_calls();
    site.ledger.close();
    let out = site.folder.path().join("heard.wav");

    let name = out.display().to_string();
    let refused = site.run(&["recordings", "export", "0000000000000001", "--out", &name]);

    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("ledger"), "{}", text(&refused.stderr));
    assert!(!out.exists());
    assert_eq!(site.run(&["recordings", "find"]).status.code(), Some(1));
}

#[test]
fn what_is_not_as_it_was_is_told() {
    let site = Site::start();
    let [plain, encrypted] = site.record_calls();
    fs::remove_file(plain).unwrap();
    let mut bytes = fs::read(&encrypted).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&encrypted, bytes).unwrap();

    let verified = site.run(&["recordings", "verify"]);

    assert_eq!(verified.status.code(), Some(1));
    let told = text(&verified.stdout);
    assert!(told.contains("missing") && told.contains("its file is gone"), "{told}");
    assert!(told.contains("altered") && told.contains("chunk 0 was altered"), "{told}");
    assert_eq!(text(&verified.stderr), "strowger: 2 of 2 recordings are not as they were\n");
    let out = site.folder.path().join("heard.wav").display().to_string();
    let export = ["recordings", "export", "0000000000000002", "--out", &out];
    assert!(text(&site.run(&export).stderr).contains("chunk 0 was altered"));
    let damaged = site.run(&[&export[..], &["--damaged"]].concat());
    assert_eq!(damaged.status.code(), Some(0), "{}", text(&damaged.stderr));
    assert_eq!(Wav::parse(&fs::read(&out).unwrap()).unwrap().frames(), 0);
    assert_eq!(site.run(&["recordings", "find", "--from", "soon"]).status.code(), Some(2));
}

#[test]
fn tls_and_token_are_taken_from_the_configuration() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");
    let grpc = Grpc {
        certificate: Some(format!("{folder}/certificate.pem").into()),
        key: Some(format!("{folder}/key.pem").into()),
        token: Some("open-sesame-open-sesame".to_owned().into()),
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..Grpc::default()
    };
    let site = Site::start_as(grpc);
    let port = site.address.port();
    let file = site.folder.path().join("strowger.toml");
    let config = format!(
        "[node]\nzone = \"Asia/Shanghai\"\n[grpc]\nlisten = \"0.0.0.0:{port}\"\n\
         certificate = \"{folder}/certificate.pem\"\nkey = \"{folder}/key.pem\"\n\
         token = \"open-sesame-open-sesame\"\n"
    );
    std::fs::write(&file, config).unwrap();

    let done = Command::new(PROGRAM).args(["status", "-c"]).arg(&file).output().unwrap();

    assert_eq!(text(&done.stderr), "");
    assert!(text(&done.stdout).contains("1970-01-01 08:00:00"), "{}", text(&done.stdout));
    let node = format!("https://localhost:{port}");
    let ca = format!("{folder}/certificate.pem");
    let stranger = ["status", "--node", &node, "--ca", &ca];
    let refused = Command::new(PROGRAM).args(stranger).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("token"), "{}", text(&refused.stderr));
    let known = Command::new(PROGRAM)
        .args(stranger)
        .env("STROWGER_TOKEN", "open-sesame-open-sesame")
        .output();
    assert!(known.unwrap().status.success());

    site.record_calls();
    let mut find = Command::new(PROGRAM);
    find.args(["recordings", "find", "-c"]).arg(&file).env("USER", "wang");
    assert!(find.output().unwrap().status.success());
    let items = site.ledger.page(11).unwrap();
    let [Item { body: Body::Entry(entry), .. }] = &items[..] else { panic!("{items:?}") };
    let Fact::RecordingsFound { access, .. } = &entry.fact else { panic!("{entry:?}") };
    assert_eq!((&*access.shown, access.name.as_deref()), ("token", Some("wang")));
}

#[test]
fn a_node_is_reached_though_the_rest_of_its_configuration_be_broken() {
    let site = Site::start();
    let listen = format!("[grpc]\nlisten = \"{}\"\n", site.address);
    let status = |text: &str, more: &[&str]| {
        let file = site.folder.path().join("site.toml");
        std::fs::write(&file, text).unwrap();
        Command::new(PROGRAM).args(["status", "-c"]).arg(&file).args(more).output().unwrap()
    };

    for broken in ["[extensions.1001]\npassword_env = \"NOT_SET_HERE\"\n", "[queues.sales\n"] {
        let done = status(&format!("{listen}{broken}"), &[]);
        assert_eq!(text(&done.stderr), "");
        assert!(done.status.success());
    }
    let torn = "[grpc]\nlisten = \"127.0.0.1\n";
    let lost = status(torn, &[]);
    assert_eq!(lost.status.code(), Some(1));
    let said = text(&lost.stderr);
    assert!(said.contains("site.toml:2:"), "{said}");
    assert!(said.ends_with("so the node's address is not known; give --node\n"), "{said}");
    let named = status(torn, &["--node", &site.address.to_string()]);
    assert!(named.status.success(), "what is given on the command line is enough");
    assert!(text(&named.stderr).contains("site.toml:2:"), "but what is broken is told");
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_strowger");

struct Site {
    folder: tempfile::TempDir,
    ledger: Ledger,
    address: SocketAddr,
    _runtime: Runtime,
}

impl Site {
    fn start() -> Self {
        Self::start_as(Grpc { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Grpc::default() })
    }

    fn start_as(grpc: Grpc) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Box::new(|| Wall::from_micros(0));
        let node = Node { name: "hq", clock, recorded: &mut |_| None };
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, &Config::default(), node).unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(Listener::bind(&grpc)).unwrap();
        let address = listener.local_addr().unwrap();
        let switch = SwitchHandle::new(played);
        let stop = std::future::pending();
        let archive = Archive { folder: folder.path().to_owned(), keyring: keyring() };
        let (board, clock) = (Board::default(), Clock::start());
        runtime.spawn(listener.serve(ledger.clone(), switch, clock, archive, board, stop));
        Self { folder, ledger, address, _runtime: runtime }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let node = self.address.to_string();
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--node", &node]).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// What a verb that succeeds prints.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        text(&output.stdout)
    }

    /// Calls 1 and 2 were recorded for half a second: the first in the clear, the second encrypted.
    /// Gives their files.
    fn record_calls(&self) -> [PathBuf; 2] {
        let keyring = keyring();
        let keys = keyring.keys();
        let record = |call: u64, keys: Option<&Keys>| {
            let path = self.folder.path().join(format!("{call}.rec"));
            let mut tape = Tape::create(&path, Format::Pcm16, keys).unwrap();
            tape.append(&[1000, -1000].repeat(4000)).unwrap();
            let (bytes, sha256) = tape.seal().unwrap();
            let leg = LegId { call: CallId::from_u64(call), index: 0 };
            let named = path.display().to_string();
            let ended = Fact::RecordingEnded {
                leg,
                path: named.clone(),
                length_us: 500_000,
                bytes,
                sha256,
                fault: None,
                gaps: Vec::new(),
            };
            for fact in [setup(), Fact::RecordingBegan { leg, path: named }, ended, self::ended()] {
                let at = Wall::from_micros(i64::try_from(call).unwrap());
                self.ledger.append(Entry { at, call: Some(leg.call), fact });
            }
            path
        };
        let paths = [record(1, None), record(2, keys.as_deref())];
        self.written(10);
        paths
    }

    /// Three items a call: setup, end, record.
    fn finish_calls(&self, calls: std::ops::RangeInclusive<u64>) {
        let last = calls.end() * 3;
        for call in calls {
            for fact in [setup(), ended()] {
                let at = Wall::from_micros(i64::try_from(call).unwrap());
                self.ledger.append(Entry { at, call: Some(CallId::from_u64(call)), fact });
            }
        }
        self.written(last);
    }

    /// Waits until the ledger has so many items.
    fn written(&self, last: u64) {
        let tick = crossbeam_channel::tick(Duration::from_millis(2));
        for _ in 0..5000 {
            if *self.ledger.head().borrow() >= last {
                return;
            }
            tick.recv().unwrap();
        }
        panic!("the calls are not written");
    }
}

fn keyring() -> Keyring {
    Keyring::of(Keys::parse(&format!("2026-11 {}", "3f".repeat(32))).unwrap())
}

fn played(asked: Asked) -> bool {
    match asked {
        Asked::Reload { reply } => {
            let mistakes = vec!["strowger.toml:1:1: unknown key".to_owned()];
            reply.send(Reload::Refused { mistakes }).is_ok()
        }
        Asked::Switch { request, reply } => {
            let answer = match request {
                Request::Agent(_) => Reply::Agent(agent(AgentState::Available, None)),
                Request::Agents => Reply::Agents(vec![agent(AgentState::Available, None)]),
                Request::Look(_) => Reply::Seen(Vec::new()),
                Request::Callbacks { .. } => Reply::Callbacks(vec![callback()]),
                Request::CancelCallback { call, .. } => {
                    Reply::Refused(Refusal::UnknownCallback(call))
                }
                Request::Callers { queue, .. } if queue.as_str() == "sales" => {
                    Reply::Callers(vec![caller()], 1)
                }
                Request::Callers { queue, .. } => Reply::Refused(Refusal::UnknownQueue(queue)),
                Request::Calls => Reply::Calls(vec![call()]),
                Request::Conferences => Reply::Conferences(vec![conference()]),
                Request::Member { leg, order: OrderKind::Kick, .. } => {
                    Reply::Refused(Refusal::UnknownLeg(leg))
                }
                Request::Member { .. } => Reply::Done,
                Request::ChangeAgent { agent: id, change, .. } => match change {
                    AgentChange::Away { reason } => Reply::Agent(agent(AgentState::Away, reason)),
                    _ => Reply::Refused(Refusal::UnknownAgent(id)),
                },
                Request::MoveCaller { call, .. } => Reply::Refused(Refusal::NotWaiting(call)),
                Request::Prioritise { credit, .. } => Reply::Position(credit.as_secs() as u32),
                Request::HangUp { call, .. } => Reply::Refused(Refusal::UnknownCall(call)),
                Request::Phones => Reply::Phones(vec![phone()]),
                Request::Queues => Reply::Queues(vec![queue()]),
                Request::Drain { on } => Reply::Status(status(on)),
                Request::Status => Reply::Status(status(false)),
                Request::Dial(_) => Reply::Dialled(CallId::from_u64(7)),
                Request::Supervise(wanted) if wanted.mode == SupervisorMode::Whisper => {
                    Reply::Dialled(CallId::from_u64(7))
                }
                Request::Supervise(Supervise { agent, extension, .. }) => {
                    Reply::Refused(Refusal::MayNotSupervise { extension, agent })
                }
                Request::Hold { leg, .. } | Request::PauseRecording { leg, .. } => {
                    Reply::Refused(Refusal::UnknownLeg(leg))
                }
                Request::Transfer { .. } => Reply::Done,
                Request::Trunks => Reply::Trunks(vec![trunk()]),
            };
            reply.send(answer).is_ok()
        }
    }
}

fn status(draining: bool) -> NodeStatus {
    NodeStatus { name: "hq".to_owned(), calls: 3, draining, ..NodeStatus::default() }
}

fn agent(state: AgentState, reason: Option<String>) -> AgentView {
    AgentView {
        agent: "17".into(),
        name: "王芳".to_owned(),
        state,
        reason,
        since: Wall::from_micros(1),
        extension: Some("1002".into()),
        queues: vec!["sales".into()],
        call: None,
        held_back: (state != AgentState::Available).then_some(PassedWhy::Away),
        until: None,
        break_held: false,
        then: None,
        calls: 7,
        talked: Duration::from_secs(90),
    }
}

fn callback() -> CallbackView {
    CallbackView {
        asked_in: CallId::from_u64(7),
        queue: "sales".into(),
        number: "013800138000".to_owned(),
        name: Some("Li".to_owned()),
        came: Wall::from_micros(0),
        until: Wall::from_micros(3_600_000_000),
        attempts: 1,
        state: CallbackState::Waiting,
        position: Some(2),
    }
}

fn caller() -> CallerView {
    CallerView {
        call: CallId::from_u64(1),
        position: 1,
        entered: Wall::from_micros(1),
        wait: Duration::from_secs(75),
        offers: 0,
        from: "1001".to_owned(),
        name: Some("Ann\u{7}".to_owned()),
        extension: None,
    }
}

fn call() -> CallView {
    CallView {
        call: CallId::from_u64(1),
        direction: Direction::Internal,
        from: "1001".to_owned(),
        name: None,
        extension: Some("1001".into()),
        trunk: None,
        to: "600".to_owned(),
        began: Wall::from_micros(1),
        answered: None,
        stage: Stage::InQueue { queue: "sales".into(), position: 1 },
        recorded: false,
        legs: Vec::new(),
    }
}

fn conference() -> ConferenceView {
    let call = CallId::from_u64(1);
    ConferenceView {
        conference: "board".into(),
        number: Some("700".to_owned()),
        parties_max: 32,
        members: vec![MemberView {
            leg: LegId { call, index: 0 },
            call,
            number: "1001".to_owned(),
            name: Some("Ann".to_owned()),
            joined: Wall::from_micros(1),
            muted: false,
        }],
    }
}

fn queue() -> QueueView {
    QueueView {
        queue: "sales".into(),
        number: Some("600".to_owned()),
        strategy: "most-idle".to_owned(),
        waiting: 2,
        callbacks: 0,
        longest_wait: Duration::from_secs(75),
        agents_logged_in: 3,
        agents_available: 0,
        agents_busy: 3,
    }
}

fn trunk() -> TrunkView {
    let server = |address: &str, up: bool, latency| {
        let resting = (!up).then(|| {
            let until = Wall::from_micros(120_000_000);
            RestingView { until, why: "certificate".to_owned() }
        });
        ServerView { address: address.to_owned(), up, latency, resting }
    };
    TrunkView {
        trunk: "itsp".into(),
        state: TrunkState::Up,
        why: None,
        since: Wall::from_micros(1),
        registered_until: Some(Wall::from_micros(3_600_000_000)),
        calls: 3,
        calls_max: 30,
        servers: vec![
            server("udp:203.0.113.7:5060", true, Some(Duration::from_millis(12))),
            server("udp:203.0.113.8:5060", false, None),
        ],
    }
}

fn phone() -> PhoneView {
    let contact = ContactView {
        uri: "sip:1002@192.0.2.7:5060".to_owned(),
        address: "udp://192.0.2.7:5060".to_owned(),
        user_agent: Some("Yealink".to_owned()),
        registered: Wall::from_micros(0),
        expires: Wall::from_micros(3_600_000_000),
    };
    PhoneView {
        extension: "1002".into(),
        name: "Wang Fang".to_owned(),
        calls: 1,
        services: strowger::call::services::Services::default(),
        contacts: vec![contact],
    }
}

fn setup() -> Fact {
    Fact::Setup {
        direction: Direction::Internal,
        from: "1001\u{1b}".to_owned(),
        e164: None,
        name: None,
        extension: Some("1001".into()),
        trunk: None,
        did: None,
        to: "1002".to_owned(),
        sip_call_id: "a@phone".to_owned(),
        config: 1,
    }
}

fn ended() -> Fact {
    let reason = "caller_hung_up".to_owned();
    Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
