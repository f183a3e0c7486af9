//! What users of other switches suffer from, and the tests that it does not happen here.
//!
//! Each pain was told in public threads of other projects; the numbers are those of a list of 25.
//! Its test is named after it, `pain_NN_…`, here or where its subject is tested, and says what
//! holds.
//!
//! | no. | what is suffered elsewhere | told in | tested in |
//! |---|---|---|---|
//! | 1 | the dispatcher hangs: free agents are not rung | freeswitch#1641, #1062 | `lines` |
//! | 2 | agents stay reserved when more than ten ring | freeswitch#2540 | `agents` |
//! | 3 | agents are rung for callers who are gone | freeswitch#1973, #2529 | `lines` |
//! | 4 | two have the call, or everyone is dropped | asterisk#176, #1557, #313 | `lines` |
//! | 5 | ring-all rings one twice and skips another | freeswitch#2901 | `agents` |
//! | 6 | more load, and everything collapses | freeswitch#2458 | `lines` |
//! | 7 | a reload, or one change of state, floods all | asterisk#1972 | `lines` |
//! | 8 | deadlock over agents in several queues | asterisk#1611 | `tests/acd_threads.rs` |
//! | 9 | wrap-up is not honoured | asterisk#1006, #607 | `agents` |
//! | 10 | wrap-up is not to be seen | asterisk#1377 | `agents` |
//! | 11 | unfair over several queues | asterisk#108, #1561 | `lines`, `tests/acd_queueing.rs` |
//! | 12 | one call counts twice, against fewest-calls | asterisk#1736 | `agents` |
//! | 13 | prompts delay the phone, music plays on | freeswitch#1148, asterisk#1568 | `greeting` |
//! | 14 | agents are billed what others talked | asterisk#759 | `records` |
//! | 15 | transferred calls lose their recording | mikopbx/Core#1084, #1100 | `records` |
//! | 16 | who was offline never gets what he missed | AsterNET#273, #190 | `tests/grpc.rs` |
//! | 17 | no time of answer in the record | siphon-ai#331 | `records` |
//! | 18 | the store is down, records are lost | freeswitch#2376 | `tests/ledger.rs` |
//! | 19 | callbacks jump ahead, too many at once | FreePBX#621, fusionpbx#1322 | `callback` |
//! | 20 | who refused is rung again, for ever | mikopbx/Core#1043, #409 | `agents` |
//! | 21 | phones that are not there are available | fusionpbx#2831, freeswitch#152 | `agents` |
//! | 22 | lamps are wrong after a restart | freeswitch#3056 | `subscribe_restart` |
//! | 23 | trunks stick to a dead server | asterisk#1927 | `trunk_failover` |
//! | 24 | a customer is forgotten on hold | freeswitch#1140 | `alarms` |
//! | 25 | a restart loses states and figures | asterisk#66, #1255 | `records`, `tests/ledger.rs` |

mod agents;
mod lines;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The table above names each test of a pain where it is, and no other.
#[test]
fn the_table_says_where_each_pain_is_tested() {
    let rows = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut told: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        if let Ok(number) = cells[0].parse() {
            let places = cells[3].trim_end_matches(" |").split(", ");
            told.insert(number, places.map(|place| place.trim_matches('`').to_owned()).collect());
        }
    }
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut files = Vec::new();
    sources(Path::new("tests"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("the tests are there");
        for name in text.lines().filter_map(|line| line.split("fn pain_").nth(1)) {
            if let Some(number) = name.get(..2).and_then(|digits| digits.parse().ok()) {
                found.entry(number).or_default().insert(place(&file));
            }
        }
    }
    assert_eq!(told, found, "the table, the tests");
    assert_eq!(told.len(), 25);
}

/// As the table names a file.
fn place(file: &Path) -> String {
    let name = file.display().to_string();
    let inside = name.strip_prefix("tests/calls/").map(|it| it.trim_start_matches("pains/"));
    inside.map_or(name.clone(), |it| it.trim_end_matches(".rs").to_owned())
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the tests are there").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// A site with the phones 1001 and 1002, and as many agents, `a1` at 2001 and so on, who serve the
/// queues of `queues`.
fn site(agents: u32, queues: &str) -> String {
    let mut site =
        "[media]\nlisten = \"192.0.2.1\"\n[sip]\ndomain = \"strowger.test\"\n".to_owned();
    let seats = (2001..=2000 + agents).map(|seat| (seat, format!("secret-{seat}")));
    for (phone, password) in
        [1001, 1002].map(|it| (it, format!("secret-{it}"))).into_iter().chain(seats)
    {
        _ = writeln!(site, "[extensions.{phone}]\npassword = \"{password}\"");
    }
    for number in 1..=agents {
        let seat = 2000 + number;
        _ = writeln!(site, "[agents.a{number}]\nextension = \"{seat}\"\nlogin = \"auto\"");
    }
    let members: Vec<String> = (1..=agents).map(|number| format!("\"a{number}\"")).collect();
    site + &queues.replace("EVERYONE", &format!("[{}]", members.join(", ")))
}
